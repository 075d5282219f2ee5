//! What is wrong with a text that is not JSON, in words for a person.

use super::parse::line_and_column;

/// Returns what is wrong with a text, and where. Contains nothing of the text.
pub(super) fn syntax(text: &str, error: &serde_json::Error) -> String {
    let known = offset(text, error).and_then(|at| known_mistake(text, at));
    let (line, column, reason) = match known {
        Some((at, reason)) => {
            let (line, column) = line_and_column(text, at);
            (line, column, reason.to_owned())
        }
        None => (error.line(), error.column(), reason_of(error)),
    };
    format!("it is not valid JSON (line {line}, column {column}: {reason})")
}

/// Returns the byte at which the parser stopped.
fn offset(text: &str, error: &serde_json::Error) -> Option<usize> {
    let lines = text
        .split_inclusive('\n')
        .take(error.line().checked_sub(1)?);
    let above: usize = lines.map(str::len).sum();
    Some(above + error.column().checked_sub(1)?).filter(|_| !error.is_eof())
}

/// Returns a usual mistake and its place, if it is the reason that the parser stopped there.
fn known_mistake(text: &str, at: usize) -> Option<(usize, &'static str)> {
    let (before, rest) = text.split_at_checked(at)?;
    let before = before.trim_end();
    match rest.chars().next()? {
        '/' | '#' => Some((at, "a comment, which JSON does not have")),
        '}' | ']' if before.ends_with(',') => {
            Some((before.len() - 1, "a comma after the last entry"))
        }
        '\'' => Some((at, "single quotes, where JSON needs double quotes")),
        '\u{201c}'..='\u{201f}' => Some((
            at,
            "typographic quotes, where JSON needs straight double quotes",
        )),
        '"' if before.ends_with(|end: char| end.is_alphanumeric() || "\"]}".contains(end)) => {
            Some((at, "no comma before this entry"))
        }
        _ if before.ends_with(['{', ',']) && is_in_object(before) => {
            Some((at, "not a name in double quotes"))
        }
        _ => None,
    }
}

/// Returns whether the text ends within an object, not within a list. Only for a text whose strings
/// are closed.
fn is_in_object(before: &str) -> bool {
    let mut open = Vec::new();
    let mut is_in_text = false;
    let mut is_escaped = false;
    for character in before.chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_in_text => is_escaped = true,
            '"' => is_in_text = !is_in_text,
            '{' | '[' if !is_in_text => open.push(character),
            '}' | ']' if !is_in_text => {
                open.pop();
            }
            _ => {}
        }
    }
    open.last() == Some(&'{')
}

/// Returns the parser's own words, without the place.
fn reason_of(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it ends too early".to_owned();
    }
    let text = error.to_string();
    let reason = text.split_once(" at line ").map(|(reason, _)| reason);
    reason.unwrap_or(&text).to_owned()
}
