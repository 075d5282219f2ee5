//! What people wrote into variables, and clients do not accept.

use std::fs;

use crate::healthy_env::HealthyMachine;

#[test]
fn a_variable_that_names_dockers_file_instead_of_its_directory_is_reported() {
    let mut healthy = HealthyMachine::new();
    let file = healthy.env.path("home/.docker/config.json");
    let fix = format!("export DOCKER_CONFIG={}", file.parent().unwrap().display());
    healthy.env.set("DOCKER_CONFIG", file);
    healthy.reports(
        "client-variable",
        "problem",
        &[
            "$DOCKER_CONFIG has to be a directory",
            "is the path of a file",
            &fix,
        ],
    );
    for client in [&["docker"][..], &["podman"], &[]] {
        let arguments = [&["configure"], client, &["--registry", "us.icr.io"]].concat();
        let outcome = healthy.env.run(&arguments, "");
        outcome.is_user_error(&["$DOCKER_CONFIG has to be a directory", &fix]);
    }
}

#[test]
fn a_variable_with_the_name_of_a_file_that_does_not_exist_is_reported() {
    let mut healthy = HealthyMachine::new();
    let directory = healthy.env.path("home/elsewhere");
    healthy
        .env
        .set("DOCKER_CONFIG", directory.join("config.json"));
    healthy.reports("client-variable", "problem", &["has to be a directory"]);
    let outcome = healthy
        .env
        .run(&["configure", "docker", "--registry", "us.icr.io"], "");
    outcome.is_user_error(&["has to be a directory"]);
    assert!(!directory.exists());
}

#[test]
fn a_variable_that_names_a_directory_instead_of_a_file_is_reported() {
    for (variable, client) in [
        ("REGISTRY_AUTH_FILE", "podman"),
        ("REGCTL_CONFIG", "regctl"),
    ] {
        let mut healthy = HealthyMachine::new();
        let directory = healthy.env.path("home/.docker");
        healthy.env.set(variable, directory);
        let message = format!("${variable} has to be a file");
        healthy.reports("client-variable", "problem", &[&message, "is a directory"]);
        let outcome = healthy
            .env
            .run(&["configure", client, "--registry", "us.icr.io"], "");
        outcome.is_user_error(&[&message]);
    }
}

#[test]
fn a_variable_that_no_shell_has_expanded_is_reported() {
    let mut healthy = HealthyMachine::new();
    for directory in [
        "~/.docker",
        "$HOME/.docker",
        "${HOME}/.docker",
        "%USERPROFILE%/.docker",
    ] {
        healthy.env.set("DOCKER_CONFIG", directory);
        healthy.reports(
            "client-variable",
            "problem",
            &[directory, "no shell has expanded", "export DOCKER_CONFIG="],
        );
        let outcome = healthy
            .env
            .run(&["configure", "docker", "--registry", "us.icr.io"], "");
        outcome.is_user_error(&["no shell has expanded"]);
    }
    healthy.env.set("DOCKER_CONFIG", "docker");
    healthy.reports("client-variable", "warning", &["a relative path (docker)"]);
}

#[test]
fn a_directory_in_the_place_of_dockers_file_is_reported_once() {
    let healthy = HealthyMachine::new();
    let file = healthy.env.path("home/.docker/config.json");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let fix = format!("rmdir {}", file.display());
    healthy.reports(
        "client-file",
        "problem",
        &["is a directory, not a file", &fix],
    );
    let outcome = healthy
        .env
        .run(&["configure", "docker", "--registry", "us.icr.io"], "");
    outcome.is_user_error(&["config.json was not changed: it is a directory", &fix]);
}

#[test]
fn relative_and_empty_entries_of_the_path_are_reported() {
    let mut healthy = HealthyMachine::new();
    let bin = healthy.env.path("bin");
    healthy.does_not_report("path-entry");
    for (path, name) in [
        (
            format!("{}:tools", bin.display()),
            "the relative entry 'tools'",
        ),
        (
            format!("{}:", bin.display()),
            "an empty entry, which means the working directory",
        ),
        (format!(":{}", bin.display()), "an empty entry"),
        (format!("~/bin:{}", bin.display()), "'~/bin'"),
    ] {
        healthy.env.set("PATH", path);
        healthy.reports(
            "path-entry",
            "warning",
            &[name, "start no helper that they find there"],
        );
    }
}

#[test]
fn a_program_that_is_found_by_a_relative_entry_is_a_problem() {
    let mut healthy = HealthyMachine::new();
    let bin = healthy.env.path("bin");
    // Of the directory in which the program runs.
    healthy.env.set("PATH", format!("./bin:{}", bin.display()));
    healthy.reports("path-entry", "problem", &["'./bin'", "refuse to start it"]);
}

#[test]
fn only_logins_of_our_registries_in_the_variable_are_a_warning() {
    let mut healthy = HealthyMachine::new();
    let login = |host: &str| format!(r#"{{"auths": {{"{host}": {{"auth": "eDp5"}}}}}}"#);
    for harmless in [
        login("registry.gitlab.com"),
        r#"{"auths": {"us.icr.io": {}}}"#.to_owned(),
        String::new(),
    ] {
        healthy.env.set("DOCKER_AUTH_CONFIG", &harmless);
        healthy.does_not_report("docker-auth-config");
    }
    for host in ["us.icr.io", "https://us.icr.io/v2/", "us.icr.io:443"] {
        healthy.env.set("DOCKER_AUTH_CONFIG", login(host));
        let fix = format!("Remove {host} from $DOCKER_AUTH_CONFIG");
        healthy.reports(
            "docker-auth-config",
            "warning",
            &["instead of this helper", &fix],
        );
    }
    let helper = r#"{"credHelpers": {"us.icr.io": "icr"}}"#;
    healthy.env.set("DOCKER_AUTH_CONFIG", helper);
    healthy.reports(
        "docker-auth-config",
        "ok",
        &["GitLab Runner and testcontainers use this helper for us.icr.io"],
    );
    healthy.env.set(
        "DOCKER_AUTH_CONFIG",
        helper.replace("icr\"}", "docker-credential-icr\"}"),
    );
    healthy.reports(
        "docker-auth-config",
        "warning",
        &["the name of docker-credential-icr is"],
    );
    healthy.env.set(
        "DOCKER_AUTH_CONFIG",
        helper.replace("icr\"}", "ecr-login\"}"),
    );
    healthy.reports(
        "docker-auth-config",
        "warning",
        &["GitLab Runner and testcontainers use docker-credential-ecr-login for us.icr.io"],
    );
    healthy.env.set("DOCKER_AUTH_CONFIG", "secret-of-a-person");
    healthy.env.add_secret("secret-of-a-person");
    healthy.reports(
        "docker-auth-config",
        "warning",
        &["clients cannot read $DOCKER_AUTH_CONFIG", "not valid JSON"],
    );
}

#[test]
fn mistakes_in_podmans_list_of_helpers_are_reported() {
    let healthy = HealthyMachine::new();
    let directory = healthy.env.path("home/.config/containers");
    fs::create_dir_all(&directory).unwrap();
    let list = |names: &str| {
        let text = format!("credential-helpers = [{names}]\n");
        fs::write(directory.join("registries.conf"), text).unwrap();
    };
    list("\"containers-auth.json\", \"docker-credential-icr\"");
    healthy.reports(
        "credential-helpers",
        "problem",
        &[
            "docker-credential-docker-credential-icr",
            "Write \\\"icr\\\" in credential-helpers",
        ],
    );
    fs::create_dir_all(healthy.env.path(crate::support::PODMAN_DIRECTORY)).unwrap();
    let auth_file = healthy.env.path(crate::support::PODMAN);
    fs::write(auth_file, r#"{"credHelpers": {"us.icr.io": "icr"}}"#).unwrap();
    list("\"pass\"");
    healthy.reports(
        "credential-helpers",
        "problem",
        &["ignore auth.json and this helper in it"],
    );
    list("\"pass\", \"containers-auth.json\"");
    healthy.does_not_report("credential-helpers");
}

#[test]
fn a_variable_in_quotes_is_reported() {
    for quote in ['"', '\''] {
        let mut healthy = HealthyMachine::new();
        let value = format!("{quote}/nowhere/.docker{quote}");
        healthy.env.set("DOCKER_CONFIG", &value);
        let parts = [
            "the quotes as a part of the path",
            "export DOCKER_CONFIG=/nowhere/.docker",
        ];
        healthy.reports("client-variable", "problem", &parts);
        let arguments = ["configure", "docker", "--registry", "us.icr.io"];
        healthy.env.run(&arguments, "").is_user_error(&parts);
    }
}

#[test]
fn a_relative_path_in_a_clients_variable_is_a_warning() {
    for (client, variable, path) in [
        ("docker", "DOCKER_CONFIG", "docker"),
        ("podman", "REGISTRY_AUTH_FILE", "auth.json"),
        ("regctl", "REGCTL_CONFIG", "./regctl.json"),
    ] {
        let mut healthy = HealthyMachine::new();
        healthy.env.set(variable, path);
        let message = format!("${variable} is a relative path ({path}), so clients read another");
        let fix = format!("export {variable}=");
        healthy.reports("client-variable", "warning", &[&message, &fix]);
        let arguments = ["configure", client, "--registry", "us.icr.io", "--dry-run"];
        let outcome = healthy.env.run(&arguments, "");
        outcome.has(&outcome.stderr, &["warning: ", &message, &fix]);
    }
}

#[test]
fn quotes_around_the_path_in_any_variable_are_reported() {
    for variable in [
        "REGISTRY_AUTH_FILE",
        "REGCTL_CONFIG",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "TMPDIR",
        "HELM_REGISTRY_CONFIG",
        "CONTAINERS_REGISTRIES_CONF",
        "HOME",
    ] {
        let mut healthy = HealthyMachine::new();
        healthy.env.set(variable, "\"/nowhere/a\"");
        let message = format!("${variable} is");
        let fix = format!("export {variable}=/nowhere/a");
        let parts = [&*message, "the quotes as a part of the path", &fix];
        healthy.reports("client-variable", "problem", &parts);
        let outcome = healthy
            .env
            .run(&["configure", "--registry", "us.icr.io"], "");
        outcome.is_user_error(&parts);
    }
}

#[test]
fn a_key_among_the_helpers_of_a_file_is_not_shown() {
    secret_is_not_shown("abcdEFGH1234abcdEFGH1234abcdEFGH1234abcdEFGH");
}

#[test]
fn a_passcode_among_the_helpers_of_a_file_is_not_shown() {
    secret_is_not_shown("4k7Qp2XwZz");
    secret_is_not_shown("aBcDeFgHiJ");
}

#[track_caller]
fn secret_is_not_shown(key: &str) {
    for helpers in [
        format!("\"https://iamapikey:{key}@us.icr.io\": \"icr\""),
        format!("\"{key}\": \"icr\""),
        format!("\"{key}\": \"docker-credential-icr\""),
        format!("\"{key}*\": \"icr\""),
        format!("\"us.icr.io/{key}\": \"icr\""),
        format!("\"us.icr.io {key}\": \"icr\""),
        format!("\"us.icr.io,{key}\": \"icr\""),
        format!("\"{key}\": \"pass\""),
        format!("\"us.icr.io\": \"{key}\""),
    ] {
        let healthy = HealthyMachine::new();
        healthy.env.add_secret(key);
        healthy.docker(&format!("{{\"credHelpers\": {{{helpers}}}}}"));
        let report = healthy.env.path("report");
        let report = report.to_str().expect("it is UTF-8");
        let commands: [&[&str]; 5] = [
            &["doctor"],
            &["doctor", "--json"],
            &["doctor", "--report", report],
            &["configure", "docker", "--registry", "us.icr.io"],
            &["configure", "--registry", "de.icr.io", "--dry-run"],
        ];
        for arguments in commands {
            let outcome = healthy.env.run(arguments, "");
            let shown = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(!shown.contains(key), "{arguments:?}: {shown}");
        }
        let report = std::fs::read_to_string(report).expect("doctor writes it");
        assert!(!report.contains(key), "{report}");
    }
}

#[test]
fn a_device_in_place_of_a_file_gets_no_advice_about_its_mode() {
    let mut healthy = HealthyMachine::new();
    healthy.env.set("REGISTRY_AUTH_FILE", "/dev/null");
    let outcome = healthy.env.run(&["doctor"], "");
    assert!(!outcome.stdout.contains("chmod"), "{}", outcome.stdout);
}
