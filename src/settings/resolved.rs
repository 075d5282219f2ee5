//! [`ResolvedSettings`]: the settings for one registry, after profiles and variables.

use std::path::Path;

use super::CredentialKind;
use super::Profile;
use super::Settings;
use super::SourceName;
use super::SourceSelection;
use crate::iam::endpoint::Endpoint;
use crate::iam::trusted_profile::TrustedProfile;
use crate::registry::Registry;

/// The settings for one registry, one profile or the default login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResolvedSettings<'a> {
    /// The profile that `ICR_PROFILE` selects, or the registry's own.
    pub profile: Option<&'a Profile>,
    /// The only source to use, from `ICR_SOURCE` or the profile.
    pub source: Option<SourceName>,
    /// The IAM endpoint from the environment or the profile.
    pub iam_endpoint: Option<Endpoint>,
    /// The kind of credential that `get` returns.
    pub credential: CredentialKind,
    /// The trusted profile to assume with the source's identity.
    pub trusted_profile: Option<&'a TrustedProfile>,
    /// The file that [`ResolvedSettings::source`] reads instead of the usual one.
    pub file: Option<&'a Path>,
}

impl Settings {
    /// Returns the settings for a registry.
    pub fn for_registry(&self, registry: &Registry) -> ResolvedSettings<'_> {
        let profile = self.selected_profile().or_else(|| {
            let mapping = self.mappings.get(registry)?;
            self.profile(&mapping.profile.as_ref()?.0)
        });
        self.resolve(profile, registry.is_staging())
    }

    /// Selects the profile of a namespace of a registry, if it has a table. Returns whether any
    /// namespace of the registry has one.
    pub fn select_namespace(&mut self, registry: &Registry, namespace: &str) -> bool {
        let Some(of_registry) = self.namespaces.get(registry) else {
            return false;
        };
        if let Some(mapping) = of_registry.get(namespace) {
            self.mappings.insert(registry.clone(), mapping.clone());
        }
        true
    }

    /// Returns the settings for the default login.
    pub fn for_default_login(&self) -> ResolvedSettings<'_> {
        self.resolve(self.selected_profile(), false)
    }

    /// Returns the settings for the registries of a profile.
    pub fn for_profile(&self, name: &str) -> ResolvedSettings<'_> {
        self.resolve(self.profile(name), false)
    }

    fn resolve<'a>(
        &'a self,
        profile: Option<&'a Profile>,
        is_staging: bool,
    ) -> ResolvedSettings<'a> {
        let profile_source = profile.and_then(|profile| profile.source);
        // `ICR_SOURCE=registry-token` leaves the profile's source in force.
        let mut selections = [self.source, profile_source].into_iter().flatten();
        let source = selections.find_map(SourceSelection::source);
        let selection = self.source.or(profile_source);
        let implied = selection.and_then(SourceSelection::credential);
        ResolvedSettings {
            profile,
            source,
            iam_endpoint: self
                .iam_endpoint
                .clone()
                .or_else(|| self.production_iam_endpoint.clone().filter(|_| !is_staging))
                .or_else(|| self.iam_endpoint_of(profile?, is_staging)),
            credential: implied
                .or_else(|| profile.map(|profile| profile.credential))
                .unwrap_or_default(),
            trusted_profile: profile.and_then(|profile| profile.trusted_profile.as_ref()),
            // The file has the format of the profile's source.
            file: profile
                .filter(|_| source == profile_source.and_then(SourceSelection::source))
                .and_then(|profile| profile.file.as_deref()),
        }
    }
}
