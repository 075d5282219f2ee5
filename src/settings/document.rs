//! A settings file as a tree in which each value has its line and column.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::invalid::Invalid;
use super::name::suggestion;
use crate::error::Error;
use crate::error::Result;
use crate::text::repeatable::quoted;

/// A position in a settings file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Place {
    /// Returns the error about this position.
    pub(super) fn wrong(&self, reason: &str) -> Error {
        Error::user(format!("{self}: {reason}"))
    }

    /// Returns the error about the value of a key at this position.
    pub(super) fn invalid(&self, key: &str, invalid: Invalid) -> Error {
        invalid.error(format_args!("{self}: {key}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the settings file {} is invalid at line {}, column {}",
            self.path.display(),
            self.line,
            self.column
        )
    }
}

/// A file that was read.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl<'a> Document<'a> {
    /// Reads the text, and hands its outermost table over.
    pub(super) fn read<T>(self, then: impl FnOnce(Table<'_>) -> Result<T>) -> Result<T> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            self.place(start).wrong(&error.message().replace('`', "'"))
        })?;
        then(Table {
            document: self,
            entries: root.get_ref(),
        })
    }

    /// Lines and columns count from 1; columns are characters.
    fn place(self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or_default();
        let last = before.rsplit('\n').next().unwrap_or_default();
        Place {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
        }
    }
}

/// A table of the file.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    document: Document<'a>,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// Refuses the first key that is none of these.
    pub(super) fn has_only(&self, keys: &[&str]) -> Result<()> {
        let entries = self.entries();
        match entries.iter().find(|entry| !keys.contains(&entry.key)) {
            None => Ok(()),
            Some(entry) => {
                let reason = format!("unknown key {}", quoted(entry.key));
                let hint = suggestion(entry.key, keys, "keys");
                Err(entry.place().wrong(&reason).with_hint(hint))
            }
        }
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'a str) -> Option<Value<'a>> {
        let value = self.entries.get(key)?;
        Some(Value::new(self.document, key, value))
    }

    /// All entries, in the order of the file.
    pub(super) fn entries(&self) -> Vec<Entry<'a>> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'a Spanned<_>, _)| {
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            Entry {
                key: name,
                offset: key.span().start,
                value: Value::new(self.document, name, value),
            }
        };
        entries.into_iter().map(entry).collect()
    }
}

/// A key with its value.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    offset: usize,
    pub(super) value: Value<'a>,
}

impl Entry<'_> {
    /// The place of the key.
    pub(super) fn place(&self) -> Place {
        self.value.document.place(self.offset)
    }
}

/// A value.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    document: Document<'a>,
    key: &'a str,
    spanned: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    fn new(document: Document<'a>, key: &'a str, spanned: &'a Spanned<DeValue<'a>>) -> Self {
        Self {
            document,
            key,
            spanned,
        }
    }

    /// The file that it stands in.
    pub(super) fn path(&self) -> &'a Path {
        self.document.path
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.document.place(self.spanned.span().start)
    }

    /// The failure that it is not what it must be.
    pub(super) fn wrong(&self, reason: &str) -> Error {
        self.place().wrong(reason)
    }

    pub(super) fn text(&self) -> Result<&'a str> {
        match self.spanned.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.is_no("a string")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool> {
        match self.spanned.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.is_no("true or false")),
        }
    }

    /// A whole number between these.
    pub(super) fn number(&self, least: u64, most: u64, unit: &str) -> Result<u64> {
        let DeValue::Integer(integer) = self.spanned.get_ref() else {
            return Err(self.is_no("a whole number"));
        };
        u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| {
                self.wrong(&format!(
                    "{} is {integer}, which is not between {least} and {most} {unit}",
                    self.key
                ))
            })
    }

    /// Returns the parsed text.
    pub(super) fn parsed<T, E: Into<Invalid>>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T> {
        parse(self.text()?).map_err(|error| self.place().invalid(self.key, error.into()))
    }

    pub(super) fn list(&self) -> Result<Vec<Value<'a>>> {
        match self.spanned.get_ref() {
            DeValue::Array(items) => Ok(items
                .iter()
                .map(|item| Value::new(self.document, self.key, item))
                .collect()),
            _ => Err(self.is_no("an array of strings")),
        }
    }

    pub(super) fn table(&self) -> Result<Table<'a>> {
        match self.spanned.get_ref() {
            DeValue::Table(entries) => Ok(Table {
                document: self.document,
                entries,
            }),
            _ => Err(self.is_no("a table")),
        }
    }

    fn is_no(&self, expected: &str) -> Error {
        let found = self.spanned.get_ref().type_str();
        self.wrong(&format!(
            "{} has the type {found}, but must be {expected}",
            self.key
        ))
    }
}
