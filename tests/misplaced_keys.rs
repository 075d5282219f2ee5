//! API keys in the wrong place, such as an argument, are not shown: not on a screen, not to a client, not in the log.

mod support;

use serde_json::json;

use support::Input;
use support::TestEnv;

/// Keys of 44 characters, like those of IAM.
const KEYS: [&str; 3] = [
    "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm",
    "aBcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7aBcD8eFgH9i",
    "eyJhbGciOiJSUzI1NiJ9.eyJpYW1faWQiOiJJQk1pZC0xIn0.c2lnbmF0dXJlLW9mLWlhbQ",
];

/// Creates an environment with logins, if there is a keychain.
fn test_env() -> TestEnv {
    TestEnv::with_keychain().unwrap_or_else(TestEnv::new)
}

/// Runs the program with `KEY` and the log on, and checks that it fails and does not show the key.
#[track_caller]
fn is_not_shown(env: &mut TestEnv, key: &str, arguments: &[&str]) {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|text| text.replace("KEY", key))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for level in ["off", "trace"] {
        env.set("ICR_LOG", level);
        let outcome = env.run(&arguments, Input::Bytes(b""));
        assert_ne!(outcome.status, Some(0), "{outcome:?}");
        let shown = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!shown.contains(key), "{outcome:?}");
        assert!(!shown.contains(&key.to_ascii_lowercase()), "{outcome:?}");
    }
}

#[test]
fn a_key_in_the_arguments_is_not_shown() {
    for key in KEYS {
        let mut env = test_env();
        env.add_secret(key);
        env.settings("[profile.team-a]\n");
        for arguments in [
            &["KEY"][..],
            &["KEY", "--help"],
            &["KEY", "us.icr.io"],
            &["--KEY"],
            &["help", "KEY"],
            &["get", "KEY"],
            &["get", "us.icr.io", "KEY"],
            &["get", "https://KEY"],
            &["store", "KEY"],
            &["list", "KEY"],
            &["login", "KEY"],
            &["login", "us.icr.io", "KEY"],
            &["login", "KEY.icr.io"],
            &["login", "https://iamapikey:KEY@us.icr.io"],
            &["login", "--profile", "KEY"],
            &["login", "--profile=KEY"],
            &["login", "--api-key", "KEY"],
            &["login", "--api-key", "@KEY"],
            &["login", "--api-key-stdin", "--expires", "KEY"],
            &["login", "--api-key-stdin=KEY"],
            &["login", "--password", "KEY"],
            &["login", "--password=KEY"],
            &["login", "-p", "KEY"],
            &["login", "--KEY"],
            &["logout", "KEY"],
            &["logout", "--profile", "KEY"],
            &["status", "KEY"],
            &["print", "KEY"],
            &["print", "us.icr.io", "KEY"],
            &["print", "us.icr.io", "--format", "KEY"],
            &["print", "us.icr.io", "--credential", "KEY"],
            &["print", "us.icr.io", "--secret-name", "KEY"],
            &["print", "us.icr.io", "--name", "KEY"],
            &["configure", "KEY"],
            &["configure", "docker", "--registry", "KEY"],
            &["configure", "docker", "--registry", "us.icr.io,KEY"],
            &["configure", "docker", "--undo", "KEY"],
            &["settings", "KEY"],
            &["settings", "--KEY"],
            &["doctor", "KEY"],
            &["token", "KEY"],
            &["token", "list", "KEY"],
            &["token", "list", "--registry", "KEY"],
            &["token", "get", "KEY"],
            &["token", "rm", "KEY"],
            &["token", "add", "--registry", "us.icr.io", "--KEY"],
        ] {
            is_not_shown(&mut env, key, arguments);
        }
    }
}

#[test]
fn a_key_as_a_trusted_profile_is_not_shown() {
    for key in KEYS {
        let mut env = test_env();
        env.add_secret(key);
        env.add_api_key("KEY-OF-A-PERSON-91b2", "me");
        for level in ["off", "trace"] {
            env.set("ICR_LOG", level);
            let arguments = ["login", "--api-key-stdin", "--profile-id", key];
            let outcome = env.run(&arguments, Input::Bytes(b"KEY-OF-A-PERSON-91b2"));
            assert_eq!(outcome.status, Some(1), "{outcome:?}");
        }
    }
}

#[test]
fn a_key_in_a_clients_input_is_not_shown() {
    for key in KEYS {
        let mut env = TestEnv::new();
        env.add_secret(key);
        for address in [
            key.to_owned(),
            format!("https://{key}"),
            format!("{key}.us.icr.io"),
            format!("{key}:443"),
            format!("us.icr.io@{key}"),
            format!("{key} us.icr.io"),
            format!("evil.example.com/{key}"),
        ] {
            for level in ["off", "trace"] {
                env.set("ICR_LOG", level);
                let outcome = env.store(&address, "iamapikey", "some-password");
                assert_eq!(outcome.status, Some(1), "{outcome:?}");
                env.get(&address).is_not_found();
                env.erase(&address);
            }
        }
        let input = json!({"ServerURL": "us.icr.io", "Username": "a", key: key}).to_string();
        env.run(&["store"], Input::Bytes(input.as_bytes()));
        env.run(&["store"], Input::Bytes(key.as_bytes()));
    }
}

#[test]
fn a_key_as_a_user_name_is_not_shown() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let key = KEYS[0];
    env.add_secret(key);
    env.store("us.icr.io", key, "some-password")
        .is_client_error(&[
            "looks like an API key",
            "'docker login -u iamapikey us.icr.io'",
        ]);
    env.list().is_list(&[]);
    let profile = "Profile-8dd84246-7df4-4667-94e4-8cede51d5ac5";
    assert_eq!(profile.len(), key.len());
    env.store("us.icr.io", profile, "some-password")
        .is_silent_success();
    env.store("us.icr.io", "iamapikey", key).is_silent_success();
}

#[test]
fn a_key_in_settings_and_variables_is_not_shown() {
    for key in KEYS {
        let env = TestEnv::new();
        env.add_secret(key);
        for settings in [
            format!("keychain = \"{key}\"\n"),
            format!("\"{key}\" = 1\n"),
            format!("registries = [\"{key}\"]\n"),
            format!("[profile.a]\n\"{key}\" = \"x\"\n"),
            format!("[profile.\"{key}!\"]\n"),
            format!("[profile.a]\nsource = \"{key}\"\n"),
            format!("[profile.a]\nsource = \"credentials-file\"\nfile = \"{key}\"\n"),
            format!("[profile.a]\niam-endpoint = \"http://{key}\"\n"),
            format!("[registry.\"us.icr.io\"]\nprofile = \"{key}\"\n"),
            format!("[registry.\"{key}\"]\n"),
            format!("keychain = {key}\n"),
            format!("background-refresh = \"{key}\"\n"),
            format!("deadline = \"{key}\"\n"),
            format!("registries = \"{key}\"\n"),
            format!("profile = \"{key}\"\n"),
            format!("profile.\"{key}\" = 1\n"),
            format!("profile.\"{key}\" = \"{key}\"\n"),
            format!("registry.\"{key}\" = \"{key}\"\n"),
        ] {
            env.settings(&settings);
            let outcome = env.get("us.icr.io");
            assert_eq!(outcome.status, Some(1), "{settings}: {outcome:?}");
            env.run(&["settings"], Input::Bytes(b""));
            env.run(&["doctor"], Input::Bytes(b""));
        }
        for variable in [
            "ICR_KEYCHAIN",
            "ICR_BACKGROUND_REFRESH",
            "ICR_SOURCE",
            "ICR_PROFILE",
            "IBMCLOUD_IAM_API_ENDPOINT",
            "ICR_LOG",
            "ICR_CONFIG",
            "ICR_LOG_FILE",
        ] {
            let mut env = TestEnv::new();
            env.add_secret(key);
            env.set(variable, key);
            env.get("us.icr.io");
            env.run(&["doctor"], Input::Bytes(b""));
        }
        let mut env = TestEnv::new();
        env.add_secret(key);
        env.set("IBMCLOUD_API_KEY", format!("@{key}"));
        assert_eq!(env.get("us.icr.io").status, Some(1));
    }
}

#[test]
fn a_key_in_a_variable_for_something_else_is_not_shown() {
    let key = KEYS[0];
    let url = format!("https://{key}");
    for (variable, value) in [
        ("DOCKER_CONFIG", key),
        ("DOCKER_AUTH_CONFIG", key),
        ("REGISTRY_AUTH_FILE", key),
        ("REGCTL_CONFIG", key),
        ("HELM_CONFIG_HOME", key),
        ("XDG_RUNTIME_DIR", key),
        ("SSL_CERT_FILE", key),
        ("SSL_CERT_DIR", key),
        ("NO_PROXY", key),
        ("HTTPS_PROXY", &*url),
        ("HTTP_PROXY", key),
        ("IC_REGION", key),
        ("IC_ENDPOINTS_FILE_PATH", key),
        ("IBMCLOUD_IAM_API_ENDPOINT", &*url),
        ("IBMCLOUD_CR_API_ENDPOINT", key),
        ("IBM_CREDENTIALS_FILE", key),
        ("IBMCLOUD_CONFIG_HOME", key),
        ("IBMCLOUD_CR_VPC_URL", &*url),
        ("VCAP_SERVICES", key),
    ] {
        let mut env = TestEnv::new();
        env.add_secret(key);
        env.add_secret(&key.to_ascii_lowercase());
        env.set_environment_key();
        env.set(variable, value);
        env.set("ICR_LOG", "trace").set("COLUMNS", "30");
        env.get("us.icr.io");
        for arguments in [
            &["settings"][..],
            &["status"],
            &[
                "configure",
                "docker",
                "--dry-run",
                "--registry",
                "us.icr.io",
            ],
        ] {
            env.run(arguments, Input::Bytes(b""));
        }
        let report = env.path("report.txt");
        let arguments = ["doctor", "--report", &report.display().to_string()];
        env.run(&arguments, Input::Bytes(b""));
        assert!(report.exists(), "{variable}");
        assert!(!env.files_with_secrets().contains(&report), "{variable}");
    }
}

#[test]
fn other_text_is_repeated_in_errors() {
    let env = test_env();
    env.settings("[profile.team-a]\n");
    env.run(&["stauts"], Input::Bytes(b""))
        .is_unknown_command(&["unknown command 'stauts'. Did you mean 'status'?"]);
    env.run(&["--hunter2"], Input::Bytes(b""))
        .is_unknown_command(&["unknown option (not shown"]);
    env.run(&["login", "--profile", "prod-2"], Input::Bytes(b""))
        .is_user_error(&["no profile \"prod-2\""]);
    env.run(&["print", "us.icr.io", "--name", "a"], Input::Bytes(b""))
        .is_usage_error(&["error: --name needs --format", "\nhint: "]);
    env.run(&["help", "lgin"], Input::Bytes(b""))
        .is_unknown_command(&["unknown command 'lgin'. Did you mean 'login'?"]);
    env.run(&["login", "ghcr.io"], Input::Bytes(b""))
        .is_user_error(&["ghcr.io is not an IBM Cloud registry"]);
    env.run(&["login", "--profile", "team-b"], Input::Bytes(b""))
        .is_user_error(&["\"team-b\"", "Did you mean 'team-a'?"]);
    env.run(&["status", "--jsn"], Input::Bytes(b""))
        .is_usage_error(&["'--jsn'", "'--json'"]);
    env.store("https://index.docker.io/v1/", "someone", "some-password")
        .is_client_error(&["index.docker.io is not an IBM Cloud registry"]);
}
