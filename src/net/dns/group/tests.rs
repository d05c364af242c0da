//! A group that follows names, by a clock that is moved by hand.

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
