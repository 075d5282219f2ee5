//! Files of sources that are replaced or cannot be read. `tests/cases/sources` tests what their content means.

mod support;

use serde_json::json;

use support::BadFile;
use support::TestEnv;
use support::token;

const FIRST: &str = "FIRST-COMPUTE-RESOURCE-TOKEN";
const SECOND: &str = "SECOND-COMPUTE-RESOURCE-TOKEN";

/// Adds another source, of `IBMid-elsewhere`. It must not be used instead of a broken one.
fn add_cli_session(env: &TestEnv) {
    env.cli_session(&json!({"IAMToken": token::ending_in(3600)}));
}

/// Makes the file `token` the source of `us.icr.io`, because a test cannot write a pod's token to its default path.
fn add_token_file(env: &TestEnv) {
    env.add_compute_resource_token(FIRST, &["Profile-pod"]);
    env.add_compute_resource_token(SECOND, &["Profile-pod"]);
    let path = env.file("token", FIRST);
    env.settings(&format!(
        "[profile.pod]\nsource = \"compute-resource-token\"\nfile = '{}'\ntrusted-profile = \"Profile-pod\"\n\
         [registry.\"us.icr.io\"]\nprofile = \"pod\"\n",
        path.display()
    ));
    add_cli_session(env);
}

#[test]
fn a_token_file_of_a_variable_that_cannot_be_read_is_an_error() {
    let mut env = TestEnv::new();
    add_cli_session(&env);
    let path = env.file("cr-token", FIRST);
    env.set("IBMCLOUD_CR_TOKEN", format!("@{}", path.display()))
        .set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    for bad_file in BadFile::all() {
        bad_file.create_at(&path);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["$IBMCLOUD_CR_TOKEN", "cr-token"]);
        assert!(outcome.took.as_secs() < 10, "{bad_file:?}: {outcome:?}");
    }
    assert_eq!(env.cloud.requests(), []);
}

#[test]
fn a_credentials_file_that_cannot_be_read_is_an_error() {
    let mut env = TestEnv::new();
    add_cli_session(&env);
    let home = env.file("home/ibm-credentials.env", "");
    let named = env.file("named.env", "");
    for (path, variable) in [(&home, false), (&named, true)] {
        if variable {
            env.set("IBM_CREDENTIALS_FILE", path);
        }
        for bad_file in BadFile::all() {
            bad_file.create_at(path);
            let outcome = env.get("us.icr.io");
            if bad_file == BadFile::Empty {
                let owner = outcome.is_token_of();
                assert_eq!(owner, "IBMid-elsewhere", "it names no credential");
            } else {
                outcome.is_client_error(&[path.to_str().expect("a plain path")]);
            }
            assert!(outcome.took.as_secs() < 5, "{bad_file:?}: {outcome:?}");
        }
    }
    assert_eq!(env.cloud.requests(), []);
}

#[test]
fn a_token_file_of_a_pod_that_cannot_be_read_is_an_error() {
    let env = TestEnv::new();
    add_token_file(&env);
    let path = env.path("token");
    for bad_file in BadFile::all() {
        bad_file.create_at(&path);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&[path.to_str().expect("a plain path")]);
        assert!(outcome.took.as_secs() < 5, "{bad_file:?}: {outcome:?}");
    }
    assert_eq!(env.cloud.requests(), []);
}

#[test]
fn a_rotated_token_of_a_variables_file_is_used_at_once() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_compute_resource_token(FIRST, &["Profile-first"]);
    env.add_compute_resource_token(SECOND, &["Profile-second"]);
    let path = env.file("cr-token", FIRST);
    env.set("IBMCLOUD_CR_TOKEN", format!("@{}", path.display()))
        .set("IBMCLOUD_CR_PROFILE", "Profile-first");
    for _ in 0..2 {
        assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-first");
    }
    assert_eq!(env.cloud.exchanges(), 1);
    env.file("cr-token", SECOND);
    env.get("us.icr.io")
        .is_client_error(&["Profile-first", "not linked"]);
    env.set("IBMCLOUD_CR_PROFILE", "Profile-second");
    assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-second");
}

#[test]
fn a_rotated_token_of_a_pod_is_used_at_once() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    add_token_file(&env);
    for (count, token) in [(1, FIRST), (2, SECOND)] {
        env.file("token", &format!("{token}\n"));
        for _ in 0..2 {
            assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-pod");
        }
        assert_eq!(env.cloud.exchanges(), count);
        let request = env.cloud.requests().pop().expect("one");
        assert_eq!(request.field("cr_token"), Some(token));
    }
}

// Windows replaces no file that another process has open, and has no pods whose tokens are replaced like this.
#[cfg(unix)]
#[test]
fn no_other_source_is_used_while_the_token_of_a_pod_is_replaced() {
    use std::fs;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;

    let env = TestEnv::new();
    add_token_file(&env);
    let path = env.path("token");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Like Kubernetes: a new file replaces the old one.
            for token in [FIRST, SECOND].iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let next = env.file("next", token);
                fs::rename(next, &path).expect("the same file system");
            }
        });
        let outcomes = support::in_parallel(2, |_| {
            let outcomes = (0..20).map(|_| env.get("us.icr.io"));
            outcomes.collect::<Vec<_>>()
        });
        done.store(true, Ordering::Relaxed);
        for outcome in outcomes.iter().flatten() {
            assert_eq!(outcome.is_token_of(), "iam-Profile-pod");
        }
    });
}
