//! Files and directories around clients that they, or this program, cannot use.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::healthy_env::HealthyMachine;

const LOGIN: &str = r#"{"auths": {"us.icr.io": {"auth": "eDp5"}}}"#;

/// Writes a file in the home directory.
fn write(healthy: &HealthyMachine, path: &str, text: &str) {
    let file = healthy.env.path("home").join(path);
    fs::create_dir_all(file.parent().expect("it has one")).expect("the directory is writable");
    fs::write(file, text).expect("it is writable");
}

/// Returns the diagnostics of a check that are not `ok`.
fn findings(healthy: &HealthyMachine, check: &str) -> Vec<Value> {
    let (diagnostics, _) = healthy.diagnostics();
    let found = diagnostics.into_iter();
    found
        .filter(|it| it["check"] == check && it["verdict"] != "ok")
        .collect()
}

#[test]
fn passwords_in_the_directories_of_dockers_snap_are_reported_once() {
    for directory in ["snap/docker", ".snap/data/docker"] {
        let healthy = HealthyMachine::new();
        let file = |revision: &str| format!("{directory}/{revision}/.docker/config.json");
        write(&healthy, &file("2285"), LOGIN);
        write(&healthy, &file("3377"), "{}");
        write(&healthy, &file("common"), LOGIN);
        let current = healthy.env.path("home").join(directory).join("current");
        std::os::unix::fs::symlink("2285", current).expect("it is a new link");
        healthy.reports("docker-snap", "warning", &[&file("current")]);
        let found = findings(&healthy, "plaintext-password");
        let messages: Vec<&str> = found
            .iter()
            .filter_map(|it| it["message"].as_str())
            .collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        for (message, revision) in messages.into_iter().zip(["current", "common"]) {
            assert!(message.contains(&file(revision)), "{message}");
            assert!(message.contains("passwords in clear text for us.icr.io"));
        }
        healthy.reports("plaintext-password", "warning", &["Remove us.icr.io from"]);
        write(&healthy, &file("common"), "{\"auths\":");
        healthy.reports(
            "client-file",
            "problem",
            &["nor docker from a snap can read", "it ends too early"],
        );
    }
}

#[test]
fn podmans_settings_that_it_cannot_read_are_reported() {
    for (file, text, part) in [
        (
            "registries.conf",
            "unqualified-search-registries = [",
            "not valid TOML",
        ),
        ("registries.conf", "a = b\n", "not valid TOML"),
        (
            "registries.conf",
            "credential-helpers = \"icr\"\n",
            "is not a list of names in quotes (line 1, column 22)",
        ),
        (
            "registries.conf.d/icr.conf",
            "[[registry]\n",
            "not valid TOML",
        ),
    ] {
        let healthy = HealthyMachine::new();
        write(&healthy, &format!(".config/containers/{file}"), text);
        let parts = [
            "podman, buildah and skopeo cannot read",
            file,
            part,
            "(line 1,",
        ];
        healthy.reports("client-file", "problem", &parts);
        healthy.reports("client-file", "problem", &["Correct or remove", file]);
    }
}

#[test]
fn files_with_logins_that_cannot_be_read_are_reported() {
    for (file, client) in [
        ("../config/helm/registry/config.json", "helm"),
        (".dockercfg", "podman, buildah and skopeo"),
        (".finch/config.json", "finch"),
    ] {
        let healthy = HealthyMachine::new();
        write(&healthy, file, "{\"us.icr.io\": {\"auth\": \"eDp5");
        let message = format!("nor {client} can read");
        let parts = [
            &*message,
            file.trim_start_matches("../"),
            "(line 1, column 28: it ends too early)",
        ];
        healthy.reports("client-file", "problem", &parts);
    }
}

#[test]
fn a_relative_path_in_any_variable_is_a_warning() {
    for (variable, fix) in [
        ("XDG_RUNTIME_DIR", "XDG_RUNTIME_DIR"),
        ("XDG_CONFIG_HOME", "export XDG_CONFIG_HOME="),
        ("TMPDIR", "unset TMPDIR"),
        ("HELM_REGISTRY_CONFIG", "export HELM_REGISTRY_CONFIG="),
        ("HELM_CONFIG_HOME", "export HELM_CONFIG_HOME="),
        (
            "CONTAINERS_REGISTRIES_CONF",
            "export CONTAINERS_REGISTRIES_CONF=",
        ),
        ("HOME", "Set HOME to the absolute path"),
    ] {
        let mut healthy = HealthyMachine::new();
        healthy.env.set(variable, "run");
        let message = format!("${variable} is a relative path (run), so clients read another");
        healthy.reports("client-variable", "warning", &[&message, fix]);
    }
}

#[test]
fn entries_of_the_path_that_are_no_directories_are_each_reported() {
    let mut healthy = HealthyMachine::new();
    let bin = healthy.env.path("bin").display().to_string();
    for (entry, verdict, parts) in [
        (
            format!("\"{bin}\""),
            "warning",
            ["in quotes, which are a part of its name", "start no helper"],
        ),
        (
            format!("{bin} "),
            "warning",
            ["with a blank at its beginning or end", "find no helper"],
        ),
        (
            format!(" {bin}"),
            "warning",
            ["with a blank at its beginning or end", "start no helper"],
        ),
        (
            format!("{bin}\n"),
            "warning",
            ["with a line end or another invisible", "find no helper"],
        ),
        (
            format!("{bin}/docker-credential-icr"),
            "warning",
            ["which is a file, not a directory", "find no helper"],
        ),
    ] {
        healthy.env.set("PATH", format!("/nowhere:{entry}"));
        healthy.reports("path-entry", verdict, &parts);
        let fix = format!("Write {bin} in the PATH instead");
        healthy.reports("path-entry", verdict, &[&fix]);
        healthy.reports("path", "problem", &["clients cannot find"]);
    }
    healthy
        .env
        .set("PATH", format!("~/bin:$HOME/bin::tools:{bin}"));
    healthy.reports("path-entry", "warning", &["no shell has expanded"]);
    assert_eq!(findings(&healthy, "path-entry").len(), 4);
}

#[test]
fn entries_of_the_path_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let mut healthy = HealthyMachine::new();
    let mut path = b"/nowhere/\xff:".to_vec();
    path.extend(healthy.env.path("bin").display().to_string().bytes());
    healthy.env.set("PATH", std::ffi::OsString::from_vec(path));
    healthy.reports("path", "ok", &["/bin/docker-credential-icr"]);
    healthy.does_not_report("path-entry");
}

#[test]
fn a_home_that_is_not_utf_8_has_a_fix() {
    use std::os::unix::ffi::OsStringExt;
    let mut healthy = HealthyMachine::new();
    let home = std::ffi::OsString::from_vec(b"/nowhere/\xff".to_vec());
    healthy.env.set("HOME", home);
    healthy.reports(
        "client-variable",
        "problem",
        &["$HOME is not UTF-8 text", "Set HOME to a value in UTF-8"],
    );
}

/// Returns the paths of all files and directories below a directory.
fn below(directory: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        paths.push(entry.path().display().to_string());
        paths.extend(below(&entry.path()));
    }
    paths.sort_unstable();
    paths
}

#[test]
fn nothing_is_created_by_a_query() {
    for home in ["absent", "home"] {
        let mut healthy = HealthyMachine::new();
        let directory = healthy.env.path(home);
        healthy.env.set("HOME", &directory);
        for variable in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            healthy.env.unset(variable);
        }
        let before = below(&directory);
        for arguments in [
            &["doctor"][..],
            &["doctor", "--json"],
            &["status"],
            &["settings"],
            &["list"],
            &["version"],
            &["configure", "--registry", "us.icr.io", "--dry-run"],
            &["configure", "--undo", "--dry-run"],
            &["completions", "bash"],
        ] {
            healthy.env.run(arguments, "");
            assert_eq!(below(&directory), before, "{arguments:?}");
            assert_eq!(directory.exists(), home == "home", "{arguments:?}");
        }
    }
}
