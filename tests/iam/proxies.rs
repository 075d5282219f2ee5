//! Proxies: which is used, and what is said if it refuses.

use std::sync::Arc;
use std::sync::Mutex;

use super::*;

/// The host of IAM in these tests. Only the proxy knows where it is.
const HOST: &str = "iam.example";

const ENCODED_LOGIN: &str = "Basic cGVyc29uOnBAc3M6d29yZA==";

#[test]
fn requests_use_the_proxy_unless_the_host_is_excluded() {
    let (mut env, cloud) = env_behind_proxy();
    let tunnel = format!("CONNECT {HOST}:443 HTTP/1.1");
    for variable in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        let proxy = FakeProxy::tunnel(cloud.address());
        env.set(variable, &proxy.url);
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
        assert_eq!(proxy.lines(), [&*tunnel], "{variable}");
        env.unset(variable);
    }
    env.settings("deadline = 1\n");
    let proxy = FakeProxy::tunnel(cloud.address());
    for excluded in ["*", HOST, ".example", "*.example", "iam.example:443"] {
        env.set("HTTPS_PROXY", &proxy.url).set("NO_PROXY", excluded);
        env.get("us.icr.io").is_client_error(&[HOST]);
    }
    assert!(proxy.lines().is_empty(), "{:?}", proxy.lines());
    env.set("NO_PROXY", "iam.example:80, am.example, 10.0.0.0/8");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
}

#[test]
fn this_machine_is_asked_without_a_proxy() {
    let (mut env, cloud) = env_with_tls();
    let proxy = FakeProxy::status("502 Bad Gateway");
    env.set("HTTPS_PROXY", &proxy.url);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
    assert_eq!((proxy.lines().len(), cloud.exchanges()), (0, 1));
}

#[test]
fn the_login_of_a_proxy_is_read_as_people_write_it() {
    let (mut env, cloud) = env_behind_proxy();
    let proxy = FakeProxy::tunnel_for(cloud.address(), ENCODED_LOGIN);
    let address = proxy.url.trim_start_matches("http://").to_owned();
    for value in [
        format!("http://person:p%40ss%3Aword@{address}"),
        format!("http://person:p@ss:word@{address}/"),
        format!("person:p@ss:word@{address}"),
        format!(" http://person:p@ss:word@{address}\r"),
        format!("\"http://person:p@ss:word@{address}\""),
    ] {
        env.set("HTTPS_PROXY", &value);
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls", "{value:?}");
    }
    env.set("HTTPS_PROXY", "")
        .set("https_proxy", format!("http://person:p@ss:word@{address}"));
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
}

#[test]
fn a_proxy_that_rejects_its_login_is_asked_once_by_all_processes() {
    let (mut env, cloud) = env_behind_proxy();
    env.add_secret("old-password");
    let proxy = FakeProxy::tunnel_for(cloud.address(), ENCODED_LOGIN);
    let address = proxy.url.trim_start_matches("http://").to_owned();
    env.set(
        "HTTPS_PROXY",
        format!("http://person:old-password@{address}"),
    );
    for host in ["us.icr.io", "de.icr.io", "uk.icr.io"] {
        env.get(host).is_client_error(&[
            &*proxy.url,
            "rejected the user name and password in $HTTPS_PROXY (HTTP 407)",
            "Correct them in $HTTPS_PROXY",
        ]);
    }
    assert_eq!(proxy.lines().len(), 1, "each attempt may lock the account");
    env.set(
        "HTTPS_PROXY",
        format!("http://person:p%40ss%3Aword@{address}"),
    );
    assert_eq!(
        env.get("us.icr.io").is_token_of(),
        "IBMid-tls",
        "another password is tried at once"
    );
}

#[test]
fn a_proxy_that_wants_a_login_or_forbids_a_host_is_named() {
    let (mut env, _cloud) = env_behind_proxy();
    for (status, words) in [
        (
            "407 Proxy Authentication Required",
            &[
                "in $HTTPS_PROXY requires a user name",
                "http://USER:PASSWORD@",
            ][..],
        ),
        (
            "403 Forbidden",
            &[
                "does not permit connections to iam.example (HTTP 403)",
                "its administrator",
            ],
        ),
    ] {
        let proxy = FakeProxy::status(status);
        env.set("HTTPS_PROXY", &proxy.url);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(words);
        outcome.is_client_error(&[&proxy.url]);
        assert!(proxy.lines().len() <= 2, "{:?}", proxy.lines());
    }
    env.settings("deadline = 1\n");
    let proxy = FakeProxy::status("502 Bad Gateway");
    env.set("HTTPS_PROXY", &proxy.url);
    env.get("us.icr.io").is_client_error(&[
        "the proxy cannot connect to iam.example (HTTP 502)",
        &proxy.url,
    ]);
}

#[test]
fn a_variable_that_is_no_proxy_is_named_if_iam_cannot_be_reached() {
    let (mut env, _cloud) = env_behind_proxy();
    env.settings("deadline = 1\n");
    env.set("HTTPS_PROXY", "socks5://127.0.0.1:1");
    env.get("us.icr.io").is_client_error(&[
        HOST,
        "without the proxy in $HTTPS_PROXY: it is a SOCKS proxy",
    ]);
}

#[test]
fn the_proxy_of_the_settings_serves_without_variables() {
    const PASSWORD: &str = "p@ss:word";
    let (mut env, cloud) = env_behind_proxy();
    env.add_secret(PASSWORD);
    let proxy = FakeProxy::tunnel_for(cloud.address(), ENCODED_LOGIN);
    let with_login = proxy.url.replace("//", &format!("//person:{PASSWORD}@"));
    let file = env.settings(&format!("proxy = \"{with_login}\"\ndeadline = 1\n"));
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
    let shown = env.run(&["settings", "--json"], "");
    shown.has(&shown.stdout, &["\"proxy\"", &proxy.url]);
    set_mode(&file, 0o644);
    env.get("us.icr.io").is_client_error(&[
        "line 1",
        "proxy contains a user name or password, and other users can read the file",
        "chmod 600",
    ]);
    set_mode(&file, 0o600);
    let count = proxy.lines().len();
    let other = FakeProxy::tunnel(cloud.address());
    env.set("https_proxy", &other.url);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
    assert_eq!((proxy.lines().len(), other.lines().len()), (count, 1));
    env.unset("https_proxy");
    env.settings(&format!(
        "proxy = \"{}\"\nno-proxy = \"*.example\"\ndeadline = 1\n",
        proxy.url
    ));
    env.get("us.icr.io").is_client_error(&[HOST]);
    env.set("NO_PROXY", "another.example");
    env.get("us.icr.io")
        .is_client_error(&["in the setting 'proxy' requires a user name"]);
    env.settings("proxy = \"socks5://p@ss:word@127.0.0.1:1\"\n");
    env.get("us.icr.io").is_client_error(&[
        "proxy cannot be used: it is a SOCKS proxy",
        "Use http://HOST:PORT",
    ]);
}

/// Returns an environment whose IAM only a proxy finds.
fn env_behind_proxy() -> (TestEnv, Emulator) {
    let (mut env, cloud) = env_with_tls();
    env.set("IBMCLOUD_IAM_API_ENDPOINT", format!("https://{HOST}"));
    (env, cloud)
}

/// A proxy on loopback.
struct FakeProxy {
    url: String,
    lines: Arc<Mutex<Vec<String>>>,
}

/// What a proxy does about a request.
#[derive(Clone, Copy)]
enum Answer {
    /// Answers with this status line, and closes the connection.
    Status(&'static str),
    /// Connects to this address whatever host is asked for, with this header if there is one.
    Tunnel(SocketAddr, Option<&'static str>),
}

impl FakeProxy {
    fn status(status: &'static str) -> Self {
        Self::start(Answer::Status(status))
    }

    fn tunnel(address: SocketAddr) -> Self {
        Self::start(Answer::Tunnel(address, None))
    }

    fn tunnel_for(address: SocketAddr, authorization: &'static str) -> Self {
        Self::start(Answer::Tunnel(address, Some(authorization)))
    }

    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&lines);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || serve(client, answer, &log));
            }
        });
        Self { url, lines }
    }

    /// Returns the first line of each request.
    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }
}

fn serve(mut client: TcpStream, answer: Answer, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().expect("a socket"));
    let mut head: Vec<String> = Vec::new();
    while head.last().is_none_or(|line| !line.is_empty()) {
        let mut line = String::new();
        // A client that gives up sends no more.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        head.push(line.trim_end().to_owned());
    }
    log.lock().expect("no panic").push(head[0].clone());
    let (status, tunnel) = match answer {
        Answer::Status(status) => (status, None),
        Answer::Tunnel(address, needed) => {
            let got = head.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("proxy-authorization")
                    .then_some(value)
            });
            if needed.is_none() || got == needed {
                ("200 Connection established", Some(address))
            } else {
                ("407 Proxy Authentication Required", None)
            }
        }
    };
    let _ = client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes());
    let Some(address) = tunnel else {
        return;
    };
    let mut server = TcpStream::connect(address).expect("a server");
    let mut there = server.try_clone().expect("a socket");
    thread::spawn(move || std::io::copy(&mut reader, &mut there));
    let _ = std::io::copy(&mut server, &mut client);
}
