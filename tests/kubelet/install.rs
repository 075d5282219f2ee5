//! `kubelet install` and `kubelet uninstall` on a machine that is a directory, with a stand-in for systemctl.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::process::Stdio;

use icr_emulator::Authority;

use super::*;
use crate::support::Running;
use crate::support::files_below;
use crate::support::set_mode;
use crate::support::skipped;
use crate::support::wait_until;
use crate::support::write_executable;

const KEY: &str = "etc/docker-credential-icr/api-key";
const CONFIG: &str = "etc/kubernetes/credential-provider.yaml";
const PROGRAMS: &str = "usr/local/libexec/kubelet-credential-providers";
const FLAGS: &str = "etc/default/kubelet";
const ECR: &str = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n# of AWS\n- name: ecr-credential-provider\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages: [\"*.amazonaws.com\"]\n  defaultCacheDuration: 12h\n";

/// The root directory of a machine.
struct Host {
    env: TestEnv,
    namespace: String,
    keychain: String,
    authority: Authority,
}

impl Host {
    /// Creates a node of kubeadm. Returns `None`, and says so, without the right to change the root directory.
    fn create() -> Option<Self> {
        let (env, provider) = node()?;
        let value = |name: &str| {
            let mut variables = provider.environment.iter();
            variables
                .find(|(key, _)| key == name)
                .expect(name)
                .1
                .clone()
        };
        let host = Self {
            namespace: value("ICR_NAMESPACE"),
            keychain: value("ICR_KEYCHAIN"),
            authority: Authority::create(env.path("host/etc/authority")).expect("a directory"),
            env,
        };
        for directory in [
            "proc",
            "dev",
            "usr/bin",
            "usr/lib",
            "usr/lib64",
            "usr/local",
            "usr/sbin",
        ] {
            fs::create_dir_all(host.path(directory)).expect("a new directory");
        }
        for link in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{link}"), host.path(link)).expect("a new link");
        }
        host.write(KEY, "API-KEY-OF-THE-NODE\n");
        set_mode(&host.path(KEY), 0o600);
        host.write("var/lib/kubelet/config.yaml", "");
        host.write(
            "usr/local/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
            "[Service]\nEnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\nEnvironmentFile=-/etc/default/kubelet\nExecStart=/usr/bin/kubelet $KUBELET_EXTRA_ARGS\n",
        );
        host.systemctl("exit 0");
        for path in files_below(&host.path("")) {
            for directory in path.ancestors().skip(1) {
                if directory.starts_with(host.path("")) {
                    set_mode(directory, 0o755);
                }
            }
        }
        let can_enter = host.command("true").output();
        let can_enter = can_enter.is_ok_and(|output| output.status.success());
        if !can_enter {
            skipped("it needs a mount namespace");
        }
        can_enter.then_some(host)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.env.path("host").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the test may create it");
        fs::write(path, text).expect("the test may write it");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect(path)
    }

    /// Writes the stand-in for systemctl, which records its arguments.
    fn systemctl(&self, rest: &str) {
        let path = self.path("usr/local/sbin/systemctl");
        fs::create_dir_all(path.parent().expect("a directory")).expect("the test may create it");
        let text = format!("#!/bin/sh\necho \"$@\" >> /restarts\n{rest}\n");
        write_executable(text.as_bytes(), &path);
    }

    /// Returns what systemctl was called with, and forgets it.
    fn restarts(&self) -> String {
        let calls = fs::read_to_string(self.path("restarts")).unwrap_or_default();
        let _ = fs::remove_file(self.path("restarts"));
        calls
    }

    /// Returns the command that runs a program where the machine has the programs of this one.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = "for directory in proc dev usr/bin usr/lib usr/lib64; do
                mount --rbind \"/$directory\" \"$1/$directory\" || exit 99
            done
            shift; exec \"$@\"";
        command.args(["sh", "-c", script, "sh"]);
        command.arg(self.path("")).arg(program);
        command
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let root = self.path("");
        let certificates = self.authority.certificate_path();
        let certificates = Path::new("/").join(certificates.strip_prefix(&root).expect("below it"));
        let mut command = self.command(PROGRAM);
        command
            .arg("kubelet")
            .args(arguments)
            .arg("--root")
            .arg(root);
        if arguments[0] == "install" {
            command.args(["--registry", "us.icr.io", "--env"]);
            command.args([
                format!("IBMCLOUD_API_KEY=@/{KEY}"),
                format!("IBMCLOUD_IAM_API_ENDPOINT={}", self.env.cloud.url()),
                format!("ICR_KEYCHAIN={}", self.keychain),
                format!("ICR_NAMESPACE={}", self.namespace),
                format!("SSL_CERT_FILE={}", certificates.display()),
            ]);
        }
        self.env.apply_to(&mut command);
        command.stdout(Stdio::piped());
        self.env.start_as(command, "")
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).finish()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome
    }

    /// Returns the modes and contents of all files that are not of this machine.
    fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.path("")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                let metadata = path.symlink_metadata().expect("an entry");
                let content = match metadata.is_file() {
                    true => fs::read(&path).expect("a file"),
                    false => Vec::new(),
                };
                if metadata.is_dir() {
                    directories.push(path.clone());
                }
                if !path.ends_with("restarts") && !path.starts_with(self.path("run")) {
                    files.insert(path, (metadata.mode(), content));
                }
            }
        }
        files
    }
}

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
            "rke2-server",
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
        let before = host.snapshot();
        host.succeeds(&["install"]);
        assert!(host.path(expected).exists(), "{expected}");
        assert!(!host.path(FLAGS).exists());
        assert_eq!(host.restarts(), format!("restart {restart}\n"));
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
    assert_eq!(files_below(&outside), [PathBuf::new(); 0]);
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
    assert_eq!(files_below(&outside), [PathBuf::new(); 0]);
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

#[test]
fn a_process_that_is_killed_leaves_nothing_that_cannot_be_undone() {
    let Some(host) = Host::create() else {
        return;
    };
    with_ecr(&host);
    let before = host.snapshot();
    for (kills, arguments) in [(8, &["install"][..]), (8, &["uninstall"])] {
        for number in 0..kills {
            if arguments == ["uninstall"] {
                host.succeeds(&["install"]);
            }
            let running = host.start(arguments);
            std::thread::sleep(Duration::from_millis(30 * number + 10));
            running.kill();
            host.succeeds(&["uninstall"]);
            let after = host.snapshot();
            let paths: Vec<_> = after
                .keys()
                .filter(|path| !before.contains_key(*path))
                .collect();
            assert!(after == before, "{arguments:?} {number}: {paths:?}");
        }
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
    wait_until("it is installed", || program.exists() && is_restarted());
    fs::remove_file(&program).expect("a file");
    wait_until("it is installed again", || program.exists());
    host.restarts();
    fs::remove_file(host.path(FLAGS)).expect("a file");
    wait_until("the kubelet is restarted", is_restarted);
    assert!(host.path(FLAGS).exists());
    let id = nix::unistd::Pid::from_raw(i32::try_from(running.id()).expect("small"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("it runs");
    assert_eq!(running.finish().status, Some(0));
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
