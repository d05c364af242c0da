//! From the name of a back end to its addresses: whom to ask, and in which order.
//!
//! Contract: a look-up blocks, for [`LOOK_UP_TIMEOUT`] at most and as long as the system's resolver takes. It gives
//! addresses, or says why there are none. The order is:
//!
//! 1. `localhost`, and the names of the hosts file: the system's resolver knows them.
//! 2. The name servers of `/etc/resolv.conf`, with its search domains, or those that `--resolver` names.
//! 3. Whatever else the system's resolver knows (mDNS, LDAP, a system without that file): it is asked when name
//!    servers do not have the name, cannot be asked, or are none.
//!
//! With `--resolver` nobody else is asked: no hosts file, no search domain, no system's resolver, as with the
//! `resolver` of nginx and the `resolvers` of HAProxy. Only name servers know services.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::hosts;
use super::message::{Kind, Question, Record, Response, ServiceRecord};
use super::servers::Servers;
use super::service;
use super::transport::{self, Fault, Manner};
use crate::balance::Member;
use crate::net::limits::{ADDRESSES_PER_NAME_MAX, ALIASES_MAX, LOOK_UP_TIMEOUT};
use crate::net::target::{Place, Target};

/// Looks names up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver {
    /// The servers that a flag named; none for those of the system.
    named: Vec<SocketAddr>,
    /// Look-ups so far: each begins with another server if the system wants it so.
    turns: Arc<AtomicUsize>,
}

/// What a look-up has found, and how long it holds; `None` if nobody says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found<T> {
    pub(super) all: Vec<T>,
    pub(super) ttl: Option<Duration>,
}

impl<T> Found<T> {
    /// All of both, as long as both hold.
    pub(super) fn join(mut self, other: Found<T>) -> Found<T> {
        self.ttl = match (self.all.is_empty(), other.all.is_empty()) {
            (_, true) => self.ttl,
            (true, _) => other.ttl,
            (false, false) => self.ttl.into_iter().chain(other.ttl).min(),
        };
        self.all.extend(other.all);
        self
    }
}

/// Why a look-up has found nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LookUpError {
    /// There is no such name, or it has no address.
    NotFound(&'static str),
    /// Nobody could be asked; the words say whom and why.
    Failed(String),
    /// No server has responded.
    Silent(String),
}

impl fmt::Display for LookUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookUpError::NotFound(words) => f.write_str(words),
            LookUpError::Failed(words) | LookUpError::Silent(words) => f.write_str(words),
        }
    }
}

const NO_ADDRESS: LookUpError = LookUpError::NotFound("the name has no address");
const NO_SERVICE: LookUpError = LookUpError::NotFound("there is no such service (SRV record)");

impl Resolver {
    /// One that asks these servers, or the system's if there are none.
    pub(crate) fn new(named: Vec<SocketAddr>) -> Resolver {
        Resolver { named, turns: Arc::default() }
    }

    /// The back ends that a target stands for: never none.
    pub(super) fn look_up(&self, target: &Target) -> Result<Found<Member>, LookUpError> {
        let mut found = match &target.place {
            Place::Host(endpoint) if !endpoint.is_name() => {
                let all = endpoint.resolve().map_err(|error| LookUpError::Failed(error.to_string()))?;
                Found { all: all.iter().map(|at| target.member(*at)).collect(), ttl: None }
            }
            Place::Host(endpoint) => {
                let Found { all, ttl } = self.begin().host(&endpoint.host, endpoint.port)?;
                Found { all: all.iter().map(|at| target.member(*at)).collect(), ttl }
            }
            Place::Service(name) => {
                let look_up = self.begin();
                let records = look_up.service(name)?;
                service::members(target, records, |host| look_up.host(&format!("{host}."), 0))?
            }
        };
        keep_to_bound(&mut found.all);
        Ok(found)
    }

    fn begin(&self) -> LookUp<'static> {
        let is_named = !self.named.is_empty();
        LookUp {
            servers: if is_named { Servers::named(&self.named) } else { Servers::of_system() },
            is_named,
            turn: self.turns.fetch_add(1, Ordering::Relaxed),
            deadline: Instant::now() + LOOK_UP_TIMEOUT,
            ask: &transport::ask,
        }
    }
}

/// Each place once, and not too many. Those that are left out are the same each time, in whichever order they come.
fn keep_to_bound(members: &mut Vec<Member>) {
    let mut seen = std::collections::HashSet::new();
    members.retain(|member| seen.insert(member.address));
    if members.len() > ADDRESSES_PER_NAME_MAX {
        members.sort_by_key(|member| (member.is_backup, member.address));
        members.truncate(ADDRESSES_PER_NAME_MAX);
    }
}

/// How one server is asked.
type Ask<'a> = dyn Fn(SocketAddr, &Question, Manner, Instant) -> Result<Response, Fault> + 'a;

/// One look-up.
struct LookUp<'a> {
    servers: Servers,
    /// Nobody but these servers is asked.
    is_named: bool,
    turn: usize,
    deadline: Instant,
    ask: &'a Ask<'a>,
}

impl LookUp<'_> {
    /// The addresses of a host.
    fn host(&self, name: &str, port: u16) -> Result<Found<SocketAddr>, LookUpError> {
        let plain = name.strip_suffix('.').unwrap_or(name);
        if hosts::is_nobodys(plain) {
            return Err(NO_ADDRESS);
        }
        if hosts::is_loopback(plain) || (!self.is_named && hosts::has(plain)) {
            return by_system(plain, port);
        }
        if self.servers.addresses.is_empty() {
            return by_system(name, port);
        }
        match self.search(name, NO_ADDRESS, |name| self.addresses(name, port)) {
            Err(error) if !self.is_named => {
                log::debug!("{name}: {error}; the system's resolver is asked");
                // Its own words for a name that nobody has are about itself.
                by_system(name, port).map_err(|_| error)
            }
            found => found,
        }
    }

    /// The records of a service.
    fn service(&self, name: &str) -> Result<Found<ServiceRecord>, LookUpError> {
        if self.servers.addresses.is_empty() {
            let words =
                "there is no name server to ask: /etc/resolv.conf names none, and neither does --resolver";
            return Err(LookUpError::Failed(words.to_owned()));
        }
        if hosts::is_nobodys(name) {
            return Err(NO_SERVICE);
        }
        self.search(name, NO_SERVICE, |name| {
            let Found { all, ttl } = self.records(name, Kind::Srv)?;
            let service = |record| match record {
                Record::Service(service) => Some(service),
                Record::Address(_) => None,
            };
            Ok(Found { all: all.into_iter().filter_map(service).collect(), ttl })
        })
    }

    /// The first candidate for `name` of which something is found. A server that fails for one domain may know the
    /// next; one that is silent is silent for all.
    fn search<T>(
        &self,
        name: &str,
        nothing: LookUpError,
        look: impl Fn(&str) -> Result<Found<T>, LookUpError>,
    ) -> Result<Found<T>, LookUpError> {
        let mut failure = None;
        for candidate in self.servers.candidates(name) {
            match look(&candidate) {
                Ok(found) if !found.all.is_empty() => return Ok(found),
                Ok(_) => {}
                Err(error @ LookUpError::Silent(_)) => return Err(error),
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
        Err(failure.unwrap_or(nothing))
    }

    /// The addresses of this very name, of both families. One family alone would be half the truth.
    fn addresses(&self, name: &str, port: u16) -> Result<Found<SocketAddr>, LookUpError> {
        let of_kind = |kind| {
            let Found { all, ttl } = self.records(name, kind)?;
            let address = |record| match record {
                Record::Address(ip) => Some(SocketAddr::new(ip, port)),
                Record::Service(_) => None,
            };
            Ok(Found { all: all.into_iter().filter_map(address).collect(), ttl })
        };
        let found = of_kind(Kind::A)?;
        if self.servers.skips_ipv6 { Ok(found) } else { Ok(found.join(of_kind(Kind::Aaaa)?)) }
    }

    /// The records of one kind of this very name, or of the name that it stands for.
    fn records(&self, name: &str, kind: Kind) -> Result<Found<Record>, LookUpError> {
        let mut question = Question { name: name.to_owned(), kind };
        let mut least = u32::MAX;
        for _ in 0..=ALIASES_MAX {
            match self.query(&question)? {
                Response::Records { records, ttl } => {
                    let ttl = Duration::from_secs(ttl.min(least).into());
                    return Ok(Found { all: records, ttl: Some(ttl) });
                }
                Response::Alias { name, ttl } => {
                    least = least.min(ttl);
                    question.name = name;
                }
                // The transport and `query` let neither of them through.
                Response::Truncated | Response::Failed(_) => break,
            }
        }
        Err(LookUpError::Failed(format!("the aliases (CNAME) of {name} are more than {ALIASES_MAX}")))
    }

    /// What the first server that can say says: each is asked in turn, and all of them again.
    fn query(&self, question: &Question) -> Result<Response, LookUpError> {
        let Servers { addresses, timeout, attempts, rotates, is_tcp, .. } = &self.servers;
        let first = if *rotates { self.turn } else { 0 };
        let mut failure = None;
        for attempt in 0..*attempts {
            for step in 0..addresses.len() {
                let now = Instant::now();
                if now >= self.deadline {
                    break;
                }
                let server = addresses[(first + step) % addresses.len()];
                // A server, or a firewall before it, that stumbles over the extension gets the second one without.
                let manner = Manner { is_extended: attempt == 0, is_tcp: *is_tcp };
                let error = match (self.ask)(server, question, manner, self.deadline.min(now + *timeout)) {
                    Ok(Response::Failed(words)) => {
                        LookUpError::Failed(format!("name server {server}: {words}"))
                    }
                    Ok(response) => return Ok(response),
                    Err(Fault::Failed(error)) => {
                        LookUpError::Failed(format!("name server {server}: {error}"))
                    }
                    Err(Fault::Silent) => {
                        LookUpError::Silent(format!("name server {server} does not respond"))
                    }
                    Err(Fault::NotAName) => {
                        return Err(LookUpError::NotFound("it is too long for a name, or has an empty part"));
                    }
                };
                // What a server said is worth more than that another one was silent.
                if failure.is_none() || matches!(failure, Some(LookUpError::Silent(_))) {
                    failure = Some(error);
                }
            }
        }
        let late = || LookUpError::Silent(format!("no response within {} s", LOOK_UP_TIMEOUT.as_secs()));
        Err(failure.unwrap_or_else(late))
    }
}

/// What the system's resolver says, which tells no time to live.
fn by_system(name: &str, port: u16) -> Result<Found<SocketAddr>, LookUpError> {
    let addresses = (name, port).to_socket_addrs().map_err(|error| LookUpError::Failed(error.to_string()))?;
    let all: Vec<SocketAddr> = addresses.take(ADDRESSES_PER_NAME_MAX).collect();
    if all.is_empty() { Err(NO_ADDRESS) } else { Ok(Found { all, ttl: None }) }
}

#[cfg(test)]
mod tests;
