//! Does what a refusal advises help? Each row of the table does it, and is answered then.

mod support;

use icr_emulator::Fault;
use icr_emulator::MetadataApi;
use icr_emulator::Subject;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Machine;
use support::NOT_FOUND;
use support::Outcome;

/// A key that IAM accepts, for whoever makes a new one.
const NEW_KEY: &str = "A-NEW-API-KEY-77aa";

/// What the program says for a refusal of IAM: its code and its words.
type Refusal = (u16, &'static str, &'static str);

const UNKNOWN: Refusal = (400, "BXNIM0415E", "Provided API key could not be found.");
const DISABLED: Refusal = (400, "BXNIM0000E", "Provided API key is disabled.");
const LOCKED: Refusal = (400, "BXNIM0000E", "Provided API key is locked.");
const EXPIRED: Refusal = (400, "BXNIM0000E", "Provided API key has expired.");
const SERVICE_ID: Refusal = (400, "BXNIM0000E", "Service ID ServiceId-1 was not found.");
const USER_LOCKED: Refusal = (403, "BXNIM0000E", "User account is locked.");
const NO_MEMBER: Refusal = (403, "BXNIM0000E", "User is not a member of account 1.");
const MFA: Refusal = (400, "BXNIM0400E", "External authentication is required.");
const ADDRESS: Refusal = (
    401,
    "BXNIM0430E",
    "User login from given IP address is not permitted.",
);
const OVER: Refusal = (
    400,
    "BXNIM0439E",
    "Session is invalidated due to inactivity.",
);
const NEW_CODE: Refusal = (400, "BXNIM9999E", "Something new.");

/// A source, how it is put in place, and what a person does who is told to replace it.
struct Source {
    name: &'static str,
    set_up: fn(&mut Machine),
    replace: fn(&mut Machine, &Outcome),
    /// What every hint says that is about replacing it.
    says: &'static str,
}

const VARIABLE: Source = Source {
    name: "the API key in $IBMCLOUD_API_KEY",
    set_up: |machine| {
        machine.set_environment_key();
    },
    replace: |machine, _| {
        machine.set("IBMCLOUD_API_KEY", NEW_KEY);
    },
    says: "Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
};

const VARIABLE_UNSET: Source = Source {
    name: "the API key in $IBMCLOUD_API_KEY",
    set_up: |machine| {
        machine.set_environment_key();
        machine
            .store("us.icr.io", "iamapikey", NEW_KEY)
            .is_success_with_warning(&[]);
    },
    replace: |machine, _| {
        machine.unset("IBMCLOUD_API_KEY");
    },
    says: "Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
};

const TOKEN_VARIABLE: Source = Source {
    name: "the token in $IC_IAM_REFRESH_TOKEN",
    set_up: |machine| {
        machine.add_refresh_token("AN-OLD-REFRESH-TOKEN", "me");
        machine.set("IC_IAM_REFRESH_TOKEN", "AN-OLD-REFRESH-TOKEN");
    },
    replace: |machine, _| {
        machine.add_refresh_token("A-NEW-REFRESH-TOKEN", "me");
        machine.set("IC_IAM_REFRESH_TOKEN", "A-NEW-REFRESH-TOKEN");
    },
    says: "Set a new token in $IC_IAM_REFRESH_TOKEN, or unset the variable",
};

const HOST_LOGIN: Source = Source {
    name: "the login for us.icr.io",
    set_up: |machine| {
        machine
            .store("us.icr.io", "iamapikey", ENVIRONMENT_KEY)
            .is_silent_success();
    },
    replace: run_the_advised_login,
    says: "'docker-credential-icr login us.icr.io', or run 'podman logout us.icr.io' before 'podman login us.icr.io'",
};

/// The same, for a person who stays with podman, which erases and stores.
const HOST_LOGIN_WITH_PODMAN: Source = Source {
    replace: |machine, _| {
        machine.erase("us.icr.io").is_silent_success();
        machine
            .store("us.icr.io", "iamapikey", NEW_KEY)
            .is_silent_success();
    },
    ..HOST_LOGIN
};

const DEFAULT_LOGIN: Source = Source {
    name: "the default login",
    set_up: |machine| log_in(machine, &["login"], ENVIRONMENT_KEY),
    replace: run_the_advised_login,
    says: "'docker-credential-icr login'",
};

const PROFILE_LOGIN: Source = Source {
    name: "the login for profile 'team'",
    set_up: |machine| {
        machine.settings("[profile.team]\n[registry.\"us.icr.io\"]\nprofile = \"team\"\n");
        log_in(machine, &["login", "--profile", "team"], ENVIRONMENT_KEY);
    },
    replace: run_the_advised_login,
    says: "'docker-credential-icr login --profile team'",
};

const SESSION_LOGIN: Source = Source {
    name: "the login for us.icr.io",
    set_up: |machine| {
        machine.add_refresh_token("A-REFRESH-TOKEN-OF-CR-LOGIN", "me");
        machine
            .store("us.icr.io", "iamrefresh", "A-REFRESH-TOKEN-OF-CR-LOGIN")
            .is_silent_success();
    },
    replace: run_the_advised_login,
    says: "'docker-credential-icr login us.icr.io'",
};

const CLI_SESSION: Source = Source {
    name: "the IBM Cloud CLI's session in ",
    set_up: |machine| {
        machine.add_refresh_token("THE-CLIS-REFRESH-TOKEN", "me");
        machine.cli_session(&json!({"IAMRefreshToken": "THE-CLIS-REFRESH-TOKEN"}));
    },
    replace: |machine, _| {
        machine.add_refresh_token("THE-CLIS-NEW-REFRESH-TOKEN", "me");
        machine.cli_session(&json!({"IAMRefreshToken": "THE-CLIS-NEW-REFRESH-TOKEN"}));
    },
    says: "Run 'ibmcloud login', or log in once with 'docker-credential-icr login'",
};

/// The same, for a person who does the other thing.
const CLI_SESSION_LEFT: Source = Source {
    replace: run_the_advised_login,
    ..CLI_SESSION
};

const CREDENTIALS_FILE: Source = Source {
    name: "the API key in ",
    set_up: |machine| {
        let text = format!("CONTAINER_REGISTRY_APIKEY={ENVIRONMENT_KEY}\n");
        machine.file("home/ibm-credentials.env", &text);
    },
    replace: |machine, _| {
        let text = format!("CONTAINER_REGISTRY_APIKEY={NEW_KEY}\n");
        machine.file("home/ibm-credentials.env", &text);
    },
    says: "ibm-credentials.env, or remove its CONTAINER_REGISTRY_ lines",
};

const COMPUTE_RESOURCE: Source = Source {
    name: "the compute resource token in $IBMCLOUD_CR_TOKEN for trusted profile Profile-pod",
    set_up: |machine| {
        machine.add_compute_resource_token("A-COMPUTE-RESOURCE-TOKEN", &["Profile-other"]);
        machine
            .set("IBMCLOUD_CR_TOKEN", "A-COMPUTE-RESOURCE-TOKEN")
            .set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    },
    replace: |machine, _| {
        machine.add_compute_resource_token("A-COMPUTE-RESOURCE-TOKEN", &["Profile-pod"]);
    },
    says: "Check that the trusted profile trusts this compute resource",
};

const ASSUMED_PROFILE: Source = Source {
    name: "the API key in $IBMCLOUD_API_KEY as trusted profile Profile-1",
    set_up: |machine| {
        machine.set_environment_key();
        machine.cloud.accounts().add_profile("Profile-1", &[]);
        machine.set("IC_IAM_PROFILE_ID", "Profile-1");
    },
    replace: |machine, _| {
        let accounts = machine.cloud.accounts();
        accounts.add_profile("Profile-1", &["IBMid-environment"]);
    },
    says: "that it trusts this identity",
};

const INSTANCE: Source = Source {
    name: "this machine for trusted profile Profile-vsi",
    set_up: |machine| {
        machine
            .cloud
            .accounts()
            .enable_metadata(&[MetadataApi::Identity]);
        let url = machine.cloud.url();
        machine
            .set("IBMCLOUD_CR_VPC_URL", url)
            .set("IBMCLOUD_CR_PROFILE", "Profile-vsi");
    },
    replace: |machine, _| machine.cloud.accounts().link_profile("Profile-vsi"),
    says: "Link the trusted profile to this instance",
};

/// Does what the text in single quotes says, with a new key on standard input.
fn run_the_advised_login(machine: &mut Machine, outcome: &Outcome) {
    let command = outcome.stdout.split_once("'docker-credential-icr ");
    let (_, command) = command.unwrap_or_else(|| panic!("no command: {outcome:?}"));
    let (command, _) = command.split_once('\'').expect("its end");
    let arguments: Vec<&str> = command.split(' ').collect();
    log_in(machine, &arguments, NEW_KEY);
}

fn log_in(machine: &Machine, arguments: &[&str], key: &str) {
    let mut arguments = arguments.to_vec();
    arguments.push("--api-key-stdin");
    let outcome = machine.run(&arguments, key);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn the_hint_of_a_rejection_helps() {
    let rows: &[(Source, Option<Refusal>, &str)] = &[
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
        (TOKEN_VARIABLE, Some(OVER), ""),
        (HOST_LOGIN, Some(UNKNOWN), ""),
        (HOST_LOGIN_WITH_PODMAN, Some(UNKNOWN), ""),
        (HOST_LOGIN, Some(DISABLED), ""),
        (HOST_LOGIN, Some(NEW_CODE), ""),
        (DEFAULT_LOGIN, Some(UNKNOWN), ""),
        (DEFAULT_LOGIN, Some(USER_LOCKED), "unlock"),
        (PROFILE_LOGIN, Some(UNKNOWN), ""),
        (SESSION_LOGIN, Some(OVER), "Log in again with"),
        (SESSION_LOGIN, Some(MFA), "no second factor"),
        (CLI_SESSION, Some(OVER), ""),
        (CLI_SESSION_LEFT, Some(OVER), ""),
        (CREDENTIALS_FILE, Some(UNKNOWN), "Set a new key in "),
        (COMPUTE_RESOURCE, None, ""),
        (ASSUMED_PROFILE, None, ""),
        (INSTANCE, None, ""),
    ];
    for (source, refusal, also) in rows {
        let Some(mut machine) = Machine::with_keychain() else {
            return;
        };
        machine.add_api_key(NEW_KEY, "new");
        machine.add_api_key(ENVIRONMENT_KEY, "environment");
        (source.set_up)(&mut machine);
        machine.keys().forget_tokens();
        // After "Otherwise," it begins with a small letter.
        let mut parts = vec![source.name, &source.says[1..], also];
        if let Some((_, code, words)) = refusal {
            parts.extend([*code, *words]);
        }
        let fault = refusal.map(|(status, code, message)| Fault::Error {
            status,
            code: code.into(),
            message: message.into(),
        });
        machine.cloud.always(fault);
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&parts);
        assert!(!outcome.stdout.contains("network"), "{outcome:?}");
        machine.cloud.always(None);
        (source.replace)(&mut machine, &outcome);
        if refusal.is_none() {
            // What is mended elsewhere is believed after a few seconds.
            machine.keys().forget_tokens();
        }
        machine.get("us.icr.io").is_credential("iambearer");
    }
}

/// What podman, buildah and skopeo do: they call `get` before they log in, and store nothing after an error.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_is_about_to_log_in_gets_not_found() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.plant("A-KEY-THAT-WAS-DELETED");
    let binary = env!("CARGO_BIN_EXE_docker-credential-icr");
    for command in ["login", "pull"] {
        machine.file(command, &format!("{binary} get\nexit $?\n"));
    }
    let get_for = |machine: &Machine, client: &str, command: &str| {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &format!("exec -a {client} bash {command}")]);
        machine.furnish(&mut shell);
        machine.start_as(shell, "us.icr.io").finish()
    };
    machine
        .store("us.icr.io", "iamapikey", "A-KEY-THAT-WAS-DELETED")
        .is_silent_success();
    for _ in ["by IAM", "from memory"] {
        let outcome = get_for(&machine, "podman", "login");
        assert_eq!(outcome.stdout, format!("{NOT_FOUND}\n"), "{outcome:?}");
        assert_eq!((outcome.status, &*outcome.stderr), (Some(1), ""));
    }
    for (client, command) in [("podman", "pull"), ("docker", "login")] {
        let outcome = get_for(&machine, client, command);
        outcome.is_failure_with(&["BXNIM0415E", "docker-credential-icr login us.icr.io"]);
    }
    // What a client stores does not change a variable.
    machine.set("IBMCLOUD_API_KEY", "A-KEY-THAT-WAS-DELETED");
    get_for(&machine, "podman", "login").is_failure_with(&["$IBMCLOUD_API_KEY"]);
}

#[test]
fn a_forbidden_address_gets_no_hint_about_the_key() {
    let machine = Machine::with_environment_key();
    let (status, code, message) = ADDRESS;
    machine.cloud.script([Fault::Error {
        status,
        code: code.into(),
        message: message.into(),
    }]);
    let outcome = machine.get("us.icr.io");
    outcome.is_failure_with(&[code, "is not permitted. Use an allowed IP address"]);
    assert!(!outcome.stdout.contains("new key"), "{outcome:?}");
    machine.get("us.icr.io").is_credential("iambearer");
}

#[test]
fn an_outage_has_the_hint_to_try_again() {
    let machine = Machine::with_environment_key();
    machine.settings("deadline = 2\n");
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
            "is unavailable (HTTP 429). Try again in 60 min\n",
        ),
    ] {
        machine.cloud.always(Some(fault));
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&["the API key in $IBMCLOUD_API_KEY"]);
        assert!(outcome.stdout.ends_with(words), "{outcome:?}");
        assert!(!outcome.stdout.contains("proxy"), "{outcome:?}");
    }
}

#[test]
fn an_unknown_key_at_login_may_be_new() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.plant(NEW_KEY);
    let outcome = machine.run(&["login", "--api-key-stdin"], NEW_KEY);
    outcome.tells_a_person(&[
        "cannot get a token with the API key: IAM rejected it (BXNIM0415E)",
        "\nhint: Check the key, or create a new one with 'ibmcloud iam api-key-create NAME'. A new key takes a few seconds to work\n",
    ]);
    let accounts = machine.cloud.accounts();
    accounts.add_api_key(NEW_KEY, Subject::user("new"));
    log_in(&machine, &["login"], NEW_KEY);
}
