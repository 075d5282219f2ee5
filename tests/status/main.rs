//! What `status` shows, and which requests it sends.

#[path = "../support/mod.rs"]
mod support;

mod exit_status;
mod messages;
mod whoami;

use expect_test::Expect;
use expect_test::expect;
use serde_json::Value;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::Outcome;
use support::TestEnv;

/// Runs `status` in a pipe.
fn status(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let mut all = vec!["status"];
    all.extend(arguments);
    env.run(&all, Input::Open)
}

/// Returns the output of a command that succeeds, with the parts that vary replaced.
#[track_caller]
fn answer(env: &TestEnv, arguments: &[&str]) -> String {
    let outcome = status(env, arguments);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    without_variations(&outcome.stdout)
}

/// Returns a text with small differences of time removed.
fn without_variations(text: &str) -> String {
    let mut text = text.to_owned();
    for seconds in 1..10 {
        text = text.replace(&format!(" {seconds} s old"), " 0 s old");
    }
    text.replace("in 59 min", "in 60 min")
}

#[track_caller]
fn is(text: &str, expected: Expect) {
    expected.assert_eq(text);
}

fn json_of(env: &TestEnv, arguments: &[&str]) -> Value {
    let mut all = vec!["status", "--json"];
    all.extend(arguments);
    let outcome = env.run(&all, Input::Open);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

/// A machine with two logins, a profile for another account, and two configured clients.
fn env_with_logins() -> Option<TestEnv> {
    let env = TestEnv::with_keychain()?;
    env.add_api_key("API-KEY-OF-A-PERSON", "person");
    env.store("us.icr.io", "iamapikey", "API-KEY-OF-A-PERSON")
        .is_silent_success();
    env.store("cp.icr.io", "cp", "ENTITLEMENT-KEY")
        .is_silent_success();
    env.get("us.icr.io").is_token_of();
    env.settings("[profile.team-b]\n[registry.\"de.icr.io\"]\nprofile = \"team-b\"\n");
    env.add_api_key("API-KEY-OF-TEAM-B", "team-b");
    let login = ["login", "--profile", "team-b", "--api-key-stdin"];
    assert_eq!(env.run(&login, "API-KEY-OF-TEAM-B").status, Some(0));
    std::fs::create_dir_all(env.path("home/.docker")).expect("the directory is writable");
    env.file(
        "home/.docker/config.json",
        r#"{"credHelpers": {"us.icr.io": "icr", "uk.icr.io": "icr", "gcr.io": "gcloud"}}"#,
    );
    std::fs::create_dir_all(env.path(support::PODMAN_DIRECTORY))
        .expect("the directory is writable");
    env.file(support::PODMAN, r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    Some(env)
}

#[test]
fn without_logins_and_clients_it_shows_how_to_begin() {
    let env = TestEnv::new();
    is(
        &answer(&env, &[]),
        expect![[r#"
            Not logged in, and no client uses this helper. To begin:
              docker-credential-icr login         Log in to all registries or, in a CI job, set IBMCLOUD_API_KEY
              docker-credential-icr configure     Add this helper to Docker and Podman
        "#]],
    );
    let empty = json!({"registries": [], "warnings": [], "notes": [], "problems": []});
    assert_eq!(json_of(&env, &[]), empty);
    assert_eq!(env.cloud.requests().len(), 0);
}

#[cfg_attr(
    windows,
    ignore = "the width of the table is that of the kernel keyring's name"
)]
#[test]
fn all_registries_in_use_are_in_one_table() {
    let Some(mut env) = env_with_logins() else {
        return;
    };
    let asked = env.cloud.requests().len();
    let table = answer(&env, &[]);
    is(
        &table,
        expect![[r#"
            REGISTRY   ACCOUNT    IDENTITY                           EXPIRES    CLIENTS
            cp.icr.io  -          login for cp.icr.io                -          none
            de.icr.io  account-1  team-b@registry-tests.example.com  in 60 min  none
            uk.icr.io  -          not logged in                      -          docker
            us.icr.io  account-1  person@registry-tests.example.com  in 60 min  docker, podman
        "#]],
    );
    env.set("COLUMNS", "60");
    let narrow = answer(&env, &[]);
    is(
        &narrow,
        expect![[r#"
            REGISTRY   ACCOUNT    IDENTITY          EXPIRES    CLIENTS
            cp.icr.io  -          login for cp.ic…  -          none
            de.icr.io  account-1  team-b@registry…  in 60 min  none
            uk.icr.io  -          not logged in     -          docker
            us.icr.io  account-1  person@registry…  in 60 min  docker, …
        "#]],
    );
    env.set("COLUMNS", "1000");
    assert_eq!(answer(&env, &[]), table);
    is(
        &answer(&env, &["--long"]),
        expect![[r#"
        REGISTRY   ACCOUNT    IDENTITY                                               EXPIRES    CLIENTS         SOURCE                      USER NAME  TOKEN    STORED IN
        cp.icr.io  -          -                                                      -          none            login for cp.icr.io         cp         -        kernel keyring
        de.icr.io  account-1  user team-b@registry-tests.example.com (IBMid-team-b)  in 60 min  none            login for profile 'team-b'  iambearer  0 s old  kernel keyring
        uk.icr.io  -          not logged in                                          -          docker          -                           -          -        -
        us.icr.io  account-1  user person@registry-tests.example.com (IBMid-person)  in 60 min  docker, podman  login for us.icr.io         iambearer  0 s old  kernel keyring
    "#]],
    );
    assert_eq!(env.cloud.requests().len(), asked, "no requests were sent");
}

#[test]
fn json_contains_the_same_as_the_table() {
    let Some(env) = env_with_logins() else {
        return;
    };
    let mut shown = json_of(&env, &["us.icr.io"]);
    let token = shown["registries"][0]["token"].take();
    let seconds = |key: &str| token[key].as_u64().expect("a number");
    assert_eq!(seconds("age") + seconds("expires_in"), 3600);
    assert_eq!(
        shown,
        json!({
            "registries": [{
                "registry": "us.icr.io",
                "source": "login",
                "title": "the login for us.icr.io",
                "owner": {
                    "kind": "user",
                    "iam_id": "IBMid-person",
                    "account": "account-1",
                    "name": "Emulated Identity person",
                    "email": "person@registry-tests.example.com",
                },
                "username": "iambearer",
                "token": null,
                "keychain": support::KEYCHAIN_NAME,
                "api_key_expires_at": null,
                "clients": ["docker", "podman"],
                "check": null,
                "problem": null,
                "last_error": null,
            }],
            "warnings": [],
            "notes": [],
            "problems": [],
        })
    );
    let all = json_of(&env, &[]);
    let hosts: Vec<&Value> = all["registries"].as_array().unwrap().iter().collect();
    let hosts: Vec<&str> = hosts
        .iter()
        .filter_map(|row| row["registry"].as_str())
        .collect();
    assert_eq!(hosts, ["cp.icr.io", "de.icr.io", "uk.icr.io", "us.icr.io"]);
}

#[cfg_attr(windows, ignore = "the path is one of Unix")]
#[test]
fn the_source_for_all_other_registries_has_a_row() {
    let mut env = TestEnv::with_environment_key();
    let table = answer(&env, &[]);
    is(
        &table,
        expect![[r#"
            REGISTRY        ACCOUNT  IDENTITY                      EXPIRES     CLIENTS
            all registries  -        API key in $IBMCLOUD_API_KEY  not cached  none

            No client uses this helper. To continue:
              docker-credential-icr configure     Add this helper to Docker and Podman
        "#]],
    );
    let rows = json_of(&env, &[]);
    assert_eq!(rows["registries"][0]["registry"], Value::Null);
    assert_eq!(rows["registries"][0]["source"], "environment");
    env.set("IBMCLOUD_API_KEY", "@/does/not/exist");
    let outcome = status(&env, &[]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    is(
        &outcome.stdout,
        expect![[r#"
            REGISTRY        ACCOUNT  IDENTITY  EXPIRES  CLIENTS
            all registries  -        problem   -        none

            problem: all registries: cannot read the file /does/not/exist named in $IBMCLOUD_API_KEY: it does not exist
                     fix: Use the path of a file with the secret, or set the variable to the secret

            No client uses this helper. To continue:
              docker-credential-icr configure     Add this helper to Docker and Podman
        "#]],
    );
    is(
        &outcome.stderr,
        expect![[r#"
            error: 1 problem found
            hint: Run 'docker-credential-icr doctor' for details
        "#]],
    );
}

#[test]
fn a_check_sends_requests_to_iam_and_the_registry() {
    let mut env = TestEnv::new().with_registry();
    env.set_environment_key();
    let cloud = &env.cloud;
    let [registry, _] = env.registries();
    assert_eq!(
        json_of(&env, &[&registry])["registries"][0]["check"],
        Value::Null
    );
    assert_eq!(cloud.requests().len(), 0, "not without --check");
    let row = json_of(&env, &["--check", &registry])["registries"][0].take();
    assert_eq!(
        (&row["check"], &row["problem"]),
        (&"ok".into(), &Value::Null)
    );
    let paths: Vec<String> = cloud
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/identity/token", "/oauth/token"]);
    let text = answer(&env, &["--check", &registry]).replace(&registry, "localhost:55555");
    is(
        &text,
        expect![[r#"
            REGISTRY         ACCOUNT    IDENTITY                                EXPIRES     CLIENTS  CHECK
            localhost:55555  account-1  environment@registry-tests.example.com  not cached  none     ok

            No client uses this helper. To continue:
              docker-credential-icr configure     Add this helper to Docker and Podman
        "#]],
    );

    // IAM accepts the key, but the registry rejects the token.
    cloud.accounts().set_token_lifetime(0);
    let outcome = status(&env, &["--check", &registry]);
    assert_eq!(outcome.status, Some(1));

    cloud.accounts().set_token_lifetime(3600);
    cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    let outcome = status(&env, &["--check", &registry]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("BXNIM0415E"), "{outcome:?}");
}

#[test]
fn a_check_sends_no_requests_to_registries_that_are_not_in_use() {
    let mut env = TestEnv::new().with_registry();
    env.set_environment_key();
    let [registry, _] = env.registries();
    env.file(
        "home/.docker/config.json",
        &format!("{{\"credHelpers\": {{\"{registry}\": \"icr\"}}}}"),
    );
    // No requests leave this machine.
    env.set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let text = answer(&env, &["--check"]).replace(&registry, "localhost:55555");
    is(
        &text,
        expect![[r#"
            REGISTRY              ACCOUNT    IDENTITY                                EXPIRES     CLIENTS  CHECK
            localhost:55555       account-1  environment@registry-tests.example.com  not cached  docker   ok
            all other registries  -          API key in $IBMCLOUD_API_KEY            not cached  none     -
        "#]],
    );
    let paths = env.cloud.requests().into_iter().map(|request| request.path);
    let paths: Vec<String> = paths.collect();
    assert_eq!(paths, ["/identity/token", "/oauth/token"]);
}

#[test]
fn the_error_of_a_registry_names_it_once() {
    let mut env = TestEnv::new().with_registry();
    let [registry, _] = env.registries();
    let token = TestEnv::new().access_token_of("stranger");
    env.add_secret(&token);
    env.set("IC_IAM_TOKEN", token);
    let outcome = status(&env, &["--check", &registry]);
    assert_eq!(outcome.status, Some(1));
    let problem = format!("problem: {registry} rejected the user name 'iambearer' (HTTP 401): ");
    assert!(outcome.stdout.contains(&problem), "{outcome:?}");
}

#[test]
fn podman_can_use_the_helper_for_all_registries() {
    let env = TestEnv::with_environment_key();
    env.file(
        "home/.config/containers/registries.conf",
        "credential-helpers = [\"containers-auth.json\", \"icr\"]\n",
    );
    is(
        &answer(&env, &[]),
        expect![[r#"
            REGISTRY        ACCOUNT  IDENTITY                      EXPIRES     CLIENTS
            all registries  -        API key in $IBMCLOUD_API_KEY  not cached  podman
        "#]],
    );
}

#[test]
fn a_host_that_is_not_a_registry_is_rejected() {
    let env = TestEnv::new();
    let outcome = status(&env, &["docker.io"]);
    assert_eq!((outcome.status, &*outcome.stdout), (Some(1), ""));
    assert!(
        outcome
            .stderr
            .contains("docker.io is not an IBM Cloud registry"),
        "{outcome:?}"
    );
}

#[test]
fn the_help_has_examples() {
    is(
        &answer(&TestEnv::new(), &["--help"]),
        expect![[r#"
            Show who is logged in where, and when tokens expire

            Shows each registry that you use, and where its credential comes from (its
            source): a login, a variable, a file or the machine. You use a registry if it
            has a login, if the settings name it, or if a client uses this helper for it.
            Sends no requests without --check.

            Usage: docker-credential-icr status [OPTIONS] [REGISTRY]...

            Arguments:
              [REGISTRY]...
                      Registries, such as us.icr.io [default: all registries in use]

            Options:
                  --check
                      Get a token for each registry, and check that the registry accepts it

                  --long
                      Show all columns, with whole IDs

              -q, --quiet
                      Print nothing; exit with 0 if you are logged in without problems, otherwise 1

                  --json
                      Print JSON

              -h, --help
                      Print help (see a summary with '-h')

            Examples:
              docker-credential-icr status
              docker-credential-icr status us.icr.io
              docker-credential-icr status --check
              docker-credential-icr status -q us.icr.io || docker-credential-icr login us.icr.io

            Exit status: 0 if there are no problems, otherwise 1. Without --check, problems are
            sources and keychains that cannot be read, expired logins, and logins that IAM
            rejected at the last `get`. It is also 1 if you are not logged in to a registry that
            you name, or with --quiet not logged in at all.
        "#]],
    );
}

#[cfg(unix)]
mod at_a_terminal {
    use rexpect::session::spawn_command;

    use super::*;

    /// Returns what a terminal of 80 columns shows.
    fn shown(env: &TestEnv, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_docker-credential-icr"));
        command.arg("status").args(arguments);
        env.apply_to(&mut command);
        command.stdout(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(20_000)).expect("a terminal");
        session.exp_eof().expect("a terminal")
    }

    #[test]
    fn there_are_colors_unless_a_variable_disables_them() {
        let mut env = TestEnv::with_environment_key();
        env.set("TERM", "xterm");
        assert!(shown(&env, &[]).contains("\u{1b}[1m"), "a heading is bold");
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            env.set(name, value);
            let text = shown(&env, &[]);
            assert!(
                !text.contains('\u{1b}') && text.contains("IDENTITY"),
                "{text:?}"
            );
            env.unset("NO_COLOR").set("TERM", "xterm");
        }
        assert!(!answer(&env, &[]).contains('\u{1b}'), "no colors in a pipe");
    }

    #[test]
    fn lines_fit_the_width_of_the_terminal() {
        let Some(mut env) = env_with_logins() else {
            return;
        };
        env.set("TERM", "dumb").set("COLUMNS", "40");
        let text = shown(&env, &["--long"]);
        let text = text.replace('\r', "");
        // A single word cannot be wrapped, also beside its heading.
        let is_long =
            |line: &&str| line.chars().count() > 40 && line.split_whitespace().count() > 2;
        assert_eq!(text.lines().find(is_long), None, "{text}");
        assert!(text.lines().count() > 20, "{text}");
    }
}
