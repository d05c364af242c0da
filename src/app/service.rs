//! A role's service in use: what new connections get, who watches its back ends, and which driver
//! serves it.
//!
//! Contract: a connection is served to its end with the service that stood when it was accepted; a
//! reload changes what the next ones get, and nothing else.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::encryption::Encryption;
use super::guards::PasswordThread;
use super::settings::{Model, Settings};
use super::site_upkeep::SiteUpkeep;
use crate::balance::Group;
use crate::balance::health::Probe;
use crate::balance::limits::CHECK_PATH;
use crate::balance::routes::Routes;
use crate::net::checker::Checker;
use crate::net::dns::{DnsWatcher, ResolvedGroup};
use crate::net::listen::Listener;
use crate::net::own::OwnAddresses;
use crate::net::shutdown::Shutdown;
use crate::net::tls::ExpiryWatcher;
use crate::observe::log::AccessLog;
use crate::observe::meter::Meter;
use crate::observe::role_view::RoleFacts;
use crate::protocol::context::RoleContext;
use crate::protocol::event::Observer;
use crate::protocol::exchange::Gateway;
use crate::protocol::forward::Rules;
use crate::protocol::guard::basic_auth::BasicAuth;
use crate::protocol::guard::{Guards, RateLimit};
use crate::protocol::proxy_header::Version;
use crate::protocol::relay::RelayService;
use crate::protocol::route::Route;
use crate::protocol::web::WebService;
use crate::site::Site;
use crate::{poll_loop, threaded};

/// What a role does with its client connections.
#[derive(Clone, Debug)]
pub enum Service {
    /// Answers from a site.
    Web(Arc<Site>),
    /// Forwards HTTP requests to back ends: the reverse proxy, and a balancer of requests.
    Gateway {
        /// What is done with a request, by its host and path.
        routes: Box<Routes<Route>>,
        /// How heads are rewritten.
        rules: Rules,
    },
    /// Joins each connection to a back end: a balancer of bytes.
    Relay(Arc<Group>),
}

impl Service {
    /// Every group of back ends behind it.
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        match self {
            Service::Web(_) => Vec::new(),
            Service::Gateway { routes, .. } => groups(routes),
            Service::Relay(group) => vec![Arc::clone(group)],
        }
    }

    /// Has routes go on with the rate limits, and what these remember of clients, that they had in the service
    /// `before`; those that share the one of the role, which were made with `made`, share the one that it has `now`.
    fn take_over_rates(&mut self, made: &Guards, now: &Guards, before: &RunningService) {
        let (Service::Gateway { routes, .. }, RunningService::Gateway(before)) = (self, before) else {
            return;
        };
        let before = before.load();
        for route in routes.targets_mut() {
            let same = before.routes.targets().iter().find(|old| old.name == route.name);
            let Some(guards) = &mut route.guards else { continue };
            let guards = Arc::make_mut(guards);
            let address = |limit: &Option<Arc<RateLimit>>| limit.as_ref().map(Arc::as_ptr);
            match address(&guards.rate_limit) == address(&made.rate_limit) {
                true => guards.rate_limit.clone_from(&now.rate_limit),
                false => {
                    same.and_then(|old| old.guards.as_ref()).into_iter().for_each(|old| guards.take_over(old))
                }
            }
        }
    }

    /// The passwords that routes of it ask for.
    fn basic_auths(&self) -> impl Iterator<Item = &Arc<BasicAuth>> {
        let routes = match self {
            Service::Gateway { routes, .. } => routes.targets(),
            Service::Web(_) | Service::Relay(_) => &[],
        };
        routes.iter().filter_map(|route| route.guards.as_ref()?.basic_auth.as_ref())
    }

    /// What it is, as the status page shows it.
    pub(crate) fn facts(
        &self,
        role: &'static str,
        model: Model,
        settings: &Settings,
        listen: Vec<SocketAddr>,
    ) -> RoleFacts {
        let is_threaded = model == Model::Threaded;
        let of_pool = |number| if is_threaded { number } else { 0 };
        RoleFacts {
            role,
            model: model.to_string(),
            service: match self {
                Service::Web(_) => "web",
                Service::Gateway { .. } => "gateway",
                Service::Relay(_) => "relay",
            },
            listen,
            workers: of_pool(settings.workers),
            loops: if is_threaded { 0 } else { settings.loops },
            connections_max: settings.connections_max,
            worker_queue_max: of_pool(settings.queue),
        }
    }

    /// What its back ends are asked for unless the settings know better: what clients will want of them.
    fn probe(&self) -> Probe {
        match self {
            Service::Gateway { .. } => Probe::Head(CHECK_PATH.to_owned()),
            Service::Web(_) | Service::Relay(_) => Probe::Connect,
        }
    }
}

/// The threads that check back ends, look their names up, verify passwords, and look after a site and certificates. They are dropped, and end, with
/// the last connection that may still need a back end or the site.
#[derive(Debug)]
struct Upkeep {
    /// What the back ends are checked for, and whether a PROXY header goes ahead; `None` if they are not checked.
    checks: Option<(Probe, Option<Version>)>,
    _checker: Option<Checker>,
    _dns: Option<DnsWatcher>,
    _expiry: Option<ExpiryWatcher>,
    _passwords: Vec<PasswordThread>,
    _site: Option<SiteUpkeep>,
}

/// A service that is being served, and may be replaced meanwhile.
#[derive(Clone, Debug)]
pub enum RunningService {
    /// See [`Service::Web`].
    Web(Arc<ArcSwap<WebService<Site>>>),
    /// See [`Service::Gateway`].
    Gateway(Arc<ArcSwap<Gateway>>),
    /// See [`Service::Relay`].
    Relay(Arc<ArcSwap<RelayService>>),
}

impl RunningService {
    /// Starts the upkeep of a service with these groups of back ends, behind listeners with the addresses `own`.
    /// What is known of back ends of the service `before`, which this one is to replace, is taken over.
    ///
    /// Errors: threads or pollers that cannot be made.
    pub(crate) fn start(
        role: &'static str,
        mut service: Service,
        settings: &Settings,
        encryption: &Encryption,
        groups: Vec<ResolvedGroup>,
        own: OwnAddresses,
        before: Option<&RunningService>,
    ) -> io::Result<RunningService> {
        let probe = settings.check_probe.clone().unwrap_or_else(|| service.probe());
        let (interval, send) = (settings.check_interval, settings.proxies.send);
        let checks = interval.map(|_| (probe.clone(), send));
        if let Some(before) = before {
            let keeps_checks = checks.is_some() && before.checks() == checks;
            let old = before.groups();
            service.groups().iter().for_each(|group| group.take_over(&old, keeps_checks));
        }
        let tls = encryption.front(own.addresses());
        let look_ups = settings.view.as_ref().map(|view| Arc::clone(&view.look_ups)).unwrap_or_default();
        let mut guards = settings.guards.clone();
        if let Some(before) = before {
            before.context().guards.iter().for_each(|before| guards.take_over(before));
            service.take_over_rates(&settings.guards, &guards, before);
        }
        let passwords = PasswordThread::start_each(guards.basic_auth.iter().chain(service.basic_auths()))?;
        let upkeep = Upkeep {
            checks,
            _checker: Checker::start(service.groups(), interval, probe, send, encryption.back.clone())?,
            _expiry: ExpiryWatcher::start(encryption.certificates.clone())?,
            _passwords: passwords,
            _dns: DnsWatcher::start(groups, settings.look_ups, own, look_ups)?,
            _site: match &service {
                Service::Web(site) => Some(SiteUpkeep::start(Arc::clone(site))?),
                Service::Gateway { .. } | Service::Relay(_) => None,
            },
        };
        settings.view.iter().for_each(|view| view.set_groups(service.groups()));
        let context = Arc::new(RoleContext {
            timeouts: settings.timeouts,
            head_limits: settings.head_limits,
            guards: (!guards.is_empty()).then(|| Arc::new(guards)),
            proxies: settings.proxies.clone(),
            tls,
            backend_tls: encryption.back.clone(),
            upkeep: Some(Arc::new(upkeep) as Arc<dyn Any + Send + Sync>),
            ..RoleContext::new(role, observer(settings))
        });
        Ok(match service {
            Service::Web(site) => RunningService::Web(replaceable(WebService { context, site })),
            Service::Gateway { routes, rules } => {
                RunningService::Gateway(replaceable(Gateway { context, routes: *routes, rules }))
            }
            Service::Relay(group) => RunningService::Relay(replaceable(RelayService { context, group })),
        })
    }

    /// Every group of back ends behind it now.
    fn groups(&self) -> Vec<Arc<Group>> {
        match self {
            RunningService::Web(_) => Vec::new(),
            RunningService::Gateway(gateway) => groups(&gateway.load().routes),
            RunningService::Relay(relay) => vec![Arc::clone(&relay.load().group)],
        }
    }

    /// The settings that its connections share now.
    fn context(&self) -> Arc<RoleContext> {
        match self {
            RunningService::Web(web) => Arc::clone(&web.load().context),
            RunningService::Gateway(gateway) => Arc::clone(&gateway.load().context),
            RunningService::Relay(relay) => Arc::clone(&relay.load().context),
        }
    }

    /// What its back ends are checked for now.
    fn checks(&self) -> Option<(Probe, Option<Version>)> {
        self.context().upkeep.as_ref()?.downcast_ref::<Upkeep>()?.checks.clone()
    }

    /// Puts another service of the same kind in the place of this one.
    ///
    /// Errors: it is of another kind.
    pub fn replace(&self, new: RunningService) -> Result<(), &'static str> {
        match (self, new) {
            (RunningService::Web(old), RunningService::Web(new)) => old.store(new.load_full()),
            (RunningService::Gateway(old), RunningService::Gateway(new)) => old.store(new.load_full()),
            (RunningService::Relay(old), RunningService::Relay(new)) => old.store(new.load_full()),
            _ => return Err("a restart is needed to change what the role does"),
        }
        Ok(())
    }

    /// Serves the listeners until `shutdown`, then drains: returns when the last connection is gone or
    /// the drain's time is over.
    ///
    /// Errors: threads or pollers that cannot be made; nothing that a client or a back end does.
    pub fn serve(
        &self,
        model: Model,
        listeners: Vec<Listener>,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> io::Result<()> {
        let (pool, loops) = (settings.threaded(), settings.poll_loop());
        match (model, self) {
            (Model::Threaded, RunningService::Web(web)) => {
                threaded::serve::<threaded::WebConnection<Site>>(listeners, web, &pool, shutdown)
            }
            (Model::Threaded, RunningService::Gateway(gateway)) => {
                threaded::serve::<threaded::GatewayConnection>(listeners, gateway, &pool, shutdown)
            }
            (Model::Threaded, RunningService::Relay(relay)) => {
                threaded::serve::<threaded::RelayConnection>(listeners, relay, &pool, shutdown)
            }
            (Model::Async, RunningService::Web(web)) => {
                poll_loop::serve::<poll_loop::WebConnection>(listeners, web, &loops, shutdown)
            }
            (Model::Async, RunningService::Gateway(gateway)) => {
                poll_loop::serve::<poll_loop::GatewayConnection>(listeners, gateway, &loops, shutdown)
            }
            (Model::Async, RunningService::Relay(relay)) => {
                poll_loop::serve::<poll_loop::RelayConnection>(listeners, relay, &loops, shutdown)
            }
        }
    }
}

/// Every group of back ends behind these routes, the default first.
fn groups(routes: &Routes<Route>) -> Vec<Arc<Group>> {
    routes.targets().iter().filter_map(Route::group).map(Arc::clone).collect()
}

/// Who is told what happens: the log, and a counter if somebody looks.
fn observer(settings: &Settings) -> Arc<dyn Observer> {
    match settings.view {
        Some(_) => Arc::new(Meter),
        None => Arc::new(AccessLog),
    }
}

fn replaceable<T>(service: T) -> Arc<ArcSwap<T>> {
    Arc::new(ArcSwap::from_pointee(service))
}
