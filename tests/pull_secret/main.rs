//! `pull-secret` against an emulated API server.

#[path = "../support/mod.rs"]
mod support;

mod apply;
mod connections;
mod foreign;
mod manifests;
mod outages;
mod remove;
mod service_accounts;
#[cfg(unix)]
mod watch;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use icr_emulator::ApiServer;
use serde_json::Value;
use serde_json::json;

use support::Outcome;
use support::TestEnv;

const TOKEN: &str = "token-of-the-kubeconfig-81c2";
const NAME: &str = "icr-pull-secret";
const APPLY: [&str; 4] = ["pull-secret", "apply", "--registry", "us.icr.io"];

/// A cluster, and an environment with its kubeconfig and with an identity at IAM.
struct Cluster {
    env: TestEnv,
    api: ApiServer,
}

impl Cluster {
    /// Creates a cluster with the namespaces `build` and `test`.
    fn new() -> Self {
        let api = ApiServer::start().expect("a free port on loopback");
        let mut env = TestEnv::with_environment_key();
        env.add_secret(TOKEN);
        api.accept_token(TOKEN);
        let kubeconfig = env.file("kubeconfig", &kubeconfig(&api.url(), "", TOKEN));
        env.set("KUBECONFIG", kubeconfig);
        api.add_namespace("build", &json!({"team": "build"}));
        api.add_namespace("test", &json!({"team": "test"}));
        Self { env, api }
    }

    fn apply(&self, arguments: &[&str]) -> Outcome {
        self.env.run(&[&APPLY[..], arguments].concat(), "")
    }

    fn remove(&self, arguments: &[&str]) -> Outcome {
        self.env
            .run(&[&["pull-secret", "remove"], arguments].concat(), "")
    }

    fn secret(&self, namespace: &str) -> Option<Value> {
        self.api.object(namespace, "secrets", NAME)
    }

    /// Returns the names in the pull secrets of a service account.
    fn pull_secrets(&self, namespace: &str, name: &str) -> Vec<String> {
        let account = self.api.object(namespace, "serviceaccounts", name);
        let account = account.expect("a service account");
        let entries = account["imagePullSecrets"].as_array().cloned();
        let names = entries.unwrap_or_default().into_iter();
        names
            .map(|entry| entry["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Returns the number of requests that changed something.
    fn writes(&self) -> usize {
        let requests = self.api.requests();
        requests
            .iter()
            .filter(|request| request.method != "GET")
            .count()
    }
}

fn kubeconfig(server: &str, of_cluster: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n\
         clusters: [{{name: test, cluster: {{server: '{server}'{of_cluster}}}}}]\n\
         users: [{{name: test, user: {{token: {token}}}}}]\n"
    )
}

/// Returns the user name and password for a registry in a secret.
#[track_caller]
fn login(secret: &Value, host: &str) -> (String, String) {
    let decoded = |value: &Value| {
        let text = value.as_str().unwrap_or_else(|| panic!("{secret}"));
        String::from_utf8(BASE64_STANDARD.decode(text).expect("base64")).expect("UTF-8")
    };
    let config = decoded(&secret["data"][".dockerconfigjson"]);
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let pair = decoded(&config["auths"][host]["auth"]);
    let (username, password) = pair.split_once(':').expect("a colon");
    (username.to_owned(), password.to_owned())
}

/// Returns the lines of stdout, each without its time.
#[track_caller]
fn lines(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stdout.lines().map(|line| {
        let (time, rest) = line.split_once(' ').expect("a time");
        assert!(time.ends_with('Z') && time.len() == 20, "{line}");
        rest.to_owned()
    });
    lines.collect()
}
