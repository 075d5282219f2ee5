//! Names that settings are written with, and what is said about one that is none.

use crate::text::closest_match::closest_match;
use crate::text::repeatable::quoted;

/// The longest name of a namespace or a profile: it stands in items of keychains.
const LONGEST: usize = 64;

/// Gives an enumeration its names, as they are written in settings and variables.
macro_rules! named {
    ($type:ident { $($name:literal => $variant:ident),+ $(,)? }) => {
        impl $type {
            /// Every name there is, as it is written.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// What a name stands for.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Its name, as it is written.
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

/// Whether a name can stand in attributes and key descriptions, which anybody may
/// see and some of which end at a colon.
pub(super) fn is_plain(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
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

/// The end of a sentence about a name that is none: the one that was meant, or all
/// that there are.
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
    fn the_nearest_name_is_found_and_without_one_all_are_told() {
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
    fn a_plain_name_fits_into_a_keychain() {
        for name in ["a", "team-a", "Team_A.1", &"x".repeat(64)] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", "a b", "a:b", "a/b", "ä", &"x".repeat(65)] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
