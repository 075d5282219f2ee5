//! [`Document`]: a client's file, read strictly and with the position of each member.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use thiserror::Error;

use super::AUTHS;
use super::HELPER;
use super::HELPERS;
use super::STORE;

/// Why a file is left as it is; with the place in it, and nothing of its content.
///
/// What clients take was tried with docker 28.2.2 and podman 4.3.1; of the first two,
/// docker alone takes what follows the object (Go's `json.Decoder`).
#[derive(Debug, Error, Eq, PartialEq)]
pub enum ParseError {
    /// No client can read it either.
    #[error("{0}")]
    Broken(String),
    /// Clients read it, or may; to change it, this program would have to guess what
    /// counts.
    #[error("{0}")]
    Ambiguous(String),
}

/// What a client's file says about this program. Not for printing: there are secrets
/// in it.
pub struct Document<'a> {
    pub(super) text: &'a str,
    /// `None` when there is nothing in the file.
    pub(super) root: Option<Object<'a>>,
}

pub(super) struct Object<'a> {
    pub(super) at: Range<usize>,
    pub(super) members: Vec<Member<'a>>,
}

pub(super) struct Member<'a> {
    /// `None` for a name that is no text, such as half a surrogate pair.
    pub(super) key: Option<Cow<'a, str>>,
    pub(super) key_at: Range<usize>,
    pub(super) value: &'a str,
    pub(super) value_at: Range<usize>,
}

impl<'a> Document<'a> {
    /// Reads a file as clients would.
    ///
    /// # Errors
    /// It is not one JSON object, or says something about helpers and logins that
    /// clients do not understand, or each in its own way.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        if text.starts_with('\u{feff}') {
            return Err(ParseError::Broken(
                "it begins with a byte order mark, which no client takes".into(),
            ));
        }
        if text.bytes().all(is_space) {
            return Ok(Self { text, root: None });
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let raw = <&RawValue>::deserialize(&mut deserializer);
        let raw = raw.map_err(|error| ParseError::Broken(syntax(text, &error)))?;
        if raw.get() == "null" {
            return Err(ParseError::Ambiguous(
                "it is `null` and not an object".into(),
            ));
        }
        let root = object(text, raw.get(), "it")?;
        let end = deserializer.end();
        end.map_err(|error| ParseError::Ambiguous(syntax(text, &error)))?;
        let document = Self {
            text,
            root: Some(root),
        };
        document.member_object(AUTHS)?;
        document.member_object(HELPERS)?;
        Ok(document)
    }

    /// The name of the helper that answers for a host.
    pub fn helper_of(&self, host: &str) -> Option<String> {
        let helpers = self.member_object(HELPERS).ok()??;
        let member = helpers.members.iter().rfind(|member| member.is(host))?;
        serde_json::from_str(member.value).ok()
    }

    /// The hosts that this program answers for, in the order of the file.
    pub fn our_hosts(&self) -> Vec<String> {
        let helpers = self.member_object(HELPERS).ok().flatten();
        let members = helpers.map(|helpers| helpers.members).unwrap_or_default();
        let ours = members.into_iter().filter(Member::is_ours);
        ours.filter_map(|member| member.key.map(Cow::into_owned))
            .collect()
    }

    /// The name of the helper that is asked for every registry without one of its own
    /// (`credsStore`).
    pub fn store(&self) -> Option<String> {
        let member = self.fields(STORE).last()?;
        let name: String = serde_json::from_str(member.value).ok()?;
        Some(name).filter(|name| !name.is_empty())
    }

    /// Whether this program is asked for every registry (`credsStore`).
    pub fn is_our_store(&self) -> bool {
        self.fields(STORE).any(Member::is_ours)
    }

    /// Whether there is anything about logins: otherwise docker looks for a keychain's
    /// helper by itself (`ContainsAuth` in docker's source).
    pub fn is_about_logins(&self) -> bool {
        let objects = [AUTHS, HELPERS].map(|name| self.member_object(name).ok().flatten());
        let has_members = |object: &Object<'_>| !object.members.is_empty();
        objects.iter().flatten().any(has_members)
            || self
                .fields(STORE)
                .any(|store| !["\"\"", "null"].contains(&store.value))
    }

    /// Whether there is nothing in the file, or an object with nothing in it.
    pub fn is_empty(&self) -> bool {
        self.root
            .as_ref()
            .is_none_or(|root| root.members.is_empty())
    }

    pub(super) fn helpers(&self) -> Option<Object<'a>> {
        self.member_object(HELPERS).ok().flatten()
    }

    pub(super) fn fields<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Member<'a>> {
        let members = self.root.iter().flat_map(|root| &root.members);
        members.filter(move |member| member.is_field(name))
    }

    /// The object that a field is, if it is there.
    pub(super) fn member_object(&self, name: &str) -> Result<Option<Object<'a>>, ParseError> {
        let mut found = None;
        for member in self.fields(name) {
            if found.is_some() {
                let what = format!("`{name}` is there twice");
                return Err(ParseError::Ambiguous(at(
                    self.text,
                    member.key_at.start,
                    &what,
                )));
            }
            found = Some(member);
        }
        match found {
            Some(member) if member.value != "null" => {
                object(self.text, member.value, &format!("`{name}`")).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn only_member<'o>(
        &self,
        object: Option<&'o Object<'a>>,
        key: &str,
    ) -> Result<Option<&'o Member<'a>>, ParseError> {
        let members = object.map_or(&[][..], |object| &object.members);
        let mut found = members.iter().filter(|member| member.is(key));
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(second) => {
                let what = format!("`{key}` is there twice");
                Err(ParseError::Ambiguous(at(
                    self.text,
                    second.key_at.start,
                    &what,
                )))
            }
        }
    }
}

impl Member<'_> {
    /// Whether it is the field of a Go structure.
    pub(super) fn is_field(&self, name: &str) -> bool {
        let key = self.key.as_deref();
        key.is_some_and(|key| key.eq_ignore_ascii_case(name))
    }

    /// Whether it is the entry of a map.
    pub(super) fn is(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }

    pub(super) fn is_ours(&self) -> bool {
        serde_json::from_str::<String>(self.value).is_ok_and(|value| value == HELPER)
    }
}

struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The object that stands at `json`, a part of `text`.
pub(super) fn object<'a>(text: &str, json: &'a str, what: &str) -> Result<Object<'a>, ParseError> {
    let place_of = place(text, json);
    let broken = |how: &str| ParseError::Broken(at(text, place_of.start, &format!("{what} {how}")));
    // Otherwise serde's message would quote what is there.
    if !json.starts_with('{') {
        return Err(broken("is not an object"));
    }
    let Members(members) = serde_json::from_str(json).map_err(|_| broken("cannot be read"))?;
    let members = members.into_iter().map(|(key, value)| Member {
        key: serde_json::from_str(key.get()).ok(),
        key_at: place(text, key.get()),
        value: value.get(),
        value_at: place(text, value.get()),
    });
    Ok(Object {
        at: place_of,
        members: members.collect(),
    })
}

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

fn syntax(text: &str, error: &serde_json::Error) -> String {
    let line = text.split('\n').nth(error.line().saturating_sub(1));
    let rest = line.and_then(|line| line.get(error.column().saturating_sub(1)..));
    let is_comment = rest.is_some_and(|rest| rest.starts_with('/') || rest.starts_with('#'));
    let hint = match is_comment {
        true => "; JSON has no comments",
        false => "",
    };
    format!("it is not valid JSON: {error}{hint}")
}

/// What is wrong, and at which byte of the text.
pub(super) fn at(text: &str, byte: usize, what: &str) -> String {
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let column = after_line(before).chars().count() + 1;
    format!("{what} (line {line}, column {column})")
}

/// What follows the last end of a line.
pub(super) fn after_line(text: &str) -> &str {
    text.rsplit(['\n', '\r']).next().unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        let hosts = ["us.icr.io".to_owned()];
        match Document::parse(text) {
            Err(broken) => broken.to_string(),
            Ok(document) => document.naming(&hosts).unwrap_err().to_string(),
        }
    }

    #[test]
    fn a_broken_file_is_told_by_its_place_and_not_by_its_content() {
        for (text, part) in [
            ("{\"auths\": {\"a\": \"hunter2\"", "line 1 column 25"),
            (
                "{\n  // hunter2\n}",
                "line 2 column 3; JSON has no comments",
            ),
            (
                "{\n  \"a\": 1, # hunter2\n}",
                "line 2 column 11; JSON has no comments",
            ),
            ("{\"a\": 1,}", "line 1 column 9"),
            ("{} hunter2", "trailing characters at line 1 column 4"),
            ("{\"a\":\"hunter2\n\"}", "control character"),
            ("\u{feff}{}", "byte order mark"),
            ("[\"hunter2\"]", "it is not an object (line 1, column 1)"),
            ("\"hunter2\"", "it is not an object"),
            (
                "{\n \"auths\": \"hunter2\"}",
                "`auths` is not an object (line 2, column 11)",
            ),
            (
                "{\"credHelpers\": [\"hunter2\"]}",
                "`credHelpers` is not an object (line 1, column 17)",
            ),
            (
                "{\"credHelpers\":{},\n \"credhelpers\":{}}",
                "`credHelpers` is there twice (line 2, column 2)",
            ),
            (
                "{\"auths\":{},\"auths\":{}}",
                "`auths` is there twice (line 1, column 13)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":\"a\",\n\"us.icr.io\":\"b\"}}",
                "`us.icr.io` is there twice (line 2, column 1)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":7}}",
                "a helper's name is missing (line 1, column 29)",
            ),
        ] {
            let reason = reason(text);
            assert!(reason.contains(part), "{text}: {reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn docker_looks_for_a_keychain_while_nothing_is_said_about_logins() {
        for (text, is_about_logins) in [
            ("", false),
            (
                "{\"auths\": {}, \"credHelpers\": null, \"credsStore\": \"\"}",
                false,
            ),
            ("{\"auths\": {\"x.io\": {}}}", true),
            ("{\"credHelpers\": {\"x.io\": \"x\"}}", true),
            ("{\"credsStore\": \"pass\"}", true),
        ] {
            let document = Document::parse(text).unwrap();
            assert_eq!(document.is_about_logins(), is_about_logins, "{text}");
        }
    }

    #[test]
    fn our_own_names_are_noticed() {
        let text = r#"{"credsStore": "icr", "credHelpers": {"b.icr.io": "x", "us.icr.io": "icr", "icr.io": "icr"}}"#;
        let document = Document::parse(text).unwrap();
        assert!(document.is_our_store());
        assert_eq!(document.our_hosts(), ["us.icr.io", "icr.io"]);
        assert_eq!(document.helper_of("b.icr.io").as_deref(), Some("x"));
        assert_eq!(document.helper_of("x.icr.io"), None);
        let nothing = Document::parse("").unwrap();
        assert!(!nothing.is_our_store() && nothing.is_empty());
    }
}
