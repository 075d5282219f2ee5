//! HTTP requests to IAM, registries and the instance metadata service: transport,
//! retries and deadlines.

use std::sync::Arc;
use std::time::Duration;

use crate::time::Clock;
use crate::time::Deadline;

mod api_request;
pub mod certificates;
pub mod client;
mod error_body;
mod exhaustion;
mod name_lookup;
mod no_proxy;
mod outage_mark;
pub mod proxy;
mod retry;
mod server_trust;
mod service_error;
#[cfg(test)]
pub(crate) mod test_support;
mod tls_error;
pub mod transport;
mod tunnel;

pub(crate) use api_request::ApiRequest;
pub use api_request::is_token;
pub use outage_mark::OutageMarks;
use proxy::Proxies;
pub use proxy::ProxyRefusal;
pub use service_error::INVALID_RESPONSE_HINT;
pub use service_error::Outage;
pub use service_error::ServiceDescription;
pub use service_error::ServiceError;
use transport::ServerTrust;
use transport::Transport;

/// How often a request is sent if there is no cached token to fall back on.
pub const MAX_ATTEMPTS: u32 = 4;

/// How long requests may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// A whole `get`, 20 s by default.
    pub deadline: Duration,
    /// One connection, 5 s by default.
    pub connect: Duration,
    /// One attempt, 10 s by default.
    pub attempt: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(20),
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
        }
    }
}

/// Sends requests and repeats them within a deadline.
#[derive(Clone, Copy)]
pub struct Http<'a> {
    /// Sends each request.
    pub transport: &'a dyn Transport,
    /// Measures time and waits between attempts.
    pub clock: &'a dyn Clock,
    /// Random bits that keep many clients from retrying at the same moment.
    pub random: &'a dyn Fn() -> u64,
    /// How long one attempt may take.
    pub limits: Limits,
    /// How often one request is sent at most.
    pub max_attempts: u32,
    /// When all attempts must be over.
    pub deadline: Deadline,
    /// The proxies of the environment and the settings.
    pub proxies: &'a Proxies,
    /// Recent outages, shared by the processes of this user.
    pub outage_marks: &'a OutageMarks,
    /// Whether a request fails at once if another process has just found an outage. False for
    /// a person's commands, which need a current answer.
    pub avoids_outages: bool,
    /// How the server is verified, if not as all others.
    pub trust: Option<&'a Arc<ServerTrust>>,
}

impl Http<'_> {
    /// Returns a copy whose requests fail at once if another process has just found an outage.
    #[must_use]
    pub fn avoiding_outages(self) -> Self {
        Self {
            avoids_outages: true,
            ..self
        }
    }

    /// Returns a copy with a deadline that starts now, for the time after a person has
    /// answered.
    #[must_use]
    pub fn with_new_deadline(self) -> Self {
        Self {
            deadline: Deadline::after(self.clock, self.limits.deadline),
            ..self
        }
    }
}
