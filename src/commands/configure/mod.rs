//! `configure`: adds the helper to clients' files, and removes it again.

mod advice;
mod apply;
mod files;
mod output;
mod plan;
mod undo;

use crate::client_config::Client;
use crate::commands::clients::machine;
use crate::commands::conclude;
use crate::commands::configure_choice::Choosing;
use crate::commands::print;
use crate::commands::print_json;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Result;
use crate::keychain::Prompting;
use advice::tell_of_nobody;
use advice::warn_of_snap;
use output::Done;
use output::as_json;
use output::told;
use undo::undo;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr configure                         asks, or takes what it finds
  docker-credential-icr configure --registry us.icr.io de.icr.io
  docker-credential-icr configure podman --registry us.icr.io
  docker-credential-icr configure --migrate               moves passwords into the keychain
  docker-credential-icr configure --all --dry-run         shows what it would do
  docker-credential-icr configure --undo                  takes it all out again";

/// Switch the helper on in the files of docker and podman, or off again
///
/// Nothing else in these files changes: not a space. Passwords for registries
/// that lie in them are told; --migrate moves them into the keychain.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The client; without it, all that are found
    client: Option<Client>,

    /// Registries, such as us.icr.io
    #[arg(long = "registry", value_name = "HOST", num_args = 1.., value_delimiter = ',')]
    registries: Vec<String>,

    /// Every public registry; makes a classic `docker build` slower
    #[arg(long, conflicts_with = "registries")]
    all: bool,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Take out what `configure` has put in; passwords do not come back
    #[arg(long, conflicts_with_all = ["registries", "all", "migrate", "force"])]
    undo: bool,

    /// Move the registries' passwords that lie in these files into the keychain
    #[arg(long)]
    migrate: bool,

    /// Replace other helpers, and other logins in the keychain
    #[arg(long)]
    force: bool,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

struct Configuring<'a> {
    arguments: &'a Arguments,
    broker: &'a Broker<'a>,
    hosts: Vec<String>,
    is_interactive: bool,
    warnings: &'a Warnings<'a>,
    context: &'a Context<'a>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let warnings = Warnings::new(context);
    let (done, failures) = match arguments.undo {
        true => undo(arguments, context, &warnings)?,
        false => configure(arguments, context, &warnings)?,
    };
    match arguments.json {
        true => print_json(stdio, &as_json(arguments, &done, &warnings))?,
        false => {
            let text = told(arguments, &done, failures.is_empty());
            if !text.is_empty() {
                print(stdio, &text)?;
            }
        }
    }
    if !arguments.undo && !arguments.dry_run {
        tell_of_nobody(&done, context, &warnings)?;
    }
    conclude(&failures)
}

fn configure(
    arguments: &Arguments,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<(Vec<Done>, Vec<String>)> {
    let session = Session::open(context, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let is_interactive = context.terminal.is_interactive() && !arguments.json;
    let machine = machine(context);
    let choosing = Choosing {
        broker: &broker,
        is_interactive,
        machine,
        moves_passwords: arguments.migrate,
        warnings,
        context,
    };
    let choice = choosing.choose(arguments.client, &arguments.registries, arguments.all)?;
    let configuring = Configuring {
        arguments,
        broker: &broker,
        hosts: choice.hosts,
        is_interactive,
        warnings,
        context,
    };
    let (done, failures) = configuring.run(&choice.files)?;
    warn_of_snap(&choice.clients, context, warnings);
    Ok((done, failures))
}
