//! Processes beside the demo.

use std::env;
use std::process::Command;
use std::thread;
use std::time::Duration;

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
