//! Opening files beneath a folder, and nothing outside of it.
//!
//! Contract, in layers:
//!
//! 1. The root is opened, and every path is opened relative to that descriptor. Another folder that is at
//!    the path of the root later is used once [`Root::follow`] has been called.
//! 2. The kernel resolves each path *beneath* the root (`openat2`, Linux 5.6): no `..`, no absolute
//!    path and no symbolic link leads out of it, even if names change during the lookup. Where
//!    `openat2` does not exist, one folder after the other is opened and no symbolic link is followed.
//!    [`Links`] can make this stricter, so that no link is followed, or give it up: then a link leads wherever its
//!    maker wanted.
//! 3. A file is opened first and examined afterwards, so the file that was examined is the one that
//!    is used.
//! 4. Only regular files and folders are given out. `O_NONBLOCK` lets the open of a FIFO return at
//!    once, so that it can be recognised and closed.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What becomes of symbolic links beneath a root.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Links {
    /// Those are followed that stay beneath the root.
    #[default]
    Inside,
    /// All are followed, wherever they lead.
    Follow,
    /// None is followed.
    Deny,
}

/// A folder beneath which files are opened.
#[derive(Debug)]
pub(crate) struct Root {
    links: Links,
    /// Absolute, so that it leads to a folder made anew even if that is the working directory.
    path: PathBuf,
    folder: ArcSwap<Folder>,
    /// There was no folder at `path` when it was last looked at.
    is_gone: AtomicBool,
}

/// An open folder, and what tells it from another one.
#[derive(Debug)]
struct Folder {
    descriptor: OwnedFd,
    /// Device and inode. No other folder gets them while this one is open.
    identity: (u64, u64),
}

/// What has become of a root since it was last looked at.
#[derive(Debug)]
pub(crate) enum RootChange {
    /// Another folder is in its place, and is used from now on.
    Replaced,
    /// Nothing that can be opened is in its place; the folder from before is still used.
    Gone(io::Error),
    /// The folder from before is in its place again.
    Back,
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file that is now open, and the state it was in when it was opened.
    File(File, Stamp),
    /// A folder, and its state.
    Folder(Stamp),
}

/// Why a path cannot be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OpenError {
    /// There is nothing of this name beneath the root.
    NotFound,
    /// A symbolic link on the way leads out of the root.
    Outside,
    /// A symbolic link that is not followed: one of a loop, any without `openat2`, any with [`Links::Deny`].
    Link,
    /// It is neither a file nor a folder: a device, a FIFO, a socket.
    NotAFile,
    /// The permissions of the file or of a folder above it do not allow it.
    Forbidden,
    /// The system has no descriptor or memory left at the moment, or names changed during each lookup.
    Busy,
    /// The disk, or the server of a network file system, failed.
    Broken,
}

/// The state of a file. Two equal stamps mean that it was not changed in between, except for changes
/// within one tick of the file system's clock.
///
/// The time of the last status change (ctime) is included, because it also shows a file that was
/// rewritten and then given its old modification time again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    /// Last change of anything about it: seconds since 1970, and nanoseconds.
    pub(crate) changed: (i64, i64),
    /// Last change of the content: seconds since 1970, and nanoseconds.
    pub(crate) modified: (i64, i64),
    /// Bytes of the file.
    pub(crate) size: u64,
}

impl Stamp {
    /// The state that these metadata describe.
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
        }
    }
}

impl Root {
    /// Opens the folder; the error names it.
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        // Without a working directory the path is used as it is.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = Folder::open(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open the folder {}: {error}", path.display()))
        })?;
        let links = Links::default();
        Ok(Root { links, path, folder: ArcSwap::from_pointee(folder), is_gone: AtomicBool::new(false) })
    }

    /// The same folder, in which this becomes of symbolic links. The path of the root itself may be a link in any
    /// case.
    pub(crate) fn with_links(self, links: Links) -> Root {
        Root { links, ..self }
    }

    /// What becomes of symbolic links.
    pub(super) fn links(&self) -> Links {
        self.links
    }

    /// The path at which it was opened, made absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at what is at the path of the root now, and uses it from now on: a link was switched, or the
    /// folder was made anew. `None` if nothing is different from the last look.
    pub(crate) fn follow(&self) -> Option<RootChange> {
        let found = std::fs::metadata(&self.path).and_then(|metadata| {
            let is_same = identity(&metadata) == self.folder.load().identity;
            if is_same { Ok(None) } else { Folder::open(&self.path).map(Some) }
        });
        let was_gone = self.is_gone.swap(found.is_err(), Ordering::Relaxed);
        match found {
            Ok(Some(folder)) => {
                self.folder.store(folder.into());
                Some(RootChange::Replaced)
            }
            Ok(None) => was_gone.then_some(RootChange::Back),
            Err(error) => (!was_gone).then_some(RootChange::Gone(error)),
        }
    }

    /// Opens what is at `path`, which is relative to the root; the root itself for an empty path.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Found, OpenError> {
        let file = File::from(self.open_at(path, FILE_FLAGS)?);
        let metadata = file.metadata().map_err(|_| OpenError::Broken)?;
        if metadata.is_dir() {
            Ok(Found::Folder(Stamp::of(&metadata)))
        } else if metadata.is_file() {
            Ok(Found::File(file, Stamp::of(&metadata)))
        } else {
            Err(OpenError::NotAFile)
        }
    }

    /// Opens the folder at `path`, which is relative to the root, to read it; the root itself for an empty path.
    pub(super) fn open_folder(&self, path: &[u8]) -> Result<OwnedFd, OpenError> {
        self.open_at(path, FOLDER_FLAGS)
    }

    fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, OpenError> {
        let path = if path.is_empty() { b"." } else { path };
        let folder = self.folder.load();
        let root = folder.descriptor.as_fd();
        let opened = match self.links {
            Links::Inside | Links::Deny => open_beneath(root, path, flags, self.links),
            Links::Follow => open_anywhere(root, path, flags),
        };
        opened.map_err(OpenError::from)
    }
}

impl Folder {
    fn open(path: &Path) -> io::Result<Folder> {
        let folder = File::from(rustix::fs::open(path, FOLDER_FLAGS, Mode::empty())?);
        let identity = identity(&folder.metadata()?);
        Ok(Folder { descriptor: folder.into(), identity })
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> OpenError {
        match errno {
            Errno::ACCESS | Errno::PERM => OpenError::Forbidden,
            // AGAIN: names changed during each lookup.
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => OpenError::Busy,
            Errno::IO | Errno::STALE => OpenError::Broken,
            Errno::XDEV => OpenError::Outside,
            Errno::LOOP => OpenError::Link,
            // A socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => OpenError::NotAFile,
            _ => OpenError::NotFound,
        }
    }
}

/// Opens a path whose links may lead out of the root, but which itself does not.
fn open_anywhere(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    if path.starts_with(b"/") || path.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
        return Err(Errno::NOENT);
    }
    openat(root, path, flags, Mode::empty())
}

#[cfg(target_os = "linux")]
fn open_beneath(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    links: Links,
) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};

    /// Lookups of one path: each fails with EAGAIN if something is renamed meanwhile (`openat2(2)`),
    /// which is rare, and a few more attempts are cheaper than a response that the server is busy.
    const LOOKUPS_MAX: usize = 4;
    let rules = match links {
        Links::Deny => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        Links::Inside | Links::Follow => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    };
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..LOOKUPS_MAX {
        opened = openat2(root, path, flags, Mode::empty(), rules);
        if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    match opened {
        // Older kernels do not have the call, and the seccomp rules of older containers refuse it with PERM.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(root, path, flags),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    _links: Links,
) -> rustix::io::Result<OwnedFd> {
    step_by_step(root, path, flags)
}

/// Opens one folder after the other and follows no symbolic link: as safe as `openat2`, but slower and
/// stricter.
fn step_by_step(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let (folders, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let mut folder: Option<OwnedFd> = None;
    for segment in folders.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
        let above = folder.as_ref().map_or(root, AsFd::as_fd);
        folder =
            Some(openat(above, without_parent(segment)?, FOLDER_FLAGS | OFlags::NOFOLLOW, Mode::empty())?);
    }
    let above = folder.as_ref().map_or(root, AsFd::as_fd);
    openat(above, without_parent(name)?, flags | OFlags::NOFOLLOW, Mode::empty())
}

/// A segment other than `..`, which would lead out of the root. Callers are expected to have refused
/// it already; it is checked again because here it would do harm.
fn without_parent(segment: &[u8]) -> rustix::io::Result<&[u8]> {
    if segment == b".." { Err(Errno::NOENT) } else { Ok(segment) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A tree in which `site/` is the root and `secret.txt` lies beside it.
    fn tree() -> (tempfile::TempDir, Root) {
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

    #[test]
    fn errors_of_the_system_have_their_kinds() {
        for (errno, expected) in [
            (Errno::PERM, OpenError::Forbidden),
            (Errno::NFILE, OpenError::Busy),
            (Errno::AGAIN, OpenError::Busy),
            (Errno::STALE, OpenError::Broken),
            (Errno::XDEV, OpenError::Outside),
            (Errno::LOOP, OpenError::Link),
            (Errno::NXIO, OpenError::NotAFile),
            (Errno::NOTDIR, OpenError::NotFound),
        ] {
            assert_eq!(OpenError::from(errno), expected, "{errno}");
        }
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
    fn without_openat2_no_link_is_followed() {
        let (_tree, root) = tree();
        let found = |path: &str| {
            step_by_step(root.folder.load().descriptor.as_fd(), path.as_bytes(), FILE_FLAGS).is_ok()
        };
        for path in ["a.txt", "docs/b.txt", "docs"] {
            assert!(found(path), "{path}");
        }
        for path in [
            "inside.txt",
            "out.txt",
            "absolute.txt",
            "up/secret.txt",
            "../secret.txt",
            "docs/../a.txt",
            "loop",
            "..",
        ] {
            assert!(!found(path), "{path}");
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
}
