//! Secrets as people hand them over: in a variable or a file, on stdin, at a prompt, or from a
//! client.
//!
//! What is certainly around a secret is removed, such as white space, quotes or the JSON of a key
//! file. What certainly is no such secret is rejected before it is sent, because IAM's answer
//! would only say that it does not know the key. Everything else is sent.

mod assignment;
mod key_file;
mod unusable;

#[cfg(test)]
mod tests;

pub use unusable::Unusable;

use super::Secret;
use crate::text::encoding;
use crate::text::printable::is_printable;
use crate::text::repeatable;

/// What a secret is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretKind {
    /// An IAM access token, a JWT.
    AccessToken,
    /// An API key of IBM Cloud.
    ApiKey,
    /// The token of a compute resource, a JWT.
    ComputeResourceToken,
    /// A one-time passcode of IAM.
    Passcode,
    /// An IAM refresh token.
    RefreshToken,
}

impl SecretKind {
    /// Returns its name in messages, without an article.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "API key",
            Self::AccessToken | Self::RefreshToken => "token",
            Self::ComputeResourceToken => "compute resource token",
            Self::Passcode => "passcode",
        }
    }

    /// Returns how the names of variables and of JSON members end that hold one, without
    /// punctuation and in small letters.
    fn name_endings(self) -> &'static [&'static str] {
        match self {
            Self::ApiKey => &["apikey"],
            Self::AccessToken => &["iamtoken", "accesstoken", "bearertoken"],
            Self::ComputeResourceToken => &["crtoken", "token"],
            Self::Passcode => &["passcode"],
            Self::RefreshToken => &["refreshtoken"],
        }
    }
}

/// Returns the secret in the bytes of a file or of stdin, like [`read`].
///
/// # Errors
/// They are no text, or it is no such secret.
pub fn read_bytes(kind: SecretKind, bytes: &[u8]) -> Result<Secret, Unusable> {
    let text = encoding::decode(bytes).map_err(Unusable::because)?;
    read(kind, &text)
}

/// Returns the secret in a text.
///
/// # Errors
/// The text is certainly no such secret.
pub fn read(kind: SecretKind, text: &str) -> Result<Secret, Unusable> {
    let stripped = strip(text);
    if stripped.starts_with(['{', '[']) {
        if let Some(value) = key_file::value(kind, stripped)? {
            return read_value(kind, value.expose());
        }
    } else if let Some(inner) = json_in_a_string(text) {
        return read(kind, inner.expose());
    }
    read_value(kind, stripped)
}

/// Returns the secret in a text that is not JSON.
fn read_value(kind: SecretKind, text: &str) -> Result<Secret, Unusable> {
    let text = assignment::value(kind, strip(text)).unwrap_or(text);
    let text = strip(text);
    let text = match kind {
        SecretKind::ApiKey | SecretKind::Passcode => text,
        _ => strip(without_scheme(text)),
    };
    if kind == SecretKind::ApiKey
        && let Some(key) = unwrapped_key(text)
    {
        return Ok(key);
    }
    match Unusable::find(kind, text) {
        Some(unusable) => Err(unusable),
        None => Ok(Secret::new(text)),
    }
}

/// Returns the token in `Bearer eyJ…`, as some programs store it. It is empty for `Bearer`
/// alone, which is what a script makes of an empty variable.
pub fn without_scheme(token: &str) -> &str {
    let token = token.trim();
    let (scheme, bare) = token.split_once(char::is_whitespace).unwrap_or((token, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        bare.trim()
    } else {
        token
    }
}

/// Pairs of quotation marks: those of shells, which `docker run --env-file` keeps, and those of
/// word processors, chats and Markdown.
const QUOTES: [(char, char); 9] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('“', '”'),
    ('„', '“'),
    ('”', '”'),
    ('‘', '’'),
    ('’', '’'),
    ('«', '»'),
];

/// What terminals send before and after a pasted text (xterm, "Bracketed Paste Mode").
const PASTE_MARKS: [&str; 2] = ["\u{1b}[200~", "\u{1b}[201~"];

/// How white space at the end of a line is written in other texts: in strings, in terminals and in
/// URLs. A backslash alone continues a line of a shell.
const LINE_ENDS: [&str; 11] = [
    "\\n", "\\r", "\\t", "\\", "^M", "^J", "%0A", "%0a", "%0D", "%0d", "%20",
];

/// Returns the path in `@FILE`, which may have quotation marks around all of it.
pub(crate) fn file_argument(text: &str) -> Option<&str> {
    let text = text.trim_matches(is_blank);
    without_quotes(text).unwrap_or(text).strip_prefix('@')
}

/// Returns the text without what is certainly not part of a secret at its ends.
pub(crate) fn strip(text: &str) -> &str {
    let mut rest = text;
    loop {
        let mut shorter = encoding::without_mark(rest).trim_matches(is_blank);
        for mark in PASTE_MARKS {
            shorter = shorter.strip_prefix(mark).unwrap_or(shorter);
            shorter = shorter.strip_suffix(mark).unwrap_or(shorter);
        }
        for escape in LINE_ENDS {
            shorter = shorter.strip_suffix(escape).unwrap_or(shorter);
        }
        shorter = without_quotes(shorter).unwrap_or(shorter);
        if shorter.len() == rest.len() {
            return rest;
        }
        rest = shorter;
    }
}

/// Returns the text in a pair of quotation marks.
pub(crate) fn without_quotes(text: &str) -> Option<&str> {
    QUOTES
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
}

/// Returns whether a character is white space, or not visible, such as a zero-width space that
/// was copied from a chat.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || !character.is_ascii() && !is_printable(character)
}

/// Returns the JSON in a JSON string: `"{\"apikey\": …}"`.
fn json_in_a_string(text: &str) -> Option<Secret> {
    let text = text.trim_matches(is_blank);
    if !text.starts_with('"') || !text.contains("\\\"") {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Returns the API key that an editor or a terminal wrapped over several lines.
fn unwrapped_key(text: &str) -> Option<Secret> {
    let mut lines = text.lines();
    if lines.clone().count() < 2 || lines.clone().any(repeatable::is_api_key) {
        return None;
    }
    let key = lines.by_ref().map(str::trim).collect::<String>();
    let key = Secret::new(key);
    repeatable::is_api_key(key.expose()).then_some(key)
}
