//! What would change: the checks and questions before a file is written.

use std::path::Path;

use zeroize::Zeroizing;

use super::Configuring;
use super::files::parse;
use super::files::plan_helpers;
use super::files::read;
use super::output::Done;
use crate::PROGRAM;
use crate::client_config::ClientFile;
use crate::client_config::diff;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::AuthKind;
use crate::client_config::json::HelperPlan;
use crate::client_config::json::apply_edits;
use crate::commands::scopes::listed;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::registry::Registry;

/// The longest name of a helper that is told back, in characters.
const LONGEST: usize = 100;

/// A change of one file that was thought of, and not made yet.
pub(super) struct Plan {
    pub(super) helper_plan: HelperPlan,
    /// The file without the passwords that were moved.
    pub(super) base: Zeroizing<String>,
    /// … and with the helper.
    pub(super) new: Zeroizing<String>,
    pub(super) migrated: Vec<Registry>,
}

impl Configuring<'_> {
    /// Refuses what cannot be done, and gives the passwords of the chosen registries
    /// with the file they lie in.
    pub(super) fn look_at(&self, file: &ClientFile) -> Result<Vec<(String, AuthEntry)>> {
        let text = read(&file.path)?;
        let text = text.as_deref().map_or("", String::as_str);
        let document = parse(&file.path, text)?;
        let helper_plan = plan_helpers(&file.path, &document, &self.hosts)?;
        self.may_replace(&file.path, &helper_plan)?;
        let path = file.path.display().to_string();
        if document.is_our_store() {
            self.warnings.warn(format!(
                "{path} has `\"credsStore\": \"icr\"`, so that docker asks this helper for every registry, and cannot log in at others; `credHelpers` are enough, so take that line out"
            ));
        }
        self.warn_of_lost_store(file, &document);
        let logins = document.auth_entries(&self.broker.settings.registries);
        let (chosen, others): (Vec<_>, Vec<_>) = logins
            .into_iter()
            .partition(|login| self.hosts.iter().any(|host| host == login.registry.host()));
        for login in others {
            self.warnings.warn(format!(
                "the password for {} lies in clear in {path}; name that registry, too, to move it: --migrate --registry {}",
                login.key,
                login.registry
            ));
        }
        Ok(chosen
            .into_iter()
            .map(|login| (path.clone(), login))
            .collect())
    }

    pub(super) fn may_replace(&self, path: &Path, helper_plan: &HelperPlan) -> Result<()> {
        if self.arguments.force {
            return Ok(());
        }
        for (host, other) in &helper_plan.other_helpers {
            let other = one_line(other, LONGEST);
            let asks = self.is_interactive && !self.arguments.dry_run;
            let question = format!(
                "In {}, the helper `{other}` answers for {host}. Replace it?",
                path.display()
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
                "in {}, the helper `{other}` (docker-credential-{other}) answers for {host}; nothing was changed, and --force replaces it",
                path.display()
            )));
        }
        Ok(())
    }

    /// Whether the passwords are to be moved; otherwise says where they lie.
    pub(super) fn moves(&self, found: &[(String, AuthEntry)]) -> Result<bool> {
        if self.arguments.migrate {
            return Ok(true);
        }
        let mut places: Vec<String> = Vec::new();
        for (path, login) in found {
            let place = format!("{} in {path}", login.key);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let told = format!("passwords lie in clear for {}", listed(&places));
        if self.is_interactive && !self.arguments.dry_run {
            self.context.terminal.write_line(&format!("Found: {told}."));
            let question = "Move them into the keychain, and out of the files once they are tried?";
            let answer = self.context.terminal.confirm(question, true);
            if answer.map_err(|_| Error::user("nothing was said, so nothing was changed"))? {
                return Ok(true);
            }
        }
        self.warnings.warn(format!(
            "{told}; clients that ask the helper no longer use them, so move them with `{PROGRAM} configure --migrate`"
        ));
        Ok(false)
    }

    /// What the file would be.
    pub(super) fn plan(
        &self,
        path: &Path,
        text: &str,
        hosts: &[String],
        is_moved: &dyn Fn(&AuthEntry) -> bool,
    ) -> Result<Plan> {
        let further = &self.broker.settings.registries;
        let document = parse(path, text)?;
        let logins = document.auth_entries(further);
        let moved: Vec<&AuthEntry> = logins.iter().filter(|login| is_moved(login)).collect();
        let edits = document.remove_auth_entries(further, &|registry, credential| {
            moved.iter().any(|login| {
                login.registry == *registry
                    && matches!(&login.kind, AuthKind::Credential(other) if other == credential)
            })
        });
        let base = Zeroizing::new(apply_edits(text, &edits));
        let helper_plan = plan_helpers(path, &parse(path, &base)?, hosts)?;
        Ok(Plan {
            new: Zeroizing::new(apply_edits(&base, &helper_plan.edits)),
            migrated: moved.iter().map(|login| login.registry.clone()).collect(),
            helper_plan,
            base,
        })
    }

    pub(super) fn shown(&self, file: &ClientFile, moves: bool) -> Result<Done> {
        let old = read(&file.path)?;
        let text = old.as_deref().map_or("", String::as_str);
        let plan = self.plan(&file.path, text, &self.hosts, &|login| {
            moves && self.hosts.iter().any(|host| host == login.registry.host())
        })?;
        let changed = *plan.new != text;
        let mut done = self.done(file, &plan, &self.hosts, old.is_none() && changed);
        done.changed = changed;
        done.diff = changed.then(|| {
            diff::unified(
                &file.path,
                old.as_deref().map(String::as_str),
                Some(&plan.new),
            )
        });
        Ok(done)
    }

    pub(super) fn done(
        &self,
        file: &ClientFile,
        plan: &Plan,
        hosts: &[String],
        created: bool,
    ) -> Done {
        let is_new = |host: &&String| !plan.helper_plan.configured.contains(host);
        let mut migrated: Vec<String> = Vec::new();
        for registry in &plan.migrated {
            if !migrated.iter().any(|host| host == registry.host()) {
                migrated.push(registry.host().to_owned());
            }
        }
        Done {
            hosts: hosts.iter().filter(is_new).cloned().collect(),
            already: plan.helper_plan.configured.clone(),
            migrated,
            created,
            ..Done::nothing(file.client, &file.path)
        }
    }
}
