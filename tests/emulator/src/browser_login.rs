//! IBM Cloud's pages for a browser, which give an authorization code or a passcode to a person who is logged in.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::SHA256;
use ring::digest::digest;
use serde_json::json;

use crate::accounts::Accounts;
use crate::grants;
use crate::iam;
use crate::random;
use crate::rejection::Rejection;
use crate::rejection::STAND_IN;
use crate::request::Recorded;
use crate::request::encode;
use crate::response::Response;
use crate::subject::Subject;

/// The path that gives authorization codes.
pub(crate) const AUTHORIZE_PATH: &str = "/identity/authorize";
/// The path of the page with a passcode.
pub(crate) const PASSCODE_PATH: &str = "/identity/passcode";

/// The identity behind an authorization code, and what must be presented with it.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    /// SHA-256 of the verifier, in base64url (RFC 7636, method S256).
    challenge: Option<String>,
    redirect_uri: String,
    pub(crate) subject: Subject,
}

impl Authorization {
    /// Returns whether the code is presented by the client that requested it.
    pub(crate) fn fits(&self, redirect_uri: &str, verifier: Option<&str>) -> bool {
        let proven = self.challenge.as_ref().is_none_or(|challenge| {
            verifier.is_some_and(|verifier| challenge_of(verifier) == *challenge)
        });
        proven && self.redirect_uri == redirect_uri
    }
}

/// Answers a browser.
pub(crate) fn answer(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    match (request.path.as_str(), request.method.as_str()) {
        (AUTHORIZE_PATH, "GET") => authorize(accounts, request),
        (PASSCODE_PATH, "GET") => show_passcode(accounts),
        (PASSCODE_PATH, "POST") => grants::passcode_of_session(accounts, request)
            .map(|passcode| iam::success(&json!({"passcode": passcode}))),
        _ => Err(Rejection::new(405, STAND_IN, "Method not allowed.")),
    }
}

/// Sends the browser back to the program that opened it, with a code or with an error (RFC 6749, section 4.1.2). If the request
/// itself is not valid, the browser stays here.
fn authorize(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    let parameter = |name: &str| {
        let message = format!("Parameter missing or not supported: {name}.");
        let value = request.parameter(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Rejection::new(400, STAND_IN, message))
    };
    let only = |name: &str, supported: &str| {
        let message = format!("Parameter missing or not supported: {name}.");
        if parameter(name)? == supported {
            Ok(())
        } else {
            Err(Rejection::new(400, STAND_IN, message))
        }
    };
    only("client_id", "bx")?;
    only("response_type", "code")?;
    let redirect_uri = parameter("redirect_uri")?;
    if !is_loopback(redirect_uri) {
        return Err(Rejection::new(
            400,
            STAND_IN,
            "This redirect_uri is not allowed.",
        ));
    }
    let challenge = request.parameter("code_challenge");
    if challenge.is_some() {
        only("code_challenge_method", "S256")?;
    }
    let browser = accounts.browser();
    let mut answer = match browser.subject {
        Some(subject) => {
            let code = accounts.issue_code(Authorization {
                challenge: challenge.map(str::to_owned),
                redirect_uri: redirect_uri.to_owned(),
                subject,
            });
            vec![("code", code)]
        }
        None => vec![
            ("error", "access_denied".to_owned()),
            ("error_description", "The person said no.".to_owned()),
        ],
    };
    let state = request.parameter("state").map(str::to_owned);
    let state = if browser.wrong_state {
        Some(random::id())
    } else {
        state
    };
    answer.extend(state.map(|state| ("state", state)));
    let answer: Vec<String> = answer
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    let location = format!("{redirect_uri}{separator}{}", answer.join("&"));
    Ok(Response::new(302, "text/html", "").with_header("Location", location))
}

/// Returns a page with a new passcode.
fn show_passcode(accounts: &Accounts) -> Result<Response, Rejection> {
    let not_logged_in = || Rejection::new(401, STAND_IN, "No person is logged in.");
    let subject = accounts.browser().subject.ok_or_else(not_logged_in)?;
    let passcode = accounts.issue_passcode(subject);
    let page = format!(
        "<!DOCTYPE html><title>IBM Cloud</title><p>Your one-time passcode: <code>{passcode}</code></p>\n"
    );
    Ok(Response::new(200, "text/html", page))
}

/// Returns whether it is `http://localhost:PORT` or `http://127.0.0.1:PORT`, with any path: a code never leaves this machine.
fn is_loopback(uri: &str) -> bool {
    let rest = uri
        .strip_prefix("http://localhost:")
        .or_else(|| uri.strip_prefix("http://127.0.0.1:"));
    rest.is_some_and(|rest| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let port = &rest[..end];
        let clean = uri
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        clean && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
    })
}

fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Emulator;
    use crate::request::pairs;
    use crate::wire;

    const AUTHORIZE: &str = "/identity/authorize?client_id=bx&response_type=code&state=s+%26";
    const HERE: &str = "http://localhost:4711/";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    /// Of the verifier above: the example of RFC 7636, appendix B.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn cloud() -> Emulator {
        let cloud = Emulator::start().expect("a port");
        let browser = cloud.accounts();
        browser.set_browser_subject(Some(Subject::user("1")));
        cloud
    }

    /// Returns the parameters with which the browser comes back to `HERE`.
    fn redirect_parameters(cloud: &Emulator, more: &str) -> Vec<(String, String)> {
        let target = format!("{AUTHORIZE}&redirect_uri={}{more}", encode(HERE));
        let answer = wire::send(cloud.address(), &format!("GET {target} HTTP/1.1\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
        let location = answer
            .lines()
            .find_map(|line| line.strip_prefix("Location: "));
        let location = location.expect("a place to go");
        pairs(
            location
                .strip_prefix("http://localhost:4711/?")
                .expect("home"),
        )
    }

    fn code(cloud: &Emulator, more: &str) -> String {
        let brought = redirect_parameters(cloud, more);
        assert_eq!(brought[0].0, "code");
        assert_eq!(brought[1], ("state".to_owned(), "s &".to_owned()));
        brought[0].1.clone()
    }

    fn exchange(
        cloud: &Emulator,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
    ) -> (u16, Value) {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
        ];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        wire::exchange(cloud, &fields, true)
    }

    #[test]
    fn a_code_works_once() {
        let cloud = cloud();
        let code = code(&cloud, "");
        let (status, token) = exchange(&cloud, &code, HERE, None);
        assert_eq!(status, 200, "{token}");
        assert_ne!(token["refresh_token"], "not_supported");
        assert!(token["session_id"].is_string());
        assert_eq!(exchange(&cloud, &code, HERE, None).0, 400);
    }

    #[test]
    fn a_code_needs_its_client_address_and_verifier() {
        let cloud = cloud();
        let plain = code(&cloud, "");
        let other = "http://localhost:4712/";
        assert_eq!(exchange(&cloud, &plain, other, None).0, 400);
        assert_eq!(exchange(&cloud, &plain, HERE, None).0, 400, "it is used up");
        let proof = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
        for (verifier, status) in [(None, 400), (Some("guess"), 400), (Some(VERIFIER), 200)] {
            let code = code(&cloud, &proof);
            assert_eq!(
                exchange(&cloud, &code, HERE, verifier).0,
                status,
                "{verifier:?}"
            );
        }
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code(&cloud, "")),
            ("redirect_uri", HERE),
        ];
        let (status, error) = wire::exchange(&cloud, &fields, false);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0308E".into()));
    }

    #[test]
    fn the_browser_gets_an_error_without_a_person_and_a_wrong_state_on_demand() {
        let cloud = cloud();
        cloud.accounts().set_wrong_state(true);
        let brought = redirect_parameters(&cloud, "");
        assert_eq!(brought[1].0, "state");
        assert_ne!(brought[1].1, "s &");
        cloud.accounts().set_wrong_state(false);
        cloud.accounts().set_browser_subject(None);
        let brought = redirect_parameters(&cloud, "");
        let names: Vec<&str> = brought.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["error", "error_description", "state"]);
        assert_eq!(brought[0].1, "access_denied");
        assert_eq!(brought[2].1, "s &");
    }

    #[test]
    fn only_supported_requests_from_loopback_addresses_are_accepted() {
        let cloud = cloud();
        for place in [
            "https://localhost:4711/",
            "http://localhost/",
            "http://localhost:4711@example.com/",
            "http://localhost:99999/",
            "http://localhost:+80/",
            "http://localhost.example.com:80/",
            "http://127.0.0.1:80/\r\nSet-Cookie: a=b",
            "http://example.com:80/",
            "",
        ] {
            let start = format!("GET {AUTHORIZE}&redirect_uri={}", encode(place));
            assert_eq!(wire::request(&cloud, &start, "", "").0, 400, "{place}");
        }
        let good = format!(
            "GET {AUTHORIZE}&redirect_uri={}",
            encode("http://127.0.0.1:80/back?a=b")
        );
        assert_eq!(wire::request(&cloud, &good, "", "").0, 302);
        for bad in [
            good.replace("client_id=bx", "client_id=me"),
            good.replace("response_type=code", "response_type=token"),
            format!("{good}&code_challenge={CHALLENGE}"),
            format!("{good}&code_challenge={CHALLENGE}&code_challenge_method=plain"),
        ] {
            assert_eq!(wire::request(&cloud, &bad, "", "").0, 400, "{bad}");
        }
    }

    #[test]
    fn a_page_and_a_session_give_passcodes() {
        let cloud = cloud();
        let page = wire::send(cloud.address(), "GET /identity/passcode HTTP/1.1\r\n\r\n");
        let (_, rest) = page.split_once("<code>").expect("a passcode");
        let (shown, _) = rest.split_once("</code>").expect("its end");
        let client = "Authorization: Basic Yng6Yng=\r\n";
        cloud
            .accounts()
            .add_refresh_token("refresh", Subject::user("1"));
        let form = "grant_type=refresh_token&refresh_token=refresh&response_type=cloud_iam";
        let (status, answer) = wire::request(&cloud, "POST /identity/passcode", client, form);
        assert_eq!(status, 200, "{answer}");
        for passcode in [shown, answer["passcode"].as_str().expect("a passcode")] {
            let fields = [
                ("grant_type", "urn:ibm:params:oauth:grant-type:passcode"),
                ("passcode", passcode),
            ];
            assert_eq!(wire::exchange(&cloud, &fields, true).0, 200);
        }
        assert_eq!(
            wire::request(&cloud, "POST /identity/passcode", "", form).0,
            400
        );
        cloud.accounts().set_browser_subject(None);
        assert_eq!(
            wire::request(&cloud, "GET /identity/passcode", "", "").0,
            401
        );
    }
}
