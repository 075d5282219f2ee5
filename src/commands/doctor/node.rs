//! Checks the login files of the whole machine: CRI-O's, the kubelet's, and the one for all
//! users.

use std::path::Path;

use super::Diagnostic;
use super::client_files::PLAINTEXT_PASSWORD;
use super::login_files::secret_keys;
use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::Machine;
use crate::client_config::file;
use crate::client_config::json::Document;
use crate::client_config::node;
use crate::client_config::node::Reader;
use crate::commands::client_mistakes::describe;
use crate::commands::scopes::listed;
use crate::settings::Settings;

const CHECK: &str = "machine-file";

pub(super) fn check(machine: &Machine<'_>, settings: &Settings) -> Vec<Diagnostic> {
    let files = node::files(machine).into_iter();
    files
        .flat_map(|(reader, path)| in_file(reader, &path, settings))
        .collect()
}

/// Checks one file. Ignores a file that cannot be read, because usually only root can read it.
fn in_file(reader: Reader, path: &Path, settings: &Settings) -> Vec<Diagnostic> {
    let Ok(Some(text)) = file::read(path) else {
        return Vec::new();
    };
    let Ok(document) = Document::parse(&text) else {
        return Vec::new();
    };
    let hosts = document.our_hosts();
    if reader == Reader::Kubelet {
        return kubelet(path, &hosts, &secret_keys(&text, settings));
    }
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for mistake in document.mistakes(&settings.registries) {
        let message = describe(path, Client::Podman, &mistake);
        diagnostics.push(Diagnostic::warning(
            CHECK,
            message,
            format!("Correct {}", path.display()),
        ));
    }
    let path = path.display();
    if !hosts.is_empty() {
        diagnostics.push(Diagnostic::ok(
            CHECK,
            format!(
                "{path} ({reader}) uses this helper for {}, with root's logins and the PATH of the service",
                listed(&hosts)
            ),
        ));
    }
    let keys = secret_keys(&text, settings);
    if !keys.is_empty() {
        diagnostics.push(Diagnostic::warning(
            PLAINTEXT_PASSWORD,
            format!("{path} ({reader}) contains passwords in clear text for {}", listed(&keys)),
            format!("Remove {} from auths in {path}, and add them to credHelpers with the helper \"icr\"", listed(&keys)),
        ));
    }
    diagnostics
}

/// Reports that the kubelet starts no helpers that its file names.
fn kubelet(path: &Path, hosts: &[String], keys: &[String]) -> Vec<Diagnostic> {
    let path = path.display();
    let mut diagnostics = Vec::new();
    if !hosts.is_empty() {
        diagnostics.push(Diagnostic::warning(
            CHECK,
            format!(
                "{path} names this helper for {}, but the kubelet takes no helpers from this file",
                listed(hosts)
            ),
            format!(
                "Use a pull secret ('{PROGRAM} print {} --format kubernetes-secret'), or a credential provider of the kubelet",
                hosts.first().map_or("us.icr.io", String::as_str)
            ),
        ));
    }
    if !keys.is_empty() {
        diagnostics.push(Diagnostic::ok(
            CHECK,
            format!(
                "{path} contains the kubelet's passwords for {}. It takes no helpers from this file",
                listed(keys)
            ),
        ));
    }
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_config::Machine;
    use crate::environment::Environment;

    /// Returns what is found in a file of a machine, one line for each diagnostic.
    fn found(path: &str, text: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(path, text);
        write(
            "etc/crio/crio.conf",
            "[crio.image]\nglobal_auth_file = \"/etc/crio.json\"",
        );
        let environment = Environment::default();
        let machine = Machine::without_user(&environment, root.path());
        let diagnostics = check(&machine, &Settings::default());
        let line = |it: Diagnostic| format!("{} {}: {}", it.verdict.name(), it.check, it.message);
        diagnostics.into_iter().map(line).collect()
    }

    #[track_caller]
    fn has(found: &[String], verdict: &str, parts: &[&str]) {
        let mut lines = found.iter().filter(|line| line.starts_with(verdict));
        assert!(
            lines.any(|line| parts.iter().all(|part| line.contains(part))),
            "{verdict} {parts:?}: {found:?}"
        );
    }

    const HELPER: &str = r#"{"credHelpers": {"us.icr.io": "icr"}}"#;
    const LOGIN: &str = r#"{"auths": {"us.icr.io": {"auth": "eDp5"}}}"#;

    #[test]
    fn the_kubelet_takes_no_helpers_from_its_file() {
        let file = "var/lib/kubelet/config.json";
        has(
            &found(file, HELPER),
            "warning machine-file",
            &["us.icr.io", "takes no helpers"],
        );
        has(
            &found(file, LOGIN),
            "ok machine-file",
            &["passwords for us.icr.io"],
        );
        assert_eq!(found(file, "{}"), [""; 0]);
    }

    #[test]
    fn files_of_crio_and_of_all_users_can_have_the_helper() {
        for (file, reader) in [
            ("etc/crio.json", "(CRI-O)"),
            ("etc/containers/auth.json", "--authfile names it)"),
        ] {
            has(
                &found(file, HELPER),
                "ok machine-file",
                &[reader, "for us.icr.io"],
            );
            has(
                &found(file, LOGIN),
                "warning plaintext-password",
                &[reader, "us.icr.io"],
            );
            let mistake = HELPER.replace("us.icr.io", "https://us.icr.io");
            has(
                &found(file, &mistake),
                "warning machine-file",
                &["has to be 'us.icr.io'"],
            );
        }
    }
}
