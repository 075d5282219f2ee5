//! IAM, certificates and the registries.

use crate::healthy_env::HealthyMachine;
use crate::support::ENVIRONMENT_KEY;
use crate::support::TestEnv;

#[test]
fn each_step_of_the_network_is_checked() {
    let mut healthy = HealthyMachine::new();
    let url = healthy.env.cloud.url();
    healthy.reports("iam", "ok", &[&url, "answered in"]);
    healthy.reports(
        "clock",
        "ok",
        &["this machine's clock differs from IAM's by "],
    );
    healthy.reports("exchange", "ok", &["IBMid-environment", "account-1"]);
    healthy.reports("registry", "ok", &["accepted the token"]);
    healthy.reports("proxy", "ok", &["no variable and no setting names a proxy"]);
    healthy.reports("certificates", "ok", &["authority"]);
    healthy.env.add_secret("password-of-the-proxy");
    healthy
        .env
        .set(
            "HTTPS_PROXY",
            "http://user:password-of-the-proxy@127.0.0.1:1",
        )
        .set("NO_PROXY", "localhost");
    healthy.reports(
        "proxy",
        "ok",
        &[
            "HTTPS_PROXY=http://[redacted]@127.0.0.1:1",
            "NO_PROXY=localhost",
        ],
    );
    healthy.reports("iam", "ok", &[]);
    healthy.env.unset("NO_PROXY");
    healthy.env.unset("HTTPS_PROXY");
    healthy.env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    healthy.reports(
        "exchange",
        "problem",
        &["BXNIM0415E", "fix: \"Set a new key in $IBMCLOUD_API_KEY"],
    );
    healthy.reports("iam", "ok", &[]);
}

#[test]
fn the_use_of_each_proxy_is_reported() {
    const PASSWORD: &str = "password-of-the-proxy";
    let mut healthy = HealthyMachine::new();
    healthy.env.add_secret(PASSWORD);
    let login = |end: &str| format!("http://user:{PASSWORD}@proxy.example:3128{end}");
    let none = String::new;
    for (variables, verdict, words) in [
        (
            vec![("HTTPS_PROXY", login(""))],
            "ok",
            &["HTTPS_PROXY=http://[redacted]@proxy.example:3128"][..],
        ),
        (
            vec![("HTTPS_PROXY", none()), ("https_proxy", login(""))],
            "ok",
            &[
                "https_proxy=http://[redacted]@proxy.example:3128",
                "HTTPS_PROXY is empty",
            ],
        ),
        (
            vec![(
                "HTTPS_PROXY",
                format!("http://user:{PASSWORD}@ss@proxy.example"),
            )],
            "ok",
            &[
                "HTTPS_PROXY=http://[redacted]@proxy.example (",
                "end at the last @",
            ],
        ),
        (
            vec![("HTTPS_PROXY", login("\r"))],
            "warning",
            &[
                "HTTPS_PROXY is read as http://[redacted]@proxy.example:3128, but docker and podman cannot read it",
            ],
        ),
        (
            vec![(
                "HTTPS_PROXY",
                format!("http://user:{PASSWORD}#@proxy.example"),
            )],
            "warning",
            &["HTTPS_PROXY is read as", "percent-encoded"],
        ),
        (
            vec![("HTTPS_PROXY", format!("bogus://{PASSWORD}"))],
            "warning",
            &[
                "HTTPS_PROXY is not a usable proxy: its scheme",
                "or unset it",
            ],
        ),
        (
            vec![("ALL_PROXY", "socks5://proxy.example".to_owned())],
            "warning",
            &["ALL_PROXY is not a usable proxy: it is a SOCKS proxy"],
        ),
        (
            vec![("HTTP_PROXY", login(""))],
            "warning",
            &["HTTP_PROXY is not for https://", "Set HTTPS_PROXY"],
        ),
        (
            vec![(
                "NO_PROXY",
                "https://a.example, b.example c.example".to_owned(),
            )],
            "warning",
            &["https://a.example, b.example c.example", "by commas"],
        ),
    ] {
        // On Windows, two names that differ in case are one variable.
        if cfg!(windows) && variables.len() > 1 {
            continue;
        }
        for (name, value) in &variables {
            healthy.env.set(name, value);
        }
        healthy.reports("proxy", verdict, words);
        for (name, _) in variables {
            healthy.env.unset(name);
        }
    }
}

#[test]
fn a_proxy_that_only_docker_has_is_reported() {
    let mut healthy = HealthyMachine::new();
    let file = "home/.docker/config.json";
    let text = std::fs::read_to_string(healthy.env.path(file)).expect("docker uses the helper");
    let with_proxy = text.replacen(
        '{',
        r#"{"proxies": {"default": {"httpsProxy": "http://proxy.example:3128"}},"#,
        1,
    );
    healthy.env.file(file, &with_proxy);
    healthy.reports(
        "docker-proxy",
        "ok",
        &[
            "docker has http://proxy.example:3128 in ",
            file,
            "IAM is reachable without it",
        ],
    );
    healthy
        .env
        .set("IBMCLOUD_IAM_API_ENDPOINT", "https://127.0.0.1:1");
    healthy.reports(
        "docker-proxy",
        "warning",
        &["docker has", "Set HTTPS_PROXY, or the setting 'proxy'"],
    );
    healthy.env.get("us.icr.io").is_client_error(&[
        "Docker has a proxy (",
        file,
        "set HTTPS_PROXY, or the setting 'proxy'",
    ]);
}

#[test]
fn a_new_token_is_requested_but_not_cached() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set_environment_key();
    let healthy = HealthyMachine::on(env);
    let [host, other] = healthy.env.registries();
    healthy
        .env
        .settings(&format!("registries = [\"{host}\", \"{other}\"]\n"));
    healthy.docker(&format!(
        "{{\"credHelpers\": {{\"{host}\": \"icr\", \"{other}\": \"icr\"}}}}"
    ));
    let cached = healthy.env.get(&host).is_credential("iambearer");
    let exchanges = healthy.env.cloud.exchanges();
    healthy.reports("exchange", "ok", &["IBMid-environment"]);
    assert_eq!(
        healthy.env.cloud.exchanges() - exchanges,
        1,
        "one exchange for both registries"
    );
    healthy.env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    healthy.reports(
        "exchange",
        "problem",
        &["BXNIM0415E", "fix: \"Set a new key in $IBMCLOUD_API_KEY"],
    );
    let served = healthy.env.get(&host).is_credential("iambearer");
    assert_eq!(served, cached, "the cached token remains");
}

#[test]
fn a_refresh_token_that_iam_replaces_is_stored() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let healthy = HealthyMachine::on(env);
    healthy.env.add_refresh_token("A-REFRESH-TOKEN", "me");
    healthy.env.cloud.accounts().set_refresh_rotation(true);
    healthy
        .env
        .store(&healthy.registry, "iamrefresh", "A-REFRESH-TOKEN")
        .is_silent_success();
    for _ in 0..2 {
        healthy.reports("exchange", "ok", &["IBMid-me"]);
    }
    let owner = healthy.env.get(&healthy.registry).is_token_of();
    assert_eq!(owner, "IBMid-me");
}

#[test]
fn the_error_of_a_registry_is_reported() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let healthy = HealthyMachine::on(env);
    healthy
        .env
        .store(&healthy.registry, "token", "A-PASSWORD-THAT-IS-WRONG")
        .is_silent_success();
    healthy.reports(
        "registry",
        "problem",
        &[
            &format!("\"{} rejected the user name 'token'", healthy.registry),
            "not valid",
            "HTTP 401",
            "fix: \"Log in again",
        ],
    );
}

#[test]
fn certificates_are_checked_as_for_a_request() {
    let mut healthy = HealthyMachine::new();
    healthy.reports(
        "certificates",
        "ok",
        &["the system's ", " and 1 in ", "authority.pem"],
    );
    let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let path = healthy.env.path("authority/authority.pem");
    let good = std::fs::read_to_string(&path).expect("PEM");
    std::fs::write(&path, format!("{good}{damaged}{damaged}")).expect("a file");
    healthy.reports(
        "certificates",
        "warning",
        &[" and 1 in ", "skipped 2 unreadable certificates"],
    );
    std::fs::write(&path, format!("{damaged}{good}")).expect("a file");
    healthy.reports(
        "certificates",
        "warning",
        &["skipped 1 unreadable certificate"],
    );
    healthy.reports("iam", "ok", &[]);
    std::fs::write(&path, good).expect("a file");
    healthy.env.set("SSL_CERT_FILE", "/nonexistent");
    healthy.reports(
        "certificates",
        "problem",
        &["/nonexistent, the file in $SSL_CERT_FILE", "or unset it"],
    );
    // No requests leave this machine.
    healthy
        .env
        .unset("SSL_CERT_FILE")
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let (diagnostics, _) = healthy.diagnostics();
    let certificates = diagnostics
        .iter()
        .find(|diagnostic| diagnostic["check"] == "certificates");
    let certificates = certificates.expect("it is checked");
    let message = certificates["message"].as_str().expect("a text");
    assert!(message.contains("certificate authorities"), "{message}");
    #[cfg(target_os = "linux")]
    {
        let directory = healthy.env.path("authority");
        healthy.env.set("SSL_CERT_DIR", directory);
        let message = "trusts the 2 certificate authorities in $SSL_CERT_DIR";
        healthy.reports("certificates", "ok", &[message]);
        let damaged_path = healthy.env.path("authority/damaged.pem");
        std::fs::write(damaged_path, damaged).expect("a file");
        let message = format!("{message}, and skipped 1 unreadable certificate");
        healthy.reports("certificates", "warning", &[&message]);
        healthy.env.set("SSL_CERT_DIR", "/nonexistent");
        healthy.reports(
            "certificates",
            "problem",
            &[
                "/nonexistent, the directory in $SSL_CERT_DIR",
                "Set SSL_CERT_DIR",
            ],
        );
        // The file gives authorities as well.
        healthy
            .env
            .set("SSL_CERT_FILE", healthy.env.path("authority/authority.pem"));
        healthy.reports(
            "certificates",
            "warning",
            &["the directory in $SSL_CERT_DIR"],
        );
        healthy.reports("certificates", "ok", &[" and 1 in "]);
    }
}

/// Go, and so docker and podman, read an empty variable as one that is not set.
#[cfg(target_os = "linux")]
#[test]
fn an_empty_variable_for_certificates_is_not_set() {
    let mut healthy = HealthyMachine::new();
    // No requests leave this machine.
    healthy
        .env
        .unset("SSL_CERT_FILE")
        .set("HTTPS_PROXY", "http://127.0.0.1:1");
    let message = |healthy: &HealthyMachine| {
        let (diagnostics, _) = healthy.diagnostics();
        let mut found = diagnostics
            .iter()
            .filter(|it| it["check"] == "certificates");
        let only = found.next().expect("it is checked").clone();
        assert_eq!(found.next(), None);
        only
    };
    let unset = message(&healthy);
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        healthy.env.set(variable, "");
        assert_eq!(message(&healthy), unset, "{variable}");
    }
}
