//! The `token` command.

use super::*;

#[test]
fn a_token_is_read_only_and_valid_for_a_day_by_default() {
    let machine = RegistryMachine::new();
    let outcome = machine.token("add", &["--description", "for ci & me"]);
    let token = machine.tokens().remove(0);
    assert_eq!(
        stdout_of(&outcome),
        format!(
            "Token identifier   {}\nToken              {}",
            token.id, token.value
        )
    );
    assert_eq!(token.description, "for ci & me");
    assert!(!token.may_write);
    let left = i64::try_from(token.expires_at.expect("an end")).expect("a time") - now();
    assert!((DAY - 60..=DAY).contains(&left), "{left}");
    let outcome = machine.token("add", &["--non-expiring", "--readwrite", "--quiet"]);
    let token = machine.tokens().remove(1);
    assert_eq!(stdout_of(&outcome), token.value);
    assert!(token.may_write && token.expires_at.is_none());
    let sent = machine.env.cloud.requests();
    let request = sent
        .iter()
        .find(|request| request.path == "/api/v1/tokens")
        .expect("a request");
    assert_eq!(request.header("account"), Some("account-1"));
    assert_eq!(request.header("refreshtoken"), None);
    let authorization = request.header("authorization").expect("a token");
    assert!(authorization.starts_with("Bearer ey"), "{authorization}");
}

#[test]
fn tokens_are_listed_without_secrets_printed_and_deleted() {
    let machine = RegistryMachine::new();
    assert!(stdout_of(&machine.token("list", &[])).starts_with("No tokens"));
    for (description, flag) in [
        ("lasting", "--non-expiring"),
        ("pushing", "--readwrite"),
        ("ended", "--quiet"),
        ("revoked", "--quiet"),
    ] {
        stdout_of(&machine.token("add", &["--description", description, flag]));
    }
    let tokens = machine.tokens();
    machine
        .env
        .cloud
        .accounts()
        .expire_registry_token(&tokens[2].id);
    machine
        .env
        .cloud
        .accounts()
        .revoke_registry_token(&tokens[3].id);
    for token in &tokens {
        machine.env.add_secret(&token.value);
    }
    let table = machine.token("list", &[]);
    let lines: Vec<&str> = stdout_of(&table).lines().collect();
    assert_eq!(lines.len(), 5, "{table:?}");
    for (line, parts) in lines.iter().zip([
        ["IDENTIFIER", "ACCESS", "EXPIRES"],
        [&tokens[0].id, "read-only", "never"],
        [&tokens[1].id, "read-write", " UTC  "],
        [&tokens[2].id, "read-only", " UTC (expired)"],
        [&tokens[3].id, "read-only", " UTC (revoked)"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let listed: Value =
        serde_json::from_str(stdout_of(&machine.token("list", &["--json"]))).expect("JSON");
    assert_eq!(listed["registry"], machine.host());
    assert_eq!(
        listed["tokens"][0],
        json!({"id": tokens[0].id, "access": "read-only", "expires_at": null, "status": "valid",
            "description": "lasting"})
    );
    assert_eq!(listed["tokens"][2]["status"], "expired");
    assert_eq!(listed["tokens"][3]["status"], "revoked");
    machine.env.secrets().clear();
    assert_eq!(
        stdout_of(&machine.token("get", &[&tokens[1].id])),
        tokens[1].value
    );
    let removed = machine.token("rm", &[&tokens[0].id, &tokens[2].id]);
    let expected = format!("Deleted {}\nDeleted {}", tokens[0].id, tokens[2].id);
    assert_eq!(stdout_of(&removed), expected);
    assert_eq!(machine.tokens().len(), 2);
    let mixed = machine.token("rm", &[&tokens[0].id, &tokens[1].id, "../users"]);
    assert_eq!(mixed.status, Some(1));
    assert_eq!(mixed.stdout.trim_end(), format!("Deleted {}", tokens[1].id));
    for part in [&*tokens[0].id, "has no token", "../users", "token list"] {
        assert!(mixed.stderr.contains(part), "{mixed:?}");
    }
    machine
        .token("get", &[&tokens[0].id])
        .is_user_error(&["has no token"]);
}

#[test]
fn a_token_becomes_the_login_for_its_registry() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let outcome = machine.token("add", &["--login"]);
    let token = machine.tokens().remove(0);
    machine.env.add_secret(&token.value);
    let host = machine.host();
    assert_eq!(
        stdout_of(&outcome),
        format!(
            "Token identifier   {}\nLogged in to {host} with the token",
            token.id
        )
    );
    assert!(!outcome.stdout.contains(&token.value), "{outcome:?}");
    machine.env.list().is_list(&[(&host, "token")]);
    stdout_of(&machine.token("list", &[]));
    machine.env.unset("IBMCLOUD_API_KEY");
    let answer = machine.env.get(&host);
    assert_eq!(answer.is_credential("token"), token.value);
    machine
        .token("list", &[])
        .is_user_error(&["IBMCLOUD_API_KEY", "login"]);
    assert!(machine.env.files_with_secrets().is_empty());
}

#[test]
fn a_login_of_another_kind_is_only_replaced_with_force() {
    let Some(machine) = logged_in_with_a_key() else {
        return;
    };
    let host = machine.host();
    let logout = format!("docker-credential-icr logout {host}");
    let parts = ["your stored", "login (API key)", &logout, "--force"];
    machine.token("add", &["--login"]).is_user_error(&parts);
    assert!(
        machine.registry_requests().is_empty(),
        "no unused token exists"
    );
    machine.env.list().is_list(&[(&host, "iamapikey")]);
    machine
        .token("add", &["--force"])
        .is_usage_error(&["--login"]);
    stdout_of(&machine.token("list", &[]));

    let outcome = machine.token("add", &["--login", "--force"]);
    assert!(stdout_of(&outcome).contains("it replaced the stored login (API key)"));
    machine.env.list().is_list(&[(&host, "token")]);
    // A login of the same kind is replaced without a question.
    let key = ("IBMCLOUD_API_KEY", ENVIRONMENT_KEY);
    let mut again = machine.env.command(&["token", "add", "--login"]);
    again.args(["--registry", &host]).env(key.0, key.1);
    stdout_of(&machine.env.start_as(again, Input::Open).finish());
    assert_eq!(machine.tokens().len(), 2);
}

#[cfg(unix)]
#[test]
fn at_a_terminal_replacing_a_login_needs_a_yes() {
    for (typed, username) in [("", "iamapikey"), ("y", "token")] {
        let Some(machine) = logged_in_with_a_key() else {
            return;
        };
        let host = machine.host();
        let add = format!("token add --login --registry {host}");
        let dialog = [("Continue? [y/N]", typed)];
        let shown = Screen::Terminal(200).shows(&machine.env, &[(&add, &dialog)]);
        let part = match typed {
            "" => "no token was created",
            _ => "it replaced the stored login (API key)",
        };
        assert!(shown[0].contains(part), "{shown:?}");
        machine.env.list().is_list(&[(&host, username)]);
    }
}

#[test]
fn a_token_that_cannot_be_stored_is_not_created() {
    let machine = RegistryMachine::new();
    machine
        .token("add", &["--login"])
        .is_user_error(&["cannot store a login", "ICR_KEYCHAIN"]);
    assert!(machine.registry_requests().is_empty());
}

#[test]
fn a_created_token_is_printed_as_json() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let answer = |further: &[&str]| {
        let outcome = machine.token("add", &[&["--json"], further].concat());
        serde_json::from_str::<Value>(stdout_of(&outcome)).expect("JSON")
    };
    let made = answer(&[]);
    let token = machine.tokens().remove(0);
    assert_eq!(
        made,
        json!({"registry": machine.host(), "id": token.id, "access": "read-only",
            "expires_at": token.expires_at, "token": token.value})
    );
    let stored = answer(&["--readwrite", "--non-expiring", "--login"]);
    let token = machine.tokens().remove(1);
    assert_eq!(
        stored,
        json!({"registry": machine.host(), "id": token.id, "access": "read-write",
            "expires_at": null, "token": null})
    );
    machine
        .token("add", &["--json", "--quiet"])
        .is_usage_error(&["--quiet"]);
}

#[test]
fn the_account_is_that_of_the_login_by_default() {
    let machine = RegistryMachine::new();
    let outcome = machine.token("list", &["--account", "account-2"]);
    let parts = [
        "not authorized",
        "CRG0009E",
        "$IBMCLOUD_API_KEY",
        "--account",
    ];
    outcome.is_user_error(&parts);
    assert!(!outcome.stderr.contains("IAM"), "{outcome:?}");
    let asked = machine.registry_requests().len();
    for account in ["", "a b", "a\nb"] {
        machine
            .token("list", &["--account", account])
            .is_user_error(&["letters"]);
    }
    assert_eq!(machine.registry_requests().len(), asked);
    stdout_of(&machine.token("list", &["--account", "account-1"]));
}

#[test]
fn wrong_arguments_are_rejected() {
    let machine = RegistryMachine::new();
    let run = |arguments: &[&str]| machine.env.run(arguments, Input::Open);
    run(&["token", "list"]).is_usage_error(&["--registry"]);
    let elsewhere = ["token", "list", "--registry", "docker.io"];
    run(&elsewhere).is_user_error(&["docker.io is not an IBM Cloud registry"]);
    machine.token("rm", &[]).is_usage_error(&["ID"]);
    machine
        .token("add", &["--login", "--quiet"])
        .is_usage_error(&["--quiet"]);
    run(&["token"]).is_usage_error(&["[subcommands: add, get, list, rm]"]);
    machine.token("remove", &[]).is_usage_error(&["ID"]);
    for task in ["add", "get", "list", "rm"] {
        let help = run(&["token", task, "--help"]);
        assert!(stdout_of(&help).contains("Example"), "{help:?}");
    }
    assert!(machine.registry_requests().is_empty());
}
