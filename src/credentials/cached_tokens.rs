//! Which cached tokens belong to a login?

use std::collections::BTreeSet;
use std::iter;
use std::time::Duration;

use super::Broker;
use super::default_endpoint;
use crate::error::Error;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::login::Login;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::Profile;
use crate::sources;
use crate::sources::SourceContext;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

impl Broker<'_> {
    /// Caches the token that IAM issued while a login was checked, so that the first `get`
    /// finds one.
    pub fn cache_token(
        &self,
        endpoint: &Endpoint,
        login: &Login,
        token: &Secret,
        lifetime: Duration,
    ) {
        if !lifetime.is_zero() {
            let tokens = TokenCache::new(&*self.keychains.tokens, self.context.clock);
            tokens.insert(&CacheKey::new(endpoint, &login.id), token, lifetime);
        }
    }

    /// Deletes all cached tokens, also those of sources that are no login, such as a session
    /// of the IBM Cloud CLI.
    ///
    /// # Errors
    /// The keychain cannot delete them.
    pub fn delete_short_lived(&self) -> Result<()> {
        let outcome = self.keychains.tokens.delete_short_lived();
        outcome.map_err(|error| error.into_error("cannot delete the tokens", Error::temporary))
    }

    /// Deletes the cached tokens of `login`, which is stored for a scope, and those of the
    /// hint about it, unless its ID is `except`.
    pub(super) fn delete_cached_tokens(
        &self,
        scope: &LoginScope,
        login: Option<&Login>,
        except: Option<&str>,
        context: &SourceContext<'_>,
    ) {
        let hinted_id = context.tokens.login_hint(scope).and_then(|hint| hint.id);
        context.tokens.remove_login_hint(scope);
        let changed = login.filter(|login| Some(&*login.id) != except);
        let base_id = changed.map(sources::base_id);
        let login_ids = hinted_id.iter().chain(login.map(|login| &login.id));
        let old_ids = login_ids.filter(|id| Some(id.as_str()) != except);
        let ids: Vec<&str> = old_ids.chain(&base_id).map(String::as_str).collect();
        context.tokens.remove_all(self.cache_keys_of(&ids));
    }

    /// Returns all keys under which a token of these logins may be cached: one for each IAM
    /// endpoint and trusted profile, with each profile of the settings and without one. The
    /// selected profile does not matter, because another environment may select another.
    pub(super) fn cache_keys_of(&self, login_ids: &[&str]) -> Vec<CacheKey> {
        let registries: Vec<Registry> = self.settings.all_registries().collect();
        let mut keys = BTreeSet::new();
        for (key, is_of) in login_ids.iter().flat_map(|id| self.identities_of(id)) {
            let registries = registries.iter().filter(|registry| is_of(registry));
            keys.extend(registries.map(|registry| key.of_registry_token(registry)));
            keys.extend([key.of_refresh_token(), key]);
        }
        keys.into_iter().collect()
    }

    /// Returns the keys of a login's access tokens, and which registries use each.
    fn identities_of(
        &self,
        login_id: &str,
    ) -> impl Iterator<Item = (CacheKey, fn(&Registry) -> bool)> {
        let profiles = iter::once(None).chain(self.settings.profiles().map(Some));
        profiles.flat_map(move |profile| {
            let trusted_profile = profile.and_then(|profile| profile.trusted_profile.as_ref());
            let id = match trusted_profile {
                Some(trusted_profile) => trusted_profile.id_on_top_of(login_id),
                None => login_id.to_owned(),
            };
            let endpoints = self.endpoints_of(profile);
            endpoints.map(move |(endpoint, is_of)| (CacheKey::new(&endpoint, &id), is_of))
        })
    }

    /// Returns the endpoints that may issue tokens with a profile, and for which registries.
    fn endpoints_of(
        &self,
        profile: Option<&Profile>,
    ) -> impl Iterator<Item = (Endpoint, fn(&Registry) -> bool)> {
        let of_profile = move |is_staging| {
            let own =
                profile.and_then(|profile| self.settings.iam_endpoint_of(profile, is_staging));
            own.unwrap_or_else(|| default_endpoint(is_staging))
        };
        let is_any: fn(&Registry) -> bool = |_| true;
        let is_public: fn(&Registry) -> bool = |registry| !registry.is_staging();
        let of_environment = self.settings.iam_endpoint().cloned();
        [
            (of_profile(false), is_public),
            (of_profile(true), Registry::is_staging),
        ]
        .into_iter()
        .chain(of_environment.map(|endpoint| (endpoint, is_any)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::TestMachine;
    use super::super::test_support::registry;
    use super::*;

    #[test]
    fn logout_deletes_tokens_that_were_cached_with_other_settings() {
        let text = "[profile.team-a]\ntrusted-profile = 'Profile-1'\niam-endpoint = 'https://iam.example.com'";
        let team = LoginScope::Profile("team-a".into());
        let with_profile = [("ICR_PROFILE", "team-a")];
        let other_endpoint = [("IBMCLOUD_IAM_API_ENDPOINT", "https://iam.example.net")];
        for (scope, in_use, at_logout) in [
            (team, &with_profile[..], &[][..]),
            (LoginScope::Default, &[], &other_endpoint),
        ] {
            let mut machine = TestMachine::new();
            let change_to = |machine: &mut TestMachine, variables: &[_]| {
                machine.environment = machine.with_settings(text, variables);
            };
            change_to(&mut machine, in_use);
            machine.log_in(&scope, "key").unwrap();
            let first = machine.get("us.icr.io").unwrap();
            change_to(&mut machine, at_logout);
            assert_eq!(
                machine.with_broker(|broker| broker.log_out(&scope, &broker.login_snapshot())),
                Ok(true)
            );
            change_to(&mut machine, in_use);
            machine.log_in(&scope, "key").unwrap();
            assert_ne!(machine.get("us.icr.io").unwrap(), first, "{scope}");
        }
    }

    #[test]
    fn a_new_login_takes_effect_at_once() {
        let machine = TestMachine::with_login("iamapikey", "one");
        machine.get("us.icr.io").unwrap();
        machine.store("us.icr.io", "iamapikey", "two").unwrap();
        machine.assert_get("us.icr.io", "iambearer:access-2");
        machine.store("us.icr.io", "cp", "entitlement").unwrap();
        machine.assert_get("us.icr.io", "cp:entitlement");
    }

    #[test]
    fn logout_deletes_the_login_and_its_token() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        let scope = LoginScope::Registry(registry("us.icr.io"));
        for is_stored in [true, false] {
            let outcome =
                machine.with_broker(|broker| broker.log_out(&scope, &broker.login_snapshot()));
            assert_eq!(outcome, Ok(is_stored));
        }
        assert_eq!(machine.get("us.icr.io"), Err(Error::not_found()));
        machine.store("us.icr.io", "iamapikey", "key").unwrap();
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2"),
            "the old token is deleted"
        );
    }
}
