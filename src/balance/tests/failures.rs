//! Failures of connections: who goes out for them, and who stays.

use super::*;

#[test]
fn the_last_one_up_is_never_ejected_by_failures() {
    let (group, now) = (group(3), Instant::now());
    take_out(&group, 0, now);
    take_out(&group, 1, now);
    let last = nth(&group, 2);
    let effects: Vec<Effect> = (0..3).map(|_| group.failed(&last, now)).collect();
    assert_eq!(effects, [Effect::None, Effect::None, Effect::Spared]);
    // All have failed alike: failures tell none from another any more.
    assert!(group.backends().iter().all(|backend| backend.is_up()));
    assert_eq!(group.list().out_count, 0);
    assert_eq!(candidates(&group, now).len(), 3);
    // And all begin anew.
    assert_eq!(group.failed(&last, now), Effect::None);
    take_out(&group, 0, now);
}

#[test]
fn failures_do_not_hold_out_who_is_needed_because_checks_took_the_others() {
    let (group, now) = (group(3), Instant::now());
    take_out(&group, 0, now);
    assert!(group.check_failed(&nth(&group, 1)));
    assert_eq!(candidates(&group, now), [2]);
    assert!(group.check_failed(&nth(&group, 2)));
    assert_eq!(candidates(&group, now), [0], "the one that only failures held out");
    // As long as it is the last one, it stays, and that is told once.
    let effects: Vec<Effect> = (0..6).map(|_| group.failed(&nth(&group, 0), now)).collect();
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::Spared).count(), 1, "{effects:?}");
    assert!(!effects.contains(&Effect::Out));
}

#[test]
fn failures_do_not_hold_out_who_is_needed_because_the_others_left_the_list() {
    let (group, now) = (group(3), Instant::now());
    take_out(&group, 0, now);
    group.replace(&[address(9001)]);
    assert_eq!(candidates(&group, now), [0]);
}

#[test]
fn count_window_and_length_are_settings() {
    let passive = Passive { failures: 2, window: Duration::from_secs(1), out: Duration::from_secs(60) };
    let settings = GroupSettings { passive, ..GroupSettings::default() };
    let group = Group::with("test", vec![address(9001), address(9002)], settings);
    let (now, backend) = (Instant::now(), nth(&group, 0));
    assert_eq!(group.failed(&backend, now), Effect::None);
    let later = now + Duration::from_millis(1001);
    assert_eq!(group.failed(&backend, later), Effect::None, "the window is over");
    assert_eq!(group.failed(&backend, later), Effect::Out);
    assert_eq!(candidates(&group, later + Duration::from_secs(59)), [1]);
    assert!(candidates(&group, later + Duration::from_secs(60)).contains(&0));

    let forever = GroupSettings { passive: Passive { out: Duration::MAX, ..passive }, ..settings };
    let group = Group::with("test", vec![address(9001), address(9002)], forever);
    (0..2).for_each(|_| _ = group.failed(&nth(&group, 0), now));
    assert_eq!(candidates(&group, now + Duration::from_secs(86_400 * 365)), [1]);

    let never = Passive { failures: 0, ..passive };
    let settings = GroupSettings { passive: never, ..GroupSettings::default() };
    let group = Group::with("test", vec![address(9001), address(9002)], settings);
    assert!((0..100).all(|_| group.failed(&nth(&group, 0), now) == Effect::None));
}

#[test]
fn failures_that_are_rare_or_not_in_a_row_do_not_count() {
    let (group, mut now) = (group(2), Instant::now());
    for _ in 0..10 {
        now = now + PASSIVE_WINDOW / 2 + Duration::from_millis(1);
        assert_eq!(group.failed(&nth(&group, 0), now), Effect::None);
    }
    for _ in 0..10 {
        assert_eq!(group.failed(&nth(&group, 1), now), Effect::None);
        assert_eq!(group.failed(&nth(&group, 1), now), Effect::None);
        assert!(!group.succeeded(&nth(&group, 1)));
    }
    assert!(group.backends().iter().all(|backend| backend.is_up()));
}

#[test]
fn the_only_back_end_is_never_taken_out() {
    let (group, now) = (group(1), Instant::now());
    assert!((0..10).all(|_| group.failed(&nth(&group, 0), now) == Effect::None));
    assert_eq!(candidates(&group, now), [0]);
}

#[test]
fn exactly_one_of_many_threads_is_told_that_it_went_out() {
    let (group, now) = (group(2), Instant::now());
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    told.fetch_add(
                        usize::from(group.failed(&nth(&group, 0), now) == Effect::Out),
                        Ordering::Relaxed,
                    );
                }
            });
        }
    });
    assert_eq!(told.into_inner(), 1);
    assert_eq!(group.list().out_count, 1);
    assert!(group.succeeded(&nth(&group, 0)));
    assert_eq!(group.list().out_count, 0);
}

#[test]
fn of_two_that_fail_at_the_same_time_one_stays() {
    for _ in 0..50 {
        let (group, now) = (group(2), Instant::now());
        let start = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for index in 0..2 {
                let (group, start) = (&group, &start);
                scope.spawn(move || {
                    start.wait();
                    (0..PASSIVE_FAILURES).for_each(|_| _ = group.failed(&nth(group, index), now));
                });
            }
        });
        assert!(group.backends().iter().any(|backend| backend.is_up()));
        assert!(first(&group, now).is_some());
    }
}

#[test]
fn what_connections_report_counts_as_it_is_reported() {
    let (group, now) = (group(2), Instant::now());
    let backend = nth(&group, 0);
    let report = |times: u32| {
        for _ in 0..times {
            group.report_failure(&backend, &"a test", now);
        }
    };
    report(PASSIVE_FAILURES - 1);
    group.report_success(&backend);
    report(PASSIVE_FAILURES - 1);
    assert!(backend.is_up(), "a success between them: not in a row");
    group.report_local_limit(&backend, now);
    assert!(backend.is_up(), "a limit of ours is no failure of its own");
    report(1);
    assert!(!backend.is_up());
    group.report_success(&backend);
    assert!(backend.is_up(), "a connection from before it went out has reached it");
    assert_eq!(backend.failures_reported(), u64::from(2 * PASSIVE_FAILURES - 1));
}

#[test]
fn the_window_of_failures_includes_its_last_moment() {
    for (late, is_out) in [(Duration::ZERO, true), (Duration::from_millis(1), false)] {
        let (group, now) = (group(2), Instant::now());
        let backend = nth(&group, 0);
        for _ in 1..PASSIVE_FAILURES {
            assert_eq!(group.failed(&backend, now), Effect::None);
        }
        assert_eq!(group.failed(&backend, now + PASSIVE_WINDOW + late) == Effect::Out, is_out);
    }
}
