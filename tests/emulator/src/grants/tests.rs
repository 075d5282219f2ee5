use crate::Emulator;
use crate::Profile;
use crate::Subject;
use crate::wire;

const API_KEY: &str = "urn:ibm:params:oauth:grant-type:apikey";
const ASSUME: &str = "urn:ibm:params:oauth:grant-type:assume";
const COMPUTE: &str = "urn:ibm:params:oauth:grant-type:cr-token";
const PASSCODE: &str = "urn:ibm:params:oauth:grant-type:passcode";

#[test]
fn an_api_key_needs_no_client() {
    let cloud = Emulator::start().expect("a port");
    cloud.accounts().add_api_key("key", Subject::user("1"));
    let (status, token) =
        wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", "key")], false);
    assert_eq!(status, 200);
    assert_eq!(token["refresh_token"], "not_supported");
    assert_eq!(
        (&token["token_type"], &token["scope"]),
        (&"Bearer".into(), &"ibm openid".into())
    );
    assert_eq!(token["expires_in"], 3600);
    assert_eq!(cloud.exchanges(), 1);
    assert_eq!(cloud.requests()[0].field("apikey"), Some("key"));
}

#[test]
fn unknown_and_revoked_api_keys_are_rejected() {
    let cloud = Emulator::start().expect("a port");
    cloud.accounts().add_api_key("key", Subject::user("1"));
    cloud.accounts().revoke_api_key("key");
    for key in ["key", "never"] {
        let (status, error) =
            wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", key)], false);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0415E".into()));
        assert_eq!(
            error["errorMessage"],
            "Provided API key could not be found."
        );
        assert_eq!(error["context"]["clientIp"], "203.0.113.7");
    }
    assert_eq!(cloud.exchanges(), 2, "refusals count");
}

#[test]
fn a_refresh_token_is_replaced_when_it_is_used() {
    let cloud = Emulator::start().expect("a port");
    cloud.accounts().add_api_key("key", Subject::user("1"));
    let (_, token) = wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", "key")], true);
    let first = token["refresh_token"]
        .as_str()
        .expect("a client gets a refresh token");
    let (status, token) = wire::exchange(
        &cloud,
        &[("grant_type", "refresh_token"), ("refresh_token", first)],
        true,
    );
    let second = token["refresh_token"].as_str().expect("the next one");
    assert_eq!(status, 200);
    assert_ne!(first, second);
    let (status, error) = wire::exchange(
        &cloud,
        &[("grant_type", "refresh_token"), ("refresh_token", first)],
        true,
    );
    assert_eq!(
        (status, &error["errorCode"]),
        (400, &"BXNIM0407E".into()),
        "it worked once only"
    );
    let (status, _) = wire::exchange(
        &cloud,
        &[("grant_type", "refresh_token"), ("refresh_token", second)],
        true,
    );
    assert_eq!(status, 200);
}

#[test]
fn without_rotation_a_refresh_token_stays_valid() {
    let cloud = Emulator::start().expect("a port");
    cloud
        .accounts()
        .add_refresh_token("refresh", Subject::user("1"));
    cloud.accounts().set_refresh_rotation(false);
    for _ in 0..2 {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "refresh"),
        ];
        let (status, token) = wire::exchange(&cloud, &fields, true);
        assert_eq!((status, &token["refresh_token"]), (200, &"refresh".into()));
    }
}

#[test]
fn a_refresh_token_needs_its_client_and_expires() {
    let cloud = Emulator::start().expect("a port");
    cloud
        .accounts()
        .add_refresh_token("refresh", Subject::user("1"));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "refresh"),
    ];
    let (status, error) = wire::exchange(&cloud, &fields, false);
    assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0308E".into()));
    cloud.accounts().expire_refresh_token("refresh");
    let (status, error) = wire::exchange(&cloud, &fields, true);
    assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0408E".into()));
}

#[test]
fn an_allowed_profile_is_assumed() {
    let cloud = Emulator::start().expect("a port");
    cloud
        .accounts()
        .add_api_key("service", Subject::service_id("1"));
    cloud
        .accounts()
        .add_api_key("stranger", Subject::service_id("2"));
    cloud
        .accounts()
        .add_profile("Profile-1", &["iam-ServiceId-1"]);
    for (key, profile, expected) in [
        ("service", "Profile-1", 200),
        ("stranger", "Profile-1", 400),
        ("service", "Profile-2", 400),
    ] {
        let (_, token) = wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", key)], false);
        let access_token = token["access_token"].as_str().expect("an access token");
        let fields = [
            ("grant_type", ASSUME),
            ("access_token", access_token),
            ("profile_id", profile),
        ];
        let (status, token) = wire::exchange(&cloud, &fields, false);
        assert_eq!(status, expected, "{key} assumes {profile}: {token}");
    }
}

#[test]
fn a_profile_is_assumed_only_with_a_valid_token() {
    let cloud = Emulator::start().expect("a port");
    cloud
        .accounts()
        .add_api_key("service", Subject::service_id("1"));
    cloud
        .accounts()
        .add_profile("Profile-1", &["iam-ServiceId-1"]);
    cloud.accounts().set_token_lifetime(0);
    let (_, token) = wire::exchange(
        &cloud,
        &[("grant_type", API_KEY), ("apikey", "service")],
        false,
    );
    for access_token in [
        token["access_token"].as_str().expect("an access token"),
        "made.up.token",
    ] {
        let fields = [
            ("grant_type", ASSUME),
            ("access_token", access_token),
            ("profile_id", "Profile-1"),
        ];
        let (status, error) = wire::exchange(&cloud, &fields, false);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0407E".into()));
    }
}

#[test]
fn other_paths_methods_and_grants_are_rejected() {
    let cloud = Emulator::start().expect("a port");
    assert_eq!(wire::request(&cloud, "GET /identity/token", "", "").0, 405);
    assert_eq!(
        wire::request(&cloud, "POST /identity/tokens", "", "").0,
        404
    );
    assert_eq!(cloud.exchanges(), 0);
    assert_eq!(
        wire::exchange(&cloud, &[("grant_type", "password")], false).0,
        400
    );
    assert_eq!(wire::exchange(&cloud, &[], false).0, 400);
}

#[test]
fn a_refresh_token_of_a_revoked_session_is_rejected() {
    let cloud = Emulator::start().expect("a port");
    cloud
        .accounts()
        .add_refresh_token("refresh", Subject::user("1"));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "refresh"),
    ];
    let (_, token) = wire::exchange(&cloud, &fields, true);
    assert!(cloud.accounts().invalidate_session("refresh"));
    let next = token["refresh_token"].as_str().expect("the next one");
    let session = token["session_id"].as_str().expect("a session");
    for refresh_token in ["refresh", next] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        let (status, error) = wire::exchange(&cloud, &fields, true);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0439E".into()));
        let message = format!("Session {session} is invalidated due to inactivity");
        assert_eq!(error["errorMessage"], message);
    }
}

#[test]
fn disabled_and_expired_api_keys_are_rejected() {
    let cloud = Emulator::start().expect("a port");
    let accounts = cloud.accounts();
    accounts.add_api_key("disabled", Subject::user("1"));
    accounts.disable_api_key("disabled");
    accounts.add_api_key("expired", Subject::user("1"));
    accounts.expire_api_key("expired");
    for key in ["disabled", "expired"] {
        let fields = [("grant_type", API_KEY), ("apikey", key)];
        let (status, error) = wire::exchange(&cloud, &fields, false);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0000E".into()));
        let message = format!("Provided API key is {key}.");
        assert_eq!(error["errorMessage"], message);
    }
}

#[test]
fn a_passcode_works_once_for_a_client() {
    let cloud = Emulator::start().expect("a port");
    let accounts = cloud.accounts();
    accounts.add_passcode("code", Subject::user_of("1", "account-2"));
    let fields = [("grant_type", PASSCODE), ("passcode", "code")];
    let (status, error) = wire::exchange(&cloud, &fields, false);
    assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0308E".into()));
    let (status, token) = wire::exchange(&cloud, &fields, true);
    assert_eq!(
        status, 200,
        "the attempt without a client did not use it up"
    );
    let access_token = token["access_token"].as_str().expect("an access token");
    let subject = accounts.access_token(access_token).expect("it lives");
    assert_eq!(subject, Subject::user_of("1", "account-2"));
    let refresh_token = token["refresh_token"].as_str().expect("a refresh token");
    let fields_of_refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    assert_eq!(wire::exchange(&cloud, &fields_of_refresh, true).0, 200);
    let (status, error) = wire::exchange(&cloud, &fields, true);
    assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0000E".into()));
}

#[test]
fn a_compute_resource_token_accepts_id_name_and_crn_of_its_profile() {
    let cloud = Emulator::start().expect("a port");
    let accounts = cloud.accounts();
    let profile = Profile::new("Profile-1")
        .of_account("account-2")
        .named("ci");
    let crn = profile.crn();
    accounts.add_trusted_profile(profile);
    accounts.add_profile("Profile-2", &[]);
    accounts.add_compute_resource_token("pod", &["Profile-1"]);
    for name in [
        ("profile_id", "Profile-1"),
        ("profile_name", "ci"),
        ("profile_crn", &crn),
    ] {
        let fields = [("grant_type", COMPUTE), ("cr_token", "pod"), name];
        for client in [false, true] {
            let (status, token) = wire::exchange(&cloud, &fields, client);
            assert_eq!(status, 200, "{name:?}: {token}");
            assert_eq!(token["refresh_token"], "not_supported");
            let access_token = token["access_token"].as_str().expect("an access token");
            let subject = accounts.access_token(access_token).expect("it lives");
            assert_eq!(subject.iam_id, "iam-Profile-1");
            assert_eq!(subject.account, "account-2");
        }
    }
    for (token, names) in [
        ("pod", &[("profile_id", "Profile-2")][..]),
        ("pod", &[("profile_id", "Profile-3")]),
        ("pod", &[("profile_name", "Profile-1")]),
        (
            "pod",
            &[("profile_id", "Profile-1"), ("profile_name", "ci")],
        ),
        ("pod", &[]),
        ("another", &[("profile_id", "Profile-1")]),
    ] {
        let mut fields = vec![("grant_type", COMPUTE), ("cr_token", token)];
        fields.extend(names);
        let (status, error) = wire::exchange(&cloud, &fields, false);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0000E".into()));
    }
    accounts.expire_compute_resource_token("pod");
    let fields = [
        ("grant_type", COMPUTE),
        ("cr_token", "pod"),
        ("profile_id", "Profile-1"),
    ];
    let (status, error) = wire::exchange(&cloud, &fields, false);
    assert_eq!(status, 400);
    assert_eq!(
        error["errorMessage"],
        "Provided compute resource token is expired."
    );
}

#[test]
fn a_profile_is_assumed_by_id_name_crn_and_with_a_refresh_token() {
    let cloud = Emulator::start().expect("a port");
    let accounts = cloud.accounts();
    let profile = Profile::new("Profile-1")
        .named("ops")
        .trusting(&["IBMid-1"]);
    let crn = profile.crn();
    accounts.add_trusted_profile(profile);
    accounts.add_refresh_token("refresh", Subject::user("1"));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "refresh"),
    ];
    let (_, token) = wire::exchange(&cloud, &fields, true);
    let access = ("access_token", token["access_token"].as_str().expect("one"));
    let refresh = (
        "refresh_token",
        token["refresh_token"].as_str().expect("one"),
    );
    let account = ("account", "account-1");
    for (names, status) in [
        (&[("profile_id", "Profile-1")][..], 200),
        (&[("profile_crn", crn.as_str())], 200),
        (&[("profile_name", "ops"), account], 200),
        (&[("profile_name", "ops")], 400),
        (&[("profile_name", "ops"), ("account", "account-2")], 400),
        (&[("profile_id", "Profile-1"), ("profile_crn", &crn)], 400),
        (&[], 400),
    ] {
        for (proof, client) in [(access, false), (refresh, true)] {
            let mut fields = vec![("grant_type", ASSUME), proof];
            fields.extend(names);
            let (answered, token) = wire::exchange(&cloud, &fields, client);
            assert_eq!(answered, status, "{names:?}: {token}");
            let renewable = status == 200 && client;
            assert_eq!(token["session_id"].is_string(), renewable);
        }
    }
    let fields = [("grant_type", ASSUME), refresh, ("profile_id", "Profile-1")];
    let (_, error) = wire::exchange(&cloud, &fields, false);
    assert_eq!(error["errorCode"], "BXNIM0308E");
}
