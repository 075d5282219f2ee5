//! Trusted profiles of one key share its token: one exchange for each profile, and one for the key.

mod support;

use icr_emulator::Fault;
use icr_emulator::Profile;

use support::TestEnv;
use support::in_parallel;

const KEYS: [&str; 2] = ["FIRST-KEY-OF-TWO-3a7c", "SECOND-KEY-OF-TWO-9e1d"];
const PROFILES: [&str; 3] = ["Profile-1", "Profile-2", "Profile-3"];

/// Creates an environment with two keys, and three profiles that both may assume.
fn test_env() -> Option<TestEnv> {
    let env = TestEnv::with_keychain()?;
    for (key, owner) in KEYS.into_iter().zip(["first", "second"]) {
        env.add_api_key(key, owner);
    }
    for profile in PROFILES {
        let profile = Profile::new(profile).trusting(&["IBMid-first", "IBMid-second"]);
        env.cloud.accounts().add_trusted_profile(profile);
    }
    Some(env)
}

/// The settings map a registry to each profile.
fn map_registries(env: &TestEnv) {
    let mut settings = String::new();
    for (host, profile) in ["de.icr.io", "uk.icr.io", "jp.icr.io"].iter().zip(PROFILES) {
        settings += &format!(
            "[profile.{0}]\ntrusted-profile = \"{profile}\"\nsource = \"environment\"\n[registry.\"{host}\"]\nprofile = \"{0}\"\n",
            profile.to_ascii_lowercase()
        );
    }
    env.settings(&settings);
}

#[test]
fn profiles_of_an_environment_key_share_its_token() {
    let Some(mut env) = test_env() else { return };
    map_registries(&env);
    env.set("IBMCLOUD_API_KEY", KEYS[0]);
    for (host, profile) in ["de.icr.io", "uk.icr.io"].iter().zip(PROFILES) {
        assert_eq!(env.get(host).is_token_of(), format!("iam-{profile}"));
    }
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-first");
    assert_eq!(env.cloud.exchanges(), 3, "the key, and two profiles");
    env.set("IBMCLOUD_API_KEY", KEYS[1]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-second");
    assert_eq!(env.get("jp.icr.io").is_token_of(), "iam-Profile-3");
    assert_eq!(env.cloud.exchanges(), 5, "the other key, and a profile");
}

#[test]
fn profiles_of_logins_with_the_same_key_share_its_token() {
    let Some(env) = test_env() else { return };
    env.store("us.icr.io", "iamapikey", KEYS[0]);
    env.store("de.icr.io", "Profile-1", KEYS[0]);
    env.store("uk.icr.io", "Profile-2", KEYS[0]);
    env.store("ca.icr.io", "iamapikey", KEYS[1]);
    env.store("jp.icr.io", "Profile-3", KEYS[1]);
    for (host, owner) in [
        ("de.icr.io", "iam-Profile-1"),
        ("uk.icr.io", "iam-Profile-2"),
        ("us.icr.io", "IBMid-first"),
        ("ca.icr.io", "IBMid-second"),
        ("jp.icr.io", "iam-Profile-3"),
    ] {
        assert_eq!(env.get(host).is_token_of(), owner);
    }
    assert_eq!(env.cloud.exchanges(), 5);
}

#[test]
fn the_base_token_of_a_profile_is_deleted_with_its_login() {
    for (username, secret) in [
        ("Profile-1", KEYS[0]),
        ("iamrefresh", "REFRESH-TOKEN-OF-FIRST-1b8f"),
    ] {
        let Some(env) = test_env() else { return };
        env.add_refresh_token("REFRESH-TOKEN-OF-FIRST-1b8f", "first");
        env.settings(
            "[profile.top]\ntrusted-profile = \"Profile-2\"\nsource = \"login\"\n[registry.\"us.icr.io\"]\nprofile = \"top\"\n",
        );
        env.store("us.icr.io", username, secret);
        assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-2");
        assert_eq!(env.cloud.exchanges(), 2);
        env.erase("us.icr.io");
        let left = env.keys().names();
        let is_token = |name: &String| name.starts_with("token:");
        assert!(!left.iter().any(is_token), "{username}: {left:?}");
    }
}

#[test]
fn profiles_of_a_session_share_its_replaced_refresh_token() {
    let Some(mut env) = test_env() else { return };
    env.add_refresh_token("REFRESH-TOKEN-OF-FIRST-1b8f", "first");
    env.store("us.icr.io", "iamrefresh", "REFRESH-TOKEN-OF-FIRST-1b8f");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-first");
    for profile in PROFILES {
        env.settings(&format!(
            "[profile.top]\ntrusted-profile = \"{profile}\"\n[registry.\"us.icr.io\"]\nprofile = \"top\"\n"
        ));
        env.set("ICR_SOURCE", "login");
        let outcome = env.get("us.icr.io");
        assert_eq!(outcome.is_token_of(), format!("iam-{profile}"));
    }
    assert_eq!(env.cloud.exchanges(), 4);
}

#[test]
fn concurrent_processes_with_profiles_of_one_key_share_its_token() {
    let Some(mut env) = test_env() else { return };
    map_registries(&env);
    env.set("IBMCLOUD_API_KEY", KEYS[0]);
    let hosts = ["de.icr.io", "uk.icr.io", "jp.icr.io", "us.icr.io"];
    for outcome in in_parallel(20, |index| env.get(hosts[index % hosts.len()])) {
        outcome.is_credential("iambearer");
    }
    assert_eq!(env.cloud.exchanges(), 4);
}

#[test]
fn a_base_token_that_iam_rejects_for_a_profile_is_not_used_again() {
    let Some(mut env) = test_env() else { return };
    map_registries(&env);
    env.set("IBMCLOUD_API_KEY", KEYS[0]);
    env.get("us.icr.io").is_credential("iambearer");
    env.cloud.script([Fault::Status(401)]);
    env.get("de.icr.io").is_client_error(&["Profile-1"]);
    assert_eq!(env.get("uk.icr.io").is_token_of(), "iam-Profile-2");
    assert_eq!(env.cloud.exchanges(), 4, "the key is exchanged again");
}

#[test]
fn during_an_outage_the_cached_token_of_a_profile_is_returned_without_waiting() {
    let Some(mut env) = test_env() else { return };
    map_registries(&env);
    env.set("IBMCLOUD_API_KEY", KEYS[0]);
    let old = env.get("de.icr.io").is_credential("iambearer");
    env.keys().age_tokens(3000);
    let before = env.cloud.exchanges();
    env.cloud.script(vec![Fault::Status(503); 10]);
    assert_eq!(env.get("de.icr.io").is_credential("iambearer"), old);
    let asked = env.cloud.exchanges() - before;
    assert!(
        asked <= 2,
        "once for the key, once for the profile: {asked}"
    );
}
