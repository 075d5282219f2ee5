//! IBM's credentials file, as the SDKs read it (`go-sdk-core`,
//! `core/config_utils.go` and `core/authenticator_factory.go`).

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

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
use crate::settings::SourceName;
use crate::sources::advice::SourceKind;
use crate::text::repeatable::quoted;

/// Begins the properties of this service: the SDK's `DefaultServiceName`
/// (`container-registry-go-sdk`, `containerregistryv1`).
const PREFIX: &str = "CONTAINER_REGISTRY_";

/// Properties that say how to talk to a service, and not who one is. A file that
/// has these alone is about something else.
const OF_THE_SERVICE: [&str; 6] = [
    "URL",
    "DISABLE_SSL",
    "ENABLE_GZIP",
    "ENABLE_RETRIES",
    "MAX_RETRIES",
    "RETRY_INTERVAL",
];

const FILE_NAME: &str = "ibm-credentials.env";

/// The most that is read, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// Whoever the file names for this service.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let Some(path) = path_of_file(context)? else {
        return Ok(None);
    };
    let fail = |reason: String| {
        Error::user(format!(
            "the IBM credentials file {} {reason}",
            path.display()
        ))
    };
    let text = fs::read_regular(&path, LIMIT)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| fail(format!("cannot be read ({error})")))?;
    // Windows' editors begin a file with a mark.
    let properties = Properties::read(text.strip_prefix('\u{feff}').unwrap_or(&text));
    if properties.0.is_empty() {
        return Ok(None);
    }
    properties.identity(&path, context).map(Some).map_err(fail)
}

/// The file that somebody named, that of the working directory if the settings
/// allow it (a repository must not choose whose credentials are used), or that of
/// the home directory.
fn path_of_file(context: &SourceContext<'_>) -> Result<Option<PathBuf>> {
    if context.choice.source == Some(SourceName::CredentialsFile)
        && let Some(path) = context.choice.file
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

fn of_file(path: &Path) -> SourceKind {
    SourceKind::CredentialsFile(path.to_owned())
}

/// This service's properties, without the prefix.
struct Properties(HashMap<String, Secret>);

impl Properties {
    /// Lines of `NAME=VALUE`; what begins with `#` is a comment.
    fn read(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        Self(
            lines
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .filter_map(|(name, value)| Some((name.trim().strip_prefix(PREFIX)?, value.trim())))
                .filter(|(name, value)| !value.is_empty() && !OF_THE_SERVICE.contains(name))
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        )
    }

    fn identity<'a>(
        &self,
        path: &Path,
        context: &SourceContext<'a>,
    ) -> Result<SourceIdentity<'a>, String> {
        if self
            .text("AUTH_DISABLE_SSL")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return Err(format!(
                "sets {PREFIX}AUTH_DISABLE_SSL, but this program always checks who it talks to; take it out"
            ));
        }
        let identity = self.identity_by_type(path, context)?;
        Ok(match context.choice.trusted_profile {
            Some(profile) if !identity.is_of_profile() => identity.assuming(Some(profile.clone())),
            _ => identity,
        })
    }

    fn identity_by_type<'a>(
        &self,
        path: &Path,
        context: &SourceContext<'a>,
    ) -> Result<SourceIdentity<'a>, String> {
        let default = if self.has("APIKEY") {
            "iam"
        } else {
            "container"
        };
        let kind = self.text("AUTH_TYPE").or_else(|| self.text("AUTHTYPE"));
        let kind = kind.unwrap_or(default);
        let source = |what: &str| format!("{what} in {}", path.display());
        let own = || {
            let input = self.own_input()?;
            let what = match input {
                GrantInput::RefreshToken { .. } => "the refresh token",
                _ => "the API key",
            };
            Ok::<_, String>(SourceIdentity::new(
                context,
                source(what),
                of_file(path),
                input,
            ))
        };
        let identity = match kind.to_ascii_lowercase().as_str() {
            "iam" => own()?,
            "iamassume" if context.choice.trusted_profile.is_some() => own()?,
            "iamassume" => {
                let profile = self.profile().ok_or_else(|| missing("IAM_PROFILE_ID"))?;
                own()?.assuming(Some(profile))
            }
            "container" => self.compute_resource(context)?,
            "vpc" => return self.vpc(context),
            "bearertoken" => self.bearer_token(context, path, source("the token"))?,
            other => {
                return Err(format!(
                    "sets {PREFIX}AUTH_TYPE to {}; the types that lead to a registry are iam, iamAssume, container, vpc and bearerToken",
                    quoted(other)
                ));
            }
        };
        Ok(identity.with_endpoint(self.endpoint(context)?))
    }

    /// The API key, or a refresh token and the client that got it.
    fn own_input(&self) -> Result<GrantInput, String> {
        if let Some(key) = self.secret("APIKEY")? {
            return Ok(GrantInput::ApiKey(key.clone()));
        }
        let token = self
            .secret("REFRESH_TOKEN")?
            .ok_or_else(|| missing("APIKEY"))?;
        let client = match (self.text("CLIENT_ID"), self.secret("CLIENT_SECRET")?) {
            (Some(id), Some(secret)) => Client {
                id: id.to_owned(),
                secret: secret.clone(),
            },
            _ => return Err(missing("CLIENT_ID and its CLIENT_SECRET")),
        };
        Ok(GrantInput::RefreshToken {
            token: token.clone(),
            client,
        })
    }

    fn compute_resource<'a>(
        &self,
        context: &SourceContext<'a>,
    ) -> Result<SourceIdentity<'a>, String> {
        let chosen = context.choice.trusted_profile.cloned();
        let profile = chosen.or_else(|| self.profile());
        let profile = profile.ok_or_else(|| missing("IAM_PROFILE_ID"))?;
        let file = self.text("CR_TOKEN_FILENAME").map(Path::new);
        let file = file.map(|path| context.system_paths.expand(path));
        compute_resource_token::find_token(file.as_deref(), profile, context)
            .map_err(|failure| format!("leads nowhere: {failure}"))?
            .ok_or_else(|| "wants a compute resource token, but no file holds one here".into())
    }

    fn vpc<'a>(&self, context: &SourceContext<'a>) -> Result<SourceIdentity<'a>, String> {
        let mut service = MetadataService::vpc(self.text("AUTH_URL"))
            .map_err(|reason| format!("sets {PREFIX}AUTH_URL, which {reason}"))?;
        if let Some(version) = self.text("VPC_IMS_VERSION") {
            service = service
                .with_version(version)
                .map_err(|reason| format!("sets {PREFIX}VPC_IMS_VERSION, which {reason}"))?;
        }
        let chosen = context.choice.trusted_profile.cloned();
        let profile = chosen.or_else(|| self.profile());
        Ok(instance_metadata::identity(context, service, profile))
    }

    fn bearer_token<'a>(
        &self,
        context: &SourceContext<'a>,
        path: &Path,
        source: String,
    ) -> Result<SourceIdentity<'a>, String> {
        let token = self
            .secret("BEARER_TOKEN")?
            .ok_or_else(|| missing("BEARER_TOKEN"))?;
        let token = grant_input::without_scheme(token.expose());
        if !crate::iam::is_token(&token) {
            return Err(format!("sets {PREFIX}BEARER_TOKEN to what is no token"));
        }
        let input = grant_input::from_tokens(Some(token), None, Client::cli(), context);
        let input =
            input.ok_or_else(|| format!("sets {PREFIX}BEARER_TOKEN to one that has ended"))?;
        Ok(SourceIdentity::new(context, source, of_file(path), input))
    }

    /// The trusted profile, by the first of its three names.
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

    /// The file's IAM, unless another one was chosen.
    fn endpoint(&self, context: &SourceContext<'_>) -> Result<Endpoint, String> {
        match self.text("AUTH_URL") {
            Some(url) if context.choice.iam_endpoint.is_none() => Endpoint::parse(url)
                .map_err(|reason| format!("sets {PREFIX}AUTH_URL, which {reason}")),
            _ => Ok(context.endpoint.clone()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A secret, which the SDKs do not take in quotes or braces (`go-sdk-core`,
    /// `core/utils.go`, `HasBadFirstOrLastChar`).
    fn secret(&self, name: &str) -> Result<Option<&Secret>, String> {
        let secret = self.0.get(name);
        match secret.map(Secret::expose) {
            Some(text) if text.starts_with(['{', '"']) || text.ends_with(['}', '"']) => Err(
                format!("sets {PREFIX}{name} to something in quotes or braces; take those off"),
            ),
            _ => Ok(secret),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }
}

fn missing(name: &str) -> String {
    format!("lacks {PREFIX}{name}")
}
