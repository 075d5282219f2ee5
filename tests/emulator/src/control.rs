//! How do shell tests reach into a running emulator?

use serde_json::Value;
use serde_json::json;

use crate::emulator::Cloud;
use crate::fault::Fault;
use crate::request::Recorded;
use crate::response::Response;

/// Everything below it is the emulator's own, and no part of IBM Cloud.
pub(crate) const PREFIX: &str = "/emulator/";

/// Answers a control request.
pub(crate) fn answer(cloud: &Cloud, request: &Recorded, body: &str) -> Response {
    let understood = match (
        request.method.as_str(),
        request.path.trim_start_matches(PREFIX),
    ) {
        ("GET", "exchanges") => return Response::json(200, &cloud.exchanges().into()),
        ("GET", "requests") => {
            return Response::json(200, &cloud.requests().iter().map(to_json).collect());
        }
        ("POST", "fault") => serde_json::from_str(body).is_ok_and(|json| fault(cloud, &json)),
        ("POST", "revoke-api-key") => {
            cloud.accounts.revoke_api_key(body.trim());
            true
        }
        ("POST", "token-lifetime") => {
            let lifetime = body.trim().parse();
            lifetime
                .map(|seconds| cloud.accounts.set_token_lifetime(seconds))
                .is_ok()
        }
        _ => return Response::text(404, "the emulator has no such control\n"),
    };
    if understood {
        Response::text(200, "done\n")
    } else {
        Response::text(400, "the emulator does not understand this body\n")
    }
}

/// Plans the fault that `json` describes; false if it describes none.
fn fault(cloud: &Cloud, json: &Value) -> bool {
    match json.get("always") {
        Some(Value::Null) => cloud.always(None),
        always => {
            let Some(fault) = Fault::from_json(always.unwrap_or(json)) else {
                return false;
            };
            if always.is_some() {
                cloud.always(Some(fault))
            } else {
                cloud.script([fault])
            }
        }
    }
    true
}

fn to_json(request: &Recorded) -> Value {
    let Recorded {
        method,
        path,
        query,
        headers,
        form,
        target: _,
    } = request;
    json!({"method": method, "path": path, "query": query, "headers": headers, "form": form})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Emulator;
    use crate::Subject;
    use crate::wire;

    #[test]
    fn every_control() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        let control = |path: &str, body: &str| {
            wire::request(&cloud, &format!("POST /emulator/{path}"), "", body).0
        };
        let fields = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", "key"),
        ];
        let exchange = || wire::exchange(&cloud, &fields, false);

        assert_eq!(control("token-lifetime", "60\n"), 200);
        assert_eq!(exchange().1["expires_in"], 60);
        assert_eq!(control("fault", r#"{"status": 503}"#), 200);
        assert_eq!((exchange().0, exchange().0), (503, 200));
        assert_eq!(
            control(
                "fault",
                r#"{"always": {"error": {"status": 400, "code": "BXNIM0415E", "message": "no"}}}"#
            ),
            200
        );
        assert_eq!(exchange().1["errorMessage"], "no");
        assert_eq!(control("fault", r#"{"always": null}"#), 200);
        assert_eq!(exchange().0, 200);
        assert_eq!(control("revoke-api-key", "key\n"), 200);
        assert_eq!(exchange().0, 400);
        assert_eq!(
            wire::request(&cloud, "GET /emulator/exchanges", "", "").1,
            6
        );
        let (_, requests) = wire::request(&cloud, "GET /emulator/requests", "", "");
        assert_eq!(requests[0]["form"][1], json!(["apikey", "key"]));
        for (path, body) in [
            ("fault", r#"{"status": "503"}"#),
            ("fault", "{}"),
            ("fault", ""),
            ("token-lifetime", "long"),
        ] {
            assert_eq!(control(path, body), 400, "{path} {body}");
        }
    }

    #[test]
    fn every_fault_has_a_name() {
        for json in [
            json!({"close_early": true}),
            json!({"delay_ms": 5000}),
            json!({"empty": true}),
            json!({"error": {"status": 400, "code": "BXNIM0415E", "message": "no"}}),
            json!({"garbage": true}),
            json!({"html": true}),
            json!({"huge_body": 2_000_000}),
            json!({"redirect": "http://127.0.0.1/"}),
            json!({"retry_after": {"status": 429, "value": "1"}}),
            json!({"slow_bytes_ms": 10}),
            json!({"status": 503}),
            json!({"token": {"access_token": ""}}),
            json!({"truncated": true}),
        ] {
            assert!(Fault::from_json(&json).is_some(), "{json}");
        }
    }
}
