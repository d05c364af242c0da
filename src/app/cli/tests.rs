use super::*;
use crate::app::settings::Model;
use clap::Command;
use std::time::Duration;

fn parse<A: Args>(role: Role, flags: &[&str]) -> Result<Parsed<A>, String> {
    let argv = [role.name].iter().chain(flags).map(OsString::from).collect();
    Parsed::read(&role, argv).map_err(|stop| match stop {
        Stop::Told(_) => "told".to_owned(),
        Stop::Failed(failure) => failure.to_string(),
    })
}

const LISTENING: [&str; 3] = ["listen", "backlog", "connections-max"];
const FRONT: [&str; 2] = ["trust", "proxy-protocol"];
const POOL: [&str; 3] = ["workers", "queue", "no-park"];
const CLIENT_TIMES: [&str; 4] = ["header-timeout", "keep-alive", "stall-timeout", "drain"];
const BACK_END_TIMES: [&str; 4] =
    ["connect-timeout", "backend-timeout", "relay-idle-timeout", "half-closed-timeout"];
const LOAD: [&str; 1] = ["max-per-backend"];
const HEALTH: [&str; 3] = ["health-interval", "health-path", "resolve-interval"];
const COMMON: [&str; 7] = ["log", "log-format", "log-file", "config", "check", "help", "version"];

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
    assert!(help.contains(&format!("Example:\n  {name} ")), "{help}");
}

#[test]
fn every_role_has_the_flags_that_concern_it_and_no_other() {
    let (site, model): (&[&str], &[&str]) = (&["root", "mirror"], &["model", "loops"]);
    let back_ends: &[&str] = &["backend", "backends", "mode", "send-proxy"];
    for role in [Role::DEFAULT_SERVER, Role::IMAGE_SERVER, Role::PDF_SERVER, Role::WEB_SERVER] {
        expect_flags(role.command::<Server>(), &[&LISTENING, &FRONT, &POOL, &CLIENT_TIMES, site, model]);
    }
    expect_flags(
        Role::REVERSE_PROXY.command::<Proxy>(),
        &[
            &LISTENING,
            &FRONT,
            &POOL,
            &CLIENT_TIMES,
            &BACK_END_TIMES,
            &LOAD,
            &HEALTH,
            model,
            &["route", "default"],
        ],
    );
    expect_flags(
        Role::LB_THREADED.command::<ThreadedBalancer>(),
        &[&LISTENING, &FRONT, &POOL, &CLIENT_TIMES, &BACK_END_TIMES, &LOAD, &HEALTH, back_ends],
    );
    expect_flags(
        Role::LB_ASYNC.command::<AsyncBalancer>(),
        &[&LISTENING, &FRONT, &["loops"], &CLIENT_TIMES, &BACK_END_TIMES, &LOAD, &HEALTH, back_ends],
    );
    expect_flags(
        Role::SUITE.command::<Suite>(),
        &[&["port-base", "model", "workers", "root", "drain", "backends", "no-park"]],
    );
}

#[test]
fn commands_are_sound_in_claps_own_eyes() {
    Role::IMAGE_SERVER.command::<Server>().debug_assert();
    Role::REVERSE_PROXY.command::<Proxy>().debug_assert();
    Role::LB_THREADED.command::<ThreadedBalancer>().debug_assert();
    Role::LB_ASYNC.command::<AsyncBalancer>().debug_assert();
    Role::SUITE.command::<Suite>().debug_assert();
}

#[test]
fn flags_become_settings() {
    let parsed = parse::<Server>(
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
    let args = parsed.unwrap().args;
    let settings = args.settings();
    assert_eq!((settings.workers, settings.queue, settings.park, settings.loops), (3, 4, false, 2));
    assert_eq!(args.driver.model, Model::Async);
    assert_eq!(settings.timeouts.drain, Duration::ZERO);
    assert_eq!(settings.timeouts.keep_alive, Duration::from_secs(7));
    assert_eq!(args.listening.listen[0].to_string(), "127.0.0.1:8890");
}

#[test]
fn without_flags_the_settings_are_the_defaults() {
    let wanted = format!("{:?}", crate::app::settings::Settings::default());
    let balancer = parse::<ThreadedBalancer>(Role::LB_THREADED, &[]).unwrap().args;
    assert_eq!(format!("{:?}", balancer.settings()), wanted);
    assert_eq!(balancer.back_ends.backends, Some(5));
    assert_eq!(format!("{:?}", parse::<Proxy>(Role::REVERSE_PROXY, &[]).unwrap().args.settings()), wanted);
    assert_eq!(format!("{:?}", parse::<Server>(Role::WEB_SERVER, &[]).unwrap().args.settings()), wanted);
}

#[test]
fn bad_usage_is_one_line_that_says_what_is_wrong() {
    for (flags, words) in [
        (&["--workers", "0"][..], "--workers: 0 is out of range: 1 to 4096; see --help"),
        (&["--backlog=0"], "--backlog: 0 is out of range: 1 to 65535; see --help"),
        (&["--queue", "many"], "--queue: \"many\" is not a whole number; see --help"),
        (&["--workers"], "--workers: a value is missing; see --help"),
        (&["--workers=1", "--workers=2"], "--workers is given twice; see --help"),
        (&["--workerz=1"], "--workerz is unknown here; did you mean --workers?; see --help"),
        (&["--xyzzy"], "--xyzzy is unknown here; see --help"),
        (&["xyzzy"], "xyzzy is unknown here; see --help"),
        (&["--no-park=1"], "--no-park: takes no value, but \"1\" is given; see --help"),
        (&["--mode", "udp"], "--mode: \"udp\" is not one of tcp, http; see --help"),
        (&["--backend=a:1", "--backends=2"], "--backends and --backend exclude each other; see --help"),
        (&["--header-timeout=0s"], "--header-timeout: 0s is no time at all: the least is 1ms; see --help"),
        (
            &["--backend=a"],
            "--backend: \"a\" is not an address: write HOST:PORT, such as 127.0.0.1:8888 or [::1]:8888; see --help",
        ),
        (
            &["--log", "loud"],
            "--log: \"loud\" is not one of off, error, warn, info, debug, trace; see --help",
        ),
    ] {
        let error = parse::<ThreadedBalancer>(Role::LB_THREADED, flags).unwrap_err();
        if flags.len() == 2 && flags[0].starts_with("--backend=") {
            // Clap names the two in either order.
            assert!(error.contains("exclude each other"), "{error}");
        } else {
            assert_eq!(error, words, "{flags:?}");
        }
    }
    assert_eq!(parse::<Server>(Role::IMAGE_SERVER, &["--help"]).unwrap_err(), "told");
    assert_eq!(parse::<Server>(Role::IMAGE_SERVER, &["--version"]).unwrap_err(), "told");
    let error = parse::<AsyncBalancer>(Role::LB_ASYNC, &["--model=async"]).unwrap_err();
    assert!(error.starts_with("--model is unknown here"), "{error}");
}

#[test]
fn routes_are_prefix_and_addresses() {
    let route: RouteTo = "/a=b/=x:1,[::1]:2".parse().unwrap();
    assert_eq!((route.prefix.as_str(), route.backends.len()), ("/a=b/", 2));
    assert_eq!(route.to_string(), "/a=b/=x:1,[::1]:2");
    for (text, part) in [
        ("/images/", "is not a route"),
        ("images=x:1", "does not start with /"),
        ("/images/=", "is not an address"),
        ("/images/=x:1,", "is not an address"),
        ("/images/=x:0", "port 0"),
    ] {
        let error = text.parse::<RouteTo>().unwrap_err();
        assert!(error.contains(part) && error.contains(text.split('=').next().unwrap()), "{error}");
    }
}

#[test]
fn a_failure_has_the_status_of_its_kind() {
    let status = |failure: Failure| format!("{:?}", failure.status());
    assert_eq!(status(Failure::Usage(String::new())), format!("{:?}", ExitCode::from(2)));
    assert_eq!(status(Failure::Runtime(String::new())), format!("{:?}", ExitCode::from(1)));
}
