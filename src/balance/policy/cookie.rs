//! Cookie: a client stays with the back end that its cookie names (HAProxy `cookie ... insert indirect`, nginx
//! `sticky cookie`).
//!
//! Contract: a client without a cookie, or whose cookie names no back end that may be tried, gets its turn by round
//! robin, and a new cookie with the response. If the back end is only full, the client waits for it: its session is
//! there and nowhere else. A cookie that is forged names a back end or none, and does no more.

use super::round_robin::RoundRobin;
use super::{Candidates, Choice, Choose, DependsOn};

pub(super) struct Cookie;

impl Choose for Cookie {
    fn name(&self) -> &'static str {
        "cookie"
    }

    fn about(&self) -> &'static str {
        "The one that the client's cookie names, which its first response sets (http)"
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Cookie
    }

    fn choose(&self, among: &Candidates<'_>) -> Choice {
        match among.named_by_cookie() {
            Some((index, backend)) if among.has_room(backend) => Choice::At(index),
            Some((_, backend)) => Choice::WaitFor(backend.number),
            None => RoundRobin.choose(among),
        }
    }
}
