//! serde's access to the tables of a settings file.
//!
//! `toml`'s own deserializer is not used, because its errors are texts: they repeat values,
//! which may be secrets in the wrong place, and do not say which keys a hint could suggest.

use serde::Deserializer;
use serde::de::Error;
use serde::de::IntoDeserializer;
use serde::de::Visitor;
use serde::de::value::MapDeserializer;
use serde::de::value::SeqDeserializer;
use serde_spanned::de::SpannedDeserializer;
use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::invalid::Invalid;
use super::name::suggestion;
use crate::text::repeatable;

/// A key or a value.
pub(super) struct Node<'de> {
    value: Spanned<DeValue<'de>>,
    /// What an error calls it.
    name: String,
}

// Not generic, because `Deserializer` has a copy of its methods for each type.
impl<'de> Node<'de> {
    /// Creates the node of a whole file.
    pub(super) fn root(table: Spanned<DeTable<'de>>) -> Self {
        Self {
            value: Spanned::new(table.span(), DeValue::Table(table.into_inner())),
            name: String::new(),
        }
    }

    fn unexpected(&self, expected: &str) -> Invalid {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a decimal point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or a time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let reason = format!("{} must be {expected}, not {found}", self.name);
        Invalid::new(reason).at(self.value.span())
    }

    fn flag(&self) -> Result<bool, Invalid> {
        let flag = self.value.get_ref().as_bool();
        flag.ok_or_else(|| self.unexpected("true or false"))
    }

    fn number(&self) -> Result<i64, Invalid> {
        let number = self.value.get_ref().as_integer();
        let number = number.ok_or_else(|| self.unexpected("a whole number"))?;
        i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| Invalid::new(format!("{} is too large", self.name)).at(self.value.span()))
    }

    fn text(&self) -> Result<&str, Invalid> {
        let text = self.value.get_ref().as_str();
        text.ok_or_else(|| self.unexpected("a string"))
    }

    fn items(self) -> Result<Vec<Self>, Invalid> {
        let unexpected = self.unexpected("an array of strings");
        let name = format!("each item of {}", self.name);
        match self.value.into_inner() {
            DeValue::Array(items) => Ok(items
                .into_iter()
                .map(|value| Self {
                    value,
                    name: name.clone(),
                })
                .collect()),
            _ => Err(unexpected),
        }
    }

    /// Returns keys and values in the order of the file.
    fn entries(self) -> Result<Vec<(Self, Self)>, Invalid> {
        let unexpected = self.unexpected("a table");
        let DeValue::Table(table) = self.value.into_inner() else {
            return Err(unexpected);
        };
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter().map(|(key, value)| {
            let name = repeatable::name(key.get_ref()).to_owned();
            let span = key.span();
            let key = Self {
                value: Spanned::new(span, DeValue::String(key.into_inner())),
                name: name.clone(),
            };
            (key, Self { value, name })
        });
        Ok(entries.collect())
    }
}

impl Error for Invalid {
    /// Ignores serde's message, which may repeat a secret.
    fn custom<T>(_message: T) -> Self {
        Self::new("unexpected value")
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown key {}", repeatable::quoted(field))).with_hint(suggestion(
            field,
            expected,
            kind_of_keys(expected),
        ))
    }
}

/// Returns what these keys belong to: each kind of table has a key that no other has.
fn kind_of_keys(keys: &[&str]) -> &'static str {
    if keys.contains(&"keychain") {
        "keys outside of tables"
    } else if keys.contains(&"source") {
        "keys of a profile"
    } else {
        "keys of a registry's table"
    }
}

impl<'de> IntoDeserializer<'de, Invalid> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Invalid> {
        Err(Invalid::custom("").at(self.value.span()))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_i64(self.number()?)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        let key = visitor.visit_str(self.text()?);
        key.map_err(|invalid: Invalid| invalid.at(self.value.span()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_map(MapDeserializer::new(self.entries()?.into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_seq(SeqDeserializer::new(self.items()?.into_iter()))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        if serde_spanned::de::is_spanned(name) {
            let span = self.value.span();
            visitor.visit_map(SpannedDeserializer::new(self, span))
        } else {
            self.deserialize_map(visitor)
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct newtype_struct tuple tuple_struct enum ignored_any
    }
}
