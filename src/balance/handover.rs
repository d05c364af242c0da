//! What a new configuration takes over of the back ends that stay.
//!
//! Contract: a configuration that is read again has groups of its own, so that connections of the one before
//! go on as they began. What is known of a back end is copied: its counters, what failures and checks hold
//! against it, and when its next check is due. Whoever is known to hang is sent no client because an unrelated
//! key has changed. What the copies learn from then on, each learns for itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::backend::{Backend, UP};
use super::group::Group;

impl Group {
    /// Takes over from the groups of the configuration before. A back end is the same if its address is; one
    /// of the group with this name goes before one of another. With `keeps_checks` the old checks asked what
    /// the new ones ask, and their results count; else the back end is up until the new ones know better.
    ///
    /// To be called before anybody uses this group.
    pub(crate) fn take_over(&self, before: &[Arc<Group>], keeps_checks: bool) {
        let mut groups: Vec<&Arc<Group>> = before.iter().collect();
        groups.sort_by_key(|group| group.name != self.name);
        if let Some(namesake) = groups.first().filter(|group| group.name == self.name) {
            self.turns.store(namesake.turns.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Each of two back ends with one address has one that it continues.
        let mut known: Vec<(&Group, Arc<Backend>)> = groups
            .iter()
            .flat_map(|group| group.backends().into_iter().map(move |backend| (&***group, backend)))
            .collect();
        for backend in self.backends() {
            let Some(index) = known.iter().position(|(_, old)| backend.member.is_at(old)) else {
                if self.slow_start_ms > 0 && !before.is_empty() {
                    backend.warmth.begin();
                    self.list_mut().begin_warming();
                }
                continue;
            };
            let (group, old) = known.remove(index);
            backend.continue_from(&old);
            self.take_over_slow_start(&backend, group, &old);
            if self.passive.failures > 0 {
                self.take_over_failures(&backend, group, &old);
            }
            if keeps_checks {
                let is_out = old.is_out_by_checks.load(Ordering::Relaxed);
                backend.is_out_by_checks.store(is_out, Ordering::Relaxed);
                *backend.health() = old.health().clone();
            }
        }
        self.availability_changed();
    }

    fn take_over_slow_start(&self, backend: &Backend, group: &Group, old: &Backend) {
        // What is not up has nothing to go on with: it begins when it comes back.
        let is_up = old.is_up();
        backend.was_up.store(is_up, Ordering::Relaxed);
        if self.slow_start_ms == 0 || group.slow_start_ms == 0 {
            return;
        }
        let Some(base) = group.base.get() else { return };
        self.base.get_or_init(|| *base);
        backend.warmth.continue_from(&old.warmth, |ms| self.milliseconds(*base + Duration::from_millis(ms)));
        self.list_mut().begin_warming();
    }

    fn take_over_failures(&self, backend: &Backend, group: &Group, old: &Backend) {
        // Milliseconds count from a base of each group; without one the old group has seen no failure.
        let Some(base) = group.base.get() else { return };
        self.base.get_or_init(|| *base);
        let moved = |ms: u64| self.milliseconds(*base + Duration::from_millis(ms));
        let (old_failures, mut failures) = (old.failures(), backend.failures());
        failures.count = old_failures.count;
        failures.first_ms = moved(old_failures.first_ms);
        backend.has_failures.store(old.has_failures.load(Ordering::Relaxed), Ordering::Relaxed);
        match old.out_until_ms.load(Ordering::Relaxed) {
            UP => {}
            until_ms => backend.out_until_ms.store(moved(until_ms), Ordering::Relaxed),
        }
    }
}
