//! A root on Unix, with links, and with what is no file.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// A tree in which `site/` is the root and `secret.txt` lies beside it.
pub(super) fn tree() -> (tempfile::TempDir, Root) {
    let tree = tempfile::tempdir().unwrap();
    let site = tree.path().join("site");
    fs::create_dir_all(site.join("docs")).unwrap();
    fs::write(tree.path().join("secret.txt"), "secret").unwrap();
    fs::write(site.join("a.txt"), "a").unwrap();
    fs::write(site.join("docs/b.txt"), "b").unwrap();
    symlink("../secret.txt", site.join("out.txt")).unwrap();
    symlink(tree.path().join("secret.txt"), site.join("absolute.txt")).unwrap();
    symlink("..", site.join("up")).unwrap();
    symlink("docs/b.txt", site.join("inside.txt")).unwrap();
    symlink("loop", site.join("loop")).unwrap();
    let root = Root::open(&site).unwrap();
    (tree, root)
}

fn kind(found: Result<Found, OpenError>) -> Result<&'static str, OpenError> {
    found.map(|found| match found {
        Found::File(..) => "file",
        Found::Folder(_) => "folder",
    })
}

const NOT_FOUND: Result<&str, OpenError> = Err(OpenError::NotFound);
const OUTSIDE: Result<&str, OpenError> = Err(OpenError::Outside);
const NOT_A_FILE: Result<&str, OpenError> = Err(OpenError::NotAFile);

#[test]
fn only_files_beneath_the_root_are_found() {
    let (_tree, root) = tree();
    for (path, expected) in [
        ("a.txt", Ok("file")),
        ("docs/b.txt", Ok("file")),
        ("docs", Ok("folder")),
        ("none.txt", NOT_FOUND),
        ("a.txt/index.html", NOT_FOUND),
        ("out.txt", OUTSIDE),
        ("absolute.txt", OUTSIDE),
        ("up/secret.txt", OUTSIDE),
        ("loop", Err(OpenError::Link)),
        ("../secret.txt", OUTSIDE),
        ("docs/../../secret.txt", OUTSIDE),
        ("/etc/passwd", OUTSIDE),
    ] {
        assert_eq!(kind(root.find(path.as_bytes())), expected, "{path}");
    }
    let long = "x".repeat(5000);
    assert_eq!(kind(root.find(long.as_bytes())), NOT_FOUND);
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_that_stays_inside_is_followed() {
    let (_tree, root) = tree();
    assert_eq!(kind(root.find(b"inside.txt")), Ok("file"));
}

#[cfg(target_os = "linux")]
#[test]
fn links_are_followed_everywhere_or_nowhere_if_that_is_wanted() {
    const LINK: Result<&str, OpenError> = Err(OpenError::Link);
    let (_tree, root) = tree();
    let root = root.with_links(Links::Deny);
    for (path, expected) in
        [("a.txt", Ok("file")), ("inside.txt", LINK), ("out.txt", LINK), ("up/secret.txt", LINK)]
    {
        assert_eq!(kind(root.find(path.as_bytes())), expected, "{path}");
    }
    let root = root.with_links(Links::Follow);
    for (path, expected) in [
        ("inside.txt", Ok("file")),
        ("out.txt", Ok("file")),
        ("absolute.txt", Ok("file")),
        ("up/secret.txt", Ok("file")),
        ("up", Ok("folder")),
        ("loop", LINK),
        ("../secret.txt", NOT_FOUND),
        ("docs/../a.txt", NOT_FOUND),
        ("/etc/passwd", NOT_FOUND),
    ] {
        assert_eq!(kind(root.find(path.as_bytes())), expected, "{path}");
    }
}

#[test]
fn a_fifo_is_not_opened_and_does_not_block() {
    let (tree, root) = tree();
    let path = tree.path().join("site/pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert_eq!(kind(root.find(b"pipe")), NOT_A_FILE);
}

#[test]
fn a_socket_is_not_opened() {
    let (tree, root) = tree();
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("site/socket")).unwrap();
    assert_eq!(kind(root.find(b"socket")), NOT_A_FILE);
}

#[test]
fn an_unreadable_file_is_forbidden() {
    let (tree, root) = tree();
    let path = tree.path().join("site/a.txt");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything.
    let expected = if File::open(&path).is_ok() { Ok("file") } else { Err(OpenError::Forbidden) };
    assert_eq!(kind(root.find(b"a.txt")), expected);
}

#[test]
fn the_root_follows_a_link_that_is_switched_and_a_folder_made_anew() {
    let tree = tempfile::tempdir().unwrap();
    let at = |name: &str| tree.path().join(name);
    for name in ["one", "two"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join(name), name).unwrap();
    }
    symlink("one", at("cur")).unwrap();
    let root = Root::open(&at("cur")).unwrap();
    assert!(root.follow().is_none());
    symlink("two", at("new")).unwrap();
    fs::rename(at("new"), at("cur")).unwrap();
    assert!(matches!(root.follow(), Some(RootChange::Replaced)) && root.follow().is_none());
    assert_eq!((kind(root.find(b"one")), kind(root.find(b"two"))), (NOT_FOUND, Ok("file")));
    fs::remove_dir_all(at("two")).unwrap();
    assert!(matches!(root.follow(), Some(RootChange::Gone(_))) && root.follow().is_none(), "said once");
    fs::create_dir(at("two")).unwrap();
    assert!(matches!(root.follow(), Some(RootChange::Replaced)), "another inode");
    fs::rename(at("two"), at("away")).unwrap();
    assert!(matches!(root.follow(), Some(RootChange::Gone(_))));
    fs::rename(at("away"), at("two")).unwrap();
    assert!(matches!(root.follow(), Some(RootChange::Back)) && root.follow().is_none());
}

#[test]
fn the_error_names_a_root_that_does_not_exist() {
    let error = Root::open(Path::new("/no/such/folder")).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}
