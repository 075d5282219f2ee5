//! Which hosts get a credential, and which do not.

mod support;

use support::TestEnv;

/// `registry_overview.md` of the Registry documentation: public, private and deprecated hosts; then the entitled registry and
/// IBM's staging.
const HOSTS: [&str; 36] = [
    "icr.io",
    "us.icr.io",
    "uk.icr.io",
    "de.icr.io",
    "au.icr.io",
    "jp.icr.io",
    "jp2.icr.io",
    "ca.icr.io",
    "ca2.icr.io",
    "br.icr.io",
    "es.icr.io",
    "fr2.icr.io",
    "in.icr.io",
    "in2.icr.io",
    "private.icr.io",
    "private.us.icr.io",
    "private.uk.icr.io",
    "private.de.icr.io",
    "private.au.icr.io",
    "private.jp.icr.io",
    "private.jp2.icr.io",
    "private.ca.icr.io",
    "private.ca2.icr.io",
    "private.br.icr.io",
    "private.es.icr.io",
    "private.fr2.icr.io",
    "private.in.icr.io",
    "private.in2.icr.io",
    "registry.bluemix.net",
    "registry.ng.bluemix.net",
    "registry.eu-gb.bluemix.net",
    "registry.eu-de.bluemix.net",
    "registry.au-syd.bluemix.net",
    "cp.icr.io",
    "stg.icr.io",
    "cp.stg.icr.io",
];

/// Hosts that are similar, but not registries.
const FOREIGN: [&str; 44] = [
    "docker.io",
    "https://index.docker.io/v1/",
    "localhost:5000",
    "127.0.0.1",
    "evil-icr.io",
    "evilicr.io",
    "xx.icr.io",
    "icr.io.evil.com",
    "us.icr.io.evil.com",
    "us.icr.io.",
    ".us.icr.io",
    "us..icr.io",
    "x.us.icr.io",
    "x.private.us.icr.io",
    "private.cp.icr.io",
    "bluemix.net",
    "registry.jp-tok.bluemix.net",
    "dd0.icr.io",
    "dd2.icr.io",
    "dd0.us.icr.io",
    "us.icr.io@evil.com",
    "https://us.icr.io@evil.com/",
    "https://us.icr.io:443@evil.com/",
    "https://user:password@us.icr.io",
    "user@us.icr.io",
    "evil.com/us.icr.io",
    "evil.com?us.icr.io",
    "evil.com#us.icr.io",
    "us.icr.io#.evil.com",
    "us.icr.io/#@evil.com",
    r"us.icr.io\.evil.com",
    r"us.icr.io\@evil.com",
    r"evil.com\us.icr.io",
    "us.icr.io%2eevil.com",
    "us%2eicr.io",
    "us.icr.io:8443",
    "us.icr.io:443:443",
    "https://us.icr.io:80",
    "ftp://us.icr.io",
    "//us.icr.io",
    "us.icr.iо",   // the last letter is Cyrillic
    "us.ıcr.io",   // a dotless i
    "us。icr。io", // ideographic full stops
    "us.icr.io us.icr.io",
];

const SPELLINGS: [&str; 12] = [
    "us.icr.io",
    "US.ICR.IO",
    "Us.Icr.Io:443",
    "https://us.icr.io",
    "HTTPS://us.icr.io/",
    "https://us.icr.io/v2/",
    "https://us.icr.io:443/v1/",
    "http://us.icr.io",
    "us.icr.io/",
    "us.icr.io/namespace/repository",
    "us.icr.io/namespace/repository:tag@sha256:0123",
    "us.icr.io?account=1",
];

#[test]
fn every_host_of_ibms_table_gets_a_credential() {
    let env = TestEnv::with_environment_key();
    for host in HOSTS {
        env.get(host).is_credential("iambearer");
    }
    assert_eq!(env.cloud.exchanges(), HOSTS.len());
}

#[test]
fn every_spelling_of_an_address_is_the_same_registry() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    for stored in SPELLINGS {
        env.store(stored, "user", stored_secret(stored))
            .is_silent_success();
        env.list().is_list(&[("us.icr.io", "user")]);
        for asked in SPELLINGS {
            let secret = env.get(asked).is_credential("user");
            assert_eq!(
                secret,
                stored_secret(stored),
                "stored for {stored}, asked for {asked}"
            );
        }
        env.erase(stored).is_silent_success();
        env.get("us.icr.io").is_not_found();
    }
}

/// Returns one of two secrets in turn, so that the test fails if an old one is returned.
fn stored_secret(spelling: &str) -> &'static str {
    match spelling.len() % 2 {
        0 => "secret-of-an-even-spelling",
        _ => "secret-of-an-unusual-spelling",
    }
}

#[test]
fn lookalike_addresses_are_not_registries() {
    let env = TestEnv::with_environment_key();
    for address in FOREIGN {
        env.get(address).is_not_found();
        env.erase(address).is_silent_success();
    }
    assert_eq!(env.cloud.exchanges(), 0, "a foreign host costs no network");
    for folder in ["home", "cache", "config", "runtime"] {
        let files = support::files_below(&env.path(folder));
        assert!(files.is_empty(), "a foreign host leaves {files:?}");
    }
}

#[test]
fn a_login_for_another_registry_is_refused_and_not_stored() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    for address in FOREIGN {
        let outcome = env.store(address, "iamapikey", "key-for-another-registry");
        outcome.is_client_error(&["not an IBM Cloud registry", "credHelpers"]);
    }
    env.list().is_list(&[]);
    assert_eq!(env.keys().names(), [""; 0]);
}

#[test]
fn every_command_suggests_the_registry_that_is_meant() {
    let env = TestEnv::with_environment_key();
    for (address, registry) in [
        ("us-south.icr.io", "us.icr.io"),
        ("https://EU-DE.icr.io/v2/", "de.icr.io"),
        ("private.eu-gb.icr.io", "private.uk.icr.io"),
        ("icr.us.io", "us.icr.io"),
        ("us.icr.com", "us.icr.io"),
        ("us.icr.io.", "us.icr.io"),
        ("jp2", "jp2.icr.io"),
    ] {
        let suggestion = format!("Did you mean {registry}?");
        for command in [
            &["status"][..],
            &["whoami"],
            &["print", "--format", "env"],
            &["login"],
            &["logout"],
            &["token", "list", "--registry"],
            &["configure", "docker", "--dry-run", "--registry"],
        ] {
            let outcome = env.run(&[command, &[address]].concat(), "");
            outcome.is_user_error(&["is not an IBM Cloud registry", &suggestion]);
        }
        env.get(address).is_not_found();
        let stored = env.store(address, "iamapikey", "key-for-another-registry");
        stored.is_client_error(&["is not an IBM Cloud registry", &suggestion]);
        let mapping = format!("[registry.\"{address}\"]\nprofile = \"a\"\n[profile.a]\n");
        env.settings(&mapping);
        if !address.contains('/') && !address.ends_with('.') {
            env.run(&["status"], "").is_user_error(&[&suggestion]);
        }
        env.settings("");
    }
    let unknown = env.run(&["status", "eu9.icr.io"], "");
    unknown.is_user_error(&["To use a new region, add it to `registries`"]);
}

#[cfg(target_os = "linux")]
#[test]
fn another_registry_needs_no_keychain() {
    let Some(mut env) = TestEnv::with_keychain_named("auto") else {
        return;
    };
    env.settings("registries = [\"eu9.icr.io\"]\n");
    let bus = bus::Bus::listen(&env.path("bus"));
    env.set(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", env.path("bus").display()),
    );
    for address in FOREIGN {
        env.get(address).is_not_found();
        env.erase(address).is_silent_success();
        assert_eq!(
            env.store(address, "iamapikey", "key-for-another-registry")
                .status,
            Some(1)
        );
    }
    assert_eq!(bus.connections(), 0);
    assert_eq!(env.get("us.icr.io").status, Some(1));
    assert!(bus.connections() > 0, "the test would notice a connection");
}

#[test]
fn only_the_settings_add_registries() {
    let env = TestEnv::with_environment_key();
    for address in ["eu9.icr.io", "localhost:5000"] {
        env.get(address).is_not_found();
    }
    env.settings("registries = [\"eu9.icr.io\", \"localhost:5000\"]\n");
    for address in [
        "eu9.icr.io",
        "https://EU9.icr.io/v2/",
        "localhost:5000",
        "http://localhost:5000/v2/",
        "us.icr.io",
    ] {
        env.get(address).is_credential("iambearer");
    }
    for address in [
        "x.eu9.icr.io",
        "eu9.icr.io.evil.com",
        "eu9.icr.io:8443",
        "localhost",
        "localhost:5001",
        "eu10.icr.io",
    ] {
        env.get(address).is_not_found();
    }
}

#[test]
fn a_settings_file_may_be_named_and_must_then_exist() {
    let mut env = TestEnv::with_environment_key();
    let file = env.settings("registries = [\"eu9.icr.io\"]\n");
    let elsewhere = env.path("elsewhere.toml");
    std::fs::rename(file, &elsewhere).unwrap();
    env.set("ICR_CONFIG", &elsewhere);
    env.get("eu9.icr.io").is_credential("iambearer");
    env.set("ICR_CONFIG", "/nonexistent/config.toml");
    env.get("us.icr.io")
        .is_client_error(&["/nonexistent/config.toml", "cannot be read"]);
    env.get("docker.io").is_not_found();
}

#[test]
fn a_broken_settings_file_is_named_with_the_line_and_does_not_affect_other_registries() {
    let env = TestEnv::with_environment_key();
    for (text, parts) in [
        (
            "keychain = \"none\"\nregistrys = []\n",
            &["line 2, column 1", "registrys"][..],
        ),
        ("\n\n  deadline = \"5\"\n", &["line 3, column 14"]),
        ("keychain = \"kept\"\n", &["line 1, column 12"]),
        ("registries = [\"us.icr.io\"\n", &["line 1, column 26"]),
        ("deadline = 0\n", &["deadline", "between 1 and 600"]),
        ("registries = [\"*.icr.io\"]\n", &["*.icr.io"]),
        (
            "registries = [\"https://eu9.icr.io\"]\n",
            &["https://eu9.icr.io"],
        ),
        ("namespace = \"a:b\"\n", &["namespace"]),
        ("\u{0}", &["line 1"]),
    ] {
        let file = env.settings(text).display().to_string();
        let parts = [parts, &[&*file, "settings file"]].concat();
        env.get("us.icr.io").is_client_error(&parts);
        env.list().is_client_error(&parts);
        env.store("us.icr.io", "iamapikey", "a-stored-api-key")
            .is_client_error(&parts);
        env.get("docker.io").is_not_found();
        assert_eq!(env.erase("us.icr.io").status, Some(0), "{text}");
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn a_registry_of_a_broken_settings_file_gets_its_error() {
    let env = TestEnv::with_environment_key();
    let file = env.settings("registries = [\"eu9.icr.io\"]\nbogus = 1\n");
    let file = file.display().to_string();
    env.get("https://eu9.icr.io/v2/")
        .is_client_error(&[&file, "line 2, column 1", "bogus"]);
    env.get("u9.icr.io").is_not_found();
    env.get("ghcr.io").is_not_found();
}

/// A session bus that closes all connections, and counts them.
#[cfg(target_os = "linux")]
mod bus {
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    pub(crate) struct Bus {
        connections: Arc<AtomicUsize>,
    }

    impl Bus {
        pub(crate) fn listen(path: &Path) -> Self {
            let listener = UnixListener::bind(path).expect("a short path");
            let connections = Arc::<AtomicUsize>::default();
            let counter = Arc::clone(&connections);
            std::thread::spawn(move || {
                for connection in listener.incoming() {
                    counter.fetch_add(1, Ordering::SeqCst);
                    drop(connection);
                }
            });
            Self { connections }
        }

        pub(crate) fn connections(&self) -> usize {
            self.connections.load(Ordering::SeqCst)
        }
    }
}
