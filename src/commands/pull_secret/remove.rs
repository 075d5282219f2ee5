//! `pull-secret remove`: deletes the secrets that `apply` made, and their entries in service
//! accounts.

use super::MAX_TRIES;
use super::cluster;
use super::cluster::Cluster;
use super::diff;
use super::events;
use super::managed::Managed;
use super::managed::State;
use super::target::Target;
use crate::commands::conclude_errors;
use crate::commands::print;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::kubernetes::ApiError;
use crate::kubernetes::Writing;

/// Delete the pull secrets that apply made
///
/// Also removes them from the imagePullSecrets of the service accounts that they were added to.
/// Secrets of this name that another program made stay. Stop 'apply --watch' first.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let target = &arguments.target;
    let session = Session::open(context, Prompting::Never)?;
    let broker = Broker::new(&session);
    let connection = cluster::connection(target, context)?;
    let cluster = Cluster::new(&connection, target, &broker);
    let read = |action: &'static str| move |error: ApiError| error.explain(action);
    let namespaces = cluster
        .namespaces()
        .map_err(read("cannot list namespaces"))?;
    let listed = cluster.all_secrets().map_err(read("cannot list secrets"))?;
    let mut errors = Vec::new();
    for namespace in namespaces {
        let state = cluster.listed_secret(listed.as_ref(), &namespace);
        let outcome = state.and_then(|state| remove(&namespace, &cluster, state, stdio, context));
        if let Err(error) = outcome {
            let stops = error.is_of_server();
            let secret = target.secret_in(&namespace);
            errors.push(error.explain(&format!("cannot remove the secret {secret}")));
            if stops {
                break;
            }
        }
    }
    conclude_errors(errors)
}

/// Removes a secret. Its entries are removed first, so that an interrupted command can be run
/// again.
fn remove(
    namespace: &str,
    cluster: &Cluster<'_>,
    state: State,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<(), ApiError> {
    let target = cluster.target;
    let mut state = state;
    let mut tries = 1;
    loop {
        let managed = match state {
            State::Managed(managed) => managed,
            State::Missing => return Ok(()),
            State::Foreign => {
                let secret = target.secret_in(namespace);
                let _ = writeln!(
                    stdio.error,
                    "note: the secret {secret} was not made by this program, so it is left as it is"
                );
                return Ok(());
            }
        };
        match delete(namespace, cluster, &managed) {
            Err(ApiError::Conflict(_)) if tries < MAX_TRIES => tries += 1,
            Err(error) => return Err(error),
            Ok(()) => {
                report(namespace, target, &managed, stdio, context);
                return Ok(());
            }
        }
        state = cluster.secret(namespace)?;
    }
}

fn delete(namespace: &str, cluster: &Cluster<'_>, managed: &Managed) -> Result<(), ApiError> {
    for name in &managed.description.service_accounts {
        if let Some(account) = cluster.service_account(namespace, name)? {
            match cluster.set_pull_secret(namespace, name, account, false) {
                Ok(_) | Err(ApiError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let path = cluster.secret_path(namespace)?;
    let writing = cluster.target.writing();
    cluster.client.delete(&path, &managed.version, writing)
}

fn report(
    namespace: &str,
    target: &Target,
    managed: &Managed,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) {
    let line = match target.writing() {
        Writing::Real => events::removed(context.clock.now(), namespace, &target.name),
        Writing::DryRun => {
            let secret = target.secret_in(namespace);
            diff::of_secret(&secret, Some(&managed.description), None)
        }
    };
    let _ = print(stdio, &line);
}
