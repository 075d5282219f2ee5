//! A D-Bus session with GNOME Keyring, only for the measurement and without a screen.

use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;

/// How often to check for an expected event, every 10 ms.
const MAX_CHECKS: u32 = 500;

/// A running session, which ends when it is dropped.
pub(crate) struct Desktop {
    address: String,
    processes: Vec<Child>,
}

impl Desktop {
    /// Starts a bus and an unlocked keyring whose files are in `home`.
    pub(crate) fn start(home: &Path) -> anyhow::Result<Self> {
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("dbus-daemon")?;
        let mut address = String::new();
        let output = bus.stdout.take();
        let mut desktop = Self {
            address: String::new(),
            processes: vec![bus],
        };
        BufReader::new(output.context("dbus-daemon")?).read_line(&mut address)?;
        desktop.address = address.trim().to_owned();
        let mut keyring = desktop
            .command("gnome-keyring-daemon", home)
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("gnome-keyring-daemon")?;
        let password = keyring.stdin.take();
        desktop.processes.push(keyring);
        password
            .context("gnome-keyring-daemon")?
            .write_all(b"password")?;
        wait_until("GNOME Keyring is ready", || {
            desktop.has_secret_service(home)
        })?;
        Ok(desktop)
    }

    /// Returns a command in this session.
    pub(crate) fn command(&self, program: &str, home: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("HOME", home)
            .env("XDG_DATA_HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Returns the address of the bus.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn has_secret_service(&self, home: &Path) -> anyhow::Result<bool> {
        // Asks the bus, because a call to the service would start another one.
        let answer = self
            .command("dbus-send", home)
            .args([
                "--session",
                "--print-reply=literal",
                "--dest=org.freedesktop.DBus",
                "/",
            ])
            .args([
                "org.freedesktop.DBus.NameHasOwner",
                "string:org.freedesktop.secrets",
            ])
            .output()?;
        Ok(String::from_utf8_lossy(&answer.stdout).contains("true"))
    }

    /// Returns the number of D-Bus calls by the program that `work` runs.
    pub(crate) fn calls_during(
        &self,
        home: &Path,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let path = home.join("dbus-monitor");
        let mut monitor = KilledOnDrop(
            self.command("dbus-monitor", home)
                .args(["--session", "type='method_call'"])
                .stdout(File::create(&path)?)
                .spawn()
                .context("dbus-monitor")?,
        );
        let seen = || std::fs::read_to_string(&path);
        wait_until("dbus-monitor is ready", || Ok(seen()?.contains("NameLost")))?;
        work()?;
        wait_until("dbus-monitor has seen all", || {
            let before = seen()?;
            pause(Duration::from_millis(100));
            Ok(before.contains("SearchItems") && before == seen()?)
        })?;
        monitor.end();
        calls_of_searcher(&seen()?)
    }
}

/// Counts the calls of the program that searched for items.
fn calls_of_searcher(monitored: &str) -> anyhow::Result<usize> {
    let calls: Vec<&str> = monitored
        .lines()
        .filter(|line| line.starts_with("method call"))
        .collect();
    let sender_of = |line: &str| {
        line.split(' ')
            .find(|word| word.starts_with("sender="))
            .map(str::to_owned)
    };
    let searcher = calls
        .iter()
        .find(|line| line.contains("member=SearchItems"))
        .and_then(|line| sender_of(line))
        .context("no program searched for items")?;
    Ok(calls
        .iter()
        .filter(|line| sender_of(line).as_ref() == Some(&searcher))
        .count())
}

fn wait_until(
    what: &str,
    mut has_happened: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    for _ in 0..MAX_CHECKS {
        if has_happened()? {
            return Ok(());
        }
        pause(Duration::from_millis(10));
    }
    bail!("timeout while waiting until {what}")
}

#[expect(clippy::disallowed_methods, reason = "other programs take real time")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

impl Drop for Desktop {
    fn drop(&mut self) {
        while let Some(process) = self.processes.pop() {
            drop(KilledOnDrop(process));
        }
    }
}

/// A process that is killed when this is dropped.
struct KilledOnDrop(Child);

impl KilledOnDrop {
    fn end(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.end();
    }
}
