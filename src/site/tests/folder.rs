//! A folder that is served as people expect: each rule of a site, with whole requests.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;

use super::*;
#[cfg(unix)]
use crate::net::beneath::Links;
#[cfg(unix)]
use crate::site::rules::Dotfiles;
use crate::site::rules::Rules;

fn rules() -> Rules {
    Rules { course_pages: false, ..Rules::default() }
}

/// The fixture's folder by these rules.
fn fixture(rules: Rules) -> Fixture {
    let fixture = Fixture::new(SiteKind::Default);
    Fixture { site: fixture.site.with_rules(rules).unwrap(), ..fixture }
}

impl Fixture {
    /// The head and the body of the response to a GET with these fields.
    fn fetch(&self, path: &str, fields: &str) -> (u16, String, Vec<u8>) {
        let response = self.ask(&format!("GET {path}"), fields);
        let head = self.head_of(&response);
        (response.status, head, all_of(response))
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }
}

/// The body, also one of several parts.
fn all_of(response: Response) -> Vec<u8> {
    match response.body {
        Content::Multipart(mut parts) => {
            let (mut out, mut sent) = (Buffer::new(), Vec::new());
            while !parts.fill(&mut out).unwrap() {
                sent.extend_from_slice(out.bytes());
                out.clear();
            }
            sent.extend_from_slice(out.bytes());
            sent
        }
        _ => body(&response),
    }
}

#[test]
fn without_the_courses_pages_the_folder_is_all_there_is() {
    let fixture = fixture(rules());
    fixture.write("index.html", "<p>home");
    fixture.write("favicon.ico", "icon");
    assert_eq!(fixture.fetch("/", "").2, b"<p>home");
    assert_eq!(fixture.fetch("//", "").2, b"<p>home");
    assert_eq!(fixture.fetch("/docs/", "").2, b"<p>docs");
    assert_eq!(fixture.fetch("/favicon.ico", "").2, b"icon");
    let docs = fixture.get("/docs?a=b");
    assert_eq!((docs.status, field(&fixture.head_of(&docs), "Location")), (301, Some("/docs/?a=b")));
    for path in ["/video", "/santai", "/images/"] {
        assert_eq!(fixture.get(path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let refused = fixture.ask(&format!("{method} /"), "Content-Length: 0\r\n");
        let head = fixture.head_of(&refused);
        assert_eq!((refused.status, field(&head, "Allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    let options = fixture.ask("OPTIONS /", "Access-Control-Request-Method: GET\r\n");
    let head = fixture.head_of(&options);
    assert!(options.status == 204 && field(&head, "Allow").is_some() && !head.contains("Access-Control"));
}

#[test]
fn the_image_server_lists_its_own_folder() {
    let fixture = Fixture::new(SiteKind::Image);
    let site = fixture.site.with_rules(Rules { listing: true, ..rules() }).unwrap();
    let fixture = Fixture { site, ..fixture };
    let (status, _, page) = fixture.fetch("/images/", "");
    assert!(status == 200 && String::from_utf8(page).unwrap().contains("href=\"a.jpg\""));
    assert_eq!(field(&fixture.head_of(&fixture.get("/images")), "Location"), Some("/images/"));
    assert_eq!(fixture.get("/").status, 404);
}

#[test]
fn a_folder_without_an_index_is_listed() {
    let fixture = fixture(Rules { listing: true, ..rules() });
    let (status, head, page) = fixture.fetch("/", "");
    let page = String::from_utf8(page).unwrap();
    assert_eq!((status, field(&head, "Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(field(&head, "Vary"), Some("Accept"));
    assert!(field(&head, "Content-Security-Policy").unwrap().starts_with("default-src 'none'"));
    for (name, is_listed) in
        [("testing.txt", true), ("images/", true), (".hidden", false), ("out.txt", false)]
    {
        assert_eq!(page.contains(&format!("href=\"{name}\"")), is_listed, "{name}");
    }
    assert_eq!(fixture.fetch("/docs/", "").2, b"<p>docs", "the index wins");
    let folder = fixture.get("/images");
    assert_eq!((folder.status, field(&fixture.head_of(&folder), "Location")), (301, Some("/images/")));
    let (_, head, json) = fixture.fetch("/images/", "Accept: application/json\r\n");
    assert_eq!(field(&head, "Content-Type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["path"], &json["entries"][0]["name"]), (&"/images/".into(), &"me".into()));
    let head_only = fixture.ask("HEAD /images/", "");
    let got = fixture.get("/images/");
    assert_eq!(fixture.head_of(&head_only), fixture.head_of(&got));
    assert!(body(&head_only).is_empty() && !body(&got).is_empty());
    for path in ["/none/", "/testing.txt/", "/.hidden/"] {
        assert_eq!(fixture.get(path).status, 404, "{path}");
    }
}

#[test]
fn errors_have_their_pages() {
    let pages = ["404=errors/404.html", "405=405.txt", "400=none.html", "500=docs"];
    let error_pages = pages.map(|page| page.parse().unwrap()).to_vec();
    let mut fixture =
        fixture(Rules { error_pages, cache_control: vec!["*=max-age=9".parse().unwrap()], ..rules() });
    fs::create_dir(fixture.path("errors")).unwrap();
    fixture.write("errors/404.html", "<p>nothing here");
    fixture.write("405.txt", "");
    let (status, head, page) = fixture.fetch("/none", "If-None-Match: *\r\nRange: bytes=0-1\r\n");
    assert_eq!((status, page.as_slice()), (404, &b"<p>nothing here"[..]));
    assert_eq!(field(&head, "Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(field(&head, "Content-Length"), Some("15"));
    for name in ["ETag", "Last-Modified", "Accept-Ranges", "Cache-Control"] {
        assert_eq!(field(&head, name), None, "{name} would be that of the page");
    }
    let refused = fixture.ask("POST /", "");
    let head = fixture.head_of(&refused);
    assert_eq!((refused.status, field(&head, "Allow").is_some(), body(&refused)), (405, true, Vec::new()));
    let head_only = fixture.ask("HEAD /none", "");
    assert_eq!((head_only.status, field(&fixture.head_of(&head_only), "Content-Length")), (404, Some("15")));
    // Its own address is that of a file like others.
    assert_eq!(fixture.get("/errors/404.html").status, 200);
    // Without a page, and for what is no file, the sentence is sent.
    assert!(fixture.fetch("/..", "").2.ends_with(b"."));
    // A page that is changed or removed.
    fixture.write("errors/404.html", "<p>other");
    fixture.later();
    assert_eq!(fixture.fetch("/none", "").2, b"<p>other");
    fs::remove_file(fixture.path("errors/404.html")).unwrap();
    fixture.later();
    let (status, _, page) = fixture.fetch("/none", "");
    assert!(status == 404 && page.ends_with(b"."));
}

#[test]
fn an_application_shows_all_paths_by_itself() {
    let spa = Some("index.html".parse().unwrap());
    let fixture = fixture(Rules { spa, cache_control: vec!["*.html=no-cache".parse().unwrap()], ..rules() });
    assert_eq!(fixture.get("/users/5").status, 404, "its page is missing");
    fixture.write("index.html", "<p>app");
    let browser = "Accept: text/html,*/*;q=0.8\r\n";
    for (path, fields, expected) in [
        ("/users/5", "", 200),
        ("/users/5/", "", 200),
        ("/users/ani.b", browser, 200),
        ("/users/ani.b", "Accept: */*\r\n", 404),
        ("/app.js", "", 404),
        ("/testing.txt", "", 200),
        ("/.git/config", browser, 404),
        ("/.well-known/acme-challenge/x", browser, 404),
        ("/..", browser, 400),
    ] {
        let (status, head, body) = fixture.fetch(path, fields);
        assert_eq!(status, expected, "{path} {fields}");
        let is_app = status == 200 && path != "/testing.txt";
        assert_eq!(
            (body == b"<p>app", field(&head, "Cache-Control") == Some("no-cache")),
            (is_app, is_app),
            "{path}"
        );
    }
    assert_eq!(fixture.ask("HEAD /users/5", "").status, 200);
    assert_eq!(fixture.ask("POST /users/5", "").status, 405);
}

#[test]
fn pages_are_known_without_their_extension() {
    let fixture = fixture(Rules { clean_urls: true, ..rules() });
    for (name, content) in [
        ("index.html", "home"),
        ("about.html", "about"),
        ("docs.html", "docs.html"),
        ("images.html", "images.html"),
        ("file", "file"),
        ("file.html", "file.html"),
    ] {
        fixture.write(name, content);
    }
    fs::create_dir(fixture.path("folder.html")).unwrap();
    for (path, expected) in [
        ("/", "home"),
        ("/about", "about"),
        ("/docs/", "<p>docs"),
        ("/images", "images.html"), // a folder of this name has no index
        ("/file", "file"),
        ("/file.html", "file.html"), // its short address is another file
        ("/docs.html", "docs.html"), // its short address leads to a folder
    ] {
        let (status, _, body) = fixture.fetch(path, "");
        assert_eq!((status, String::from_utf8(body).unwrap().as_str()), (200, expected), "{path}");
    }
    for (path, location) in [
        ("/about.html", "/about"),
        ("/about.html?a=b", "/about?a=b"),
        ("/index.html", "/"),
        ("/docs/index.html", "/docs/"),
        ("/images.html", "/images"),
        ("/docs", "/docs/"),
    ] {
        let response = fixture.get(path);
        let head = fixture.head_of(&response);
        assert_eq!((response.status, field(&head, "Location")), (301, Some(location)), "{path}");
    }
    for path in ["/none", "/none.html", "/about/", "/folder", "/images/index.html"] {
        assert_eq!(fixture.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_page_without_its_extension_wins_over_a_listing() {
    let fixture = fixture(Rules { clean_urls: true, listing: true, ..rules() });
    fixture.write("images.html", "images.html");
    assert_eq!(fixture.fetch("/images", "").2, b"images.html");
    assert!(fixture.fetch("/images/", "").2.starts_with(b"<!DOCTYPE html>"));
    for (path, location) in [("/images.html", "/images"), ("/pdf", "/pdf/"), ("/docs", "/docs/")] {
        let response = fixture.get(path);
        let head = fixture.head_of(&response);
        assert_eq!((response.status, field(&head, "Location")), (301, Some(location)), "{path}");
    }
}

/// A fixture with a page and its sidecars, of which gzip's is the shortest.
fn compressed() -> Fixture {
    let fixture = fixture(Rules { precompressed: true, ..rules() });
    for (name, content) in [
        ("a.html", "<p>the page itself"),
        ("a.html.br", "brotli of the page"),
        ("a.html.gz", "gzip of the page"),
        ("a.html.zst", "zstandard of the page"),
    ] {
        fixture.write(name, content);
    }
    fixture
}

#[test]
fn a_sidecar_is_sent_to_those_who_accept_it() {
    let fixture = compressed();
    let plain = fixture.fetch("/a.html", "");
    let mut etags = vec![field(&plain.1, "ETag").unwrap().to_owned()];
    for (accepted, coding, expected) in [
        ("br", Some("br"), "brotli of the page"),
        ("gzip, br, zstd", Some("gzip"), "gzip of the page"),
        ("zstd, gzip;q=0.9", Some("zstd"), "zstandard of the page"),
        ("deflate", None, "<p>the page itself"),
        ("br;q=0", None, "<p>the page itself"),
    ] {
        let (status, head, body) = fixture.fetch("/a.html", &format!("Accept-Encoding: {accepted}\r\n"));
        assert_eq!((status, String::from_utf8(body).unwrap().as_str()), (200, expected), "{accepted}");
        assert_eq!(field(&head, "Content-Encoding"), coding, "{accepted}");
        assert_eq!(field(&head, "Content-Length"), Some(expected.len().to_string().as_str()), "{accepted}");
        assert_eq!(field(&head, "Content-Type"), Some("text/html; charset=utf-8"), "{accepted}");
        assert_eq!(field(&head, "Vary"), Some("Accept-Encoding"), "{accepted}");
        etags.push(field(&head, "ETag").unwrap().to_owned());
    }
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 4, "each representation has its own: {etags:?}");
    assert_eq!(field(&plain.1, "Vary"), Some("Accept-Encoding"));
    // By its own address a sidecar is a file like others.
    let (_, head, _) = fixture.fetch("/a.html.gz", "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (field(&head, "Content-Type"), field(&head, "Content-Encoding")),
        (Some("application/gzip"), None)
    );
}

#[test]
fn conditions_and_ranges_are_those_of_the_representation_that_is_sent() {
    let fixture = compressed();
    let gzip = "Accept-Encoding: gzip\r\n";
    let etag_of = |fields: &str| field(&fixture.fetch("/a.html", fields).1, "ETag").unwrap().to_owned();
    let (plain, encoded) = (etag_of(""), etag_of(gzip));
    let (status, head, _) = fixture.fetch("/a.html", &format!("{gzip}If-None-Match: {encoded}\r\n"));
    assert_eq!(
        (status, field(&head, "Vary"), field(&head, "ETag")),
        (304, Some("Accept-Encoding"), Some(encoded.as_str()))
    );
    assert_eq!(fixture.fetch("/a.html", &format!("{gzip}If-None-Match: {plain}\r\n")).0, 200);
    assert_eq!(fixture.fetch("/a.html", &format!("{gzip}If-Match: {plain}\r\n")).0, 412);
    let (status, head, body) =
        fixture.fetch("/a.html", &format!("{gzip}Range: bytes=0-3\r\nIf-Range: {encoded}\r\n"));
    assert_eq!(
        (status, body.as_slice(), field(&head, "Content-Range")),
        (206, &b"gzip"[..], Some("bytes 0-3/16"))
    );
    assert_eq!(field(&head, "Content-Encoding"), Some("gzip"));
    // A part of the file that the client has, and not of another representation of it.
    let (status, head, body) =
        fixture.fetch("/a.html", &format!("{gzip}Range: bytes=0-3\r\nIf-Range: {plain}\r\n"));
    assert_eq!(
        (status, body.as_slice(), field(&head, "Content-Encoding")),
        (200, &b"gzip of the page"[..], Some("gzip"))
    );
}

#[test]
fn sidecars_come_and_go() {
    let mut fixture = compressed();
    let accept = "Accept-Encoding: gzip, br\r\n";
    let body = |fixture: &Fixture| String::from_utf8(fixture.fetch("/a.html", accept).2).unwrap();
    assert_eq!(body(&fixture), "gzip of the page");
    fixture.write("a.html.gz", "gzip, new");
    fixture.later();
    assert_eq!(body(&fixture), "gzip, new");
    fs::remove_file(fixture.path("a.html.gz")).unwrap();
    fixture.later();
    assert_eq!(body(&fixture), "brotli of the page");
    // One that is older than its file holds what the file was before.
    let file = fs::File::options().write(true).open(fixture.path("a.html.br")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(5)).unwrap();
    fixture.later();
    assert_eq!(body(&fixture), "<p>the page itself");
    fixture.write("a.html.gz", "gzip again");
    fixture.later();
    assert_eq!(body(&fixture), "gzip again");
    fs::remove_file(fixture.path("a.html")).unwrap();
    fixture.later();
    assert_eq!(fixture.get("/a.html").status, 404, "a sidecar alone is no file");
}

#[test]
fn large_sidecars_are_held_open_and_counted() {
    let fixture = compressed();
    let large = "x".repeat(CACHED_FILE_BYTES_MAX as usize + 1);
    fixture.write("large.html", &large);
    fixture.write("large.html.gz", &large);
    let gzip = || fixture.ask("GET /large.html", "Accept-Encoding: gzip\r\n");
    assert!(matches!(gzip().body, Content::File { .. }));
    assert_eq!(field(&fixture.head_of(&gzip()), "Content-Encoding"), Some("gzip"));
    // What is sent is what is described, also before the next look at the disk.
    fixture.write("large.html.gz", &large[1..]);
    assert_eq!(field(&fixture.head_of(&gzip()), "Content-Length"), Some("65536"));
}

#[test]
fn names_decide_how_long_a_copy_is_good() {
    let values = ["*.[hash].*=immutable", "*.html=no-cache"];
    let fixture =
        fixture(Rules { cache_control: values.map(|value| value.parse().unwrap()).to_vec(), ..rules() });
    fixture.write("app.1a2b3c4d.js", "x");
    let of = |path: &str, fields: &str| {
        let (status, head, _) = fixture.fetch(path, fields);
        (status, field(&head, "Cache-Control").map(str::to_owned))
    };
    assert_eq!(of("/app.1a2b3c4d.js", ""), (200, Some("public, max-age=31536000, immutable".to_owned())));
    assert_eq!(of("/docs/", ""), (200, Some("no-cache".to_owned())), "the name of the file counts");
    assert_eq!(of("/docs/", "If-None-Match: *\r\n"), (304, Some("no-cache".to_owned())));
    assert_eq!(of("/docs/", "Range: bytes=0-0\r\n"), (206, Some("no-cache".to_owned())));
    assert_eq!(of("/testing.txt", ""), (200, None));
    assert_eq!(of("/none.html", ""), (404, None));
}

#[test]
fn every_response_has_the_extra_fields() {
    let extra_fields = vec!["X-Frame-Options: DENY".parse().unwrap()];
    let cors = Some("https://app.example.org".parse().unwrap());
    let fixture =
        fixture(Rules { extra_fields, cors, types: vec!["txt=text/x-log".parse().unwrap()], ..rules() });
    for (line, fields) in [
        ("GET /testing.txt", ""),
        ("GET /testing.txt", "If-None-Match: *\r\n"),
        ("HEAD /testing.txt", ""),
        ("GET /none", ""),
        ("GET /docs", ""),
        ("OPTIONS /", ""),
        ("POST /", ""),
    ] {
        let head = fixture.head_of(&fixture.ask(line, fields));
        assert_eq!(field(&head, "X-Frame-Options"), Some("DENY"), "{line}");
        assert_eq!(field(&head, "Access-Control-Allow-Origin"), Some("https://app.example.org"), "{line}");
        assert!(!head.contains("Access-Control-Allow-Methods"), "{line}");
    }
    let refused = fixture.site.refuse(Refusal::bad("No."));
    assert_eq!(field(&fixture.head_of(&refused), "X-Frame-Options"), Some("DENY"));
    assert_eq!(field(&fixture.fetch("/testing.txt", "").1, "Content-Type"), Some("text/x-log"));
    let preflight = "Origin: https://app.example.org\r\nAccess-Control-Request-Method: GET\r\n";
    let response = fixture.ask("OPTIONS /testing.txt", preflight);
    let head = fixture.head_of(&response);
    assert_eq!(
        (response.status, field(&head, "Access-Control-Allow-Methods")),
        (204, Some("GET, HEAD, OPTIONS"))
    );
    assert!(
        field(&head, "Access-Control-Max-Age").is_some()
            && field(&head, "Access-Control-Allow-Headers").is_some()
    );
}

#[cfg(unix)]
#[test]
fn links_and_dotfiles_are_as_the_rules_say() {
    let with = |links, dotfiles| {
        let fixture = fixture(Rules { links, dotfiles, listing: true, ..rules() });
        symlink("testing.txt", fixture.path("in.txt")).unwrap();
        let (_, _, page) = fixture.fetch("/", "");
        let page = String::from_utf8(page).unwrap();
        ["in.txt", "out.txt", ".hidden"].map(|name| {
            let is_listed = page.contains(&format!("href=\"{name}\""));
            (fixture.get(&format!("/{name}")).status, is_listed)
        })
    };
    let (yes, hidden) = ((200, true), (404, false));
    assert_eq!(with(Links::Inside, Dotfiles::Hide), [yes, hidden, hidden]);
    assert_eq!(with(Links::Deny, Dotfiles::Allow), [hidden, hidden, yes]);
    assert_eq!(with(Links::Follow, Dotfiles::Deny), [yes, yes, (403, false)]);
}

#[test]
fn several_ranges_come_in_one_response() {
    let fixture = fixture(rules());
    let several = "Range: bytes=0-1,4-4\r\n";
    let (status, head, parts) = fixture.fetch("/testing.txt", several);
    let content_type = field(&head, "Content-Type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let parts = String::from_utf8(parts).unwrap();
    assert_eq!(status, 206);
    assert_eq!(field(&head, "Content-Length"), Some(parts.len().to_string().as_str()));
    assert_eq!(field(&head, "Content-Range"), None, "it is in the parts");
    assert!(field(&head, "ETag").is_some());
    assert_eq!(
        parts,
        format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/5\r\n\r\nhe\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 4-4/5\r\n\r\no\r\n\
             --{boundary}--\r\n"
        )
    );
    for (fields, expected) in [
        ("Range: bytes=0-1,1-2\r\n", 200),
        ("Range: bytes=0-1,9-\r\n", 206),
        ("Range: bytes=7-8,9-\r\n", 416),
        ("Range: bytes=0-1,4-4\r\nIf-Range: \"other\"\r\n", 200),
        ("Range: bytes=0-1,4-4\r\nIf-None-Match: *\r\n", 304),
    ] {
        assert_eq!(fixture.fetch("/testing.txt", fields).0, expected, "{fields}");
    }
    let (status, _, parts) = fixture.fetch("/large.bin", "Range: bytes=0-65000,65010-65545\r\n");
    assert!(status == 206 && parts.iter().filter(|byte| **byte == 7).count() == 65_001 + 536);
}
