use std::time::Duration;

use clap::{Args, Command};

use super::*;
use crate::app::settings::{Model, Settings};
use crate::balance::Passive;

fn parse<A: Args>(role: Role, flags: &[&str]) -> A {
    let argv: Vec<&str> = [role.name].iter().chain(flags).copied().collect();
    let matches = role.command::<A>().try_get_matches_from(argv).unwrap();
    A::from_arg_matches(&matches).unwrap()
}

const LISTENING: [&str; 3] = ["listen", "backlog", "connections-max"];
const FRONT: [&str; 8] = [
    "trust",
    "proxy-protocol",
    "tls-cert",
    "tls-key",
    "tls-self-signed",
    "tls-self-signed-to",
    "plain",
    "redirect-https",
];
const GUARDS: [&str; 7] =
    ["allow", "deny", "rate-limit", "basic-auth", "max-head", "max-request-line", "max-fields"];
const POOL: [&str; 4] = ["workers", "queue", "queue-wait", "no-park"];
const CLIENT_TIMES: [&str; 4] = ["header-timeout", "keep-alive", "stall-timeout", "drain"];
const BACK_END_TIMES: [&str; 5] =
    ["connect-timeout", "backend-timeout", "relay-idle-timeout", "half-closed-timeout", "backend-ca"];
const FORWARDING: [&str; 8] = [
    "no-via",
    "request-id",
    "set-request",
    "add-request",
    "remove-request",
    "set-response",
    "add-response",
    "remove-response",
];
const LOAD: [&str; 5] = ["policy", "slow-start", "policy-cookie", "policy-cookie-key", "max-per-backend"];
const HEALTH: [&str; 5] =
    ["health-interval", "health-path", "passive-failures", "passive-window", "passive-out"];
const DISCOVERY: [&str; 4] = ["resolver", "resolve-interval", "resolve-min", "resolve-max"];
const COMMON: [&str; 12] = [
    "lame-duck",
    "status",
    "status-token",
    "status-host",
    "trace",
    "log",
    "log-format",
    "log-file",
    "config",
    "check",
    "help",
    "version",
];

fn expect_flags(mut command: Command, groups: &[&[&str]]) {
    command.build();
    let mut wanted: Vec<&str> = groups.concat();
    wanted.extend(COMMON);
    wanted.sort_unstable();
    let mut flags: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
    flags.sort_unstable();
    assert_eq!(flags, wanted, "{}", command.get_name());
    let name = command.get_name().to_owned();
    assert!(!command.get_about().unwrap().to_string().contains("arguments"), "{name}: words for users");
    let help = command.render_long_help().to_string();
    for flag in wanted {
        assert!(help.contains(&format!("--{flag}")), "{name}: --{flag}");
    }
    let program = command.get_bin_name().unwrap();
    let has_example = [format!("Example:\n  {program}"), format!("Examples:\n  {program}")];
    assert!(has_example.iter().any(|example| help.contains(example)), "{help}");
}

#[test]
fn every_role_has_the_flags_that_concern_it_and_no_other() {
    let model: &[&str] = &["model", "loops"];
    let site: &[&str] = &[
        "root",
        "cache",
        "mirror",
        "no-course-pages",
        "listing",
        "spa",
        "error-page",
        "clean-urls",
        "precompressed",
        "cache-control",
        "header",
        "cors",
        "mime",
        "symlinks",
        "dotfiles",
    ];
    let plain: Vec<&str> =
        site.iter().copied().filter(|flag| !["mirror", "no-course-pages"].contains(flag)).collect();
    expect_flags(
        Role::SERVE.command::<Server<PlainFolder>>(),
        &[&LISTENING, &FRONT, &GUARDS, &POOL, &CLIENT_TIMES, &plain, model],
    );
    let back_ends: &[&str] = &["backend", "backends", "mode", "send-proxy", "max-body"];
    expect_flags(
        Role::BALANCE.command::<Balancer<Driver, NamedBackEnds>>(),
        &[
            &LISTENING,
            &FRONT,
            &GUARDS,
            &POOL,
            &CLIENT_TIMES,
            &BACK_END_TIMES,
            &LOAD,
            &HEALTH,
            &DISCOVERY,
            model,
            &FORWARDING,
            &["backend", "mode", "send-proxy", "max-body"],
        ],
    );
    for role in [Role::DEFAULT_SERVER, Role::IMAGE_SERVER, Role::PDF_SERVER, Role::WEB_SERVER] {
        expect_flags(
            role.command::<Server>(),
            &[&LISTENING, &FRONT, &GUARDS, &POOL, &CLIENT_TIMES, site, model],
        );
    }
    expect_flags(
        Role::REVERSE_PROXY.command::<Proxy>(),
        &[
            &LISTENING,
            &FRONT,
            &GUARDS,
            &POOL,
            &CLIENT_TIMES,
            &BACK_END_TIMES,
            &LOAD,
            &HEALTH,
            &DISCOVERY,
            model,
            &FORWARDING,
            &["route", "default", "mirror", "max-body"],
        ],
    );
    expect_flags(
        Role::LB_THREADED.command::<Balancer<Pool>>(),
        &[
            &LISTENING,
            &FRONT,
            &GUARDS,
            &POOL,
            &CLIENT_TIMES,
            &BACK_END_TIMES,
            &LOAD,
            &HEALTH,
            &DISCOVERY,
            &FORWARDING,
            back_ends,
        ],
    );
    expect_flags(
        Role::LB_ASYNC.command::<Balancer<Loops>>(),
        &[
            &LISTENING,
            &FRONT,
            &GUARDS,
            &["loops"],
            &CLIENT_TIMES,
            &BACK_END_TIMES,
            &LOAD,
            &HEALTH,
            &DISCOVERY,
            &FORWARDING,
            back_ends,
        ],
    );
    expect_flags(
        Role::SUITE.command::<Suite>(),
        &[&[
            "port-base",
            "model",
            "workers",
            "root",
            "cache",
            "mirror",
            "drain",
            "backends",
            "no-park",
            "tls",
            "tls-self-signed-to",
        ]],
    );
}

#[test]
fn commands_are_sound_in_claps_own_eyes() {
    Role::IMAGE_SERVER.command::<Server>().debug_assert();
    Role::REVERSE_PROXY.command::<Proxy>().debug_assert();
    Role::LB_THREADED.command::<Balancer<Pool>>().debug_assert();
    Role::LB_ASYNC.command::<Balancer<Loops>>().debug_assert();
    Role::SUITE.command::<Suite>().debug_assert();
}

#[test]
fn explain_has_the_flags_of_its_role_and_a_request() {
    let longs = |command: &Command| -> Vec<String> {
        command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
    };
    let (mut role, mut explain) =
        (Role::LB_ASYNC.command::<Balancer<Loops>>(), Role::LB_ASYNC.explain_command::<Balancer<Loops>>());
    explain.clone().debug_assert();
    role.build();
    explain.build();
    let mut wanted = longs(&role);
    wanted.extend(["from".to_owned(), "live".to_owned()]);
    wanted.sort_unstable();
    let mut has = longs(&explain);
    has.sort_unstable();
    assert_eq!(has, wanted);
    let help = explain.render_long_help().to_string();
    assert!(help.contains("Usage: lb-async explain [OPTIONS] <METHOD> <TARGET>"), "{help}");
    assert!(help.contains("Example:\n  lb-async explain GET / "), "{help}");
    assert!(role.render_help().to_string().contains("Commands:\n  explain  "));
}

#[test]
fn a_command_is_the_first_word_that_is_no_flag_and_no_value() {
    let command = Role::LB_ASYNC.command::<Balancer<Loops>>();
    let taken = |words: &[&str]| {
        let argv: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
        take_command(&command, EXPLAIN, &argv).map(|rest| rest.join(std::ffi::OsStr::new(" ")))
    };
    for (words, rest) in [
        (&["lb", "explain", "GET", "/"][..], Some("lb GET /")),
        (&["lb", "--mode", "http", "--no-via", "explain", "GET"], Some("lb --mode http --no-via GET")),
        (&["lb", "--mode=http", "--from", "::1", "explain"], Some("lb --mode=http --from ::1")),
        (&["lb", "--config", "explain"], None),
        (&["lb", "GET", "explain"], None),
        (&["lb", "-h"], None),
        (&["lb"], None),
        (&["explain"], None),
    ] {
        assert_eq!(taken(words).as_deref(), rest.map(std::ffi::OsStr::new), "{words:?}");
    }
}

#[test]
fn flags_become_settings() {
    let args = parse::<Server>(
        Role::PDF_SERVER,
        &[
            "--workers=3",
            "--queue=4",
            "--no-park",
            "--model=async",
            "--loops=2",
            "--drain=0s",
            "--keep-alive=7s",
        ],
    );
    let settings = args.settings();
    assert_eq!((settings.workers, settings.queue, settings.park, settings.loops), (3, 4, false, 2));
    assert_eq!(args.driver.model, Model::Async);
    assert_eq!(settings.timeouts.drain, Duration::ZERO);
    assert_eq!(settings.timeouts.keep_alive, Duration::from_secs(7));
    assert_eq!(args.listening.listen[0].to_string(), "127.0.0.1:8890");
}

#[test]
fn passive_ejection_has_three_flags() {
    let flags = ["--passive-failures=5", "--passive-window=1m", "--passive-out=2s"];
    let passive = parse::<Proxy>(Role::REVERSE_PROXY, &flags).health.passive();
    let (window, out) = (Duration::from_secs(60), Duration::from_secs(2));
    assert_eq!(passive, Passive { failures: 5, window, out });
    let balancer = parse::<Balancer<Pool>>(Role::LB_THREADED, &[]);
    assert_eq!(balancer.health.passive(), Passive::default());
}

#[test]
fn without_flags_the_settings_are_the_defaults() {
    let wanted = format!("{:?}", Settings::default());
    let balancer = parse::<Balancer<Pool>>(Role::LB_THREADED, &[]);
    assert_eq!(format!("{:?}", balancer.settings()), wanted);
    assert_eq!(balancer.back_ends.targets().len(), 5);
    assert_eq!(format!("{:?}", parse::<Proxy>(Role::REVERSE_PROXY, &[]).settings()), wanted);
    assert_eq!(format!("{:?}", parse::<Server>(Role::WEB_SERVER, &[]).settings()), wanted);
}

#[test]
fn the_program_has_none_of_the_courses_defaults() {
    let folder = parse::<Server<PlainFolder>>(Role::SERVE, &[]);
    assert_eq!((folder.site.root().to_str(), folder.site.has_course_pages()), (Some("."), false));
    let folder = parse::<Server<PlainFolder>>(Role::SERVE, &["dist"]);
    assert_eq!(folder.site.root().to_str(), Some("dist"));
    let proxy = parse::<Proxy>(Role::PROXY, &[]);
    assert!(proxy.routing.route.is_empty() && proxy.routing.default.is_empty(), "{proxy:?}");
    let balancer = parse::<Balancer<Driver, NamedBackEnds>>(Role::BALANCE, &["a:1", "b:2", "--model=async"]);
    assert_eq!(balancer.back_ends.targets(), ["a:1", "b:2"].map(|text| text.parse().unwrap()));
    assert_eq!(balancer.concurrency.model(), Model::Async);
    assert!(parse::<Suite>(Role::WHOLE_SUITE, &[]).root.is_none());
    assert_eq!(parse::<Suite>(Role::SUITE, &[]).root.unwrap().to_str(), Some("public"));
}
