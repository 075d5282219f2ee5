//! Is whoever is logged in with the IBM Cloud CLI logged in here, too?
// Elsewhere the home directory is not where a variable says, and a lock keeps readers out.
#![cfg(unix)]

mod support;

use std::fs;
use std::fs::OpenOptions;
use std::io::Seek as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use icr_emulator::Emulator;
use icr_emulator::MetadataApi;
use icr_emulator::Profile;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::CLI_SESSION;
use support::Machine;
use support::NOT_FOUND;
use support::Obstacle;
use support::at_once;
use support::token;

const REFRESH_TOKEN: &str = "REFRESH-TOKEN-OF-THE-SESSION";

/// A machine whose CLI says where IAM is, with somebody else behind the session who must not be found: the machine itself.
fn prepared(mut machine: Machine) -> Machine {
    machine.unset("IBMCLOUD_IAM_API_ENDPOINT");
    let accounts = machine.cloud.accounts();
    accounts.enable_metadata(&[MetadataApi::Identity]);
    accounts.link_default_profile("Profile-machine");
    let url = machine.cloud.url();
    machine.set("IBMCLOUD_CR_VPC_URL", url);
    machine
}

fn machine() -> Machine {
    prepared(Machine::new())
}

/// The same with a kernel keyring, for tests of what is kept.
fn machine_that_remembers() -> Option<Machine> {
    Machine::with_keychain().map(prepared)
}

/// Tokens of somebody who was logged in an hour ago.
fn ended() -> Value {
    json!({"IAMToken": format!("Bearer {}", token::ending_in(-60)), "IAMRefreshToken": REFRESH_TOKEN})
}

fn and(mut session: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        session[name] = value.clone();
    }
    session
}

#[test]
fn a_fresh_token_is_used_as_it_is() {
    let machine = machine();
    let fresh = token::ending_in(1200);
    machine.cli_session(
        &json!({"IAMToken": format!("Bearer {fresh}"), "IAMRefreshToken": REFRESH_TOKEN}),
    );
    for _ in 0..2 {
        assert_eq!(machine.get("us.icr.io").is_credential("iambearer"), fresh);
    }
    assert_eq!(machine.cloud.requests(), []);
    let newer = token::ending_in(1201);
    machine.cli_session(
        &json!({"IAMToken": format!("Bearer {newer}"), "IAMRefreshToken": REFRESH_TOKEN}),
    );
    assert_eq!(
        machine.get("us.icr.io").is_credential("iambearer"),
        newer,
        "read anew each time"
    );
}

#[test]
fn a_session_that_has_ended_is_refreshed_once_and_never_written() {
    let Some(machine) = machine_that_remembers() else {
        return;
    };
    machine.add_refresh_token(REFRESH_TOKEN, "laptop");
    let path = machine.cli_session(&ended());
    let before = (fs::read(&path).expect("it is there"), modified(&path));
    for count in 1..=4 {
        for host in ["us.icr.io", "de.icr.io"] {
            assert_eq!(machine.get(host).is_token_of(), "IBMid-laptop");
        }
        assert_eq!(machine.cloud.exchanges(), count, "one for both");
        let request = machine.cloud.requests().pop().expect("one");
        assert_eq!(
            request.header("authorization"),
            Some("Basic Yng6Yng="),
            "bx:bx"
        );
        let used = request.field("refresh_token") == Some(REFRESH_TOKEN);
        assert_eq!(used, count == 1, "later what replaced it");
        machine.keys().age_tokens(3599);
    }
    assert_eq!((fs::read(&path).expect("still"), modified(&path)), before);
    let files = machine.files_with_secrets();
    assert_eq!(files, [path], "nothing of it anywhere else");
}

fn modified(path: &Path) -> std::time::SystemTime {
    let metadata = fs::metadata(path).expect("it is there");
    metadata.modified().expect("this file system knows")
}

#[test]
fn a_session_that_the_cli_renewed_is_the_one_that_counts() {
    let Some(mut machine) = machine_that_remembers() else {
        return;
    };
    machine.add_refresh_token(REFRESH_TOKEN, "laptop");
    machine.cli_session(&ended());
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-laptop");
    machine.add_refresh_token("REFRESH-TOKEN-OF-THE-NEXT-SESSION", "colleague");
    machine.cli_session(&and(
        ended(),
        &json!({"IAMRefreshToken": "REFRESH-TOKEN-OF-THE-NEXT-SESSION"}),
    ));
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-colleague");
    machine.cli_session(&json!({}));
    machine.unset("IBMCLOUD_CR_VPC_URL");
    machine.get("us.icr.io").is_not_found();
}

#[test]
fn profiles_on_top_of_one_session_share_what_replaced_its_refresh_token() {
    let Some(machine) = machine_that_remembers() else {
        return;
    };
    let accounts = machine.cloud.accounts();
    for profile in ["Profile-a", "Profile-b"] {
        accounts.add_trusted_profile(Profile::new(profile).trusting(&["IBMid-laptop"]));
    }
    machine.add_refresh_token(REFRESH_TOKEN, "laptop");
    machine.settings(
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
    machine.cli_session(&ended());
    for _ in 0..2 {
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-a");
        assert_eq!(machine.get("de.icr.io").is_token_of(), "iam-Profile-b");
        assert_eq!(machine.get("jp.icr.io").is_token_of(), "IBMid-laptop");
        assert_ne!(
            machine.get("uk.icr.io").is_credential("iamrefresh"),
            REFRESH_TOKEN
        );
        machine.keys().age_tokens(3599);
    }
}

#[test]
fn the_sessions_own_iam_is_asked() {
    let machine = machine();
    let clouds: Vec<Emulator> = (0..3)
        .map(|_| Emulator::start().expect("a free port"))
        .collect();
    let owners = ["public", "private", "vpc"];
    for (cloud, owner) in clouds.iter().zip(owners) {
        let accounts = cloud.accounts();
        accounts.add_refresh_token(REFRESH_TOKEN, Subject::user(owner));
        accounts.set_refresh_rotation(false);
    }
    for (is_private, is_in_vpc, owner) in [
        (false, false, "IBMid-public"),
        (false, true, "IBMid-public"),
        (true, false, "IBMid-private"),
        (true, true, "IBMid-vpc"),
    ] {
        machine.cli_session(&and(
            ended(),
            &json!({
                "IAMEndpoint": clouds[0].url(), "IAMPrivateEndpoint": clouds[1].url(),
                "IAMPrivateVPCEndpoint": clouds[2].url(), "IsPrivate": is_private, "IsAccessFromVPC": is_in_vpc
            }),
        ));
        assert_eq!(machine.get("us.icr.io").is_token_of(), owner);
    }
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn a_secret_goes_nowhere_in_clear() {
    let machine = machine();
    machine.cli_session(&and(
        ended(),
        &json!({"IAMEndpoint": "http://iam.example.com"}),
    ));
    machine
        .get("us.icr.io")
        .is_failure_with(&["the IBM Cloud CLI's session in", "in clear"]);
}

#[test]
fn a_session_that_is_over_says_what_to_do() {
    let machine = machine();
    machine.add_refresh_token(REFRESH_TOKEN, "laptop");
    machine.cli_session(&ended());
    let accounts = machine.cloud.accounts();
    let told = |code: &str| {
        machine.get("us.icr.io").is_failure_with(&[
            "the IBM Cloud CLI's session in",
            CLI_SESSION,
            code,
            "'ibmcloud login'",
            "'docker-credential-icr login'",
        ]);
    };
    accounts.expire_refresh_token(REFRESH_TOKEN);
    told("BXNIM0408E");
    machine.add_refresh_token(REFRESH_TOKEN, "laptop");
    assert!(accounts.invalidate_session(REFRESH_TOKEN));
    told("BXNIM0439E");
    machine.cli_session(&and(
        ended(),
        &json!({"IAMRefreshToken": "REFRESH-TOKEN-OF-NOBODY"}),
    ));
    told("BXNIM0407E");
    machine.cli_session(&and(ended(), &json!({"IAMRefreshToken": ""})));
    told("has ended");
    assert_eq!(machine.cloud.metadata_exchanges(), 0, "nobody else spoke");
}

#[test]
fn whoever_logged_out_is_passed_over() {
    let machine = machine();
    for session in [
        json!({}),
        json!({"IAMToken": "Bearer "}),
        json!({"IAMToken": null, "IAMRefreshToken": null}),
    ] {
        machine.cli_session(&session);
        assert_eq!(
            machine.get("us.icr.io").is_token_of(),
            "iam-Profile-machine"
        );
    }
    machine.file(CLI_SESSION, "{}");
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "iam-Profile-machine"
    );
}

#[test]
fn staging_and_production_do_not_meet() {
    let mut machine = machine();
    machine.unset("IBMCLOUD_CR_VPC_URL");
    let fresh = token::ending_in(1200);
    for (cloud, served, others) in [
        (
            "bluemix",
            ["us.icr.io", "cp.icr.io"],
            ["stg.icr.io", "cp.stg.icr.io"],
        ),
        (
            "staging",
            ["stg.icr.io", "cp.stg.icr.io"],
            ["us.icr.io", "cp.icr.io"],
        ),
    ] {
        machine.cli_session(&json!({"CloudName": cloud, "IAMToken": fresh}));
        for host in served {
            assert_eq!(machine.get(host).is_credential("iambearer"), fresh);
        }
        for host in others {
            machine.get(host).is_not_found();
        }
    }
}

#[test]
fn a_session_of_a_virtual_server_is_renewed_by_its_metadata_service() {
    let machine = machine();
    let accounts = machine.cloud.accounts();
    accounts.link_profile("Profile-of-the-session");
    let session = |left| {
        json!({
            "CRIType": "VPC", "IsLoggedInAsCRI": true, "Profile": {"ID": "Profile-of-the-session", "Name": "x"},
            "IAMToken": format!("Bearer {}", token::ending_in(left))
        })
    };
    machine.cli_session(&session(600));
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-elsewhere");
    assert_eq!(machine.cloud.metadata_exchanges(), 0);
    machine.cli_session(&session(-1));
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "iam-Profile-of-the-session"
    );
    accounts.unlink_profile("Profile-of-the-session");
    machine.get("us.icr.io").is_failure_with(&[
        "instance metadata service",
        "Profile-of-the-session",
        "not linked",
    ]);
}

#[test]
fn what_stands_in_the_place_of_the_session_is_told_in_time() {
    let machine = machine();
    let path = machine.cli_session(&ended());
    for obstacle in Obstacle::all() {
        obstacle.put(&path);
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&[
            "the IBM Cloud CLI's session in",
            CLI_SESSION,
            "'ibmcloud login'",
        ]);
        assert!(outcome.took.as_secs() < 10, "{obstacle:?}: {outcome:?}");
    }
    Obstacle::Directory.put(&path);
    fs::remove_dir(&path).expect("it is empty");
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "iam-Profile-machine",
        "absent again"
    );
}

#[test]
fn a_session_cut_off_anywhere_is_never_somebody_else() {
    let machine = machine();
    let whole = machine.cli_configuration(&ended());
    let cuts = [
        1,
        whole.len() / 3,
        whole.find('ü').expect("a name") + 1,
        whole.len() - 1,
    ];
    for cut in cuts {
        fs::create_dir_all(machine.path("home/.bluemix")).expect("it is ours");
        fs::write(machine.path(CLI_SESSION), &whole.as_bytes()[..cut]).expect("it is ours");
        machine
            .get("us.icr.io")
            .is_failure_with(&["the IBM Cloud CLI's session in", "is no session"]);
    }
}

#[test]
fn a_lock_held_for_good_delays_but_does_not_prevent() {
    let machine = machine();
    let fresh = token::ending_in(1200);
    let path = machine.cli_session(&json!({"IAMToken": fresh}));
    let holder = OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("it is ours");
    holder.lock().expect("nobody else has it");
    let outcome = machine.get("us.icr.io");
    assert_eq!(outcome.is_credential("iambearer"), fresh);
    assert!(outcome.took.as_secs() < 10, "{outcome:?}");
    holder.set_len(0).expect("it is ours");
    let outcome = machine.get("us.icr.io");
    outcome.is_failure_with(&["the IBM Cloud CLI's session in"]);
    assert!(outcome.took.as_secs() < 10, "{outcome:?}");
}

/// The ways in which a program may write a session again and again.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// As the CLI does: locked, cut to nothing, written.
    Locked,
    /// The same without the lock.
    Truncating,
    /// Without cutting it first: a shorter text leaves the end of a longer one.
    InPlace,
    /// In small pieces.
    Bytewise,
}

impl Writer {
    fn write(self, path: &Path, text: &str) {
        let truncates = matches!(self, Self::Truncating);
        let mut file = OpenOptions::new()
            .write(true)
            .truncate(truncates)
            .open(path)
            .expect("it is there");
        match self {
            Self::Locked => {
                file.lock().expect("readers let go");
                file.set_len(0).expect("it is ours");
            }
            Self::Bytewise => file.set_len(0).expect("it is ours"),
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
        file.set_len(end).expect("it is ours");
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
        let machine = machine();
        let tokens = [token::ending_in(1200), token::ending_in(1300)];
        let texts = tokens.clone().map(|token| {
            let padding = "x".repeat(usize::from(token == tokens[0]) * 9000);
            machine.cli_configuration(
                &json!({"IAMToken": format!("Bearer {token}"), "Locale": padding}),
            )
        });
        let path = machine.file(CLI_SESSION, &texts[0]);
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
            let outcomes = at_once(4, |_| {
                (0..50)
                    .map(|_| machine.get("us.icr.io"))
                    .collect::<Vec<_>>()
            });
            done.store(true, Ordering::Relaxed);
            for outcome in outcomes.iter().flatten() {
                let token = outcome.is_credential("iambearer");
                assert!(tokens.contains(&token), "{writer:?}: {outcome:?}");
            }
        });
        assert_eq!(machine.cloud.requests(), []);
    }
}

#[test]
fn the_directory_is_found_as_the_cli_finds_it() {
    let mut machine = machine();
    let places = [
        "home/.bluemix",
        "home/.ibmcloud",
        "old/.bluemix",
        "new/.ibmcloud",
        "named",
    ];
    let tokens: Vec<String> = (0..)
        .map(|number| token::ending_in(1200 + number))
        .take(places.len())
        .collect();
    for (place, token) in places.iter().zip(&tokens) {
        let text = machine.cli_configuration(&json!({"IAMToken": token}));
        machine.file(&format!("{place}/config.json"), &text);
    }
    let home = machine.path("home");
    for (index, variable, value) in [
        (1, "HOME", home),
        (2, "BLUEMIX_HOME", machine.path("old")),
        (3, "IBMCLOUD_HOME", machine.path("new")),
        (4, "IBMCLOUD_CONFIG_HOME", machine.path("named")),
    ] {
        machine.set(variable, value);
        assert_eq!(
            machine.get("us.icr.io").is_credential("iambearer"),
            tokens[index]
        );
    }
    fs::remove_dir_all(machine.path("home/.ibmcloud")).expect("it is ours");
    for variable in ["BLUEMIX_HOME", "IBMCLOUD_HOME", "IBMCLOUD_CONFIG_HOME"] {
        machine.unset(variable);
    }
    assert_eq!(
        machine.get("us.icr.io").is_credential("iambearer"),
        tokens[0]
    );
}

#[test]
fn nobody_who_was_named_but_is_not_there_is_an_error() {
    let mut machine = machine();
    machine.set("ICR_SOURCE", "ibmcloud");
    let outcome = machine.get("us.icr.io");
    outcome.is_failure_with(&["is 'ibmcloud'", "run 'ibmcloud login'"]);
    assert!(!outcome.stdout.contains(NOT_FOUND));
}
