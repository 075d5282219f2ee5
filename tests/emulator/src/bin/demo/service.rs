//! A process between the demo and a service, which ends the service when its standard input ends: also when the demo is killed.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;

/// The argument that makes this program such a process; the service's command line follows.
pub(crate) const ARGUMENT: &str = "--keep";

/// A service that ends with the demo, or when this is dropped.
pub(crate) struct Service {
    runner: Child,
    input: Option<ChildStdin>,
}

impl Service {
    /// Starts a service with the directory, environment and output of `command`, whose arguments are replaced.
    pub(crate) fn start(
        mut command: Command,
        service: &[impl AsRef<OsStr>],
    ) -> anyhow::Result<Self> {
        let mut runner = detached(command.arg(ARGUMENT).args(service))
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start the process that ends services")?;
        Ok(Self {
            input: runner.stdin.take(),
            runner,
        })
    }

    /// Returns whether the service has ended.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.runner.try_wait()?.is_some())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.runner.wait();
    }
}

/// Runs the process.
pub(crate) fn serve(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut service = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{program}`"))?;
    let input = thread::spawn(|| io::copy(&mut io::stdin(), &mut io::sink()));
    while !input.is_finished() {
        if let Some(status) = service.try_wait()? {
            bail!("`{program}` ended: {status}");
        }
        pause();
    }
    service.kill()?;
    service.wait()?;
    Ok(())
}

/// Makes a process ignore the terminal's Ctrl-C, which is meant for the demo.
pub(crate) fn detached(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    {
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
    }
    command
}

/// Waits a moment before the next check.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo's waiting needs no other clock"
)]
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(20));
}

/// Returns a command that starts this program again.
pub(crate) fn ourselves() -> anyhow::Result<Command> {
    Ok(Command::new(env::current_exe()?))
}
