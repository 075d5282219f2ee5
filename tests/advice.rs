//! Hints of rejections. For each row of the table, the test follows the hint, and then `get` succeeds.

mod support;

use icr_emulator::Fault;
use icr_emulator::MetadataApi;
use icr_emulator::Subject;
use serde_json::json;

use support::ENVIRONMENT_KEY;
#[cfg(target_os = "linux")]
use support::NOT_FOUND;
use support::Outcome;
use support::TestEnv;

/// A new key, which IAM accepts.
const NEW_KEY: &str = "A-NEW-API-KEY-77aa";

/// A rejection by IAM: the HTTP status, its code and its message.
type Rejection = (u16, &'static str, &'static str);

const UNKNOWN: Rejection = (400, "BXNIM0415E", "Provided API key could not be found.");
const DISABLED: Rejection = (400, "BXNIM0000E", "Provided API key is disabled.");
const LOCKED: Rejection = (400, "BXNIM0000E", "Provided API key is locked.");
const EXPIRED: Rejection = (400, "BXNIM0000E", "Provided API key has expired.");
const SERVICE_ID: Rejection = (400, "BXNIM0000E", "Service ID ServiceId-1 was not found.");
const USER_LOCKED: Rejection = (403, "BXNIM0000E", "User account is locked.");
const NO_MEMBER: Rejection = (403, "BXNIM0000E", "User is not a member of account 1.");
const MFA: Rejection = (400, "BXNIM0400E", "External authentication is required.");
const ADDRESS: Rejection = (
    401,
    "BXNIM0430E",
    "User login from given IP address is not permitted.",
);
const SESSION_ENDED: Rejection = (
    400,
    "BXNIM0439E",
    "Session is invalidated due to inactivity.",
);
const NEW_CODE: Rejection = (400, "BXNIM9999E", "Something new.");

/// A source, how it is set up, and how a user replaces it.
struct Source {
    name: &'static str,
    set_up: fn(&mut TestEnv),
    replace: fn(&mut TestEnv, &Outcome),
    /// A part of the hint.
    hint: &'static str,
}

const VARIABLE: Source = Source {
    name: "the API key in $IBMCLOUD_API_KEY",
    set_up: |env| {
        env.set_environment_key();
    },
    replace: |env, _| {
        env.set("IBMCLOUD_API_KEY", NEW_KEY);
    },
    hint: "Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
};

const VARIABLE_UNSET: Source = Source {
    name: "the API key in $IBMCLOUD_API_KEY",
    set_up: |env| {
        env.set_environment_key();
        env.store("us.icr.io", "iamapikey", NEW_KEY)
            .is_success_with_warning(&[]);
    },
    replace: |env, _| {
        env.unset("IBMCLOUD_API_KEY");
    },
    hint: "Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
};

const TOKEN_VARIABLE: Source = Source {
    name: "the token in $IC_IAM_REFRESH_TOKEN",
    set_up: |env| {
        env.add_refresh_token("AN-OLD-REFRESH-TOKEN", "me");
        env.set("IC_IAM_REFRESH_TOKEN", "AN-OLD-REFRESH-TOKEN");
    },
    replace: |env, _| {
        env.add_refresh_token("A-NEW-REFRESH-TOKEN", "me");
        env.set("IC_IAM_REFRESH_TOKEN", "A-NEW-REFRESH-TOKEN");
    },
    hint: "Set a new token in $IC_IAM_REFRESH_TOKEN, or unset the variable",
};

const HOST_LOGIN: Source = Source {
    name: "the login for us.icr.io",
    set_up: |env| {
        env.store("us.icr.io", "iamapikey", ENVIRONMENT_KEY)
            .is_silent_success();
    },
    replace: run_the_advised_login,
    hint: "'docker-credential-icr login us.icr.io', or run 'podman logout us.icr.io' before 'podman login us.icr.io'",
};

/// The same for a user of podman, which erases and stores.
const HOST_LOGIN_WITH_PODMAN: Source = Source {
    replace: |env, _| {
        env.erase("us.icr.io").is_silent_success();
        env.store("us.icr.io", "iamapikey", NEW_KEY)
            .is_silent_success();
    },
    ..HOST_LOGIN
};

const DEFAULT_LOGIN: Source = Source {
    name: "the default login",
    set_up: |env| log_in(env, &["login"], ENVIRONMENT_KEY),
    replace: run_the_advised_login,
    hint: "'docker-credential-icr login'",
};

const PROFILE_LOGIN: Source = Source {
    name: "the login for profile 'team'",
    set_up: |env| {
        env.settings("[profile.team]\n[registry.\"us.icr.io\"]\nprofile = \"team\"\n");
        log_in(env, &["login", "--profile", "team"], ENVIRONMENT_KEY);
    },
    replace: run_the_advised_login,
    hint: "'docker-credential-icr login --profile team'",
};

const SESSION_LOGIN: Source = Source {
    name: "the login for us.icr.io",
    set_up: |env| {
        env.add_refresh_token("A-REFRESH-TOKEN-OF-CR-LOGIN", "me");
        env.store("us.icr.io", "iamrefresh", "A-REFRESH-TOKEN-OF-CR-LOGIN")
            .is_silent_success();
    },
    replace: run_the_advised_login,
    hint: "'docker-credential-icr login us.icr.io'",
};

const CLI_SESSION: Source = Source {
    name: "the IBM Cloud CLI's session in ",
    set_up: |env| {
        env.add_refresh_token("THE-CLIS-REFRESH-TOKEN", "me");
        env.cli_session(&json!({"IAMRefreshToken": "THE-CLIS-REFRESH-TOKEN"}));
    },
    replace: |env, _| {
        env.add_refresh_token("THE-CLIS-NEW-REFRESH-TOKEN", "me");
        env.cli_session(&json!({"IAMRefreshToken": "THE-CLIS-NEW-REFRESH-TOKEN"}));
    },
    hint: "Run 'ibmcloud login', or log in once with 'docker-credential-icr login'",
};

/// The same for a user who follows the other hint.
const CLI_SESSION_REPLACED_BY_LOGIN: Source = Source {
    replace: run_the_advised_login,
    ..CLI_SESSION
};

const CREDENTIALS_FILE: Source = Source {
    name: "the API key in ",
    set_up: |env| {
        let text = format!("CONTAINER_REGISTRY_APIKEY={ENVIRONMENT_KEY}\n");
        env.file("home/ibm-credentials.env", &text);
    },
    replace: |env, _| {
        let text = format!("CONTAINER_REGISTRY_APIKEY={NEW_KEY}\n");
        env.file("home/ibm-credentials.env", &text);
    },
    hint: "ibm-credentials.env, or remove its CONTAINER_REGISTRY_ lines",
};

const COMPUTE_RESOURCE: Source = Source {
    name: "the compute resource token in $IBMCLOUD_CR_TOKEN for trusted profile Profile-pod",
    set_up: |env| {
        env.add_compute_resource_token("A-COMPUTE-RESOURCE-TOKEN", &["Profile-other"]);
        env.set("IBMCLOUD_CR_TOKEN", "A-COMPUTE-RESOURCE-TOKEN")
            .set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    },
    replace: |env, _| {
        env.add_compute_resource_token("A-COMPUTE-RESOURCE-TOKEN", &["Profile-pod"]);
    },
    hint: "Check that the trusted profile trusts this compute resource",
};

const ASSUMED_PROFILE: Source = Source {
    name: "the API key in $IBMCLOUD_API_KEY as trusted profile Profile-1",
    set_up: |env| {
        env.set_environment_key();
        env.cloud.accounts().add_profile("Profile-1", &[]);
        env.set("IC_IAM_PROFILE_ID", "Profile-1");
    },
    replace: |env, _| {
        let accounts = env.cloud.accounts();
        accounts.add_profile("Profile-1", &["IBMid-environment"]);
    },
    hint: "that it trusts this identity",
};

const INSTANCE: Source = Source {
    name: "this machine for trusted profile Profile-vsi",
    set_up: |env| {
        env.cloud
            .accounts()
            .enable_metadata(&[MetadataApi::Identity]);
        let url = env.cloud.url();
        env.set("IBMCLOUD_CR_VPC_URL", url)
            .set("IBMCLOUD_CR_PROFILE", "Profile-vsi");
    },
    replace: |env, _| env.cloud.accounts().link_profile("Profile-vsi"),
    hint: "Link the trusted profile to this instance",
};

/// Runs the command that the hint has in single quotes, with a new key on standard input.
fn run_the_advised_login(env: &mut TestEnv, outcome: &Outcome) {
    let command = outcome.stdout.split_once("'docker-credential-icr ");
    let (_, command) = command.unwrap_or_else(|| panic!("no command: {outcome:?}"));
    let (command, _) = command.split_once('\'').expect("its end");
    let arguments: Vec<&str> = command.split(' ').collect();
    log_in(env, &arguments, NEW_KEY);
}

fn log_in(env: &TestEnv, arguments: &[&str], key: &str) {
    let mut arguments = arguments.to_vec();
    arguments.push("--api-key-stdin");
    let outcome = env.run(&arguments, key);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn the_hint_of_a_rejection_helps() {
    let rows: &[(Source, Option<Rejection>, &str)] = &[
        (VARIABLE, Some(UNKNOWN), "takes a few seconds to work"),
        (VARIABLE_UNSET, Some(UNKNOWN), ""),
        (
            VARIABLE,
            Some(DISABLED),
            "https://cloud.ibm.com/iam/apikeys",
        ),
        (VARIABLE, Some(LOCKED), "https://cloud.ibm.com/iam/apikeys"),
        (VARIABLE, Some(EXPIRED), ""),
        (VARIABLE, Some(SERVICE_ID), "another service ID"),
        (VARIABLE, Some(USER_LOCKED), "unlock"),
        (VARIABLE, Some(NO_MEMBER), "add the user to the account"),
        (VARIABLE, Some(MFA), "no second factor"),
        (VARIABLE, Some(NEW_CODE), ""),
        (TOKEN_VARIABLE, Some(SESSION_ENDED), ""),
        (HOST_LOGIN, Some(UNKNOWN), ""),
        (HOST_LOGIN_WITH_PODMAN, Some(UNKNOWN), ""),
        (HOST_LOGIN, Some(DISABLED), ""),
        (HOST_LOGIN, Some(NEW_CODE), ""),
        (DEFAULT_LOGIN, Some(UNKNOWN), ""),
        (DEFAULT_LOGIN, Some(USER_LOCKED), "unlock"),
        (PROFILE_LOGIN, Some(UNKNOWN), ""),
        (SESSION_LOGIN, Some(SESSION_ENDED), "Log in again with"),
        (SESSION_LOGIN, Some(MFA), "no second factor"),
        (CLI_SESSION, Some(SESSION_ENDED), ""),
        (CLI_SESSION_REPLACED_BY_LOGIN, Some(SESSION_ENDED), ""),
        (CREDENTIALS_FILE, Some(UNKNOWN), "Set a new key in "),
        (COMPUTE_RESOURCE, None, ""),
        (ASSUMED_PROFILE, None, ""),
        (INSTANCE, None, ""),
    ];
    for (source, rejection, also) in rows {
        let Some(mut env) = TestEnv::with_keychain() else {
            return;
        };
        env.add_api_key(NEW_KEY, "new");
        env.add_api_key(ENVIRONMENT_KEY, "environment");
        (source.set_up)(&mut env);
        env.keys().delete_tokens();
        // After "Otherwise,", the hint begins with a lower-case letter.
        let mut parts = vec![source.name, &source.hint[1..], also];
        if let Some((_, code, words)) = rejection {
            parts.extend([*code, *words]);
        }
        let fault = rejection.map(|(status, code, message)| Fault::Error {
            status,
            code: code.into(),
            message: message.into(),
        });
        env.cloud.always(fault);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&parts);
        assert!(!outcome.stdout.contains("network"), "{outcome:?}");
        env.cloud.always(None);
        (source.replace)(&mut env, &outcome);
        if rejection.is_none() {
            // A fix outside the program takes effect after a few seconds.
            env.keys().delete_tokens();
        }
        env.get("us.icr.io").is_credential("iambearer");
    }
}

/// Podman, buildah and skopeo call `get` before they log in, and store nothing if it fails.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_is_about_to_log_in_gets_not_found() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_secret("A-KEY-THAT-WAS-DELETED");
    let binary = env!("CARGO_BIN_EXE_docker-credential-icr");
    for command in ["login", "pull"] {
        env.file(command, &format!("{binary} get\nexit $?\n"));
    }
    let get_for = |env: &TestEnv, client: &str, command: &str| {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &format!("exec -a {client} bash {command}")]);
        env.apply_to(&mut shell);
        env.start_as(shell, "us.icr.io").finish()
    };
    env.store("us.icr.io", "iamapikey", "A-KEY-THAT-WAS-DELETED")
        .is_silent_success();
    for _ in ["by IAM", "from memory"] {
        let outcome = get_for(&env, "podman", "login");
        assert_eq!(outcome.stdout, format!("{NOT_FOUND}\n"), "{outcome:?}");
        assert_eq!((outcome.status, &*outcome.stderr), (Some(1), ""));
    }
    for (client, command) in [("podman", "pull"), ("docker", "login")] {
        let outcome = get_for(&env, client, command);
        outcome.is_client_error(&["BXNIM0415E", "docker-credential-icr login us.icr.io"]);
    }
    // What a client stores does not change a variable.
    env.set("IBMCLOUD_API_KEY", "A-KEY-THAT-WAS-DELETED");
    get_for(&env, "podman", "login").is_client_error(&["$IBMCLOUD_API_KEY"]);
}

#[test]
fn a_forbidden_address_gets_no_hint_about_the_key() {
    let env = TestEnv::with_environment_key();
    let (status, code, message) = ADDRESS;
    env.cloud.script([Fault::Error {
        status,
        code: code.into(),
        message: message.into(),
    }]);
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&[code, "is not permitted. Use an allowed IP address"]);
    assert!(!outcome.stdout.contains("new key"), "{outcome:?}");
    env.get("us.icr.io").is_credential("iambearer");
}

#[test]
fn an_outage_has_the_hint_to_try_again() {
    let env = TestEnv::with_environment_key();
    for (fault, words) in [
        (
            Fault::Status(503),
            "is unavailable (HTTP 503). Try again later\n",
        ),
        (
            Fault::StatusWithRetryAfter(503, "30".into()),
            "is unavailable (HTTP 503). Try again in 30 s\n",
        ),
        (
            Fault::StatusWithRetryAfter(429, "3600".into()),
            "IAM got too many requests (HTTP 429). Try again in 60 min\n",
        ),
    ] {
        env.forget_outages();
        env.cloud.always(Some(fault));
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["the API key in $IBMCLOUD_API_KEY"]);
        assert!(outcome.stdout.ends_with(words), "{outcome:?}");
        assert!(!outcome.stdout.contains("proxy"), "{outcome:?}");
    }
}

#[test]
fn the_hint_for_an_unknown_key_says_that_new_keys_take_time() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_secret(NEW_KEY);
    let outcome = env.run(&["login", "--api-key-stdin"], NEW_KEY);
    outcome.is_user_error(&[
        "cannot get a token with the API key: IAM rejected it (BXNIM0415E)",
        "\nhint: Check the key, or create a new one with 'ibmcloud iam api-key-create NAME'. A new key takes a few seconds to work\n",
    ]);
    let accounts = env.cloud.accounts();
    accounts.add_api_key(NEW_KEY, Subject::user("new"));
    log_in(&env, &["login"], NEW_KEY);
}
