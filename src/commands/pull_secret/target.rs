//! Which secrets of which cluster are meant.

use crate::kubernetes::Writing;
use crate::kubernetes::label;
use crate::kubernetes::subdomain;

/// The arguments that name secrets.
#[derive(clap::Args)]
pub(super) struct Target {
    /// Namespaces of the secrets
    #[arg(long = "namespace", value_name = "NAMESPACE", num_args = 1.., value_parser = label)]
    #[arg(
        required_unless_present = "all_namespaces",
        conflicts_with = "all_namespaces"
    )]
    pub(super) namespaces: Vec<String>,

    /// Use all namespaces, also those that are created later
    #[arg(long)]
    pub(super) all_namespaces: bool,

    /// Use only namespaces with these labels, such as team=build
    #[arg(long, value_name = "LABELS", conflicts_with = "namespaces")]
    pub(super) selector: Option<String>,

    /// Name of the secrets
    #[arg(long, default_value = "icr-pull-secret", value_parser = subdomain)]
    pub(super) name: String,

    /// Context of the kubeconfig instead of the current one
    #[arg(long)]
    pub(super) context: Option<String>,

    /// Show what would change, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Target {
    /// Returns whether changes are made.
    pub(super) fn writing(&self) -> Writing {
        if self.dry_run {
            Writing::DryRun
        } else {
            Writing::Real
        }
    }

    /// Returns the name of a secret for people: `build/icr-pull-secret`.
    pub(super) fn secret_in(&self, namespace: &str) -> String {
        format!("{namespace}/{}", self.name)
    }
}
