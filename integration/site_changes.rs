//! Sites whose files and folders change while they are served, and what the log says of a refusal.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::support::client::{Client, Response, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    a_file_changed_in_place_is_described_as_it_is,
    a_file_that_shrinks_while_it_is_sent_is_cut_and_logged,
    a_file_that_grows_while_it_is_sent_ends_where_it_was_promised,
    a_root_that_is_a_link_is_followed_when_it_is_switched,
    a_root_made_anew_is_served_and_its_absence_said_once,
    a_deleted_file_gives_its_space_back,
    a_redirect_to_a_folder_keeps_its_query_however_long,
    the_well_known_folder_is_served_and_no_other_dotfile,
    a_refusal_has_its_cause_in_the_log,
    files_of_any_time_have_true_validators,
    every_range_of_an_empty_file_is_the_whole_of_it,
    without_a_cache_a_change_is_seen_at_once,
];

/// Bytes of a file that no cache holds in memory.
const LARGE: usize = 100_000;

/// Bytes of a file that does not fit the buffers of two sockets.
const HUGE: u64 = 16 * 1024 * 1024;

fn serve(model: Model, root: &Path) -> Role {
    Launch::role("default-server", model).flag("--root", root.display()).start()
}

fn serve_without_cache(model: Model, root: &Path) -> Role {
    Launch::role("default-server", model).flag("--root", root.display()).flag("--cache", "off").start()
}

fn a_file_changed_in_place_is_described_as_it_is(model: Model) {
    let site = Site::new().with("a.bin", vec![b'a'; LARGE]);
    let role = serve(model, site.path());
    let mut client = Client::connect(role.address());
    let mut etags = vec![client.get("/a.bin").field("etag").unwrap().to_owned()];
    for (size, byte) in [(3 * LARGE, b'b'), (2 * LARGE, b'c'), (10, b'd')] {
        fs::write(site.path().join("a.bin"), vec![byte; size]).unwrap();
        let old = etags.last().unwrap();
        let response = client.ask("GET", "/a.bin", &format!("If-None-Match: {old}\r\n"));
        assert_eq!((response.status, response.body.len()), (200, size));
        assert!(response.body.iter().all(|found| *found == byte));
        let etag = response.field("etag").unwrap().to_owned();
        assert!(!etags.contains(&etag), "{etag} is the tag of another content");
        etags.push(etag);
    }
}

fn a_file_that_shrinks_while_it_is_sent_is_cut_and_logged(model: Model) {
    let site = Site::new().with("a.bin", "");
    let file = File::options().write(true).open(site.path().join("a.bin")).unwrap();
    file.set_len(HUGE).unwrap();
    let role = serve(model, site.path());
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/a.bin", ""));
    assert_eq!(client.wire().head().unwrap().length().unwrap(), Some(HUGE as usize));
    file.set_len(1).unwrap();
    assert!(client.wire().rest().is_err(), "what is cut must not look complete");
    role.wait_for_log("shrank while it was sent");
    assert_eq!(get(role.address(), "/a.bin").body.len(), 1);
}

fn a_file_that_grows_while_it_is_sent_ends_where_it_was_promised(model: Model) {
    let site = Site::new().with("a.bin", "");
    let file = File::options().write(true).open(site.path().join("a.bin")).unwrap();
    file.set_len(HUGE).unwrap();
    let role = serve(model, site.path());
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/a.bin", ""));
    client.wire().head().unwrap();
    file.set_len(HUGE + 1000).unwrap();
    let mut came = 0;
    while came < HUGE {
        came += client.wire().some().unwrap().len() as u64;
    }
    assert_eq!(came, HUGE);
    // Nothing is between this answer and the next on the same connection.
    assert_eq!(client.ask("HEAD", "/a.bin", "").field("content-length"), Some("16778216"));
}

/// Asks again and again, each time on a connection of its own, until `is_so`; panics if that takes longer than
/// three times what is promised: a machine under load is slow.
fn ask_until(role: &Role, target: &str, promise: Duration, is_so: impl Fn(&Response) -> bool) {
    let start = Instant::now();
    while !is_so(&get(role.address(), target)) {
        assert!(start.elapsed() < promise * 3, "{target} is as it was; the log says:\n{}", role.log());
    }
}

/// How soon another root is served.
const ROOT_FOLLOWED: Duration = Duration::from_secs(2);

/// How soon the descriptor of a deleted file is closed.
const DESCRIPTOR_CLOSED: Duration = Duration::from_secs(5);

fn a_root_that_is_a_link_is_followed_when_it_is_switched(model: Model) {
    let large = |byte: u8| vec![byte; LARGE];
    let site = Site::new()
        .with("r1/a.txt", "satu")
        .with("r1/b.bin", large(b'1'))
        .with("r2/a.txt", "dua")
        .with("r2/b.bin", large(b'2'));
    let at = |name: &str| site.path().join(name);
    symlink("r1", at("cur")).unwrap();
    let role = serve(model, &at("cur"));
    assert_eq!(get(role.address(), "/a.txt").text(), "satu");
    assert!(get(role.address(), "/b.bin").body == large(b'1'));
    symlink("r2", at("new")).unwrap();
    fs::rename(at("new"), at("cur")).unwrap();
    ask_until(&role, "/a.txt", ROOT_FOLLOWED, |response| response.text() == "dua");
    assert!(get(role.address(), "/b.bin").body == large(b'2'));
    role.wait_for_log("is another one now");
}

fn a_root_made_anew_is_served_and_its_absence_said_once(model: Model) {
    let site = Site::new().with("build/a.txt", "satu");
    let build = site.path().join("build");
    let role = serve(model, &build);
    assert_eq!(get(role.address(), "/a.txt").text(), "satu");
    fs::remove_dir_all(&build).unwrap();
    fs::create_dir(&build).unwrap();
    fs::write(build.join("a.txt"), "dua").unwrap();
    ask_until(&role, "/a.txt", ROOT_FOLLOWED, |response| response.status == 200 && response.text() == "dua");
    fs::rename(&build, site.path().join("away")).unwrap();
    role.wait_for_log("is gone");
    // The folder itself is still open, so what is in it is still served.
    assert_eq!(get(role.address(), "/a.txt").text(), "dua");
    fs::rename(site.path().join("away"), &build).unwrap();
    role.wait_for_log("is back");
    assert_eq!((role.logged("is gone"), role.logged("is back")), (1, 1), "{}", role.log());
}

fn a_deleted_file_gives_its_space_back(model: Model) {
    let site = Site::new().with("a.bin", vec![b'a'; LARGE]).with("other.txt", "lain");
    let role = serve(model, site.path());
    assert_eq!(get(role.address(), "/a.bin").body.len(), LARGE);
    let descriptors = format!("/proc/{}/fd", role.process().id());
    let is_open = || {
        let links =
            fs::read_dir(&descriptors).unwrap().flatten().flat_map(|entry| fs::read_link(entry.path()));
        links.into_iter().any(|link| link.to_string_lossy().contains("a.bin"))
    };
    assert!(is_open(), "a file in use is held open");
    fs::remove_file(site.path().join("a.bin")).unwrap();
    ask_until(&role, "/other.txt", DESCRIPTOR_CLOSED, |_| !is_open());
}

fn a_redirect_to_a_folder_keeps_its_query_however_long(model: Model) {
    let site = Site::new().with("d/index.html", "indeks").with("small.txt", "x".repeat(4000));
    let role = serve(model, site.path());
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/d?v=1&w=%2F").field("location"), Some("/d/?v=1&w=%2F"));
    // The longest that the request line allows, in the middle of a pipeline: the answers before it leave less
    // room than its head needs.
    let long = format!("/d?{}", "q".repeat(8150));
    let small = request("GET", "/small.txt", "");
    client.send([small.as_str(), &small, &request("GET", &long, ""), &small].concat());
    for _ in 0..2 {
        assert_eq!(client.response().body.len(), 4000);
    }
    let response = client.response();
    assert_eq!((response.status, response.field("location").map(str::len)), (301, Some(long.len() + 1)));
    assert_eq!(client.response().body.len(), 4000);
}

fn the_well_known_folder_is_served_and_no_other_dotfile(model: Model) {
    let site = Site::new()
        .with(".well-known/acme-challenge/token", "kunci")
        .with(".well-known/.rahasia", "x")
        .with("a/.well-known/b", "x")
        .with(".git/config", "x");
    let role = serve(model, site.path());
    assert_eq!(get(role.address(), "/.well-known/acme-challenge/token").text(), "kunci");
    assert_eq!(get(role.address(), "/%2Ewell-known/acme-challenge/token").text(), "kunci");
    for target in ["/.well-known/.rahasia", "/a/.well-known/b", "/.git/config", "/.well-known/"] {
        assert_eq!(get(role.address(), target).status, 404, "{target}");
    }
}

fn a_refusal_has_its_cause_in_the_log(model: Model) {
    let outside =
        Site::new().with("rahasia.txt", "x").with("situs/.rahasia", "x").with("situs/tutup.txt", "x");
    let root = outside.path().join("situs");
    symlink("../rahasia.txt", root.join("keluar.txt")).unwrap();
    symlink("putar", root.join("putar")).unwrap();
    fs::create_dir_all(root.join("kosong/index.html")).unwrap();
    fs::set_permissions(root.join("tutup.txt"), fs::Permissions::from_mode(0o000)).unwrap();
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipa"), fifo, mode, 0).unwrap();
    let mut refusals = vec![
        ("/tidak-ada", 404, "missing"),
        ("/.rahasia", 404, "\"a dotfile\""),
        ("/keluar.txt", 404, "\"a symbolic link that leaves the root\""),
        ("/putar", 404, "\"a symbolic link that cannot be followed\""),
        ("/pipa", 404, "\"not a regular file\""),
        ("/kosong", 404, "\"a folder without an index\""),
        ("/a%5cb", 404, "\"a backslash in the path\""),
        ("/x/../y", 400, "\"The path leads upwards.\""),
    ];
    // The superuser reads everything.
    if File::open(root.join("tutup.txt")).is_err() {
        refusals.push(("/tutup.txt", 403, "\"no permission to read it\""));
    }
    let role = serve(model, &root);
    let mut client = Client::connect(role.address());
    for (target, status, cause) in refusals {
        let response = client.get(target);
        assert_eq!(response.status, status, "{target}");
        if status == 404 {
            assert_eq!(response.text(), "There is nothing at this address.", "clients are not told");
        }
        let line = role.wait_for_log(&format!("request=\"GET {target}\" status={status} "));
        assert!(line.contains(&format!(" cause={cause} bytes_in=")), "{line}");
    }
    assert_eq!(role.logged("cause=missing"), 1, "one a request");
}

fn files_of_any_time_have_true_validators(model: Model) {
    let site = Site::new();
    let write = |content: &str, time: SystemTime| {
        // A new file each time, so that the cache sees another one at its next look.
        fs::write(site.path().join("new"), content).unwrap();
        File::options().write(true).open(site.path().join("new")).unwrap().set_modified(time).unwrap();
        fs::rename(site.path().join("new"), site.path().join("a.txt")).unwrap();
    };
    // Without a cache each change is seen at once.
    let role = serve_without_cache(model, site.path());
    let mut client = Client::connect(role.address());
    let mut etag = "\"none\"".to_owned();
    for (content, seconds) in [("satu", 1), ("dua!", 2), ("tiga", 86_400)] {
        write(content, SystemTime::UNIX_EPOCH - Duration::from_secs(seconds));
        let date = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        for condition in [format!("If-None-Match: {etag}\r\n"), date.to_owned()] {
            let response = client.ask("GET", "/a.txt", &condition);
            assert_eq!((response.status, response.text()), (200, content), "{condition}");
            assert_eq!(response.field("last-modified"), None);
        }
        etag = client.get("/a.txt").field("etag").unwrap().to_owned();
        assert_eq!(client.ask("GET", "/a.txt", &format!("If-None-Match: {etag}\r\n")).status, 304);
    }
    write("esok", SystemTime::now() + Duration::from_secs(86_400));
    let response = client.get("/a.txt");
    assert_eq!(response.field("last-modified"), response.field("date"), "RFC 9110 section 8.8.2.1");
}

fn every_range_of_an_empty_file_is_the_whole_of_it(model: Model) {
    let site = Site::new().with("a.txt", "");
    let role = serve(model, site.path());
    let mut client = Client::connect(role.address());
    for range in ["bytes=0-", "bytes=-1", "bytes=0-0", "bytes=7-"] {
        let response = client.ask("GET", "/a.txt", &format!("Range: {range}\r\n"));
        let found = (response.status, response.field("content-length"), response.field("content-range"));
        assert_eq!(found, (200, Some("0"), None), "{range}");
    }
}

fn without_a_cache_a_change_is_seen_at_once(model: Model) {
    let site = Site::new();
    let path = site.path().join("a.txt");
    let role = serve_without_cache(model, site.path());
    let mut client = Client::connect(role.address());
    for text in ["satu", "dua", "tiga"] {
        fs::write(&path, text).unwrap();
        assert_eq!(client.get("/a.txt").text(), text);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(client.get("/a.txt").status, 404);
    // The key of the configuration file is the flag.
    let wrong = Launch::role("default-server", model).flag("--cache", "maybe").end();
    assert_eq!(wrong.status, Some(2), "{}", wrong.err);
}
