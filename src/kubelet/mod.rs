//! The kubelet's credential provider protocol: one request on stdin, one answer on stdout.
//!
//! The kubelet runs this program as root for each image that needs a credential, without a
//! terminal, mostly without a home directory and a session bus, and kills it after a minute.
//! It caches an answer for as long as that says, and an error not at all.

mod wire;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::credentials::TimedCredential;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::process::watchdog;
use crate::registry::Registry;
use crate::settings::ServiceAccountFallback;
use crate::settings::Settings;
use crate::sources::ServiceAccount;

use wire::Answer;
use wire::Request;

/// The argument with which the kubelet runs the program.
pub const VERB: &str = "kubelet";

/// How the names of Docker's credential helpers begin. Under another name, the program is the
/// kubelet's provider if it has no arguments.
const HELPER_PREFIX: &str = "docker-credential-";

/// The longest deadline: the kubelet kills the process after 60 seconds.
const MAX_DEADLINE: Duration = Duration::from_secs(45);

/// How long a failure is returned again, in seconds: while it cannot pull an image, the kubelet
/// asks every 13 seconds or so.
const FAILURE_CACHING: u64 = 60;

/// The remaining lifetime, in seconds, up to which the kubelet does not keep a token: a pull must
/// be able to start with it, and takes a while.
const RESERVE: u64 = 5 * 60;

/// How long the kubelet keeps a credential that does not say when it expires, in seconds. A new
/// answer costs milliseconds, so a login that was replaced is used soon.
const KEEPING_WITHOUT_EXPIRY: u64 = 5 * 60;

/// The longest time for which the kubelet keeps a credential, in seconds. It does not notice that
/// one is revoked.
const MAX_KEEPING: u64 = 60 * 60;

/// Returns whether the arguments are those of the kubelet.
pub fn is_requested(arguments: &[OsString]) -> bool {
    matches!(arguments, [verb] if verb == VERB)
}

/// Returns whether a program of this name, without arguments, is the kubelet's provider.
pub fn is_provider_name(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default();
    let name = name.to_string_lossy().to_ascii_lowercase();
    !name.is_empty() && !name.starts_with(HELPER_PREFIX)
}

/// Answers one request of the kubelet.
///
/// # Errors
/// The request is invalid, or there is a source for the registry but no token.
pub(crate) fn serve(stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    watchdog::end_process_after(MAX_DEADLINE);
    let request = Request::parse(&wire::read(stdio.input)?)?;
    let answer = answer(&request, context)?;
    let written = wire::write(stdio.output, &request, &answer);
    written.map_err(|error| Error::unwritten_answer(&error))
}

/// Returns the answer to a request. That there is no credential is an answer, too: the kubelet
/// goes on without one, and asks again.
fn answer<'r>(request: &'r Request, context: &Context<'_>) -> Result<Answer<'r>> {
    let Some(host) = request.host() else {
        return Ok(Answer::Nothing);
    };
    let Some((registry, settings)) = context.registry(host)? else {
        return Ok(Answer::Nothing);
    };
    let mut settings = of_kubelet(settings);
    let depends_on_namespace = settings.select_namespace(&registry, request.namespace());
    watchdog::end_process_after(settings.limits.deadline);
    let session = Session::with_settings(context, settings, Prompting::Never)?;
    let broker = Broker {
        failure_caching: FAILURE_CACHING,
        ..Broker::new(&session)
    };
    match credential(request, &registry, &broker) {
        Ok(found) => Ok(Answer::Found {
            host,
            is_for_image: depends_on_namespace,
            keeping: keeping(found.remaining),
            credential: found.credential,
        }),
        Err(error) if error.is_not_found() => Ok(Answer::Nothing),
        Err(error) => Err(error),
    }
}

/// Returns the credential of the pod's service account, or that of the node if the kubelet sent no
/// token. Only if the settings say so, a service account gets the node's.
fn credential(
    request: &Request,
    registry: &Registry,
    broker: &Broker<'_>,
) -> Result<TimedCredential> {
    let Some(token) = &request.service_account_token else {
        return broker.get_short_lived(registry);
    };
    let settings = &broker.settings.service_accounts;
    let account = ServiceAccount {
        token,
        annotations: &request.annotations,
        profile_key: &settings.annotation,
        profile: settings.profile.as_ref(),
    };
    let outcome = broker.get_for_service_account(registry, &account);
    match (outcome, settings.fallback) {
        (Err(error), ServiceAccountFallback::Node) => {
            tracing::warn!(%error, "the service account gets the node's identity");
            let found = broker.get_short_lived(registry)?;
            // The kubelet would keep it for the service account when that works again.
            Ok(TimedCredential {
                remaining: Some(0),
                ..found
            })
        }
        (outcome, _) => outcome,
    }
}

/// Returns the settings for the kubelet. It keeps each answer for half of its life, so most
/// requests need a new token, and no process may stay behind.
fn of_kubelet(mut settings: Settings) -> Settings {
    settings.background_refresh = false;
    settings.limits.deadline = settings.limits.deadline.min(MAX_DEADLINE);
    settings
}

/// Returns for how many seconds the kubelet may keep a credential: half of what is left, and at
/// most until five minutes before its end.
fn keeping(remaining: Option<u64>) -> u64 {
    let Some(remaining) = remaining else {
        return KEEPING_WITHOUT_EXPIRY;
    };
    let half = remaining / 2;
    half.min(remaining.saturating_sub(RESERVE)).min(MAX_KEEPING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_kept_for_half_of_what_is_left_and_not_in_its_last_minutes() {
        for (remaining, expected) in [
            (3600, 1800),
            (3300, 1650),
            (601, 300),
            (600, 300),
            (599, 299),
            (400, 100),
            (301, 1),
            (300, 0),
            (1, 0),
            (0, 0),
            (u64::MAX, 3600),
        ] {
            assert_eq!(keeping(Some(remaining)), expected, "{remaining} s");
        }
        assert_eq!(keeping(None), 300, "one that does not expire");
    }

    #[test]
    fn the_name_of_the_program_decides_if_there_are_no_arguments() {
        for (name, is_provider) in [
            ("icr-credential-provider", true),
            ("/opt/bin/icr-credential-provider", true),
            ("icr", true),
            ("docker-credential-icr", false),
            ("/usr/bin/docker-credential-icr-1.2", false),
            ("Docker-Credential-ICR.exe", false),
            ("", false),
            ("/", false),
        ] {
            assert_eq!(is_provider_name(Path::new(name)), is_provider, "{name}");
        }
        assert!(is_requested(&["kubelet".into()]));
        assert!(!is_requested(&["kubelet".into(), "check".into()]));
        assert!(!is_requested(&[]));
    }
}
