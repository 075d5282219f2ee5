//! IBM's credentials file, as the SDKs read it (`go-sdk-core`,
//! `core/config_utils.go` and `core/authenticator_factory.go`).

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use super::SourceContext;
use super::compute_resource_token;
use super::instance_metadata;
use super::proof;
use super::proof::GrantInput;
use super::proof::SourceIdentity;
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
    properties.prove(&path, context).map(Some).map_err(fail)
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

    fn prove<'a>(
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
        let proven = self.identity(path, context)?;
        Ok(match context.choice.trusted_profile {
            Some(profile) if !proven.is_of_profile() => proven.assuming(Some(profile.clone())),
            _ => proven,
        })
    }

    fn identity<'a>(
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
            let proof = self.own_proof()?;
            let what = match proof {
                GrantInput::RefreshToken { .. } => "the refresh token",
                _ => "the API key",
            };
            Ok::<_, String>(SourceIdentity::new(
                context,
                source(what),
                of_file(path),
                proof,
            ))
        };
        let proven = match kind.to_ascii_lowercase().as_str() {
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
        Ok(proven.at(self.endpoint(context)?))
    }

    /// The API key, or a refresh token and the client that got it.
    fn own_proof(&self) -> Result<GrantInput, String> {
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
        Ok(instance_metadata::proven(context, service, profile))
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
        let token = proof::without_scheme(token.expose());
        if !crate::iam::is_token(&token) {
            return Err(format!("sets {PREFIX}BEARER_TOKEN to what is no token"));
        }
        let proof = proof::of_tokens(Some(token), None, Client::cli(), context);
        let proof =
            proof.ok_or_else(|| format!("sets {PREFIX}BEARER_TOKEN to one that has ended"))?;
        Ok(SourceIdentity::new(context, source, of_file(path), proof))
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

#[cfg(test)]
mod tests {
    use super::super::Identity;
    use super::super::tests::Machine;
    use super::super::tests::NOW;
    use super::*;
    use crate::iam::jwt;

    const FILE: &str = "home/ibm-credentials.env";

    /// A machine with these properties of our service in its file.
    fn machine_with(properties: &str) -> Machine {
        let machine = Machine::new();
        let lines = properties.split(' ').filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.map(|line| format!("{PREFIX}{line}\n")).collect();
        machine.file(FILE, &lines.concat());
        machine
    }

    #[test]
    fn lines_are_read_as_the_sdks_read_them() {
        for text in [
            "CONTAINER_REGISTRY_APIKEY=hunter2",
            "\u{feff}CONTAINER_REGISTRY_APIKEY=hunter2",
            "# a comment\r\n\r\nOTHER_APIKEY=x\r\n  CONTAINER_REGISTRY_APIKEY = hunter2 \r\n",
            "no property\n=\nCONTAINER_REGISTRY_APIKEY=first\nCONTAINER_REGISTRY_APIKEY=hunter2\n",
            "CONTAINER_REGISTRY_=x\nCONTAINER_REGISTRY_URL=https://us.icr.io\nCONTAINER_REGISTRY_APIKEY=hunter2",
        ] {
            let machine = Machine::new();
            machine.file(FILE, text);
            let key = machine.look("us.icr.io", |registry, context| {
                let proven = find(registry, context).unwrap().unwrap();
                proven.api_key().cloned()
            });
            assert_eq!(key, Some(Secret::new("hunter2")), "{text:?}");
        }
    }

    #[test]
    fn a_file_without_our_service_is_passed_over() {
        for text in [
            "",
            "\n",
            "# CONTAINER_REGISTRY_APIKEY=x\n",
            "OTHER_APIKEY=x\ncontainer_registry_apikey=x\nXCONTAINER_REGISTRY_APIKEY=x\n",
            "CONTAINER_REGISTRY_APIKEY=\n",
        ] {
            let machine = Machine::new();
            machine.file(FILE, text);
            assert_eq!(machine.found("us.icr.io"), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn every_type_is_known_by_any_spelling() {
        let token = jwt::unsigned(&serde_json::json!({"exp": NOW + 60}));
        for (properties, part) in [
            ("APIKEY=key", "the API key in /"),
            ("AUTH_TYPE=IAM APIKEY=key", "the API key in /"),
            ("AUTHTYPE=Iam APIKEY=key", "the API key in /"),
            (
                "AUTH_TYPE=iam REFRESH_TOKEN=r CLIENT_ID=i CLIENT_SECRET=s",
                "the refresh token in /",
            ),
            (
                "AUTH_TYPE=iamassume APIKEY=key IAM_PROFILE_ID=Profile-1",
                "the API key in /",
            ),
            ("IAM_PROFILE_NAME=ops", "sa-token for trusted profile `ops`"),
            (
                "AUTH_TYPE=Container IAM_PROFILE_ID=Profile-1",
                "sa-token for trusted profile Profile-1",
            ),
            ("AUTH_TYPE=VPC", "this machine"),
            (
                "AUTH_TYPE=vpc IAM_PROFILE_CRN=crn:v1:x VPC_IMS_VERSION=2022-03-01",
                "this machine for trusted profile crn:v1:x",
            ),
            (
                &format!("AUTH_TYPE=BEARERTOKEN BEARER_TOKEN={token}"),
                &format!("token {token}"),
            ),
        ] {
            let machine = machine_with(properties);
            machine.file("root/var/run/secrets/tokens/sa-token", "token");
            machine.finds("us.icr.io", part);
        }
    }

    #[test]
    fn what_is_missing_or_makes_no_sense_is_named() {
        let ended = jwt::unsigned(&serde_json::json!({"exp": NOW}));
        for (properties, part) in [
            (
                "AUTH_TYPE=basic USERNAME=u PASSWORD=hunter2",
                "AUTH_TYPE to \"basic\"",
            ),
            ("AUTH_TYPE=noAuth", "AUTH_TYPE to \"noauth\""),
            ("AUTH_TYPE=iam", "lacks CONTAINER_REGISTRY_APIKEY"),
            (
                "AUTH_TYPE=iam REFRESH_TOKEN=hunter2",
                "lacks CONTAINER_REGISTRY_CLIENT_ID and its CLIENT_SECRET",
            ),
            (
                "AUTH_TYPE=iamAssume APIKEY=hunter2",
                "lacks CONTAINER_REGISTRY_IAM_PROFILE_ID",
            ),
            (
                "AUTH_TYPE=iamAssume IAM_PROFILE_ID=Profile-1",
                "lacks CONTAINER_REGISTRY_APIKEY",
            ),
            (
                "AUTH_TYPE=container",
                "lacks CONTAINER_REGISTRY_IAM_PROFILE_ID",
            ),
            (
                "AUTH_TYPE=container IAM_PROFILE_ID=Profile-1",
                "no file holds one here",
            ),
            (
                "AUTH_TYPE=container IAM_PROFILE_ID=Profile-1 CR_TOKEN_FILENAME=/nonexistent",
                "leads nowhere: cannot use the compute resource token in /nonexistent",
            ),
            (
                "AUTH_TYPE=bearerToken",
                "lacks CONTAINER_REGISTRY_BEARER_TOKEN",
            ),
            ("AUTH_TYPE=bearerToken BEARER_TOKEN=Bearer", "is no token"),
            (
                &format!("AUTH_TYPE=bearerToken BEARER_TOKEN={ended}"),
                "one that has ended",
            ),
            (
                "AUTH_TYPE=bearerToken BEARER_TOKEN=\"hunter2\"",
                "BEARER_TOKEN to something in quotes",
            ),
            (
                "APIKEY=\"hunter2\"",
                "APIKEY to something in quotes or braces",
            ),
            (
                "APIKEY={hunter2}",
                "APIKEY to something in quotes or braces",
            ),
            (
                "APIKEY=hunter2 AUTH_URL=http://iam.example.com",
                "AUTH_URL, which",
            ),
            ("APIKEY=hunter2 AUTH_DISABLE_SSL=TRUE", "AUTH_DISABLE_SSL"),
            (
                "AUTH_TYPE=vpc AUTH_URL=http://metadata.example.com",
                "AUTH_URL, which",
            ),
            (
                "AUTH_TYPE=vpc VPC_IMS_VERSION=new",
                "VPC_IMS_VERSION, which",
            ),
        ] {
            let machine = machine_with(properties);
            machine.fails_with(&["the IBM credentials file /", FILE, part]);
            let failure = machine.found("us.icr.io").unwrap_err().to_string();
            assert!(!failure.contains("hunter2"), "{failure}");
        }
    }

    #[test]
    fn the_files_iam_is_asked_unless_another_is_chosen() {
        let mut machine =
            machine_with("APIKEY=key AUTH_URL=https://iam.example.com/identity/token");
        let endpoint = |machine: &Machine| {
            machine.look("us.icr.io", |registry, context| {
                let proven = find(registry, context).unwrap().unwrap();
                proven.endpoint().base().to_owned()
            })
        };
        assert_eq!(endpoint(&machine), "https://iam.example.com");
        machine.set("IBMCLOUD_IAM_API_ENDPOINT", "https://chosen.example.com");
        assert_eq!(endpoint(&machine), "https://chosen.example.com");
    }

    #[test]
    fn the_working_directory_counts_only_where_the_settings_allow_it() {
        let mut machine = Machine::new();
        machine.file(
            "here/ibm-credentials.env",
            "CONTAINER_REGISTRY_APIKEY=key\n",
        );
        assert_eq!(machine.found("us.icr.io"), Ok(None));
        machine.settings("working-directory-credentials = true\n");
        machine.finds("us.icr.io", "the API key in ");
        machine.file(FILE, "CONTAINER_REGISTRY_AUTH_TYPE=nonsense\n");
        machine.finds("us.icr.io", "here/ibm-credentials.env");
        let named = machine.file("here/named", "CONTAINER_REGISTRY_APIKEY=key\n");
        machine.set("IBM_CREDENTIALS_FILE", &named.display().to_string());
        machine.finds("us.icr.io", "here/named");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let mut machine = machine_with("APIKEY=key");
        machine.set("IBM_CREDENTIALS_FILE", "/nonexistent/file");
        machine.fails_with(&[
            "the IBM credentials file /nonexistent/file",
            "cannot be read",
        ]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_broken() {
        let mut machine = Machine::new();
        machine.settings("working-directory-credentials = true\n");
        let path = machine.file("here/ibm-credentials.env", "");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/nonexistent", &path).unwrap();
        machine.file(FILE, "CONTAINER_REGISTRY_APIKEY=key\n");
        machine.fails_with(&["here/ibm-credentials.env", "cannot be read"]);
    }
}
