//! Control of a running emulator by HTTP, for shell tests.

use serde_json::Value;
use serde_json::json;

use crate::emulator::Cloud;
use crate::fault::Fault;
use crate::metadata::MetadataApi;
use crate::request::Recorded;
use crate::response::Response;
use crate::service::Service;
use crate::subject::Subject;
use crate::token_api::RegistryToken;

/// The prefix of paths that are the emulator's own and no part of IBM Cloud.
pub(crate) const PREFIX: &str = "/emulator/";

/// Answers a control request.
pub(crate) fn answer(cloud: &Cloud, request: &Recorded, body: &str) -> Response {
    let control = request.path.trim_start_matches(PREFIX);
    match request.method.as_str() {
        "GET" => report(cloud, control),
        "POST" => {
            let service = request.parameter("service");
            let service = service.map_or(Some(Service::Token), Service::from_name);
            match change(cloud, control, service, body) {
                Ok(()) => Response::text(200, "done\n"),
                Err(InvalidControl::Body) => {
                    Response::text(400, "the emulator does not understand this body\n")
                }
                Err(InvalidControl::Control) => unknown(),
            }
        }
        _ => unknown(),
    }
}

fn unknown() -> Response {
    Response::text(404, "the emulator has no such control\n")
}

fn report(cloud: &Cloud, control: &str) -> Response {
    let report = match control {
        "api-keys" => cloud.accounts.api_key_count().into(),
        "exchanges" => cloud.exchanges().into(),
        "metadata-exchanges" => cloud.metadata_exchanges().into(),
        "registry-tokens" => cloud
            .accounts
            .registry_tokens()
            .iter()
            .map(token_to_json)
            .collect(),
        "requests" => cloud.requests().iter().map(to_json).collect(),
        _ => return unknown(),
    };
    Response::json(200, &report)
}

/// Carries out a control request.
fn change(
    cloud: &Cloud,
    control: &str,
    service: Option<Service>,
    body: &str,
) -> Result<(), InvalidControl> {
    let accounts = &cloud.accounts;
    let value = body.trim();
    match control {
        "browser-user" => {
            let subject = (!value.is_empty()).then(|| Subject::user(value));
            accounts.set_browser_subject(subject);
        }
        "cluster" => {
            let json = serde_json::from_str(body).map_err(|_| InvalidControl::Body)?;
            let added = accounts.add_cluster(&json);
            added.map_err(|_| InvalidControl::Body)?;
        }
        "compute-resource-token" => {
            let (token, profile) = value.rsplit_once('=').ok_or(InvalidControl::Body)?;
            accounts.add_compute_resource_token(token, &[profile]);
        }
        "disable-api-key" => accounts.disable_api_key(value),
        "expire-api-key" => accounts.expire_api_key(value),
        "expire-compute-resource-token" => accounts.expire_compute_resource_token(value),
        "expire-identity-tokens" => accounts.expire_identity_tokens(),
        "expire-registry-token" => accounts.expire_registry_token(value),
        "expire-refresh-token" => accounts.expire_refresh_token(value),
        "fault" => {
            let json = serde_json::from_str(body).map_err(|_| InvalidControl::Body)?;
            fault(cloud, service.ok_or(InvalidControl::Body)?, &json)?;
        }
        "invalidate-session" => {
            if !accounts.invalidate_session(value) {
                return Err(InvalidControl::Body);
            }
        }
        "metadata" => {
            if switch(value)? {
                accounts.enable_metadata(&MetadataApi::ALL);
            } else {
                accounts.disable_metadata();
            }
        }
        "passcode" => accounts.add_passcode(value, Subject::user("1")),
        "registry-token-lifetime" => {
            accounts.set_registry_token_lifetime(value.parse().map_err(|_| InvalidControl::Body)?)
        }
        "revoke-api-key" => accounts.revoke_api_key(value),
        "revoke-registry-token" => accounts.revoke_registry_token(value),
        "stop-registry-tokens" => {
            let status = (value != "off").then(|| value.parse());
            accounts.stop_registry_tokens(status.transpose().map_err(|_| InvalidControl::Body)?);
        }
        "token-lifetime" => {
            accounts.set_token_lifetime(value.parse().map_err(|_| InvalidControl::Body)?);
        }
        "wrong-state" => accounts.set_wrong_state(switch(value)?),
        _ => return Err(InvalidControl::Control),
    }
    Ok(())
}

/// A control request that is not valid.
enum InvalidControl {
    Body,
    Control,
}

fn switch(value: &str) -> Result<bool, InvalidControl> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(InvalidControl::Body),
    }
}

/// Plans the fault that `json` describes.
fn fault(cloud: &Cloud, service: Service, json: &Value) -> Result<(), InvalidControl> {
    let read = |json| Fault::from_json(json).ok_or(InvalidControl::Body);
    match json.get("always") {
        Some(Value::Null) => cloud.always(service, None),
        Some(always) => cloud.always(service, Some(read(always)?)),
        None => cloud.script(service, [read(json)?]),
    }
    Ok(())
}

fn token_to_json(token: &RegistryToken) -> Value {
    let RegistryToken {
        account,
        description,
        expires_at,
        host,
        id,
        is_revoked,
        may_write,
        value: _,
    } = token;
    json!({"account": account, "description": description, "expires_at": expires_at, "host": host, "id": id,
        "is_revoked": is_revoked, "may_write": may_write})
}

fn to_json(request: &Recorded) -> Value {
    let Recorded {
        method,
        path,
        query,
        headers,
        form,
        body,
        base: _,
        target: _,
    } = request;
    json!({"method": method, "path": path, "query": query, "headers": headers, "form": form, "body": body})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Emulator;
    use crate::Subject;
    use crate::wire;

    #[test]
    fn all_controls_of_faults_and_requests_work() {
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
            ("fault?service=mainframe", r#"{"status": 503}"#),
            ("token-lifetime", "long"),
            ("metadata", "yes"),
            ("wrong-state", ""),
            ("registry-token-lifetime", "long"),
            ("stop-registry-tokens", "on"),
            ("invalidate-session", "never"),
            ("compute-resource-token", "token"),
            ("cluster", ""),
            ("cluster", "{}"),
        ] {
            assert_eq!(control(path, body), 400, "{path} {body}");
        }
    }

    #[test]
    fn all_controls_of_logins_work() {
        let cloud = Emulator::start().expect("a port");
        let control = |path: &str, body: &str| {
            let start = format!("POST /emulator/{path}");
            assert_eq!(wire::request(&cloud, &start, "", body).0, 200, "{path}");
        };
        let grant = |name: &str, fields: &[(&str, &str)]| {
            let mut form = vec![("grant_type", name)];
            form.extend(fields);
            let (status, error) = wire::exchange(&cloud, &form, true);
            (status, error["errorCode"].as_str().map(str::to_owned))
        };
        let good = (200, None);
        let refused = |code: &str| (400, Some(code.to_owned()));
        let urn = |name: &str| format!("urn:ibm:params:oauth:grant-type:{name}");

        control("passcode", "123\n");
        assert_eq!(grant(&urn("passcode"), &[("passcode", "123")]), good);

        let compute = [("cr_token", "pod"), ("profile_id", "Profile-1")];
        control("compute-resource-token", "pod=Profile-1\n");
        assert_eq!(grant(&urn("cr-token"), &compute), good);
        control("expire-compute-resource-token", "pod\n");
        assert_eq!(grant(&urn("cr-token"), &compute), refused("BXNIM0000E"));

        cloud.accounts().set_refresh_rotation(false);
        for (control_name, token, code) in [
            ("expire-refresh-token", "first", "BXNIM0408E"),
            ("invalidate-session", "second", "BXNIM0439E"),
        ] {
            cloud
                .accounts()
                .add_refresh_token(token, Subject::user("1"));
            assert_eq!(grant("refresh_token", &[("refresh_token", token)]), good);
            control(control_name, token);
            assert_eq!(
                grant("refresh_token", &[("refresh_token", token)]),
                refused(code)
            );
        }

        for name in ["disable-api-key", "expire-api-key"] {
            cloud.accounts().add_api_key(name, Subject::user("1"));
            assert_eq!(grant(&urn("apikey"), &[("apikey", name)]), good);
            control(name, name);
            assert_eq!(
                grant(&urn("apikey"), &[("apikey", name)]),
                refused("BXNIM0000E")
            );
        }
        assert_eq!(wire::request(&cloud, "GET /emulator/api-keys", "", "").1, 2);
    }

    #[test]
    fn all_controls_of_the_browser_and_the_metadata_service_work() {
        let cloud = Emulator::start().expect("a port");
        let control = |path: &str, body: &str| {
            let start = format!("POST /emulator/{path}");
            assert_eq!(wire::request(&cloud, &start, "", body).0, 200, "{path}");
        };
        let browse = || {
            let target = "/identity/authorize?client_id=bx&response_type=code&state=mine&redirect_uri=http://localhost:1/";
            wire::send(cloud.address(), &format!("GET {target} HTTP/1.1\r\n\r\n"))
        };
        assert!(browse().contains("error=access_denied"));
        control("browser-user", "7\n");
        assert!(browse().contains("state=mine"));
        control("wrong-state", "on");
        assert!(!browse().contains("state=mine"));
        control("wrong-state", "off");
        control("browser-user", "");
        assert!(browse().contains("error=access_denied"));

        cloud.accounts().link_default_profile("Profile-1");
        let flavor = "Metadata-Flavor: ibm\r\n";
        let ask = || wire::request(&cloud, "PUT /identity/v1/token", flavor, "");
        assert_eq!(ask().0, 403);
        control("metadata", "on\n");
        let (_, answer) = ask();
        let token = answer["access_token"].as_str().expect("an identity token");
        let headers = format!("{flavor}Authorization: Bearer {token}\r\n");
        let exchange = || wire::request(&cloud, "POST /identity/v1/iam_tokens", &headers, "").0;
        assert_eq!(exchange(), 200);
        control("expire-identity-tokens", "");
        assert_eq!(exchange(), 401);
        control("fault?service=metadata", r#"{"status": 500}"#);
        assert_eq!((ask().0, ask().0), (500, 200));
        control("metadata", "off");
        assert_eq!(ask().0, 403);
        let (_, count) = wire::request(&cloud, "GET /emulator/metadata-exchanges", "", "");
        assert_eq!(count, 2);
        let (_, requests) = wire::request(&cloud, "GET /emulator/requests", "", "");
        let paths = requests.as_array().expect("a list");
        let metadata = |request: &&Value| request["path"] == "/identity/v1/token";
        assert_eq!(paths.iter().filter(metadata).count(), 5);
    }

    #[test]
    fn all_controls_of_registry_tokens_work() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        let control = |path: &str, body: &str| {
            let start = format!("POST /emulator/{path}");
            assert_eq!(wire::request(&cloud, &start, "", body).0, 200, "{path}");
        };
        let fields = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", "key"),
        ];
        let (_, answer) = wire::exchange(&cloud, &fields, false);
        let token = answer["access_token"].as_str().expect("a token");
        let headers = format!("Authorization: {token}\r\nAccount: account-1\r\n");
        let make = || wire::request(&cloud, "POST /api/v1/tokens", &headers, "").0;
        let tokens = || wire::request(&cloud, "GET /emulator/registry-tokens", "", "").1;
        control("registry-token-lifetime", "1000000000\n");
        assert_eq!(make(), 200);
        let id = tokens()[0]["id"].as_str().expect("an id").to_owned();
        assert!(tokens()[0]["expires_at"].as_u64() > Some(2_000_000_000));
        control("expire-registry-token", &id);
        assert!(tokens()[0]["expires_at"].as_u64() < Some(crate::clock::unix_now()));
        control("revoke-registry-token", &id);
        assert_eq!(tokens()[0]["is_revoked"], true);
        control("fault?service=registry-tokens", r#"{"status": 503}"#);
        assert_eq!((make(), make()), (503, 200));
        control("stop-registry-tokens", "410\n");
        assert_eq!(make(), 410);
        control("stop-registry-tokens", "off");
        assert_eq!(make(), 200);
    }

    #[test]
    fn all_faults_have_a_name() {
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
