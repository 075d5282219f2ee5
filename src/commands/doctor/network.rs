//! Checks certificates, IAM, the clock and the registries.

use std::time::Duration;

use super::CheckContext;
use super::Diagnostic;
use super::Verdict;
use super::certificates;
use super::proxies;
use crate::credentials::Broker;
use crate::credentials::CredentialCheck;
use crate::iam::endpoint::Endpoint;
use crate::iam::owner::Owner;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::registry::credential_check;
use crate::settings::CredentialKind;
use crate::time::Deadline;

/// A larger difference from IAM's clock causes a warning, in seconds. Clients compare a
/// token's times with this machine's clock.
const CLOCK_TOLERANCE: u64 = 60;

/// IAM is slow if a response takes this long.
const SLOW: Duration = Duration::from_secs(3);

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = proxies::check(context);
    diagnostics.extend(certificates::check(context));
    let Some(broker) = context.broker() else {
        return diagnostics;
    };
    let logins = broker.login_snapshot();
    let registries = context.registries(&logins);
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for registry in &registries {
        let endpoint = broker.endpoint_of(&LoginScope::Registry(registry.clone()));
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    let answers: Vec<Diagnostic> = endpoints
        .iter()
        .flat_map(|endpoint| iam(endpoint, &broker))
        .collect();
    let is_reached = answers.iter().all(|it| it.verdict != Verdict::Problem);
    diagnostics.extend(proxies::of_docker(context, is_reached));
    diagnostics.extend(answers);
    let probe = CredentialCheck::new(&broker, logins);
    diagnostics.extend(
        registries
            .iter()
            .flat_map(|registry| token(registry, &probe, &broker)),
    );
    diagnostics
}

/// Checks that IAM answers, how fast, and the difference from its clock.
fn iam(endpoint: &Endpoint, broker: &Broker<'_>) -> Vec<Diagnostic> {
    const CHECK: &str = "iam";
    let clock = broker.context.clock;
    let started = clock.elapsed();
    let deadline = Deadline::after(clock, broker.settings.limits.deadline);
    let sign = broker.iam(endpoint, 1, deadline).server_time();
    let took = clock.elapsed() - started;
    let base = endpoint.base();
    let sign = match sign {
        Ok(sign) => sign,
        Err(error) => {
            let error = error.without_source(endpoint);
            return vec![Diagnostic::error(CHECK, &error)];
        }
    };
    let message = format!("IAM at {base} answered in {} ms", took.as_millis());
    let mut diagnostics = vec![if took > SLOW {
        let message = format!("{message}, which is slow");
        Diagnostic::warning(CHECK, message, "Check the network and the proxy")
    } else {
        Diagnostic::ok(CHECK, message)
    }];
    diagnostics.extend(sign.now.map(|iam| clock_difference(clock.now(), iam)));
    diagnostics
}

/// Compares this machine's clock with IAM's; both in seconds since 1970.
fn clock_difference(local: u64, iam: u64) -> Diagnostic {
    const CHECK: &str = "clock";
    let difference = local.abs_diff(iam);
    if difference <= CLOCK_TOLERANCE {
        return Diagnostic::ok(
            CHECK,
            format!("this machine's clock differs from IAM's by {difference} s"),
        );
    }
    let direction = if local > iam { "ahead of" } else { "behind" };
    Diagnostic::warning(
        CHECK,
        format!(
            "this machine's clock is {difference} s {direction} IAM's: valid certificates and tokens may be rejected"
        ),
        "sudo timedatectl set-ntp true",
    )
}

/// Requests a new token and shows it to the registry. A cached token would hide that
/// IAM rejects the source now.
fn token(registry: &Registry, probe: &CredentialCheck<'_>, broker: &Broker<'_>) -> Vec<Diagnostic> {
    const EXCHANGE: &str = "exchange";
    let started = broker.context.clock.elapsed();
    let credential = match probe.credential(registry) {
        Ok(Some(credential)) => credential,
        Ok(None) => {
            let message = format!(
                "{registry}: IAM issued a token; the next `get` requests a registry token with it"
            );
            return vec![Diagnostic::ok(EXCHANGE, message)];
        }
        // The group of sources reports it.
        Err(error) if error.is_not_found() => return Vec::new(),
        Err(error) => {
            return vec![Diagnostic::error_about(EXCHANGE, registry.host(), &error)];
        }
    };
    let took = (broker.context.clock.elapsed() - started).as_millis();
    let owner = Owner::of(&credential.secret);
    let owner = owner
        .map(|owner| format!(" for {owner}"))
        .unwrap_or_default();
    // A login for one registry can be a password, which clients get unchanged.
    let is_token = [CredentialKind::AccessToken, CredentialKind::RegistryToken]
        .iter()
        .any(|kind| kind.username() == credential.username);
    let what = if is_token { "token" } else { "credential" };
    let exchange = Diagnostic::ok(
        EXCHANGE,
        format!(
            "{registry}: got a {what}{owner} in {took} ms, user name {}",
            credential.username
        ),
    );
    let (transport, limits) = (broker.context.transport, broker.settings.limits);
    let proxies = &broker.settings.proxies;
    let answer =
        credential_check::check_credential(registry, &credential, transport, limits, proxies);
    let answer = match answer {
        Ok(()) => Diagnostic::ok("registry", format!("{registry} accepted the {what}")),
        Err(error) => Diagnostic::error_about("registry", registry.host(), &error),
    };
    vec![exchange, answer]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_clock_difference_of_over_a_minute_is_a_warning() {
        for (local, iam, verdict, word) in [
            (1000, 1000, Verdict::Ok, "0 s"),
            (1060, 1000, Verdict::Ok, "60 s"),
            (1061, 1000, Verdict::Warning, "ahead"),
            (1000, 5000, Verdict::Warning, "behind"),
        ] {
            let diagnostic = clock_difference(local, iam);
            assert_eq!(diagnostic.verdict, verdict);
            assert!(diagnostic.message.contains(word), "{diagnostic:?}");
        }
    }
}
