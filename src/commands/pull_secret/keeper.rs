//! [`Keeper`]: one round through all secrets, in which those that are due are written.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use zeroize::Zeroizing;

use super::MANAGER;
use super::MAX_TRIES;
use super::cluster::Cluster;
use super::diff;
use super::events;
use super::managed::Description;
use super::managed::Managed;
use super::managed::State;
use super::schedule;
use super::service_accounts::ServiceAccount;
use super::target::Target;
use crate::commands::docker_config::docker_config;
use crate::commands::print;
use crate::context::Stdio;
use crate::credential::Credential;
use crate::credentials::Broker;
use crate::credentials::login_hint;
use crate::error::Error;
use crate::error::Result;
use crate::kubernetes::ApiError;
use crate::kubernetes::Patch;
use crate::kubernetes::Writing;
use crate::registry::Registry;

/// Which secrets are wanted.
pub(super) struct Plan<'a> {
    pub(super) target: &'a Target,
    pub(super) registries: Vec<Registry>,
    pub(super) service_accounts: BTreeSet<String>,
    /// Whether secrets are written although they are not due.
    pub(super) writes_all: bool,
}

/// Writes secrets, with credentials that it keeps in memory until they are renewed.
pub(super) struct Keeper<'a> {
    pub(super) plan: Plan<'a>,
    broker: &'a Broker<'a>,
    content: Option<Content>,
}

/// What is written to all secrets.
struct Content {
    docker_config: Zeroizing<String>,
    description: Description,
}

/// The outcome of a round.
#[derive(Default)]
pub(super) struct Round {
    /// What failed.
    pub(super) errors: Vec<Error>,
    /// The secrets of this name that other programs made, each with its error.
    pub(super) foreign: BTreeMap<String, Error>,
    /// Whether an error of the API server or of the credential ended it.
    pub(super) has_ended_early: bool,
    /// Whether a secret that could not be written has expired.
    has_expired: bool,
    /// How many secrets are fresh.
    fresh: usize,
    /// When the next secret is due.
    pub(super) next_renewal: Option<u64>,
    /// How long the API server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What is read of the cluster at the beginning of a round. `None`: each object is read by itself.
struct Listed {
    secrets: Option<BTreeMap<String, State>>,
    accounts: BTreeMap<String, Option<BTreeMap<String, ServiceAccount>>>,
}

/// The wanted service accounts of a namespace.
#[derive(Default)]
struct Accounts {
    /// Those without the secret, by name.
    lacking: BTreeMap<String, ServiceAccount>,
    /// The names of those that this program gave the secret before.
    given: BTreeSet<String>,
    /// The name of one that does not exist.
    missing: Option<String>,
}

/// Why a secret could not be written.
enum Failure {
    /// The cluster's fault: what failed.
    Api(String, ApiError),
    /// There is no credential for it.
    Credential(Error),
    /// Another program made the secret.
    Foreign,
    /// A service account does not exist.
    NoServiceAccount(String),
}

impl<'a> Keeper<'a> {
    /// Creates a keeper without a credential.
    pub(super) fn new(plan: Plan<'a>, broker: &'a Broker<'a>) -> Self {
        Self {
            plan,
            broker,
            content: None,
        }
    }

    /// Writes all secrets that are due. Goes on after an error of one secret, but not after one of
    /// the API server or of IAM.
    pub(super) fn round(&mut self, cluster: &Cluster<'_>, stdio: &mut Stdio<'_>) -> Round {
        let mut round = Round::default();
        let (namespaces, listed) = match self.listed(cluster) {
            Ok(read) => read,
            Err((action, error)) => {
                round.has_ended_early = true;
                round.retry_after = error.retry_after();
                round.errors.push(error.explain(action));
                return round;
            }
        };
        for namespace in namespaces {
            let state = cluster.listed_secret(listed.secrets.as_ref(), &namespace);
            let state = state.map_err(|error| self.unreadable(&namespace, error));
            let has_expired = state.as_ref().is_ok_and(|it| it.has_expired(self.now()));
            let outcome =
                state.and_then(|state| self.keep(&namespace, cluster, state, &listed, stdio));
            match outcome {
                Ok(due) => round.add_fresh(due),
                Err(failure) => {
                    round.add_failure(failure, has_expired, &namespace, self.plan.target)
                }
            }
            if round.has_ended_early {
                break;
            }
        }
        round
    }

    /// Reads the namespaces, and with all of them their secrets and service accounts.
    fn listed(
        &self,
        cluster: &Cluster<'_>,
    ) -> Result<(Vec<String>, Listed), (&'static str, ApiError)> {
        let namespaces = cluster.namespaces();
        let namespaces = namespaces.map_err(|error| ("cannot list namespaces", error))?;
        let secrets = cluster.all_secrets();
        let secrets = secrets.map_err(|error| ("cannot list secrets", error))?;
        let mut accounts = BTreeMap::new();
        for name in &self.plan.service_accounts {
            let found = cluster.all_service_accounts(name);
            let found = found.map_err(|error| ("cannot list service accounts", error))?;
            accounts.insert(name.clone(), found);
        }
        Ok((namespaces, Listed { secrets, accounts }))
    }

    /// Writes the secret of a namespace if it is due, and adds it to the service accounts. Returns
    /// when it is due again.
    fn keep(
        &mut self,
        namespace: &str,
        cluster: &Cluster<'_>,
        state: State,
        listed: &Listed,
        stdio: &mut Stdio<'_>,
    ) -> Result<Option<u64>, Failure> {
        let mut state = state;
        let accounts = self.accounts(namespace, cluster, listed)?;
        let mut tries = 1;
        let written = loop {
            match self.write(namespace, cluster, &state, &accounts, stdio) {
                Err(Failure::Api(_, ApiError::Conflict(_))) if tries < MAX_TRIES => tries += 1,
                outcome => break outcome?,
            }
            state = self.read(namespace, cluster)?;
        };
        let name = &self.plan.target.name;
        for (account_name, account) in accounts.lacking {
            let changed = cluster.set_pull_secret(namespace, &account_name, account, true);
            let changed = changed.map_err(|error| {
                let action =
                    format!("cannot change the service account {namespace}/{account_name}");
                Failure::Api(action, error)
            })?;
            if changed && self.plan.target.writing() == Writing::Real {
                self.log(
                    stdio,
                    &events::added(self.now(), namespace, name, &account_name),
                );
            }
        }
        match accounts.missing {
            Some(name) if !self.plan.target.all_namespaces => Err(Failure::NoServiceAccount(name)),
            // It may be created later.
            _ => Ok(written.renew_at),
        }
    }

    fn read(&self, namespace: &str, cluster: &Cluster<'_>) -> Result<State, Failure> {
        let state = cluster.secret(namespace);
        state.map_err(|error| self.unreadable(namespace, error))
    }

    fn unreadable(&self, namespace: &str, error: ApiError) -> Failure {
        let secret = self.plan.target.secret_in(namespace);
        Failure::Api(format!("cannot read the secret {secret}"), error)
    }

    /// Returns the wanted service accounts of a namespace.
    fn accounts(
        &self,
        namespace: &str,
        cluster: &Cluster<'_>,
        listed: &Listed,
    ) -> Result<Accounts, Failure> {
        let mut accounts = Accounts::default();
        for name in &self.plan.service_accounts {
            let account = match listed.accounts.get(name) {
                Some(Some(all)) => all.get(namespace).cloned(),
                _ => cluster.service_account(namespace, name).map_err(|error| {
                    let action = format!("cannot read the service account {namespace}/{name}");
                    Failure::Api(action, error)
                })?,
            };
            match account {
                Some(account) if !account.has(&self.plan.target.name) => {
                    accounts.lacking.insert(name.clone(), account);
                }
                Some(account) if account.is_ours => {
                    accounts.given.insert(name.clone());
                }
                Some(_) => {}
                None => accounts.missing = Some(name.clone()),
            }
        }
        Ok(accounts)
    }

    /// Writes a secret unless it is current. It names the service accounts that it is about to be
    /// added to, so that 'remove' finds them. Returns what is in the secret.
    fn write(
        &mut self,
        namespace: &str,
        cluster: &Cluster<'_>,
        state: &State,
        accounts: &Accounts,
        stdio: &mut Stdio<'_>,
    ) -> Result<Description, Failure> {
        let mut service_accounts = state.service_accounts();
        service_accounts.extend(accounts.lacking.keys().cloned());
        let managed = match state {
            State::Foreign => return Err(Failure::Foreign),
            State::Missing => {
                // The names were in the secret that was deleted.
                service_accounts.extend(accounts.given.iter().cloned());
                None
            }
            State::Managed(managed) => Some(managed),
        };
        if let Some(managed) = managed
            && managed.description.service_accounts == service_accounts
            && self.is_current(managed)
        {
            return Ok(managed.description.clone());
        }
        let now = self.now();
        let content = self.content()?;
        let description = Description {
            service_accounts,
            ..content.description.clone()
        };
        let target = cluster.target;
        let earlier = managed.map(|managed| &managed.version);
        let manifest =
            description.manifest(namespace, &target.name, &content.docker_config, earlier);
        let patch = Patch::Apply {
            is_forced: earlier.is_some(),
        };
        let secret = target.secret_in(namespace);
        let outcome = cluster.secret_path(namespace).and_then(|path| {
            let client = &cluster.client;
            client.patch(&path, &patch, MANAGER, &manifest, target.writing())
        });
        outcome
            .map_err(|error| Failure::Api(format!("cannot write the secret {secret}"), error))?;
        let line = match target.writing() {
            Writing::Real => events::renewed(now, namespace, &target.name, &description),
            Writing::DryRun => {
                let old = managed.map(|managed| &managed.description);
                diff::of_secret(&secret, old, Some(&description))
            }
        };
        self.log(stdio, &line);
        Ok(description)
    }

    fn is_current(&self, managed: &Managed) -> bool {
        !self.plan.writes_all && managed.is_current(&self.hosts(), self.now())
    }

    /// Returns what is written, with new credentials if those in memory are due for renewal.
    fn content(&mut self) -> Result<&Content, Failure> {
        let now = self.now();
        let current = self.content.take();
        let current = current.filter(|it| it.description.is_fresh(now));
        let content = match current {
            Some(content) => content,
            None => self.new_content().map_err(Failure::Credential)?,
        };
        Ok(self.content.insert(content))
    }

    fn new_content(&self) -> Result<Content> {
        let mut credentials: Vec<(Registry, Credential)> = Vec::new();
        let mut shortest: Option<u64> = None;
        for registry in &self.plan.registries {
            let found = self
                .broker
                .get_short_lived(registry)
                .map_err(|error| self.without_credential(registry, error))?;
            credentials.push((registry.clone(), found.credential));
            shortest = match (shortest, found.remaining) {
                (Some(shortest), Some(remaining)) => Some(shortest.min(remaining)),
                (shortest, remaining) => shortest.or(remaining),
            };
        }
        let now = self.now();
        Ok(Content {
            docker_config: docker_config(&credentials),
            description: Description {
                registries: self.hosts(),
                expires_at: shortest.map(|remaining| now.saturating_add(remaining)),
                renew_at: Some(schedule::renewal(now, shortest)),
                service_accounts: BTreeSet::new(),
            },
        })
    }

    fn without_credential(&self, registry: &Registry, error: Error) -> Error {
        if error.is_not_found() {
            let hint = login_hint(registry, self.broker.settings, self.broker.context);
            return Error::user(format!("not logged in to {registry}")).with_hint(hint);
        }
        error
    }

    fn hosts(&self) -> String {
        let hosts: Vec<&str> = self.plan.registries.iter().map(Registry::host).collect();
        hosts.join(",")
    }

    fn now(&self) -> u64 {
        self.broker.context.clock.now()
    }

    /// Writes a line to stdout. What was done stays done if its reader has gone.
    fn log(&self, stdio: &mut Stdio<'_>, line: &str) {
        let _ = print(stdio, line);
        let _ = stdio.output.flush();
    }
}

impl Round {
    /// Returns the round that an error has ended before it began.
    pub(super) fn of_error(error: Error) -> Self {
        Self {
            errors: vec![error],
            has_ended_early: true,
            ..Self::default()
        }
    }

    /// Returns whether the secrets can be used: the round went to its end, no secret that could not
    /// be written has expired, and not all of them failed. One namespace that refuses its secret
    /// does not make the program unready.
    pub(super) fn is_ready(&self) -> bool {
        let all_failed = self.fresh == 0 && !self.errors.is_empty();
        !self.has_ended_early && !self.has_expired && !all_failed
    }

    fn add_fresh(&mut self, due: Option<u64>) {
        self.fresh += 1;
        self.next_renewal = match (self.next_renewal, due) {
            (Some(next), Some(due)) => Some(next.min(due)),
            (next, due) => next.or(due),
        };
    }

    /// Adds a failure, of a secret that has expired or not.
    fn add_failure(
        &mut self,
        failure: Failure,
        has_expired: bool,
        namespace: &str,
        target: &Target,
    ) {
        let secret = target.secret_in(namespace);
        let errors = self.errors.len();
        match failure {
            Failure::Api(_, ApiError::NotFound | ApiError::Terminating)
                if target.all_namespaces =>
            {
                tracing::debug!(namespace, "the namespace has been deleted meanwhile");
            }
            Failure::Api(action, ApiError::NotFound) => {
                let reason = format!("{action}: the namespace does not exist");
                self.errors.push(Error::user(reason));
            }
            Failure::Api(action, error) => {
                self.has_ended_early = error.is_of_server();
                self.retry_after = self.retry_after.max(error.retry_after());
                self.errors.push(error.explain(&action));
            }
            Failure::Credential(error) => {
                self.has_ended_early = true;
                self.errors.push(error);
            }
            Failure::Foreign => {
                let error = Error::user(format!(
                    "the secret {secret} was not made by this program, so it is left as it is"
                ))
                .with_hint("Delete it, or choose another name with --name");
                self.foreign.insert(secret, error);
            }
            Failure::NoServiceAccount(name) => {
                let reason = format!("the service account {namespace}/{name} does not exist");
                self.errors.push(Error::user(reason));
            }
        }
        self.has_expired |= has_expired && self.errors.len() > errors;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_expired_secret_or_an_error_of_all_makes_a_round_unready() {
        let target = Target {
            namespaces: Vec::new(),
            all_namespaces: true,
            selector: None,
            name: "icr".into(),
            context: None,
            dry_run: false,
        };
        let forbidden = || ApiError::Rejected(403, "no".into());
        let outage = || ApiError::Unavailable(Error::temporary("no answer"), None);
        for (error, has_expired, fresh, is_ready) in [
            (forbidden(), false, 1, true),
            (forbidden(), true, 1, false),
            (forbidden(), false, 0, false),
            (outage(), false, 1, false),
            (ApiError::NotFound, true, 0, true),
        ] {
            let mut round = Round::default();
            for _ in 0..fresh {
                round.add_fresh(None);
            }
            let failure = Failure::Api("cannot write".into(), error.clone());
            round.add_failure(failure, has_expired, "build", &target);
            assert_eq!(
                round.is_ready(),
                is_ready,
                "{error:?} {has_expired} {fresh}"
            );
        }
    }
}
