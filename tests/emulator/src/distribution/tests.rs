//! Pulls by hand.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::Emulator;
use crate::Image;
use crate::Subject;
use crate::wire;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Starts a registry with the image `ns/app:latest`, in which `key` is known and does not own the namespace `other`.
fn registry() -> (Emulator, Image) {
    let cloud = Emulator::start().expect("a port");
    let image = Image::of_file("hello", "Hello.\n");
    cloud.accounts().add_api_key("key", Subject::user("1"));
    cloud.accounts().add_account_namespace("another", "other");
    cloud.add_image("ns/app", "latest", image.clone());
    cloud.add_image("ns/app", "1.0", Image::of_file("hello", "Old.\n"));
    cloud.add_image("other/app", "latest", image.clone());
    (cloud, image)
}

/// Returns the header with the token that the token endpoint issues for pulls from `repository`.
fn token(cloud: &Emulator, repository: &str) -> String {
    let login = BASE64_STANDARD.encode("iamapikey:key");
    let (status, answer) = wire::request(
        cloud,
        &format!("GET /oauth/token?service=registry&scope=repository:{repository}:pull"),
        &format!("Authorization: Basic {login}\r\n"),
        "",
    );
    assert_eq!(status, 200);
    let token = answer["token"].as_str().expect("a token");
    format!("Authorization: Bearer {token}\r\n")
}

/// Sends a request; returns the head and the body of the answer.
fn send(cloud: &Emulator, start: &str, headers: &str) -> (String, String) {
    let request = format!("{start} HTTP/1.1\r\nHost: us.icr.io\r\n{headers}\r\n");
    let answer = wire::send(cloud.address(), &request);
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    (head.to_owned(), body.to_owned())
}

fn get(cloud: &Emulator, path: &str) -> (String, String) {
    let headers = token(cloud, "ns/app") + &format!("Accept: {MANIFEST_TYPE}\r\n");
    send(cloud, &format!("GET /v2/{path}"), &headers)
}

#[test]
fn a_client_without_a_token_is_sent_to_the_token_endpoint() {
    let (cloud, _) = registry();
    let password = format!(
        "Authorization: Basic {}\r\n",
        BASE64_STANDARD.encode("iamapikey:key")
    );
    let realm =
        r#"WWW-Authenticate: Bearer realm="http://us.icr.io/oauth/token",service="registry""#;
    for (path, headers, rest) in [
        ("", "", ""),
        ("", &*password, ""),
        (
            "",
            "Authorization: Bearer x\r\n",
            r#",error="invalid_token""#,
        ),
        ("ns/app/tags/list", "", r#",scope="repository:ns/app:pull""#),
        (
            "none/such/manifests/latest",
            "",
            r#",scope="repository:none/such:pull""#,
        ),
        (
            "ns/app/blobs/x",
            &password,
            r#",scope="repository:ns/app:pull""#,
        ),
    ] {
        let (head, body) = send(&cloud, &format!("GET /v2/{path}"), headers);
        assert!(
            head.starts_with("HTTP/1.1 401 Unauthorized\r\n"),
            "{path}: {head}"
        );
        assert!(
            head.contains(&format!("{realm}{rest}\r\n")),
            "{path}: {head}"
        );
        assert!(body.contains(r#""code":"UNAUTHORIZED""#), "{path}: {body}");
    }
}

#[test]
fn a_token_is_for_its_repository_only() {
    let (cloud, _) = registry();
    for (repository, path, status) in [
        ("ns/app", "", "200 OK"),
        ("ns/app", "ns/app/tags/list", "200 OK"),
        ("ns/app", "other/app/tags/list", "401 Unauthorized"),
        ("other/app", "other/app/tags/list", "401 Unauthorized"),
    ] {
        let (head, _) = send(
            &cloud,
            &format!("GET /v2/{path}"),
            &token(&cloud, repository),
        );
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{path}: {head}"
        );
        let insufficient = head.contains(r#"error="insufficient_scope""#);
        assert_eq!(insufficient, status != "200 OK", "{path}: {head}");
    }
}

#[test]
fn a_token_that_was_changed_or_has_expired_is_rejected() {
    let (cloud, _) = registry();
    let good = token(&cloud, "ns/app");
    let signer = crate::registry_token::Signer::create().expect("keys");
    let now = crate::clock::unix_now();
    let claims = |name: &str, value: serde_json::Value| {
        let access = json!([{"type": "repository", "name": "ns/app", "actions": ["pull"]}]);
        let mut claims = json!({"iss": "icr-emulator", "aud": "registry", "nbf": now - 60, "exp": now + 60, "access": access});
        claims[name] = value;
        claims
    };
    let request = |token: &str| {
        let head = format!(
            "GET /v2/ HTTP/1.1\r\nHost: us.icr.io\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        Recorded::read(&mut head.as_bytes(), "https").expect("a request")
    };
    let accepts = |claims| {
        let token = signer.sign(&claims);
        authorization::check(&signer, &request(&token), Some("ns/app")).is_ok()
    };
    assert!(accepts(claims("iss", "icr-emulator".into())));
    for (name, value) in [
        ("iss", "another".into()),
        ("aud", "another".into()),
        ("nbf", json!(now + 30)),
        ("exp", json!(now)),
        ("exp", json!(null)),
        ("access", json!([])),
        (
            "access",
            json!([{"type": "repository", "name": "ns/app", "actions": ["push"]}]),
        ),
    ] {
        assert!(!accepts(claims(name, value.clone())), "{name} {value}");
    }
    let other = signer.sign(&claims("iss", "icr-emulator".into()));
    for token in [
        good.trim_end().to_owned() + "A",
        format!("Authorization: Bearer {other}"),
    ] {
        let (head, _) = send(&cloud, "GET /v2/ns/app/tags/list", &(token + "\r\n"));
        assert!(head.contains(r#"error="invalid_token""#), "{head}");
    }
}

#[test]
fn an_image_is_pulled_by_tag_and_digest() {
    let (cloud, image) = registry();
    for reference in ["latest", &image.digest()] {
        let (head, body) = get(&cloud, &format!("ns/app/manifests/{reference}"));
        assert!(
            head.contains(&format!("Content-Type: {MANIFEST_TYPE}\r\n")),
            "{head}"
        );
        let digest = format!("Docker-Content-Digest: {}\r\n", image.digest());
        assert!(head.contains(&digest), "{head}");
        assert_eq!(body.as_bytes(), image.manifest.content);
    }
    for blob in &image.blobs {
        let (head, body) = get(&cloud, &format!("ns/app/blobs/{}", blob.digest()));
        let length = format!("Content-Length: {}\r\n", blob.content.len());
        assert!(head.contains(&length), "{head}");
        assert_eq!(body.as_bytes(), blob.content);
    }
    let (_, tags) = get(&cloud, "ns/app/tags/list");
    assert_eq!(tags, r#"{"name":"ns/app","tags":["1.0","latest"]}"#);
}

#[test]
fn head_gets_the_length_and_digest_without_the_content() {
    let (cloud, image) = registry();
    let headers = token(&cloud, "ns/app") + "Accept: text/plain, */*;q=0.5\r\n";
    let (head, body) = send(&cloud, "HEAD /v2/ns/app/manifests/latest", &headers);
    let length = format!("Content-Length: {}\r\n", image.manifest.content.len());
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains(&length),
        "{head}"
    );
    assert!(head.contains(&image.digest()), "{head}");
    assert_eq!(body, "");
}

#[test]
fn what_is_unknown_or_invalid_has_the_codes_of_the_specification() {
    let (cloud, image) = registry();
    let unknown = format!("sha256:{}", "0".repeat(64));
    for (path, status, code) in [
        ("ns/app/manifests/2.0", 404, "MANIFEST_UNKNOWN"),
        (
            &format!("ns/app/manifests/{unknown}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        // Manifests are no blobs, and blobs no manifests.
        (
            &format!("ns/app/blobs/{}", image.digest()),
            404,
            "BLOB_UNKNOWN",
        ),
        (
            &format!("ns/app/manifests/{}", image.blobs[0].digest()),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (&format!("ns/app/blobs/{unknown}"), 404, "BLOB_UNKNOWN"),
        ("ns/app/blobs/sha256:12", 400, "DIGEST_INVALID"),
        ("ns/app/blobs/latest", 400, "DIGEST_INVALID"),
        ("NS/app/manifests/latest", 400, "NAME_INVALID"),
        ("ns//app/manifests/latest", 400, "NAME_INVALID"),
        ("-ns/app/manifests/latest", 400, "NAME_INVALID"),
        ("_catalog", 404, "UNSUPPORTED"),
    ] {
        let (head, body) = get(&cloud, path);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {head}"
        );
        assert!(
            body.contains(&format!(r#""code":"{code}""#)),
            "{path}: {body}"
        );
    }
    let headers = token(&cloud, "ns/none");
    let (_, body) = send(&cloud, "GET /v2/ns/none/tags/list", &headers);
    assert!(body.contains("NAME_UNKNOWN"), "{body}");
}

#[test]
fn a_client_that_does_not_accept_oci_manifests_gets_none() {
    let (cloud, _) = registry();
    for accept in [
        "",
        "Accept: application/vnd.docker.distribution.manifest.v2+json\r\n",
    ] {
        let headers = token(&cloud, "ns/app") + accept;
        let (head, body) = send(&cloud, "GET /v2/ns/app/manifests/latest", &headers);
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        assert!(body.contains("MANIFEST_UNKNOWN"), "{body}");
    }
    let several = "Accept: application/json\r\nAccept: text/plain, ";
    let headers = format!("{}{several}{MANIFEST_TYPE}\r\n", token(&cloud, "ns/app"));
    let (head, _) = send(&cloud, "GET /v2/ns/app/manifests/latest", &headers);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[test]
fn images_cannot_be_changed() {
    let (cloud, _) = registry();
    for start in [
        "POST /v2/ns/app/blobs/uploads/",
        "PUT /v2/ns/app/manifests/latest",
        "DELETE /v2/ns/app/manifests/latest",
    ] {
        let (head, body) = send(&cloud, start, &token(&cloud, "ns/app"));
        assert!(head.starts_with("HTTP/1.1 405 "), "{start}: {head}");
        assert!(head.contains("Allow: GET, HEAD\r\n"), "{start}: {head}");
        assert!(body.contains("UNSUPPORTED"), "{start}: {body}");
    }
}
