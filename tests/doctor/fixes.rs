//! Whether the suggested commands fix the problems.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icr_emulator::Subject;
use serde_json::json;

use crate::healthy_machine::HealthyMachine;
use crate::support::ENVIRONMENT_KEY;
use crate::support::Input;
use crate::support::Machine;
use crate::support::Screen;

/// Runs each fix that is a command of this program.
#[test]
fn the_suggested_commands_fix_the_problems() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let mut healthy = HealthyMachine::on(machine);
    healthy
        .machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost,127.0.0.1")
        .set("TERM", "dumb");
    healthy.machine.plant(ENVIRONMENT_KEY);
    let auth = STANDARD.encode(format!("iamapikey:{ENVIRONMENT_KEY}"));
    healthy.machine.plant(&auth);
    let registry = healthy.registry.clone();
    let podman = "runtime/containers/auth.json";
    let auths = format!("\"auths\": {{\"{registry}\": {{\"auth\": \"{auth}\"}}}}");
    let log_in = |healthy: &HealthyMachine| {
        let outcome = healthy
            .machine
            .store(&registry, "iamapikey", ENVIRONMENT_KEY);
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
            healthy.machine.file(podman, "{}");
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
            healthy.machine.plant(token);
            let accounts = healthy.machine.cloud.accounts();
            accounts.add_refresh_token(token, Subject::user("tls"));
            let session =
                json!({"IAMEndpoint": healthy.machine.cloud.url(), "IAMRefreshToken": token});
            healthy.machine.cli_session(&session);
            let login = [
                "login",
                "--from-ibmcloud",
                "--create-api-key",
                "--expires=9",
                &registry,
            ];
            let outcome = healthy.machine.run(&login, Input::Open);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }),
    ];
    for (check, damage) in damages {
        let erased = healthy.machine.erase(&registry);
        assert_eq!(erased.status, Some(0), "{erased:?}");
        let _ = fs::remove_file(healthy.machine.path(podman));
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
        let shown = Screen::Terminal(200).shows(&healthy.machine, &[(command, dialog)]);
        assert_eq!(of_check(), None, "{fix}: {shown:?}");
    }
}
