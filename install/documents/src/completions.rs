//! Shell completions, with the file names that each shell expects.

use clap::Arg;
use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Generator as _;
use clap_complete::Shell;
use docker_credential_icr::PROGRAM;
use docker_credential_icr::cli::arguments;
use docker_credential_icr::registry;

use crate::Document;

const SHELLS: [Shell; 5] = [
    Shell::Bash,
    Shell::Elvish,
    Shell::Fish,
    Shell::PowerShell,
    Shell::Zsh,
];

/// Returns a file for every shell.
pub(crate) fn all() -> Vec<Document> {
    SHELLS.map(document).into()
}

fn document(shell: Shell) -> Document {
    let mut content = Vec::new();
    let mut program = with_hosts(arguments::definitions());
    clap_complete::generate(shell, &mut program, PROGRAM, &mut content);
    if shell == Shell::Bash {
        content = with_names_of_bash(content);
    }
    Document {
        name: shell.file_name(PROGRAM),
        content,
    }
}

/// The names of arguments that take registries.
const REGISTRIES: [&str; 2] = ["ADDRESS", "REGISTRY"];

/// Adds IBM's registry hosts as values, without deprecated ones and staging.
fn with_hosts(command: Command) -> Command {
    command
        .mut_args(with_host_values)
        .mut_subcommands(with_hosts)
}

fn with_host_values(argument: Arg) -> Arg {
    let names = argument.get_value_names().unwrap_or_default();
    let is_registry = match names {
        [name] => REGISTRIES.contains(&name.as_str()),
        _ => REGISTRIES.contains(&argument.get_id().as_str()),
    };
    if !is_registry {
        return argument;
    }
    let hosts: Vec<String> = registry::all()
        .filter(|registry| registry.host().ends_with("icr.io") && !registry.is_staging())
        .map(|registry| registry.host().to_owned())
        .collect();
    argument.value_parser(PossibleValuesParser::new(hosts))
}

/// clap_complete 4.6 gives a command one name where it finds it and another where it
/// completes it, if the program's has a hyphen.
fn with_names_of_bash(content: Vec<u8>) -> Vec<u8> {
    let program = PROGRAM.replace('-', "__subcmd__");
    let text = String::from_utf8_lossy(&content);
    text.replace(&program, &PROGRAM.replace('-', "__")).into()
}

#[cfg(test)]
mod tests {
    use docker_credential_icr::helper::VERBS;

    use super::*;

    #[test]
    fn registries_are_offered_and_no_deprecated_ones() {
        for document in all() {
            let text = String::from_utf8(document.content).unwrap();
            // The completions of elvish and PowerShell suggest no values.
            let offers_values = !text.contains("edit:completion") && !text.contains("Register-");
            assert_eq!(text.contains("private.jp2.icr.io"), offers_values);
            assert!(!text.contains("bluemix"), "{}", document.name);
        }
    }

    #[test]
    fn all_completions_contain_verbs_and_commands() {
        for document in all() {
            let text = String::from_utf8(document.content).unwrap();
            for name in VERBS.map(|verb| verb.name).into_iter().chain(["settings"]) {
                assert!(text.contains(name), "{name} in {}", document.name);
            }
        }
    }
}
