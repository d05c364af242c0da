//! Guards: who may ask, how often, how much, and with which password. A request that a guard refuses reaches no site
//! and no back end.
//!
//! Contract: no socket, no clock, no file. A machine asks once for each request, with the client's address and the
//! time; what has to be remembered is bounded, however many clients there are. Where nothing is guarded, a request
//! pays one branch.
//!
//! They are asked in this order, the cheap ones first: address (403), rate (429), password (401), length of the body
//! (413). The limits of a head ([`HeadLimits`](super::http::head::HeadLimits)) come before all of them, since a head must be read to be judged.
//!
//! | file | what it owns |
//! |---|---|
//! | `access` | addresses that may ask and addresses that may not |
//! | `client` | whose address counts, behind proxies that are trusted |
//! | `rate_limit` | so many requests a second for each client |
//! | `body_limit` | the longest body |
//! | `basic_auth` | names and passwords, verified by a thread of their own |
//! | `slots` | a table of fixed size for what is remembered of clients |

mod access;
pub(crate) mod basic_auth;
mod body_limit;
pub(crate) mod client;
mod rate_limit;
mod slots;

use std::net::IpAddr;
use std::sync::Arc;

pub use self::access::AccessList;
use self::basic_auth::{BasicAuth, Login, PasswordCheck};
pub use self::body_limit::BodyLimit;
pub use self::rate_limit::{Rate, RateLimit};
use crate::protocol::http::ExtraField;
use crate::protocol::http::Refusal;
use crate::protocol::http::framing::Framing;
use crate::protocol::http::head::RequestHead;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;

/// What refuses requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Guard {
    /// `--allow`, `--deny`
    Access,
    /// `--rate-limit`
    RateLimit,
    /// `--basic-auth`
    BasicAuth,
    /// `--max-body`
    BodyLimit,
}

/// All of them, with the names that counters have.
pub(crate) const GUARDS: [(Guard, &str); 4] = [
    (Guard::Access, "access"),
    (Guard::RateLimit, "rate-limit"),
    (Guard::BasicAuth, "basic-auth"),
    (Guard::BodyLimit, "max-body"),
];

impl Guard {
    /// How a request, or a connection of a relay, ends that it refuses. That a password is asked for is how a password comes to be sent.
    pub(crate) fn outcome(self) -> Outcome {
        let how = match self {
            Guard::Access => How::Refused,
            Guard::RateLimit | Guard::BodyLimit => How::Limited,
            Guard::BasicAuth => How::Finished,
        };
        Outcome::new(Who::Us, how, Phase::RequestHead)
    }

    /// Why a request was refused, for the log.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Guard::Access => "an address that may not ask",
            Guard::RateLimit => "more than the rate limit",
            Guard::BasicAuth => "no valid name and password",
            Guard::BodyLimit => "a body longer than the limit",
        }
    }
}

/// A request that a guard refuses: which one, and what the client gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) by: Guard,
    pub(crate) refusal: Refusal,
}

/// What the guards say of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may go on. The user is the one whose password was right.
    Pass(Option<Login>),
    Refused(Refused),
    /// Its password has to be verified first.
    Verify(PasswordCheck),
}

/// The guards of a role, or of one of its routes. Copies share what they remember of clients.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// Which addresses may ask.
    pub access: Option<Arc<AccessList>>,
    /// How often each client may ask.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Who may ask with which password.
    pub basic_auth: Option<Arc<BasicAuth>>,
    /// How long a body may be.
    pub body: Option<BodyLimit>,
}

impl Guards {
    /// True if nothing is guarded.
    pub(crate) fn is_empty(&self) -> bool {
        let Guards { access, rate_limit, basic_auth, body } = self;
        access.is_none() && rate_limit.is_none() && basic_auth.is_none() && body.is_none()
    }

    /// What is remembered of clients by guards that these ones replace: it stays if the rate is the same.
    pub(crate) fn take_over(&mut self, before: &Guards) {
        if let (Some(own), Some(before)) = (&mut self.rate_limit, &before.rate_limit)
            && own.has_rate_of(before)
        {
            *own = Arc::clone(before);
        }
    }

    /// Judges a connection that carries no requests we could read: by its address and its rate.
    pub(crate) fn judge_connection(&self, client: IpAddr, now: &Now) -> Result<(), Refused> {
        if let Some(access) = &self.access
            && !access.admits(client)
        {
            return Err(Refused { by: Guard::Access, refusal: FORBIDDEN });
        }
        if let Some(limit) = &self.rate_limit
            && let Err(wait) = limit.take(client, now)
        {
            let field = ExtraField::RetryAfter(seconds(wait));
            return Err(Refused { by: Guard::RateLimit, refusal: TOO_MANY.with(field) });
        }
        Ok(())
    }

    /// Judges a request. `is_check` is true for a health check of our own kind, which is not counted and asked for no
    /// address. `verified` is what came of the [`Verdict::Verify`] before, if there was one.
    pub(crate) fn judge(&self, request: &GuardedRequest<'_>, verified: Option<bool>, now: &Now) -> Verdict {
        let &GuardedRequest { client, head, framing, is_check } = request;
        if verified.is_none()
            && !is_check
            && let Err(refused) = self.judge_connection(client, now)
        {
            return Verdict::Refused(refused);
        }
        let mut user = None;
        if let Some(auth) = &self.basic_auth {
            match BasicAuth::judge(auth, head, client, verified, now) {
                Verdict::Pass(login) => user = login,
                other => return other,
            }
        }
        match self.body {
            Some(limit) if !limit.allows(framing) => Verdict::Refused(BodyLimit::REFUSED),
            _ => Verdict::Pass(user),
        }
    }
}

/// What the guards look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardedRequest<'r> {
    pub(crate) client: IpAddr,
    pub(crate) head: &'r RequestHead<'r>,
    pub(crate) framing: Framing,
    pub(crate) is_check: bool,
}

impl<'r> GuardedRequest<'r> {
    /// A request of this client, or of whom it asks for.
    pub(crate) fn of(
        head: &'r RequestHead<'r>,
        framing: Framing,
        client: &ClientIdentity,
        forwarded_for: Option<IpAddr>,
    ) -> GuardedRequest<'r> {
        let is_check = client.is_check();
        GuardedRequest { client: forwarded_for.unwrap_or(client.address().ip()), head, framing, is_check }
    }
}

const FORBIDDEN: Refusal = Refusal::new(403, "Your address may not ask here.");
const TOO_MANY: Refusal = Refusal::new(429, "Too many requests from your address; try again later.");

/// Whole seconds, rounded up: who waits that long has waited long enough.
fn seconds(wait: std::time::Duration) -> u32 {
    let rounded = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(rounded.max(1)).unwrap_or(u32::MAX)
}
