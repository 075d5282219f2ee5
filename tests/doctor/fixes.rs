//! Whether the suggested commands fix the problems.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icr_emulator::Subject;
use serde_json::json;

use crate::healthy_env::HealthyMachine;
use crate::support::ENVIRONMENT_KEY;
use crate::support::Input;
use crate::support::Screen;
use crate::support::TestEnv;

/// Runs each fix that is a command of this program.
#[test]
fn the_suggested_commands_fix_the_problems() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let mut healthy = HealthyMachine::on(env);
    healthy
        .env
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost,127.0.0.1")
        .set("TERM", "dumb");
    healthy.env.add_secret(ENVIRONMENT_KEY);
    let auth = STANDARD.encode(format!("iamapikey:{ENVIRONMENT_KEY}"));
    healthy.env.add_secret(&auth);
    let registry = healthy.registry.clone();
    let podman = crate::support::PODMAN;
    let auths = format!("\"auths\": {{\"{registry}\": {{\"auth\": \"{auth}\"}}}}");
    let log_in = |healthy: &HealthyMachine| {
        let outcome = healthy.env.store(&registry, "iamapikey", ENVIRONMENT_KEY);
        outcome.is_silent_success();
    };
    type Damage<'a> = &'a dyn Fn(&HealthyMachine);
    let damages: [(&str, Damage<'_>); 9] = [
        ("source", &|_| {}),
        ("configured-clients", &|healthy| {
            log_in(healthy);
            healthy.docker("{}");
        }),
        ("creds-store", &|healthy| {
            log_in(healthy);
            healthy.docker(r#"{"credsStore": "desktop"}"#);
        }),
        ("podman-login", &|healthy| {
            healthy.env.file(podman, "{}");
        }),
        ("other-helper", &|healthy| {
            healthy.docker(r#"{"credHelpers": {"us.icr.io": "pass"}}"#);
        }),
        ("plaintext-password", &|healthy| {
            healthy.docker(&format!("{{{auths}}}"))
        }),
        ("plaintext-password", &|healthy| {
            healthy.docker(&format!(
                "{{{auths}, \"credHelpers\": {{\"{registry}\": \"pass\"}}}}"
            ));
        }),
        ("plaintext-password", &|healthy| {
            healthy.docker(&format!(
                "{{{auths}, \"credHelpers\": {{\"{registry}\": \"icr\"}}}}"
            ));
        }),
        ("api-key-expiry", &|healthy| {
            let token = "REFRESH-TOKEN-OF-THE-CLI-41d7";
            healthy.env.add_secret(token);
            let accounts = healthy.env.cloud.accounts();
            accounts.add_refresh_token(token, Subject::user("tls"));
            let session = json!({"IAMEndpoint": healthy.env.cloud.url(), "IAMRefreshToken": token});
            healthy.env.cli_session(&session);
            let login = [
                "login",
                "--from-ibmcloud",
                "--create-api-key",
                "--expires=9",
                &registry,
            ];
            let outcome = healthy.env.run(&login, Input::Open);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }),
    ];
    for (check, damage) in damages {
        let erased = healthy.env.erase(&registry);
        assert_eq!(erased.status, Some(0), "{erased:?}");
        let _ = fs::remove_file(healthy.env.path(podman));
        healthy.docker(&format!("{{\"credHelpers\": {{\"{registry}\": \"icr\"}}}}"));
        damage(&healthy);
        let of_check = || {
            let (diagnostics, _) = healthy.diagnostics();
            let diagnostic = diagnostics
                .into_iter()
                .find(|it| it["check"] == check && it["verdict"] != "ok");
            diagnostic.map(|diagnostic| diagnostic["fix"].as_str().unwrap_or_default().to_owned())
        };
        let fix = of_check().unwrap_or_else(|| panic!("{check} reports no problem"));
        let dialog: &[(&str, &str)] = match check {
            "source" => &[("API key: ", ENVIRONMENT_KEY)],
            "configured-clients" => &[("[Y/n]", ""), ("Registries", "")],
            "creds-store" => &[("Registries", "")],
            _ => &[],
        };
        let command = fix.strip_prefix("docker-credential-icr ");
        let command =
            command.unwrap_or_else(|| panic!("{check}: not a command of this program: {fix}"));
        let shown = Screen::Terminal(200).shows(&healthy.env, &[(command, dialog)]);
        assert_eq!(of_check(), None, "{fix}: {shown:?}");
    }
}
