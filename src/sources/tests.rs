use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::fs::tests::write_own;
use crate::keychain::memory::MemoryKeychain;
use crate::settings::Settings;
use crate::time::fake::FakeClock;

pub(super) const NOW: u64 = 1_800_000_000;

/// A fake machine: files, variables, keychain and clock. It sends no requests.
pub(super) struct Machine {
    pub(super) clock: FakeClock,
    directory: TempDir,
    environment: Vec<(String, String)>,
    keychain: MemoryKeychain,
    locks: LockDirectory,
    pub(super) system_paths: SystemPaths,
}

impl Machine {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        Self {
            clock: FakeClock::at(NOW),
            environment: Vec::new(),
            keychain: MemoryKeychain::default(),
            locks: LockDirectory::at(None),
            system_paths: SystemPaths {
                home: Some(path("home")),
                root: path("root"),
                working_directory: path("here"),
            },
            directory,
        }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Writes the settings file.
    pub(super) fn settings(&mut self, text: &str) {
        let path = self.file("config/config.toml", text);
        self.set("ICR_CONFIG", &path.display().to_string());
    }

    /// Writes a file below `home`, `root`, `here` or `config`.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        write_own(&path, text);
        path
    }

    /// Returns the path of such a file, as messages show it.
    pub(super) fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        crate::fs::with_own_separators(&path).display().to_string()
    }

    /// Stores a login with this user name.
    pub(super) fn log_in(&self, scope: &LoginScope, username: &str) {
        let login = crate::login::Login::new(Credential {
            username: username.into(),
            secret: Secret::new("secret"),
        });
        let logins = Logins::in_keychain(&self.keychain);
        logins.write(scope, &login).unwrap();
    }

    pub(super) fn log_out(&self, scope: &LoginScope) {
        Logins::in_keychain(&self.keychain).delete(scope).unwrap();
    }

    pub(super) fn tokens(&self) -> TokenCache<'_> {
        TokenCache::new(&self.keychain, &self.clock)
    }

    /// Calls a function with the context of a registry.
    pub(super) fn look<T>(
        &self,
        host: &str,
        look: impl FnOnce(&Registry, &SourceContext<'_>) -> T,
    ) -> T {
        let environment: Environment = self.environment.iter().cloned().collect();
        let settings = Settings::load(&environment, None, None).unwrap();
        let registry = Registry::parse(host).unwrap();
        let resolved = settings.for_registry(&registry);
        let endpoint = resolved.iam_endpoint.clone();
        let endpoint = endpoint.unwrap_or_else(Endpoint::public);
        let context = SourceContext {
            settings: resolved,
            clock: &self.clock,
            endpoint,
            environment: &environment,
            locks: &self.locks,
            logins: Logins::in_keychain(&self.keychain),
            cached_logins: None,
            system_paths: &self.system_paths,
            working_directory_credentials: settings.working_directory_credentials,
            tokens: self.tokens(),
        };
        look(&registry, &context)
    }

    /// Returns what is found for the registry: the source's name in messages, `token …` or
    /// `credential …`.
    pub(super) fn found(&self, host: &str) -> Result<Option<String>> {
        self.look(host, |registry, context| {
            let read_login = |scope: &LoginScope| context.logins.read(scope);
            let resolved = find(registry, context, &read_login)?.resolved;
            Ok(resolved.map(|resolved| match resolved.identity {
                ResolvedIdentity::AccessToken(token) => format!("token {}", token.expose()),
                ResolvedIdentity::Credential(credential) => {
                    format!("credential {}", credential.username)
                }
                ResolvedIdentity::Exchanged(identity) => identity.source(),
            }))
        })
    }

    #[track_caller]
    pub(super) fn finds(&self, host: &str, part: &str) {
        let found = self.found(host).unwrap().unwrap_or_default();
        assert!(found.contains(part), "{found} instead of {part}");
    }

    #[track_caller]
    pub(super) fn fails_with(&self, parts: &[&str]) {
        let error = self.found("us.icr.io").unwrap_err();
        assert!(error.needs_user_action(), "{error:?}");
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    }
}

fn registry(host: &str) -> Registry {
    Registry::parse(host).unwrap()
}

/// Creates a machine on which all sources have a credential.
fn with_all_sources() -> Machine {
    let mut machine = Machine::new();
    machine.settings("[profile.team]\n[registry.\"de.icr.io\"]\nprofile = \"team\"\n");
    machine
        .set("IBMCLOUD_API_KEY", "key")
        .set("IBMCLOUD_CR_TOKEN", "cr-token")
        .set("IBMCLOUD_CR_PROFILE", "Profile-1")
        .set("IC_IAM_REFRESH_TOKEN", "refresh")
        .set("IBMCLOUD_CR_VPC_URL", "http://127.0.0.1:1")
        .set("IBMCLOUD_CR_PVS_URL", "http://127.0.0.1:2");
    for scope in [
        LoginScope::Profile("team".into()),
        LoginScope::Registry(registry("us.icr.io")),
        LoginScope::Registry(registry("de.icr.io")),
        LoginScope::Registry(registry("cp.icr.io")),
        LoginScope::Default,
    ] {
        machine.log_in(&scope, "iamapikey");
    }
    machine.file(
        "home/ibm-credentials.env",
        "CONTAINER_REGISTRY_APIKEY=key\n",
    );
    machine.file("home/.bluemix/config.json", r#"{"IAMRefreshToken":"r"}"#);
    machine.file("root/var/run/secrets/tokens/vault-token", "token");
    machine
}

/// The beginning of the name of the API key in the credentials file.
pub(super) const API_KEY_IN_FILE: &str = if cfg!(windows) {
    "API key in C:\\"
} else {
    "API key in /"
};

/// A source by its name, how it is removed, and the source that is active then.
type Step = (&'static str, fn(&mut Machine), &'static str);

const AFTER_LOGINS: [Step; 6] = [
    (
        "default login",
        |machine| machine.log_out(&LoginScope::Default),
        API_KEY_IN_FILE,
    ),
    (
        "credentials file",
        |machine| std::fs::remove_file(machine.file("home/ibm-credentials.env", "")).unwrap(),
        "the IBM Cloud CLI's session in",
    ),
    (
        "session",
        |machine| drop(machine.file("home/.bluemix/config.json", "{}")),
        "tokens/vault-token for trusted profile Profile-1",
    ),
    (
        "token file",
        |machine| {
            let path = machine.file("root/var/run/secrets/tokens/vault-token", "");
            std::fs::remove_file(path).unwrap();
        },
        "this machine for trusted profile Profile-1",
    ),
    (
        "VPC",
        |machine| machine.unset("IBMCLOUD_CR_VPC_URL"),
        "this machine for trusted profile Profile-1",
    ),
    (
        "Power VS",
        |machine| machine.unset("IBMCLOUD_CR_PVS_URL"),
        "nothing",
    ),
];

const ENVIRONMENT: [Step; 3] = [
    (
        "key",
        |machine| machine.unset("IBMCLOUD_API_KEY"),
        "the compute resource token in $IBMCLOUD_CR_TOKEN",
    ),
    (
        "compute resource token",
        |machine| machine.unset("IBMCLOUD_CR_TOKEN"),
        "the token in $IC_IAM_REFRESH_TOKEN",
    ),
    (
        "tokens",
        |machine| machine.unset("IC_IAM_REFRESH_TOKEN"),
        "the login for",
    ),
];

#[track_caller]
fn sources_follow_each_other(host: &str, mut machine: Machine, first: &str, steps: &[Step]) {
    machine.finds(host, first);
    for (name, remove, next) in steps {
        remove(&mut machine);
        let found = machine.found(host).unwrap();
        let found = found.as_deref().unwrap_or("nothing");
        assert!(found.contains(next), "without {name}: {found}");
    }
}

fn without_login_for(host: &'static str) -> Vec<Step> {
    let remove: fn(&mut Machine) = match host {
        "cp.icr.io" => |machine| machine.log_out(&LoginScope::Registry(registry("cp.icr.io"))),
        _ => |machine| machine.log_out(&LoginScope::Registry(registry("us.icr.io"))),
    };
    vec![("own login", remove, "the default login")]
}

#[test]
fn sources_are_used_in_the_documented_order() {
    let mut steps = Vec::from(ENVIRONMENT);
    steps.extend(without_login_for("us.icr.io"));
    steps.extend(AFTER_LOGINS);
    sources_follow_each_other("us.icr.io", with_all_sources(), "$IBMCLOUD_API_KEY", &steps);
}

#[test]
fn the_login_of_a_profile_comes_first_and_the_default_login_is_not_used() {
    let mut steps: Vec<Step> = vec![(
        "login of the profile",
        |machine| machine.log_out(&LoginScope::Profile("team".into())),
        "$IBMCLOUD_API_KEY",
    )];
    steps.extend(ENVIRONMENT);
    steps.push((
        "own login",
        |machine| machine.log_out(&LoginScope::Registry(registry("de.icr.io"))),
        API_KEY_IN_FILE,
    ));
    steps.extend(&AFTER_LOGINS[1..]);
    let first = "the login for profile 'team'";
    sources_follow_each_other("de.icr.io", with_all_sources(), first, &steps);
}

#[test]
fn the_entitled_registry_uses_its_own_login_first() {
    let machine = with_all_sources();
    machine.finds("cp.icr.io", "the login for cp.icr.io");
    machine.log_in(&LoginScope::Registry(registry("cp.icr.io")), "cp");
    machine.finds("cp.icr.io", "credential cp");
    machine.log_out(&LoginScope::Registry(registry("cp.icr.io")));
    machine.finds("cp.icr.io", "$IBMCLOUD_API_KEY");
}

#[test]
fn a_selected_source_is_the_only_one_used() {
    for (name, part) in [
        ("compute-resource-token", "tokens/vault-token"),
        ("credentials-file", API_KEY_IN_FILE),
        ("environment", "$IBMCLOUD_API_KEY"),
        ("ibmcloud", "the IBM Cloud CLI's session"),
        ("login", "the login for us.icr.io"),
        ("power-vs", "this machine"),
        ("vpc", "this machine"),
    ] {
        let mut machine = with_all_sources();
        machine.set("ICR_SOURCE", name);
        machine.finds("us.icr.io", part);
        let mut machine = Machine::new();
        machine.set("ICR_SOURCE", name);
        let outcome = machine.found("us.icr.io");
        match name {
            "login" => assert_eq!(outcome, Ok(None)),
            "power-vs" | "vpc" => assert!(outcome.unwrap().is_some()),
            _ => {
                let text = outcome.unwrap_err().to_string();
                assert!(text.contains(&format!("is '{name}', but")), "{text}");
            }
        }
    }
}

#[test]
fn nothing_is_found_without_credentials() {
    assert_eq!(Machine::new().found("us.icr.io"), Ok(None));
}
