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

use crate::balance::{Group, GroupSettings, Member};
use crate::net::own::OwnAddresses;
use crate::net::target::Target;

/// A group of back ends, and the targets whose addresses they are.
#[derive(Debug)]
pub(crate) struct ResolvedGroup {
    group: Arc<Group>,
    targets: Vec<Resolved>,
}

/// A target and the result of its lookups.
#[derive(Debug)]
struct Resolved {
    target: Target,
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
        targets: &[Target],
        settings: GroupSettings,
    ) -> Result<ResolvedGroup, (Target, io::Error)> {
        let look_up = |target: &Target| match target.endpoint.resolve() {
            Ok(addresses) => {
                Ok(Resolved { target: target.clone(), addresses, is_failing: false, led_here: false })
            }
            Err(error) => Err((target.clone(), error)),
        };
        let targets: Vec<Resolved> = targets.iter().map(look_up).collect::<Result<_, _>>()?;
        let group = Arc::new(Group::with(name, members(&targets), settings));
        Ok(ResolvedGroup { group, targets })
    }

    /// The group.
    pub(crate) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// A target with an address that leads back to this role, and the address that the role listens on.
    pub(crate) fn leading_here(&self, own: &OwnAddresses) -> Option<(&Target, SocketAddr)> {
        self.targets.iter().find_map(|resolved| {
            let here = resolved.addresses.iter().find_map(|address| own.leads_here(*address))?;
            Some((&resolved.target, here))
        })
    }

    /// True if a target is a name: literal addresses never change.
    fn may_change(&self) -> bool {
        self.targets.iter().any(|resolved| resolved.target.endpoint.is_name())
    }

    /// Looks all names up again, and changes the group if their addresses have changed.
    fn refresh(&mut self, own: &OwnAddresses, resolve: impl Fn(&Target) -> io::Result<Vec<SocketAddr>>) {
        let group = self.group.name();
        for resolved in self.targets.iter_mut().filter(|resolved| resolved.target.endpoint.is_name()) {
            let target = &resolved.target;
            let (mut found, mut led_here) = (resolve(target), false);
            if let Ok(addresses) = &mut found {
                let count = addresses.len();
                addresses.retain(|address| own.leads_here(*address).is_none());
                led_here = addresses.len() < count;
            }
            if led_here && !resolved.led_here {
                log::error!("{group}: {target} leads back to this role itself: that address is left out");
            }
            resolved.led_here = led_here;
            match found {
                Ok(addresses) if addresses.is_empty() => {} // nothing is left of it: those from before stay
                Ok(addresses) => {
                    if resolved.is_failing {
                        log::info!("{group}: {target} is found again");
                    }
                    resolved.addresses = addresses;
                    resolved.is_failing = false;
                }
                Err(error) => {
                    if !resolved.is_failing {
                        log::error!("{group}: {target} cannot be looked up, its addresses stay: {error}");
                    }
                    resolved.is_failing = true;
                }
            }
        }
        let replaced = self.group.replace(&members(&self.targets));
        for address in replaced.added {
            log::info!("{group}: {address} is new");
        }
        for address in replaced.removed {
            log::info!("{group}: {address} is gone");
        }
    }
}

/// One back end for each address of each target.
fn members(targets: &[Resolved]) -> Vec<Member> {
    let of_one = |one: &Resolved| one.addresses.iter().map(|at| one.target.member(*at)).collect::<Vec<_>>();
    targets.iter().flat_map(of_one).collect()
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
                groups.iter_mut().for_each(|group| group.refresh(&own, |target| target.endpoint.resolve()));
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

    /// A group of these targets, after a lookup that gave two addresses for each name.
    fn resolved(targets: &[&str]) -> ResolvedGroup {
        let targets = targets.iter().map(|text| Resolved {
            target: text.parse().unwrap(),
            addresses: text.parse().into_iter().collect(),
            is_failing: false,
            led_here: false,
        });
        let group = Arc::new(Group::new("test", Vec::new()));
        let mut resolved = ResolvedGroup { group, targets: targets.collect() };
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
        resolved.refresh(&OwnAddresses::default(), |target| match target.endpoint.host.as_str() {
            "a.example" => Err(io::Error::other("no such name")),
            _ => Ok(vec![address(7)]),
        });
        assert!(resolved.targets[0].is_failing);
        assert_eq!(addresses(&resolved), [address(1), address(2), address(9), address(7)]);
        resolved.refresh(&OwnAddresses::default(), |_| Ok(vec![address(7)]));
        assert!(!resolved.targets[0].is_failing);
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
        let (target, _) =
            ResolvedGroup::look_up("test", &["name.invalid:80".parse().unwrap()], GroupSettings::default())
                .unwrap_err();
        assert_eq!(target.endpoint.host, "name.invalid");
    }
}
