//! The metrics of all roles as text: OpenMetrics 1.0, or the older text format of Prometheus.
//!
//! Contract: names and units follow the conventions of Prometheus (`giliran_…_total`, `_seconds`, `_bytes`).
//! Counters only grow, as long as the process lives. Every sample of a role has the labels `role` and `listen`.

mod backends;
mod exposition;

use std::sync::Arc;
use std::time::Instant;

use super::counters::{Counter, Distribution, STATUS_CLASSES, Totals};
use super::lane::Kind;
use super::log;
use super::role_view::{Board, RoleView};
use crate::net::process::ProcessFigures;
use crate::protocol::guard::GUARDS;
pub(crate) use exposition::Format;
use exposition::{Labels, Seconds, Text, Type};

/// All metrics at this moment. Each help text stands alone: Prometheus shows it without its neighbours.
pub(crate) fn text(board: &Board, format: Format) -> String {
    let mut text = Text::new(format);
    process(&mut text, board);
    let roles: Vec<RoleSample> = board.roles().iter().map(RoleSample::of).collect();
    connections(&mut text, &roles);
    requests(&mut text, &roles);
    latencies(&mut text, &roles);
    threads(&mut text, &roles);
    backends::backends(&mut text, &roles);
    text.finish()
}

/// A role, its labels, and its sums, read once for all of its metrics.
struct RoleSample {
    view: Arc<RoleView>,
    labels: Labels,
    totals: Totals,
}

impl RoleSample {
    fn of(view: &Arc<RoleView>) -> RoleSample {
        let listen: Vec<String> = view.facts.listen.iter().map(ToString::to_string).collect();
        let labels = Labels::default().and("role", view.facts.role).and("listen", &listen.join(" "));
        RoleSample { view: Arc::clone(view), labels, totals: view.totals() }
    }
}

fn process(text: &mut Text, board: &Board) {
    let info = Labels::default().and("version", env!("CARGO_PKG_VERSION"));
    text.family("giliran_build", Type::Info, "The version that runs.").sample("", &info, 1);
    let figures = ProcessFigures::read();
    let none = Labels::default();
    let uptime = board.switches.began.elapsed();
    text.family("giliran_uptime_seconds", Type::Gauge, "Time since this process started.").sample(
        "",
        &none,
        Seconds(uptime),
    );
    if let Some(cpu) = figures.cpu {
        text.family("process_cpu_seconds", Type::Counter, "Processor time, user and system.").sample(
            "",
            &none,
            Seconds(cpu),
        );
    }
    let gauges = [
        ("process_resident_memory_bytes", "Memory of this process in RAM.", figures.resident_bytes),
        ("process_open_fds", "Open files and sockets of this process.", figures.open_files),
        (
            "process_max_fds",
            "The most files and sockets that this process may have open.",
            figures.open_files_max,
        ),
    ];
    for (name, help, value) in gauges {
        value.into_iter().for_each(|value| text.family(name, Type::Gauge, help).sample("", &none, value));
    }
    text.family(
        "giliran_log_lines_dropped",
        Type::Counter,
        "Log lines that were lost because the log was slow.",
    )
    .sample("", &none, log::lines_dropped());
}

fn connections(text: &mut Text, roles: &[RoleSample]) {
    counter(text, roles, "giliran_connections_accepted", "Client connections accepted.", Counter::Accepted);
    counter(
        text,
        roles,
        "giliran_connections_refused",
        "Clients refused because no worker was free and the worker queue was full: answered 503, or with TLS just closed.",
        Counter::Refused,
    );
    gauge(text, roles, "giliran_connections_open", "Client connections that are open.", |view| {
        view.open() as u64
    });
    gauge(text, roles, "giliran_connections_max", "Client connections that may be open at most.", |view| {
        view.facts.connections_max as u64
    });
    gauge(
        text,
        roles,
        "giliran_connections_parked",
        "Client connections that wait for bytes without holding a worker.",
        RoleView::parked,
    );
    gauge(text, roles, "giliran_worker_queue_length", "Client connections that wait for a worker.", |view| {
        view.worker_queue() as u64
    });
    gauge(
        text,
        roles,
        "giliran_ready",
        "1 if new clients may be sent to this role, as /readyz says.",
        |view| u64::from(view.unready(Instant::now()).is_none()),
    );
}

fn requests(text: &mut Text, roles: &[RoleSample]) {
    let help = "Requests, or relayed connections, that ended, by the class of their status.";
    let mut family = text.family("giliran_requests", Type::Counter, help);
    for role in roles {
        for (class, count) in STATUS_CLASSES.iter().zip(role.totals.statuses) {
            family.sample("", &role.labels.and("status", class), count);
        }
    }
    let help = "Requests that ended, by the route that they took and the class of their status.";
    let mut family = text.family("giliran_route_requests", Type::Counter, help);
    for role in roles.iter().filter(|role| role.view.facts.service == "gateway") {
        for group in role.view.groups() {
            let Some(counts) = group.number().and_then(|number| role.totals.groups.get(number)) else {
                continue;
            };
            let labels = role.labels.and("route", group.name());
            for (class, count) in STATUS_CLASSES.iter().zip(counts) {
                family.sample("", &labels.and("status", class), count);
            }
        }
    }
    counter(
        text,
        roles,
        "giliran_requests_unclean",
        "Requests, or relayed connections, that did not end as they should.",
        Counter::Unclean,
    );
    let help = "Requests, or connections of a relay, that a guard refused, by the guard.";
    let mut family = text.family("giliran_guard_refused", Type::Counter, help);
    for role in roles {
        for ((_, guard), count) in GUARDS.iter().zip(role.totals.guards) {
            family.sample("", &role.labels.and("guard", guard), count);
        }
    }
    counter(
        text,
        roles,
        "giliran_health_checks_answered",
        "Health checks made here by other programs; no other metric counts them.",
        Counter::Checks,
    );
    counter(
        text,
        roles,
        "giliran_retries",
        "Attempts on back ends that failed and were followed by another.",
        Counter::Retries,
    );
    counter(text, roles, "giliran_received_bytes", "Bytes received from clients.", Counter::BytesIn);
    counter(text, roles, "giliran_sent_bytes", "Bytes sent to clients.", Counter::BytesOut);
}

fn latencies(text: &mut Text, roles: &[RoleSample]) {
    type Part = fn(&Totals) -> &Distribution;
    let parts: [(&str, &str, Part); 4] = [
        (
            "giliran_queue_seconds",
            "Time of requests in queues: for a worker, and for a back end with room.",
            |all| &all.queue,
        ),
        ("giliran_connect_seconds", "Time to connect to a back end.", |all| &all.connect),
        (
            "giliran_first_byte_seconds",
            "Time from the beginning of a request to the first byte of its response.",
            |all| &all.first_byte,
        ),
        (
            "giliran_total_seconds",
            "Time from the beginning of a request, or relayed connection, to its end.",
            |all| &all.total,
        ),
    ];
    for (name, help, part) in parts {
        let mut family = text.family(name, Type::Histogram, help);
        for role in roles {
            family.histogram(&role.labels, part(&role.totals));
        }
    }
}

fn threads(text: &mut Text, roles: &[RoleSample]) {
    let workers = |view: &RoleView, is_wanted: fn(u64) -> bool| {
        let lanes = view.lanes();
        lanes.iter().filter(|lane| lane.kind == Kind::Worker && is_wanted(lane.holds())).count() as u64
    };
    gauge(text, roles, "giliran_workers", "Worker threads.", |view| view.facts.workers as u64);
    gauge(text, roles, "giliran_workers_busy", "Workers that serve a connection.", |view| {
        workers(view, |holds| holds > 0)
    });
    gauge(text, roles, "giliran_loops", "Event loops, each a thread.", |view| view.facts.loops as u64);
    counter(text, roles, "giliran_loop_iterations", "Iterations of the event loops.", Counter::Iterations);
    counter(text, roles, "giliran_loop_events", "Events that the event loops handled.", Counter::Events);
}

fn counter(text: &mut Text, roles: &[RoleSample], name: &str, help: &str, counter: Counter) {
    let mut family = text.family(name, Type::Counter, help);
    roles.iter().for_each(|role| family.sample("", &role.labels, role.totals.get(counter)));
}

fn gauge(text: &mut Text, roles: &[RoleSample], name: &str, help: &str, value: impl Fn(&RoleView) -> u64) {
    let mut family = text.family(name, Type::Gauge, help);
    roles.iter().for_each(|role| family.sample("", &role.labels, value(&role.view)));
}

#[cfg(test)]
mod tests;
