//! Logins that stay in the keychain of docker's own helper, which docker no longer asks for a
//! registry with this helper.

use std::collections::BTreeMap;
use std::process::Command;

use super::Configuring;
use super::output::FileOutcome;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::docker;
use crate::client_config::json::Document;
use crate::client_config::json::HelperName;
use crate::commands::clients::machine;
use crate::fs;
use crate::process::output;
use crate::registry::Registry;

/// The helpers for keychains that docker brings along (`docker/docker-credential-helpers`, and
/// Docker Desktop, also in WSL). Only these are started.
const KEYCHAINS: [&str; 7] = [
    "desktop",
    "desktop.exe",
    "osxkeychain",
    "pass",
    "secretservice",
    "wincred",
    "wincred.exe",
];

impl Configuring<'_> {
    /// Warns of logins that docker's own helper stores for the registries that are added to a
    /// file with this text. The helper lists names only; no secret is read.
    pub(super) fn warn_of_former_logins(
        &self,
        file: &ClientFile,
        text: &str,
        outcome: &FileOutcome,
    ) {
        // Root would ask root's keychain instead of the user's.
        let is_of_other_user = fs::acting_owner(&file.path).is_some();
        if file.client != Client::Docker || outcome.hosts.is_empty() || is_of_other_user {
            return;
        }
        let Some(helper) = self.keychain_helper(file, text) else {
            return;
        };
        for address in self.stored_addresses(&helper, &outcome.hosts) {
            let fix = if self.arguments.dry_run {
                format!("To delete it, run 'docker logout {address}' before you add the helper")
            } else {
                format!("To delete it, run 'echo {address} | {helper} erase'")
            };
            self.warnings.warn(format!(
                "{helper} has a login for {address}, which docker does not use beside this helper. {fix}"
            ));
        }
    }

    /// Returns the program that docker used for a registry without a helper of its own.
    fn keychain_helper(&self, file: &ClientFile, text: &str) -> Option<String> {
        let document = Document::parse_as(text, file.client.format()).ok()?;
        let name = match document.store() {
            Some(HelperName::Other(name)) => name,
            _ if document.mentions_logins() => return None,
            _ => docker::detected_store(&machine(self.context))?.to_owned(),
        };
        KEYCHAINS
            .contains(&&*name)
            .then(|| format!("docker-credential-{name}"))
    }

    /// Returns the addresses of these registries that a helper lists; none if it does not answer.
    fn stored_addresses(&self, helper: &str, hosts: &[String]) -> Vec<String> {
        let answer = output::run(Command::new(helper).arg("list"), self.context.clock);
        let Some((text, true)) = answer else {
            return Vec::new();
        };
        let stored: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).unwrap_or_default();
        let is_ours = |address: &String| {
            let registry = Registry::at(address, &self.broker.settings.registries);
            registry.is_some_and(|it| hosts.iter().any(|host| host == it.host()))
        };
        let is_plain = |address: &String| {
            let mut characters = address.chars();
            characters.all(|it| it.is_ascii_alphanumeric() || "./:-_".contains(it))
        };
        let addresses = stored.into_keys().filter(is_ours);
        addresses.filter(is_plain).collect()
    }
}
