//! A group of back ends that follows the names it comes from.
//!
//! Contract: the clock and the look-up come from outside. A look-up that fails changes nothing: the back ends from
//! before stay, and the failure is logged once, and once more when it is over. Addresses that lead back to this role
//! are left out. A back end that a name has no more gets nothing new, and the connections it has go on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::resolver::{Found, LookUpError, Resolver};
use super::watch::{LookUps, Pace};
use crate::balance::{Group, GroupSettings, Member};
use crate::net::own::OwnAddresses;
use crate::net::target::Target;

/// A group of back ends, and the targets that they come from.
#[derive(Debug)]
pub(crate) struct ResolvedGroup {
    group: Arc<Group>,
    resolver: Resolver,
    targets: Vec<Followed>,
}

/// A target and the result of its look-ups.
#[derive(Debug)]
struct Followed {
    target: Target,
    members: Vec<Member>,
    /// How long they hold; `None` if nobody says.
    ttl: Option<Duration>,
    /// When it is looked up again; `None` before the first time is set, and for an address.
    due: Option<Instant>,
    /// The last look-up failed; the back ends are from before.
    is_failing: bool,
    /// The last look-up gave addresses of this role.
    led_here: bool,
}

impl ResolvedGroup {
    /// A group of all back ends of all targets.
    ///
    /// Errors: a target that cannot be looked up. At start that is taken for a mistake in the configuration, and ends
    /// the program; later it is taken for a fault that will pass.
    pub(crate) fn look_up(
        name: &str,
        targets: &[Target],
        settings: GroupSettings,
        resolver: &Resolver,
    ) -> Result<ResolvedGroup, (Target, LookUpError)> {
        let follow = |target: &Target| match resolver.look_up(target) {
            Ok(found) => Ok(Followed::new(target.clone(), found)),
            Err(error) => Err((target.clone(), error)),
        };
        let targets: Vec<Followed> = targets.iter().map(follow).collect::<Result<_, _>>()?;
        let group = Arc::new(Group::with(name, members(&targets), settings));
        Ok(ResolvedGroup { group, resolver: resolver.clone(), targets })
    }

    /// The group.
    pub(crate) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// A target with an address that leads back to this role, and the address that the role listens on.
    pub(crate) fn leading_here(&self, own: &OwnAddresses) -> Option<(&Target, SocketAddr)> {
        self.targets.iter().find_map(|followed| {
            let here = followed.members.iter().find_map(|member| own.leads_here(member.address))?;
            Some((&followed.target, here))
        })
    }

    /// True if a target is a name: addresses never change.
    pub(super) fn may_change(&self) -> bool {
        self.targets.iter().any(|followed| followed.target.is_name())
    }

    /// Sets the time of each name's next look-up, `now` that the one of the start was made.
    pub(super) fn begin(&mut self, pace: Pace, now: Instant) {
        for followed in self.targets.iter_mut().filter(|followed| followed.target.is_name()) {
            followed.due = Some(now + pace.until_next(followed.ttl));
        }
    }

    /// When the next name is to be looked up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.targets.iter().filter_map(|followed| followed.due).min()
    }

    /// Looks up the names that are due, and changes the group if their back ends have changed.
    pub(super) fn refresh(&mut self, own: &OwnAddresses, pace: Pace, counts: &LookUps) {
        let resolver = self.resolver.clone();
        self.refresh_by(own, pace, counts, Instant::now, |target| resolver.look_up(target));
    }

    fn refresh_by(
        &mut self,
        own: &OwnAddresses,
        pace: Pace,
        counts: &LookUps,
        now: impl Fn() -> Instant,
        look_up: impl Fn(&Target) -> Result<Found<Member>, LookUpError>,
    ) {
        let name = self.group.name();
        let begin = now();
        for followed in self.targets.iter_mut().filter(|one| one.due.is_some_and(|due| due <= begin)) {
            let found = look_up(&followed.target);
            counts.count(found.is_ok());
            let wait = match found {
                Ok(found) => {
                    let wait = pace.until_next(found.ttl);
                    followed.found(name, found.all, own);
                    wait
                }
                Err(error) => {
                    followed.failed(name, &error);
                    pace.until_next(None)
                }
            };
            followed.due = Some(now() + wait);
        }
        let replaced = self.group.replace(&members(&self.targets));
        for address in replaced.added {
            log::info!("{name}: {address} is new");
        }
        for address in replaced.removed {
            log::info!("{name}: {address} is gone");
        }
    }
}

impl Followed {
    fn new(target: Target, found: Found<Member>) -> Followed {
        let Found { all, ttl } = found;
        Followed { target, members: all, ttl, due: None, is_failing: false, led_here: false }
    }

    /// A look-up gave these back ends.
    fn found(&mut self, group: &str, mut members: Vec<Member>, own: &OwnAddresses) {
        let target = &self.target;
        let count = members.len();
        members.retain(|member| own.leads_here(member.address).is_none());
        let led_here = members.len() < count;
        if led_here && !self.led_here {
            log::error!("{group}: {target} leads back to this role itself: that address is left out");
        }
        self.led_here = led_here;
        if self.is_failing {
            log::info!("{group}: {target} is found again");
        }
        self.is_failing = false;
        // If nothing is left of them, those from before stay.
        if !members.is_empty() {
            self.members = members;
        }
    }

    /// A look-up failed.
    fn failed(&mut self, group: &str, error: &LookUpError) {
        let target = &self.target;
        if !self.is_failing {
            log::error!("{group}: {target} cannot be looked up, its addresses stay: {error}");
        }
        self.is_failing = true;
    }
}

/// The back ends of all targets.
fn members(targets: &[Followed]) -> Vec<Member> {
    targets.iter().flat_map(|followed| followed.members.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::watch::tests::pace;
    use super::*;
    use crate::net::target::Place;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 80))
    }

    /// A clock that is moved by hand, and the group whose names are looked up by it.
    struct Bench {
        group: ResolvedGroup,
        now: Instant,
        own: OwnAddresses,
        counts: LookUps,
    }

    impl Bench {
        /// A group of these targets, after a look-up that gave two addresses for each name, for 10 s.
        fn new(targets: &[&str]) -> Bench {
            let now = Instant::now();
            let follow = |text: &&str| {
                let target: Target = text.parse().unwrap();
                let addresses = text.parse().map_or(vec![address(1), address(2)], |address| vec![address]);
                Followed::new(target.clone(), of(&target, &addresses, Some(10)).unwrap())
            };
            let targets: Vec<Followed> = targets.iter().map(follow).collect();
            let group = Arc::new(Group::with("test", members(&targets), GroupSettings::default()));
            let mut group = ResolvedGroup { group, resolver: Resolver::default(), targets };
            group.begin(pace(), now);
            Bench { group, now, own: OwnAddresses::default(), counts: LookUps::default() }
        }

        fn refresh(&mut self, look_up: impl Fn(&Target) -> Result<Found<Member>, LookUpError>) {
            let now = self.now;
            self.group.refresh_by(&self.own, pace(), &self.counts, || now, look_up);
        }

        /// All names now have these addresses, for so long.
        fn finds(&mut self, addresses: &[SocketAddr], ttl: Option<u64>) {
            self.refresh(|target| of(target, addresses, ttl));
        }

        fn wait(&mut self, seconds: u64) -> &mut Bench {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn addresses(&self) -> Vec<SocketAddr> {
            self.group.group().backends().iter().map(|backend| backend.address).collect()
        }

        /// Seconds until the next look-up.
        fn due_in(&self) -> Option<u64> {
            Some(self.group.due()?.duration_since(self.now).as_secs())
        }
    }

    fn of(target: &Target, addresses: &[SocketAddr], ttl: Option<u64>) -> Result<Found<Member>, LookUpError> {
        let all = addresses.iter().map(|at| target.member(*at)).collect();
        Ok(Found { all, ttl: ttl.map(Duration::from_secs) })
    }

    fn fails(_: &Target) -> Result<Found<Member>, LookUpError> {
        Err(LookUpError::Silent("no response".to_owned()))
    }

    #[test]
    fn every_address_of_a_name_is_a_back_end() {
        let bench = Bench::new(&["127.0.0.9:80", "back.example:80"]);
        assert_eq!(bench.addresses(), [address(9), address(1), address(2)]);
        assert!(bench.group.may_change());
        let fixed = Bench::new(&["127.0.0.9:80", "[::1]:80"]);
        assert!(!fixed.group.may_change());
        assert_eq!(fixed.due_in(), None);
    }

    #[test]
    fn a_name_is_looked_up_when_its_time_is_over_and_not_before() {
        let mut bench = Bench::new(&["back.example:80"]);
        assert_eq!(bench.due_in(), Some(10));
        bench.wait(9).finds(&[address(3)], Some(30));
        assert_eq!((bench.addresses(), bench.due_in()), (vec![address(1), address(2)], Some(1)));
        bench.wait(1).finds(&[address(3)], Some(30));
        assert_eq!((bench.addresses(), bench.due_in()), (vec![address(3)], Some(30)));
    }

    #[test]
    fn the_time_has_bounds_and_where_nobody_says_it_is_the_interval() {
        let mut bench = Bench::new(&["back.example:80"]);
        for (ttl, due) in [(Some(0), 1), (Some(1_000_000), 300), (None, 5), (Some(7), 7)] {
            bench.wait(300).finds(&[address(3)], ttl);
            assert_eq!(bench.due_in(), Some(due), "{ttl:?}");
        }
        bench.wait(300).refresh(fails);
        assert_eq!(bench.due_in(), Some(5), "after a failure");
    }

    #[test]
    fn each_name_has_a_time_of_its_own() {
        let mut bench = Bench::new(&["a.example:80", "b.example:80"]);
        bench.wait(10).refresh(|target| match &target.place {
            Place::Host(endpoint) if endpoint.host == "a.example" => of(target, &[address(1)], Some(2)),
            _ => of(target, &[address(2)], Some(60)),
        });
        bench.wait(2).finds(&[address(3)], Some(2));
        assert_eq!(bench.addresses(), [address(2), address(3)]);
        assert_eq!(bench.counts.found(), 3);
    }

    #[test]
    fn the_list_follows_the_name_and_connections_stay() {
        let mut bench = Bench::new(&["back.example:80"]);
        let group = Arc::clone(bench.group.group());
        let held = group.next(&mut group.turn(), bench.now).unwrap();
        bench.wait(10).finds(&[address(3), address(2)], None);
        assert_eq!(bench.addresses(), [address(2), address(3)]);
        assert_eq!((held.address, held.active()), (address(1), 1));
    }

    #[test]
    fn a_look_up_that_fails_keeps_its_addresses_and_affects_no_other() {
        let mut bench = Bench::new(&["a.example:80", "127.0.0.9:80", "b.example:80"]);
        bench.wait(10).refresh(|target| match &target.place {
            Place::Host(endpoint) if endpoint.host == "a.example" => fails(target),
            _ => of(target, &[address(7)], None),
        });
        assert!(bench.group.targets[0].is_failing);
        assert_eq!((bench.counts.found(), bench.counts.failed()), (1, 1));
        assert_eq!(bench.addresses(), [address(1), address(2), address(9), address(7)]);
        bench.wait(10).finds(&[address(7)], None);
        assert!(!bench.group.targets[0].is_failing);
        assert_eq!(bench.addresses(), [address(9), address(7), address(7)]);
    }

    #[test]
    fn an_address_that_leads_back_here_is_left_out() {
        let mut bench = Bench::new(&["back.example:80"]);
        bench.own = OwnAddresses::new(vec![address(3).into()]);
        bench.wait(10).finds(&[address(1), address(3)], None);
        assert_eq!(bench.addresses(), [address(1)]);
        bench.wait(10).finds(&[address(3)], None);
        assert_eq!(bench.addresses(), [address(1)], "there is no other: those from before stay");
        bench.wait(10).finds(&[address(4)], None);
        assert_eq!(bench.addresses(), [address(4)]);
        assert_eq!(bench.group.leading_here(&bench.own), None);
        let own = OwnAddresses::new(vec![address(4).into()]);
        assert_eq!(bench.group.leading_here(&own).unwrap().1, address(4));
    }

    #[test]
    fn a_name_is_looked_up_at_start() {
        let look_up = |text: &str| {
            let targets = [text.parse().unwrap()];
            ResolvedGroup::look_up("test", &targets, GroupSettings::default(), &Resolver::default())
        };
        let group = look_up("localhost:80").unwrap();
        assert!(group.group().backends().iter().all(|backend| backend.address.ip().is_loopback()));
        let (target, _) = look_up("name.invalid:80").unwrap_err();
        assert_eq!(target.to_string(), "name.invalid:80");
    }
}
