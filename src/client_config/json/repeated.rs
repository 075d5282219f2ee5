//! Fields and keys that occur twice.
//!
//! Go takes the last of two fields, and puts the entries of two maps together (`encoding/json`). A
//! change of one of the two would have to guess which one counts after the next change.

use super::AUTHS;
use super::Document;
use super::HOST_HELPER;
use super::Mistake;
use super::ParseError;
use super::STORE;
use super::parse::Member;
use super::parse::Object;
use super::parse::at;
use super::parse::object;
use crate::registry::Registry;

/// The fields of an entry that clients read.
const ENTRY_FIELDS: [&str; 9] = [
    "auth",
    "username",
    "password",
    "identitytoken",
    "registrytoken",
    HOST_HELPER,
    "user",
    "pass",
    "token",
];

/// Returns the only one of these members, if there is one.
///
/// # Errors
/// There are two, with their lines.
pub(super) fn only<'m, 'a: 'm>(
    text: &str,
    mut members: impl Iterator<Item = &'m Member<'a>>,
    name: &str,
) -> Result<Option<&'m Member<'a>>, ParseError> {
    let first = members.next();
    let Some((first, second)) = first.zip(members.next()) else {
        return Ok(first);
    };
    let line = text[..first.key_at.start].matches('\n').count() + 1;
    let what = at(text, second.key_at.start, &format!("`{name}` occurs twice"));
    Err(ParseError::Ambiguous(format!(
        "{what}, the first time in line {line}"
    )))
}

impl<'a> Document<'a> {
    /// Returns an error if a field that this program reads or writes occurs twice.
    pub(super) fn refuse_repeated_fields(&self) -> Result<(), ParseError> {
        for name in [AUTHS, self.format.section(), STORE] {
            only(self.text, self.fields(name), name)?;
        }
        Ok(())
    }

    /// Returns an error if an entry of an IBM Cloud registry or of one of these hosts, or a field
    /// of such an entry of `auths`, occurs twice.
    pub(super) fn refuse_repeated_entries(&self, hosts: &[String]) -> Result<(), ParseError> {
        let is_read =
            |key: &str| hosts.iter().any(|host| host == key) || Registry::at(key, &[]).is_some();
        for section in [self.section(), self.logins()].iter().flatten() {
            let keys = section.members.iter().filter_map(|it| it.key.as_deref());
            for key in keys.filter(|key| is_read(key)) {
                let entries = section.members.iter().filter(|member| member.is(key));
                if let Some(entry) = only(self.text, entries, key)? {
                    self.refuse_repeated_fields_of(entry)?;
                }
            }
        }
        Ok(())
    }

    fn refuse_repeated_fields_of(&self, entry: &Member<'_>) -> Result<(), ParseError> {
        let Ok(entry) = object(self.text, entry.value, "") else {
            return Ok(());
        };
        for name in ENTRY_FIELDS {
            let fields = entry.members.iter().filter(|it| it.is_field(name));
            only(self.text, fields, name)?;
        }
        Ok(())
    }

    /// Returns the registries that occur more than once, and the fields of their entries that do.
    pub(super) fn repeated_keys(&self, further: &[Registry]) -> Vec<Mistake> {
        let sections = [self.section(), self.logins()];
        let mut mistakes: Vec<Mistake> = Vec::new();
        for section in sections.iter().flatten() {
            for mistake in self.repeated_in(section, further) {
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
        mistakes
    }

    fn repeated_in(&self, section: &Object<'_>, further: &[Registry]) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for member in &section.members {
            let Some(key) = member.key.as_deref() else {
                continue;
            };
            let Some(registry) = Registry::at(key, further) else {
                continue;
            };
            let is_repeated = section.members.iter().filter(|it| it.is(key)).count() > 1;
            if is_repeated && registry.host() == key {
                mistakes.push(Mistake::RepeatedKey(registry));
            }
            let entry = object(self.text, member.value, "").ok();
            let fields = entry.iter().flat_map(|entry| {
                let count = |name| entry.members.iter().filter(|it| it.is_field(name)).count();
                ENTRY_FIELDS.into_iter().filter(move |name| count(name) > 1)
            });
            mistakes.extend(fields.map(|field| Mistake::RepeatedField {
                entry: key.to_owned(),
                field,
            }));
        }
        mistakes
    }
}
