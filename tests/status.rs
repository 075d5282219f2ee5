//! What does `status` tell, and what does it cost?

mod support;

use expect_test::Expect;
use expect_test::expect;
use icr_emulator::Fault;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::Machine;
use support::Outcome;

/// `status`, in a pipe.
fn status(machine: &Machine, arguments: &[&str]) -> Outcome {
    let mut all = vec!["status"];
    all.extend(arguments);
    machine.run(&all, Input::Open)
}

/// The answer of one that succeeds, without what is another one each time.
#[track_caller]
fn answer(machine: &Machine, arguments: &[&str]) -> String {
    let outcome = status(machine, arguments);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    steady(&outcome.stdout)
}

/// A text in which no time passes.
fn steady(text: &str) -> String {
    let mut text = text.to_owned();
    for seconds in 1..10 {
        text = text.replace(&format!(" {seconds} s old"), " 0 s old");
    }
    text.replace(" 59 min left", " 60 min left")
}

#[track_caller]
fn is(text: &str, expected: Expect) {
    expected.assert_eq(text);
}

fn json_of(machine: &Machine, arguments: &[&str]) -> Value {
    let mut all = vec!["status", "--json"];
    all.extend(arguments);
    let outcome = machine.run(&all, Input::Open);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

/// Two logins, a profile of another account, and clients that ask for three.
fn furnished() -> Option<Machine> {
    let machine = Machine::with_keychain()?;
    machine.add_api_key("API-KEY-OF-A-PERSON", "person");
    machine
        .store("us.icr.io", "iamapikey", "API-KEY-OF-A-PERSON")
        .is_silent_success();
    machine
        .store("cp.icr.io", "cp", "ENTITLEMENT-KEY")
        .is_silent_success();
    machine.get("us.icr.io").is_token_of();
    machine.settings("[profile.team-b]\n[registry.\"de.icr.io\"]\nprofile = \"team-b\"\n");
    machine.add_api_key("API-KEY-OF-TEAM-B", "team-b");
    let login = ["login", "--profile", "team-b", "--api-key-stdin"];
    assert_eq!(machine.run(&login, "API-KEY-OF-TEAM-B").status, Some(0));
    std::fs::create_dir_all(machine.path("home/.docker")).expect("it is ours");
    machine.file(
        "home/.docker/config.json",
        r#"{"credHelpers": {"us.icr.io": "icr", "uk.icr.io": "icr", "gcr.io": "gcloud"}}"#,
    );
    std::fs::create_dir_all(machine.path("runtime/containers")).expect("it is ours");
    machine.file(
        "runtime/containers/auth.json",
        r#"{"credHelpers": {"us.icr.io": "icr"}}"#,
    );
    Some(machine)
}

#[test]
fn with_nothing_configured_it_says_how_to_begin() {
    let machine = Machine::new();
    is(
        &answer(&machine, &[]),
        expect![[r#"
            Nobody is logged in, and no client asks this program. To begin:
              docker-credential-icr login         logs you in, for every registry
              docker-credential-icr configure     has docker or podman ask this program
        "#]],
    );
    let empty = json!({"registries": [], "warnings": [], "notes": [], "problems": []});
    assert_eq!(json_of(&machine, &[]), empty);
    assert_eq!(machine.cloud.requests().len(), 0);
}

#[test]
fn everybody_is_in_one_table() {
    let Some(mut machine) = furnished() else {
        return;
    };
    let asked = machine.cloud.requests().len();
    let table = answer(&machine, &[]);
    is(
        &table,
        expect![[r#"
            REGISTRY   WHO                                                                         SOURCE                                       USER NAME  TOKEN                 SECRET IN       CLIENTS
            cp.icr.io  -                                                                           login `cp` stored for cp.icr.io              cp         -                     kernel keyring  none
            de.icr.io  user team-b@registry-tests.example.com (IBMid-team-b) of account account-1  login `iamapikey` stored for profile team-b  iambearer  0 s old, 60 min left  kernel keyring  none
            uk.icr.io  nobody                                                                      -                                            -          -                     -               docker
            us.icr.io  user person@registry-tests.example.com (IBMid-person) of account account-1  login `iamapikey` stored for us.icr.io       iambearer  0 s old, 60 min left  kernel keyring  docker, podman
        "#]],
    );
    machine.set("COLUMNS", "60");
    let narrow = answer(&machine, &[]);
    is(
        &narrow,
        expect![[r#"
            cp.icr.io
              who       -
              source    login `cp` stored for cp.icr.io
              user name cp
              token     -
              secret in kernel keyring
              clients   none
            de.icr.io
              who       user team-b@registry-tests.example.com
                        (IBMid-team-b) of account account-1
              source    login `iamapikey` stored for profile team-b
              user name iambearer
              token     0 s old, 60 min left
              secret in kernel keyring
              clients   none
            uk.icr.io
              who       nobody
              source    -
              user name -
              token     -
              secret in -
              clients   docker
            us.icr.io
              who       user person@registry-tests.example.com
                        (IBMid-person) of account account-1
              source    login `iamapikey` stored for us.icr.io
              user name iambearer
              token     0 s old, 60 min left
              secret in kernel keyring
              clients   docker, podman
        "#]],
    );
    machine.set("COLUMNS", "1000");
    assert_eq!(answer(&machine, &[]), table);
    assert_eq!(machine.cloud.requests().len(), asked, "nobody was asked");
}

#[test]
fn the_same_as_json_has_stable_keys() {
    let Some(machine) = furnished() else {
        return;
    };
    let mut shown = json_of(&machine, &["us.icr.io"]);
    let token = shown["registries"][0]["token"].take();
    let (age, left) = (
        token["age"].as_u64().unwrap(),
        token["left"].as_u64().unwrap(),
    );
    assert_eq!(age + left, 3600);
    assert_eq!(
        shown,
        json!({
            "registries": [{
                "registry": "us.icr.io",
                "source": "login",
                "title": "the login `iamapikey` stored for us.icr.io",
                "owner": {
                    "kind": "user",
                    "iam_id": "IBMid-person",
                    "account": "account-1",
                    "name": "Emulated Identity person",
                    "email": "person@registry-tests.example.com",
                },
                "username": "iambearer",
                "token": null,
                "keychain": "kernel",
                "key_ends_at": null,
                "clients": ["docker", "podman"],
                "checked": null,
                "problem": null,
                "last_failure": null,
            }],
            "warnings": [],
            "notes": [],
            "problems": [],
        })
    );
    let all = json_of(&machine, &[]);
    let hosts: Vec<&Value> = all["registries"].as_array().unwrap().iter().collect();
    let hosts: Vec<&str> = hosts
        .iter()
        .filter_map(|row| row["registry"].as_str())
        .collect();
    assert_eq!(hosts, ["cp.icr.io", "de.icr.io", "uk.icr.io", "us.icr.io"]);
}

#[test]
fn what_iam_rejected_at_the_last_get_is_a_problem_until_something_works() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    machine.set("COLUMNS", "1000");
    machine.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    machine
        .get("us.icr.io")
        .is_failure_with(&["BXNIM0415E", "Set a new key"]);
    machine.keys().age_tokens(300);
    let asked = machine.cloud.requests().len();
    let outcome = status(&machine, &["us.icr.io"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    for part in [
        "failed 5 min ago",
        "\nproblem: us.icr.io: cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM rejected it (BXNIM0415E, HTTP 400): Provided API key could not be found. Set a new key in $IBMCLOUD_API_KEY, or unset it.",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {outcome:?}");
    }
    let outcome = status(&machine, &["us.icr.io", "--json"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let failure = &shown["registries"][0]["last_failure"];
    assert_eq!(failure["permanent"], true, "{shown:#}");
    let fix = failure["fix"].as_str().unwrap();
    assert!(fix.starts_with("Set a new key in $IBMCLOUD_API_KEY"));
    assert_eq!(machine.cloud.requests().len(), asked, "nobody was asked");
    machine.add_api_key(ENVIRONMENT_KEY, "environment");
    machine.get("us.icr.io").is_credential("iambearer");
    assert!(!answer(&machine, &["us.icr.io"]).contains("failed"));
}

#[test]
fn an_outage_at_the_last_get_is_a_warning() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    machine.set("COLUMNS", "1000");
    machine
        .cloud
        .always(Some(Fault::StatusWithRetryAfter(503, "3600".into())));
    machine.get("us.icr.io").is_failure_with(&["HTTP 503"]);
    machine.keys().age_tokens(600);
    let shown = answer(&machine, &["us.icr.io"]);
    for part in [
        "failed 10 min ago",
        "\nwarning: us.icr.io: cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM at ",
        " answered HTTP 503 (since ",
        " UTC, last 10 min ago)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    machine.keys().age_tokens(3000);
    assert!(
        answer(&machine, &["us.icr.io"]).contains("none now"),
        "an hour ago"
    );
}

#[test]
fn who_speaks_for_all_others_has_a_row_of_its_own() {
    let mut machine = Machine::with_environment_key();
    let table = answer(&machine, &[]);
    is(
        &table,
        expect![[r#"
            REGISTRY        WHO  SOURCE                        USER NAME  TOKEN     SECRET IN    CLIENTS
            every registry  -    API key in $IBMCLOUD_API_KEY  iambearer  none now  environment  none

            No client asks this program. To go on:
              docker-credential-icr configure     has docker or podman ask this program
        "#]],
    );
    let rows = json_of(&machine, &[]);
    assert_eq!(rows["registries"][0]["registry"], Value::Null);
    assert_eq!(rows["registries"][0]["source"], "environment");
    machine.set("IBMCLOUD_API_KEY", "@/does/not/exist");
    let outcome = status(&machine, &[]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    is(
        &outcome.stdout,
        expect![[r#"
            REGISTRY        WHO      SOURCE  USER NAME  TOKEN  SECRET IN  CLIENTS
            every registry  problem  -       -          -      -          none

            problem: every registry: $IBMCLOUD_API_KEY names the file /does/not/exist, which holds no key (No such file or directory (os error 2)); name a file that does, or give the key itself

            No client asks this program. To go on:
              docker-credential-icr configure     has docker or podman ask this program
        "#]],
    );
    is(
        &outcome.stderr,
        expect![[r#"
        docker-credential-icr: something is broken; `docker-credential-icr doctor` looks into it
    "#]],
    );
}

#[test]
fn a_key_that_ends_soon_is_told_with_the_command_that_replaces_it() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let (days, now) = (24 * 60 * 60, support::unix_now());
    let login = |expires: &str| {
        // Each is good for one exchange.
        let token = format!("REFRESH-TOKEN-OF-THE-CLI-{expires}");
        machine.plant(&token);
        let accounts = machine.cloud.accounts();
        accounts.add_refresh_token(&token, Subject::user("person"));
        let session = json!({"IAMEndpoint": machine.cloud.url(), "IAMRefreshToken": token});
        machine.file("cli/config.json", &session.to_string());
        let way = ["login", "de.icr.io", "--from-ibmcloud", "--create-api-key"];
        let mut command = machine.command(&way);
        command
            .args(["--expires", expires])
            .env("IBMCLOUD_CONFIG_HOME", machine.path("cli"));
        machine.start_as(command, Input::Open).finish()
    };
    std::fs::create_dir_all(machine.path("cli")).unwrap();
    let outcome = login("30");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(!answer(&machine, &[]).contains("warning"));
    let outcome = login("13");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let text = answer(&machine, &[]);
    assert!(
        text.contains("warning: the API key of the login for de.icr.io ends in 12 days"),
        "{text}"
    );
    assert!(
        text.contains("`docker-credential-icr login --rotate de.icr.io` replaces it"),
        "{text}"
    );
    let row = json_of(&machine, &["de.icr.io"]);
    let end = row["registries"][0]["key_ends_at"].as_i64().unwrap();
    assert!((12 * days..=13 * days).contains(&(end - now)), "{row}");
    assert_eq!(row["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_check_asks_iam_and_the_registry() {
    let mut machine = Machine::new().with_registry();
    machine.set_environment_key();
    let cloud = &machine.cloud;
    let [registry, _] = machine.registries();
    assert_eq!(
        json_of(&machine, &[&registry])["registries"][0]["checked"],
        Value::Null
    );
    assert_eq!(cloud.requests().len(), 0, "not without --check");
    let row = json_of(&machine, &["--check", &registry])["registries"][0].take();
    assert_eq!(
        (&row["checked"], &row["problem"]),
        (&true.into(), &Value::Null)
    );
    let paths: Vec<String> = cloud
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/identity/token", "/oauth/token"]);
    let text = answer(&machine, &["--check", &registry]).replace(&registry, "localhost:55555");
    is(
        &text,
        expect![[r#"
            REGISTRY         WHO                                                                                   SOURCE                        USER NAME  TOKEN     SECRET IN    CLIENTS  CHECK
            localhost:55555  user environment@registry-tests.example.com (IBMid-environment) of account account-1  API key in $IBMCLOUD_API_KEY  iambearer  none now  environment  none     ok

            No client asks this program. To go on:
              docker-credential-icr configure     has docker or podman ask this program
        "#]],
    );

    // IAM knows the key, but the registry does not take its token.
    cloud.accounts().set_token_lifetime(0);
    let outcome = status(&machine, &["--check", &registry]);
    assert_eq!(outcome.status, Some(1));

    cloud.accounts().set_token_lifetime(3600);
    cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    let outcome = status(&machine, &["--check", &registry]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("BXNIM0415E"), "{outcome:?}");
}

#[test]
fn a_check_does_not_ask_registries_that_nobody_uses() {
    let mut machine = Machine::new().with_registry();
    machine.set_environment_key();
    let [registry, _] = machine.registries();
    machine.file(
        "home/.docker/config.json",
        &format!("{{\"credHelpers\": {{\"{registry}\": \"icr\"}}}}"),
    );
    // Whoever is not on this machine is not there.
    machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let text = answer(&machine, &["--check"]).replace(&registry, "localhost:55555");
    is(
        &text,
        expect![[r#"
            REGISTRY         WHO                                                                                   SOURCE                        USER NAME  TOKEN     SECRET IN    CLIENTS  CHECK
            localhost:55555  user environment@registry-tests.example.com (IBMid-environment) of account account-1  API key in $IBMCLOUD_API_KEY  iambearer  none now  environment  docker   ok
            every registry   -                                                                                     API key in $IBMCLOUD_API_KEY  iambearer  none now  environment  none     -
        "#]],
    );
    let paths = machine
        .cloud
        .requests()
        .into_iter()
        .map(|request| request.path);
    let paths: Vec<String> = paths.collect();
    assert_eq!(paths, ["/identity/token", "/oauth/token"]);
}

#[test]
fn a_refusal_names_the_registry_once() {
    let mut machine = Machine::new().with_registry();
    let [registry, _] = machine.registries();
    let token = Machine::new().access_token_of("stranger");
    machine.plant(&token);
    machine.set("IC_IAM_TOKEN", token);
    let outcome = status(&machine, &["--check", &registry]);
    assert_eq!(outcome.status, Some(1));
    let problem = format!("problem: {registry} refused `iambearer`: ");
    assert!(outcome.stdout.contains(&problem), "{outcome:?}");
}

#[test]
fn a_clients_file_that_cannot_be_read_is_told_of() {
    let mut machine = Machine::new();
    let path = machine.file("home/.docker/config.json", "{ no JSON");
    machine.set("DOCKER_CONFIG", machine.path("home/.docker"));
    let text = answer(&machine, &[]);
    let warning = format!(
        "warning: cannot read {}: it is not valid JSON: key must be a string at line 1 column 3; `docker-credential-icr doctor` says what to do",
        path.display()
    );
    assert_eq!(text.matches(&warning).count(), 1, "{text}");
    let warnings = json_of(&machine, &[])["warnings"].take();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    machine.file("home/.docker/config.json", "null");
    assert!(answer(&machine, &[]).contains("config.json: it is `null`"));
}

#[test]
fn podman_may_ask_for_every_registry() {
    let machine = Machine::with_environment_key();
    machine.file(
        "home/.config/containers/registries.conf",
        "credential-helpers = [\"containers-auth.json\", \"icr\"]\n",
    );
    is(
        &answer(&machine, &[]),
        expect![[r#"
            REGISTRY        WHO  SOURCE                        USER NAME  TOKEN     SECRET IN    CLIENTS
            every registry  -    API key in $IBMCLOUD_API_KEY  iambearer  none now  environment  podman
        "#]],
    );
}

#[test]
fn what_is_no_registry_is_refused() {
    let machine = Machine::new();
    let outcome = status(&machine, &["docker.io"]);
    assert_eq!((outcome.status, &*outcome.stdout), (Some(1), ""));
    assert!(
        outcome
            .stderr
            .contains("docker.io is not a registry of IBM Cloud"),
        "{outcome:?}"
    );
}

#[test]
fn its_help_has_examples() {
    is(
        &answer(&Machine::new(), &["--help"]),
        expect![[r#"
            Print who speaks for each registry, and for how long

            Shows the registries that have a login, that the settings name, or that a
            client asks this program for; and who speaks for all others. No network is
            asked unless you say --check.

            Usage: docker-credential-icr status [OPTIONS] [REGISTRY]...

            Arguments:
              [REGISTRY]...
                      Registries, such as us.icr.io; without any, all that there is to tell of

            Options:
                  --check
                      Get a token for each registry, and ask the registry whether it takes it

                  --json
                      Print JSON, whose keys stay as they are

              -h, --help
                      Print help (see a summary with '-h')

            Examples:
              docker-credential-icr status                who is logged in where
              docker-credential-icr status us.icr.io      at one registry
              docker-credential-icr status --check        and does it work?
              docker-credential-icr status --json

            Exit status: 0 if all is well; 1 if something is broken, which without --check
            means a source of identity or a keychain that cannot be read, or that IAM
            rejected what the last `get` used.
        "#]],
    );
}

#[cfg(unix)]
mod at_a_terminal {
    use rexpect::session::spawn_command;

    use super::*;

    /// What a terminal of 80 columns is shown.
    fn shown(machine: &Machine) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_docker-credential-icr"));
        command.arg("status");
        machine.furnish(&mut command);
        command.stdout(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(20_000)).expect("a terminal");
        session.exp_eof().expect("a terminal")
    }

    #[test]
    fn there_are_colors_unless_somebody_does_not_want_them() {
        let mut machine = Machine::with_environment_key();
        machine.set("TERM", "xterm");
        assert!(shown(&machine).contains("\u{1b}[1m"), "a heading is bold");
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            machine.set(name, value);
            let text = shown(&machine);
            assert!(
                !text.contains('\u{1b}') && text.contains("SOURCE"),
                "{text:?}"
            );
            machine.unset("NO_COLOR").set("TERM", "xterm");
        }
        assert!(!answer(&machine, &[]).contains('\u{1b}'), "a pipe has none");
    }

    #[test]
    fn its_width_is_kept() {
        let Some(mut machine) = furnished() else {
            return;
        };
        machine.set("TERM", "dumb").set("COLUMNS", "40");
        let text = shown(&machine);
        let text = text.replace('\r', "");
        // A word has no place to be broken at.
        let is_long = |line: &&str| line.chars().count() > 40 && line.trim().contains(' ');
        assert_eq!(text.lines().find(is_long), None, "{text}");
        assert!(text.lines().count() > 20, "{text}");
    }
}
