//! `doctor`: diagnoses problems and suggests fixes.
//!
//! Each group of checks is one file here, and one entry of `GROUPS`. Checks change
//! nothing, with two exceptions: they write a test item to the keychain and delete it,
//! and they store a refresh token that IAM replaces.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::clients::Clients;
use super::counted;
use super::print;
use super::print_json;
use super::scopes;
use super::screen::Screen;
use crate::PROGRAM;
use crate::context::Context;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Keychains;
use crate::keychain::Prompting;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::token_cache::FAILURE_CACHING;

mod certificates;
mod client_files;
mod client_mistakes;
pub(in crate::commands) mod diagnostic;
mod docker_auth_config;
mod docker_snap;
mod files;
mod json;
mod keychains;
mod legacy;
mod login_files;
mod missing_programs;
mod nerdctl;
mod network;
mod node;
mod path_entries;
mod podman_registries;
pub(super) mod podman_session;
mod program;
mod proxies;
mod report;
mod report_file;
mod settings;
mod sources;

use diagnostic::Diagnostic;
use diagnostic::Verdict;
use report::Report;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr doctor
  docker-credential-icr doctor --report report.txt   for a bug report; no secrets
  docker-credential-icr doctor --json

Exit status: 0 if there are no problems (warnings are allowed), otherwise 1.";

/// Diagnose problems and suggest fixes
///
/// Checks the program and the PATH, the settings, the clients' files, the
/// keychains, the sources and other files. Requests new tokens from IAM and sends
/// them to the registries, to see whether they are accepted. Leaves no changes,
/// with one exception: if IAM replaces a refresh token during the check, the new
/// one is stored.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Write a report without secrets to a new file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Import logins that another, older docker-credential-icr stored in the keychain
    #[arg(long, conflicts_with_all = ["report", "json"])]
    take_over: bool,
}

/// What checks work with.
struct CheckContext<'a> {
    context: &'a Context<'a>,
    /// The settings; the defaults if they cannot be read.
    settings: &'a Settings,
    /// Why the settings cannot be read.
    settings_error: Option<&'a Error>,
    /// The keychains, or why none can be opened.
    keychains: Result<&'a Keychains, &'a Error>,
    /// The clients' configuration files.
    clients: &'a Clients,
}

impl<'a> CheckContext<'a> {
    /// Creates the broker; `None` without readable settings or without keychains
    /// (then `get` fails, and there is nothing to check). Not from a [`Session`](crate::context::Session),
    /// which cannot be opened then.
    fn broker(&self) -> Option<Broker<'a>> {
        if self.settings_error.is_some() {
            return None;
        }
        let keychains = self.keychains.ok()?;
        Some(Broker {
            context: self.context,
            settings: self.settings,
            keychains,
            environment: self.context.environment,
            failure_caching: FAILURE_CACHING,
        })
    }

    /// Returns the registries in use.
    fn registries_in_use(&self, logins: &LoginSnapshot<'_>) -> BTreeSet<Registry> {
        let stored = logins.scopes().unwrap_or_default();
        let clients = self.clients.by_registry();
        scopes::known_registries(stored, self.settings, &clients)
    }

    /// Returns the registries in use, or one of IBM's as an example if there are none.
    fn registries(&self, logins: &LoginSnapshot<'_>) -> BTreeSet<Registry> {
        let mut registries = self.registries_in_use(logins);
        if registries.is_empty() {
            registries.extend(self.settings.all_registries().next());
        }
        registries
    }
}

/// A group of checks.
struct Group {
    /// The name in JSON.
    key: &'static str,
    /// The heading in text.
    title: &'static str,
    check: fn(&CheckContext<'_>) -> Vec<Diagnostic>,
}

/// The groups in the order in which they run: a later problem is often the result of
/// an earlier one.
const GROUPS: [Group; 8] = [
    Group {
        key: "program",
        title: "Program",
        check: program::check,
    },
    Group {
        key: "settings",
        title: "Settings",
        check: settings::check,
    },
    Group {
        key: "clients",
        title: "Clients",
        check: client_files::check,
    },
    Group {
        key: "keychains",
        title: "Keychains",
        check: keychains::check,
    },
    Group {
        key: "legacy",
        title: "Legacy logins",
        check: legacy::check,
    },
    Group {
        key: "files",
        title: "Files",
        check: files::check,
    },
    Group {
        key: "sources",
        title: "Sources",
        check: sources::check,
    },
    Group {
        key: "network",
        title: "Network",
        check: network::check,
    },
];

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let loaded = context.settings();
    let defaults = Settings::default();
    let settings = loaded.as_ref().unwrap_or(&defaults);
    let keychains = context.keychains(settings, Prompting::Never);
    let clients = Clients::of(context, settings);
    let check_context = CheckContext {
        context,
        settings,
        settings_error: loaded.as_ref().err(),
        keychains: keychains.as_ref(),
        clients: &clients,
    };
    if arguments.take_over {
        return legacy::run_take_over(stdio, &check_context);
    }
    let report = Report::new(&check_context);
    if let Some(path) = &arguments.report {
        report_file::write(path, &report, &check_context)?;
    }
    if arguments.json {
        print_json(stdio, &report.to_json())?;
    } else {
        print(stdio, &report.to_text(Screen::of(stdio, context)))?;
    }
    if let Some(path) = &arguments.report {
        let path = path.display();
        context.terminal.write_line(&format!(
            "Wrote the report to {path}. Read it before you send it"
        ));
    }
    match report.count(Verdict::Problem) {
        0 => Ok(()),
        count => Err(Error::user(format!("{} found", counted(count, "problem")))),
    }
}

/// Returns the command line of this program with these arguments.
fn command_line(arguments: &str) -> String {
    format!("{PROGRAM} {arguments}")
}
