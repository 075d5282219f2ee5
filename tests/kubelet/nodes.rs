//! What the program reads and writes on a node.

use std::process::Command;

use super::*;
use crate::support::skipped;

/// Returns the command that runs a shell script in a mount namespace of its own; arguments can be added.
fn in_mounts_of_its_own(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        "sh",
    ]);
    command
}

/// Runs the provider as root with three variables, in a namespace where the directories that it might write to are empty, and
/// returns its output and the files there.
fn on_a_bare_node(env: &TestEnv, provider: &Provider) -> Option<String> {
    if !nix::unistd::Uid::effective().is_root() {
        skipped("it needs root");
        return None;
    }
    let input = env.file("request", &request("v1", "us.icr.io/ns/app"));
    let program = env.path("program");
    crate::support::copy_executable(PROGRAM, &program);
    // Without these settings, the real IAM would be asked.
    let settings = format!(
        "[profile.node]\niam-endpoint = \"{}\"\n[registry.\"us.icr.io\"]\nprofile = \"node\"\n",
        env.cloud.url()
    );
    let settings = env.file("config.toml", &settings);
    let script = "set -e
        mount -t tmpfs none /mnt
        cp -a /etc /mnt/
        mount --bind /mnt/etc /etc
        for directory in /run /root /home /var/tmp; do
            mount -t tmpfs none $directory
        done
        mkdir -p /etc/docker-credential-icr
        cp \"$3\" /etc/docker-credential-icr/
        cd /
        \"$1\" kubelet < \"$2\"
        find /run /root /home /var/tmp ! -type d | sort
        find /run -name docker-credential-icr -printf '%p %m\\n'";
    let mut command = in_mounts_of_its_own(script);
    command
        .args([&program, &input, &settings])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let variables = ["IBMCLOUD_API_KEY", "ICR_KEYCHAIN", "ICR_NAMESPACE"];
    let is_set = |(name, _): &&(String, String)| variables.contains(&&**name);
    command.envs(provider.environment.iter().filter(is_set).cloned());
    let Ok(output) = command.output() else {
        skipped("it needs unshare");
        return None;
    };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if stderr.starts_with("unshare:") || stderr.contains("mount:") {
        skipped(&format!("it needs a mount namespace: {stderr}"));
        return None;
    }
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    Some(String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn without_a_home_directory_it_writes_only_locks_in_run() {
    let Some((env, provider)) = node() else {
        return;
    };
    let Some(output) = on_a_bare_node(&env, &provider) else {
        return;
    };
    let mut lines = output.lines();
    let answer = lines.next().expect("an answer");
    assert!(answer.contains("\"iambearer\""), "{answer}");
    let rest: Vec<&str> = lines.collect();
    let (directory, locks) = rest.split_last().expect("locks");
    assert_eq!(*directory, "/run/docker-credential-icr 700");
    assert!(!locks.is_empty(), "{rest:?}");
    for lock in locks {
        assert!(
            lock.starts_with("/run/docker-credential-icr/locks/identity-"),
            "{rest:?}"
        );
    }
}

#[test]
fn the_token_of_the_kernel_keyring_is_used_by_docker_and_the_kubelet() {
    let Some((mut env, provider)) = node() else {
        return;
    };
    let logins = Kubelet::new(provider).logins("us.icr.io/ns/app", None);
    assert_eq!(owner(&logins), "IBMid-node");
    env.set("IBMCLOUD_API_KEY", "API-KEY-OF-THE-NODE");
    let secret = env.get("us.icr.io").is_credential("iambearer");
    assert!(logins[0].1 == secret, "the same token");
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn an_invalid_setting_is_an_error_for_our_registries_only() {
    let Some((env, mut provider)) = node() else {
        return;
    };
    let settings = env.file("broken.toml", "deadlin = 1\n");
    let settings = settings.to_string_lossy().into_owned();
    provider
        .environment
        .push(("ICR_CONFIG".to_owned(), settings));
    let outcome = run(&env, &provider, &request("v1", "us.icr.io/ns/app"));
    is_error(&outcome, &["deadlin", "line 1"]);
    let outcome = run(&env, &provider, &request("v1", "quay.io/ns/app"));
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn a_system_that_cannot_be_written_and_no_keyring_are_no_obstacle() {
    let Some((env, provider)) = node() else {
        return;
    };
    if !nix::unistd::Uid::effective().is_root() {
        skipped("it needs root");
        return;
    }
    let program = env.path("program");
    crate::support::copy_executable(PROGRAM, &program);
    let script = "mount --bind / /mnt && mount -o remount,ro,bind /mnt || exit 99
        mount -t tmpfs -o ro none /mnt/run && mount -t tmpfs -o ro none /mnt/tmp || exit 99
        cp \"$1\" /dev/shm/$2 && mount --rbind /dev /mnt/dev && mount --bind /proc /mnt/proc || exit 99
        chroot /mnt /dev/shm/$2 kubelet; status=$?
        rm /dev/shm/$2
        exit $status";
    let name = format!("kubelet-provider-{}", std::process::id());
    let mut command = in_mounts_of_its_own(script);
    command
        .arg(&program)
        .arg(&name)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("ICR_KEYCHAIN", "none");
    let variables = ["IBMCLOUD_API_KEY", "IBMCLOUD_IAM_API_ENDPOINT"];
    let is_set = |(name, _): &&(String, String)| variables.contains(&&**name);
    command.envs(provider.environment.iter().filter(is_set).cloned());
    command.stdout(std::process::Stdio::piped());
    let outcome = env
        .start_as(command, &*request("v1", "us.icr.io/ns/app"))
        .finish();
    if outcome.status == Some(99) || outcome.stderr.starts_with("unshare:") {
        skipped("it needs a mount namespace");
        return;
    }
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    assert!(outcome.stdout.contains("\"iambearer\""), "{outcome:?}");
}
