//! The session of the IBM Cloud CLI (`ibm-cloud-cli-sdk`,
//! `bluemix/configuration/core_config/bx_config.go`).
//!
//! It is read and never written: what IAM gives for it stays in our own cache.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Identity;
use super::SourceContext;
use super::SystemPaths;
use super::instance_metadata;
use super::proof;
use super::proof::GrantInput;
use super::proof::SourceIdentity;
use crate::environment::CLI_CONFIG_HOME;
use crate::environment::CLI_HOME_VARIABLES;
use crate::environment::Environment;
use crate::environment::POWER_VS_URL;
use crate::environment::VPC_URL;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::sources::advice::SourceKind;
use crate::time::Clock;
use crate::time::Deadline;

/// The hint for a session that cannot be used.
const HINT: &str = "Run 'ibmcloud login', or log in permanently with 'docker-credential-icr login'";

/// The hint for a session that cannot be stored as a login.
const TAKE_OVER_HINT: &str = "Run 'ibmcloud login' first, or log in with an API key";

/// The most that is read, in bytes; a session has about ten thousand.
const LIMIT: u64 = 4 * 1024 * 1024;

/// How long to wait for a file that is locked: it is written in one go.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// How long after that a file may make no sense, because somebody who takes no
/// lock is writing it, or somebody who does never lets go. Long, because a file
/// system that is busy lets whoever cuts a file wait before he may write it.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long to wait before it is read again, and how long for its lock then.
const PAUSE: Duration = Duration::from_millis(5);

/// The parts of `config.json` that say who is logged in and where.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Session {
    #[serde(rename = "CloudName")]
    cloud_name: Option<String>,
    #[serde(rename = "CRIType")]
    compute_resource_type: Option<String>,
    #[serde(rename = "IAMEndpoint")]
    endpoint: Option<String>,
    #[serde(rename = "IAMPrivateEndpoint")]
    private_endpoint: Option<String>,
    #[serde(rename = "IAMPrivateVPCEndpoint")]
    vpc_endpoint: Option<String>,
    #[serde(rename = "IAMRefreshToken")]
    refresh_token: Option<Secret>,
    #[serde(rename = "IAMToken")]
    access_token: Option<Secret>,
    #[serde(rename = "IsAccessFromVPC")]
    is_in_vpc: bool,
    #[serde(rename = "IsLoggedInAsCRI")]
    is_compute_resource: bool,
    #[serde(rename = "IsPrivate")]
    is_private: bool,
    #[serde(rename = "Profile")]
    profile: Option<AssumedProfile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AssumedProfile {
    #[serde(rename = "ID")]
    id: Option<String>,
}

/// The session, for taking it over for registries of production or of staging.
///
/// # Errors
/// Nobody is logged in, or in a way that does not last.
pub(crate) fn refreshable_session<'a>(
    context: &SourceContext<'a>,
    is_staging: bool,
) -> Result<Box<dyn Identity + 'a>> {
    let path = path_of_session(context.environment, context.system_paths)?;
    let session = match &path {
        Some(path) => read(path, context.clock)?.map(|session| (source(path), session)),
        None => None,
    };
    let Some((source, session)) = session else {
        return Err(
            Error::user("the IBM Cloud CLI has no session").with_hint("Run 'ibmcloud login' first")
        );
    };
    let fail = |reason: &str| Error::user(format!("{source} {reason}"));
    if session.is_staging() != is_staging {
        return Err(fail(
            "is of another IBM Cloud than the registry: staging has an IAM of its own",
        ));
    }
    let endpoint = session.endpoint(context).map_err(|reason| fail(&reason))?;
    let refresh_token = usable(session.refresh_token).filter(crate::iam::is_token);
    let token =
        refresh_token.ok_or_else(|| fail("has no refresh token").with_hint(TAKE_OVER_HINT))?;
    let client = Client::cli();
    let proof = GrantInput::RefreshToken { token, client };
    let proven = SourceIdentity::new(context, source, SourceKind::Hint(TAKE_OVER_HINT), proof);
    Ok(Box::new(proven.at(endpoint)))
}

/// Whoever is logged in with the CLI.
pub(super) fn find<'a>(
    registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let Some(path) = path_of_session(context.environment, context.system_paths)? else {
        return Ok(None);
    };
    let Some(session) = read(&path, context.clock)? else {
        return Ok(None);
    };
    // Neither IAM's tokens are good for the other's registries.
    if session.is_staging() != registry.is_staging() {
        return Ok(None);
    }
    let source = source(&path);
    let fail = |reason: &str| Error::user(format!("{source} {reason}")).with_hint(HINT);
    let endpoint = session.endpoint(context).map_err(|reason| fail(&reason))?;
    let Some(proven) = session
        .prove(context, &source)
        .map_err(|reason| fail(&reason))?
    else {
        return Ok(None);
    };
    let proven = proven.at(endpoint);
    Ok(Some(
        proven.assuming(context.choice.trusted_profile.cloned()),
    ))
}

fn source(path: &Path) -> String {
    format!("the IBM Cloud CLI's session in {}", path.display())
}

/// A token as the session has it, if it has one.
fn usable(token: Option<Secret>) -> Option<Secret> {
    let token = proof::without_scheme(token?.expose());
    (!token.is_empty()).then_some(token)
}

impl Session {
    fn is_staging(&self) -> bool {
        self.cloud_name.as_deref() == Some("staging")
    }

    /// The IAM that the CLI itself would ask.
    fn endpoint(&self, context: &SourceContext<'_>) -> Result<Endpoint, String> {
        let chosen = match (self.is_private, self.is_in_vpc) {
            (true, true) => &self.vpc_endpoint,
            (true, false) => &self.private_endpoint,
            (false, _) => &self.endpoint,
        };
        match chosen.as_deref().filter(|url| !url.is_empty()) {
            Some(url) if context.choice.iam_endpoint.is_none() => {
                Endpoint::parse(url).map_err(|reason| format!("names an IAM that {reason}"))
            }
            _ => Ok(context.endpoint.clone()),
        }
    }

    /// The session's tokens; nothing when nobody is logged in.
    fn prove<'a>(
        self,
        context: &SourceContext<'a>,
        source: &str,
    ) -> Result<Option<SourceIdentity<'a>>, String> {
        let (access, refresh) = (usable(self.access_token), usable(self.refresh_token));
        if access.is_none() && refresh.is_none() {
            return Ok(None);
        }
        if ![&access, &refresh]
            .into_iter()
            .flatten()
            .all(crate::iam::is_token)
        {
            return Err("holds no token where one should be".into());
        }
        let machine = match self.compute_resource_type.as_deref() {
            _ if !self.is_compute_resource => None,
            Some("VPC") => Some(machine(context, VPC_URL, MetadataService::vpc)?),
            Some("PVS") => Some(machine(context, POWER_VS_URL, MetadataService::power_vs)?),
            _ => None,
        };
        match (
            proof::of_tokens(access, refresh, Client::cli(), context),
            machine,
        ) {
            (Some(proof), _) => {
                let kind = SourceKind::CliSession;
                Ok(Some(SourceIdentity::new(context, source, kind, proof)))
            }
            (None, Some(service)) => {
                let profile = self.profile.and_then(|profile| profile.id);
                let profile = profile.map(TrustedProfile::Id);
                Ok(Some(instance_metadata::proven(context, service, profile)))
            }
            (None, None) => Err("has expired".into()),
        }
    }
}

/// The metadata service where the CLI would ask it (`ibm-cloud-cli-sdk`,
/// `VPCCRITokenURL`).
fn machine(
    context: &SourceContext<'_>,
    variable: &str,
    service_at: fn(Option<&str>) -> Result<MetadataService, String>,
) -> Result<MetadataService, String> {
    let url = context.environment.text(variable);
    let url = url.map_err(|failure| format!("cannot be renewed: {failure}"))?;
    service_at(url).map_err(|reason| format!("cannot be renewed: ${variable} {reason}"))
}

/// Where the CLI would look (`ibm-cloud-cli-sdk`,
/// `bluemix/configuration/config_helpers/helpers.go`), if there is anything in the
/// home directory or somebody named another one.
fn path_of_session(
    environment: &Environment,
    system_paths: &SystemPaths,
) -> Result<Option<PathBuf>> {
    const FILE: &str = "config.json";
    if let Some(directory) = environment.text(CLI_CONFIG_HOME)? {
        return Ok(Some(Path::new(directory).join(FILE)));
    }
    let mut home = system_paths.home.clone();
    for variable in CLI_HOME_VARIABLES.iter().rev() {
        if let Some(directory) = environment.text(variable)? {
            home = Some(PathBuf::from(directory));
        }
    }
    let file = home.map(|home| {
        let current = home.join(".ibmcloud");
        let directory = if current.exists() {
            current
        } else {
            home.join(".bluemix")
        };
        directory.join(FILE)
    });
    Ok(file.filter(|file| fs::entry_exists(file)))
}

/// What is in the file; nothing when there is none.
fn read(path: &Path, clock: &dyn Clock) -> Result<Option<Session>> {
    let fail = |reason: String| {
        Error::user(format!(
            "cannot read the IBM Cloud CLI's session in {} ({reason})",
            path.display()
        ))
        .with_hint(HINT)
    };
    let mut outcome = read_once(path, LOCK_PATIENCE);
    let deadline = Deadline::after(clock, PATIENCE);
    while let Ok(Err(_)) = outcome {
        if deadline.remaining(clock).is_zero() {
            break;
        }
        clock.sleep(PAUSE);
        outcome = read_once(path, PAUSE);
    }
    match outcome {
        Ok(Ok(session)) => Ok(Some(session)),
        Ok(Err(error)) => Err(fail(format!(
            "it is no session, at line {}, column {}",
            error.line(),
            error.column()
        ))),
        Err(error) if is_missing(&error) && !fs::entry_exists(path) => Ok(None),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Reads the file under the lock that the CLI takes to write it.
fn read_once(
    path: &Path,
    patience: Duration,
) -> anyhow::Result<Result<Session, serde_json::Error>> {
    let bytes = zeroize::Zeroizing::new(fs::read_locked(path, LIMIT, patience)?);
    Ok(serde_json::from_slice(&bytes))
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::super::Identity;
    use super::super::tests::Machine;
    use super::super::tests::NOW;
    use super::*;
    use crate::iam::jwt;
    #[cfg(unix)]
    use crate::time::SystemClock;

    const FILE: &str = "home/.bluemix/config.json";

    fn token(end: u64) -> String {
        jwt::unsigned(&json!({"exp": end}))
    }

    fn machine_with(session: &Value) -> Machine {
        let machine = Machine::new();
        machine.file(FILE, &session.to_string());
        machine
    }

    /// The IAM that the session's refresh token goes to.
    fn endpoint(machine: &Machine) -> String {
        machine.look("us.icr.io", |registry, context| {
            let proven = find(registry, context).unwrap().unwrap();
            proven.endpoint().base().to_owned()
        })
    }

    #[test]
    fn the_sessions_own_iam_is_asked_unless_another_is_chosen() {
        let session = |is_private: bool, is_in_vpc: bool| {
            json!({
                "IAMEndpoint": "https://iam.example.com",
                "IAMPrivateEndpoint": "https://private.example.com",
                "IAMPrivateVPCEndpoint": "https://vpc.example.com/identity/token",
                "IAMRefreshToken": "r", "IsAccessFromVPC": is_in_vpc, "IsPrivate": is_private
            })
        };
        for (is_private, is_in_vpc, base) in [
            (false, false, "https://iam.example.com"),
            (false, true, "https://iam.example.com"),
            (true, false, "https://private.example.com"),
            (true, true, "https://vpc.example.com"),
        ] {
            let mut machine = machine_with(&session(is_private, is_in_vpc));
            assert_eq!(endpoint(&machine), base);
            machine.set("IBMCLOUD_IAM_API_ENDPOINT", "https://chosen.example.com");
            assert_eq!(endpoint(&machine), "https://chosen.example.com");
        }
        let machine = machine_with(&json!({"IAMRefreshToken": "r", "IAMEndpoint": ""}));
        assert_eq!(endpoint(&machine), Endpoint::public().base());
        let clear = json!({"IAMRefreshToken": "r", "IAMEndpoint": "http://iam.example.com"});
        machine_with(&clear).fails_with(&[
            "IBM Cloud CLI's session",
            "unencrypted",
            "ibmcloud login",
        ]);
    }

    #[test]
    fn a_compute_resource_that_has_no_refresh_token_is_renewed_by_its_machine() {
        let session = |kind: &str, end: u64| {
            json!({
                "CRIType": kind, "IAMToken": format!("Bearer {}", token(end)),
                "IsLoggedInAsCRI": true, "Profile": {"ID": "Profile-1", "Name": "x"}
            })
        };
        let asked = |machine: &Machine| {
            machine.look("us.icr.io", |registry, context| {
                let proven = find(registry, context).unwrap().unwrap();
                let service = proven
                    .metadata_service()
                    .map(|service| service.url().to_owned());
                (service, proven.source())
            })
        };
        for (kind, usual, variable) in [
            ("VPC", "http://169.254.169.254", "IBMCLOUD_CR_VPC_URL"),
            (
                "PVS",
                "https://api.metadata.power-iaas.cloud.ibm.com",
                "IBMCLOUD_CR_PVS_URL",
            ),
        ] {
            machine_with(&session(kind, NOW + 600)).finds("us.icr.io", "token ");
            let mut machine = machine_with(&session(kind, NOW));
            let source = "this machine for trusted profile Profile-1".to_owned();
            assert_eq!(asked(&machine), (Some(usual.into()), source.clone()));
            machine.set(variable, "https://metadata.example.com");
            let moved = Some("https://metadata.example.com".to_owned());
            assert_eq!(asked(&machine), (moved, source));
            machine.unset(variable);
            machine.set(variable, "http://metadata.example.com");
            machine.fails_with(&["IBM Cloud CLI's session", variable, "unencrypted"]);
        }
        for kind in ["IKS", "OTHER", ""] {
            machine_with(&session(kind, NOW)).fails_with(&["has expired", "ibmcloud login"]);
        }
    }

    #[test]
    fn an_access_token_is_used_while_it_is_good() {
        for (left, refresh, expected) in [
            (9, "", None),
            (11, "", Some("token ")),
            (119, "r", Some("the IBM Cloud CLI's session in")),
            (121, "r", Some("token ")),
        ] {
            let session = json!({
                "IAMToken": format!("bearer  {}", token(NOW + left)), "IAMRefreshToken": refresh
            });
            let machine = machine_with(&session);
            match expected {
                Some(part) => machine.finds("us.icr.io", part),
                None => machine.fails_with(&["has expired", "'ibmcloud login'"]),
            }
        }
    }

    #[test]
    fn where_a_refresh_token_is_wanted_a_fresh_access_token_is_not_taken() {
        let session = json!({"IAMToken": token(NOW + 3600), "IAMRefreshToken": "r"});
        let mut machine = machine_with(&session);
        machine.finds("us.icr.io", "token ");
        machine.settings("[profile.p]\ncredential = \"iamrefresh\"\n");
        machine.set("ICR_PROFILE", "p");
        machine.finds("us.icr.io", "the IBM Cloud CLI's session in");
    }

    #[test]
    fn nobody_is_logged_in() {
        for session in [
            "{}",
            r#"{"IAMToken":"","IAMRefreshToken":""}"#,
            r#"{"IAMToken":"Bearer "}"#,
        ] {
            let machine = Machine::new();
            machine.file(FILE, session);
            assert_eq!(machine.found("us.icr.io"), Ok(None), "{session}");
        }
    }

    #[test]
    fn what_is_no_session_is_told_in_a_moment() {
        for text in [
            "",
            "{",
            "null",
            "7",
            "{\"IAMToken\": 7}",
            "{\"IAMToken\": \"Bearer a b\"}",
            "{\"IAMRefreshToken\": \"\u{1f980}\"}",
        ] {
            let machine = Machine::new();
            machine.file(FILE, text);
            machine.fails_with(&["the IBM Cloud CLI's session in", "ibmcloud login"]);
            assert!(
                machine.clock.elapsed.get() <= Duration::from_secs(5),
                "{text}"
            );
        }
    }

    /// Whoever holds the lock must not make us wait for each attempt anew.
    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_held_for_good_costs_a_moment_once() {
        let machine = Machine::new();
        let path = machine.file(FILE, "");
        let holder = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        holder.lock().unwrap();
        let clock = SystemClock::start();
        assert!(read(&path, &clock).is_err());
        let took = clock.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
    }

    #[test]
    fn the_directory_is_found_as_the_cli_finds_it() {
        let mut machine = Machine::new();
        let file = |name: &str| {
            let session = json!({"IAMRefreshToken": name});
            machine.file(&format!("home/{name}/config.json"), &session.to_string())
        };
        for name in [
            ".bluemix",
            ".ibmcloud",
            "old/.bluemix",
            "new/.bluemix",
            "new/.ibmcloud",
            "named",
        ] {
            file(name);
        }
        let home = machine.system_paths.home.clone().unwrap();
        let path = |name: &str| home.join(name).display().to_string();
        machine.finds("us.icr.io", &path(".ibmcloud/config.json"));
        std::fs::remove_dir_all(path(".ibmcloud")).unwrap();
        machine.finds("us.icr.io", &path(".bluemix/config.json"));
        machine.set("BLUEMIX_HOME", &path("old"));
        machine.finds("us.icr.io", &path("old/.bluemix/config.json"));
        machine.set("IBMCLOUD_HOME", &path("new"));
        machine.finds("us.icr.io", &path("new/.ibmcloud/config.json"));
        machine.set("IBMCLOUD_CONFIG_HOME", &path("named"));
        machine.finds("us.icr.io", &path("named/config.json"));
        std::fs::remove_dir_all(path("named")).unwrap();
        assert_eq!(
            machine.found("us.icr.io"),
            Ok(None),
            "the CLI looks nowhere else"
        );
    }
}
