//! What clients' files contain.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::healthy_env::HealthyMachine;

#[test]
fn everything_that_shadows_the_helper_is_reported() {
    let mut healthy = HealthyMachine::new();
    // No requests leave this machine.
    healthy
        .env
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    healthy.env.add_secret("dXNlcjpzZWNyZXQtb2YtYS1wZXJzb24=");
    healthy.env.add_secret("secret-of-a-person");
    let auth = r#""auths": {"us.icr.io": {"auth": "dXNlcjpzZWNyZXQtb2YtYS1wZXJzb24="}}"#;
    let ours = format!("\"credHelpers\": {{\"{}\": \"icr\"", healthy.registry);
    healthy.docker(&format!("{{{auth}, {ours}}}}}"));
    healthy.reports(
        "plaintext-password",
        "problem",
        &[
            "us.icr.io",
            "instead of this helper",
            "configure docker --registry us.icr.io --migrate\"",
        ],
    );
    healthy.docker(&format!("{{{auth}, {ours}, \"us.icr.io\": \"icr\"}}}}"));
    healthy.reports("plaintext-password", "warning", &["us.icr.io", "--migrate"]);
    healthy.docker(&format!(
        "{{{ours}, \"uk.icr.io\": \"pass\", \"gcr.io\": \"icr\"}}}}"
    ));
    healthy.reports(
        "other-helper",
        "warning",
        &[
            "docker-credential-pass for uk.icr.io",
            "configure docker --registry uk.icr.io --force",
        ],
    );
    healthy.reports(
        "foreign-host",
        "warning",
        &["gcr.io", "not an IBM Cloud registry"],
    );
    healthy.docker(r#"{"credsStore": "desktop"}"#);
    healthy.reports(
        "creds-store",
        "warning",
        &["docker-credential-desktop", "configure docker"],
    );
    healthy.docker(&format!("{{{ours}}}, \"credsStore\": \"icr\"}}"));
    healthy.reports("creds-store", "warning", &["all registries"]);
    fs::create_dir_all(healthy.env.path(crate::support::PODMAN_DIRECTORY)).unwrap();
    let file = healthy
        .env
        .file(crate::support::PODMAN, &format!("{{{auth}}}"));
    let message = format!(
        "{} contains passwords in clear text for us.icr.io, which podman, buildah and skopeo use instead of this helper",
        file.display()
    );
    healthy.reports("plaintext-password", "problem", &[&message]);
    healthy.env.file(crate::support::PODMAN, "{}");
    let fix = format!("configure podman --registry {}", healthy.registry);
    healthy.docker(&format!("{{{ours}}}}}"));
    healthy.reports("podman-login", "warning", &["plaintext password", &fix]);
    healthy.docker("{ no JSON");
    let unread = "no client's file that can be read names this helper. Cannot read ";
    healthy.reports("configured-clients", "warning", &[unread, "config.json"]);
    healthy.reports(
        "client-file",
        "problem",
        &["neither this program nor docker can read ", "config.json"],
    );
    healthy.docker(r#"{"auths": {}, "auths": {}}"#);
    healthy.reports(
        "client-file",
        "warning",
        &[
            "does not read or change",
            "`auths` occurs twice",
            "docker may read it",
        ],
    );
    healthy.docker("{}");
    healthy.reports(
        "configured-clients",
        "warning",
        &["no client is configured", "configure"],
    );
}

#[test]
fn passwords_that_cannot_be_migrated_are_reported_with_the_reason() {
    let healthy = HealthyMachine::new();
    let auth = |password: &str| {
        let auth = STANDARD.encode(format!("iamapikey:{password}"));
        healthy.env.add_secret(password);
        healthy.env.add_secret(&auth);
        auth
    };
    let (one, other) = (auth("PASSWORD-ONE-3c1d"), auth("PASSWORD-TWO-8e2f"));
    let reported = |auths: &str| {
        healthy.docker(&format!("{{\"auths\": {{{auths}}}}}"));
        let (diagnostics, _) = healthy.diagnostics();
        let of_passwords = diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic["check"] == "plaintext-password");
        let path = healthy.env.path("home/.docker/config.json");
        let path = path.display().to_string();
        let lines = of_passwords.map(|diagnostic| {
            let part = |name: &str| {
                diagnostic[name]
                    .as_str()
                    .unwrap_or("-")
                    .replace(&path, "FILE")
            };
            format!(
                "{}: {} fix: {}",
                part("verdict"),
                part("message"),
                part("fix")
            )
        });
        lines.collect::<Vec<_>>()
    };
    let same = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}, \"https://us.icr.io/v1/\": {{\"auth\": \"{one}\"}}"
    );
    assert_eq!(
        reported(&same),
        [
            "problem: FILE contains passwords in clear text for us.icr.io, which docker uses instead of this helper fix: Select a keychain with ICR_KEYCHAIN=auto, then run: docker-credential-icr configure docker --registry us.icr.io --migrate"
        ]
    );
    let different = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}, \"us.icr.io/x\": {{\"auth\": \"{other}\"}}, \"de.icr.io\": {{\"identitytoken\": \"t\"}}"
    );
    assert_eq!(
        reported(&different),
        [
            "problem: the entry for de.icr.io in FILE is a token that only its client can use fix: Log out with the client that wrote it, then log in again",
            "problem: different passwords for us.icr.io are stored in FILE fix: Remove the wrong ones, then run this command again",
        ]
    );
    let of_another = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}}}, \"credHelpers\": {{\"us.icr.io\": \"pass\""
    );
    assert_eq!(
        reported(&of_another),
        [
            "warning: FILE contains passwords in clear text for us.icr.io fix: Select a keychain with ICR_KEYCHAIN=auto, then run: docker-credential-icr configure docker --registry us.icr.io --migrate --force"
        ]
    );
}

#[test]
fn further_files_of_clients_are_checked() {
    let mut healthy = HealthyMachine::new();
    healthy
        .env
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let auth = STANDARD.encode("iamapikey:PASSWORD-ONE-3c1d");
    healthy.env.add_secret(&auth);
    let auths =
        format!("{{\"us.icr.io\": {{\"auth\": \"{auth}\"}}, \"x.io\": {{\"auth\": \"eDp5\"}}}}");
    healthy.env.file("home/.dockercfg", &auths);
    healthy.reports(
        "plaintext-password",
        "warning",
        &[
            "home/.dockercfg contains passwords in clear text",
            "for us.icr.io, which podman",
            "Remove us.icr.io from",
        ],
    );
    healthy.env.file(
        "config/helm/registry/config.json",
        &format!("{{\"auths\": {auths}}}"),
    );
    healthy.reports(
        "helm",
        "warning",
        &[
            "helm/registry/config.json contains logins for us.icr.io",
            "helm registry logout us.icr.io\"",
        ],
    );
    healthy.docker("{}");
    healthy.reports(
        "configured-clients",
        "warning",
        &["no client is configured"],
    );
    let settings = "home/.config/containers/registries.conf";
    healthy
        .env
        .file(settings, "credential-helpers = [\"icr\"]\n");
    healthy.does_not_report("configured-clients");
    healthy.reports(
        "credential-helpers",
        "warning",
        &[
            "registries.conf (podman",
            "all registries",
            "Add \\\"containers-auth.json\\\" after",
        ],
    );
    healthy.env.file(
        settings,
        "credential-helpers = [\"icr\", \"containers-auth.json\"]\n",
    );
    healthy.reports("credential-helpers", "ok", &["all registries"]);
    healthy.docker(r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    healthy.env.file(crate::support::PODMAN, "{}");
    // `podman login` gives the password to this helper first.
    healthy.does_not_report("podman-login");
}

#[cfg(target_os = "linux")]
#[test]
fn podman_with_the_helper_only_in_its_temporary_file_is_a_warning() {
    let healthy = HealthyMachine::new();
    let ours = r#"{"credHelpers": {"us.icr.io": "icr"}}"#;
    healthy.docker("{}");
    fs::create_dir_all(healthy.env.path(crate::support::PODMAN_DIRECTORY)).unwrap();
    healthy.env.file(crate::support::PODMAN, ours);
    healthy.reports(
        "podman-session",
        "warning",
        &[
            "podman, buildah and skopeo use this helper for us.icr.io only until your session ends",
            "configure podman --registry us.icr.io",
        ],
    );
    healthy.docker(ours);
    healthy.does_not_report("podman-session");
    healthy.docker("{}");
    fs::create_dir_all(healthy.env.path("config/containers")).unwrap();
    healthy.env.file(crate::support::PODMAN_LASTING, ours);
    healthy.does_not_report("podman-session");
}

#[test]
fn a_key_in_the_file_of_regctl_is_reported() {
    let healthy = HealthyMachine::new();
    healthy.env.add_secret("KEY-OF-REGCTL-9e11");
    fs::create_dir(healthy.env.path("home/.regctl")).unwrap();
    let write = |entry: &str| {
        let text = format!(r#"{{"hosts": {{"us.icr.io": {{{entry}}}}}}}"#);
        healthy.env.file("home/.regctl/config.json", &text);
    };
    let login = r#""user": "iamapikey", "pass": "KEY-OF-REGCTL-9e11""#;
    write(login);
    healthy.reports(
        "plaintext-password",
        "problem",
        &[
            "/.regctl/config.json contains passwords in clear text for us.icr.io, which regctl uses",
            "configure regctl --registry us.icr.io --migrate",
        ],
    );
    write(&format!(
        r#"{login}, "credHelper": "/opt/bin/docker-credential-icr""#
    ));
    healthy.reports("plaintext-password", "warning", &["us.icr.io"]);
    write(r#""credHelper": "icr""#);
    healthy.reports(
        "helper-name",
        "problem",
        &["regctl needs the whole name, docker-credential-icr"],
    );
    write(r#""credHelper": "docker-credential-pass""#);
    healthy.reports(
        "other-helper",
        "warning",
        &["(regctl) uses docker-credential-pass"],
    );
}
