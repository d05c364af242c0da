//! Clients nobody here wrote, under load: Apache Bench and a browser.

use std::time::Duration;

use crate::support::launch::Launch;
use crate::support::needs::{AB, CHROMIUM, lacks};
use crate::support::peer;
use crate::support::role::Role;
use crate::support::site::{Site, public_bytes};
use crate::support::{Model, both};

both![
    ab_on_relayed_bytes,
    ab_on_balanced_requests,
    ab_on_a_server_with_kept_connections,
    a_browser_shows_both_images,
];

/// Runs `ab -n 2000 -c 10` and expects every request to be answered, and answered well.
fn bench(role: &Role, further: &[&str]) {
    let url = role.url("/");
    let args = ["-q", "-n", "2000", "-c", "10", "-s", "20"].into_iter().chain(further.iter().copied());
    let said = peer::run(&AB, args.chain([url.as_str()]));
    assert!(said.success, "{}\n{}\n{}", said.out, said.err, role.log());
    let number = |label: &str| {
        let line = said.out.lines().find_map(|line| line.strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0_f64)
    };
    assert_eq!((number("Complete requests:"), number("Failed requests:")), (2000.0, 0.0), "{}", said.out);
    assert_eq!(number("Non-2xx responses:"), 0.0, "{}", said.out);
    if further.contains(&"-k") {
        assert!(number("Keep-Alive requests:") > 1900.0, "{}", said.out);
    }
    // The course's cells of 4 to 15 requests a second are what is left behind; a busy machine is not.
    assert!(number("Requests per second:") > 50.0, "{}", said.out);
}

fn balance(model: Model, mode: &str) {
    if lacks(&[AB]) {
        return;
    }
    let servers = [(); 3].map(|()| Launch::web_server(model).start());
    let role = Launch::balancer(model, mode, servers.each_ref().map(Role::address)).start();
    bench(&role, &[]);
    bench(&role, &["-k"]);
}

fn ab_on_relayed_bytes(model: Model) {
    balance(model, "tcp");
}

fn ab_on_balanced_requests(model: Model) {
    balance(model, "http");
}

fn ab_on_a_server_with_kept_connections(model: Model) {
    if lacks(&[AB]) {
        return;
    }
    let role = Launch::web_server(model).start();
    bench(&role, &[]);
    bench(&role, &["-k"]);
}

/// A page that shows the site's own page in a frame and writes down how many of its images are drawn.
const WATCHING: &str = r#"<!doctype html><title>menunggu</title><iframe src="/page.html"></iframe>
<script>
addEventListener("load", () => {
    const images = [...document.querySelector("iframe").contentDocument.images];
    const drawn = images.filter(image => image.complete && image.naturalWidth > 0);
    document.title = `terlihat ${drawn.length} dari ${images.length}`;
});
</script>"#;

fn a_browser_shows_both_images(model: Model) {
    if lacks(&[CHROMIUM]) {
        return;
    }
    let site = Site::new().with("watching.html", WATCHING).with("page.html", public_bytes("page.html"));
    let pages = Launch::role("default-server", model).flag("--root", site.path().display()).start();
    let images = Launch::role("image-server", model).start();
    let route = format!("/images/={}", images.address());
    let proxy = Launch::reverse_proxy(model, pages.address()).flag("--route", route).start();
    let profile = tempfile::tempdir().unwrap();
    let said = peer::run(
        &CHROMIUM,
        [
            "--headless",
            "--no-sandbox", // it refuses to run as root with one, and all it loads is ours
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--dump-dom",
            &format!("--timeout={}", Duration::from_secs(20).as_millis()),
            &format!("--user-data-dir={}", profile.path().display()),
            &proxy.url("/watching.html"),
        ],
    );
    assert!(said.out.contains("<title>terlihat 2 dari 2</title>"), "{}\n{}", said.out, said.err);
}
