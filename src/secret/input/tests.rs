use super::*;

const KEY: &str = "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpYW1faWQiOiJJQk1pZC0xIn0.c2lnbmF0dXJl";

/// Checks the secret in texts that have `SECRET` in its place.
#[track_caller]
fn reads(kind: SecretKind, secret: &str, texts: &[&str]) {
    for text in texts {
        let text = text.replace("SECRET", secret);
        let read = read(kind, &text).map_err(|reason| reason.to_string());
        let read = read.map(|secret| secret.expose().to_owned());
        assert_eq!(read.as_deref(), Ok(secret), "{text:?}");
    }
}

/// Checks that texts are rejected with a reason, which does not repeat them.
#[track_caller]
fn rejects(kind: SecretKind, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let reason = read(kind, text).map(|_| "a secret").unwrap_err();
        let reason = reason.to_string();
        assert!(reason.contains(expected), "{text:?}: {reason}");
        for word in text.split(|character: char| !character.is_ascii_alphanumeric()) {
            let is_long = word.len() > 6;
            assert!(!is_long || !reason.contains(word), "{text:?}: {reason}");
        }
    }
}

#[test]
fn a_key_is_found_in_what_is_around_it() {
    let texts = [
        "SECRET",
        " SECRET\r\n",
        "\nSECRET\n\n",
        "\u{feff}SECRET",
        "ï»¿SECRET",
        "\u{a0}SECRET\u{a0}",
        "\u{200b}SECRET\u{200b}",
        "\u{202a}SECRET\u{202c}",
        "\"SECRET\"",
        "'SECRET'",
        "\" SECRET \"",
        "'\"SECRET\"'\n",
        "`SECRET`",
        "“SECRET”",
        "‘SECRET’",
        "„SECRET“",
        "«SECRET»",
        "SECRET\\n",
        "SECRET\\r\\n",
        "'SECRET\\n'",
        "SECRET\\t",
        "SECRET\\",
        "SECRET \\\n",
        "SECRET^M",
        "SECRET%0A",
        "SECRET%0d%0a",
        "\u{1b}[200~SECRET\u{1b}[201~",
        "IBMCLOUD_API_KEY=SECRET",
        "export IBMCLOUD_API_KEY=\"SECRET\"",
        "$env:IC_API_KEY = 'SECRET'",
        "set IBMCLOUD_API_KEY=SECRET\r\n",
        "apikey=SECRET",
        "apikey: SECRET",
        "\"apikey\": \"SECRET\",",
        "--apikey=SECRET",
        "iamapikey:SECRET",
        "{\"name\": \"n\", \"apikey\": \"SECRET\"}",
        "{\n\t\"apikey\": \"SECRET\"\n}\n",
        "\u{feff}{\"apikey\": \"\\ufeffSECRET\\r\\n\"}",
        "'{\"apikey\": \"SECRET\"}'",
        "\"{\\\"apikey\\\": \\\"SECRET\\\"}\"",
        "{\\\"apikey\\\": \\\"SECRET\\\"}",
        "[{\"apikey\": \"SECRET\"}]",
        "[\"SECRET\"]",
        "{\"request_id\": \"r\", \"data\": {\"apikey\": \"SECRET\"}}",
        "{\"data\": {\"data\": {\"apikey\": \"SECRET\"}, \"metadata\": {}}}",
        "{\"apiKey\": \"SECRET\", \"id\": \"ApiKey-1\"}",
        "{\"iam_apikey_name\": \"n\", \"apikey\": \"SECRET\"}",
        "{\"name\": \"n\", \"credentials\": {\"apikey\": \"SECRET\"}}",
    ];
    reads(SecretKind::ApiKey, KEY, &texts);
    reads(SecretKind::ApiKey, "good-key-a", &texts);
}

#[test]
fn a_key_that_was_wrapped_is_joined() {
    let (first, rest) = KEY.split_at(20);
    for text in [format!("{first}\n{rest}\n"), format!("{first}\r\n  {rest}")] {
        assert_eq!(read(SecretKind::ApiKey, &text), Ok(Secret::new(KEY)));
    }
}

#[test]
fn a_token_is_found_in_what_is_around_it() {
    let texts = [
        "SECRET",
        "Bearer SECRET",
        " bearer\t SECRET\n",
        "\"Bearer SECRET\"",
        "Bearer \"SECRET\"",
        "{\"iam_token\": \"Bearer SECRET\"}",
        "{\"access_token\": \"SECRET\", \"refresh_token\": \"not_supported\"}",
        "IAM token:  Bearer SECRET",
        "IC_IAM_TOKEN=SECRET",
    ];
    reads(SecretKind::AccessToken, TOKEN, &texts);
    reads(SecretKind::AccessToken, "opaque", &texts);
    let refresh = "{\"access_token\": \"x\", \"refresh_token\": \"SECRET\"}";
    reads(
        SecretKind::RefreshToken,
        "refresh/+==",
        &["SECRET", refresh],
    );
    reads(
        SecretKind::ComputeResourceToken,
        TOKEN,
        &["SECRET\n", "\"SECRET\""],
    );
    reads(
        SecretKind::Passcode,
        "4k7Qp2XwZz",
        &[" SECRET ", "SECRET\u{200b}"],
    );
}

/// Keys of other forms may exist: what could be one is sent.
#[test]
fn a_text_that_may_be_a_key_is_not_rejected() {
    let texts = [
        KEY,
        "-BcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7aBcD8eFgH9_",
        "_BcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7aBcD8eFgH9-",
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr",
        "0123456789",
        "a",
        "key",
        "hunter2",
        "KEY-OF-A-PERSON-91b2",
        "d2f1c0de-0000-4000-8000-123456789abc",
        "AbC+/dEf==",
        "a.b~c",
        "a:b",
        "a#b",
        "a^M%0Ab",
        "a\\tb",
        "p4ss$word",
        "a key&with=symbols+%",
        "yourself",
        "nullable",
        "xxy",
    ];
    for text in texts {
        assert_eq!(read(SecretKind::ApiKey, text), Ok(Secret::new(text)));
    }
}

#[test]
fn the_error_says_what_a_text_is_instead_of_a_key() {
    let base64_of_key = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(format!("{KEY}\n"))
    };
    let long = "hunter2".repeat(2000);
    rejects(
        SecretKind::ApiKey,
        &[
            ("", "it is empty"),
            (" \u{feff}\r\n", "it is empty"),
            ("\"\"", "it is empty"),
            ("IBMCLOUD_API_KEY=", "it is empty"),
            ("$IBMCLOUD_API_KEY", "not expanded"),
            ("\"$IBMCLOUD_API_KEY\"", "not expanded"),
            ("${IBM_CLOUD_KEY}", "not expanded"),
            ("${IBM_CLOUD_KEY:-}", "not expanded"),
            ("$env:IBMCLOUD_API_KEY", "not expanded"),
            ("%IBMCLOUD_API_KEY%", "not expanded"),
            ("!IBMCLOUD_API_KEY!", "not expanded"),
            ("IBMCLOUD_API_KEY=$KEY", "not expanded"),
            ("${{ secrets.IBMCLOUD_API_KEY }}", "not expanded"),
            ("$(cat key.json)", "not expanded"),
            ("$(IBMCLOUD_API_KEY)", "not expanded"),
            ("{{ ibmcloud_api_key }}", "template"),
            ("{{.Values.apiKey}}", "template"),
            ("((ibmcloud-api-key))", "template"),
            ("#{ApiKey}#", "template"),
            ("__IBMCLOUD_API_KEY__", "template"),
            ("<your API key>", "placeholder"),
            ("<API_KEY>", "placeholder"),
            ("[API_KEY]", "placeholder"),
            ("YOUR_API_KEY", "placeholder"),
            ("your-ibmcloud-api-key-here", "placeholder"),
            ("IBMCLOUD_API_KEY", "placeholder"),
            ("changeme", "placeholder"),
            ("#{IbmApiKey}", "template"),
            ("$(IBMCLOUD_API_KEY)", "a variable or a command"),
            ("ENC[AES256_GCM,data:aGVsbG8=,type:str]", "encrypted"),
            (
                "{\"apikey\": \"ENC[AES256_GCM,data:aGVsbG8=]\"}",
                "encrypted",
            ),
            ("ENC(aGVsbG8=)", "encrypted"),
            ("$ANSIBLE_VAULT;1.1;AES256\n3132", "encrypted"),
            ("System.Security.SecureString", "missing value"),
            ("****", "masked"),
            ("••••••••", "masked"),
            ("xxxxxxxxxxxx", "masked"),
            ("null", "missing value"),
            ("undefined", "missing value"),
            ("{\"name\": \"n\"}", "JSON without 'apikey'"),
            ("{\"apikey\": 7}", "JSON without 'apikey'"),
            ("{\"apikey\": null}", "JSON without 'apikey'"),
            ("{\"apikey\": \"\"}", "it is empty"),
            ("{\"apikey\": \"hunter2", "cannot be parsed"),
            ("{'apikey': 'hunter2'}", "cannot be parsed"),
            ("{apikey: hunter2}", "cannot be parsed"),
            ("[]", "JSON"),
            ("[\"hunter2hunter2\", \"hunter3\"]", "several keys"),
            (
                "[{\"apikey\": \"hunter2\"}, {\"apikey\": \"hunter3\"}]",
                "several keys",
            ),
            ("[\"hunter2", "JSON that cannot be parsed"),
            ("{}", "JSON"),
            ("good-key-a good-key-b", "more than one word"),
            ("good-key-a # prod", "a comment"),
            ("good-key-a  #prod", "a comment"),
            ("Basic aWFtYXBpa2V5Omdvb2Qta2V5LWE=", "Authorization header"),
            ("basic aWFtYXBpa2V5Omdvb2Q=", "Authorization header"),
            ("The key is good-key-a.", "more than one word"),
            ("good-key-a\tgood-key-b", "not plain text"),
            ("good-key-a\ngood-key-b", "more than one line"),
            ("good-key-a\rgood-key-b", "more than one line"),
            ("good-key-a,good-key-b", "comma"),
            ("# the key\ngood-key-a", "more than one line"),
            (
                "IBMCLOUD_API_KEY=a\nIBMCLOUD_REGION=us-south",
                "more than one line",
            ),
            ("IBMCLOUD_REGION=us-south", "assignment"),
            (&format!("Bearer {KEY}"), "IAM token"),
            (&format!("Bearer {TOKEN}"), "IAM token"),
            (TOKEN, "IAM token"),
            ("ApiKey-8dd84246-7df4-4667-94e4-8ecde51d5ac5", "an ID"),
            (
                "iam-ServiceId-8dd84246-7df4-4667-94e4-8ecde51d5ac5",
                "an ID",
            ),
            (
                "crn:v1:bluemix:public:iam-identity::a/1::apikey:ApiKey-1",
                "a CRN",
            ),
            ("https://cloud.ibm.com/iam/apikeys", "a URL"),
            ("op://vault/ibm-cloud/api-key", "secret manager"),
            ("vault:secret/data/ibm#key", "secret manager"),
            ("@key.json", "name of a file"),
            ("/run/secrets/ibm-key", "the path of a file"),
            ("~/key", "the path of a file"),
            ("C:\\keys\\ibm", "the path of a file"),
            ("./apikey", "the path of a file"),
            ("apikey.json", "the path of a file"),
            ("-----BEGIN PRIVATE KEY-----\nx", "PEM"),
            ("<!DOCTYPE html>\n<html>", "HTML"),
            ("<html><body>hunter2</body></html>", "HTML"),
            (&base64_of_key, "base64"),
            ("Z29vZC1rZXktYQ==", "base64"),
            ("\"good-key-a", "quotation mark at one end"),
            ("good-key-a'", "quotation mark at one end"),
            ("good\u{200b}key", "invisible"),
            ("good\u{a0}key", "invisible"),
            ("good\u{1b}key", "not plain text"),
            ("good\0key", "NUL"),
            ("pässwörter", "not plain text"),
            ("good\u{2011}key", "not plain text"),
            (&long, "too long"),
        ],
    );
}

#[test]
fn the_error_says_what_a_text_is_instead_of_a_token() {
    for kind in [SecretKind::AccessToken, SecretKind::ComputeResourceToken] {
        rejects(
            kind,
            &[
                ("Bearer", "it is empty"),
                ("Bearer ", "it is empty"),
                ("a b", "more than one word"),
                (KEY, "API key"),
                ("Bearer $TOKEN", "not expanded"),
                ("{\"apikey\": \"hunter2\"}", "JSON without a token"),
                (&"ab".repeat(20_000), "too long"),
            ],
        );
    }
    assert_eq!(
        read(SecretKind::AccessToken, KEY).unwrap_err().other_kind(),
        Some(SecretKind::ApiKey)
    );
}

#[test]
fn the_scheme_of_a_token_is_removed_in_any_spelling() {
    for (text, token) in [
        ("Bearer eyJ", "eyJ"),
        (" bearer\t eyJ\n", "eyJ"),
        ("eyJ", "eyJ"),
        ("Bearer", ""),
        ("BEARER ", ""),
        ("Bearereyj", "Bearereyj"),
        ("Basic x", "Basic x"),
        ("é eyJ", "é eyJ"),
        ("", ""),
    ] {
        assert_eq!(without_scheme(text), token, "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_rejected() {
    for (bytes, expected) in [
        (&b"\x7fELF\x02\xff"[..], "not UTF-8"),
        (b"\xff\xfek\0e", "cut off"),
        (b"key\0\0x", "NUL"),
    ] {
        let reason = read_bytes(SecretKind::ApiKey, bytes).unwrap_err();
        assert!(reason.to_string().contains(expected), "{reason}");
    }
}
