//! Who speaks for a registry when several could?
// Elsewhere the home directory is not where a variable says, and a lock keeps readers out.
#![cfg(unix)]

mod support;

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::TcpListener;

use icr_emulator::Emulator;
use icr_emulator::MetadataApi;
use icr_emulator::Profile;
use serde_json::json;

use support::Machine;
use support::at_once;

const CR_TOKEN: &str = "COMPUTE-RESOURCE-TOKEN-OF-A-POD";
const REFRESH_TOKEN: &str = "REFRESH-TOKEN-OF-THE-SESSION";

/// Logins behave alike wherever they rest: with the tokens, or in front of a bus that is not there, where hints are used.
const KEYCHAINS: [&str; 2] = ["kernel", "auto"];

/// Runs a test on a machine with each of [`KEYCHAINS`].
fn on_each_keychain(test: impl Fn(Machine)) {
    for choice in KEYCHAINS {
        if let Some(machine) = Machine::with_keychain_named(choice) {
            test(machine);
        }
    }
}

/// Settings by which `jp.icr.io` has a profile of its own.
fn mapping(machine: &Machine) -> String {
    machine.add_api_key("API-KEY-OF-THE-TEAM", "team");
    let file = machine.file(
        "team.env",
        "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-THE-TEAM\n",
    );
    format!(
        "[profile.admin]\n[registry.\"br.icr.io\"]\nprofile = \"admin\"\n[profile.team]\nsource = \"credentials-file\"\nfile = \"{}\"\n[registry.\"jp.icr.io\"]\nprofile = \"team\"\n",
        file.display()
    )
}

/// Logs `IBMid-{owner}` in, for whatever `arguments` say.
fn log_in(machine: &Machine, owner: &str, arguments: &[&str]) {
    let key = format!("API-KEY-OF-THE-LOGIN-OF-{owner}");
    machine.add_api_key(&key, owner);
    let arguments = [&["login", "--api-key-stdin"], arguments].concat();
    let outcome = machine.run(&arguments, key.as_str());
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

/// A machine with every source that a test can have, each somebody else. The token file of a pod is at places of the system, and
/// is in the unit tests.
fn fill(machine: &mut Machine, power: &Emulator) {
    for (key, owner) in [
        ("API-KEY-OF-THE-ENVIRONMENT", "key"),
        ("API-KEY-OF-THE-FILE", "file"),
    ] {
        machine.add_api_key(key, owner);
    }
    machine.add_refresh_token(REFRESH_TOKEN, "laptop");
    machine.add_compute_resource_token(CR_TOKEN, &["Profile-pod"]);
    log_in(machine, "login", &["us.icr.io"]);
    log_in(machine, "default", &[]);
    machine
        .store("cp.icr.io", "cp", "ENTITLEMENT-KEY")
        .is_silent_success();
    machine.file(
        "home/ibm-credentials.env",
        "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-THE-FILE\n",
    );
    machine.cli_session(&json!({"IAMRefreshToken": REFRESH_TOKEN}));
    for (cloud, api, profile) in [
        (&machine.cloud, MetadataApi::Identity, "Profile-vpc"),
        (power, MetadataApi::PowerVs, "Profile-power"),
    ] {
        cloud.accounts().enable_metadata(&[api]);
        cloud.accounts().link_default_profile(profile);
    }
    machine.settings(&mapping(machine));
    log_in(machine, "admin", &["--profile", "admin"]);
    let bearer = machine.access_token_of("bearer");
    let vpc = machine.cloud.url();
    machine
        .set("IBMCLOUD_API_KEY", "API-KEY-OF-THE-ENVIRONMENT")
        .set("IBMCLOUD_CR_TOKEN", CR_TOKEN)
        .set("IBMCLOUD_CR_PROFILE", "Profile-pod")
        .set("IC_IAM_TOKEN", bearer)
        .set("IBMCLOUD_CR_VPC_URL", vpc)
        .set("IBMCLOUD_CR_PVS_URL", power.url());
}

/// Who speaks for a registry: the token's owner, the user name of what is handed out as it is, or nobody.
fn who(machine: &Machine, host: &str) -> String {
    let outcome = machine.get(host);
    if outcome.status == Some(1) {
        outcome.is_not_found();
        return "nobody".into();
    }
    if outcome.stdout.contains(r#""Username":"cp""#) {
        outcome.is_credential("cp");
        return "cp".into();
    }
    outcome.is_token_of()
}

#[test]
fn sources_are_asked_in_the_documented_order() {
    on_each_keychain(|mut machine| {
        let power = Emulator::start().expect("a free port");
        fill(&mut machine, &power);
        type Step = (fn(&mut Machine), &'static str, &'static str);
        let steps: [Step; 9] = [
            (|_| {}, "IBMid-key", "IBMid-key"),
            (
                |it| _ = it.unset("IBMCLOUD_API_KEY"),
                "iam-Profile-pod",
                "iam-Profile-pod",
            ),
            (
                |it| _ = it.unset("IBMCLOUD_CR_TOKEN").unset("IBMCLOUD_CR_PROFILE"),
                "IBMid-bearer",
                "IBMid-bearer",
            ),
            (
                |it| _ = it.unset("IC_IAM_TOKEN"),
                "IBMid-login",
                "IBMid-default",
            ),
            (
                |it| {
                    it.erase("us.icr.io")
                        .is_success_with_warning(&["every registry"])
                },
                "IBMid-default",
                "IBMid-default",
            ),
            (
                |it| assert_eq!(it.run(&["logout"], "").status, Some(0)),
                "IBMid-file",
                "IBMid-file",
            ),
            (
                |it| drop(it.file("home/ibm-credentials.env", "")),
                "IBMid-laptop",
                "IBMid-laptop",
            ),
            (
                |it| drop(it.cli_session(&json!({}))),
                "iam-Profile-vpc",
                "iam-Profile-vpc",
            ),
            (
                |it| _ = it.unset("IBMCLOUD_CR_VPC_URL"),
                "iam-Profile-power",
                "iam-Profile-power",
            ),
        ];
        for (take_away, with_login, without) in steps {
            take_away(&mut machine);
            for _ in 0..2 {
                assert_eq!(who(&machine, "us.icr.io"), with_login);
                assert_eq!(who(&machine, "private.de.icr.io"), without);
                assert_eq!(
                    who(&machine, "cp.icr.io"),
                    "cp",
                    "its own login comes first"
                );
                assert_eq!(
                    who(&machine, "br.icr.io"),
                    "IBMid-admin",
                    "the login of its profile comes first"
                );
                assert_eq!(
                    who(&machine, "jp.icr.io"),
                    "IBMid-team",
                    "its profile names its source"
                );
            }
        }
        machine.unset("IBMCLOUD_CR_PVS_URL");
        machine.erase("cp.icr.io").is_silent_success();
        for host in ["us.icr.io", "private.de.icr.io", "cp.icr.io"] {
            assert_eq!(who(&machine, host), "nobody");
        }
        machine.set("IBMCLOUD_API_KEY", "API-KEY-OF-THE-ENVIRONMENT");
        assert_eq!(
            who(&machine, "cp.icr.io"),
            "IBMid-key",
            "better than nobody"
        );
        machine.settings("");
        assert_eq!(who(&machine, "jp.icr.io"), "IBMid-key");
    });
}

#[test]
fn a_forced_source_is_the_only_one_asked() {
    on_each_keychain(|mut machine| {
        let power = Emulator::start().expect("a free port");
        fill(&mut machine, &power);
        machine
            .unset("IBMCLOUD_CR_PROFILE")
            .unset("IBMCLOUD_CR_TOKEN");
        for (name, owner) in [
            ("environment", "IBMid-key"),
            ("login", "IBMid-login"),
            ("credentials-file", "IBMid-file"),
            ("ibmcloud", "IBMid-laptop"),
            ("vpc", "iam-Profile-vpc"),
            ("power-vs", "iam-Profile-power"),
        ] {
            machine.set("ICR_SOURCE", name);
            assert_eq!(who(&machine, "us.icr.io"), owner);
        }
        machine.set("ICR_SOURCE", "login");
        assert_eq!(who(&machine, "de.icr.io"), "IBMid-default");
        machine
            .erase("us.icr.io")
            .is_success_with_warning(&["the login for every registry still answers"]);
        assert_eq!(machine.run(&["logout"], "").status, Some(0));
        assert_eq!(who(&machine, "us.icr.io"), "nobody");
        machine.set("ICR_SOURCE", "ibm-cloud");
        machine
            .get("us.icr.io")
            .is_failure_with(&["$ICR_SOURCE is \"ibm-cloud\"", "ibmcloud"]);
    });
}

#[test]
fn a_source_that_was_chosen_but_is_not_there_is_told() {
    let mut machine = Machine::new();
    for (name, hint) in [
        ("environment", "set IBMCLOUD_API_KEY"),
        ("credentials-file", "set IBM_CREDENTIALS_FILE"),
        ("ibmcloud", "run 'ibmcloud login'"),
        ("compute-resource-token", "set IBMCLOUD_CR_PROFILE"),
    ] {
        machine.set("ICR_SOURCE", name);
        machine.get("us.icr.io").is_failure_with(&[
            &format!("the source chosen for us.icr.io is '{name}'"),
            hint,
        ]);
        machine.unset("ICR_SOURCE");
        machine.settings(&format!(
            "[profile.p]\nsource = \"{name}\"\n[registry.\"us.icr.io\"]\nprofile = \"p\"\n"
        ));
        machine
            .get("us.icr.io")
            .is_failure_with(&[&format!("is '{name}'"), hint]);
        machine.get("de.icr.io").is_not_found();
    }
}

#[test]
fn two_accounts_live_side_by_side() {
    on_each_keychain(|mut machine| {
        let accounts = machine.cloud.accounts();
        for (key, owner, account) in [
            ("API-KEY-OF-ACCOUNT-A", "a", "account-a"),
            ("API-KEY-OF-ACCOUNT-B", "b", "account-b"),
        ] {
            machine.plant(key);
            accounts.add_api_key(key, icr_emulator::Subject::user_of(owner, account));
        }
        let file = |name: &str, key: &str| {
            let text = format!("CONTAINER_REGISTRY_APIKEY={key}\n");
            machine.file(name, &text).display().to_string()
        };
        let (a, b) = (
            file("a.env", "API-KEY-OF-ACCOUNT-A"),
            file("b.env", "API-KEY-OF-ACCOUNT-B"),
        );
        machine.settings(&format!(
            "[profile.a]\nsource = \"credentials-file\"\nfile = \"{a}\"\n\
             [profile.b]\nsource = \"credentials-file\"\nfile = \"{b}\"\n\
             [registry.\"us.icr.io\"]\nprofile = \"a\"\n[registry.\"de.icr.io\"]\nprofile = \"b\"\n"
        ));
        let account = |host: &str| {
            let claims = support::token::claims(&machine.get(host).is_credential("iambearer"));
            claims["account"]["bss"].as_str().map(str::to_owned)
        };
        let answers = at_once(8, |index| match index % 2 {
            0 => account("us.icr.io"),
            _ => account("de.icr.io"),
        });
        for (index, answer) in answers.iter().enumerate() {
            let expected = if index % 2 == 0 {
                "account-a"
            } else {
                "account-b"
            };
            assert_eq!(answer.as_deref(), Some(expected));
        }
        assert_eq!(machine.cloud.exchanges(), 2, "one each");
        machine.get("uk.icr.io").is_not_found();
        machine.set("ICR_PROFILE", "b");
        for host in ["us.icr.io", "de.icr.io", "uk.icr.io"] {
            assert_eq!(machine.get(host).is_token_of(), "IBMid-b");
        }
        assert_eq!(machine.cloud.exchanges(), 2);
        machine.set("ICR_PROFILE", "c");
        machine
            .get("us.icr.io")
            .is_failure_with(&["$ICR_PROFILE", "\"c\""]);
    });
}

#[test]
fn a_profile_puts_its_trusted_profile_on_top_of_whoever_is_found() {
    let mut machine = Machine::new();
    machine.add_api_key("API-KEY-OF-THE-FILE", "file");
    let profile = Profile::new("Profile-top")
        .named("top")
        .of_account("account-2");
    let crn = profile.crn();
    let accounts = machine.cloud.accounts();
    accounts.add_trusted_profile(profile.trusting(&["IBMid-file", "IBMid-environment"]));
    machine.file(
        "home/ibm-credentials.env",
        "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-THE-FILE\n",
    );
    for chosen in ["Profile-top", &crn, "top\"\naccount = \"account-2"] {
        machine.settings(&format!("[profile.p]\ntrusted-profile = \"{chosen}\"\n[registry.\"us.icr.io\"]\nprofile = \"p\"\n"));
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-top");
        assert_eq!(machine.get("de.icr.io").is_token_of(), "IBMid-file");
    }
    machine.set_environment_key();
    machine.set("IC_IAM_PROFILE_ID", "Profile-of-the-environment");
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "iam-Profile-top",
        "the settings are closer"
    );
}

/// What a client that logs in does: it brings back what it got.
#[test]
fn what_get_answered_changes_nothing_when_it_comes_back() {
    on_each_keychain(|mut machine| {
        machine.add_refresh_token(REFRESH_TOKEN, "laptop");
        machine.add_api_key("API-KEY-OF-THE-FILE", "file");
        machine
            .cloud
            .accounts()
            .add_profile("Profile-top", &["IBMid-file"]);
        machine.cli_session(&json!({"IAMRefreshToken": REFRESH_TOKEN}));
        machine.file(
            "home/ibm-credentials.env",
            "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-THE-FILE\n",
        );
        let bearer = support::token::ending_in(3600);
        machine.plant(&bearer);
        for (source, kind, more) in [
            ("credentials-file", "iambearer", ""),
            (
                "credentials-file",
                "iambearer",
                "trusted-profile = \"Profile-top\"\n",
            ),
            ("credentials-file", "iamrefresh", ""),
            ("credentials-file", "iamapikey", ""),
            ("ibmcloud", "iambearer", ""),
            ("ibmcloud", "iamrefresh", ""),
            ("environment", "iambearer", ""),
        ] {
            machine.settings(&format!(
                "[profile.p]\nsource = \"{source}\"\ncredential = \"{kind}\"\n{more}"
            ));
            machine.set("ICR_PROFILE", "p");
            machine.set("IC_IAM_TOKEN", &bearer);
            let secret = machine.get("us.icr.io").is_credential(kind);
            let asked = machine.cloud.exchanges();
            machine
                .store("us.icr.io", kind, &secret)
                .is_silent_success();
            machine.list().is_list(&[]);
            assert_eq!(machine.get("us.icr.io").is_credential(kind), secret);
            assert_eq!(machine.cloud.exchanges(), asked);
        }
    });
}

#[test]
fn each_kind_of_credential_is_kept_apart() {
    on_each_keychain(|machine| {
        machine.add_api_key("API-KEY-OF-THE-FILE", "file");
        machine.file(
            "home/ibm-credentials.env",
            "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-THE-FILE\n",
        );
        machine.settings(
            "[profile.push]\ncredential = \"iamrefresh\"\n[profile.key]\ncredential = \"iamapikey\"\n\
             [registry.\"us.icr.io\"]\nprofile = \"push\"\n[registry.\"de.icr.io\"]\nprofile = \"key\"\n",
        );
        for _ in 0..2 {
            assert!(
                machine
                    .get("us.icr.io")
                    .is_credential("iamrefresh")
                    .starts_with("OKA")
            );
            assert_eq!(
                machine.get("de.icr.io").is_credential("iamapikey"),
                "API-KEY-OF-THE-FILE"
            );
            assert_eq!(machine.get("uk.icr.io").is_token_of(), "IBMid-file");
        }
        assert_eq!(machine.cloud.exchanges(), 2);
    });
}

#[test]
fn private_endpoints_are_asked_where_they_were_chosen() {
    let mut machine = Machine::with_environment_key();
    machine.unset("IBMCLOUD_IAM_API_ENDPOINT");
    machine.settings(
        "[profile.inside]\nprivate-endpoints = true\n\
         [registry.\"us.icr.io\"]\nprofile = \"inside\"\n[registry.\"stg.icr.io\"]\nprofile = \"inside\"\n",
    );
    for (host, iam) in [
        ("us.icr.io", "private.iam.cloud.ibm.com"),
        ("stg.icr.io", "iam.test.cloud.ibm.com"),
        ("de.icr.io", "iam.cloud.ibm.com"),
    ] {
        // A proxy that looks where it is to connect to.
        let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = proxy.local_addr().expect("it listens");
        machine.set("HTTPS_PROXY", format!("http://{address}"));
        let running = machine.start(&["get"], host);
        let (client, _) = proxy.accept().expect("somebody asks");
        let mut line = String::new();
        BufReader::new(client)
            .read_line(&mut line)
            .expect("a request");
        running.kill();
        assert_eq!(line.trim_end(), format!("CONNECT {iam}:443 HTTP/1.1"));
    }
}
