//! A stand-in for the kubelet: it runs a credential provider and keeps its answers by the rules of Kubernetes 1.36
//! (`pkg/credentialprovider/plugin/plugin.go`, `pkg/credentialprovider/keyring.go`), as far as a provider can notice them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io::Read as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// One entry of `providers` in the kubelet's configuration.
#[derive(Clone)]
pub(crate) struct Provider {
    /// The program: a file in the kubelet's directory.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) api_version: String,
    pub(crate) match_images: Vec<String>,
    pub(crate) default_cache_duration: Duration,
    /// The variables of the kubelet and of `env`.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) token_attributes: Option<TokenAttributes>,
    /// How long a run may take; the kubelet's limit is a minute.
    pub(crate) timeout: Duration,
}

impl Provider {
    /// Returns the command that the kubelet runs, without its streams.
    pub(crate) fn command(&self) -> Command {
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(variables);
        command.current_dir("/");
        command
    }
}

/// `tokenAttributes` of an entry.
#[derive(Clone, Default)]
pub(crate) struct TokenAttributes {
    pub(crate) cache_by_token: bool,
    pub(crate) require_service_account: bool,
    pub(crate) required_keys: Vec<String>,
    pub(crate) optional_keys: Vec<String>,
}

/// The service account of a pod, with the token that the API server issues for the pod.
#[derive(Clone, Default)]
pub(crate) struct Account {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) token: String,
}

/// A user name and a password.
pub(crate) type Login = (String, String);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    kind: &'a str,
    api_version: &'a str,
    image: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    service_account_token: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    service_account_annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Response {
    kind: String,
    api_version: String,
    cache_key_type: String,
    cache_duration: Option<String>,
    auth: Option<BTreeMap<String, Auth>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

struct Kept {
    auth: BTreeMap<String, Auth>,
    until: Duration,
}

/// The kubelet of one node with one provider.
pub(crate) struct Kubelet {
    provider: Provider,
    kept: Mutex<HashMap<String, Kept>>,
    flights: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    /// The time since the start, which tests advance.
    now: Mutex<Duration>,
    runs: Mutex<Vec<String>>,
    log: Mutex<Vec<String>>,
}

impl Kubelet {
    pub(crate) fn new(provider: Provider) -> Self {
        Self {
            provider,
            kept: Mutex::default(),
            flights: Mutex::default(),
            now: Mutex::default(),
            runs: Mutex::default(),
            log: Mutex::default(),
        }
    }

    /// Lets time pass for what the kubelet keeps.
    pub(crate) fn advance(&self, time: Duration) {
        *self.now.lock().expect("no panic") += time;
    }

    /// Returns how often the provider was run.
    pub(crate) fn runs(&self) -> usize {
        self.runs.lock().expect("no panic").len()
    }

    /// Returns the answers, as they were written.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.runs.lock().expect("no panic").clone()
    }

    /// Returns the lines of the log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic").clone()
    }

    /// Returns the logins for an image, the most exact first: those that are kept, or those of a run.
    pub(crate) fn logins(&self, image: &str, account: Option<&Account>) -> Vec<Login> {
        let patterns = &self.provider.match_images;
        if !patterns.iter().any(|pattern| matches(pattern, image)) {
            return Vec::new();
        }
        let Some((token, annotations, of_account)) = self.of_account(account) else {
            return Vec::new();
        };
        if let Some(logins) = self.kept_logins(image, &of_account) {
            return logins;
        }
        // One run at a time for an image, a token and annotations; the others use its answer.
        let flight = format!("{image} {token} {annotations:?}");
        let flight = Arc::clone(
            self.flights
                .lock()
                .expect("no panic")
                .entry(flight)
                .or_default(),
        );
        let _flight = flight.lock().expect("no panic");
        if let Some(logins) = self.kept_logins(image, &of_account) {
            return logins;
        }
        match self.run(image, &token, annotations) {
            Ok(response) => self.keep(image, &of_account, &token, response),
            Err(error) => {
                self.log.lock().expect("no panic").push(error);
                Vec::new()
            }
        }
    }

    /// Returns the token, the annotations and the part of the cache key for a pod; `None` if the provider is not run for it.
    fn of_account(
        &self,
        account: Option<&Account>,
    ) -> Option<(String, BTreeMap<String, String>, String)> {
        let Some(attributes) = &self.provider.token_attributes else {
            return Some(Default::default());
        };
        let Some(account) = account else {
            let runs_without = !attributes.require_service_account;
            return runs_without.then(Default::default);
        };
        let has = |key: &&String| account.annotations.contains_key(*key);
        if !attributes.required_keys.iter().all(|key| has(&key)) {
            return None;
        }
        let keys = attributes
            .required_keys
            .iter()
            .chain(&attributes.optional_keys);
        let annotations: BTreeMap<String, String> = keys
            .filter(has)
            .map(|key| (key.clone(), account.annotations[key].clone()))
            .collect();
        let Account {
            namespace,
            name,
            uid,
            token,
            ..
        } = account;
        let mut key = format!("/{namespace}/{name}/{uid}/{annotations:?}");
        if attributes.cache_by_token {
            key.push_str(token);
        }
        Some((token.clone(), annotations, key))
    }

    fn kept_logins(&self, image: &str, of_account: &str) -> Option<Vec<Login>> {
        let now = *self.now.lock().expect("no panic");
        let kept = self.kept.lock().expect("no panic");
        let registry = image.split('/').next().unwrap_or_default();
        let found = [image, registry, "<global>"].into_iter().find_map(|key| {
            let kept = kept.get(&format!("{key}{of_account}"))?;
            (now < kept.until).then_some(kept)
        });
        found.map(|kept| logins(&kept.auth, image))
    }

    fn keep(
        &self,
        image: &str,
        of_account: &str,
        token: &str,
        response: (Response, Duration),
    ) -> Vec<Login> {
        let (response, duration) = response;
        let auth = response.auth.unwrap_or_default();
        let by_token = self
            .provider
            .token_attributes
            .as_ref()
            .is_some_and(|attributes| attributes.cache_by_token);
        if !by_token && !token.is_empty() && auth.values().any(|auth| auth.password == token) {
            let line = "the answer is the token of the service account".to_owned();
            self.log.lock().expect("no panic").push(line);
            return Vec::new();
        }
        let key = match &*response.cache_key_type {
            "Image" => image,
            "Registry" => image.split('/').next().unwrap_or_default(),
            _ => "<global>",
        };
        if !duration.is_zero() {
            let until = *self.now.lock().expect("no panic") + duration;
            let kept = Kept {
                auth: auth.clone(),
                until,
            };
            let mut all = self.kept.lock().expect("no panic");
            all.insert(format!("{key}{of_account}"), kept);
        }
        logins(&auth, image)
    }

    fn run(
        &self,
        image: &str,
        token: &str,
        annotations: BTreeMap<String, String>,
    ) -> Result<(Response, Duration), String> {
        let request = Request {
            kind: "CredentialProviderRequest",
            api_version: &self.provider.api_version,
            image,
            service_account_token: token,
            service_account_annotations: annotations,
        };
        let request = serde_json::to_string(&request).expect("texts");
        let output = self.execute(&format!("{request}\n"))?;
        self.runs.lock().expect("no panic").push(output.clone());
        let response: Response = serde_json::from_str(&output).map_err(|error| {
            format!("error decoding credential provider plugin response from stdout: {error}")
        })?;
        if response.kind != "CredentialProviderResponse" {
            return Err(format!("kind {}", response.kind));
        }
        if response.api_version != self.provider.api_version {
            return Err(format!("apiVersion {}", response.api_version));
        }
        if !["Image", "Registry", "Global"].contains(&&*response.cache_key_type) {
            return Err(format!("cacheKeyType {:?}", response.cache_key_type));
        }
        let duration = match &response.cache_duration {
            None => self.provider.default_cache_duration,
            Some(text) => go_duration(text).ok_or_else(|| format!("cacheDuration {text}"))?,
        };
        Ok((response, duration))
    }

    /// Runs the provider and returns its stdout, or why that does not count.
    fn execute(&self, input: &str) -> Result<String, String> {
        let provider = &self.provider;
        let mut child = provider
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // A provider need not read it.
        thread::spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        });
        let (sender, receiver) = mpsc::channel();
        let (mut stdout, mut stderr) = (
            child.stdout.take().expect("a pipe"),
            child.stderr.take().expect("a pipe"),
        );
        thread::spawn(move || {
            let mut texts = [String::new(), String::new()];
            let _ = stdout.read_to_string(&mut texts[0]);
            let _ = stderr.read_to_string(&mut texts[1]);
            let _ = sender.send(texts);
        });
        let Ok([stdout, stderr]) = receiver.recv_timeout(provider.timeout) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err("context deadline exceeded: ".to_owned());
        };
        let status = child.wait().expect("it is our child");
        if status.success() {
            Ok(stdout)
        } else {
            Err(format!("{status}: {stderr}"))
        }
    }
}

/// Returns the logins whose patterns match an image, the longest pattern first.
fn logins(auth: &BTreeMap<String, Auth>, image: &str) -> Vec<Login> {
    let mut found: Vec<(&String, &Auth)> = auth
        .iter()
        .filter(|(pattern, _)| matches(pattern, image))
        .collect();
    found.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.len()));
    found
        .into_iter()
        .map(|(_, auth)| (auth.username.clone(), auth.password.clone()))
        .collect()
}

/// Returns whether a pattern matches an image: each label of the host, the port as a text, and the path as a prefix.
pub(crate) fn matches(pattern: &str, image: &str) -> bool {
    let (pattern_host, pattern_port, pattern_path) = parts(pattern);
    let (host, port, path) = parts(image);
    let (patterns, labels): (Vec<&str>, Vec<&str>) =
        (pattern_host.split('.').collect(), host.split('.').collect());
    patterns.len() == labels.len()
        && pattern_port == port
        && path.starts_with(pattern_path)
        && patterns
            .iter()
            .zip(labels)
            .all(|(pattern, label)| matches_label(pattern, label))
}

fn parts(text: &str) -> (&str, &str, &str) {
    let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    (host, port, path)
}

fn matches_label(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == label,
        Some((before, after)) => {
            let Some(rest) = label.strip_prefix(before) else {
                return false;
            };
            (0..=rest.len()).any(|at| matches_label(after, &rest[at..]))
        }
    }
}

/// Reads `1h2m3s`.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    let (mut seconds, mut number) = (0, String::new());
    for character in text.chars() {
        let unit = match character {
            '0'..='9' => {
                number.push(character);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds += number.parse::<u64>().ok()? * unit;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}
