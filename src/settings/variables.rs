//! The settings that environment variables make.

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
    pub(super) fn take_environment(&mut self, environment: &Environment) -> Result<()> {
        let chosen = named_in(environment, environment::KEYCHAIN, |name| {
            one_of(name, KeychainChoice::named, KeychainChoice::NAMES)
        })?;
        self.take("keychain", environment::KEYCHAIN, chosen, |settings, it| {
            settings.keychain = it;
        });
        let namespace = named_in(environment, environment::NAMESPACE, namespace)?;
        self.take(
            "namespace",
            environment::NAMESPACE,
            namespace,
            |settings, it| {
                settings.namespace = it;
            },
        );
        let flag = named_in(environment, environment::BACKGROUND_REFRESH, |text| {
            text.parse()
                .map_err(|_| format!("is {}; it can be true or false", quoted(text)))
        })?;
        self.take(
            "background-refresh",
            environment::BACKGROUND_REFRESH,
            flag,
            |settings, it| settings.background_refresh = it,
        );
        let endpoint = named_in(environment, environment::IAM_ENDPOINT, Endpoint::parse)?;
        self.take(
            "iam-endpoint",
            environment::IAM_ENDPOINT,
            endpoint,
            |settings, it| {
                settings.iam_endpoint = Some(it);
            },
        );
        let source = named_in(environment, environment::SOURCE, |name| {
            one_of(name, SourceName::named, SourceName::NAMES)
        })?;
        self.take("source", environment::SOURCE, source, |settings, it| {
            settings.source = Some(it);
        });
        let profile = named_in(environment, environment::PROFILE, |name| {
            self.known_profile(name)
        })?;
        self.take("profile", environment::PROFILE, profile, |settings, it| {
            settings.chosen_profile = Some(it);
        });
        Ok(())
    }

    fn take<T>(
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

/// The value of a variable, if it is set; `read` says what is wrong with it as the
/// end of a sentence.
fn named_in<T>(
    environment: &Environment,
    variable: &'static str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>> {
    let text = environment.text(variable)?;
    text.map(read)
        .transpose()
        .map_err(|reason| Error::user(format!("${variable} {reason}")))
}

fn one_of<T>(
    name: &str,
    named: impl FnOnce(&str) -> Option<T>,
    names: &[&str],
) -> Result<T, String> {
    named(name).ok_or_else(|| {
        let known = names.join(", ");
        format!("is {}; choose one of {known}", quoted(name))
    })
}
