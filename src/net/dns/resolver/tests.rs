//! Look-ups whose servers are functions.

use std::cell::RefCell;

use super::*;

type Said = Result<Response, Fault>;

fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 53))
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

fn records(last: &[u8], ttl: u32) -> Said {
    let records = last.iter().map(|last| Record::Address(address(*last).ip())).collect();
    Ok(Response::Records { records, ttl })
}

fn nothing() -> Said {
    records(&[], 0)
}

/// What `look` gives with servers that respond by `say`; and the queries that it took, such as `1 a.example A`.
fn with<T>(
    servers: Servers,
    say: impl Fn(SocketAddr, &Question) -> Said,
    look: impl FnOnce(&LookUp<'_>) -> T,
) -> (T, Vec<String>) {
    let queries = RefCell::new(Vec::new());
    let ask = |server: SocketAddr, question: &Question, manner: Manner, _: Instant| {
        let SocketAddr::V4(at) = server else { unreachable!() };
        let plain = if manner.is_extended { "" } else { " plain" };
        let line = format!("{} {} {:?}{plain}", at.ip().octets()[3], question.name, question.kind);
        queries.borrow_mut().push(line);
        say(server, question)
    };
    let deadline = Instant::now() + LOOK_UP_TIMEOUT;
    let result = look(&LookUp { servers, is_named: true, turn: 1, deadline, ask: &ask });
    (result, queries.into_inner())
}

fn named(count: u8) -> Servers {
    Servers::named(&(1..=count).map(server).collect::<Vec<_>>())
}

#[test]
fn a_name_has_the_addresses_of_both_families_for_the_shorter_time() {
    let say = |_: SocketAddr, question: &Question| match question.kind {
        Kind::A => records(&[1, 2], 60),
        _ => Ok(Response::Records { records: vec![Record::Address("::1".parse().unwrap())], ttl: 20 }),
    };
    let (found, queries) = with(named(1), say, |look_up| look_up.host("a.example", 80));
    let all = vec![address(1), address(2), "[::1]:80".parse().unwrap()];
    assert_eq!(found, Ok(Found { all, ttl: Some(Duration::from_secs(20)) }));
    assert_eq!(queries, ["1 a.example A", "1 a.example Aaaa"]);
    // A family without addresses has no time either.
    let say = |_: SocketAddr, question: &Question| match question.kind {
        Kind::A => records(&[1], 60),
        _ => nothing(),
    };
    let (found, _) = with(named(1), say, |look_up| look_up.host("a.example", 80));
    assert_eq!(found.unwrap().ttl, Some(Duration::from_secs(60)));
}

#[test]
fn half_of_the_addresses_is_a_failure() {
    let say = |_: SocketAddr, question: &Question| match question.kind {
        Kind::A => records(&[1], 60),
        _ => Err(Fault::Silent),
    };
    let (found, queries) = with(named(1), say, |look_up| look_up.host("a.example", 80));
    assert_eq!(found, Err(LookUpError::Silent("name server 192.0.2.1:53 does not respond".to_owned())));
    assert_eq!(queries, ["1 a.example A", "1 a.example Aaaa", "1 a.example Aaaa plain"]);
    let skipping = Servers { skips_ipv6: true, ..named(1) };
    let (found, _) = with(skipping, say, |look_up| look_up.host("a.example", 80));
    assert_eq!(found.unwrap().all, [address(1)]);
}

#[test]
fn the_next_server_is_asked_when_one_cannot_say() {
    let say = |at: SocketAddr, question: &Question| match (at == server(3), question.kind) {
        (true, Kind::A) => records(&[1], 60),
        (true, _) => nothing(),
        _ if at == server(1) => Err(Fault::Silent),
        _ => Ok(Response::Failed("SERVFAIL")),
    };
    let (found, queries) = with(named(3), say, |look_up| look_up.host("a.example", 80));
    assert_eq!(found.unwrap().all, [address(1)]);
    assert_eq!(queries[..3], ["1 a.example A", "2 a.example A", "3 a.example A"]);
    let rotating = Servers { rotates: true, ..named(3) };
    let (_, queries) = with(rotating, say, |look_up| look_up.host("a.example", 80));
    assert_eq!(queries[..2], ["2 a.example A", "3 a.example A"]);
    // What one of them says tells more than that another is silent.
    let (found, queries) = with(named(2), say, |look_up| look_up.host("a.example", 80));
    assert_eq!(found, Err(LookUpError::Failed("name server 192.0.2.2:53: SERVFAIL".to_owned())));
    let tries = ["1 a.example A", "2 a.example A", "1 a.example A plain", "2 a.example A plain"];
    assert_eq!(queries, tries);
}

#[test]
fn a_server_that_knows_of_none_is_believed() {
    let (found, queries) = with(named(2), |_, _| nothing(), |look_up| look_up.host("a.example", 80));
    assert_eq!(found, Err(NO_ADDRESS));
    assert_eq!(queries, ["1 a.example A", "1 a.example Aaaa"]);
    let (found, queries) = with(named(2), |_, _| nothing(), |look_up| look_up.service("a.example"));
    assert_eq!((found.unwrap_err(), queries.len()), (NO_SERVICE, 1));
    let (found, queries) = with(named(2), |_, _| nothing(), |look_up| look_up.host("a.invalid", 80));
    assert_eq!((found.unwrap_err(), queries.len()), (NO_ADDRESS, 0));
}

#[test]
fn a_server_that_fails_for_one_domain_may_know_the_next() {
    let ask = |name: &'static str, say: fn(&str) -> Said| {
        let search = ["a.example", "b.example"].map(str::to_owned).to_vec();
        let servers = Servers { skips_ipv6: true, search, dots: 1, ..named(1) };
        with(servers, move |_, question| say(&question.name), |look_up| look_up.host(name, 80))
    };
    let (found, queries) = ask("web", |name| match name {
        "web.a.example" => Ok(Response::Failed("SERVFAIL")),
        "web.b.example" => records(&[1], 9),
        _ => nothing(),
    });
    assert_eq!(found.unwrap().all, [address(1)]);
    assert_eq!(queries, ["1 web.a.example A", "1 web.a.example A plain", "1 web.b.example A"]);
    let (found, _) = ask("web", |name| match name {
        "web.a.example" => Ok(Response::Failed("SERVFAIL")),
        _ => nothing(),
    });
    assert!(matches!(found, Err(LookUpError::Failed(_))), "who knows whether there is none: {found:?}");
    let (_, queries) = ask("web", |_| Err(Fault::Silent));
    assert_eq!(queries.len(), 2, "one that is silent is silent for all: {queries:?}");
}

#[test]
fn aliases_that_the_server_has_not_followed_are_followed_to_a_bound() {
    let say = |_: SocketAddr, question: &Question| match question.name.as_str() {
        "a.example" => Ok(Response::Alias { name: "b.example".to_owned(), ttl: 5 }),
        _ => records(&[1], 60),
    };
    let servers = || Servers { skips_ipv6: true, ..named(1) };
    let (found, queries) = with(servers(), say, |look_up| look_up.host("a.example", 80));
    assert_eq!(found, Ok(Found { all: vec![address(1)], ttl: Some(Duration::from_secs(5)) }));
    assert_eq!(queries, ["1 a.example A", "1 b.example A"]);
    let round = |_: SocketAddr, _: &Question| Ok(Response::Alias { name: "a.example".to_owned(), ttl: 5 });
    let (found, queries) = with(servers(), round, |look_up| look_up.host("a.example", 80));
    assert!(matches!(found, Err(LookUpError::Failed(_))), "{found:?}");
    assert_eq!(queries.len(), ALIASES_MAX + 1);
}

#[test]
fn localhost_is_no_business_of_name_servers() {
    let (found, queries) = with(named(1), |_, _| nothing(), |look_up| look_up.host("localhost", 80));
    let Found { all, ttl } = found.unwrap();
    assert!(all.iter().all(|address| address.ip().is_loopback()) && ttl.is_none());
    assert!(queries.is_empty());
}

#[test]
fn a_service_needs_a_name_server() {
    let (found, _) = with(named(0), |_, _| nothing(), |look_up| look_up.service("_http._tcp.example"));
    assert!(found.unwrap_err().to_string().contains("--resolver"));
}

#[test]
fn a_name_has_a_bound_of_addresses_and_each_counts_once() {
    let target: Target = "a.example:80".parse().unwrap();
    let at = |number: u16| target.member(SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 80)));
    let mut members: Vec<Member> = (0..3000).rev().chain(0..3000).map(at).collect();
    keep_to_bound(&mut members);
    assert_eq!(members, (0..1024).map(at).collect::<Vec<_>>());
    let mut few = vec![at(2), at(1), at(2)];
    keep_to_bound(&mut few);
    assert_eq!(few, [at(2), at(1)], "few stay in their order");
}
