//! [`OutageMarks`]: recent outages, shared by the processes of this user, so that all `get`s
//! of one build together wait once. A mark contains no secret. It is a file, because there
//! may be no keychain.

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use serde::Serialize;

use super::Outage;
use super::ProxyRefusal;
use super::ServiceError;
use super::proxy::LOGIN_REQUIRED;
use crate::digest;
use crate::fs;
use crate::fs::Missing;

/// The time, in seconds, for which a quick failure is remembered: a build with many
/// registries needs less, and after it a network that is back is used.
const QUICK_OUTAGE: u64 = 5;

/// The same for a service that did not answer. Asking again costs a whole deadline, so half
/// of that is not too long for a network that is back.
const SILENT_OUTAGE: u64 = 10;

/// The same for a proxy that rejects its user name and password. Each attempt brings the
/// person's account closer to being locked. Another password in the variable is tried at
/// once.
const PROXY_REFUSAL: u64 = 60;

/// The longest pause, in seconds, for which one answer of a service keeps all processes from
/// asking again. One request a minute overloads no service, and a wrong `Retry-After` stops
/// no user for longer.
const MAX_PAUSE: u64 = 60;

/// The size limit of a mark, in bytes.
const MAX_SIZE: u64 = 16 * 1024;

/// The marks of all services, in directories of this user. The first that can be written is
/// used: a home directory may be read-only.
#[derive(Clone, Debug, Default)]
pub struct OutageMarks {
    directories: Vec<PathBuf>,
}

/// What a process has found out about a service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Mark {
    /// The route of the request.
    route: String,
    /// When the mark was written, in seconds since 1970.
    written: u64,
    /// How long the mark is valid, in seconds.
    holds: u64,
    /// The end of the pause that the service asks for, in seconds since 1970.
    #[serde(default)]
    retry_at: Option<u64>,
    finding: Finding,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Finding {
    /// The service asks for a pause. Requests are sent after it.
    Pause(Outage),
    /// All attempts of a process failed.
    Outage(Outage),
    /// The proxy refused to connect.
    Proxy(ProxyRefusal),
}

/// What a process does because of a mark.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Reaction {
    /// Fails at once, with this error.
    Fail(ServiceError),
    /// Waits for this number of seconds before the request, or fails with this error.
    Wait(u64, ServiceError),
}

impl Mark {
    /// Creates the mark of a pause until the next request.
    pub(super) fn pause(route: &str, outage: &Outage, seconds: u64, now: u64) -> Self {
        Self {
            route: route.to_owned(),
            written: now,
            holds: seconds.min(MAX_PAUSE),
            retry_at: retry_at(outage, now),
            finding: Finding::Pause(outage.clone()),
        }
    }

    /// Creates the mark of a request that failed after all its attempts; `None` if the
    /// error is not about the service, or if a pause is marked already.
    pub(super) fn of_error(route: &str, error: &ServiceError, now: u64) -> Option<Self> {
        let (holds, finding) = match error {
            ServiceError::Unavailable(outage) => {
                let holds = match outage {
                    Outage::Local(_)
                    | Outage::Answered {
                        retry_after: Some(_),
                        ..
                    } => return None,
                    Outage::Silent { .. } => SILENT_OUTAGE,
                    Outage::Answered { .. } | Outage::Unreachable(_) => QUICK_OUTAGE,
                };
                (holds, Finding::Outage(outage.clone()))
            }
            ServiceError::Proxy(refusal) => {
                let holds = if refusal.status == LOGIN_REQUIRED {
                    PROXY_REFUSAL
                } else {
                    QUICK_OUTAGE
                };
                (holds, Finding::Proxy(refusal.clone()))
            }
            _ => return None,
        };
        Some(Self {
            route: route.to_owned(),
            written: now,
            holds,
            retry_at: None,
            finding,
        })
    }

    /// Returns what to do because of this mark; `None` if it is no longer valid.
    pub(super) fn reaction(&self, route: &str, now: u64) -> Option<Reaction> {
        // A mark from the future was written before the clock was set back.
        let age = now.checked_sub(self.written)?;
        let left = self.holds.checked_sub(age).filter(|left| *left > 0)?;
        if self.route != route {
            return None;
        }
        Some(match &self.finding {
            Finding::Pause(outage) => Reaction::Wait(left, self.error(outage, now)),
            Finding::Outage(outage) => Reaction::Fail(self.error(outage, now)),
            Finding::Proxy(refusal) => Reaction::Fail(ServiceError::Proxy(refusal.clone())),
        })
    }

    fn error(&self, outage: &Outage, now: u64) -> ServiceError {
        ServiceError::Unavailable(match outage {
            Outage::Answered { status, .. } => Outage::Answered {
                status: *status,
                retry_after: self.retry_at.and_then(|at| {
                    let left = at.checked_sub(now)?;
                    Some(std::time::Duration::from_secs(left))
                }),
            },
            other => other.clone(),
        })
    }
}

fn retry_at(outage: &Outage, now: u64) -> Option<u64> {
    match outage {
        Outage::Answered { retry_after, .. } => {
            Some(now.saturating_add(retry_after.as_ref()?.as_secs()))
        }
        _ => None,
    }
}

impl OutageMarks {
    /// No marks: each process sends its requests.
    pub const NONE: Self = Self {
        directories: Vec::new(),
    };

    /// Uses files in the first of these directories that can be written. They are created when
    /// they are needed.
    pub fn at(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            directories: directories.into_iter().collect(),
        }
    }

    /// Returns the mark of a service, even if it is no longer valid.
    pub(super) fn read(&self, service: &str) -> Option<Mark> {
        self.paths(service).find_map(|path| {
            let file = fs::open_private(&path, Missing::Fail).ok()?;
            let text = fs::read(file, MAX_SIZE).ok()?;
            serde_json::from_slice(&text).ok()
        })
    }

    /// Writes the mark of a service. An error is only logged, because other processes work
    /// without the mark.
    pub(super) fn write(&self, service: &str, mark: &Mark) {
        let is_written = self.paths(service).any(|path| {
            write(&path, mark)
                .inspect_err(|error| tracing::debug!(%error, "cannot write a mark"))
                .is_ok()
        });
        if is_written {
            tracing::debug!(service, holds = mark.holds, "marked for other processes");
        }
    }

    /// Deletes the mark of a service.
    pub(super) fn remove(&self, service: &str) {
        for path in self.paths(service) {
            if let Ok(_rights) = fs::act_as_owner(&path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn paths(&self, service: &str) -> impl Iterator<Item = PathBuf> {
        let name = format!("outage-{}", digest::fingerprint(&[service]));
        self.directories
            .iter()
            .map(move |directory| directory.join(&name))
    }
}

/// Writes a mark. Another process may read an incomplete one, which it ignores.
fn write(path: &Path, mark: &Mark) -> anyhow::Result<()> {
    fs::create_private_directories(path.parent().context("it has no directory")?)?;
    let text = serde_json::to_vec(mark)?;
    let mut file = fs::open_private(path, Missing::Create)?;
    file.set_len(0)?;
    Ok(file.write_all(&text)?)
}

#[cfg(test)]
mod tests;
