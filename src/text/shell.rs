//! Commands for the person's shell: PowerShell on Windows, otherwise a POSIX shell.

/// Returns the command that sets a variable.
pub(crate) fn set(variable: &str, value: &str) -> String {
    if cfg!(windows) {
        format!("$env:{variable} = '{}'", value.replace('\'', "''"))
    } else {
        format!("export {variable}={}", quoted(value))
    }
}

/// Returns the command that sets a variable to a path in the home directory, which is given with
/// slashes.
pub(crate) fn set_in_home(variable: &str, path: &str) -> String {
    if cfg!(windows) {
        format!("$env:{variable} = \"$HOME\\{}\"", path.replace('/', "\\"))
    } else {
        format!("export {variable}=\"$HOME/{path}\"")
    }
}

/// Returns the command that unsets a variable.
pub(crate) fn unset(variable: &str) -> String {
    if cfg!(windows) {
        format!("Remove-Item Env:{variable}")
    } else {
        format!("unset {variable}")
    }
}

/// Returns a word as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_systems_shell() {
        let commands = [
            set("DOCKER_CONFIG", "/a/b"),
            set("DOCKER_CONFIG", "/it's here"),
            set_in_home("DOCKER_CONFIG", ".config/x"),
            unset("DOCKER_CONFIG"),
        ];
        let expected = if cfg!(windows) {
            [
                "$env:DOCKER_CONFIG = '/a/b'",
                "$env:DOCKER_CONFIG = '/it''s here'",
                "$env:DOCKER_CONFIG = \"$HOME\\.config\\x\"",
                "Remove-Item Env:DOCKER_CONFIG",
            ]
        } else {
            [
                "export DOCKER_CONFIG=/a/b",
                r"export DOCKER_CONFIG='/it'\''s here'",
                "export DOCKER_CONFIG=\"$HOME/.config/x\"",
                "unset DOCKER_CONFIG",
            ]
        };
        assert_eq!(commands, expected);
    }
}
