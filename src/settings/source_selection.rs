//! [`SourceSelection`]: the value of `source` in a profile and of `ICR_SOURCE`.

use std::fmt;

use super::CredentialKind;
use super::SourceName;
use super::invalid::Invalid;

/// The name that selects registry tokens instead of a source.
const REGISTRY_TOKEN: &str = "registry-token";

/// A source, or registry tokens created with the credential of any source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceSelection {
    /// Registry tokens.
    RegistryToken,
    /// Access tokens of this source only.
    Source(SourceName),
}

impl SourceSelection {
    /// Returns the selection with this name, or why there is none.
    pub(super) fn parse(name: &str) -> Result<Self, Invalid> {
        if name == REGISTRY_TOKEN {
            return Ok(Self::RegistryToken);
        }
        SourceName::parse(name).map(Self::Source).map_err(|_| {
            let mut names = SourceName::NAMES.to_vec();
            names.push(REGISTRY_TOKEN);
            names.sort_unstable();
            Invalid::not_one_of(name, &names)
        })
    }

    /// Returns the name in settings and variables.
    pub fn name(self) -> &'static str {
        match self {
            Self::RegistryToken => REGISTRY_TOKEN,
            Self::Source(source) => source.name(),
        }
    }

    /// Returns the only source to use, if one is selected.
    pub(super) fn source(self) -> Option<SourceName> {
        match self {
            Self::RegistryToken => None,
            Self::Source(source) => Some(source),
        }
    }

    /// Returns the kind of credential that the selection implies, whatever `credential` says.
    pub(super) fn credential(self) -> Option<CredentialKind> {
        match self {
            Self::RegistryToken => Some(CredentialKind::RegistryToken),
            Self::Source(_) => None,
        }
    }
}

impl fmt::Display for SourceSelection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
