//! The lookup of host names. Unlike the HTTP client's own lookup, which panics
//! (`hyper-util`, `client/legacy/connect/dns.rs`, by tokio's `spawn_blocking`), it
//! returns an error if no thread can be started.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

/// The system's lookup, on one thread for each name.
pub(crate) struct SystemLookup;

impl Resolve for SystemLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Lookup::default();
        let finished = lookup.clone();
        // The HTTP client sets the port.
        let work = move || {
            let addresses = (name.as_str(), 0).to_socket_addrs();
            finished.finish(addresses.map(Iterator::collect));
        };
        if let Err(error) = std::thread::Builder::new().spawn(work) {
            lookup.finish(Err(error));
        }
        Box::pin(async move {
            let addresses = lookup.await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A lookup that is running or finished.
#[derive(Clone, Default)]
struct Lookup(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    outcome: Option<io::Result<Vec<SocketAddr>>>,
    waiting: Option<Waker>,
}

impl Lookup {
    fn finish(&self, outcome: io::Result<Vec<SocketAddr>>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.outcome = Some(outcome);
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }
}

impl Future for Lookup {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
