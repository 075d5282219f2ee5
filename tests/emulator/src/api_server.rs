//! The API server of a Kubernetes cluster with namespaces, secrets and service accounts.
//!
//! What it does follows the Kubernetes documentation ("Server-Side Apply", "Kubernetes API Concepts") and the types of `k8s.io/apimachinery`
//! (`meta/v1`): field managers with their fields, conflicts, resource versions, lists in parts, metadata without content, dry runs, and errors
//! as `Status` objects.

mod errors;
mod fields;
mod lists;
mod objects;

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::io;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use anyhow::Context as _;
use rustls::ServerConfig;
use serde_json::Value;
use serde_json::json;

use crate::authority::Authority;
use crate::authority::CertificateKind;
use crate::connection::Connection;
use crate::emulator::UNPOISONED;
use crate::request::Recorded;
use crate::response::Response;

use errors::Refusal;
use objects::Key;
use objects::Objects;

/// A failure of requests to the API server.
#[derive(Clone, Debug)]
pub enum ApiFault {
    /// The connection is closed without an answer.
    Close,
    /// This status, with a `Status` object, and perhaps `Retry-After` in seconds.
    Status(u16, Option<u64>),
}

/// A running API server; it stops when dropped.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    is_secure: bool,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    always: Mutex<Option<ApiFault>>,
    objects: Mutex<Objects>,
    requests: Mutex<Vec<Recorded>>,
    script: Mutex<VecDeque<(String, ApiFault)>>,
    stopping: AtomicBool,
    tokens: Mutex<HashSet<String>>,
    webhooks: Mutex<HashMap<String, (u16, String)>>,
}

impl ApiServer {
    /// Starts an API server without TLS.
    pub fn start() -> anyhow::Result<Self> {
        Self::listen(None)
    }

    /// Starts an API server with TLS, as `localhost`, 127.0.0.1 and `host`.
    pub fn start_with_tls(authority: &Authority, host: &str) -> anyhow::Result<Self> {
        let hosts = [host.to_owned()];
        Self::listen(Some(
            authority.server_config(&hosts, CertificateKind::Good)?,
        ))
    }

    fn listen(tls: Option<Arc<ServerConfig>>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let address = listener.local_addr()?;
        let (state, is_secure) = (Arc::new(State::default()), tls.is_some());
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for socket in listener.incoming() {
                if shared.stopping.load(Ordering::Relaxed) {
                    break;
                }
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || {
                    let connection = socket.and_then(|socket| Connection::new(socket, tls));
                    if let Ok(mut connection) = connection {
                        let _ = state.serve(&mut connection);
                        connection.close();
                    }
                });
            }
        });
        Ok(Self {
            address,
            is_secure,
            state,
            thread: Some(thread),
        })
    }

    /// Returns the URL, without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Accepts this bearer token.
    pub fn accept_token(&self, token: &str) {
        let mut tokens = self.state.tokens.lock().expect(UNPOISONED);
        tokens.insert(token.to_owned());
    }

    /// Accepts this bearer token no longer.
    pub fn revoke_token(&self, token: &str) {
        self.state.tokens.lock().expect(UNPOISONED).remove(token);
    }

    /// Creates a namespace with these labels, and its service account `default`.
    pub fn add_namespace(&self, name: &str, labels: &Value) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}, "status": {"phase": "Active"}});
        self.objects().put(&Key::namespace(name), namespace);
        self.add_service_account(name, "default", &[]);
    }

    /// Creates a service account with these pull secrets.
    pub fn add_service_account(&self, namespace: &str, name: &str, pull_secrets: &[&str]) {
        let mut account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}});
        if !pull_secrets.is_empty() {
            let entries = pull_secrets.iter().map(|name| json!({"name": name}));
            account["imagePullSecrets"] = entries.collect();
        }
        let key = Key::new(namespace, "serviceaccounts", name);
        self.objects().put(&key, account);
    }

    /// Marks a namespace as being deleted: nothing can be created in it.
    pub fn terminate_namespace(&self, name: &str) {
        self.objects().terminate(name);
    }

    /// Deletes a namespace with all that is in it.
    pub fn remove_namespace(&self, name: &str) {
        self.objects().remove_namespace(name);
    }

    /// Creates or changes an object as `kubectl edit` does, with a merge patch.
    pub fn edit(&self, namespace: &str, resource: &str, name: &str, change: &Value) {
        let key = Key::new(namespace, resource, name);
        self.objects().edit(&key, "kubectl-edit", change);
    }

    /// Returns an object.
    pub fn object(&self, namespace: &str, resource: &str, name: &str) -> Option<Value> {
        let key = Key::new(namespace, resource, name);
        self.objects().get(&key).cloned()
    }

    /// Deletes an object.
    pub fn remove(&self, namespace: &str, resource: &str, name: &str) {
        self.objects().remove(&Key::new(namespace, resource, name));
    }

    /// Makes the next requests with this method fail, one each.
    pub fn script(&self, method: &str, faults: impl IntoIterator<Item = ApiFault>) {
        let mut script = self.state.script.lock().expect(UNPOISONED);
        script.extend(faults.into_iter().map(|fault| (method.to_owned(), fault)));
    }

    /// Makes all requests fail with this fault, until `None`.
    pub fn always(&self, fault: Option<ApiFault>) {
        *self.state.always.lock().expect(UNPOISONED) = fault;
    }

    /// Makes all changes in a namespace fail with this status and message, as a broken admission webhook does.
    pub fn break_webhook(&self, namespace: &str, status: u16, message: &str) {
        let mut webhooks = self.state.webhooks.lock().expect(UNPOISONED);
        webhooks.insert(namespace.to_owned(), (status, message.to_owned()));
    }

    /// Accepts changes in a namespace again.
    pub fn repair_webhook(&self, namespace: &str) {
        let mut webhooks = self.state.webhooks.lock().expect(UNPOISONED);
        webhooks.remove(namespace);
    }

    /// Returns all requests, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().expect(UNPOISONED).clone()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.state.objects.lock().expect(UNPOISONED)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::Relaxed);
        // Only a connection wakes accept().
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

impl State {
    fn serve(&self, connection: &mut Connection) -> io::Result<()> {
        let mut request = connection.read_request()?;
        request.body = connection.read_text(&request)?;
        self.requests
            .lock()
            .expect(UNPOISONED)
            .push(request.clone());
        let response = match self.fault(&request) {
            Some(ApiFault::Close) => return Ok(()),
            Some(ApiFault::Status(status, retry_after)) => {
                let response = Refusal::emulated(status).into_response();
                match retry_after {
                    Some(seconds) => response.with_header("Retry-After", seconds.to_string()),
                    None => response,
                }
            }
            None => self.answer(&request),
        };
        connection.write_all(&response.to_bytes())
    }

    fn fault(&self, request: &Recorded) -> Option<ApiFault> {
        let mut script = self.script.lock().expect(UNPOISONED);
        let position = script
            .iter()
            .position(|(method, _)| *method == request.method);
        let scripted = position.and_then(|position| script.remove(position));
        scripted
            .map(|(_, fault)| fault)
            .or_else(|| self.always.lock().expect(UNPOISONED).clone())
    }

    fn webhook_error(&self, request: &Recorded) -> Option<Refusal> {
        let namespace = request.path.split('/').nth(4)?;
        let webhooks = self.webhooks.lock().expect(UNPOISONED);
        let (status, message) = webhooks.get(namespace)?;
        (request.method != "GET").then(|| Refusal::new(*status, "InternalError", message))
    }

    fn answer(&self, request: &Recorded) -> Response {
        let tokens = self.tokens.lock().expect(UNPOISONED);
        if !request.bearer().is_some_and(|token| tokens.contains(token)) {
            return Refusal::new(401, "Unauthorized", "Unauthorized").into_response();
        }
        drop(tokens);
        if let Some(refusal) = self.webhook_error(request) {
            return refusal.into_response();
        }
        let mut objects = self.objects.lock().expect(UNPOISONED);
        let answer = lists::answer(&objects, request)
            .or_else(|| Some(objects::answer(&mut objects, request)));
        match answer.unwrap_or_else(|| Err(Refusal::not_found("", ""))) {
            Ok((status, body)) => Response::json(status, &body),
            Err(refusal) => refusal.into_response(),
        }
    }
}
