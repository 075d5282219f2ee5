//! Checks what people wrote by hand into clients' files and variables, and clients ignore.

use super::CheckContext;
use super::Diagnostic;
use super::client_files::configure;
use crate::client_config::ClientFile;
use crate::client_config::docker;
use crate::client_config::json::Mistake;
use crate::commands::client_mistakes::describe;
use crate::commands::clients::machine;
use crate::registry::Registry;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mistakes = context.clients.mistakes().into_iter();
    let mut diagnostics = docker_directory(context);
    diagnostics.extend(mistakes.map(|(file, mistake)| diagnostic(file, mistake)));
    diagnostics
}

/// Checks the directory in `$DOCKER_CONFIG`.
fn docker_directory(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    const CHECK: &str = "docker-config";
    match docker::directory(&machine(context.context)) {
        Err(error) => vec![Diagnostic::error(CHECK, &error)],
        Ok(Some(directory)) if directory.is_relative() => vec![Diagnostic::warning(
            CHECK,
            format!(
                "${} is a relative path ({}), so clients read another file in each directory",
                docker::DIRECTORY,
                directory.display()
            ),
            format!("export {}=\"$HOME/.docker\"", docker::DIRECTORY),
        )],
        Ok(_) => Vec::new(),
    }
}

fn diagnostic(file: &ClientFile, mistake: &Mistake) -> Diagnostic {
    let client = file.client;
    let message = describe(&file.path, client, mistake);
    match mistake {
        Mistake::Key { registry, .. } => {
            Diagnostic::problem("helper-key", message, configure(client, &[registry]))
        }
        Mistake::Wildcard(_) => {
            Diagnostic::problem("helper-key", message, configure::<Registry>(client, &[]))
        }
        Mistake::HelperName { key, .. } => {
            let fix = match Registry::parse(key) {
                Some(registry) if registry.host() == key => configure(client, &[registry]),
                _ => format!(
                    "Write \"{}\" in {}",
                    client.format().helper(),
                    file.path.display()
                ),
            };
            Diagnostic::problem("helper-name", message, fix)
        }
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
