//! TLS with programs nobody here wrote, at both ends: curl, openssl, nginx, HAProxy.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::support::client::get;
use crate::support::launch::Launch;
use crate::support::needs::{CURL, HAPROXY, NGINX, OPENSSL, lacks};
use crate::support::peer::{self, Server, curl};
use crate::support::process::Process;
use crate::support::role::Role;
use crate::support::site::{Site, public_bytes};
use crate::support::tls::Setup;
use crate::support::{Model, WAIT_MAX, both};

both![
    curl_speaks_both_versions,
    openssl_is_refused_what_is_old,
    openssl_takes_sessions_up_again,
    openssl_may_not_negotiate_again,
    nginx_in_front_speaks_tls_with_us,
    haproxy_in_front_speaks_tls_with_us,
    nginx_behind_is_spoken_to_over_tls,
    haproxy_behind_is_spoken_to_over_tls,
];

/// A file of the site, of some 100 kB.
const FILE: &str = "pdf/nfc.pdf";

/// A web server, and what may stand before it.
fn fronts(model: Model, setup: &Setup, server: &Role) -> [Role; 3] {
    [
        Launch::web_server(model),
        Launch::reverse_proxy(model, server.address()),
        Launch::balancer(model, "tcp", [server.address()]).checked("off"),
    ]
    .map(|launch| setup.before(launch).start())
}

fn url(role: &Role, target: &str) -> String {
    format!("https://localhost:{}{target}", role.address().port())
}

fn curl_speaks_both_versions(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let (setup, server, folder) = (Setup::new(), Launch::web_server(model).start(), Site::new());
    let authority = setup.authority_file();
    let saved = folder.path().join("saved");
    for role in fronts(model, &setup, &server) {
        for version in ["--tls-max=1.2", "--tlsv1.3"] {
            let version = version.replace("--tls-max=1.2", "--tls-max 1.2");
            let flags = version.split(' ').map(str::to_owned).chain([
                "--cacert".to_owned(),
                authority.display().to_string(),
                "--output".to_owned(),
                saved.display().to_string(),
                "--write-out".to_owned(),
                "%{http_code} %{num_connects} ".to_owned(),
                url(&role, &format!("/{FILE}")),
                "--output".to_owned(),
                "/dev/null".to_owned(),
                url(&role, "/"),
            ]);
            let said = curl(flags);
            // Both on one connection.
            assert_eq!(said.out.trim_end(), "200 1 200 0", "{}", role.log());
            assert!(std::fs::read(&saved).unwrap() == public_bytes(FILE));
        }
        // It does not believe what it was not told to.
        let stranger = peer::run(&CURL, ["--silent", "--show-error", &url(&role, "/")]);
        assert!(!stranger.success && stranger.err.contains("certificate"), "{}", stranger.err);
    }
}

/// Runs `openssl s_client` with these flags, and types `input` once it is connected.
fn s_client(role: &Role, setup: &Setup, flags: &[&str], input: &str) -> peer::Said {
    let authority = setup.authority_file();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut command = OPENSSL.command();
    command.args(["s_client", "-connect", &role.address().to_string(), "-servername", "localhost"]);
    command.args(["-verify_return_error", "-CAfile", &authority.display().to_string()]).args(flags);
    let mut process = Process::start_reading(&mut command, reader.into()).unwrap();
    drop(command); // and with it our copy of the pipe's other end
    writer.write_all(input.as_bytes()).unwrap();
    let keeps_open = !input.is_empty();
    let writer = keeps_open.then_some(writer);
    let status = process.wait(WAIT_MAX);
    drop(writer);
    let (out, err) = (process.out.text(), process.err.text());
    let status = status.unwrap_or_else(|| panic!("openssl still runs; it said:\n{out}\n{err}"));
    peer::Said { success: status.success(), out, err }
}

fn openssl_is_refused_what_is_old(model: Model) {
    if lacks(&[OPENSSL]) {
        return;
    }
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    for flags in [["-tls1_2", "-brief"], ["-tls1_3", "-brief"]] {
        let said = s_client(&role, &setup, &flags, "");
        assert!(
            said.success && said.err.contains("Verification: OK"),
            "{flags:?}: {} {}",
            said.out,
            said.err
        );
    }
    for flags in [
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"],
    ] {
        let said = s_client(&role, &setup, flags, "");
        assert!(!said.success && said.err.contains("alert"), "{flags:?}: {} {}", said.out, said.err);
    }
    role.wait_for_logs("no TLS with 127.0.0.1", 5);
}

fn openssl_takes_sessions_up_again(model: Model) {
    if lacks(&[OPENSSL]) {
        return;
    }
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    for flags in [&["-tls1_2", "-reconnect"][..], &["-tls1_2", "-reconnect", "-no_ticket"]] {
        let said = s_client(&role, &setup, flags, "");
        let reused = said.out.lines().filter(|line| line.starts_with("Reused, TLSv1.2")).count();
        assert_eq!(reused, 5, "{flags:?}: {} {}", said.out, said.err);
    }
}

fn openssl_may_not_negotiate_again(model: Model) {
    if lacks(&[OPENSSL]) {
        return;
    }
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    let said = s_client(&role, &setup, &["-tls1_2"], "R\n");
    assert!(
        said.out.contains("RENEGOTIATING") || said.err.contains("RENEGOTIATING"),
        "{} {}",
        said.out,
        said.err
    );
    assert!(!said.success && said.err.contains("no renegotiation"), "{}", said.err);
    assert!(said.out.contains("Secure Renegotiation IS supported"), "as RFC 5746 has it: {}", said.out);
    assert_eq!(setup.connect(&role).get("/").status, 200);
}

/// A configuration of nginx that keeps all its files in `folder` and does `server`.
fn nginx(folder: &Path, address: SocketAddr, server: &str) -> std::process::Command {
    let root = folder.display();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; \
         uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
         server {{ listen {address}{server} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = NGINX.command();
    command.arg("-c").arg(&file).arg("-p").arg(folder);
    command
}

/// A configuration of HAProxy with this section.
fn haproxy(folder: &Path, section: &str) -> std::process::Command {
    let config = format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n{section}\n"
    );
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    let mut command = HAPROXY.command();
    command.arg("-db").arg("-f").arg(&file);
    command
}

/// What is asked of a program in front of us.
fn expect_site(address: SocketAddr, role: &Role) {
    assert_eq!(get(address, "/").status, 200, "{}", role.log());
    for _ in 0..3 {
        assert!(get(address, &format!("/{FILE}")).body == public_bytes(FILE), "{}", role.log());
    }
}

fn nginx_in_front_speaks_tls_with_us(model: Model) {
    if lacks(&[NGINX]) {
        return;
    }
    let (setup, server, folder) = (Setup::new(), Launch::web_server(model).start(), Site::new());
    for role in fronts(model, &setup, &server) {
        for version in ["TLSv1.2", "TLSv1.3"] {
            let proxy = format!(
                "; location / {{ proxy_pass https://{}; proxy_http_version 1.1; proxy_ssl_protocols {version};\n\
                 proxy_ssl_trusted_certificate {}; proxy_ssl_verify on; proxy_ssl_name localhost; \
                 proxy_ssl_server_name on; }}",
                role.address(),
                setup.authority_file().display(),
            );
            let front = Server::start(|address| nginx(folder.path(), address, &proxy));
            expect_site(front.address(), &role);
            drop(front);
            role.wait_for_log(&format!("tls={version}"));
        }
    }
}

fn haproxy_in_front_speaks_tls_with_us(model: Model) {
    if lacks(&[HAPROXY]) {
        return;
    }
    let (setup, server, folder) = (Setup::new(), Launch::web_server(model).start(), Site::new());
    for role in fronts(model, &setup, &server) {
        let section = |address: SocketAddr| {
            format!(
                "listen x\n bind {address}\n server s {} ssl verify required ca-file {} sni str(localhost) \
                 verifyhost localhost check check-sni localhost",
                role.address(),
                setup.authority_file().display(),
            )
        };
        let front = Server::start(|address| haproxy(folder.path(), &section(address)));
        expect_site(front.address(), &role);
    }
}

/// What we get from a program behind us, by every way there is.
fn expect_behind(model: Model, setup: &Setup, server: &Server, target: &str, wanted: &[u8]) {
    let back_end = format!("https://localhost:{}", server.address().port());
    for launch in [
        Launch::role("reverse-proxy", model).flag("--default", &back_end),
        Launch::balancer(model, "http", []).flag("--backend", &back_end),
        Launch::balancer(model, "tcp", []).flag("--backend", &back_end),
    ] {
        let role = setup.behind(launch).checked("100ms").start();
        for _ in 0..3 {
            let response = get(role.address(), target);
            assert!(response.status == 200 && response.body == wanted, "{}", role.log());
        }
        assert!(!role.log().contains("is out"), "{}", role.log());
    }
}

fn nginx_behind_is_spoken_to_over_tls(model: Model) {
    if lacks(&[NGINX]) {
        return;
    }
    let (setup, folder) = (Setup::new(), Site::new().with("berkas.bin", public_bytes(FILE)));
    for version in ["TLSv1.2", "TLSv1.3"] {
        let (file, root) = (setup.server_file(), folder.path());
        let (file, root) = (file.display(), root.display());
        let tls = format!(
            " ssl; ssl_certificate {file}; ssl_certificate_key {file}; ssl_protocols {version}; root {root};"
        );
        let server = Server::start(|address| nginx(folder.path(), address, &tls));
        expect_behind(model, &setup, &server, "/berkas.bin", &public_bytes(FILE));
    }
}

fn haproxy_behind_is_spoken_to_over_tls(model: Model) {
    if lacks(&[HAPROXY]) {
        return;
    }
    let (setup, folder) = (Setup::new(), Site::new());
    let section = |address: SocketAddr| {
        format!(
            "frontend x\n bind {address} ssl crt {}\n http-request return status 200 content-type text/plain string halo",
            setup.server_file().display()
        )
    };
    let server = Server::start(|address| haproxy(folder.path(), &section(address)));
    expect_behind(model, &setup, &server, "/", b"halo");
}
