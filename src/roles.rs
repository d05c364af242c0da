//! Presets put to work: from a role's arguments to a service behind bound listeners.
//!
//! Contract: [`server`], [`proxy`] and [`balancer`] look at everything that can be wrong without
//! binding anything, which is also what `--check` does; [`serve`] binds, says so, and runs to the end.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::balance::Group;
use crate::cli::{self, Balancer, Effect, Failure, Mode, Proxy, Role, Server};
use crate::endpoint::Endpoint;
use crate::forward::Rules;
use crate::net::limits::connections_that_fit;
use crate::net::listen::{ListenError, bind};
use crate::net::shutdown::Shutdown;
use crate::route::Routes;
use crate::run::{self, Service};
use crate::settings::{Model, Settings};
use crate::site::{self, Site};

/// A role that is ready to be bound.
#[derive(Debug)]
pub struct Plan {
    name: &'static str,
    model: Model,
    service: Service,
    settings: Settings,
    addresses: Vec<SocketAddr>,
    backlog: u32,
}

/// Plans a static server over the site of `kind`.
pub fn server(kind: site::Role) -> impl FnOnce(&Role, &Server) -> Result<Plan, Failure> {
    move |role, args| {
        let site = Site::open(kind, &args.site.root)
            .map_err(|error| Failure::Usage(format!("--root {}: {error}", args.site.root.display())))?;
        let site = if args.site.mirror { site.with_mirror() } else { site };
        Ok(Plan {
            name: role.name,
            model: args.driver.model,
            service: Service::Web(Arc::new(site)),
            settings: args.settings(),
            addresses: resolve("--listen", &args.listening.listen)?,
            backlog: backlog(args.listening.backlog),
        })
    }
}

/// Plans the reverse proxy.
pub fn proxy(role: &Role, args: &Proxy) -> Result<Plan, Failure> {
    let routing = &args.routing;
    let mut routes = Routes::new(Arc::new(Group::new("default", resolve("--default", &routing.default)?)));
    for route in &routing.route {
        let group = Group::new(&route.prefix, resolve("--route", &route.backends)?);
        routes
            .add(&route.prefix, Arc::new(group))
            .map_err(|error| Failure::Usage(format!("--route {route}: {error}")))?;
    }
    Ok(Plan {
        name: role.name,
        model: args.driver.model,
        service: Service::Gateway(Arc::new(routes), Arc::new(Rules { trust: routing.trust.clone() })),
        settings: args.settings(),
        addresses: resolve("--listen", &args.listening.listen)?,
        backlog: backlog(args.listening.backlog),
    })
}

/// Plans a balancer, which is its model.
pub fn balancer<T: clap::Args + Effect>(
    model: Model,
) -> impl FnOnce(&Role, &Balancer<T>) -> Result<Plan, Failure> {
    move |role, args| {
        let back_ends = &args.back_ends;
        let addresses = match back_ends.backends {
            Some(count) => crate::defaults::WEB_SERVERS[..count].to_vec(),
            None => resolve("--backend", &back_ends.backend)?,
        };
        let group = Arc::new(Group::new("back ends", addresses));
        let service = match back_ends.mode {
            Mode::Tcp => Service::Relay(group),
            Mode::Http => {
                let rules = Rules { trust: back_ends.trust.clone() };
                Service::Gateway(Arc::new(Routes::new(group)), Arc::new(rules))
            }
        };
        Ok(Plan {
            name: role.name,
            model,
            service,
            settings: args.settings(),
            addresses: resolve("--listen", &args.listening.listen)?,
            backlog: backlog(args.listening.backlog),
        })
    }
}

/// Binds, prints one line a listener, and serves until a signal ends it.
pub fn serve(plan: Plan) -> Result<(), Failure> {
    let Plan { name, model, service, mut settings, addresses, backlog } = plan;
    let runtime = |error: std::io::Error| Failure::Runtime(error.to_string());
    // Before anything is bound: a signal that comes from now on is a drain and not a sudden death.
    let shutdown = Shutdown::on_signals().map_err(runtime)?;
    let mut listeners = Vec::new();
    let mut said = String::new();
    for address in addresses {
        let bound = listen(address, backlog, model, &settings)
            .map_err(|error| Failure::Runtime(error.to_string()))?;
        let address = bound[0].local_addr().map_err(runtime)?;
        said.push_str(&format!("listening on {address}\n"));
        listeners.extend(bound);
    }
    settings.connections_max = connections_max(settings.connections_max, 1);
    cli::print(&said)?;
    run::serve(model, name, listeners, service, &settings, &shutdown).map_err(runtime)
}

/// The listeners of one address, never none: one, or one for each loop, so that the kernel spreads
/// connections over the loops. With several addresses, listener `n` is for loop `n % loops`.
pub(crate) fn listen(
    address: SocketAddr,
    backlog: u32,
    model: Model,
    settings: &Settings,
) -> Result<Vec<TcpListener>, ListenError> {
    if model == Model::Threaded || settings.loops == 1 || !cfg!(unix) {
        return Ok(vec![bind(address, backlog, false)?]);
    }
    if address.port() != 0 {
        // `SO_REUSEPORT` would share the port with a second copy of this program, each getting half
        // of the connections; so see first whether it is free without.
        drop(bind(address, backlog, false)?);
    }
    let mut listeners = vec![bind(address, backlog, true)?];
    // With port 0 the first one takes a free port and the others join it there.
    let address = listeners[0].local_addr().unwrap_or(address);
    while listeners.len() < settings.loops {
        listeners.push(bind(address, backlog, true)?);
    }
    Ok(listeners)
}

/// How many of `wanted` connections each of `roles` may have; says so if the system allows fewer.
pub(crate) fn connections_max(wanted: usize, roles: usize) -> usize {
    let fit = (connections_that_fit(wanted.saturating_mul(roles)) / roles).max(1);
    if fit < wanted {
        log::warn!(
            "{fit} open connections instead of {wanted}: the limit on open files (ulimit -n) allows no more"
        );
    }
    fit
}

/// All addresses of all endpoints that a flag named.
fn resolve(flag: &str, endpoints: &[Endpoint]) -> Result<Vec<SocketAddr>, Failure> {
    let mut addresses = Vec::new();
    for endpoint in endpoints {
        let found =
            endpoint.resolve().map_err(|error| Failure::Runtime(format!("{flag} {endpoint}: {error}")))?;
        addresses.extend(found);
    }
    Ok(addresses)
}

fn backlog(given: usize) -> u32 {
    // The flag's bound is far below.
    u32::try_from(given).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loop_has_a_listener_of_its_own_on_the_same_port() {
        let settings = Settings { loops: 3, ..Settings::default() };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = listen(any, 8, Model::Async, &settings).unwrap();
        assert_eq!(listeners.len(), if cfg!(unix) { 3 } else { 1 });
        let address = listeners[0].local_addr().unwrap();
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == address));
        assert!(listen(address, 8, Model::Async, &settings).is_err(), "a second program does not share it");
        assert_eq!(listen(any, 8, Model::Threaded, &settings).unwrap().len(), 1);
    }

    #[test]
    fn a_name_that_is_not_found_is_named_with_its_flag() {
        let endpoints = ["name.invalid:80".parse().unwrap()];
        let failure = resolve("--backend", &endpoints).unwrap_err();
        assert!(failure.to_string().starts_with("--backend name.invalid:80: "), "{failure}");
    }
}
