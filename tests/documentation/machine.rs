//! A machine for the commands of the documentation: the program, stand-ins for clients, IAM and two registries.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::page::Block;
use crate::support::TestEnv;
use crate::terminal;

/// The API key of the person at this machine.
pub(crate) const KEY: &str = "API-KEY-OF-A-READER-71cf";

/// The refresh token of the IBM Cloud CLI's session.
const SESSION: &str = "REFRESH-TOKEN-OF-THE-CLI-20ab";

/// The programs that `client` stands in for.
const CLIENTS: [&str; 11] = [
    "buildah", "cf", "crane", "docker", "helm", "kubectl", "nerdctl", "oras", "podman", "skopeo",
    "sudo",
];

/// The variables of CI systems that name a commit.
const COMMIT_VARIABLES: [&str; 3] = ["CI_COMMIT_SHA", "GIT_COMMIT", "GITHUB_SHA"];

pub(crate) struct Machine {
    env: TestEnv,
}

impl Machine {
    /// Creates a machine with these settings and without logins. Returns `None` if the kernel keyring cannot be used here.
    pub(crate) fn create(settings: &str) -> Option<Self> {
        let mut env = TestEnv::with_keychain()?.with_registry();
        let hosts = env.registries();
        env.add_api_key(KEY, "reader");
        env.file("key", KEY);
        let bin = env.path("bin");
        fs::create_dir(&bin).expect("a new directory");
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documentation/client");
        for client in CLIENTS {
            symlink(&stand_in, bin.join(client)).expect("a new directory");
        }
        symlink(
            env!("CARGO_BIN_EXE_docker-credential-icr"),
            bin.join("docker-credential-icr"),
        )
        .expect("a new directory");
        env.set("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .set("TERM", "xterm")
            .set("DOCUMENTED_REGISTRIES", hosts.join(" "))
            .set("DOCUMENTED_KEY", KEY);
        let machine = Self { env };
        let settings = machine.with_real_names(settings);
        machine
            .env
            .settings(&format!("registries = {hosts:?}\n{settings}"));
        Some(machine)
    }

    /// Stores a login for all registries.
    pub(crate) fn log_in(&self) {
        self.run(
            "the login before it",
            "docker-credential-icr login --api-key @key",
            &[],
        );
    }

    /// Does the same, and adds the helper to Docker and Podman.
    pub(crate) fn log_in_and_configure(&self) {
        self.log_in();
        let command = "docker-credential-icr configure --registry us.icr.io de.icr.io";
        self.run("the configuration before it", command, &[]);
    }

    /// Creates a session of the IBM Cloud CLI. `ibmcloud cr login` has stored its refresh token in Docker's file.
    pub(crate) fn log_in_with_the_cli(&self) {
        self.env.add_refresh_token(SESSION, "reader");
        self.env.cli_session(&json!({"IAMRefreshToken": SESSION}));
        let auth = STANDARD.encode(format!("iamrefresh:{SESSION}"));
        self.write_docker_file(&json!({"auths": {"us.icr.io": {"auth": auth}}}).to_string());
    }

    pub(crate) fn write_docker_file(&self, text: &str) {
        self.env
            .file("home/.docker/config.json", &self.with_real_names(text));
    }

    /// Runs commands, which must succeed and show no secret.
    pub(crate) fn run(&self, place: &str, commands: &str, variables: &[(&str, &str)]) {
        let outcome = self.outcome(commands, variables);
        let shown =
            [&outcome.stdout, &outcome.stderr].map(|output| String::from_utf8_lossy(output));
        assert!(
            outcome.status.success(),
            "{place}: {}\n{}{}",
            outcome.status,
            shown[0],
            shown[1]
        );
        self.shows_no_secret(place, &shown.concat());
    }

    /// Runs the commands of a CI job, which has an API key.
    pub(crate) fn run_in_ci(&self, place: &str, commands: &str) {
        let mut variables = vec![("IBMCLOUD_API_KEY", KEY)];
        variables.extend(COMMIT_VARIABLES.map(|name| (name, "0123abcd")));
        self.run(place, commands, &variables);
    }

    pub(crate) fn outcome(&self, commands: &str, variables: &[(&str, &str)]) -> Output {
        // A shell of a person has a prompt.
        let script = format!("PS1='$ '\nset -euo pipefail\n{commands}");
        let mut shell = self.shell(&script);
        shell.envs(variables.iter().copied()).stdin(Stdio::null());
        shell.output().expect("a shell")
    }

    /// Types commands at a terminal and answers all questions.
    pub(crate) fn type_commands(&self, block: &Block) {
        let shell = self.shell(&terminal::script(&block.text));
        let shown = terminal::shown(shell, KEY, &block.place);
        self.shows_no_secret(&block.place, &shown);
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("/bin/bash");
        shell.args(["-c", &self.with_real_names(script)]);
        self.env.apply_to(&mut shell);
        shell
    }

    /// Replaces the registries of the documentation with those of this machine, and the path of a key.
    fn with_real_names(&self, text: &str) -> String {
        let [first, second] = self.env.registries();
        let key = self.env.path("key").display().to_string();
        text.replace("us.icr.io", &first)
            .replace("de.icr.io", &second)
            .replace("/path/to/key", &key)
    }

    fn shows_no_secret(&self, place: &str, shown: &str) {
        for secret in self.env.secrets().iter() {
            assert!(!shown.contains(secret), "{place} shows {secret}");
        }
    }
}
