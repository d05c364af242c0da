use proptest::prelude::*;

use super::*;

fn routes(patterns: &[&'static str]) -> Routes<&'static str> {
    let mut routes = Routes::new("default");
    for pattern in patterns {
        routes.add(&pattern.parse().expect("a good pattern"), pattern).expect("no other is the same");
    }
    routes
}

fn found_at(routes: &Routes<&'static str>, host: &str, path: &str) -> &'static str {
    match routes.find(host, path).expect("a path within the root") {
        Found::Route(number) => routes[number],
        Found::LacksSlash(_) => "redirect",
    }
}

fn found(routes: &Routes<&'static str>, path: &str) -> &'static str {
    found_at(routes, "", path)
}

fn error(routes: &Routes<&'static str>, path: &str) -> Option<RouteError> {
    routes.find("", path).err()
}

fn with_slash(routes: &Routes<&'static str>, path: &str) -> Option<String> {
    match routes.find("", path) {
        Ok(Found::LacksSlash(number)) => Some(routes.with_slash(number, path)),
        Ok(Found::Route(_)) | Err(_) => None,
    }
}

#[test]
fn a_prefix_counts_at_the_start_of_the_path_only() {
    // The Python looked for it anywhere in the request.
    let routes = routes(&["/images/", "/pdf/"]);
    assert_eq!(found(&routes, "/x/pdf/y"), "default");
    assert_eq!(found(&routes, "/?next=/pdf/y"), "default");
    assert_eq!(found(&routes, "/pdf/images/y"), "/pdf/");
}

#[test]
fn a_prefix_ends_where_a_segment_ends() {
    let closed = routes(&["/images/"]);
    assert_eq!(found(&closed, "/images/"), "/images/");
    assert_eq!(found(&closed, "/images/x?y"), "/images/");
    assert_eq!(found(&closed, "/images"), "redirect");
    let open = routes(&["/images"]);
    for path in ["/images", "/images?x", "/images/", "/images/x"] {
        assert_eq!(found(&open, path), "/images", "{path}");
    }
    assert_eq!(found(&open, "/imagesx"), "default");
    assert_eq!(found(&open, "/images.html"), "default");
}

#[test]
fn a_folder_without_its_slash_is_redirected_unless_it_has_a_route() {
    let folders = routes(&["/images/", "/images/me/", "/gambar saya/", "/"]);
    for (path, location) in [
        ("/images", Some("/images/")),
        ("/images?a=/b?c", Some("/images/?a=/b?c")),
        ("/x/../%69mages", Some("/images/")),
        ("//images", Some("/images/")),
        ("/images/me", Some("/images/me/")),
        ("/gambar%20saya", Some("/gambar%20saya/")),
        ("/images/", None),
        ("/images/x", None),
        ("/imagesx", None),
        ("/", None),
        ("//", None),
        ("*", None),
        ("x//images", None),
        ("/..", None),
    ] {
        assert_eq!(with_slash(&folders, path).as_deref(), location, "{path}");
    }
    assert_eq!(with_slash(&routes(&["/images/", "/images"]), "/images"), None);
    assert_eq!(with_slash(&routes(&["/images"]), "/images"), None);
    assert_eq!(with_slash(&routes(&[]), "/images"), None);
}

#[test]
fn the_longest_prefix_wins_in_any_order() {
    for order in [["/a", "/a/b/", "/"], ["/", "/a/b/", "/a"]] {
        let routes = routes(&order);
        assert_eq!(found(&routes, "/a/b/c"), "/a/b/");
        assert_eq!(found(&routes, "/a/bc"), "/a");
        assert_eq!(found(&routes, "/a/b"), "redirect");
        assert_eq!(found(&routes, "/b"), "/");
    }
}

#[test]
fn paths_are_compared_as_the_back_end_will_read_them() {
    let routes = routes(&["/pdf/", "/gambar saya/"]);
    for path in ["/x/../pdf/a", "/%70df/a", "//pdf/", "/./pdf//a", "/x/%2e%2E/pdf/", "/pdf/x/..", "/pdf/."] {
        assert_eq!(found(&routes, path), "/pdf/", "{path}");
    }
    for path in ["/pdf/../x", "/pdf/..", "/pdf/%zz/../..", "/.pdf/", "/pdf..."] {
        assert_eq!(found(&routes, path), "default", "{path}");
    }
    assert_eq!(found(&routes, "/gambar%20saya/x"), "/gambar saya/");
    assert_eq!(found(&routes, "*"), "default");
    assert_eq!(found(&routes, ""), "default");
}

#[test]
fn a_path_that_two_back_ends_read_as_two_routes_is_refused() {
    let routes = routes(&["/pdf/", "/a;b/", "/c%2Fd/"]);
    for path in [
        "/pdf%2Fa",
        "/pdf/..%2fx",
        "/x%2f..%2Fpdf/",
        "/%2fpdf/",
        "/pdf/..;/x",
        "/pdf;a=b/x",
        "/x/..;a/pdf/",
        "/pdf/..%5cx",
        "/x\\..\\pdf\\",
        "/pdf/..%00/x",
        "/%2570df/",
        "/pdf/..%2f../x",
        "/..%2fx",
    ] {
        assert!(error(&routes, path).is_some(), "{path}");
    }
    // Only the careless reading of the second leads above the root.
    assert_eq!(error(&routes, "/pdf/..%2fx"), Some(RouteError::Ambiguous));
    assert_eq!(error(&routes, "/..%2fx"), Some(RouteError::AboveRoot));
    for (path, name) in [
        ("/pdf/a%2Fb", "/pdf/"),
        ("/pdf/a;b=c", "/pdf/"),
        ("/pdf/a%25", "/pdf/"),
        ("/x%2Fpdf/", "default"),
        ("/x;/y\\z", "default"),
        ("/pdf%2f..", "default"),
        ("/a;b/x", "/a;b/"),
        ("/a/x", "default"),
        ("/c%2fd/x", "/c%2Fd/"),
    ] {
        assert_eq!(found(&routes, path), name, "{path}");
    }
    // With one group there is only one place to go to.
    for path in ["/pdf/..%2fx", "/..%2fx"] {
        assert_eq!(found(&self::routes(&[]), path), "default", "{path}");
    }
}

#[test]
fn a_path_above_the_root_is_refused() {
    let routes = routes(&[]);
    for path in ["/..", "/../x", "/a/../../a", "/%2e%2e/", "//.."] {
        assert_eq!(error(&routes, path), Some(RouteError::AboveRoot), "{path}");
    }
    assert_eq!(found(&routes, "/a/..?../.."), "default");
    assert!(RouteError::AboveRoot.reason().contains("above the root"));
    assert!(RouteError::Ambiguous.reason().contains("two ways"));
}

#[test]
fn a_pattern_is_there_once() {
    let mut routes = routes(&["/pdf/", "a.org/", "*.a.org"]);
    let mut add = |pattern: &str| routes.add(&pattern.parse().unwrap(), "new");
    for (pattern, sentence) in [
        ("/pdf/", "the route `/pdf/` is given twice"),
        ("/%70df/", "the route `/%70df/` is given twice: `/pdf/` is the same"),
        ("A.org.", "the route `a.org` is given twice: `a.org/` is the same"),
        ("*.A.org/", "the route `*.a.org/` is given twice: `*.a.org` is the same"),
    ] {
        assert_eq!(add(pattern).unwrap_err(), sentence);
    }
    for pattern in ["/pdf", "a.org/pdf/", "*.org", "a.b.org"] {
        assert_eq!(add(pattern), Ok(()), "{pattern}");
    }
}

#[test]
fn the_host_decides_first() {
    let routes = routes(&[
        "/a/",
        "example.org",
        "example.org/a",
        "*.example.org",
        "*.b.example.org/a",
        "192.0.2.1/a",
        "[::1]/a",
    ]);
    for (host, path, name) in [
        ("example.org", "/a/x", "example.org/a"),
        ("example.org", "/b", "example.org"),
        ("EXAMPLE.ORG.:8080", "/b", "example.org"),
        ("x.example.org", "/a/x", "*.example.org"),
        ("x.y.example.org", "/a", "*.example.org"),
        ("x.b.example.org", "/a", "*.b.example.org/a"),
        // Within the hosts that fit, the next one is asked.
        ("x.b.example.org", "/b", "*.example.org"),
        ("b.example.org", "/a", "*.example.org"),
        ("xexample.org", "/a/", "/a/"),
        (".example.org", "/a/", "/a/"),
        ("example.org.evil", "/b", "default"),
        ("192.0.2.1:80", "/a/x", "192.0.2.1/a"),
        ("192.0.2.1", "/b", "default"),
        ("[0::1]:80", "/a", "[::1]/a"),
        ("", "/a/x", "/a/"),
        ("", "/b", "default"),
    ] {
        assert_eq!(found_at(&routes, host, path), name, "{host} {path}");
    }
}

#[test]
fn each_host_has_its_own_readings_and_folders() {
    let routes = routes(&["a.org/pdf/", "a.org", "/pdf/", "b.org/pdf"]);
    assert_eq!(found_at(&routes, "a.org", "/pdf"), "redirect");
    assert_eq!(found_at(&routes, "b.org", "/pdf"), "b.org/pdf");
    assert_eq!(found_at(&routes, "c.org", "/pdf"), "redirect");
    for host in ["a.org", "b.org", "c.org"] {
        assert_eq!(routes.find(host, "/pdf/..%2fx"), Err(RouteError::Ambiguous), "{host}");
    }
    assert_eq!(found_at(&routes, "a.org", "/x%2Fy"), "a.org");
}

#[test]
fn two_prefixes_that_one_back_end_takes_for_one_do_not_hide_the_plain_one() {
    for order in [["/a;b/", "/a/"], ["/a/", "/a;b/"]] {
        let routes = routes(&order);
        assert_eq!(found(&routes, "/a/x"), "/a/");
        assert_eq!(found(&routes, "/a/x%20y"), "/a/");
        assert_eq!(error(&routes, "/a;b/x"), Some(RouteError::Ambiguous));
    }
}

#[test]
fn what_follows_the_prefix_is_what_is_kept_of_a_path() {
    let behind = |prefix: &str, path: &'static str| {
        super::behind(prefix.as_bytes(), path.as_bytes())
            .map(|rest| String::from_utf8_lossy(rest).into_owned())
    };
    for (prefix, path, rest) in [
        ("/a/", "/a/", Some("/")),
        ("/a/", "/a/b", Some("/b")),
        ("/a", "/a", Some("")),
        ("/a", "/ab", None),
        ("/", "/b", Some("/b")),
    ] {
        assert_eq!(behind(prefix, path).as_deref(), rest, "{prefix} {path}");
    }
    assert_eq!(split("/a/../b?c=/../d").unwrap(), (Cow::Borrowed(&b"/b"[..]), "?c=/../d"));
    assert_eq!(split("/.."), Err(RouteError::AboveRoot));
}

proptest! {
    #[test]
    fn a_path_written_differently_goes_where_the_plain_one_goes(
        segments in proptest::collection::vec("[a-c]{1,2}", 1..5), way in 0usize..4, at in 0usize..4,
    ) {
        let routes = routes(&["/a", "/a/b/", "/b/", "/c/a"]);
        let plain = format!("/{}", segments.join("/"));
        let mut segments = segments;
        let at = at % segments.len();
        segments[at] = match way {
            0 => format!("./{}", segments[at]),
            1 => format!("x/../{}", segments[at]),
            2 => format!("/{}", segments[at]),
            _ => segments[at].bytes().map(|byte| format!("%{byte:02x}")).collect(),
        };
        let written = format!("/{}", segments.join("/"));
        prop_assert_eq!(found(&routes, &written), found(&routes, &plain), "{}", written);
    }
}
