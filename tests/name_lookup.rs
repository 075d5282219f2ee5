//! Name servers as people have them, and networks with one working address family. Each test runs in a mount and a network
//! namespace of its own, with name servers on port 53 of its loopback interface.
//!
//! `ICR_STATIC_BINARY` is the path of a static binary that is tried as well (`install/static` builds one).
#![cfg(target_os = "linux")]

#[path = "support/mod.rs"]
mod support;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use icr_emulator::Authority;
use icr_emulator::Emulator;
use icr_emulator::NameAnswer;
use icr_emulator::NameServer;
use icr_emulator::Subject;

use support::ENVIRONMENT_KEY;
use support::TestEnv;

const NAME: &str = "iam.names.test";

/// The name servers: `nameserver` lines can name them, and nothing answers at a fourth.
const SERVERS: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];

/// Addresses that nothing answers for: the packets end in an interface without a reader.
const SILENT_V4: &str = "192.0.2.2";
const SILENT_V6: &str = "2001:db8::2";

#[test]
fn the_program_finds_names_wherever_programs_of_glibc_do() {
    run_in_namespaces("namespaced::names_are_found");
}

#[test]
fn the_working_address_family_is_used() {
    run_in_namespaces("namespaced::one_family_works");
}

/// Runs an ignored test of this file in new namespaces. Without the right to create them, it prints the reason.
fn run_in_namespaces(test: &str) {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--propagation", "private"]);
    if !nix::unistd::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let setup = "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up \
        && mount --bind /etc/resolv.conf /etc/resolv.conf && mount --bind /etc/hosts /etc/hosts";
    let mut probe = Command::new(unshare.get_program());
    probe.args(unshare.get_args()).args(["sh", "-c", setup]);
    let can_run = probe.output().is_ok_and(|output| output.status.success());
    if !can_run {
        support::skipped("it needs network and mount namespaces, ip, and /etc/resolv.conf");
        return;
    }
    unshare
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", test, "--ignored", "--nocapture"]);
    let output = unshare.output().expect("unshare has just run");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}");
}

/// The tests that change their namespaces.
mod namespaced {
    use super::*;

    #[test]
    #[ignore = "it needs namespaces of its own"]
    fn names_are_found() {
        let machine = Machine::new("127.0.0.1");
        let known = || NameAnswer::Addresses(vec![Ipv4Addr::LOCALHOST.into()]);
        let one = "nameserver 127.0.0.1\n";
        for failure in failures() {
            machine.answer(0, {
                let failure = failure.clone();
                move |_, record| {
                    if record == "A" {
                        known()
                    } else {
                        failure.clone()
                    }
                }
            });
            machine.gets_a_token(one, &format!("{failure:?} for AAAA"));
        }
        // One of two servers knows the name.
        let two = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
        machine.answer(0, move |_, _| known());
        machine.answer(1, |_, _| NameAnswer::NoSuchName);
        machine.gets_a_token(two, "the first of two servers knows the name");
        machine.answer(1, move |_, _| known());
        for failure in [
            NameAnswer::Refusal,
            NameAnswer::ServerFailure,
            NameAnswer::Silence,
        ] {
            let said = failure.clone();
            machine.answer(0, move |_, _| said.clone());
            machine.gets_a_token(two, &format!("{failure:?} of the first server"));
        }
        let missing = "nameserver 127.0.0.4\nnameserver 127.0.0.2\n";
        machine.gets_a_token(missing, "nothing listens at the first server");
        machine.answer(0, move |_, _| {
            NameAnswer::OnlyByTcp(vec![Ipv4Addr::LOCALHOST.into()])
        });
        machine.gets_a_token(one, "a long answer");
        machine.gets_a_token(&format!("{one}options use-vc\n"), "TCP only");
        let alias = vec![Ipv4Addr::LOCALHOST.into()];
        machine.answer(0, move |_, _| {
            NameAnswer::Alias("edge.test".into(), alias.clone())
        });
        machine.gets_a_token(one, "an alias");
        machine.answer(0, move |_, _| known());
        machine.gets_a_token("", "an empty file: a server on this machine");
        machine.gets_a_token(
            "nonsense\noptions x:y ndots:\nnameserver x\n",
            "no usable line",
        );
        machine.answer(0, move |name, _| match name {
            "iam.names.test.search.test" => known(),
            _ => NameAnswer::NoSuchName,
        });
        let search = format!("{one}search other.test search.test\noptions ndots:3\n");
        machine.gets_a_token(&search, "a search domain");
        machine.answer(0, |_, _| NameAnswer::NoSuchName);
        machine.fails(one, &["is unreachable", "network"]);
        machine.hosts("127.0.0.1 iam.names.test\n");
        machine.gets_a_token(one, "/etc/hosts");
    }

    #[test]
    #[ignore = "it needs namespaces of its own"]
    fn one_family_works() {
        run("ip link add v0 type veth peer name v1");
        run("ip link set v0 up");
        run("ip link set v1 up");
        run("ip address add 192.0.2.1/24 dev v0");
        run("ip address add 2001:db8::1/64 dev v0 nodad");
        for address in [SILENT_V4, SILENT_V6] {
            run(&format!(
                "ip neighbor replace {address} lladdr 02:00:00:00:00:99 dev v0"
            ));
        }
        for (listening, v4, v6, what) in [
            (
                "127.0.0.1",
                Some("127.0.0.1"),
                Some(SILENT_V6),
                "IPv6 is silent",
            ),
            ("::1", Some(SILENT_V4), Some("::1"), "IPv4 is silent"),
            (
                "127.0.0.1",
                Some("127.0.0.1"),
                Some("2001:db8:1::1"),
                "IPv6 has no route",
            ),
            (
                "::1",
                Some("198.51.100.1"),
                Some("::1"),
                "IPv4 has no route",
            ),
            (
                "127.0.0.1",
                Some("127.0.0.1"),
                Some("::1"),
                "IPv6 is refused",
            ),
            ("::1", Some("127.0.0.1"), Some("::1"), "IPv4 is refused"),
            ("127.0.0.1", Some("127.0.0.1"), None, "IPv4 only"),
            ("::1", None, Some("::1"), "IPv6 only"),
        ] {
            let machine = Machine::new(listening);
            let addresses: Vec<IpAddr> = [v4, v6]
                .into_iter()
                .flatten()
                .map(|address| address.parse().expect("an address"))
                .collect();
            machine.answer(0, move |_, _| NameAnswer::Addresses(addresses.clone()));
            let took = machine.gets_a_token("nameserver 127.0.0.1\n", what);
            assert!(took < Duration::from_secs(3), "{what}: {took:?}");
        }
    }
}

/// What a name server can say about a record that it does not know.
fn failures() -> [NameAnswer; 7] {
    [
        NameAnswer::Addresses(Vec::new()),
        NameAnswer::Garbage,
        NameAnswer::NoSuchName,
        NameAnswer::NotResponsible,
        NameAnswer::Refusal,
        NameAnswer::ServerFailure,
        NameAnswer::Silence,
    ]
}

type Answers = Box<dyn Fn(&str, &str) -> NameAnswer + Send>;

/// IAM with TLS, three name servers, and the files that name them.
struct Machine {
    env: TestEnv,
    _cloud: Emulator,
    answers: Vec<Arc<Mutex<Answers>>>,
}

impl Machine {
    /// Creates a machine whose IAM listens on this address.
    fn new(listening: &str) -> Self {
        run("ip link set lo up");
        let mut env = TestEnv::with_environment_key();
        let authority = Authority::create(env.path("authority")).expect("a directory");
        let address = SocketAddr::new(listening.parse().expect("an address"), 0);
        let builder = Emulator::builder().tls(&authority, &[NAME]);
        let cloud = builder.listen(address).start().expect("a free port");
        cloud
            .accounts()
            .add_api_key(ENVIRONMENT_KEY, Subject::user("names"));
        let port = cloud.address().port();
        env.set("SSL_CERT_FILE", authority.certificate_path());
        env.set(
            "IBMCLOUD_IAM_API_ENDPOINT",
            format!("https://{NAME}:{port}"),
        );
        let machine = Self {
            env,
            _cloud: cloud,
            answers: name_servers(),
        };
        for file in ["resolv.conf", "hosts"] {
            machine.env.file(file, "");
            let path = machine.env.path(file);
            run(&format!("mount --bind {} /etc/{file}", path.display()));
        }
        machine.hosts("");
        machine
    }

    fn answer(&self, server: usize, answers: impl Fn(&str, &str) -> NameAnswer + Send + 'static) {
        *self.answers[server].lock().expect("no panic") = Box::new(answers);
    }

    fn hosts(&self, lines: &str) {
        let text = format!("127.0.0.1 localhost\n{lines}");
        std::fs::write(self.env.path("hosts"), text).expect("a file");
    }

    /// Asserts that each program gets a token, and returns the longest time.
    #[track_caller]
    fn gets_a_token(&self, resolv_conf: &str, what: &str) -> Duration {
        let outcomes = self.run(resolv_conf);
        for (program, outcome) in &outcomes {
            let is_answer = outcome.status == Some(0);
            assert!(is_answer, "{what}: {}: {outcome:?}", program.display());
        }
        outcomes
            .iter()
            .map(|(_, outcome)| outcome.took)
            .max()
            .expect("a program")
    }

    #[track_caller]
    fn fails(&self, resolv_conf: &str, parts: &[&str]) {
        for (_, outcome) in self.run(resolv_conf) {
            outcome.is_client_error(parts);
        }
    }

    fn run(&self, resolv_conf: &str) -> Vec<(PathBuf, support::Outcome)> {
        std::fs::write(self.env.path("resolv.conf"), resolv_conf).expect("a file");
        programs()
            .into_iter()
            .map(|program| {
                self.env.forget_outages();
                let mut command = Command::new(&program);
                command.arg("get");
                self.env.apply_to(&mut command);
                let outcome = self.env.start_as(command, "us.icr.io").finish();
                (program, outcome)
            })
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for file in ["resolv.conf", "hosts"] {
            // A failed test has another message.
            let _ = Command::new("umount").arg(format!("/etc/{file}")).status();
        }
    }
}

/// Returns the answers of the name servers, which are started for the first machine.
fn name_servers() -> Vec<Arc<Mutex<Answers>>> {
    static STARTED: Mutex<Vec<Arc<Mutex<Answers>>>> = Mutex::new(Vec::new());
    let mut started = STARTED.lock().expect("no panic");
    if started.is_empty() {
        for address in SERVERS {
            let nothing: Answers = Box::new(|_, _| NameAnswer::Silence);
            let answers = Arc::new(Mutex::new(nothing));
            let current = Arc::clone(&answers);
            let address: IpAddr = address.parse().expect("an address");
            let answer = move |name: &str, record: &str| {
                let answer = current.lock().expect("no panic");
                answer(name, record)
            };
            NameServer::start((address, 53), answer).expect("port 53 is free in this namespace");
            started.push(answers);
        }
    }
    started.clone()
}

/// Returns the program that was built with these tests, and a static one if there is any.
#[expect(
    clippy::disallowed_methods,
    reason = "this variable is for the tests, not for the program"
)]
fn programs() -> Vec<PathBuf> {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_docker-credential-icr"));
    let further = std::env::var_os("ICR_STATIC_BINARY").map(PathBuf::from);
    [built].into_iter().chain(further).collect()
}

/// Runs a command of words without blanks.
#[track_caller]
fn run(command: &str) {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().expect("a word"));
    let output = command.args(words).output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
