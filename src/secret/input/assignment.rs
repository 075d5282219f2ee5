//! A line that names its value: `NAME=VALUE`, `export NAME="VALUE"`, `$env:NAME = "VALUE"`,
//! `apikey: VALUE`, `iamapikey:VALUE`.

use super::SecretKind;

/// What may be before the name.
const COMMANDS: [&str; 5] = ["export ", "set ", "env ", "ENV ", "$env:"];

/// Returns the value that a line gives to a name that fits the kind.
pub(super) fn value(kind: SecretKind, text: &str) -> Option<&str> {
    let (name, value) = parts(text, &['=', ':'])?;
    let name = normalized(name);
    let mut endings = kind.name_endings().iter();
    let value = value.trim().trim_end_matches([',', ';']);
    endings
        .any(|ending| name.ends_with(ending))
        .then_some(value)
}

/// Returns whether a line is `NAME=VALUE`.
pub(super) fn is_assignment(text: &str) -> bool {
    // An equals sign at the end is the padding of base64.
    parts(text, &['=']).is_some_and(|(_, value)| !value.trim_start_matches('=').is_empty())
}

/// Returns a name without punctuation and in small letters.
pub(super) fn normalized(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Returns the name and the value of a text in one line.
fn parts<'a>(text: &'a str, separators: &[char]) -> Option<(&'a str, &'a str)> {
    let command = COMMANDS
        .iter()
        .find_map(|command| text.strip_prefix(command));
    let (name, value) = command.unwrap_or(text).split_once(separators)?;
    let is_part = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | ' ' | '"' | '\'')
    };
    let is_name = !name.is_empty() && name.chars().all(is_part);
    (is_name && !value.contains('\n')).then_some((name, value))
}
