//! What can be seen of the roles of this process: their settings, lanes, queues and back ends.
//!
//! Contract: a view is read while the role runs, and reading it makes no connection wait. The app makes the
//! view, the driver adds its lanes and gauges, and a reload adds its groups of back ends.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use super::counters::{COUNTED_GROUPS_MAX, Totals};
use super::lane::{self, Kind, Lane, Phase, Switches};
use super::trace::{self, Track};
use crate::balance::{Backend, Control, Group};
use crate::net::dns::LookUps;
use crate::net::shutdown::Shutdown;

/// All roles of this process that can be looked at.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) switches: Arc<Switches>,
    roles: Mutex<Vec<Arc<RoleView>>>,
    /// When the trace began that is being recorded, microseconds since the start.
    traced_from_us: AtomicU64,
}

/// What a role is, as it was started.
#[derive(Clone, Debug)]
pub(crate) struct RoleFacts {
    pub(crate) role: &'static str,
    pub(crate) model: String,
    /// `web`, `gateway` or `relay`.
    pub(crate) service: &'static str,
    pub(crate) listen: Vec<SocketAddr>,
    /// Threads of the pool; 0 in the async model.
    pub(crate) workers: usize,
    /// Event loops; 0 in the threaded model.
    pub(crate) loops: usize,
    pub(crate) connections_max: usize,
    pub(crate) worker_queue_max: usize,
}

/// One role.
#[derive(Debug)]
pub(crate) struct RoleView {
    pub(crate) facts: RoleFacts,
    shutdown: Shutdown,
    switches: Arc<Switches>,
    lanes: Mutex<Vec<Arc<Lane>>>,
    gauges: OnceLock<Gauges>,
    groups: Mutex<Groups>,
    /// The look-ups of its back ends' names.
    pub(crate) look_ups: Arc<LookUps>,
}

/// What only the driver can tell.
pub(crate) struct Gauges {
    /// Permits that are taken: one for each client connection that is open or awaited.
    pub(crate) permits: Box<dyn Fn() -> usize + Send + Sync>,
    /// Connections in the worker queue.
    pub(crate) worker_queue: Box<dyn Fn() -> usize + Send + Sync>,
    /// Connections that are parked.
    pub(crate) parked: Box<dyn Fn() -> usize + Send + Sync>,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").field("permits", &(self.permits)()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Groups {
    current: Vec<Arc<Group>>,
    /// Those of configurations before, which connections that were accepted then still use.
    before: Vec<Weak<Group>>,
    /// The number of each group by its name: a reload makes new groups, and their counters go on. At most
    /// [`COUNTED_GROUPS_MAX`], and none is given away twice.
    numbers: HashMap<String, usize>,
}

impl Board {
    pub(crate) fn new() -> Board {
        Board {
            switches: Arc::new(Switches::new()),
            roles: Mutex::default(),
            traced_from_us: AtomicU64::new(0),
        }
    }

    /// Adds a role, whose drain `shutdown` begins.
    pub(crate) fn add(&self, facts: RoleFacts, shutdown: &Shutdown) -> Arc<RoleView> {
        let view = Arc::new(RoleView {
            facts,
            shutdown: shutdown.clone(),
            switches: Arc::clone(&self.switches),
            lanes: Mutex::default(),
            gauges: OnceLock::new(),
            groups: Mutex::default(),
            look_ups: Arc::default(),
        });
        locked(&self.roles).push(Arc::clone(&view));
        view
    }

    pub(crate) fn roles(&self) -> Vec<Arc<RoleView>> {
        locked(&self.roles).clone()
    }

    /// Begins a trace. False if one is being recorded already.
    pub(crate) fn begin_trace(&self) -> bool {
        let begins = self.switches.set_tracing(true);
        if begins {
            self.traced_from_us.store(self.switches.microseconds(Instant::now()), Ordering::Relaxed);
            self.roles().iter().flat_map(|role| role.lanes()).for_each(|lane| lane.ring.clear());
        }
        begins
    }

    /// Ends the trace, and returns it.
    pub(crate) fn end_trace(&self) -> String {
        self.switches.set_tracing(false);
        let until_us = self.switches.microseconds(Instant::now());
        let from_us = self.traced_from_us.load(Ordering::Relaxed);
        let roles = self.roles();
        let lanes: Vec<Vec<Arc<Lane>>> = roles.iter().map(|role| role.lanes()).collect();
        let names: Vec<String> = roles.iter().map(|role| role.title()).collect();
        let tracks: Vec<Track<'_>> = lanes
            .iter()
            .enumerate()
            .flat_map(|(role, lanes)| {
                lanes.iter().enumerate().map(move |(number, lane)| Track {
                    process: role + 1,
                    number: number + 1,
                    name: &lane.name,
                    ring: &lane.ring,
                    now: lane.moment(),
                })
            })
            .collect();
        trace::chrome_events(&names, &tracks, (from_us, until_us))
    }
}

impl RoleView {
    /// The role and where it listens, such as `lb-threaded 127.0.0.1:666`.
    pub(crate) fn title(&self) -> String {
        let listen: Vec<String> = self.facts.listen.iter().map(ToString::to_string).collect();
        format!("{} {}", self.facts.role, listen.join(" "))
    }

    /// Gives the running thread a lane, if somebody looks.
    pub(crate) fn show(view: Option<&Arc<RoleView>>, kind: Kind, name: &str) {
        view.into_iter().for_each(|view| view.attach(kind, name));
    }

    /// Gives the running thread a lane of this role.
    pub(crate) fn attach(&self, kind: Kind, name: &str) {
        let lane = Arc::new(Lane::new(name, kind, &self.switches));
        let mut lanes = locked(&self.lanes);
        // A worker that is respawned after a panic goes on with a new lane in the place of the old one.
        let old = lanes.iter().position(|lane| lane.name == name);
        match old.and_then(|index| lanes.get_mut(index)) {
            Some(place) => *place = Arc::clone(&lane),
            None => lanes.push(Arc::clone(&lane)),
        }
        lanes.sort_by(|one, other| one.name.cmp(&other.name));
        drop(lanes);
        lane::attach(lane);
    }

    pub(crate) fn set_gauges(&self, gauges: Gauges) {
        // A role is served once.
        let _ = self.gauges.set(gauges);
    }

    /// These are its groups from now on.
    pub(crate) fn set_groups(&self, groups: Vec<Arc<Group>>) {
        let mut known = locked(&self.groups);
        for group in &groups {
            let next = known.numbers.len();
            match known.numbers.get(group.name()) {
                Some(number) => group.set_number(*number),
                // However often the configuration is read, with other routes each time.
                None if next >= COUNTED_GROUPS_MAX => {}
                None => {
                    known.numbers.insert(group.name().to_owned(), next);
                    group.set_number(next);
                }
            }
        }
        let before: Vec<Weak<Group>> = known.current.iter().map(Arc::downgrade).collect();
        known.before.extend(before);
        known.current = groups;
        known.before.retain(|group| group.strong_count() > 0);
    }

    /// The groups of new connections.
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        locked(&self.groups).current.clone()
    }

    /// What is in progress at a back end, also for connections from before a reload.
    pub(crate) fn active(&self, group: &Group, backend: &Backend) -> usize {
        let mut sum = 0;
        self.each_backend(group.name(), backend.address, |_, backend| sum += backend.active());
        sum
    }

    /// Carries out a decision about the back ends with this address in the groups of this name. `None` if
    /// there is none.
    pub(crate) fn control(&self, group: &str, address: SocketAddr, control: Control, by: &str) -> Option<()> {
        let mut found = None;
        self.each_backend(group, address, |group, backend| {
            group.control(backend, control, by);
            found = Some(());
        });
        found
    }

    fn each_backend(&self, group: &str, address: SocketAddr, mut act: impl FnMut(&Group, &Backend)) {
        let known = locked(&self.groups);
        let before: Vec<Arc<Group>> = known.before.iter().filter_map(Weak::upgrade).collect();
        for one in known.current.iter().chain(&before).filter(|one| one.name() == group) {
            let backends = one.backends();
            backends
                .iter()
                .filter(|backend| backend.address == address)
                .for_each(|backend| act(one, backend));
        }
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        locked(&self.lanes).clone()
    }

    /// What all its lanes have counted.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.lanes().iter().for_each(|lane| totals.add(&lane.counters));
        totals
    }

    /// Client connections that are open.
    pub(crate) fn open(&self) -> usize {
        let permits = self.gauges.get().map_or(0, |gauges| (gauges.permits)());
        // Who waits in `accept` has a permit for a client that has not come yet.
        let waits =
            |lane: &&Arc<Lane>| lane.kind != Kind::Loop && lane.moment().phase == Phase::Accept as usize;
        permits.saturating_sub(self.lanes().iter().filter(waits).count())
    }

    /// Connections that are parked.
    pub(crate) fn parked(&self) -> u64 {
        self.gauges.get().map_or(0, |gauges| (gauges.parked)() as u64)
    }

    /// Connections in the worker queue.
    pub(crate) fn worker_queue(&self) -> usize {
        self.gauges.get().map_or(0, |gauges| (gauges.worker_queue)())
    }

    /// `running`, `lame duck` or `draining`.
    pub(crate) fn state(&self) -> &'static str {
        match (self.shutdown.is_draining(), self.shutdown.is_leaving()) {
            (true, _) => "draining",
            (false, true) => "lame duck",
            (false, false) => "running",
        }
    }

    /// Why no new work should be sent here; `None` if it is ready.
    pub(crate) fn unready(&self, now: Instant) -> Option<String> {
        let title = self.title();
        let groups = self.groups();
        match self.state() {
            "draining" => Some(format!("{title}: it drains")),
            "lame duck" => Some(format!("{title}: it is about to drain")),
            _ if !groups.is_empty() && groups.iter().all(|group| group.usable_count(now) == 0) => {
                Some(format!("{title}: no back end is usable"))
            }
            _ => None,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Lists that are changed whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(board: &Board, shutdown: &Shutdown) -> Arc<RoleView> {
        let facts = RoleFacts {
            role: "lb-threaded",
            model: "threaded".to_owned(),
            service: "relay",
            listen: vec!["127.0.0.1:666".parse().unwrap()],
            workers: 2,
            loops: 0,
            connections_max: 10,
            worker_queue_max: 5,
        };
        board.add(facts, shutdown)
    }

    fn group(name: &str) -> Arc<Group> {
        Arc::new(Group::new(name, vec!["127.0.0.1:9001".parse().unwrap(), "127.0.0.1:9002".parse().unwrap()]))
    }

    #[test]
    fn a_group_keeps_its_number_over_reloads() {
        let view = view(&Board::new(), &Shutdown::new());
        view.set_groups(vec![group("a"), group("b")]);
        view.set_groups(vec![group("b"), group("c")]);
        let numbers: Vec<Option<usize>> = view.groups().iter().map(|group| group.number()).collect();
        assert_eq!(numbers, [Some(1), Some(2)]);
    }

    #[test]
    fn groups_beyond_the_bound_have_no_number_and_are_not_remembered() {
        let view = view(&Board::new(), &Shutdown::new());
        for number in 0..=COUNTED_GROUPS_MAX {
            view.set_groups(vec![group(&format!("/{number}/"))]);
        }
        assert_eq!(view.groups()[0].number(), None);
        view.set_groups(vec![group("/0/")]);
        assert_eq!(view.groups()[0].number(), Some(0));
        assert_eq!(locked(&view.groups).numbers.len(), COUNTED_GROUPS_MAX);
    }

    #[test]
    fn a_decision_reaches_connections_from_before_a_reload() {
        let view = view(&Board::new(), &Shutdown::new());
        let (old, new) = (group("a"), group("a"));
        view.set_groups(vec![Arc::clone(&old)]);
        view.set_groups(vec![Arc::clone(&new)]);
        let address = "127.0.0.1:9001".parse().unwrap();
        assert_eq!(view.control("a", address, Control::Drain, "a test"), Some(()));
        assert_eq!([&old, &new].map(|group| group.backends()[0].control()), [Control::Drain; 2]);
        assert_eq!(view.control("b", address, Control::Drain, "a test"), None);
        // What is in progress for the old configuration is in progress all the same.
        let _chosen = old.next(&mut old.turn(), Instant::now()).unwrap();
        assert_eq!(view.active(&new, &new.backends()[1]), 1);
    }

    #[test]
    fn it_is_ready_while_one_back_end_is_usable_and_nobody_stops_it() {
        let (board, shutdown) = (Board::new(), Shutdown::new());
        let view = view(&board, &shutdown);
        let group = group("a");
        view.set_groups(vec![Arc::clone(&group)]);
        assert_eq!(view.unready(Instant::now()), None);
        let backends = group.backends();
        group.control(&backends[0], Control::Down, "a test");
        assert_eq!(view.unready(Instant::now()), None);
        group.control(&backends[1], Control::Drain, "a test");
        let reason = view.unready(Instant::now()).unwrap();
        assert_eq!(reason, "lb-threaded 127.0.0.1:666: no back end is usable");
        shutdown.trigger();
        assert_eq!(view.unready(Instant::now()).unwrap(), "lb-threaded 127.0.0.1:666: it drains");
    }

    #[test]
    fn one_trace_at_a_time() {
        let board = Board::new();
        assert!(board.begin_trace());
        assert!(!board.begin_trace());
        assert!(board.end_trace().contains("\"overwritten\":0"));
        assert!(board.begin_trace());
    }
}
