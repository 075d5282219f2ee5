//! A client's file without what may be a secret.

use super::Document;
use super::HELPERS;
use super::STORE;
use super::edit::Edit;
use super::edit::apply_edits;
use super::edit::quoted;
use super::parse::Member;
use crate::PROGRAM;
use crate::text::repeatable;

/// Fields of docker's file that hold no secrets.
const HARMLESS: [&str; 12] = [
    "currentContext",
    "detachKeys",
    "experimental",
    "features",
    "imagesFormat",
    "networksFormat",
    "pluginsFormat",
    "psFormat",
    "servicesFormat",
    "stackOrchestrator",
    "tasksFormat",
    "volumesFormat",
];

impl Document<'_> {
    /// Returns the text with `[redacted]` for every string outside the known harmless
    /// fields: passwords, headers, proxies, and what other programs wrote. In the fields with
    /// helpers, hosts and names stay.
    pub fn redacted(&self) -> String {
        let mut edits = Vec::new();
        for member in self.root.iter().flat_map(|root| &root.members) {
            let is_field = |name: &&str| member.is_field(name);
            if !HARMLESS.iter().any(is_field) {
                let has_helpers = [HELPERS, STORE].iter().any(is_field);
                redact(member, has_helpers, &mut edits);
            }
        }
        apply_edits(self.text, &edits)
    }
}

/// The size limit of a field's name that is shown, in bytes.
const MAX_FIELD_NAME: usize = 20;

/// Redacts the strings in a value. Names of members stay, and with `has_helpers` other strings,
/// unless they may be secrets: a URL has a user and a password in it, or a key is in the wrong
/// place.
fn redact(member: &Member<'_>, has_helpers: bool, edits: &mut Vec<Edit>) {
    let value = member.value;
    let mut position = 0;
    while let Some(start) = value[position..].find('"').map(|found| position + found) {
        let end = end_of_string(value, start);
        let is_name = value[end..].trim_start().starts_with(':');
        let word = value[start..end].trim_matches('"');
        let is_shown = word == PROGRAM
            || (is_name || has_helpers) && repeatable::is_name(word)
            || is_name && is_field_name(word);
        if !is_shown && !word.is_empty() {
            edits.push(Edit {
                at: member.value_at.start + start..member.value_at.start + end,
                text: quoted("[redacted]"),
            });
        }
        position = end;
    }
}

/// Returns whether a text is a name such as `credHelper`. Random letters have more capitals.
fn is_field_name(text: &str) -> bool {
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    let is_short = text.len() <= MAX_FIELD_NAME;
    is_short && text.bytes().all(|it| it.is_ascii_alphabetic()) && capitals * 4 <= text.len()
}

/// Returns the end of the string that starts at `start`.
fn end_of_string(json: &str, start: usize) -> usize {
    let mut is_escaped = false;
    for (offset, byte) in json.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return offset + 1,
            _ => {}
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_secrets_are_redacted() {
        let text = r#"{"HttpHeaders": {"Authorization": "s3cret-1"}, "currentContext": "rootless",
            "proxies": {"default": {"httpProxy": "http://u:s3cret-2@h"}}, "x": ["s3cret-3", {"y": "s3c\"ret-4"}],
            "auths": {"https://u:s3cret-5@x.io": {"username": "s3cret-6"},
            "s3cABCDEFGH1234abcdEFGH1234abcdEFGH1234abcde": {}}, "s": "s3cret-7",
            "credHelpers": {"us.icr.io": "icr", "https://u:s3cret-8@de.icr.io": "icr",
            "s3cABCDEFGH1234abcdEFGH1234abcdEFGH1234abcde": "icr", "de.icr.io/v2/": "ecr-login",
            "jp.icr.io": "s3cABCDEFGH1234abcdEFGH1234abcdEFGH1234abcde"}, "empty": ""}"#;
        let redacted = Document::parse(text).unwrap().redacted();
        assert!(!redacted.contains("s3c"), "{redacted}");
        for kept in [
            "\"Authorization\": \"[redacted]\"",
            "rootless",
            "\"us.icr.io\": \"icr\"",
            "\"de.icr.io/v2/\": \"ecr-login\"",
            "\"empty\": \"\"",
        ] {
            assert!(redacted.contains(kept), "{redacted}");
        }
        assert!(Document::parse(&redacted).is_ok());
    }
}
