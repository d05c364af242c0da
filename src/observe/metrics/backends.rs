//! The metrics of back ends: a sample for each back end of each group of each role.

use std::sync::Arc;

use super::RoleSample;
use super::exposition::{Labels, Text, Type};
use crate::balance::{Backend, Group};

/// A back end with its labels, and where it belongs.
struct BackendSample<'r> {
    role: &'r RoleSample,
    group: Arc<Group>,
    labels: Labels,
    backend: Arc<Backend>,
}

/// All metrics of the back ends of these roles.
pub(super) fn backends(text: &mut Text, roles: &[RoleSample]) {
    look_ups(text, roles);
    queues(text, roles);
    let all: Vec<BackendSample<'_>> = roles.iter().flat_map(samples).collect();
    states(text, &all);
    counts(text, &all);
}

fn samples(role: &RoleSample) -> Vec<BackendSample<'_>> {
    let of_group = |group: Arc<Group>| {
        let labels = role.labels.and("group", group.name());
        let sample = |backend: Arc<Backend>| BackendSample {
            role,
            group: Arc::clone(&group),
            labels: labels.and("backend", &backend.address.to_string()),
            backend,
        };
        group.backends().into_iter().map(sample).collect::<Vec<_>>()
    };
    role.view.groups().into_iter().flat_map(of_group).collect()
}

fn look_ups(text: &mut Text, roles: &[RoleSample]) {
    let help = "Look-ups of the names of back ends while the role runs, by result.";
    let mut family = text.family("giliran_look_ups", Type::Counter, help);
    for role in roles.iter().filter(|role| role.view.facts.service != "web") {
        let look_ups = &role.view.look_ups;
        for (result, count) in [("found", look_ups.found()), ("failed", look_ups.failed())] {
            family.sample("", &role.labels.and("result", result), count);
        }
    }
}

fn queues(text: &mut Text, roles: &[RoleSample]) {
    let help = "Connections or requests that wait for a back end with room.";
    let mut family = text.family("giliran_backend_queue_length", Type::Gauge, help);
    for role in roles {
        for group in role.view.groups() {
            family.sample("", &role.labels.and("group", group.name()), group.waiting());
        }
    }
}

fn states(text: &mut Text, all: &[BackendSample<'_>]) {
    let mut family = text.family("giliran_backend_up", Type::Gauge, "1 if the back end gets new work.");
    all.iter().for_each(|one| family.sample("", &one.labels, u8::from(one.backend.is_up())));
    let help = "1 for the state that the back end is in, 0 for the others.";
    let mut family = text.family("giliran_backend_state", Type::Gauge, help);
    for BackendSample { labels, backend, .. } in all {
        for state in Backend::STATES {
            family.sample("", &labels.and("state", state), u8::from(backend.state() == state));
        }
    }
}

fn counts(text: &mut Text, all: &[BackendSample<'_>]) {
    let help = "Turns that the back end gets for each turn of one with weight 1.";
    let mut family = text.family("giliran_backend_weight", Type::Gauge, help);
    all.iter().for_each(|one| family.sample("", &one.labels, one.backend.weight()));
    let help = "1 if the back end gets turns only while no other one is up.";
    let mut family = text.family("giliran_backend_backup", Type::Gauge, help);
    all.iter().for_each(|one| family.sample("", &one.labels, u8::from(one.backend.is_backup())));
    let help = "Connections or requests that the back end is busy with.";
    let mut family = text.family("giliran_backend_active", Type::Gauge, help);
    for BackendSample { role, group, labels, backend } in all {
        family.sample("", labels, role.view.active(group, backend));
    }
    type Part = fn(&Backend) -> u64;
    let counters: [(&str, &str, Part); 3] = [
        ("giliran_backend_served", "Times that the back end was chosen.", Backend::served),
        (
            "giliran_backend_failures",
            "Failures of the back end that connections met.",
            Backend::failures_reported,
        ),
        ("giliran_backend_ejections", "Times that failures took the back end out.", Backend::ejections),
    ];
    for (name, help, part) in counters {
        let mut family = text.family(name, Type::Counter, help);
        all.iter().for_each(|one| family.sample("", &one.labels, part(&one.backend)));
    }
    let help = "Health checks of the back end, by result.";
    let mut family = text.family("giliran_backend_checks", Type::Counter, help);
    for BackendSample { labels, backend, .. } in all {
        for (result, count) in ["passed", "failed"].iter().zip(backend.checks()) {
            family.sample("", &labels.and("result", result), count);
        }
    }
}
