//! What the servers answer from a site: files, fixed pages, conditions, ranges, refusals, test answers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::support::client::{Client, get, post};
use crate::support::launch::Launch;
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::site::{Site, public_bytes};
use crate::support::{Model, both};

both![
    fixed_pages,
    each_role_keeps_to_its_own_pages,
    files_have_their_types,
    head_is_get_without_the_body,
    unchanged_files_are_304,
    one_range_is_206_and_an_impossible_one_416,
    if_range_decides_between_part_and_whole,
    methods_and_posts,
    nothing_outside_the_root_is_served,
    dotfiles_and_folders_are_not_served,
    a_fifo_is_refused_and_does_not_hang,
    a_file_larger_than_every_buffer_arrives_whole,
    test_answers,
    test_answers_have_bounds,
    an_outside_client_agrees,
];

fn serve(model: Model, site: &Site) -> Role {
    Launch::role("default-server", model).flag("--root", site.path().display()).start()
}

fn fixed_pages(model: Model) {
    for role in ["default-server", "web-server"] {
        let role = Launch::role(role, model).start();
        let mut client = Client::connect(role.address());
        let page = client.get("/");
        assert_eq!((page.status, page.text()), (200, "Ini Adalah web Server percobaan"));
        assert!(page.field("content-type").unwrap().starts_with("text/plain"), "{page:?}");
        assert!(page.field("date").unwrap().ends_with(" GMT"), "{page:?}");
        let video = client.get("/video");
        assert_eq!((video.status, video.field("location")), (302, Some("https://youtu.be/katoxpnTf04")));
        assert_eq!(client.get("/santai").text(), "santai saja");
        assert_eq!(client.get("/favicon.ico").status, 404);
        let missing = client.get("/tidak-ada.html");
        assert_eq!((missing.status, missing.body.is_empty()), (404, false));
    }
}

fn each_role_keeps_to_its_own_pages(model: Model) {
    for (role, page, bytes, file, other) in [
        ("image-server", "/images/", 44, "images/pokijan.jpg", "/pdf/nfc.pdf"),
        ("pdf-server", "/pdf/", 41, "pdf/nfc.pdf", "/images/pokijan.jpg"),
    ] {
        let role = Launch::role(role, model).start();
        assert_eq!(get(role.address(), page).body.len(), bytes);
        assert!(get(role.address(), &format!("/{file}")).body == public_bytes(file), "{file}");
        assert_eq!(get(role.address(), other).status, 404, "{other}");
    }
}

fn files_have_their_types(model: Model) {
    let types = [
        ("a.html", "text/html"),
        ("a.TXT", "text/plain"),
        ("a.css", "text/css"),
        ("a.jpg", "image/jpeg"),
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
        ("a.tidakdikenal", "application/octet-stream"),
        ("tanpa", "text/plain; charset=utf-8"),
        ("a.mjs", "text/javascript"),
        ("a.cjs", "text/javascript"),
        ("a.ts", "video/mp2t"),
        ("a.woff", "font/woff"),
        ("a.otf", "font/otf"),
    ];
    let site = types.iter().fold(Site::new(), |site, (name, _)| site.with(name, name));
    let role = serve(model, &site);
    let mut client = Client::connect(role.address());
    for (name, content_type) in types {
        let response = client.get(&format!("/{name}"));
        assert_eq!((response.status, response.text()), (200, name));
        assert!(response.field("content-type").unwrap().starts_with(content_type), "{name}: {response:?}");
    }
    // What the content decides.
    for (name, content, content_type, encoding) in [
        ("README", "teks", "text/plain; charset=utf-8", None),
        ("program", "\u{7f}ELF\0", "application/octet-stream", None),
        ("latin.html", "<meta charset=iso-8859-1>", "text/html", None),
        ("latin.xml", "<?xml version='1.0' encoding='iso-8859-1'?>", "text/xml", None),
        ("utf.html", "<meta charset=utf-8>", "text/html; charset=utf-8", None),
        ("plain.svgz", "<svg/>", "image/svg+xml", None),
    ] {
        std::fs::write(site.path().join(name), content).unwrap();
        let response = client.get(&format!("/{name}"));
        let found = (response.field("content-type"), response.field("content-encoding"));
        assert_eq!(found, (Some(content_type), encoding), "{name}");
    }
    std::fs::write(site.path().join("a.svgz"), b"\x1f\x8b\x08\0").unwrap();
    let response = client.get("/a.svgz");
    let found = (response.field("content-type"), response.field("content-encoding"));
    assert_eq!(found, (Some("image/svg+xml"), Some("gzip")));
    // A name whose bytes are not UTF-8.
    std::fs::write(site.path().join(OsStr::from_bytes(b"caf\xe9.txt")), "kopi").unwrap();
    assert_eq!(client.get("/caf%e9.txt").text(), "kopi");
    // Escapes and a query do not change which file is meant.
    assert_eq!(client.get("/%61.html?x=1").text(), "a.html");
}

fn head_is_get_without_the_body(model: Model) {
    let role = Launch::role("default-server", model).start();
    let mut client = Client::connect(role.address());
    for target in ["/", "/testing.txt", "/images/pokijan.jpg", "/tidak-ada"] {
        let (got, head) = (client.get(target), client.ask("HEAD", target, ""));
        assert_eq!((head.status, head.body.len()), (got.status, 0), "{target}");
        for name in ["content-length", "content-type", "etag", "last-modified"] {
            assert_eq!(head.field(name), got.field(name), "{target}: {name}");
        }
    }
}

fn unchanged_files_are_304(model: Model) {
    let site = Site::new().with("a.txt", "satu");
    let role = serve(model, &site);
    let mut client = Client::connect(role.address());
    let first = client.get("/a.txt");
    let (etag, modified) = (first.field("etag").unwrap(), first.field("last-modified").unwrap());
    for (fields, status) in [
        (format!("If-None-Match: {etag}\r\n"), 304),
        (format!("If-None-Match: \"lain\", {etag}\r\n"), 304),
        (format!("If-None-Match: W/{etag}\r\n"), 304),
        ("If-None-Match: *\r\n".to_owned(), 304),
        ("If-None-Match: \"lain\"\r\n".to_owned(), 200),
        (format!("If-Modified-Since: {modified}\r\n"), 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(), 200),
        ("If-Modified-Since: bukan tanggal\r\n".to_owned(), 200),
        // The tag decides alone where both are given (RFC 9110 section 13.2.2).
        (format!("If-None-Match: \"lain\"\r\nIf-Modified-Since: {modified}\r\n"), 200),
    ] {
        let response = client.ask("GET", "/a.txt", &fields);
        assert_eq!(response.status, status, "{fields}");
        assert_eq!(response.field("etag"), Some(etag), "{fields}");
        assert_eq!(response.body.is_empty(), status == 304, "{fields}");
    }
}

fn one_range_is_206_and_an_impossible_one_416(model: Model) {
    let site = Site::new().with("a.txt", "0123456789");
    let role = serve(model, &site);
    let mut client = Client::connect(role.address());
    for (range, content_range, body) in [
        ("bytes=0-3", "bytes 0-3/10", "0123"),
        ("bytes=4-", "bytes 4-9/10", "456789"),
        ("bytes=-2", "bytes 8-9/10", "89"),
        ("bytes=-99", "bytes 0-9/10", "0123456789"),
        ("bytes=9-99", "bytes 9-9/10", "9"),
    ] {
        let response = client.ask("GET", "/a.txt", &format!("Range: {range}\r\n"));
        let found = (response.status, response.field("content-range"), response.text());
        assert_eq!(found, (206, Some(content_range), body), "{range}");
    }
    for range in ["bytes=10-", "bytes=-0"] {
        let response = client.ask("GET", "/a.txt", &format!("Range: {range}\r\n"));
        assert_eq!((response.status, response.field("content-range")), (416, Some("bytes */10")), "{range}");
    }
    // What is no range of bytes is as if it were not there.
    for range in ["bytes=3-1", "bytes=a-b", "baris=0-1", "bytes=+1-2", "bytes=0-1,4-3"] {
        let response = client.ask("GET", "/a.txt", &format!("Range: {range}\r\n"));
        assert_eq!((response.status, response.text()), (200, "0123456789"), "{range}");
    }
}

fn if_range_decides_between_part_and_whole(model: Model) {
    let site = Site::new().with("a.txt", "0123456789");
    let role = serve(model, &site);
    let mut client = Client::connect(role.address());
    let etag = client.get("/a.txt").field("etag").unwrap().to_owned();
    let mut ask = |if_range: &str| {
        client.ask("GET", "/a.txt", &format!("Range: bytes=0-3\r\nIf-Range: {if_range}\r\n")).status
    };
    assert_eq!(ask("\"lain\""), 200);
    assert_eq!(ask("Sun, 06 Nov 1994 08:49:37 GMT"), 200);
    // A weak tag promises equal meaning, not equal bytes (RFC 9110 section 13.1.5).
    assert_eq!(ask(&etag), if etag.starts_with("W/") { 200 } else { 206 });
}

fn methods_and_posts(model: Model) {
    let role = Launch::role("default-server", model).start();
    let mut client = Client::connect(role.address());
    for target in ["/", "/sending.html", "/tidak-ada"] {
        let response = client.send(post(target, b"nama=ani")).response();
        assert_eq!((response.status, response.text()), (200, "kosong"), "{target}");
    }
    // `Allow` names every method that is answered, OPTIONS itself too (RFC 9110 section 10.2.1).
    for (method, status) in [("PUT", 405), ("DELETE", 405), ("PATCH", 405), ("OPTIONS", 204)] {
        let response = client.ask(method, "/", "Content-Length: 0\r\n");
        assert_eq!(
            (response.status, response.field("allow")),
            (status, Some("GET, HEAD, POST, OPTIONS")),
            "{method}"
        );
    }
    assert_eq!(Client::connect(role.address()).ask("SEDUH", "/", "").status, 501);
}

fn nothing_outside_the_root_is_served(model: Model) {
    let outside = Site::new().with("rahasia.txt", "RAHASIA").with("situs/a.txt", "satu");
    let root = outside.path().join("situs");
    symlink(outside.path().join("rahasia.txt"), root.join("keluar.txt")).unwrap();
    symlink(outside.path(), root.join("keluar")).unwrap();
    symlink("a.txt", root.join("dalam.txt")).unwrap();
    let role = Launch::role("default-server", model).flag("--root", root.display()).start();
    for target in [
        "/../rahasia.txt",
        "/%2e%2e/rahasia.txt",
        "/%2E%2E%2Frahasia.txt",
        "/..%2frahasia.txt",
        "/..%5crahasia.txt",
        "/x/../../rahasia.txt",
        "/./../rahasia.txt",
        "/....//rahasia.txt",
        "//rahasia.txt",
        "/%252e%252e/rahasia.txt",
        "/a.txt/../../rahasia.txt",
        "/a.txt%00/../../rahasia.txt",
        "/%c0%ae%c0%ae/rahasia.txt",
        "/keluar.txt",
        "/keluar/rahasia.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "http://localhost/../rahasia.txt",
    ] {
        let response = get(role.address(), target);
        assert!(matches!(response.status, 400 | 403 | 404), "{target}: {}", response.status);
        assert!(!String::from_utf8_lossy(&response.body).contains("RAHASIA"), "{target}");
    }
    assert_eq!(get(role.address(), "/dalam.txt").text(), "satu", "a link within the site is part of it");
}

fn dotfiles_and_folders_are_not_served(model: Model) {
    let site = Site::new().with(".rahasia", "x").with(".git/config", "x").with("sub/RAHASIA.txt", "x");
    let role = serve(model, &site);
    for target in
        ["/.rahasia", "/.git/config", "/%2erahasia", "/sub/.", "/sub/..", "/sub/", "/sub/RAHASIA.txt/"]
    {
        let response = get(role.address(), target);
        assert!(matches!(response.status, 400 | 403 | 404), "{target}: {}", response.status);
    }
    // Without its slash a folder may lead to the address with it, but shows nothing of itself.
    let folder = get(role.address(), "/sub");
    assert!((300..500).contains(&folder.status) && !folder.text().contains("RAHASIA"), "{folder:?}");
}

fn a_fifo_is_refused_and_does_not_hang(model: Model) {
    let site = Site::new();
    let fifo = rustix::fs::CWD;
    let path = site.path().join("pipa.txt");
    rustix::fs::mknodat(fifo, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let role = serve(model, &site);
    let start = Instant::now();
    let response = get(role.address(), "/pipa.txt");
    assert!(matches!(response.status, 403 | 404), "{}", response.status);
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn a_file_larger_than_every_buffer_arrives_whole(model: Model) {
    let content = Noise::new(1).take_bytes(8 * 1024 * 1024);
    let site = Site::new().with("besar.bin", &content);
    let role = serve(model, &site);
    let mut client = Client::connect(role.address());
    for _ in 0..2 {
        assert!(client.get("/besar.bin").body == content);
    }
}

fn test_answers(model: Model) {
    let role = Launch::web_server(model).start();
    let mut client = Client::connect(role.address());
    for size in [0, 1, 20_000, 1_000_000] {
        let response = client.get(&format!("/?size={size}"));
        assert_eq!((response.status, response.body.len()), (200, size));
    }
    assert_eq!(client.get("/?status=503").status, 503);
    let chunked = client.get("/?size=20000&chunked=1");
    assert_eq!((chunked.is_chunked(), chunked.body.len()), (true, 20_000));
    let start = Instant::now();
    assert_eq!(client.get("/?delay=50ms").status, 200);
    assert!(start.elapsed() >= Duration::from_millis(50));
    let all = client.get("/?size=20000&delay=50ms&status=503&chunked=1&close=1");
    assert_eq!((all.status, all.body.len(), all.field("connection")), (503, 20_000, Some("close")));
    client.expect_end();
}

fn test_answers_have_bounds(model: Model) {
    let role = Launch::web_server(model).start();
    for query in
        ["size=99999999999999", "size=-1", "size=+1", "delay=1h", "delay=x", "status=99", "status=1000"]
    {
        assert_eq!(get(role.address(), &format!("/?{query}")).status, 400, "{query}");
    }
}

fn an_outside_client_agrees(model: Model) {
    let role = Launch::role("default-server", model).start();
    let mut response = ureq::get(role.url("/pdf/nfc.pdf")).call().unwrap();
    assert_eq!(response.headers()["content-type"], "application/pdf");
    assert!(response.body_mut().read_to_vec().unwrap() == public_bytes("pdf/nfc.pdf"));
}
