//! `pull-secret apply --watch`: round after round, whatever fails.
//!
//! The cluster is looked at in intervals instead of being watched: a renewal is due every half
//! hour, so the minute until a new namespace has its secret is the only difference, and no
//! connection has to be kept open through load balancers that end it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::cluster;
use super::cluster::Cluster;
use super::events;
use super::keeper::Keeper;
use super::keeper::Round;
use super::ready;
use super::schedule;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;

/// How the secrets are watched.
pub(super) struct Options<'a> {
    /// The time between two rounds.
    pub(super) interval: Duration,
    /// The file that exists while the secrets can be used.
    pub(super) ready_file: Option<&'a Path>,
}

/// Makes signals end the process. The first process of a container ignores them otherwise.
pub(super) fn exit_on_termination() {
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        // Without the handler, the process is killed after the pod's grace period.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 0, always);
    }
}

/// Makes rounds while `goes_on` returns true.
///
/// # Errors
/// The ready file cannot be written.
pub(super) fn run(
    keeper: &mut Keeper<'_>,
    broker: &Broker<'_>,
    options: &Options<'_>,
    stdio: &mut Stdio<'_>,
    mut goes_on: impl FnMut() -> bool,
) -> Result<()> {
    let clock = broker.context.clock;
    // One of an earlier process in the same pod.
    ready::clear(options.ready_file)?;
    let mut errors: u32 = 0;
    let mut known_foreign = BTreeSet::new();
    while goes_on() {
        let round = one_round(keeper, broker, stdio);
        let now = clock.now();
        for (secret, error) in &round.foreign {
            if known_foreign.insert(secret.clone()) {
                log_error(stdio, now, error);
            }
        }
        known_foreign.retain(|secret| round.foreign.contains_key(secret));
        for error in &round.errors {
            log_error(stdio, now, error);
        }
        let pause = if round.has_ended_early {
            errors = errors.saturating_add(1);
            schedule::backoff(errors, round.retry_after, (broker.context.random)())
        } else {
            errors = 0;
            let interval = if round.errors.is_empty() {
                options.interval
            } else {
                options.interval.min(schedule::MAX_RETRY)
            };
            schedule::pause(now, round.next_renewal, interval)
        };
        let outcome = if round.is_ready() {
            ready::set(options.ready_file, now)
        } else {
            ready::clear(options.ready_file)
        };
        if let Err(error) = outcome {
            log_error(stdio, now, &error);
        }
        tracing::debug!(?pause, errors, "waiting for the next round");
        clock.sleep(pause);
    }
    Ok(())
}

/// Makes one round. The kubeconfig and the files of the service account are read each time,
/// because others replace them.
fn one_round(keeper: &mut Keeper<'_>, broker: &Broker<'_>, stdio: &mut Stdio<'_>) -> Round {
    let target = keeper.plan.target;
    match cluster::connection(target, broker.context) {
        Ok(connection) => {
            let cluster = Cluster::new(&connection, target, broker);
            keeper.round(&cluster, stdio)
        }
        Err(error) => Round::of_error(error),
    }
}

fn log_error(stdio: &mut Stdio<'_>, now: u64, error: &Error) {
    let _ = writeln!(stdio.error, "{}", events::failed(now, error));
}
