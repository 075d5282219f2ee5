//! The number of system calls: of each command in a full keyring, and of a hot `get` however many keys and logins there are.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::fs::File;
use std::iter;
use std::process::Command;
use std::process::Stdio;

use support::TestEnv;
use support::skipped;

/// The bounds: `NAME: NUMBER` in each line.
const BOUNDS: &str = include_str!("../benches/bounds.txt");

const REGISTRY: &str = "us.icr.io";
const API_KEY: &str = "API-KEY-OF-CALLS";
const KEYRING_CALLS: &str = "keyctl,add_key";
const ALL_CALLS: &str = "all";

/// The other keys in the keyring. The quota of an ordinary user is 200.
const KEYS: usize = 90;

fn bound(name: &str) -> usize {
    let mut lines = BOUNDS.lines();
    let number = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    number.expect(name).parse().expect(name)
}

/// Creates an environment with a login in the kernel keyring, if calls can be counted here.
fn env_with_login() -> Option<TestEnv> {
    let env = TestEnv::with_keychain()?;
    if Command::new("strace").arg("-V").output().is_err() {
        let reason = "it needs strace, which is missing: apt-get install strace";
        skipped(reason);
        assert!(!support::must_run_everything(), "{reason}");
        return None;
    }
    env.add_api_key(API_KEY, "calls");
    env.store(REGISTRY, "iamapikey", API_KEY)
        .is_silent_success();
    Some(env)
}

/// Runs the program and returns the number of its system calls of some kinds.
fn calls(env: &TestEnv, kinds: &str, arguments: &[&str], input: &str) -> usize {
    let report = env.path("calls");
    let program = env.command(arguments);
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--quiet=all", "--output"]);
    command.arg(&report).arg(format!("--trace={kinds}"));
    command.arg(program.get_program()).args(program.get_args());
    env.apply_to(&mut command);
    let input = File::open(env.file("input", input)).expect("it was just written");
    let status = command.stdin(input).stdout(Stdio::null()).status();
    assert!(status.expect("strace").success(), "{arguments:?}");
    let report = fs::read_to_string(report).expect("strace wrote it");
    report.lines().filter(|line| line.contains('(')).count()
}

fn keyring_calls(env: &TestEnv, arguments: &[&str], input: &str) -> usize {
    calls(env, KEYRING_CALLS, arguments, input)
}

fn hosts(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("host-{number}.example.com"))
}

#[test]
fn no_command_makes_more_keyring_calls_than_its_bound() {
    let Some(env) = env_with_login() else { return };
    let names = (0..KEYS).map(|number| format!("probe:{number}"));
    env.keys().add(names).expect("a quota of 200 keys");
    env.get(REGISTRY).is_credential("iambearer");
    let store =
        format!(r#"{{"ServerURL":"{REGISTRY}","Username":"iamapikey","Secret":"{API_KEY}"}}"#);
    // How often each command lists the keyring; it looks at each key once then.
    for (name, lists, arguments, input) in [
        ("get", 0, &["get"][..], REGISTRY),
        ("list", 1, &["list"], ""),
        ("status", 1, &["status"], ""),
        ("erase", 0, &["erase"], REGISTRY),
        ("store", 0, &["store"], &store),
        ("logout", 1, &["logout", REGISTRY], ""),
        ("store", 0, &["store"], &store),
        ("logout --all", 4, &["logout", "--all"], ""),
    ] {
        let keys = env.keys().count_in_keyring();
        let count = keyring_calls(&env, arguments, input);
        let bound = bound(&format!("{name}, keyring calls")) + lists * keys;
        assert!(count <= bound, "{name}: {count} calls, bound: {bound}");
    }
}

#[test]
fn a_hot_get_makes_as_many_calls_with_many_keys_and_logins_as_with_one() {
    let Some(env) = env_with_login() else { return };
    env.get(REGISTRY).is_credential("iambearer");
    let hot = || calls(&env, ALL_CALLS, &["get"], REGISTRY);
    let alone = hot();
    let bound = bound("hot get of the debug binary, system calls");

    assert!(alone <= bound, "{alone} calls, bound: {bound}");
    let keys = (0..4000).map(|number| format!("probe:{number}"));
    // The quota of an ordinary user is smaller: then there are as many as it allows.
    let added = env.keys().copy_login(hosts(1000));
    let _ = added.and_then(|()| env.keys().add(keys));
    assert!(env.keys().names().len() > 20);
    assert_eq!(hot(), alone);
}

#[test]
fn a_hot_answer_to_the_kubelet_makes_hardly_more_calls_than_a_hot_get() {
    let Some(env) = env_with_login() else { return };
    env.get(REGISTRY).is_credential("iambearer");
    let request = format!(
        r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"{REGISTRY}/ns/app"}}"#
    );
    let count = calls(&env, ALL_CALLS, &["kubelet"], &request);
    let bound = bound("hot answer to the kubelet of the debug binary, system calls");
    assert!(count <= bound, "{count} calls, bound: {bound}");
}

#[test]
fn calls_grow_no_faster_than_the_number_of_logins() {
    let Some(env) = env_with_login() else { return };
    let commands = [&["list"][..], &["status"]];
    let count = || commands.map(|arguments| keyring_calls(&env, arguments, ""));
    let alone = count();
    let added = env.keys().copy_login(hosts(20));
    added.expect("a quota of 20,000 bytes");
    let max_per_login = bound("each login, keyring calls");
    for (alone, count) in alone.into_iter().zip(count()) {
        assert!(
            count <= alone + 20 * max_per_login,
            "{alone} calls without 20 logins, {count} with them"
        );
    }
}

#[test]
fn a_key_with_a_long_description_changes_nothing() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let names = || iter::once(format!("probe:{}", "x".repeat(1000)));
    env.keys().add(names()).expect("a quota of 200 keys");
    env.keys().add_to_session(names());
    env.add_api_key(API_KEY, "calls");
    env.store(REGISTRY, "iamapikey", API_KEY)
        .is_silent_success();
    env.get(REGISTRY).is_credential("iambearer");
    env.list().is_list(&[(REGISTRY, "iamapikey")]);
    assert_eq!(env.run(&["status"], "").status, Some(0));
    env.erase(REGISTRY).is_silent_success();
    env.get(REGISTRY).is_not_found();
    assert_eq!(env.run(&["logout", "--all"], "").status, Some(0));
}
