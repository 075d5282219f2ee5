//! regctl's own file, which takes precedence over docker's.

use super::*;

/// An environment in which regctl was used.
fn with_regctl(env: TestEnv, text: &str) -> TestEnv {
    fs::create_dir(env.path("home/.regctl")).expect("the test may change it");
    env.file(REGCTL, text);
    env
}

#[test]
fn a_key_that_regctl_stored_is_moved_and_the_rest_of_its_entry_stays() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    env.add_secret(KEY);
    let entry = |login: &str, end: &str| {
        format!(
            "{{\n  \"hosts\": {{\n    \"us.icr.io\": {{\n      \"tls\": \"enabled\",{login}\n      \"hostname\": \"us.icr.io\"{end}\n    }}\n  }}\n}}"
        )
    };
    let login = format!("\n      \"user\": \"iamapikey\",\n      \"pass\": \"{KEY}\",");
    let env = with_regctl(env, &entry(&login, ""));
    let outcome = configure(&env, &["regctl", "--registry", "us.icr.io", "--dry-run"]);
    succeeds(
        &outcome,
        &["+      \"credHelper\": \"docker-credential-icr\""],
    );
    outcome.has(
        &outcome.stderr,
        &["unencrypted passwords for us.icr.io in "],
    );
    let outcome = configure(&env, &["regctl", "--registry", "us.icr.io", "--migrate"]);
    succeeds(&outcome, &["regctl: ", "helper added for us.icr.io"]);
    let helper = ",\n      \"credHelper\": \"docker-credential-icr\"";
    assert_eq!(content(&env, REGCTL), entry("", helper));
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    succeeds(
        &configure(&env, &["--undo"]),
        &["helper removed for us.icr.io"],
    );
    assert_eq!(content(&env, REGCTL), entry("", ""));
}

/// regctl adds defaults to each entry when it writes its file.
#[test]
fn undo_keeps_what_regctl_wrote_since() {
    let env = with_regctl(TestEnv::new(), "{\"hosts\": {}}");
    let outcome = configure(&env, &["--registry", "us.icr.io", "de.icr.io"]);
    succeeds(&outcome, &["regctl: "]);
    let written = |helper: &str| {
        format!(
            "{{\n  \"hosts\": {{\n    \"us.icr.io\": {{\n      \"tls\": \"enabled\"{helper}\n    }}\n  }}\n}}"
        )
    };
    env.file(
        REGCTL,
        &written(",\n      \"credHelper\": \"docker-credential-icr\""),
    );
    succeeds(
        &configure(&env, &["--undo", "regctl"]),
        &["helper removed for us.icr.io"],
    );
    assert_eq!(content(&env, REGCTL), written(""));
    succeeds(&configure(&env, &["--undo"]), &["Nothing to undo"]);
}

#[test]
fn the_record_of_docker_has_no_change_of_regctl() {
    let env = with_regctl(docker_env("{}"), "{}");
    succeeds(
        &configure(&env, &["--registry", "us.icr.io"]),
        &["docker: ", "regctl: "],
    );
    let directory = env.path(crate::support::DATA);
    let record = |name: &str| fs::read_to_string(directory.join(name)).expect("a record");
    assert!(!record("configured.json").contains("regctl"));
    assert!(record("configured-regctl.json").contains("\"client\": \"regctl\""));
    succeeds(&configure(&env, &["--undo"]), &["docker: ", "regctl: "]);
    assert_eq!(content(&env, REGCTL), "{}");
    let left = crate::support::files_below(&directory).into_iter();
    let records: Vec<_> = left
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    assert!(records.is_empty(), "{records:?}");
}
