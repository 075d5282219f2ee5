//! Login with a one-time passcode that IAM shows in a browser on any machine: for
//! companies with a login page of their own.

use crate::error::Error;
use crate::error::Result;
use crate::http::ServiceError;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::iam::grant::Grant;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::terminal::Terminal;

/// How often a passcode may be typed.
const MAX_PASSCODES: u32 = 3;

/// IAM's error code for an account that requires a second factor, which no passcode replaces
/// (`ibm-cloud-cli-sdk`, `bluemix/authentication/iam/iam.go`).
const OTHER_FACTOR: &str = "BXNIM0400E";

/// Logs a person in with a passcode: opens IAM's passcode page and prompts for the passcode,
/// up to three times.
///
/// The deadline of `iam` holds for the request before the prompt; each exchange has one of
/// its own.
///
/// # Errors
/// There is no terminal, the person cancels the prompt, or IAM rejects all passcodes.
pub fn log_in_with_passcode(iam: &Iam<'_>, terminal: &dyn Terminal) -> Result<TokenResponse> {
    if !terminal.is_interactive() {
        return Err(Error::user("cannot prompt for a passcode: not a terminal")
            .with_hint("Log in with an API key: 'docker-credential-icr login --api-key-stdin'"));
    }
    let page = passcode_page(iam, terminal)?;
    terminal.write_line(&format!(
        "Open this page in any browser and copy the one-time passcode: {page}"
    ));
    // If no browser starts, the person can open the address.
    terminal.open_browser(&page);
    let mut attempt = 1;
    loop {
        let error = match exchange(iam, terminal, &passcode(terminal)?) {
            Ok(issued) => return Ok(issued),
            Err(error) => error,
        };
        let is_worth_retrying = may_accept_another(&error);
        let error = error.with_source_and_hint(
            "the passcode",
            &iam.endpoint,
            "Reload the page for a new passcode. Each works once, for a few minutes",
        );
        if attempt == MAX_PASSCODES || !is_worth_retrying {
            return Err(error);
        }
        terminal.write_line(&format!("warning: {error}"));
        attempt += 1;
    }
}

fn passcode_page(iam: &Iam<'_>, terminal: &dyn Terminal) -> Result<String> {
    let _asking = terminal.progress("Asking IAM for its passcode page");
    let discovery = iam
        .discover()
        .map_err(|error| error.with_source("the passcode page", &iam.endpoint))?;
    Ok(discovery.passcode_endpoint)
}

/// Prompts for a passcode.
fn passcode(terminal: &dyn Terminal) -> Result<Secret> {
    terminal
        .ask_secret("Passcode (not shown): ")
        .map_err(|error| Error::user(format!("cannot read the passcode ({error})")))
}

fn exchange(
    iam: &Iam<'_>,
    terminal: &dyn Terminal,
    typed: &Secret,
) -> Result<TokenResponse, ServiceError> {
    let passcode = input::read(SecretKind::Passcode, typed.expose());
    let passcode = passcode.map_err(|reason| ServiceError::Unusable {
        reason: reason.to_string(),
    })?;
    let _asking = terminal.progress("Asking IAM for a token");
    iam.with_new_deadline()
        .exchange(&Grant::Passcode(&passcode))
}

/// Returns whether another passcode may be accepted.
fn may_accept_another(error: &ServiceError) -> bool {
    match error {
        ServiceError::Rejected { code, .. } => code.as_deref() != Some(OTHER_FACTOR),
        ServiceError::Unusable { .. } => true,
        ServiceError::Proxy(_)
        | ServiceError::Unavailable(_)
        | ServiceError::InvalidResponse { .. }
        | ServiceError::UntrustedServer { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use icr_emulator::Emulator;
    use icr_emulator::Fault;
    use icr_emulator::Subject;

    use super::*;
    use crate::commands::test_support;
    use crate::commands::test_support::FakeDesktop;
    use crate::terminal::fake::FakeTerminal;
    use crate::time::fake::FakeClock;

    const PASSCODE: &str = "pAsSc0de";

    fn cloud() -> Emulator {
        let cloud = Emulator::start().unwrap();
        cloud.accounts().add_passcode(PASSCODE, Subject::user("1"));
        cloud
    }

    /// Logs in with these answers.
    fn log_in(cloud: &Emulator, terminal: &FakeTerminal) -> Result<TokenResponse> {
        test_support::with_iam(cloud, &FakeClock::at(0), |iam| {
            log_in_with_passcode(iam, terminal)
        })
    }

    #[test]
    fn a_passcode_gives_a_token_and_a_refresh_token() {
        let cloud = cloud();
        let terminal = FakeTerminal {
            has_browser: true,
            ..FakeTerminal::typing(&[&format!(" {PASSCODE}\t")])
        };
        let issued = log_in(&cloud, &terminal).unwrap();
        assert!(issued.refresh_token.is_some());
        let page = format!("{}/identity/passcode", cloud.url());
        assert_eq!(*terminal.opened.borrow(), [page.as_str()]);
        let shown = terminal.shown.borrow();
        assert!(shown[0].ends_with(&page), "{shown:?}");
        let exchange = cloud.requests().pop().unwrap();
        assert!(
            exchange
                .form
                .contains(&("passcode".into(), PASSCODE.into()))
        );
        assert_eq!(exchange.header("authorization"), Some("Basic Yng6Yng="));
    }

    #[test]
    fn a_passcode_may_be_mistyped_twice() {
        for (typed, exchanges) in [
            (["", "  ", PASSCODE], 1),
            (["two words", "pässcöde", PASSCODE], 1),
            (["wrong", "", PASSCODE], 2),
            (["wrong", "wrong-again", PASSCODE], 3),
        ] {
            let cloud = cloud();
            let terminal = FakeTerminal::typing(&typed);
            assert!(log_in(&cloud, &terminal).is_ok(), "{typed:?}");
            assert_eq!(cloud.exchanges(), exchanges);
            let shown = terminal.shown.borrow().join("\n");
            assert!(shown.contains("the passcode"), "the reason: {shown}");
            assert!(
                !shown.contains("wrong") && !shown.contains("pässcöde"),
                "{shown}"
            );
        }
    }

    #[test]
    fn three_wrong_passcodes_end_the_login() {
        let cloud = cloud();
        let terminal = FakeTerminal::typing(&["wrong", "wrong", "wrong", PASSCODE]);
        let error = log_in(&cloud, &terminal).unwrap_err().to_string();
        assert!(error.contains("Provided passcode is invalid"), "{error}");
        assert!(
            error.contains("Reload the page for a new passcode"),
            "{error}"
        );
        assert!(!error.contains("wrong"), "{error}");
        assert_eq!(cloud.exchanges(), 3);
        let terminal = FakeTerminal::typing(&["", "", "", PASSCODE]);
        let error = log_in(&cloud, &terminal).unwrap_err().to_string();
        assert!(error.contains("it is empty"), "{error}");
        assert_eq!(cloud.exchanges(), 3, "an empty passcode is not sent");
    }

    #[test]
    fn an_error_that_no_passcode_fixes_ends_the_login() {
        let cloud = cloud();
        let other_factor = Fault::Error {
            status: 400,
            code: OTHER_FACTOR.into(),
            message: "External authentication is required.".into(),
        };
        for (fault, words) in [
            (other_factor, "needs no second factor"),
            (Fault::Html, "cannot trust the response"),
        ] {
            cloud.script([fault]);
            let terminal = FakeTerminal::typing(&[PASSCODE, PASSCODE]);
            let error = log_in(&cloud, &terminal).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(terminal.answers.borrow().len(), 1, "asked once");
        }
    }

    #[test]
    fn without_a_terminal_the_error_suggests_an_api_key() {
        let cloud = cloud();
        let terminal = FakeTerminal::default();
        let error = log_in(&cloud, &terminal).unwrap_err().to_string();
        assert!(error.contains("--api-key-stdin"), "{error}");
        assert_eq!(cloud.requests(), [], "no request was sent");
        assert!(terminal.shown.borrow().is_empty());
    }

    #[test]
    fn the_deadline_does_not_include_typing() {
        let cloud = cloud();
        cloud
            .accounts()
            .set_browser_subject(Some(Subject::user("1")));
        let desktop = FakeDesktop::new(&["wrong", PASSCODE]);
        let outcome = test_support::with_iam(&cloud, &desktop.clock, |iam| {
            log_in_with_passcode(iam, &desktop)
        });
        assert!(outcome.is_ok(), "{outcome:?}");
        assert!(desktop.page().contains("Your one-time passcode"));
    }

    #[test]
    fn an_empty_input_cancels_the_login() {
        let cloud = cloud();
        let terminal = FakeTerminal::typing(&[""]);
        let error = log_in(&cloud, &terminal).unwrap_err().to_string();
        assert!(error.contains("cannot read the passcode"), "{error}");
    }
}
