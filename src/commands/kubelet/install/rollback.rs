//! What happens if the kubelet does not run with what was installed: everything is put back, because
//! a node whose kubelet does not start is lost.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::Plan;
use super::record::NewFile;
use super::record::Record;
use super::record::Store;
use super::record::content;
use super::record::failed;
use super::record::mode_of;
use super::record::put;
use super::record::remove;
use super::service;
use super::service::States;
use crate::commands::print;
use crate::context::Stdio;
use crate::digest;
use crate::error::Error;
use crate::error::Result;
use crate::time::Clock;

/// How often the kubelet's state is read. A kubelet that ends is started again after ten seconds
/// (kubeadm's unit) or 100 milliseconds (systemd's default), then as another process.
const PAUSE: Duration = Duration::from_millis(500);

const HINT: &str = "See why with 'journalctl --unit kubelet', or the unit of the distribution. To try again, run 'docker-credential-icr kubelet uninstall' first";

/// What was there before a change.
pub(super) struct Previous {
    files: Vec<File>,
    states: States,
}

/// A file before a change; `None` if there was none.
struct File {
    path: PathBuf,
    content: Option<Vec<u8>>,
    mode: u32,
}

impl Previous {
    /// Reads what is going to be changed, and which units run.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn read(changes: &[&NewFile], record: &Record, clock: &dyn Clock) -> Result<Self> {
        let files = changes.iter().map(|file| {
            let content = content(&file.path);
            Ok(File {
                path: file.path.clone(),
                content: content.map_err(|error| failed("cannot read", &file.path, &error))?,
                mode: mode_of(&file.path).unwrap_or(file.mode),
            })
        });
        Ok(Self {
            files: files.collect::<Result<_>>()?,
            states: service::states(record, clock),
        })
    }

    /// Waits whether the units that ran still run, each as one process, for a time after the restart.
    ///
    /// # Errors
    /// One does not.
    pub(super) fn still_runs(
        &self,
        record: &Record,
        time: Duration,
        clock: &dyn Clock,
    ) -> Result<()> {
        let started = clock.elapsed();
        let first = service::states(record, clock);
        self.compare(&first, &first)?;
        while self.has_running() && clock.elapsed().saturating_sub(started) < time {
            clock.sleep(PAUSE);
            self.compare(&first, &service::states(record, clock))?;
        }
        Ok(())
    }

    fn has_running(&self) -> bool {
        self.states.values().any(service::State::is_running)
    }

    /// # Errors
    /// A unit that ran before does not run now, or is another process than after the restart.
    fn compare(&self, first: &States, now: &States) -> Result<()> {
        let ran = self.states.iter().filter(|(_, state)| state.is_running());
        for (unit, _) in ran {
            // The states cannot always be read.
            let Some(state) = now.get(unit) else {
                continue;
            };
            if !state.is_running() {
                return Err(Error::user(format!("{unit} is {state} after its restart")));
            }
            if first
                .get(unit)
                .is_some_and(|it| it.process != state.process)
            {
                return Err(Error::user(format!("{unit} ended after its restart")));
            }
        }
        Ok(())
    }

    /// Returns whether a unit that ran before does not run now.
    pub(super) fn is_down(&self, record: &Record, clock: &dyn Clock) -> bool {
        let now = service::states(record, clock);
        self.compare(&now, &now).is_err()
    }

    /// Puts back what was there before, and restarts the kubelet. Returns the error that says so.
    pub(super) fn restore(
        &self,
        reason: &Error,
        plan: &Plan,
        store: &mut Store,
        stdio: &mut Stdio<'_>,
        clock: &dyn Clock,
    ) -> Error {
        match self.try_restore(plan, store, stdio, clock) {
            Ok(()) => Error::user(format!(
                "the kubelet does not run with the provider, so its files are as before: {}",
                reason.text()
            ))
            .with_hint(HINT),
            Err(error) => error.with_context(format!(
                "the kubelet does not run with the provider ({}), and its files could not be restored",
                reason.text()
            )),
        }
    }

    fn try_restore(
        &self,
        plan: &Plan,
        store: &mut Store,
        stdio: &mut Stdio<'_>,
        clock: &dyn Clock,
    ) -> Result<()> {
        for file in self.files.iter().rev() {
            match &file.content {
                None => remove(&file.path)?,
                Some(content) => put(&file.path, content, file.mode, None)
                    .map_err(|error| failed("cannot write", &file.path, &error))?,
            }
            print(stdio, &format!("{} restored", file.path.display()))?;
        }
        store.record.rejected = Some(digest_of(plan));
        store.save()?;
        service::restart(&store.record, clock)?;
        store.record.restart = false;
        store.save()
    }
}

/// Refuses what the kubelet did not run with before, so that a program that tries again and again
/// does not restart the kubelet each time.
///
/// # Errors
/// It was tried before.
pub(super) fn refuse_rejected(plan: &Plan, record: &Record) -> Result<()> {
    if record.rejected != Some(digest_of(plan)) {
        return Ok(());
    }
    Err(Error::user(
        "nothing was changed: the kubelet did not run with this program and these settings",
    )
    .with_hint(HINT))
}

/// Returns the digest of all files of a plan.
fn digest_of(plan: &Plan) -> String {
    let files = plan.files.iter();
    let lines = files.map(|file| {
        let path = file.path.display();
        format!("{} {path}\n", digest::of_content(&file.content))
    });
    digest::of_content(lines.collect::<String>().as_bytes())
}
