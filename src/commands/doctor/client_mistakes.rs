//! Checks clients' files and variables for mistakes that clients ignore.

use super::CheckContext;
use super::Diagnostic;
use super::client_files::configure;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::json::Mistake;
use crate::client_config::json::STORE;
use crate::client_config::json::is_looked_up;
use crate::commands::client_mistakes::describe;
use crate::commands::clients::machine;
use crate::registry::Registry;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mistakes = context.clients.mistakes().into_iter();
    let mut diagnostics = variables(&machine(context.context));
    diagnostics.extend(mistakes.map(|(file, mistake)| diagnostic(file, mistake)));
    diagnostics
}

/// Checks the variables with the paths of clients' files.
fn variables(machine: &Machine<'_>) -> Vec<Diagnostic> {
    const CHECK: &str = "client-variable";
    let relative = machine.relative_variables().into_iter();
    let relative = relative.map(|(message, fix)| Diagnostic::warning(CHECK, message, fix));
    let errors = machine.variable_errors();
    let errors = errors.iter().map(|error| Diagnostic::error(CHECK, error));
    relative.chain(errors).collect()
}

fn diagnostic(file: &ClientFile, mistake: &Mistake) -> Diagnostic {
    let client = file.client;
    let message = describe(&file.path, client, mistake);
    match mistake {
        Mistake::Key { key, registry } if is_looked_up(key, registry) => {
            Diagnostic::warning("helper-key", message, configure(client, &[registry]))
        }
        Mistake::Key { registry, .. } => {
            Diagnostic::problem("helper-key", message, configure(client, &[registry]))
        }
        Mistake::Wildcard(_) => {
            Diagnostic::problem("helper-key", message, configure::<Registry>(client, &[]))
        }
        Mistake::HelperName { key, .. } => {
            let fix = match Registry::parse(key) {
                Some(registry) if registry.host() == key => configure(client, &[registry]),
                _ if key == STORE => format!(
                    "Run '{}', and remove credsStore from {}",
                    configure::<Registry>(client, &[]),
                    file.path.display()
                ),
                _ => format!(
                    "Write \"{}\" in {}",
                    client.format().helper(),
                    file.path.display()
                ),
            };
            Diagnostic::problem("helper-name", message, fix)
        }
        Mistake::RepeatedKey(registry) => Diagnostic::warning(
            "helper-key",
            message,
            format!(
                "Remove all but one '{registry}' from {}",
                file.path.display()
            ),
        ),
        Mistake::RepeatedField { entry, field } => Diagnostic::warning(
            "repeated-field",
            message,
            format!(
                "Remove all but one '{field}' of {entry} from {}",
                file.path.display()
            ),
        ),
        Mistake::NoHelperName(registry) => {
            Diagnostic::warning("helper-name", message, configure(client, &[registry]))
        }
        Mistake::Field { name, .. } => Diagnostic::warning(
            "unknown-field",
            message,
            format!(
                "Remove {name} from {}, and run '{}', which writes credHelpers",
                file.path.display(),
                configure::<Registry>(client, &[])
            ),
        ),
    }
}
