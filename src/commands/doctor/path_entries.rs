//! Checks the entries of the `PATH` in which clients find no program.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use super::Diagnostic;
use crate::PROGRAM;
use crate::client_config::programs;
use crate::secret::input;

const CHECK: &str = "path-entry";

/// What is wrong with an entry.
struct Mistake {
    /// The entry as messages name it.
    name: String,
    /// What the person probably meant.
    meant: Option<String>,
}

/// Checks that each entry is the absolute path of a directory. Clients in Go refuse a program
/// that they find by a relative one, and do not look further (`os/exec`, `ErrDot`).
pub(super) fn check(path: &OsStr) -> Vec<Diagnostic> {
    if path.is_empty() {
        return Vec::new();
    }
    let entries: Vec<PathBuf> = std::env::split_paths(path).collect();
    let mut seen = BTreeSet::new();
    let diagnostic = |(at, entry): (usize, &PathBuf)| {
        let mistake = mistake(entry).filter(|_| seen.insert(entry.clone()))?;
        let (before, _) = entries.split_at(at);
        Some(diagnostic(entry, before, &mistake))
    };
    entries.iter().enumerate().filter_map(diagnostic).collect()
}

fn diagnostic(entry: &Path, before: &[PathBuf], mistake: &Mistake) -> Diagnostic {
    let fix = match &mistake.meant {
        Some(meant) => format!("Write {meant} in the PATH instead"),
        None => "Remove it from the PATH, or write the absolute path of the directory".to_owned(),
    };
    let name = &mistake.name;
    let is_found = |directory: &Path| programs::is_in(directory, PROGRAM);
    if entry.is_absolute() {
        let message = format!("the PATH has {name}: clients find no helper there");
        return Diagnostic::warning(CHECK, message, fix);
    }
    if is_found(entry) && !before.iter().any(|it| is_found(it)) {
        let message = format!(
            "the PATH has {name}: clients find {PROGRAM} there first, and refuse to start it"
        );
        return Diagnostic::problem(CHECK, message, fix);
    }
    let message = format!("the PATH has {name}: clients start no helper that they find there");
    Diagnostic::warning(CHECK, message, fix)
}

fn mistake(entry: &Path) -> Option<Mistake> {
    let text = entry.to_str().unwrap_or_default();
    let mistake = |name: String, meant: Option<&str>| {
        let meant = meant.map(str::to_owned);
        Some(Mistake { name, meant })
    };
    if entry.as_os_str().is_empty() {
        let name = "an empty entry, which means the working directory";
        return mistake(name.to_owned(), None);
    }
    if entry.is_dir() && entry.is_absolute() {
        return None;
    }
    let is_path = |text: &&str| Path::new(text).is_absolute();
    if !entry.is_dir() {
        if let Some(inner) = input::without_quotes(text) {
            let name = format!("the entry {text} in quotes, which are a part of its name");
            return mistake(name, Some(inner.trim()).filter(is_path));
        }
        if text.trim() != text {
            let what = if text.trim_matches(' ') == text.trim() {
                "a blank"
            } else {
                "a line end or another invisible character"
            };
            let name = format!("the entry {text:?} with {what} at its beginning or end");
            return mistake(name, Some(text.trim()).filter(is_path));
        }
        if text.starts_with('~') || text.contains(['$', '%']) {
            let name = format!("the entry '{text}', which no shell has expanded");
            return mistake(name, None);
        }
        if entry.is_file() && entry.is_absolute() {
            let name = format!("the entry '{text}', which is a file, not a directory");
            return mistake(name, entry.parent()?.to_str());
        }
    }
    if entry.is_absolute() {
        return None;
    }
    mistake(format!("the relative entry '{}'", entry.display()), None)
}
