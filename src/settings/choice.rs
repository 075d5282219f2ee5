//! What was chosen for one registry.

use std::path::Path;

use super::CredentialKind;
use super::Profile;
use super::Settings;
use super::SourceName;
use crate::iam::endpoint::Endpoint;
use crate::iam::trusted_profile::TrustedProfile;
use crate::registry::Registry;

/// What was chosen for one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice<'a> {
    /// The profile: that of `ICR_PROFILE`, or the one the registry is mapped to.
    pub profile: Option<&'a Profile>,
    /// The only source to ask: that of `ICR_SOURCE`, or the profile's; never
    /// `registry-token`, which is told by [`Choice::credential`].
    pub source: Option<SourceName>,
    /// Where IAM is, if it has been moved: by the environment, or by the profile.
    pub iam_endpoint: Option<Endpoint>,
    /// What `get` hands out.
    pub credential: CredentialKind,
    /// The trusted profile to assume on top.
    pub trusted_profile: Option<&'a TrustedProfile>,
    /// The file that [`Choice::source`] reads, if it is not the usual one.
    pub file: Option<&'a Path>,
}

impl Settings {
    /// What was chosen for a registry.
    pub fn choice(&self, registry: &Registry) -> Choice<'_> {
        let profile = self.chosen_profile().or_else(|| {
            let mapping = self.mappings.get(registry)?;
            self.profile(&mapping.profile.as_ref()?.0)
        });
        self.choice_by(profile, registry.is_staging())
    }

    /// What was chosen for no registry in particular.
    pub fn default_choice(&self) -> Choice<'_> {
        self.choice_by(self.chosen_profile(), false)
    }

    /// What was chosen for the registries of a profile.
    pub fn choice_of_profile(&self, name: &str) -> Choice<'_> {
        self.choice_by(self.profile(name), false)
    }

    fn choice_by<'a>(&'a self, profile: Option<&'a Profile>, is_staging: bool) -> Choice<'a> {
        let own_source = profile.and_then(|profile| profile.source);
        let wants_registry_token = self.source.or(own_source) == Some(SourceName::RegistryToken);
        // Something else must say who asks for one.
        let mut sources = [self.source, own_source].into_iter().flatten();
        let source = sources.find(|source| *source != SourceName::RegistryToken);
        Choice {
            profile,
            source,
            iam_endpoint: self
                .iam_endpoint
                .clone()
                .or_else(|| profile?.iam_endpoint_for(is_staging)),
            credential: if wants_registry_token {
                CredentialKind::RegistryToken
            } else {
                profile.map_or_else(Default::default, |profile| profile.credential)
            },
            trusted_profile: profile.and_then(|profile| profile.trusted_profile.as_ref()),
            // It was named for the profile's source, and no other can read it.
            file: profile
                .filter(|_| source == own_source)
                .and_then(|profile| profile.file.as_deref()),
        }
    }
}
