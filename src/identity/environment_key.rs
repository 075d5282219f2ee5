//! An API key in the environment: for CI, and for whoever uses IBM's other tools.

use super::Found;
use super::Given;
use super::Identity;
use super::Source;
use crate::digest;
use crate::environment::API_KEY_VARIABLES;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::Issued;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Grant;
use crate::lock::Lock;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::token_cache::CacheKey;

/// The first API key variable that is set; it serves every registry.
pub(super) struct EnvironmentKey;

struct ApiKey {
    endpoint: Endpoint,
    variable: &'static str,
    key: Secret,
}

impl EnvironmentKey {
    fn api_key(given: &Given<'_>) -> Result<Option<ApiKey>> {
        for variable in API_KEY_VARIABLES {
            if let Some(key) = given.environment.secret(variable)? {
                return Ok(Some(ApiKey {
                    endpoint: given.endpoint.clone(),
                    variable,
                    key,
                }));
            }
        }
        Ok(None)
    }
}

impl Source for EnvironmentKey {
    fn nearby_key(&self, _registry: &Registry, given: &Given<'_>) -> Result<Option<CacheKey>> {
        Ok(Self::api_key(given)?.map(|api_key| api_key.key()))
    }

    fn find<'a>(
        &self,
        _registry: &Registry,
        given: &'a Given<'a>,
        _lock: &Lock,
    ) -> Result<Option<Found<'a>>> {
        let api_key = Self::api_key(given)?;
        Ok(api_key.map(|api_key| Found::Identity(Box::new(api_key))))
    }
}

impl Identity for ApiKey {
    fn key(&self) -> CacheKey {
        CacheKey::new(
            &self.endpoint,
            &digest::name_of(&["iamapikey", self.key.expose()]),
        )
    }

    fn exchange(&self, iam: &Iam<'_>) -> Result<Issued> {
        iam.exchange(&Grant::ApiKey {
            key: &self.key,
            for_refresh_token: false,
        })
        .map_err(|error| {
            error.with_source(&format!("the API key in ${}", self.variable), &iam.endpoint)
        })
    }
}
