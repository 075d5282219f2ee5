//! The settings that environment variables set.

use super::DefinedIn;
use super::KeychainChoice;
use super::Settings;
use super::SourceSelection;
use super::endpoint_variables::Selection;
use super::invalid::Invalid;
use super::name::namespace;
use super::service_accounts::annotation;
use crate::environment;
use crate::environment::Environment;
use crate::error::Result;
use crate::http::proxy;
use crate::http::proxy::Proxies;
use crate::http::proxy::ProxyOrigin;
use crate::iam::endpoint::Endpoint;
use crate::iam::trusted_profile::TrustedProfile;

impl Settings {
    pub(super) fn apply_variables(&mut self, environment: &Environment) -> Result<()> {
        self.apply_proxy_variables(environment);
        self.apply_variable(
            (environment::KEYCHAIN, "keychain"),
            environment,
            |_, name| KeychainChoice::parse(name),
            |settings, value| settings.keychain = value,
        )?;
        self.apply_variable(
            (environment::NAMESPACE, "namespace"),
            environment,
            |_, name| namespace(name),
            |settings, value| settings.namespace = value,
        )?;
        self.apply_variable(
            (environment::BACKGROUND_REFRESH, "background-refresh"),
            environment,
            |_, text| {
                text.parse()
                    .map_err(|_| Invalid::not_one_of(text, &["true", "false"]))
            },
            |settings, value| settings.background_refresh = value,
        )?;
        self.apply_variable(
            (
                environment::SERVICE_ACCOUNT_ANNOTATION,
                "service-account-annotation",
            ),
            environment,
            |_, key| annotation(key),
            |settings, value| settings.service_accounts.annotation = value,
        )?;
        self.apply_variable(
            (
                environment::SERVICE_ACCOUNT_PROFILE,
                "service-account-profile",
            ),
            environment,
            |_, text| TrustedProfile::parse(text),
            |settings, value| settings.service_accounts.profile = Some(value),
        )?;
        self.apply_endpoint_variables(environment)?;
        self.apply_variable(
            (environment::IAM_ENDPOINT, "iam-endpoint"),
            environment,
            |_, url| Endpoint::parse(url),
            |settings, value| settings.iam_endpoint = Some(value),
        )?;
        self.apply_variable(
            (environment::SOURCE, "source"),
            environment,
            |_, name| SourceSelection::parse(name),
            |settings, value| settings.source = Some(value),
        )?;
        self.apply_variable(
            (environment::PROFILE, "profile"),
            environment,
            Self::known_profile,
            |settings, value| settings.selected_profile = Some(value),
        )
    }

    fn apply_endpoint_variables(&mut self, environment: &Environment) -> Result<()> {
        // It takes precedence, so the others need not be valid.
        if environment.value(environment::IAM_ENDPOINT)?.is_some() {
            return Ok(());
        }
        let selection = Selection::read(environment)?;
        self.private_iam = selection.private;
        if let Some((variable, endpoint)) = selection.endpoint {
            let origin = DefinedIn::Variable(variable);
            self.override_with(
                "iam-endpoint",
                origin,
                Some(endpoint),
                |settings, endpoint| {
                    settings.production_iam_endpoint = Some(endpoint);
                },
            );
        }
        Ok(())
    }

    /// Applies the variables of proxies. Invalid ones are no errors, because they are for all
    /// programs.
    fn apply_proxy_variables(&mut self, environment: &Environment) {
        if let Some((name, list)) = proxy::no_proxy_variable(environment) {
            self.override_with(
                "no-proxy",
                DefinedIn::Variable(name),
                Some(list.to_owned()),
                |settings, list| settings.no_proxy = Some(list),
            );
        }
        self.proxies = Proxies::new(
            environment,
            self.proxy.as_ref(),
            self.no_proxy.as_deref().unwrap_or_default(),
        );
        if let Some((ProxyOrigin::Variable(name), _)) = self.proxies.configured() {
            self.origins
                .insert("proxy".to_owned(), DefinedIn::Variable(name));
        }
    }

    /// Applies a variable, if it is set, to the setting with this key.
    fn apply_variable<T, E: Into<Invalid>>(
        &mut self,
        (variable, key): (&'static str, &str),
        environment: &Environment,
        parse: impl FnOnce(&Self, &str) -> Result<T, E>,
        set: impl FnOnce(&mut Self, T),
    ) -> Result<()> {
        let text = environment.value(variable)?;
        let value = text.map(|text| parse(self, text)).transpose();
        let value = value.map_err(|error| error.into().error(format_args!("${variable}")))?;
        self.override_with(key, DefinedIn::Variable(variable), value, set);
        Ok(())
    }
}
