//! Commands for the person's shell: PowerShell on Windows, otherwise a POSIX shell. And words of a POSIX
//! shell.

use zeroize::Zeroizing;

/// Returns the command that sets a variable.
pub(crate) fn set(variable: &str, value: &str) -> String {
    if cfg!(windows) {
        format!("$env:{variable} = '{}'", value.replace('\'', "''"))
    } else {
        format!("export {variable}={}", word(value, Quotes::Single))
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

/// The quotation marks around a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Quotes {
    /// For a command in a message, because messages have commands in single quotes.
    #[cfg_attr(
        not(unix),
        allow(dead_code, reason = "such commands change owners and modes")
    )]
    Double,
    /// For a line that a shell reads.
    Single,
}

/// Returns a word of a POSIX shell, in quotation marks if it needs them.
pub(crate) fn word(text: &str, quotes: Quotes) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        quoted(text, quotes).to_string()
    }
}

/// Returns a text in quotation marks, which may be a secret, as a word of a POSIX shell.
pub(crate) fn quoted(text: &str, quotes: Quotes) -> Zeroizing<String> {
    // Every character may have to be escaped; a buffer that grows leaves copies in memory.
    let mut quoted = Zeroizing::new(String::with_capacity(4 * text.len() + 2));
    let mark = match quotes {
        Quotes::Double => '"',
        Quotes::Single => '\'',
    };
    quoted.push(mark);
    for character in text.chars() {
        match quotes {
            Quotes::Single if character == mark => quoted.push_str(r"'\'"),
            Quotes::Double if "\"\\$`".contains(character) => quoted.push('\\'),
            _ => {}
        }
        quoted.push(character);
    }
    quoted.push(mark);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_in_quotation_marks_if_it_needs_them() {
        for (text, single, double) in [
            ("/a/b-1.json", "/a/b-1.json", "/a/b-1.json"),
            ("", "''", "\"\""),
            ("a b", "'a b'", "\"a b\""),
            ("a'$(x)`\"\\", r#"'a'\''$(x)`"\'"#, r#""a'\$(x)\`\"\\""#),
        ] {
            assert_eq!(word(text, Quotes::Single), single);
            assert_eq!(word(text, Quotes::Double), double);
        }
        assert_eq!(*quoted("plain", Quotes::Single), "'plain'");
    }

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
