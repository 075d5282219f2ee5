//! nerdctl looks up registries with their port.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::healthy_env::HealthyMachine;
use crate::support;

fn install_nerdctl(healthy: &HealthyMachine, name: &str) {
    support::write_executable(b"#!/bin/sh\n", &healthy.env.path(name));
}

#[test]
fn a_missing_key_with_the_port_is_reported_where_nerdctl_is_installed() {
    let healthy = HealthyMachine::new();
    healthy.docker(r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    healthy.does_not_report("nerdctl");
    install_nerdctl(&healthy, "bin/nerdctl");
    let fix = "configure nerdctl --registry us.icr.io";
    healthy.reports(
        "nerdctl",
        "warning",
        &["would write a plaintext password", "us.icr.io:443", fix],
    );
    let outcome = healthy
        .env
        .run(&["configure", "docker", "--registry", "us.icr.io"], "");
    outcome.has(&outcome.stdout, &["helper added for us.icr.io:443"]);
    healthy.does_not_report("nerdctl");
    healthy.does_not_report("helper-key");
}

#[test]
fn nerdctl_of_rancher_desktop_is_found_although_it_is_not_on_the_path() {
    let healthy = HealthyMachine::new();
    healthy.docker(r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    std::fs::create_dir_all(healthy.env.path("home/.rd/bin")).unwrap();
    install_nerdctl(&healthy, "home/.rd/bin/nerdctl");
    healthy.reports("nerdctl", "warning", &["us.icr.io:443"]);
}

#[test]
fn a_password_that_nerdctl_stored_beside_the_helper_is_a_problem() {
    let healthy = HealthyMachine::new();
    let auth = STANDARD.encode("iamapikey:KEY-OF-NERDCTL-71cd");
    healthy.env.add_secret("KEY-OF-NERDCTL-71cd");
    healthy.env.add_secret(&auth);
    healthy.docker(&format!(
        r#"{{"credHelpers": {{"us.icr.io": "icr"}}, "auths": {{"us.icr.io:443": {{"auth": "{auth}"}}}}}}"#
    ));
    healthy.reports(
        "nerdctl",
        "problem",
        &[
            "us.icr.io:443, which nerdctl uses instead",
            "configure nerdctl --registry us.icr.io --migrate",
        ],
    );
}

#[test]
fn a_password_that_finch_stored_is_a_warning() {
    let healthy = HealthyMachine::new();
    let auth = STANDARD.encode("iamapikey:KEY-OF-FINCH-22ab");
    healthy.env.add_secret("KEY-OF-FINCH-22ab");
    healthy.env.add_secret(&auth);
    std::fs::create_dir(healthy.env.path("home/.finch")).unwrap();
    let text = format!(r#"{{"auths": {{"us.icr.io:443": {{"auth": "{auth}"}}}}}}"#);
    healthy.env.file("home/.finch/config.json", &text);
    healthy.reports(
        "plaintext-password",
        "warning",
        &[
            "us.icr.io:443, which finch uses",
            "finch logout us.icr.io:443",
        ],
    );
}
