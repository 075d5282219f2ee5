//! What a change would do, for a person to read.

use std::path::Path;

use similar::TextDiff;

use super::json::Document;
use crate::text::printable::in_lines;

/// A unified diff of two versions of a client's file, with `[redacted]` in place of
/// what may be a secret; `old` is `None` for a file that would be made.
pub fn unified(path: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let name = path.display().to_string();
    let nothing = || "/dev/null".to_owned();
    let old_name = old.map_or_else(nothing, |_| name.clone());
    let new_name = new.map_or_else(nothing, |_| name.clone());
    let (old, new) = (redacted(old), redacted(new));
    let diff = TextDiff::from_lines(&old, &new)
        .unified_diff()
        .header(&old_name, &new_name)
        .to_string();
    in_lines(&diff)
}

/// What cannot be read is not shown.
fn redacted(text: Option<&str>) -> String {
    let document = text.map(Document::parse);
    match document {
        Some(Ok(document)) => document.redacted(),
        _ => String::new(),
    }
}
