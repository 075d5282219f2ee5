//! Completions for shells, named as each shell looks for them.

use clap_complete::Generator as _;
use clap_complete::Shell;
use docker_credential_icr::command;
use docker_credential_icr::protocol::PROGRAM;

use crate::Document;

const SHELLS: [Shell; 5] = [
    Shell::Bash,
    Shell::Elvish,
    Shell::Fish,
    Shell::PowerShell,
    Shell::Zsh,
];

/// A file for every shell.
pub(crate) fn all() -> Vec<Document> {
    SHELLS.map(document).into()
}

fn document(shell: Shell) -> Document {
    let mut content = Vec::new();
    clap_complete::generate(shell, &mut command::definitions(), PROGRAM, &mut content);
    Document {
        name: shell.file_name(PROGRAM),
        content,
    }
}

#[cfg(test)]
mod tests {
    use docker_credential_icr::program::VERBS;

    use super::*;

    #[test]
    fn every_shell_knows_every_verb_and_a_command_of_people() {
        for document in all() {
            let text = String::from_utf8(document.content).unwrap();
            for name in VERBS.map(|verb| verb.name).into_iter().chain(["settings"]) {
                assert!(text.contains(name), "{name} in {}", document.name);
            }
        }
    }
}
