//! Writing the planned changes, with a record for `--undo`.

use anyhow::Context as _;

use super::Configuring;
use super::files::MOST_ATTEMPTS;
use super::files::absolute;
use super::files::read;
use super::files::state;
use super::files::sweep;
use super::files::unwritten;
use super::output::Done;
use super::plan::Plan;
use super::undo::known_files;
use crate::client_config::ClientFile;
use crate::client_config::file;
use crate::client_config::file::ReplaceError;
use crate::client_config::json::AuthKind;
use crate::client_config::undo::Change;
use crate::client_config::undo::Record;
use crate::commands::migration::Migration;
use crate::error::Result;

impl Configuring<'_> {
    /// Every file is read before the first one is written.
    pub(super) fn run(&self, files: &[ClientFile]) -> Result<(Vec<Done>, Vec<String>)> {
        let _lock = self.context.locks.lock_client_files();
        if !self.arguments.dry_run {
            sweep(
                &known_files(self.context).unwrap_or_default(),
                self.warnings,
            );
        }
        let mut found = Vec::new();
        for file in files {
            found.extend(self.look_at(file)?);
        }
        let moves = !found.is_empty() && self.moves(&found)?;
        if self.arguments.dry_run {
            let done = files.iter().map(|file| self.shown(file, moves));
            self.advise(files);
            return Ok((done.collect::<Result<_>>()?, Vec::new()));
        }
        let mut migration = match moves {
            true => Migration::of(&found, self.broker, self.arguments.force, self.context),
            false => Migration::default(),
        };
        let mut done = Vec::new();
        let mut failures = std::mem::take(&mut migration.failures);
        for file in files {
            match self.change(file, &mut migration) {
                Ok(changed) => done.push(changed),
                Err(failure) => failures.push(failure.to_string()),
            }
        }
        migration.take_back(self.broker, self.warnings);
        for left in files.iter().flat_map(|file| file::leftovers(&file.path)) {
            migration.may_lie_in(&left.display().to_string());
        }
        migration.tell(self.warnings);
        self.advise(files);
        Ok((done, failures))
    }

    /// Changes one file, and notes before what is put in. Where a password could not
    /// be moved, the helper is not named: it would have nothing to answer.
    pub(super) fn change(&self, file: &ClientFile, migration: &mut Migration) -> Result<Done> {
        let is_served = |host: &&String| !migration.is_stuck(host);
        let hosts: Vec<String> = self.hosts.iter().filter(is_served).cloned().collect();
        for _ in 0..MOST_ATTEMPTS {
            let old = read(&file.path)?;
            let old = old.as_deref().map(String::as_str);
            let text = old.unwrap_or_default();
            let plan = self.plan(&file.path, text, &hosts, &|login| match &login.kind {
                AuthKind::Credential(credential) => migration.has(&login.registry, credential),
                _ => false,
            })?;
            self.may_replace(&file.path, &plan.helper_plan)?;
            let changed = *plan.new != text;
            let mut done = self.done(file, &plan, &hosts, old.is_none() && changed);
            done.changed = changed;
            if changed {
                match self.put_in(file, old, &plan, &done.hosts) {
                    Err(ReplaceError::Changed) => continue,
                    Err(ReplaceError::Failed(error)) => return Err(unwritten(&file.path, &error)),
                    Ok(()) => {}
                }
            }
            migration.is_out_of(&done.path, &plan.migrated);
            return Ok(done);
        }
        Err(unwritten(&file.path, &ReplaceError::Changed))
    }

    /// Writes the new version of a file. What cannot be noted is not put in: nobody
    /// could take it out again.
    pub(super) fn put_in(
        &self,
        file: &ClientFile,
        old: Option<&str>,
        plan: &Plan,
        hosts: &[String],
    ) -> Result<(), ReplaceError> {
        let replace = || file::replace(&file.path, old, &plan.new).map(drop);
        if hosts.is_empty() {
            return replace();
        }
        let former = plan.helper_plan.other_helpers.iter();
        let former = |host: &String| former.clone().find(|(other, _)| other == host);
        let hosts = hosts
            .iter()
            .map(|host| (host.clone(), former(host).map(|(_, helper)| helper.clone())));
        let change = Change::new(
            (file.client, &absolute(&file.path)),
            hosts.collect(),
            plan.helper_plan.creates_section,
            &plan.base,
            &plan.helper_plan.edits,
        );
        let change = change.with(file::missing(&file.path, old)?);
        let directory = state(self.context)?;
        let mut record = Record::load(&directory)?;
        record.changes.push(change);
        let noted = record.save(&directory);
        noted.context("what is put in cannot be noted for --undo")?;
        replace().inspect_err(|_| {
            record.changes.pop();
            // It may stand there in vain: --undo then finds nothing of it.
            let _ = record.save(&directory);
        })
    }
}
