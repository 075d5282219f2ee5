//! API keys in environment variables, beside stored logins.

use super::*;

#[test]
fn an_environment_key_takes_precedence_over_stored_logins_but_not_over_entitlements() {
    with_each_keychain(|mut env| {
        env.add_api_key("STORED-API-KEY", "stored");
        env.store("us.icr.io", "iamapikey", "STORED-API-KEY")
            .is_silent_success();
        env.store("cp.icr.io", "cp", "ENTITLEMENT-KEY")
            .is_silent_success();
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-stored");
        env.set_environment_key();
        for host in ["us.icr.io", "de.icr.io"] {
            assert_eq!(env.get(host).is_token_of(), "IBMid-environment", "{host}");
        }
        // An API key does not replace an entitlement key.
        env.get("cp.icr.io").is_credential("cp");
        env.erase("cp.icr.io")
            .is_success_with_warning(&["$IBMCLOUD_API_KEY is still active for cp.icr.io"]);
        assert_eq!(env.get("cp.icr.io").is_token_of(), "IBMid-environment");
        env.unset("IBMCLOUD_API_KEY");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-stored");
    });
}

#[test]
fn the_first_key_variable_that_is_set_is_used() {
    let mut env = TestEnv::new();
    let variables = ["IBMCLOUD_API_KEY", "IC_API_KEY", "BLUEMIX_API_KEY"];
    for variable in variables {
        env.add_api_key(&format!("KEY-IN-{variable}"), variable);
        env.set(variable, format!("KEY-IN-{variable}"));
    }
    for (index, variable) in variables.into_iter().enumerate() {
        let owner = env.get("us.icr.io").is_token_of();
        assert_eq!(owner, format!("IBMid-{variable}"));
        // Empty is unset, as in IBM's own tools.
        match index % 2 {
            0 => env.set(variable, ""),
            _ => env.unset(variable),
        };
    }
    env.get("us.icr.io").is_not_found();
}

#[test]
fn an_environment_key_may_be_in_a_file() {
    let mut env = TestEnv::new();
    env.add_api_key("API-KEY-IN-A-FILE", "file");
    let file = env.path("key");
    let at = |path: &std::path::Path| format!("@{}", path.display());
    for variable in ["IBMCLOUD_API_KEY", "IC_API_KEY", "BLUEMIX_API_KEY"] {
        for content in ["API-KEY-IN-A-FILE", " API-KEY-IN-A-FILE\r\n"] {
            std::fs::write(&file, content).unwrap();
            env.set(variable, at(&file));
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-file");
        }
        env.unset(variable);
    }
}

/// Silently using another identity would be worse than an error.
#[test]
fn an_invalid_key_file_is_an_error_and_no_other_source_is_used() {
    with_each_keychain(|mut env| {
        env.add_api_key("STORED-API-KEY", "stored");
        env.store("us.icr.io", "iamapikey", "STORED-API-KEY")
            .is_silent_success();
        env.get("us.icr.io").is_credential("iambearer");
        std::fs::write(env.path("empty"), " \n").unwrap();
        std::fs::write(env.path("binary"), b"\xff\xfe").unwrap();
        std::fs::create_dir(env.path("folder")).unwrap();
        for name in ["missing", "empty", "binary", "folder"] {
            let path = env.path(name).display().to_string();
            env.set("IC_API_KEY", format!("@{path}"));
            env.get("us.icr.io")
                .is_client_error(&["$IC_API_KEY", &path]);
            env.get("docker.io").is_not_found();
        }
        assert_eq!(env.cloud.exchanges(), 1);
    });
}
