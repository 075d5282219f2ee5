//! Which program does a client find on the `PATH`? Go looks for it (`os/exec`, `LookPath`), and
//! starts none that it finds by a relative entry.

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use crate::fs;

/// The variable with the directories of programs.
pub const PATH: &str = "PATH";

/// The ends of programs' names on Windows (the usual value of `PATHEXT`).
const WINDOWS_EXTENSIONS: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];

/// Returns the first program of this name in the absolute directories of a `PATH`.
pub fn find(path: &OsStr, name: &str) -> Option<PathBuf> {
    let names = file_names(name);
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
        .find(|file| fs::is_executable(file))
}

/// Returns whether a directory has a program of this name.
pub fn is_in(directory: &Path, name: &str) -> bool {
    let mut names = file_names(name).into_iter();
    names.any(|name| fs::is_executable(&directory.join(name)))
}

/// Returns the names that the file of a program may have.
fn file_names(name: &str) -> Vec<String> {
    let has_extension = || {
        let name = name.to_ascii_lowercase();
        WINDOWS_EXTENSIONS.iter().any(|end| name.ends_with(end))
    };
    if !cfg!(windows) || has_extension() {
        return vec![name.to_owned()];
    }
    let names = WINDOWS_EXTENSIONS.iter().map(|end| format!("{name}{end}"));
    names.collect()
}
