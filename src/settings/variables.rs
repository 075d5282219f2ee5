//! The settings that environment variables set.

use super::DefinedIn;
use super::KeychainChoice;
use super::Settings;
use super::SourceSelection;
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
            DefinedIn::Variable(environment::KEYCHAIN),
            keychain,
            |settings, value| {
                settings.keychain = value;
            },
        );
        let namespace = parsed(environment, environment::NAMESPACE, namespace)?;
        self.override_with(
            "namespace",
            DefinedIn::Variable(environment::NAMESPACE),
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
            DefinedIn::Variable(environment::BACKGROUND_REFRESH),
            flag,
            |settings, value| settings.background_refresh = value,
        );
        let endpoint = parsed(environment, environment::IAM_ENDPOINT, Endpoint::parse)?;
        self.override_with(
            "iam-endpoint",
            DefinedIn::Variable(environment::IAM_ENDPOINT),
            endpoint,
            |settings, value| {
                settings.iam_endpoint = Some(value);
            },
        );
        let source = parsed(environment, environment::SOURCE, SourceSelection::parse)?;
        self.override_with(
            "source",
            DefinedIn::Variable(environment::SOURCE),
            source,
            |settings, value| {
                settings.source = Some(value);
            },
        );
        let profile = parsed(environment, environment::PROFILE, |name| {
            self.known_profile(name)
        })?;
        self.override_with(
            "profile",
            DefinedIn::Variable(environment::PROFILE),
            profile,
            |settings, value| {
                settings.selected_profile = Some(value);
            },
        );
        Ok(())
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
