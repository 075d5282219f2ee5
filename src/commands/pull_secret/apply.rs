//! `pull-secret apply`: writes secrets once, or keeps them fresh.

use std::path::PathBuf;
use std::time::Duration;

use super::cluster;
use super::cluster::Cluster;
use super::keeper::Keeper;
use super::keeper::Plan;
use super::target::Target;
use super::watch;
use crate::commands::conclude_errors;
use crate::commands::registry_at;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::kubernetes::subdomain;
use crate::registry::Registry;

/// Write pull secrets, and keep them fresh with --watch
///
/// Writes secrets of the type kubernetes.io/dockerconfigjson by server-side apply. A secret of
/// this name that another program made is named and left as it is.
///
/// With --watch, each secret is written again at half of the life of its token, and new namespaces
/// get theirs within --interval. Errors are logged, and tried again after at most five minutes.
/// Each renewal is one line on stdout, each error one line on stderr.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// Registries, for example us.icr.io
    #[arg(long = "registry", value_name = "REGISTRY", num_args = 1.., required = true)]
    registries: Vec<String>,

    #[command(flatten)]
    target: Target,

    /// Add the secret to the imagePullSecrets of these service accounts
    #[arg(long = "service-account", value_name = "NAME", num_args = 1.., value_parser = subdomain)]
    service_accounts: Vec<String>,

    /// Keep running, and renew the secrets
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,

    /// Seconds between two looks at the cluster
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "watch")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    /// File that exists while the secrets can be used
    #[arg(long, value_name = "FILE", requires = "watch")]
    ready_file: Option<PathBuf>,
}

pub(super) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let registries = registries(&arguments.registries, context)?;
    let mut settings = context.settings()?;
    // The API server keeps the tokens, so nothing is gained by a process that stays behind.
    settings.background_refresh = false;
    let prompting = if arguments.watch {
        Prompting::Never
    } else {
        Prompting::Allowed
    };
    let session = Session::with_settings(context, settings, prompting)?;
    let broker = Broker::new(&session);
    let plan = Plan {
        target: &arguments.target,
        registries,
        service_accounts: arguments.service_accounts.iter().cloned().collect(),
        writes_all: !arguments.watch,
    };
    let mut keeper = Keeper::new(plan, &broker);
    if arguments.watch {
        let options = watch::Options {
            interval: Duration::from_secs(arguments.interval),
            ready_file: arguments.ready_file.as_deref(),
        };
        watch::exit_on_termination();
        return watch::run(&mut keeper, &broker, &options, stdio, || true);
    }
    let connection = cluster::connection(&arguments.target, context)?;
    let cluster = Cluster::new(&connection, &arguments.target, &broker);
    let round = keeper.round(&cluster, stdio);
    conclude_errors(
        round
            .errors
            .into_iter()
            .chain(round.foreign.into_values())
            .collect(),
    )
}

/// Returns the registries at these addresses, each once, sorted.
fn registries(addresses: &[String], context: &Context<'_>) -> Result<Vec<Registry>> {
    let mut registries = Vec::new();
    for address in addresses {
        registries.push(registry_at(address, context)?.0);
    }
    registries.sort_by(|one, other| one.host().cmp(other.host()));
    registries.dedup_by(|one, other| one.host() == other.host());
    Ok(registries)
}
