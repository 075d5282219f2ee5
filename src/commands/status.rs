//! `status`: shows the active source of each registry.

use std::collections::BTreeSet;

use super::api_key_lifecycle::expiry_warning;
use super::client_mistakes::describe;
use super::clients::Clients;
use super::counted;
use super::print;
use super::print_json;
use super::redundant_logins;
use super::redundant_logins::Severity;
use super::scopes::listed;
use super::screen::Screen;
use super::table;
use super::target::RegistryArgs;
use super::target::Target;
use super::target::targets;
use crate::PROGRAM;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::credentials::job_hint;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::time;

mod columns;
mod json;
mod message;
mod row;

use columns::Columns;
use columns::FLEXIBLE;
use columns::MAX_CELL;
pub(super) use columns::source_name;
use json::StatusAnswer;
pub(super) use message::Message;
use row::Checked;
pub(super) use row::Row;
pub(super) use row::name_of;

/// The width of the table if it is not written to a terminal, in characters.
const DEFAULT_WIDTH: usize = 100;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr status
  docker-credential-icr status us.icr.io
  docker-credential-icr status --check
  docker-credential-icr status -q us.icr.io || docker-credential-icr login us.icr.io

Exit status: 0 if there are no problems, otherwise 1. Without --check, problems are
sources and keychains that cannot be read, expired logins, and logins that IAM
rejected at the last `get`. It is also 1 if you are not logged in to a registry that
you name, or with --quiet not logged in at all.";

/// Show who is logged in where, and when tokens expire
///
/// Shows each registry that you use, and where its credential comes from (its
/// source): a login, a variable, a file or the machine. You use a registry if it
/// has a login, if the settings name it, or if a client uses this helper for it.
/// Sends no requests without --check.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    registries: RegistryArgs,

    /// Get a token for each registry, and check that the registry accepts it
    #[arg(long)]
    check: bool,

    /// Show all columns, with whole IDs
    #[arg(long)]
    long: bool,

    /// Print nothing; exit with 0 if you are logged in without problems, otherwise 1
    #[arg(long, short, conflicts_with_all = ["json", "long"])]
    quiet: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The rows of the table, and the messages below it.
struct Overview {
    rows: Vec<Row>,
    warnings: Vec<Message>,
    /// What may be intended.
    notes: Vec<Message>,
    /// Problems that belong to no row.
    problems: Vec<Message>,
    /// The clients' files that cannot be read.
    unread_files: Vec<String>,
    /// How to log in where no source is active.
    login_steps: String,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let outcome = show(arguments, stdio, context);
    if arguments.quiet {
        return outcome.map_err(Error::as_shown);
    }
    outcome
}

fn show(arguments: &Arguments, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let session = Session::open(context, Prompting::Never)?;
    let broker = Broker::new(&session);
    let overview = Overview::of(arguments, &broker)?;
    if arguments.json {
        print_json(stdio, &overview.to_json())?;
    } else if !arguments.quiet {
        let screen = Screen::of(stdio, context);
        let columns = Columns {
            is_checked: arguments.check,
            is_long: arguments.long,
            no_client: overview.no_client(),
        };
        print(stdio, &overview.to_text(screen, columns))?;
    }
    match overview.problems().len() {
        0 if overview.lacks_login(arguments) => Err(Error::user("not logged in").as_shown()),
        0 => Ok(()),
        count => Err(Error::user(format!("{} found", counted(count, "problem")))
            .with_hint(format!("Run '{PROGRAM} doctor' for details"))),
    }
}

impl Overview {
    fn of(arguments: &Arguments, broker: &Broker<'_>) -> Result<Self> {
        let files = Clients::of(broker.context, broker.settings);
        let clients = files.by_registry();
        let logins = broker.login_snapshot();
        let is_about_all = arguments.registries.is_empty();
        let (targets, error) = targets(&arguments.registries, &clients, &logins, broker)?;
        let problems = error.iter().map(Message::from).collect();
        // All checks come before the first login is read, because they may change logins.
        let check = |target: Target| {
            let checked = arguments.check.then(|| row::check(&target, broker));
            (target, checked.flatten())
        };
        let targets = targets.into_iter().map(check);
        let checked: Vec<(Target, Option<Result<Checked>>)> = targets.collect();
        let rows = checked
            .into_iter()
            .map(|(target, checked)| Row::of(target, checked, &clients, &logins, broker));
        let rows: Vec<Row> = rows.filter(Row::is_shown).collect();
        let mut overview = Self {
            warnings: warnings(&rows, &files, broker.context.clock.now()),
            notes: Vec::new(),
            login_steps: login_steps(&rows, broker),
            unread_files: files.unread(),
            rows,
            problems,
        };
        overview.add_notices(is_about_all, &logins, broker);
        Ok(overview)
    }

    /// Adds the messages about stored logins: all of them, or those of the rows.
    fn add_notices(&mut self, is_about_all: bool, logins: &LoginSnapshot<'_>, broker: &Broker<'_>) {
        // If logins cannot be listed, that is among the problems already.
        let notices = redundant_logins::notices(broker, logins).unwrap_or_default();
        for notice in notices {
            let is_shown = |row: &Row| row.target.scope() == notice.scope;
            if !is_about_all && !self.rows.iter().any(is_shown) {
                continue;
            }
            match notice.severity {
                Severity::Problem => self.problems.push(notice.into()),
                Severity::Expired => self.warnings.push(notice.into()),
                Severity::Note => self.notes.push(notice.into()),
            }
        }
        // The default login does not apply to these registries, or the person asks about them.
        // If no source is active at all, the next steps are shown instead.
        let default_login = LoginScope::Default.login_command();
        let has_source = self.rows.iter().any(Row::has_source_or_problem);
        let notes = self.rows.iter().filter_map(|row| {
            let command = row.missing_login(broker)?;
            let message = format!("not logged in to {}; pulls are anonymous", row.name());
            let is_noted = command != default_login || (!is_about_all && has_source);
            is_noted.then(|| Message::new(message, command))
        });
        self.notes.extend(notes.collect::<Vec<_>>());
    }

    /// Returns the problems of the rows, then those that belong to no row.
    fn problems(&self) -> Vec<Message> {
        let of_rows = self.rows.iter().filter_map(Row::problem_message);
        of_rows.chain(self.problems.iter().cloned()).collect()
    }

    /// Returns whether a login is missing that the person asks about: for a registry that is
    /// named, or with `--quiet` for all of them.
    fn lacks_login(&self, arguments: &Arguments) -> bool {
        let mut has_source = self.rows.iter().map(Row::has_source_or_problem);
        if arguments.registries.is_empty() {
            arguments.quiet && !has_source.any(|it| it)
        } else {
            !has_source.all(|it| it)
        }
    }

    fn to_text(&self, screen: Screen, columns: Columns) -> String {
        let mut parts = Vec::new();
        if !self.rows.is_empty() {
            parts.push(self.table(screen, columns));
        }
        for (label, styled, messages) in [
            (PROBLEM, screen.problem(PROBLEM), &self.problems()),
            (WARNING, screen.warning(WARNING), &self.warnings),
            (NOTE, NOTE.to_owned(), &self.notes),
        ] {
            let lines = messages.iter().map(|message| {
                let text = one_line(&message.message, 4 * MAX_CELL);
                let text = screen.wrap(&format!("{styled} "), &text);
                let Some(fix) = &message.fix else {
                    return text;
                };
                let hang = format!("{}fix: ", " ".repeat(label.len() + 1));
                let fix = screen.wrap(&hang, &one_line(fix, 4 * MAX_CELL));
                format!("{text}\n{fix}")
            });
            let lines: Vec<String> = lines.collect();
            if !lines.is_empty() {
                parts.push(lines.join("\n"));
            }
        }
        parts.extend(self.next_steps().map(|steps| {
            let lines = steps.lines().map(|line| screen.wrap("", line));
            lines.collect::<Vec<_>>().join("\n")
        }));
        parts.join("\n\n")
    }

    /// Returns the text for a registry without a client.
    fn no_client(&self) -> &'static str {
        if self.unread_files.is_empty() {
            "none"
        } else {
            "unknown"
        }
    }

    fn table(&self, screen: Screen, columns: Columns) -> String {
        let headings = columns.headings();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| columns.cells(row)).collect();
        let width = screen.width().unwrap_or(DEFAULT_WIDTH);
        let cut = if columns.is_long {
            None
        } else {
            table::cut(&headings, &rows, width, &FLEXIBLE)
        };
        table::to_text(&headings, &cut.unwrap_or(rows), screen)
    }

    /// Returns the commands that log in and configure clients, if they are needed.
    fn next_steps(&self) -> Option<String> {
        let no_login =
            !self.rows.iter().any(Row::has_source_or_problem) && self.problems.is_empty();
        let no_client = self.rows.iter().all(|row| row.clients.is_empty());
        let login = &self.login_steps;
        let configure = format!("  {PROGRAM} configure     Add this helper to Docker and Podman");
        let is_unknown = no_client && !self.unread_files.is_empty();
        match (no_login, no_client) {
            (_, true) if is_unknown => {
                let login = no_login.then(|| format!("Not logged in. To continue:\n{login}"));
                let files = listed(&self.unread_files);
                let clients = format!(
                    "No client's file that can be read names this helper. Cannot read {files}. To continue:\n  {PROGRAM} doctor        Show how to correct the file"
                );
                Some(
                    login
                        .into_iter()
                        .chain([clients])
                        .collect::<Vec<_>>()
                        .join("\n\n"),
                )
            }
            (true, true) => Some(format!(
                "Not logged in, and no client uses this helper. To begin:\n{login}\n{configure}"
            )),
            (true, false) => Some(format!("Not logged in. To continue:\n{login}")),
            (false, true) => Some(format!(
                "No client uses this helper. To continue:\n{configure}"
            )),
            (false, false) => None,
        }
    }

    fn to_json(&self) -> StatusAnswer<'_> {
        StatusAnswer {
            registries: self.rows.iter().map(Row::to_json).collect(),
            problems: &self.problems,
            warnings: &self.warnings,
            notes: &self.notes,
        }
    }
}

const PROBLEM: &str = "problem:";
const WARNING: &str = "warning:";
const NOTE: &str = "note:";

/// Returns a line with each command that logs in where no source is active; only the default
/// one if it is enough for a registry.
fn login_steps(rows: &[Row], broker: &Broker<'_>) -> String {
    let default = LoginScope::Default.login_command();
    let commands = rows.iter().filter_map(|row| row.missing_login(broker));
    let commands: BTreeSet<String> = commands.collect();
    if commands.is_empty() || commands.contains(&default) {
        let job = job_hint(&default, broker.settings, broker.context);
        let job = job.map_or(String::new(), |job| format!(" or, {job}"));
        return format!("  {default}         Log in to all registries{job}");
    }
    let commands: Vec<String> = commands.into_iter().collect();
    format!("  {}", commands.join("\n  "))
}

/// Returns warnings about clients' files that cannot be read or have mistakes, outages, and API
/// keys that expire soon, each key once.
fn warnings(rows: &[Row], files: &Clients, now: u64) -> Vec<Message> {
    let unread = files.read_errors().into_iter();
    let unread = unread.map(|error| Message::new(error, format!("{PROGRAM} doctor")));
    let mistakes = files.mistakes().into_iter();
    let mistakes = mistakes.map(|(file, mistake)| {
        let message = describe(&file.path, file.client, mistake);
        Message::new(message, format!("{PROGRAM} doctor"))
    });
    let mut warnings: Vec<Message> = unread.chain(mistakes).collect();
    for row in rows {
        if let Some(outage) = row.outage() {
            let Message { message, fix } = Message::about(row.name(), &outage.error);
            let (since, age) = (time::minute(outage.since), time::duration(outage.age));
            let message = format!("{message} (since {since}, last {age} ago)");
            warnings.push(Message { message, fix });
        }
        let expiring = row.active_source().and_then(|it| expiry_warning(it, now));
        if let Some((message, fix)) = expiring {
            let warning = Message::new(message, fix);
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}
