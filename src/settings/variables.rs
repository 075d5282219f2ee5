//! The settings that environment variables set.

use super::DefinedIn;
use super::KeychainChoice;
use super::Settings;
use super::SourceName;
use super::name::namespace;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::text::repeatable::quoted;

impl Settings {
    pub(super) fn apply_variables(&mut self, environment: &Environment) -> Result<()> {
        let keychain = parsed(environment, environment::KEYCHAIN, |name| {
            one_of(name, KeychainChoice::from_name, KeychainChoice::NAMES)
        })?;
        self.override_with(
            "keychain",
            environment::KEYCHAIN,
            keychain,
            |settings, value| {
                settings.keychain = value;
            },
        );
        let namespace = parsed(environment, environment::NAMESPACE, namespace)?;
        self.override_with(
            "namespace",
            environment::NAMESPACE,
            namespace,
            |settings, value| {
                settings.namespace = value;
            },
        );
        let flag = parsed(environment, environment::BACKGROUND_REFRESH, |text| {
            text.parse()
                .map_err(|_| format!("is {}; it can be true or false", quoted(text)))
        })?;
        self.override_with(
            "background-refresh",
            environment::BACKGROUND_REFRESH,
            flag,
            |settings, value| settings.background_refresh = value,
        );
        let endpoint = parsed(environment, environment::IAM_ENDPOINT, Endpoint::parse)?;
        self.override_with(
            "iam-endpoint",
            environment::IAM_ENDPOINT,
            endpoint,
            |settings, value| {
                settings.iam_endpoint = Some(value);
            },
        );
        let source = parsed(environment, environment::SOURCE, |name| {
            one_of(name, SourceName::from_name, SourceName::NAMES)
        })?;
        self.override_with("source", environment::SOURCE, source, |settings, value| {
            settings.source = Some(value);
        });
        let profile = parsed(environment, environment::PROFILE, |name| {
            self.known_profile(name)
        })?;
        self.override_with(
            "profile",
            environment::PROFILE,
            profile,
            |settings, value| {
                settings.selected_profile = Some(value);
            },
        );
        Ok(())
    }

    fn override_with<T>(
        &mut self,
        key: &str,
        variable: &'static str,
        value: Option<T>,
        set: impl FnOnce(&mut Self, T),
    ) {
        if let Some(value) = value {
            set(self, value);
            self.origins
                .insert(key.to_owned(), DefinedIn::Variable(variable));
        }
    }
}

/// Returns the parsed value of a variable, if it is set. An error of `parse` is the end of
/// a sentence.
fn parsed<T>(
    environment: &Environment,
    variable: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>> {
    let text = environment.text(variable)?;
    text.map(parse)
        .transpose()
        .map_err(|reason| Error::user(format!("${variable} {reason}")))
}

fn one_of<T>(
    name: &str,
    from_name: impl FnOnce(&str) -> Option<T>,
    names: &[&str],
) -> Result<T, String> {
    from_name(name).ok_or_else(|| {
        let known = names.join(", ");
        format!("is {}; choose one of {known}", quoted(name))
    })
}
