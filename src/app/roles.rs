//! The roles: from the arguments of each to a service behind its listeners.
//!
//! Contract: [`server`], [`proxy`] and [`balancer`] prepare a role and find everything that can be wrong
//! without binding anything, which is what `--check` does too; [`serve`] binds, prints the addresses, and runs
//! until a signal ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::app::cli::{
    self, BackEndGroup, Balancer, Balancing, Concurrency, CourseSite, Failure, Forwarding, Front, Health,
    Listening, Load, Mode, PlainFolder, Proxy, Role, Server, SiteGroup,
};
use crate::app::encryption::{ANYTHING, Encryption, HTTP_1};
use crate::app::guards::{guards, of_route};
use crate::app::reload::Reload;
use crate::app::route::Destination;
use crate::app::service::{RunningService, Service};
use crate::app::settings::{Model, Settings};
use crate::app::status::{self, StatusPage};
use crate::balance::GroupSettings;
use crate::balance::routes::Routes;
use crate::net::clock;
use crate::net::dns::{ResolvedGroup, Resolver};
use crate::net::endpoint::Endpoint;
use crate::net::limits::connections_that_fit;
use crate::net::listen::{ListenAddress, lay_out};
use crate::net::notify::Readiness;
use crate::net::own::OwnAddresses;
use crate::net::passed::{PassedError, PassedSockets};
use crate::net::signals;
use crate::net::target::Target;
use crate::observe;
use crate::observe::log::AccessLog;
use crate::protocol::context::RoleContext;
use crate::protocol::forward::{CookieName, Rules};
use crate::protocol::proxy_header::{ClientIdentity, Policy};
use crate::protocol::route::{Action, FixedResponse, Route};
use crate::site::{Site, SiteKind};

/// A role with its service and settings, before it listens.
#[derive(Debug)]
pub struct PreparedRole {
    name: &'static str,
    model: Model,
    service: Service,
    settings: Settings,
    addresses: Vec<ListenAddress>,
    encryption: Encryption,
    /// The groups of the service, each with the flag that named its back ends, whose names are looked up again
    /// while it runs.
    names: Vec<(&'static str, ResolvedGroup)>,
}

impl PreparedRole {
    /// The same, unless one of the back ends is the role itself as it is to listen.
    fn checked(self) -> Result<PreparedRole, Failure> {
        status::check(&self.settings.status)?;
        let own = OwnAddresses::new(self.addresses.clone());
        self.checked_against(&own)
    }

    /// The same, unless one of the back ends is the role itself, which listens on `own`.
    fn checked_against(self, own: &OwnAddresses) -> Result<PreparedRole, Failure> {
        for (flag, group) in &self.names {
            if let Some((target, here)) = group.leading_here(own) {
                let name = self.name;
                return Err(Failure::Usage(format!(
                    "{flag} {target} is this {name} itself, which listens on {here}: \
                     its connections would go round for ever"
                )));
            }
        }
        Ok(self)
    }

    /// What it does with its client connections.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// What its connections share, without threads, encryption or anybody who is told of events.
    pub(crate) fn context(&self) -> RoleContext {
        let Settings { timeouts, head_limits, guards, proxies, .. } = self.settings.clone();
        let guards = (!guards.is_empty()).then(|| Arc::new(guards));
        RoleContext {
            timeouts,
            head_limits,
            guards,
            proxies,
            ..RoleContext::new(self.name, Arc::new(AccessLog))
        }
    }

    /// The first address that it is to listen on; port 0 is a free port that is not known yet.
    pub(crate) fn listens_on(&self) -> Option<SocketAddr> {
        self.addresses.first().map(|listen| listen.address)
    }

    /// True if a PROXY header names the client of each connection.
    pub(crate) fn expects_proxy_header(&self) -> bool {
        self.settings.proxies.accept
    }

    /// The client with this address, once it is known: by its connection, or by the PROXY header on it.
    pub(crate) fn client(&self, address: SocketAddr) -> ClientIdentity {
        let known = Policy { accept: false, ..self.settings.proxies.clone() };
        known.identify(address, || self.listens_on().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    }

    /// Starts the upkeep of its service, behind listeners with the addresses `own`; it is to replace `before`.
    fn start(self, own: &OwnAddresses, before: Option<&RunningService>) -> Result<RunningService, Failure> {
        // Once more, now that it is known which port 0 is.
        let PreparedRole { name, service, settings, encryption, names, .. } = self.checked_against(own)?;
        let groups = names.into_iter().map(|(_, group)| group).collect();
        encryption.announce()?;
        RunningService::start(name, service, &settings, &encryption, groups, own.clone(), before)
            .map_err(|error| Failure::Runtime(error.to_string()))
    }
}

/// Prepares one of the course's static servers, with the site of `kind`.
pub fn server(kind: SiteKind) -> impl Fn(&Role, &Server<CourseSite>) -> Result<PreparedRole, Failure> {
    serving(kind)
}

/// Prepares a static server of a plain folder.
pub(crate) fn folder() -> impl Fn(&Role, &Server<PlainFolder>) -> Result<PreparedRole, Failure> {
    serving(SiteKind::Default)
}

fn serving<S: SiteGroup>(kind: SiteKind) -> impl Fn(&Role, &Server<S>) -> Result<PreparedRole, Failure> {
    move |role, args| {
        args.front.check()?;
        let site = open_site(kind, &args.site)?;
        let addresses = listen_addresses(&args.listening, &args.tls.plain)?;
        let encryption = Encryption::of_clients(&args.tls, &addresses, HTTP_1)?;
        PreparedRole {
            name: role.name,
            model: args.driver.model,
            service: Service::Web(Arc::new(site)),
            settings: Settings { guards: guards(&args.guards, None)?, ..args.settings() },
            addresses,
            encryption,
            names: Vec::new(),
        }
        .checked()
    }
}

/// Opens the site that these flags describe.
fn open_site(kind: SiteKind, flags: &impl SiteGroup) -> Result<Site, Failure> {
    let root = flags.root();
    let site = Site::open(kind, root)
        .map_err(|error| Failure::Usage(format!("--root {}: {error}", root.display())))?;
    let site = site.with_rules(flags.folder().rules(flags.has_course_pages())).map_err(Failure::Usage)?;
    site.tell_missing_files(&clock::now());
    let site = if flags.folder().caches() { site } else { site.without_cache() };
    Ok(if flags.is_mirror() { site.with_mirror() } else { site })
}

/// Prepares the reverse proxy.
pub fn proxy(role: &Role, args: &Proxy) -> Result<PreparedRole, Failure> {
    args.front.check()?;
    let routing = &args.routing;
    args.discovery.check()?;
    let of_groups = group_settings(&args.balancing, &args.load, &args.health)?;
    let resolver = args.discovery.resolver();
    let role_rules = args.forwarding.rules()?;
    let guards = guards(&args.guards, args.bodies.max_body)?;
    let mut names = Vec::new();
    let of_all_others = if routing.default.is_empty() {
        if routing.route.is_empty() {
            let words =
                "no route is given: --route /api/=127.0.0.1:3000 is one, --default 127.0.0.1:3000 is for all";
            return Err(Failure::Usage(words.to_owned()));
        }
        Route::new(None, Action::Respond(FixedResponse::not_found()))
    } else {
        let default = look_up("--default", "the default route", &routing.default, of_groups, &resolver)?;
        let route = Route::from(Arc::clone(default.group()));
        names.push(("--default", default));
        route
    };
    let mut routes = Routes::new(of_all_others.with_rules(&role_rules, &[]).map_err(Failure::Usage)?);
    for spec in &routing.route {
        let wrong = |error: String| Failure::Usage(format!("--route {spec}: {error}"));
        let action = match &spec.to {
            Destination::Redirect(redirect) => Action::Redirect(redirect.clone()),
            Destination::Respond(response) => Action::Respond(response.clone()),
            Destination::BackEnds(targets) => {
                let active_max = spec.max_per_backend.unwrap_or(of_groups.active_max);
                let policy = spec.policy.unwrap_or(of_groups.policy);
                let of_group = GroupSettings { active_max, policy, ..of_groups };
                let of_route = look_up("--route", &spec.pattern.to_string(), targets, of_group, &resolver)?;
                let action = Action::Forward(Arc::clone(of_route.group()));
                names.push(("--route", of_route));
                action
            }
        };
        let route = spec.route(action, &role_rules).map_err(wrong)?;
        let route = Route { guards: of_route(&spec.guards, &guards).map_err(wrong)?, ..route };
        routes.add(&spec.pattern, route).map_err(wrong)?;
    }
    let addresses = listen_addresses(&args.listening, &args.tls.plain)?;
    let targets = routing.default.iter().chain(routing.route.iter().flat_map(|route| route.to.back_ends()));
    let encryption = Encryption::of_clients(&args.tls, &addresses, HTTP_1)?
        .and_of_back_ends(&args.backend_tls.backend_ca, targets)?;
    PreparedRole {
        name: role.name,
        model: args.driver.model,
        service: Service::Gateway {
            routes: Box::new(routes),
            rules: rules(&args.front, &args.forwarding, &args.balancing, args.mirror),
        },
        settings: Settings { guards, ..args.settings() },
        addresses,
        encryption,
        names,
    }
    .checked()
}

/// Prepares a balancer.
pub fn balancer<T: Concurrency, B: BackEndGroup>(
    role: &Role,
    args: &Balancer<T, B>,
) -> Result<PreparedRole, Failure> {
    args.front.check()?;
    let mode = args.back_ends.common().mode;
    let of_requests =
        [("--basic-auth", args.guards.basic_auth.is_some()), ("--max-body", args.bodies.max_body.is_some())];
    if let Some((flag, _)) = of_requests.iter().find(|(_, given)| *given && mode == Mode::Tcp) {
        let words = "with --mode tcp nobody reads requests; use --mode http, or leave it out";
        return Err(Failure::Usage(format!("{flag}: {words}")));
    }
    let targets = args.back_ends.targets();
    if targets.is_empty() {
        let words = "no back end is given: name some, such as 127.0.0.1:3000 127.0.0.1:3001";
        return Err(Failure::Usage(words.to_owned()));
    }
    args.discovery.check()?;
    if mode == Mode::Tcp {
        args.balancing.check_for_bytes()?;
    }
    let of_group = group_settings(&args.balancing, &args.load, &args.health)?;
    let names = look_up("--backend", role.name, &targets, of_group, &args.discovery.resolver())?;
    let service = match mode {
        Mode::Tcp => Service::Relay(Arc::clone(names.group())),
        Mode::Http => {
            let rules = rules(&args.front, &args.forwarding, &args.balancing, false);
            let all = Route::from(Arc::clone(names.group()));
            let all = all.with_rules(&args.forwarding.rules()?, &[]).map_err(Failure::Usage)?;
            Service::Gateway { routes: Box::new(Routes::new(all)), rules }
        }
    };
    let protocols = if mode == Mode::Http { HTTP_1 } else { ANYTHING };
    let addresses = listen_addresses(&args.listening, &args.tls.plain)?;
    let encryption = Encryption::of_clients(&args.tls, &addresses, protocols)?
        .and_of_back_ends(&args.backend_tls.backend_ca, &targets)?;
    PreparedRole {
        name: role.name,
        model: args.concurrency.model(),
        service,
        settings: Settings { guards: guards(&args.guards, args.bodies.max_body)?, ..args.settings() },
        addresses,
        encryption,
        names: vec![("--backend", names)],
    }
    .checked()
}

fn group_settings(balancing: &Balancing, load: &Load, health: &Health) -> Result<GroupSettings, Failure> {
    Ok(GroupSettings {
        active_max: load.max_per_backend,
        passive: health.passive(),
        policy: balancing.policy,
        slow_start: balancing.slow_start,
        tag_key: balancing.tag_key()?,
    })
}

/// How a gateway with these flags rewrites heads.
fn rules(front: &Front, forwarding: &Forwarding, balancing: &Balancing, mirror: bool) -> Rules {
    let cookie = CookieName::new(&balancing.policy_cookie);
    Rules { trust: front.trust.clone(), via: !forwarding.no_via, mirror, cookie }
}

/// Keys that a reload cannot change: listeners, threads and the log are made from them once.
const NEED_RESTART: [&str; 19] = [
    "listen",
    "plain",
    "backlog",
    "connections-max",
    "model",
    "workers",
    "queue",
    "queue-wait",
    "no-park",
    "loops",
    "mode",
    "drain",
    "log-format",
    "log-file",
    "lame-duck",
    "status",
    "status-token",
    "status-host",
    "trace",
];

/// Binds, prints one line for each listener, and serves until a signal ends it.
pub fn serve(prepared: PreparedRole, reload: Option<Reload<PreparedRole>>) -> Result<(), Failure> {
    let (model, mut settings) = (prepared.model, prepared.settings.clone());
    let runtime = |error: std::io::Error| Failure::Runtime(error.to_string());
    // Before anything is bound: from now on a signal starts a drain and does not kill the process.
    let (shutdown, hangups) =
        signals::listen(reload.is_some(), settings.lame_duck, observe::log::reopen).map_err(runtime)?;
    let unusable = |error: PassedError| Failure::Runtime(error.to_string());
    let mut passed = PassedSockets::take().map_err(unusable)?;
    let (mut listeners, mut own) = (Vec::new(), Vec::new());
    let mut addresses_text = String::new();
    for wanted in &prepared.addresses {
        let listener = passed.open(*wanted, settings.backlog).map_err(unusable)?;
        let address = listener.socket.local_addr().map_err(runtime)?;
        own.push(ListenAddress { address, is_dual: wanted.is_dual && address.is_ipv6(), ..*wanted });
        addresses_text.push_str(&format!("listening on {address}\n"));
        listeners.push(listener);
    }
    settings.connections_max = connections_max(settings.connections_max, 1);
    let page = StatusPage::open(&settings.status, &mut passed)?;
    passed.expect_none_left().map_err(unusable)?;
    settings.view = page.as_ref().map(|page| {
        let listen = own.iter().map(|own: &ListenAddress| own.address).collect();
        page.board.add(prepared.service.facts(prepared.name, model, &settings, listen), &shutdown)
    });
    addresses_text.push_str(&page.as_ref().map(StatusPage::line).unwrap_or_default());
    let own = OwnAddresses::new(own);
    let view = settings.view.clone();
    // Held to the end of the drain: what is still in flight may need a back end that works.
    let running = PreparedRole { settings: settings.clone(), ..prepared }.start(&own, None)?;
    if let Some(reload) = reload {
        let running = running.clone();
        let apply = move |mut prepared: PreparedRole| {
            prepared.settings.view.clone_from(&view);
            let new = prepared.start(&own, Some(&running))?;
            running.replace(new).map_err(|error| Failure::Usage(error.to_owned()))
        };
        reload.start(hangups, |key| !NEED_RESTART.contains(&key), apply).map_err(runtime)?;
    }
    cli::print(&addresses_text)?;
    let _readiness =
        Readiness::announce(&addresses_text.trim_end().replace('\n', ", "), &shutdown).map_err(runtime)?;
    running.serve(model, listeners, &settings, &shutdown).map_err(runtime)?;
    page.map_or(Ok(()), StatusPage::finish)
}

/// How many of `wanted` connections each of `roles` may have; warns if the system allows fewer.
pub(crate) fn connections_max(wanted: usize, roles: usize) -> usize {
    let fit = (connections_that_fit(wanted.saturating_mul(roles)) / roles).max(1);
    if fit < wanted {
        log::warn!(
            "{fit} open connections instead of {wanted}: the limit on open files (ulimit -n) allows no more"
        );
    }
    fit
}

/// Looks up all back ends that a flag named, and makes one group of their addresses.
fn look_up(
    flag: &str,
    group: &str,
    targets: &[Target],
    settings: GroupSettings,
    resolver: &Resolver,
) -> Result<ResolvedGroup, Failure> {
    ResolvedGroup::look_up(group, targets, settings, resolver)
        .map_err(|(target, error)| Failure::Runtime(format!("{flag} {target}: {error}")))
}

/// Looks up where the role is to listen.
fn listen_addresses(listening: &Listening, plain: &[Endpoint]) -> Result<Vec<ListenAddress>, Failure> {
    lay_out(&listening.listen, plain).map_err(|error| Failure::of_layout("--listen", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_found_is_named_with_its_flag() {
        let endpoints: [Endpoint; 1] = ["name.invalid:80".parse().unwrap()];
        let listening = Listening { listen: endpoints.to_vec(), backlog: 1, connections_max: 1 };
        let failure = listen_addresses(&listening, &[]).unwrap_err();
        assert!(failure.to_string().starts_with("--listen name.invalid:80: "), "{failure}");
        let targets = endpoints.map(Target::from);
        let failure =
            look_up("--backend", "lb-async", &targets, GroupSettings::default(), &Resolver::default())
                .unwrap_err();
        assert!(failure.to_string().starts_with("--backend name.invalid:80: "), "{failure}");
    }
}
