//! What is done with the requests of one route.
//!
//! Contract: [`Routes`](crate::balance::routes::Routes) says which route a request has; here is what that means. A
//! route without rules costs a request nothing.

use std::sync::Arc;

use super::forward::template::Placeholder;
use super::forward::{FieldRule, FieldRules, Rewrite, Side, Template, Values};
use super::guard::Guards;
use crate::balance::Group;

/// A route: where its requests go, and what is changed on the way.
#[derive(Clone, Debug)]
pub struct Route {
    /// What the log calls it; none for the default.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) action: Action,
    /// How the path is rewritten, if it is.
    pub(crate) rewrite: Option<Rewrite>,
    /// Fields of the request that are set, added or removed.
    pub(crate) request: FieldRules,
    /// The same of the response.
    pub(crate) response: FieldRules,
    /// Which of its requests are refused, instead of what the role as a whole refuses.
    pub(crate) guards: Option<Arc<Guards>>,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// It is forwarded to one of these back ends.
    Forward(Arc<Group>),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It gets a response of ours.
    Respond(FixedResponse),
}

/// A redirect: `301 to https://new.example{path}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redirect {
    pub(crate) status: u16,
    pub(crate) to: Template,
}

/// A response that is always the same: `503 We are back at noon.`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FixedResponse {
    pub(crate) status: u16,
    pub(crate) sentence: String,
}

/// A route that only forwards: the default, and that of a balancer.
impl From<Arc<Group>> for Route {
    fn from(group: Arc<Group>) -> Route {
        Route::new(None, Action::Forward(group))
    }
}

impl Route {
    /// A route without any rules.
    pub(crate) fn new(name: Option<Arc<str>>, action: Action) -> Route {
        let (request, response) = (FieldRules::default(), FieldRules::default());
        Route { name, action, rewrite: None, request, response, guards: None }
    }

    /// The same with field rules: those of its role, and its own, which go before them.
    ///
    /// Errors: two rules that cannot both be obeyed.
    pub(crate) fn with_rules(self, role: &[FieldRule], own: &[FieldRule]) -> Result<Route, String> {
        let request = FieldRules::new(Side::Request, role, own)?;
        let response = FieldRules::new(Side::Response, role, own)?;
        Ok(Route { request, response, ..self })
    }

    /// The back ends behind it, if it has some.
    pub(crate) fn group(&self) -> Option<&Arc<Group>> {
        match &self.action {
            Action::Forward(group) => Some(group),
            Action::Redirect(_) | Action::Respond(_) => None,
        }
    }

    /// True if requests and responses are forwarded as they are.
    pub(crate) fn is_plain(&self) -> bool {
        let forwards = matches!(self.action, Action::Forward(_));
        forwards && self.rewrite.is_none() && self.request.is_empty() && self.response.is_empty()
    }

    /// True if a request needs an identifier.
    pub(crate) fn uses_request_id(&self) -> bool {
        let redirects = matches!(&self.action, Action::Redirect(to) if to.to.uses(Placeholder::RequestId));
        redirects || self.request.uses(Placeholder::RequestId) || self.response.uses(Placeholder::RequestId)
    }
}

impl FixedResponse {
    /// What requests get that no route is for.
    pub(crate) fn not_found() -> FixedResponse {
        FixedResponse { status: 404, sentence: "No route is for this host and path.".to_owned() }
    }
}

impl Redirect {
    /// Where the client is sent. `None` if the host is a part of it and the request names none.
    pub(crate) fn location(&self, values: &Values<'_>) -> Option<String> {
        if values.host.is_empty() && self.to.uses(Placeholder::Host) {
            return None;
        }
        let mut location = String::new();
        self.to.render(values, &mut location);
        Some(location)
    }
}
