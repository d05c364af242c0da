//! Basic authentication (RFC 7617): a name and a password with each request, verified against an htpasswd file.
//!
//! Contract: a password is compared on a thread of its own, for bcrypt takes milliseconds on purpose, and no loop and no
//! worker waits for it: the request waits, as it would for a back end with room, and a waker brings it back. What was
//! verified is remembered for [`REMEMBERED`], so that only the first request of a client pays; what was refused is
//! remembered too, so that a program with an old password does not keep that thread busy. Nobody can make it grow: at
//! most [`PENDING_MAX`] passwords wait, [`PENDING_PER_CLIENT_MAX`] of them for one client, and beyond that a request gets 503.
//!
//! Passwords are kept nowhere. What is remembered of one is a hash with a key that is made at the start and never
//! leaves the process.
//!
//! ```text
//!   a request -- no name and password --------------------------> 401
//!      |-------- remembered as right --> goes on     as wrong --> 401
//!      +-------- not remembered --> PasswordCheck: Wanted --submitted--> Waiting --verified--> the request is judged again
//!                                                    +-- too many wait --> 503
//! ```

mod credentials;
mod htpasswd;
mod verification;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use self::credentials::Credentials;
pub(crate) use self::htpasswd::Htpasswd;
use self::verification::{Job, Ticket, Verifications};
use super::slots::Slots;
use super::{Guard, Refused, Verdict};
use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{ExtraField, Refusal};
use crate::protocol::now::Now;

/// How long what came of a verification is remembered. A new file is in force at once: it begins with nothing
/// remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Names with their passwords that are remembered, of either kind: 16 kB each.
const REMEMBERED_MAX: usize = 1024;

/// Passwords that may wait to be verified: with 50 ms for each the last one waits three seconds.
const PENDING_MAX: usize = 64;

/// Of those, how many may wait for one client: so it takes eight to keep the others from their turn.
const PENDING_PER_CLIENT_MAX: usize = 8;

/// What a request without a valid name and password gets.
const UNAUTHORIZED: Refused = Refused {
    by: Guard::BasicAuth,
    refusal: Refusal::new(401, "A name and a password are needed here.").with(ExtraField::Authenticate),
};

/// What a request gets while too many passwords wait.
const BUSY: Refused = Refused {
    by: Guard::BasicAuth,
    refusal: Refusal::new(503, "Too many passwords are being verified; try again soon.")
        .with(ExtraField::RetryAfter(1)),
};

/// The users, what is remembered of them, and what waits to be verified.
#[derive(Debug)]
pub struct BasicAuth {
    users: Htpasswd,
    /// Until when each is remembered, in milliseconds since `began`.
    right: Slots,
    wrong: Slots,
    key: RandomState,
    began: OnceLock<Instant>,
    verifications: Verifications,
}

/// A user whose password was right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Login(Credentials);

impl Login {
    /// The name.
    pub(crate) fn user(&self) -> &[u8] {
        self.0.user()
    }
}

impl BasicAuth {
    /// For these users. [`verify`](BasicAuth::verify) must run on a thread.
    pub fn new(users: Htpasswd) -> BasicAuth {
        BasicAuth {
            users,
            right: Slots::new(REMEMBERED_MAX),
            wrong: Slots::new(REMEMBERED_MAX),
            key: RandomState::new(),
            began: OnceLock::new(),
            verifications: Verifications::new(PENDING_MAX, PENDING_PER_CLIENT_MAX),
        }
    }

    /// Judges a request by its name and password. `verified` is what came of the verification, if there was one.
    pub(super) fn judge(
        auth: &Arc<BasicAuth>,
        head: &RequestHead<'_>,
        client: IpAddr,
        verified: Option<bool>,
        now: &Now,
    ) -> Verdict {
        let Some(credentials) = Credentials::of(head) else { return Verdict::Refused(UNAUTHORIZED) };
        match verified.or_else(|| auth.remembers(&credentials, now)) {
            Some(true) => Verdict::Pass(Some(Login(credentials))),
            Some(false) => Verdict::Refused(UNAUTHORIZED),
            None => Verdict::Verify(PasswordCheck::Wanted { auth: Arc::clone(auth), credentials, client }),
        }
    }

    /// What is remembered of a name and its password.
    fn remembers(&self, credentials: &Credentials, now: &Now) -> Option<bool> {
        let (key, now) = (self.hash(credentials), self.milliseconds(now));
        let is_remembered = |slots: &Slots| slots.get(key) > now;
        if is_remembered(&self.right) { Some(true) } else { is_remembered(&self.wrong).then_some(false) }
    }

    fn remember(&self, key: u64, is_right: bool, now: &Now) {
        let until = self.milliseconds(now) + REMEMBERED.as_millis() as u64;
        let slots = if is_right { &self.right } else { &self.wrong };
        slots.with(key, |value| *value = until);
    }

    fn hash(&self, credentials: &Credentials) -> u64 {
        self.key.hash_one(credentials)
    }

    fn milliseconds(&self, now: &Now) -> u64 {
        let began = *self.began.get_or_init(|| now.instant);
        let since = now.instant.saturating_duration_since(began).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX / 2)
    }

    /// Verifies one password after another, until [`close`](BasicAuth::close): the work of a thread of its own.
    pub(crate) fn verify(&self) {
        while let Some(job) = self.verifications.next() {
            let is_right = self.users.verify(job.credentials.user(), job.credentials.password());
            job.finish(is_right);
        }
    }

    /// Ends [`verify`](BasicAuth::verify).
    pub(crate) fn close(&self) {
        self.verifications.close();
    }
}

/// Where a request stands whose password is not remembered.
#[derive(Debug, Default)]
pub(crate) enum PasswordCheck {
    /// Nothing is to be verified.
    #[default]
    None,
    /// It has to be submitted.
    Wanted { auth: Arc<BasicAuth>, credentials: Credentials, client: IpAddr },
    /// It waits for its turn, or is being verified.
    Waiting { auth: Arc<BasicAuth>, key: u64, ticket: Ticket },
}

/// What came of [`PasswordCheck::advance`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// The waker is called when there is more to say.
    Waiting,
    /// The password was verified: it is right, or wrong.
    Verified(bool),
    /// Too many wait.
    Refused(Refused),
}

impl PasswordCheck {
    /// True if [`advance`](PasswordCheck::advance) has something to do.
    pub(crate) fn is_due(&self) -> bool {
        match self {
            PasswordCheck::None => false,
            PasswordCheck::Wanted { .. } => true,
            PasswordCheck::Waiting { ticket, .. } => ticket.is_ready(),
        }
    }

    /// Submits the password, or takes what came of it. `waker` is asked for only if it is submitted.
    pub(crate) fn advance(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Progress {
        match std::mem::take(self) {
            PasswordCheck::None => Progress::Waiting,
            PasswordCheck::Wanted { auth, credentials, client } => {
                let key = auth.hash(&credentials);
                match auth.verifications.submit(Job::new(credentials, client, waker())) {
                    Some(ticket) => {
                        *self = PasswordCheck::Waiting { auth, key, ticket };
                        Progress::Waiting
                    }
                    None => Progress::Refused(BUSY),
                }
            }
            PasswordCheck::Waiting { auth, key, ticket } => match ticket.result() {
                Some(is_right) => {
                    auth.remember(key, is_right, now);
                    Progress::Verified(is_right)
                }
                None => {
                    *self = PasswordCheck::Waiting { auth, key, ticket };
                    Progress::Waiting
                }
            },
        }
    }

    /// What a request gets that has waited for too long.
    pub(crate) const LATE: Refused = BUSY;
}

#[cfg(test)]
mod tests;
