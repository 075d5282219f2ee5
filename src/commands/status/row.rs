//! One row of the table: a registry, its active source, and whether it works.

use std::collections::BTreeMap;

use super::json::LastErrorJson;
use super::json::RegistryJson;
use super::json::TokenJson;
use super::message::Message;
use crate::client_config::Client;
use crate::commands::json::OwnerJson;
use crate::commands::target::Target;
use crate::credentials::Broker;
use crate::credentials::CredentialInfo;
use crate::credentials::login_command;
use crate::credentials::login_fix;
use crate::error::Error;
use crate::error::Result;
use crate::iam::owner::Owner;
use crate::keychain::Backend;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::registry::credential_check;
use crate::settings::SourceName;
use crate::sources::Origin;
use crate::token_cache::LastFailure;

/// One row of the table.
pub(in crate::commands) struct Row {
    pub(in crate::commands) target: Target,
    /// The active source; `None` if not logged in.
    active: Result<Option<CredentialInfo>>,
    /// The clients that use this helper.
    pub(super) clients: Vec<Client>,
    /// The result of `--check`.
    check: Option<Result<()>>,
}

impl Row {
    /// Creates the row; `checked` is the result of `--check`.
    pub(in crate::commands) fn of(
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
    pub(in crate::commands) fn name(&self) -> &str {
        match &self.target {
            Target::Registry(registry) => registry.host(),
            Target::Others {
                is_only_row: true, ..
            } => "all registries",
            Target::Others { .. } => "all other registries",
        }
    }

    /// Returns the active source, `None` if not logged in, or why it cannot be read.
    pub(in crate::commands) fn state(&self) -> Result<Option<&CredentialInfo>, &Error> {
        self.active.as_ref().map(Option::as_ref)
    }

    /// Returns the active source.
    pub(super) fn active_source(&self) -> Option<&CredentialInfo> {
        self.active.as_ref().ok()?.as_ref()
    }

    /// Returns whether the row is shown: the one about all other registries only if it says
    /// something about them.
    pub(in crate::commands) fn is_shown(&self) -> bool {
        matches!(self.target, Target::Registry(_)) || self.has_source_or_problem()
    }

    /// Returns whether a source is active, or cannot be read.
    pub(in crate::commands) fn has_source_or_problem(&self) -> bool {
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

    /// Returns the result of `--check`: `ok` or `problem`.
    pub(super) fn check_result(&self) -> Option<&'static str> {
        let check = self.check.as_ref()?;
        Some(if check.is_ok() { "ok" } else { "problem" })
    }

    /// Returns the entry in the answer for `--json`.
    pub(super) fn to_json(&self) -> RegistryJson<'_> {
        let active = self.active_source();
        RegistryJson {
            registry: self.target.host(),
            source: active.map(|it| name_of(&it.origin)),
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

/// Returns the name of a source, as in the settings.
pub(in crate::commands) fn name_of(origin: &Origin) -> &'static str {
    match origin {
        Origin::Login(_) => SourceName::Login.name(),
        Origin::Source(source) => source.name(),
    }
}

/// The result of a check.
pub(in crate::commands) struct Checked {
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
            let fix = login_fix(registry, broker);
            return Some(Err(Error::user("not logged in").with_hint(fix)));
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
