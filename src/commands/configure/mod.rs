//! `configure`: adds the helper to clients' files, and removes it again.

mod advice;
mod apply;
mod files;
mod former_keychain;
mod output;
mod plan;
mod record;
mod system;
mod undo;

use crate::client_config::Client;
use crate::commands::clients::machine;
use crate::commands::conclude_errors;
use crate::commands::configure_choice::Choosing;
use crate::commands::configure_choice::Purpose;
use crate::commands::counted;
use crate::commands::print;
use crate::commands::print_json;
use crate::commands::screen::Screen;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use advice::note_missing_logins;
use advice::warn_of_snap;
pub(super) use files::access_fix;
pub(super) use files::directory_fix;
use output::FileOutcome;
use output::as_json;
use output::summary;
use undo::undo;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr configure                         asks which registries and clients
  docker-credential-icr configure --registry us.icr.io de.icr.io
  docker-credential-icr configure podman --registry us.icr.io
  docker-credential-icr configure nerdctl --registry us.icr.io
  docker-credential-icr configure --migrate               move passwords to the keychain
  docker-credential-icr configure --all --dry-run         show the changes
  docker-credential-icr configure --all --check           exit with 1 if something is missing
  docker-credential-icr configure --undo                  remove the helper
  docker-credential-icr configure --system --all          configure all users, as root";

/// Add this helper to Docker and Podman (--undo removes it)
///
/// Nothing else in their files changes. Passwords for IBM Cloud registries in these
/// files are reported; --migrate moves them to the keychain.
#[derive(clap::Args, Default)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Configure only this client [default: all that are found]
    client: Option<Client>,

    /// Configure these registries, such as us.icr.io
    #[arg(long = "registry", value_name = "REGISTRY", num_args = 1.., value_delimiter = ',')]
    registries: Vec<String>,

    /// Configure all public registries; docker build without BuildKit asks for each of them
    #[arg(long, conflicts_with = "registries")]
    all: bool,

    /// Show the changes without making them
    #[arg(long)]
    dry_run: bool,

    /// List what is missing without adding it; exit with 1 if anything is
    #[arg(long, conflicts_with_all = ["dry_run", "undo"])]
    check: bool,

    /// Remove what `configure` added; moved passwords are not restored
    #[arg(long, conflicts_with_all = ["registries", "all", "migrate", "force"])]
    undo: bool,

    /// Move the registries' passwords from these files to the keychain
    #[arg(long)]
    migrate: bool,

    /// Replace other helpers and, with --migrate, other logins in the keychain
    #[arg(long)]
    force: bool,

    /// Configure all users, as root: podman's list of helpers, and /etc/skel
    #[arg(long, conflicts_with = "migrate")]
    system: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A run of `configure` whose clients, files and registries are chosen.
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
    if !arguments.system {
        return run_in(arguments, stdio, context);
    }
    let environment = system::environment(context);
    let context = system::context(context, &environment)?;
    run_in(arguments, stdio, &context)
}

fn run_in(arguments: &Arguments, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let warnings = Warnings::new(context);
    let (outcomes, errors) = if arguments.undo {
        undo(arguments, context, &warnings)?
    } else {
        configure(arguments, context, &warnings)?
    };
    if arguments.json {
        print_json(stdio, &as_json(arguments, &outcomes, &warnings)?)?;
    } else {
        let screen = Screen::of(stdio, context);
        let text = summary(arguments, &outcomes, errors.is_empty(), screen);
        if !text.is_empty() {
            print(stdio, &text)?;
        }
    }
    if arguments.check {
        return conclude_check(&outcomes);
    }
    if arguments.system && !arguments.undo {
        system::note_users(&outcomes, &warnings);
    } else if !arguments.undo && !arguments.dry_run {
        note_missing_logins(&outcomes, context, &warnings)?;
    }
    conclude_errors(errors)
}

fn configure(
    arguments: &Arguments,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<(Vec<FileOutcome>, Vec<Error>)> {
    let session = Session::open(context, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let is_interactive = context.terminal.is_interactive() && !arguments.json && !arguments.check;
    let machine = machine(context);
    let choosing = Choosing {
        broker: &broker,
        is_interactive,
        machine,
        moves_passwords: arguments.migrate,
        purpose: match (arguments.check, arguments.dry_run) {
            (true, _) => Purpose::Check,
            (false, true) => Purpose::Preview,
            (false, false) => Purpose::Configure,
        },
        warnings,
        context,
    };
    if arguments.system {
        system::check(arguments, context)?;
    }
    let choice = choosing.choose(arguments.client, &arguments.registries, arguments.all)?;
    let list = if arguments.system {
        system::plan_list(&choice, context)?
    } else {
        None
    };
    let configuring = Configuring {
        arguments,
        broker: &broker,
        hosts: choice.hosts,
        is_interactive,
        warnings,
        context,
    };
    if arguments.check {
        let mut outcomes = configuring.compare(&choice.files)?;
        outcomes.extend(list);
        return Ok((outcomes, Vec::new()));
    }
    let (mut outcomes, mut errors) = configuring.run(&choice.files)?;
    match list.map(|list| system::write_list(list, arguments, context)) {
        Some(Err(error)) => errors.push(error),
        Some(Ok(outcome)) => outcomes.push(outcome),
        None => {}
    }
    warn_of_snap(&choice.clients, context, warnings);
    Ok((outcomes, errors))
}

/// Adds the helper to these clients for these hosts; without hosts, it asks for them. There must
/// be a terminal.
pub(super) fn add_to(
    clients: Vec<Client>,
    hosts: Vec<String>,
    broker: &Broker<'_>,
    stdio: &mut Stdio<'_>,
    warnings: &Warnings<'_>,
) -> Result<()> {
    let context = broker.context;
    let choosing = Choosing {
        broker,
        is_interactive: true,
        machine: machine(context),
        moves_passwords: false,
        purpose: Purpose::Configure,
        warnings,
        context,
    };
    let choice = choosing.choose_for(clients, hosts)?;
    let arguments = Arguments::default();
    let configuring = Configuring {
        arguments: &arguments,
        broker,
        hosts: choice.hosts,
        is_interactive: true,
        warnings,
        context,
    };
    let (outcomes, errors) = configuring.run(&choice.files)?;
    warn_of_snap(&choice.clients, context, warnings);
    let screen = Screen::of(stdio, context);
    let text = summary(&arguments, &outcomes, errors.is_empty(), screen);
    if !text.is_empty() {
        print(stdio, &text)?;
    }
    conclude_errors(errors)
}

/// Returns an error if `--check` found a file that is not as asked.
fn conclude_check(outcomes: &[FileOutcome]) -> Result<()> {
    match outcomes.iter().filter(|outcome| outcome.changed).count() {
        0 => Ok(()),
        count => Err(
            Error::user(format!("{} would change", counted(count, "file")))
                .with_hint("Run the same command without --check"),
        ),
    }
}
