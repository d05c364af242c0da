use proptest::prelude::*;

use super::*;

fn group(name: &str) -> Arc<Group> {
    Arc::new(Group::new(name, vec![([127, 0, 0, 1], 8888).into()]))
}

fn routes(prefixes: &[&str]) -> Routes {
    let mut routes = Routes::new(group("default"));
    for prefix in prefixes {
        routes.add(prefix, group(prefix)).expect("a good prefix");
    }
    routes
}

fn found<'r>(routes: &'r Routes, path: &str) -> &'r str {
    routes.find(path).expect("a path within the root").name()
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
    assert_eq!(found(&closed, "/images"), "default");
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
        assert_eq!(folders.with_slash(path).as_deref(), location, "{path}");
    }
    assert_eq!(routes(&["/images/", "/images"]).with_slash("/images"), None);
    assert_eq!(routes(&["/images"]).with_slash("/images"), None);
    assert_eq!(routes(&[]).with_slash("/images"), None);
}

#[test]
fn the_longest_prefix_wins_in_any_order() {
    for order in [["/a", "/a/b/", "/"], ["/", "/a/b/", "/a"]] {
        let routes = routes(&order);
        assert_eq!(found(&routes, "/a/b/c"), "/a/b/");
        assert_eq!(found(&routes, "/a/b"), "/a");
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
        assert!(routes.find(path).is_err(), "{path}");
    }
    // Only the careless reading of the second leads above the root.
    assert_eq!(routes.find("/pdf/..%2fx").unwrap_err(), RouteError::Ambiguous);
    assert_eq!(routes.find("/..%2fx").unwrap_err(), RouteError::AboveRoot);
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
        assert!(self::routes(&[]).find(path).is_ok(), "{path}");
    }
}

#[test]
fn a_path_above_the_root_is_refused() {
    let routes = routes(&[]);
    for path in ["/..", "/../x", "/a/../../a", "/%2e%2e/", "//.."] {
        assert_eq!(routes.find(path).unwrap_err(), RouteError::AboveRoot, "{path}");
    }
    assert!(routes.find("/a/..?../..").is_ok());
    assert!(RouteError::AboveRoot.reason().contains("above the root"));
    assert!(RouteError::Ambiguous.reason().contains("two ways"));
}

#[test]
fn bad_prefixes_are_errors_that_name_them() {
    let mut routes = routes(&["/pdf/"]);
    for (prefix, sentence) in [
        ("pdf/", "the route prefix `pdf/` does not start with `/`"),
        ("/a?b", "the route prefix `/a?b` is not a path alone: it has a `?` or `#`"),
        (
            "/images/*",
            "the route prefix `/images/*` has a `*`, and there are no wildcards: \
             a prefix is for all paths that start with it, so write `/images/`",
        ),
        ("/../a", "the route prefix `/../a` climbs above the root"),
        ("/%70df/", "the route prefix `/%70df/` is given twice"),
    ] {
        assert_eq!(routes.add(prefix, group("x")).unwrap_err(), sentence);
    }
}

#[test]
fn each_group_is_listed_once() {
    let mut routes = routes(&["/a"]);
    let shared = group("shared");
    routes.add("/b", Arc::clone(&shared)).unwrap();
    routes.add("/c", shared).unwrap();
    assert_eq!(routes.groups().len(), 3);
    assert_eq!(routes.groups()[0].name(), "default");
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
