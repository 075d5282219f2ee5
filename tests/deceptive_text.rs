//! Texts from IAM, clients and files are shown without characters that make a text look different.

mod support;

use icr_emulator::Fault;
use serde_json::Value;
use serde_json::json;

use support::Input;
use support::Outcome;
use support::TestEnv;

/// Characters that change the direction of a text, begin a new line, or are invisible.
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

/// Returns a text with all of them.
fn text() -> String {
    let parts = DECEPTIVE.map(|character| format!("a{character}"));
    format!("{}a", parts.concat())
}

#[track_caller]
fn is_without_deceptive_characters(outcome: &Outcome) {
    for shown in [&outcome.stdout, &outcome.stderr] {
        assert!(!shown.contains(DECEPTIVE), "{outcome:?}");
    }
}

#[test]
fn deceptive_text_in_answers_of_iam_is_not_shown() {
    let env = TestEnv::with_environment_key();
    for code in ["BXNIM0415E", &text()] {
        env.cloud.script([Fault::Error {
            status: 400,
            code: code.to_owned(),
            message: format!("Sentence {}", text()),
        }]);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["Sentence a a a"]);
        is_without_deceptive_characters(&outcome);
    }
}

#[test]
fn deceptive_text_in_a_stored_user_name_is_not_shown() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set("ICR_LOG", "trace");
    // The control character is refused.
    let username = text().replace('\u{85}', "");
    env.store("us.icr.io", &username, "some-password");
    let list = env.list();
    is_without_deceptive_characters(&list);
    let read: Value = serde_json::from_str(&list.stdout).expect("JSON");
    assert_eq!(read, json!({"us.icr.io": username}));
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["logout", "us.icr.io"],
    ] {
        is_without_deceptive_characters(&env.run(arguments, Input::Bytes(b"")));
    }
}

#[test]
fn deceptive_text_in_settings_is_not_shown() {
    let env = TestEnv::new();
    let text = text().replace('\u{85}', "");
    for settings in [
        format!("\"{text}\" = 1\n"),
        format!("keychain = \"{text}\"\n"),
        format!("[profile.a]\ntrusted-profile = \"{text}\"\n"),
    ] {
        env.settings(&settings);
        is_without_deceptive_characters(&env.get("us.icr.io"));
        is_without_deceptive_characters(&env.run(&["settings"], Input::Bytes(b"")));
        is_without_deceptive_characters(&env.run(&["settings", "--json"], Input::Bytes(b"")));
    }
}

#[test]
fn deceptive_text_in_a_clients_file_is_not_shown() {
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
        is_without_deceptive_characters(&env.run(arguments, Input::Bytes(b"")));
    }
}
