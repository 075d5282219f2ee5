//! Mistakes in clients' files that clients ignore without an error.

use super::AUTHS;
use super::Document;
use super::Format;
use super::HELPER;
use super::HELPERS;
use super::STORE;
use super::parse::Member;
use super::parse::object;
use crate::PROGRAM;
use crate::registry::Registry;
use crate::registry::intended;
use crate::text::repeatable;

/// The maximum length of a name that a message repeats, in bytes. Longer ones may be secrets.
const MAX_NAME: usize = 100;

/// The name of a helper in `credHelpers` or `credsStore`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HelperName {
    /// This program.
    Ours,
    /// This program, but written in a way that clients do not find: they put
    /// `docker-credential-` before every name.
    Misspelled(String),
    /// No name. Docker then uses no helper, not even `credsStore`; podman fails (tried with
    /// docker 28.2.2 and podman 4.3.1).
    Empty,
    /// Another helper.
    Other(String),
}

impl HelperName {
    /// Reads a name in docker's file or podman's.
    pub fn of(name: &str) -> Self {
        Self::in_format(name, Format::Docker)
    }

    /// Reads a value of a file; `None` if it is no name.
    pub(super) fn read(json: &str, format: Format) -> Option<Self> {
        let name: Option<String> = serde_json::from_str(json).ok()?;
        Some(name.map_or(Self::Empty, |name| Self::in_format(&name, format)))
    }

    fn in_format(name: &str, format: Format) -> Self {
        if name == format.helper() {
            return Self::Ours;
        }
        let word = name.trim();
        if word.is_empty() {
            return Self::Empty;
        }
        let file = word.rsplit(['/', '\\']).next().unwrap_or(word);
        let file = file.to_ascii_lowercase();
        let file = file.strip_suffix(".exe").unwrap_or(&file);
        match format {
            // regctl starts a program by its path.
            Format::Regctl if file == PROGRAM && word == name => Self::Ours,
            _ if file == HELPER || file == PROGRAM => Self::Misspelled(name.to_owned()),
            _ => Self::Other(name.to_owned()),
        }
    }
}

/// A mistake in a client's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mistake {
    /// A key of `credHelpers` that names a registry, but that clients do not look up, because
    /// they compare keys whole. One with the port is looked up by nerdctl only.
    Key {
        /// The key in the file.
        key: String,
        /// The registry that it names.
        registry: Registry,
    },
    /// A key of `credHelpers` with a wildcard, which clients do not expand.
    Wildcard(String),
    /// A name for this program that clients do not find.
    HelperName {
        /// The key in `credHelpers`, or `credsStore`.
        key: String,
        /// The name in the file.
        name: String,
    },
    /// A registry that occurs more than once. Clients use the last one (`encoding/json` of Go).
    RepeatedKey(Registry),
    /// A field that occurs more than once in an entry. Clients use the last one.
    RepeatedField {
        /// The key of the entry.
        entry: String,
        /// The field.
        field: &'static str,
    },
    /// A registry whose helper has no name.
    NoHelperName(Registry),
    /// A field that clients do not know.
    Field {
        /// Its name.
        name: String,
        /// The entry of `auths` that has it, unless it is a field of the file itself.
        entry: Option<String>,
        /// The name that clients know.
        known: &'static str,
    },
}

impl Mistake {
    /// Returns whether it is about this key of `credHelpers`.
    pub fn is_about_key(&self, host: &str) -> bool {
        match self {
            Self::Key { key, .. } | Self::Wildcard(key) | Self::HelperName { key, .. } => {
                key == host
            }
            Self::RepeatedKey(_)
            | Self::RepeatedField { .. }
            | Self::NoHelperName(_)
            | Self::Field { .. } => false,
        }
    }
}

impl Document<'_> {
    /// Returns the mistakes about this helper and about IBM Cloud registries, including
    /// `further` ones, and the misspelled names of fields.
    pub fn mistakes(&self, further: &[Registry]) -> Vec<Mistake> {
        let mut mistakes = match self.format {
            Format::Docker => self.mistaken_fields(further),
            Format::Regctl => Vec::new(),
        };
        let section = self.section();
        let entries = section.iter().flat_map(|section| &section.members);
        mistakes.extend(entries.flat_map(|entry| self.mistakes_in_helper(entry, further)));
        mistakes.extend(self.repeated_keys(further));
        if let (Format::Docker, Some(HelperName::Misspelled(name))) = (self.format, self.store()) {
            let key = STORE.to_owned();
            mistakes.push(Mistake::HelperName { key, name });
        }
        mistakes
    }

    fn mistaken_fields(&self, further: &[Registry]) -> Vec<Mistake> {
        let root = self.root.iter().flat_map(|root| &root.members);
        let in_root = root.filter_map(|member| misspelled(member, None));
        in_root.chain(self.mistakes_in_auths(further)).collect()
    }

    fn mistakes_in_helper(&self, member: &Member<'_>, further: &[Registry]) -> Vec<Mistake> {
        let Some((key, name)) = member.key.as_deref().zip(self.helper_name(member)) else {
            return Vec::new();
        };
        let mut mistakes = Vec::new();
        let registry = named_registry(key, further);
        match &name {
            HelperName::Other(_) => return mistakes,
            HelperName::Misspelled(name) => mistakes.push(Mistake::HelperName {
                key: key.to_owned(),
                name: name.clone(),
            }),
            HelperName::Empty => {
                let known = registry.filter(|registry| registry.host() == key);
                let known = known.filter(|_| self.format == Format::Docker);
                mistakes.extend(known.map(Mistake::NoHelperName));
                return mistakes;
            }
            HelperName::Ours => {}
        }
        match registry {
            _ if key.contains('*') && !key.contains('@') => {
                mistakes.push(Mistake::Wildcard(key.to_owned()))
            }
            // If the right key exists as well, the wrong one does no harm.
            Some(registry)
                if key != registry.host() && self.helper_of(registry.host()).is_none() =>
            {
                let key = key.to_owned();
                mistakes.push(Mistake::Key { key, registry });
            }
            _ => {}
        }
        mistakes
    }

    /// Returns the misspelled fields of entries of `auths`, and those that were meant for the
    /// file itself.
    fn mistakes_in_auths(&self, further: &[Registry]) -> Vec<Mistake> {
        let auths = self.object_field(AUTHS).ok().flatten();
        let members = auths.map(|auths| auths.members).unwrap_or_default();
        let in_entry = |entry: &Member<'_>| {
            let key = entry.key.as_deref()?;
            if known_field(key).is_some() {
                return misplaced(entry, AUTHS);
            }
            Registry::at(key, further)?;
            let fields = object(self.text, entry.value, "").ok()?.members;
            fields.iter().find_map(|field| misplaced(field, key))
        };
        members.iter().filter_map(in_entry).collect()
    }
}

/// Returns whether clients look up this key for a registry: its host, or with the default
/// port, which nerdctl adds.
pub fn is_looked_up(key: &str, registry: &Registry) -> bool {
    key == registry.host() || key == key_with_port(registry.host())
}

/// Returns the key that nerdctl looks up for a registry: with the port, in any case.
pub fn key_with_port(host: &str) -> String {
    if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:443")
    }
}

/// Returns the registry that a person means by a key. One that may hold a secret names none,
/// because messages repeat it.
fn named_registry(key: &str, further: &[Registry]) -> Option<Registry> {
    let host = key.trim().trim_start_matches("//").trim_end_matches('.');
    let shown = || Some(key).filter(|key| repeatable::is_name(key));
    Registry::at(host, further).or_else(|| intended(shown()?))
}

/// Returns the mistake of a field of the file itself, or of this entry of `auths`.
fn misspelled(member: &Member<'_>, entry: Option<&str>) -> Option<Mistake> {
    let name = member.key.as_deref()?;
    let known = known_field(name)?;
    if entry.is_none() && member.is_field(known) {
        return None;
    }
    Some(Mistake::Field {
        name: name.to_owned(),
        entry: entry.map(str::to_owned),
        known,
    })
}

fn misplaced(member: &Member<'_>, entry: &str) -> Option<Mistake> {
    misspelled(member, Some(entry))
}

/// Returns the field of the file that a name means: `credHelpers` for `credHelper`,
/// `credentialHelpers` and `cred_helpers`, `credsStore` for `credStore`.
fn known_field(name: &str) -> Option<&'static str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let letters = name.chars().filter(char::is_ascii_alphabetic);
    let letters: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    let rest = letters.strip_prefix("cred")?;
    if rest.ends_with("helper") || rest.ends_with("helpers") {
        Some(HELPERS)
    } else if rest.ends_with("store") || rest.ends_with("stores") {
        Some(STORE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_this_program_is_recognized_however_it_is_written() {
        for (name, expected) in [
            ("icr", HelperName::Ours),
            ("", HelperName::Empty),
            (" \t", HelperName::Empty),
            ("icr2", HelperName::Other("icr2".into())),
            ("pass", HelperName::Other("pass".into())),
        ] {
            assert_eq!(HelperName::of(name), expected, "{name}");
        }
        for name in [
            "docker-credential-icr",
            "docker-credential-icr.exe",
            "icr.exe",
            "ICR",
            " icr",
            "icr\n",
            "/usr/local/bin/docker-credential-icr",
            r"C:\Program Files\docker-credential-icr.exe",
        ] {
            let expected = HelperName::Misspelled(name.to_owned());
            assert_eq!(HelperName::of(name), expected, "{name}");
        }
    }

    #[test]
    fn keys_that_clients_never_look_up_are_mistakes() {
        for (key, host) in [
            ("https://us.icr.io", "us.icr.io"),
            ("http://us.icr.io/v2/", "us.icr.io"),
            ("us.icr.io/", "us.icr.io"),
            ("us.icr.io/namespace", "us.icr.io"),
            ("US.icr.io", "us.icr.io"),
            (" us.icr.io", "us.icr.io"),
            ("us.icr.io.", "us.icr.io"),
            ("//us.icr.io", "us.icr.io"),
            ("https://us.icr.io:443", "us.icr.io"),
            ("us.icr.io:443", "us.icr.io"),
            ("us.icr.io:80", "us.icr.io"),
            ("us.icr.io,", "us.icr.io"),
            ("'us.icr.io'", "us.icr.io"),
            ("docker://us.icr.io", "us.icr.io"),
            ("us-south.icr.io", "us.icr.io"),
            ("eu-de", "de.icr.io"),
        ] {
            let text = format!(r#"{{"credHelpers": {{"{key}": "icr"}}}}"#);
            let mistakes = Document::parse(&text).unwrap().mistakes(&[]);
            let registry = Registry::parse(host).unwrap();
            let key = key.to_owned();
            assert_eq!(mistakes, [Mistake::Key { key, registry }]);
        }
        for harmless in [
            r#"{"credHelpers": {"us.icr.io": "icr", "us.icr.io:443": "icr"}}"#,
            r#"{"credHelpers": {"us.icr.io": "icr", "https://us.icr.io": "icr"}}"#,
            r#"{"credHelpers": {"https://us.icr.io": "pass", "gcr.io": ""}}"#,
            r#"{"CREDHELPERS": {}, "CredsStore": "pass", "auths": {"x.io": {"credHelper": 1}}}"#,
        ] {
            let mistakes = Document::parse(harmless).unwrap().mistakes(&[]);
            assert_eq!(mistakes, [], "{harmless}");
        }
    }

    #[test]
    fn misspelled_and_misplaced_fields_are_mistakes() {
        for (text, entry, known) in [
            (r#"{"credHelper": {}}"#, None, HELPERS),
            (r#"{"credentialHelpers": {}}"#, None, HELPERS),
            (r#"{"credential-helpers": ["icr"]}"#, None, HELPERS),
            (r#"{"cred_helpers": {}}"#, None, HELPERS),
            (r#"{"credStore": "icr"}"#, None, STORE),
            (r#"{"credentialsStore": "icr"}"#, None, STORE),
            (
                r#"{"auths": {"us.icr.io": {"credHelper": "icr"}}}"#,
                Some("us.icr.io"),
                HELPERS,
            ),
            (
                r#"{"auths": {"credHelpers": {"us.icr.io": "icr"}}}"#,
                Some(AUTHS),
                HELPERS,
            ),
        ] {
            let mistakes = Document::parse(text).unwrap().mistakes(&[]);
            let [
                Mistake::Field {
                    entry: found,
                    known: field,
                    ..
                },
            ] = &mistakes[..]
            else {
                panic!("{text}: {mistakes:?}");
            };
            assert_eq!((found.as_deref(), *field), (entry, known), "{text}");
        }
    }

    #[test]
    fn wrong_and_missing_names_of_the_helper_are_mistakes() {
        let text = r#"{"credsStore": "docker-credential-icr", "credHelpers":
            {"us.icr.io": "", "de.icr.io": null, "*.icr.io": "icr", "https://uk.icr.io": "ICR"}}"#;
        let registry = |host: &str| Registry::parse(host).unwrap();
        let name = |key: &str, name: &str| Mistake::HelperName {
            key: key.to_owned(),
            name: name.to_owned(),
        };
        let expected = [
            Mistake::NoHelperName(registry("us.icr.io")),
            Mistake::NoHelperName(registry("de.icr.io")),
            Mistake::Wildcard("*.icr.io".to_owned()),
            name("https://uk.icr.io", "ICR"),
            Mistake::Key {
                key: "https://uk.icr.io".to_owned(),
                registry: registry("uk.icr.io"),
            },
            name(STORE, "docker-credential-icr"),
        ];
        assert_eq!(Document::parse(text).unwrap().mistakes(&[]), expected);
    }
}
