//! Times of programs, from their start to their end.

use std::fs::File;
use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;

/// A program with its input.
pub(crate) struct Program {
    pub(crate) command: Command,
    pub(crate) input: PathBuf,
}

impl Program {
    /// Runs it once and returns the time from its start to its end.
    #[expect(clippy::disallowed_methods, reason = "measures real time")]
    pub(crate) fn time(&mut self) -> anyhow::Result<Duration> {
        self.command
            .stdin(File::open(&self.input)?)
            .stdout(Stdio::null());
        let started = Instant::now();
        let status = self.command.spawn()?.wait()?;
        let taken = started.elapsed();
        ensure!(status.success(), "{:?} failed", self.command);
        Ok(taken)
    }

    /// Runs it this many times in parallel, and returns the time until the last one ends.
    #[expect(clippy::disallowed_methods, reason = "measures real time")]
    pub(crate) fn time_parallel(&mut self, times: usize) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut children = Vec::new();
        for _ in 0..times {
            self.command
                .stdin(File::open(&self.input)?)
                .stdout(Stdio::null());
            children.push(self.command.spawn()?);
        }
        for mut child in children {
            ensure!(child.wait()?.success(), "{:?} failed", self.command);
        }
        Ok(started.elapsed())
    }

    /// Returns the same program, run by another one that writes a report.
    pub(crate) fn under(&self, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).arg(self.command.get_program());
        self.as_arguments_of(command)
    }

    /// Returns the same arguments, environment and input for another executable.
    pub(crate) fn with_executable(&self, executable: &Path) -> Self {
        self.as_arguments_of(Command::new(executable))
    }

    fn as_arguments_of(&self, mut command: Command) -> Self {
        command.args(self.command.get_args());
        command.env_clear();
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        Self {
            command,
            input: self.input.clone(),
        }
    }
}

/// The times of one program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) median: Duration,
    /// A tenth of the runs took less. Other load affects it less than the median.
    pub(crate) p10: Duration,
}

impl Times {
    /// Returns the median and the tenth percentile.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Self {
            median: at(times.len() / 2),
            p10: at(times.len() / 10),
        }
    }
}

/// Returns the times of each program. They run in turn, so that other load affects all of them alike, and each time in
/// another order, because a program starts faster after a similar one. `Command` starts them with `posix_spawn`, which does not
/// copy the memory of this process.
pub(crate) fn alternate(
    mut programs: Vec<&mut Program>,
    rounds: usize,
) -> anyhow::Result<Vec<Times>> {
    let mut times = vec![Vec::with_capacity(rounds); programs.len()];
    let mut order: Vec<usize> = (0..programs.len()).collect();
    for _ in 0..rounds {
        order.sort_by_cached_key(|_| RandomState::new().hash_one(()));
        for &number in &order {
            times[number].push(programs[number].time()?);
        }
    }
    Ok(times.into_iter().map(Times::of).collect())
}
