//! [`Connection`]: the address of an API server, how it is verified, and the credential for it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::in_cluster;
use super::kubeconfig::Kubeconfig;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::http::transport::Authorization;
use crate::http::transport::ServerTrust;
use crate::iam::endpoint;
use crate::secret::Secret;

/// The size limit of tokens and certificates, in bytes.
pub(super) const MAX_FILE: u64 = 1024 * 1024;

/// An API server, and the credential for it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The URL, without a slash at its end.
    pub(super) server: String,
    pub(super) trust: Option<Arc<ServerTrust>>,
    pub(super) authentication: Authentication,
}

/// How requests are authenticated, apart from a client certificate.
#[derive(Debug)]
pub(super) enum Authentication {
    None,
    Basic(String, Secret),
    Token(Secret),
    /// The ID token of an OpenID Connect provider, which kubectl renews.
    IdToken(Secret),
    /// A token in a file, which is replaced before it expires.
    TokenFile(PathBuf),
}

impl Connection {
    /// Returns the connection that kubectl uses: that of the kubeconfig, or of the pod's service
    /// account. `name` is the context of the kubeconfig, instead of its current one.
    ///
    /// # Errors
    /// Neither exists, or its content cannot be used.
    pub(crate) fn open(
        environment: &Environment,
        home: Option<&Path>,
        root: &Path,
        name: Option<&str>,
    ) -> Result<Self> {
        if let Some(file) = Kubeconfig::read(environment, home)? {
            return file.connection(name);
        }
        if name.is_none()
            && let Some(connection) = in_cluster::connection(environment, root)?
        {
            return Ok(connection);
        }
        Err(Error::user("there is no kubeconfig, and this is no pod")
            .with_hint("Set KUBECONFIG to the path of a kubeconfig"))
    }

    /// Creates a connection. `place` says where the address is written.
    pub(super) fn new(
        server: &str,
        trust: ServerTrust,
        authentication: Authentication,
        place: &str,
    ) -> Result<Self> {
        let server = endpoint::base_of(server, |_| false)
            .map_err(|reason| Error::user(format!("the address in {place} {reason}")))?;
        Ok(Self {
            trust: (trust != ServerTrust::default()).then(|| Arc::new(trust)),
            server,
            authentication,
        })
    }

    /// Returns what to do if the API server does not accept the credential.
    pub(super) fn rejection_hint(&self) -> &'static str {
        match self.authentication {
            Authentication::IdToken(_) => {
                "Renew the token: run a command of kubectl, or 'ibmcloud ks cluster config --cluster NAME'"
            }
            _ => "Check the user in the kubeconfig, or the token of the service account",
        }
    }

    /// Returns the `Authorization` header. A token in a file is read each time.
    pub(super) fn authorization(&self) -> Result<Authorization> {
        Ok(match &self.authentication {
            Authentication::None => Authorization::None,
            Authentication::Basic(username, password) => Authorization::Basic {
                username: username.clone(),
                password: password.clone(),
            },
            Authentication::Token(token) | Authentication::IdToken(token) => {
                Authorization::Bearer(token.clone())
            }
            Authentication::TokenFile(path) => {
                Authorization::Bearer(Secret::new(read_text(path)?.trim()))
            }
        })
    }
}

/// Returns the content of a file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read_bytes(path, MAX_FILE).map_err(|error| {
        Error::from_anyhow(&error).with_context(format_args!("cannot read {}", path.display()))
    })
}

/// Returns the text of a file.
pub(super) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|_| Error::user(format!("{} is not UTF-8 text", path.display())))
}
