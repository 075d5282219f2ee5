//! Secrets as people hand them over: in variables, files, on stdin and by clients. What is around a secret is removed, and what is
//! no secret is named and never sent to IAM.

mod support;

#[cfg(unix)]
use std::ffi::OsString;
use std::fs;

use serde_json::json;

use support::Input;
use support::TestEnv;

const KEY: &str = "KEY-OF-A-PERSON-91b2";

/// Texts with `@` in place of a key, which is used. The JSON is the file of `ibmcloud iam api-key-create --file` and of the
/// console's download.
const WITH_A_KEY: [&str; 16] = [
    "@",
    " @ \r\n",
    "\u{feff}@\r\n",
    "\"@\"",
    "'@'\n",
    "“@”",
    "@\\n",
    "@\\t",
    "@\\",
    "@^M",
    "@%0A",
    "\u{200b}@\u{a0}",
    "export IBMCLOUD_API_KEY=\"@\"\n",
    "apikey: @",
    "{\n\t\"name\": \"ci\",\n\t\"createdAt\": \"2026-01-01T00:00+0000\",\n\t\"apikey\": \"@\"\n}\n",
    "'{\"apikey\": \"@\"}'",
];

/// Texts without a key, and a part of the error about each.
const WITHOUT_A_KEY: [(&str, &str); 20] = [
    ("$IBMCLOUD_API_KEY", "not expanded"),
    ("${IBM_CLOUD_KEY}", "not expanded"),
    ("%IBMCLOUD_API_KEY%", "not expanded"),
    ("<your API key>", "placeholder"),
    ("{{ ibmcloud_api_key }}", "template"),
    ("the-first-key the-second-key", "more than one word"),
    ("the-first-key # prod", "a comment"),
    (
        "Basic aWFtYXBpa2V5OnRoZS1maXJzdC1rZXk=",
        "Authorization header",
    ),
    ("the-first-key\nthe-second-key", "more than one line"),
    ("Bearer eyJhbGciOiJub25lIn0.e30.c2ln", "IAM token"),
    ("{\"name\": \"the-first-key\"}", "JSON without 'apikey'"),
    ("{\"apikey\": \"the-first-key", "JSON that cannot be parsed"),
    ("{\"apikey\": \"\"}", "it is empty"),
    ("dGhlLWZpcnN0LWtleQ==", "base64"),
    ("ApiKey-8dd84246-7df4-4667-94e4-8ecde51d5ac5", "an ID"),
    ("op://vault/ibm-cloud/the-first-key", "secret manager"),
    ("https://cloud.ibm.com/the-first-key", "a URL"),
    ("/run/secrets/the-first-key", "the path of a file"),
    ("-----BEGIN PRIVATE KEY-----\nthe-first-key", "PEM"),
    ("the-first\u{200b}key", "invisible characters"),
];

fn test_env() -> TestEnv {
    let env = TestEnv::with_keychain().unwrap_or_else(TestEnv::new);
    env.add_api_key(KEY, "me");
    env
}

/// Returns all encodings of a text that Windows programs write.
fn encodings(text: &str) -> [Vec<u8>; 4] {
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| {
        let units = format!("\u{feff}{text}");
        units.encode_utf16().flat_map(bytes).collect()
    };
    [
        text.into(),
        format!("\u{feff}{text}").into(),
        utf_16(u16::to_le_bytes),
        utf_16(u16::to_be_bytes),
    ]
}

#[test]
fn a_key_in_a_variable_is_used_without_what_is_around_it() {
    for text in WITH_A_KEY {
        let mut env = test_env();
        env.set("IBMCLOUD_API_KEY", text.replace('@', KEY));
        let answer = env.get("us.icr.io");
        assert_eq!(answer.is_token_of(), "IBMid-me", "{text:?}");
    }
}

#[test]
fn a_key_in_a_file_is_used_in_every_encoding() {
    let mut env = TestEnv::new();
    env.add_api_key(KEY, "me");
    let path = env.file("home/key", "");
    let shown = path.display();
    env.set("IBMCLOUD_API_KEY", format!("@{shown}"));
    for text in WITH_A_KEY {
        for bytes in encodings(&text.replace('@', KEY)) {
            fs::write(&path, bytes).expect("our own file");
            let answer = env.get("us.icr.io");
            assert_eq!(answer.is_token_of(), "IBMid-me", "{text:?}");
        }
    }
    for argument in [
        "@~/key".to_owned(),
        format!("@\"{shown}\""),
        format!("\"@{shown}\""),
        format!("'@{shown}'\r"),
    ] {
        env.set("IBMCLOUD_API_KEY", &argument);
        let answer = env.get("us.icr.io");
        assert_eq!(answer.is_token_of(), "IBMid-me", "{argument}");
    }
}

#[test]
fn a_key_that_is_given_to_login_or_store_is_used_in_every_encoding() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let path = env.file("home/key", "");
    let argument = format!("@{}", path.display());
    for text in WITH_A_KEY {
        let text = text.replace('@', KEY);
        for bytes in encodings(&text) {
            fs::write(&path, &bytes).expect("our own file");
            for arguments in [
                &["login", "--api-key", &argument][..],
                &["login", "--api-key-stdin"],
            ] {
                let outcome = env.run(arguments, Input::Bytes(&bytes));
                assert_eq!(outcome.status, Some(0), "{text:?}: {outcome:?}");
            }
        }
        env.store("us.icr.io", "iamapikey", &text)
            .is_silent_success();
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me", "{text:?}");
        env.erase("us.icr.io")
            .is_success_with_warning(&["the default login"]);
    }
}

#[test]
fn a_client_may_send_a_byte_order_mark_or_utf_16() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let request = json!({"ServerURL": "us.icr.io", "Username": "iamapikey", "Secret": KEY});
    for encoding in 0..4 {
        let input = |text: &str| encodings(&format!("{text}\r\n"))[encoding].clone();
        let send = |verb: &str, text: &str| env.run(&[verb], Input::Bytes(&input(text)));
        send("store", &request.to_string()).is_silent_success();
        let answer = send("get", "us.icr.io");
        assert_eq!(answer.status, Some(0), "{answer:?}");
        assert!(answer.stdout.starts_with("{\"ServerURL\":\"us.icr.io\","));
        send("erase", "us.icr.io").is_silent_success();
        env.list().is_list(&[]);
    }
}

#[test]
fn a_clients_damaged_input_is_named() {
    let env = TestEnv::with_environment_key();
    for verb in ["get", "store"] {
        for (input, reason) in [
            (&b"\xff\xfeu\0s"[..], "UTF-16"),
            (b"us.icr.io\xa0", "UTF-8"),
        ] {
            env.run(&[verb], Input::Bytes(input))
                .is_client_error(&[reason]);
        }
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn what_is_no_key_is_named_and_not_sent() {
    for (text, reason) in WITHOUT_A_KEY {
        let mut env = test_env();
        let path = env.file("home/key", text);
        let argument = format!("@{}", path.display());
        env.run(&["login", "--api-key", &argument], Input::Open)
            .is_user_error(&[reason]);
        env.run(&["login", "--api-key-stdin"], text)
            .is_user_error(&[reason]);
        let request = json!({"ServerURL": "us.icr.io", "Username": "iamapikey", "Secret": text});
        env.run(&["store"], &*request.to_string())
            .is_client_error(&["cannot store the login for us.icr.io", reason]);
        for value in [text.to_owned(), argument] {
            env.set("IBMCLOUD_API_KEY", value);
            let answer = env.get("us.icr.io");
            answer.is_client_error(&["$IBMCLOUD_API_KEY", "holds no API key", reason]);
            for word in ["the-first", "the-second", "dGhl", "e30"] {
                assert!(!answer.stdout.contains(word), "{answer:?}");
            }
        }
        assert_eq!(env.cloud.exchanges(), 0, "{text:?}");
    }
}

#[test]
fn a_path_that_is_no_file_is_named_for_what_it_is() {
    let mut env = test_env();
    env.file("home/large", &"k".repeat(70_000));
    let home = env.path("home").display().to_string();
    for (path, reason) in [
        (home.clone(), "it is a directory"),
        (format!("{home}/missing"), "it does not exist"),
        (format!("\"{home}/missing\""), "quotation marks"),
        ("~/missing".to_owned(), "it does not exist"),
        ("~other/key".to_owned(), "only ~/ is expanded"),
        ("$HOME/key".to_owned(), "not expanded"),
        ("missing-file".to_owned(), "in the current directory"),
        (format!("{home}/large"), "too large"),
        (String::new(), "missing after @"),
        ("-".to_owned(), "stdin"),
    ] {
        env.set("IBMCLOUD_API_KEY", format!("@{path}"));
        env.get("us.icr.io")
            .is_client_error(&["$IBMCLOUD_API_KEY", reason]);
        let argument = format!("@{path}");
        env.run(&["login", "--api-key", &argument], Input::Open)
            .is_user_error(&["cannot read an API key from", reason]);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn a_key_where_a_token_belongs_is_named_and_not_sent() {
    let mut env = TestEnv::new();
    env.set(
        "IC_IAM_TOKEN",
        "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm",
    );
    env.get("us.icr.io").is_client_error(&[
        "$IC_IAM_TOKEN",
        "it is an API key",
        "Set $IBMCLOUD_API_KEY",
    ]);
    assert_eq!(env.cloud.exchanges(), 0);
}

#[cfg(unix)]
#[test]
fn a_variable_with_the_bytes_of_a_utf_16_file_is_read() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut env = test_env();
    // A shell drops the NUL bytes of `$(cat FILE)`.
    let value = [b"\xff\xfe", KEY.as_bytes(), b"\r\n"].concat();
    env.set("IBMCLOUD_API_KEY", OsString::from_vec(value));
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.set("IBMCLOUD_API_KEY", OsString::from_vec(b"key\xa0".to_vec()));
    env.get("us.icr.io")
        .is_client_error(&["$IBMCLOUD_API_KEY", "not UTF-8"]);
}

#[test]
fn a_path_that_is_missing_or_no_file_is_named_for_what_it_is() {
    let mut env = TestEnv::new();
    let socket = env.path("socket");
    #[cfg(unix)]
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a short path");
    for (value, words) in [
        (
            "@".to_owned(),
            "the file named in $IBMCLOUD_API_KEY: its path is missing after @",
        ),
        (
            " @ \n".to_owned(),
            "the file named in $IBMCLOUD_API_KEY: its path is missing after @",
        ),
        (
            "@/dev/null".to_owned(),
            "it is a device, and nothing came from it",
        ),
        (format!("@{}", socket.display()), "it is a socket"),
    ] {
        if cfg!(windows) && !value.trim().ends_with('@') {
            continue;
        }
        env.set("IBMCLOUD_API_KEY", value);
        env.get("us.icr.io").is_client_error(&[words]);
    }
}
