//! Names in settings and variables, and the hint for an unknown one.

use crate::text::closest_match::closest_match;
use crate::text::repeatable::quoted;

/// The size limit of the name of a namespace or a profile, in bytes: it is part of keychain
/// items.
const MAX_LENGTH: usize = 64;

/// Gives the variants of an enumeration their names in settings and variables.
macro_rules! named {
    ($type:ident { $($name:literal => $variant:ident),+ $(,)? }) => {
        impl $type {
            /// All names.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Returns the value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Returns the name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }
    };
}

pub(super) use named;

/// Returns whether a name can be part of keychain attributes and key descriptions. These
/// are not secret, and some use the colon as a separator.
pub(super) fn is_plain(name: &str) -> bool {
    (1..=MAX_LENGTH).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

pub(super) fn namespace(name: &str) -> Result<String, String> {
    if is_plain(name) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "is {}; a namespace is 1 to 64 letters, digits, `-`, `_` or `.`",
            quoted(name)
        ))
    }
}

/// Returns the end of a sentence about an unknown name: the closest name, or all known
/// ones.
pub(super) fn hint(name: &str, known: &[&str]) -> String {
    match closest_match(name, known) {
        Some(closest_match) => format!("did you mean `{closest_match}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("choose one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_suggested_or_all_names_are_listed() {
        let known = ["registries", "registry", "deadline"];
        assert_eq!(hint("registrys", &known), "did you mean `registry`?");
        assert_eq!(hint("deadlin", &known), "did you mean `deadline`?");
        assert_eq!(
            hint("zzz", &known),
            "choose one of registries, registry, deadline"
        );
        assert_eq!(hint("zzz", &[]), "there is none");
        assert_eq!(hint("", &["a"]), "choose one of a");
    }

    #[test]
    fn a_plain_name_can_be_part_of_a_keychain_item() {
        for name in ["a", "team-a", "Team_A.1", &"x".repeat(64)] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", "a b", "a:b", "a/b", "ä", &"x".repeat(65)] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
