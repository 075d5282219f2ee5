//! `doctor`: what is wrong, and what mends it?
//!
//! A group of checks is one file here, and one line of `GROUPS`. A check looks and
//! tells; it changes nothing, but for the keychain, where it leaves what it found, and
//! keeps a refresh token that IAM replaces.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::clients::Clients;
use super::conclude;
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
use crate::error::one_line;
use crate::keychain::Keychains;
use crate::keychain::Prompting;
use crate::registry::Registry;
use crate::settings::Settings;

mod binary;
mod client_files;
mod files;
mod keychains;
mod network;
mod older;
mod process;
mod report;
mod settings;
mod sources;

/// The most characters of what was seen, or of what mends it.
const LONGEST: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr doctor
  docker-credential-icr doctor --report report.txt   for a bug report; no secrets
  docker-credential-icr doctor --json

Exit status: 0 if nothing is broken, warnings or not; 1 if something is.";

/// Look for what is wrong, and tell what mends it
///
/// Looks at the program and its way, settings, clients' files, keychains, sources of
/// identity and files, and asks IAM for new tokens and the registries. Nothing is
/// changed: the lock that it takes, and what it writes into the keychains, to see
/// whether that works, it gives back and takes out again. Only a refresh token that
/// IAM replaces is kept, as the login would be lost.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Write what was found into a new file that only you can read
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,

    /// Log in with what an older program of the same name kept
    #[arg(long, conflicts_with_all = ["report", "json"])]
    take_over: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
    Fine,
    Warning,
    Problem,
}

impl Verdict {
    /// As it stands in every output.
    fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What a check came to.
#[derive(Clone, Debug)]
struct Diagnostic {
    /// Names the check, and stays as it is.
    check: &'static str,
    verdict: Verdict,
    /// What was seen.
    seen: String,
    /// What mends it: a command, as a rule.
    mend: Option<String>,
}

impl Diagnostic {
    fn fine(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fine, seen, None)
    }

    fn warning(check: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, seen, Some(mend.into()))
    }

    fn problem(check: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, Verdict::Problem, seen, Some(mend.into()))
    }

    /// A problem whose words say themselves what to do, as those of failures do.
    fn said(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Verdict::Problem, seen, None)
    }

    /// A problem that is a failure, with what to do about it where that is known.
    fn failed(check: &'static str, failure: &Error) -> Self {
        let mend = failure.hint().map(str::to_owned);
        Self::new(check, Verdict::Problem, failure.text(), mend)
    }

    /// The same about one of several things.
    fn failed_for(check: &'static str, name: &str, failure: &Error) -> Self {
        let mend = failure.hint().map(str::to_owned);
        Self::new(check, Verdict::Problem, failure.text_about(name), mend)
    }

    fn new(
        check: &'static str,
        verdict: Verdict,
        seen: impl Into<String>,
        mend: Option<String>,
    ) -> Self {
        Self {
            check,
            verdict,
            seen: one_line(&seen.into(), LONGEST),
            mend: mend.map(|mend| one_line(&mend, LONGEST)),
        }
    }
}

/// What checks look at.
struct CheckContext<'a> {
    context: &'a Context<'a>,
    /// What was chosen; the defaults where that cannot be read.
    settings: &'a Settings,
    /// Why it cannot be read.
    settings_failure: Option<&'a Error>,
    /// The keychains, or why there are none.
    keychains: Result<&'a Keychains, &'a Error>,
    /// Clients' files.
    clients: &'a Clients,
}

impl<'a> CheckContext<'a> {
    /// Whoever gives credentials, if there are keychains, and settings that can be
    /// read: nobody gets an answer without.
    fn broker(&self) -> Option<Broker<'a>> {
        if self.settings_failure.is_some() {
            return None;
        }
        let keychains = self.keychains.ok()?;
        Some(Broker {
            context: self.context,
            settings: self.settings,
            keychains,
            environment: self.context.environment,
        })
    }

    /// The registries that there is something to tell of; otherwise one of IBM's.
    fn registries(&self, broker: &Broker<'_>) -> BTreeSet<Registry> {
        let stored = broker.scopes().unwrap_or_default();
        let clients = self.clients.switched_on();
        let mut registries = scopes::spoken_of(stored, self.settings, &clients);
        if registries.is_empty() {
            registries.extend(self.settings.all_registries().next());
        }
        registries
    }
}

/// A group of checks.
struct Group {
    /// What it is called in JSON.
    key: &'static str,
    title: &'static str,
    check: fn(&CheckContext<'_>) -> Vec<Diagnostic>,
}

/// The groups, in their order: what comes first explains what comes later.
const GROUPS: [Group; 8] = [
    Group {
        key: "program",
        title: "Program",
        check: binary::check,
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
        key: "older-program",
        title: "Older program",
        check: older::check,
    },
    Group {
        key: "files",
        title: "Files",
        check: files::check,
    },
    Group {
        key: "sources",
        title: "Who you are",
        check: sources::check,
    },
    Group {
        key: "network",
        title: "Network",
        check: network::check,
    },
];

/// All that was found, by group.
struct Report(Vec<(&'static Group, Vec<Diagnostic>)>);

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
    let patient = CheckContext {
        context,
        settings,
        settings_failure: loaded.as_ref().err(),
        keychains: keychains.as_ref(),
        clients: &clients,
    };
    if arguments.take_over {
        let (said, failures) = older::take_over(&patient)?;
        if let Some(said) = said {
            print(stdio, &said)?;
        }
        return conclude(&failures);
    }
    let diagnosis = Report::of(&patient);
    if let Some(path) = &arguments.report {
        report::write(path, &diagnosis, &patient)?;
    }
    let screen = Screen::of(stdio, context);
    match arguments.json {
        true => print_json(stdio, &diagnosis.as_json())?,
        false => print(stdio, &diagnosis.shown(screen))?,
    }
    if let Some(path) = &arguments.report {
        let line = format!(
            "The report is in {}; read it before you send it.",
            path.display()
        );
        context.terminal.tell(&line);
    }
    match diagnosis.count(Verdict::Problem) {
        0 => Ok(()),
        1 => Err(Error::user("1 thing is broken")),
        count => Err(Error::user(format!("{count} things are broken"))),
    }
}

impl Report {
    fn of(patient: &CheckContext<'_>) -> Self {
        let check = |group: &'static Group| {
            let _span = tracing::debug_span!("check", group = group.key).entered();
            let _progress = patient.context.terminal.progress(group.title);
            (group, (group.check)(patient))
        };
        Self(GROUPS.iter().map(check).collect())
    }

    fn count(&self, verdict: Verdict) -> usize {
        let findings = self.0.iter().flat_map(|(_, findings)| findings);
        findings
            .filter(|finding| finding.verdict == verdict)
            .count()
    }

    fn shown(&self, screen: Screen) -> String {
        let groups = self.0.iter().filter(|(_, findings)| !findings.is_empty());
        let mut parts: Vec<String> = groups
            .map(|(group, findings)| {
                let mut lines = vec![screen.heading(group.title)];
                lines.extend(findings.iter().map(|finding| shown(finding, screen)));
                lines.join("\n")
            })
            .collect();
        let (problems, warnings) = (self.count(Verdict::Problem), self.count(Verdict::Warning));
        let counted = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        parts.push(match (problems, warnings) {
            (0, 0) => "All is well.".to_owned(),
            _ => format!(
                "{}, {}.",
                counted(problems, "problem"),
                counted(warnings, "warning")
            ),
        });
        parts.join("\n\n")
    }

    fn as_json(&self) -> Value {
        let findings: Vec<Value> = self
            .0
            .iter()
            .flat_map(|(group, findings)| {
                findings.iter().map(|finding| {
                    json!({
                        "group": group.key,
                        "check": finding.check,
                        "verdict": finding.verdict.name(),
                        "seen": finding.seen,
                        "mend": finding.mend,
                    })
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "problems": self.count(Verdict::Problem),
            "warnings": self.count(Verdict::Warning),
            "findings": findings,
        })
    }
}

fn shown(finding: &Diagnostic, screen: Screen) -> String {
    let name = format!("{:7}", finding.verdict.name());
    let name = match finding.verdict {
        Verdict::Fine => screen.good(&name),
        Verdict::Warning => screen.warning(&name),
        Verdict::Problem => screen.problem(&name),
    };
    let seen = screen.broken(&format!("  {name}  "), &finding.seen);
    match &finding.mend {
        None => seen,
        Some(mend) => format!("{seen}\n{}", screen.broken("           > ", mend)),
    }
}

/// The command of ours that mends something.
fn command(arguments: &str) -> String {
    format!("{PROGRAM} {arguments}")
}
