//! All roles in one process: the course's servers, its reverse proxy and its two balancers.
//!
//! Contract: every member is bound before any gets its service, so that the proxy and the balancers know the
//! ports of their back ends; the table of addresses is printed when all members can be reached.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::app::cli::{self, Failure, Role};
use crate::app::course_site::CourseSite;
use crate::app::defaults;
use crate::app::encryption::{ANYTHING, Encryption};
use crate::app::reload::Reload;
use crate::app::roles::connections_max;
use crate::app::service::{RunningService, Service};
use crate::app::settings::{Model, Settings};
use crate::app::status::{self, StatusPage};
use crate::balance::Group;
use crate::balance::routes::Routes;
use crate::net::listen::{ListenError, bind};
use crate::net::notify::Readiness;
use crate::net::own::OwnAddresses;
use crate::net::passed::{PassedError, PassedSockets};
use crate::net::shutdown::Shutdown;
use crate::net::signals;
use crate::observe;
use crate::protocol::forward::Rules;
use crate::protocol::route::{Action, Route};
use crate::site::{Site, SiteKind};

/// What a member of the suite serves. Its back ends have no addresses yet.
#[derive(Clone, Debug)]
enum Task {
    Site(Arc<Site>),
    Proxy,
    Balance,
}

/// One server of the suite before it listens. Two members may have the same role: there are five web servers.
#[derive(Clone, Debug)]
struct Member {
    role: Role,
    model: Model,
    task: Task,
    wanted: SocketAddr,
    /// The path of the example request in the table.
    path: &'static str,
    /// Clients speak TLS with it.
    is_secure: bool,
}

/// A member that listens.
#[derive(Debug)]
struct BoundMember {
    member: Member,
    listener: TcpListener,
    address: SocketAddr,
}

/// A member with its listener and its service.
type ReadyMember = (Member, TcpListener, Service);

/// The members and settings of a suite, before any of them listens.
#[derive(Debug)]
pub struct PreparedSuite {
    members: Vec<Member>,
    /// Everything is answered as the Python did, also through the proxy.
    mirror: bool,
    settings: Settings,
    /// Of those members that clients speak TLS with.
    encryption: Encryption,
    /// The site, if it is the one inside the program. Held until all members have ended.
    unpacked: Option<CourseSite>,
}

/// Opens the sites and lays out the ports.
pub fn prepare(_role: &Role, args: &cli::Suite) -> Result<PreparedSuite, Failure> {
    let unpacked = match args.root {
        Some(_) => None,
        None => Some(CourseSite::unpack()?),
    };
    let root = args.root.as_deref().or(unpacked.as_ref().map(CourseSite::root)).unwrap_or(Path::new("."));
    let mut members = members(args.model, args.port_base, args.backends, root, args.caches(), args.mirror)
        .map_err(|error| Failure::Usage(format!("--root {}: {error}", root.display())))?;
    let encryption = match args.tls {
        false if args.tls_self_signed_to.is_some() => {
            let words =
                "--tls-self-signed-to: it is the certificate of --tls that is written, which is not given";
            return Err(Failure::Usage(words.to_owned()));
        }
        true => Encryption::self_signed(&[], args.tls_self_signed_to.as_deref(), ANYTHING)?,
        false => Encryption::default(),
    };
    for member in members.iter_mut().filter(|member| !matches!(member.task, Task::Site(_))) {
        member.is_secure = args.tls;
    }
    let settings = args.settings();
    status::check(&settings.status)?;
    Ok(PreparedSuite { members, mirror: args.mirror, settings, encryption, unpacked })
}

/// Binds and starts all members, prints the table of addresses, and runs until a signal ends it.
pub fn serve(prepared: PreparedSuite, reload: Option<Reload<PreparedSuite>>) -> Result<(), Failure> {
    let PreparedSuite { members, mirror, mut settings, encryption, unpacked: _unpacked } = prepared;
    let runtime = |error: io::Error| Failure::Runtime(error.to_string());
    let (shutdown, hangups) =
        signals::listen(reload.is_some(), settings.lame_duck, observe::log::reopen).map_err(runtime)?;
    if let Some(reload) = reload {
        // The members refer to each other by their ports, so a reload can change the log level only.
        reload.start(hangups, |key| key == "log", |_| Ok(())).map_err(runtime)?;
    }
    let mut bound = Vec::new();
    let mut notes = String::new();
    for member in members {
        bound.push(bind_member(member, &mut notes)?);
    }
    settings.connections_max = connections_max(settings.connections_max, bound.len());
    // Its addresses are not to be chosen one by one, so it is passed none of its listeners.
    let unusable = |error: PassedError| Failure::Runtime(error.to_string());
    let mut passed = PassedSockets::take().map_err(unusable)?;
    let page = StatusPage::open(&settings.status, &mut passed)?;
    passed.expect_none_left().map_err(unusable)?;
    let line = page.as_ref().map(StatusPage::line).unwrap_or_default();
    let table = format!("{}{notes}{line}ready; Ctrl-C ends it\n", table(&bound));
    let ready = add_services(bound, mirror).map_err(Failure::Runtime)?;
    encryption.announce()?;
    thread::scope(|scope| {
        let mut running = Vec::new();
        // The scope waits for the members, so they must also end if this function returns early.
        let _drain = DrainOnDrop(&shutdown);
        for member in ready {
            let name = member.0.role.name;
            let (settings, shutdown) = (of_member(&member, &settings, page.as_ref(), &shutdown)?, &shutdown);
            let encryption = if member.0.is_secure { encryption.clone() } else { Encryption::default() };
            let started = thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, move || serve_member(member, &settings, &encryption, shutdown));
            running
                .push(started.map_err(|error| Failure::Runtime(format!("{name}: cannot start: {error}")))?);
        }
        // A listener can be reached as soon as it is bound, so all members can by now.
        cli::print(&table)?;
        let _readiness = Readiness::announce("all roles listen", &shutdown)
            .map_err(|error| Failure::Runtime(error.to_string()))?;
        running.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::Runtime("a role panicked".to_owned())))
        })
    })?;
    page.map_or(Ok(()), StatusPage::finish)
}

/// The settings of a member, which is shown on the page if there is one.
fn of_member(
    (member, listener, service): &ReadyMember,
    settings: &Settings,
    page: Option<&StatusPage>,
    shutdown: &Shutdown,
) -> Result<Settings, Failure> {
    let Some(page) = page else { return Ok(settings.clone()) };
    let name = member.role.name;
    let address = listener.local_addr().map_err(|error| Failure::Runtime(format!("{name}: {error}")))?;
    let facts = service.facts(name, member.model, settings, vec![address]);
    Ok(Settings { view: Some(page.board.add(facts, shutdown)), ..settings.clone() })
}

fn serve_member(
    (member, listener, service): ReadyMember,
    settings: &Settings,
    encryption: &Encryption,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    // If one member ends, all drain: the table that was printed would not be true any more.
    let _drain = DrainOnDrop(shutdown);
    let name = member.role.name;
    RunningService::start(name, service, settings, encryption, Vec::new(), OwnAddresses::default(), None)
        .and_then(|running| running.serve(member.model, vec![listener.into()], settings, shutdown))
        .map_err(|error| Failure::Runtime(format!("{name}: {error}")))
}

/// Starts the drain of all members when it is dropped, also by an error or a panic.
struct DrainOnDrop<'a>(&'a Shutdown);

impl Drop for DrainOnDrop<'_> {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

fn members(
    model: Model,
    port_base: Option<u16>,
    backends: usize,
    root: &Path,
    caches: bool,
    mirror: bool,
) -> io::Result<Vec<Member>> {
    let open = |kind| {
        let site = Site::open(kind, root)?;
        let site = if caches { site } else { site.without_cache() };
        io::Result::Ok(Task::Site(Arc::new(if mirror { site.with_mirror() } else { site })))
    };
    let member = |role: Role, model, task, offset, course, path| Member {
        role,
        model,
        task,
        wanted: listen_address(port_base, offset, course),
        path,
        is_secure: false,
    };
    let mut members = vec![
        member(Role::DEFAULT_SERVER, model, open(SiteKind::Default)?, 0, defaults::DEFAULT_SERVER, "/"),
        member(Role::IMAGE_SERVER, model, open(SiteKind::Image)?, 1, defaults::IMAGE_SERVER, "/images/"),
        member(Role::PDF_SERVER, model, open(SiteKind::Pdf)?, 2, defaults::PDF_SERVER, "/pdf/"),
    ];
    let web_server = open(SiteKind::Backend)?;
    for (offset, course) in (11..=defaults::SUITE_PORT_OFFSET_MAX).zip(defaults::WEB_SERVERS).take(backends) {
        members.push(member(Role::WEB_SERVER, model, web_server.clone(), offset, course, "/"));
    }
    members.extend([
        member(Role::REVERSE_PROXY, model, Task::Proxy, 3, defaults::REVERSE_PROXY, "/images/"),
        member(Role::LB_THREADED, Model::Threaded, Task::Balance, 4, defaults::LB_THREADED, "/"),
        member(Role::LB_ASYNC, Model::Async, Task::Balance, 5, defaults::LB_ASYNC, "/"),
    ]);
    Ok(members)
}

/// The address a member listens on: the course's, its own port from the base on, or any free port.
fn listen_address(port_base: Option<u16>, offset: u16, course: SocketAddr) -> SocketAddr {
    match port_base {
        None => course,
        Some(0) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        // The flag accepts only a base that leaves room for the largest offset.
        Some(base) => SocketAddr::from((Ipv4Addr::LOCALHOST, base.saturating_add(offset))),
    }
}

fn bind_member(member: Member, notes: &mut String) -> Result<BoundMember, Failure> {
    let name = member.role.name;
    let listener = bind(member.wanted, defaults::BACKLOG).or_else(|error| match error.unprivileged() {
        Some(address) => {
            notes.push_str(&format!(
                "port {} needs privileges, so {name} listens on {address}\n",
                member.wanted.port()
            ));
            bind(address, defaults::BACKLOG)
        }
        None => Err(error),
    });
    let listener = listener.map_err(|error| Failure::Runtime(bind_error(name, &error)))?;
    let address = listener.local_addr().map_err(|error| Failure::Runtime(format!("{name}: {error}")))?;
    Ok(BoundMember { member, listener, address })
}

/// The error of the listener would suggest `--listen`, a flag that the suite does not have.
fn bind_error(name: &str, error: &ListenError) -> String {
    let cause = error.source().map_or_else(|| "the address cannot be used".to_owned(), ToString::to_string);
    format!("{name}: cannot listen on {}: {cause}; --port-base 0 takes free ports", error.address())
}

/// Gives each member its service, now that all addresses are known.
fn add_services(bound: Vec<BoundMember>, mirror: bool) -> Result<Vec<ReadyMember>, String> {
    let of = |role: Role| -> Vec<SocketAddr> {
        bound.iter().filter(|bound| bound.member.role == role).map(|bound| bound.address).collect()
    };
    let group = |name: &str, role| Arc::new(Group::new(name, of(role)));
    let mut routes = Routes::new(Route::from(group("the default route", Role::DEFAULT_SERVER)));
    for (prefix, role) in [("/images/", Role::IMAGE_SERVER), ("/pdf/", Role::PDF_SERVER)] {
        let route = Route::new(Some(prefix.into()), Action::Forward(group(prefix, role)));
        let added = prefix.parse().and_then(|pattern| routes.add(&pattern, route));
        added.map_err(|error| format!("the routes: {error}"))?;
    }
    let gateway = Service::Gateway { routes: Box::new(routes), rules: Rules { mirror, ..Rules::default() } };
    let web_servers = of(Role::WEB_SERVER);
    let service = |Member { role, task, .. }: &Member| match task {
        Task::Site(site) => Service::Web(Arc::clone(site)),
        Task::Proxy => gateway.clone(),
        // Each balancer has a group of its own, so each does its own round robin, as two programs would.
        Task::Balance => Service::Relay(Arc::new(Group::new(role.name, web_servers.clone()))),
    };
    let with_service = |bound: BoundMember| {
        let service = service(&bound.member);
        refuse_itself(&bound, &service)?;
        Ok((bound.member, bound.listener, service))
    };
    bound.into_iter().map(with_service).collect()
}

/// Refuses a member that is its own back end. The lay-out of the ports leaves no room for that; this holds it to it.
fn refuse_itself(bound: &BoundMember, service: &Service) -> Result<(), String> {
    let own = OwnAddresses::new(vec![bound.address.into()]);
    let backends = service.groups().into_iter().flat_map(|group| group.backends());
    match backends.into_iter().find(|backend| own.leads_here(backend.address).is_some()) {
        Some(backend) => Err(format!("{}: {} is this role itself", bound.member.role.name, backend.address)),
        None => Ok(()),
    }
}

/// A table of the members: role, model, address, and a command to try.
fn table(bound: &[BoundMember]) -> String {
    let mut table = format!("{:<15} {:<9} {:<16} try\n", "role", "model", "address");
    for BoundMember { member, address, .. } in bound {
        // Writing to a `String` does not fail. Only text is padded to the width of a column.
        let (model, at) = (member.model.to_string(), address.to_string());
        // Nobody trusts a certificate that was made a moment ago.
        let url = if member.is_secure { "-k https" } else { "http" };
        let _ =
            writeln!(table, "{:<15} {model:<9} {at:<16} curl {url}://{at}{}", member.role.name, member.path);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(port_base: Option<u16>, backends: usize) -> Vec<Member> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(defaults::ROOT);
        members(Model::Threaded, port_base, backends, &root, true, false).unwrap()
    }

    fn ports(members: &[Member]) -> Vec<u16> {
        members.iter().map(|member| member.wanted.port()).collect()
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
    fn the_table_has_a_line_and_a_command_for_each_role() {
        let mut notes = String::new();
        let bound: Vec<BoundMember> =
            suite(Some(0), 2).into_iter().map(|member| bind_member(member, &mut notes).unwrap()).collect();
        let table = table(&bound);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 3 + 2 + 3, "{table}");
        assert!(lines[0].starts_with("role            model     address          try"), "{table}");
        for (line, bound) in lines[1..].iter().zip(&bound) {
            let address = bound.address;
            assert!(line.starts_with(bound.member.role.name), "{line}");
            assert!(line.contains(&format!(" {address} ")), "{line}");
            assert!(line.ends_with(&format!(" curl http://{address}{}", bound.member.path)), "{line}");
        }
        assert_eq!(notes, "");
        assert_eq!(add_services(bound, false).unwrap().len(), 8);
    }

    #[test]
    fn no_member_is_its_own_back_end() {
        let bound: Vec<BoundMember> = suite(Some(0), 1)
            .into_iter()
            .map(|member| bind_member(member, &mut String::new()).unwrap())
            .collect();
        let address = bound.iter().find(|bound| bound.member.role == Role::LB_ASYNC).unwrap().address;
        for bound in &bound {
            let service = Service::Relay(Arc::new(Group::new("lb-async", vec![address])));
            let expected = bound.member.role != Role::LB_ASYNC;
            assert_eq!(refuse_itself(bound, &service).is_ok(), expected);
        }
    }

    #[test]
    fn a_taken_port_names_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = taken.local_addr().unwrap();
        let member = Member { wanted, ..suite(None, 1).remove(0) };
        let failure = bind_member(member, &mut String::new()).unwrap_err().to_string();
        let words = format!("default-server: cannot listen on {wanted}: ");
        assert!(
            failure.starts_with(&words) && failure.ends_with("; --port-base 0 takes free ports"),
            "{failure}"
        );
    }
}
