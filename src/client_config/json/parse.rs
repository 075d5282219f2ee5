//! [`Document`]: a client's file, read strictly and with the position of each member.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use super::AUTHS;
use super::Format;
use super::HELPERS;
use super::HOST_HELPER;
use super::HelperName;
use super::STORE;
use super::repeated;
use super::syntax::syntax;
use crate::error::Error;
use crate::secret::Secret;

/// Why a file cannot be changed. The message has the position, and nothing of the content.
///
/// What clients accept was tried with docker 28.2.2 and podman 4.3.1. Only docker accepts
/// text after the object (Go's `json.Decoder`).
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
pub enum ParseError {
    /// Clients cannot read the file either.
    #[error("{0}")]
    Broken(String),
    /// Clients may read the file, but this program would have to guess which part counts.
    #[error("{0}")]
    Ambiguous(String),
    /// Another program has it open, and Windows refuses to read it.
    #[error("another program has it open")]
    Busy,
    /// This user may not read it, or something is in the way; clients of this user cannot read it
    /// either.
    #[error("{}", .0.text())]
    Denied(Error),
    /// It is a directory. Clients cannot read it.
    #[error("it is a directory, not a file")]
    Directory,
    /// It is text in an encoding that clients cannot read, but this program can.
    #[error("{encoding}, which clients do not accept")]
    Encoding {
        /// Which encoding it is, as a part of a sentence.
        encoding: &'static str,
        /// The decoded text.
        text: Secret,
    },
}

/// A parsed client file. It has no `Debug`, because it may hold secrets.
pub struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) format: Format,
    /// `None` for an empty file.
    pub(super) root: Option<Object<'a>>,
}

/// A JSON object and its place in the text.
pub(super) struct Object<'a> {
    pub(super) at: Range<usize>,
    pub(super) members: Vec<Member<'a>>,
}

/// A member of an object, with its places in the text.
pub(super) struct Member<'a> {
    /// `None` for a name that is not valid text, such as half a surrogate pair.
    pub(super) key: Option<Cow<'a, str>>,
    pub(super) key_at: Range<usize>,
    pub(super) value: &'a str,
    pub(super) value_at: Range<usize>,
}

impl<'a> Document<'a> {
    /// Parses docker's file or podman's as clients do.
    ///
    /// # Errors
    /// See [`Document::parse_as`].
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::parse_as(text, Format::Docker)
    }

    /// Parses a file as clients do.
    ///
    /// # Errors
    /// It is not one JSON object, or its `auths`, `credHelpers` or `hosts` are invalid or
    /// ambiguous.
    pub fn parse_as(text: &'a str, format: Format) -> Result<Self, ParseError> {
        if text.starts_with('\u{feff}') {
            return Err(ParseError::Broken(
                "it begins with a byte order mark, which clients do not accept".into(),
            ));
        }
        if text.bytes().all(is_space) {
            return Ok(Self {
                text,
                format,
                root: None,
            });
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let raw = <&RawValue>::deserialize(&mut deserializer);
        let raw = raw.map_err(|error| ParseError::Broken(syntax(text, &error)))?;
        if raw.get() == "null" {
            return Err(ParseError::Ambiguous("it is `null`, not an object".into()));
        }
        let root = object(text, raw.get(), "it")?;
        let end = deserializer.end();
        end.map_err(|error| ParseError::Ambiguous(syntax(text, &error)))?;
        let document = Self {
            text,
            format,
            root: Some(root),
        };
        document.refuse_repeated_fields()?;
        document.object_field(AUTHS)?;
        document.object_field(format.section())?;
        if format == Format::Docker {
            document.check_helper_names()?;
        }
        Ok(document)
    }

    /// Returns an error if a helper is no text: then clients read nothing of the file.
    fn check_helper_names(&self) -> Result<(), ParseError> {
        let section = self.section();
        let helpers = section.iter().flat_map(|section| &section.members);
        for member in helpers.chain(self.fields(STORE)) {
            if HelperName::read(member.value, self.format).is_none() {
                return Err(not_a_name(self.text, member));
            }
        }
        Ok(())
    }

    /// Returns the helper for a host, if the file has one.
    pub fn helper_of(&self, host: &str) -> Option<HelperName> {
        let section = self.section()?;
        let entry = section.members.iter().rfind(|member| member.is(host))?;
        self.helper_name(entry)
    }

    /// Returns the hosts that this program is configured for, in the order of the file.
    pub fn our_hosts(&self) -> Vec<String> {
        let members = self.section().map(|section| section.members);
        let keys = members.unwrap_or_default().into_iter();
        let keys = keys.filter_map(|member| member.key.map(Cow::into_owned));
        let mut hosts: Vec<String> = Vec::new();
        for host in keys {
            if self.helper_of(&host) == Some(HelperName::Ours) && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// Returns the helper for all other registries (`credsStore`).
    pub fn store(&self) -> Option<HelperName> {
        let store = self.fields(STORE).last()?;
        HelperName::read(store.value, Format::Docker)
    }

    /// Returns whether this program is the helper for all other registries (`credsStore`).
    pub fn is_our_store(&self) -> bool {
        self.store() == Some(HelperName::Ours)
    }

    /// Returns whether the file says anything about logins. Otherwise docker chooses its
    /// default keychain helper (`ContainsAuth` in docker's source).
    pub fn mentions_logins(&self) -> bool {
        let objects = [AUTHS, HELPERS].map(|name| self.object_field(name).ok().flatten());
        let has_members = |object: &Object<'_>| !object.members.is_empty();
        objects.iter().flatten().any(has_members)
            || self
                .fields(STORE)
                .any(|store| !["\"\"", "null"].contains(&store.value))
    }

    /// Returns whether the file is empty or holds an empty object.
    pub fn is_empty(&self) -> bool {
        self.root
            .as_ref()
            .is_none_or(|root| root.members.is_empty())
    }

    /// Returns the object with an entry for each registry.
    pub(super) fn section(&self) -> Option<Object<'a>> {
        self.object_field(self.format.section()).ok().flatten()
    }

    /// Returns the helper in the entry of a registry; `None` if it has none.
    pub(super) fn helper_name(&self, entry: &Member<'_>) -> Option<HelperName> {
        match self.format {
            Format::Docker => HelperName::read(entry.value, self.format),
            Format::Regctl => {
                let entry = object(self.text, entry.value, "").ok()?;
                HelperName::read(entry.field(HOST_HELPER)?.value, self.format)
            }
        }
    }

    pub(super) fn is_ours(&self, entry: &Member<'_>) -> bool {
        self.helper_name(entry) == Some(HelperName::Ours)
    }

    pub(super) fn fields<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Member<'a>> {
        let members = self.root.iter().flat_map(|root| &root.members);
        members.filter(move |member| member.is_field(name))
    }

    /// Returns the object in a field, if the field exists.
    pub(super) fn object_field(&self, name: &str) -> Result<Option<Object<'a>>, ParseError> {
        match repeated::only(self.text, self.fields(name), name)? {
            Some(member) if member.value != "null" => {
                object(self.text, member.value, &format!("`{name}`")).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn unique_member<'o>(
        &self,
        object: Option<&'o Object<'a>>,
        key: &str,
    ) -> Result<Option<&'o Member<'a>>, ParseError> {
        let members = object.map_or(&[][..], |object| &object.members);
        let found = members.iter().filter(|member| member.is(key));
        repeated::only(self.text, found, key)
    }
}

impl<'a> Object<'a> {
    /// Returns the member that Go reads as that field of a structure.
    pub(super) fn field(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().rfind(|member| member.is_field(name))
    }
}

impl Member<'_> {
    /// Returns whether Go reads this member as that field of a structure.
    pub(super) fn is_field(&self, name: &str) -> bool {
        let key = self.key.as_deref();
        key.is_some_and(|key| key.eq_ignore_ascii_case(name))
    }

    /// Returns whether Go reads this member as that key of a map.
    pub(super) fn is(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
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

/// Parses the object at `json`, which is a part of `text`.
pub(super) fn object<'a>(text: &str, json: &'a str, what: &str) -> Result<Object<'a>, ParseError> {
    let place_of = place(text, json);
    let broken = |how: &str| ParseError::Broken(at(text, place_of.start, &format!("{what} {how}")));
    // Otherwise serde's message would quote the content.
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

/// Creates the error for the value of a helper that is no text.
pub(super) fn not_a_name(text: &str, member: &Member<'_>) -> ParseError {
    let kind = kind_of(member.value);
    let what = format!("the helper is {kind}, but must be a name in quotes");
    ParseError::Broken(at(text, member.value_at.start, &what))
}

/// Returns what a JSON value is: a part of a sentence.
pub(super) fn kind_of(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Returns the byte range of a part of a text.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

/// Adds the line and column of a byte offset to a message.
pub(in crate::client_config) fn at(text: &str, byte: usize, what: &str) -> String {
    let (line, column) = line_and_column(text, byte);
    format!("{what} (line {line}, column {column})")
}

/// Returns the line and column of a byte offset.
pub(super) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    (line, after_line(before).chars().count() + 1)
}

/// Returns the text after the last line end.
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
            Ok(document) => document.plan_helpers(&hosts).unwrap_err().to_string(),
        }
    }

    #[test]
    fn errors_have_the_position_and_nothing_of_the_content() {
        for (text, part) in [
            ("{\"auths\": {\"a\": \"hunter2\"", "line 1, column 25"),
            (
                "{\n  // hunter2\n}",
                "line 2, column 3: a comment, which JSON does not have)",
            ),
            (
                "{\n  \"a\": 1, # hunter2\n}",
                "line 2, column 11: a comment, which JSON does not have)",
            ),
            (
                "{\"a\": 1,}",
                "(line 1, column 8: a comma after the last entry)",
            ),
            (
                "{\"a\": [1, 2,\n ]}",
                "(line 1, column 12: a comma after the last entry)",
            ),
            (
                "{'hunter2': 1}",
                "(line 1, column 2: single quotes, where JSON needs double quotes)",
            ),
            (
                "{\"a\": 1\n \"b\": 2}",
                "(line 2, column 2: no comma before this entry)",
            ),
            (
                "{\"a\": 1, b: 2}",
                "(line 1, column 10: not a name in double quotes)",
            ),
            ("{} hunter2", "line 1, column 4: trailing characters"),
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
                "`credHelpers` occurs twice (line 2, column 2)",
            ),
            (
                "{\"auths\":{},\"auths\":{}}",
                "`auths` occurs twice (line 1, column 13)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":\"a\",\n\"us.icr.io\":\"b\"}}",
                "`us.icr.io` occurs twice (line 2, column 1)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":7}}",
                "the helper is a number, but must be a name in quotes (line 1, column 29)",
            ),
            (
                "{\"credHelpers\":{\"us.icr.io\":true}}",
                "the helper is true or false, but must be a name in quotes",
            ),
            (
                "{\"credHelpers\":{\"x.io\":[\"hunter2\"]}}",
                "the helper is a list, but must be a name in quotes (line 1, column 24)",
            ),
            (
                "{\"credsStore\":{\"a\":\"hunter2\"}}",
                "the helper is an object, but must be a name in quotes (line 1, column 15)",
            ),
        ] {
            let reason = reason(text);
            assert!(reason.contains(part), "{text}: {reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn a_file_without_logins_and_helpers_mentions_no_logins() {
        for (text, mentions_logins) in [
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
            assert_eq!(document.mentions_logins(), mentions_logins, "{text}");
        }
    }

    #[test]
    fn hosts_with_this_helper_are_found() {
        let text = r#"{"credsStore": "icr", "credHelpers": {"b.icr.io": "x", "us.icr.io": "icr", "icr.io": "icr"}}"#;
        let document = Document::parse(text).unwrap();
        assert!(document.is_our_store());
        assert_eq!(document.our_hosts(), ["us.icr.io", "icr.io"]);
        assert_eq!(
            document.helper_of("b.icr.io"),
            Some(HelperName::Other("x".to_owned()))
        );
        assert_eq!(document.helper_of("x.icr.io"), None);
        let nothing = Document::parse("").unwrap();
        assert!(!nothing.is_our_store() && nothing.is_empty());
    }
}
