//! The certificate authorities that HTTPS trusts.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use reqwest::Certificate;

#[cfg(all(unix, not(target_os = "macos")))]
use super::exhaustion::FEW_FILES;
use super::exhaustion::exhausted_resource;
use super::transport::ProxyPolicy;
use super::transport::TransportError;
use crate::fs;
use crate::time::run_with_timeout;

/// The size limit of a certificate file, in bytes: ninety times the usual bundle.
const MAX_CERTIFICATE_FILE: u64 = 16 * 1024 * 1024;

/// Where Linux distributions store the system's certificate authorities (the list of
/// Go's `crypto/x509`, `root_linux.go`). Other systems have none of these files.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) fn additional_certificates(
    path: Option<&Path>,
) -> Result<Vec<Certificate>, TransportError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let mut certificates =
        certificates_in(path).map_err(|error| match exhausted_resource(error.as_ref()) {
            Some(reason) => TransportError::Local(reason),
            None => TransportError::Untrusted(format!(
                "cannot use {}, the file in $SSL_CERT_FILE ({})",
                path.display(),
                error.root_cause()
            )),
        })?;
    // On Linux the variable also makes the verifier leave the system's file out.
    certificates.extend(system_bundle());
    Ok(certificates)
}

fn system_bundle() -> Vec<Certificate> {
    let mut bundles = SYSTEM_BUNDLES.iter();
    let bundle = bundles.find_map(|path| certificates_in(Path::new(path)).ok());
    bundle.unwrap_or_default()
}

/// The trusted certificate authorities.
#[derive(Debug)]
pub struct Authorities {
    /// How many of them the TLS library reads from the system's files, if it does.
    pub system: Option<usize>,
    /// The additional file, and how many authorities it contains.
    pub further: Option<(PathBuf, usize)>,
}

/// Returns the authorities that [`Https`](super::client::Https) trusts with the same
/// file, within `limit`.
///
/// # Errors
/// The file cannot be used, or there is no authority at all.
pub fn authorities(
    certificate_file: Option<PathBuf>,
    limit: Duration,
) -> Result<Authorities, String> {
    let found = run_with_timeout(limit, move || {
        // Built as for a request, so that it fails in the same way.
        super::client::build(certificate_file.as_deref(), limit, ProxyPolicy::Direct)?;
        let further = certificate_file.map(|path| {
            let count = certificates_in(&path).map_or(0, |found| found.len());
            (path, count)
        });
        Ok(Authorities {
            system: system_authorities(further.is_some()),
            further,
        })
    });
    let late = || TransportError::Untrusted("they cannot be read in time".into());
    found
        .unwrap_or_else(|| Err(late()))
        .map_err(|error| match error {
            TransportError::Local(reason)
            | TransportError::Network(reason)
            | TransportError::Unreachable(reason)
            | TransportError::Untrusted(reason) => reason,
            TransportError::NoAnswer { .. } => "they cannot be read in time".to_owned(),
        })
}

/// Returns the number of authorities in the system's files.
#[cfg(all(unix, not(target_os = "macos")))]
fn system_authorities(has_further: bool) -> Option<usize> {
    Some(if has_further {
        system_bundle().len()
    } else {
        rustls_native_certs::load_native_certs().certs.len()
    })
}

/// Returns the exhausted resource if the system's authorities cannot be read. If they
/// can be read now, the resource was open files, some of which the failed HTTP client has
/// closed, unless the `further` authorities are the cause.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn trust_store_exhaustion(has_further: bool) -> Option<String> {
    let store = rustls_native_certs::load_native_certs();
    let resource = store
        .errors
        .iter()
        .find_map(|error| exhausted_resource(error));
    let reason = || format!("{FEW_FILES} to read the certificate authorities");
    resource.or_else(|| (!has_further && !store.certs.is_empty()).then(reason))
}

/// Returns nothing: no files are read.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) fn trust_store_exhaustion(_has_further: bool) -> Option<String> {
    None
}

/// Returns nothing: macOS and Windows check each certificate themselves.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn system_authorities(_has_further: bool) -> Option<usize> {
    None
}

fn certificates_in(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let pem = fs::read_bytes(path, MAX_CERTIFICATE_FILE)?;
    let certificates = Certificate::from_pem_bundle(&pem)?;
    ensure!(!certificates.is_empty(), "it contains no certificate");
    Ok(certificates)
}
