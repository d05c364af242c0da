//! `giliran ctl`: asks a running role through its status page, or changes what its back ends get.
//!
//! Contract: a question or a decision is one request, bounded in time and bytes. What the role says is shown without
//! anything that could change the terminal. Status 0 if it did what was asked, 1 if not, 2 for a mistake in the words.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::table::table;
use crate::app::cli::{Failure, status_page};
use crate::app::defaults;
use crate::app::duration;
use crate::app::running::{LiveBackend, LiveGroup, LiveRole, Running, STATUS_LIMITS};
use crate::app::status::read_token;
use crate::net::endpoint::Endpoint;
use crate::net::fetch::{FetchLimits, post};
use crate::observe::log::Quoted;

/// Bytes of the sentence by which a role says what it did.
const SENTENCE_BYTES_MAX: usize = 16 * 1024;

/// The arguments of the command.
#[derive(Args, Clone, Debug)]
pub(super) struct Ctl {
    #[command(subcommand)]
    order: Order,
    /// Address of the status page that is asked, as the role prints it: http://127.0.0.1:8891 or 127.0.0.1:8891
    #[arg(long, value_name = "ADDR", global = true, value_parser = status_page, default_value_t = Endpoint::from(defaults::STATUS))]
    status: Endpoint,
    /// File with the token that changes need, if the role has --status-token
    #[arg(long, value_name = "PATH", global = true)]
    status_token: Option<PathBuf>,
}

/// What is asked for.
#[derive(Clone, Debug, Subcommand)]
enum Order {
    /// Shows the roles of a running process
    Status,
    /// Shows the back ends of its roles
    Backends,
    /// Gives a back end its turn again
    Ready(Place),
    /// Gives a back end nothing new; what it has goes on
    Drain(Place),
    /// Treats a back end as failed
    Down(Place),
}

/// A back end.
#[derive(Args, Clone, Debug)]
struct Place {
    /// Group of the back end, as `giliran ctl backends` shows it
    group: String,
    /// Address of the back end, such as 127.0.0.1:3000
    #[arg(value_parser = address)]
    address: SocketAddr,
}

impl Ctl {
    pub(super) const ABOUT: &str =
        "Asks a running role what it does, or drains a back end, through its status page";
    pub(super) const EXAMPLES: &str = "Examples:
  giliran ctl status
  giliran ctl backends --status 127.0.0.1:9900
  giliran ctl drain balance 127.0.0.1:3000 --status-token /etc/giliran/token
  giliran ctl ready balance 127.0.0.1:3000 --status-token /etc/giliran/token";

    /// Does it: what is to be printed.
    pub(super) fn run(&self) -> Result<String, Failure> {
        let running = || Running::ask(&self.status).map_err(|words| self.failure(&words));
        match &self.order {
            Order::Status => Ok(of_roles(&running()?)),
            Order::Backends => of_backends(&running()?).map_err(|words| self.failure(words)),
            Order::Ready(place) => self.decide(place, "ready"),
            Order::Drain(place) => self.decide(place, "drain"),
            Order::Down(place) => self.decide(place, "down"),
        }
    }

    fn decide(&self, Place { group, address }: &Place, word: &str) -> Result<String, Failure> {
        let token = self.status_token.as_deref().map(read_token).transpose()?;
        let path = format!("/backends/{}/{address}/{word}", utf8_percent_encode(group, NON_ALPHANUMERIC));
        let limits = FetchLimits { bytes: SENTENCE_BYTES_MAX, ..STATUS_LIMITS };
        let (status, said) = post(&self.status, &path, token.as_deref(), limits)
            .map_err(|error| self.failure(&error.to_string()))?;
        match status {
            200 => Ok(format!("{} {address}: {word}\n", Quoted(group))),
            _ => {
                let said = String::from_utf8_lossy(&said);
                let said = Quoted(said.trim_end()).to_string();
                Err(self.failure(&format!("it responded with status {status}: {said}")))
            }
        }
    }

    fn failure(&self, words: &str) -> Failure {
        Failure::Runtime(format!("ctl: http://{}: {words}", self.status))
    }
}

/// The process and its roles.
fn of_roles(running: &Running) -> String {
    let Running { version, pid, uptime_s, reasons, roles } = running;
    let readiness = match reasons.is_empty() {
        true => "ready".to_owned(),
        false => {
            let reasons: Vec<String> = reasons.iter().map(|reason| Quoted(reason).to_string()).collect();
            format!("not ready: {}", reasons.join(" "))
        }
    };
    // More than a duration holds is nobody's uptime.
    let up = duration::text(Duration::from_secs(
        Duration::try_from_secs_f64(*uptime_s).unwrap_or_default().as_secs(),
    ));
    let heading = ["role", "model", "listens on", "state", "open", "accepted", "refused"].map(str::to_owned);
    let row = |role: &LiveRole| {
        let listen: Vec<String> = role.listen.iter().map(ToString::to_string).collect();
        let LiveRole { role, model, state, connections, .. } = role;
        let [open, accepted, refused] =
            [connections.open, connections.accepted, connections.refused].map(|count| count.to_string());
        [role.clone(), model.clone(), listen.join(","), state.clone(), open, accepted, refused]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(roles.iter().map(row)).collect();
    format!("{readiness}; process {pid}, up {up}, version {}\n{}", Quoted(version), table(&rows))
}

/// The back ends of all groups.
fn of_backends(running: &Running) -> Result<String, &'static str> {
    let heading =
        ["role", "group", "back end", "state", "weight", "active", "served", "failed", ""].map(str::to_owned);
    let row = |role: &LiveRole, group: &LiveGroup, backend: &LiveBackend| {
        let counts = [backend.active, backend.served, backend.failed].map(|count| count.to_string());
        let [active, served, failed] = counts;
        let weight = match backend.backup {
            true => format!("{} backup", backend.weight),
            false => backend.weight.to_string(),
        };
        let next = if backend.next { "next" } else { "" };
        let [role, group] = [role.role.clone(), shown(&group.name)];
        [
            role,
            group,
            backend.address.to_string(),
            backend.state.clone(),
            weight,
            active,
            served,
            failed,
            next.into(),
        ]
    };
    let groups = running.roles.iter().flat_map(|role| role.groups.iter().map(move |group| (role, group)));
    let backends =
        groups.flat_map(|(role, group)| group.backends.iter().map(move |one| row(role, group, one)));
    let rows: Vec<_> = std::iter::once(heading).chain(backends).collect();
    match rows.len() {
        1 => Err("no role there has back ends"),
        _ => Ok(table(&rows)),
    }
}

/// The name of a group as it can be typed: in quotes if there is a blank or something invisible in it.
fn shown(group: &str) -> String {
    let is_plain = !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if is_plain { group.to_owned() } else { Quoted(group).to_string() }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not the address of a back end: write one that `giliran ctl backends` shows, such as 127.0.0.1:3000")
    })
}
