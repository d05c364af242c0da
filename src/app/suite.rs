//! The whole picture in one process: the course's servers, its proxy and its two balancers.
//!
//! Contract: everything is bound before anything is wired, so that the proxy and the balancers know
//! the ports that were really taken; the map is printed once all of it can be reached.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::app::cli::{self, Failure, Role};
use crate::app::defaults;
use crate::app::reload::Reload;
use crate::app::roles::connections_max;
use crate::app::service::{RunningService, Service};
use crate::app::settings::{Model, Settings};
use crate::balance::Group;
use crate::balance::routes::Routes;
use crate::net::listen::{ListenError, bind};
use crate::net::shutdown::Shutdown;
use crate::net::signals;
use crate::protocol::forward::Rules;
use crate::site::{self, Site};

/// What one role of the suite does.
#[derive(Clone, Debug)]
enum Job {
    Site(Arc<Site>),
    Proxy,
    Balance,
}

/// One role of the suite before it has a port.
#[derive(Clone, Debug)]
struct Seat {
    role: Role,
    model: Model,
    job: Job,
    wanted: SocketAddr,
    /// What to ask it for in the map.
    path: &'static str,
}

/// A role that listens.
#[derive(Debug)]
struct Bound {
    seat: Seat,
    listener: TcpListener,
    address: SocketAddr,
}

/// A role with its listener and its service.
type Wired = (Seat, TcpListener, Service);

/// A suite that is ready to be bound.
#[derive(Debug)]
pub struct PreparedSuite {
    seats: Vec<Seat>,
    settings: Settings,
}

/// Opens the sites and lays out the ports.
pub fn prepare(_role: &Role, args: &cli::Suite) -> Result<PreparedSuite, Failure> {
    let seats = seats(args.model, args.port_base, args.backends, &args.root)
        .map_err(|error| Failure::Usage(format!("--root {}: {error}", args.root.display())))?;
    Ok(PreparedSuite { seats, settings: args.settings() })
}

/// Binds and starts all of it, prints the map, and runs until a signal ends it.
pub fn serve(plan: PreparedSuite, reload: Option<Reload<PreparedSuite>>) -> Result<(), Failure> {
    let PreparedSuite { seats, mut settings } = plan;
    let runtime = |error: io::Error| Failure::Runtime(error.to_string());
    let (shutdown, hangups) = signals::listen(reload.is_some()).map_err(runtime)?;
    if let Some(reload) = reload {
        // Ports and roles are wired to each other: of all the keys, only how much is told may change.
        reload.start(hangups, |key| key == "log", |_| Ok(())).map_err(runtime)?;
    }
    let mut bound = Vec::new();
    let mut notes = String::new();
    for seat in seats {
        bound.push(take_seat(seat, &mut notes)?);
    }
    settings.connections_max = connections_max(settings.connections_max, bound.len());
    let map = format!("{}{notes}ready; Ctrl-C ends it\n", map(&bound));
    let wired = wire(bound).map_err(|error| Failure::Runtime(format!("the routes: {error}")))?;
    thread::scope(|scope| {
        let mut running = Vec::new();
        // Whichever way this ends, the roles end too: the scope waits for them.
        let _all = EndsAll(&shutdown);
        for wired in wired {
            let name = wired.0.role.name;
            let (settings, shutdown) = (&settings, &shutdown);
            let started = thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, move || serve_one(wired, settings, shutdown));
            running
                .push(started.map_err(|error| Failure::Runtime(format!("{name}: cannot start: {error}")))?);
        }
        // A listener accepts from `listen` on, so all of it can be reached by now.
        cli::print(&map)?;
        running.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::Runtime("a role panicked".to_owned())))
        })
    })
}

fn serve_one(
    (seat, listener, service): Wired,
    settings: &Settings,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    // One role down is not the picture that the map shows: then the others end in good order.
    let _all = EndsAll(shutdown);
    let name = seat.role.name;
    RunningService::start(name, service, settings, Vec::new())
        .and_then(|running| running.serve(seat.model, vec![listener], settings, shutdown))
        .map_err(|error| Failure::Runtime(format!("{name}: {error}")))
}

/// Begins the drain when it goes, be it by an error or a panic.
struct EndsAll<'a>(&'a Shutdown);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

fn seats(model: Model, port_base: Option<u16>, backends: usize, root: &Path) -> io::Result<Vec<Seat>> {
    let open = |kind| Site::open(kind, root).map(|site| Job::Site(Arc::new(site)));
    let seat = |role: Role, model, job, offset, course, path| Seat {
        role,
        model,
        job,
        wanted: place(port_base, offset, course),
        path,
    };
    let mut seats = vec![
        seat(Role::DEFAULT_SERVER, model, open(site::Role::Default)?, 0, defaults::DEFAULT_SERVER, "/"),
        seat(Role::IMAGE_SERVER, model, open(site::Role::Image)?, 1, defaults::IMAGE_SERVER, "/images/"),
        seat(Role::PDF_SERVER, model, open(site::Role::Pdf)?, 2, defaults::PDF_SERVER, "/pdf/"),
    ];
    let generic = open(site::Role::Generic)?;
    for (offset, course) in (11..=defaults::SUITE_PORT_OFFSET_MAX).zip(defaults::WEB_SERVERS).take(backends) {
        seats.push(seat(Role::WEB_SERVER, model, generic.clone(), offset, course, "/"));
    }
    seats.extend([
        seat(Role::REVERSE_PROXY, model, Job::Proxy, 3, defaults::REVERSE_PROXY, "/images/"),
        seat(Role::LB_THREADED, Model::Threaded, Job::Balance, 4, defaults::LB_THREADED, "/"),
        seat(Role::LB_ASYNC, Model::Async, Job::Balance, 5, defaults::LB_ASYNC, "/"),
    ]);
    Ok(seats)
}

/// Where a role listens: on the course's port, at its place from the base on, or on any free port.
fn place(port_base: Option<u16>, offset: u16, course: SocketAddr) -> SocketAddr {
    match port_base {
        None => course,
        Some(0) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        // The flag leaves room for the largest offset.
        Some(base) => SocketAddr::from((Ipv4Addr::LOCALHOST, base.saturating_add(offset))),
    }
}

fn take_seat(seat: Seat, notes: &mut String) -> Result<Bound, Failure> {
    let name = seat.role.name;
    let listener = bind(seat.wanted, defaults::BACKLOG).or_else(|error| match error.unprivileged() {
        Some(address) => {
            notes.push_str(&format!(
                "port {} needs privileges, so {name} listens on {address}\n",
                seat.wanted.port()
            ));
            bind(address, defaults::BACKLOG)
        }
        None => Err(error),
    });
    let listener = listener.map_err(|error| Failure::Runtime(no_seat(name, &error)))?;
    let address = listener.local_addr().map_err(|error| Failure::Runtime(format!("{name}: {error}")))?;
    Ok(Bound { seat, listener, address })
}

/// The listener's own words would suggest `--listen`, which the suite does not have.
fn no_seat(name: &str, error: &ListenError) -> String {
    let cause = error.source().map_or_else(|| "it cannot be had".to_owned(), ToString::to_string);
    format!("{name}: cannot listen on {}: {cause}; --port-base 0 takes free ports", error.address())
}

/// Gives each role its service, now that all addresses are known.
fn wire(bound: Vec<Bound>) -> Result<Vec<Wired>, String> {
    let of = |role: Role| -> Vec<SocketAddr> {
        bound.iter().filter(|bound| bound.seat.role == role).map(|bound| bound.address).collect()
    };
    let group = |name: &str, role| Arc::new(Group::new(name, of(role)));
    let mut routes = Routes::new(group("default", Role::DEFAULT_SERVER));
    routes.add("/images/", group("/images/", Role::IMAGE_SERVER))?;
    routes.add("/pdf/", group("/pdf/", Role::PDF_SERVER))?;
    let gateway = Service::Gateway { routes, rules: Rules::default() };
    let web_servers = of(Role::WEB_SERVER);
    let service = |job: &Job| match job {
        Job::Site(site) => Service::Web(Arc::clone(site)),
        Job::Proxy => gateway.clone(),
        // A group each: the two balancers take turns on their own, as two programs would.
        Job::Balance => Service::Relay(Arc::new(Group::new("back ends", web_servers.clone()))),
    };
    Ok(bound
        .into_iter()
        .map(|bound| {
            let service = service(&bound.seat.job);
            (bound.seat, bound.listener, service)
        })
        .collect())
}

/// A table: role, model, address, and a command to try.
fn map(bound: &[Bound]) -> String {
    let mut map = format!("{:<15} {:<9} {:<16} try\n", "role", "model", "address");
    for Bound { seat, address, .. } in bound {
        // Writing to a `String` does not fail; the columns pad text, so the rest is text first.
        let (model, at) = (seat.model.to_string(), address.to_string());
        let _ = writeln!(map, "{:<15} {model:<9} {at:<16} curl http://{at}{}", seat.role.name, seat.path);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(port_base: Option<u16>, backends: usize) -> Vec<Seat> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(defaults::ROOT);
        seats(Model::Threaded, port_base, backends, &root).unwrap()
    }

    fn ports(seats: &[Seat]) -> Vec<u16> {
        seats.iter().map(|seat| seat.wanted.port()).collect()
    }

    #[test]
    fn the_layout_is_the_courses_or_a_block_or_free() {
        assert_eq!(
            ports(&suite(None, 5)),
            [8888, 8889, 8890, 9001, 9002, 9003, 9004, 9005, 18000, 666, 44444]
        );
        assert_eq!(ports(&suite(Some(20000), 2)), [20000, 20001, 20002, 20011, 20012, 20003, 20004, 20005]);
        assert_eq!(ports(&suite(Some(20000), 5))[7], 20000 + defaults::SUITE_PORT_OFFSET_MAX);
        assert!(ports(&suite(Some(0), 5)).iter().all(|port| *port == 0));
    }

    #[test]
    fn the_map_has_a_line_and_a_command_for_each_role() {
        let mut notes = String::new();
        let bound: Vec<Bound> =
            suite(Some(0), 2).into_iter().map(|seat| take_seat(seat, &mut notes).unwrap()).collect();
        let map = map(&bound);
        let lines: Vec<&str> = map.lines().collect();
        assert_eq!(lines.len(), 1 + 3 + 2 + 3, "{map}");
        assert!(lines[0].starts_with("role            model     address          try"), "{map}");
        for (line, bound) in lines[1..].iter().zip(&bound) {
            let address = bound.address;
            assert!(line.starts_with(bound.seat.role.name), "{line}");
            assert!(line.contains(&format!(" {address} ")), "{line}");
            assert!(line.ends_with(&format!(" curl http://{address}{}", bound.seat.path)), "{line}");
        }
        assert_eq!(notes, "");
        assert_eq!(wire(bound).unwrap().len(), 8);
    }

    #[test]
    fn a_taken_port_names_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = taken.local_addr().unwrap();
        let seat = Seat { wanted, ..suite(None, 1).remove(0) };
        let failure = take_seat(seat, &mut String::new()).unwrap_err().to_string();
        let words = format!("default-server: cannot listen on {wanted}: ");
        assert!(
            failure.starts_with(&words) && failure.ends_with("; --port-base 0 takes free ports"),
            "{failure}"
        );
    }
}
