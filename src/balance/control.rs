//! What a person has decided about a back end: `ready`, `drain` or `down`, as HAProxy's `set server ... state`.
//!
//! Contract: a decision stands above what failures and health checks say, and until a person takes it back; a
//! configuration that is read again keeps it (`handover`). Connections that a back end has go on in any case.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::LOG_TARGET;
use super::backend::Backend;
use super::group::Group;

/// A decision about a back end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Control {
    /// Failures and health checks decide.
    Ready,
    /// It gets nothing new and finishes what it has. It is not counted as failed.
    Drain,
    /// The same, and it counts as failed.
    Down,
}

impl Control {
    const ALL: [Control; 3] = [Control::Ready, Control::Drain, Control::Down];

    /// The word for it, as in an address of the status page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Control::Ready => "ready",
            Control::Drain => "drain",
            Control::Down => "down",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Control {
    type Err = ();

    fn from_str(word: &str) -> Result<Control, ()> {
        Control::ALL.into_iter().find(|control| control.word() == word).ok_or(())
    }
}

/// A decision that may be read and changed by any thread.
#[derive(Debug, Default)]
pub(super) struct Controlled(AtomicU8);

impl Controlled {
    pub(super) fn get(&self) -> Control {
        // Only indexes of the list are ever stored.
        Control::ALL.get(usize::from(self.0.load(Ordering::Relaxed))).copied().unwrap_or(Control::Ready)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.get() == Control::Ready
    }

    pub(super) fn set(&self, control: Control) {
        self.0.store(control as u8, Ordering::Relaxed);
    }
}

impl Group {
    /// Carries out a person's decision about a back end, and logs it; `by` says who that was. False if it
    /// stood already.
    pub(crate) fn control(&self, backend: &Backend, control: Control, by: &str) -> bool {
        // As each change of who is up: see `availability_changed`.
        let failures = backend.failures();
        let before = backend.control();
        if before == control {
            return false;
        }
        backend.controlled.set(control);
        self.availability_changed();
        drop(failures);
        let (group, address, active) = (&self.name, backend.address, backend.active());
        match control {
            Control::Ready => log::warn!(target: LOG_TARGET, "{group}: {address} is ready again, by {by}"),
            Control::Drain => log::warn!(
                target: LOG_TARGET,
                "{group}: {address} drains, by {by}: it gets nothing new and has {active} in progress"
            ),
            Control::Down => log::warn!(
                target: LOG_TARGET,
                "{group}: {address} is down, by {by}; it has {active} in progress"
            ),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Instant;

    fn group(count: u16) -> Arc<Group> {
        let addresses: Vec<SocketAddr> = (1..=count).map(|port| ([127, 0, 0, 1], port).into()).collect();
        Arc::new(Group::new("web servers", addresses))
    }

    fn ports_of_turns(group: &Group, turns: usize) -> Vec<u16> {
        let next = |_| group.next(&mut group.turn(), Instant::now()).map(|chosen| chosen.address.port());
        (0..turns).filter_map(next).collect()
    }

    #[test]
    fn one_that_drains_or_is_down_gets_no_turn_until_it_is_ready() {
        for control in [Control::Drain, Control::Down] {
            let group = group(3);
            let second = Arc::clone(&group.backends()[1]);
            assert!(group.control(&second, control, "a test"));
            assert!(!group.control(&second, control, "a test"), "it stands already");
            assert!(!second.is_up());
            assert!(!ports_of_turns(&group, 6).contains(&2));
            assert!(group.control(&second, Control::Ready, "a test"));
            assert_eq!(ports_of_turns(&group, 6).iter().filter(|port| **port == 2).count(), 2);
        }
    }

    #[test]
    fn no_check_and_no_success_brings_it_back() {
        let group = group(2);
        let first = Arc::clone(&group.backends()[0]);
        group.control(&first, Control::Drain, "a test");
        group.check_failed(&first);
        assert!(!group.check_passed(&first), "it is not back");
        assert!(!group.succeeded(&first));
        assert!(!first.is_up());
        assert_eq!(ports_of_turns(&group, 4), [2, 2, 2, 2]);
    }

    #[test]
    fn with_all_of_them_drained_there_is_none_to_choose() {
        let group = group(2);
        group.backends().iter().for_each(|backend| _ = group.control(backend, Control::Drain, "a test"));
        assert!(ports_of_turns(&group, 3).is_empty());
    }

    #[test]
    fn a_new_configuration_keeps_it() {
        for keeps_checks in [true, false] {
            let (old, new) = (group(2), group(2));
            old.control(&old.backends()[1], Control::Down, "a test");
            new.take_over(&[Arc::clone(&old)], keeps_checks);
            assert_eq!(new.backends()[1].control(), Control::Down);
            assert_eq!(new.backends()[0].control(), Control::Ready);
            assert_eq!(ports_of_turns(&new, 4), [1, 1, 1, 1]);
        }
    }

    #[test]
    fn the_words_are_those_of_the_status_page() {
        for control in Control::ALL {
            assert_eq!(control.to_string().parse(), Ok(control));
        }
        assert_eq!("Ready".parse::<Control>(), Err(()));
    }
}
