//! [`Profile`]: an identity for some registries, from the settings file.

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::SourceSelection;
use super::document::Document;
use super::invalid::Invalid;
use super::name::NAME_HINT;
use super::name::is_plain;
use super::name::named;
use crate::credential::Credential;
use crate::environment;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;
use crate::text::repeatable::quoted;

/// The content of `[profile.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProfileTable {
    account: Option<Spanned<String>>,
    credential: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
    iam_endpoint: Option<Spanned<String>>,
    #[serde(default)]
    private_endpoints: bool,
    source: Option<Spanned<String>>,
    trusted_profile: Option<Spanned<String>>,
}

/// A profile: `[profile.NAME]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    /// The name: 1 to 64 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// The only source to use, or registry tokens.
    pub source: Option<SourceSelection>,
    /// The trusted profile to assume with the source's identity.
    pub trusted_profile: Option<TrustedProfile>,
    /// The IAM endpoint.
    pub iam_endpoint: Option<Endpoint>,
    /// Whether IAM's endpoint in IBM Cloud's private network is used.
    pub private_endpoints: bool,
    /// The kind of credential that `get` returns, unless the source implies one: see
    /// [`Profile::credential_kind`].
    pub credential: CredentialKind,
    /// The absolute path of the file that the source reads instead of the usual one.
    pub file: Option<PathBuf>,
}

/// A source, by its name in settings and in `ICR_SOURCE`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SourceName {
    /// The token file of a pod, of Code Engine or of an agent.
    ComputeResourceToken,
    /// The credentials file of IBM's SDKs.
    CredentialsFile,
    /// Environment variables.
    Environment,
    /// The session of IBM Cloud CLI.
    IbmCloudCli,
    /// The stored login.
    Login,
    /// The metadata of a Power Virtual Server.
    PowerVs,
    /// The metadata of a virtual server in a VPC.
    Vpc,
}

named!(SourceName {
    "compute-resource-token" => ComputeResourceToken,
    "credentials-file" => CredentialsFile,
    "environment" => Environment,
    "ibmcloud" => IbmCloudCli,
    "login" => Login,
    "power-vs" => PowerVs,
    "vpc" => Vpc,
});

impl SourceName {
    /// Returns whether the source reads a file, which a profile can name.
    pub fn reads_file(self) -> bool {
        matches!(self, Self::ComputeResourceToken | Self::CredentialsFile)
    }
}

/// The kind of credential that `get` returns. Its name is the user name of the credential.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CredentialKind {
    /// A short-lived access token.
    #[default]
    AccessToken,
    /// A refresh token, for pushes that outlast an access token.
    RefreshToken,
    /// The API key itself.
    ApiKey,
    /// A registry token that this program creates.
    RegistryToken,
}

named!(CredentialKind {
    "iambearer" => AccessToken,
    "iamrefresh" => RefreshToken,
    "iamapikey" => ApiKey,
    "token" => RegistryToken,
});

impl CredentialKind {
    /// Returns the user name of such a credential (Registry documentation,
    /// `registry_access.md`).
    pub fn username(self) -> &'static str {
        self.name()
    }

    /// Returns the credential with this secret.
    pub fn with(self, secret: Secret) -> Credential {
        Credential {
            username: self.username().to_owned(),
            secret,
        }
    }
}

impl Profile {
    /// Returns the kind of credential that `get` returns for its registries.
    pub fn credential_kind(&self) -> CredentialKind {
        let implied = self.source.and_then(SourceSelection::credential);
        implied.unwrap_or(self.credential)
    }

    /// Creates the profile of a table.
    pub(super) fn from_table(
        name: Spanned<String>,
        table: ProfileTable,
        document: Document<'_>,
        home: Option<&Path>,
    ) -> Result<Self> {
        if !is_plain(name.get_ref()) {
            let reason = format!("{} is not a valid profile name", quoted(name.get_ref()));
            let invalid = Invalid::new(reason).with_hint(NAME_HINT);
            return Err(document.place(&name).error(invalid));
        }
        let source =
            document.value("source", table.source, |name| SourceSelection::parse(&name))?;
        let mut trusted_profile =
            document.value("trusted-profile", table.trusted_profile, |text| {
                TrustedProfile::parse(&text)
            })?;
        let account = document.value("account", table.account, |account| {
            checked_account(account, trusted_profile.as_ref())
        })?;
        if account.is_some() {
            trusted_profile = trusted_profile.map(|profile| profile.with_account(account));
        }
        Ok(Self {
            name: name.into_inner(),
            source,
            trusted_profile,
            iam_endpoint: document.value("iam-endpoint", table.iam_endpoint, |text| {
                iam_endpoint(&text, table.private_endpoints)
            })?,
            private_endpoints: table.private_endpoints,
            credential: document
                .value("credential", table.credential, |name| {
                    credential(&name, source)
                })?
                .unwrap_or_default(),
            file: document.value("file", table.file, |text| file(&text, source, home))?,
        })
    }
}

fn checked_account(account: String, profile: Option<&TrustedProfile>) -> Result<String, Invalid> {
    match profile {
        Some(TrustedProfile::Name { .. }) if account.is_empty() => {
            Err(Invalid::new("is empty").with_hint("Set account to an account ID, or remove it"))
        }
        Some(TrustedProfile::Name { .. }) => Ok(account),
        _ => Err(
            Invalid::new("applies only to a trusted-profile that is given by its name")
                .with_hint("Remove account (an ID or CRN includes its account)"),
        ),
    }
}

fn iam_endpoint(text: &str, private_endpoints: bool) -> Result<Endpoint, Invalid> {
    if private_endpoints {
        return Err(
            Invalid::new("and private-endpoints = true both select the IAM endpoint")
                .with_hint("Remove one of them"),
        );
    }
    Ok(Endpoint::parse(text)?)
}

fn credential(name: &str, source: Option<SourceSelection>) -> Result<CredentialKind, Invalid> {
    let kind = CredentialKind::parse(name)?;
    let implied = source.and_then(SourceSelection::credential);
    if let (Some(source), Some(implied)) = (source, implied)
        && kind != implied
    {
        let reason = format!("cannot be {kind} with the source {source}");
        return Err(Invalid::new(reason).with_hint("Remove credential"));
    }
    Ok(kind)
}

fn file(
    text: &str,
    source: Option<SourceSelection>,
    home: Option<&Path>,
) -> Result<PathBuf, Invalid> {
    const READERS: &str = "credentials-file or compute-resource-token";
    match source {
        Some(SourceSelection::Source(source)) if source.reads_file() => {}
        Some(source) => {
            let reason = format!("does not apply to the source {source}");
            let hint = format!("Remove file, or set source to {READERS}");
            return Err(Invalid::new(reason).with_hint(hint));
        }
        None => {
            let hint = format!("Set source to {READERS}");
            return Err(Invalid::new("needs a source that reads it").with_hint(hint));
        }
    }
    let path = match (text.strip_prefix("~/"), home) {
        (None, _) => PathBuf::from(text),
        (Some(relative), Some(home)) => home.join(relative),
        (Some(_), None) => {
            let reason = format!("starts with ~/, but ${} is not set", environment::HOME);
            return Err(Invalid::new(reason).with_hint("Use an absolute path"));
        }
    };
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Invalid::new(format!(
            "must be absolute or start with ~/, but is {}",
            quoted(text)
        )))
    }
}
