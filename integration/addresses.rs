//! Addresses: how they are written, which families they mean, and those that lead back to the role itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::process::Signal;

use crate::support::backend::Backend;
use crate::support::client::{Client, get};
use crate::support::launch::Launch;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    a_wildcard_listens_on_both_families,
    a_back_end_is_written_as_people_write_it,
    a_role_that_is_its_own_back_end_is_refused,
    a_reload_that_would_make_a_role_its_own_back_end_changes_nothing,
];

fn balancer(model: Model) -> Launch {
    Launch::bare(match model {
        Model::Threaded => "lb-threaded",
        Model::Async => "lb-async",
    })
}

fn a_wildcard_listens_on_both_families(model: Model) {
    let backend = Backend::saying("satu");
    for listen in ["[::]:0", ":0", "0"] {
        let role = balancer(model)
            .flag("--listen", listen)
            .flag("--mode", "http")
            .flag("--health-interval", "off")
            .flag("--backend", backend.address())
            .start();
        let port = role.address().port();
        let before = backend.request_count();
        assert_eq!(get(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "/").text(), "satu");
        // An IPv4 client is one, whatever the listener's family: in the log, and to the back end.
        role.wait_for_log("client=127.0.0.1:");
        let seen = backend.wait_for_request(before).head;
        assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
        // Where there is no IPv6, IPv4 is all there is.
        if role.address().is_ipv6() {
            assert_eq!(get(SocketAddr::from((Ipv6Addr::LOCALHOST, port)), "/").text(), "satu");
        }
    }
}

fn a_back_end_is_written_as_people_write_it(model: Model) {
    let backend = Backend::saying("satu");
    let port = backend.address().port();
    for text in [
        format!("{port}"),
        format!(":{port}"),
        format!("localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
    ] {
        for mode in ["tcp", "http"] {
            let role = Launch::balancer(model, mode, []).flag("--backend", &text).start();
            assert_eq!(get(role.address(), "/").text(), "satu", "{text} {mode}");
        }
        let role = Launch::role("reverse-proxy", model)
            .flag("--route", format!("/x/={text}"))
            .flag("--default", &text)
            .flag("--health-interval", "off")
            .start();
        assert_eq!((get(role.address(), "/").text(), get(role.address(), "/x/").text()), ("satu", "satu"));
    }
    // In a file, a port may be a number.
    let file = Site::new().with("giliran.toml", format!("backend = [{port}]\nlisten = [0]\n"));
    let role = balancer(model).flag("--config", file.path().join("giliran.toml").display()).start();
    assert_eq!(get(SocketAddr::from((Ipv4Addr::LOCALHOST, role.address().port())), "/").text(), "satu");
}

fn a_role_that_is_its_own_back_end_is_refused(model: Model) {
    for (listen, backend) in [
        ("127.0.0.1:9101", "127.0.0.1:9101"),
        ("127.0.0.1:9101", "http://localhost:9101"),
        ("0.0.0.0:9101", "127.0.0.1:9101"),
        ("9101", "9101"),
        ("[::]:9101", "127.0.0.1:9101"),
        ("[::]:9101", "[::1]:9101"),
        ("127.0.0.1:9101", "0.0.0.0:9101"),
    ] {
        let roles = [
            balancer(model).flag("--backend", "127.0.0.1:9100").flag("--backend", backend),
            Launch::bare("reverse-proxy").flag("--default", backend),
            Launch::bare("reverse-proxy").flag("--route", format!("/x/={backend}")),
        ];
        for role in roles {
            let role = role.flag("--listen", listen);
            // With --check, and at the start without it.
            for ended in [role.clone().switch("--check").end(), role.end()] {
                assert_eq!(
                    (ended.status, ended.out.as_str()),
                    (Some(2), ""),
                    "{listen} {backend}: {ended:?}"
                );
                assert!(ended.err.contains("itself, which listens on"), "{}", ended.err);
            }
        }
    }
    // Another port, or another family, is another place.
    for (listen, backend) in [("127.0.0.1:9101", "127.0.0.1:9102"), ("[::1]:9101", "127.0.0.1:9101")] {
        let ended =
            balancer(model).flag("--listen", listen).flag("--backend", backend).switch("--check").end();
        assert_eq!(ended.status, Some(0), "{}", ended.err);
    }
}

fn a_reload_that_would_make_a_role_its_own_back_end_changes_nothing(model: Model) {
    let backend = Backend::saying("satu");
    for mode in ["tcp", "http"] {
        let file = |address: SocketAddr| format!("backend = [\"{address}\"]\n");
        let folder = Site::new().with("giliran.toml", file(backend.address()));
        let path = folder.path().join("giliran.toml");
        let role = Launch::balancer(model, mode, []).flag("--config", path.display()).start();
        std::fs::write(&path, file(role.address())).unwrap();
        role.signal(Signal::HUP);
        let line = role.wait_for_log("stays as it was");
        assert!(line.contains(&format!("--backend {} is this ", role.address())), "{line}");
        assert_eq!(Client::connect(role.address()).get("/").text(), "satu");
    }
}

#[test]
fn two_addresses_that_are_one_place_are_refused() {
    for [one, other] in [["8080", "127.0.0.1:8080"], ["0.0.0.0:8080", "127.0.0.1:8080"], ["8080", ":8080"]] {
        let ended =
            Launch::bare("web-server").flag("--listen", one).flag("--listen", other).switch("--check").end();
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.err.contains("are the same place"), "{}", ended.err);
    }
}
