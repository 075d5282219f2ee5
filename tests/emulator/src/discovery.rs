//! The document with IAM's endpoints (OpenID Connect Discovery 1.0).

use serde_json::json;

use crate::browser_login;
use crate::iam;
use crate::rejection::Rejection;
use crate::rejection::STAND_IN;
use crate::request::Recorded;
use crate::response::Response;

/// The path of the document.
pub(crate) const PATH: &str = "/identity/.well-known/openid-configuration";

/// Answers with the endpoints at the host that the client called.
pub(crate) fn answer(request: &Recorded) -> Result<Response, Rejection> {
    if request.method != "GET" {
        return Err(Rejection::new(405, STAND_IN, "Method not allowed."));
    }
    let at = |path: &str| format!("{}{path}", request.base);
    Ok(iam::success(&json!({
        "issuer": at("/identity"),
        "authorization_endpoint": at(browser_login::AUTHORIZE_PATH),
        "token_endpoint": at(iam::TOKEN_PATH),
        "passcode_endpoint": at(browser_login::PASSCODE_PATH),
    })))
}

#[cfg(test)]
mod tests {
    use crate::Emulator;
    use crate::Fault;
    use crate::Service;
    use crate::wire;

    const START: &str = "GET /identity/.well-known/openid-configuration";

    #[test]
    fn endpoints_have_the_host_that_the_client_called() {
        let cloud = Emulator::start().expect("a port");
        let (status, document) =
            wire::request(&cloud, START, "Host: private.iam.cloud.ibm.com\r\n", "");
        assert_eq!(status, 200);
        for (name, url) in [
            ("issuer", "http://private.iam.cloud.ibm.com/identity"),
            (
                "authorization_endpoint",
                "http://private.iam.cloud.ibm.com/identity/authorize",
            ),
            (
                "token_endpoint",
                "http://private.iam.cloud.ibm.com/identity/token",
            ),
            (
                "passcode_endpoint",
                "http://private.iam.cloud.ibm.com/identity/passcode",
            ),
        ] {
            assert_eq!(document[name], url);
        }
        assert_eq!(cloud.requests().len(), 1);
        assert_eq!(cloud.exchanges(), 0);
    }

    #[test]
    fn its_faults_are_its_own() {
        let cloud = Emulator::start().expect("a port");
        cloud.script_for(Service::Discovery, [Fault::Status(503)]);
        assert_eq!(wire::exchange(&cloud, &[], false).0, 400, "IAM is well");
        let (status, error) = wire::request(&cloud, START, "", "");
        assert_eq!((status, &error["errorCode"]), (503, &"BXNIM0000E".into()));
        assert_eq!(wire::request(&cloud, START, "", "").0, 200);
        assert_eq!(
            wire::request(&cloud, &START.replace("GET", "POST"), "", "").0,
            405
        );
    }
}
