//! The environment of the measured programs: a home, an emulated IBM Cloud and a desktop.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::ensure;
use icr_emulator::Authority;
use icr_emulator::Emulator;
use icr_emulator::Subject;
use tempfile::TempDir;

use crate::desktop::Desktop;
use crate::keys;
use crate::stopwatch::Program;

/// The emulator's API key.
const API_KEY: &str = "measured-api-key";

/// The registry of measurements that need only one.
pub(crate) const REGISTRY: &str = "us.icr.io";

/// The logins and all keys of [`Storage::FullKernel`].
const LOGINS: usize = 1000;
const KEYS: usize = 5000;

/// Everything that a measurement needs. Keys, processes and files are removed when it is dropped.
pub(crate) struct Environment {
    pub(crate) cloud: Emulator,
    pub(crate) desktop: Desktop,
    pub(crate) helper: PathBuf,
    pub(crate) home: TempDir,
    authority: Authority,
    cold: Cell<usize>,
    namespace: String,
}

/// Where the helper's secrets are stored.
#[derive(Clone, Copy)]
pub(crate) enum Storage {
    /// An API key in the environment, tokens in the kernel keyring.
    EnvironmentKey,
    /// All in the kernel keyring.
    Kernel,
    /// All in the kernel keyring, with 1,000 logins among 5,000 keys.
    FullKernel,
    /// The login in GNOME Keyring, tokens in the kernel keyring.
    Desktop,
    /// All in GNOME Keyring.
    SecretService,
    /// The login in a file of systemd-creds, tokens in the kernel keyring.
    SystemdCreds,
    /// The login in a store of pass whose key has no passphrase, tokens in the kernel keyring.
    Pass,
}

impl Environment {
    /// Starts the cloud and the desktop.
    pub(crate) fn open(helper: &Path) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let authority = Authority::create(home.path().join("tls"))?;
        let cloud = Emulator::builder().tls(&authority, &[]).start()?;
        cloud.accounts().add_api_key(API_KEY, Subject::user("1"));
        Ok(Self {
            cloud,
            desktop: Desktop::start(home.path())?,
            helper: helper
                .canonicalize()
                .with_context(|| helper.display().to_string())?,
            home,
            authority,
            cold: Cell::new(0),
            namespace: format!("speed-{}", std::process::id()),
        })
    }

    /// Returns `get` of a helper that has a cached token.
    pub(crate) fn hot(&self, storage: Storage) -> anyhow::Result<Program> {
        let namespace = self.namespace_of(storage);
        if matches!(storage, Storage::Pass) {
            self.create_password_store()?;
        }
        if !matches!(storage, Storage::EnvironmentKey) {
            let mut store = self.helper_command(storage, &namespace);
            self.run(store.arg("store"), &login(REGISTRY))?;
        }
        let mut command = self.helper_command(storage, &namespace);
        command.arg("get");
        let answer = self.run(&mut command, REGISTRY)?;
        ensure!(
            answer.contains("iambearer"),
            "there is no token in {answer}"
        );
        Ok(Program {
            command,
            input: self.input(REGISTRY)?,
        })
    }

    /// Removes the cached tokens of a helper.
    pub(crate) fn remove_tokens(&self, storage: Storage) {
        keys::remove_tokens(&self.namespace_of(storage));
    }

    fn create_password_store(&self) -> anyhow::Result<()> {
        let script = "mkdir -m 700 \"$GNUPGHOME\" && gpg --batch --quiet --pinentry-mode loopback --passphrase '' \\
            --quick-gen-key speed@example.com default default never && pass init speed@example.com";
        let mut command = self.helper_command(Storage::Pass, "");
        let mut shell = self.command("sh");
        let variables = command.env("LC_ALL", "C").get_envs();
        shell.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        self.run(shell.args(["-c", script]), "").map(drop)
    }

    /// Fills the kernel keyring for [`Storage::FullKernel`].
    pub(crate) fn fill_kernel(&self) -> anyhow::Result<()> {
        let namespace = self.namespace_of(Storage::FullKernel);
        for number in 1..LOGINS {
            let host = format!("host-{number}.example.com");
            let settings = self.home.path().join("full.toml");
            fs::write(&settings, format!("registries = ['{host}']\n"))?;
            let mut store = self.helper_command(Storage::FullKernel, &namespace);
            store.arg("store").env("ICR_CONFIG", settings);
            self.run(&mut store, &login(&host))?;
        }
        keys::add(&namespace, KEYS - LOGINS)
    }

    /// Removes what [`Environment::fill_kernel`] stored.
    pub(crate) fn empty_kernel(&self) {
        keys::remove(&self.namespace_of(Storage::FullKernel));
    }

    /// Returns a command of a helper that has a cached token.
    pub(crate) fn with_token(&self, storage: Storage, verb: &str) -> anyhow::Result<Program> {
        self.hot(storage)?;
        let mut command = self.helper_command(storage, &self.namespace_of(storage));
        command.arg(verb);
        Ok(Program {
            command,
            input: self.input("")?,
        })
    }

    /// Returns an answer to the kubelet of a helper that has a cached token.
    pub(crate) fn hot_kubelet(&self) -> anyhow::Result<Program> {
        let Program { command, .. } = self.with_token(Storage::Kernel, "kubelet")?;
        let request = format!(
            r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"{REGISTRY}/ns/app"}}"#
        );
        Ok(Program {
            command,
            input: self.input(&request)?,
        })
    }

    /// Returns `status` of a helper that has a cached token.
    pub(crate) fn status(&self, storage: Storage) -> anyhow::Result<Program> {
        self.hot(storage)?;
        let namespace = self.namespace_of(storage);
        let mut command = self.helper_command(storage, &namespace);
        command.arg("status");
        let answer = self.run(&mut command, "")?;
        ensure!(answer.contains(" min "), "no token is shown in {answer}");
        Ok(Program {
            command,
            input: self.input("")?,
        })
    }

    /// Returns `get` of a helper without tokens, with an API key in the environment.
    pub(crate) fn cold(&self) -> anyhow::Result<Program> {
        self.remove_cold_tokens();
        self.cold.set(self.cold.get() + 1);
        let namespace = format!("{}-cold-{}", self.namespace, self.cold.get());
        let mut command = self.helper_command(Storage::EnvironmentKey, &namespace);
        command.arg("get");
        Ok(Program {
            command,
            input: self.input(REGISTRY)?,
        })
    }

    /// Returns curl's request for a token, the same as that of a cold `get`.
    pub(crate) fn token_request_by_curl(&self) -> anyhow::Result<Program> {
        let url = format!("{}/identity/token", self.cloud.url());
        let form = format!("grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={API_KEY}");
        let certificate = self.authority.certificate_path().display().to_string();
        let arguments = [
            "--silent",
            "--fail",
            "--cacert",
            &certificate,
            "--data",
            &form,
            &url,
        ];
        self.program("curl", &arguments, "")
    }

    /// Removes the tokens of cold measurements, because a user's keyring is small.
    pub(crate) fn remove_cold_tokens(&self) {
        keys::remove(&format!("{}-cold-", self.namespace));
    }

    /// Returns another program in the environment of all measured programs.
    pub(crate) fn program(
        &self,
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Program> {
        let mut command = self.command(program);
        command.args(arguments);
        Ok(Program {
            command,
            input: self.input(input)?,
        })
    }

    /// Returns Debian's helper. It needs the bus, too.
    pub(crate) fn other_helper(&self, verb: &str, input: &str) -> anyhow::Result<Program> {
        let mut program = self.program("docker-credential-secretservice", &[verb], input)?;
        program
            .command
            .env("DBUS_SESSION_BUS_ADDRESS", self.desktop.address());
        Ok(program)
    }

    /// Returns an error if a program gets variables that it does not need. Cargo, for one, gives benchmarks an
    /// `LD_LIBRARY_PATH` with four directories, and every dynamically linked program searches them at its start.
    pub(crate) fn ensure_it_is_bare(&self) -> anyhow::Result<()> {
        let mut env = self.program("/usr/bin/env", &[], "")?;
        let variables = self.run(&mut env.command, "")?;
        let mut names: Vec<&str> = variables
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0))
            .collect();
        names.sort_unstable();
        ensure!(
            names == ["HOME", "PATH"],
            "measured programs get these variables: {names:?}"
        );
        Ok(())
    }

    /// Every measured program begins with this command: with the same bare environment.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin");
        command
    }

    /// Runs a command to its end and returns its answer.
    pub(crate) fn run(&self, command: &mut Command, input: &str) -> anyhow::Result<String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("no stdin")?
            .write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        let answer = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{command:?} answered {answer}");
        Ok(answer)
    }

    /// Returns a file that contains `text`.
    pub(crate) fn input(&self, text: &str) -> anyhow::Result<PathBuf> {
        let path = self
            .home
            .path()
            .join(format!("input-{}", text.replace('/', "-")));
        fs::write(&path, text)?;
        Ok(path)
    }

    fn namespace_of(&self, storage: Storage) -> String {
        format!("{}-{}", self.namespace, storage as u8)
    }

    fn helper_command(&self, storage: Storage, namespace: &str) -> Command {
        let mut command = self.command(&self.helper);
        command
            .env("ICR_NAMESPACE", namespace)
            .env("IBMCLOUD_IAM_API_ENDPOINT", self.cloud.url())
            .env("SSL_CERT_FILE", self.authority.certificate_path());
        match storage {
            Storage::EnvironmentKey => command.env("IBMCLOUD_API_KEY", API_KEY),
            Storage::Kernel | Storage::FullKernel => command.env("ICR_KEYCHAIN", "kernel"),
            Storage::Desktop => command.env("DBUS_SESSION_BUS_ADDRESS", self.desktop.address()),
            Storage::SecretService => command
                .env("ICR_KEYCHAIN", "secret-service")
                .env("DBUS_SESSION_BUS_ADDRESS", self.desktop.address()),
            Storage::SystemdCreds => command
                .env("ICR_KEYCHAIN", "systemd-creds")
                .env("XDG_STATE_HOME", self.home.path().join("state"))
                .env(
                    "SYSTEMD_CREDENTIAL_SECRET",
                    self.home.path().join("credential.secret"),
                ),
            Storage::Pass => command
                .env("ICR_KEYCHAIN", "pass")
                .env("GNUPGHOME", self.home.path().join("gnupg"))
                .env("PASSWORD_STORE_DIR", self.home.path().join("passwords")),
        };
        command
    }
}

/// Returns what a client sends to store a login for a host.
fn login(host: &str) -> String {
    format!(r#"{{"ServerURL":"{host}","Username":"iamapikey","Secret":"{API_KEY}"}}"#)
}

impl Drop for Environment {
    fn drop(&mut self) {
        // GnuPG's agent ends when its directory is removed, but not at once.
        let mut agent = self.command("gpgconf");
        agent.env("GNUPGHOME", self.home.path().join("gnupg"));
        let _ = agent.args(["--kill", "all"]).output();
        keys::remove(&self.namespace);
    }
}
