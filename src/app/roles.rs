//! The roles: from the arguments of each to a service behind its listeners.
//!
//! Contract: [`server`], [`proxy`] and [`balancer`] prepare a role and find everything that can be wrong
//! without binding anything, which is what `--check` does too; [`serve`] binds, prints the addresses, and runs
//! until a signal ends it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::app::cli::{self, Balancer, Failure, FlagGroup, Forwarding, Front, Mode, Proxy, Role, Server};
use crate::app::defaults;
use crate::app::reload::Reload;
use crate::app::service::{RunningService, Service};
use crate::app::settings::{Model, Settings};
use crate::balance::routes::Routes;
use crate::net::dns::ResolvedGroup;
use crate::net::endpoint::Endpoint;
use crate::net::limits::connections_that_fit;
use crate::net::listen::bind;
use crate::net::signals;
use crate::observe;
use crate::protocol::forward::Rules;
use crate::site::{Site, SiteKind};

/// A role with its service and settings, before it listens.
#[derive(Debug)]
pub struct PreparedRole {
    name: &'static str,
    model: Model,
    service: Service,
    settings: Settings,
    addresses: Vec<SocketAddr>,
    /// The host names of the service's back ends, which are looked up again while it runs.
    names: Vec<ResolvedGroup>,
}

/// Prepares a static server with the site of `kind`.
pub fn server(kind: SiteKind) -> impl Fn(&Role, &Server) -> Result<PreparedRole, Failure> {
    move |role, args| {
        args.front.check()?;
        let site = Site::open(kind, &args.site.root)
            .map_err(|error| Failure::Usage(format!("--root {}: {error}", args.site.root.display())))?;
        let site = if args.site.mirror { site.with_mirror() } else { site };
        Ok(PreparedRole {
            name: role.name,
            model: args.driver.model,
            service: Service::Web(Arc::new(site)),
            settings: args.settings(),
            addresses: resolve("--listen", &args.listening.listen)?,
            names: Vec::new(),
        })
    }
}

/// Prepares the reverse proxy.
pub fn proxy(role: &Role, args: &Proxy) -> Result<PreparedRole, Failure> {
    args.front.check()?;
    let routing = &args.routing;
    let max_per_backend = args.load.max_per_backend;
    let mut names = vec![look_up("--default", "default", &routing.default, max_per_backend)?];
    let mut routes = Routes::new(Arc::clone(names[0].group()));
    for route in &routing.route {
        let of_route = look_up("--route", &route.prefix, &route.backends, max_per_backend)?;
        routes
            .add(&route.prefix, Arc::clone(of_route.group()))
            .map_err(|error| Failure::Usage(format!("--route {route}: {error}")))?;
        names.push(of_route);
    }
    Ok(PreparedRole {
        name: role.name,
        model: args.driver.model,
        service: Service::Gateway { routes, rules: rules(&args.front, &args.forwarding, args.mirror) },
        settings: args.settings(),
        addresses: resolve("--listen", &args.listening.listen)?,
        names,
    })
}

/// Prepares a balancer of this model.
pub fn balancer<T: clap::Args + FlagGroup>(
    model: Model,
) -> impl Fn(&Role, &Balancer<T>) -> Result<PreparedRole, Failure> {
    move |role, args| {
        args.front.check()?;
        let back_ends = &args.back_ends;
        let endpoints = match back_ends.backends {
            Some(count) => defaults::WEB_SERVERS[..count].iter().copied().map(Endpoint::from).collect(),
            None => back_ends.backend.clone(),
        };
        let names = look_up("--backend", "back ends", &endpoints, args.load.max_per_backend)?;
        let group = Arc::clone(names.group());
        let service = match back_ends.mode {
            Mode::Tcp => Service::Relay(group),
            Mode::Http => {
                let rules = rules(&args.front, &args.forwarding, false);
                Service::Gateway { routes: Routes::new(group), rules }
            }
        };
        Ok(PreparedRole {
            name: role.name,
            model,
            service,
            settings: args.settings(),
            addresses: resolve("--listen", &args.listening.listen)?,
            names: vec![names],
        })
    }
}

/// How a gateway with these flags rewrites heads.
fn rules(front: &Front, forwarding: &Forwarding, mirror: bool) -> Rules {
    Rules { trust: front.trust.clone(), via: !forwarding.no_via, mirror }
}

/// Keys that a reload cannot change: listeners, threads and the log are made from them once.
const NEED_RESTART: [&str; 12] = [
    "listen",
    "backlog",
    "connections-max",
    "model",
    "workers",
    "queue",
    "no-park",
    "loops",
    "mode",
    "drain",
    "log-format",
    "log-file",
];

/// Binds, prints one line for each listener, and serves until a signal ends it.
pub fn serve(prepared: PreparedRole, reload: Option<Reload<PreparedRole>>) -> Result<(), Failure> {
    let PreparedRole { name, model, service, mut settings, addresses, names } = prepared;
    let runtime = |error: std::io::Error| Failure::Runtime(error.to_string());
    // Before anything is bound: from now on a signal starts a drain and does not kill the process.
    let (shutdown, hangups) = signals::listen(reload.is_some(), observe::log::reopen).map_err(runtime)?;
    let mut listeners = Vec::new();
    let mut addresses_text = String::new();
    for address in addresses {
        let listener =
            bind(address, settings.backlog).map_err(|error| Failure::Runtime(error.to_string()))?;
        let address = listener.local_addr().map_err(runtime)?;
        addresses_text.push_str(&format!("listening on {address}\n"));
        listeners.push(listener);
    }
    settings.connections_max = connections_max(settings.connections_max, 1);
    // Held to the end of the drain: what is still in flight may need a back end that works.
    let running = RunningService::start(name, service, &settings, names).map_err(runtime)?;
    if let Some(reload) = reload {
        let running = running.clone();
        let apply = move |prepared: PreparedRole| {
            let PreparedRole { name, service, settings, names, .. } = prepared;
            let new = RunningService::start(name, service, &settings, names).map_err(runtime)?;
            running.replace(new).map_err(|error| Failure::Usage(error.to_owned()))
        };
        reload.start(hangups, |key| !NEED_RESTART.contains(&key), apply).map_err(runtime)?;
    }
    cli::print(&addresses_text)?;
    running.serve(model, listeners, &settings, &shutdown).map_err(runtime)
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

/// Looks up all endpoints that a flag named, and makes one group of their addresses.
fn look_up(
    flag: &str,
    group: &str,
    endpoints: &[Endpoint],
    max_per_backend: usize,
) -> Result<ResolvedGroup, Failure> {
    ResolvedGroup::look_up(group, endpoints, max_per_backend)
        .map_err(|(endpoint, error)| Failure::Runtime(format!("{flag} {endpoint}: {error}")))
}

/// Looks up all endpoints that a flag named, and lists their addresses.
fn resolve(flag: &str, endpoints: &[Endpoint]) -> Result<Vec<SocketAddr>, Failure> {
    let mut addresses = Vec::new();
    for endpoint in endpoints {
        let found =
            endpoint.resolve().map_err(|error| Failure::Runtime(format!("{flag} {endpoint}: {error}")))?;
        addresses.extend(found);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_found_is_named_with_its_flag() {
        let endpoints = ["name.invalid:80".parse().unwrap()];
        for failure in [
            resolve("--backend", &endpoints).unwrap_err(),
            look_up("--backend", "back ends", &endpoints, 0).unwrap_err(),
        ] {
            assert!(failure.to_string().starts_with("--backend name.invalid:80: "), "{failure}");
        }
    }
}
