use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::iam::jwt;
use crate::sources::Identity;
use crate::sources::tests::Machine;
use crate::sources::tests::NOW;
#[cfg(unix)]
use crate::time::Clock;
#[cfg(unix)]
use crate::time::SystemClock;

const FILE: &str = "home/.bluemix/config.json";

fn token(end: u64) -> String {
    jwt::unsigned(&json!({"exp": end}))
}

fn machine_with(session: &Value) -> Machine {
    let machine = Machine::new();
    machine.file(FILE, &session.to_string());
    machine
}

/// Returns the IAM endpoint that gets the session's refresh token.
fn endpoint(machine: &Machine) -> String {
    machine.look("us.icr.io", |registry, context| {
        let identity = find(registry, context).unwrap().unwrap();
        identity.endpoint().base().to_owned()
    })
}

#[test]
fn the_sessions_own_iam_is_used_unless_the_settings_have_another() {
    let session = |is_private: bool, is_in_vpc: bool| {
        json!({
            "IAMEndpoint": "https://iam.example.com",
            "IAMPrivateEndpoint": "https://private.example.com",
            "IAMPrivateVPCEndpoint": "https://vpc.example.com/identity/token",
            "IAMRefreshToken": "r", "IsAccessFromVPC": is_in_vpc, "IsPrivate": is_private
        })
    };
    for (is_private, is_in_vpc, base) in [
        (false, false, "https://iam.example.com"),
        (false, true, "https://iam.example.com"),
        (true, false, "https://private.example.com"),
        (true, true, "https://vpc.example.com"),
    ] {
        let mut machine = machine_with(&session(is_private, is_in_vpc));
        assert_eq!(endpoint(&machine), base);
        machine.set("IBMCLOUD_IAM_API_ENDPOINT", "https://chosen.example.com");
        assert_eq!(endpoint(&machine), "https://chosen.example.com");
    }
    let machine = machine_with(&json!({"IAMRefreshToken": "r", "IAMEndpoint": ""}));
    assert_eq!(endpoint(&machine), Endpoint::public().base());
    let clear = json!({"IAMRefreshToken": "r", "IAMEndpoint": "http://iam.example.com"});
    machine_with(&clear).fails_with(&["IBM Cloud CLI's session", "unencrypted", "ibmcloud login"]);
}

#[test]
fn a_compute_resource_session_without_a_refresh_token_uses_the_metadata_service() {
    let session = |kind: &str, end: u64| {
        json!({
            "CRIType": kind, "IAMToken": format!("Bearer {}", token(end)),
            "IsLoggedInAsCRI": true, "Profile": {"ID": "Profile-1", "Name": "x"}
        })
    };
    let resolved = |machine: &Machine| {
        machine.look("us.icr.io", |registry, context| {
            let identity = find(registry, context).unwrap().unwrap();
            let service = identity
                .metadata_service()
                .map(|service| service.url().to_owned());
            (service, identity.source())
        })
    };
    for (kind, usual, variable) in [
        ("VPC", "http://169.254.169.254", "IBMCLOUD_CR_VPC_URL"),
        (
            "PVS",
            "https://api.metadata.power-iaas.cloud.ibm.com",
            "IBMCLOUD_CR_PVS_URL",
        ),
    ] {
        machine_with(&session(kind, NOW + 600)).finds("us.icr.io", "token ");
        let mut machine = machine_with(&session(kind, NOW));
        let source = "this machine for trusted profile Profile-1".to_owned();
        assert_eq!(resolved(&machine), (Some(usual.into()), source.clone()));
        machine.set(variable, "https://metadata.example.com");
        let moved = Some("https://metadata.example.com".to_owned());
        assert_eq!(resolved(&machine), (moved, source));
        machine.unset(variable);
        machine.set(variable, "http://metadata.example.com");
        machine.fails_with(&["IBM Cloud CLI's session", variable, "unencrypted"]);
    }
    for kind in ["IKS", "OTHER", ""] {
        machine_with(&session(kind, NOW)).fails_with(&["has expired", "ibmcloud login"]);
    }
}

#[test]
fn on_windows_the_home_directory_of_the_cli_is_in_two_variables() {
    let session = json!({"IAMRefreshToken": "r"}).to_string();
    let mut machine = Machine::new();
    machine.file("drive/.bluemix/config.json", &session);
    let drive = machine.path("drive");
    let (letter, path) = drive.split_at(if cfg!(windows) { "C:".len() } else { 0 });
    machine.set("HOMEDRIVE", letter).set("HOMEPATH", path);
    let found = machine.found("us.icr.io").unwrap();
    assert_eq!(found.is_some(), cfg!(windows), "{found:?}");
    machine.file(FILE, &session);
    machine.finds("us.icr.io", if cfg!(windows) { "drive" } else { "home" });
    machine.set("HOMEPATH", "\\missing");
    machine.finds("us.icr.io", "home");
}

#[test]
fn an_access_token_is_used_while_it_is_valid() {
    for (left, refresh, expected) in [
        (9, "", None),
        (11, "", Some("token ")),
        (119, "r", Some("the IBM Cloud CLI's session in")),
        (121, "r", Some("token ")),
    ] {
        let session = json!({
            "IAMToken": format!("bearer  {}", token(NOW + left)), "IAMRefreshToken": refresh
        });
        let machine = machine_with(&session);
        match expected {
            Some(part) => machine.finds("us.icr.io", part),
            None => machine.fails_with(&["has expired", "'ibmcloud login'"]),
        }
    }
}

#[test]
fn an_access_token_is_not_used_where_get_returns_refresh_tokens() {
    let session = json!({"IAMToken": token(NOW + 3600), "IAMRefreshToken": "r"});
    let mut machine = machine_with(&session);
    machine.finds("us.icr.io", "token ");
    machine.settings("[profile.p]\ncredential = \"iamrefresh\"\n");
    machine.set("ICR_PROFILE", "p");
    machine.finds("us.icr.io", "the IBM Cloud CLI's session in");
}

#[test]
fn a_session_without_tokens_is_skipped() {
    for session in [
        "{}",
        r#"{"IAMToken":"","IAMRefreshToken":""}"#,
        r#"{"IAMToken":"Bearer "}"#,
    ] {
        let machine = Machine::new();
        machine.file(FILE, session);
        assert_eq!(machine.found("us.icr.io"), Ok(None), "{session}");
    }
}

#[test]
fn an_invalid_session_is_reported_within_seconds() {
    for text in [
        "",
        "{",
        "null",
        "7",
        "{\"IAMToken\": 7}",
        "{\"IAMToken\": \"Bearer a b\"}",
        "{\"IAMRefreshToken\": \"\u{1f980}\"}",
    ] {
        let machine = Machine::new();
        machine.file(FILE, text);
        machine.fails_with(&["the IBM Cloud CLI's session in", "ibmcloud login"]);
        assert!(
            machine.clock.elapsed.get() <= Duration::from_secs(5),
            "{text}"
        );
    }
}

/// The lock is waited for once, not for each attempt.
#[cfg(unix)]
#[test]
fn a_lock_that_is_never_released_costs_one_timeout() {
    let machine = Machine::new();
    let path = machine.file(FILE, "");
    let holder = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    holder.lock().unwrap();
    let clock = SystemClock::start();
    assert!(file::read(&path, &clock).is_err());
    let took = clock.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_directory_is_the_one_that_the_cli_uses() {
    let mut machine = Machine::new();
    let file = |name: &str| {
        let session = json!({"IAMRefreshToken": name});
        machine.file(&format!("home/{name}/config.json"), &session.to_string())
    };
    for name in [
        ".bluemix",
        ".ibmcloud",
        "old/.bluemix",
        "new/.bluemix",
        "new/.ibmcloud",
        "named",
    ] {
        file(name);
    }
    let home = machine.path("home");
    let path = |name: &str| {
        let path = std::path::Path::new(&home).join(name);
        crate::fs::with_own_separators(&path).display().to_string()
    };
    machine.finds("us.icr.io", &path(".ibmcloud/config.json"));
    std::fs::remove_dir_all(path(".ibmcloud")).unwrap();
    machine.finds("us.icr.io", &path(".bluemix/config.json"));
    machine.set("BLUEMIX_HOME", &path("old"));
    machine.finds("us.icr.io", &path("old/.bluemix/config.json"));
    machine.set("IBMCLOUD_HOME", &path("new"));
    machine.finds("us.icr.io", &path("new/.ibmcloud/config.json"));
    machine.set("IBMCLOUD_CONFIG_HOME", &path("named"));
    machine.finds("us.icr.io", &path("named/config.json"));
    std::fs::remove_dir_all(path("named")).unwrap();
    assert_eq!(
        machine.found("us.icr.io"),
        Ok(None),
        "the CLI has no other directory"
    );
}
