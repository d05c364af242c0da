//! The status page: what `--status ADDR` serves.
//!
//! | address | what |
//! |---|---|
//! | `/` | the dashboard, one page that needs no other file |
//! | `/metrics` | for Prometheus ([`metrics`]) |
//! | `/healthz`, `/readyz` | alive; ready for new work, or 503 with the reasons |
//! | `/status.json`, `/lanes.json` | what the dashboard shows ([`document`]) |
//! | `/trace?seconds=2` | Chrome trace events of the next seconds ([`trace`](super::trace)) |
//! | `POST /backends/{group}/{address}/{ready,drain,down}` | a decision about a back end ([`control`]) |
//!
//! Contract: it is a site for the web machine of `protocol`, and the threaded driver serves it on threads of its
//! own. So the bounds of every client hold for its clients too, and it answers when the role it shows is full.

mod control;
mod dashboard;
mod document;
mod guard;
mod response;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::metrics;
use super::role_view::Board;
use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{Method, Refusal};
use crate::protocol::now::Now;
use crate::protocol::web;
use dashboard::DASHBOARD;
pub(crate) use guard::Guard;
use response::{Content, StatusResponse};

/// How long closing lines are kept after `/status.json` was asked for: the dashboard asks every second.
const WATCH: Duration = Duration::from_secs(5);

/// Seconds of a trace, if none are given, and the most: what a loop does in 30 s does not fit its ring anyway.
const TRACE_SECONDS: u64 = 2;
const TRACE_SECONDS_MAX: u64 = 30;

/// The site that shows the roles of this process.
#[derive(Debug)]
pub(crate) struct StatusSite {
    board: Arc<Board>,
    guard: Guard,
}

impl StatusSite {
    pub(crate) fn new(board: Arc<Board>, guard: Guard) -> StatusSite {
        StatusSite { board, guard }
    }

    fn page(&self, path: &str, query: Option<&str>, accept: Option<&str>) -> StatusResponse {
        match path {
            "/" => StatusResponse::new(200, "text/html; charset=utf-8", Content::Static(DASHBOARD)),
            "/metrics" => {
                let format = metrics::Format::accepted(accept);
                StatusResponse::text(200, format.content_type(), metrics::text(&self.board, format))
            }
            "/healthz" => StatusResponse::plain(200, "alive\n"),
            "/readyz" => self.readiness(),
            "/status.json" => {
                self.board.switches.watch(Instant::now() + WATCH);
                StatusResponse::json(200, document::status(&self.board, self.guard.needs_token()))
            }
            "/lanes.json" => StatusResponse::json(200, document::lanes(&self.board)),
            "/trace" => self.trace(query),
            _ if path.starts_with(control::PREFIX) => StatusResponse::not_allowed("POST"),
            _ => StatusResponse::plain(404, "There is nothing at this address; / is the dashboard.\n"),
        }
    }

    fn readiness(&self) -> StatusResponse {
        let reasons = document::unready(&self.board);
        match reasons.is_empty() {
            true => StatusResponse::plain(200, "ready\n"),
            false => StatusResponse::plain(503, &format!("{}\n", reasons.join("\n"))),
        }
    }

    fn trace(&self, query: Option<&str>) -> StatusResponse {
        let seconds = match query.unwrap_or_default() {
            "" => Some(TRACE_SECONDS),
            query => query.strip_prefix("seconds=").and_then(|seconds| seconds.parse().ok()),
        };
        let Some(seconds) = seconds.filter(|seconds| (1..=TRACE_SECONDS_MAX).contains(seconds)) else {
            return StatusResponse::plain(
                400,
                &format!("Write /trace?seconds=N, with N from 1 to {TRACE_SECONDS_MAX}.\n"),
            );
        };
        if !self.board.begin_trace() {
            return StatusResponse::plain(
                409,
                "A trace is being recorded already; try again when it is done.\n",
            );
        }
        StatusResponse::trace(Arc::clone(&self.board), Duration::from_secs(seconds))
    }
}

impl web::Site for StatusSite {
    type Response = StatusResponse;

    fn respond(&self, head: &RequestHead<'_>, _now: &Now) -> StatusResponse {
        let (path, query) = match head.path_and_query().split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (head.path_and_query(), None),
        };
        let response = match head.method {
            Method::Get | Method::Head => {
                let accept = head.fields.first("Accept").and_then(|value| str::from_utf8(value).ok());
                self.page(path, query, accept)
            }
            Method::Post if path.starts_with(control::PREFIX) => match self.guard.admit(head) {
                Ok(()) => control::decide(&self.board, path, query),
                Err(refused) => refused,
            },
            _ if path.starts_with(control::PREFIX) => StatusResponse::not_allowed("POST"),
            _ => StatusResponse::not_allowed("GET, HEAD"),
        };
        response.for_method(head.method)
    }

    /// The page has no TLS, and nothing to redirect to.
    fn redirect(&self, _head: &RequestHead<'_>, _location: String) -> StatusResponse {
        self.refuse(Refusal::new(421, "This page has no address with https://."))
    }

    fn refuse(&self, refusal: Refusal) -> StatusResponse {
        StatusResponse::plain(refusal.status, &format!("{}\n", refusal.reason)).closing()
    }
}

#[cfg(test)]
mod tests;
