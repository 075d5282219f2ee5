//! The emulated cloud: how it starts, serves and stops.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use anyhow::Context as _;
use rustls::ServerConfig;

use crate::accounts::Accounts;
use crate::authority::Authority;
use crate::authority::CertificateKind;
use crate::connection::Connection;
use crate::control;
use crate::distribution;
use crate::fault::Fault;
use crate::iam;
use crate::image::Image;
use crate::metadata;
use crate::proxy;
use crate::registry;
use crate::registry_token::Signer;
use crate::repositories::Repositories;
use crate::request::Recorded;
use crate::request::pairs;
use crate::service::Service;
use crate::tunnel;
use crate::tunnel::Hosts;

/// A running cloud; it stops when dropped.
#[derive(Debug)]
pub struct Emulator {
    cloud: Arc<Cloud>,
    listeners: Vec<Listener>,
}

impl Emulator {
    /// Starts a cloud with plain HTTP on a free port of the loopback interface.
    pub fn start() -> anyhow::Result<Self> {
        Self::builder().start()
    }

    /// Returns a builder, for TLS, a fixed address, or a real registry behind the cloud.
    pub fn builder() -> Builder<'static> {
        Builder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            listen_plain: None,
            registry_upstream: None,
            tls: None,
            certificate: CertificateKind::default(),
        }
    }

    /// Returns the URL for clients, without a slash at the end.
    pub fn url(&self) -> String {
        self.listeners[0].url()
    }

    /// Returns the address of the first listener.
    pub fn address(&self) -> SocketAddr {
        self.listeners[0].address
    }

    /// Returns the URL without TLS, if there is one ([`Builder::listen_plain`]).
    pub fn plain_url(&self) -> Option<String> {
        self.listeners.get(1).map(Listener::url)
    }

    /// Returns the number of token requests to IAM, successful or not.
    pub fn exchanges(&self) -> usize {
        self.cloud.exchanges()
    }

    /// Returns the number of requests to the metadata service for an IAM token, successful or not.
    pub fn metadata_exchanges(&self) -> usize {
        self.cloud.metadata_exchanges()
    }

    /// Returns all requests to IAM, to the metadata service and to the registry's token endpoint, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.cloud.requests()
    }

    /// Makes the next token requests fail with these faults, one each; after them IAM works again.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script_for(Service::Token, faults);
    }

    /// Makes all token requests fail with this fault, until `None`. A script comes first.
    pub fn always(&self, fault: Option<Fault>) {
        self.always_for(Service::Token, fault);
    }

    /// Does the same as [`Self::script`] for another service. Both steps of the metadata service count: `Fault::Delay(Duration::ZERO)` lets
    /// one of them pass.
    pub fn script_for(&self, service: Service, faults: impl IntoIterator<Item = Fault>) {
        self.cloud.script(service, faults);
    }

    /// Does the same as [`Self::always`] for another service.
    pub fn always_for(&self, service: Service, fault: Option<Fault>) {
        self.cloud.always(service, fault);
    }

    /// Adds an image that can be pulled from `repository` (`namespace/name`), if no real registry is behind the cloud.
    pub fn add_image(&self, repository: &str, tag: &str, image: Image) {
        self.cloud.repositories.add(repository, tag, image);
    }

    /// Returns the identities and secrets this cloud knows.
    pub fn accounts(&self) -> &Accounts {
        &self.cloud.accounts
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.cloud.stopping.store(true, Ordering::Relaxed);
        for listener in &mut self.listeners {
            // Only a connection wakes accept().
            let woken = TcpStream::connect(listener.address).is_ok();
            if let Some(thread) = listener.thread.take().filter(|_| woken) {
                let _ = thread.join();
            }
        }
    }
}

/// What kind of cloud to start.
#[derive(Debug)]
pub struct Builder<'a> {
    listen: SocketAddr,
    listen_plain: Option<SocketAddr>,
    registry_upstream: Option<SocketAddr>,
    tls: Option<(&'a Authority, Vec<String>)>,
    certificate: CertificateKind,
}

impl<'a> Builder<'a> {
    /// Sets the address to listen on, instead of a free port of the loopback interface.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Sets a second address, always without TLS. It is also a proxy to the hosts of [`Self::tls`].
    pub fn listen_plain(mut self, address: SocketAddr) -> Self {
        self.listen_plain = Some(address);
        self
    }

    /// Sets the docker-registry that answers everything except `/oauth/token` and IAM.
    pub fn registry_upstream(mut self, address: SocketAddr) -> Self {
        self.registry_upstream = Some(address);
        self
    }

    /// Uses TLS for `hosts`, `localhost` and 127.0.0.1, and signs registry tokens with the authority's key.
    pub fn tls(self, authority: &'a Authority, hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Self {
            tls: Some((authority, hosts)),
            ..self
        }
    }

    /// Uses a certificate of this kind for TLS.
    pub fn certificate(self, certificate: CertificateKind) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    /// Starts to listen and to serve in the background.
    pub fn start(self) -> anyhow::Result<Emulator> {
        let (signer, hosts) = match self.tls {
            Some((authority, names)) => {
                let config = authority.server_config(&names, self.certificate)?;
                (authority.signer(), Some(Hosts { config, names }))
            }
            None => (Arc::new(Signer::create()?), None),
        };
        let tls = hosts.as_ref().map(|hosts| Arc::clone(&hosts.config));
        let cloud = Arc::new(Cloud {
            accounts: Accounts::new(),
            always: Mutex::default(),
            hosts,
            repositories: Repositories::default(),
            requests: Mutex::default(),
            script: Mutex::default(),
            signer,
            stopping: AtomicBool::default(),
            upstream: self.registry_upstream,
        });
        let mut emulator = Emulator {
            cloud,
            listeners: Vec::new(),
        };
        for (address, tls) in [(Some(self.listen), tls), (self.listen_plain, None)] {
            if let Some(address) = address {
                emulator
                    .listeners
                    .push(Listener::start(address, tls, &emulator.cloud)?);
            }
        }
        Ok(emulator)
    }
}

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) accounts: Accounts,
    always: Mutex<HashMap<Service, Fault>>,
    pub(crate) hosts: Option<Hosts>,
    pub(crate) repositories: Repositories,
    requests: Mutex<Vec<Recorded>>,
    script: Mutex<HashMap<Service, VecDeque<Fault>>>,
    pub(crate) signer: Arc<Signer>,
    stopping: AtomicBool,
    pub(crate) upstream: Option<SocketAddr>,
}

impl Cloud {
    pub(crate) fn exchanges(&self) -> usize {
        self.count(|request| Service::of(request) == Some(Service::Token))
    }

    pub(crate) fn metadata_exchanges(&self) -> usize {
        self.count(metadata::is_exchange)
    }

    fn count(&self, counts: impl Fn(&Recorded) -> bool) -> usize {
        let requests = self.requests.lock().expect(UNPOISONED);
        requests.iter().filter(|request| counts(request)).count()
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().expect(UNPOISONED).clone()
    }

    pub(crate) fn script(&self, service: Service, faults: impl IntoIterator<Item = Fault>) {
        let mut script = self.script.lock().expect(UNPOISONED);
        script.entry(service).or_default().extend(faults);
    }

    pub(crate) fn always(&self, service: Service, fault: Option<Fault>) {
        let mut always = self.always.lock().expect(UNPOISONED);
        match fault {
            Some(fault) => always.insert(service, fault),
            None => always.remove(&service),
        };
    }

    /// Returns the fault for the current request.
    pub(crate) fn next_fault(&self, service: Service) -> Option<Fault> {
        let mut script = self.script.lock().expect(UNPOISONED);
        let scripted = script.get_mut(&service).and_then(VecDeque::pop_front);
        scripted.or_else(|| self.always.lock().expect(UNPOISONED).get(&service).cloned())
    }

    pub(crate) fn serve(&self, connection: &mut Connection) -> io::Result<()> {
        let mut request = connection.read_request()?;
        if request.method == "CONNECT" {
            return tunnel::serve(self, &request, connection);
        }
        if let Some(service) = Service::of(&request) {
            let body = connection.read_text(&request)?;
            if service.reads_forms() {
                request.form = pairs(&body);
            } else {
                request.body = body;
            }
            self.record(&request);
            return service.answer(self, &request, connection);
        }
        let response = match request.path.as_str() {
            registry::TOKEN_PATH => {
                request.form = pairs(&connection.read_text(&request)?);
                self.record(&request);
                registry::answer(self, &request)
            }
            path if path.starts_with(control::PREFIX) => {
                let body = connection.read_text(&request)?;
                control::answer(self, &request, &body)
            }
            path if path.starts_with(iam::PREFIX) => {
                request.form = pairs(&connection.read_text(&request)?);
                self.record(&request);
                iam::unknown_request(&request)
            }
            path if self.upstream.is_none() && distribution::owns(path) => {
                distribution::answer(self, &request)
            }
            _ => return proxy::forward(self, &request, connection),
        };
        connection.write_all(&match request.method.as_str() {
            "HEAD" => response.to_bytes_without_body(),
            _ => response.to_bytes(),
        })
    }

    fn record(&self, request: &Recorded) {
        self.requests
            .lock()
            .expect(UNPOISONED)
            .push(request.clone());
    }
}

pub(crate) const UNPOISONED: &str = "nothing panics while it holds this lock";

#[derive(Debug)]
struct Listener {
    address: SocketAddr,
    secure: bool,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    fn start(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        cloud: &Arc<Cloud>,
    ) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
        let address = listener.local_addr()?;
        let (secure, cloud) = (tls.is_some(), Arc::clone(cloud));
        let thread = thread::spawn(move || {
            for socket in listener.incoming() {
                if cloud.stopping.load(Ordering::Relaxed) {
                    break;
                }
                let (cloud, tls) = (Arc::clone(&cloud), tls.clone());
                thread::spawn(move || {
                    // A client that disconnects or sends no HTTP is no error of the server.
                    let _ = socket.and_then(|socket| Connection::new(socket, tls)).map(
                        |mut connection| {
                            let _ = cloud.serve(&mut connection);
                            connection.close();
                        },
                    );
                });
            }
        });
        Ok(Self {
            address,
            secure,
            thread: Some(thread),
        })
    }

    fn url(&self) -> String {
        // The certificate names localhost; some TLS clients do not match IP addresses.
        if self.secure {
            format!("https://localhost:{}", self.address.port())
        } else {
            format!("http://{}", self.address)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustls::ClientConfig;
    use rustls::ClientConnection;
    use rustls::RootCertStore;
    use rustls::StreamOwned;
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn tls_as_every_host() {
        let directory = std::env::temp_dir().join(format!("icr-emulator-{}", crate::random::id()));
        let authority = Authority::create(&directory).expect("a writable directory");
        let certificate =
            CertificateDer::from_pem_file(authority.certificate_path()).expect("a certificate");
        std::fs::remove_dir_all(&directory).expect("the directory exists");
        let cloud = Emulator::builder()
            .tls(&authority, &["us.icr.io"])
            .start()
            .expect("a port");
        assert_eq!(
            cloud.url(),
            format!("https://localhost:{}", cloud.address().port())
        );

        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions();
        let config = Arc::new(
            config
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth(),
        );
        for (host, trusted) in [
            ("us.icr.io", true),
            ("localhost", true),
            ("127.0.0.1", true),
            ("de.icr.io", false),
        ] {
            let name = host.try_into().expect("a name");
            let session = ClientConnection::new(Arc::clone(&config), name).expect("a session");
            let socket = TcpStream::connect(cloud.address()).expect("the emulator listens");
            let mut client = StreamOwned::new(session, socket);
            let sent = client.write_all(b"GET /identity/token HTTP/1.1\r\n\r\n");
            let mut answer = String::new();
            let read = sent.and_then(|()| client.read_to_string(&mut answer));
            assert_eq!(read.is_ok(), trusted, "{host}: {read:?}");
            assert_eq!(
                answer.starts_with("HTTP/1.1 405 "),
                trusted,
                "{host}: {answer}"
            );
        }
    }

    #[test]
    fn no_port_is_open_after_the_drop() {
        let cloud = Emulator::builder()
            .listen_plain(([127, 0, 0, 1], 0).into())
            .start()
            .expect("two ports");
        let address = cloud.address();
        assert_ne!(cloud.plain_url(), Some(cloud.url()));
        drop(cloud);
        TcpStream::connect(address).expect_err("the port is free again");
    }
}
