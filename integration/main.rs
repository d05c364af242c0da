//! Black-box tests: each starts real binaries on free loopback ports and speaks to them from outside.
//!
//! One topic a file. A test waits for an event with a deadline and never sleeps; only where the point is
//! that nothing happens it watches for a while (`expect_silence`). It leaves nothing running, and runs on
//! both drivers by [`support::both`] unless its topic is one of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]
#![allow(unreachable_pub, reason = "nothing is outside a test binary: `pub` means shared between topics")]

mod support;

/// Named so that `cargo test integration` runs these tests and no others.
#[path = "."]
mod integration {
    /// What the access log tells programs of each request.
    mod access_log;
    /// How addresses are written, what they mean, and those that lead back to the role itself.
    mod addresses;
    /// What each room of `src/` may use.
    mod boundaries;
    /// Many short connections with ends of every kind.
    mod churn;
    /// Flags, the configuration file, logs.
    mod cli;
    /// The course guide: its commands, its two languages, its quotations, its pictures.
    mod course;
    /// More connections than workers.
    mod crowd;
    /// Descriptors used up.
    mod descriptors;
    /// Generated requests to both drivers, and the same bytes back.
    mod differential;
    /// Back ends that are found by name and by service, and followed while they change.
    mod discovery;
    /// Back ends behind the name server of Debian, under load.
    mod dnsmasq;
    /// What the documentation and the comments mention.
    mod docs;
    /// How a role ends.
    mod drain;
    /// The exercises of the course, with and without their answers.
    mod exercises;
    /// What would become of a request.
    mod explain;
    /// One client that never stops beside others.
    mod fairness;
    /// A folder, served as people expect: the flags of a site.
    mod folder;
    /// Requests through a back end that works.
    mod gateway;
    /// Requests through a back end that does not.
    mod gateway_faults;
    /// The one program, its completions and its manual.
    mod giliran;
    /// Who may ask, how often, how much, and with which password.
    mod guards;
    /// The harness itself: whether a test that fails can be believed.
    mod harness;
    /// Which back ends are used: checks, back ends that go and come.
    mod health;
    /// Connections, framing and limits of a server.
    mod http;
    /// A process with nothing to do.
    mod idle;
    /// The lab as its users run it.
    mod lab;
    /// The lab's report in a browser, and as Markdown.
    mod lab_report;
    /// A lab that is stopped in the middle.
    mod lab_stops;
    /// The ladder: programs of the course in `examples/`, step by step.
    mod ladder;
    /// At most so many requests at a time with one back end.
    mod load;
    /// What the lines of the log say.
    mod log_lines;
    /// Thousands of idle connections.
    mod many_idle;
    /// Files of people who come from nginx, HAProxy and Caddy.
    mod migration;
    /// What a running role is told by signals.
    mod operations;
    /// Apache Bench and a browser.
    mod peers;
    /// Policies, weights, backups, slow start, and cookies.
    mod policies;
    /// What the threaded model alone has.
    mod pool;
    /// Clients that come through a proxy, and back ends that are told of them.
    mod proxy_protocol;
    /// Our counterparts of the Python programs: the same wire format, the same faults.
    mod python_counterparts;
    /// What the Python programs did wrong.
    mod python_faults;
    /// Bytes both ways.
    mod relay;
    /// Routes by host and path, and what they change.
    mod routes;
    /// Files and pages.
    mod site;
    /// Files and folders that change while they are served, and what the log says of a refusal.
    mod site_changes;
    /// Messages that two programs may read differently.
    mod smuggling;
    /// Good and bad traffic for a while.
    mod soak;
    /// Peers that stall at every phase and then go on.
    mod stalls;
    /// What a running role shows, and what a person decides there.
    mod status;
    /// What a gateway sets right between two programs.
    mod syntax;
    /// What systemd gives a role, and what it is told.
    mod systemd;
    /// TLS towards clients.
    mod tls;
    /// TLS towards back ends.
    mod tls_behind;
    /// Certificates, their files, and their ends.
    mod tls_certificates;
    /// TLS with curl, openssl, nginx and HAProxy.
    mod tls_peers;
    /// The course's own `curl` sessions.
    mod transcript;
    /// Round robin under concurrent clients.
    mod turns;
}
