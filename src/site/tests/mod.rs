//! Whole requests to whole sites. Each rule by itself is tested in its own file.

mod folder;

use std::fs;
use std::io::Read;
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::filler::Filler;
use super::limits::{CACHE_CHECK, CACHED_FILE_BYTES_MAX, CACHED_FILES_MAX, COPIED_PART_BYTES_MAX};
use super::response::{Content, Response};
use super::{Site, SiteKind};
use crate::net::files::read_at;
use crate::protocol::buffer::Buffer;
use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{Refusal, Version};
use crate::protocol::now::Now;
use crate::protocol::testing::leaked_space;
use crate::protocol::web::{Body, Generator as _, Response as _, Site as _};

/// A site in a folder of its own, and a clock that the test sets. The clock starts an hour from now, so
/// that the stamps of the files just written are reliable.
struct Fixture {
    folder: tempfile::TempDir,
    site: Site,
    now: Now,
}

impl Fixture {
    fn new(kind: SiteKind) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("public");
        fs::create_dir_all(root.join("images/me")).unwrap();
        fs::create_dir_all(root.join("pdf/bench")).unwrap();
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        fs::write(root.join("testing.txt"), "hello").unwrap();
        fs::write(root.join(".hidden"), "hidden").unwrap();
        fs::write(root.join("docs/index.html"), "<p>docs").unwrap();
        fs::write(root.join("images/a.jpg"), b"\xff\xd8jpeg").unwrap();
        fs::write(root.join("pdf/a.pdf"), b"%PDF").unwrap();
        fs::write(root.join("large.bin"), vec![7; CACHED_FILE_BYTES_MAX as usize + 10]).unwrap();
        #[cfg(unix)]
        {
            symlink("../secret.txt", root.join("out.txt")).unwrap();
            symlink("../testing.txt", root.join("images/out.txt")).unwrap();
        }
        let site = Site::open(kind, &root).unwrap();
        let now = Now { instant: Instant::now(), wall: SystemTime::now() };
        Fixture { folder, site, now: now.after(Duration::from_secs(3600)) }
    }

    fn mirror(kind: SiteKind) -> Fixture {
        let fixture = Fixture::new(kind);
        Fixture { site: fixture.site.with_mirror(), ..fixture }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("public").join(name)
    }

    fn ask(&self, request_line: &str, fields: &str) -> Response {
        let text = format!("{request_line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
        self.site.respond(&head, &self.now)
    }

    fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path}"), "")
    }

    fn head_of(&self, response: &Response) -> String {
        let mut out = Buffer::new();
        assert!(response.write_head(&mut out, Version::Http11, None, &self.now));
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    /// Moves the clock on until the entries of the cache are stale.
    fn later(&mut self) {
        self.now = self.now.after(CACHE_CHECK);
    }
}

/// The body as a client would read it.
fn body(response: &Response) -> Vec<u8> {
    match &response.body {
        Content::File { file, offset, length } => {
            let mut bytes = vec![0; *length as usize];
            assert_eq!(read_at(file, &mut bytes, *offset).unwrap(), bytes.len());
            bytes
        }
        Content::Filler { length, chunked } => {
            let mut out = Buffer::new();
            assert!(Filler::new(*length, *chunked).fill(&mut out).unwrap());
            out.bytes().to_vec()
        }
        Content::Multipart(parts) => panic!("it is sent once: {parts:?}"),
        held => held.bytes().unwrap().to_vec(),
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_file_comes_with_its_fields() {
    let fixture = Fixture::new(SiteKind::Default);
    let response = fixture.get("/testing.txt?x=y");
    let head = fixture.head_of(&response);
    assert_eq!((response.status, body(&response)), (200, b"hello".to_vec()));
    assert_eq!(field(&head, "Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(field(&head, "Content-Length"), Some("5"));
    assert_eq!(field(&head, "Accept-Ranges"), Some("bytes"));
    assert!(field(&head, "ETag").unwrap().starts_with('"') && field(&head, "Last-Modified").is_some());
    assert_eq!(body(&fixture.get("/docs/")), b"<p>docs");
    assert_eq!(body(&fixture.get("/large.bin")).len() as u64, CACHED_FILE_BYTES_MAX + 10);
}

#[test]
fn paths_that_are_not_served_are_refused() {
    let fixture = Fixture::new(SiteKind::Default);
    for (path, expected) in [
        ("/none.txt", 404),
        ("/.hidden", 404),
        ("/%2ehidden", 404),
        ("/out.txt", 404),
        ("/images", 404),
        ("/images/", 404),
        ("/testing.txt/", 404),
        ("/favicon.ico", 404),
        ("/../secret.txt", 400),
        ("/%2e%2e/secret.txt", 400),
        ("/..%2fsecret.txt", 400),
        ("/..%5csecret.txt", 404),
        ("/testing.txt%00.jpg", 400),
        ("/%zz", 400),
    ] {
        let response = fixture.get(path);
        assert_eq!(response.status, expected, "{path}");
        assert!(body(&response).ends_with(b"."), "{path}: the body is a sentence");
        assert!(!response.close, "{path}");
    }
}

#[test]
fn a_folder_without_its_final_slash_is_redirected() {
    let fixture = Fixture::new(SiteKind::Default);
    for (path, location) in [
        ("/docs", "/docs/"),
        ("//docs", "/docs/"),
        ("/%64ocs", "/docs/"),
        ("/docs?", "/docs/"),
        ("/docs?v=1&w=//b", "/docs/?v=1&w=//b"),
    ] {
        let response = fixture.get(path);
        let head = fixture.head_of(&response);
        assert_eq!((response.status, field(&head, "Location")), (301, Some(location)), "{path}");
    }
}

#[test]
fn the_fixed_home_page_wins_over_an_index() {
    let fixture = Fixture::new(SiteKind::Default);
    fs::write(fixture.path("index.html"), "index").unwrap();
    for path in ["/", "/?x=1", "//"] {
        assert_eq!(body(&fixture.get(path)), b"Ini Adalah web Server percobaan", "{path}");
    }
    assert_eq!(fixture.get("/video").status, 302);
    assert_eq!(fixture.get("/%76ideo").status, 302);
}

#[test]
fn each_kind_of_site_serves_its_own_files_only() {
    let fixture = Fixture::new(SiteKind::Image);
    for (path, expected) in [
        ("/images/", 200),
        ("/", 200),
        ("/images/a.jpg", 200),
        ("/images/me/", 404),
        ("/images/out.txt", 404), // a link out of images, although it stays in public
        ("/images/none.jpg", 404),
        ("/a.jpg", 404),
        ("/testing.txt", 404),
        ("/pdf/a.pdf", 404),
        ("/images/../testing.txt", 400),
    ] {
        assert_eq!(fixture.get(path).status, expected, "{path}");
    }
    let fixture = Fixture::new(SiteKind::Pdf);
    for (path, expected) in [("/pdf/", 200), ("/pdf/a.pdf", 200), ("/images/a.jpg", 404), ("/santai", 404)] {
        assert_eq!(fixture.get(path).status, expected, "{path}");
    }
}

#[test]
fn opening_a_site_names_a_missing_folder() {
    let folder = tempfile::tempdir().unwrap();
    let error = Site::open(SiteKind::Image, folder.path()).unwrap_err();
    assert!(error.to_string().contains("images"), "{error}");
}

#[test]
fn each_method_has_its_response() {
    let fixture = Fixture::new(SiteKind::Default);
    for path in ["/", "/testing.txt", "/none", "/../x"] {
        let response = fixture.ask(&format!("POST {path}"), "");
        assert_eq!((response.status, body(&response)), (200, b"kosong".to_vec()), "{path}");
    }
    for (line, expected) in [
        ("PUT /testing.txt", 405),
        ("DELETE /", 405),
        ("TRACE /", 405),
        ("CONNECT a:80", 405),
        ("BREW /", 501),
        ("get /", 501),
        ("OPTIONS /", 204),
        ("OPTIONS *", 204),
    ] {
        let response = fixture.ask(line, "");
        let head = fixture.head_of(&response);
        assert_eq!(response.status, expected, "{line}");
        assert_eq!(field(&head, "Allow").is_some(), expected != 501, "{line}");
        assert_eq!(field(&head, "Content-Length").is_some(), expected != 204, "{line}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    for fixture in [Fixture::new(SiteKind::Default), Fixture::mirror(SiteKind::Default)] {
        for path in ["/", "/testing.txt", "/large.bin", "/video", "/none.txt", "/docs"] {
            let (get, head) = (fixture.get(path), fixture.ask(&format!("HEAD {path}"), ""));
            assert_eq!(fixture.head_of(&get), fixture.head_of(&head), "{path}");
            assert_eq!((body(&head), head.trailing()), (Vec::new(), &b""[..]), "{path}");
        }
    }
}

#[test]
fn ranges_work_for_files_in_memory_and_for_open_files() {
    let fixture = Fixture::new(SiteKind::Default);
    for (path, whole) in [("/testing.txt", 5), ("/large.bin", CACHED_FILE_BYTES_MAX + 10)] {
        let response = fixture.ask(&format!("GET {path}"), "Range: bytes=1-3\r\n");
        let head = fixture.head_of(&response);
        assert_eq!((response.status, body(&response).len()), (206, 3), "{path}");
        assert_eq!(field(&head, "Content-Range"), Some(format!("bytes 1-3/{whole}").as_str()));
        assert_eq!(field(&head, "Content-Length"), Some("3"));
        let response = fixture.ask(&format!("GET {path}"), "Range: bytes=9999999-\r\n");
        let head = fixture.head_of(&response);
        assert_eq!(response.status, 416, "{path}");
        assert_eq!(field(&head, "Content-Range"), Some(format!("bytes */{whole}").as_str()));
    }
}

#[test]
fn conditions_that_hold_save_the_body() {
    let fixture = Fixture::new(SiteKind::Default);
    let head = fixture.head_of(&fixture.get("/testing.txt"));
    let etag = field(&head, "ETag").unwrap();
    let response = fixture.ask("GET /testing.txt", &format!("If-None-Match: {etag}\r\n"));
    let unchanged = fixture.head_of(&response);
    assert_eq!((response.status, body(&response)), (304, Vec::new()));
    assert_eq!(field(&unchanged, "ETag"), Some(etag));
    assert!(field(&unchanged, "Content-Length").is_none() && field(&unchanged, "Content-Type").is_none());
    assert_eq!(fixture.ask("GET /testing.txt", "If-Match: \"other\"\r\n").status, 412);
}

#[test]
fn the_cache_notices_a_changed_file_at_the_next_check() {
    let mut fixture = Fixture::new(SiteKind::Default);
    let before = fixture.head_of(&fixture.get("/testing.txt"));
    fs::write(fixture.path("testing.txt"), "HELLO").unwrap();
    assert_eq!(body(&fixture.get("/testing.txt")), b"hello", "not checked again so soon");
    fixture.later();
    assert_eq!(body(&fixture.get("/testing.txt")), b"HELLO");
    let after = fixture.head_of(&fixture.get("/testing.txt"));
    assert_ne!(field(&before, "ETag"), field(&after, "ETag"));
}

// Windows may give the new file the time of birth of the old one, whose name it takes, and tells nothing else.
#[cfg(unix)]
#[test]
fn the_cache_notices_a_replaced_file_of_the_same_size_and_time() {
    let mut fixture = Fixture::new(SiteKind::Default);
    for (name, bytes) in [("testing.txt", 5), ("large.bin", CACHED_FILE_BYTES_MAX as usize + 10)] {
        let path = format!("/{name}");
        fixture.get(&path);
        let modified = fs::metadata(fixture.path(name)).unwrap().modified().unwrap();
        fs::write(fixture.path("new"), vec![b'n'; bytes]).unwrap();
        fs::File::options().write(true).open(fixture.path("new")).unwrap().set_modified(modified).unwrap();
        fs::rename(fixture.path("new"), fixture.path(name)).unwrap();
        fixture.later();
        assert_eq!(body(&fixture.get(&path)), vec![b'n'; bytes], "{name}");
    }
}

#[cfg(unix)]
#[test]
fn the_cache_notices_a_file_that_is_gone_or_leads_out_of_the_root() {
    let mut fixture = Fixture::new(SiteKind::Default);
    fixture.get("/testing.txt");
    // The cached file itself is moved out of the root, and a link to it takes its place. The stamp is
    // the same then, so only a new lookup notices it.
    let outside = fixture.folder.path().join("moved.txt");
    fs::rename(fixture.path("testing.txt"), &outside).unwrap();
    symlink("../moved.txt", fixture.path("testing.txt")).unwrap();
    fixture.later();
    assert_eq!(fixture.get("/testing.txt").status, 404);
    fixture.get("/docs/");
    fs::remove_file(fixture.path("docs/index.html")).unwrap();
    fixture.later();
    assert_eq!(fixture.get("/docs/").status, 404);
    fs::write(fixture.path("docs/index.html"), "back").unwrap();
    assert_eq!(body(&fixture.get("/docs/")), b"back", "absence is not cached");
}

#[test]
fn a_large_file_that_changes_is_described_as_it_is_at_once() {
    let fixture = Fixture::new(SiteKind::Default);
    let before = fixture.head_of(&fixture.get("/large.bin"));
    for bytes in [3 * CACHED_FILE_BYTES_MAX, 2 * CACHED_FILE_BYTES_MAX, 10] {
        fs::write(fixture.path("large.bin"), vec![8; bytes as usize]).unwrap();
        let response = fixture.get("/large.bin");
        let head = fixture.head_of(&response);
        assert_eq!(field(&head, "Content-Length"), Some(bytes.to_string().as_str()));
        assert_ne!(field(&head, "ETag"), field(&before, "ETag"));
        assert_eq!(body(&response), vec![8; bytes as usize]);
    }
}

#[test]
fn without_a_cache_every_change_is_seen_at_once() {
    let fixture = Fixture::new(SiteKind::Default);
    let fixture = Fixture { site: fixture.site.without_cache(), ..fixture };
    for text in ["one", "two", "three"] {
        fs::write(fixture.path("testing.txt"), text).unwrap();
        assert_eq!(body(&fixture.get("/testing.txt")), text.as_bytes());
    }
    assert_eq!(
        (body(&fixture.get("/large.bin")).len() as u64, fixture.site.files.cache.len()),
        (CACHED_FILE_BYTES_MAX + 10, 0)
    );
}

#[test]
fn a_file_changed_just_now_is_read_again_although_its_stamp_is_the_same() {
    let mut fixture = Fixture::new(SiteKind::Default);
    fixture.now = Now { instant: Instant::now(), wall: SystemTime::now() };
    let Content::Cached { file: first, .. } = fixture.get("/testing.txt").body else { panic!("not cached") };
    fixture.later();
    let Content::Cached { file: second, .. } = fixture.get("/testing.txt").body else { panic!("not cached") };
    assert!(!Arc::ptr_eq(&first, &second));
}

#[test]
fn a_hit_and_a_check_without_a_change_share_the_cached_bytes() {
    let mut fixture = Fixture::new(SiteKind::Default);
    let mut files = Vec::new();
    for _ in 0..3 {
        let Content::Cached { file, .. } = fixture.get("/testing.txt").body else { panic!("not cached") };
        files.push(file);
        fixture.later();
    }
    assert!(files.iter().all(|file| Arc::ptr_eq(file, &files[0])));
}

#[test]
fn other_spellings_of_a_path_do_not_exceed_the_bound() {
    let fixture = Fixture::new(SiteKind::Default);
    for count in 1..CACHED_FILES_MAX * 2 {
        assert_eq!(fixture.get(&format!("{}testing.txt", "/".repeat(count))).status, 200);
    }
    assert_eq!(fixture.site.files.cache.len(), CACHED_FILES_MAX);
}

#[test]
fn test_responses_are_for_back_ends_at_their_root() {
    let fixture = Fixture::new(SiteKind::Backend);
    let response = fixture.get("/?size=32&status=503&delay=1s&close=1");
    assert_eq!((response.status, response.delay, response.close), (503, Some(Duration::from_secs(1)), true));
    assert_eq!(body(&response), b"Ini Adalah web Server percobaan\n");
    assert_eq!(fixture.ask("POST /?status=500", "").status, 500);
    assert_eq!(body(&fixture.ask("HEAD /?size=9", "")), b"");
    assert_eq!(fixture.get("/?size=x").status, 400);
    assert_eq!(body(&fixture.get("/?x=1")), b"Ini Adalah web Server percobaan");
    assert_eq!(fixture.get("/testing.txt?status=503").status, 200);
    assert_eq!(Fixture::new(SiteKind::Default).get("/?status=503").status, 200);
}

#[test]
fn refusing_a_head_ends_the_connection() {
    let fixture = Fixture::new(SiteKind::Default);
    let response = fixture.site.refuse(Refusal::new(431, "Too long."));
    assert_eq!((response.status, response.close, body(&response)), (431, true, b"Too long.".to_vec()));
    assert!(fixture.head_of(&response).contains("\r\nConnection: close\r\n"));
}

#[test]
fn the_mirror_writes_files_as_the_python_did() {
    let fixture = Fixture::mirror(SiteKind::Default);
    let response = fixture.get("/images/a.jpg");
    let head = fixture.head_of(&response);
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[0], "HTTP/1.0 200 OK");
    assert!(lines[1].starts_with("Date: "));
    assert_eq!(
        lines[2..],
        ["Connection: close", "Server: myserver/1.0", "Content-Length: 6", "Content-type: image/jpeg", "",]
    );
    assert_eq!((body(&response), response.trailing()), (b"\xff\xd8jpeg".to_vec(), &b"\r\n\r\n"[..]));
    assert!(response.close);
    // Large files arrive whole, and an unknown extension does not crash the server.
    let response = fixture.get("/large.bin");
    assert_eq!(body(&response).len() as u64, CACHED_FILE_BYTES_MAX + 10);
    assert!(fixture.head_of(&response).contains("Content-type: application/octet-stream\r\n"));
    let missing = fixture.get("/none.txt");
    assert_eq!((missing.status, body(&missing)), (404, Vec::new()));
    assert!(fixture.head_of(&missing).contains("HTTP/1.0 404 Not Found\r\n"));
    assert_eq!(fixture.site.refuse(Refusal::bad("No.")).trailing(), b"\r\n\r\n");
}

#[test]
fn an_open_file_is_sent_as_it_was_when_it_was_opened() {
    let fixture = Fixture::new(SiteKind::Default);
    let response = fixture.get("/large.bin");
    fs::remove_file(fixture.path("large.bin")).unwrap();
    let Content::File { file, .. } = &response.body else { panic!("too large to be held in memory") };
    let mut start = [0; 3];
    (&**file).read_exact(&mut start).unwrap();
    assert_eq!(start, [7; 3]);
}

#[test]
fn a_small_part_of_an_open_file_is_sent_with_its_head() {
    let fixture = Fixture::new(SiteKind::Default);
    let content: Vec<u8> = (0..CACHED_FILE_BYTES_MAX + 10).map(|at| (at % 251) as u8).collect();
    fs::write(fixture.path("numbers.bin"), &content).unwrap();
    let part = |bytes: u64| {
        let response = fixture.ask("GET /numbers.bin", &format!("Range: bytes=10-{}\r\n", bytes + 9));
        assert_eq!((response.status, response.body.length()), (206, bytes));
        response.into_body()
    };
    let Body::Generated(mut small) = part(COPIED_PART_BYTES_MAX) else { panic!("it is small") };
    let mut out = Buffer::new();
    assert!(small.fill(&mut out).unwrap());
    assert_eq!(out.bytes(), &content[10..][..COPIED_PART_BYTES_MAX as usize]);
    assert!(matches!(part(COPIED_PART_BYTES_MAX + 1), Body::File { offset: 10, .. }));
    // With little room it comes in pieces.
    let Body::Generated(mut small) = part(3) else { panic!("it is small") };
    let mut out = Buffer::new();
    assert!(out.push(&vec![0; out.room() - 2]));
    assert!(!small.fill(&mut out).unwrap());
    out.clear();
    assert!(small.fill(&mut out).unwrap());
    assert_eq!(out.bytes(), &content[12..13]);
    // A file that shrank meanwhile cannot be sent to its end.
    let Body::Generated(mut small) = part(3) else { panic!("it is small") };
    fs::write(fixture.path("numbers.bin"), &content[..12]).unwrap();
    assert!(small.fill(&mut Buffer::new()).is_err());
}

#[test]
fn the_site_of_this_repository_has_the_sizes_that_the_course_measured() {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let fixture =
        Fixture { site: Site::open(SiteKind::Default, &public).unwrap(), ..Fixture::new(SiteKind::Default) };
    for (path, bytes, start) in [
        ("/images/pokijan.jpg", 15_702, &b"\xff\xd8\xff"[..]),
        ("/images/research_center.jpg", 75_007, b"\xff\xd8\xff"),
        ("/pdf/nfc.pdf", 550_558, b"%PDF-1."),
    ] {
        let response = fixture.get(path);
        assert_eq!((response.status, response.body.length()), (200, bytes), "{path}");
        assert!(body(&response).starts_with(start), "{path}");
    }
    for path in
        ["/images/me/donalbebek.jpg", "/pdf/bench/msi.pdf", "/page.html", "/sending.html", "/testing.txt"]
    {
        assert_eq!(fixture.get(path).status, 200, "{path}");
    }
}
