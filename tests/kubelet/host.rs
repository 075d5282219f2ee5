//! A machine that is a directory: the root directory of a node, with a stand-in for systemctl.

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
pub(crate) const CONFIG: &str = "etc/kubernetes/credential-provider.yaml";
pub(crate) const PROGRAMS: &str = "usr/local/libexec/kubelet-credential-providers";
pub(crate) const FLAGS: &str = "etc/default/kubelet";
pub(crate) const ECR: &str = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n# of AWS\n- name: ecr-credential-provider\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages: [\"*.amazonaws.com\"]\n  defaultCacheDuration: 12h\n";

/// The root directory of a machine.
pub(crate) struct Host {
    pub(crate) env: TestEnv,
    namespace: String,
    keychain: String,
    authority: Authority,
}

impl Host {
    /// Creates a node of kubeadm. Returns `None`, and says so, without the right to change the root directory.
    pub(crate) fn create() -> Option<Self> {
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
            "tmp",
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

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.env.path("host").join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the test may create it");
        fs::write(path, text).expect("the test may write it");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect(path)
    }

    /// Writes the stand-in for systemctl, which records what it restarts. It cannot show the state of units.
    pub(crate) fn systemctl(&self, rest: &str) {
        self.systemctl_with_states("exit 1", rest);
    }

    /// Writes a stand-in for systemctl that can show the state of units.
    pub(crate) fn systemctl_with_states(&self, show: &str, rest: &str) {
        let path = self.path("usr/local/sbin/systemctl");
        fs::create_dir_all(path.parent().expect("a directory")).expect("the test may create it");
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = show ]; then\n{show}\nexit\nfi\necho \"$@\" >> /restarts\n{rest}\n"
        );
        write_executable(text.as_bytes(), &path);
    }

    /// Returns what systemctl was called with, and forgets it.
    pub(crate) fn restarts(&self) -> String {
        let calls = fs::read_to_string(self.path("restarts")).unwrap_or_default();
        let _ = fs::remove_file(self.path("restarts"));
        calls
    }

    /// Returns the command that runs a program where the machine has the programs of this one.
    pub(crate) fn command(&self, program: &str) -> Command {
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

    /// Returns the variables of the provider: the identity, and those that separate the test from others.
    pub(crate) fn variables(&self) -> [String; 5] {
        let certificates = self.authority.certificate_path();
        let certificates = certificates.strip_prefix(self.path("")).expect("below it");
        [
            format!("IBMCLOUD_API_KEY=@/{KEY}"),
            format!("IBMCLOUD_IAM_API_ENDPOINT={}", self.env.cloud.url()),
            format!("ICR_KEYCHAIN={}", self.keychain),
            format!("ICR_NAMESPACE={}", self.namespace),
            format!("SSL_CERT_FILE=/{}", certificates.display()),
        ]
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let root = self.path("");
        let mut command = self.command(PROGRAM);
        command
            .arg("kubelet")
            .args(arguments)
            .arg("--root")
            .arg(root);
        if arguments[0] == "install" {
            command.args(["--registry", "us.icr.io", "--env"]);
            command.args(self.variables());
        }
        self.start_command(command)
    }

    pub(crate) fn start_command(&self, mut command: Command) -> Running {
        self.env.apply_to(&mut command);
        command.stdout(Stdio::piped());
        self.env.start_as(command, "")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).finish()
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome
    }

    /// Returns the modes and contents of all files that are not of this machine.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.path("")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                let metadata = path.symlink_metadata().expect("an entry");
                let content = if metadata.is_file() {
                    fs::read(&path).expect("a file")
                } else {
                    Vec::new()
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

/// Asks a process to end, when it listens.
pub(crate) fn terminate(running: Running) -> Outcome {
    let status = format!("/proc/{}/status", running.id());
    // SIGTERM is the bit 14 of the signals that are caught (`proc_pid_status(5)`).
    let listens = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let mut lines = status
            .lines()
            .filter_map(|line| line.strip_prefix("SigCgt:"));
        let caught = lines
            .next()
            .map(|mask| u64::from_str_radix(mask.trim(), 16));
        caught.is_some_and(|mask| mask.is_ok_and(|mask| mask & (1 << 14) != 0))
    };
    wait_until("it listens", listens);
    let id = nix::unistd::Pid::from_raw(i32::try_from(running.id()).expect("small"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("it runs");
    running.finish()
}
