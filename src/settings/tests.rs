use std::time::Duration;

use super::*;
use crate::fs::tests::write_own;
use crate::iam::trusted_profile::TrustedProfile;

mod errors;
mod system_files;

fn load(text: &str) -> Result<Settings> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    write_own(&path, text);
    let environment = [(environment::CONFIG, path)].into_iter().collect();
    Settings::load(&environment, None, None)
}

#[test]
fn without_a_file_the_defaults_apply() {
    let settings = Settings::load(
        &Environment::default(),
        Some(Path::new("/nonexistent")),
        None,
    )
    .unwrap();
    assert_eq!(settings.keychain, KeychainChoice::Auto);
    assert_eq!(settings.limits.deadline, Duration::from_secs(20));
    let mut empty = load("").unwrap();
    empty.files.clone_from(&settings.files);
    assert_eq!(settings, empty, "an empty file changes nothing");
}

#[test]
fn variables_take_precedence_over_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("docker-credential-icr");
    std::fs::create_dir(&folder).unwrap();
    write_own(
        &folder.join("config.toml"),
        "keychain = \"kernel\"\nregistries = [\"eu9.icr.io\", \"localhost:5000\"]\ndeadline = 5\nnamespace = \"a\"\n",
    );
    let file = Settings::load(&Environment::default(), Some(directory.path()), None).unwrap();
    assert_eq!(file.keychain, KeychainChoice::Kernel);
    assert_eq!(file.registries[1].host(), "localhost:5000");
    assert_eq!(file.limits.deadline, Duration::from_secs(5));
    let environment = [
        (environment::KEYCHAIN, "secret-service"),
        (environment::NAMESPACE, "b"),
        (environment::IAM_ENDPOINT, "https://iam.example.com"),
    ]
    .into_iter()
    .collect();
    let both = Settings::load(&environment, Some(directory.path()), None).unwrap();
    assert_eq!(both.keychain, KeychainChoice::SecretService);
    assert_eq!(both.namespace, "b");
    assert!(both.iam_endpoint.is_some());
}

/// Two accounts, with the keys that each source allows.
const TWO_ACCOUNTS: &str = r#"
    registries = ["eu9.icr.io"]
    [profile.team-a]
    source = "login"
    trusted-profile = "builders"
    account = "1a2b"
    private-endpoints = true
    credential = "iamrefresh"
    [profile.team-b]
    source = "credentials-file"
    file = "~/b.env"
    iam-endpoint = "https://iam.example.com"
    [registry."https://US.icr.io/v2/"]
    profile = "team-a"
    [registry."stg.icr.io"]
    profile = "team-a"
    [registry."eu9.icr.io"]
    profile = "team-b"
    [registry."de.icr.io"]
"#;

fn load_with(text: &str, variables: &[(&str, &str)]) -> Settings {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    write_own(&path, text);
    let home = if cfg!(windows) { r"C:\home" } else { "/home/x" };
    let path = path.to_str().unwrap().to_owned();
    let all = [(environment::CONFIG, &*path), (environment::HOME, home)];
    let environment = all.iter().chain(variables).copied().collect();
    Settings::load(&environment, None, None).unwrap()
}

fn at(host: &str) -> Registry {
    Registry::parse(host).unwrap()
}

#[test]
fn each_registry_has_the_settings_of_its_profile() {
    let settings = load_with(TWO_ACCOUNTS, &[]);
    let a = settings.profile("team-a");
    let us = settings.for_registry(&at("us.icr.io"));
    assert_eq!(us.profile, a);
    assert_eq!(us.source, Some(SourceName::Login));
    assert_eq!(us.iam_endpoint, Some(Endpoint::private()));
    assert_eq!(us.credential, CredentialKind::RefreshToken);
    let builders = TrustedProfile::Name {
        name: "builders".into(),
        account: Some("1a2b".into()),
    };
    assert_eq!(us.trusted_profile, Some(&builders));
    let staging = settings.for_registry(&at("stg.icr.io"));
    assert_eq!(staging.profile, a);
    assert_eq!(staging.iam_endpoint, None, "staging keeps its own IAM");
    let eu9 = settings.for_registry(&at("eu9.icr.io"));
    let moved = Endpoint::parse("https://iam.example.com").unwrap();
    assert_eq!(eu9.iam_endpoint, Some(moved));
    let home = Path::new(if cfg!(windows) { r"C:\home" } else { "/home/x" });
    assert_eq!(eu9.file, Some(&*home.join("b.env")));
    for host in ["de.icr.io", "uk.icr.io"] {
        let nothing = ResolvedSettings {
            profile: None,
            source: None,
            iam_endpoint: None,
            credential: CredentialKind::AccessToken,
            trusted_profile: None,
            file: None,
        };
        assert_eq!(settings.for_registry(&at(host)), nothing, "{host}");
    }
}

#[test]
fn variables_take_precedence_over_profiles() {
    let endpoint = (environment::IAM_ENDPOINT, "https://elsewhere.example.com");
    let settings = load_with(
        TWO_ACCOUNTS,
        &[
            (environment::PROFILE, "team-b"),
            (environment::SOURCE, "vpc"),
            endpoint,
        ],
    );
    for host in ["us.icr.io", "de.icr.io", "eu9.icr.io"] {
        let resolved = settings.for_registry(&at(host));
        assert_eq!(resolved.profile, settings.selected_profile());
        assert_eq!(resolved.profile, settings.profile("team-b"));
        assert_eq!(resolved.source, Some(SourceName::Vpc));
        assert_eq!(resolved.file, None, "vpc reads no file");
        assert_eq!(resolved.iam_endpoint.unwrap().base(), endpoint.1);
    }
    let same_source = [
        (environment::PROFILE, "team-b"),
        (environment::SOURCE, "credentials-file"),
    ];
    let settings = load_with(TWO_ACCOUNTS, &same_source);
    assert!(settings.for_registry(&at("de.icr.io")).file.is_some());
}

/// Creates a directory with a settings file, like `/etc` and `~/.config`.
fn directory_with(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write_own(&directory.path().join(PROGRAM).join("config.toml"), text);
    directory
}

#[test]
fn the_users_file_takes_precedence_over_the_systems() {
    let system = directory_with(
        r#"
        deadline = 30
        attempt-timeout = 3
        registries = ["a.example", "b.example"]
        profile.shared.source = "vpc"
        profile.changed = { source = "vpc", credential = "iamapikey" }
        registry."us.icr.io".profile = "changed"
        registry."de.icr.io".profile = "shared"
        registry."c.example".profile = "shared"
        "#,
    );
    let user = directory_with(
        r#"
        deadline = 40
        working-directory-credentials = true
        background-refresh = false
        registries = ["b.example", "c.example"]
        profile.changed.source = "login"
        registry."US.icr.io" = {}
        registry."uk.icr.io".profile = "shared"
        "#,
    );
    let environment = Environment::default();
    let load = |user, system| Settings::load(&environment, user, system);
    let error = load(None, Some(system.path())).unwrap_err().to_string();
    assert!(error.contains("c.example"), "{error}");
    let settings = load(Some(user.path()), Some(system.path())).unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(40));
    assert_eq!(settings.limits.attempt, Duration::from_secs(3));
    assert!(settings.working_directory_credentials && !settings.background_refresh);
    let hosts: Vec<&str> = settings.registries.iter().map(Registry::host).collect();
    assert_eq!(hosts, ["a.example", "b.example", "c.example"]);
    let changed = settings.profile("changed").unwrap();
    assert_eq!(
        changed.source,
        Some(SourceSelection::Source(SourceName::Login))
    );
    assert_eq!(changed.credential, CredentialKind::AccessToken);
    let of = |host| settings.for_registry(&at(host)).profile.map(|it| &*it.name);
    assert_eq!(of("us.icr.io"), None, "the user's table has none");
    for host in ["de.icr.io", "uk.icr.io", "c.example"] {
        assert_eq!(of(host), Some("shared"), "{host}");
    }
    let path = |directory: &tempfile::TempDir| {
        DefinedIn::File(directory.path().join(PROGRAM).join("config.toml"))
    };
    for (key, origin) in [
        ("deadline", path(&user)),
        ("attempt-timeout", path(&system)),
        ("connect-timeout", DefinedIn::Default),
        ("profile.shared", path(&system)),
        ("profile.changed", path(&user)),
        ("registry.us.icr.io", path(&user)),
        ("registry.de.icr.io", path(&system)),
        ("registries.a.example", path(&system)),
        ("registries.c.example", path(&user)),
    ] {
        assert_eq!(settings.origin(key), &origin, "{key}");
    }
}
