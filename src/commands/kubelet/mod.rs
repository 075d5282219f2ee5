//! `kubelet config`, `check`, `install` and `uninstall`: this program as the kubelet's credential
//! provider.
//! The kubelet's own call, without arguments, does not come here.

mod check;
mod config;
mod distribution;
mod install;
mod location;
mod trial;
mod trials;
mod unit;

pub(super) use check::checks_of_node;

use crate::context::Context;
use crate::context::Stdio;
use crate::error::Result;

/// The name of the program among the kubelet's providers: without arguments, it serves the
/// kubelet.
const PROVIDER: &str = "icr-credential-provider";

const EXAMPLES: &str = "\
Examples:
  sudo docker-credential-icr kubelet install --registry us.icr.io
  docker-credential-icr kubelet config --registry us.icr.io
  docker-credential-icr kubelet config --registry us.icr.io --for kubeadm --only flags
  docker-credential-icr kubelet check /etc/kubernetes/credential-provider.yaml";

/// Set up this program as the kubelet's credential provider
///
/// The kubelet runs 'docker-credential-icr kubelet' without a subcommand, or this program
/// under another name, such as icr-credential-provider, and writes a request to stdin. The
/// subcommands print, check and install the configuration that makes it do so.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Check(check::Arguments),
    Config(config::Arguments),
    Install(install::Arguments),
    Uninstall(install::UninstallArguments),
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    match &arguments.command {
        Command::Check(arguments) => check::run(arguments, stdio, context),
        Command::Config(arguments) => config::run(arguments, stdio, context),
        Command::Install(arguments) => install::run(arguments, stdio, context),
        Command::Uninstall(arguments) => install::uninstall(arguments, stdio, context),
    }
}
