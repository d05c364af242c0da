//! Messages that servers send, and some that none would.

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
    let answers = [("_http._tcp.example", 9, RData::SRV(data)), ("_http._tcp.example", 8, RData::SRV(none))];
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
