//! `explain`: what would become of a request, and why, as a text for people.
//!
//! Contract: it starts nothing, binds nothing and connects to no back end; only `--live` opens a connection, to the
//! status page that it names. Nothing is decided here: the role is prepared from the same flags and file as when it
//! is started, and the machine that serves its clients is given the request.
//!
//! | file | what is in it |
//! |---|---|
//! | `live` | the status page of a running role: which back ends it uses, and whose turn it is |
//! | `dry_run` | one request through the machine of a gateway, or past the rules of a relay |
//! | `report` | the text |

mod dry_run;
mod live;
mod report;

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::Args;

use crate::app::cli::{Failure, Request, Role};
use crate::app::invocation::{Invocation, NotStarted};
use crate::app::roles::PreparedRole;
use crate::app::service::Service;
use dry_run::{DryRun, Turn};
use live::Live;

/// The port of the client where something shows one: the first of those that systems give to clients. The real one
/// is not known before there is a connection.
const CLIENT_PORT: u16 = 49152;

/// The arguments of the command: the request, and the flags of the role.
#[derive(Args, Clone, Debug)]
struct Explain<A: Args> {
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    role: A,
}

/// The text about the request that `argv` names, as the role with these flags would serve it.
pub(crate) fn explain<A: Args>(
    role: &Role,
    argv: Vec<OsString>,
    prepare: impl Fn(&Role, &A) -> Result<PreparedRole, Failure>,
) -> Result<String, NotStarted> {
    let invocation = Invocation::<Explain<A>>::read_as(role.explain_command::<A>(), argv)?;
    let Explain { request, role: flags } = &invocation.args;
    if invocation.is_check() {
        let words = "--check: explain validates the settings in any case, and starts nothing";
        return Err(Failure::Usage(words.to_owned()).into());
    }
    let prepared = prepare(role, flags)?;
    let live = request.live.as_ref().map(|page| Live::ask(page, role.name)).transpose()?;
    Ok(tell(role, request, &prepared, live.as_ref())?)
}

fn tell(
    role: &Role,
    request: &Request,
    prepared: &PreparedRole,
    live: Option<&Live>,
) -> Result<String, Failure> {
    let received = head(request, prepared.listens_on());
    let client = prepared.client(SocketAddr::new(request.from, CLIENT_PORT));
    let turn = |group: &_, is_named| Turn::of(group, is_named, live);
    let dry_run = match prepared.service() {
        Service::Web(_) => return Err(Failure::Usage("it has no back ends: it serves a folder".to_owned())),
        Service::Gateway { routes, rules } => {
            let context = prepared.context();
            DryRun::of_request(context, routes, rules, client, &received, turn)?
        }
        Service::Relay(group) => DryRun::of_bytes(group, client, &received, turn)?,
    };
    let is_named = prepared.expects_proxy_header();
    Ok(report::Report { role: role.name, request, is_named, received: &received, dry_run: &dry_run }
        .to_string())
}

/// The request as a client sends it.
fn head(request: &Request, listens_on: Option<SocketAddr>) -> Vec<u8> {
    let Request { method, target, header, .. } = request;
    let mut head = format!("{method} {} HTTP/1.1\r\n", target.path);
    if !header.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        let host = target.host.clone().unwrap_or_else(|| own_host(listens_on));
        head.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in header {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The host by which a client on this machine would name the role.
fn own_host(listens_on: Option<SocketAddr>) -> String {
    /// The port that a `Host` does not name.
    const HTTP_PORT: u16 = 80;
    let Some(address) = listens_on else { return "localhost".to_owned() };
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    match address.port() {
        // Port 0 is known only once the role listens.
        0 | HTTP_PORT => host,
        port => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_as_a_client_beside_it_would() {
        for (address, host) in [
            ("127.0.0.1:18000", "127.0.0.1:18000"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("0.0.0.0:81", "localhost:81"),
            ("[::1]:0", "[::1]"),
        ] {
            assert_eq!(own_host(Some(address.parse().unwrap())), host);
        }
        assert_eq!(own_host(None), "localhost");
    }
}
