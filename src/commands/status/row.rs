//! One row of the table: a registry, its active source, and whether it works.

use std::collections::BTreeMap;

use super::json::LastErrorJson;
use super::json::RegistryJson;
use super::json::TokenJson;
use super::message::Message;
use crate::client_config::Client;
use crate::commands::json::OwnerJson;
use crate::credentials::Broker;
use crate::credentials::CredentialInfo;
use crate::credentials::TokenLife;
use crate::credentials::login_command;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::iam::owner::Owner;
use crate::keychain::Backend;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::registry::credential_check;
use crate::settings::SourceName;
use crate::sources::Origin;
use crate::time::duration;
use crate::token_cache::LastFailure;

/// An empty cell.
const NOTHING: &str = "-";

/// The maximum length of a cell, in characters.
pub(super) const MAX_CELL: usize = 400;

pub(super) const HEADINGS: [&str; 8] = [
    "REGISTRY",
    "IDENTITY",
    "SOURCE",
    "USER NAME",
    "TOKEN",
    "STORED IN",
    "CLIENTS",
    "CHECK",
];

/// The registries that a row is about.
pub(super) enum Target {
    /// This registry.
    Registry(Registry),
    /// All registries without a row of their own.
    Others {
        /// One of them.
        example: Registry,
        /// Whether there are no other rows.
        is_only_row: bool,
    },
}

impl Target {
    /// Returns the registry, or an example of the others.
    fn registry(&self) -> &Registry {
        match self {
            Self::Registry(registry)
            | Self::Others {
                example: registry, ..
            } => registry,
        }
    }

    /// Returns the scope of the login that is made for just these registries.
    pub(super) fn scope(&self) -> LoginScope {
        match self {
            Self::Registry(registry) => LoginScope::Registry(registry.clone()),
            Self::Others { .. } => LoginScope::Default,
        }
    }
}

/// One row of the table.
pub(super) struct Row {
    pub(super) target: Target,
    /// The active source; `None` if not logged in.
    active: Result<Option<CredentialInfo>>,
    /// The clients that use this helper.
    pub(super) clients: Vec<Client>,
    /// The result of `--check`.
    check: Option<Result<()>>,
}

impl Row {
    /// Creates the row; `checked` is the result of `--check`.
    pub(super) fn of(
        target: Target,
        checked: Option<Result<Checked>>,
        clients: &BTreeMap<Option<Registry>, Vec<Client>>,
        logins: &LoginSnapshot<'_>,
        broker: &Broker<'_>,
    ) -> Self {
        let mut active = broker.describe(&target.scope(), target.registry(), logins);
        // The token of the check is the newest, and without a cache the only one.
        if let (Ok(Some(active)), Some(Ok(Checked { owner, .. }))) = (&mut active, &checked) {
            active.owner = owner.clone().or_else(|| active.owner.take());
        }
        Self {
            clients: clients_of(&target, clients),
            target,
            active,
            check: checked.map(|checked| checked.and_then(|checked| checked.result)),
        }
    }

    /// Returns the registry as the first column shows it.
    pub(super) fn name(&self) -> &str {
        match &self.target {
            Target::Registry(registry) => registry.host(),
            Target::Others {
                is_only_row: true, ..
            } => "all registries",
            Target::Others { .. } => "all other registries",
        }
    }

    /// Returns the active source.
    pub(super) fn active_source(&self) -> Option<&CredentialInfo> {
        self.active.as_ref().ok()?.as_ref()
    }

    /// Returns whether the row is shown: the one about all other registries only if it says
    /// something about them.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.target, Target::Registry(_)) || self.has_source_or_problem()
    }

    /// Returns whether a source is active, or cannot be read.
    pub(super) fn has_source_or_problem(&self) -> bool {
        !matches!(self.active, Ok(None))
    }

    /// Returns the command that logs in to the registry, if no source is active.
    pub(super) fn missing_login(&self, broker: &Broker<'_>) -> Option<String> {
        match &self.target {
            Target::Registry(registry) if !self.has_source_or_problem() => {
                Some(login_command(registry, broker.settings))
            }
            _ => None,
        }
    }

    /// Returns the problem as a message that names the registry.
    pub(super) fn problem_message(&self) -> Option<Message> {
        Some(Message::about(self.name(), self.problem()?))
    }

    /// Returns what does not work: reading the source, the check, or the last exchange.
    fn problem(&self) -> Option<&Error> {
        let of_check = self.check.as_ref().and_then(|check| check.as_ref().err());
        let rejection = self.last_failure().filter(|failure| !failure.is_outage());
        let rejection = rejection.map(|failure| &failure.error);
        self.active.as_ref().err().or(of_check).or(rejection)
    }

    /// Returns the outage at the last `get`.
    pub(super) fn outage(&self) -> Option<&LastFailure> {
        self.last_failure().filter(|failure| failure.is_outage())
    }

    /// Returns the error that is cached in place of a token.
    fn last_failure(&self) -> Option<&LastFailure> {
        self.active_source()?.last_failure.as_ref()
    }

    /// Returns the cells in the order of [`HEADINGS`]; the last one only with `is_checked`.
    /// `no_client` is the text for no client.
    pub(super) fn cells(&self, is_checked: bool, no_client: &str) -> Vec<String> {
        let clients: Vec<&str> = self.clients.iter().map(|client| client.name()).collect();
        let clients = if clients.is_empty() {
            no_client.to_owned()
        } else {
            clients.join(", ")
        };
        let without_source =
            |identity: &str| [identity, NOTHING, NOTHING, NOTHING, NOTHING].map(str::to_owned);
        let middle = match &self.active {
            Ok(Some(description)) => source_cells(description),
            Ok(None) => without_source("not logged in"),
            Err(_) => without_source("problem"),
        };
        let check = is_checked.then(|| self.check_result().unwrap_or(NOTHING));
        let mut cells = vec![self.name().to_owned()];
        cells.extend(middle);
        cells.push(clients);
        cells.extend(check.map(str::to_owned));
        cells.iter().map(|cell| one_line(cell, MAX_CELL)).collect()
    }

    /// Returns the result of `--check`: `ok` or `problem`.
    fn check_result(&self) -> Option<&'static str> {
        let check = self.check.as_ref()?;
        Some(if check.is_ok() { "ok" } else { "problem" })
    }

    /// Returns the entry in the answer for `--json`.
    pub(super) fn to_json(&self) -> RegistryJson<'_> {
        let active = self.active_source();
        RegistryJson {
            registry: match &self.target {
                Target::Registry(registry) => Some(registry.host()),
                Target::Others { .. } => None,
            },
            source: active.map(|it| match &it.origin {
                Origin::Login(_) => SourceName::Login.name(),
                Origin::Source(source) => source.name(),
            }),
            title: active.map(|it| &*it.source),
            owner: active.and_then(|it| it.owner.as_ref()).map(OwnerJson::from),
            username: active.map(|it| &*it.username),
            token: active.and_then(|it| it.token).map(|life| TokenJson {
                age: life.age,
                expires_in: life.left,
            }),
            keychain: active.and_then(|it| it.keychain).map(Backend::name),
            api_key_expires_at: active.and_then(|it| it.key_ends_at),
            clients: self.clients.iter().map(|client| client.name()).collect(),
            check: self.check_result(),
            problem: self.problem().map(Message::from),
            last_error: self.last_failure().map(|failure| LastErrorJson {
                kind: if failure.is_outage() {
                    "outage"
                } else {
                    "rejection"
                },
                started_at: failure.since,
                age: failure.age,
                message: failure.error.text(),
                fix: failure.error.hint(),
            }),
        }
    }
}

/// Returns the identity, source, user name, token and place of storage.
fn source_cells(description: &CredentialInfo) -> [String; 5] {
    let owner = description.owner.as_ref();
    let identity = owner.map_or_else(|| NOTHING.to_owned(), ToString::to_string);
    let source = description.source.strip_prefix("the ");
    let token = match (description.token, &description.last_failure) {
        (Some(life), _) => token_life(life),
        (None, Some(failure)) => format!("failed {} ago", duration(failure.age)),
        (None, None) if description.is_exchanged => "not cached".to_owned(),
        (None, None) => NOTHING.to_owned(),
    };
    let stored_in = match (&description.origin, description.keychain) {
        (Origin::Login(_), Some(keychain)) => keychain_name(keychain).to_owned(),
        (Origin::Login(_), None) => NOTHING.to_owned(),
        (Origin::Source(source), _) => source_place(*source).to_owned(),
    };
    [
        identity,
        source.unwrap_or(&description.source).to_owned(),
        description.username.clone(),
        token,
        stored_in,
    ]
}

/// `12 min old, expires in 48 min`.
fn token_life(life: TokenLife) -> String {
    let expires = format!("expires in {}", duration(life.left));
    match life.age {
        Some(age) => format!("{} old, {expires}", duration(age)),
        None => expires,
    }
}

/// Returns the short name of a keychain.
fn keychain_name(keychain: Backend) -> &'static str {
    match keychain {
        Backend::Kernel | Backend::KernelWithoutPersistence => "kernel keyring",
        Backend::Macos => "Keychain",
        Backend::SecretService => "Secret Service",
        Backend::Windows => "Credential Manager",
    }
}

/// Returns where a source other than a login reads its secret.
fn source_place(source: SourceName) -> &'static str {
    match source {
        SourceName::ComputeResourceToken => "token file",
        SourceName::CredentialsFile => "credentials file",
        SourceName::Environment => "environment",
        SourceName::IbmCloudCli => "CLI's config.json",
        SourceName::Login => "keychain",
        SourceName::PowerVs | SourceName::Vpc => "metadata service",
    }
}

/// The result of a check.
pub(super) struct Checked {
    /// The owner of the token.
    owner: Option<Owner>,
    /// Whether the registry accepted the credential.
    result: Result<()>,
}

/// Gets a credential and shows it to the registry. `None` if no source is active for all
/// other registries, which is no problem, or if they are not in use, because others are.
pub(super) fn check(target: &Target, broker: &Broker<'_>) -> Option<Result<Checked>> {
    if let Target::Others {
        is_only_row: false, ..
    } = target
    {
        return None;
    }
    let registry = target.registry();
    let credential = match (broker.get(registry), target) {
        (Ok(credential), _) => credential,
        (Err(error), Target::Others { .. }) if error.is_not_found() => return None,
        (Err(error), Target::Registry(_)) if error.is_not_found() => {
            let command = login_command(registry, broker.settings);
            return Some(Err(Error::user("not logged in").with_hint(command)));
        }
        (Err(error), _) => return Some(Err(error)),
    };
    let (transport, limits) = (broker.context.transport, broker.settings.limits);
    let proxies = &broker.settings.proxies;
    Some(Ok(Checked {
        owner: Owner::of(&credential.secret),
        result: credential_check::check_credential(
            registry,
            &credential,
            transport,
            limits,
            proxies,
        ),
    }))
}

/// Returns the clients that use this helper for a row's registries, each once.
fn clients_of(target: &Target, clients: &BTreeMap<Option<Registry>, Vec<Client>>) -> Vec<Client> {
    let one = match target {
        Target::Registry(registry) => clients.get(&Some(registry.clone())),
        Target::Others { .. } => None,
    };
    let all = clients.get(&None);
    let mut found: Vec<Client> = one.into_iter().chain(all).flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    found
}
