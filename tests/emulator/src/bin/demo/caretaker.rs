//! Who cleans up when the demo is interrupted? A second process, which owns the demo's directory and learns of the demo's end,
//! whatever that is (Ctrl-C, a panic, `kill -9`), by the end of its standard input. No signal handler does as much.

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

use crate::HELPER;
use crate::keeper;
use crate::podman;
use crate::secret;
use crate::shell::Shell;

/// The argument that makes this program the caretaker.
pub(crate) const ARGUMENT: &str = "--caretaker";

/// The caretaker as the demo sees it.
pub(crate) struct Caretaker {
    child: Child,
    directory: PathBuf,
}

impl Caretaker {
    /// Starts the process; it makes a directory for the demo.
    pub(crate) fn hire() -> anyhow::Result<Self> {
        let mut child = keeper::apart(keeper::ourselves()?.arg(ARGUMENT))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the process that cleans up")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut caretaker = Self {
            child,
            directory: line.trim_end().into(),
        };
        if line.is_empty() {
            caretaker.dismiss()?;
            bail!("the process that cleans up does not say where");
        }
        Ok(caretaker)
    }

    /// Where the demo may put its files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// From now on there may be a login to remove.
    pub(crate) fn entrust(&mut self, helper: &Path, url: &str) -> anyhow::Result<()> {
        let mut input = self.child.stdin.as_ref().context("the caretaker is gone")?;
        writeln!(input, "{}\n{url}", helper.display())?;
        Ok(())
    }

    /// Lets the caretaker clean up, and makes sure that it did.
    pub(crate) fn dismiss(&mut self) -> anyhow::Result<()> {
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

impl Drop for Caretaker {
    fn drop(&mut self) {
        if let Err(error) = self.dismiss() {
            let _ = writeln!(io::stderr(), "demo: {error:#}");
        }
    }
}

/// The caretaker's own life.
pub(crate) fn serve() -> anyhow::Result<()> {
    let name = format!("icr-demo-{}", secret::unique_name()?);
    let directory = std::path::absolute(env::temp_dir())?.join(name);
    make_private(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let _ = writeln!(io::stdout(), "{}", directory.display());
    let entrusted = io::read_to_string(io::stdin()).unwrap_or_default();
    let erased = match entrusted.split_once('\n') {
        Some((helper, url)) => erase(&directory, helper, url.trim_end()),
        None => Ok(()),
    };
    remove(&directory).with_context(|| format!("cannot remove `{}`", directory.display()))?;
    erased
}

fn erase(directory: &Path, helper: &str, url: &str) -> anyhow::Result<()> {
    let host = url.trim_start_matches("https://");
    let shell = Shell::new(directory, helper.as_ref(), url);
    podman::end(&shell)?;
    let erased = shell.run(HELPER, &["erase"], host)?.succeed()?;
    ensure!(erased.is_silent(), "`erase` was not silent:{erased}");
    Ok(())
}

fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir(directory)?;
    #[cfg(unix)]
    allow_owner_only(directory)?;
    Ok(())
}

/// Whoever was killed with the demo may write one last file meanwhile, and podman makes directories that nobody may write to.
fn remove(directory: &Path) -> io::Result<()> {
    let mut outcome = Ok(());
    for _ in 0..50 {
        outcome = match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => return Ok(()),
        };
        allow_removing(directory);
        keeper::pause();
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
