//! `status`: who is logged in where, and is all well?

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::api_key_lifecycle::ending;
use super::clients::Clients;
use super::own_logins;
use super::own_logins::Severity;
use super::print;
use super::print_json;
use super::scopes;
use super::scopes::Named;
use super::screen::Screen;
use super::table;
use crate::PROGRAM;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::time;

mod row;

use row::HEADINGS;
use row::LONGEST_CELL;
use row::Row;
use row::Subject;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr status                who is logged in where
  docker-credential-icr status us.icr.io      at one registry
  docker-credential-icr status --check        and does it work?
  docker-credential-icr status --json

Exit status: 0 if all is well; 1 if something is broken, which without --check
means a source of identity or a keychain that cannot be read, or that IAM
rejected what the last `get` used.";

/// Print who speaks for each registry, and for how long
///
/// Shows the registries that have a login, that the settings name, or that a
/// client asks this program for; and who speaks for all others. No network is
/// asked unless you say --check.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Registries, such as us.icr.io; without any, all that there is to tell of
    #[arg(value_name = "REGISTRY")]
    registries: Vec<String>,

    /// Get a token for each registry, and ask the registry whether it takes it
    #[arg(long)]
    check: bool,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

/// What there is to show.
struct Overview {
    rows: Vec<Row>,
    warnings: Vec<String>,
    /// What may be meant so.
    notes: Vec<String>,
    /// What cannot be told, and why; and logins that are over.
    trouble: Vec<String>,
    /// What logs in where nothing answers.
    login_commands: Vec<String>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let mut session = Session::open(context, Prompting::Never)?;
    // What is checked may change meanwhile.
    if !arguments.check {
        session.keychains = session.keychains.remembered();
    }
    let broker = Broker::new(&session);
    let overview = Overview::of(arguments, &broker, context)?;
    let screen = Screen::of(stdio, context);
    match arguments.json {
        true => print_json(stdio, &overview.as_json())?,
        false => print(stdio, &overview.shown(screen, arguments.check))?,
    }
    match overview.is_broken() {
        false => Ok(()),
        true => Err(Error::user(format!(
            "something is broken; `{PROGRAM} doctor` looks into it"
        ))),
    }
}

impl Overview {
    fn of(arguments: &Arguments, broker: &Broker<'_>, context: &Context<'_>) -> Result<Self> {
        let files = Clients::of(context, broker.settings);
        let clients = files.by_registry();
        let mut trouble = Vec::new();
        let is_about_all = arguments.registries.is_empty();
        let registries = match is_about_all {
            false => named(&arguments.registries, broker)?,
            true => {
                let stored = broker.scopes().unwrap_or_else(|failure| {
                    trouble.push(failure.to_string());
                    BTreeSet::new()
                });
                scopes::spoken_of(stored, broker.settings, &clients)
            }
        };
        let row = |subject: Subject| {
            // What nobody uses is tried only where there is nothing else to try.
            let is_used = registries.is_empty() || matches!(subject, Subject::One(_));
            Row::of(subject, &clients, arguments.check && is_used, broker)
        };
        let subjects = registries.iter().cloned().map(Subject::One);
        let mut rows: Vec<Row> = subjects.map(row).collect();
        let mut others = broker.settings.all_registries();
        let example = others.find(|other| !other.is_entitled() && !registries.contains(other));
        let others = example.filter(|_| is_about_all).map(Subject::Others);
        // That nobody speaks for the rest is no news.
        rows.extend(others.map(row).filter(|row| !row.is_nobodys()));
        let mut overview = Self {
            warnings: warnings(&rows, &files, context.clock.now()),
            notes: Vec::new(),
            login_commands: login_commands(&rows, broker),
            rows,
            trouble,
        };
        overview.add_notices(is_about_all, broker);
        Ok(overview)
    }

    /// Adds what there is to tell of stored logins: of all, or of those in the rows.
    fn add_notices(&mut self, is_about_all: bool, broker: &Broker<'_>) {
        // That logins cannot be listed is among the trouble already.
        let notices = own_logins::notices(broker).unwrap_or_default();
        for notice in notices {
            let name = notice.scope.to_string();
            if !is_about_all && !self.rows.iter().any(|row| row.name() == name) {
                continue;
            }
            match notice.severity {
                Severity::Broken => self.trouble.push(notice.told()),
                Severity::Useless => self.warnings.push(notice.told()),
                Severity::Intended => self.notes.push(notice.told()),
            }
        }
        // Elsewhere, the login for every registry would do.
        let everywhere = LoginScope::Default.login_command();
        let nobodys = self.rows.iter().filter(|row| row.is_nobodys());
        let notes = nobodys.filter_map(|row| {
            let command = row.login_command(broker);
            let command = command.filter(|command| *command != everywhere)?;
            let name = row.name();
            Some(format!("not logged in to {name}; '{command}' logs in"))
        });
        self.notes.extend(notes);
    }

    fn is_broken(&self) -> bool {
        let is_broken = |row: &Row| row.trouble().is_some();
        self.rows.iter().any(is_broken) || !self.trouble.is_empty()
    }

    fn shown(&self, screen: Screen, is_checked: bool) -> String {
        let mut parts = Vec::new();
        if !self.rows.is_empty() {
            parts.push(self.table(screen, is_checked));
        }
        let trouble = self
            .rows
            .iter()
            .filter_map(|row| Some(row.trouble()?.with_name(row.name())));
        let trouble: Vec<String> = trouble.chain(self.trouble.iter().cloned()).collect();
        for (word, texts) in [
            (screen.problem("problem:"), &trouble),
            (screen.warning("warning:"), &self.warnings),
            ("note:".to_owned(), &self.notes),
        ] {
            let lines = texts.iter().map(|text| {
                let text = one_line(text, 4 * LONGEST_CELL);
                screen.broken(&format!("{word} "), &text)
            });
            let lines: Vec<String> = lines.collect();
            if !lines.is_empty() {
                parts.push(lines.join("\n"));
            }
        }
        parts.extend(self.hint().map(|hint| {
            let lines = hint.lines().map(|line| screen.broken("", line));
            lines.collect::<Vec<_>>().join("\n")
        }));
        parts.join("\n\n")
    }

    fn table(&self, screen: Screen, is_checked: bool) -> String {
        let columns = if is_checked { 8 } else { 7 };
        let rows = self.rows.iter().map(|row| row.cells(is_checked));
        table::shown(&HEADINGS[..columns], &rows.collect::<Vec<_>>(), screen)
    }

    /// How to begin, or to go on.
    fn hint(&self) -> Option<String> {
        let nobody = self.rows.iter().all(Row::is_nobodys) && self.trouble.is_empty();
        let no_client = self.rows.iter().all(|row| row.clients.is_empty());
        let everywhere = LoginScope::Default.login_command();
        let login = match self.login_commands.is_empty() {
            true => format!("  {everywhere}         logs you in, for every registry"),
            false => format!("  {}", self.login_commands.join("\n  ")),
        };
        let configure = format!("  {PROGRAM} configure     has docker or podman ask this program");
        match (nobody, no_client) {
            (true, true) => Some(format!(
                "Nobody is logged in, and no client asks this program. To begin:\n{login}\n{configure}"
            )),
            (true, false) => Some(format!("Nobody is logged in. To go on:\n{login}")),
            (false, true) => Some(format!(
                "No client asks this program. To go on:\n{configure}"
            )),
            (false, false) => None,
        }
    }

    fn as_json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::as_json).collect();
        json!({
            "registries": rows,
            "warnings": self.warnings,
            "notes": self.notes,
            "problems": self.trouble,
        })
    }
}

/// The registries that the arguments name; without those that only look like one.
fn named(addresses: &[String], broker: &Broker<'_>) -> Result<BTreeSet<Registry>> {
    let scopes = Named::only(addresses).scopes(broker.settings)?;
    let registries = scopes.into_iter().filter_map(LoginScope::into_registry);
    Ok(registries.collect())
}

/// What logs in at registries for which nothing answers, unless that is the login for
/// every registry.
fn login_commands(rows: &[Row], broker: &Broker<'_>) -> Vec<String> {
    let everywhere = LoginScope::Default.login_command();
    let nobodys = rows.iter().filter(|row| row.is_nobodys());
    let mut commands: Vec<String> = nobodys
        .filter_map(|row| row.login_command(broker))
        .collect();
    commands.sort_unstable();
    commands.dedup();
    match commands.contains(&everywhere) {
        true => Vec::new(),
        false => commands,
    }
}

/// Clients' files that say nothing here, and what ends soon, each key once.
fn warnings(rows: &[Row], files: &Clients, now: u64) -> Vec<String> {
    let unread = files.read_errors().into_iter();
    let unread = unread.map(|seen| format!("{seen}; `{PROGRAM} doctor` says what to do"));
    let mut warnings: Vec<String> = unread.collect();
    for row in rows {
        if let Some(past) = row.outage() {
            let (name, since) = (row.name(), time::minute(past.since));
            let text = past.failure.text_about(name);
            warnings.push(format!(
                "{text} (since {since}, last {} ago)",
                time::duration(past.age)
            ));
        }
        let ending = row.description().and_then(|it| ending(it, now));
        if let Some((seen, mend)) = ending {
            let warning = format!("{seen}; `{mend}` replaces it");
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}
