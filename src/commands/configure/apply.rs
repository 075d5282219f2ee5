//! Writing the planned changes, with a record for `--undo`.

use std::path::PathBuf;

use super::Configuring;
use super::files::ANOTHER_STATE_DIRECTORY;
use super::files::MAX_ATTEMPTS;
use super::files::absolute;
use super::files::read_encoded;
use super::files::replace_error;
use super::files::state_directory;
use super::files::sweep;
use super::files::write_error;
use super::output::FileOutcome;
use super::plan::Plan;
use super::record;
use super::undo::known_files;
use crate::client_config::ClientFile;
use crate::client_config::file;
use crate::client_config::file::ReplaceError;
use crate::client_config::json::AuthKind;
use crate::client_config::undo::Change;
use crate::client_config::undo::Record;
use crate::commands::migration::Migration;
use crate::error::Error;
use crate::error::Result;
use crate::fs::busy;

impl Configuring<'_> {
    /// Reads all files before the first one is written.
    pub(super) fn run(&self, files: &[ClientFile]) -> Result<(Vec<FileOutcome>, Vec<Error>)> {
        // A dry run creates no file, not even a lock.
        let _lock = (!self.arguments.dry_run).then(|| self.context.locks.lock_client_files());
        if !self.arguments.dry_run {
            sweep(
                &known_files(self.context).unwrap_or_default(),
                self.warnings,
            );
        }
        let mut found = Vec::new();
        for file in files {
            found.extend(self.check(file)?);
        }
        let moves = !found.is_empty() && self.confirm_migration(&found)?;
        if self.arguments.dry_run {
            let outcomes = files.iter().map(|file| self.preview(file, moves));
            self.advise(files);
            return Ok((outcomes.collect::<Result<_>>()?, Vec::new()));
        }
        let mut migration = if moves {
            Migration::of(&found, self.broker, self.arguments.force, self.context)
        } else {
            Migration::default()
        };
        self.warnings
            .warn_of_skipped_keychains(&*self.broker.keychains.logins);
        let mut outcomes = Vec::new();
        let mut errors = std::mem::take(&mut migration.errors);
        for file in files {
            match self.change(file, &mut migration) {
                Ok(changed) => outcomes.push(changed),
                Err(error) => errors.push(error),
            }
        }
        migration.restore_former_logins(self.broker, self.warnings);
        for left in files.iter().flat_map(|file| file::leftovers(&file.path)) {
            migration.may_remain_in(&left.display().to_string());
        }
        migration.report(self.warnings);
        self.advise(files);
        Ok((outcomes, errors))
    }

    /// Compares all files with what is asked for, and changes nothing.
    pub(super) fn compare(&self, files: &[ClientFile]) -> Result<Vec<FileOutcome>> {
        let mut found = Vec::new();
        for file in files {
            found.extend(self.check(file)?);
        }
        let moves = !found.is_empty() && self.confirm_migration(&found)?;
        let outcomes = files.iter().map(|file| self.preview(file, moves));
        outcomes.collect()
    }

    /// Changes one file. The helper is not added for a registry whose password could not
    /// be moved: it would have no login to answer with.
    pub(super) fn change(
        &self,
        file: &ClientFile,
        migration: &mut Migration,
    ) -> Result<FileOutcome> {
        let is_served = |host: &&String| !migration.is_stuck(host);
        let hosts: Vec<String> = self.hosts.iter().filter(is_served).cloned().collect();
        let hosts = file.keys(&hosts);
        for _ in 0..MAX_ATTEMPTS {
            let (old, is_encoded) = read_encoded(&file.path, self.context.clock)?;
            let old = old.as_deref().map(String::as_str);
            let text = old.unwrap_or_default();
            let plan = self.plan(file, text, &hosts, &|login| match &login.kind {
                AuthKind::Credential(credential) => migration.has(&login.registry, credential),
                _ => false,
            })?;
            self.confirm_replacement(file, &plan.helper_plan)?;
            let changed = is_encoded || *plan.new != text;
            let mut outcome = self.outcome(file, &plan, &hosts, old.is_none() && changed);
            outcome.changed = changed;
            if changed {
                match self.write(file, old, &plan, &outcome.hosts) {
                    Err(ReplaceError::Changed) => continue,
                    Err(error) => return Err(replace_error(&file.path, file.client, error)),
                    Ok(()) => {}
                }
                self.warn_of_lost_store(file, text, &outcome);
                self.warn_of_former_logins(file, text, &outcome);
            }
            migration.removed_from(&outcome.path, &plan.migrated);
            return Ok(outcome);
        }
        Err(write_error(&file.path, &ReplaceError::Changed))
    }

    /// Writes the new version of a file, after recording the change for `--undo`.
    ///
    /// A user without a home, or with one that cannot be written (containers of OpenShift and
    /// Tekton), gets a warning instead of a record.
    pub(super) fn write(
        &self,
        file: &ClientFile,
        old: Option<&str>,
        plan: &Plan,
        hosts: &[String],
    ) -> Result<(), ReplaceError> {
        let attempt = || file::replace(&file.path, old, &plan.new).map(drop);
        let replace = || busy::retry(self.context.clock, ReplaceError::is_busy, attempt);
        if hosts.is_empty() {
            return replace();
        }
        let change = self.recorded_change(file, old, plan, hosts)?;
        match self.record(change) {
            Ok((mut record, directory)) => replace().inspect_err(|_| {
                record.changes.pop();
                // If this fails, the record is harmless: --undo finds nothing to remove.
                let _ = record.save(&directory);
            }),
            Err(error) => {
                replace()?;
                self.warn_of_missing_record(&error);
                Ok(())
            }
        }
    }

    fn recorded_change(
        &self,
        file: &ClientFile,
        old: Option<&str>,
        plan: &Plan,
        hosts: &[String],
    ) -> anyhow::Result<Change> {
        let former = |host: &String| plan.helper_plan.former(host).map(str::to_owned);
        let hosts = hosts.iter().map(|host| (host.clone(), former(host)));
        let change = Change::new(
            (file.client, &absolute(&file.path)),
            hosts.collect(),
            plan.helper_plan.creates_section,
            &plan.base,
            &plan.helper_plan.edits,
        );
        Ok(change.with(file::would_create(&file.path, old)?))
    }

    /// Adds a change to the record. Returns the record and its directory.
    fn record(&self, change: Change) -> anyhow::Result<(Record, PathBuf)> {
        let directory = state_directory(self.context)?;
        let mut record = record::load(&directory, false, self.context, self.warnings)?;
        record.changes.push(change);
        record.save(&directory)?;
        Ok((record, directory))
    }

    fn warn_of_missing_record(&self, error: &anyhow::Error) {
        let error = Error::from_anyhow(error);
        let hint = error.hint().unwrap_or(ANOTHER_STATE_DIRECTORY);
        let text = error.text();
        let warning = format!(
            "cannot record the change, so 'configure --undo' will not know of it: {text}. {hint}"
        );
        if !self.warnings.texts().contains(&warning) {
            self.warnings.warn(warning);
        }
    }
}
