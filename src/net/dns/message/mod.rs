//! DNS messages: a question as bytes, and what a response says to it.
//!
//! Contract: only a response to this very question, with the number of its query, is read; anything else is `None`,
//! however it came. What is read is bounded: [`DNS_RECORDS_MAX`] records, [`ALIASES_MAX`] aliases.

use std::net::IpAddr;

use simple_dns::rdata::{OPT, RData};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, Question as Entry, RCODE, ResourceRecord, TYPE, header_buffer,
};

use crate::net::limits::{ALIASES_MAX, DNS_DATAGRAM_BYTES, DNS_RECORDS_MAX};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The hosts and ports of a service.
    Srv,
}

impl Kind {
    fn code(self) -> TYPE {
        match self {
            Kind::A => TYPE::A,
            Kind::Aaaa => TYPE::AAAA,
            Kind::Srv => TYPE::SRV,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Question {
    /// A whole name, with or without the dot at its end.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What one record says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Record {
    Address(IpAddr),
    Service(ServiceRecord),
}

/// One host of a service (RFC 2782).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ServiceRecord {
    /// The lowest is asked first.
    pub(super) priority: u16,
    /// The share among those of the same priority.
    pub(super) weight: u16,
    pub(super) port: u16,
    /// Its whole name without the dot at the end; empty if there is no such service.
    pub(super) host: String,
}

/// What a server says to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Response {
    /// These, for so many seconds; none if there is no such name, or nothing of this kind.
    Records { records: Vec<Record>, ttl: u32 },
    /// The name stands for this one, for so many seconds, and the server has not looked that up.
    Alias { name: String, ttl: u32 },
    /// There is more than a datagram can hold.
    Truncated,
    /// The server could not or would not say.
    Failed(&'static str),
}

/// Why no query can be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NotAName;

/// The query for `question` with this number. `is_extended`: it says how long a datagram may be (EDNS), which
/// servers of before 1999 do not understand.
pub(super) fn query(question: &Question, id: u16, is_extended: bool) -> Result<Vec<u8>, NotAName> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = name(&question.name)?;
    packet.questions.push(Entry::new(name, question.kind.code().into(), CLASS::IN.into(), false));
    if is_extended {
        let size = OPT { opt_codes: Vec::new(), udp_packet_size: DNS_DATAGRAM_BYTES, version: 0 };
        *packet.opt_mut() = Some(size);
    }
    packet.build_bytes_vec().map_err(|_| NotAName)
}

/// The name as the library has it. It would pass over empty labels.
fn name(text: &str) -> Result<Name<'_>, NotAName> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_whole = text.split('.').all(|label| !label.is_empty());
    if is_whole { Name::new(text).map_err(|_| NotAName) } else { Err(NotAName) }
}

/// What `bytes` say, if they are the response to the query of this number for `question`.
pub(super) fn read(bytes: &[u8], id: u16, question: &Question) -> Option<Response> {
    let has = |flag| header_buffer::has_flags(bytes, flag).unwrap_or(false);
    if header_buffer::id(bytes).ok()? != id || !has(PacketFlag::RESPONSE) {
        return None;
    }
    // Such a message may be cut within a record, so no more of it is read.
    if has(PacketFlag::TRUNCATION) {
        return Some(Response::Truncated);
    }
    // Before the library makes room for as many as the message says it has.
    let counts = [header_buffer::answers, header_buffer::name_servers, header_buffer::additional_records];
    let count: usize = counts.iter().filter_map(|of| of(bytes).ok()).map(usize::from).sum();
    if count > DNS_RECORDS_MAX || header_buffer::questions(bytes).ok()? != 1 {
        return None;
    }
    let packet = Packet::parse(bytes).ok()?;
    let [asked] = packet.questions.as_slice() else { return None };
    let name = name(&question.name).ok()?;
    if asked.qname != name || asked.qtype != question.kind.code().into() || asked.qclass != CLASS::IN.into() {
        return None;
    }
    Some(match packet.rcode() {
        RCODE::NoError => records(&packet, &name, question.kind),
        RCODE::NameError => Response::Records { records: Vec::new(), ttl: 0 },
        RCODE::FormatError => Response::Failed("it does not understand the query (FORMERR)"),
        RCODE::ServerFailure => Response::Failed("it has failed to find out (SERVFAIL)"),
        RCODE::NotImplemented => Response::Failed("it does not know such queries (NOTIMP)"),
        RCODE::Refused => Response::Failed("it refuses the query (REFUSED)"),
        _ => Response::Failed("it responds with an error"),
    })
}

/// The records of `name`, or of the name at the end of its aliases.
fn records(packet: &Packet<'_>, name: &Name<'_>, kind: Kind) -> Response {
    let (mut name, mut ttl) = (name, u32::MAX);
    for aliases in 0..=ALIASES_MAX {
        let of_name = || packet.answers.iter().filter(|one| one.class == CLASS::IN && one.name == *name);
        let wanted = || of_name().filter_map(|one| Some((one, record(one, kind)?)));
        let least = wanted().map(|(one, _)| time_to_live(one)).min();
        if let Some(least) = least {
            let records = wanted().map(|(_, record)| record).collect();
            return Response::Records { records, ttl: ttl.min(least) };
        }
        let alias = of_name().find_map(|one| match &one.rdata {
            RData::CNAME(target) => Some((&target.0, time_to_live(one))),
            _ => None,
        });
        match alias {
            Some((target, alias_ttl)) => (name, ttl) = (target, ttl.min(alias_ttl)),
            // A server that does it for others has followed the alias as far as it leads.
            None if aliases == 0 || packet.has_flags(PacketFlag::RECURSION_AVAILABLE) => {
                return Response::Records { records: Vec::new(), ttl: 0 };
            }
            None => return Response::Alias { name: name.to_string(), ttl },
        }
    }
    Response::Failed("its aliases (CNAME) lead from one to the next without an end")
}

fn record(one: &ResourceRecord<'_>, kind: Kind) -> Option<Record> {
    match (&one.rdata, kind) {
        (RData::A(a), Kind::A) => Some(Record::Address(IpAddr::V4(a.address.into()))),
        (RData::AAAA(aaaa), Kind::Aaaa) => Some(Record::Address(IpAddr::V6(aaaa.address.into()))),
        (RData::SRV(srv), Kind::Srv) => Some(Record::Service(ServiceRecord {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            host: srv.target.to_string(),
        })),
        _ => None,
    }
}

/// Seconds that a record holds. A number with the highest bit set is 0 (RFC 2181 section 8).
fn time_to_live(record: &ResourceRecord<'_>) -> u32 {
    if record.ttl > i32::MAX as u32 { 0 } else { record.ttl }
}

#[cfg(test)]
mod tests;
