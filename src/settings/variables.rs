//! The settings that environment variables set.

use super::DefinedIn;
use super::KeychainChoice;
use super::Settings;
use super::SourceName;
use super::invalid::Invalid;
use super::name::namespace;
use crate::environment;
use crate::environment::Environment;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;

impl Settings {
    pub(super) fn apply_variables(&mut self, environment: &Environment) -> Result<()> {
        let keychain = parsed(environment, environment::KEYCHAIN, KeychainChoice::parse)?;
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
                .map_err(|_| Invalid::not_one_of(text, &["true", "false"]))
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
        let source = parsed(environment, environment::SOURCE, SourceName::parse)?;
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

/// Returns the parsed value of a variable, if it is set.
fn parsed<T, E: Into<Invalid>>(
    environment: &Environment,
    variable: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>> {
    let value = environment.text(variable)?.map(parse).transpose();
    value.map_err(|error| error.into().error(format_args!("${variable}")))
}
