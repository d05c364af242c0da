//! The text of `explain`: what is asked for, which route, whose turn, and the head before and after.
//!
//! Contract: a line for each fact, in the order in which a request meets them. What comes from outside is shown
//! without ASCII control characters: the command line refuses them, and so do the reader of the status page and the
//! machine.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::dry_run::{Configured, DryRun, Routed, Sent, Turn, Why};
use super::{CLIENT_PORT, Request};
use crate::app::running::LiveBackend;
use crate::balance::routes::{Found, Pattern, Verdict, Verdicts};

/// A dry run, ready to be shown.
#[derive(Debug)]
pub(super) struct Report<'r> {
    pub(super) role: &'static str,
    pub(super) request: &'r Request,
    /// The client is the one that a PROXY header names.
    pub(super) is_named: bool,
    /// The head of the request as the client sends it.
    pub(super) received: &'r [u8],
    pub(super) dry_run: &'r DryRun,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, target, from, .. } = self.request;
        let DryRun { routed, turn, sent } = self.dry_run;
        let named = if self.is_named { ", whom the PROXY header in front names" } else { "" };
        writeln!(f, "request    {method} {} from {from}{named}", target.path)?;
        match (routed, turn) {
            (Some(routed), _) => show_routes(f, routed)?,
            (None, Some(_)) => writeln!(
                f,
                "mode       tcp: the bytes of a connection are passed on, and no request is read; see --mode http"
            )?,
            (None, None) => {}
        }
        if let Some(turn) = turn {
            let first = match sent {
                Sent::Forwarded { to, .. } => Some(*to),
                Sent::Answered(_) | Sent::Nothing => None,
            };
            show_turn(f, turn, first)?;
        }
        self.show_heads(f)
    }
}

fn show_routes(f: &mut fmt::Formatter<'_>, routed: &Routed) -> fmt::Result {
    let Routed { routes, host, target } = routed;
    let verdicts = match routes.verdicts(host, target) {
        Ok(Some(verdicts)) => verdicts,
        Ok(None) => {
            return writeln!(f, "path       none: the target is no path, and no route is compared with it");
        }
        Err(_) => return writeln!(f, "path       none: it climbs above the root"),
    };
    if verdicts.routes.iter().any(|(pattern, _)| pattern.has_host()) {
        match (&*verdicts.host, &**host) {
            ("", _) => writeln!(f, "host       none that a route could have")?,
            (normal, host) if normal == host => writeln!(f, "host       {normal}")?,
            (normal, host) => writeln!(f, "host       {normal}, the normal form of {host}")?,
        }
    }
    let (normal, path) = (&verdicts.normal, target.split('?').next().unwrap_or(target));
    match path == normal {
        true => writeln!(f, "path       {normal}, which is in normal form")?,
        false => writeln!(f, "path       {normal}, the normal form of {path}; routes are found by it")?,
    }
    if verdicts.routes.is_empty() {
        return writeln!(f, "routes     none: everything goes to one group");
    }
    writeln!(f, "\nroutes")?;
    show_rows(f, route_rows(&verdicts))?;
    if let Some(other) = &verdicts.other_reading {
        writeln!(f, "  but a back end may read the path as {other}, which leads elsewhere")?;
    }
    match routes.find(host, target) {
        Ok(Found::LacksSlash(number)) => {
            let folder = routes.with_slash(number, target);
            writeln!(f, "  but there is a route for {folder}, to which the client is redirected")
        }
        Ok(Found::Route(_)) | Err(_) => show_rewrite(f, routed),
    }
}

/// What the route makes of the path.
fn show_rewrite(f: &mut fmt::Formatter<'_>, routed: &Routed) -> fmt::Result {
    let Some(rewrite) = routed.route().and_then(|route| route.rewrite.as_ref()) else { return Ok(()) };
    match rewrite.target(&routed.target) {
        Ok(target) => {
            writeln!(f, "\nrewritten  {target}, by {rewrite}; redirects of the back end are led back")
        }
        Err(_) => Ok(()),
    }
}

/// Each route with its verdict, and that of the default, which has no pattern.
fn route_rows(verdicts: &Verdicts<'_>) -> Vec<(String, String)> {
    let row = |(pattern, verdict): &(&Pattern, Verdict)| (pattern.to_string(), reason(*verdict).to_owned());
    let mut rows: Vec<_> = verdicts.routes.iter().map(row).collect();
    let default = match verdicts.routes.iter().any(|(_, verdict)| *verdict == Verdict::Serves) {
        true => "no: a route serves the request",
        false => "yes: no route fits the request",
    };
    rows.push(("default".to_owned(), default.to_owned()));
    rows
}

fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Serves => "yes: it is the most specific route that fits",
        Verdict::WiderHost => "no: it fits, and so does a route for a more specific host",
        Verdict::Shorter => "no: it fits, and so does a longer prefix",
        Verdict::LacksSlash => "no: the path lacks the slash at its end",
        Verdict::OtherHost => "no: it is for another host",
        Verdict::WithinSegment => "no: the path starts with it, but goes on in the same segment",
        Verdict::Differs => "no: the path does not start with it",
    }
}

fn show_turn(f: &mut fmt::Formatter<'_>, turn: &Turn, first: Option<SocketAddr>) -> fmt::Result {
    let Turn { group, policy, why, source, live, configured } = turn;
    match source {
        Some(source) => writeln!(f, "\ngroup      {}, {policy}, as seen by {source}", group.name())?,
        None => writeln!(
            f,
            "\ngroup      {}, {policy}; without --live, all its back ends count as up",
            group.name()
        )?,
    }
    // An address that stands there twice is first once.
    let mut first = first;
    let mut is_first = |address: SocketAddr| first.take_if(|first| *first == address).is_some();
    let Some(live) = live else {
        let row = |one: &Configured| {
            let words = is_first(one.address).then(|| why.words().to_owned());
            let words: Vec<String> =
                share_words(one.weight, one.is_backup).into_iter().chain(words).collect();
            let words = Some(words.join(", ")).filter(|words| !words.is_empty());
            let parts: Vec<String> = one.host.iter().cloned().chain(words).collect();
            (one.address.to_string(), parts.join("  "))
        };
        return show_rows(f, configured.iter().map(row).collect());
    };
    let live_row = |backend: &LiveBackend| live_row(backend, *why, is_first(backend.address));
    let mut rows: Vec<(String, String)> = live.backends.iter().map(live_row).collect();
    let is_there = |address: SocketAddr| live.backends.iter().any(|backend| backend.address == address);
    let missing = configured.iter().filter(|one| !is_there(one.address));
    rows.extend(
        missing.map(|one| (one.address.to_string(), "not a back end of the running role".to_owned())),
    );
    show_rows(f, rows)
}

/// What a back end gets, where that is not the usual.
fn share_words(weight: u32, is_backup: bool) -> Vec<String> {
    let weight = (weight != 1).then(|| format!("weight {weight}"));
    weight.into_iter().chain(is_backup.then(|| "backup".to_owned())).collect()
}

fn live_row(backend: &LiveBackend, why: Why, is_first: bool) -> (String, String) {
    let LiveBackend { address, weight, backup, state, usable, active, served, failed, next } = backend;
    let turn = match (usable, why) {
        (false, _) => Some("gets nothing"),
        (true, Why::Turn) => next.then_some("next in turn"),
        (true, Why::NewClient) => next.then_some("next in turn, for a client without a cookie"),
        (true, Why::Chance | Why::Client | Why::Cookie) => is_first.then(|| why.words()),
    };
    let words =
        [state.clone()].into_iter().chain(share_words(*weight, *backup)).chain(turn.map(str::to_owned));
    let words: Vec<String> = words.collect();
    (address.to_string(), format!("{}: {active} active, {served} served, {failed} failed", words.join(", ")))
}

/// Two columns, the second one aligned.
fn show_rows(f: &mut fmt::Formatter<'_>, rows: Vec<(String, String)>) -> fmt::Result {
    let width = rows.iter().map(|(first, _)| first.len()).max().unwrap_or(0);
    rows.iter().try_for_each(|(first, second)| match second.is_empty() {
        true => writeln!(f, "  {first}"),
        false => writeln!(f, "  {first:width$}  {second}"),
    })
}

impl Report<'_> {
    fn show_heads(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = lines(self.received);
        match &self.dry_run.sent {
            Sent::Forwarded { to, proxy_header, head } => {
                let after = lines(head);
                writeln!(f, "\nreceived (- is not passed on)")?;
                show_lines(f, &before, |line| if after.contains(line) { ' ' } else { '-' })?;
                writeln!(f, "\nforwarded to {to} (+ is new)")?;
                show_proxy_header(f, proxy_header)?;
                show_lines(f, &after, |line| if before.contains(line) { ' ' } else { '+' })
            }
            Sent::Answered(response) => {
                writeln!(f, "\nreceived")?;
                show_lines(f, &before, |_| ' ')?;
                writeln!(f, "\nanswered by {} itself", self.role)?;
                show_lines(f, &lines(response), |_| ' ')
            }
            Sent::Nothing => writeln!(f, "\nclosed by {}: no back end is usable", self.role),
        }
    }
}

fn show_lines(
    f: &mut fmt::Formatter<'_>,
    lines: &[Cow<'_, str>],
    mark: impl Fn(&Cow<'_, str>) -> char,
) -> fmt::Result {
    lines.iter().try_for_each(|line| match line.is_empty() {
        true => writeln!(f),
        false => writeln!(f, "{} {line}", mark(line)),
    })
}

/// The PROXY header of version 1 is text, that of version 2 is not.
fn show_proxy_header(f: &mut fmt::Formatter<'_>, header: &[u8]) -> fmt::Result {
    match std::str::from_utf8(header).ok().and_then(|text| text.strip_suffix("\r\n")) {
        _ if header.is_empty() => Ok(()),
        Some(line) => writeln!(f, "+ {line} (port {CLIENT_PORT} stands for the client's own)"),
        None => writeln!(f, "+ a PROXY header of version 2, {} bytes", header.len()),
    }
}

/// The lines of a head, and of a text behind it, without the empty lines at the end.
fn lines(bytes: &[u8]) -> Vec<Cow<'_, str>> {
    let lines = bytes.trim_ascii_end().split(|byte| *byte == b'\n');
    lines.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line))).collect()
}
