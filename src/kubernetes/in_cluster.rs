//! The connection of a pod, from its service account (Kubernetes documentation, "Accessing the
//! Kubernetes API from a Pod"; `k8s.io/client-go`, `rest.InClusterConfig`).

use std::path::Path;

use super::connection::Authentication;
use super::connection::Connection;
use super::connection::read_bytes;
use crate::environment::Environment;
use crate::error::Result;
use crate::fs;
use crate::http::transport::ServerTrust;

/// The directory of the service account's files.
const DIRECTORY: &str = "var/run/secrets/kubernetes.io/serviceaccount";

const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// Returns the connection of the pod; `None` outside of a pod, or if it has no token.
pub(super) fn connection(environment: &Environment, root: &Path) -> Result<Option<Connection>> {
    let (Some(host), Some(port)) = (environment.text(HOST)?, environment.text(PORT)?) else {
        return Ok(None);
    };
    let directory = root.join(DIRECTORY);
    let token = directory.join("token");
    if !fs::entry_exists(&token) {
        return Ok(None);
    }
    let authority = directory.join("ca.crt");
    let authorities = fs::entry_exists(&authority).then(|| read_bytes(&authority));
    let trust = ServerTrust {
        authorities: authorities.transpose()?,
        ..ServerTrust::default()
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let server = format!("https://{host}:{port}");
    let authentication = Authentication::TokenFile(token);
    Connection::new(&server, trust, authentication, &format!("${HOST}")).map(Some)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_pod_is_recognized_by_its_variables_and_its_token() {
        let root = tempfile::tempdir().unwrap();
        let environment = |host: &str| -> Environment {
            [(HOST, host), (PORT, "443")]
                .into_iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                .collect()
        };
        let of = |host: &str| connection(&environment(host), root.path()).unwrap();
        assert!(of("10.0.0.1").is_none(), "no token");
        let directory = root.path().join(DIRECTORY);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("token"), "token-1\n").unwrap();
        assert!(of("").is_none(), "no variable");
        assert_eq!(of("10.0.0.1").unwrap().server, "https://10.0.0.1");
        assert_eq!(of("fd00::1").unwrap().server, "https://[fd00::1]");
        assert!(
            of("10.0.0.1").unwrap().trust.is_none(),
            "the system's authorities"
        );
        std::fs::write(directory.join("ca.crt"), "PEM").unwrap();
        let connection = of("10.0.0.1").unwrap();
        assert_eq!(
            connection.trust.as_ref().unwrap().authorities,
            Some(b"PEM".to_vec())
        );
        // The kubelet replaces the token before it expires.
        for token in ["token-1", "token-2"] {
            std::fs::write(directory.join("token"), token).unwrap();
            let expected =
                crate::http::transport::Authorization::Bearer(crate::secret::Secret::new(token));
            assert_eq!(connection.authorization().unwrap(), expected);
        }
    }
}
