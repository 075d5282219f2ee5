//! `kubelet config`: prints the configuration of the kubelet, its flags, and the rights of nodes.

use clap::ValueEnum;

use super::PROVIDER;
use super::distribution::Distribution;
use crate::commands::print;
use crate::commands::registry_at;
use crate::context::Context;
use crate::context::Stdio;
use crate::environment;
use crate::environment::SERVICE_ACCOUNT_PROFILE;
use crate::error::Error;
use crate::error::Result;
use crate::iam::trusted_profile::TrustedProfile;
use crate::registry;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr kubelet config --registry us.icr.io de.icr.io
  docker-credential-icr kubelet config --registry us.icr.io --service-accounts
  docker-credential-icr kubelet config --service-accounts --only rbac | kubectl apply -f -";

/// Print the kubelet's configuration for this program
///
/// Prints a CredentialProviderConfig, which the kubelet reads as it is. Comments say which
/// files and flags the kubelet needs, and which rights its nodes need to ask for tokens of
/// service accounts. Writes nothing.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(super) struct Arguments {
    #[command(flatten)]
    provider: ProviderArguments,

    /// Distribution whose files and flags are shown
    #[arg(long = "for", value_name = "DISTRIBUTION", default_value = "kubeadm")]
    distribution: Distribution,

    /// Print only this part
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
}

/// What the provider answers for, and with which identity.
#[derive(clap::Args)]
pub(super) struct ProviderArguments {
    /// Registries, such as us.icr.io [default: all public ones]
    #[arg(long = "registry", value_name = "HOST", num_args = 1.., value_delimiter = ',')]
    registries: Vec<String>,

    /// Exchange the tokens of pods' service accounts for a trusted profile (Kubernetes 1.34)
    #[arg(long)]
    pub(super) service_accounts: bool,

    /// Trusted profile of service accounts without an annotation
    #[arg(long, value_name = "ID", requires = "service_accounts")]
    profile: Option<String>,

    /// Set a variable of the program, such as ICR_SOURCE=vpc
    #[arg(long = "env", value_name = "NAME=VALUE", num_args = 1..)]
    variables: Vec<String>,
}

/// A part of what is printed.
#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Part {
    /// The CredentialProviderConfig
    Config,
    /// The kubelet's flags, as the distribution sets them
    Flags,
    /// The rights of nodes to tokens of service accounts
    Rbac,
}

/// The rights that the API server demands of a kubelet (Kubernetes documentation, "Node
/// authorization"; the audience is IAM's).
const RBAC: &str = include_str!("../../../install/kubernetes/service-accounts/rbac.yaml");

pub(super) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let config = provider_config(&arguments.provider, context)?;
    let distribution = arguments.distribution;
    let flags = distribution.flags(&config);
    let text = match arguments.only {
        Some(Part::Config) => config,
        Some(Part::Flags) => flags,
        Some(Part::Rbac) => RBAC.to_owned(),
        None => {
            let path = distribution.paths().0;
            let mut text = format!(
                "# Save this as {path}, and the program as\n# {}/{PROVIDER}.\n{config}",
                distribution.paths().1
            );
            text.push_str("\n# Then:\n");
            text.push_str(&comment(&flags));
            if arguments.provider.service_accounts {
                text.push_str("\n# In the cluster, once:\n");
                text.push_str(&comment(RBAC));
            }
            text
        }
    };
    print(stdio, text.trim_end())
}

/// Returns the configuration with this provider alone.
///
/// # Errors
/// The settings cannot be loaded, or an argument is invalid.
pub(super) fn provider_config(
    arguments: &ProviderArguments,
    context: &Context<'_>,
) -> Result<String> {
    let settings = context.settings()?;
    let hosts = hosts(&arguments.registries, context)?;
    let profile = arguments.profile.as_deref();
    let profile = profile.map(checked_profile).transpose()?;
    let profile = profile.map(|profile| Ok((SERVICE_ACCOUNT_PROFILE, profile)));
    let given = arguments.variables.iter().filter(|text| !text.is_empty());
    let variables = given.map(|text| checked_variable(text)).chain(profile);
    let variables: Result<Vec<(&str, &str)>> = variables.collect();
    let annotation = &settings.service_accounts.annotation;
    let service_accounts = arguments.service_accounts.then_some(annotation.as_str());
    Ok(config(&hosts, service_accounts, &variables?))
}

/// Returns the name and the value of a variable. A secret is read from a file, because others can
/// see arguments, and the kubelet's configuration.
fn checked_variable(text: &str) -> Result<(&str, &str)> {
    let usage = |reason: &str| Error::usage(format!("--env {reason}"));
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| usage("has to be NAME=VALUE"))?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(usage("has to be NAME=VALUE"));
    }
    if value.contains(['"', '\\']) || value.contains(char::is_control) {
        return Err(usage(&format!("{name} contains quotation marks")));
    }
    if environment::names_secret(name) && !value.starts_with('@') {
        return Err(usage(&format!(
            "{name} contains a secret. Write it to a file that only root can read, and use {name}=@FILE"
        )));
    }
    Ok((name, value))
}

/// Returns the hosts of the registries that a person named, or all public ones.
fn hosts(addresses: &[String], context: &Context<'_>) -> Result<Vec<String>> {
    if addresses.is_empty() {
        let regions = registry::REGIONS.into_iter();
        let hosts = regions.flat_map(|region| [region.host, region.private_host]);
        return Ok(hosts.chain(["cp.icr.io"]).map(str::to_owned).collect());
    }
    let mut hosts: Vec<String> = Vec::new();
    for address in addresses {
        let (registry, _): (Registry, _) = registry_at(address, context)?;
        if !hosts.iter().any(|host| host == registry.host()) {
            hosts.push(registry.host().to_owned());
        }
    }
    Ok(hosts)
}

fn checked_profile(text: &str) -> Result<&str> {
    let is_plain = !text.contains(['"', '\\']);
    match TrustedProfile::parse(text) {
        Ok(_) if is_plain => Ok(text.trim()),
        Ok(_) => Err(Error::usage("--profile contains quotation marks")),
        Err(reason) => Err(Error::usage(format!("--profile {reason}"))),
    }
}

/// Returns the configuration. `service_accounts` is the key of the annotation with a profile.
fn config(hosts: &[String], service_accounts: Option<&str>, variables: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n  - name: {PROVIDER}\n    apiVersion: credentialprovider.kubelet.k8s.io/v1\n    matchImages:\n"
    );
    for host in hosts {
        text.push_str(&format!("      - \"{host}\"\n"));
    }
    text.push_str("    defaultCacheDuration: \"0s\"\n    args: [\"kubelet\"]\n");
    if !variables.is_empty() {
        text.push_str("    env:\n");
    }
    for (name, value) in variables {
        text.push_str(&format!(
            "      - name: {name}\n        value: \"{value}\"\n"
        ));
    }
    if let Some(annotation) = service_accounts {
        text.push_str(&format!(
            "    tokenAttributes:\n      serviceAccountTokenAudience: iam\n      cacheType: ServiceAccount\n      requireServiceAccount: false\n      optionalServiceAccountAnnotationKeys:\n        - \"{annotation}\"\n"
        ));
    }
    text
}

/// Returns a text as comments of YAML.
fn comment(text: &str) -> String {
    let lines = text.lines().map(|line| match line {
        line if line.starts_with('#') => format!("{line}\n"),
        "" => "#\n".to_owned(),
        line => format!("#   {line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_exact_hosts() {
        let hosts = ["us.icr.io".to_owned(), "private.us.icr.io".to_owned()];
        let text = config(
            &hosts,
            Some("example.com/profile"),
            &[(SERVICE_ACCOUNT_PROFILE, "Profile-1")],
        );
        expect_test::expect![[r#"
            apiVersion: kubelet.config.k8s.io/v1
            kind: CredentialProviderConfig
            providers:
              - name: icr-credential-provider
                apiVersion: credentialprovider.kubelet.k8s.io/v1
                matchImages:
                  - "us.icr.io"
                  - "private.us.icr.io"
                defaultCacheDuration: "0s"
                args: ["kubelet"]
                env:
                  - name: ICR_SERVICE_ACCOUNT_PROFILE
                    value: "Profile-1"
                tokenAttributes:
                  serviceAccountTokenAudience: iam
                  cacheType: ServiceAccount
                  requireServiceAccount: false
                  optionalServiceAccountAnnotationKeys:
                    - "example.com/profile"
        "#]]
        .assert_eq(&text);
    }
}
