//! A resolver that behaves like glibc's, for static binaries.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;

use super::families;
use super::families::Family;
use super::hosts_file;
use super::name_servers;
use super::name_servers::LookupError;
use super::resolv_conf::ResolvConf;

/// Returns the addresses of a name.
///
/// # Errors
/// The name is unknown, or the lookup failed.
#[cfg_attr(not(target_env = "musl"), expect(dead_code, reason = "for musl"))]
pub(in super::super) fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let hosts = text("/etc/hosts");
    let host_name = nix::unistd::gethostname().unwrap_or_default();
    let interface = |name: &str| nix::net::if_::if_nametoindex(name).ok();
    let conf = ResolvConf::parse(
        &text("/etc/resolv.conf"),
        &host_name.to_string_lossy(),
        interface,
    );
    lookup(name, &hosts, conf)
}

/// Looks up a name with the texts of the system's files.
fn lookup(name: &str, hosts: &str, conf: ResolvConf) -> io::Result<Vec<IpAddr>> {
    let mut found = hosts_file::addresses_in(hosts, name);
    if found.is_empty() {
        found = match hosts_file::loopback_addresses(name) {
            Some(found) => found,
            None => ask_name_servers(name, conf)?,
        };
    }
    found.sort_by_key(|address| (!has_route(*address), address.is_ipv4()));
    Ok(found)
}

fn ask_name_servers(name: &str, conf: ResolvConf) -> io::Result<Vec<IpAddr>> {
    let mut names = conf.candidates(name);
    let conf = Arc::new(conf);
    let mut reason = None;
    while !names.is_empty() {
        let candidate = names.remove(0);
        let conf = Arc::clone(&conf);
        let errors = match families::both(move |family| match family {
            Family::V6 if conf.no_ipv6 => Err(LookupError::NoAddress),
            family => name_servers::ask(&conf, &candidate, family),
        }) {
            Ok(found) => return Ok(found),
            Err(errors) => errors,
        };
        for error in errors {
            match error {
                LookupError::Local(error) => return Err(error),
                LookupError::NoAnswer(last) => reason = Some(last),
                LookupError::NoAddress => {}
            }
        }
        if reason.is_some() {
            // The servers would fail for the other domains as well, so only the name itself is
            // looked up.
            names.retain(|candidate| candidate == name);
        }
    }
    Err(match reason {
        None => io::Error::new(
            io::ErrorKind::NotFound,
            format!("the name servers know no address of {name}"),
        ),
        Some(reason) => io::Error::other(format!("cannot look up {name}: {reason}")),
    })
}

/// Returns whether there is a way to an address. Connecting a datagram socket sends nothing.
fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0));
    socket.is_ok_and(|socket| socket.connect(SocketAddr::new(address, 443)).is_ok())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use icr_emulator::NameAnswer;
    use icr_emulator::NameServer;

    use super::*;

    const NAME: &str = "iam.cloud.test";

    fn v4() -> Vec<IpAddr> {
        vec!["127.0.0.1".parse().unwrap()]
    }

    fn v6() -> Vec<IpAddr> {
        vec!["::1".parse().unwrap()]
    }

    fn both() -> Vec<IpAddr> {
        [v6(), v4()].concat()
    }

    fn server(answers: impl Fn(&str, &str) -> NameAnswer + Send + Sync + 'static) -> NameServer {
        NameServer::start((Ipv4Addr::LOCALHOST, 0), answers).unwrap()
    }

    fn knowing(addresses: Vec<IpAddr>) -> NameServer {
        server(move |name, _| match name {
            NAME => NameAnswer::Addresses(addresses.clone()),
            _ => NameAnswer::NoSuchName,
        })
    }

    /// Returns what `/etc/resolv.conf` with these lines and servers means.
    fn conf(lines: &str, servers: &[&NameServer]) -> ResolvConf {
        let mut conf = ResolvConf::parse(lines, "host", |_| None);
        conf.servers = servers.iter().map(|server| server.address()).collect();
        conf
    }

    fn found(lines: &str, servers: &[&NameServer]) -> Vec<IpAddr> {
        lookup(NAME, "", conf(lines, servers)).unwrap()
    }

    fn error(lines: &str, servers: &[&NameServer]) -> String {
        lookup(NAME, "", conf(lines, servers))
            .unwrap_err()
            .to_string()
    }

    /// What a server can say about a record that it does not know.
    fn failures() -> Vec<NameAnswer> {
        vec![
            NameAnswer::Addresses(Vec::new()),
            NameAnswer::Garbage,
            NameAnswer::NoSuchName,
            NameAnswer::NotResponsible,
            NameAnswer::Refusal,
            NameAnswer::ServerFailure,
            NameAnswer::Silence,
        ]
    }

    #[test]
    fn addresses_of_one_family_are_enough() {
        for failure in failures() {
            for (known, addresses) in [("A", v4()), ("AAAA", v6())] {
                let (said, expected) = (failure.clone(), addresses.clone());
                let server = server(move |_, record| {
                    if record == known {
                        NameAnswer::Addresses(addresses.clone())
                    } else {
                        said.clone()
                    }
                });
                assert_eq!(found("", &[&server]), expected, "{failure:?}");
            }
        }
    }

    #[test]
    fn the_next_server_is_asked_where_glibc_asks_it() {
        for failure in failures() {
            let is_final = matches!(failure, NameAnswer::NoSuchName | NameAnswer::Addresses(_));
            let said = failure.clone();
            let first = server(move |_, _| said.clone());
            let second = knowing(both());
            let outcome = lookup(NAME, "", conf("", &[&first, &second]));
            if is_final {
                let text = outcome.unwrap_err().to_string();
                assert_eq!(text, "the name servers know no address of iam.cloud.test");
                assert_eq!(second.questions(), [], "{failure:?}");
            } else {
                assert_eq!(outcome.unwrap(), both(), "{failure:?}");
            }
        }
    }

    #[test]
    fn the_first_server_decides_if_a_faster_one_knows_nothing() {
        let second = server(|_, _| NameAnswer::NoSuchName);
        let first = knowing(both());
        assert_eq!(found("", &[&first, &second]), both());
        // The second server's answer does not count while the first may still answer.
        let slow = server(|_, _| {
            wait(LATE);
            NameAnswer::Addresses(both())
        });
        assert!(!found("", &[&slow, &second]).is_empty());
        let silent = server(|_, _| NameAnswer::Silence);
        assert_eq!(
            error("options timeout:1 attempts:1", &[&silent, &second]),
            "the name servers know no address of iam.cloud.test"
        );
    }

    /// A time after which the next server has been asked.
    const LATE: Duration = Duration::from_millis(1300);

    fn wait(time: Duration) {
        let (_sender, never) = std::sync::mpsc::channel::<()>();
        let _ = never.recv_timeout(time);
    }

    #[test]
    fn an_unreachable_server_is_skipped() {
        let missing = server(|_, _| NameAnswer::Silence).address();
        let mut conf = conf("", &[&knowing(both())]);
        conf.servers.insert(0, SocketAddr::new(missing.ip(), 1));
        assert_eq!(lookup(NAME, "", conf).unwrap(), both());
    }

    #[test]
    fn tcp_is_used_for_long_answers_and_if_it_is_chosen() {
        let long = server(|_, _| NameAnswer::OnlyByTcp(both()));
        assert_eq!(found("", &[&long]), both());
        let server = knowing(both());
        assert_eq!(found("options use-vc", &[&server]), both());
        let questions = server.questions();
        assert_eq!(questions.len(), 2);
        assert!(questions.iter().all(|(protocol, ..)| *protocol == "tcp"));
    }

    #[test]
    fn aliases_are_followed_and_forged_answers_are_not_used() {
        let alias = server(|_, _| NameAnswer::Alias("edge.test".into(), both()));
        assert_eq!(found("", &[&alias]), both());
        let loops = server(|_, _| NameAnswer::Alias(NAME.into(), Vec::new()));
        assert!(error("", &[&loops]).contains("know no address"));
        let forged = server(|_, _| NameAnswer::ForgedFirst(both()));
        assert_eq!(found("", &[&forged]), both());
    }

    #[test]
    fn short_names_are_looked_up_in_the_domains() {
        let names = |lines: &str, name: &str| {
            let server = server(|name, _| match name {
                "iam.b.test" => NameAnswer::Addresses(v4()),
                "fails.a.test" => NameAnswer::ServerFailure,
                _ => NameAnswer::NoSuchName,
            });
            let outcome = lookup(name, "", conf(lines, &[&server])).ok();
            let mut names: Vec<String> = Vec::new();
            for (_, _, name) in server.questions() {
                if names.last() != Some(&name) {
                    names.push(name);
                }
            }
            (outcome, names.join(" "))
        };
        let search = "search a.test b.test";
        let (found, asked) = names(search, "iam");
        assert_eq!((found, &*asked), (Some(v4()), "iam.a.test iam.b.test"));
        let (found, asked) = names(search, "iam.b.test");
        assert_eq!((found, &*asked), (Some(v4()), "iam.b.test"));
        let (found, asked) = names(search, "iam.b.test.");
        assert_eq!((found, &*asked), (Some(v4()), "iam.b.test"));
        let (_, asked) = names(search, "x.y");
        assert_eq!(asked, "x.y x.y.a.test x.y.b.test");
        let (_, asked) = names("search a.test\noptions ndots:2", "x.y");
        assert_eq!(asked, "x.y.a.test x.y");
    }

    #[test]
    fn an_unanswered_question_is_repeated_and_the_error_names_the_server() {
        let silent = server(|_, _| NameAnswer::Silence);
        let text = error("options timeout:1 attempts:2", &[&silent]);
        assert_eq!(
            text,
            "cannot look up iam.cloud.test: no answer from the name server 127.0.0.1"
        );
        assert_eq!(silent.questions().len(), 4, "two for each family");
        let refusing = server(|_, _| NameAnswer::Refusal);
        assert!(error("", &[&refusing]).contains("a refusal from the name server"));
    }

    #[test]
    fn options_select_record_types_and_servers() {
        let server = knowing(both());
        assert_eq!(found("options no-aaaa", &[&server]), v4());
        assert_eq!(server.questions().len(), 1);
        let other = knowing(both());
        for _ in 0..64 {
            found("options rotate", &[&server, &other]);
        }
        assert!(
            !other.questions().is_empty(),
            "each server is the first one sometimes"
        );
    }

    #[test]
    fn no_server_is_asked_for_local_names() {
        let server = knowing(both());
        let hosts = "127.0.0.7 iam.cloud.test\n";
        for (name, address) in [(NAME, "127.0.0.7"), ("localhost", "127.0.0.1")] {
            let found = lookup(name, hosts, conf("", &[&server])).unwrap();
            assert!(found.contains(&address.parse().unwrap()), "{found:?}");
        }
        assert_eq!(server.questions(), []);
    }

    #[test]
    fn a_name_that_fits_no_question_is_unknown() {
        let long = "x".repeat(64);
        let server = knowing(both());
        for name in [&*long, &format!("{}test", "a.".repeat(130)), "a..b"] {
            assert!(lookup(name, "", conf("", &[&server])).is_err(), "{name}");
        }
    }
}
