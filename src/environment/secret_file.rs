//! The path and the text of the file in an `@FILE`.

use std::fs::FileType;
use std::io::ErrorKind;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use anyhow::bail;
use anyhow::ensure;
use zeroize::Zeroizing;

use crate::fs;
use crate::secret::Secret;
use crate::secret::input;
use crate::text::encoding;
use crate::time::run_with_timeout;

/// The maximum size of the file, in bytes. A key has 44 characters, and a mistyped path may be
/// that of an endless device.
const MAX_SIZE: u64 = 64 * 1024;

/// The timeout for reading the file, which may be a pipe whose writer does not write.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Returns the text of the file at the path after `@`, within three seconds. The path may begin
/// with `~/`. The file may be a pipe that has a writer, such as `<(command)` in a shell.
///
/// # Errors
/// The file cannot be read, is too large or not text: a phrase that begins with `it` or `its
/// path`.
pub(crate) fn read(path: &str, home: Option<&Path>) -> anyhow::Result<Secret> {
    let is_quoted = input::without_quotes(path.trim()).is_some();
    let path = path_of_argument(path, home)?;
    run_with_timeout(TIMEOUT, move || read_text(&path, is_quoted))
        .unwrap_or_else(|| Err(anyhow!("it cannot be read in time")))
}

/// Returns the path without the quotation marks that a shell did not remove, and with the home
/// directory instead of `~/`.
fn path_of_argument(argument: &str, home: Option<&Path>) -> anyhow::Result<PathBuf> {
    let bare = argument.trim();
    let path = input::without_quotes(bare).unwrap_or(bare);
    let path = path.strip_prefix("file://").unwrap_or(path);
    ensure!(!path.is_empty(), "its path is missing after @");
    ensure!(path != "-", "it is stdin (-), which @ does not read");
    match (Path::new(path).strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => Ok(home.join(rest)),
        (Ok(_), None) => bail!("its path begins with ~, and there is no home directory"),
        (Err(_), _) => Ok(PathBuf::from(path)),
    }
}

fn read_text(path: &Path, is_quoted: bool) -> anyhow::Result<Secret> {
    let file = fs::open_waiting_for_writers(path);
    let file = file.map_err(|error| readable_reason(path, is_quoted, error))?;
    let kind = file.metadata()?.file_type();
    ensure!(!kind.is_dir(), "it is a directory");
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= MAX_SIZE, "it is too large");
    ensure!(
        !bytes.is_empty() || kind.is_file(),
        "it is {}, and nothing came from it",
        not_a_file(kind)
    );
    let text = encoding::decode(&bytes).map_err(|reason| anyhow!(reason))?;
    Ok(Secret::new(&**text))
}

/// Returns what is at a path instead of a file.
fn not_a_file(kind: FileType) -> &'static str {
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&kind) {
        return "a pipe";
    }
    let _ = kind;
    "a device"
}

/// Returns the reason why a file cannot be opened: the system's error, or why it does not exist.
fn readable_reason(path: &Path, is_quoted: bool, error: std::io::Error) -> anyhow::Error {
    if path.is_dir() {
        return anyhow!("it is a directory");
    }
    #[cfg(unix)]
    if std::fs::metadata(path)
        .is_ok_and(|it| std::os::unix::fs::FileTypeExt::is_socket(&it.file_type()))
    {
        return anyhow!("it is a socket");
    }
    // Windows has characters that no name contains, such as quotation marks.
    let is_missing = error.kind() == ErrorKind::NotFound
        || cfg!(windows) && error.kind() == ErrorKind::InvalidFilename;
    if !is_missing {
        return error.into();
    }
    let text = path.to_string_lossy();
    let is_unexpanded = text.contains('$') || text.matches('%').count() > 1;
    if is_unexpanded {
        anyhow!("it does not exist, and its path contains a variable that was not expanded")
    } else if text.starts_with('~') {
        anyhow!("it does not exist, because only ~/ is expanded")
    } else if is_quoted {
        anyhow!("it does not exist, even without the quotation marks around its path")
    } else if text.contains(['"', '\'']) {
        anyhow!("it does not exist, and its path contains a quotation mark")
    } else if path.is_relative() {
        anyhow!("it does not exist in the current directory")
    } else {
        anyhow!("it does not exist")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(path: &str, home: Option<&Path>) -> String {
        read(path, home).unwrap_err().to_string()
    }

    #[test]
    fn a_path_may_have_quotes_blanks_and_a_home_directory() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        std::fs::write(home.join("key"), b"\xef\xbb\xbfkey\r\n").unwrap();
        let path = home.join("key").display().to_string();
        for argument in [
            path.clone(),
            format!(" {path}\r\n"),
            format!("\"{path}\""),
            format!("'{path}'"),
            "~/key".to_owned(),
            "\"~/key\"".to_owned(),
            format!("file://{path}"),
        ] {
            let text = read(&argument, Some(home)).unwrap();
            assert_eq!(text.expose(), "key\r\n", "{argument}");
        }
    }

    #[test]
    fn the_error_says_why_a_path_is_no_readable_file() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        let missing = home.join("missing").display().to_string();
        for (path, expected) in [
            ("", "missing after @"),
            ("-", "stdin"),
            ("~/missing", "does not exist"),
            ("~other/key", "only ~/"),
            ("$HOME/key", "not expanded"),
            ("%USERPROFILE%\\key", "not expanded"),
            ("\"/x/key", "contains a quotation mark"),
            ("'/x/key'", "even without the quotation marks"),
            ("no-such-key-file", "in the current directory"),
            (&*missing, "it does not exist"),
        ] {
            let reason = reason(path, Some(home));
            assert!(reason.contains(expected), "{path}: {reason}");
        }
        assert!(reason("~/key", None).contains("no home directory"));
        assert_eq!(
            reason(&home.display().to_string(), None),
            "it is a directory"
        );
    }
}
