//! The rules on made-up crates: each is broken once, and each is seen where it looks like a breach and is none.

use super::source::Source;
use super::tree::{Target, Tree, circle};
use super::{ROOMS, check};

/// What is wrong with a crate of these files; the rooms that are not among them are there and empty.
fn broken(files: &[(&str, &str)]) -> Vec<String> {
    let owners: Vec<String> = ROOMS.iter().map(|(name, _)| format!("{name}/mod.rs")).collect();
    let missing = owners.iter().filter(|owner| files.iter().all(|(file, _)| file != owner));
    let files = files.iter().copied().chain(missing.map(|owner| (owner.as_str(), "")));
    let (violations, _) = check(&Tree::new(files));
    violations.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_breaks(files: &[(&str, &str)], wanted: &[&str]) {
    assert_eq!(broken(files), wanted, "{files:?}");
}

#[test]
fn rooms_use_only_rooms_above_them() {
    for (index, (name, allowed)) in ROOMS.iter().enumerate() {
        for used in *allowed {
            let position = ROOMS.iter().position(|(above, _)| above == used);
            assert!(position.is_some_and(|position| position < index), "{name} uses {used}");
        }
    }
}

#[test]
fn an_import_that_is_not_allowed_is_seen_in_every_form() {
    let rule = "protocol may not use net (crate::net::clock)";
    for (text, line) in [
        ("use crate::net::clock;", 1),
        ("use crate::{balance::Group, net::{clock, io as _}};", 1),
        ("//! use crate::net::io;\n\npub(crate) use crate::net::clock as time;", 3),
        ("fn f() -> u8 {\n    log::info!(\"{}\", crate::net::clock());\n    0\n}", 2),
        ("fn f(clock: &dyn crate::net::clock) {}", 1),
        ("#[derive(crate::net::clock)]\nstruct S;", 1),
        ("macro_rules! m { () => { $crate::net::clock } }", 1),
        ("mod inner {\n  use crate::net::clock;\n}", 2),
        ("#[cfg(not(test))]\nuse crate::net::clock;", 2),
    ] {
        let found = broken(&[("protocol/mod.rs", text), ("net/mod.rs", ""), ("net/io.rs", "")]);
        let wanted = format!("src/protocol/mod.rs:{line}: {rule}");
        assert!(found.contains(&wanted), "{text}: {found:?}");
    }
}

#[test]
fn super_leads_out_of_a_room_only_where_it_does() {
    let net = ("net/mod.rs", "pub mod clock;");
    let breach = ["src/protocol/web/mod.rs:1: protocol may not use net (super::super::net::clock)"];
    assert_breaks(&[net, ("protocol/web/mod.rs", "use super::super::net::clock;")], &breach);
    assert_breaks(&[net, ("protocol/web/mod.rs", "use super::net::clock;"), ("protocol/mod.rs", "")], &[]);
    // One `super` more inside of a module without a file.
    let inner = "mod inner { fn f() { super::super::super::net::clock::now() } }";
    let breach =
        ["src/protocol/web/mod.rs:1: protocol may not use net (super::super::super::net::clock::now)"];
    assert_breaks(&[net, ("protocol/web/mod.rs", inner)], &breach);
}

#[test]
fn a_re_export_is_no_way_around() {
    let files = [
        ("balance/group.rs", "pub struct Group;"),
        ("balance/mod.rs", "mod group;\npub use group::Group;"),
        ("net/mod.rs", "pub use crate::balance::Group;"),
        ("site/mod.rs", "\nuse crate::net::Group;"),
        ("poll_loop/mod.rs", "use crate::net;\nfn f(group: net::Group) {}"),
    ];
    assert_breaks(&files, &["src/site/mod.rs:2: site may not use balance (crate::net::Group)"]);
    let tree = Tree::new(files);
    let path = ["net", "Group"].map(str::to_owned);
    let wanted = Target::Inside { file: "balance/group.rs".to_owned() };
    assert_eq!(tree.resolve(&vec!["poll_loop".to_owned()], &path), wanted, "to the file, not to its door");
}

#[test]
fn the_drivers_do_not_know_each_other_and_nobody_knows_app_or_lab() {
    assert_breaks(
        &[
            ("threaded/mod.rs", "use crate::poll_loop::slots;"),
            ("poll_loop/mod.rs", "use crate::app::settings;"),
            ("app/mod.rs", "use crate::lab;"),
            ("lab/mod.rs", "use crate::app;"),
        ],
        &[
            "src/app/mod.rs:1: app may not use lab (crate::lab)",
            "src/app/mod.rs:1: files of several rooms use each other: app/mod.rs -> lab/mod.rs -> app/mod.rs",
            "src/app/mod.rs:1: rooms use each other: app -> lab -> app",
            "src/poll_loop/mod.rs:1: poll_loop may not use app (crate::app::settings)",
            "src/threaded/mod.rs:1: threaded may not use poll_loop (crate::poll_loop::slots)",
        ],
    );
    assert_breaks(
        &[("site/mod.rs", "use crate::VERSION;")],
        &["src/site/mod.rs:1: lib.rs is a map and owns nothing (crate::VERSION)"],
    );
}

#[test]
fn a_pure_room_has_no_socket_clock_or_file() {
    for (text, rule) in [
        ("use std::net::{IpAddr, TcpStream};", "protocol may not name std::net::TcpStream"),
        ("use std::net;\nfn f(s: net::UdpSocket) {}", "protocol may not name std::net::UdpSocket"),
        ("use std::net::*;", "protocol may not name std::net::TcpListener"),
        ("use std::{fs, io};", "protocol may not name std::fs"),
        ("fn f() { ::std::fs::read(\"x\"); }", "protocol may not name std::fs"),
        ("use std::os::fd::AsFd;", "protocol may not name std::os"),
        ("use mio;", "protocol may not name mio"),
        ("extern crate mio;\nuse mio::Poll;", "protocol may not name mio"),
        ("#[derive(Clone, clap::ValueEnum)]\nenum E {}", "protocol may not name clap"),
        ("#[cfg_attr(feature = \"x\", derive(clap::Parser))]\nstruct S;", "protocol may not name clap"),
        ("use socket2::SockRef;", "protocol may not name socket2"),
        (
            "use std::time::Instant;\nfn f() { Instant::now(); }",
            "protocol may not read a clock (std::time::Instant::now)",
        ),
        (
            "use std::time::SystemTime as Wall;\nconst F: fn() = Wall::now;",
            "protocol may not read a clock (std::time::SystemTime::now)",
        ),
        ("fn f() { chrono::Utc::now() }", "protocol may not read a clock (chrono::Utc::now)"),
        ("fn f(since: Instant) { since.elapsed(); }", "protocol may not read a clock (elapsed)"),
    ] {
        let found = broken(&[("protocol/mod.rs", text)]);
        assert!(found.iter().any(|line| line.ends_with(&format!(": {rule}"))), "{text}: {found:?}");
        let balance = broken(&[("balance/mod.rs", text)]);
        assert_eq!(balance.len(), found.len(), "{text}: both rooms are pure");
        let net = broken(&[("net/mod.rs", text)]);
        assert!(net.is_empty(), "{net:?}");
    }
}

#[test]
fn what_only_looks_like_a_breach_is_none() {
    for text in [
        "/// use crate::net::clock; Instant::now()\n//! crate::app\nfn f() {}",
        "/* crate::net::clock /* std::fs */ */",
        "const S: &str = \"crate::net::clock\"; const R: &str = r#\"std::fs\"#;",
        "const C: char = '\"'; // crate::net::clock\nfn f<'net>(x: &'net u8) {}",
        "use std::net::{IpAddr, SocketAddr};\nuse std::time::Instant;",
        "pub(in crate::protocol) fn f() { 0..9; a..b; }",
        "struct Clock; impl Clock { fn now() {} } fn f() { Clock::now(); State::Over; }",
        "fn f(times: Times) { times.elapsed_total(); let elapsed = 1; }",
        "use self::inner::fs; mod inner { pub fn fs() {} }",
    ] {
        let found = broken(&[("protocol/mod.rs", text)]);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn only_net_knows_the_operating_system() {
    for (text, name) in [
        ("use rustix::fs::openat;", "rustix"),
        ("fn f() { socket2::SockRef::from(&s).shutdown(); }", "socket2"),
        ("#[cfg(target_os = \"linux\")]\nfn f() {}", "target_os"),
        ("#[cfg(all(feature = \"x\", not(windows)))]\nfn f() {}", "windows"),
        ("const B: bool = cfg!(unix);", "unix"),
        ("#![cfg_attr(target_family = \"unix\", allow(x))]", "target_family"),
    ] {
        assert_breaks(
            &[("threaded/io.rs", text)],
            &[&format!("src/threaded/io.rs:1: only net may name {name}")],
        );
        assert_breaks(&[("net/io.rs", text)], &[]);
    }
    assert_breaks(&[("lab/system/unix.rs", "use rustix::process::Pid;")], &[]);
    assert_breaks(
        &[("lab/process.rs", "use rustix::process::Pid;")],
        &["src/lab/process.rs:1: only net may name rustix"],
    );
    assert_breaks(&[("lab/x.rs", "use socket2::Socket;")], &["src/lab/x.rs:1: only net may name socket2"]);
}

#[test]
fn tests_are_exempt_and_nothing_else_is() {
    let breach = "use crate::app::x;";
    let after = "src/net/mod.rs:2: net may not use app (crate::app::x)";
    for test in [
        "#[cfg(test)] mod tests { use crate::lab::y; }",
        "#[cfg(test)] #[cfg(target_os = \"linux\")] mod tests { use crate::lab::y; }",
        "#[cfg(unix)] #[derive(crate::lab::D)] #[cfg(test)] struct S;",
        "#[cfg(all(test, unix))] mod tests { use crate::lab::y; }",
        "#[cfg(test)] use crate::lab::{y, z};",
        "#[cfg(test)] pub(crate) fn f(a: A<B, C>) -> crate::lab::Y { lab() }",
        "#[cfg(test)] const X: crate::lab::X = crate::lab::X { a: 1, b: [2; 3] };",
        "struct S { #[cfg(test)] a: crate::lab::X, b: u8 }",
        "fn f() { #[cfg(test)] if crate::lab::is() { crate::lab::say(); } }",
        "fn f() { #[cfg(test)] let x = crate::lab::of({ 1 }); }",
    ] {
        assert_breaks(&[("net/mod.rs", &format!("{test}\n{breach}"))], &[after]);
    }
    for no_test in ["cfg(not(test))", "cfg(any(test, feature = \"x\"))", "cfg(testing)", "test"] {
        let text = format!("\n#[{no_test}]\nmod tests {{ use crate::app::x; }}");
        assert_breaks(&[("net/mod.rs", &text)], &["src/net/mod.rs:3: net may not use app (crate::app::x)"]);
    }
}

#[test]
fn a_file_is_a_test_only_if_it_is_declared_as_one() {
    let tests = ("net/io/tests.rs", "use crate::app::x;");
    let below = ("net/io/tests/more.rs", "use crate::app::x;");
    assert_breaks(&[("net/io/mod.rs", "#[cfg(test)]\nmod tests;"), tests, below], &[]);
    assert_breaks(
        &[("net/io/mod.rs", "mod tests;"), tests],
        &["src/net/io/tests.rs:1: net may not use app (crate::app::x)"],
    );
    assert_breaks(&[("net/a.rs", "#![cfg(test)]\nuse crate::app::x;")], &[]);
    assert_breaks(
        &[("net/mod.rs", "#[path = \"elsewhere.rs\"]\nmod a;\ninclude!(\"b.rs\");")],
        &[
            "src/net/mod.rs:1: #[path] hides a module from whoever lists the folders",
            "src/net/mod.rs:3: include! hides a module from whoever lists the folders",
        ],
    );
}

#[test]
fn circles_are_found_between_rooms_and_between_files() {
    // No circle of files, and one of rooms.
    let files = [
        ("net/a.rs", "\nuse crate::balance::b::X;"),
        ("balance/b.rs", "pub struct X;"),
        ("balance/c.rs", "use crate::net::d;"),
        ("net/d.rs", ""),
    ];
    assert_breaks(
        &files,
        &[
            "src/balance/c.rs:1: balance may not use net (crate::net::d)",
            "src/balance/c.rs:1: rooms use each other: balance -> net -> balance",
        ],
    );
    // Within one room files may use each other.
    assert_breaks(&[("net/a.rs", "use super::b;"), ("net/b.rs", "use super::a;"), ("net/mod.rs", "")], &[]);
}

#[test]
fn the_shortest_circle_is_told_and_a_line_is_none() {
    let edges = |edges: &[(&str, &str)]| {
        edges.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    };
    let any = |_: &str, _: &str| true;
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")]), any), None);
    let two = edges(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "c")]);
    assert_eq!(circle(&two, any).unwrap(), ["c", "d", "c"]);
    let around = circle(&two, |from, _| from == "a").unwrap();
    assert_eq!(around, ["a", "b", "c", "a"]);
}

#[test]
fn a_source_tells_lines_modules_and_names() {
    let source =
        Source::read("net/checker/mod.rs", "//! Doc\nmod check;\nuse a::{b as c, d::{self, e}, *};\n");
    assert_eq!(source.module, ["net", "checker"]);
    assert_eq!(source.modules, [["net", "checker", "check"]]);
    let paths: Vec<_> = source.mentions.iter().map(|mention| mention.path.join("::")).collect();
    assert_eq!(paths, ["a::b", "a::d", "a::d::e", "a::*"]);
    let names: Vec<_> =
        source.bindings.iter().map(|(_, name, path)| (name.as_str(), path.join("::"))).collect();
    let wanted = [("c", "a::b"), ("d", "a::d"), ("e", "a::d::e")];
    assert_eq!(names, wanted.map(|(name, path)| (name, path.to_owned())));
    assert_eq!(Source::read("lib.rs", "").module, Vec::<String>::new());
}
