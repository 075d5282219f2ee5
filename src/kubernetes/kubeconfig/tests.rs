use std::ffi::OsString;

use super::*;
use crate::http::transport::Authorization;

const FIRST: &str = "\
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: c1, user: u1, namespace: build}}
- {name: other, context: {cluster: c2, user: u2}}
- {name: plugin, context: {cluster: c1, user: u3}}
- {name: half, context: {cluster: c9}}
- {name: ibm, context: {cluster: c1, user: u4}}
- {name: google, context: {cluster: c1, user: u5}}
clusters:
- name: c1
  cluster: {server: 'https://api.example:6443/', certificate-authority: ca.pem, tls-server-name: kubernetes}
users:
- {name: u1, user: {tokenFile: token, token: old}}
- {name: u3, user: {exec: {command: ibmcloud}}}
- name: u4
  user: {auth-provider: {name: oidc, config: {client-id: kube, id-token: token-2, idp-issuer-url: 'https://iam.cloud.ibm.com/identity'}}}
- {name: u5, user: {auth-provider: {name: gcp, config: {id-token: token-3}}}}
";

const SECOND: &str = "\
current-context: other
clusters:
- {name: c1, cluster: {server: https://wrong.example}}
- {name: c2, cluster: {server: https://second.example/k8s/c-1, insecure-skip-tls-verify: true, certificate-authority-data: UEVN}}
users:
- {name: u2, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: secret-token}}
";

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("a/config", FIRST),
            ("b/config", SECOND),
            ("a/ca.pem", "AUTHORITY"),
            ("a/token", "token-1\n"),
        ] {
            let path = files.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        files
    }

    fn open(&self, paths: &[&str], context: Option<&str>) -> Result<Connection> {
        let paths = paths.iter().map(|path| self.0.path().join(path));
        let list = std::env::join_paths(paths).unwrap();
        let environment: Environment = [(OsString::from(VARIABLE), list)].into_iter().collect();
        Connection::open(&environment, None, Path::new("/nonexistent"), context)
    }
}

#[test]
fn the_first_file_that_has_a_name_counts_and_paths_are_relative_to_their_file() {
    let files = Files::new();
    let connection = files
        .open(&["missing", "a/config", "b/config"], None)
        .unwrap();
    assert_eq!(connection.server, "https://api.example:6443");
    let trust = connection.trust.as_deref().unwrap();
    assert_eq!(trust.authorities, Some(b"AUTHORITY".to_vec()));
    assert_eq!(trust.server_name.as_deref(), Some("kubernetes"));
    let expected = Authorization::Bearer(Secret::new("token-1"));
    assert_eq!(connection.authorization().unwrap(), expected);
}

#[test]
fn a_context_can_be_chosen_and_certificates_may_be_in_the_file() {
    let connection = Files::new()
        .open(&["a/config", "b/config"], Some("other"))
        .unwrap();
    assert_eq!(connection.server, "https://second.example/k8s/c-1");
    let trust = connection.trust.as_deref().unwrap();
    assert!(trust.accepts_any_certificate);
    assert_eq!(trust.authorities, Some(b"PEM".to_vec()));
    assert_eq!(trust.identity.as_ref().unwrap().expose(), "KEY\nCERT");
}

#[test]
fn the_token_of_a_kubeconfig_of_ibm_cloud_is_used() {
    let connection = Files::new().open(&["a/config"], Some("ibm")).unwrap();
    let expected = Authorization::Bearer(Secret::new("token-2"));
    assert_eq!(connection.authorization().unwrap(), expected);
    assert!(
        connection
            .rejection_hint()
            .contains("ibmcloud ks cluster config")
    );
}

#[test]
fn errors_name_the_file_and_no_secret() {
    let files = Files::new();
    for (paths, context, reason) in [
        (&["missing"][..], None, "do not exist"),
        (&["a/config"], Some("plugin"), "`exec` in"),
        (&["a/config"], Some("google"), "`auth-provider` in"),
        (&["a/config"], Some("half"), "has no cluster \"c9\""),
        (&["a/config"], Some("none"), "has no context \"none\""),
        (&["a/ca.pem"], None, "is not a kubeconfig"),
    ] {
        let error = files.open(paths, context).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    std::fs::write(files.0.path().join("bad"), "token: [hunter2").unwrap();
    let error = files.open(&["bad"], None).unwrap_err().to_string();
    assert!(
        error.contains("is not YAML (line ") && !error.contains("hunter2"),
        "{error}"
    );
}
