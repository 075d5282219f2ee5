//! The diff that a dry run shows.

use std::path::Path;

use similar::TextDiff;

use super::json::Document;
use crate::text::printable::in_lines;

/// Returns a unified diff of two versions of a client's file, with `[redacted]` for
/// possible secrets; `None` stands for a missing file.
pub fn unified(path: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let (old, new) = (old.map(redacted), new.map(redacted));
    of_texts(path, old.as_deref(), new.as_deref())
}

/// Returns a unified diff of two versions of a file without secrets; `None` stands for a missing
/// file.
pub fn of_texts(path: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let name = path.display().to_string();
    let nothing = || "/dev/null".to_owned();
    let old_name = old.map_or_else(nothing, |_| name.clone());
    let new_name = new.map_or_else(nothing, |_| name.clone());
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let diff = TextDiff::from_lines(old, new)
        .unified_diff()
        .header(&old_name, &new_name)
        .to_string();
    in_lines(&diff)
}

/// Returns the redacted text; nothing for a file that cannot be parsed.
fn redacted(text: &str) -> String {
    Document::parse(text).map_or(String::new(), |document| document.redacted())
}
