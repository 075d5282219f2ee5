//! A second process that cleans up after the demo. It owns the demo's directory and notices the demo's end, also by Ctrl-C, a panic
//! or `kill -9`, because its standard input ends. A signal handler cannot do that.

use std::env;
use std::fs;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;

use crate::podman;
use crate::process;
use crate::program::HELPER;
use crate::secret;
use crate::shell::Shell;

/// The argument that makes this program the cleanup process.
pub(crate) const ARGUMENT: &str = "--clean-up";

/// The cleanup process, for the demo.
pub(crate) struct Cleanup {
    child: Child,
    directory: PathBuf,
}

impl Cleanup {
    /// Starts the process; it makes a directory for the demo.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = process::detached(process::ourselves()?.arg(ARGUMENT))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the process that cleans up")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut cleanup = Self {
            child,
            directory: line.trim_end().into(),
        };
        if line.is_empty() {
            cleanup.finish()?;
            bail!("the process that cleans up printed no directory");
        }
        Ok(cleanup)
    }

    /// Returns the directory for the demo's files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the process remove the logins of this helper, too.
    pub(crate) fn add_logins(&mut self, helper: &Path, proxy: &str) -> anyhow::Result<()> {
        let mut input = self
            .child
            .stdin
            .as_ref()
            .context("the cleanup process has ended")?;
        writeln!(input, "{}\n{proxy}", helper.display())?;
        Ok(())
    }

    /// Cleans up, and checks that this succeeded.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        let said = match self.child.stderr.take() {
            Some(stderr) => io::read_to_string(stderr)?,
            None => String::new(),
        };
        ensure!(status.success(), "cleaning up failed: {}", said.trim());
        Ok(())
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            let _ = writeln!(io::stderr(), "demo: {error:#}");
        }
    }
}

/// Runs the cleanup process.
pub(crate) fn serve() -> anyhow::Result<()> {
    let name = format!("icr-demo-{}", secret::unique_name()?);
    let directory = std::path::absolute(env::temp_dir())?.join(name);
    make_private(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let _ = writeln!(io::stdout(), "{}", directory.display());
    let entrusted = io::read_to_string(io::stdin()).unwrap_or_default();
    let logged_out = match entrusted.split_once('\n') {
        Some((helper, proxy)) => log_out(&directory, helper, proxy.trim_end()),
        None => Ok(()),
    };
    remove(&directory).with_context(|| format!("cannot remove `{}`", directory.display()))?;
    logged_out
}

fn log_out(directory: &Path, helper: &str, proxy: &str) -> anyhow::Result<()> {
    let shell = Shell::new(directory, helper.as_ref(), proxy);
    podman::end(&shell)?;
    shell.run(HELPER, &["logout", "--all"], "")?.succeed()?;
    Ok(())
}

fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir(directory)?;
    #[cfg(unix)]
    allow_owner_only(directory)?;
    Ok(())
}

/// Removes the directory. A process that was killed with the demo may write a last file meanwhile, and podman creates read-only directories.
fn remove(directory: &Path) -> io::Result<()> {
    let mut outcome = Ok(());
    for _ in 0..50 {
        outcome = match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => return Ok(()),
        };
        allow_removing(directory);
        process::pause();
    }
    outcome
}

fn allow_removing(directory: &Path) {
    #[cfg(unix)]
    let _ = allow_owner_only(directory);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            allow_removing(&entry.path());
        }
    }
}

#[cfg(unix)]
fn allow_owner_only(directory: &Path) -> io::Result<()> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(directory, permissions)
}
