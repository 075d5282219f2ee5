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
use toml::de::DeValue;

use super::invalid::Invalid;
use super::name::suggestion;
use crate::text::repeatable::quoted;

/// A key or a value.
pub(super) struct Node<'de>(pub(super) Spanned<DeValue<'de>>);

impl Error for Invalid {
    /// Ignores serde's message, which may repeat a secret.
    fn custom<T>(_message: T) -> Self {
        Self::new("unexpected value")
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown key {}", quoted(field)))
            .with_hint(suggestion(field, expected, "keys"))
    }
}

impl<'de> IntoDeserializer<'de, Invalid> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! deserialize_types {
    ($($method:ident: $expected:literal $is_expected:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
            let value = self.0.get_ref();
            if value.$is_expected() {
                return self.deserialize_any(visitor);
            }
            let reason = format!("expected {}, found {}", $expected, value.type_str());
            Err(Invalid::new(reason).at(self.0.span()))
        }
    )+};
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Invalid;

    deserialize_types! {
        deserialize_bool: "true or false" is_bool;
        deserialize_i64: "a whole number" is_integer;
        deserialize_map: "a table" is_table;
        deserialize_seq: "an array of strings" is_array;
        deserialize_string: "a string" is_str;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        let span = self.0.span();
        let result = match self.0.into_inner() {
            DeValue::String(text) => visitor.visit_string(text.into_owned()),
            DeValue::Boolean(flag) => visitor.visit_bool(flag),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(Invalid::new("the number is too large")),
                }
            }
            DeValue::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Node)))
            }
            DeValue::Table(table) => {
                let mut entries: Vec<_> = table.into_iter().collect();
                entries.sort_by_key(|(key, _)| key.span().start);
                let entries = entries.into_iter().map(|(key, value)| {
                    let span = key.span();
                    let key = DeValue::String(key.into_inner());
                    (Node(Spanned::new(span, key)), Node(value))
                });
                visitor.visit_map(MapDeserializer::new(entries))
            }
            DeValue::Float(_) | DeValue::Datetime(_) => Err(Invalid::custom("")),
        };
        result.map_err(|invalid: Invalid| invalid.at(span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_some(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        if serde_spanned::de::is_spanned(name) {
            let span = self.0.span();
            visitor.visit_map(SpannedDeserializer::new(self, span))
        } else {
            self.deserialize_map(visitor)
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct newtype_struct tuple tuple_struct enum identifier ignored_any
    }
}
