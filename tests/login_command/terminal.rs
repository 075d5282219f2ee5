//! Prompts and questions at a terminal.

use super::*;
use crate::support::browser::log_in_with;
use crate::support::screen::dialog;

#[test]
fn the_key_is_prompted_for_and_not_shown() {
    let Some(env) = test_env() else { return };
    let mut session = dialog(&env, &["login"]);
    let shown = session.exp_string("API key: ").expect("a prompt");
    assert!(!shown.contains(KEY));
    session.send_line(KEY).expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("Logged in to"), "{shown}");
    assert!(!shown.contains(KEY), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

/// Types a key, and answers the question that follows.
pub(super) fn log_in_and_answer(
    env: &TestEnv,
    arguments: &[&str],
    key: &str,
    question: &str,
    answer: &str,
) -> String {
    let mut session = dialog(env, &[&["login"], arguments].concat());
    session.exp_string("API key: ").expect("a prompt");
    session.send_line(key).expect("the program reads input");
    session.exp_string(question).expect("a question");
    session.send_line(answer).expect("the program reads input");
    session.exp_eof().expect("an end")
}

#[test]
fn replacing_the_login_of_another_account_needs_a_yes() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    for typed in ["", "n"] {
        let shown = log_in_and_answer(&env, &[], OTHER_KEY, "(IBMid-other)", typed);
        assert!(shown.contains("canceled"), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }
    let shown = log_in_and_answer(&env, &[], OTHER_KEY, "[y/N]", "y");
    assert!(shown.contains("Logged in to"), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
    let mut session = dialog(&env, &["login", "--yes"]);
    session.exp_string("API key: ").expect("a prompt");
    session.send_line(KEY).expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("Logged in to"), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[test]
fn a_login_that_was_stored_while_the_question_was_open_is_not_replaced_silently() {
    let Some(env) = test_env() else { return };
    env.add_api_key("LOGIN-API-KEY-99dd", "third");
    answer(&log_in(&env, KEY, &[]), &[]);
    let mut session = dialog(&env, &["login"]);
    session.exp_string("API key: ").expect("a prompt");
    session
        .send_line(OTHER_KEY)
        .expect("the program reads input");
    session.exp_string("(IBMid-me)").expect("a question");
    let meanwhile = log_in(&env, "LOGIN-API-KEY-99dd", &[]);
    answer_with_warning(&meanwhile, &["(IBMid-me)", "(IBMid-third)"]);
    session.send_line("y").expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    let warning = shown.find("warning: the default login of user third");
    assert!(warning.is_some(), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
}

#[test]
fn deleting_an_expired_session_is_offered() {
    let question = "The login for us.icr.io has expired. Delete it";
    for (typed, owner) in [("", Some("IBMid-me")), ("n", None)] {
        let Some(env) = test_env() else { return };
        store_expired_session(&env);
        // One that has not expired is kept.
        env.add_refresh_token("VALID-SESSION-88aa", "valid");
        env.store("de.icr.io", "iamrefresh", "VALID-SESSION-88aa")
            .is_silent_success();
        let shown = log_in_and_answer(&env, &[], KEY, question, typed);
        match owner {
            Some(owner) => assert_eq!(env.get("us.icr.io").is_token_of(), owner),
            None => {
                let remedy = "To delete it, run 'docker-credential-icr logout us.icr.io'";
                assert!(shown.contains(remedy), "{shown}");
                env.get("us.icr.io").is_client_error(&["BXNIM0439E"]);
            }
        }
        assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-valid");
    }
}

#[test]
fn deleting_a_key_in_iam_needs_a_yes() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let id = log_in_with_created_key(&env, &["us.icr.io"]);
    let count = env.cloud.accounts().api_key_count();
    for (typed, is_deleted) in [("", false), ("y", true)] {
        let mut session = dialog(&env, &["logout", "--revoke", "us.icr.io"]);
        let shown = session.exp_string("[y/N]").expect("a question");
        assert!(shown.contains(&id), "{shown}");
        session.send_line(typed).expect("the program reads input");
        session.exp_eof().expect("an end");
        let deleted = count - env.cloud.accounts().api_key_count();
        assert_eq!(deleted, usize::from(is_deleted));
    }
    env.list().is_list(&[]);
}

#[test]
fn a_new_key_is_retried() {
    let Some(env) = test_env() else { return };
    env.cloud.script([(); 3].map(|()| Fault::Error {
        status: 400,
        code: "BXNIM0415E".into(),
        message: "Provided API key could not be found.".into(),
    }));
    let mut session = dialog(&env, &["login"]);
    session.exp_string("API key: ").expect("a prompt");
    session.send_line(KEY).expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("Waiting until IAM accepts"), "{shown}");
    assert!(shown.contains("Logged in to"), "{shown}");
    assert_eq!(env.cloud.exchanges(), 4);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[test]
fn an_empty_key_cancels_the_login() {
    let Some(env) = test_env() else { return };
    let mut session = dialog(&env, &["login"]);
    session.exp_string("API key: ").expect("a prompt");
    session.send_line("").expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("empty"), "{shown}");
    env.get("us.icr.io").is_not_found();
}

#[test]
fn an_api_key_is_offered_instead_of_a_session() {
    for (typed, is_made) in [("", true), ("n", false)] {
        let Some(env) = env_with_lasting_session() else {
            return;
        };
        let before = env.cloud.accounts().api_key_count();
        let mut session = dialog(&env, &["login", "--from-ibmcloud"]);
        session.exp_string("90 days? [Y/n]").expect("a question");
        session.send_line(typed).expect("the program reads input");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        let made = env.cloud.accounts().api_key_count() - before;
        let known = (Value::from("IBMid-me"), true);
        assert_eq!(status_of(&env, "us.icr.io"), known);
        assert_eq!(made, usize::from(is_made), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }
}

#[test]
fn the_session_is_stored_if_the_offered_key_fails() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    env.cloud.script_for(Service::ApiKeys, [Fault::Status(403)]);
    let mut session = dialog(&env, &["login", "--from-ibmcloud"]);
    session.exp_string("[Y/n]").expect("a question");
    session.send_line("y").expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("The session is stored instead"), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[test]
fn a_passcode_logs_in() {
    let Some(env) = test_env() else { return };
    env.add_secret("PASSCODE-1a2b");
    let accounts = env.cloud.accounts();
    accounts.add_passcode("PASSCODE-1a2b", Subject::user("me"));
    let mut session = dialog(&env, &["login", "--sso"]);
    let shown = session.exp_string("not shown): ").expect("a prompt");
    assert!(shown.contains("/identity/passcode"), "{shown}");
    session
        .send_line("PASSCODE-1a2b")
        .expect("the program reads input");
    let shown = session.exp_string("[Y/n]").expect("a question");
    assert!(!shown.contains("PASSCODE-1a2b"), "{shown}");
    session.send_line("n").expect("the program reads input");
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("Logged in to"), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

/// The test opens the address that the terminal shows.
#[test]
fn a_browser_logs_in() {
    let Some(env) = test_env() else { return };
    let subject = Some(Subject::user("me"));
    env.cloud.accounts().set_browser_subject(subject);
    let mut session = dialog(&env, &["login", "--web", "--create-api-key"]);
    log_in_with(&mut session);
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("Its API key"), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}
