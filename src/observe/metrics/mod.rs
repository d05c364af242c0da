//! The metrics of all roles as text: OpenMetrics 1.0, or the older text format of Prometheus.
//!
//! Contract: names and units follow the conventions of Prometheus (`giliran_…_total`, `_seconds`, `_bytes`).
//! Counters only grow, as long as the process lives. Every sample of a role has the labels `role` and `listen`.
//!
//! The two formats differ in three places: OpenMetrics names a counter without `_total` where it describes it,
//! ends with `# EOF`, and has a type `info`, which the other writes as a gauge.

use std::fmt::{Display, Write};
use std::time::{Duration, Instant};

use super::counters::{BOUNDS_US, Counter, Distribution, STATUS_CLASSES, Totals};
use super::lane::Kind;
use super::log;
use super::role_view::{Board, RoleView};
use crate::net::process::ProcessFigures;

/// The format of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// <https://github.com/prometheus/OpenMetrics>, version 1.0.0.
    Open,
    /// Prometheus's own text format, version 0.0.4, which everything can read.
    Plain,
}

impl Format {
    /// What a client is given that accepts this (RFC 9110 section 12.5.1, as far as scrapers use it).
    pub(crate) fn accepted(accept: Option<&str>) -> Format {
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Format::Open,
            false => Format::Plain,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All metrics at this moment. Each help text stands alone: Prometheus shows it without its neighbours.
pub(crate) fn text(board: &Board, format: Format) -> String {
    let mut text = Text { out: String::new(), format };
    process(&mut text, board);
    let roles: Vec<RoleSample> = board.roles().iter().map(|role| RoleSample::of(role)).collect();
    connections(&mut text, &roles);
    requests(&mut text, &roles);
    latencies(&mut text, &roles);
    threads(&mut text, &roles);
    backends(&mut text, &roles);
    if format == Format::Open {
        text.out.push_str("# EOF\n");
    }
    text.out
}

/// A role, its labels, and its sums, read once for all of its metrics.
struct RoleSample {
    view: std::sync::Arc<RoleView>,
    labels: Labels,
    totals: Totals,
}

impl RoleSample {
    fn of(view: &std::sync::Arc<RoleView>) -> RoleSample {
        let listen: Vec<String> = view.facts.listen.iter().map(ToString::to_string).collect();
        let labels = Labels::default().and("role", view.facts.role).and("listen", &listen.join(" "));
        RoleSample { view: std::sync::Arc::clone(view), labels, totals: view.totals() }
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
    text.counter(roles, "giliran_connections_accepted", "Client connections accepted.", Counter::Accepted);
    text.counter(
        roles,
        "giliran_connections_refused",
        "Clients answered 503 because no worker was free and the worker queue was full.",
        Counter::Refused,
    );
    text.gauge(roles, "giliran_connections_open", "Client connections that are open.", |view| {
        view.open() as u64
    });
    text.gauge(roles, "giliran_connections_max", "Client connections that may be open at most.", |view| {
        view.facts.connections_max as u64
    });
    text.gauge(
        roles,
        "giliran_connections_parked",
        "Client connections that wait for bytes without holding a worker.",
        RoleView::parked,
    );
    text.gauge(roles, "giliran_worker_queue_length", "Client connections that wait for a worker.", |view| {
        view.worker_queue() as u64
    });
    text.gauge(
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
            family.sample("_total", &role.labels.and("status", class), count);
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
                family.sample("_total", &labels.and("status", class), count);
            }
        }
    }
    text.counter(
        roles,
        "giliran_requests_unclean",
        "Requests, or relayed connections, that did not end as they should.",
        Counter::Unclean,
    );
    text.counter(
        roles,
        "giliran_health_checks_answered",
        "Health checks made here by other programs; no other metric counts them.",
        Counter::Checks,
    );
    text.counter(
        roles,
        "giliran_retries",
        "Attempts on back ends that failed and were followed by another.",
        Counter::Retries,
    );
    text.counter(roles, "giliran_received_bytes", "Bytes received from clients.", Counter::BytesIn);
    text.counter(roles, "giliran_sent_bytes", "Bytes sent to clients.", Counter::BytesOut);
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
    text.gauge(roles, "giliran_workers", "Worker threads.", |view| view.facts.workers as u64);
    text.gauge(roles, "giliran_workers_busy", "Workers that serve a connection.", |view| {
        workers(view, |holds| holds > 0)
    });
    text.gauge(roles, "giliran_loops", "Event loops, each a thread.", |view| view.facts.loops as u64);
    text.counter(roles, "giliran_loop_iterations", "Iterations of the event loops.", Counter::Iterations);
    text.counter(roles, "giliran_loop_events", "Events that the event loops handled.", Counter::Events);
}

fn backends(text: &mut Text, roles: &[RoleSample]) {
    let groups: Vec<_> = roles
        .iter()
        .flat_map(|role| {
            role.view
                .groups()
                .into_iter()
                .map(move |group| (role, role.labels.and("group", group.name()), group))
        })
        .collect();
    let mut family = text.family(
        "giliran_backend_queue_length",
        Type::Gauge,
        "Connections or requests that wait for a back end with room.",
    );
    for (_, labels, group) in &groups {
        family.sample("", labels, group.waiting());
    }
    let all: Vec<_> = groups
        .iter()
        .flat_map(|(role, labels, group)| {
            let of = |backend: std::sync::Arc<crate::balance::Backend>| {
                (*role, group, labels.and("backend", &backend.address.to_string()), backend)
            };
            group.backends().into_iter().map(of).collect::<Vec<_>>()
        })
        .collect();
    let mut family = text.family("giliran_backend_up", Type::Gauge, "1 if the back end gets new work.");
    for (_, _, labels, backend) in &all {
        family.sample("", labels, u8::from(backend.is_up()));
    }
    let mut family = text.family(
        "giliran_backend_state",
        Type::Gauge,
        "1 for the state that the back end is in, 0 for the others.",
    );
    for (_, _, labels, backend) in &all {
        for state in ["up", "out by failures", "out by checks", "drain", "down"] {
            family.sample("", &labels.and("state", state), u8::from(backend.state() == state));
        }
    }
    let mut family = text.family(
        "giliran_backend_active",
        Type::Gauge,
        "Connections or requests that the back end is busy with.",
    );
    for (role, group, labels, backend) in &all {
        family.sample("", labels, role.view.active(group, backend));
    }
    type Part = fn(&crate::balance::Backend) -> u64;
    let counters: [(&str, &str, Part); 3] = [
        ("giliran_backend_served", "Times that the back end was chosen.", |backend| backend.served()),
        ("giliran_backend_failures", "Failures of the back end that connections met.", |backend| {
            backend.failures_reported()
        }),
        ("giliran_backend_ejections", "Times that failures took the back end out.", |backend| {
            backend.ejections()
        }),
    ];
    for (name, help, part) in counters {
        let mut family = text.family(name, Type::Counter, help);
        all.iter().for_each(|(_, _, labels, backend)| family.sample("_total", labels, part(backend)));
    }
    let mut family =
        text.family("giliran_backend_checks", Type::Counter, "Health checks of the back end, by result.");
    for (_, _, labels, backend) in &all {
        for (result, count) in ["passed", "failed"].iter().zip(backend.checks()) {
            family.sample("_total", &labels.and("result", result), count);
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Type {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// The text as it grows.
struct Text {
    out: String,
    format: Format,
}

/// The samples of one metric.
struct Family<'t> {
    text: &'t mut Text,
    name: &'t str,
    is_info: bool,
    is_counter: bool,
}

impl Text {
    /// Describes a metric. Its name has no `_total` and no `_info`: they belong to its samples.
    fn family<'t>(&'t mut self, name: &'t str, of: Type, help: &str) -> Family<'t> {
        let (word, suffix) = match (of, self.format) {
            (Type::Counter, Format::Open) => ("counter", ""),
            (Type::Counter, Format::Plain) => ("counter", "_total"),
            (Type::Gauge, _) => ("gauge", ""),
            (Type::Histogram, _) => ("histogram", ""),
            (Type::Info, Format::Open) => ("info", ""),
            (Type::Info, Format::Plain) => ("gauge", "_info"),
        };
        // Writing to a `String` does not fail, here and below.
        let _ = write!(self.out, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {word}\n");
        Family { text: self, name, is_info: of == Type::Info, is_counter: of == Type::Counter }
    }

    fn counter(&mut self, roles: &[RoleSample], name: &str, help: &str, counter: Counter) {
        let mut family = self.family(name, Type::Counter, help);
        roles.iter().for_each(|role| family.sample("", &role.labels, role.totals.get(counter)));
    }

    fn gauge(&mut self, roles: &[RoleSample], name: &str, help: &str, value: impl Fn(&RoleView) -> u64) {
        let mut family = self.family(name, Type::Gauge, help);
        roles.iter().for_each(|role| family.sample("", &role.labels, value(&role.view)));
    }
}

impl Family<'_> {
    fn sample(&mut self, suffix: &str, labels: &Labels, value: impl Display) {
        let suffix = match suffix {
            "" if self.is_counter => "_total",
            "" if self.is_info => "_info",
            suffix => suffix,
        };
        let _ = match labels.0.as_str() {
            "" => writeln!(self.text.out, "{}{suffix} {value}", self.name),
            labels => writeln!(self.text.out, "{}{suffix}{{{labels}}} {value}", self.name),
        };
    }

    fn histogram(&mut self, labels: &Labels, distribution: &Distribution) {
        let mut sum = 0;
        let bounds = BOUNDS_US.iter().map(|us| Seconds(Duration::from_micros(*us)).to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(distribution.buckets) {
            sum += count;
            self.sample("_bucket", &labels.and("le", &bound), sum);
        }
        self.sample("_sum", labels, Seconds(Duration::from_micros(distribution.sum_us)));
        self.sample("_count", labels, sum);
    }
}

/// Labels in the form in which they are written.
#[derive(Clone, Debug, Default)]
struct Labels(String);

impl Labels {
    fn and(&self, name: &str, value: &str) -> Labels {
        let mut labels = self.0.clone();
        let comma = if labels.is_empty() { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(labels, "{comma}{name}=\"{value}\"");
        Labels(labels)
    }
}

/// A duration as Prometheus has all of them: seconds with a fraction.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests;
