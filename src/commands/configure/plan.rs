//! What would change: the checks and questions before a file is written.

use zeroize::Zeroizing;

use super::Configuring;
use super::files::parse;
use super::files::plan_helpers;
use super::files::read_encoded;
use super::output::FileOutcome;
use crate::PROGRAM;
use crate::client_config::ClientFile;
use crate::client_config::diff;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::AuthKind;
use crate::client_config::json::Document;
use crate::client_config::json::HelperName;
use crate::client_config::json::HelperPlan;
use crate::client_config::json::apply_edits;
use crate::commands::clients::machine;
use crate::commands::migration::FoundPassword;
use crate::commands::scopes::listed;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::registry::Registry;

/// The longest name of another helper that a message repeats, in characters.
const LONGEST: usize = 100;

/// A planned change of one file.
pub(super) struct Plan {
    pub(super) helper_plan: HelperPlan,
    /// The file without the moved passwords.
    pub(super) base: Zeroizing<String>,
    /// The same with the helper.
    pub(super) new: Zeroizing<String>,
    pub(super) migrated: Vec<Registry>,
}

impl Configuring<'_> {
    /// Checks a file, and returns the passwords of the chosen registries with its path.
    pub(super) fn check(&self, file: &ClientFile) -> Result<Vec<FoundPassword>> {
        let (text, is_encoded) = read_encoded(&file.path, self.context.clock)?;
        if is_encoded {
            self.warnings.note(&format!(
                "clients cannot decode {}, because it is not UTF-8 without a byte order mark. It is written as UTF-8",
                file.path.display()
            ));
        }
        let text = text.as_deref().map_or("", String::as_str);
        let document = parse(&file.path, text, file.client)?;
        let keys = file.keys(&self.hosts);
        let helper_plan = plan_helpers(&file.path, &document, &keys)?;
        if !self.arguments.check {
            self.confirm_replacement(file, &helper_plan)?;
        }
        let path = file.path.display().to_string();
        if document.is_our_store() {
            self.warnings.warn(format!(
                "`\"credsStore\": \"icr\"` in {path} makes Docker use this helper for all registries, so logins to others fail. Remove that line; `credHelpers` is enough"
            ));
        }
        self.note_mistakes(file, &document);
        let logins = document.auth_entries(&self.broker.settings.registries);
        let (selected, others): (Vec<_>, Vec<_>) = logins
            .into_iter()
            .partition(|login| self.hosts.iter().any(|host| host == login.registry.host()));
        for login in others.into_iter().filter(AuthEntry::is_secret) {
            self.warnings.warn(format!(
                "the password for {} is stored unencrypted in {path}. To move it, run '{PROGRAM} configure --migrate --registry {}'",
                login.key,
                login.registry
            ));
        }
        let found = selected.into_iter().map(|entry| FoundPassword {
            file: path.clone(),
            removal: self.removal(file, &document, &entry),
            entry,
        });
        Ok(found.collect())
    }

    /// Returns how to remove an entry from a file. A client with this helper would delete the
    /// login in the keychain as well.
    fn removal(&self, file: &ClientFile, document: &Document<'_>, entry: &AuthEntry) -> String {
        let host = entry.registry.host();
        if document.helper_of(host) == Some(HelperName::Ours) || document.is_our_store() {
            return format!(
                "by hand (the entry '{}' in {})",
                entry.key,
                file.path.display()
            );
        }
        let command = file.logout_command(&entry.key, &machine(self.context));
        format!("with '{command}'")
    }

    pub(super) fn confirm_replacement(
        &self,
        file: &ClientFile,
        helper_plan: &HelperPlan,
    ) -> Result<()> {
        if self.arguments.force {
            return Ok(());
        }
        for (host, other) in &helper_plan.other_helpers {
            let other = one_line(other, LONGEST);
            let asks = self.is_interactive && !self.arguments.dry_run;
            let question = format!(
                "Replace the helper '{other}' for {host} in {}?",
                file.path.display()
            );
            if asks
                && self
                    .context
                    .terminal
                    .confirm(&question, false)
                    .unwrap_or(false)
            {
                continue;
            }
            return Err(Error::user(format!(
                "{} already has a helper for {host}: {}. Nothing was changed",
                file.path.display(),
                file.client.format().program(&other)
            ))
            .with_hint("To replace it, use --force"));
        }
        Ok(())
    }

    /// Returns whether to move the passwords; otherwise warns where they are.
    pub(super) fn confirm_migration(&self, found: &[FoundPassword]) -> Result<bool> {
        if self.arguments.migrate {
            return Ok(true);
        }
        let found = found.iter().map(|it| (&it.file, &it.entry));
        let (tokens, found): (Vec<_>, Vec<_>) =
            found.partition(|(_, login)| login.kind == AuthKind::Token);
        for (path, login) in tokens {
            self.warnings.warn(format!(
                "the entry for {} in {path} is a token that only its client can use. Log out with the client that wrote it, then log in again",
                login.key
            ));
        }
        let (found, unreadable): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, login)| login.is_secret());
        for (path, login) in unreadable {
            self.warnings.warn(format!(
                "the entry for {} in {path} is invalid, so clients cannot read it. Remove the entry",
                login.key
            ));
        }
        if found.is_empty() {
            return Ok(false);
        }
        let mut places: Vec<String> = Vec::new();
        for (path, login) in found {
            let place = format!("{} in {path}", login.key);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let found = format!("unencrypted passwords for {}", listed(&places));
        if self.is_interactive && !self.arguments.dry_run {
            self.context.terminal.write_line(&format!("Found {found}"));
            let question = "Move them to the keychain, after checking them?";
            let answer = self.context.terminal.confirm(question, true);
            if answer.map_err(|_| Error::user("no answer. Nothing was changed"))? {
                return Ok(true);
            }
        }
        self.warnings.warn(format!(
            "{found}. Clients with the helper no longer use them. To move them to the keychain, run '{PROGRAM} configure --migrate'"
        ));
        Ok(false)
    }

    /// Returns what the file would be.
    pub(super) fn plan(
        &self,
        file: &ClientFile,
        text: &str,
        hosts: &[String],
        is_moved: &dyn Fn(&AuthEntry) -> bool,
    ) -> Result<Plan> {
        let further = &self.broker.settings.registries;
        let (path, client) = (&file.path, file.client);
        let document = parse(path, text, client)?;
        let logins = document.auth_entries(further);
        let moved: Vec<&AuthEntry> = logins.iter().filter(|login| is_moved(login)).collect();
        let edits = document.remove_auth_entries(further, &|registry, credential| {
            moved.iter().any(|login| {
                login.registry == *registry
                    && matches!(&login.kind, AuthKind::Credential(other) if other == credential)
            })
        });
        let base = Zeroizing::new(apply_edits(text, &edits));
        let helper_plan = plan_helpers(path, &parse(path, &base, client)?, hosts)?;
        Ok(Plan {
            new: Zeroizing::new(apply_edits(&base, &helper_plan.edits)),
            migrated: moved.iter().map(|login| login.registry.clone()).collect(),
            helper_plan,
            base,
        })
    }

    pub(super) fn preview(&self, file: &ClientFile, moves: bool) -> Result<FileOutcome> {
        let (old, is_encoded) = read_encoded(&file.path, self.context.clock)?;
        let text = old.as_deref().map_or("", String::as_str);
        let keys = file.keys(&self.hosts);
        let plan = self.plan(file, text, &keys, &|login| {
            moves && self.hosts.iter().any(|host| host == login.registry.host())
        })?;
        let changed = is_encoded || *plan.new != text;
        let mut outcome = self.outcome(file, &plan, &keys, old.is_none() && changed);
        outcome.changed = changed;
        self.warn_of_lost_store(file, text, &outcome);
        if self.arguments.dry_run {
            self.warn_of_former_logins(file, text, &outcome);
        }
        outcome.other_helpers = plan.helper_plan.other_helpers;
        outcome.diff = changed.then(|| {
            diff::unified(
                &file.path,
                old.as_deref().map(String::as_str),
                Some(&plan.new),
            )
        });
        Ok(outcome)
    }

    pub(super) fn outcome(
        &self,
        file: &ClientFile,
        plan: &Plan,
        hosts: &[String],
        created: bool,
    ) -> FileOutcome {
        let is_new = |host: &&String| !plan.helper_plan.configured.contains(host);
        let mut migrated: Vec<String> = Vec::new();
        for registry in &plan.migrated {
            if !migrated.iter().any(|host| host == registry.host()) {
                migrated.push(registry.host().to_owned());
            }
        }
        FileOutcome {
            hosts: hosts.iter().filter(is_new).cloned().collect(),
            already: plan.helper_plan.configured.clone(),
            migrated,
            created,
            ..FileOutcome::unchanged(file.client, &file.path)
        }
    }
}
