//! Certificates: what is said of files that cannot be used, of those that expire, and when they are read again.

use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::launch::{Ended, Launch};
use crate::support::role::Role;
use crate::support::tls::{DAY, Identity, Setup, client_that_believes_file, pem};
use crate::support::{Model, both};

both![
    certificates_are_read_again_without_a_configuration_file,
    certificates_are_read_again_with_a_configuration_file,
    what_cannot_be_read_again_leaves_the_old_ones,
    a_certificate_that_expires_is_said_so,
    a_certificate_made_at_start_is_written_if_asked,
    several_kinds_of_keys_serve_one_name,
];

/// Tells the role, and waits for its `nth` word about that, from 0.
fn reload(role: &Role, nth: usize) -> String {
    role.signal(Signal::HUP);
    let line = role.process().err.wait_nth(nth, |line| line.contains("SIGHUP: "));
    line.unwrap_or_else(|| panic!("no answer {nth} to SIGHUP, but:\n{}", role.log()))
}

/// The certificate that the role shows.
fn shown(setup: &Setup, role: &Role) -> Vec<u8> {
    let mut client = setup.connect(role);
    assert_eq!(client.get("/").status, 200);
    client.wire().tls().peer_certificates().unwrap()[0].to_vec()
}

fn certificates_are_read_again_without_a_configuration_file(model: Model) {
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    assert_eq!(shown(&setup, &role), *setup.identity.chain[0]);
    let mut kept = setup.connect(&role);
    let renewed = setup.authority.issue(&["localhost"]);
    setup.write("server.pem", renewed.pem());
    reload(&role, 0);
    assert_eq!(shown(&setup, &role), *renewed.chain[0]);
    assert_eq!(kept.get("/").status, 200, "a connection from before");
}

fn certificates_are_read_again_with_a_configuration_file(model: Model) {
    let setup = Setup::new();
    let server = Launch::web_server(model).start();
    let content = |level: &str| {
        let file = setup.server_file();
        format!("log = {level:?}\ntls-cert = [{file:?}]\ndefault = [\"{}\"]\n", server.address())
    };
    let config = setup.write("giliran.toml", content("info"));
    let role = Launch::role("reverse-proxy", model).flag("--config", config.display()).start();
    assert_eq!(shown(&setup, &role), *setup.identity.chain[0]);
    let renewed = setup.authority.issue(&["localhost"]);
    setup.write("server.pem", renewed.pem());
    setup.write("giliran.toml", content("debug"));
    let line = reload(&role, 0);
    assert!(line.ends_with("changed: log"), "{line}");
    assert_eq!(shown(&setup, &role), *renewed.chain[0]);
}

fn what_cannot_be_read_again_leaves_the_old_ones(model: Model) {
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    let other = setup.authority.issue(&["localhost"]);
    let of_another = setup.identity.chain_pem() + &other.key_pem();
    for (nth, content) in ["", "bukan PEM", &of_another].into_iter().enumerate() {
        setup.write("server.pem", content);
        let line = reload(&role, nth);
        let file = setup.server_file();
        assert!(line.contains("[ERROR]") && line.contains(&*file.to_string_lossy()), "{line}");
        assert_eq!(shown(&setup, &role), *setup.identity.chain[0]);
    }
    std::fs::remove_file(setup.server_file()).unwrap();
    let line = reload(&role, 3);
    assert!(line.contains("[ERROR]"), "{line}");
    assert_eq!(shown(&setup, &role), *setup.identity.chain[0]);
}

fn a_certificate_that_expires_is_said_so(model: Model) {
    let setup = Setup::new();
    let in_days =
        |days: u32| setup.authority.issue_until(&["localhost"], SystemTime::now() + days * DAY + DAY / 2);
    for (identity, level, words) in [
        (in_days(13), "[WARN ]", "the certificate of localhost ("),
        (in_days(13), "[WARN ]", ") expires in 13 days, on 20"),
        (in_days(1), "[WARN ]", ") expires in 1 day, on 20"),
        (setup.authority.issue_until(&["localhost"], SystemTime::now() - DAY), "[ERROR]", ") expired on 20"),
    ] {
        setup.write("server.pem", identity.pem());
        let role = setup.before(Launch::web_server(model)).start();
        let line = role.wait_for_log(words);
        assert!(line.contains(level) && line.contains("server.pem"), "{line}");
    }
    setup.write("server.pem", in_days(15).pem());
    let role = setup.before(Launch::web_server(model)).start();
    assert!(!shown(&setup, &role).is_empty());
    assert!(!role.log().contains("expires in"), "{}", role.log());
}

fn a_certificate_made_at_start_is_written_if_asked(model: Model) {
    let setup = Setup::new();
    let file = setup.path("made.pem");
    let launch = Launch::web_server(model).switch("--tls-self-signed");
    let role = launch.flag("--tls-self-signed-to", file.display()).start();
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.starts_with("-----BEGIN CERTIFICATE-----\n") && !written.contains("PRIVATE"),
        "{written}"
    );
    // Whoever believes the file believes the server, under all its names.
    let config = client_that_believes_file(&file);
    for name in ["localhost", "127.0.0.1", "::1"] {
        let mut client = Client::secure(role.address(), &config, name).unwrap();
        assert_eq!(client.get("/").status, 200);
    }
    // Another process has another one.
    let other = Launch::web_server(model).switch("--tls-self-signed").start();
    assert!(Client::secure(other.address(), &config, "localhost").is_err());
}

fn several_kinds_of_keys_serve_one_name(model: Model) {
    let setup = Setup::new();
    let of_ed25519 = setup.authority.issue_of_kind(&["localhost"], &rcgen::PKCS_ED25519);
    let file = setup.write("ed25519.pem", of_ed25519.pem());
    let role = setup.before(Launch::web_server(model).flag("--tls-cert", file.display())).start();
    // Our client takes either; it gets the first that was named.
    assert_eq!(shown(&setup, &role), *of_ed25519.chain[0]);
}

/// What a role says of these flags.
fn refused(flags: &[(&str, &Path)]) -> Ended {
    let bare = Launch::bare("web-server").flag("--listen", "127.0.0.1:0").switch("--check");
    let ended = flags.iter().fold(bare, |launch, (name, file)| launch.flag(name, file.display())).end();
    assert_eq!(ended.status, Some(2), "{ended:?}");
    ended
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let setup = Setup::new();
    let (chain, key) = (setup.identity.chain_pem(), setup.identity.key_pem());
    let server = setup.server_file();
    let other_key = setup.write("other.key", setup.authority.issue(&["localhost"]).key_pem());
    let locked = setup.write("locked.key", pem("ENCRYPTED PRIVATE KEY", b"a key behind a password"));
    let chain_file = setup.write("chain.pem", &chain);
    let key_file = setup.write("key.pem", &key);
    let empty = setup.write("empty.pem", "");
    let broken = setup.write("broken.pem", "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n");
    let no_certificate = setup.write("no.pem", pem("CERTIFICATE", b"halo") + &key);
    let huge = setup.write("huge.pem", vec![b'x'; 2 * 1024 * 1024]);
    let missing = setup.path("missing.pem");
    let folder = setup.path("");
    for (flags, named, words) in [
        (vec![("--tls-cert", &*missing)], &missing, "No such file"),
        (vec![("--tls-cert", &*folder)], &folder, ""),
        (vec![("--tls-cert", &*empty)], &empty, "there is no certificate in it"),
        (vec![("--tls-cert", &*key_file)], &key_file, "there is no certificate in it"),
        (vec![("--tls-cert", &*broken)], &broken, "no PEM file"),
        (vec![("--tls-cert", &*no_certificate)], &no_certificate, "the certificate cannot be read"),
        (vec![("--tls-cert", &*huge)], &huge, "larger than 1048576 bytes"),
        (vec![("--tls-cert", &*chain_file)], &chain_file, "there is no private key in it"),
        (vec![("--tls-cert", &*chain_file), ("--tls-key", &*missing)], &missing, "No such file"),
        (
            vec![("--tls-cert", &*chain_file), ("--tls-key", &*chain_file)],
            &chain_file,
            "there is no private key in it",
        ),
        (
            vec![("--tls-cert", &*chain_file), ("--tls-key", &*other_key)],
            &other_key,
            "this is not the key of the certificate",
        ),
        (
            vec![("--tls-cert", &*chain_file), ("--tls-key", &*locked)],
            &locked,
            "a key with a password must be decrypted first",
        ),
    ] {
        let said = refused(&flags).err;
        let file = named.to_string_lossy();
        assert!(said.contains(&*file) && said.contains(words), "{flags:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
    // Combinations that make no sense.
    let two = refused(&[("--tls-cert", &server), ("--tls-cert", &server), ("--tls-key", &key_file)]).err;
    assert!(two.contains("--tls-key: 1 for 2 of --tls-cert"), "{two}");
    refused(&[("--tls-key", &key_file)]);
    for (flags, words) in [
        (vec!["--tls-self-signed-to", "x"], "--tls-self-signed"),
        (vec!["--plain", "127.0.0.1:0"], "no address speaks TLS"),
        (vec!["--redirect-https"], "--plain"),
    ] {
        let bare = Launch::bare("web-server").flag("--listen", "127.0.0.1:0").switch("--check");
        let ended = flags.iter().fold(bare, |launch, flag| launch.switch(flag)).end();
        assert!(ended.status == Some(2) && ended.err.contains(words), "{flags:?}: {ended:?}");
    }
    let unused = Launch::bare("reverse-proxy").flag("--backend-ca", server.display()).switch("--check").end();
    assert!(unused.err.contains("--backend-ca: no back end is https://"), "{unused:?}");
    let behind = |file: &Path| {
        let launch = Launch::bare("reverse-proxy").flag("--default", "https://127.0.0.1:1");
        let ended = launch.flag("--backend-ca", file.display()).switch("--check").end();
        assert_eq!(ended.status, Some(2), "{ended:?}");
        ended.err
    };
    assert!(behind(&empty).contains("there is no certificate in it"), "{}", behind(&empty));
    assert!(behind(&missing).contains("No such file"), "{}", behind(&missing));
}

#[test]
fn check_shows_what_is_used_and_writes_nothing() {
    let setup = Setup::new();
    let launch = Launch::bare("web-server").flag("--listen", "127.0.0.1:0").switch("--check");
    let ended = setup.before(launch.clone()).end();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.out.contains(&format!("tls-cert = [{:?}]", setup.server_file())), "{}", ended.out);
    let file = setup.path("made.pem");
    let made = launch.switch("--tls-self-signed").flag("--tls-self-signed-to", file.display()).end();
    assert_eq!(made.status, Some(0), "{made:?}");
    assert!(!file.exists(), "--check has written a file");
}

#[test]
fn a_certificate_that_is_its_own_authority_serves_as_well() {
    let setup = Setup::new();
    let own = Identity::self_signed(&["localhost"], true);
    setup.write("server.pem", own.pem());
    let role = setup.before(Launch::web_server(Model::Threaded)).start();
    role.wait_for_log("certificate for localhost, valid until 20");
}

#[test]
fn the_suite_speaks_tls_where_its_clients_are() {
    let setup = Setup::new();
    let file = setup.path("made.pem");
    let suite = Launch::bare("suite").switch("--tls").flag("--port-base", 0);
    let suite = suite.flag("--tls-self-signed-to", file.display()).process();
    suite.out.wait_nth(0, |line| line.starts_with("ready")).unwrap_or_else(|| panic!("{}", suite.err.text()));
    let config = client_that_believes_file(&file);
    let table = suite.out.text();
    let commands = table.lines().filter_map(|line| line.split_once("curl -k https://"));
    let addresses: Vec<SocketAddr> =
        commands.map(|(_, at)| at.split('/').next().unwrap().parse().unwrap()).collect();
    assert_eq!(addresses.len(), 3, "the proxy and the two balancers: {table}");
    for address in addresses {
        let mut client = Client::secure(address, &config, "localhost").unwrap();
        assert_eq!(client.get("/").status, 200, "{}", suite.err.text());
    }
}
