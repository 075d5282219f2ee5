//! Texts of a case that are known only when it runs.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::cloud::Clouds;
use super::support::TestEnv;
use super::support::token;

/// The values of `{home}`, `{cloud}`, `{token 60}` and so on; each keeps its first value.
pub(crate) struct Placeholders(RefCell<BTreeMap<String, String>>);

impl Placeholders {
    /// Creates the placeholders that all texts may have.
    pub(crate) fn new(env: &TestEnv, clouds: &Clouds) -> Self {
        // In JSON and TOML, `\` would need an escape; Windows takes both.
        let home = env.path("home").display().to_string().replace('\\', "/");
        let known = [("cloud", env.cloud.url()), ("home", home)];
        let values = known.into_iter().chain(clouds.urls());
        let values = values.map(|(name, value)| (name.to_owned(), value));
        Self(RefCell::new(values.collect()))
    }

    /// Returns the text with the value of each placeholder.
    pub(crate) fn fill(&self, text: &str, env: &TestEnv) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled += before;
            // Other braces belong to JSON or TOML.
            match after.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, behind)) => {
                    filled += &self.value(name, env);
                    rest = behind;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    fn value(&self, name: &str, env: &TestEnv) -> String {
        if let Some(value) = self.0.borrow().get(name) {
            return value.clone();
        }
        let value = if let Some(seconds) = name.strip_prefix("token ") {
            token::ending_in(seconds.parse().expect("a number of seconds"))
        } else if let Some(owner) = name.strip_prefix("access-token-of ") {
            env.access_token_of(owner)
        } else {
            panic!("there is no placeholder {{{name}}}");
        };
        env.add_secret(&value);
        self.0.borrow_mut().insert(name.to_owned(), value.clone());
        value
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || " -_".contains(letter))
}
