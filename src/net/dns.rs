//! The names of back ends, looked up at start and again and again: the addresses behind a name change.
//!
//! Contract: a lookup may take as long as it likes, because it has a thread of its own and no connection
//! waits for it. A lookup that fails changes nothing: the addresses from before stay, and the failure is
//! logged once, and once more when it is over. Addresses that lead back to this role are left out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::balance::{Group, GroupSettings};
use crate::net::endpoint::Endpoint;
use crate::net::own::OwnAddresses;

/// A group of back ends, and the endpoints whose addresses they are.
#[derive(Debug)]
pub struct ResolvedGroup {
    group: Arc<Group>,
    endpoints: Vec<Resolved>,
}

/// An endpoint and the result of its lookups.
#[derive(Debug)]
struct Resolved {
    endpoint: Endpoint,
    addresses: Vec<SocketAddr>,
    /// The last lookup failed; the addresses are from before.
    is_failing: bool,
    /// The last lookup gave addresses of this role.
    led_here: bool,
}

impl ResolvedGroup {
    /// A group of all addresses of all endpoints.
    ///
    /// Errors: an endpoint that cannot be looked up. At start that is taken for a mistake in the
    /// configuration, and ends the program; later it is taken for a fault that will pass.
    pub(crate) fn look_up(
        name: &str,
        endpoints: &[Endpoint],
        settings: GroupSettings,
    ) -> Result<ResolvedGroup, (Endpoint, io::Error)> {
        let look_up = |endpoint: &Endpoint| match endpoint.resolve() {
            Ok(addresses) => {
                Ok(Resolved { endpoint: endpoint.clone(), addresses, is_failing: false, led_here: false })
            }
            Err(error) => Err((endpoint.clone(), error)),
        };
        let endpoints: Vec<Resolved> = endpoints.iter().map(look_up).collect::<Result<_, _>>()?;
        let addresses = endpoints.iter().flat_map(|resolved| resolved.addresses.iter().copied());
        let group = Group::with(name, addresses.collect(), settings);
        let resolved = ResolvedGroup { group: Arc::new(group), endpoints };
        resolved.name_backends();
        Ok(resolved)
    }

    fn name_backends(&self) {
        for Resolved { endpoint, addresses, .. } in self.endpoints.iter().filter(|one| one.endpoint.is_name())
        {
            self.group.name_backends(&endpoint.host, addresses);
        }
    }

    /// The group.
    pub(crate) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// An endpoint with an address that leads back to this role, and the address that the role listens on.
    pub(crate) fn leading_here(&self, own: &OwnAddresses) -> Option<(&Endpoint, SocketAddr)> {
        self.endpoints.iter().find_map(|resolved| {
            let here = resolved.addresses.iter().find_map(|address| own.leads_here(*address))?;
            Some((&resolved.endpoint, here))
        })
    }

    /// True if an endpoint is a name: literal addresses never change.
    fn may_change(&self) -> bool {
        self.endpoints.iter().any(|resolved| resolved.endpoint.is_name())
    }

    /// Looks all names up again, and changes the group if their addresses have changed.
    fn refresh(&mut self, own: &OwnAddresses, resolve: impl Fn(&Endpoint) -> io::Result<Vec<SocketAddr>>) {
        let group = self.group.name();
        for resolved in self.endpoints.iter_mut().filter(|resolved| resolved.endpoint.is_name()) {
            let endpoint = &resolved.endpoint;
            let (mut found, mut led_here) = (resolve(endpoint), false);
            if let Ok(addresses) = &mut found {
                let count = addresses.len();
                addresses.retain(|address| own.leads_here(*address).is_none());
                led_here = addresses.len() < count;
            }
            if led_here && !resolved.led_here {
                log::error!("{group}: {endpoint} leads back to this role itself: that address is left out");
            }
            resolved.led_here = led_here;
            match found {
                Ok(addresses) if addresses.is_empty() => {} // nothing is left of it: those from before stay
                Ok(addresses) => {
                    if resolved.is_failing {
                        log::info!("{group}: {endpoint} is found again");
                    }
                    resolved.addresses = addresses;
                    resolved.is_failing = false;
                }
                Err(error) => {
                    if !resolved.is_failing {
                        log::error!("{group}: {endpoint} cannot be looked up, its addresses stay: {error}");
                    }
                    resolved.is_failing = true;
                }
            }
        }
        let addresses: Vec<_> =
            self.endpoints.iter().flat_map(|resolved| resolved.addresses.iter().copied()).collect();
        let replaced = self.group.replace(&addresses);
        self.name_backends();
        for address in replaced.added {
            log::info!("{group}: {address} is new");
        }
        for address in replaced.removed {
            log::info!("{group}: {address} is gone");
        }
    }
}

/// Keeps the groups of one role up to date with DNS, until it is dropped.
#[derive(Debug)]
pub(crate) struct DnsWatcher {
    /// Nothing is ever sent: that the channel closes is the message.
    _stop: Sender<()>,
}

impl DnsWatcher {
    /// Starts to look the names up once per `interval`. `None` if there is nothing to look up.
    ///
    /// Errors: the thread cannot be created.
    pub(crate) fn start(
        groups: Vec<ResolvedGroup>,
        interval: Option<Duration>,
        own: OwnAddresses,
    ) -> io::Result<Option<DnsWatcher>> {
        let mut groups: Vec<ResolvedGroup> = groups.into_iter().filter(ResolvedGroup::may_change).collect();
        let Some(interval) = interval.filter(|_| !groups.is_empty()) else { return Ok(None) };
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                groups.iter_mut().for_each(|group| group.refresh(&own, Endpoint::resolve));
            }
        };
        // Never joined: the resolver may block it for half a minute, and the end does not wait for that.
        thread::Builder::new().name("look-ups".to_owned()).spawn(watch)?;
        Ok(Some(DnsWatcher { _stop: stop }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 80))
    }

    /// A group of these endpoints, after a lookup that gave two addresses for each name.
    fn resolved(endpoints: &[&str]) -> ResolvedGroup {
        let endpoints = endpoints.iter().map(|text| Resolved {
            endpoint: text.parse().unwrap(),
            addresses: text.parse().into_iter().collect(),
            is_failing: false,
            led_here: false,
        });
        let group = Arc::new(Group::new("test", Vec::new()));
        let mut resolved = ResolvedGroup { group, endpoints: endpoints.collect() };
        resolved.refresh(&OwnAddresses::default(), |_| Ok(vec![address(1), address(2)]));
        resolved
    }

    fn addresses(resolved: &ResolvedGroup) -> Vec<SocketAddr> {
        resolved.group().backends().iter().map(|backend| backend.address).collect()
    }

    #[test]
    fn every_address_of_a_name_is_a_back_end() {
        let group = resolved(&["127.0.0.9:80", "back.example:80"]);
        assert_eq!(addresses(&group), [address(9), address(1), address(2)]);
        assert!(group.may_change());
        assert!(!resolved(&["127.0.0.9:80", "[::1]:80"]).may_change());
    }

    #[test]
    fn the_list_follows_the_name_and_connections_stay() {
        let mut resolved = resolved(&["back.example:80"]);
        let held = resolved.group().next(&mut resolved.group().turn(), Instant::now()).unwrap();
        resolved.refresh(&OwnAddresses::default(), |_| Ok(vec![address(3), address(2)]));
        assert_eq!(addresses(&resolved), [address(2), address(3)]);
        assert_eq!((held.address, held.active()), (address(1), 1));
    }

    #[test]
    fn a_lookup_that_fails_keeps_its_addresses_and_affects_no_other() {
        let mut resolved = resolved(&["a.example:80", "127.0.0.9:80", "b.example:80"]);
        resolved.refresh(&OwnAddresses::default(), |endpoint| match endpoint.host.as_str() {
            "a.example" => Err(io::Error::other("no such name")),
            _ => Ok(vec![address(7)]),
        });
        assert!(resolved.endpoints[0].is_failing);
        assert_eq!(addresses(&resolved), [address(1), address(2), address(9), address(7)]);
        resolved.refresh(&OwnAddresses::default(), |_| Ok(vec![address(7)]));
        assert!(!resolved.endpoints[0].is_failing);
        assert_eq!(addresses(&resolved), [address(9), address(7), address(7)]);
    }

    #[test]
    fn an_address_that_leads_back_here_is_left_out() {
        let own = OwnAddresses::new(vec![address(3).into()]);
        let mut resolved = resolved(&["back.example:80"]);
        resolved.refresh(&own, |_| Ok(vec![address(1), address(3)]));
        assert_eq!(addresses(&resolved), [address(1)]);
        resolved.refresh(&own, |_| Ok(vec![address(3)]));
        assert_eq!(addresses(&resolved), [address(1)], "there is no other: those from before stay");
        resolved.refresh(&own, |_| Ok(vec![address(4)]));
        assert_eq!(addresses(&resolved), [address(4)]);
        assert_eq!(resolved.leading_here(&own), None);
        let own = OwnAddresses::new(vec![address(4).into()]);
        assert_eq!(resolved.leading_here(&own).unwrap().1, address(4));
    }

    #[test]
    fn a_name_is_looked_up_at_start() {
        let resolved =
            ResolvedGroup::look_up("test", &["localhost:80".parse().unwrap()], GroupSettings::default())
                .unwrap();
        assert!(addresses(&resolved).iter().all(|address| address.ip().is_loopback()));
        let (endpoint, _) =
            ResolvedGroup::look_up("test", &["name.invalid:80".parse().unwrap()], GroupSettings::default())
                .unwrap_err();
        assert_eq!(endpoint.host, "name.invalid");
    }
}
