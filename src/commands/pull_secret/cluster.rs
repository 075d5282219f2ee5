//! [`Cluster`]: the namespaces, secrets and service accounts that are meant.

use std::collections::BTreeMap;

use super::managed::State;
use super::service_accounts::ServiceAccount;
use super::service_accounts::ServiceAccountObject;
use super::target::Target;
use crate::context::Context;
use crate::credentials::Broker;
use crate::error::Result;
use crate::http::MAX_ATTEMPTS;
use crate::kubernetes::ApiError;
use crate::kubernetes::Client;
use crate::kubernetes::Connection;
use crate::kubernetes::Metadata;
use crate::kubernetes::label;
use crate::kubernetes::object_path;
use crate::time::Deadline;

/// The cluster of a command.
pub(super) struct Cluster<'a> {
    pub(super) client: Client<'a>,
    pub(super) target: &'a Target,
}

/// Returns the connection to the cluster.
pub(super) fn connection(target: &Target, context: &Context<'_>) -> Result<Connection> {
    let paths = &context.system_paths;
    Connection::open(
        context.environment,
        paths.home.as_deref(),
        &paths.root,
        target.context.as_deref(),
    )
}

impl<'a> Cluster<'a> {
    /// Creates the cluster at a connection.
    pub(super) fn new(
        connection: &'a Connection,
        target: &'a Target,
        broker: &'a Broker<'_>,
    ) -> Self {
        let deadline = Deadline::after(broker.context.clock, broker.settings.limits.deadline);
        Self {
            client: Client {
                connection,
                http: broker.http(MAX_ATTEMPTS, deadline),
            },
            target,
        }
    }

    /// Returns the namespaces that are meant. Those that are being deleted are left out.
    pub(super) fn namespaces(&self) -> Result<Vec<String>, ApiError> {
        if !self.target.all_namespaces {
            let mut names = self.target.namespaces.clone();
            names.sort_unstable();
            names.dedup();
            return Ok(names);
        }
        let selector = self.target.selector.as_deref();
        let query: Vec<(&str, &str)> = selector
            .map(|text| ("labelSelector", text))
            .into_iter()
            .collect();
        let reduce = |it: Metadata| {
            (it.deletion_timestamp.is_none() && label(&it.name).is_ok()).then_some(it.name)
        };
        self.client
            .metadata_list("/api/v1/namespaces", &query, reduce)
    }

    /// Returns the states of the secrets in all namespaces; `None` if each namespace is read by
    /// itself.
    pub(super) fn all_secrets(&self) -> Result<Option<BTreeMap<String, State>>, ApiError> {
        self.in_all_namespaces(&self.target.name, |query| {
            let reduce = |it: Metadata| Some((it.namespace.clone(), State::of(Some(it))));
            self.client.metadata_list("/api/v1/secrets", query, reduce)
        })
    }

    /// Returns the state of the secret in a namespace: the listed one, or the one that is read by
    /// itself if there is no list.
    pub(super) fn listed_secret(
        &self,
        listed: Option<&BTreeMap<String, State>>,
        namespace: &str,
    ) -> Result<State, ApiError> {
        match listed {
            Some(states) => Ok(states.get(namespace).cloned().unwrap_or(State::Missing)),
            None => self.secret(namespace),
        }
    }

    /// Returns the state of the secret in a namespace.
    pub(super) fn secret(&self, namespace: &str) -> Result<State, ApiError> {
        let path = self.secret_path(namespace)?;
        self.client.metadata(&path).map(State::of)
    }

    /// Returns the service accounts of this name, by namespace; `None` if each is read by itself.
    pub(super) fn all_service_accounts(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, ServiceAccount>>, ApiError> {
        self.in_all_namespaces(name, |query| {
            let reduce = |it: ServiceAccountObject| Some(it.into_namespace_and_account());
            self.client
                .objects("/api/v1/serviceaccounts", query, reduce)
        })
    }

    /// Returns the list of the objects of a name; `None` if each is read by itself: because only
    /// some namespaces are meant, or because one of the objects is too large, so that the error is
    /// one of its namespace only.
    fn in_all_namespaces<T>(
        &self,
        name: &str,
        list: impl FnOnce(&[(&str, &str)]) -> Result<T, ApiError>,
    ) -> Result<Option<T>, ApiError> {
        if !self.target.all_namespaces {
            return Ok(None);
        }
        match list(&[("fieldSelector", &format!("metadata.name={name}"))]) {
            Err(ApiError::TooLarge) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns the path of the secret in a namespace.
    pub(super) fn secret_path(&self, namespace: &str) -> Result<String, ApiError> {
        object_path(namespace, "secrets", &self.target.name)
    }
}
