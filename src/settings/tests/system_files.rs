//! The files of `config.d`.

use super::*;

/// Creates the directory of the system's settings, with files below `docker-credential-icr`.
fn system_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write_own(&directory.path().join(PROGRAM).join(name), text);
    }
    directory
}

fn load_system(system: &tempfile::TempDir) -> Result<Settings> {
    Settings::load(&Environment::default(), None, Some(system.path()))
}

#[test]
fn files_of_config_d_are_read_in_the_order_of_their_names_after_the_systems() {
    let system = system_with(&[
        ("config.toml", "deadline = 10\nattempt-timeout = 3\n"),
        ("config.d/20-z.toml", "deadline = 20\n"),
        (
            "config.d/10-a.toml",
            "deadline = 11\nconnect-timeout = 4\nregistries = [\"a.example\"]\n\
             registry.\"us.icr.io\".profile = \"later\"\n",
        ),
        (
            "config.d/3.toml",
            "deadline = 12\nprofile.later.source = \"vpc\"\nregistries = [\"b.example\"]\n",
        ),
    ]);
    let settings = load_system(&system).unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(12));
    assert_eq!(settings.limits.attempt, Duration::from_secs(3));
    assert_eq!(settings.limits.connect, Duration::from_secs(4));
    let hosts: Vec<&str> = settings.registries.iter().map(Registry::host).collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
    let of_us = settings.for_registry(&at("us.icr.io")).profile;
    assert_eq!(of_us.map(|it| &*it.name), Some("later"));
    let path = |name: &str| system.path().join(PROGRAM).join(name);
    for (key, name) in [
        ("deadline", "config.d/3.toml"),
        ("connect-timeout", "config.d/10-a.toml"),
        ("attempt-timeout", "config.toml"),
        ("registries.a.example", "config.d/10-a.toml"),
        ("registry.us.icr.io", "config.d/10-a.toml"),
        ("profile.later", "config.d/3.toml"),
    ] {
        assert_eq!(settings.origin(key), &DefinedIn::File(path(name)), "{key}");
    }
    let files: Vec<&Path> = settings.files().iter().map(|it| &*it.path).collect();
    let names = [
        "config.toml",
        "config.d/10-a.toml",
        "config.d/20-z.toml",
        "config.d/3.toml",
    ];
    assert_eq!(files, names.map(path));
    assert!(settings.files().iter().all(|it| it.exists));
}

#[test]
fn the_users_file_takes_precedence_over_config_d() {
    let system = system_with(&[("config.d/a.toml", "deadline = 12\nnamespace = \"it\"\n")]);
    let user = directory_with("deadline = 13\n");
    let settings = Settings::load(
        &Environment::default(),
        Some(user.path()),
        Some(system.path()),
    )
    .unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(13));
    assert_eq!(settings.namespace, "it");
    let existing = settings.files().iter().map(|it| it.exists);
    assert_eq!(existing.collect::<Vec<_>>(), [false, true, true]);
    let place = Settings::with_login_place(
        &Environment::default(),
        Some(user.path()),
        Some(system.path()),
    );
    assert_eq!(place.unwrap().namespace, "it");
}

#[test]
fn hidden_files_and_other_suffixes_are_ignored() {
    let broken = "deadline = ";
    let system = system_with(&[
        ("config.d/.hidden.toml", broken),
        ("config.d/.toml", broken),
        ("config.d/a.toml~", broken),
        ("config.d/a.toml.dpkg-new", broken),
        ("config.d/a.toml.rpmsave", broken),
        ("config.d/.a.toml.swp", broken),
        ("config.d/a.conf", broken),
        ("config.d/A.TOML", broken),
        ("config.d/toml", broken),
        ("config.d/README", broken),
        ("config.d/below.d/a.toml", broken),
        ("config.d/b.toml", "deadline = 7\n"),
    ]);
    let settings = load_system(&system).unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(7));
    assert_eq!(settings.files().len(), 2);
}

#[test]
fn a_broken_file_is_named_with_line_and_column() {
    for (text, parts) in [
        ("\ndeadline = x\n", &["line 2, column 12", "in quotes"][..]),
        ("dead-line = 5\n", &["line 1, column 1", "deadline"]),
        (
            "registry.\"us.icr.io\".profile = \"none\"\n",
            &["line 1", "none"],
        ),
    ] {
        let system = system_with(&[("config.d/a.toml", ""), ("config.d/b.toml", text)]);
        let error = format!("{:?}", load_system(&system).unwrap_err());
        let path = system.path().join(PROGRAM).join("config.d").join("b.toml");
        // As in the error, with backslashes escaped.
        let path = format!("{path:?}");
        for part in parts.iter().chain([&path.trim_matches('"')]) {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }
}

#[test]
fn the_variable_with_a_file_excludes_config_d() {
    let system = system_with(&[("config.d/a.toml", "deadline = ")]);
    let only = system.path().join("only.toml");
    write_own(&only, "deadline = 9\n");
    let environment = [(environment::CONFIG, only)].into_iter().collect();
    let settings = Settings::load(&environment, None, Some(system.path())).unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(9));
    assert_eq!(settings.files().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_change_is_refused_as_the_systems_file_is() {
    use std::os::unix::fs::PermissionsExt;
    let system = system_with(&[("config.d/a.toml", "deadline = 9\n")]);
    let directory = system.path().join(PROGRAM).join("config.d");
    for (path, mode) in [
        (directory.join("a.toml"), 0o602),
        (directory.clone(), 0o707),
    ] {
        let before = path.metadata().unwrap().permissions();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let error = load_system(&system).unwrap_err().to_string();
        let name = directory.join("a.toml").display().to_string();
        let mode = format!("(mode 0{mode:o})");
        for part in ["is refused", &name, &mode] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
        std::fs::set_permissions(&path, before).unwrap();
    }
    assert!(load_system(&system).is_ok());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_or_no_directory_is_an_error() {
    let system = system_with(&[("config.toml", "")]);
    let directory = system.path().join(PROGRAM).join("config.d");
    std::fs::write(&directory, "").unwrap();
    let error = load_system(&system).unwrap_err().to_string();
    assert!(error.contains("config.d cannot be read"), "{error}");
    std::fs::remove_file(&directory).unwrap();
    crate::fs::create_directory(&directory).unwrap();
    crate::fs::create_directory(&directory.join("a.toml")).unwrap();
    let error = load_system(&system).unwrap_err().to_string();
    assert!(error.contains("a.toml cannot be read"), "{error}");
    std::fs::remove_dir(directory.join("a.toml")).unwrap();
    // Not /nonexistent, which is a home directory on some machines.
    let missing = system.path().join("missing");
    std::os::unix::fs::symlink(missing, directory.join("a.toml")).unwrap();
    let error = load_system(&system).unwrap_err().to_string();
    let expected = "a.toml is a link to a missing file";
    assert!(error.contains(expected), "{error}");
}
