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
mod tests {
    use proptest::prelude::*;
    use simple_dns::rdata::{A, AAAA, CNAME, SRV};

    use super::*;

    fn question(name: &str, kind: Kind) -> Question {
        Question { name: name.to_owned(), kind }
    }

    fn v4(last: u8) -> RData<'static> {
        RData::A(A { address: u32::from_be_bytes([127, 0, 0, last]) })
    }

    fn alias(to: &'static str) -> RData<'static> {
        RData::CNAME(CNAME(Name::new(to).unwrap()))
    }

    /// The response 7 to a question, with these answers.
    fn packet<'a>(of: &'a Question, answers: &[(&'a str, u32, RData<'a>)]) -> Packet<'a> {
        let mut packet = Packet::new_reply(7);
        let entry = Entry::new(name(&of.name).unwrap(), of.kind.code().into(), CLASS::IN.into(), false);
        packet.questions.push(entry);
        let record = |(name, ttl, data): &(&'a str, u32, RData<'a>)| {
            ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, *ttl, data.clone())
        };
        packet.answers.extend(answers.iter().map(record));
        packet
    }

    fn response(of: &Question, answers: &[(&str, u32, RData<'_>)]) -> Response {
        read(&packet(of, answers).build_bytes_vec_compressed().unwrap(), 7, of).unwrap()
    }

    fn addresses(last: &[u8], ttl: u32) -> Response {
        let record = |last: &u8| Record::Address(IpAddr::from([127, 0, 0, *last]));
        Response::Records { records: last.iter().map(record).collect(), ttl }
    }

    #[test]
    fn a_query_asks_one_question_and_says_how_long_a_datagram_may_be() {
        let asked = question("a.example.", Kind::A);
        let bytes = query(&asked, 0x1234, true).unwrap();
        assert_eq!(bytes[..2], [0x12, 0x34]);
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!(parsed.questions[0].qname.to_string(), "a.example");
        assert!(parsed.has_flags(PacketFlag::RECURSION_DESIRED));
        assert_eq!(parsed.opt().unwrap().udp_packet_size, 1232);
        assert!(Packet::parse(&query(&asked, 1, false).unwrap()).unwrap().opt().is_none());
        for bad in ["", ".", "a..example", ".a", &"a".repeat(64), &"a.".repeat(130)] {
            assert_eq!(query(&question(bad, Kind::A), 1, true), Err(NotAName), "{bad:?}");
        }
    }

    #[test]
    fn records_of_the_kind_and_the_name_are_read_with_their_shortest_time() {
        let asked = question("A.example", Kind::A);
        let answers = [
            ("a.example", 60, v4(1)),
            ("a.EXAMPLE", 20, v4(2)),
            ("b.example", 5, v4(3)),
            ("a.example", 1, RData::AAAA(AAAA { address: 1 })),
        ];
        assert_eq!(response(&asked, &answers), addresses(&[1, 2], 20));
        let asked = question("a.example", Kind::Aaaa);
        let expected = vec![Record::Address("::1".parse().unwrap())];
        assert_eq!(response(&asked, &answers), Response::Records { records: expected, ttl: 1 });
        assert_eq!(response(&question("c.example", Kind::A), &answers), addresses(&[], 0));
        let asked = question("a.example", Kind::A);
        assert_eq!(response(&asked, &[("a.example", 1 << 31, v4(1))]), addresses(&[1], 0));
    }

    #[test]
    fn services_are_read() {
        let asked = question("_http._tcp.example", Kind::Srv);
        let data = SRV { priority: 1, weight: 2, port: 3, target: Name::new("a.example").unwrap() };
        let none = SRV { target: Name::new(".").unwrap(), ..data.clone() };
        let answers =
            [("_http._tcp.example", 9, RData::SRV(data)), ("_http._tcp.example", 8, RData::SRV(none))];
        let record = |host: &str| {
            Record::Service(ServiceRecord { priority: 1, weight: 2, port: 3, host: host.to_owned() })
        };
        let records = vec![record("a.example"), record("")];
        assert_eq!(response(&asked, &answers), Response::Records { records, ttl: 8 });
    }

    #[test]
    fn aliases_are_followed_to_a_bound() {
        let asked = question("a.example", Kind::A);
        let chain = [
            ("b.example", 30, alias("c.example")),
            ("c.example", 40, v4(1)),
            ("a.example", 50, alias("B.example")),
        ];
        assert_eq!(response(&asked, &chain), addresses(&[1], 30));
        let circle = [("a.example", 9, alias("b.example")), ("b.example", 9, alias("a.example"))];
        assert!(matches!(response(&asked, &circle), Response::Failed(words) if words.contains("CNAME")));
        // Whether the end was looked up, only a server that does so knows.
        let open = [("a.example", 9, alias("b.example"))];
        let elsewhere = Response::Alias { name: "b.example".to_owned(), ttl: 9 };
        assert_eq!(response(&asked, &open), elsewhere);
        let mut packet = packet(&asked, &open);
        packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
        assert_eq!(read(&packet.build_bytes_vec().unwrap(), 7, &asked), Some(addresses(&[], 0)));
    }

    #[test]
    fn only_the_response_to_this_query_is_read() {
        let asked = question("a.example", Kind::A);
        let answers = [("a.example", 60, v4(1))];
        let good = packet(&asked, &answers).build_bytes_vec().unwrap();
        assert_eq!(read(&good, 7, &asked), Some(addresses(&[1], 60)));
        assert_eq!(read(&good, 8, &asked), None, "another number");
        assert_eq!(read(&good, 7, &question("b.example", Kind::A)), None, "another name");
        assert_eq!(read(&good, 7, &question("a.example", Kind::Srv)), None, "another kind");
        assert_eq!(read(&query(&asked, 7, true).unwrap(), 7, &asked), None, "a query");
        for length in 0..good.len() {
            assert_eq!(read(&good[..length], 7, &asked), None, "cut off behind {length} bytes");
        }
        let mut many = good.clone();
        many[6..12].copy_from_slice(&[0xff; 6]);
        assert_eq!(read(&many, 7, &asked), None, "more records than there can be");
        let mut two = packet(&asked, &answers);
        two.questions.push(two.questions[0].clone());
        assert_eq!(read(&two.build_bytes_vec().unwrap(), 7, &asked), None, "two questions");
    }

    #[test]
    fn a_server_that_cannot_say_is_told_from_one_that_knows_of_none() {
        let asked = question("a.example", Kind::A);
        let with = |code| {
            let mut packet = packet(&asked, &[]);
            *packet.rcode_mut() = code;
            read(&packet.build_bytes_vec().unwrap(), 7, &asked).unwrap()
        };
        assert_eq!(with(RCODE::NameError), addresses(&[], 0));
        assert_eq!(with(RCODE::NoError), addresses(&[], 0));
        for (code, word) in [(RCODE::ServerFailure, "SERVFAIL"), (RCODE::Refused, "REFUSED")] {
            assert!(matches!(with(code), Response::Failed(words) if words.contains(word)));
        }
        let mut cut = packet(&asked, &[]);
        cut.set_flags(PacketFlag::TRUNCATION);
        let mut cut = cut.build_bytes_vec().unwrap();
        cut.extend([0xc0, 0x0c, 0]);
        assert_eq!(read(&cut, 7, &asked), Some(Response::Truncated));
    }

    #[test]
    fn a_name_that_points_at_itself_is_no_name() {
        let asked = question("a.example", Kind::A);
        let mut bytes = packet(&asked, &[("a.example", 60, v4(1))]).build_bytes_vec().unwrap();
        let name = query(&asked, 7, false).unwrap().len();
        // In place of the record's name: a pointer to itself.
        bytes.truncate(name);
        bytes.extend([0xc0, u8::try_from(name).unwrap(), 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
        assert_eq!(read(&bytes, 7, &asked), None);
    }

    proptest! {
        #[test]
        fn no_message_is_too_strange(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), few: bool) {
            if let (true, Some(counts)) = (few, bytes.get_mut(4..12)) {
                counts.copy_from_slice(&[0, 1, 0, 3, 0, 1, 0, 1]);
            }
            let id = header_buffer::id(&bytes).unwrap_or(0);
            read(&bytes, id, &question("a.example", Kind::A));
        }

        #[test]
        fn no_change_of_a_message_is_too_strange(
            place in 0_usize..200, byte: u8, length in 0_usize..200,
        ) {
            let asked = question("a.example", Kind::A);
            let answers = [("a.example", 9, alias("b.example")), ("b.example", 9, v4(1))];
            let mut bytes = packet(&asked, &answers).build_bytes_vec_compressed().unwrap();
            bytes.truncate(length);
            if let Some(changed) = bytes.get_mut(place) {
                *changed = byte;
            }
            read(&bytes, 7, &asked);
        }
    }
}
