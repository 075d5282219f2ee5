//! IBM's credentials file, as the SDKs read it (`go-sdk-core`,
//! `core/config_utils.go` and `core/authenticator_factory.go`).

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::SourceContext;
use super::compute_resource_token;
use super::grant_input;
use super::grant_input::GrantInput;
use super::instance_metadata;
use super::source_identity::SourceIdentity;
use crate::environment::CREDENTIALS_FILE;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::settings::SourceName;
use crate::sources::advice::SourceKind;
use crate::text::encoding;
use crate::text::repeatable::quoted;

/// Begins the properties of this service: the SDK's `DefaultServiceName`
/// (`container-registry-go-sdk`, `containerregistryv1`).
const PREFIX: &str = "CONTAINER_REGISTRY_";

/// Properties about the service's address, without credentials. A file that has only these
/// is meant for other programs.
const SERVICE_PROPERTIES: [&str; 6] = [
    "URL",
    "DISABLE_SSL",
    "ENABLE_GZIP",
    "ENABLE_RETRIES",
    "MAX_RETRIES",
    "RETRY_INTERVAL",
];

const FILE_NAME: &str = "ibm-credentials.env";

/// The values of `AUTH_TYPE` that this program supports.
const TYPES: &str = "iam, iamAssume, container, vpc, bearerToken";

/// The size limit of the file, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Returns the identity that the file has for this service.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let Some(path) = path_of_file(context)? else {
        return Ok(None);
    };
    let name = format!("the IBM credentials file {}", path.display());
    let text = read_text(&path).map_err(|error| {
        let error = Error::from_anyhow(&error).with_context(format_args!("cannot read {name}"));
        match context.environment.text(CREDENTIALS_FILE) {
            Ok(Some(named)) if path == Path::new(named) => error.with_hint(format!(
                "{CREDENTIALS_FILE} names this file: correct or unset the variable"
            )),
            _ => error,
        }
    })?;
    let properties = Properties::read(&text);
    if properties.0.is_empty() {
        return Ok(None);
    }
    properties
        .identity(&path, context)
        .map(Some)
        .map_err(|error| error.with_context(format_args!("cannot use {name}")))
}

fn read_text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(fs::read_bytes(path, MAX_SIZE)?);
    encoding::decode(&bytes).map_err(|reason| anyhow::anyhow!(reason))
}

/// Returns the path of the file: the one that the settings or a variable name, the one in the
/// working directory if the settings allow it (a repository must not select credentials), or
/// the one in the home directory.
fn path_of_file(context: &SourceContext<'_>) -> Result<Option<PathBuf>> {
    if context.settings.source == Some(SourceName::CredentialsFile)
        && let Some(path) = context.settings.file
    {
        return Ok(Some(path.to_owned()));
    }
    if let Some(path) = context.environment.text(CREDENTIALS_FILE)? {
        return Ok(Some(PathBuf::from(path)));
    }
    let system_paths = context.system_paths;
    let here = context
        .working_directory_credentials
        .then_some(&system_paths.working_directory);
    let mut paths = [here, system_paths.home.as_ref()]
        .into_iter()
        .flatten()
        .map(|directory| directory.join(FILE_NAME));
    Ok(paths.find(|path| fs::entry_exists(path)))
}

fn kind(path: &Path) -> SourceKind {
    SourceKind::CredentialsFile(path.to_owned())
}

/// This service's properties, without the prefix.
struct Properties(HashMap<String, Secret>);

impl Properties {
    /// Reads lines of `NAME=VALUE`. Lines that begin with `#` are comments.
    fn read(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        Self(
            lines
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .filter_map(|(name, value)| Some((name.trim().strip_prefix(PREFIX)?, value.trim())))
                .filter(|(name, value)| !value.is_empty() && !SERVICE_PROPERTIES.contains(name))
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        )
    }

    fn identity<'a>(&self, path: &Path, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>> {
        if self
            .text("AUTH_DISABLE_SSL")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return Err(Error::user(format!(
                "{PREFIX}AUTH_DISABLE_SSL is not supported, because certificates are always verified"
            ))
            .with_hint("Remove that line"));
        }
        let identity = self.identity_by_type(path, context)?;
        Ok(match context.settings.trusted_profile {
            Some(profile) if !identity.is_of_profile() => identity.assuming(Some(profile.clone())),
            _ => identity,
        })
    }

    fn identity_by_type<'a>(
        &self,
        path: &Path,
        context: &SourceContext<'a>,
    ) -> Result<SourceIdentity<'a>> {
        let default = if self.has("APIKEY") {
            "iam"
        } else {
            "container"
        };
        let auth_type = self.text("AUTH_TYPE").or_else(|| self.text("AUTHTYPE"));
        let auth_type = auth_type.unwrap_or(default);
        let source = |what: &str| format!("{what} in {}", path.display());
        let own = || {
            let input = self.own_input()?;
            let what = match input {
                GrantInput::RefreshToken { .. } => "the refresh token",
                _ => "the API key",
            };
            Ok::<_, Error>(SourceIdentity::new(
                context,
                source(what),
                kind(path),
                input,
            ))
        };
        let identity = match auth_type.to_ascii_lowercase().as_str() {
            "iam" => own()?,
            "iamassume" if context.settings.trusted_profile.is_some() => own()?,
            "iamassume" => {
                let profile = self.profile().ok_or_else(|| missing("IAM_PROFILE_ID"))?;
                own()?.assuming(Some(profile))
            }
            "container" => self.compute_resource(context)?,
            "vpc" => return self.vpc(context),
            "bearertoken" => self.bearer_token(context, path, source("the token"))?,
            other => {
                let message = format!("{PREFIX}AUTH_TYPE cannot be {}", quoted(other));
                return Err(Error::user(message).with_hint(format!("Available values: {TYPES}")));
            }
        };
        Ok(identity.with_endpoint(self.endpoint(context)?))
    }

    /// Returns the API key, or a refresh token and the OAuth client that it was issued to.
    fn own_input(&self) -> Result<GrantInput> {
        if let Some(key) = self.secret("APIKEY", SecretKind::ApiKey)? {
            return Ok(GrantInput::ApiKey(key));
        }
        let token = self
            .secret("REFRESH_TOKEN", SecretKind::RefreshToken)?
            .ok_or_else(|| missing("APIKEY"))?;
        let client = match (self.text("CLIENT_ID"), self.unquoted("CLIENT_SECRET")?) {
            (Some(id), Some(secret)) => Client {
                id: id.to_owned(),
                secret: secret.clone(),
            },
            (None, _) => return Err(missing("CLIENT_ID")),
            (_, None) => return Err(missing("CLIENT_SECRET")),
        };
        Ok(GrantInput::RefreshToken { token, client })
    }

    fn compute_resource<'a>(&self, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>> {
        let chosen = context.settings.trusted_profile.cloned();
        let profile = chosen.or_else(|| self.profile());
        let profile = profile.ok_or_else(|| missing("IAM_PROFILE_ID"))?;
        let file = self.text("CR_TOKEN_FILENAME").map(Path::new);
        let file = file.map(|path| context.system_paths.expand(path));
        compute_resource_token::find_token(file.as_deref(), profile, context)?.ok_or_else(|| {
            Error::user("no file with a compute resource token exists")
                .with_hint(format!("Set {PREFIX}CR_TOKEN_FILENAME to its path"))
        })
    }

    fn vpc<'a>(&self, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>> {
        let mut service = MetadataService::vpc(self.text("AUTH_URL"))
            .map_err(|reason| invalid("AUTH_URL", &reason))?;
        if let Some(version) = self.text("VPC_IMS_VERSION") {
            service = service
                .with_version(version)
                .map_err(|reason| invalid("VPC_IMS_VERSION", &reason))?;
        }
        let chosen = context.settings.trusted_profile.cloned();
        let profile = chosen.or_else(|| self.profile());
        Ok(instance_metadata::identity(context, service, profile))
    }

    fn bearer_token<'a>(
        &self,
        context: &SourceContext<'a>,
        path: &Path,
        source: String,
    ) -> Result<SourceIdentity<'a>> {
        let token = self
            .secret("BEARER_TOKEN", SecretKind::AccessToken)?
            .ok_or_else(|| missing("BEARER_TOKEN"))?;
        let input = grant_input::from_tokens(Some(token), None, Client::cli(), context);
        let input = input.ok_or_else(|| {
            invalid("BEARER_TOKEN", "has expired").with_hint("Set a new token, or an API key")
        })?;
        Ok(SourceIdentity::new(context, source, kind(path), input))
    }

    /// Returns the trusted profile: by ID, otherwise by CRN, otherwise by name.
    fn profile(&self) -> Option<TrustedProfile> {
        let owned = |name| self.text(name).map(str::to_owned);
        let by_name = |name| TrustedProfile::Name {
            name,
            account: owned("IAM_ACCOUNT_ID"),
        };
        owned("IAM_PROFILE_ID")
            .map(TrustedProfile::Id)
            .or_else(|| owned("IAM_PROFILE_CRN").map(TrustedProfile::Crn))
            .or_else(|| owned("IAM_PROFILE_NAME").map(by_name))
    }

    /// Returns the file's IAM endpoint, unless the settings have one.
    fn endpoint(&self, context: &SourceContext<'_>) -> Result<Endpoint> {
        match self.text("AUTH_URL") {
            Some(url) if context.settings.iam_endpoint.is_none() => {
                Endpoint::parse(url).map_err(|reason| invalid("AUTH_URL", &reason))
            }
            _ => Ok(context.endpoint.clone()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the secret in a property.
    fn secret(&self, name: &str, kind: SecretKind) -> Result<Option<Secret>> {
        let value = self.unquoted(name)?;
        let secret = value.map(|value| input::read(kind, value.expose()));
        secret.transpose().map_err(|reason| {
            let message = format!("{PREFIX}{name} holds no {}: {reason}", kind.name());
            Error::user(message).with_hint("Replace it")
        })
    }

    /// Returns a property. The SDKs reject quotes and braces around secrets (`go-sdk-core`,
    /// `core/utils.go`, `HasBadFirstOrLastChar`).
    fn unquoted(&self, name: &str) -> Result<Option<&Secret>> {
        let secret = self.0.get(name);
        match secret.map(Secret::expose) {
            Some(text) if text.starts_with(['{', '"']) || text.ends_with(['}', '"']) => {
                Err(invalid(name, "is in quotes or braces").with_hint("Remove them"))
            }
            _ => Ok(secret),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }
}

fn missing(name: &str) -> Error {
    invalid(name, "is missing").with_hint(format!("Add it, or remove the {PREFIX} lines"))
}

fn invalid(name: &str, reason: &str) -> Error {
    Error::user(format!("{PREFIX}{name} {reason}"))
}
