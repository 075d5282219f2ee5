//! One request to a credential provider, as the kubelet sends it.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::client_config::kubelet_provider::Provider;
use crate::client_config::kubelet_values::go_seconds;
use crate::error::one_line;
use crate::secret::Secret;
use crate::time::run_with_timeout;

/// The kubelet kills a provider after this time.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The directories of programs that systemd gives its services.
pub(super) const SERVICE_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The length limit of an error, in characters.
const MAX_LENGTH: usize = 800;

/// The answer, which the kubelet decodes strictly. Its passwords are not read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Response {
    kind: String,
    api_version: String,
    cache_key_type: String,
    cache_duration: Option<String>,
    auth: Option<BTreeMap<String, Auth>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only their presence is checked")]
struct Auth {
    username: Option<serde::de::IgnoredAny>,
    password: Option<serde::de::IgnoredAny>,
}

/// What a provider answers.
pub(super) enum Trial {
    /// A credential that is kept for this many seconds.
    Found(u64),
    /// No credential.
    Nothing,
}

/// What the kubelet sends of a service account.
pub(super) struct Account {
    /// The token.
    pub(super) token: Secret,
    /// The annotations.
    pub(super) annotations: BTreeMap<String, String>,
}

/// The request, as the kubelet writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    kind: &'static str,
    api_version: &'a str,
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account_annotations: Option<BTreeMap<&'a str, &'a str>>,
}

/// A provider with its program and the variables of the kubelet.
pub(super) struct Plugin<'a> {
    pub(super) provider: &'a Provider,
    pub(super) program: &'a Path,
    pub(super) environment: &'a [(String, String)],
}

impl Plugin<'_> {
    /// Sends one request for an image of a host, in the environment of the kubelet.
    ///
    /// # Errors
    /// What the kubelet would log.
    pub(super) fn ask(&self, host: &str, account: Option<&Account>) -> Result<Trial, String> {
        let request = request(self.provider, host, account)?;
        let mut command = Command::new(self.program);
        command
            .args(&self.provider.args)
            .env_clear()
            .env("PATH", SERVICE_PATH)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(self.provider.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|error| format!("cannot be started ({error})"))?;
        let stdin = child.stdin.take();
        let streams = (child.stdout.take(), child.stderr.take());
        let written = run_with_timeout(TIMEOUT, move || {
            // A provider need not read it.
            let _ = stdin.map(|mut stdin| writeln!(stdin, "{}", *request));
            let (stdout, stderr) = streams;
            (read(stdout), read(stderr))
        });
        let Some((stdout, stderr)) = written else {
            end(&mut child);
            return Err("did not answer within 60 s, so the kubelet kills it".to_owned());
        };
        let status = child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("failed: {}", one_line(stderr.trim(), MAX_LENGTH)));
        }
        decode(&stdout, self.provider)
    }
}

fn request(
    provider: &Provider,
    host: &str,
    account: Option<&Account>,
) -> Result<Zeroizing<String>, String> {
    let request = Request {
        kind: "CredentialProviderRequest",
        api_version: &provider.api_version,
        image: format!("{host}/namespace/image"),
        service_account_token: account.map(|account| account.token.expose()),
        service_account_annotations: account.map(|account| sent(account, provider)),
    };
    let request = serde_json::to_string(&request).map_err(|error| error.to_string())?;
    Ok(Zeroizing::new(request))
}

/// Returns the annotations that the provider's configuration names.
fn sent<'a>(account: &'a Account, provider: &Provider) -> BTreeMap<&'a str, &'a str> {
    let keys = provider.token_attributes.as_ref();
    let is_sent = |key: &String| keys.is_some_and(|it| it.annotations.contains(key));
    let annotations = account.annotations.iter();
    annotations
        .filter(|(key, _)| is_sent(key))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

fn read(stream: Option<impl Read>) -> String {
    let mut text = String::new();
    let _ = stream.map(|stream| stream.take(1024 * 1024).read_to_string(&mut text));
    text
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn decode(stdout: &str, provider: &Provider) -> Result<Trial, String> {
    let response: Response = serde_json::from_str(stdout).map_err(|error| {
        format!(
            "gave an answer that the kubelet cannot decode (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let is_valid = response.kind == "CredentialProviderResponse"
        && response.api_version == provider.api_version
        && ["Image", "Registry", "Global"].contains(&&*response.cache_key_type);
    if !is_valid {
        return Err("gave an answer of another kind or version".to_owned());
    }
    let kept = response
        .cache_duration
        .map_or(Some(provider.default_cache_duration), |text| {
            go_seconds(&text)
        });
    let kept = kept.ok_or("gave an answer with an invalid cacheDuration")?;
    match response.auth {
        Some(auth) if !auth.is_empty() => Ok(Trial::Found(kept)),
        _ => Ok(Trial::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_decoded_strictly() {
        let provider = Provider {
            api_version: "credentialprovider.kubelet.k8s.io/v1".into(),
            default_cache_duration: 7,
            ..Provider::default()
        };
        let valid = r#"{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry","cacheDuration":"1m0s","auth":{"us.icr.io":{"username":"u","password":"p"}}}"#;
        assert!(matches!(decode(valid, &provider), Ok(Trial::Found(60))));
        let without = valid.replace(r#""cacheDuration":"1m0s","#, "");
        assert!(matches!(decode(&without, &provider), Ok(Trial::Found(7))));
        let nothing = valid.replace(r#"{"us.icr.io":{"username":"u","password":"p"}}"#, "null");
        assert!(matches!(decode(&nothing, &provider), Ok(Trial::Nothing)));
        for invalid in [
            valid.replace("\"kind\"", "\"more\":1,\"kind\""),
            valid.replace("\"password\"", "\"secret\""),
            valid.replace("Registry", "Host"),
            valid.replace("io/v1", "io/v1beta1"),
            String::new(),
        ] {
            assert!(decode(&invalid, &provider).is_err(), "{invalid}");
        }
    }
}
