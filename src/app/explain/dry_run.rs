//! One request through the rules of a role, without a socket.
//!
//! Contract: the machine of a gateway's client connection ([`Exchange`]) does all of it: it reads the request,
//! refuses it or finds its route, takes a turn, and writes the head for the back end. What it is not given is a
//! connection to that back end. A relay reads nothing, so there is nothing to run: it only takes a turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::live::{Live, LiveGroup};
use crate::app::cli::Failure;
use crate::balance::routes::{Found, Routes};
use crate::balance::{Backend, Group, Member};
use crate::net::clock;
use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Connection, Event, Observer};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::forward::Rules;
use crate::protocol::http::head::{FieldSpace, RequestHead};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::route::Route;

/// The policy of every group.
const POLICY: &str = "round-robin";

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
        match self.routes.find(&self.host, &self.target) {
            Ok(Found::Route(number)) => Some(&self.routes[number]),
            Ok(Found::LacksSlash(_)) | Err(_) => None,
        }
    }
}

/// Whose turn it is in a group.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) group: Arc<Group>,
    pub(super) policy: String,
    /// Where this is known from; `None` without a running role.
    pub(super) source: Option<String>,
    /// The back ends as the running role sees them.
    pub(super) live: Option<LiveGroup>,
    /// The back ends as they were configured, each with the name by which it was found.
    pub(super) configured: Vec<(SocketAddr, Option<String>)>,
}

impl Turn {
    /// The turn of a group that has just been made, or of the same group in a running role.
    pub(super) fn of(group: &Arc<Group>, live: Option<&Live>) -> Result<Turn, Failure> {
        let configured = group.backends().iter().map(|one| (one.address, origin(one))).collect();
        let known = live.map(|live| live.group(group.name())).transpose()?.cloned();
        if let Some(known) = &known {
            take_over(group, known);
        }
        Ok(Turn {
            group: Arc::clone(group),
            policy: known.as_ref().map_or(POLICY, |known| &known.policy).to_owned(),
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

/// Makes the usable back ends of the running role those of `group`, beginning with the one whose turn is next.
fn take_over(group: &Group, live: &LiveGroup) {
    let next = live.backends.iter().position(|backend| backend.next).unwrap_or(0);
    let (before, from_next) = live.backends.split_at(next);
    let usable = from_next.iter().chain(before).filter(|backend| backend.usable);
    let addresses: Vec<SocketAddr> = usable.map(|backend| backend.address).collect();
    // First none, for those that stay would keep their order.
    group.replace::<Member>(&[]);
    group.replace(&addresses);
}

impl DryRun {
    /// A request to a gateway.
    pub(super) fn of_request(
        role: &'static str,
        routes: &Routes<Route>,
        rules: &Rules,
        client: ClientIdentity,
        request: &[u8],
        turn: impl Fn(&Arc<Group>) -> Result<Turn, Failure>,
    ) -> Result<DryRun, Failure> {
        let mut space = FieldSpace::new();
        let head = RequestHead::parse(request, &mut space).ok().flatten();
        let routed = head.map(|head| {
            let (host, target) = (head.host().to_owned(), head.path_and_query().to_owned());
            Routed { routes: routes.clone(), host, target }
        });
        let group = routed.as_ref().and_then(|routed| routed.route()?.group());
        let context = Arc::new(RoleContext::new(role, Arc::new(Nobody)));
        let gateway = Gateway { context, routes: routes.clone(), rules: rules.clone() };
        let mut exchange = received(gateway, client.clone(), request);
        let needs_backend = exchange.needs_backend();
        let turn = group.filter(|_| needs_backend).map(turn).transpose()?;
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
        turn: impl Fn(&Arc<Group>) -> Result<Turn, Failure>,
    ) -> Result<DryRun, Failure> {
        let turn = turn(group)?;
        let sent = match group.next(&mut group.turn(), Instant::now()) {
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
