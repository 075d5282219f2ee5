//! The requests that `kubelet check` tries: one for each registry without a service account, and
//! one with the token of a service account.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use super::check::AUDIENCE;
use super::check::CHECK;
use super::trial::Account;
use super::trial::Plugin;
use super::trial::Trial;
use crate::PROGRAM;
use crate::client_config::kubelet_provider::Provider;
use crate::client_config::kubelet_values;
use crate::commands::doctor::diagnostic::Diagnostic;
use crate::commands::scopes::listed;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::secret::Secret;
use crate::settings::Settings;
use crate::time;

/// The size limit of a token, in bytes.
const MAX_TOKEN_SIZE: u64 = 64 * 1024;

/// The lifetime of a made-up token, in seconds.
const LIFETIME: u64 = 600;

/// What is tried.
pub(super) struct Trials<'a> {
    /// The settings of this machine.
    pub(super) settings: &'a Settings,
    /// The service account whose token a person gave.
    pub(super) account: Option<Account>,
    /// The time, in seconds since 1970.
    pub(super) now: u64,
    /// The variables of the kubelet.
    pub(super) environment: Vec<(String, String)>,
}

/// Reads the token of a service account from a file, or from stdin.
///
/// # Errors
/// The file cannot be read.
pub(super) fn given_account(
    file: &Path,
    profile: Option<&str>,
    settings: &Settings,
    stdio: &mut Stdio<'_>,
) -> Result<Account> {
    let token = if file == Path::new("-") {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdio.input.take(MAX_TOKEN_SIZE).read_to_end(&mut bytes);
        read.map_err(|error| Error::user(format!("cannot read stdin ({error})")))?;
        Secret::new(String::from_utf8_lossy(&bytes).trim())
    } else {
        let text = fs::read_regular(file, MAX_TOKEN_SIZE).map_err(|error| {
            Error::from_anyhow(&error).with_context(format!("cannot read {}", file.display()))
        })?;
        Secret::new(text.trim())
    };
    let key = &settings.service_accounts.annotation;
    let annotation = profile.map(|profile| (key.clone(), profile.to_owned()));
    Ok(Account {
        token,
        annotations: annotation.into_iter().collect(),
    })
}

impl Trials<'_> {
    /// Runs the program for the registries that its patterns match.
    pub(super) fn run(
        &self,
        provider: &Provider,
        program: &Path,
        hosts: &[String],
    ) -> Vec<Diagnostic> {
        let matched: BTreeSet<&String> = hosts
            .iter()
            .filter(|host| {
                let mut patterns = provider.match_images.iter();
                patterns.any(|pattern| kubelet_values::matches_host(pattern, host))
            })
            .collect();
        let plugin = Plugin {
            provider,
            program,
            environment: &self.environment,
        };
        let attributes = provider.token_attributes.as_ref();
        let mut diagnostics = Vec::new();
        if !attributes.is_some_and(|attributes| attributes.requires_account) {
            diagnostics.extend(with(&plugin, &matched, None));
        }
        if attributes.is_some() {
            match &self.account {
                Some(account) => {
                    diagnostics.extend(with(&plugin, &matched, Some(account)));
                }
                // One is enough, because IAM logs it.
                None => diagnostics.extend(
                    matched
                        .first()
                        .map(|host| self.with_made_up_token(&plugin, host)),
                ),
            }
        } else if self.account.is_some() {
            diagnostics.push(Diagnostic::warning(
                CHECK,
                "the token was not tried, because the kubelet sends none to this provider",
                format!("Add the tokenAttributes that '{PROGRAM} kubelet config --service-accounts' prints"),
            ));
        }
        diagnostics
    }

    /// Checks that a pod does not get the node's identity with a token that IAM does not accept.
    fn with_made_up_token(&self, plugin: &Plugin<'_>, host: &str) -> Diagnostic {
        let account = Account {
            token: made_up_token(self.now),
            annotations: BTreeMap::new(),
        };
        let path = plugin.program.display();
        let reason = match plugin.ask(host, Some(&account)) {
            Ok(Trial::Found(_)) => {
                return Diagnostic::warning(
                    CHECK,
                    format!(
                        "{path} gives a pod the node's identity if IAM does not accept the token of its service account"
                    ),
                    "Remove service-account-fallback from the settings",
                );
            }
            Ok(Trial::Nothing) => "empty answer".to_owned(),
            Err(reason) => reason,
        };
        let message = format!(
            "{path} gives no credential for a made-up token of a service account ({host}: {reason}). A real one was not tried, because only the API server issues it: 'kubectl create token NAME --audience {AUDIENCE} | {PROGRAM} kubelet check --service-account-token -'"
        );
        Diagnostic::ok(CHECK, message)
    }
}

/// Runs the program once for each registry.
fn with(
    plugin: &Plugin<'_>,
    hosts: &BTreeSet<&String>,
    account: Option<&Account>,
) -> Vec<Diagnostic> {
    let (mut found, mut diagnostics) = (Vec::new(), Vec::new());
    let path = plugin.program.display();
    let sent = account.map_or("", |_| " with the token of the service account");
    for host in hosts {
        match plugin.ask(host, account) {
            Ok(Trial::Found(seconds)) => {
                found.push(format!("{host} (kept for {})", time::duration(seconds)));
            }
            Ok(Trial::Nothing) => diagnostics.push(Diagnostic::warning(
                CHECK,
                format!("{path} has no credential for {host} in the kubelet's environment{sent}"),
                "Log in as root, or name a source in env of the provider (docs/kubernetes-nodes.md)",
            )),
            Err(reason) => diagnostics.push(Diagnostic::problem(
                CHECK,
                format!("{path} {reason} ({host}{sent})"),
                "Correct what the message says; the kubelet logs the same",
            )),
        }
    }
    if !found.is_empty() {
        let message = format!("{path} answers the kubelet for {}{sent}", listed(&found));
        diagnostics.insert(0, Diagnostic::ok(CHECK, message));
    }
    diagnostics
}

/// Returns a token as the API server issues it, without a signature that IAM accepts.
fn made_up_token(now: u64) -> Secret {
    let claims = json!({
        "aud": [AUDIENCE], "exp": now + LIFETIME, "iat": now,
        "iss": format!("https://{PROGRAM}.invalid"),
        "sub": format!("system:serviceaccount:{PROGRAM}:made-up"),
        "kubernetes.io": {
            "namespace": PROGRAM,
            "serviceaccount": {"name": "made-up", "uid": "made-up"},
        },
    });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let (header, claims) = (encode("{\"alg\":\"RS256\"}"), encode(&claims.to_string()));
    Secret::new(format!("{header}.{claims}.{}", encode("made up")))
}
