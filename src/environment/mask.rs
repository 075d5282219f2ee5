//! [`Mask`]: hides API keys and tokens that are in the environment from everything that people
//! and clients are shown.
//!
//! A key in the wrong variable, such as `DOCKER_CONFIG` or `NO_PROXY`, becomes a part of paths,
//! URLs and host names, which many messages repeat. So it is removed where they are written.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::io;
use std::io::Write;

use zeroize::Zeroizing;

use super::Environment;
use crate::text::repeatable;

/// The text instead of a key.
const REDACTED: &str = "[redacted]";

/// The length limit below which a text is no password, in bytes: it would be found by chance.
const MIN_PASSWORD: usize = 6;

/// The variables with one path, or with several: a name without a directory that messages do not
/// repeat may be a password.
const PATH_VARIABLES: [&str; 9] = [
    super::CONFIG,
    super::LOG_FILE,
    super::CERTIFICATE_FILE,
    super::CERTIFICATE_DIRECTORY,
    super::CREDENTIALS_FILE,
    super::CLI_CONFIG_HOME,
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "REGCTL_CONFIG",
];

/// The keys in the variables of an environment.
pub struct Mask {
    /// In small letters, because hosts are shown in small letters; the longest first.
    keys: Vec<Zeroizing<String>>,
}

impl Mask {
    /// Returns the mask of an environment.
    pub fn of(environment: &Environment) -> Self {
        let mut keys = Vec::new();
        for (name, value) in &environment.variables {
            let value = value.to_string_lossy();
            let is_path = PATH_VARIABLES.iter().any(|path| *name == **path);
            let whole = value.trim();
            if is_path && may_be_password(whole) {
                keys.push(Zeroizing::new(whole.to_ascii_lowercase()));
            }
            let found = keys_in(&value).map(|key| Zeroizing::new(key.to_ascii_lowercase()));
            keys.extend(found);
        }
        keys.sort_unstable_by_key(|key| std::cmp::Reverse(key.len()));
        Self { keys }
    }

    /// Returns a text without the keys.
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for key in &self.keys {
            // Letters keep their positions in small letters.
            let lower = masked.to_ascii_lowercase();
            let found = lower.match_indices(&**key);
            let starts: Vec<usize> = found.map(|(start, _)| start).collect();
            for start in starts.into_iter().rev() {
                let range = start..start + key.len();
                masked.to_mut().replace_range(range, REDACTED);
            }
        }
        masked
    }

    /// Writes a text without the keys. Returns how many bytes it has.
    ///
    /// # Errors
    /// Writing fails.
    pub fn write(&self, bytes: &[u8], output: &mut dyn Write) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => output.write_all(self.apply(text).as_bytes())?,
            Err(_) => output.write_all(bytes)?,
        }
        Ok(bytes.len())
    }
}

/// Returns whether a text in place of a path may be a password. Quotes and unexpanded variables
/// are other mistakes, which messages explain.
fn may_be_password(text: &str) -> bool {
    text.len() >= MIN_PASSWORD
        && !text.contains(['"', '\'', '$', '%', '~'])
        && !repeatable::is_path(text)
}

/// Returns the parts of a text that have the form of an API key or a token.
fn keys_in(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    let words = text.split(move |character| !is_part(character));
    words.flat_map(|word| {
        let parts = word.split('.').filter(|part| repeatable::is_api_key(part));
        repeatable::token_at_start(word).into_iter().chain(parts)
    })
}

/// A stream from which keys of the environment are removed. Each call of `write` has to have whole
/// words.
pub struct MaskedWriter<'a> {
    inner: &'a mut dyn Write,
    environment: &'a Environment,
    /// Only created when something is written.
    mask: OnceCell<Mask>,
}

impl<'a> MaskedWriter<'a> {
    /// Creates a stream that writes to another one.
    pub fn new(inner: &'a mut dyn Write, environment: &'a Environment) -> Self {
        Self {
            inner,
            environment,
            mask: OnceCell::new(),
        }
    }
}

impl Write for MaskedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mask = self.mask.get_or_init(|| Mask::of(self.environment));
        mask.write(bytes, self.inner)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm";
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpYW1faWQiOiJJQk1pZC0xIn0.c2lnbmF0dXJlLW9mLWlhbQ";

    fn masked(name: &str, value: &str, text: &str) -> String {
        let environment: Environment = [(name, value)].into_iter().collect();
        let mut output = Vec::new();
        let mut writer = MaskedWriter::new(&mut output, &environment);
        writer.write_all(text.as_bytes()).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_key_in_any_variable_is_not_written() {
        for key in [KEY, TOKEN] {
            let lower = key.to_ascii_lowercase();
            for value in [
                key.to_owned(),
                format!(" {key}\r\n"),
                format!("\"{key}\""),
                format!("https://{key}:8080/"),
                format!("localhost,{key}"),
                format!("/certificates/{key}.pem"),
                format!("@{key}"),
                format!("apikey={key}"),
            ] {
                let text = format!("cannot open {key}/config.json at https://{lower}");
                let expected = "cannot open [redacted]/config.json at https://[redacted]";
                assert_eq!(masked("ANY", &value, &text), expected, "{value}");
            }
        }
    }

    #[test]
    fn other_values_are_written() {
        for value in [
            "/home/user/.docker",
            "Profile-8dd84246-7df4-4667-94e4-8cede51d5ac5",
            "ServiceId-8dd84246-7df4-4667-94e4-8cede51d5ac5",
            "localhost,127.0.0.1,.example.com",
            "/nix/store/0c0nwzpblxzfjc4d3gc9dxg8sdxwhr1r-config/config.json",
            r"C:\Users\AlexanderB\AppData\Local\Temp\ApplicationSupport2026Files",
            "KeysOfAVeryLongNameInCamelCaseWithoutAnyDigits",
            "",
        ] {
            let text = format!("cannot open {value}");
            assert_eq!(masked("ANY", value, &text), text, "{value}");
            if value.contains(['/', '\\']) {
                assert_eq!(masked("DOCKER_CONFIG", value, &text), text, "{value}");
            }
        }
    }

    #[test]
    fn a_password_in_place_of_a_path_is_not_written() {
        let text = masked("DOCKER_CONFIG", "hunter2", "hunter2/config.json");
        assert_eq!(text, "[redacted]/config.json");
        assert_eq!(masked("DOCKER_CONFIG", "docker", "docker"), "docker");
        assert_eq!(masked("ANY", "hunter2", "hunter2"), "hunter2");
        for text in ["\"\"", "$HOME", "[redacted]", "p2"] {
            let shown = masked("DOCKER_CONFIG", text, text);
            assert_eq!(shown, text, "no password, or masked once");
        }
    }
}
