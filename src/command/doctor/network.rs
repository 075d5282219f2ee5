//! Do IAM and the registries answer, and what do they say?

use std::time::Duration;

use super::Finding;
use super::Patient;
use super::command;
use crate::broker::Broker;
use crate::clock::Deadline;
use crate::environment;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::one_line;
use crate::iam::endpoint::Endpoint;
use crate::iam::owner::Owner;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::registry_login;

/// The variables that name proxies, and hosts that are reached without one.
const PROXY_VARIABLES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// The longest value that is shown, in characters.
const LONGEST_VALUE: usize = 200;

/// A clock that is further off than this is worth a warning, in seconds: tokens may
/// seem to have ended to those who judge them by their own times.
const CLOCK_TOLERANCE: u64 = 60;

/// IAM that takes longer than this makes people wait.
const SLOW: Duration = Duration::from_secs(3);

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = vec![proxy(patient.world.environment)];
    findings.extend(trust(patient.world.environment));
    let Some(broker) = patient.broker() else {
        return findings;
    };
    let registries = patient.registries(&broker);
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for registry in &registries {
        let endpoint = broker.endpoint_of(&LoginScope::Registry(registry.clone()));
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    for endpoint in &endpoints {
        findings.extend(iam(endpoint, &broker));
    }
    findings.extend(
        registries
            .iter()
            .flat_map(|registry| of_registry(registry, &broker)),
    );
    findings
}

fn proxy(environment: &Environment) -> Finding {
    const CHECK: &str = "proxy";
    let set = PROXY_VARIABLES.iter().filter_map(|name| {
        let value = environment.text(name).ok().flatten()?;
        let value = one_line(&without_user(value), LONGEST_VALUE);
        Some(format!("{name}={value}"))
    });
    let set: Vec<String> = set.collect();
    match set.is_empty() {
        true => Finding::fine(CHECK, "no variable names a proxy"),
        false => Finding::fine(
            CHECK,
            format!("proxies are used as these say: {}", set.join(", ")),
        ),
    }
}

/// A URL without a user name and a password.
fn without_user(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}[redacted]@{host}"),
        None => url.to_owned(),
    }
}

fn trust(environment: &Environment) -> Option<Finding> {
    let file = environment.text(environment::CERTIFICATE_FILE).ok()??;
    Some(Finding::fine(
        "trust",
        format!("beside the system's certificate authorities those in {file} are trusted"),
    ))
}

/// Whether IAM is there, how far away, and what its clock says.
fn iam(endpoint: &Endpoint, broker: &Broker<'_>) -> Vec<Finding> {
    const CHECK: &str = "iam";
    let clock = broker.clock;
    let started = clock.elapsed();
    let deadline = Deadline::after(clock, broker.settings.limits.deadline);
    let sign = broker.iam(endpoint, 1, deadline).sign();
    let took = clock.elapsed() - started;
    let base = endpoint.base();
    let sign = match sign {
        Ok(sign) => sign,
        Err(error) => {
            let failure = error.with_source("the network", endpoint);
            return vec![Finding::failure(CHECK, &failure)];
        }
    };
    let seen = format!("IAM at {base} answered after {} ms", took.as_millis());
    let mut findings = vec![match took > SLOW {
        false => Finding::fine(CHECK, seen),
        true => Finding::warning(
            CHECK,
            format!("{seen}, which is slow"),
            "look at the network and the proxy",
        ),
    }];
    findings.extend(sign.now.map(|theirs| of_clock(clock.now(), theirs)));
    findings
}

fn of_clock(ours: u64, theirs: u64) -> Finding {
    const CHECK: &str = "clock";
    let off = ours.abs_diff(theirs);
    match (off > CLOCK_TOLERANCE, ours > theirs) {
        (false, _) => Finding::fine(CHECK, format!("this machine's clock is {off} s off IAM's")),
        (true, ahead) => Finding::warning(
            CHECK,
            format!(
                "this machine's clock is {off} s {} IAM's: certificates and tokens may seem to have ended, or not to have begun",
                if ahead { "ahead of" } else { "behind" }
            ),
            "sudo timedatectl set-ntp true",
        ),
    }
}

/// What a client would get, and what the registry says to it.
fn of_registry(registry: &Registry, broker: &Broker<'_>) -> Vec<Finding> {
    const EXCHANGE: &str = "exchange";
    let started = broker.clock.elapsed();
    let credential = match broker.get(registry) {
        Ok(credential) => credential,
        // Said already, by who speaks.
        Err(Failure::NotFound) => return Vec::new(),
        Err(failure) => return vec![Finding::failure(EXCHANGE, &failure)],
    };
    let took = (broker.clock.elapsed() - started).as_millis();
    let owner = Owner::of(&credential.secret);
    let owner = owner
        .map(|owner| format!(", which is {owner}"))
        .unwrap_or_default();
    let exchange = Finding::fine(
        EXCHANGE,
        format!(
            "{registry}: `get` answers `{}` after {took} ms{owner}",
            credential.username
        ),
    );
    let (transport, limits) = (broker.transport, broker.settings.limits);
    let answer = registry_login::try_out(registry, &credential, transport, limits);
    let answer = match answer {
        Ok(()) => Finding::fine("registry", format!("{registry} takes it")),
        Err(failure) => Finding::problem(
            "registry",
            failure.to_string(),
            command(&format!("status --check {registry}")),
        ),
    };
    vec![exchange, answer]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_proxys_password_is_not_shown() {
        for (url, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            (
                "http://user:password@proxy:3128",
                "http://[redacted]@proxy:3128",
            ),
            ("user:p@ss@proxy", "[redacted]@proxy"),
            ("localhost,.example.com", "localhost,.example.com"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }

    #[test]
    fn a_clock_may_be_a_little_off() {
        for (ours, theirs, verdict, word) in [
            (1000, 1000, Verdict::Fine, "0 s"),
            (1060, 1000, Verdict::Fine, "60 s"),
            (1061, 1000, Verdict::Warning, "ahead"),
            (1000, 5000, Verdict::Warning, "behind"),
        ] {
            let finding = of_clock(ours, theirs);
            assert_eq!(finding.verdict, verdict);
            assert!(finding.seen.contains(word), "{finding:?}");
        }
    }
}
