//! [`Document`]: the text of a settings file, and lines and columns in it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;

use super::deserializer::Node;
use super::invalid::Invalid;
use crate::error::Error;
use crate::error::Result;

/// A position in a settings file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Place {
    /// Returns the error about this position.
    pub(super) fn error(&self, invalid: Invalid) -> Error {
        invalid.error(format_args!("{self}:"))
    }

    /// Returns the error about the value of a key at this position.
    pub(super) fn value_error(&self, key: &str, invalid: Invalid) -> Error {
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

/// A settings file that has been read.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Document<'_> {
    /// Parses the text.
    ///
    /// # Errors
    /// It is not TOML, a key is unknown, or a value has the wrong type.
    pub(super) fn parse<T: DeserializeOwned>(self) -> Result<T> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let invalid = if self.is_bare_word(span.start) {
                Invalid::new("a text must be in quotes")
                    .with_hint("For example: keychain = \"auto\"")
            } else {
                // Clients wrap the message in backticks of their own.
                Invalid::new(error.message().replace('`', "'"))
            };
            invalid.at(span)
        });
        let table = root.and_then(|root| T::deserialize(Node::root(root)));
        table.map_err(|invalid| {
            let place = self.place_at(invalid.offset.unwrap_or_default());
            place.error(invalid)
        })
    }

    /// Returns whether a word without quotes begins at this offset in place of a value. The parser
    /// takes some for a number.
    fn is_bare_word(self, offset: usize) -> bool {
        let (before, after) = self.text.split_at_checked(offset).unwrap_or_default();
        before.trim_end().ends_with('=') && after.starts_with(|it: char| it.is_ascii_alphabetic())
    }

    /// Returns the value of a key that `parse` makes of what the file has.
    pub(super) fn value<T, V, E: Into<Invalid>>(
        self,
        key: &str,
        value: Option<Spanned<T>>,
        parse: impl FnOnce(T) -> Result<V, E>,
    ) -> Result<Option<V>> {
        let Some(value) = value else {
            return Ok(None);
        };
        let start = value.span().start;
        let parsed = parse(value.into_inner()).map(Some);
        parsed.map_err(|invalid| self.place_at(start).value_error(key, invalid.into()))
    }

    /// Returns the position of a key or value.
    pub(super) fn place<T>(self, spanned: &Spanned<T>) -> Place {
        self.place_at(spanned.span().start)
    }

    /// Lines and columns count from 1; columns are characters.
    fn place_at(self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or_default();
        let last = before.rsplit('\n').next().unwrap_or_default();
        Place {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
        }
    }
}

/// Returns the entries of a table in the order of the file.
pub(super) fn in_file_order<T>(table: BTreeMap<Spanned<String>, T>) -> Vec<(Spanned<String>, T)> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
