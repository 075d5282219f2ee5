//! A name server that answers as a test says.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use simple_dns::CLASS;
use simple_dns::Name;
use simple_dns::Packet;
use simple_dns::PacketFlag;
use simple_dns::RCODE;
use simple_dns::ResourceRecord;
use simple_dns::TYPE;
use simple_dns::rdata::CNAME;
use simple_dns::rdata::RData;

use crate::emulator::UNPOISONED;

/// How long clients may keep an answer, in seconds.
const LIFETIME: u32 = 60;

/// What a name server says to one question.
#[derive(Clone, Debug)]
pub enum NameAnswer {
    /// These addresses, of which those of the asked family are sent.
    Addresses(Vec<IpAddr>),
    /// The name is another one for this, which has the addresses.
    Alias(String, Vec<IpAddr>),
    /// Bytes that are no answer, with the question's ID.
    Garbage,
    /// An answer to another question first, then these addresses.
    ForgedFirst(Vec<IpAddr>),
    /// No such name.
    NoSuchName,
    /// Neither addresses nor knowledge.
    NotResponsible,
    /// These addresses, but only by TCP.
    OnlyByTcp(Vec<IpAddr>),
    /// A refusal.
    Refusal,
    /// A failure of the server.
    ServerFailure,
    /// Nothing at all.
    Silence,
}

/// A question that was received: the protocol (`udp`, `tcp`), the record (`A`, `AAAA`) and
/// the name.
pub type NameQuestion = (&'static str, &'static str, String);

type Answers = dyn Fn(&str, &str) -> NameAnswer + Send + Sync;

/// A name server on one address, with UDP and TCP. It serves until the process ends.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    questions: Arc<Mutex<Vec<NameQuestion>>>,
}

impl NameServer {
    /// Starts a server. `answers` gets the name and the record (`A` or `AAAA`).
    pub fn start(
        address: impl Into<SocketAddr>,
        answers: impl Fn(&str, &str) -> NameAnswer + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let (socket, listener) = bind(address.into())?;
        let server = Self {
            address: socket.local_addr()?,
            questions: Arc::default(),
        };
        let answers: Arc<Answers> = Arc::new(answers);
        let (of_udp, questions) = (Arc::clone(&answers), Arc::clone(&server.questions));
        thread::spawn(move || serve_udp(&socket, &*of_udp, &questions));
        let questions = Arc::clone(&server.questions);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, questions) = (Arc::clone(&answers), Arc::clone(&questions));
                // It ends with an error when the client hangs up.
                thread::spawn(move || drop(serve_tcp(stream, &*answers, &questions)));
            }
        });
        Ok(server)
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the questions that it has received.
    pub fn questions(&self) -> Vec<NameQuestion> {
        self.questions.lock().expect(UNPOISONED).clone()
    }
}

/// Binds the same port for UDP and TCP. A free one of UDP may be used for TCP.
fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    loop {
        let socket = UdpSocket::bind(address)?;
        match TcpListener::bind(socket.local_addr()?) {
            Err(_) if address.port() == 0 => {}
            listener => return Ok((socket, listener?)),
        }
    }
}

fn serve_udp(socket: &UdpSocket, answers: &Answers, questions: &Mutex<Vec<NameQuestion>>) {
    let mut datagram = [0; 512];
    while let Ok((length, client)) = socket.recv_from(&mut datagram) {
        for message in messages(&datagram[..length], "udp", answers, questions) {
            // A client that has gone is no error.
            let _ = socket.send_to(&message, client);
        }
    }
}

fn serve_tcp(
    mut stream: TcpStream,
    answers: &Answers,
    questions: &Mutex<Vec<NameQuestion>>,
) -> io::Result<()> {
    // glibc sends the questions for both families on one connection.
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message)?;
        for message in messages(&message, "tcp", answers, questions) {
            let length = u16::try_from(message.len()).map_err(io::Error::other)?;
            stream.write_all(&length.to_be_bytes())?;
            stream.write_all(&message)?;
        }
    }
}

/// Returns the messages that answer a question.
fn messages(
    message: &[u8],
    protocol: &'static str,
    answers: &Answers,
    questions: &Mutex<Vec<NameQuestion>>,
) -> Vec<Vec<u8>> {
    let Ok(packet) = Packet::parse(message) else {
        return Vec::new();
    };
    let Some(question) = packet.questions.first().cloned() else {
        return Vec::new();
    };
    let name = question.qname.to_string();
    let record = if question.qtype == TYPE::A.into() {
        "A"
    } else {
        "AAAA"
    };
    let asked = (protocol, record, name.clone());
    questions.lock().expect(UNPOISONED).push(asked);
    let mut reply = Packet::new_reply(packet.id());
    reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
    reply.questions.push(question);
    let mut forged = None;
    match answers(&name, record) {
        NameAnswer::Addresses(addresses) => add(&mut reply, &name, record, &addresses),
        NameAnswer::Alias(target, addresses) => {
            let alias = Name::new(&target).expect("a name").into_owned();
            let owner = Name::new(&name).expect("a name").into_owned();
            let alias = RData::CNAME(CNAME(alias));
            let alias = ResourceRecord::new(owner, CLASS::IN, LIFETIME, alias);
            reply.answers.push(alias);
            add(&mut reply, &target, record, &addresses);
        }
        NameAnswer::ForgedFirst(addresses) => {
            let mut other = Packet::new_reply(packet.id().wrapping_add(1));
            other.questions.push(reply.questions[0].clone());
            add(
                &mut other,
                &name,
                record,
                &["192.0.2.66".parse().expect("an address")],
            );
            forged = other.build_bytes_vec().ok();
            add(&mut reply, &name, record, &addresses);
        }
        NameAnswer::Garbage => {
            return vec![[&packet.id().to_be_bytes(), &[0xff_u8; 30][..]].concat()];
        }
        NameAnswer::NoSuchName => *reply.rcode_mut() = RCODE::NameError,
        NameAnswer::NotResponsible => reply.remove_flags(PacketFlag::RECURSION_AVAILABLE),
        NameAnswer::OnlyByTcp(addresses) if protocol == "tcp" => {
            add(&mut reply, &name, record, &addresses);
        }
        NameAnswer::OnlyByTcp(_) => reply.set_flags(PacketFlag::TRUNCATION),
        NameAnswer::Refusal => *reply.rcode_mut() = RCODE::Refused,
        NameAnswer::ServerFailure => *reply.rcode_mut() = RCODE::ServerFailure,
        NameAnswer::Silence => return Vec::new(),
    }
    let reply = reply.build_bytes_vec().expect("a short answer");
    forged.into_iter().chain([reply]).collect()
}

/// Adds the addresses of the asked family.
fn add(reply: &mut Packet<'_>, name: &str, record: &str, addresses: &[IpAddr]) {
    for address in addresses {
        let data = match (address, record) {
            (IpAddr::V4(address), "A") => RData::A((*address).into()),
            (IpAddr::V6(address), "AAAA") => RData::AAAA((*address).into()),
            _ => continue,
        };
        let owner = Name::new(name).expect("a name").into_owned();
        let record = ResourceRecord::new(owner, CLASS::IN, LIFETIME, data);
        reply.answers.push(record);
    }
}
