//! `kubelet config`: prints the configuration of the kubelet, its flags, and the rights of nodes.

use clap::ValueEnum;

use super::PROVIDER;
use crate::commands::print;
use crate::commands::registry_at;
use crate::context::Context;
use crate::context::Stdio;
use crate::environment::COMPUTE_RESOURCE_PROFILE;
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
    /// Registries, such as us.icr.io [default: all public ones]
    #[arg(long = "registry", value_name = "HOST", num_args = 1..)]
    registries: Vec<String>,

    /// Exchange the tokens of pods' service accounts for a trusted profile (Kubernetes 1.34)
    #[arg(long)]
    service_accounts: bool,

    /// Trusted profile of service accounts without an annotation
    #[arg(long, value_name = "ID", requires = "service_accounts")]
    profile: Option<String>,

    /// Distribution whose files and flags are shown
    #[arg(long = "for", value_name = "DISTRIBUTION", default_value = "kubeadm")]
    distribution: Distribution,

    /// Print only this part
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
}

/// A distribution of Kubernetes.
#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Distribution {
    Kubeadm,
    K3s,
    Rke2,
    Talos,
    Microshift,
    Openshift,
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
    let settings = context.settings()?;
    let hosts = hosts(&arguments.registries, context)?;
    let profile = arguments.profile.as_deref();
    let profile = profile.map(checked_profile).transpose()?;
    let annotation = &settings.service_accounts.annotation;
    let service_accounts = arguments.service_accounts.then_some(annotation.as_str());
    let config = config(&hosts, service_accounts, profile);
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
            if arguments.service_accounts {
                text.push_str("\n# In the cluster, once:\n");
                text.push_str(&comment(RBAC));
            }
            text
        }
    };
    print(stdio, text.trim_end())
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
fn config(hosts: &[String], service_accounts: Option<&str>, profile: Option<&str>) -> String {
    let mut text = format!(
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n  - name: {PROVIDER}\n    apiVersion: credentialprovider.kubelet.k8s.io/v1\n    matchImages:\n"
    );
    for host in hosts {
        text.push_str(&format!("      - \"{host}\"\n"));
    }
    text.push_str("    defaultCacheDuration: \"0s\"\n    args: [\"kubelet\"]\n");
    if let Some(profile) = profile {
        text.push_str(&format!(
            "    env:\n      - name: {COMPUTE_RESOURCE_PROFILE}\n        value: \"{profile}\"\n"
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

impl Distribution {
    /// Returns the usual path of the configuration, and the directory of the program.
    fn paths(self) -> (&'static str, &'static str) {
        match self {
            Self::Kubeadm => (
                "/etc/kubernetes/credential-provider.yaml",
                "/usr/local/libexec/kubelet-credential-providers",
            ),
            // docs.rke2.io and docs.k3s.io: these are the defaults.
            Self::K3s | Self::Rke2 => (
                "/var/lib/rancher/credentialprovider/config.yaml",
                "/var/lib/rancher/credentialprovider/bin",
            ),
            Self::Talos => (
                "the document below",
                "/usr/local/lib/kubelet/credentialproviders",
            ),
            Self::Microshift => (
                "/etc/microshift/credential-provider.yaml",
                "/usr/local/libexec/kubelet-credential-providers",
            ),
            Self::Openshift => (
                "/etc/kubernetes/credential-providers/icr-credential-provider.yaml",
                "/usr/libexec/kubelet-image-credential-provider-plugins",
            ),
        }
    }

    /// Returns what makes the kubelet read the configuration.
    fn flags(self, config: &str) -> String {
        let (file, directory) = self.paths();
        let flags = format!(
            "--image-credential-provider-config={file} --image-credential-provider-bin-dir={directory}"
        );
        match self {
            Self::Kubeadm => format!(
                "# In /etc/default/kubelet (Debian, Ubuntu) or /etc/sysconfig/kubelet (others), besides other\n# arguments of the line; then 'systemctl restart kubelet'\nKUBELET_EXTRA_ARGS=\"{flags}\"\n"
            ),
            Self::K3s | Self::Rke2 => {
                let name = if self == Self::K3s { "k3s" } else { "rke2" };
                format!(
                    "# Nothing more for the default paths; 'systemctl restart {name}-server' or the agent's service.\n# For other paths, in /etc/rancher/{name}/config.yaml:\nimage-credential-provider-config: {file}\nimage-credential-provider-bin-dir: {directory}\n"
                )
            }
            Self::Talos => {
                let lines = config.lines().map(|line| format!("  {line}\n"));
                format!(
                    "# A document of the machine configuration (Talos 1.14; before, machine.kubelet.credentialProviderConfig).\n# The program comes with a system extension.\napiVersion: v1alpha1\nkind: KubeCredentialProviderConfig\nconfiguration:\n{}",
                    lines.collect::<String>()
                )
            }
            Self::Microshift => format!(
                "# In /etc/microshift/config.yaml; both files belong to root, and only root may write to them\nkubelet:\n  imageCredentialProviderConfigPath: {file}\n  imageCredentialProviderBinDir: {directory}\n"
            ),
            Self::Openshift => format!(
                "# Red Hat documents no way to set these flags on IBM Cloud: the machine config operator sets them for\n# AWS, GCP and Azure only. A drop-in of kubelet.service has to add them:\n{flags}\n"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_exact_hosts() {
        let hosts = ["us.icr.io".to_owned(), "private.us.icr.io".to_owned()];
        let text = config(&hosts, Some("example.com/profile"), Some("Profile-1"));
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
                  - name: IBMCLOUD_CR_PROFILE
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
