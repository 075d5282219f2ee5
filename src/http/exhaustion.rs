//! Resources that this machine has run out of: files, memory, threads.

use std::error::Error;

use super::transport::TransportError;
use crate::time::Unfinished;

/// The message for too many open files.
const TOO_MANY_FILES: &str = "this process has too many open files";

/// Returns the exhausted resource of this machine if a system error in the chain of
/// `error` names one.
pub(super) fn exhausted_resource(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(system) = current.downcast_ref::<std::io::Error>()
            && let Some(what) = system.raw_os_error().and_then(resource_of)
        {
            return Some(format!("{what} ({system})"));
        }
        cause = cause_of(current);
    }
    None
}

#[cfg(unix)]
fn resource_of(code: i32) -> Option<&'static str> {
    use nix::errno::Errno;
    match Errno::from_raw(code) {
        Errno::EMFILE => Some(TOO_MANY_FILES),
        Errno::ENFILE => Some("this machine has too many open files"),
        Errno::ENOMEM | Errno::ENOBUFS => Some("this machine has too little memory"),
        Errno::EAGAIN => Some(
            "cannot start a thread: this user has too many threads, or too little memory (ulimit -u, ulimit -v)",
        ),
        _ => None,
    }
}

/// The codes are those of `winerror.h`.
#[cfg(windows)]
fn resource_of(code: i32) -> Option<&'static str> {
    match code {
        4 | 10_024 => Some(TOO_MANY_FILES),
        8 | 14 | 1_450 | 1_455 | 10_055 => Some("this machine has too little memory"),
        _ => None,
    }
}

/// Returns the error for work that did not start or panicked; `None` if it took too long.
pub(super) fn local_error(unfinished: Unfinished) -> Option<TransportError> {
    match unfinished {
        Unfinished::Broken => {
            let reason = "this process has too few threads or too little memory";
            Some(TransportError::Local(reason.into()))
        }
        Unfinished::Late => None,
        Unfinished::NotStarted(error) => {
            let reason = exhausted_resource(&error);
            let reason = reason.unwrap_or_else(|| format!("cannot start a thread ({error})"));
            Some(TransportError::Local(reason))
        }
    }
}

/// Returns the text of the innermost error; the outer ones add nothing.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause_of(cause) {
        cause = inner;
    }
    cause.to_string()
}

/// Returns the cause of an error. The `source` of an I/O error that wraps another
/// error skips that error.
pub(super) fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_exhausted_resource_is_found_by_the_systems_error_code() {
        use nix::errno::Errno;
        for (errno, words) in [
            (Errno::EMFILE, Some("this process has too many open files")),
            (Errno::ENFILE, Some("too many open files")),
            (Errno::ENOMEM, Some("too little memory")),
            (
                Errno::EAGAIN,
                Some("too many threads, or too little memory"),
            ),
            (Errno::ECONNREFUSED, None),
            (Errno::ENOENT, None),
        ] {
            let error = std::io::Error::from_raw_os_error(errno as i32);
            let wrapped = std::io::Error::other(error);
            let reason = exhausted_resource(&wrapped);
            match words {
                None => assert_eq!(reason, None),
                Some(words) => assert!(reason.unwrap().contains(words)),
            }
        }
        let error = std::io::Error::from_raw_os_error(Errno::EAGAIN as i32);
        let failed = local_error(Unfinished::NotStarted(error));
        assert!(
            matches!(failed, Some(TransportError::Local(reason)) if reason.contains("start a thread"))
        );
        assert_eq!(local_error(Unfinished::Late), None);
    }
}
