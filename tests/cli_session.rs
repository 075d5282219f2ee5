//! Sessions of the IBM Cloud CLI that change, expire or cannot be read. `tests/cases/sources` tests what their content means.

mod support;

use std::fs;
use std::fs::OpenOptions;
use std::io::Seek as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use icr_emulator::MetadataApi;
use icr_emulator::Profile;
use serde_json::Value;
use serde_json::json;

use support::BadFile;
use support::CLI_SESSION;
use support::TestEnv;
use support::in_parallel;
use support::token;

const REFRESH_TOKEN: &str = "REFRESH-TOKEN-OF-THE-SESSION";

/// Prepares a machine whose session contains the URL of IAM. Its metadata service is another source, of
/// `iam-Profile-machine`. It must not be used instead of a broken session.
fn prepared(mut env: TestEnv) -> TestEnv {
    env.unset("IBMCLOUD_IAM_API_ENDPOINT");
    let accounts = env.cloud.accounts();
    accounts.enable_metadata(&[MetadataApi::Identity]);
    accounts.link_default_profile("Profile-machine");
    let url = env.cloud.url();
    env.set("IBMCLOUD_CR_VPC_URL", url);
    env
}

fn test_env() -> TestEnv {
    prepared(TestEnv::new())
}

/// The same with the kernel keyring, so that tokens are cached.
fn env_with_keychain() -> Option<TestEnv> {
    TestEnv::with_keychain().map(prepared)
}

/// Returns the tokens of a session whose access token has expired.
fn expired() -> Value {
    json!({"IAMToken": format!("Bearer {}", token::ending_in(-60)), "IAMRefreshToken": REFRESH_TOKEN})
}

fn with(mut session: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        session[name] = value.clone();
    }
    session
}

#[test]
fn the_token_of_the_session_is_read_again_each_time() {
    let env = test_env();
    let first = token::ending_in(1200);
    env.cli_session(
        &json!({"IAMToken": format!("Bearer {first}"), "IAMRefreshToken": REFRESH_TOKEN}),
    );
    for _ in 0..2 {
        assert_eq!(env.get("us.icr.io").is_credential("iambearer"), first);
    }
    assert_eq!(env.cloud.requests(), []);
    let newer = token::ending_in(1201);
    env.cli_session(
        &json!({"IAMToken": format!("Bearer {newer}"), "IAMRefreshToken": REFRESH_TOKEN}),
    );
    assert_eq!(env.get("us.icr.io").is_credential("iambearer"), newer);
}

#[test]
fn an_expired_session_is_refreshed_once_and_never_written() {
    let Some(env) = env_with_keychain() else {
        return;
    };
    env.add_refresh_token(REFRESH_TOKEN, "laptop");
    let path = env.cli_session(&expired());
    let before = (fs::read(&path).expect("the file exists"), modified(&path));
    for count in 1..=4 {
        for host in ["us.icr.io", "de.icr.io"] {
            assert_eq!(env.get(host).is_token_of(), "IBMid-laptop");
        }
        assert_eq!(env.cloud.exchanges(), count, "one for both");
        let request = env.cloud.requests().pop().expect("one");
        assert_eq!(
            request.header("authorization"),
            Some("Basic Yng6Yng="),
            "bx:bx"
        );
        let used = request.field("refresh_token") == Some(REFRESH_TOKEN);
        assert_eq!(used, count == 1, "later the token that replaced it");
        env.keys().age_tokens(3599);
    }
    assert_eq!((fs::read(&path).expect("still"), modified(&path)), before);
    let files = env.files_with_secrets();
    assert_eq!(files, [path], "no secret in another file");
}

fn modified(path: &Path) -> std::time::SystemTime {
    let metadata = fs::metadata(path).expect("the file exists");
    metadata.modified().expect("the file system records it")
}

#[test]
fn a_session_that_the_cli_renewed_is_used() {
    let Some(mut env) = env_with_keychain() else {
        return;
    };
    env.add_refresh_token(REFRESH_TOKEN, "laptop");
    env.cli_session(&expired());
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-laptop");
    env.add_refresh_token("REFRESH-TOKEN-OF-THE-NEXT-SESSION", "colleague");
    env.cli_session(&with(
        expired(),
        &json!({"IAMRefreshToken": "REFRESH-TOKEN-OF-THE-NEXT-SESSION"}),
    ));
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-colleague");
    env.cli_session(&json!({}));
    env.unset("IBMCLOUD_CR_VPC_URL");
    env.get("us.icr.io").is_not_found();
}

#[test]
fn trusted_profiles_of_one_session_share_its_rotated_refresh_token() {
    let Some(env) = env_with_keychain() else {
        return;
    };
    let accounts = env.cloud.accounts();
    for profile in ["Profile-a", "Profile-b"] {
        accounts.add_trusted_profile(Profile::new(profile).trusting(&["IBMid-laptop"]));
    }
    env.add_refresh_token(REFRESH_TOKEN, "laptop");
    env.settings(
        r#"
        [profile.a]
        trusted-profile = "Profile-a"
        [profile.b]
        trusted-profile = "Profile-b"
        [profile.push]
        credential = "iamrefresh"
        [registry."us.icr.io"]
        profile = "a"
        [registry."de.icr.io"]
        profile = "b"
        [registry."uk.icr.io"]
        profile = "push"
        "#,
    );
    env.cli_session(&expired());
    for _ in 0..2 {
        assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-a");
        assert_eq!(env.get("de.icr.io").is_token_of(), "iam-Profile-b");
        assert_eq!(env.get("jp.icr.io").is_token_of(), "IBMid-laptop");
        assert_ne!(
            env.get("uk.icr.io").is_credential("iamrefresh"),
            REFRESH_TOKEN
        );
        env.keys().age_tokens(3599);
    }
}

#[test]
fn a_session_that_cannot_be_read_is_an_error() {
    let env = test_env();
    let path = env.cli_session(&expired());
    for bad_file in BadFile::all() {
        bad_file.create_at(&path);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&[CLI_SESSION, "'ibmcloud login'"]);
        assert!(outcome.took.as_secs() < 10, "{bad_file:?}: {outcome:?}");
    }
    BadFile::Directory.create_at(&path);
    fs::remove_dir(&path).expect("it is empty");
    assert_eq!(
        env.get("us.icr.io").is_token_of(),
        "iam-Profile-machine",
        "without a session"
    );
}

#[test]
fn a_lock_that_is_never_released_only_delays_get() {
    let env = test_env();
    let valid = token::ending_in(1200);
    let path = env.cli_session(&json!({"IAMToken": valid}));
    let holder = OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the test may change it");
    holder.lock().expect("it is free");
    let outcome = env.get("us.icr.io");
    assert!(outcome.took.as_secs() < 10, "{outcome:?}");
    if cfg!(windows) && outcome.status == Some(1) {
        // A locked file cannot be read there. Wine lets programs read it.
        outcome.is_client_error(&["another program has it open", "Close the other program"]);
        return;
    }
    assert_eq!(outcome.is_credential("iambearer"), valid);
    holder.set_len(0).expect("the test may change it");
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&[CLI_SESSION]);
    assert!(outcome.took.as_secs() < 10, "{outcome:?}");
}

/// How a program rewrites a session.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// Like the CLI: lock, truncate, write.
    Locked,
    /// Truncate and write, without a lock.
    Truncating,
    /// Write without truncating first: after a shorter text, the end of a longer one remains.
    InPlace,
    /// Write byte by byte.
    Bytewise,
}

impl Writer {
    fn write(self, path: &Path, text: &str) {
        let truncates = matches!(self, Self::Truncating);
        let mut file = OpenOptions::new()
            .write(true)
            .truncate(truncates)
            .open(path)
            .expect("the file exists");
        match self {
            Self::Locked => {
                file.lock().expect("readers unlock it");
                file.set_len(0).expect("the test may change it");
            }
            Self::Bytewise => file.set_len(0).expect("the test may change it"),
            Self::Truncating | Self::InPlace => {}
        }
        let size = if matches!(self, Self::Bytewise) {
            512
        } else {
            usize::MAX
        };
        for piece in text.as_bytes().chunks(size) {
            file.write_all(piece).expect("there is room");
        }
        let end = file.stream_position().expect("it is a file");
        file.set_len(end).expect("the test may change it");
    }
}

#[test]
fn two_hundred_gets_succeed_while_the_session_is_rewritten() {
    for writer in [
        Writer::Locked,
        Writer::Truncating,
        Writer::InPlace,
        Writer::Bytewise,
    ] {
        let env = test_env();
        let tokens = [token::ending_in(1200), token::ending_in(1300)];
        let texts = tokens.clone().map(|token| {
            let padding = "x".repeat(usize::from(token == tokens[0]) * 9000);
            env.cli_configuration(
                &json!({"IAMToken": format!("Bearer {token}"), "Locale": padding}),
            )
        });
        let path = env.file(CLI_SESSION, &texts[0]);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for text in texts.iter().cycle() {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    writer.write(&path, text);
                }
            });
            let outcomes = in_parallel(4, |_| {
                (0..50).map(|_| env.get("us.icr.io")).collect::<Vec<_>>()
            });
            done.store(true, Ordering::Relaxed);
            for outcome in outcomes.iter().flatten() {
                let token = outcome.is_credential("iambearer");
                assert!(tokens.contains(&token), "{writer:?}: {outcome:?}");
            }
        });
        assert_eq!(env.cloud.requests(), []);
    }
}
