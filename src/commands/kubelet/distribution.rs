//! The distributions of Kubernetes: where the kubelet's configuration, its programs and its flags
//! are, and which service runs the kubelet.

use std::path::Path;

use clap::ValueEnum;

use crate::fs;

/// The file of MicroShift's configuration that `kubelet install` writes: Red Hat's documentation
/// of MicroShift, "Using configuration snippets".
pub(super) const MICROSHIFT_SNIPPET: &str =
    "/etc/microshift/config.d/90-docker-credential-icr.yaml";

/// The size limit of `os-release`, in bytes.
const MAX_OS_RELEASE: u64 = 64 * 1024;

/// A distribution of Kubernetes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Distribution {
    Kubeadm,
    K3s,
    Rke2,
    Talos,
    Microshift,
    Openshift,
}

impl Distribution {
    /// Returns the distribution of a machine, by its files; `None` if it is no node.
    pub(super) fn of_machine(root: &Path) -> Option<Self> {
        let has = |path: &str| root.join(path).exists();
        let release = fs::read_regular(&root.join("etc/os-release"), MAX_OS_RELEASE);
        let release = release.unwrap_or_default();
        let mut lines = release.lines().filter_map(|line| line.strip_prefix("ID="));
        match lines.next_back().map(|id| id.trim_matches('"')) {
            Some("talos") => return Some(Self::Talos),
            Some("rhcos" | "scos") => return Some(Self::Openshift),
            _ => {}
        }
        let candidates = [
            (Self::Rke2, "var/lib/rancher/rke2"),
            (Self::K3s, "var/lib/rancher/k3s"),
            (Self::Microshift, "etc/microshift"),
            (Self::Kubeadm, "var/lib/kubelet"),
        ];
        let mut found = candidates.into_iter().filter(|(_, path)| has(path));
        found.next().map(|(distribution, _)| distribution)
    }

    /// Returns the units of systemd that run the kubelet, of which a node has one.
    pub(super) fn units(self) -> &'static [&'static str] {
        match self {
            Self::K3s => &["k3s", "k3s-agent"],
            Self::Rke2 => &["rke2-server", "rke2-agent"],
            Self::Microshift => &["microshift"],
            Self::Kubeadm | Self::Talos | Self::Openshift => &["kubelet"],
        }
    }

    /// Returns the name of the program that is the kubelet, or contains it.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::K3s => "k3s",
            Self::Rke2 => "rke2",
            Self::Microshift => "microshift",
            Self::Kubeadm | Self::Talos | Self::Openshift => "kubelet",
        }
    }

    /// Returns the usual path of the configuration, and the directory of the program.
    pub(super) fn paths(self) -> (&'static str, &'static str) {
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

    /// Returns the kubelet's flags.
    pub(super) fn command_line(file: &str, directory: &str) -> String {
        format!(
            "--image-credential-provider-config={file} --image-credential-provider-bin-dir={directory}"
        )
    }

    /// Returns what makes the kubelet read the configuration.
    pub(super) fn flags(self, config: &str) -> String {
        let (file, directory) = self.paths();
        let flags = Self::command_line(file, directory);
        match self {
            Self::Kubeadm => format!(
                "# In /etc/default/kubelet (Debian, Ubuntu) or /etc/sysconfig/kubelet (others), besides other\n# arguments of the line; then 'systemctl restart kubelet'\nKUBELET_EXTRA_ARGS=\"{flags}\"\n"
            ),
            Self::K3s | Self::Rke2 => {
                let name = self.program();
                let units = self.units().join("' or 'systemctl restart ");
                format!(
                    "# Nothing more for the default paths; 'systemctl restart {units}'.\n# For other paths, in /etc/rancher/{name}/config.yaml:\nimage-credential-provider-config: {file}\nimage-credential-provider-bin-dir: {directory}\n"
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
