use super::*;

#[test]
fn an_error_in_the_file_has_its_line_and_column() {
    for (text, reason) in [
        (
            "keychain = \"kernel\"\nregistrys = []\n",
            "line 2, column 1",
        ),
        ("keychain = \"kept\"\n", "line 1, column 12"),
        ("deadline = \"5\"\n", "line 1, column 12"),
        ("deadline = 0\n", "between 1 and 600"),
        ("deadline = 5\ndeadline = 6\n", "line 2"),
        (
            "registries = [\"*.icr.io\"]\n",
            "hosts in lower case only, not",
        ),
        (
            "registries = [\"https://a.example\"]\n",
            "hosts in lower case only, not",
        ),
        ("namespace = \"a:b\"\n", "1 to 64"),
        ("[", "line 1"),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("config.toml"),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_selected_file_must_exist_and_be_at_most_1_mib() {
    let missing = [(environment::CONFIG, "/nonexistent/config.toml")]
        .into_iter()
        .collect();
    let error = Settings::load(&missing, None, None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nonexistent/config.toml"), "{error}");
    let huge = load(&format!("# {}\n", "x".repeat(1024 * 1024)))
        .unwrap_err()
        .to_string();
    assert!(huge.contains("larger than 1 MiB"), "{huge}");
}

#[test]
fn an_invalid_variable_is_named() {
    for (name, value, reason) in [
        (environment::KEYCHAIN, "vault", "secret-service"),
        (environment::NAMESPACE, "a b", "1 to 64"),
        (
            environment::IAM_ENDPOINT,
            "http://iam.cloud.ibm.com",
            "https://",
        ),
        (environment::BACKGROUND_REFRESH, "no", "values: true, false"),
        (
            environment::SOURCE,
            "cli",
            "compute-resource-token, credentials-file, environment, ibmcloud, login, power-vs, registry-token, vpc",
        ),
        (environment::PROFILE, "team-a", "no profile"),
    ] {
        let environment = [(name, value)].into_iter().collect();
        let error = Settings::load(&environment, None, None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("${name} ")) && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn an_error_in_a_profile_or_a_registrys_table_has_its_line_and_column() {
    let name = "x".repeat(65);
    for (text, place, reason) in [
        ("[profile.a]\nsourc = 1\n", "line 2, column 1", "'source'"),
        ("[profile.a]\nsource = 1\n", "line 2, column 10", "string"),
        (
            "[profile.a]\nsource = \"cli\"\n",
            "line 2, column 10",
            "ibmcloud",
        ),
        ("[profile.\"a b\"]\n", "line 1, column 10", "1 to 64"),
        (
            &format!("[profile.{name}]\n"),
            "line 1, column 10",
            "1 to 64",
        ),
        ("[profile.a]\n[profile.a]\n", "line 2", "duplicate"),
        ("profile = 5\n", "line 1, column 11", "table"),
        (
            "[profile.a]\ncredential = \"iam\"\n",
            "line 2, column 14",
            "iamrefresh",
        ),
        (
            "[profile.a]\nprivate-endpoints = 1\n",
            "line 2, column 21",
            "true or false",
        ),
        (
            "[profile.a]\niam-endpoint = \"http://a.example\"\n",
            "line 2, column 16",
            "https",
        ),
        (
            "[profile.a]\nprivate-endpoints = true\niam-endpoint = \"https://a.example\"\n",
            "line 3, column 16",
            "both",
        ),
        (
            "[profile.a]\naccount = \"1\"\n",
            "line 2, column 11",
            "trusted-profile",
        ),
        (
            "[profile.a]\ntrusted-profile = \"Profile-1\"\naccount = \"1\"\n",
            "line 3, column 11",
            "by its name",
        ),
        (
            "[profile.a]\ntrusted-profile = \"x\"\naccount = \"\"\n",
            "line 3, column 11",
            "empty",
        ),
        (
            "[profile.a]\ntrusted-profile = \"\"\n",
            "line 2, column 19",
            "empty",
        ),
        (
            "[profile.a]\nfile = \"/a\"\n",
            "line 2, column 8",
            "needs a source",
        ),
        (
            "[profile.a]\nsource = \"vpc\"\nfile = \"/a\"\n",
            "line 3, column 8",
            "the source vpc",
        ),
        (
            "[profile.a]\nsource = \"credentials-file\"\nfile = \"a\"\n",
            "line 3, column 8",
            "must be absolute",
        ),
        (
            "[profile.a]\nsource = \"credentials-file\"\nfile = \"~/a\"\n",
            "line 3, column 8",
            "is not set",
        ),
        (
            "[registry.\"us.icr.io\"]\nprofil = \"a\"\n",
            "line 2, column 1",
            "'profile'",
        ),
        (
            "[profile.team-a]\n[registry.\"us.icr.io\"]\nprofile = \"teamA\"\n",
            "line 3, column 11",
            "Did you mean 'team-a'?",
        ),
        (
            "[registry.\"us.icr.io\"]\n[registry.\"https://US.icr.io/v2/\"]\n",
            "line 2, column 11",
            "us.icr.io, which already has",
        ),
        (
            "[registry.\"z.us.icr.io\"]\n[registry.us.icr.io]\n",
            "line 2",
            "",
        ),
        (
            "[registry.\"eu9.icr.io\"]\n",
            "line 1, column 11",
            "'registries'",
        ),
        (
            "[registry.\"*.icr.io\"]\n",
            "line 1, column 11",
            "not a registry host",
        ),
        (
            "registries = [\"a.example\", \"a.example\"]\n",
            "line 1, column 28",
            "twice",
        ),
        (
            "registries = [\"a.example\", 5]\n",
            "line 1, column 28",
            "each item of registries must be a string, not a whole number",
        ),
        (
            "deadline = -1\n",
            "line 1, column 12",
            "-1, which is not between",
        ),
        (
            "deadline = 99999999999999999999\n",
            "line 1, column 12",
            "too large",
        ),
        (
            "deadline = 5.5\n",
            "line 1, column 12",
            "deadline must be a whole number, not a number with a decimal point",
        ),
        (
            "deadline = 1979-05-27\n",
            "line 1, column 12",
            "deadline must be a whole number, not a date",
        ),
        (
            "registries = \"a\"\n",
            "line 1, column 14",
            "registries must be an array of strings, not a string",
        ),
        (
            "profile.a = 1\n",
            "line 1, column 13",
            "a must be a table, not a whole number",
        ),
        ("a = [\n", "line 1, column 6", "expected ']'"),
        ("keychain = none\n", "line 1, column 12", "in quotes"),
        ("namespace =work\n", "line 1, column 12", "in quotes"),
        (
            "# é\n\"é\" = 1\n",
            "line 2, column 1",
            "Available keys outside of tables: attempt-timeout",
        ),
        (
            "[profile.a]\nzzzz = 1\n",
            "line 2, column 1",
            "Available keys of a profile: ",
        ),
        (
            "[registry.\"us.icr.io\"]\nzzzz = 1\n",
            "line 2, column 1",
            "Available keys of a registry's table: profile",
        ),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(
            error.contains(place) && error.contains(reason),
            "{text}: {error}"
        );
    }
}

#[test]
fn an_invalid_system_file_is_named_and_not_read_beside_a_selected_one() {
    let system = directory_with("deadlin = 5\n");
    let environment = Environment::default();
    let error = Settings::load(&environment, None, Some(system.path()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&system.path().display().to_string()));
    assert!(error.contains("Did you mean 'deadline'?"), "{error}");
    let other = directory_with("deadline = 7\n");
    let path = other.path().join(PROGRAM).join("config.toml");
    let named = [(environment::CONFIG, path)].into_iter().collect();
    let settings = Settings::load(&named, None, Some(system.path())).unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(7));
    assert_eq!(settings.files().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_a_broken_one_is_an_error() {
    let directory = directory_with("deadline = 7\n");
    let folder = directory.path().join(PROGRAM);
    let path = folder.join("config.toml");
    let real = folder.join("real.toml");
    std::fs::rename(&path, &real).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    let environment = Environment::default();
    let settings = Settings::load(&environment, Some(directory.path()), None).unwrap();
    assert_eq!(settings.limits.deadline, Duration::from_secs(7));
    std::fs::remove_file(&real).unwrap();
    let error = Settings::load(&environment, Some(directory.path()), None);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("is a link to a missing file")
    );
}
