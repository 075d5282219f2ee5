//! `icr-emulator serve`: the emulator as a process, for tests written in shell.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

use anyhow::Context as _;
use anyhow::bail;
use icr_emulator::Accounts;
use icr_emulator::Authority;
use icr_emulator::Emulator;
use icr_emulator::Image;
use icr_emulator::MetadataApi;
use icr_emulator::Subject;

const USAGE: &str = "usage: icr-emulator serve --listen ADDRESS:PORT [--listen-plain ADDRESS:PORT]
    [--tls-directory DIRECTORY [--host NAME]…] [--registry-upstream ADDRESS:PORT]
    [--api-key VALUE]… [--service-id-api-key VALUE]… [--refresh-token VALUE]… [--profile ID]…
    [--account-api-key ACCOUNT=VALUE]… [--account-namespace ACCOUNT=NAMESPACE]… [--passcode VALUE]…
    [--compute-resource-token VALUE=PROFILE]… [--cluster FILE]… [--browser-user ID] [--metadata] [--linked-profile ID]…
    [--registry-token VALUE]… [--registry-token-lifetime SECONDS] [--stop-registry-tokens STATUS]
    [--entitlement-key VALUE]… [--token-lifetime SECONDS] [--public-namespace NAME]… [--image NAMESPACE/NAME]…
    [--ready-file PATH]";

fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let authority = options
        .tls_directory
        .as_ref()
        .map(Authority::create)
        .transpose()?;
    let emulator = options.start(authority.as_ref())?;
    if let Some(path) = &options.ready_file {
        announce(path, &emulator)?;
    }
    loop {
        thread::park();
    }
}

/// Writes the URLs, one per line, the main one first. The file appears complete.
fn announce(path: &Path, emulator: &Emulator) -> anyhow::Result<()> {
    let urls = [Some(emulator.url()), emulator.plain_url()];
    let text: String = urls.into_iter().flatten().map(|url| url + "\n").collect();
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// The options of the command line.
#[derive(Default)]
struct Options {
    account_api_keys: Vec<(String, String)>,
    account_namespaces: Vec<(String, String)>,
    api_keys: Vec<String>,
    browser_user: Option<String>,
    clusters: Vec<PathBuf>,
    compute_resource_tokens: Vec<(String, String)>,
    entitlement_keys: Vec<String>,
    hosts: Vec<String>,
    images: Vec<String>,
    linked_profiles: Vec<String>,
    listen: Option<SocketAddr>,
    listen_plain: Option<SocketAddr>,
    metadata: bool,
    passcodes: Vec<String>,
    profiles: Vec<String>,
    public_namespaces: Vec<String>,
    ready_file: Option<PathBuf>,
    refresh_tokens: Vec<String>,
    registry_token_lifetime: Option<u32>,
    registry_tokens: Vec<String>,
    registry_upstream: Option<SocketAddr>,
    service_id_api_keys: Vec<String>,
    stop_registry_tokens: Option<u16>,
    tls_directory: Option<PathBuf>,
    token_lifetime: Option<u32>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        if arguments.next().as_deref() != Some("serve") {
            bail!(USAGE);
        }
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            if option == "--metadata" {
                options.metadata = true;
                continue;
            }
            let value = arguments
                .next()
                .with_context(|| format!("`{option}` needs a value\n{USAGE}"))?;
            let address = || {
                value
                    .parse()
                    .with_context(|| format!("`{value}` is no ADDRESS:PORT"))
            };
            let pair = |pair: Option<(&str, &str)>| {
                let (first, second) =
                    pair.with_context(|| format!("`{value}` holds no `=`\n{USAGE}"))?;
                anyhow::Ok((first.to_owned(), second.to_owned()))
            };
            // Secrets may hold a `=`; names of accounts and profiles do not.
            let name_first = || pair(value.split_once('='));
            let name_last = || pair(value.rsplit_once('='));
            match option.as_str() {
                "--account-api-key" => options.account_api_keys.push(name_first()?),
                "--account-namespace" => options.account_namespaces.push(name_first()?),
                "--api-key" => options.api_keys.push(value),
                "--browser-user" => options.browser_user = Some(value),
                "--cluster" => options.clusters.push(value.into()),
                "--compute-resource-token" => options.compute_resource_tokens.push(name_last()?),
                "--entitlement-key" => options.entitlement_keys.push(value),
                "--host" => options.hosts.push(value),
                "--image" => options.images.push(value),
                "--linked-profile" => options.linked_profiles.push(value),
                "--listen" => options.listen = Some(address()?),
                "--listen-plain" => options.listen_plain = Some(address()?),
                "--passcode" => options.passcodes.push(value),
                "--profile" => options.profiles.push(value),
                "--public-namespace" => options.public_namespaces.push(value),
                "--ready-file" => options.ready_file = Some(value.into()),
                "--refresh-token" => options.refresh_tokens.push(value),
                "--registry-token" => options.registry_tokens.push(value),
                "--registry-token-lifetime" => {
                    options.registry_token_lifetime = Some(value.parse()?);
                }
                "--registry-upstream" => options.registry_upstream = Some(address()?),
                "--service-id-api-key" => options.service_id_api_keys.push(value),
                "--stop-registry-tokens" => options.stop_registry_tokens = Some(value.parse()?),
                "--tls-directory" => options.tls_directory = Some(value.into()),
                "--token-lifetime" => options.token_lifetime = Some(value.parse()?),
                _ => bail!("unknown option '{option}'\n{USAGE}"),
            }
        }
        Ok(options)
    }

    fn start(&self, authority: Option<&Authority>) -> anyhow::Result<Emulator> {
        let mut builder = Emulator::builder().listen(self.listen.context(USAGE)?);
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        if let Some(address) = self.listen_plain {
            builder = builder.listen_plain(address);
        }
        if let Some(address) = self.registry_upstream {
            builder = builder.registry_upstream(address);
        }
        if let Some(authority) = authority {
            builder = builder.tls(authority, &hosts);
        }
        let emulator = builder.start()?;
        self.fill(&emulator);
        for file in &self.clusters {
            let text = fs::read_to_string(file);
            let text = text.with_context(|| format!("cannot read `{}`", file.display()))?;
            emulator
                .accounts()
                .add_cluster(&serde_json::from_str(&text)?)?;
        }
        Ok(emulator)
    }

    /// Numbers the identities in the order of their secrets: the first API key belongs to `IBMid-1`, and so on.
    fn fill(&self, emulator: &Emulator) {
        let accounts = emulator.accounts();
        for (number, key) in (1..).zip(&self.api_keys) {
            accounts.add_api_key(key, Subject::user(&number.to_string()));
        }
        for (number, token) in (1..).zip(&self.refresh_tokens) {
            accounts.add_refresh_token(token, Subject::user(&number.to_string()));
        }
        let numbered = (1..).zip(&self.service_id_api_keys);
        let service_ids: Vec<Subject> = numbered
            .map(|(number, key)| {
                let service_id = Subject::service_id(&number.to_string());
                accounts.add_api_key(key, service_id.clone());
                service_id
            })
            .collect();
        let iam_ids: Vec<&str> = service_ids
            .iter()
            .map(|service_id| service_id.iam_id.as_str())
            .collect();
        self.profiles
            .iter()
            .for_each(|id| accounts.add_profile(id, &iam_ids));
        self.fill_logins(accounts);
        self.registry_tokens
            .iter()
            .for_each(|token| accounts.add_registry_token(token));
        accounts.stop_registry_tokens(self.stop_registry_tokens);
        if let Some(seconds) = self.registry_token_lifetime {
            accounts.set_registry_token_lifetime(seconds);
        }
        self.entitlement_keys
            .iter()
            .for_each(|key| accounts.add_entitlement_key(key));
        self.public_namespaces
            .iter()
            .for_each(|name| accounts.add_public_namespace(name));
        if let Some(seconds) = self.token_lifetime {
            accounts.set_token_lifetime(seconds);
        }
        for repository in &self.images {
            let text = format!("Hello from {repository}.\n");
            emulator.add_image(repository, "latest", Image::of_file("hello", &text));
        }
    }

    /// Adds the logins. All API keys of an account belong to one person, named like the account. The first linked profile is the one linked at the
    /// virtual server's creation.
    fn fill_logins(&self, accounts: &Accounts) {
        for (account, key) in &self.account_api_keys {
            accounts.add_api_key(key, Subject::user_of(account, account));
        }
        for (account, namespace) in &self.account_namespaces {
            accounts.add_account_namespace(account, namespace);
        }
        for (number, passcode) in (1..).zip(&self.passcodes) {
            accounts.add_passcode(passcode, Subject::user(&number.to_string()));
        }
        for (token, profile) in &self.compute_resource_tokens {
            accounts.add_compute_resource_token(token, &[profile]);
        }
        accounts.set_browser_subject(self.browser_user.as_deref().map(Subject::user));
        if self.metadata {
            accounts.enable_metadata(&MetadataApi::ALL);
        }
        for (number, profile) in self.linked_profiles.iter().enumerate() {
            match number {
                0 => accounts.link_default_profile(profile),
                _ => accounts.link_profile(profile),
            }
        }
    }
}
