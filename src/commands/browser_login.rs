//! Login with a browser: the authorization code flow with a redirect to this machine
//! (RFC 6749, section 4.1; RFC 8252) and PKCE (RFC 7636).

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Url;
use ring::digest::SHA256;
use ring::digest::digest;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::redirect_server::Answer;
use super::redirect_server::Limits;
use super::redirect_server::RedirectServer;
use crate::error::Error;
use crate::error::Result;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::iam::grant::Client;
use crate::iam::grant::Grant;
use crate::secret::Secret;
use crate::terminal::Terminal;

/// The time limits for the person and for the browser's requests.
const LIMITS: Limits = Limits {
    answer: Duration::from_secs(5 * 60),
    transfer: Duration::from_secs(10),
};

/// What to do on a machine without a browser.
const WITHOUT_BROWSER: &str =
    "On a machine without a browser, run 'docker-credential-icr login --sso'";

/// Logs a person in with their browser: shows IAM's login page, waits up to five minutes
/// for the redirect, and exchanges the code.
///
/// `random` creates the state and the verifier, 256 bits each. The deadline of `iam` holds
/// for the requests before the browser; the exchange has a deadline of its own.
///
/// # Errors
/// No port is free, no answer arrives in time, the answer belongs to another login, IAM
/// denies the login, or the exchange fails. No error contains the code or the verifier.
pub fn log_in_with_browser(
    iam: &Iam<'_>,
    terminal: &dyn Terminal,
    random: &dyn SecureRandom,
) -> Result<TokenResponse> {
    log_in(iam, terminal, random, LIMITS)
}

fn log_in(
    iam: &Iam<'_>,
    terminal: &dyn Terminal,
    random: &dyn SecureRandom,
    limits: Limits,
) -> Result<TokenResponse> {
    let page = authorization_page(iam, terminal)?;
    let server = RedirectServer::bind().map_err(|error| listen_error(&error))?;
    let redirect_uri = server.redirect_uri();
    let pkce = Pkce::create(random)?;
    show(terminal, &pkce.authorization_url(page, &redirect_uri));
    let code = {
        let _waiting = terminal.progress("Waiting for the browser");
        let answer = server.wait(pkce.state.expose(), limits);
        code_from(answer.map_err(|error| listen_error(&error))?, limits)?
    };
    let _asking = terminal.progress("Asking IAM for a token");
    let grant = Grant::AuthorizationCode {
        code: &code,
        redirect_uri: &redirect_uri,
        verifier: &pkce.verifier,
    };
    let iam = iam.with_new_deadline();
    iam.exchange(&grant).map_err(|error| {
        error.with_source_and_hint(
            "the authorization code from the browser",
            &iam.endpoint,
            "Start the login again",
        )
    })
}

fn authorization_page(iam: &Iam<'_>, terminal: &dyn Terminal) -> Result<Url> {
    let _asking = terminal.progress("Asking IAM for its login page");
    let discovery = iam
        .discover()
        .map_err(|error| error.with_source("the login page", &iam.endpoint))?;
    Url::parse(&discovery.authorization_endpoint)
        .map_err(|error| Error::internal(format!("IAM's login page has no valid URL: {error}")))
}

/// Shows the address even if a browser starts, because the person may prefer another browser.
fn show(terminal: &dyn Terminal, address: &str) {
    terminal.write_line(&format!(
        "Open this page in a browser on this machine: {address}"
    ));
    if !terminal.open_browser(address) {
        terminal.write_line("warning: cannot start a browser");
        terminal.write_line(&format!("hint: {WITHOUT_BROWSER}"));
    }
}

/// The secrets that bind the answer and the code to this login.
#[derive(Debug)]
struct Pkce {
    /// Returned with the answer (RFC 6749, section 10.12).
    state: Secret,
    /// Proves that the code is redeemed by the program that requested it (RFC 7636, section
    /// 4.1).
    verifier: Secret,
}

impl Pkce {
    fn create(random: &dyn SecureRandom) -> Result<Self> {
        Ok(Self {
            state: random_base64url(random)?,
            verifier: random_base64url(random)?,
        })
    }

    /// Returns the address of the login page (RFC 6749, section 4.1.1; RFC 7636, section
    /// 4.3). An IAM without PKCE ignores the challenge.
    fn authorization_url(&self, mut page: Url, redirect_uri: &str) -> String {
        let challenge = digest(&SHA256, self.verifier.expose().as_bytes());
        page.query_pairs_mut()
            .append_pair("client_id", &Client::cli().id)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", self.state.expose())
            .append_pair("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        page.into()
    }
}

/// Returns 256 random bits as 43 characters.
fn random_base64url(random: &dyn SecureRandom) -> Result<Secret> {
    let mut bits = Zeroizing::new([0; 32]);
    random
        .fill(&mut *bits)
        .map_err(|_| Error::temporary("the system provides no random numbers"))?;
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(*bits)))
}

fn code_from(answer: Option<Answer>, limits: Limits) -> Result<Secret> {
    match answer {
        Some(Answer::Code(code)) => Ok(code),
        Some(Answer::Denied { error, description }) => {
            let text = match description {
                Some(description) => format!("IAM denied the login: {description} ({error})"),
                None => format!("IAM denied the login ({error})"),
            };
            Err(Error::user(text).with_hint("Start the login again"))
        }
        Some(Answer::WrongState) => Err(Error::user(
            "the browser sent an answer that belongs to another login (wrong state), so it was not used",
        )
        .with_hint("Close other login pages and start the login again")),
        None => Err(Error::user(format!(
            "no answer from the browser within {} minutes",
            limits.answer.as_secs() / 60
        ))
        .with_hint(format!("Start the login again. {WITHOUT_BROWSER}"))),
    }
}

fn listen_error(error: &std::io::Error) -> Error {
    Error::user(format!(
        "cannot listen on localhost for the browser ({error})"
    ))
    .with_hint(WITHOUT_BROWSER)
}

#[cfg(test)]
mod tests {
    use icr_emulator::Emulator;
    use icr_emulator::Fault;
    use icr_emulator::Subject;
    use ring::rand::SystemRandom;

    use super::*;
    use crate::commands::test_support;
    use crate::commands::test_support::FakeDesktop;
    use crate::terminal::fake::FakeTerminal;
    use crate::time::fake::FakeClock;

    fn cloud() -> Emulator {
        let cloud = Emulator::start().unwrap();
        let accounts = cloud.accounts();
        accounts.set_browser_subject(Some(Subject::user("1")));
        cloud
    }

    fn log_in_on(desktop: &FakeDesktop, cloud: &Emulator) -> Result<TokenResponse> {
        let clock = &desktop.clock;
        test_support::with_iam(cloud, clock, |iam| {
            log_in_with_browser(iam, desktop, &SystemRandom::new())
        })
    }

    /// Returns a parameter that IAM received, from the browser or from this program.
    fn received_parameter(cloud: &Emulator, path: &str, name: &str) -> String {
        let requests = cloud.requests();
        let request = requests.iter().find(|request| request.path == path);
        let request = request.expect("it was requested");
        let mut pairs = request.query.iter().chain(&request.form);
        let pair = pairs
            .find(|(received, _)| received == name)
            .expect("received");
        pair.1.clone()
    }

    #[test]
    fn a_browser_login_gives_a_token_and_a_refresh_token() {
        let cloud = cloud();
        let desktop = FakeDesktop::new(&[]);
        let issued = log_in_on(&desktop, &cloud).unwrap();
        assert!(issued.refresh_token.is_some());
        let page = desktop.page();
        assert!(page.contains("You can close this window"), "{page}");

        let asked = |name: &str| received_parameter(&cloud, "/identity/authorize", name);
        let exchanged = |name: &str| received_parameter(&cloud, "/identity/token", name);
        let verifier = exchanged("code_verifier");
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        assert_eq!(asked("code_challenge"), challenge);
        assert_eq!(asked("code_challenge_method"), "S256");
        assert_eq!(asked("redirect_uri"), exchanged("redirect_uri"));
        assert_eq!(asked("client_id"), "bx");
        assert_eq!((asked("state").len(), verifier.len()), (43, 43));
        let shown = desktop.shown();
        assert!(
            shown.contains(&asked("state")),
            "the whole address: {shown}"
        );
        for secret in [verifier, exchanged("code")] {
            assert!(!shown.contains(&secret) && !page.contains(&secret));
        }
    }

    #[test]
    fn two_logins_share_no_secret() {
        let [one, other] = [(); 2].map(|()| Pkce::create(&SystemRandom::new()).unwrap());
        let all = [&one.state, &one.verifier, &other.state, &other.verifier];
        for (place, key) in all.iter().enumerate() {
            assert!(!all[..place].contains(key));
        }
    }

    #[test]
    fn the_authorization_url_has_all_parameters() {
        // RFC 7636, appendix B.
        let pkce = Pkce {
            state: Secret::new("s"),
            verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        };
        let page = Url::parse("https://iam.example/identity/authorize?a=b").unwrap();
        assert_eq!(
            pkce.authorization_url(page, "http://localhost:1/"),
            "https://iam.example/identity/authorize?a=b&client_id=bx&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        );
    }

    #[test]
    fn an_answer_to_another_login_is_not_used() {
        let cloud = cloud();
        cloud.accounts().set_wrong_state(true);
        let desktop = FakeDesktop::new(&[]);
        let error = log_in_on(&desktop, &cloud).unwrap_err().to_string();
        assert!(error.contains("belongs to another login"), "{error}");
        assert!(desktop.page().contains("belongs to another login"));
        assert_eq!(cloud.exchanges(), 0);
    }

    #[test]
    fn a_denial_in_the_browser_is_explained_in_the_terminal() {
        let cloud = cloud();
        cloud.accounts().set_browser_subject(None);
        let desktop = FakeDesktop::new(&[]);
        let error = log_in_on(&desktop, &cloud).unwrap_err().to_string();
        let reason = "IAM denied the login: The person said no. (access_denied)";
        assert!(error.starts_with(reason), "{error}");
        assert!(desktop.page().contains("rejected the login"));
        assert_eq!(cloud.exchanges(), 0);
    }

    #[test]
    fn a_code_that_iam_rejects_is_in_no_message() {
        let cloud = cloud();
        cloud.script([Fault::Error {
            status: 400,
            code: "BXNIM0000E".into(),
            message: "No.".into(),
        }]);
        let desktop = FakeDesktop::new(&[]);
        let error = log_in_on(&desktop, &cloud).unwrap_err().to_string();
        let reason =
            "cannot use the authorization code from the browser: IAM rejected it (BXNIM0000E): No.";
        assert!(error.starts_with(reason), "{error}");
        assert!(error.contains("Start the login again"), "{error}");
        let code = received_parameter(&cloud, "/identity/token", "code");
        assert!(!error.contains(&code));
        assert!(desktop.page().contains("The terminal shows"));
    }

    #[test]
    fn without_a_browser_the_address_and_an_alternative_are_shown() {
        let cloud = cloud();
        let terminal = FakeTerminal::default();
        let error = test_support::with_iam(&cloud, &FakeClock::at(0), |iam| {
            let random = SystemRandom::new();
            let limits = Limits {
                answer: Duration::ZERO,
                ..LIMITS
            };
            log_in(iam, &terminal, &random, limits).unwrap_err()
        });
        let shown = terminal.shown.borrow();
        let page = format!("{}/identity/authorize?client_id=bx&", cloud.url());
        assert!(shown[0].contains(&page), "{shown:?}");
        assert!(shown[2].contains("login --sso"), "{shown:?}");
        let text = error.to_string();
        assert!(text.contains("no answer from the browser"), "{text}");
        assert!(text.contains("login --sso"), "{text}");
        assert!(
            code_from(None, LIMITS)
                .unwrap_err()
                .to_string()
                .contains("within 5 minutes")
        );
    }
}
