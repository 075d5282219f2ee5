//! The lines of the log: one for each renewal, removal and error.

use crate::error::Error;
use crate::error::one_line;

use super::managed::Description;
use super::managed::timestamp;

/// The length limit of a line, in characters.
const MAX_LINE: usize = 2000;

/// Returns the line for a secret that was written.
pub(super) fn renewed(now: u64, namespace: &str, name: &str, written: &Description) -> String {
    let mut line = format!(
        "{} renewed namespace={namespace} secret={name} registries={}",
        timestamp(now),
        written.registries
    );
    for (key, time) in [
        ("expires_at", written.expires_at),
        ("renew_at", written.renew_at),
    ] {
        if let Some(time) = time {
            line.push_str(&format!(" {key}={}", timestamp(time)));
        }
    }
    line
}

/// Returns the line for an entry that was added to the `imagePullSecrets` of a service account.
pub(super) fn added(now: u64, namespace: &str, name: &str, account: &str) -> String {
    let time = timestamp(now);
    format!("{time} added namespace={namespace} secret={name} service_account={account}")
}

/// Returns the line for a secret that was removed.
pub(super) fn removed(now: u64, namespace: &str, name: &str) -> String {
    let time = timestamp(now);
    format!("{time} removed namespace={namespace} secret={name}")
}

/// Returns the line for an error.
pub(super) fn failed(now: u64, error: &Error) -> String {
    let line = format!("{} failed error={:?}", timestamp(now), error.to_string());
    one_line(&line, MAX_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_one_line_that_begins_with_the_time() {
        let written = Description {
            registries: "us.icr.io".into(),
            expires_at: Some(1_800_003_600),
            renew_at: Some(1_800_001_800),
            ..Description::default()
        };
        assert_eq!(
            renewed(1_800_000_000, "build", "icr", &written),
            "2027-01-15T08:00:00Z renewed namespace=build secret=icr registries=us.icr.io \
             expires_at=2027-01-15T09:00:00Z renew_at=2027-01-15T08:30:00Z"
        );
        assert_eq!(
            failed(
                1_800_000_000,
                &Error::user("no \"way\"\nout").with_hint("Try")
            ),
            r#"2027-01-15T08:00:00Z failed error="no \"way\"\nout. Try""#
        );
    }
}
