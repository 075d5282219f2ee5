//! Are texts from outside shown without characters that make them look different?

mod support;

use icr_emulator::Fault;
use serde_json::Value;
use serde_json::json;

use support::Input;
use support::Outcome;
use support::TestEnv;

/// They turn the direction of a text, begin a line, hide it, or are not seen.
const DECEPTIVE: [char; 14] = [
    '\u{202e}',
    '\u{202a}',
    '\u{2066}',
    '\u{2069}',
    '\u{200e}',
    '\u{200f}',
    '\u{61c}',
    '\u{2028}',
    '\u{2029}',
    '\u{200b}',
    '\u{feff}',
    '\u{ad}',
    '\u{e0041}',
    '\u{85}',
];

/// `a` before, between and after them.
fn text() -> String {
    let parts = DECEPTIVE.map(|character| format!("a{character}"));
    format!("{}a", parts.concat())
}

#[track_caller]
fn shows_none(outcome: &Outcome) {
    for shown in [&outcome.stdout, &outcome.stderr] {
        assert!(!shown.contains(DECEPTIVE), "{outcome:?}");
    }
}

#[test]
fn in_answers_of_iam() {
    let env = TestEnv::with_environment_key();
    for code in ["BXNIM0415E", &text()] {
        env.cloud.script([Fault::Error {
            status: 400,
            code: code.to_owned(),
            message: format!("Sentence {}", text()),
        }]);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["Sentence a a a"]);
        shows_none(&outcome);
    }
}

#[test]
fn in_a_user_name_that_a_client_stored() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set("ICR_LOG", "trace");
    // The control character is refused.
    let username = text().replace('\u{85}', "");
    env.store("us.icr.io", &username, "some-password");
    let list = env.list();
    shows_none(&list);
    let read: Value = serde_json::from_str(&list.stdout).expect("JSON");
    assert_eq!(read, json!({"us.icr.io": username}));
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["logout", "us.icr.io"],
    ] {
        shows_none(&env.run(arguments, Input::Bytes(b"")));
    }
}

#[test]
fn in_settings() {
    let env = TestEnv::new();
    let text = text().replace('\u{85}', "");
    for settings in [
        format!("\"{text}\" = 1\n"),
        format!("keychain = \"{text}\"\n"),
        format!("[profile.a]\ntrusted-profile = \"{text}\"\n"),
    ] {
        env.settings(&settings);
        shows_none(&env.get("us.icr.io"));
        shows_none(&env.run(&["settings"], Input::Bytes(b"")));
        shows_none(&env.run(&["settings", "--json"], Input::Bytes(b"")));
    }
}

#[test]
fn in_a_clients_file() {
    let env = TestEnv::new();
    let text = text().replace('\u{85}', "");
    let content = json!({"credHelpers": {"us.icr.io": text}, "auths": {text: {}}});
    env.file("home/.docker/config.json", &format!("{content:#}"));
    for arguments in [
        &[
            "configure",
            "docker",
            "--registry",
            "de.icr.io",
            "--dry-run",
        ][..],
        &[
            "configure",
            "docker",
            "--registry",
            "us.icr.io",
            "--dry-run",
        ],
        &[
            "configure",
            "docker",
            "--registry",
            "us.icr.io",
            "--dry-run",
            "--json",
        ],
        &["doctor"],
        &["status"],
    ] {
        shows_none(&env.run(arguments, Input::Bytes(b"")));
    }
}
