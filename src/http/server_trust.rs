//! Clients for one server with an authority of its own ([`ServerTrust`]).

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::Identity;
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::blocking::ClientBuilder;
use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

use super::certificates::Bundle;
use super::certificates::CertificatePaths;
use super::client;
use super::exhaustion::root_cause;
use super::name_lookup::NameLookup;
use super::transport::Request;
use super::transport::ServerTrust;
use super::transport::TransportError;

/// Builds a client for the server at `host`.
pub(super) fn build(
    trust: &ServerTrust,
    host: &str,
    certificate_paths: &CertificatePaths,
    builder: ClientBuilder,
) -> Result<Client, TransportError> {
    let mut builder = builder;
    if let Some(identity) = &trust.identity {
        let identity = Identity::from_pem(identity.expose().as_bytes())
            .map_err(|_| unusable("the client certificate or its key is invalid"))?;
        builder = builder.identity(identity);
    }
    if trust.server_name.is_some() {
        builder = builder.dns_resolver(Arc::new(Alias::of(host)));
    }
    if trust.accepts_any_certificate {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else {
        let Some(pem) = &trust.authorities else {
            return client::build(certificate_paths, builder);
        };
        let bundle = Bundle::of_pem(pem);
        if bundle.certificates().next().is_none() {
            return Err(unusable("the certificate authority is no certificate"));
        }
        builder = builder.tls_certs_only(bundle.certificates());
    }
    // The message of a client identity that does not fit has nothing of the key.
    let built = builder.build();
    built.map_err(|error| unusable(&format!("TLS cannot be set up: {}", root_cause(&error))))
}

fn unusable(reason: &str) -> TransportError {
    TransportError::UntrustedServer {
        reason: reason.to_owned(),
        hint: "Check the certificates and the key",
    }
}

/// Returns the URL of a request, and the `Host` header if it is not that of the URL: TLS verifies
/// the name in the URL.
pub(super) fn address(request: &Request) -> (Cow<'_, str>, Option<String>) {
    let with_name = || {
        let name = request.trust.as_ref()?.server_name.as_deref()?;
        let mut url = Url::parse(&request.url).ok()?;
        let host = url.host_str()?.to_owned();
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        url.set_host(Some(name)).ok()?;
        Some((String::from(url), host))
    };
    match with_name() {
        Some((url, host)) => (Cow::Owned(url), Some(host)),
        None => (Cow::Borrowed(&request.url), None),
    }
}

/// Looks up one host, whatever name is asked for.
struct Alias {
    host: String,
    lookup: NameLookup,
}

impl Alias {
    fn of(host: &str) -> Self {
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            lookup: NameLookup::default(),
        }
    }
}

impl Resolve for Alias {
    fn resolve(&self, name: Name) -> Resolving {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            let found = std::iter::once(SocketAddr::new(address, 0));
            return Box::pin(std::future::ready(Ok(Box::new(found) as Addrs)));
        }
        self.lookup.resolve(self.host.parse().unwrap_or(name))
    }
}
