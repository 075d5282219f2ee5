//! [`Profile`]: an identity for some registries, from the settings file.

use std::path::Path;
use std::path::PathBuf;

use super::document::Entry;
use super::document::Table;
use super::document::Value;
use super::name::NAME_HINT;
use super::name::is_plain;
use super::name::named;
use crate::credential::Credential;
use crate::environment;
use crate::environment::Environment;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;
use crate::text::repeatable::quoted;

/// The keys of a profile's table.
const KEYS: [&str; 7] = [
    "account",
    "credential",
    "file",
    "iam-endpoint",
    "private-endpoints",
    "source",
    "trusted-profile",
];

/// A profile: `[profile.NAME]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    /// The name: 1 to 64 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// The only source to use.
    pub source: Option<SourceName>,
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
    /// A registry token, created with the credential of another source. It is a
    /// [`CredentialKind`] rather than a source.
    RegistryToken,
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
    "registry-token" => RegistryToken,
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
    /// Returns the profile's IAM endpoint for production or staging registries, if it sets
    /// one. The private network has no endpoint for staging.
    pub fn iam_endpoint_for(&self, is_staging: bool) -> Option<Endpoint> {
        let private = self.private_endpoints && !is_staging;
        let named = self.iam_endpoint.clone();
        named.or_else(|| private.then(Endpoint::private))
    }

    /// Returns the kind of credential that `get` returns for its registries.
    pub fn credential_kind(&self) -> CredentialKind {
        match self.source {
            Some(SourceName::RegistryToken) => CredentialKind::RegistryToken,
            _ => self.credential,
        }
    }

    /// Reads `[profile.NAME]`.
    pub(super) fn read(entry: &Entry<'_>, environment: &Environment) -> Result<Self> {
        if !is_plain(entry.key) {
            return Err(entry
                .place()
                .wrong(&format!(
                    "{} is not a valid profile name",
                    quoted(entry.key)
                ))
                .with_hint(NAME_HINT));
        }
        let table = entry.value.table()?;
        table.has_only(&KEYS)?;
        let flag = |key| table.get(key).map(|value| value.flag()).transpose();
        let source = optional(&table, "source", |value| value.parsed(SourceName::parse))?;
        let private_endpoints = flag("private-endpoints")?.unwrap_or_default();
        Ok(Self {
            name: entry.key.to_owned(),
            source,
            trusted_profile: trusted_profile(&table)?,
            iam_endpoint: optional(&table, "iam-endpoint", |value| {
                iam_endpoint(value, private_endpoints)
            })?,
            private_endpoints,
            credential: optional(&table, "credential", |value| credential(value, source))?
                .unwrap_or_default(),
            file: optional(&table, "file", |value| file(value, source, environment))?,
        })
    }
}

fn optional<'a, T>(
    table: &Table<'a>,
    key: &'a str,
    read: impl FnOnce(Value<'a>) -> Result<T>,
) -> Result<Option<T>> {
    table.get(key).map(read).transpose()
}

fn trusted_profile(table: &Table<'_>) -> Result<Option<TrustedProfile>> {
    let profile = optional(table, "trusted-profile", |value| {
        value.parsed(TrustedProfile::parse)
    })?;
    let Some(value) = table.get("account") else {
        return Ok(profile);
    };
    let account = value.text()?;
    match profile {
        Some(profile @ TrustedProfile::Name { .. }) if !account.is_empty() => {
            Ok(Some(profile.with_account(Some(account.to_owned()))))
        }
        Some(TrustedProfile::Name { .. }) => Err(value
            .wrong("account is empty")
            .with_hint("Set account to an account ID, or remove it")),
        _ => Err(value
            .wrong("account applies only to a trusted-profile that is given by its name")
            .with_hint("Remove account (an ID or CRN includes its account)")),
    }
}

fn iam_endpoint(value: Value<'_>, private_endpoints: bool) -> Result<Endpoint> {
    if private_endpoints {
        return Err(value
            .wrong("iam-endpoint and private-endpoints = true both select the IAM endpoint")
            .with_hint("Remove one of them"));
    }
    value.parsed(Endpoint::parse)
}

fn credential(value: Value<'_>, source: Option<SourceName>) -> Result<CredentialKind> {
    let kind = value.parsed(CredentialKind::parse)?;
    match (source, kind) {
        (Some(SourceName::RegistryToken), CredentialKind::RegistryToken) => Ok(kind),
        (Some(SourceName::RegistryToken), _) => Err(value
            .wrong(&format!(
                "credential cannot be {kind} with the source registry-token"
            ))
            .with_hint("Remove credential")),
        _ => Ok(kind),
    }
}

fn file(
    value: Value<'_>,
    source: Option<SourceName>,
    environment: &Environment,
) -> Result<PathBuf> {
    let text = value.text()?;
    let readers = "credentials-file or compute-resource-token";
    match source {
        Some(source) if source.reads_file() => {}
        Some(source) => {
            return Err(value
                .wrong(&format!("the source {source} reads no file"))
                .with_hint(format!("Remove file, or set source to {readers}")));
        }
        None => {
            return Err(value
                .wrong("file needs a source that reads it")
                .with_hint(format!("Set source to {readers}")));
        }
    }
    let path = match text.strip_prefix("~/") {
        None => PathBuf::from(text),
        Some(rest) => match environment.text(environment::HOME)? {
            Some(home) => Path::new(home).join(rest),
            None => {
                return Err(value
                    .wrong(&format!(
                        "file starts with ~/, but ${} is not set",
                        environment::HOME
                    ))
                    .with_hint("Use an absolute path"));
            }
        },
    };
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(value.wrong(&format!(
            "file must be absolute or start with ~/, but is {}",
            quoted(text)
        )))
    }
}
