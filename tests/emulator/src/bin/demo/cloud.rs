//! The emulated IBM Cloud of the demo, with a real registry behind it where one is installed.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use icr_emulator::Authority;
use icr_emulator::Emulator;
use icr_emulator::Subject;
use serde_json::json;

use crate::client::Client;
use crate::service;
use crate::service::Service;
use crate::shell;

/// How often another port is tried.
const ATTEMPTS: usize = 3;

/// How long docker-registry may take to start; it takes a tenth of a second.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The services; they end when it is dropped.
pub(crate) struct Cloud {
    emulator: Emulator,
    _registry: Option<Service>,
}

impl Cloud {
    /// Starts the emulator, and behind it the registry that a client was found for.
    pub(crate) fn open(directory: &Path, client: Option<&Client>) -> anyhow::Result<Self> {
        let authority = Authority::create(directory)?;
        let Some(client) = client else {
            return Ok(Self {
                emulator: Emulator::builder().tls(&authority, &[]).start()?,
                _registry: None,
            });
        };
        // Emulator and registry need each other's port, so the registry's is chosen before it listens there. If another process
        // uses the port in between, another one is tried.
        let mut outcome = Err(anyhow::anyhow!("no attempt was made"));
        for _ in 0..ATTEMPTS {
            outcome = open_with_registry(directory, &authority, client.registry());
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Returns the URL of IAM and the registry.
    pub(crate) fn url(&self) -> String {
        self.emulator.url()
    }

    /// Returns the registry's name for clients.
    pub(crate) fn host(&self) -> String {
        self.url().trim_start_matches("https://").to_owned()
    }

    /// Adds an API key.
    pub(crate) fn add_api_key(&self, key: &str) {
        self.emulator
            .accounts()
            .add_api_key(key, Subject::user("newcomer"));
    }

    /// Returns the number of token requests to IAM.
    pub(crate) fn exchanges(&self) -> usize {
        self.emulator.exchanges()
    }
}

fn open_with_registry(
    directory: &Path,
    authority: &Authority,
    program: &str,
) -> anyhow::Result<Cloud> {
    let reserved = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = reserved.local_addr()?;
    let emulator = Emulator::builder()
        .tls(authority, &[])
        .registry_upstream(address)
        .start()?;
    let realm = format!("{}/oauth/token", emulator.url());
    // JSON is YAML.
    let configuration = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {"filesystem": {"rootdirectory": directory.join("registry")}},
        "http": {"addr": address, "relativeurls": true},
        "auth": {"token": {
            "realm": realm,
            "service": "registry",
            "issuer": "icr-emulator",
            "rootcertbundle": authority.token_signing_path(),
        }},
    });
    let path = directory.join("registry.yml");
    std::fs::write(&path, configuration.to_string())?;
    let log = directory.join("registry.log");
    let log_file = File::create(&log)?;
    let mut command = service::ourselves()?;
    command
        .env("OTEL_TRACES_EXPORTER", "none")
        .current_dir(directory)
        .stdout(log_file.try_clone()?)
        .stderr(log_file);
    drop(reserved);
    let mut registry = Service::start(
        command,
        &[program.as_ref(), "serve".as_ref(), path.as_os_str()],
    )?;
    let started = shell::now();
    while !is_ready(address, &realm) {
        if registry.has_ended()? || started.elapsed() > START_TIMEOUT {
            let said = std::fs::read_to_string(&log).context("no log")?;
            bail!("{program} does not start; its log:\n{}", said.trim_end());
        }
        service::pause();
    }
    Ok(Cloud {
        emulator,
        _registry: Some(registry),
    })
}

/// Returns whether our registry, which names our realm, answers there.
fn is_ready(address: SocketAddr, realm: &str) -> bool {
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START_TIMEOUT))?;
        stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains(realm))
}
