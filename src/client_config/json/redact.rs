//! A client's file without what may be a secret.

use super::Document;
use super::HELPERS;
use super::STORE;
use super::edit::Edit;
use super::edit::apply_edits;
use super::edit::quoted;
use super::parse::Member;
use crate::PROGRAM;

/// Fields of docker's file that hold no secrets.
const HARMLESS: [&str; 14] = [
    HELPERS,
    STORE,
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
    /// fields: passwords, headers, proxies, and what other programs wrote.
    pub fn redacted(&self) -> String {
        let mut edits = Vec::new();
        for member in self.root.iter().flat_map(|root| &root.members) {
            let is_harmless = |harmless: &&str| member.is_field(harmless);
            if !HARMLESS.iter().any(is_harmless) {
                redact(member, &mut edits);
            }
        }
        apply_edits(self.text, &edits)
    }
}

/// Redacts every string in a value, but not the names of members.
fn redact(member: &Member<'_>, edits: &mut Vec<Edit>) {
    let value = member.value;
    let mut position = 0;
    while let Some(start) = value[position..].find('"').map(|found| position + found) {
        let end = end_of_string(value, start);
        let is_name = value[end..].trim_start().starts_with(':');
        // A name may have a user and a password in it, as URLs do.
        let word = &value[start..end];
        let is_helper = word.trim_matches('"') == PROGRAM;
        if (!is_name || word.contains('@')) && !is_helper && end - start > 2 {
            edits.push(Edit {
                at: member.value_at.start + start..member.value_at.start + end,
                text: quoted("[redacted]"),
            });
        }
        position = end;
    }
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
            "auths": {"https://u:s3cret-5@x.io": {"username": "s3cret-6"}}, "s": "s3cret-7",
            "credHelpers": {"us.icr.io": "icr"}, "empty": ""}"#;
        let redacted = Document::parse(text).unwrap().redacted();
        assert!(!redacted.contains("s3c"), "{redacted}");
        for kept in [
            "\"Authorization\": \"[redacted]\"",
            "rootless",
            "\"us.icr.io\": \"icr\"",
            "\"empty\": \"\"",
        ] {
            assert!(redacted.contains(kept), "{redacted}");
        }
        assert!(Document::parse(&redacted).is_ok());
    }
}
