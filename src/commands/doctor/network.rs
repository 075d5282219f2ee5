//! Do IAM and the registries answer, and what do they say?

use std::path::PathBuf;
use std::time::Duration;

use super::CheckContext;
use super::Diagnostic;
use crate::credentials::Broker;
use crate::credentials::Probe;
use crate::environment::CERTIFICATE_FILE;
use crate::environment::Environment;
use crate::error::one_line;
use crate::http::certificates;
use crate::http::certificates::Authorities;
use crate::iam::endpoint::Endpoint;
use crate::iam::endpoint::parse_url;
use crate::iam::owner::Owner;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::registry::credential_check;
use crate::time::Deadline;

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

/// A directory of certificate authorities, which the TLS library reads in place of the
/// system's (`rustls-native-certs`).
const CERTIFICATE_DIRECTORY: &str = "SSL_CERT_DIR";

/// The longest value that is shown, in characters.
const LONGEST_VALUE: usize = 200;

/// A clock that is further off than this is worth a warning, in seconds: tokens may
/// seem to have ended to those who judge them by their own times.
const CLOCK_TOLERANCE: u64 = 60;

/// IAM that takes longer than this makes people wait.
const SLOW: Duration = Duration::from_secs(3);

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut findings = proxies(patient.context.environment);
    findings.push(trust(patient));
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
    let probe = Probe::new(&broker);
    findings.extend(
        registries
            .iter()
            .flat_map(|registry| of_registry(registry, &probe, &broker)),
    );
    findings
}

fn proxies(environment: &Environment) -> Vec<Diagnostic> {
    const CHECK: &str = "proxy";
    let mut set: Vec<String> = Vec::new();
    let mut findings: Vec<Diagnostic> = Vec::new();
    for name in PROXY_VARIABLES {
        let Some(value) = environment.text(name).ok().flatten() else {
            continue;
        };
        let shown = one_line(&without_user(value), LONGEST_VALUE);
        let shown = format!("{name}={shown}");
        if is_list_of_hosts(name) || is_usable_proxy(value) {
            set.push(shown);
        } else {
            findings.push(Diagnostic::warning(
                CHECK,
                format!("{shown} names no proxy that this program can use"),
                format!("export {name}=http://HOST:PORT, or unset {name}"),
            ));
        }
    }
    match (set.is_empty(), findings.is_empty()) {
        (true, true) => findings.push(Diagnostic::fine(CHECK, "no variable names a proxy")),
        (true, false) => {}
        (false, _) => findings.push(Diagnostic::fine(
            CHECK,
            format!("proxies are used as these say: {}", set.join(", ")),
        )),
    }
    findings
}

fn is_list_of_hosts(variable: &str) -> bool {
    variable.eq_ignore_ascii_case("NO_PROXY")
}

/// Whether the HTTP client takes this for a proxy: `http` or `https`, which may be
/// left out; it passes over what else it finds (`hyper-util`,
/// `client/proxy/matcher.rs`), and is built without SOCKS.
fn is_usable_proxy(value: &str) -> bool {
    let url = match value.contains("://") {
        true => value.to_owned(),
        false => format!("http://{value}"),
    };
    parse_url(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
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

/// Whose certificates are believed.
fn trust(patient: &CheckContext<'_>) -> Diagnostic {
    const CHECK: &str = "trust";
    let environment = patient.context.environment;
    let file = environment.text(CERTIFICATE_FILE);
    let file = file.ok().flatten().map(PathBuf::from);
    let is_named = file.is_some();
    let limit = patient.settings.limits.attempt;
    match (certificates::authorities(file, limit), is_named) {
        (Ok(authorities), _) => {
            let has_directory = environment.has(CERTIFICATE_DIRECTORY) && !is_named;
            Diagnostic::fine(CHECK, trusted(&authorities, has_directory))
        }
        (Err(reason), true) => Diagnostic::problem(
            CHECK,
            reason,
            format!(
                "name a file of certificates (PEM) in {CERTIFICATE_FILE}, or unset {CERTIFICATE_FILE}"
            ),
        ),
        (Err(reason), false) => Diagnostic::said(CHECK, reason),
    }
}

fn trusted(authorities: &Authorities, has_directory: bool) -> String {
    let count = authorities.system.map(|count| format!("{count} "));
    let count = count.unwrap_or_default();
    let whose = match has_directory {
        true => format!("the {count}certificate authorities in ${CERTIFICATE_DIRECTORY}"),
        false => format!("the system's {count}certificate authorities"),
    };
    let further = authorities.further.as_ref();
    let further = further.map(|(path, count)| format!(", and {count} in {}", path.display()));
    format!("{whose} are trusted{}", further.unwrap_or_default())
}

/// Whether IAM is there, how far away, and what its clock says.
fn iam(endpoint: &Endpoint, broker: &Broker<'_>) -> Vec<Diagnostic> {
    const CHECK: &str = "iam";
    let clock = broker.context.clock;
    let started = clock.elapsed();
    let deadline = Deadline::after(clock, broker.settings.limits.deadline);
    let sign = broker.iam(endpoint, 1, deadline).sign();
    let took = clock.elapsed() - started;
    let base = endpoint.base();
    let sign = match sign {
        Ok(sign) => sign,
        Err(error) => {
            let failure = error.without_source(endpoint);
            return vec![Diagnostic::failed(CHECK, &failure)];
        }
    };
    let seen = format!("IAM at {base} answered after {} ms", took.as_millis());
    let mut findings = vec![match took > SLOW {
        false => Diagnostic::fine(CHECK, seen),
        true => Diagnostic::warning(
            CHECK,
            format!("{seen}, which is slow"),
            "look at the network and the proxy",
        ),
    }];
    findings.extend(sign.now.map(|theirs| of_clock(clock.now(), theirs)));
    findings
}

fn of_clock(ours: u64, theirs: u64) -> Diagnostic {
    const CHECK: &str = "clock";
    let off = ours.abs_diff(theirs);
    match (off > CLOCK_TOLERANCE, ours > theirs) {
        (false, _) => Diagnostic::fine(CHECK, format!("this machine's clock is {off} s off IAM's")),
        (true, ahead) => Diagnostic::warning(
            CHECK,
            format!(
                "this machine's clock is {off} s {} IAM's: certificates and tokens may seem to have ended, or not to have begun",
                if ahead { "ahead of" } else { "behind" }
            ),
            "sudo timedatectl set-ntp true",
        ),
    }
}

/// What a client would get with a token that IAM issues now, and what the registry says
/// to it. A cached token would hide that IAM does not accept the identity any more.
fn of_registry(registry: &Registry, probe: &Probe<'_>, broker: &Broker<'_>) -> Vec<Diagnostic> {
    const EXCHANGE: &str = "exchange";
    let started = broker.context.clock.elapsed();
    let credential = match probe.credential(registry) {
        Ok(Some(credential)) => credential,
        Ok(None) => {
            let seen = format!(
                "{registry}: IAM gives a new token; the registry token is made by the next `get`"
            );
            return vec![Diagnostic::fine(EXCHANGE, seen)];
        }
        // Said already, by who speaks.
        Err(error) if error.is_not_found() => return Vec::new(),
        Err(failure) => {
            return vec![Diagnostic::failed_for(EXCHANGE, registry.host(), &failure)];
        }
    };
    let took = (broker.context.clock.elapsed() - started).as_millis();
    let owner = Owner::of(&credential.secret);
    let owner = owner
        .map(|owner| format!(", which is {owner}"))
        .unwrap_or_default();
    let exchange = Diagnostic::fine(
        EXCHANGE,
        format!(
            "{registry}: `get` answers `{}` after {took} ms{owner}",
            credential.username
        ),
    );
    let (transport, limits) = (broker.context.transport, broker.settings.limits);
    let answer = credential_check::check_credential(registry, &credential, transport, limits);
    let answer = match answer {
        Ok(()) => Diagnostic::fine("registry", format!("{registry} takes it")),
        Err(failure) => Diagnostic::failed_for("registry", registry.host(), &failure),
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
    fn only_what_the_http_client_takes_is_a_proxy() {
        for value in [
            "http://proxy:3128",
            "https://u:p@proxy",
            "proxy:3128",
            "10.0.0.1",
        ] {
            assert!(is_usable_proxy(value), "{value}");
        }
        for value in ["bogus://x", "socks5://proxy:1080", "http://", "://", "a b"] {
            assert!(!is_usable_proxy(value), "{value}");
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
