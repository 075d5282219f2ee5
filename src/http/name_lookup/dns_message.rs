//! Questions to name servers, and their answers (RFC 1035).

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use simple_dns::CLASS;
use simple_dns::Name;
use simple_dns::Packet;
use simple_dns::PacketFlag;
use simple_dns::Question;
use simple_dns::RCODE;
use simple_dns::TYPE;
use simple_dns::rdata::RData;

use super::families::Family;

/// The length of a message's header, in bytes.
const HEADER: usize = 12;

/// The position and the bit of "truncated".
const TRUNCATED: (usize, u8) = (2, 0b10);

/// How many aliases lead to an address at most.
const MAX_ALIASES: usize = 16;

/// A question for the addresses of a name.
pub(super) struct AddressQuestion {
    id: u16,
    name: String,
    family: Family,
    /// The message.
    pub(super) bytes: Vec<u8>,
}

/// The answer of a name server.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// The addresses.
    Addresses(Vec<IpAddr>),
    /// The name has no address of this family, or does not exist.
    None,
    /// The answer is longer than a datagram.
    Truncated,
    /// The server failed, for this reason. Another server may have an answer.
    Failed(String),
}

impl AddressQuestion {
    /// Creates a question; `None` if `name` is too long for one.
    pub(super) fn new(id: u16, name: &str, family: Family) -> Option<Self> {
        let record = match family {
            Family::V4 => TYPE::A,
            Family::V6 => TYPE::AAAA,
        };
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let question = Question::new(
            Name::new(name).ok()?,
            record.into(),
            CLASS::IN.into(),
            false,
        );
        packet.questions.push(question);
        Some(Self {
            id,
            name: name.to_owned(),
            family,
            bytes: packet.build_bytes_vec().ok()?,
        })
    }

    /// Reads a message; `None` if it answers another question.
    ///
    /// The codes for which glibc asks the next server, and its sign of a server that is not
    /// responsible, are in `send_dg` of `resolv/res_send.c`.
    pub(super) fn read(&self, message: &[u8]) -> Option<Answer> {
        if message.len() < HEADER {
            return Some(Answer::Failed("a broken answer".into()));
        }
        if message[..2] != self.id.to_be_bytes() {
            return None;
        }
        if message[TRUNCATED.0] & TRUNCATED.1 != 0 {
            return Some(Answer::Truncated);
        }
        let Ok(packet) = Packet::parse(message) else {
            return Some(Answer::Failed("a broken answer".into()));
        };
        if !packet.has_flags(PacketFlag::RESPONSE) {
            return None;
        }
        let is_asked = |question: &Question<'_>| self.is_asked(question);
        match packet.rcode() {
            RCODE::NoError | RCODE::NameError if !packet.questions.iter().any(is_asked) => None,
            RCODE::NoError => Some(self.addresses(&packet)),
            RCODE::NameError => Some(Answer::None),
            RCODE::Refused => Some(Answer::Failed("a refusal".into())),
            _ => Some(Answer::Failed("an error".into())),
        }
    }

    fn is_asked(&self, question: &Question<'_>) -> bool {
        let record = match self.family {
            Family::V4 => TYPE::A,
            Family::V6 => TYPE::AAAA,
        };
        question.qtype == record.into()
            && Name::new(&self.name).is_ok_and(|name| question.qname == name)
    }

    /// Returns the addresses at the end of the name's aliases.
    fn addresses(&self, packet: &Packet<'_>) -> Answer {
        let knows_nothing = packet.answers.is_empty()
            && packet.additional_records.is_empty()
            && !packet.has_flags(PacketFlag::AUTHORITATIVE_ANSWER)
            && !packet.has_flags(PacketFlag::RECURSION_AVAILABLE);
        if knows_nothing {
            return Answer::Failed("no answer of its own".into());
        }
        let Ok(mut name) = Name::new(&self.name) else {
            return Answer::None;
        };
        for _ in 0..=MAX_ALIASES {
            let records = packet.answers.iter().filter(|record| record.name == name);
            let addresses: Vec<IpAddr> = records
                .clone()
                .filter_map(|record| self.address(&record.rdata))
                .collect();
            if !addresses.is_empty() {
                return Answer::Addresses(addresses);
            }
            let mut aliases = records.filter_map(|record| match &record.rdata {
                RData::CNAME(alias) => Some(alias.0.clone()),
                _ => None,
            });
            let Some(alias) = aliases.next() else {
                return Answer::None;
            };
            name = alias;
        }
        Answer::None
    }

    fn address(&self, data: &RData<'_>) -> Option<IpAddr> {
        match (data, self.family) {
            (RData::A(it), Family::V4) => Some(Ipv4Addr::from(it.address).into()),
            (RData::AAAA(it), Family::V6) => Some(Ipv6Addr::from(it.address).into()),
            _ => None,
        }
    }
}
