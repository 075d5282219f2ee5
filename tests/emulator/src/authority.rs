//! The certificates that clients and the registry trust.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::date_time_ymd;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;

use crate::registry_token::Signer;

/// The name in a certificate [`CertificateKind::ForAnotherHost`].
const ANOTHER_HOST: &str = "login.hotel.example";

/// What is special about a server's certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CertificateKind {
    /// Nothing: the authority issued it for the server, and it is valid.
    #[default]
    Good,
    /// It ended with the year 2019.
    Expired,
    /// It is for `login.hotel.example`.
    ForAnotherHost,
    /// It begins with the year 3000.
    NotYetValid,
    /// No authority issued it.
    SelfSigned,
    /// No authority issued it, and it is one itself: what `openssl req -x509` creates.
    SelfSignedAuthority,
}

/// A temporary certificate authority. Its keys never leave this process, so its certificates are useless after it.
#[derive(Debug)]
pub struct Authority {
    certificate_path: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    signer: Arc<Signer>,
    token_signing_path: PathBuf,
}

impl Authority {
    /// Creates the authority and writes what others need to trust it: `authority.pem` and `token-signing.pem` in `directory`.
    pub fn create(directory: impl AsRef<Path>) -> anyhow::Result<Self> {
        let directory = directory.as_ref();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "icr-emulator throw-away authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = Self {
            certificate_path: directory.join("authority.pem"),
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            signer: Arc::new(Signer::create()?),
            token_signing_path: directory.join("token-signing.pem"),
        };
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create `{}`", directory.display()))?;
        for (path, pem) in [
            (&authority.certificate_path, authority.issuer.pem()),
            (
                &authority.token_signing_path,
                authority.signer.certificate_pem().to_owned(),
            ),
        ] {
            fs::write(path, pem).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(authority)
    }

    /// Returns the path of the authority's certificate, which TLS clients must trust.
    pub fn certificate_path(&self) -> &Path {
        &self.certificate_path
    }

    /// Returns the path of the certificate for registry tokens: docker-registry's `rootcertbundle`.
    pub fn token_signing_path(&self) -> &Path {
        &self.token_signing_path
    }

    /// Signs registry tokens.
    pub(crate) fn signer(&self) -> Arc<Signer> {
        Arc::clone(&self.signer)
    }

    /// Returns the configuration of a TLS server for `hosts` and this machine.
    pub(crate) fn server_config(
        &self,
        hosts: &[String],
        kind: CertificateKind,
    ) -> anyhow::Result<Arc<ServerConfig>> {
        let mut names = hosts.to_vec();
        if kind == CertificateKind::ForAnotherHost {
            names = vec![ANOTHER_HOST.to_owned()];
        } else {
            names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        }
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "icr-emulator");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match kind {
            CertificateKind::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            CertificateKind::NotYetValid => params.not_before = date_time_ymd(3000, 1, 1),
            CertificateKind::SelfSignedAuthority => {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            _ => {}
        }
        let key = KeyPair::generate()?;
        let certificate = match kind {
            CertificateKind::SelfSigned | CertificateKind::SelfSignedAuthority => {
                params.self_signed(&key)?
            }
            _ => params.signed_by(&key, &self.issuer)?,
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        // No provider is installed for the process: the tests' own TLS client chooses its own.
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Arc::new(config))
    }
}
