//! `print`: prints a credential for tools that cannot call a credential helper.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use serde::Serialize;
use zeroize::Zeroizing;

use super::docker_config::basic;
use super::docker_config::docker_config;
use super::print as print_line;
use super::registry_at;
use super::secret_output;
use super::to_json;
use super::warnings::Warnings;
use super::when;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credential::Credential;
use crate::credentials::Broker;
use crate::credentials::login_hint;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::iam::jwt;
use crate::keychain::Prompting;
use crate::kubernetes::label;
use crate::kubernetes::subdomain;
use crate::login::LoginKind;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::text::shell;
use crate::text::shell::Quotes;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr print us.icr.io | helm registry login us.icr.io -u iambearer --password-stdin
  (umask 077; docker-credential-icr print us.icr.io --format docker-config > auth.json)
  docker-credential-icr print us.icr.io --format kubernetes-secret --credential iamapikey | kubectl apply -f -";

/// Print a credential for tools without helper support
///
/// A token has at least half its lifetime left, unless you supplied it yourself.
/// The output is a secret: on a terminal, it needs --reveal.
///
/// Formats:
///   value               only the password
///   env                 shell commands that set ICR_REGISTRY, ICR_USERNAME,
///                       ICR_PASSWORD, CF_DOCKER_USERNAME and CF_DOCKER_PASSWORD
///   basic               base64 of USER:PASSWORD, for an Authorization header
///   json                registry, username, password, expires_at
///   docker-config       a config.json or auth.json with this credential
///   kubernetes-secret   the manifest of a pull secret (kubernetes.io/dockerconfigjson)
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Registry, for example us.icr.io
    #[arg(value_name = "REGISTRY")]
    registry: String,

    /// Output format: value, env, basic, json, docker-config or kubernetes-secret
    #[arg(long, value_enum, default_value_t = Format::Value, hide_possible_values = true)]
    format: Format,

    /// Print another kind of credential, named by its user name
    #[arg(long, value_name = "KIND", value_parser = credential_kind())]
    credential: Option<CredentialKind>,

    /// Name of the Kubernetes secret [default: icr-pull-secret]
    #[arg(long, value_parser = subdomain)]
    name: Option<String>,

    /// Namespace of the Kubernetes secret
    #[arg(long, value_parser = label)]
    namespace: Option<String>,

    /// Print the secret even on a terminal
    #[arg(long)]
    reveal: bool,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Format {
    Value,
    Env,
    Basic,
    Json,
    DockerConfig,
    KubernetesSecret,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let of_secret = [
        ("--name", &arguments.name),
        ("--namespace", &arguments.namespace),
    ];
    let of_secret = of_secret.iter().find(|(_, value)| value.is_some());
    if let Some((flag, _)) = of_secret.filter(|_| arguments.format != Format::KubernetesSecret) {
        return Err(
            Error::usage(format!("{flag} needs --format kubernetes-secret")).with_hint(format!(
                "Add --format kubernetes-secret, or leave out {flag}"
            )),
        );
    }
    // Checked before any request, so that this error is shown without delay.
    secret_output::require_hidden(stdio, arguments.reveal, secret_output::ELSEWHERE)?;
    let (registry, settings) = registry_at(&arguments.registry, context)?;
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let credential =
        broker
            .get_fresh(&registry, arguments.credential)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    let hint = login_hint(&registry, &session.settings, context);
                    Error::user(format!("not logged in to {registry}")).with_hint(hint)
                }
                _ => error,
            })?;
    warn_if_it_expires(arguments.format, &credential, context);
    secret_output::warn_if_readable_by_others(stdio, context);
    print_line(stdio, &formatted(arguments, &registry, &credential)?)
}

/// Warns if a credential expires that is stored for later: by a cluster, or by Cloud Foundry,
/// which stores the password of `cf push` and pulls with it at each restage.
fn warn_if_it_expires(format: Format, credential: &Credential, context: &Context<'_>) {
    let (what, keeper) = match format {
        Format::KubernetesSecret => ("this secret", "in the cluster"),
        Format::Env => (
            "this password",
            "where it is stored, for example by 'cf push'",
        ),
        Format::Value | Format::Basic | Format::Json | Format::DockerConfig => return,
    };
    let expires_at = jwt::times(credential.secret.expose()).map(|times| times.exp);
    let expiry = match LoginKind::of(&credential.username) {
        LoginKind::RefreshToken => Some("within three days".to_owned()),
        _ => expires_at.map(|time| format!("on {}", when(time))),
    };
    if let Some(expiry) = expiry {
        Warnings::new(context).warn(format!(
            "{what} expires {expiry} and is not refreshed {keeper}. For a lasting one, add --credential iamapikey"
        ));
    }
}

/// The JSON answer of `print`.
#[derive(Serialize)]
pub(crate) struct PrintAnswer<'a> {
    /// The registry's host.
    registry: &'a str,
    /// The user name.
    username: &'a str,
    /// The password, a secret.
    password: &'a str,
    /// When the password expires, in seconds since 1970; `null` if unknown or never.
    expires_at: Option<u64>,
}

fn formatted(
    arguments: &Arguments,
    registry: &Registry,
    credential: &Credential,
) -> Result<Zeroizing<String>> {
    let (username, secret) = (&*credential.username, credential.secret.expose());
    let docker_config = || docker_config(&[(registry.clone(), credential.clone())]);
    Ok(match arguments.format {
        Format::Value => Zeroizing::new(secret.to_owned()),
        Format::Env => exports(registry, username, secret),
        Format::Basic => basic(credential),
        Format::Json => to_json(&PrintAnswer {
            registry: registry.host(),
            username,
            password: secret,
            expires_at: jwt::times(secret).map(|times| times.exp),
        })?,
        Format::DockerConfig => docker_config(),
        Format::KubernetesSecret => pull_secret(arguments, &docker_config()),
    })
}

/// Returns the manifest of a pull secret. Names are quoted, because YAML reads some of them
/// as another type.
fn pull_secret(arguments: &Arguments, docker_config: &str) -> Zeroizing<String> {
    let name = arguments.name.as_deref().unwrap_or("icr-pull-secret");
    let namespace = match &arguments.namespace {
        Some(namespace) => format!("  namespace: \"{namespace}\"\n"),
        None => String::new(),
    };
    let data = Zeroizing::new(STANDARD.encode(docker_config));
    Zeroizing::new(format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"{name}\"\n{namespace}type: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: {}",
        *data
    ))
}

fn exports(registry: &Registry, username: &str, secret: &str) -> Zeroizing<String> {
    let variables = [
        ("ICR_REGISTRY", registry.host()),
        ("ICR_USERNAME", username),
        ("ICR_PASSWORD", secret),
        // `cf push --docker-image` (Cloud Foundry CLI).
        ("CF_DOCKER_USERNAME", username),
        ("CF_DOCKER_PASSWORD", secret),
    ];
    let lines: Vec<Zeroizing<String>> = variables
        .iter()
        .map(|(name, value)| {
            Zeroizing::new(format!(
                "export {name}={}",
                *shell::quoted(value, Quotes::Single)
            ))
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
    Zeroizing::new(lines.join("\n"))
}

fn credential_kind() -> impl TypedValueParser<Value = CredentialKind> {
    PossibleValuesParser::new(CredentialKind::NAMES)
        .try_map(|name| CredentialKind::from_name(&name).ok_or("unknown kind"))
}
