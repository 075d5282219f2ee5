use std::os::unix::net::UnixListener;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::*;

#[test]
fn an_answer_that_no_secret_service_gives_counts_as_absence() {
    let environment = Environment::default();
    let service = SecretService::new("test", &environment, None, Prompting::Never);
    let classify = |name: &str| service.classify_name(name, Duration::ZERO);
    for name in ["UnknownMethod", "UnknownObject", "InvalidArgs"] {
        let error = classify(&format!("org.freedesktop.DBus.Error.{name}"));
        assert!(
            error.is_absent() && error.to_string().contains(name),
            "{error}"
        );
    }
    for error in [Error::NoResult, Error::Parse] {
        assert!(service.classify(&error, Duration::ZERO).is_absent());
    }
    assert!(!classify("org.freedesktop.DBus.Error.LimitsExceeded").is_absent());
    assert!(!classify("org.freedesktop.Secret.Error.IsLocked").is_absent());
}

#[test]
fn each_bus_has_a_timeout_marker_and_all_relays_to_one_bus_share_it() {
    let marker = |address: &str| {
        let variables = [
            ("DBUS_SESSION_BUS_ADDRESS", address),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
        ];
        timeout_marker_name(&variables.into_iter().collect())
    };
    assert_ne!(marker("unix:path=/a"), marker("unix:path=/b"));
    let relay = |number| format!("unix:path=/run/user/1/docker-credential-icr-relay-{number}");
    assert_eq!(marker(&relay(1)), marker(&relay(2)));
}

#[test]
fn a_service_that_is_absent_is_looked_for_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let bus = UnixListener::bind(&path).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    // A bus that closes each connection.
    std::thread::spawn(move || {
        for connection in bus.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let address = format!("unix:path={}", path.display());
    let variables = [("DBUS_SESSION_BUS_ADDRESS", &*address)];
    let environment: Environment = variables.into_iter().collect();
    let service = SecretService::new("test", &environment, None, Prompting::Never);
    let absence = service.call(|_| Ok(())).unwrap_err();
    assert!(matches!(absence, KeychainError::Absent(_)), "{absence}");
    let before = connections.load(Ordering::SeqCst);
    assert!(before > 0);
    assert_eq!(service.call(|_| Ok(())), Err(absence));
    assert_eq!(connections.load(Ordering::SeqCst), before);
}
