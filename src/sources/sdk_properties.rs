//! The properties that IBM's SDKs read for this service, in a file and in the environment
//! (`go-sdk-core`, `core/config_utils.go` and `core/authenticator_factory.go`).

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use super::SourceContext;
use super::compute_resource_token;
use super::grant_input;
use super::grant_input::GrantInput;
use super::instance_metadata;
use super::source_identity::SourceIdentity;
use crate::environment::VCAP_SERVICES;
use crate::error::Error;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::sources::advice::SourceKind;
use crate::text::repeatable::quoted;

/// Begins the properties of this service: the SDK's `DefaultServiceName`
/// (`container-registry-go-sdk`, `containerregistryv1`).
pub(super) const PREFIX: &str = "CONTAINER_REGISTRY_";

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

/// The values of `AUTH_TYPE` that this program supports.
const TYPES: &str = "iam, iamAssume, container, vpc, bearerToken";

/// Where properties are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// IBM's credentials file at this path.
    File(PathBuf),
    /// Variables with the prefix.
    Variables,
    /// `$VCAP_SERVICES` of Cloud Foundry.
    VcapServices,
}

impl Place {
    /// Returns the name of the place in errors.
    fn name(&self) -> String {
        match self {
            Self::File(path) => format!("the IBM credentials file {}", path.display()),
            Self::Variables => format!("the variables {PREFIX}…"),
            Self::VcapServices => format!("the service credentials in ${VCAP_SERVICES}"),
        }
    }

    /// Returns the name of the source of a secret: the secret and its place.
    fn source(&self, what: &str, property: &str) -> String {
        match self {
            Self::File(path) => format!("{what} in {}", path.display()),
            Self::Variables => format!("{what} in ${PREFIX}{property}"),
            Self::VcapServices => format!("{what} in ${VCAP_SERVICES}"),
        }
    }

    fn kind(&self, property: &'static str) -> SourceKind {
        match self {
            Self::File(path) => SourceKind::CredentialsFile(path.clone()),
            Self::Variables => SourceKind::Property(property),
            Self::VcapServices => SourceKind::Hint(
                "Bind the service again, or unset $VCAP_SERVICES to use another source",
            ),
        }
    }
}

/// This service's properties in one place, by their names without the prefix.
pub(super) struct Properties {
    place: Place,
    values: HashMap<String, Secret>,
}

impl Properties {
    /// Returns the properties in lines of `NAME=VALUE`, which may have `export` before them as in
    /// a file for shells, which then removes quotes around the value. Lines that begin with `#` are comments.
    pub(super) fn in_lines(text: &str, place: Place) -> Self {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| match line.strip_prefix("export ") {
            None => line.split_once('='),
            Some(line) => line
                .split_once('=')
                .map(|(name, value)| (name, value_of_shell(value))),
        });
        Self::of(pairs, place)
    }

    /// Returns those of these names and values that are properties of this service.
    pub(super) fn of<'t>(pairs: impl Iterator<Item = (&'t str, &'t str)>, place: Place) -> Self {
        let values = pairs
            .filter_map(|(name, value)| Some((name.trim().strip_prefix(PREFIX)?, value.trim())))
            .filter(|(name, value)| !value.is_empty() && !SERVICE_PROPERTIES.contains(name))
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect();
        Self { place, values }
    }

    /// Returns the identity that they describe; `None` if there are none.
    ///
    /// # Errors
    /// They do not describe one.
    pub(super) fn identity<'a>(
        &self,
        context: &SourceContext<'a>,
    ) -> Result<Option<SourceIdentity<'a>>> {
        if self.values.is_empty() {
            return Ok(None);
        }
        self.identity_with_profile(context)
            .map(Some)
            .map_err(|error| error.with_context(format_args!("cannot use {}", self.place.name())))
    }

    fn identity_with_profile<'a>(&self, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>> {
        if self
            .text("AUTH_DISABLE_SSL")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return Err(Error::user(format!(
                "{PREFIX}AUTH_DISABLE_SSL is not supported, because certificates are always verified"
            ))
            .with_hint("Remove it"));
        }
        let identity = self.identity_by_type(context)?;
        Ok(match context.settings.trusted_profile {
            Some(profile) if !identity.is_of_profile() => identity.assuming(Some(profile.clone())),
            _ => identity,
        })
    }

    fn identity_by_type<'a>(&self, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>> {
        let default = if self.has("APIKEY") {
            "iam"
        } else {
            "container"
        };
        let auth_type = self.text("AUTH_TYPE").or_else(|| self.text("AUTHTYPE"));
        let auth_type = auth_type.unwrap_or(default);
        let own = || {
            let input = self.own_input()?;
            let (what, property) = match input {
                GrantInput::RefreshToken { .. } => ("the refresh token", "REFRESH_TOKEN"),
                _ => ("the API key", "APIKEY"),
            };
            let source = self.place.source(what, property);
            let kind = self.place.kind(property);
            Ok::<_, Error>(SourceIdentity::new(context, source, kind, input))
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
            "bearertoken" => self.bearer_token(context)?,
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

    fn bearer_token<'a>(&self, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>> {
        const PROPERTY: &str = "BEARER_TOKEN";
        let token = self
            .secret(PROPERTY, SecretKind::AccessToken)?
            .ok_or_else(|| missing(PROPERTY))?;
        let input = grant_input::from_tokens(Some(token), None, Client::cli(), context);
        let input = input.ok_or_else(|| {
            invalid(PROPERTY, "has expired").with_hint("Set a new token, or an API key")
        })?;
        let source = self.place.source("the token", PROPERTY);
        let kind = self.place.kind(PROPERTY);
        Ok(SourceIdentity::new(context, source, kind, input))
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

    /// Returns their IAM endpoint, unless the settings have one.
    fn endpoint(&self, context: &SourceContext<'_>) -> Result<Endpoint> {
        match self.text("AUTH_URL") {
            Some(url) if context.settings.iam_endpoint.is_none() => {
                Endpoint::parse(url).map_err(|reason| invalid("AUTH_URL", &reason))
            }
            _ => Ok(context.endpoint.clone()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Returns the secret in a property.
    fn secret(&self, name: &str, kind: SecretKind) -> Result<Option<Secret>> {
        let value = self.values.get(name);
        // The braces of `${KEY}` are not the ones to remove.
        if value.is_some_and(|value| !value.expose().contains('$')) {
            self.unquoted(name)?;
        }
        let secret = value.map(|value| input::read(kind, value.expose()));
        let secret = secret.transpose().map_err(|reason| {
            let message = format!("{PREFIX}{name} holds no {}: {reason}", kind.name());
            Error::user(message).with_hint("Replace it")
        })?;
        self.unquoted(name)?;
        Ok(secret)
    }

    /// Returns a property. The SDKs reject quotes and braces around secrets (`go-sdk-core`,
    /// `core/utils.go`, `HasBadFirstOrLastChar`).
    fn unquoted(&self, name: &str) -> Result<Option<&Secret>> {
        let secret = self.values.get(name);
        match secret.map(Secret::expose) {
            Some(text) if text.starts_with(['{', '"']) || text.ends_with(['}', '"']) => {
                Err(invalid(name, "is in quotes or braces").with_hint("Remove them"))
            }
            _ => Ok(secret),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }
}

/// Returns a value without the pair of quotes around it, which a shell removes.
fn value_of_shell(value: &str) -> &str {
    let value = value.trim();
    input::without_quotes(value).unwrap_or(value)
}

fn missing(name: &str) -> Error {
    invalid(name, "is missing").with_hint(format!("Set it, or remove all {PREFIX} properties"))
}

fn invalid(name: &str, reason: &str) -> Error {
    Error::user(format!("{PREFIX}{name} {reason}"))
}
