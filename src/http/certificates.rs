//! The certificate authorities that HTTPS trusts.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use reqwest::Certificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::exhaustion::exhausted_resource;
use super::transport::TransportError;
use crate::environment;
use crate::environment::Environment;
use crate::fs;
use crate::secret::input::without_quotes;
use crate::time::run_with_timeout;

/// The size limit of a certificate file, in bytes: ninety times the usual bundle.
const MAX_CERTIFICATE_FILE: u64 = 16 * 1024 * 1024;

/// Where each section of a PEM file begins.
const SECTION_START: &[u8] = b"-----BEGIN ";

/// How a certificate in DER begins, as Windows exports it: a sequence with two bytes of length.
const DER_START: &[u8] = b"\x30\x82";

/// Where Linux distributions store the system's certificate authorities (the list of
/// Go's `crypto/x509`, `root_linux.go`).
#[cfg(all(unix, not(target_os = "macos")))]
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Where they store single ones (`openssl-probe`).
#[cfg(all(unix, not(target_os = "macos")))]
const SYSTEM_DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The paths of certificate authorities in the environment.
#[derive(Clone, Debug, Default)]
pub struct CertificatePaths {
    /// A file with additional authorities.
    pub file: Option<PathBuf>,
    /// Directories that replace the system's. Only Linux has this.
    pub directories: Vec<PathBuf>,
}

impl CertificatePaths {
    /// Returns the paths in `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub fn of(environment: &Environment) -> Self {
        let text = |name| environment.text(name).ok().flatten();
        let directories = text(environment::CERTIFICATE_DIRECTORY).filter(|_| READS_FILES);
        // The TLS library reads the variable in the same way.
        let directories = directories.map(|list| std::env::split_paths(list).collect());
        let mut directories: Vec<PathBuf> = directories.unwrap_or_default();
        directories.retain(|path| !path.as_os_str().is_empty());
        Self {
            file: text(environment::CERTIFICATE_FILE).map(PathBuf::from),
            directories,
        }
    }

    /// Returns the reason why a directory contains no usable authority; `None` if all have one.
    pub fn unusable_directory(&self) -> Option<String> {
        self.directories.iter().find_map(|path| {
            let reason = match std::fs::read_dir(path) {
                Err(error) => error.to_string(),
                Ok(_) if !directory_bundle(path).certificates.is_empty() => return None,
                Ok(_) => "it contains no certificate".to_owned(),
            };
            Some(format!(
                "cannot use {}, the directory in ${} ({reason})",
                path.display(),
                environment::CERTIFICATE_DIRECTORY
            ))
        })
    }
}

/// Certificates that can be used, and how many cannot.
#[derive(Default)]
pub(super) struct Bundle {
    certificates: Vec<CertificateDer<'static>>,
    unreadable: usize,
}

impl Bundle {
    /// Creates a bundle of those that are X.509 certificates.
    fn of(certificates: impl IntoIterator<Item = Option<CertificateDer<'static>>>) -> Self {
        let mut bundle = Self::default();
        for certificate in certificates {
            match certificate.filter(|it| webpki::anchor_from_trusted_cert(it).is_ok()) {
                Some(certificate) => bundle.certificates.push(certificate),
                None => bundle.unreadable += 1,
            }
        }
        bundle
    }

    /// Reads the certificates in a text in PEM.
    pub(super) fn of_pem(pem: &[u8]) -> Self {
        Self::of(sections(pem).filter_map(certificate_in))
    }

    /// Returns the certificates for the HTTP client.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        let certificates = self.certificates.iter();
        certificates.filter_map(|der| Certificate::from_der(der).ok())
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    fn add(&mut self, other: Self) {
        self.unreadable += other.unreadable;
        for certificate in other.certificates {
            if !self.certificates.contains(&certificate) {
                self.certificates.push(certificate);
            }
        }
    }
}

/// The authorities that are trusted.
pub(super) struct Trusted {
    /// Those of the system, if they are in files. Otherwise the system checks each certificate
    /// itself, and `further` are added.
    pub(super) system: Option<Bundle>,
    /// Those of the additional file.
    further: Option<Bundle>,
}

impl Trusted {
    /// Reads all authorities. Unreadable ones are skipped.
    ///
    /// # Errors
    /// The additional file cannot be used, or there is no authority at all.
    pub(super) fn read(paths: &CertificatePaths) -> Result<Self, TransportError> {
        let further = paths.file.as_deref().map(further_bundle).transpose()?;
        let (system, exhausted) = match system_bundle(paths) {
            Some((bundle, exhausted)) => (Some(bundle), exhausted),
            None => (None, None),
        };
        let trusted = Self { system, further };
        if trusted.system.is_none() || trusted.certificates().next().is_some() {
            return Ok(trusted);
        }
        if let Some(reason) = exhausted {
            return Err(TransportError::Local(reason));
        }
        Err(match paths.unusable_directory() {
            Some(reason) => TransportError::UntrustedServer {
                reason,
                hint: match paths.directories.iter().find_map(|path| slip_in(path)) {
                    Some(Slip::Quotes) => {
                        "Set SSL_CERT_DIR without the quotes, which are read as a part of the path"
                    }
                    Some(Slip::Unexpanded) => {
                        "Set SSL_CERT_DIR to the whole path, because no shell has expanded it"
                    }
                    None => "Set SSL_CERT_DIR to a directory of certificates (PEM), or unset it",
                },
            },
            None => no_authorities("this machine has no readable certificate authorities".into()),
        })
    }

    /// Returns the certificates for the HTTP client.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        let bundles = self.system.iter().chain(&self.further);
        bundles.flat_map(Bundle::certificates)
    }
}

/// Returns the error for a machine without authorities.
pub(super) fn no_authorities(reason: String) -> TransportError {
    let hint = if READS_FILES {
        "Install the system's CA certificates (package ca-certificates)"
    } else {
        "Check the system's certificates, and $SSL_CERT_FILE if it is set"
    };
    TransportError::UntrustedServer { reason, hint }
}

/// What is wrong with a path in a variable.
enum Slip {
    Quotes,
    Unexpanded,
}

/// Returns what is wrong with the text of a path at which nothing is.
fn slip_in(path: &Path) -> Option<Slip> {
    let text = path.to_string_lossy();
    if path.exists() {
        None
    } else if without_quotes(&text).is_some() {
        Some(Slip::Quotes)
    } else {
        let is_unexpanded = text.starts_with('~') || text.contains(['$', '%']);
        is_unexpanded.then_some(Slip::Unexpanded)
    }
}

fn further_bundle(path: &Path) -> Result<Bundle, TransportError> {
    file_bundle(path).map_err(|error| match exhausted_resource(error.as_ref()) {
        Some(reason) => TransportError::Local(reason),
        None => TransportError::UntrustedServer {
            reason: format!(
                "cannot use {}, the file in ${} ({})",
                path.display(),
                environment::CERTIFICATE_FILE,
                error.root_cause()
            ),
            hint: match slip_in(path) {
                Some(Slip::Quotes) => {
                    "Set SSL_CERT_FILE without the quotes, which are read as a part of the path"
                }
                Some(Slip::Unexpanded) => {
                    "Set SSL_CERT_FILE to the whole path, because no shell has expanded it"
                }
                None => "Set SSL_CERT_FILE to a file of certificates (PEM), or unset it",
            },
        },
    })
}

/// The trusted certificate authorities.
#[derive(Debug)]
pub struct Authorities {
    /// How many of them are in the system's files, if they are in files.
    pub system: Option<usize>,
    /// The additional file, and how many authorities it contains.
    pub further: Option<(PathBuf, usize)>,
    /// How many certificates cannot be read.
    pub unreadable: usize,
}

/// Returns the authorities that [`Https`](super::client::Https) trusts with the same
/// paths, within `limit`.
///
/// # Errors
/// The reason, and a hint: the file cannot be used, or there is no authority at all.
pub fn authorities(
    paths: CertificatePaths,
    limit: Duration,
) -> Result<Authorities, (String, Option<&'static str>)> {
    let found = run_with_timeout(limit, move || {
        let trusted = Trusted::read(&paths)?;
        let bundles = trusted.system.iter().chain(&trusted.further);
        let unreadable = bundles.map(|bundle| bundle.unreadable).sum();
        let count = |bundle: Bundle| bundle.certificates.len();
        Ok(Authorities {
            system: trusted.system.map(count),
            further: paths.file.zip(trusted.further.map(count)),
            unreadable,
        })
    });
    let late = "the trusted certificate authorities cannot be read in time";
    match found {
        None | Some(Err(TransportError::NoAnswer { .. })) => Err((late.to_owned(), None)),
        Some(Ok(authorities)) => Ok(authorities),
        Some(Err(TransportError::UntrustedServer { reason, hint })) => Err((reason, Some(hint))),
        Some(Err(
            TransportError::Local(reason)
            | TransportError::Network(reason)
            | TransportError::TooLarge(reason)
            | TransportError::Unreachable(reason)
            | TransportError::Untrusted(reason),
        )) => Err((reason, None)),
        Some(Err(TransportError::Proxy(refusal))) => Err((refusal.to_string(), None)),
    }
}

/// Whether the system's authorities are in files. macOS and Windows check each certificate
/// themselves.
const READS_FILES: bool = cfg!(all(unix, not(target_os = "macos")));

/// Returns the authorities in the system's files, or in the directories that replace them, and
/// the resource that reading them exhausted.
#[cfg(all(unix, not(target_os = "macos")))]
fn system_bundle(paths: &CertificatePaths) -> Option<(Bundle, Option<String>)> {
    let mut bundle = Bundle::default();
    let mut exhausted = None;
    if !paths.directories.is_empty() {
        let directories = paths.directories.iter();
        directories.for_each(|path| bundle.add(directory_bundle(path)));
    } else if paths.file.is_none() {
        let store = system_store();
        exhausted = store.errors.iter().find_map(|it| exhausted_resource(it));
        bundle = Bundle::of(store.certs.into_iter().map(Some));
        bundle.unreadable += store.errors.len();
    }
    // The library skips the certificate after one that is cut off. With `SSL_CERT_FILE`, it
    // does not read the system's files.
    if paths.file.is_some() || (bundle.unreadable > 0 && paths.directories.is_empty()) {
        let unreadable = bundle.unreadable;
        let mut files = SYSTEM_BUNDLES.iter();
        let file = files.find_map(|path| file_bundle(Path::new(path)).ok());
        bundle.add(file.unwrap_or_default());
        if paths.file.is_none() {
            // The library has counted those of this file.
            bundle.unreadable = unreadable;
        }
    }
    Some((bundle, exhausted))
}

/// Returns the certificates of the system as the library reads them.
#[cfg(all(unix, not(target_os = "macos")))]
fn system_store() -> rustls_native_certs::CertificateResult {
    let store = rustls_native_certs::load_native_certs();
    if !store.errors.iter().any(is_without_path) {
        return store;
    }
    let first = |paths: &[&'static str]| {
        let mut paths = paths.iter().copied().map(Path::new);
        paths.find(|path| path.exists())
    };
    let file = first(&SYSTEM_BUNDLES);
    rustls_native_certs::load_certs_from_paths(file, first(&SYSTEM_DIRECTORIES))
}

/// Returns whether the library has read an empty `SSL_CERT_FILE` as the path of a file, and so
/// none of the system's. For Go, and so for docker and podman, an empty variable is not set
/// (`crypto/x509`, `root_unix.go`).
#[cfg(all(unix, not(target_os = "macos")))]
fn is_without_path(error: &rustls_native_certs::Error) -> bool {
    matches!(&error.kind, rustls_native_certs::ErrorKind::Io { path, .. } if path.as_os_str().is_empty())
}

/// Returns `None`: the system checks certificates itself.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn system_bundle(_paths: &CertificatePaths) -> Option<(Bundle, Option<String>)> {
    None
}

/// Returns the authorities in a directory. Those that cannot be read are counted.
#[cfg(all(unix, not(target_os = "macos")))]
fn directory_bundle(path: &Path) -> Bundle {
    if std::fs::read_dir(path).is_err() {
        // The library would report the directory's error as an unreadable certificate.
        return Bundle::default();
    }
    let store = rustls_native_certs::load_certs_from_paths(None, Some(path));
    let mut bundle = Bundle::of(store.certs.into_iter().map(Some));
    bundle.unreadable += store.errors.len();
    bundle
}

/// Returns an empty bundle: the system checks certificates itself.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn directory_bundle(_path: &Path) -> Bundle {
    Bundle::default()
}

/// Returns the certificates in a PEM file.
///
/// # Errors
/// The file cannot be read, or no certificate in it.
fn file_bundle(path: &Path) -> anyhow::Result<Bundle> {
    let pem = fs::read_bytes(path, MAX_CERTIFICATE_FILE)?;
    let bundle = Bundle::of_pem(&pem);
    match (bundle.certificates.len(), bundle.unreadable) {
        (0, 0) if pem.starts_with(DER_START) => bail!(
            "it is in DER format. Convert it with 'openssl x509 -inform der -in FILE -out FILE.pem'"
        ),
        (0, 0) if pem.starts_with(b"\xff\xfe") || pem.starts_with(b"\xfe\xff") => {
            bail!("it is UTF-16 text")
        }
        (0, 0) => bail!("it contains no certificate"),
        (0, 1) => bail!("its certificate is unreadable"),
        (0, count) => bail!("all {count} certificates in it are unreadable"),
        _ => Ok(bundle),
    }
}

/// Returns the parts of a PEM file, each from the beginning of a section to that of the
/// next one. A section that is cut off, or does not end in a line of its own, so leaves
/// the next one readable.
fn sections(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = pem.windows(SECTION_START.len()).enumerate();
    let mut starts: Vec<usize> = starts
        .filter(|(_, window)| *window == SECTION_START)
        .map(|(start, _)| start)
        .collect();
    starts.push(pem.len());
    let ranges: Vec<(usize, usize)> = starts.windows(2).map(|it| (it[0], it[1])).collect();
    ranges.into_iter().map(|(start, end)| &pem[start..end])
}

/// Returns the certificate of a section: `None` if the section is something else, and
/// `Some(None)` if it cannot be read.
fn certificate_in(section: &[u8]) -> Option<Option<CertificateDer<'static>>> {
    let read = CertificateDer::pem_slice_iter(section).next()?;
    Some(read.ok())
}

#[cfg(test)]
mod tests {
    use icr_emulator::Authority;

    use super::*;

    #[test]
    fn an_unreadable_certificate_leaves_the_others_readable() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::create(directory.path()).unwrap();
        let good = std::fs::read_to_string(authority.certificate_path()).unwrap();
        let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let half = &good[..good.len() / 2];
        let last_line_open = good.trim_end();
        for (text, readable, unreadable) in [
            (good.clone(), 1, 0),
            (format!("# Comment\n{good}{key}{good}"), 2, 0),
            (good.replace('\n', "\r\n"), 1, 0),
            (format!("{damaged}{good}"), 1, 1),
            (format!("{good}{damaged}{good}"), 2, 1),
            (format!("{not_x509}{good}"), 1, 1),
            (format!("{half}\n{good}"), 1, 1),
            (format!("{good}{half}"), 1, 1),
            (format!("{last_line_open}{good}"), 2, 0),
        ] {
            let bundle = Bundle::of(sections(text.as_bytes()).filter_map(certificate_in));
            let counts = (bundle.certificates.len(), bundle.unreadable);
            assert_eq!(counts, (readable, unreadable), "{text}");
        }
    }
}
