//! Sites whose files and folders change while they are served.

use std::fs::{self, File};
use std::path::Path;

use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    a_file_changed_in_place_is_described_as_it_is,
    a_file_that_shrinks_while_it_is_sent_is_cut_and_logged,
    a_file_that_grows_while_it_is_sent_ends_where_it_was_promised,
];

/// Bytes of a file that no cache holds in memory.
const LARGE: usize = 100_000;

/// Bytes of a file that does not fit the buffers of two sockets.
const HUGE: u64 = 16 * 1024 * 1024;

fn serve(model: Model, root: &Path) -> Role {
    Launch::role("default-server", model).flag("--root", root.display()).start()
}

fn a_file_changed_in_place_is_described_as_it_is(model: Model) {
    let site = Site::new().with("a.bin", vec![b'a'; LARGE]);
    let role = serve(model, site.path());
    let mut client = Client::connect(role.address());
    let mut etags = vec![client.get("/a.bin").field("etag").unwrap().to_owned()];
    for (size, byte) in [(3 * LARGE, b'b'), (2 * LARGE, b'c'), (10, b'd')] {
        fs::write(site.path().join("a.bin"), vec![byte; size]).unwrap();
        let old = etags.last().unwrap();
        let answer = client.ask("GET", "/a.bin", &format!("If-None-Match: {old}\r\n"));
        assert_eq!((answer.status, answer.body.len()), (200, size));
        assert!(answer.body.iter().all(|found| *found == byte));
        let etag = answer.field("etag").unwrap().to_owned();
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
