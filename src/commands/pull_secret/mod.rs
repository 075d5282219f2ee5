//! `pull-secret`: keeps pull secrets in a Kubernetes cluster whose nodes cannot be changed.

mod apply;
mod cluster;
mod diff;
mod events;
mod keeper;
mod managed;
mod ready;
mod remove;
mod schedule;
mod service_accounts;
mod target;
#[cfg(test)]
mod tests;
mod watch;

use crate::context::Context;
use crate::context::Stdio;
use crate::error::Result;

/// The field manager of everything that is written.
const MANAGER: &str = "docker-credential-icr";

/// How often an object is changed while others change it.
const MAX_TRIES: u32 = 5;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr pull-secret apply --registry us.icr.io --namespace build --dry-run
  docker-credential-icr pull-secret apply --registry us.icr.io --all-namespaces --service-account default --watch
  docker-credential-icr pull-secret remove --all-namespaces";

/// Keep pull secrets in a Kubernetes cluster fresh
///
/// For clusters whose nodes cannot be changed. The secrets have tokens that expire within the
/// hour, so no API key is in the cluster. The cluster is that of the kubeconfig, as for kubectl,
/// or the one that the pod runs in.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Apply(Box<apply::Arguments>),
    Ready(ready::Arguments),
    Remove(remove::Arguments),
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    match &arguments.command {
        Command::Apply(arguments) => apply::run(arguments, stdio, context),
        Command::Ready(arguments) => ready::run(arguments, context),
        Command::Remove(arguments) => remove::run(arguments, stdio, context),
    }
}
