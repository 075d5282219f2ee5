//! Who speaks for one registry, and is all well with it?

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::client_config::Client;
use crate::commands::login::owner_as_json;
use crate::credentials::Broker;
use crate::credentials::Description;
use crate::credentials::TokenLife;
use crate::credentials::login_command;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::iam::owner::Owner;
use crate::registry::Registry;
use crate::registry::credential_check;
use crate::settings::KeychainChoice;
use crate::settings::SourceName;
use crate::sources::Speaker;
use crate::time::duration;
use crate::token_cache::PastFailure;

/// Stands where there is nothing to tell.
const NOTHING: &str = "-";

/// The most characters of a cell.
pub(super) const LONGEST_CELL: usize = 400;

pub(super) const HEADINGS: [&str; 8] = [
    "REGISTRY",
    "WHO",
    "SOURCE",
    "USER NAME",
    "TOKEN",
    "SECRET IN",
    "CLIENTS",
    "CHECK",
];

/// What a row is about.
pub(super) enum Subject {
    /// This registry.
    One(Registry),
    /// Every registry that has no row, of which this is one.
    Others(Registry),
}

/// One line of the table.
pub(super) struct Row {
    subject: Subject,
    /// Who speaks; nobody; or what is broken.
    speaker: Result<Option<Description>>,
    /// Who asks this program.
    pub(super) clients: Vec<Client>,
    /// What came of trying it out.
    check: Option<Result<()>>,
}

impl Row {
    /// Looks who speaks; with `is_checked`, tries out first what clients get.
    pub(super) fn of(
        subject: Subject,
        clients: &BTreeMap<Option<Registry>, Vec<Client>>,
        is_checked: bool,
        broker: &Broker<'_>,
    ) -> Self {
        let tried = match is_checked {
            true => try_out(&subject, broker),
            false => None,
        };
        let mut speaker = match &subject {
            Subject::One(registry) => broker.describe(registry),
            Subject::Others(example) => broker.describe_others(example),
        };
        // What was tried out knows best, and where nothing is kept, alone.
        if let (Ok(Some(speaker)), Some(Ok(Tried { owner, .. }))) = (&mut speaker, &tried) {
            speaker.owner = owner.clone().or_else(|| speaker.owner.take());
        }
        Self {
            clients: asking(&subject, clients),
            subject,
            speaker,
            check: tried.map(|tried| tried.and_then(|tried| tried.verdict)),
        }
    }

    pub(super) fn name(&self) -> &str {
        match &self.subject {
            Subject::One(registry) => registry.host(),
            Subject::Others(_) => "every registry",
        }
    }

    /// Whoever speaks, if anybody does and that can be told.
    pub(super) fn description(&self) -> Option<&Description> {
        self.speaker.as_ref().ok()?.as_ref()
    }

    pub(super) fn is_nobodys(&self) -> bool {
        matches!(self.speaker, Ok(None))
    }

    /// What logs in at its registry.
    pub(super) fn login_command(&self, broker: &Broker<'_>) -> Option<String> {
        match &self.subject {
            Subject::One(registry) => Some(login_command(registry, broker.settings)),
            Subject::Others(_) => None,
        }
    }

    /// What is broken: the source, the last exchange, or what was checked just now.
    pub(super) fn trouble(&self) -> Option<&Error> {
        let of_check = self.check.as_ref().and_then(|check| check.as_ref().err());
        let rejection = self.past_failure().filter(|past| !past.may_pass());
        let rejection = rejection.map(|past| &past.failure);
        self.speaker.as_ref().err().or(of_check).or(rejection)
    }

    /// The outage that a `get` met last, which may be over.
    pub(super) fn outage(&self) -> Option<&PastFailure> {
        self.past_failure().filter(|past| past.may_pass())
    }

    /// The failure that there is in place of a token.
    fn past_failure(&self) -> Option<&PastFailure> {
        self.description()?.past_failure.as_ref()
    }

    /// What stands under [`HEADINGS`]; under the last one only if it was checked.
    pub(super) fn cells(&self, is_checked: bool) -> Vec<String> {
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

    pub(super) fn as_json(&self) -> Value {
        let description = self.description();
        let life = description.and_then(|it| it.token);
        let clients: Vec<&str> = self.clients.iter().map(|client| client.name()).collect();
        let registry = match &self.subject {
            Subject::One(registry) => Some(registry.host()),
            Subject::Others(_) => None,
        };
        let source = description.map(|it| match &it.speaker {
            Speaker::Login(_) => SourceName::Login.name(),
            Speaker::Source(source) => source.name(),
        });
        json!({
            "registry": registry,
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
            "last_failure": self.past_failure().map(|past| json!({
                "since": past.since,
                "age": past.age,
                "permanent": !past.may_pass(),
                "message": past.failure.text(),
                "fix": past.failure.hint(),
            })),
        })
    }
}

/// Who, source, user name, token, secret.
fn described(description: &Description) -> [String; 5] {
    let owner = description.owner.as_ref();
    let who = owner.map_or_else(|| NOTHING.to_owned(), ToString::to_string);
    let source = description.source.strip_prefix("the ");
    let token = match (description.token, &description.past_failure) {
        (Some(life), _) => shown_life(life),
        (None, Some(past)) => format!("failed {} ago", duration(past.age)),
        (None, None) if description.is_exchanged => "none now".to_owned(),
        (None, None) => NOTHING.to_owned(),
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

/// What a credential is worth.
struct Tried {
    owner: Option<Owner>,
    verdict: Result<()>,
}

/// Gets a credential, and shows it to the registry; nothing where there needs to be
/// none.
fn try_out(subject: &Subject, broker: &Broker<'_>) -> Option<Result<Tried>> {
    let (Subject::One(registry) | Subject::Others(registry)) = subject;
    let credential = match (broker.get(registry), subject) {
        (Ok(credential), _) => credential,
        (Err(error), Subject::Others(_)) if error.is_not_found() => return None,
        (Err(error), Subject::One(_)) if error.is_not_found() => {
            return Some(Err(Error::user(format!(
                "nobody is logged in; run `{}`",
                login_command(registry, broker.settings)
            ))));
        }
        (Err(failure), _) => return Some(Err(failure)),
    };
    let (transport, limits) = (broker.context.transport, broker.settings.limits);
    Some(Ok(Tried {
        owner: Owner::of(&credential.secret),
        verdict: credential_check::check_credential(registry, &credential, transport, limits),
    }))
}

/// The clients that ask this program for a registry, each once.
fn asking(subject: &Subject, clients: &BTreeMap<Option<Registry>, Vec<Client>>) -> Vec<Client> {
    let one = match subject {
        Subject::One(registry) => clients.get(&Some(registry.clone())),
        Subject::Others(_) => None,
    };
    let all = clients.get(&None);
    let mut asking: Vec<Client> = one.into_iter().chain(all).flatten().copied().collect();
    asking.sort_unstable();
    asking.dedup();
    asking
}
