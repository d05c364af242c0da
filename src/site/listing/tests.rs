//! What a listing shows, without a folder.

use proptest::prelude::*;

use super::page::size;
use super::*;
use crate::site::rules::Dotfiles;

fn entry(name: &[u8], is_folder: bool, size: u64, modified: i64) -> FolderEntry {
    FolderEntry { name: name.to_vec(), is_folder, size, modified }
}

fn content() -> FolderContent {
    FolderContent {
        entries: vec![
            entry(b"b.txt", false, 2000, 30),
            entry(b"A.txt", false, 2000, 20),
            entry(b"z", true, 4096, 10),
            entry(b"c.txt", false, 5, 40),
            entry(b"docs", true, 4096, 50),
        ],
        is_complete: true,
    }
}

fn path(text: &str) -> SitePath {
    SitePath::parse(text, Dotfiles::Hide).unwrap()
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.bytes().unwrap().to_vec()).unwrap()
}

fn page(address: &str, depth: usize, content: FolderContent) -> String {
    text(&Listing::new(&path(address), depth, content, "").page())
}

#[test]
fn folders_come_first_and_the_query_sorts_the_rest() {
    let names = |query: &str| {
        let path = path("/");
        let listing = Listing::new(&path, 0, content(), query);
        listing.content.entries.iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("", "docs z A.txt b.txt c.txt"),
        ("sort=name&order=desc", "z docs c.txt b.txt A.txt"),
        ("order=desc", "z docs c.txt b.txt A.txt"),
        ("sort=size", "docs z c.txt A.txt b.txt"),
        ("sort=size&order=desc", "z docs b.txt A.txt c.txt"),
        ("sort=date", "z docs A.txt b.txt c.txt"),
        ("x&sort=date&order=desc", "docs z c.txt b.txt A.txt"),
        ("sort=<script>&order=up", "docs z A.txt b.txt c.txt"),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
}

#[test]
fn a_name_is_text_and_a_link_leads_into_the_folder() {
    let content = FolderContent {
        entries: vec![
            entry(b"<script>alert(1)</script>.html", false, 1, 0),
            entry(b"javascript:alert(1)", false, 1, 0),
            entry(b"a\"onclick=x b%20&c?d#e", false, 1, 0),
            entry(b"caf\xe9", true, 1, 0),
        ],
        is_complete: true,
    };
    let page = page("/x<y/", 1, content);
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;.html") && !page.contains("<script"),
        "{page}"
    );
    for href in ["javascript%3Aalert%281%29", "a%22onclick%3Dx%20b%2520%26c%3Fd%23e", "caf%E9/"] {
        assert!(page.contains(&format!("href=\"{href}\"")), "{href}: {page}");
    }
    assert!(page.contains("<title>Index of /x&lt;y/</title>"), "{page}");
}

#[test]
fn the_trail_leads_up_and_ends_at_the_root_of_the_site() {
    let links = |address: &str, depth: usize| {
        let page = page(address, depth, FolderContent { entries: Vec::new(), is_complete: true });
        let (heading, _) = page.split_once("</h1>").unwrap();
        (heading.matches("href=\"../").count(), page.contains("<td><a href=\"../\">"))
    };
    assert_eq!(links("/", 0), (0, false));
    assert_eq!(links("/docs/", 1), (1, true));
    assert_eq!(links("/docs/deep/", 2), (2, true));
    // The folder `images` is the root of its server.
    assert_eq!(links("/images/", 0), (0, false));
    assert_eq!(links("/images/me/", 1), (1, true));
}

#[test]
fn a_listing_that_is_cut_says_so() {
    let cut = || FolderContent { is_complete: false, ..content() };
    assert!(page("/", 0, cut()).contains("more than 5 entries"));
    assert!(!page("/", 0, content()).contains("more than"));
    let path = path("/");
    let json = |content| text(&Listing::new(&path, 0, content, "").json());
    assert!(json(cut()).contains("\"complete\":false") && json(content()).contains("\"complete\":true"));
}

#[test]
fn programs_get_json() {
    let content = FolderContent {
        entries: vec![entry(b"a b", false, 5, 1_700_000_000), entry(b"d\"", true, 4096, i64::MAX)],
        is_complete: true,
    };
    let path = path("/docs/");
    let response = Listing::new(&path, 1, content, "").json();
    assert_eq!(
        text(&response),
        "{\"path\":\"/docs/\",\"complete\":true,\"entries\":[\
         {\"name\":\"d\\\"\",\"href\":\"d%22/\",\"type\":\"folder\"},\
         {\"name\":\"a b\",\"href\":\"a%20b\",\"type\":\"file\",\"size\":5,\"modified\":\"2023-11-14T22:13:20Z\"}]}\n"
    );
    assert_eq!(response.content_type, Some("application/json"));
}

#[test]
fn sizes_have_three_digits() {
    for (bytes, expected) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (102_400, "100 KiB"),
        (1_048_575, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (u64::MAX, "16.0 EiB"),
    ] {
        assert_eq!(size(bytes), expected, "{bytes}");
    }
}

proptest! {
    #[test]
    fn no_name_becomes_markup(name in proptest::collection::vec(any::<u8>().prop_filter("no separator", |byte| !matches!(byte, 0 | b'/')), 1..20)) {
        let plain = page("/", 0, FolderContent { entries: vec![entry(b"plain", false, 1, 0)], is_complete: true });
        let named = page("/", 0, FolderContent { entries: vec![entry(&name, false, 1, 0)], is_complete: true });
        for mark in ['<', '>', '"'] {
            prop_assert_eq!(named.matches(mark).count(), plain.matches(mark).count(), "{}", mark);
        }
    }
}
