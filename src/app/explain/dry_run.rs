//! One request through the rules of a role, without a socket.
//!
//! Contract: the machine of a gateway's client connection ([`Exchange`]) does all of it: it reads the request,
//! refuses it or finds its route, takes a turn, and writes the head for the back end. What it is not given is a
//! connection to that back end. A relay reads nothing, so there is nothing to run: it only takes a turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::live::Live;
use crate::app::cli::Failure;
use crate::app::running::{LiveBackend, LiveGroup};
use crate::balance::routes::{DEFAULT, Found, Routes};
use crate::balance::{Backend, DependsOn, Group, Key, Member};
use crate::net::clock;
use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Connection, Event, Observer};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::forward::Rules;
use crate::protocol::guard::basic_auth::BasicAuth;
use crate::protocol::http::head::{FieldSpace, RequestHead};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::route::Route;

/// What would become of a request.
#[derive(Debug)]
pub(super) struct DryRun {
    /// The routes and what they see; none if the request could not be read, or is not looked at.
    pub(super) routed: Option<Routed>,
    /// Whose turn it is; none if no back end would be asked for.
    pub(super) turn: Option<Turn>,
    /// What would be sent, and to whom.
    pub(super) sent: Sent,
}

/// What the routes see of a request.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) routes: Routes<Route>,
    pub(super) host: String,
    pub(super) target: String,
}

/// What would be sent first.
#[derive(Debug)]
pub(super) enum Sent {
    /// To this back end: the PROXY header, which may be empty, and what follows it.
    Forwarded { to: SocketAddr, proxy_header: Vec<u8>, head: Vec<u8> },
    /// To the client, in place of a back end's response.
    Answered(Vec<u8>),
    /// Nothing: the client's connection would be closed.
    Nothing,
}

impl Routed {
    /// The route that serves the request, if one does.
    pub(super) fn route(&self) -> Option<&Route> {
        self.number().map(|number| &self.routes[number])
    }

    /// Its number.
    fn number(&self) -> Option<usize> {
        match self.routes.find(&self.host, &self.target) {
            Ok(Found::Route(number)) => Some(number),
            Ok(Found::LacksSlash(_)) | Err(_) => None,
        }
    }
}

/// Whose turn it is in a group.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) group: Arc<Group>,
    pub(super) policy: String,
    pub(super) why: Why,
    /// Where this is known from; `None` without a running role.
    pub(super) source: Option<String>,
    /// The back ends as the running role sees them.
    pub(super) live: Option<LiveGroup>,
    /// The back ends as they were configured.
    pub(super) configured: Vec<Configured>,
}

/// A back end as it was configured.
#[derive(Debug)]
pub(super) struct Configured {
    pub(super) address: SocketAddr,
    /// The name by which the address was found.
    pub(super) host: Option<String>,
    pub(super) weight: u32,
    pub(super) is_backup: bool,
}

/// Why a back end is the first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// It is its turn.
    Turn,
    /// It was drawn at random.
    Chance,
    /// The client has this address.
    Client,
    /// The client has a cookie that names it.
    Cookie,
    /// It is its turn, for the client has no cookie that names another one.
    NewClient,
}

impl Why {
    /// By the policy of a group, for a client whose cookie names one of its back ends or does not.
    fn of(group: &Group, is_named: bool) -> Why {
        match group.policy().depends_on() {
            DependsOn::Turn => Why::Turn,
            DependsOn::Chance => Why::Chance,
            DependsOn::Client => Why::Client,
            DependsOn::Cookie if is_named => Why::Cookie,
            DependsOn::Cookie => Why::NewClient,
        }
    }

    /// The words for the back end.
    pub(super) fn words(self) -> &'static str {
        match self {
            Why::Turn => "first in turn",
            Why::Chance => "drawn this time, by chance",
            Why::Client => "by the client's address",
            Why::Cookie => "by the client's cookie",
            Why::NewClient => "first in turn, for a client without a cookie",
        }
    }
}

impl Turn {
    /// The turn of a group that has just been made, or of the same group in a running role; `is_named` says that the
    /// client's cookie names one of its back ends.
    pub(super) fn of(group: &Arc<Group>, is_named: bool, live: Option<&Live>) -> Result<Turn, Failure> {
        let backends = group.backends();
        let configured = backends.iter().map(|one| Configured {
            address: one.address,
            host: origin(one),
            weight: one.weight(),
            is_backup: one.is_backup(),
        });
        let (configured, why) = (configured.collect(), Why::of(group, is_named));
        let known = live.map(|live| live.group(group.name())).transpose()?.cloned();
        if let Some(known) = &known {
            take_over(group, known, why);
        }
        Ok(Turn {
            group: Arc::clone(group),
            policy: known.as_ref().map_or_else(|| group.policy().to_string(), |known| known.policy.clone()),
            why,
            source: live.map(Live::source),
            live: known,
            configured,
        })
    }
}

/// The name by which a back end was found, and the service whose records have it.
fn origin(backend: &Backend) -> Option<String> {
    let host = backend.host()?;
    Some(backend.service().map_or(host.to_owned(), |service| format!("{host} of srv:{service}")))
}

/// Makes the usable back ends of the running role those of `group`; the one whose turn is next alone, if that decides.
fn take_over(group: &Group, live: &LiveGroup, why: Why) {
    let usable = || live.backends.iter().filter(|backend| backend.usable);
    let next = usable().find(|backend| backend.next && matches!(why, Why::Turn | Why::NewClient));
    let member = |backend: &LiveBackend| Member {
        weight: backend.weight,
        is_backup: backend.backup,
        ..Member::from(backend.address)
    };
    let members: Vec<Member> = match next {
        Some(next) => vec![member(next)],
        None => usable().map(member).collect(),
    };
    // First none, for those that stay would keep their order.
    group.replace::<Member>(&[]);
    group.replace(&members);
}

impl DryRun {
    /// A request to a gateway.
    pub(super) fn of_request(
        context: RoleContext,
        routes: &Routes<Route>,
        rules: &Rules,
        client: ClientIdentity,
        request: &[u8],
        turn: impl Fn(&Arc<Group>, bool) -> Result<Turn, Failure>,
    ) -> Result<DryRun, Failure> {
        let mut space = FieldSpace::new();
        let head = RequestHead::parse(request, &mut space).ok().flatten();
        let routed = head.map(|head| {
            let (host, target) = (head.host().to_owned(), head.path_and_query().to_owned());
            Routed { routes: routes.clone(), host, target }
        });
        let group = routed.as_ref().and_then(|routed| routed.route()?.group());
        // Those of the route, or of the role as a whole.
        let own = routed.as_ref().and_then(|routed| routed.route()?.guards.clone());
        let auth = own.or(context.guards.clone()).and_then(|guards| guards.basic_auth.clone());
        let context = Arc::new(RoleContext { observer: Arc::new(Nobody), ..context });
        let gateway = Gateway { context, routes: routes.clone(), rules: rules.clone() };
        let mut exchange = received(gateway, client.clone(), request);
        if let Some(auth) = auth {
            verify(&mut exchange, &auth);
        }
        let needs_backend = exchange.needs_backend();
        // Whether the cookie names a back end is known only with the secret of --policy-cookie-key.
        let is_default = routed.as_ref().is_some_and(|routed| routed.number() == Some(DEFAULT));
        let tag = |group: &Arc<Group>| rules.cookie.of(group, is_default).read(&head?.fields);
        let is_named = |group: &Arc<Group>| {
            tag(group).is_some_and(|tag| group.backends().iter().any(|backend| backend.tag() == tag))
        };
        let turn = group.filter(|_| needs_backend).map(|group| turn(group, is_named(group))).transpose()?;
        let now = clock::now();
        let target_backend = needs_backend.then(|| exchange.choose_backend(&now, || Waker::noop().clone()));
        let sent = match target_backend.flatten() {
            Some(backend) => {
                let proxy_header = proxy_header(client);
                let mut head = exchange.backend_output().concat();
                head.drain(..proxy_header.len());
                Sent::Forwarded { to: backend.address, proxy_header, head }
            }
            None => Sent::Answered(exchange.client_output().concat()),
        };
        Ok(DryRun { routed, turn, sent })
    }

    /// A connection to a relay, on which this request comes.
    pub(super) fn of_bytes(
        group: &Arc<Group>,
        client: ClientIdentity,
        request: &[u8],
        turn: impl Fn(&Arc<Group>, bool) -> Result<Turn, Failure>,
    ) -> Result<DryRun, Failure> {
        let turn = turn(group, false)?;
        let key = Key::from(client.address().ip());
        let sent = match group.next(&mut group.turn_for(key), Instant::now()) {
            Some(backend) => Sent::Forwarded {
                to: backend.address,
                proxy_header: proxy_header(client),
                head: request.to_vec(),
            },
            None => Sent::Nothing,
        };
        Ok(DryRun { routed: None, turn: Some(turn), sent })
    }
}

/// The machine once it has received the request, or as much of it as it takes.
fn received(gateway: Gateway, client: ClientIdentity, request: &[u8]) -> Exchange {
    let now = clock::now();
    let mut exchange = Exchange::new(Arc::new(gateway), client, now.instant, &now);
    let mut rest = request;
    while !rest.is_empty() && exchange.awaits_request() {
        let space = exchange.client_space();
        let count = rest.len().min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        exchange.client_received(count, &now);
        rest = &rest[count..];
    }
    exchange
}

/// Verifies the password of the request here and now, if it has to be.
fn verify(exchange: &mut Exchange, auth: &BasicAuth) {
    let now = clock::now();
    // Submitted, verified by the work of the thread that there is in a running role, and heard of.
    exchange.verify_password(&now, || Waker::noop().clone());
    auth.close();
    auth.verify();
    exchange.verify_password(&now, || Waker::noop().clone());
}

/// The PROXY header with which the connection to a back end begins; empty if there is none.
fn proxy_header(client: ClientIdentity) -> Vec<u8> {
    let mut header = Buffer::new();
    // An empty buffer has room for it.
    let _ = client.write_proxy_header(&mut header);
    header.bytes().to_vec()
}

/// Hears of nothing: what happens in a dry run is no news.
#[derive(Debug)]
struct Nobody;

impl Observer for Nobody {
    fn wants_closings(&self) -> bool {
        false
    }

    fn observe(&self, _: &Connection<'_>, _: &Event<'_>) {}
}
