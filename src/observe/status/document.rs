//! `/status.json` and `/lanes.json`, and why `/readyz` says no.
//!
//! Contract: schema 1. Fields may be added; none goes away or changes its meaning without another number.
//! `docs/operations.md` describes them.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::balance::{Backend, Group};
use crate::net::process::ProcessFigures;
use crate::observe::counters::{BOUNDS_US, ByStatus, Counter, Distribution, STATUS_CLASSES, Totals};
use crate::observe::lane::{Kind, Lane, PHASES};
use crate::observe::log;
use crate::observe::role_view::{Board, RoleView};
use crate::protocol::guard::GUARDS;

/// The version of the documents.
const SCHEMA: u32 = 1;

/// Closing lines that are shown.
const CLOSINGS_SHOWN: usize = 50;

/// Why roles are not ready, a sentence each.
pub(super) fn unready(board: &Board) -> Vec<String> {
    let now = Instant::now();
    board.roles().iter().filter_map(|role| role.unready(now)).collect()
}

/// `/status.json`.
pub(super) fn status(board: &Board, token_needed: bool) -> String {
    let reasons = unready(board);
    let process = ProcessFigures::read();
    let document = json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "time_ms": time_ms(),
        "uptime_s": board.switches.began.elapsed().as_secs_f64(),
        "pid": std::process::id(),
        "token_needed": token_needed,
        "process": {
            "cpu_s": process.cpu.map(|cpu| cpu.as_secs_f64()),
            "resident_bytes": process.resident_bytes,
            "open_files": process.open_files,
            "open_files_max": process.open_files_max,
        },
        "log_lines_dropped": log::lines_dropped(),
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "roles": board.roles().iter().map(|view| role(view)).collect::<Vec<_>>(),
        "closings": closings(board),
    });
    format!("{document}\n")
}

/// `/lanes.json`: small, for it is asked for several times a second.
pub(super) fn lanes(board: &Board) -> String {
    let now_us = board.switches.microseconds(Instant::now());
    let of_role = |view: &RoleView| {
        let lane = |lane: &Lane| {
            let moment = lane.moment();
            // A worker that parks a connection does not wake the parking, whose lane is its own.
            let holds = if lane.kind == Kind::Parking { view.parked() } else { lane.holds() };
            json!([moment.phase, moment.connection, now_us.saturating_sub(moment.since_us), holds])
        };
        json!({
            "role": view.facts.role,
            // One is enough to tell the roles apart, and this document is asked for often.
            "listen": view.facts.listen.first().map(ToString::to_string),
            "lanes": view.lanes().iter().map(|one| lane(one)).collect::<Vec<_>>(),
        })
    };
    let roles: Vec<Value> = board.roles().iter().map(|view| of_role(view)).collect();
    format!("{}\n", json!({ "time_ms": time_ms(), "phases": PHASES, "roles": roles }))
}

fn role(view: &RoleView) -> Value {
    let (facts, totals) = (&view.facts, view.totals());
    let count = |counter| totals.get(counter);
    let groups = view.groups();
    json!({
        "role": facts.role,
        "model": facts.model,
        "service": facts.service,
        "listen": listen(view),
        "state": view.state(),
        "workers": facts.workers,
        "loops": facts.loops,
        "connections_max": facts.connections_max,
        "worker_queue_max": facts.worker_queue_max,
        "connections": {
            "accepted": count(Counter::Accepted),
            "open": view.open(),
            "refused": count(Counter::Refused),
            "parked": view.parked(),
        },
        "requests": by_status(&totals.statuses),
        "guards": GUARDS
            .iter()
            .zip(totals.guards)
            .map(|((_, guard), count)| ((*guard).to_owned(), json!(count)))
            .collect::<Value>(),
        "unclean": count(Counter::Unclean),
        "bytes_in": count(Counter::BytesIn),
        "bytes_out": count(Counter::BytesOut),
        "retries": count(Counter::Retries),
        "worker_queue": view.worker_queue(),
        "backend_queue": groups.iter().map(|group| group.waiting()).sum::<usize>(),
        "look_ups": { "found": view.look_ups.found(), "failed": view.look_ups.failed() },
        "loop_iterations": count(Counter::Iterations),
        "loop_events": count(Counter::Events),
        "latency": latency(&totals),
        "routes": routes(view, &groups, &totals),
        "groups": groups.iter().map(|one| group(view, one)).collect::<Vec<_>>(),
        "lanes": view
            .lanes()
            .iter()
            .map(|lane| json!({ "name": lane.name, "kind": lane.kind.word() }))
            .collect::<Vec<_>>(),
    })
}

fn group(view: &RoleView, group: &Group) -> Value {
    let now = Instant::now();
    let next = group.next_in_turn(now);
    let backend = |backend: &Arc<Backend>| {
        let [passed, failed] = backend.checks();
        json!({
            "address": backend.address.to_string(),
            "host": backend.host(),
            "service": backend.service(),
            "weight": backend.weight(),
            "backup": backend.is_backup(),
            "slow_start": group.warmth(backend, now),
            "state": backend.state(),
            "usable": backend.is_up(),
            "control": backend.control().word(),
            "active": view.active(group, backend),
            "served": backend.served(),
            "failed": backend.failures_reported(),
            "checks_passed": passed,
            "checks_failed": failed,
            "ejections": backend.ejections(),
            "next": next.as_ref().is_some_and(|next| Arc::ptr_eq(next, backend)),
        })
    };
    json!({
        "name": group.name(),
        "policy": group.policy().name(),
        "active_max": group.active_max().unwrap_or(0),
        "waiting": group.waiting(),
        "turns": group.turns(),
        "backends": group.backends().iter().map(backend).collect::<Vec<_>>(),
    })
}

fn routes(view: &RoleView, groups: &[Arc<Group>], totals: &Totals) -> Vec<Value> {
    if view.facts.service != "gateway" {
        return Vec::new();
    }
    let counted = groups.iter().filter_map(|group| Some((group, totals.groups.get(group.number()?)?)));
    counted.map(|(group, counts)| json!({ "route": group.name(), "requests": by_status(counts) })).collect()
}

fn by_status(counts: &ByStatus<u64>) -> Value {
    STATUS_CLASSES.iter().zip(counts).map(|(class, count)| ((*class).to_owned(), json!(count))).collect()
}

fn latency(totals: &Totals) -> Value {
    let one = |distribution: &Distribution| {
        json!({
            "buckets": distribution.buckets,
            "count": distribution.count(),
            "sum_s": distribution.sum_us as f64 / 1e6,
        })
    };
    json!({
        "bounds_s": BOUNDS_US.map(|us| us as f64 / 1e6),
        "queue": one(&totals.queue),
        "connect": one(&totals.connect),
        "first_byte": one(&totals.first_byte),
        "total": one(&totals.total),
    })
}

/// The last closing lines of all lanes, oldest first.
fn closings(board: &Board) -> Vec<String> {
    let lanes = board.roles().into_iter().flat_map(|role| role.lanes());
    let mut lines: Vec<(u64, String)> = lanes.flat_map(|lane| lane.closings()).collect();
    lines.sort();
    let first = lines.len().saturating_sub(CLOSINGS_SHOWN);
    lines.drain(first..).map(|(_, line)| line).collect()
}

fn listen(view: &RoleView) -> Vec<String> {
    view.facts.listen.iter().map(ToString::to_string).collect()
}

fn time_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
