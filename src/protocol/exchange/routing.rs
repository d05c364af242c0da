//! What the route of a request makes of it, before a back end is asked for.
//!
//! Contract: everything that the head of the request says is used here, while it is there. What is needed later, for
//! the response, is kept as text. A plain route keeps nothing, and nothing is allocated for it.

use super::{Exchange, Request};
use crate::balance::Member;
use crate::balance::routes::split;
use crate::protocol::buffer::Buffer;
use crate::protocol::forward::{OwnResponse, Rules, Values, split_port};
use crate::protocol::http::Refusal;
use crate::protocol::http::head::RequestHead;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::request_id;
use crate::protocol::route::{Action, Route};

/// What a route with rules makes of one request.
#[derive(Debug, Default)]
pub(super) struct Routed {
    /// The target to send on, if it is rewritten.
    pub(super) target: Option<String>,
    /// Lines that are added to the head for the back end.
    request_lines: String,
    /// Lines that are added to the head of the response.
    response_lines: String,
    /// The host that the client asked for, if a redirect of the back end may have to be rewritten.
    host: String,
    /// The identifier of the request, if the route needs one.
    pub(super) request_id: Option<String>,
    /// Where a route that redirects sends the client.
    location: String,
}

impl Routed {
    /// The request is the `number`-th of this client's connection. `None` for a route that only forwards.
    ///
    /// Errors: a redirect that needs a host, and the request has none.
    pub(super) fn of(
        route: &Route,
        head: &RequestHead<'_>,
        client: &ClientIdentity,
        number: u32,
        rules: &Rules,
    ) -> Result<Option<Box<Routed>>, Refusal> {
        if route.is_plain() {
            return Ok(None);
        }
        let is_trusted = rules.trusts(client.address().ip().to_canonical());
        let asked = head.path_and_query();
        let target = route.rewrite.as_ref().filter(|_| asked.starts_with('/')).map(|one| one.target(asked));
        let target = target.transpose()?;
        let request_id =
            route.uses_request_id().then(|| request_id(head, is_trusted, client.number(), number));
        let values = Values {
            client: client.address().ip(),
            host: split_port(head.host()).0,
            path: target.as_deref().unwrap_or(asked),
            request_id: request_id.as_deref().unwrap_or_default(),
            scheme: client.scheme(head, is_trusted),
        };
        let mut routed = Routed::default();
        if let Some(prefix) = route.rewrite.as_ref().and_then(|rewrite| rewrite.hidden_prefix())
            && target.is_some()
            && !route.request.drops(FORWARDED_PREFIX)
        {
            routed.request_lines = format!("{FORWARDED_PREFIX}: {prefix}\r\n");
        }
        route.request.render(&values, &mut routed.request_lines);
        route.response.render(&values, &mut routed.response_lines);
        if let Action::Redirect(redirect) = &route.action {
            // Of `//other.example/` as it came the client would make another host.
            let normal = split(values.path)?;
            let path = format!("{}{}", String::from_utf8_lossy(&normal.0), normal.1);
            let values = Values { path: if asked.starts_with('/') { &path } else { "/" }, ..values };
            let no_host = Refusal::bad("The request names no host to redirect to.");
            routed.location = redirect.location(&values).ok_or(no_host)?;
        }
        if route.rewrite.is_some() {
            routed.host = head.host().to_owned();
        }
        Ok(Some(Box::new(Routed { target, request_id, ..routed })))
    }

    /// True if the head for the back end is not as without the route.
    pub(super) fn changes_request(&self, route: &Route) -> bool {
        !self.request_lines.is_empty() || !route.request.is_empty()
    }

    /// Changes the head for the back end, which `out` holds alone. False if there is no room for what the route
    /// adds.
    #[must_use]
    pub(super) fn change_request(&self, route: &Route, out: &mut Buffer) -> bool {
        !self.changes_request(route) || route.request.apply(&self.request_lines, 0, out)
    }

    /// Changes the head of a response, of this back end or of our own, which begins at byte `start` of `out`. False
    /// if there is no room for what the route adds.
    #[must_use]
    pub(super) fn change_response(
        &self,
        route: &Route,
        backend: Option<&Member>,
        start: usize,
        out: &mut Buffer,
    ) -> bool {
        if let (Some(rewrite), Some(backend)) = (&route.rewrite, backend) {
            rewrite.answer(&self.host, backend, start, out);
        }
        route.response.is_empty() || route.response.apply(&self.response_lines, start, out)
    }
}

/// The prefix that a back end does not see (Traefik, Spring, ASP.NET).
const FORWARDED_PREFIX: &str = "X-Forwarded-Prefix";

fn request_id(head: &RequestHead<'_>, is_trusted: bool, connection: u64, number: u32) -> String {
    let taken = head.fields.only(request_id::FIELD).filter(|_| is_trusted).and_then(request_id::taken);
    taken.map_or_else(|| request_id::make(connection, number), str::to_owned)
}

impl Request {
    /// Changes the head of its response as its route says: see [`Routed::change_response`].
    #[must_use]
    pub(super) fn change_response(
        &self,
        route: &Route,
        backend: Option<&Member>,
        start: usize,
        out: &mut Buffer,
    ) -> bool {
        self.routed.as_ref().is_none_or(|routed| routed.change_response(route, backend, start, out))
    }
}

impl Exchange {
    /// Gives the response of a route that forwards nothing.
    pub(super) fn respond_by_route(&mut self, now: &Now) {
        let outcome = Outcome::new(Who::Us, How::Finished, Phase::RequestHead);
        let location = self.request.routed.as_mut().map(|routed| std::mem::take(&mut routed.location));
        let (status, sentence) = match &self.gateway.routes[self.request.route].action {
            Action::Forward(_) => return,
            Action::Redirect(redirect) => (redirect.status, "This is to be found elsewhere.".to_owned()),
            Action::Respond(response) => (response.status, response.sentence.clone()),
        };
        let location = location.as_deref().filter(|location| !location.is_empty());
        let response = OwnResponse { status, proxy_error: "", sentence: &sentence, location, field: None };
        self.respond(&response, outcome, now);
    }
}
