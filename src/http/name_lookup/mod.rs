//! The lookup of host names. Unlike the HTTP client's own lookup, which panics
//! (`hyper-util`, `client/legacy/connect/dns.rs`, by tokio's `spawn_blocking`), it
//! returns an error if no thread can be started.
//!
//! Programs with the system's C library ask it. musl's resolver, in static binaries, takes
//! the first answer of any name server and fails if one of two address families does, so
//! these have a resolver that behaves like glibc's.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

#[cfg(all(target_os = "linux", any(target_env = "musl", test)))]
mod dns_message;
#[cfg(target_os = "linux")]
mod families;
#[cfg(all(target_os = "linux", any(target_env = "musl", test)))]
mod hosts_file;
#[cfg(all(target_os = "linux", any(target_env = "musl", test)))]
mod name_servers;
#[cfg(all(target_os = "linux", any(target_env = "musl", test)))]
mod resolv_conf;
#[cfg(all(target_os = "linux", any(target_env = "musl", test)))]
mod resolver;
#[cfg(not(target_env = "musl"))]
mod system;

#[cfg(target_env = "musl")]
pub(super) use resolver::addresses;
#[cfg(not(target_env = "musl"))]
pub(super) use system::addresses;

/// Looks up each name on a thread of its own.
///
/// An attempt to connect may end before its lookup does, because a silent name server
/// takes as long. Then the next attempt gets the outcome of the same lookup.
#[derive(Default)]
pub(crate) struct NameLookup {
    lookups: Arc<Mutex<HashMap<String, Lookup>>>,
}

impl Resolve for NameLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let lookup = self.lookup(&name);
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let found = lookup.await;
            locked(&lookups).remove(&name);
            // The HTTP client sets the port.
            let found = found?
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

impl NameLookup {
    /// Returns the lookup of this name that an earlier attempt started, or else starts one.
    fn lookup(&self, name: &str) -> Lookup {
        let mut lookups = locked(&self.lookups);
        if let Some(earlier) = lookups.get(name).filter(|lookup| !lookup.has_failed()) {
            return earlier.clone();
        }
        let lookup = Lookup::default();
        lookups.insert(name.to_owned(), lookup.clone());
        let (finished, name) = (lookup.clone(), name.to_owned());
        let work = move || finished.finish(addresses(&name));
        if let Err(error) = std::thread::Builder::new().spawn(work) {
            lookup.finish(Err(error));
        }
        lookup
    }
}

/// A lookup that is running or finished.
#[derive(Clone, Default)]
struct Lookup(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    outcome: Option<io::Result<Vec<IpAddr>>>,
    waiting: Vec<Waker>,
}

impl Lookup {
    fn finish(&self, outcome: io::Result<Vec<IpAddr>>) {
        let mut state = locked(&self.0);
        state.outcome = Some(outcome);
        for waiting in state.waiting.drain(..) {
            waiting.wake();
        }
    }

    fn has_failed(&self) -> bool {
        matches!(locked(&self.0).outcome, Some(Err(_)))
    }
}

impl Future for Lookup {
    type Output = io::Result<Vec<IpAddr>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = locked(&self.0);
        match &state.outcome {
            Some(Ok(addresses)) => Poll::Ready(Ok(addresses.clone())),
            Some(Err(error)) => Poll::Ready(Err(same_error(error))),
            None => {
                state.waiting.push(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Returns an error with the same code or text.
fn same_error(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
