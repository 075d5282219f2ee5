//! A proxy to the hosts that the emulator serves: with it, clients reach `us.icr.io` here, and name lookup stays as it is.

use std::io;
use std::io::Write as _;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::connection::Connection;
use crate::emulator::Cloud;
use crate::request::Recorded;
use crate::response::Response;

/// The hosts in the certificate, and the TLS server for them.
#[derive(Debug)]
pub(crate) struct Hosts {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) names: Vec<String>,
}

impl Hosts {
    fn include(&self, authority: &str) -> bool {
        let name = authority.strip_suffix(":443");
        name.is_some_and(|name| self.names.iter().any(|host| host == name))
    }
}

/// Answers `CONNECT HOST:443`, and then the request in the tunnel.
pub(crate) fn serve(cloud: &Cloud, request: &Recorded, client: &mut Connection) -> io::Result<()> {
    let hosts = cloud.hosts.as_ref().filter(|hosts| {
        // A tunnel leads to no other one.
        !client.is_secure() && hosts.include(&request.target)
    });
    let Some(hosts) = hosts else {
        let refusal = Response::text(403, "the emulator serves no such host\n");
        return client.write_all(&refusal.to_bytes());
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    client.start_tls(Arc::clone(&hosts.config))?;
    cloud.serve(client)
}

#[cfg(test)]
mod tests {
    use crate::Authority;
    use crate::Emulator;
    use crate::wire;

    #[test]
    fn a_tunnel_leads_to_hosts_of_the_certificate_only() {
        let directory = std::env::temp_dir().join(format!("icr-emulator-{}", crate::random::id()));
        let authority = Authority::create(&directory).expect("a writable directory");
        std::fs::remove_dir_all(&directory).expect("the directory exists");
        let cloud = Emulator::builder()
            .tls(&authority, &["us.icr.io"])
            .listen_plain(([127, 0, 0, 1], 0).into())
            .start()
            .expect("two ports");
        let proxy = cloud.plain_url().expect("an address without TLS");
        let proxy = proxy
            .trim_start_matches("http://")
            .parse()
            .expect("an address");
        for (target, status) in [
            ("us.icr.io:443", "200 Connection established"),
            ("us.icr.io:80", "403 Forbidden"),
            ("us.icr.io", "403 Forbidden"),
            ("de.icr.io:443", "403 Forbidden"),
        ] {
            let answer = wire::start(proxy, &format!("CONNECT {target} HTTP/1.1\r\n\r\n"));
            assert_eq!(answer, format!("HTTP/1.1 {status}"), "{target}");
        }
    }

    #[test]
    fn without_tls_there_is_no_tunnel() {
        let cloud = Emulator::start().expect("a port");
        let answer = wire::start(cloud.address(), "CONNECT us.icr.io:443 HTTP/1.1\r\n\r\n");
        assert_eq!(answer, "HTTP/1.1 403 Forbidden");
    }
}
