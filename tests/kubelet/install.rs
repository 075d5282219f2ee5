//! `kubelet install` and `kubelet uninstall`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::symlink;

use super::host::CONFIG;
use super::host::ECR;
use super::host::FLAGS;
use super::host::Host;
use super::host::PROGRAMS;
use super::host::terminate;
use super::*;
use crate::support::files_below;
use crate::support::set_mode;
use crate::support::wait_until;
use crate::support::write_executable;

#[test]
fn a_kubeadm_node_gets_the_provider_and_loses_it_without_a_trace() {
    for flags in [None, Some("# mine\nKUBELET_EXTRA_ARGS=--v=2\n")] {
        let Some(host) = Host::create() else {
            return;
        };
        if let Some(flags) = flags {
            host.write(FLAGS, flags);
            set_mode(&host.path(FLAGS), 0o640);
        }
        let before = host.snapshot();
        let outcome = host.run(&["install", "--check"]);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(host.snapshot() == before, "--check changes nothing");
        let outcome = host.succeeds(&["install"]);
        outcome.has(
            &outcome.stdout,
            &[
                "answers the kubelet for us.icr.io",
                "written",
                "systemctl restart kubelet'",
            ],
        );
        assert_eq!(host.restarts(), "restart kubelet\n");
        let program = host.path(PROGRAMS).join("icr-credential-provider");
        assert_eq!(
            program.metadata().expect("installed").mode() & 0o7777,
            0o755
        );
        let expected = "--image-credential-provider-config=/etc/kubernetes/credential-provider.yaml --image-credential-provider-bin-dir=/usr/local/libexec/kubelet-credential-providers";
        let text = host.read(FLAGS);
        assert!(text.contains(expected), "{text}");
        assert!(flags.is_none() || text.starts_with("# mine\nKUBELET_EXTRA_ARGS=--v=2 --image"));
        assert!(host.read(CONFIG).contains("us.icr.io"));
        let installed = host.snapshot();
        host.succeeds(&["install"]);
        host.succeeds(&["install", "--check"]);
        assert_eq!(host.restarts(), "", "nothing has changed");
        assert!(host.snapshot() == installed);
        host.succeeds(&["uninstall"]);
        assert_eq!(host.restarts(), "restart kubelet\n");
        let after = host.snapshot();
        let paths: Vec<_> = after
            .keys()
            .filter(|path| !before.contains_key(*path))
            .collect();
        assert!(after == before, "{paths:?}");
        let outcome = host.succeeds(&["uninstall"]);
        outcome.has(&outcome.stdout, &["nothing to undo"]);
    }
}

/// Gives a node the provider of AWS.
fn with_ecr(host: &Host) {
    host.write(CONFIG, ECR);
    host.write(
        FLAGS,
        "KUBELET_EXTRA_ARGS='--image-credential-provider-config=/etc/kubernetes/credential-provider.yaml --image-credential-provider-bin-dir=/opt/providers'\n",
    );
    let path = host.path("opt/providers/ecr-credential-provider");
    host.write("opt/providers/ecr-credential-provider", "");
    write_executable(b"#!/bin/sh\n", &path);
}

#[test]
fn providers_of_others_stay() {
    let Some(host) = Host::create() else {
        return;
    };
    with_ecr(&host);
    let before = host.snapshot();
    host.succeeds(&["install"]);
    let text = host.read(CONFIG);
    assert!(text.starts_with(ECR), "{text}");
    assert!(host.path("opt/providers/icr-credential-provider").exists());
    assert_eq!(host.restarts(), "restart kubelet\n");
    host.succeeds(&["uninstall"]);
    assert!(host.snapshot() == before);
    host.succeeds(&["install"]);
    // A person changes the file meanwhile.
    host.write(
        CONFIG,
        &host.read(CONFIG).replace("# of AWS", "# of Amazon"),
    );
    let outcome = host.succeeds(&["uninstall"]);
    outcome.has(&outcome.stdout, &["only the provider was removed"]);
    assert_eq!(host.read(CONFIG), ECR.replace("# of AWS", "# of Amazon"));
}

#[test]
fn a_configuration_with_problems_is_not_installed() {
    for break_it in [
        |host: &Host| {
            host.env
                .cloud
                .accounts()
                .revoke_api_key("API-KEY-OF-THE-NODE");
        },
        |host: &Host| {
            fs::remove_file(host.path("opt/providers/ecr-credential-provider")).expect("a file");
        },
        |host: &Host| host.write(CONFIG, "providers: [] # {"),
        |host: &Host| {
            fs::rename(host.path(CONFIG), host.path("etc/real.yaml")).expect("a file");
            symlink("../real.yaml", host.path(CONFIG)).expect("a new link");
        },
        |host: &Host| set_mode(&host.path("opt/providers"), 0o777),
    ] {
        let Some(host) = Host::create() else {
            return;
        };
        with_ecr(&host);
        break_it(&host);
        let before = host.snapshot();
        let outcome = host.run(&["install"]);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("error: "), "{outcome:?}");
        assert!(host.snapshot() == before, "{outcome:?}");
        assert_eq!(host.restarts(), "");
    }
}

#[test]
fn each_distribution_is_changed_in_its_own_way_or_not_at_all() {
    for (file, unit, expected, restart) in [
        (
            "var/lib/rancher/k3s/x",
            "etc/systemd/system/k3s-agent.service",
            "var/lib/rancher/credentialprovider/config.yaml",
            "k3s-agent",
        ),
        (
            "var/lib/rancher/rke2/x",
            "usr/local/lib/systemd/system/rke2-server.service",
            "var/lib/rancher/credentialprovider/bin/icr-credential-provider",
            "rke2-server rke2-agent",
        ),
        (
            "etc/microshift/config.yaml",
            "etc/systemd/system/microshift.service",
            "etc/microshift/config.d/90-docker-credential-icr.yaml",
            "microshift",
        ),
    ] {
        let Some(host) = Host::create() else {
            return;
        };
        host.write(file, "");
        host.write(unit, "");
        // RKE2's packages have both units.
        if restart.contains(' ') {
            host.write("etc/systemd/system/rke2-agent.service", "");
        }
        symlink("/dev/null", host.path("etc/systemd/system/k3s.service")).expect("a new link");
        let before = host.snapshot();
        host.succeeds(&["install"]);
        assert!(host.path(expected).exists(), "{expected}");
        assert!(!host.path(FLAGS).exists());
        assert_eq!(host.restarts(), format!("try-restart {restart}\n"));
        host.succeeds(&["install"]);
        assert_eq!(host.restarts(), "");
        host.succeeds(&["uninstall"]);
        assert!(host.snapshot() == before);
    }
    for (release, reason) in [("talos", "Talos"), ("\"rhcos\"", "machine config operator")] {
        let Some(host) = Host::create() else {
            return;
        };
        host.write("etc/os-release", &format!("NAME=x\nID={release}\n"));
        let before = host.snapshot();
        let outcome = host.run(&["install"]);
        outcome.is_user_error(&["nothing was changed", reason]);
        assert!(host.snapshot() == before);
    }
    let Some(host) = Host::create() else {
        return;
    };
    host.write(
        "usr/local/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
        "[Service]\nExecStart=/usr/bin/kubelet\n",
    );
    host.run(&["install"])
        .is_user_error(&["reads no file with KUBELET_EXTRA_ARGS"]);
}

#[test]
fn no_link_leads_out_of_the_root_directory() {
    let Some(host) = Host::create() else {
        return;
    };
    let outside = host.env.path("outside");
    fs::create_dir(&outside).expect("a new directory");
    symlink(&outside, host.path("etc/kubernetes")).expect("a new link");
    let mut up = PathBuf::new();
    for _ in 0..20 {
        up.push("..");
    }
    symlink(
        up.join(outside.strip_prefix("/").expect("absolute")),
        host.path("usr/local/libexec"),
    )
    .expect("a new link");
    let outcome = host.run(&["install"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(files_below(&outside).is_empty());
    // Where the target is inside of the root directory, it is used.
    let inside = host.path(
        &outside
            .strip_prefix("/")
            .expect("absolute")
            .to_string_lossy(),
    );
    fs::create_dir_all(&inside).expect("a new directory");
    host.succeeds(&["install"]);
    assert!(inside.join("credential-provider.yaml").exists());
    assert!(files_below(&outside).is_empty());
}

#[test]
fn tokens_of_service_accounts_need_a_kubelet_that_knows_them() {
    for (version, reason) in [
        (
            Some("Kubernetes v1.33.4"),
            Some("this kubelet has version 1.33"),
        ),
        (Some("Kubernetes"), Some("names no version")),
        (None, Some("names no version")),
        (Some("Kubernetes v1.34.0"), None),
    ] {
        let Some(host) = Host::create() else {
            return;
        };
        if let Some(version) = version {
            let path = host.path("usr/local/bin/kubelet");
            host.write("usr/local/bin/kubelet", "");
            write_executable(format!("#!/bin/sh\necho '{version}'\n").as_bytes(), &path);
        }
        let before = host.snapshot();
        let outcome = host.run(&["install", "--service-accounts"]);
        if let Some(reason) = reason {
            outcome.is_user_error(&["nothing was changed", reason]);
            assert!(host.snapshot() == before);
        } else {
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }
    }
}

#[test]
fn a_directory_of_configurations_may_have_other_entries() {
    let Some(host) = Host::create() else {
        return;
    };
    with_ecr(&host);
    fs::remove_file(host.path(CONFIG)).expect("a file");
    host.write("etc/kubernetes/ecr.yaml", ECR);
    host.write("etc/kubernetes/providers/x.yaml/notes", "");
    host.write("etc/kubernetes/providers/notes.txt", "");
    symlink(
        "../ecr.yaml",
        host.path("etc/kubernetes/providers/ecr.yaml"),
    )
    .expect("a new link");
    let flags = host.read(FLAGS);
    host.write(
        FLAGS,
        &flags.replace("credential-provider.yaml", "providers"),
    );
    let before = host.snapshot();
    host.succeeds(&["install"]);
    assert!(
        host.path("etc/kubernetes/providers/icr-credential-provider.yaml")
            .exists()
    );
    host.succeeds(&["install", "--check"]);
    host.succeeds(&["uninstall"]);
    assert!(host.snapshot() == before);
}

#[test]
fn a_failed_restart_is_made_up_for() {
    let Some(host) = Host::create() else {
        return;
    };
    host.systemctl("echo 'Job failed' >&2; exit 1");
    let outcome = host.run(&["install"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["cannot restart the kubelet", "Job failed"],
    );
    host.systemctl("exit 0");
    host.restarts();
    host.succeeds(&["install"]);
    assert_eq!(host.restarts(), "restart kubelet\n");
    let outcome = host.succeeds(&["uninstall", "--no-restart"]);
    outcome.has(
        &outcome.stdout,
        &["has to be restarted", "systemctl restart kubelet'"],
    );
    assert_eq!(host.restarts(), "");
}

/// A kubelet that ends at its start if its configuration has the provider: it is waiting to be started again, is another
/// process each time it is seen, or does not get ready.
#[test]
fn a_kubelet_that_does_not_run_gets_everything_back() {
    let show = "read active sub process _ < /state
        printf 'Id=kubelet.service\\nActiveState=%s\\nSubState=%s\\nMainPID=%s\\n' $active $sub $process";
    let seen = "echo $(($(cat /seen 2>/dev/null) + 1)) > /seen
        grep -q loop /state && echo active running $(cat /seen) loop > /state";
    for broken in [
        "echo activating auto-restart 0 > /state",
        "echo active running 1 loop > /state",
        "echo failed failed 0 > /state; echo 'Job failed' >&2; exit 1",
    ] {
        let Some(host) = Host::create() else {
            return;
        };
        let restart = |broken: &str| {
            format!(
                "if grep -q us.icr.io /{CONFIG}; then {broken}; else echo active running 2 > /state; fi"
            )
        };
        with_ecr(&host);
        host.write("seen", "");
        host.write("state", "active running 1\n");
        host.systemctl_with_states(&format!("{seen}\n{show}"), &restart(broken));
        let before = host.snapshot();
        let outcome = host.run(&["install"]);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        outcome.has(
            &outcome.stderr,
            &[
                "does not run with the provider",
                "files are as before",
                "kubelet uninstall",
            ],
        );
        assert_eq!(host.restarts(), "restart kubelet\nrestart kubelet\n");
        assert_eq!(host.read(CONFIG), ECR);
        assert_eq!(host.read("state"), "active running 2\n");
        let outcome = host.run(&["install"]);
        outcome.is_user_error(&["nothing was changed", "did not run with this program"]);
        assert_eq!(host.restarts(), "", "it is not restarted again and again");
        host.succeeds(&["uninstall"]);
        host.write("seen", "");
        host.write("state", "active running 1\n");
        assert!(host.snapshot() == before);
        host.systemctl_with_states(show, "echo active running 3 > /state");
        host.succeeds(&["install", "--min-ready-seconds", "1"]);
        assert!(host.read(CONFIG).contains("us.icr.io"));
        assert_eq!(host.restarts(), "restart kubelet\n");
    }
}

#[test]
fn a_kubelet_that_did_not_run_before_is_not_waited_for() {
    let Some(host) = Host::create() else {
        return;
    };
    host.systemctl_with_states(
        "printf 'Id=kubelet.service\\nActiveState=activating\\nSubState=auto-restart\\nMainPID=0\\n'",
        "exit 0",
    );
    host.succeeds(&["install"]);
    assert!(host.read(CONFIG).contains("us.icr.io"));
}

#[test]
fn a_process_that_is_killed_leaves_nothing_that_cannot_be_undone() {
    let Some(host) = Host::create() else {
        return;
    };
    with_ecr(&host);
    let before = host.snapshot();
    const STATE: &str = "var/lib/docker-credential-icr/kubelet";
    let exists = |path: &str| host.path(path).exists();
    let steps_of_install: [&dyn Fn() -> bool; 7] = [
        &|| exists(STATE),
        &|| exists(&format!("{STATE}/lock")),
        &|| exists(&format!("{STATE}/installed.json")),
        &|| exists("opt/providers/.icr-credential-provider.new"),
        &|| exists("opt/providers/icr-credential-provider"),
        &|| exists(&format!("{STATE}/before-1")),
        &|| exists("restarts"),
    ];
    let steps_of_uninstall: [&dyn Fn() -> bool; 4] = [
        &|| host.read(CONFIG) == ECR,
        &|| exists("restarts"),
        &|| !exists("opt/providers/icr-credential-provider"),
        &|| !exists(&format!("{STATE}/installed.json")),
    ];
    let of_install = steps_of_install.iter().map(|step| ("install", step));
    let of_uninstall = steps_of_uninstall.iter().map(|step| ("uninstall", step));
    for (number, (command, step)) in of_install.chain(of_uninstall).enumerate() {
        if command == "uninstall" {
            host.succeeds(&["install"]);
        }
        host.restarts();
        let running = host.start(&[command]);
        let status = format!("/proc/{}/status", running.id());
        let runs = || fs::read_to_string(&status).is_ok_and(|it| !it.contains("State:\tZ"));
        while !step() && runs() {
            std::thread::yield_now();
        }
        running.kill();
        host.succeeds(&["uninstall"]);
        let after = host.snapshot();
        let paths: Vec<_> = after
            .keys()
            .filter(|path| !before.contains_key(*path))
            .collect();
        assert!(after == before, "{number}: {paths:?}");
    }
}

#[test]
fn what_is_removed_is_installed_again() {
    let Some(host) = Host::create() else {
        return;
    };
    let running = host.start(&["install", "--watch", "--interval", "1"]);
    let program = host.path(PROGRAMS).join("icr-credential-provider");
    let is_restarted = || host.path("restarts").exists();
    wait_until("it has begun", || {
        host.path("var/lib/docker-credential-icr").exists()
    });
    wait_until("the program is there", || program.exists());
    wait_until("it is installed", || program.exists() && is_restarted());
    fs::remove_file(&program).expect("a file");
    wait_until("it is installed again", || program.exists());
    host.restarts();
    fs::remove_file(host.path(FLAGS)).expect("a file");
    wait_until("the kubelet is restarted", is_restarted);
    assert!(host.path(FLAGS).exists());
    assert_eq!(terminate(running).status, Some(0));
    host.succeeds(&["uninstall"]);
}

#[test]
fn a_secret_is_not_an_argument() {
    let env = TestEnv::new();
    for command in ["install", "config"] {
        let outcome = env.run(
            &["kubelet", command, "--env", "IBMCLOUD_API_KEY=hunter2"],
            "",
        );
        outcome.is_usage_error(&["IBMCLOUD_API_KEY=@FILE"]);
        assert!(!outcome.stderr.contains("hunter2"));
    }
}
