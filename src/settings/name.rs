//! Names in settings and variables, and the hint for an unknown one.

use super::invalid::Invalid;
use crate::text::closest_match::closest_match;
use crate::text::printable::is_printable;

/// The size limit of the name of a namespace or a profile, in bytes: it is part of keychain
/// items.
const MAX_LENGTH: usize = 64;

/// The hint for a name that is not plain.
pub(super) const NAME_HINT: &str = "Use 1 to 64 letters, digits, '-', '_' or '.'";

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

            /// Returns the value with this name, or why there is none.
            pub(super) fn parse(name: &str) -> Result<Self, $crate::settings::invalid::Invalid> {
                Self::from_name(name).ok_or_else(|| {
                    $crate::settings::invalid::Invalid::not_one_of(name, Self::NAMES)
                })
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
    (1..=MAX_LENGTH).contains(&name.len()) && name.chars().all(is_plain_character)
}

fn is_plain_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

pub(super) fn namespace(name: &str) -> Result<String, Invalid> {
    if is_plain(name) {
        Ok(name.to_owned())
    } else {
        Err(Invalid::new(format!("cannot {}", objection(name))).with_hint(NAME_HINT))
    }
}

/// Returns what a name cannot be, have or contain. A single character is no secret.
fn objection(name: &str) -> String {
    match name.chars().find(|it| !is_plain_character(*it)) {
        None if name.is_empty() => "be empty".to_owned(),
        None => format!("have {} characters", name.len()),
        Some(' ') => "contain a blank".to_owned(),
        Some('`') => "contain a backtick".to_owned(),
        Some(it) if it.is_whitespace() || !is_printable(it) => {
            "contain a line end or another invisible character".to_owned()
        }
        Some(it) => format!("contain '{it}'"),
    }
}

/// Returns the hint for an unknown name: the closest name, or all of them. `kind` is the
/// plural of what they name.
pub(super) fn suggestion(name: &str, available: &[&str], kind: &str) -> String {
    match closest_match(name, available) {
        Some(closest_match) => format!("Did you mean '{closest_match}'?"),
        None => format!("Available {kind}: {}", available.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_suggested_or_all_names_are_listed() {
        let known = ["registries", "registry", "deadline"];
        for (name, hint) in [
            ("registrys", "Did you mean 'registry'?"),
            ("deadlin", "Did you mean 'deadline'?"),
            ("zzz", "Available keys: registries, registry, deadline"),
            ("", "Available keys: registries, registry, deadline"),
        ] {
            assert_eq!(suggestion(name, &known, "keys"), hint);
        }
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
