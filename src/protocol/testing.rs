//! What the tests of the machines share: a time that a test sets itself, and streams cut into pieces.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::protocol::context::RoleContext;
use crate::protocol::event::{Connection, Event, Observer};
use crate::protocol::guard::Guards;
use crate::protocol::guard::basic_auth::{BasicAuth, Htpasswd};
use crate::protocol::http::head::FieldSpace;
use crate::protocol::now::Now;
use crate::protocol::timeouts::Timeouts;

/// The time at which each test begins; the date is that of the course.
pub(crate) fn start() -> Now {
    let wall = std::time::UNIX_EPOCH + Duration::from_secs(1_626_183_073);
    Now { instant: Instant::now(), wall }
}

/// The client of each test.
pub(crate) fn client() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 22530))
}

/// An observer that ignores events. Like the access log it wants closings, so request lines are remembered.
#[derive(Debug)]
pub(crate) struct Silent;

impl Observer for Silent {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, _event: &Event<'_>) {}
}

/// What the connections of a test share.
pub(crate) fn context(timeouts: Timeouts) -> RoleContext {
    RoleContext { timeouts, ..RoleContext::new("test", Arc::new(Silent)) }
}

/// Guards that ask for the name `budi` with the password `rahasia`, and the means to verify.
pub(crate) fn password_guards() -> (Arc<Guards>, Arc<BasicAuth>) {
    let users = format!("budi:{}\n", bcrypt::hash("rahasia", 4).unwrap());
    let auth = Arc::new(BasicAuth::new(Htpasswd::parse(&users).unwrap()));
    (Arc::new(Guards { basic_auth: Some(Arc::clone(&auth)), ..Guards::default() }), auth)
}

/// A GET with this name and password.
pub(crate) fn get_with(login: &str) -> String {
    let login = BASE64_STANDARD.encode(login);
    format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {login}\r\n\r\n")
}

/// Field space that lives as long as a test needs the head.
pub(crate) fn leaked_space<'b>() -> &'b mut FieldSpace<'b> {
    Box::leak(Box::default())
}

/// How a stream of bytes is cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pieces {
    /// Pieces as large as there is room for.
    Whole,
    /// Byte by byte.
    Bytes,
    /// Two pieces, cut at this byte.
    CutAt(usize),
    /// Pieces of pseudo-random sizes, most of them small; this is the state of the generator.
    Dice(u64),
}

impl Pieces {
    /// How many of the `available` bytes come next, at position `at` of the stream; at least one.
    pub(crate) fn next(&mut self, at: usize, available: usize) -> usize {
        match self {
            Pieces::Whole => available,
            Pieces::Bytes => 1,
            Pieces::CutAt(cut) if at < *cut => available.min(*cut - at),
            Pieces::CutAt(_) => available,
            Pieces::Dice(seed) => {
                let most = 1usize << (roll(seed) % 15);
                available.min(1 + roll(seed) as usize % most)
            }
        }
    }

    /// A pseudo-random choice, for where a driver may do either of two things first.
    pub(crate) fn toss(&mut self) -> bool {
        match self {
            Pieces::Dice(seed) => roll(seed) & 1 == 0,
            _ => false,
        }
    }
}

/// The next number of a linear congruential generator: its upper bits, since the lower ones hardly change.
fn roll(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Ways to cut a stream of `length` bytes: whole, byte by byte, pseudo-random, and each single cut.
pub(crate) fn all_pieces(length: usize) -> Vec<Pieces> {
    let dice = (1..=8).map(Pieces::Dice);
    // All cuts of a short stream; of a long one those near its start and end, where the heads are.
    let cuts = (1..length).filter(|cut| length < 1500 || *cut < 400 || *cut + 100 > length);
    [Pieces::Whole, Pieces::Bytes].into_iter().chain(dice).chain(cuts.map(Pieces::CutAt)).collect()
}

/// The states in the graph that the documentation at the start of `source` draws: its words that begin
/// with a capital letter and go on with a small one.
pub(crate) fn drawn_states(source: &str) -> BTreeSet<&str> {
    let documentation = source.lines().map_while(|line| line.strip_prefix("//!"));
    let graph =
        documentation.skip_while(|line| *line != " ```text").skip(1).take_while(|line| *line != " ```");
    let words = graph.flat_map(|line| line.split(|letter: char| !letter.is_alphabetic()));
    let is_state = |word: &&str| {
        let mut letters = word.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
    };
    words.filter(is_state).collect()
}
