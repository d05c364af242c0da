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
mod tests;
