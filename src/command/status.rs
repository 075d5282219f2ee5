//! `status`: who is logged in where, and is all well?

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::clients;
use super::login::owner_as_json;
use super::print;
use super::print_json;
use super::scopes;
use super::scopes::Named;
use super::screen::Screen;
use super::table;
use crate::broker::Broker;
use crate::broker::Description;
use crate::broker::TokenLife;
use crate::client_config::Client;
use crate::failure::Failure;
use crate::failure::Result;
use crate::failure::one_line;
use crate::iam::date;
use crate::iam::owner::Owner;
use crate::identity::Speaker;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::program;
use crate::program::Streams;
use crate::program::World;
use crate::protocol::PROGRAM;
use crate::registry::Registry;
use crate::registry_login;
use crate::settings::KeychainChoice;
use crate::settings::SourceName;

/// How long before its end an API key is worth a warning, in seconds.
const WARNING: u64 = 14 * DAY;

const DAY: u64 = 24 * 60 * 60;

/// The most characters of a cell.
const LONGEST_CELL: usize = 400;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr status                who is logged in where
  docker-credential-icr status us.icr.io      at one registry
  docker-credential-icr status --check        and does it work?
  docker-credential-icr status --json

Exit status: 0 if all is well; 1 if something is broken, which without --check
means a source of identity or a keychain that cannot be read.";

/// Print who speaks for each registry, and for how long
///
/// Shows the registries that have a login, that the settings name, or that a
/// client asks this program for; and who speaks for all others. No network is
/// asked unless you say --check.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(super) struct Arguments {
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

/// One line of the table.
struct Row {
    /// `None` is every registry that has no row.
    registry: Option<Registry>,
    /// Who speaks; nobody; or what is broken.
    speaker: Result<Option<Description>>,
    /// Who asks this program.
    clients: Vec<Client>,
    /// What came of trying it out.
    check: Option<Result<()>>,
}

/// What there is to show.
struct Overview {
    rows: Vec<Row>,
    warnings: Vec<String>,
    /// What cannot be told, and why.
    trouble: Vec<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    streams: &mut Streams<'_>,
    world: &World<'_>,
) -> Result<()> {
    let settings = program::settings(world)?;
    let keychains = program::open(world, &settings, Prompting::Never)?;
    // What is tried out may change meanwhile.
    let keychains = match arguments.check {
        true => keychains,
        false => keychains.remembered(),
    };
    let broker = program::broker(world, &settings, &keychains);
    let overview = Overview::of(arguments, &broker, world)?;
    let screen = Screen::of(streams, world);
    match arguments.json {
        true => print_json(streams, &overview.as_json())?,
        false => print(streams, &overview.shown(screen, arguments.check))?,
    }
    match overview.broken() {
        0 => Ok(()),
        _ => Err(Failure::act(format!(
            "something is broken; `{PROGRAM} doctor` looks into it"
        ))),
    }
}

impl Overview {
    fn of(arguments: &Arguments, broker: &Broker<'_>, world: &World<'_>) -> Result<Self> {
        let settings = broker.settings;
        let clients = clients::switched_on(&clients::seen(world, settings));
        let mut trouble = Vec::new();
        let is_about_all = arguments.registries.is_empty();
        let registries = match is_about_all {
            false => named(&arguments.registries, broker)?,
            true => {
                let stored = broker.scopes().unwrap_or_else(|failure| {
                    trouble.push(failure.to_string());
                    BTreeSet::new()
                });
                scopes::spoken_of(stored, settings, &clients)
            }
        };
        let of_all = clients.get(&None).cloned().unwrap_or_default();
        let row = |registry: Option<Registry>, example: &Registry| {
            let tried = arguments
                .check
                .then(|| try_out(example, registry.is_none(), broker))
                .flatten();
            let mut clients = clients.get(&registry).cloned().unwrap_or_default();
            clients.extend(&of_all);
            clients.sort_unstable();
            clients.dedup();
            let mut speaker = match registry {
                Some(_) => broker.describe(example),
                None => broker.describe_others(example),
            };
            // Where nothing is kept, only now somebody can tell.
            if let (Ok(Some(speaker)), Some(Ok(Tried { owner, .. }))) = (&mut speaker, &tried) {
                speaker.owner = speaker.owner.take().or_else(|| owner.clone());
            }
            Row {
                speaker,
                registry,
                clients,
                check: tried.map(|tried| tried.and_then(|tried| tried.verdict)),
            }
        };
        let mut rows: Vec<Row> = registries
            .iter()
            .map(|registry| row(Some(registry.clone()), registry))
            .collect();
        let mut others = settings.all_registries();
        let example = others.find(|other| !other.is_entitled() && !registries.contains(other));
        if let Some(example) = example.filter(|_| is_about_all) {
            let row = row(None, &example);
            // That nobody speaks for the rest is no news.
            if !matches!(row.speaker, Ok(None)) {
                rows.push(row);
            }
        }
        Ok(Self {
            warnings: warnings(&rows, world.clock.now()),
            rows,
            trouble,
        })
    }

    /// How many things are broken.
    fn broken(&self) -> usize {
        let rows = self.rows.iter().filter(|row| row.trouble().is_some());
        rows.count() + self.trouble.len()
    }

    fn shown(&self, screen: Screen, is_checked: bool) -> String {
        let mut parts = Vec::new();
        if !self.rows.is_empty() {
            parts.push(self.table(screen, is_checked));
        }
        let trouble = self.rows.iter().filter_map(|row| {
            let trouble = row.trouble()?;
            Some(format!("{}: {trouble}", row.name()))
        });
        let trouble: Vec<String> = trouble.chain(self.trouble.iter().cloned()).collect();
        for (word, texts) in [
            (screen.problem("problem:"), &trouble),
            (screen.warning("warning:"), &self.warnings),
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

    /// A table where there is room for it, otherwise a paragraph for each row.
    fn table(&self, screen: Screen, is_checked: bool) -> String {
        let columns = if is_checked { 8 } else { 7 };
        let cells = |row: &Row| row.cells(is_checked);
        let heading = HEADINGS[..columns].iter().map(|text| (*text).to_owned());
        let mut rows: Vec<Vec<String>> = vec![heading.collect()];
        rows.extend(self.rows.iter().map(cells));
        let table = table::aligned(&rows);
        if screen.has_room_for(&table) {
            return match table.split_once('\n') {
                Some((first, rest)) => format!("{}\n{rest}", screen.heading(first)),
                None => table,
            };
        }
        let paragraph = |row: &Vec<String>| {
            let mut lines = vec![screen.heading(&row[0])];
            for (heading, cell) in HEADINGS.iter().zip(row).skip(1) {
                let heading = heading.to_lowercase();
                lines.push(screen.broken(&format!("  {heading:9} "), cell));
            }
            lines.join("\n")
        };
        let paragraphs: Vec<String> = rows.iter().skip(1).map(paragraph).collect();
        paragraphs.join("\n")
    }

    /// How to begin, or to go on.
    fn hint(&self) -> Option<String> {
        let speaks = |row: &Row| !matches!(row.speaker, Ok(None));
        let nobody = !self.rows.iter().any(speaks) && self.trouble.is_empty();
        let no_client = self.rows.iter().all(|row| row.clients.is_empty());
        let login = format!("  {PROGRAM} login         logs you in, for every registry");
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

/// What a credential is worth.
struct Tried {
    owner: Option<Owner>,
    verdict: Result<()>,
}

/// Gets a credential, and shows it to the registry; nothing where there is none.
fn try_out(registry: &Registry, is_of_all: bool, broker: &Broker<'_>) -> Option<Result<Tried>> {
    let credential = match broker.get(registry) {
        Ok(credential) => credential,
        Err(Failure::NotFound) if is_of_all => return None,
        Err(Failure::NotFound) => {
            return Some(Err(Failure::act(format!(
                "nobody is logged in; run `{PROGRAM} login`"
            ))));
        }
        Err(failure) => return Some(Err(failure)),
    };
    let (transport, limits) = (broker.transport, broker.settings.limits);
    Some(Ok(Tried {
        owner: Owner::of(&credential.secret),
        verdict: registry_login::try_out(registry, &credential, transport, limits),
    }))
}

/// What ends soon, each key once.
fn warnings(rows: &[Row], now: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    for row in rows {
        let speaker = row.speaker.as_ref().ok().and_then(Option::as_ref);
        if let Some((seen, mend)) = speaker.and_then(|speaker| ending(speaker, now)) {
            let warning = format!("{seen}; `{mend}` replaces it");
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// That an API key ends soon, where this program had it made, and the command that
/// replaces it.
pub(super) fn ending(speaker: &Description, now: u64) -> Option<(String, String)> {
    let Speaker::Login(scope) = &speaker.speaker else {
        return None;
    };
    let end = speaker.key_ends_at?;
    let left = end.saturating_sub(now);
    let when = match (end > now, left / DAY) {
        _ if left >= WARNING => return None,
        (false, _) => format!("ended on {}", date::day(end)),
        (true, 0) => "ends within a day".to_owned(),
        (true, 1) => format!("ends in a day, on {}", date::day(end)),
        (true, days) => format!("ends in {days} days, on {}", date::day(end)),
    };
    let seen = format!("the API key of the login for {scope} {when}");
    Some((seen, scope.rotate_command()))
}

const HEADINGS: [&str; 8] = [
    "REGISTRY",
    "WHO",
    "SOURCE",
    "USER NAME",
    "TOKEN",
    "SECRET IN",
    "CLIENTS",
    "CHECK",
];

/// Stands where there is nothing to tell.
const NOTHING: &str = "-";

impl Row {
    fn name(&self) -> &str {
        match &self.registry {
            Some(registry) => registry.host(),
            None => "every registry",
        }
    }

    /// What is broken.
    fn trouble(&self) -> Option<&Failure> {
        let of_check = self.check.as_ref().and_then(|check| check.as_ref().err());
        self.speaker.as_ref().err().or(of_check)
    }

    fn cells(&self, is_checked: bool) -> Vec<String> {
        let clients: Vec<&str> = self.clients.iter().map(|client| client.name()).collect();
        let clients = match clients.is_empty() {
            true => "none".to_owned(),
            false => clients.join(", "),
        };
        let nobody = |who: &str| [who, NOTHING, NOTHING, NOTHING, NOTHING].map(str::to_owned);
        let middle = match &self.speaker {
            Ok(Some(description)) => described(description),
            Ok(None) => nobody("nobody"),
            Err(_) => nobody("problem"),
        };
        let check = match (&self.check, is_checked) {
            (_, false) => None,
            (None, true) => Some(NOTHING),
            (Some(Ok(())), true) => Some("ok"),
            (Some(Err(_)), true) => Some("problem"),
        };
        let mut cells = vec![self.name().to_owned()];
        cells.extend(middle);
        cells.push(clients);
        cells.extend(check.map(str::to_owned));
        cells
            .iter()
            .map(|cell| one_line(cell, LONGEST_CELL))
            .collect()
    }

    fn as_json(&self) -> Value {
        let description = self.speaker.as_ref().ok().and_then(Option::as_ref);
        let life = description.and_then(|it| it.token);
        let clients: Vec<&str> = self.clients.iter().map(|client| client.name()).collect();
        let source = description.map(|it| match &it.speaker {
            Speaker::Login(_) => SourceName::Login.name(),
            Speaker::Source(source) => source.name(),
        });
        json!({
            "registry": self.registry.as_ref().map(Registry::host),
            "source": source,
            "title": description.map(|it| &it.source),
            "owner": description.and_then(|it| it.owner.as_ref()).map(owner_as_json),
            "username": description.map(|it| &it.username),
            "token": life.map(|life| json!({"age": life.age, "left": life.left})),
            "keychain": description.and_then(|it| it.keychain).map(KeychainChoice::name),
            "key_ends_at": description.and_then(|it| it.key_ends_at),
            "clients": clients,
            "checked": self.check.as_ref().map(Result::is_ok),
            "problem": self.trouble().map(ToString::to_string),
        })
    }
}

/// Who, source, user name, token, secret.
fn described(description: &Description) -> [String; 5] {
    let owner = description.owner.as_ref();
    let who = owner.map_or_else(|| NOTHING.to_owned(), ToString::to_string);
    let source = description.source.strip_prefix("the ");
    let token = match (description.token, description.is_exchanged) {
        (Some(life), _) => shown_life(life),
        (None, true) => "none yet".to_owned(),
        (None, false) => NOTHING.to_owned(),
    };
    let secret = match (&description.speaker, description.keychain) {
        (Speaker::Login(_), Some(keychain)) => place(keychain).to_owned(),
        (Speaker::Login(_), None) => NOTHING.to_owned(),
        (Speaker::Source(source), _) => outside(*source).to_owned(),
    };
    [
        who,
        source.unwrap_or(&description.source).to_owned(),
        description.username.clone(),
        token,
        secret,
    ]
}

/// `12 min old, 48 min left`.
fn shown_life(life: TokenLife) -> String {
    match life.age {
        Some(age) => format!("{} old, {} left", duration(age), duration(life.left)),
        None => format!("{} left", duration(life.left)),
    }
}

/// `50 s`, `48 min`, `3 h`, `12 days`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / DAY),
    }
}

/// A keychain in a word or two.
fn place(keychain: KeychainChoice) -> &'static str {
    match keychain {
        KeychainChoice::Auto => "keychain",
        KeychainChoice::Kernel => "kernel keyring",
        KeychainChoice::Macos => "Keychain",
        KeychainChoice::None => NOTHING,
        KeychainChoice::SecretService => "Secret Service",
        KeychainChoice::Windows => "Credential Manager",
    }
}

/// Where the secret of a source is that is not ours.
fn outside(source: SourceName) -> &'static str {
    match source {
        SourceName::ComputeResourceToken => "token file",
        SourceName::CredentialsFile => "credentials file",
        SourceName::Environment => "environment",
        SourceName::IbmCloudCli => "CLI's config.json",
        // A registry token is made with what another source finds.
        SourceName::Login | SourceName::RegistryToken => "keychain",
        SourceName::PowerVs | SourceName::Vpc => "this machine",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_says_most() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7199, "119 min"),
            (7200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
