//! Who ends a service when the demo is killed? A process between the two: it runs the service until its standard input ends.

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

/// The argument that makes this program a keeper; the service's command line follows it.
pub(crate) const ARGUMENT: &str = "--keep";

/// A service that ends with the demo, or when this is dropped.
pub(crate) struct Kept {
    keeper: Child,
    input: Option<ChildStdin>,
}

impl Kept {
    /// Starts a service; `command` says how (its directory, environment and output), but gets other arguments.
    pub(crate) fn start(
        mut command: Command,
        service: &[impl AsRef<OsStr>],
    ) -> anyhow::Result<Self> {
        let mut keeper = apart(command.arg(ARGUMENT).args(service))
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start the process that ends services")?;
        Ok(Self {
            input: keeper.stdin.take(),
            keeper,
        })
    }

    /// Whether the service runs no more.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.keeper.try_wait()?.is_some())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}

/// The keeper's own life.
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

/// Starts a process out of reach of the terminal's Ctrl-C, which is meant for the demo.
pub(crate) fn apart(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    {
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
    }
    command
}

/// A moment between two looks at something.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo's waiting needs no other clock"
)]
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(20));
}

/// This program, for starting it again.
pub(crate) fn ourselves() -> anyhow::Result<Command> {
    Ok(Command::new(env::current_exe()?))
}
