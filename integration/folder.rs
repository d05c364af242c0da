//! A folder, served as people expect: each flag of a site through a real program.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::Signal;

use crate::support::client::{Client, get, post, request};
use crate::support::launch::Launch;
use crate::support::needs::{CURL, lacks};
use crate::support::noise::Noise;
use crate::support::peer::curl;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    the_folder_is_all_there_is,
    a_folder_is_listed,
    a_listing_has_a_bound,
    a_folder_that_may_not_be_read_is_403_and_logged,
    errors_have_their_pages,
    an_application_shows_its_paths_by_itself,
    pages_are_known_without_their_extension,
    a_sidecar_is_sent_to_those_who_accept_it,
    names_decide_about_copies_and_types,
    long_extra_fields_leave_room_for_pipelined_requests,
    other_origins_may_read,
    links_and_dotfiles_are_as_the_flags_say,
    several_ranges_come_in_one_response,
    too_many_ranges_or_overlapping_ones_get_the_whole_file,
    a_file_that_shrinks_between_its_parts_is_cut,
    without_a_cache_a_change_is_seen_at_once,
    the_flags_change_at_a_reload,
];

/// A server of the folder and nothing else.
fn folder(model: Model, site: &Site) -> Launch {
    Launch::role("default-server", model).flag("--root", site.path().display()).switch("--no-course-pages")
}

fn the_folder_is_all_there_is(model: Model) {
    let site = Site::new()
        .with("index.html", "<p>satu")
        .with("docs/index.html", "<p>dua")
        .with("favicon.ico", "ikon");
    let role = folder(model, &site).start();
    let mut client = Client::connect(role.address());
    for (target, text) in
        [("/", "<p>satu"), ("/docs/", "<p>dua"), ("/favicon.ico", "ikon"), ("/?x=1", "<p>satu")]
    {
        let response = client.get(target);
        assert_eq!((response.status, response.text()), (200, text), "{target}");
    }
    let moved = client.get("/docs?v=1");
    assert_eq!((moved.status, moved.field("location")), (301, Some("/docs/?v=1")));
    for target in ["/video", "/santai", "/tidak-ada"] {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
    let refused = client.send(post("/", b"nama=ani")).response();
    assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
    assert!(!refused.text().contains("kosong"));
    assert_eq!(client.get("/").status, 200, "the connection goes on");
    // The course's servers keep their pages.
    let course = Launch::role("default-server", model).flag("--root", site.path().display()).start();
    assert_eq!(get(course.address(), "/").text(), "Ini Adalah web Server percobaan");
}

fn a_folder_is_listed(model: Model) {
    let site = Site::new()
        .with("b.txt", "0123456789")
        .with("A <b>.txt", "0")
        .with("docs/a.txt", "")
        .with("kosong/.git/config", "x")
        .with(".rahasia", "x");
    let role = folder(model, &site).switch("--listing").start();
    let mut client = Client::connect(role.address());
    let page = client.get("/");
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text().to_owned();
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert!(
        at("href=\"docs/\"") < at("href=\"A%20%3Cb%3E.txt\"") && at("A &lt;b&gt;.txt") < at("href=\"b.txt\"")
    );
    assert!(!text.contains("rahasia") && !text.contains("<b>") && text.contains("10 B"), "{text}");
    let sorted = client.get("/?sort=size&order=desc");
    let place = |name: &str| sorted.text().find(name).unwrap();
    assert!(place("href=\"b.txt\"") < place("href=\"A%20"), "{}", sorted.text());
    let head = client.ask("HEAD", "/", "");
    assert_eq!(head.field("content-length"), page.field("content-length"));
    assert_eq!(client.get("/A%20%3Cb%3E.txt").text(), "0", "its link leads to it");
    assert_eq!(client.get("/docs").field("location"), Some("/docs/"));
    let json = client.ask("GET", "/docs/", "Accept: application/json\r\n");
    assert_eq!((json.field("content-type"), json.field("vary")), (Some("application/json"), Some("Accept")));
    let json: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    assert_eq!((&json["path"], &json["complete"]), (&"/docs/".into(), &true.into()));
    assert_eq!((&json["entries"][0]["name"], &json["entries"][0]["size"]), (&"a.txt".into(), &0.into()));
    assert!(!client.get("/kosong/").text().contains(".git"));
    let quiet = folder(model, &site).start();
    assert_eq!(get(quiet.address(), "/docs/").status, 404, "without the flag");
}

fn a_listing_has_a_bound(model: Model) {
    let site = Site::new();
    for number in 0..5001 {
        fs::write(site.path().join(number.to_string()), "").unwrap();
    }
    let role = folder(model, &site).switch("--listing").start();
    let page = get(role.address(), "/");
    assert!(page.text().contains("more than 5000 entries"));
    assert_eq!(page.text().matches("<tr>").count(), 5001, "the heading and 5000 rows");
    fs::remove_file(site.path().join("0")).unwrap();
    assert!(!get(role.address(), "/").text().contains("more than"));
}

fn a_folder_that_may_not_be_read_is_403_and_logged(model: Model) {
    let site = Site::new().with("tertutup/a.txt", "x").with("buta/a.txt", "terbaca").with("a.txt", "x");
    let mode = |name: &str, mode| {
        fs::set_permissions(site.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    mode("tertutup", 0o000);
    mode("buta", 0o711);
    mode("a.txt", 0o000);
    // The superuser reads everything, so the role is somebody else then.
    let other = "if [ \"$(id -u)\" = 0 ]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$0\" \"$@\"; fi";
    if rustix::process::geteuid().is_root() {
        mode("buta", 0o701);
    } else {
        mode("buta", 0o100);
    }
    let role = folder(model, &site).switch("--listing").after(other).start();
    let mut client = Client::connect(role.address());
    for target in ["/tertutup", "/tertutup/", "/tertutup/a.txt", "/buta/", "/a.txt"] {
        let response = client.get(target);
        assert_eq!((response.status, response.text().ends_with('.')), (403, true), "{target}");
        role.wait_for_log(&format!("GET {target}"));
    }
    assert!(role.log().contains("no permission to read it"), "{}", role.log());
    assert_eq!(client.get("/buta/a.txt").text(), "terbaca", "who knows the name may read it");
    assert_eq!(client.get("/").status, 200);
    mode("tertutup", 0o700);
    mode("buta", 0o700);
}

fn errors_have_their_pages(model: Model) {
    let site = Site::new().with("404.html", "<p>tidak ada").with("405.html", "<p>tidak boleh");
    let role = folder(model, &site)
        .flag("--error-page", "404=404.html")
        .flag("--error-page", "405=/405.html")
        .flag("--error-page", "403=403.html")
        .flag("--dotfiles", "deny")
        .start();
    role.wait_for_log("--error-page: there is no file 403.html");
    let mut client = Client::connect(role.address());
    let missing = client.get("/tidak-ada");
    assert_eq!((missing.status, missing.text()), (404, "<p>tidak ada"));
    assert_eq!(missing.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!((missing.field("etag"), missing.field("last-modified")), (None, None));
    let head = client.ask("HEAD", "/tidak-ada", "");
    assert_eq!((head.status, head.field("content-length")), (404, missing.field("content-length")));
    let refused = client.ask("DELETE", "/", "");
    assert_eq!((refused.status, refused.text()), (405, "<p>tidak boleh"));
    let hidden = client.get("/.rahasia");
    assert_eq!((hidden.status, hidden.text()), (403, "This file is not served."), "its page is missing");
    assert_eq!(client.get("/404.html").status, 200);
}

fn an_application_shows_its_paths_by_itself(model: Model) {
    let site = Site::new().with("index.html", "<p>aplikasi").with("app.js", "1");
    let role = folder(model, &site).flag("--spa", "index.html").start();
    let mut client = Client::connect(role.address());
    for target in ["/", "/pengguna/5", "/pengguna/5/", "/pengguna?x=1.5"] {
        let response = client.get(target);
        assert_eq!((response.status, response.text()), (200, "<p>aplikasi"), "{target}");
    }
    assert_eq!(client.get("/app.js").text(), "1");
    assert_eq!(client.get("/tidak-ada.js").status, 404);
    assert_eq!(client.ask("GET", "/pengguna/a.b", "Accept: text/html,*/*;q=0.8\r\n").status, 200);
    assert_eq!(client.ask("HEAD", "/pengguna/5", "").status, 200);
    for (target, status) in [("/.git/config", 404), ("/.well-known/x", 404), ("/%2e%2e/x", 400)] {
        assert_eq!(client.get(target).status, status, "{target}");
    }
}

fn pages_are_known_without_their_extension(model: Model) {
    let site = Site::new()
        .with("index.html", "rumah")
        .with("tentang.html", "tentang")
        .with("docs/index.html", "docs");
    let role = folder(model, &site).switch("--clean-urls").start();
    let mut client = Client::connect(role.address());
    for (target, text) in [("/", "rumah"), ("/tentang", "tentang"), ("/docs/", "docs")] {
        assert_eq!(client.get(target).text(), text, "{target}");
    }
    for (target, location) in [
        ("/tentang.html?a=b", "/tentang?a=b"),
        ("/index.html", "/"),
        ("/docs/index.html", "/docs/"),
        ("/docs", "/docs/"),
    ] {
        let moved = client.get(target);
        assert_eq!((moved.status, moved.field("location")), (301, Some(location)), "{target}");
    }
}

/// What is in [`GZIP`].
const TEXT: &str = "satu dua tiga satu dua tiga satu dua tiga\n";

/// [`TEXT`] as `gzip -9n` compresses it.
const GZIP: &[u8; 38] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\x4e\x2c\x29\x55\x48\x29\x4d\x54\x28\xc9\x4c\x4f\x54\x28\xc6\xcd\xe3\x02\x00\xc2\x04\x24\x74\x2a\x00\x00\x00";

fn a_sidecar_is_sent_to_those_who_accept_it(model: Model) {
    let site = Site::new()
        .with("a.txt", TEXT)
        .with("a.txt.gz", GZIP)
        .with("a.txt.br", "bukan brotli, tetapi lebih panjang dari gzip");
    let role = folder(model, &site).switch("--precompressed").start();
    let mut client = Client::connect(role.address());
    let plain = client.get("/a.txt");
    assert_eq!((plain.text(), plain.field("content-encoding")), (TEXT, None));
    let gzip = client.ask("GET", "/a.txt", "Accept-Encoding: gzip, br\r\n");
    assert_eq!((gzip.body.as_slice(), gzip.field("content-encoding")), (&GZIP[..], Some("gzip")));
    assert_eq!(
        (gzip.field("content-type"), gzip.field("vary")),
        (plain.field("content-type"), Some("Accept-Encoding"))
    );
    assert_eq!(plain.field("vary"), Some("Accept-Encoding"));
    let etag = gzip.field("etag").unwrap();
    assert_ne!(Some(etag), plain.field("etag"));
    let unchanged =
        client.ask("GET", "/a.txt", &format!("Accept-Encoding: gzip\r\nIf-None-Match: {etag}\r\n"));
    assert_eq!((unchanged.status, unchanged.field("vary")), (304, Some("Accept-Encoding")));
    let part = client.ask(
        "GET",
        "/a.txt",
        &format!("Accept-Encoding: gzip\r\nRange: bytes=0-1\r\nIf-Range: {etag}\r\n"),
    );
    assert_eq!(
        (part.status, part.body.as_slice(), part.field("content-range")),
        (206, &GZIP[..2], Some("bytes 0-1/38"))
    );
    let other = client.ask("GET", "/a.txt", &format!("Range: bytes=0-1\r\nIf-Range: {etag}\r\n"));
    assert_eq!((other.status, other.text()), (200, TEXT), "that is the tag of another representation");
    let br = client.ask("GET", "/a.txt", "Accept-Encoding: br, gzip;q=0.5\r\n");
    assert_eq!(br.field("content-encoding"), Some("br"));
    if lacks(&[CURL]) {
        return;
    }
    fs::remove_file(site.path().join("a.txt.br")).unwrap();
    let without = folder(model, &site).start();
    assert_eq!(
        curl(["--compressed", &role.url("/a.txt"), &without.url("/a.txt")]).out,
        TEXT.repeat(2).trim_end()
    );
}

fn names_decide_about_copies_and_types(model: Model) {
    let site = Site::new()
        .with("index.html", "x")
        .with("app.1a2b3c4d.js", "x")
        .with("a.md", "x")
        .with("tua.txt", "x");
    let role = folder(model, &site)
        .flag("--cache-control", "*.[hash].*=immutable")
        .flag("--cache-control", "*.html=no-cache")
        .flag("--mime", "md=text/markdown")
        .flag("--mime", "txt=text/plain; charset=iso-8859-1")
        .flag("--header", "X-Frame-Options: DENY")
        .start();
    let mut client = Client::connect(role.address());
    for (target, copies, content_type) in [
        ("/", Some("no-cache"), "text/html; charset=utf-8"),
        ("/app.1a2b3c4d.js", Some("public, max-age=31536000, immutable"), "text/javascript; charset=utf-8"),
        ("/a.md", None, "text/markdown"),
        ("/tua.txt", None, "text/plain; charset=iso-8859-1"),
    ] {
        let response = client.get(target);
        assert_eq!(response.field("cache-control"), copies, "{target}");
        assert_eq!(response.field("content-type"), Some(content_type), "{target}");
        assert_eq!(response.field("x-frame-options"), Some("DENY"), "{target}");
    }
    let missing = client.get("/tidak-ada.html");
    assert_eq!((missing.field("cache-control"), missing.field("x-frame-options")), (None, Some("DENY")));
    let mut other = Client::connect(role.address());
    assert_eq!(
        other.send("GET  /\r\n\r\n").response().field("x-frame-options"),
        Some("DENY"),
        "of a request that is none"
    );
}

fn long_extra_fields_leave_room_for_pipelined_requests(model: Model) {
    let site = Site::new().with("a.txt", "satu");
    let field = "a".repeat(4000);
    let role = folder(model, &site).flag("--header", format!("X-Long: {field}")).start();
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/a.txt", "").repeat(20));
    for number in 0..20 {
        let response = client.response();
        assert_eq!((response.text(), response.field("x-long")), ("satu", Some(field.as_str())), "{number}");
    }
}

fn other_origins_may_read(model: Model) {
    let site = Site::new().with("a.json", "{}");
    for (origin, expected) in [("*", "*"), ("https://app.example.org", "https://app.example.org")] {
        let role = folder(model, &site).flag("--cors", origin).start();
        let mut client = Client::connect(role.address());
        let read = client.ask("GET", "/a.json", "Origin: https://app.example.org\r\n");
        assert_eq!(read.field("access-control-allow-origin"), Some(expected));
        assert!(read.field("access-control-expose-headers").unwrap().contains("Content-Range"));
        let fields = "Origin: https://app.example.org\r\nAccess-Control-Request-Method: GET\r\n\
                      Access-Control-Request-Headers: range\r\n";
        let preflight = client.ask("OPTIONS", "/a.json", fields);
        assert_eq!((preflight.status, preflight.field("access-control-allow-origin")), (204, Some(expected)));
        assert_eq!(preflight.field("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(preflight.field("access-control-allow-headers"), Some("*"));
    }
    let role = folder(model, &site).start();
    let silent = get(role.address(), "/a.json");
    assert_eq!(silent.field("access-control-allow-origin"), None);
}

fn links_and_dotfiles_are_as_the_flags_say(model: Model) {
    let outside =
        Site::new().with("rahasia.txt", "RAHASIA").with("situs/a.txt", "satu").with("situs/.titik", "titik");
    let root = outside.path().join("situs");
    symlink(outside.path().join("rahasia.txt"), root.join("keluar.txt")).unwrap();
    symlink("a.txt", root.join("dalam.txt")).unwrap();
    fs::create_dir(root.join(".well-known")).unwrap();
    fs::write(root.join(".well-known/x"), "dikenal").unwrap();
    for (links, dotfiles, inside, out, dot) in [
        ("inside", "hide", 200, 404, 404),
        ("follow", "deny", 200, 200, 403),
        ("deny", "allow", 404, 404, 200),
    ] {
        let launch = Launch::role("default-server", model).flag("--root", root.display());
        let launch = launch.flag("--symlinks", links).flag("--dotfiles", dotfiles);
        let role = launch.switch("--listing").switch("--no-course-pages").start();
        let listing = get(role.address(), "/");
        for (name, status) in [("dalam.txt", inside), ("keluar.txt", out), (".titik", dot)] {
            assert_eq!(get(role.address(), &format!("/{name}")).status, status, "{links} {dotfiles}: {name}");
            let is_listed = listing.text().contains(&format!("href=\"{name}\""));
            assert_eq!(is_listed, status == 200, "{links} {dotfiles}: {name} in {}", listing.text());
        }
        assert_eq!(get(role.address(), "/.well-known/x").text(), "dikenal");
        let targets = ["/../rahasia.txt", "/%2e%2e/rahasia.txt", "/./../rahasia.txt"];
        for target in targets {
            let response = get(role.address(), target);
            assert!(matches!(response.status, 400 | 404), "{links}: {target}: {}", response.status);
        }
        if !lacks(&[CURL]) {
            let said = curl(targets.iter().flat_map(|target| ["--path-as-is".to_owned(), role.url(target)]));
            assert!(!said.out.contains("RAHASIA"), "{links}: {}", said.out);
        }
    }
}

fn several_ranges_come_in_one_response(model: Model) {
    let large = Noise::new(2).take_bytes(3_000_000);
    let site = Site::new().with("a.txt", "0123456789").with("besar.bin", &large);
    let role = folder(model, &site).start();
    let mut client = Client::connect(role.address());
    let small = client.ask("GET", "/a.txt", "Range: bytes=7-8,0-1,-1\r\n");
    let boundary =
        small.field("content-type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, text: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes {range}/10\r\n\r\n{text}\r\n"
        )
    };
    assert_eq!(small.status, 206);
    assert_eq!(
        small.text(),
        [part("7-8", "78"), part("0-1", "01"), part("9-9", "9"), format!("--{boundary}--\r\n")].concat()
    );
    // Parts that are larger than every buffer, twice on one connection, and then an ordinary request.
    let parts = [(0, 1_000_000), (1_500_000, 2_999_999)];
    for _ in 0..2 {
        let response = client.ask("GET", "/besar.bin", "Range: bytes=0-999999,1500000-2999998\r\n");
        assert_eq!(response.status, 206);
        for (from, to) in parts {
            let head = format!("Content-Range: bytes {from}-{}/3000000\r\n\r\n", to - 1);
            let at = response.body.windows(head.len()).position(|window| window == head.as_bytes()).unwrap();
            let content = &response.body[at + head.len()..][..to - from];
            assert!(content == &large[from..to], "{from}-{to}");
        }
    }
    assert_eq!(client.get("/a.txt").text(), "0123456789");
    assert_eq!(client.ask("HEAD", "/a.txt", "Range: bytes=0-1,3-4\r\n").status, 200, "ranges are for GET");
    if !lacks(&[CURL]) {
        let said = curl(["--range", "0-1,5-6", &role.url("/a.txt")]).out;
        for part in ["bytes 0-1/10\r\n\r\n01\r\n--", "bytes 5-6/10\r\n\r\n56\r\n--"] {
            assert!(said.contains(&format!("Content-Range: {part}")), "{said:?}");
        }
    }
}

fn too_many_ranges_or_overlapping_ones_get_the_whole_file(model: Model) {
    let site = Site::new().with("a.txt", "0123456789".repeat(100));
    let role = folder(model, &site).start();
    let mut client = Client::connect(role.address());
    // The request of CVE-2011-3192: more than a thousand ranges, each of which holds the ones before it.
    let attack: Vec<String> = (0..1300).map(|last| format!("5-{last}")).collect();
    let many: Vec<String> = (0..33).map(|at| format!("{}-{}", 10 * at, 10 * at)).collect();
    for (ranges, status) in [
        (format!("0-,{}", attack[..700].join(",")), 200),
        (many.join(","), 200),
        (many[1..].join(","), 206),
        ("0-5,5-9".to_owned(), 200),
        ("0-,-1".to_owned(), 200),
        ("0-5,6-9".to_owned(), 206),
        ("2000-,3000-".to_owned(), 416),
    ] {
        let response = client.ask("GET", "/a.txt", &format!("Range: bytes={ranges}\r\n"));
        assert_eq!(response.status, status, "{ranges}");
        assert!(response.body.len() <= 1000 + 32 * 200, "{ranges}: {} bytes", response.body.len());
    }
}

fn a_file_that_shrinks_between_its_parts_is_cut(model: Model) {
    const HUGE: u64 = 64 * 1024 * 1024;
    let site = Site::new().with("a.bin", "");
    let file = fs::File::options().write(true).open(site.path().join("a.bin")).unwrap();
    file.set_len(HUGE).unwrap();
    let role = folder(model, &site).start();
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/a.bin", &format!("Range: bytes=0-9,100-{}\r\n", HUGE - 1)));
    client.wire().head().unwrap();
    file.set_len(1).unwrap();
    assert!(client.wire().rest().is_err(), "what is cut must not look complete");
    role.wait_for_log("cannot be read to its end");
    assert_eq!(get(role.address(), "/a.bin").body.len(), 1);
}

fn without_a_cache_a_change_is_seen_at_once(model: Model) {
    let site = Site::new().with("a.txt", "satu");
    let role = folder(model, &site).flag("--cache", "off").switch("--precompressed").start();
    let mut client = Client::connect(role.address());
    for text in ["satu", "dua", "tiga"] {
        fs::write(site.path().join("a.txt"), text).unwrap();
        assert_eq!(client.get("/a.txt").text(), text);
    }
}

fn the_flags_change_at_a_reload(model: Model) {
    let site = Site::new().with("docs/a.txt", "satu").with("404.html", "<p>tidak ada");
    let root = format!("root = \"{}\"\n", site.path().display());
    let file = Site::new().with("giliran.toml", &root);
    let path = file.path().join("giliran.toml");
    let role = Launch::role("default-server", model).flag("--config", path.display()).start();
    let reload = |role: &Role, nth: usize, content: String| {
        fs::write(&path, content).unwrap();
        role.signal(Signal::HUP);
        let line = role.process().err.wait_nth(nth, |line| line.contains("SIGHUP: "));
        line.unwrap_or_else(|| panic!("no word about SIGHUP {nth}, but:\n{}", role.log()))
    };
    assert_eq!(get(role.address(), "/docs/").status, 404);
    let keys = "no-course-pages = true\nlisting = true\nerror-page = [\"404=404.html\"]\nheader = [\"X-A: b\"]\n\
                cache-control = [\"*.txt=no-store\"]\nsymlinks = \"deny\"\ndotfiles = \"allow\"\n";
    let line = reload(&role, 0, format!("{root}{keys}"));
    assert!(line.contains("changed: ") && line.contains("listing"), "{line}");
    let listing = get(role.address(), "/docs/");
    assert_eq!((listing.status, listing.field("x-a")), (200, Some("b")));
    assert_eq!(get(role.address(), "/docs/a.txt").field("cache-control"), Some("no-store"));
    assert_eq!(get(role.address(), "/tidak-ada").text(), "<p>tidak ada");
    let line = reload(&role, 1, format!("{root}header = [\"Content-Length: 5\"]\n"));
    assert!(
        line.contains("the configuration stays as it was") && line.contains("the server itself"),
        "{line}"
    );
    assert_eq!(get(role.address(), "/docs/").status, 200);
}

#[test]
fn values_that_cannot_be_meant_are_named() {
    for (flag, value, words) in [
        ("--error-page", "404", "such as 404=404.html"),
        ("--error-page", "200=a.html", "a status from 400 to 599"),
        ("--spa", "../index.html", "its path below the root"),
        ("--cache-control", "*.html", "write PATTERN=VALUE"),
        ("--header", "X-Frame-Options", "there is no colon"),
        ("--header", "Content-Length: 5", "written by the server itself"),
        ("--cors", "app.example.org", "is no origin"),
        ("--mime", "md", "write EXTENSION=TYPE"),
        ("--symlinks", "some", "inside, follow, deny"),
        ("--dotfiles", "some", "hide, deny, allow"),
    ] {
        let ended = Launch::bare("default-server").flag(flag, value).end();
        assert_eq!(ended.status, Some(2), "{flag} {value}");
        assert!(ended.err.contains(flag) && ended.err.contains(words), "{flag} {value}: {}", ended.err);
    }
    let long = format!("X: {}", "a".repeat(4096));
    let ended = Launch::bare("default-server").flag("--header", long).end();
    assert!(ended.status == Some(2) && ended.err.contains("4096 is the most"), "{}", ended.err);
}

#[test]
fn the_mirror_has_none_of_it() {
    for flag in ["--no-course-pages", "--listing", "--clean-urls", "--precompressed"] {
        let ended = Launch::bare("default-server").switch("--mirror").switch(flag).end();
        assert_eq!(ended.status, Some(2), "{flag}");
        assert!(ended.err.contains("--mirror") && ended.err.contains(flag), "{}", ended.err);
    }
}
