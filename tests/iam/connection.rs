//! Proxies and addresses.

use super::*;

#[test]
fn a_redirect_is_not_followed() {
    let env = TestEnv::with_environment_key();
    let elsewhere = Emulator::start().unwrap();
    elsewhere
        .accounts()
        .add_api_key(ENVIRONMENT_KEY, Subject::user("1"));
    let location = format!("{}/identity/token", elsewhere.url());
    env.cloud.script([Fault::Redirect(location)]);
    env.get("us.icr.io")
        .is_client_error(&["$IBMCLOUD_API_KEY", "redirect (HTTP 302)"]);
    assert_eq!(env.cloud.exchanges(), 1);
    assert_eq!(elsewhere.requests(), []);
}

#[test]
fn an_unreachable_iam_is_named() {
    let mut env = TestEnv::with_environment_key();
    env.settings("deadline = 2\n");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [closed, deaf.local_addr().unwrap()] {
        let url = format!("http://{address}");
        env.set("IBMCLOUD_IAM_API_ENDPOINT", &url);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["$IBMCLOUD_API_KEY", &url, "network"]);
        assert!(outcome.took <= Duration::from_secs(3), "{:?}", outcome.took);
    }
}

#[test]
fn an_unencrypted_endpoint_gets_no_secret() {
    let mut env = TestEnv::with_environment_key();
    env.add_secret("password-in-a-url");
    for endpoint in [
        "http://iam.cloud.ibm.com",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0:1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "iam.cloud.ibm.com",
        "https://",
        "https://user:password-in-a-url@127.0.0.1",
        "https://user@127.0.0.1",
        "https://127.0.0.1/?x=y",
        "https://127.0.0.1/#x",
        "not a URL",
    ] {
        env.set("IBMCLOUD_IAM_API_ENDPOINT", endpoint);
        env.get("us.icr.io")
            .is_client_error(&["$IBMCLOUD_IAM_API_ENDPOINT"]);
        env.get("docker.io").is_not_found();
    }
}

#[test]
fn quotes_around_a_variable_are_not_part_of_its_value() {
    let mut env = TestEnv::with_environment_key();
    let url = env.cloud.url();
    let settings = env.settings("").display().to_string();
    for quoted in [
        |text: &str| format!("\"{text}\""),
        |text: &str| format!("'{text}'"),
        |text: &str| format!(" \"{text}\"\r\n"),
        |text: &str| format!("{text}\r"),
    ] {
        env.set("IBMCLOUD_IAM_API_ENDPOINT", quoted(&url))
            .set("ICR_SOURCE", quoted("environment"))
            .set("ICR_KEYCHAIN", quoted("none"))
            .set("ICR_NAMESPACE", quoted("work"))
            .set("ICR_BACKGROUND_REFRESH", quoted("false"))
            .set("ICR_CONFIG", quoted(&settings))
            .set("ICR_LOG", quoted("off"))
            .set("IC_VISIBILITY", quoted("private"));
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-environment");
    }
    env.set("ICR_SOURCE", "\"\"").set("ICR_KEYCHAIN", "''");
    env.get("us.icr.io").is_token_of();
    env.set("ICR_SOURCE", "\"environment");
    env.get("us.icr.io")
        .is_client_error(&["$ICR_SOURCE", "Available values"]);
}

#[test]
fn an_endpoint_without_a_scheme_is_named_with_it() {
    let mut env = TestEnv::with_environment_key();
    for (text, url) in [
        ("iam.cloud.ibm.com", "https://iam.cloud.ibm.com"),
        (
            "private.iam.cloud.ibm.com/identity/token",
            "https://private.iam.cloud.ibm.com",
        ),
        ("iam.example.com:8443", "https://iam.example.com:8443"),
        ("not a URL", "https://iam.cloud.ibm.com"),
    ] {
        env.set("IBMCLOUD_IAM_API_ENDPOINT", text);
        env.get("us.icr.io").is_client_error(&[&format!(
            "$IBMCLOUD_IAM_API_ENDPOINT must begin with https://, as in {url}"
        )]);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn an_endpoint_may_be_written_with_its_path() {
    let mut env = TestEnv::with_environment_key();
    for suffix in ["", "/", "/identity/token", "/identity/token/"] {
        let endpoint = format!("{}{suffix}", env.cloud.url());
        env.set("IBMCLOUD_IAM_API_ENDPOINT", endpoint);
        env.get("us.icr.io").is_credential("iambearer");
    }
}

#[test]
fn unencrypted_requests_never_use_a_proxy() {
    let mut env = TestEnv::with_environment_key();
    for variable in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        env.set(variable, closed_port());
    }
    assert_eq!(
        env.get("us.icr.io").is_token_of(),
        "IBMid-environment",
        "a proxy cannot help here"
    );
}

#[test]
fn the_password_of_an_unreachable_proxy_is_not_shown() {
    let (mut env, _cloud) = env_with_tls();
    env.settings("deadline = 1\n");
    env.set("IBMCLOUD_IAM_API_ENDPOINT", "https://iam.example");
    env.add_secret("password-of-the-proxy");
    let proxy = closed_port().replace("//", "//user:password-of-the-proxy@");
    env.set("HTTPS_PROXY", proxy);
    for log in ["", "trace"] {
        env.set("ICR_LOG", log);
        env.get("us.icr.io").is_client_error(&["proxy"]);
    }
}

/// Returns the address of a port that was just closed.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
