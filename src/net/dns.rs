//! Names of back ends, looked up again and again: what they lead to changes while we run.
//!
//! Contract: a look-up may take as long as it likes, for it has a thread of its own and no
//! connection waits for it. One that fails changes nothing: the addresses from before stay, and the
//! log hears of it once, and once more when it is over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::balance::Group;
use crate::net::endpoint::Endpoint;

/// A group and what it was made from.
#[derive(Debug)]
pub struct Names {
    group: Arc<Group>,
    endpoints: Vec<Known>,
}

/// An endpoint and what is known of it.
#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    addresses: Vec<SocketAddr>,
    is_failing: bool,
}

impl Names {
    /// A group of all addresses of all endpoints, each with at most so many connections or requests at
    /// a time; 0 is no limit.
    ///
    /// Errors: an endpoint that cannot be looked up. At start that is a mistake, later bad luck.
    pub fn look_up_first(
        name: &str,
        endpoints: &[Endpoint],
        max_per_backend: usize,
    ) -> Result<Names, (Endpoint, io::Error)> {
        let look_up = |endpoint: &Endpoint| match endpoint.resolve() {
            Ok(addresses) => Ok(Known { endpoint: endpoint.clone(), addresses, is_failing: false }),
            Err(error) => Err((endpoint.clone(), error)),
        };
        let endpoints: Vec<Known> = endpoints.iter().map(look_up).collect::<Result<_, _>>()?;
        let addresses = endpoints.iter().flat_map(|known| known.addresses.iter().copied());
        let group = Group::limited(name, addresses.collect(), max_per_backend);
        Ok(Names { group: Arc::new(group), endpoints })
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// True if there is a name among the endpoints: addresses are what they are.
    fn may_change(&self) -> bool {
        self.endpoints.iter().any(|known| known.endpoint.is_name())
    }

    /// Looks all names up again and changes the group if they lead elsewhere.
    fn look_up_again(&mut self, resolve: impl Fn(&Endpoint) -> io::Result<Vec<SocketAddr>>) {
        let group = &self.group;
        for known in self.endpoints.iter_mut().filter(|known| known.endpoint.is_name()) {
            let endpoint = &known.endpoint;
            match resolve(endpoint) {
                Ok(addresses) => {
                    if known.is_failing {
                        log::info!("{}: {endpoint} is found again", group.name());
                    }
                    known.addresses = addresses;
                    known.is_failing = false;
                }
                Err(error) => {
                    if !known.is_failing {
                        log::error!(
                            "{}: {endpoint} cannot be looked up, its addresses stay: {error}",
                            group.name()
                        );
                    }
                    known.is_failing = true;
                }
            }
        }
        let addresses: Vec<_> =
            self.endpoints.iter().flat_map(|known| known.addresses.iter().copied()).collect();
        let replaced = group.replace(&addresses);
        for address in replaced.added {
            log::info!("{}: {address} is new", group.name());
        }
        for address in replaced.removed {
            log::info!("{}: {address} is gone", group.name());
        }
    }
}

/// The look-ups of one role; they end when this is dropped.
#[derive(Debug)]
pub struct Lookups {
    /// Nothing is ever sent: that it goes is the message.
    _stop: Sender<()>,
}

impl Lookups {
    /// Begins to look names up each `interval`. `None` if there is nothing to do.
    ///
    /// Errors: no thread can be had.
    pub fn start(names: Vec<Names>, interval: Option<Duration>) -> io::Result<Option<Lookups>> {
        let mut names: Vec<Names> = names.into_iter().filter(Names::may_change).collect();
        let Some(interval) = interval.filter(|_| !names.is_empty()) else { return Ok(None) };
        let (stop, stopped) = mpsc::channel();
        let look_up = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                names.iter_mut().for_each(|names| names.look_up_again(Endpoint::resolve));
            }
        };
        // Never joined: the resolver may hold it for half a minute, which the end does not wait for.
        thread::Builder::new().name("look-ups".to_owned()).spawn(look_up)?;
        Ok(Some(Lookups { _stop: stop }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::now::Now;
    use std::time::{Instant, SystemTime};

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 80))
    }

    fn names(endpoints: &[&str]) -> Names {
        let endpoints = endpoints.iter().map(|text| Known {
            endpoint: text.parse().unwrap(),
            addresses: text.parse().into_iter().collect(),
            is_failing: false,
        });
        let mut names =
            Names { group: Arc::new(Group::new("test", Vec::new())), endpoints: endpoints.collect() };
        names.look_up_again(|_| Ok(vec![address(1), address(2)]));
        names
    }

    fn addresses(names: &Names) -> Vec<SocketAddr> {
        names.group().backends().iter().map(|backend| backend.address).collect()
    }

    #[test]
    fn every_address_of_a_name_is_a_back_end() {
        let names = names(&["127.0.0.9:80", "back.example:80"]);
        assert_eq!(addresses(&names), [address(9), address(1), address(2)]);
        assert!(names.may_change());
        assert!(!self::names(&["127.0.0.9:80", "[::1]:80"]).may_change());
    }

    #[test]
    fn the_list_follows_the_name_and_connections_stay() {
        let mut names = names(&["back.example:80"]);
        let now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
        let held = names.group().next(&mut names.group().turn(), &now).unwrap();
        names.look_up_again(|_| Ok(vec![address(3), address(2)]));
        assert_eq!(addresses(&names), [address(2), address(3)]);
        assert_eq!((held.address, held.active()), (address(1), 1));
    }

    #[test]
    fn a_look_up_that_fails_keeps_its_own_addresses_and_hinders_no_other() {
        let mut names = names(&["a.example:80", "127.0.0.9:80", "b.example:80"]);
        names.look_up_again(|endpoint| match endpoint.host.as_str() {
            "a.example" => Err(io::Error::other("no such name")),
            _ => Ok(vec![address(7)]),
        });
        assert!(names.endpoints[0].is_failing);
        assert_eq!(addresses(&names), [address(1), address(2), address(9), address(7)]);
        names.look_up_again(|_| Ok(vec![address(7)]));
        assert!(!names.endpoints[0].is_failing);
        assert_eq!(addresses(&names), [address(9), address(7), address(7)]);
    }

    #[test]
    fn a_name_is_looked_up_at_start() {
        let names = Names::look_up_first("test", &["localhost:80".parse().unwrap()], 0).unwrap();
        assert!(addresses(&names).iter().all(|address| address.ip().is_loopback()));
        let (endpoint, _) =
            Names::look_up_first("test", &["name.invalid:80".parse().unwrap()], 0).unwrap_err();
        assert_eq!(endpoint.host, "name.invalid");
    }
}
