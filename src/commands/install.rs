//! `install`: copies this program into a directory. The image has no other program that could.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use super::print;
use crate::PROGRAM;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::Directory;

/// The largest program that is copied, in bytes: a debug build has some 100 MB.
const MAX_SIZE: u64 = 1024 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr install --to /shared
  docker run --rm --volume \"$PWD:/to\" --user \"$(id -u)\" IMAGE install --to /to";

/// Copy this program into a directory
///
/// For containers that put it into a volume: the image has neither a shell nor cp.
/// Another version there is replaced in one step, also while clients call it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Directory for the program; created if it is missing
    #[arg(long = "to", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    directory: PathBuf,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let program = own_program(context)?;
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let path = arguments.directory.join(&name);
    let is_new = copy(&program, &arguments.directory, OsStr::new(&name))
        .map_err(|error| unwritten(&path, &error))?;
    let version = env!("CARGO_PKG_VERSION");
    let path = path.display();
    if is_new {
        print(stdio, &format!("{path}: version {version} installed"))
    } else {
        print(
            stdio,
            &format!("{path}: version {version} is already there"),
        )
    }
}

/// Returns the bytes of this program.
pub(super) fn own_program(context: &Context<'_>) -> Result<Vec<u8>> {
    let path = (context.program)().ok_or_else(|| {
        Error::user("cannot find this program's own file").with_hint("Is /proc mounted?")
    })?;
    fs::read_bytes(&path, MAX_SIZE).map_err(|error| {
        let context = format!("cannot read this program in {}", path.display());
        Error::from_anyhow(&error).with_context(context)
    })
}

/// Writes the program, which all users can start. Returns whether it was not there yet.
fn copy(program: &[u8], directory: &Path, name: &OsStr) -> anyhow::Result<bool> {
    let _rights = fs::act_as_owner(directory)?;
    fs::create_directories_for_all(directory)?;
    let path = directory.join(name);
    if is_executable(&path) && fs::read_bytes(&path, MAX_SIZE).is_ok_and(|it| it == program) {
        return Ok(false);
    }
    Directory::open(directory)?.put(name, true, |mut file| {
        file.write_all(program)?;
        fs::allow_all_users(file, 0o755)?;
        Ok::<_, anyhow::Error>(file.sync_all()?)
    })?;
    Ok(true)
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.symlink_metadata();
    metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o7777 == 0o755)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn unwritten(path: &Path, error: &anyhow::Error) -> Error {
    let error = Error::from_anyhow(error);
    let has_hint = error.hint().is_some();
    let error = error.with_context(format!("cannot write {}", path.display()));
    if has_hint {
        error
    } else {
        error.with_hint(
            "In a container, set the user who may write to the volume (runAsUser, --user)",
        )
    }
}
