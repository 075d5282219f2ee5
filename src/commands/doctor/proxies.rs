//! Checks the proxies of the variables, of the settings and of docker.

use super::CheckContext;
use super::Diagnostic;
use crate::client_config::docker_proxy;
use crate::commands::clients;
use crate::environment::Environment;
use crate::error::one_line;
use crate::http::proxy;
use crate::http::proxy::PROXY_VARIABLES;
use crate::http::proxy::Proxies;
use crate::http::proxy::Proxy;
use crate::http::proxy::ProxyOrigin;

const CHECK: &str = "proxy";

/// The check of the proxies that only docker has.
const DOCKER_CHECK: &str = "docker-proxy";

/// The maximum length of a list of hosts in a message, in characters.
const MAX_VALUE: usize = 200;

/// The variables with a proxy for unencrypted requests, which this program does not send to
/// other machines.
const UNENCRYPTED: [&str; 2] = ["HTTP_PROXY", "http_proxy"];

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let environment = context.context.environment;
    let proxies = &context.settings.proxies;
    let mut diagnostics: Vec<Diagnostic> = PROXY_VARIABLES
        .into_iter()
        .filter_map(|name| variable(name, environment))
        .collect();
    diagnostics.extend(ineffective_entries(context.settings.no_proxy()));
    diagnostics.extend(only_unencrypted(environment, proxies));
    let has_warnings = !diagnostics.is_empty();
    if let Some(message) = active_proxies(context, has_warnings) {
        diagnostics.insert(0, Diagnostic::ok(CHECK, message));
    }
    diagnostics
}

/// Returns the message about the proxy that is used; `None` if there is none and warnings
/// explain why.
fn active_proxies(context: &CheckContext<'_>, has_warnings: bool) -> Option<String> {
    let environment = context.context.environment;
    let list = context.settings.no_proxy().map(|list| {
        let name = match proxy::no_proxy_variable(environment) {
            Some((name, _)) => name,
            None => "no-proxy",
        };
        format!("{name}={}", one_line(list, MAX_VALUE))
    });
    let proxy = match context.settings.proxies.configured() {
        Some((ProxyOrigin::Variable(name), Ok(proxy))) => {
            let empty = PROXY_VARIABLES
                .into_iter()
                .take_while(|other| *other != name)
                .filter(|other| environment.names().any(|it| it == *other));
            let notes: Vec<String> = empty
                .map(|other| format!("{other} is empty"))
                .chain(proxy.tolerated.iter().map(|note| (*note).to_owned()))
                .collect();
            let notes = if notes.is_empty() {
                String::new()
            } else {
                format!(" ({})", notes.join("; "))
            };
            Some(format!("{name}={}{notes}", proxy.redacted()))
        }
        Some((ProxyOrigin::Setting, Ok(proxy))) => Some(format!("proxy={}", proxy.redacted())),
        Some((_, Err(_))) | None => None,
    };
    match (proxy, list) {
        (None, None) if has_warnings => None,
        (None, None) => Some("no variable and no setting names a proxy".to_owned()),
        (proxy, list) => {
            let parts: Vec<String> = proxy.into_iter().chain(list).collect();
            Some(format!("proxy settings: {}", parts.join(", ")))
        }
    }
}

/// Returns the warning about a variable that is no proxy, or that other programs read
/// differently.
fn variable(name: &'static str, environment: &Environment) -> Option<Diagnostic> {
    const ENCODE: &str = "with special characters of the password percent-encoded";
    Some(match proxy::in_variable(environment, name)? {
        Err(reason) => Diagnostic::warning(
            CHECK,
            format!("{name} is not a usable proxy: {reason}"),
            format!("Set {name}=http://HOST:PORT, or unset it"),
        ),
        Ok(Proxy {
            is_read_by_go: true,
            ..
        }) => return None,
        Ok(proxy) => Diagnostic::warning(
            CHECK,
            format!(
                "{name} is read as {}, but docker and podman cannot read it",
                proxy.redacted()
            ),
            format!("Set {name} without blanks, line breaks and quotes, {ENCODE}"),
        ),
    })
}

/// Warns about entries of a list of hosts that match no host.
fn ineffective_entries(list: Option<&str>) -> Option<Diagnostic> {
    let entries = list?.split(',').map(str::trim);
    let wrong: Vec<&str> = entries
        .filter(|entry| entry.contains("://") || entry.contains(char::is_whitespace))
        .collect();
    (!wrong.is_empty()).then(|| {
        Diagnostic::warning(
            CHECK,
            format!(
                "entries of NO_PROXY match no host: {}",
                one_line(&wrong.join(", "), MAX_VALUE)
            ),
            "Separate hosts by commas, without http:// and https://",
        )
    })
}

/// Warns if only `HTTP_PROXY` is set.
fn only_unencrypted(environment: &Environment, proxies: &Proxies) -> Option<Diagnostic> {
    let name = UNENCRYPTED.into_iter().find(|name| environment.has(name))?;
    proxies.configured().is_none().then(|| {
        Diagnostic::warning(
            CHECK,
            format!("{name} is not for https://, so requests to IAM use no proxy"),
            "Set HTTPS_PROXY as well if IAM can be reached only through the proxy",
        )
    })
}

/// Reports the proxies that only docker has. They matter if IAM cannot be reached.
pub(super) fn of_docker(context: &CheckContext<'_>, is_iam_reached: bool) -> Vec<Diagnostic> {
    if context.settings.proxies.configured().is_some() {
        return Vec::new();
    }
    let found = docker_proxy::docker_proxies(&clients::machine(context.context));
    let diagnostic = found.into_iter().map(|found| {
        let file = found.file.display();
        let proxy = Proxy::parse(&found.value).ok();
        let url = proxy.map_or_else(|| "a proxy".to_owned(), |proxy| proxy.redacted());
        let message = format!("docker has {url} in {file}, and this program has no proxy");
        if is_iam_reached {
            return Diagnostic::ok(
                DOCKER_CHECK,
                format!("{message}; IAM is reachable without it"),
            );
        }
        let fix = "Set HTTPS_PROXY, or the setting 'proxy', to this proxy";
        Diagnostic::warning(DOCKER_CHECK, message, fix)
    });
    diagnostic.collect()
}
