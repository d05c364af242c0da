//! Reading a folder beneath a root.
//!
//! Contract: an entry is given out only if a file or folder of its name could be opened as far as symbolic links
//! decide; permissions of single files are not looked at. The number of entries is bounded, and so is the time.

use super::{Found, Links, OpenError, Root};

/// What a folder holds.
#[derive(Debug)]
pub(crate) struct FolderContent {
    /// In the order of the disk, which is any.
    pub(crate) entries: Vec<FolderEntry>,
    /// False if there is more than was asked for.
    pub(crate) is_complete: bool,
}

/// A file or a folder in a folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FolderEntry {
    /// Its name: bytes, because file names are not always UTF-8.
    pub(crate) name: Vec<u8>,
    /// True for a folder, and for a link to one.
    pub(crate) is_folder: bool,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Last change of the content, in seconds since 1970.
    pub(crate) modified: i64,
}

/// What an entry is, at a first look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// A symbolic link.
    Link,
    /// A file or a folder.
    Entry { is_folder: bool, size: u64, modified: i64 },
}

impl Root {
    /// Reads the folder at `path`, which is relative to the root: its files and folders that `wants` wants by
    /// their names, but at most `max`. What is neither, such as a FIFO, is left out.
    pub(crate) fn read_folder(
        &self,
        path: &[u8],
        max: usize,
        wants: impl Fn(&[u8]) -> bool,
    ) -> Result<FolderContent, OpenError> {
        let mut entries = Vec::new();
        let is_complete = self.folder.load().visit(path, self.links, |name, look| {
            if !wants(name) {
                return true;
            }
            if entries.len() == max {
                return false;
            }
            entries.extend(look().and_then(|seen| match seen {
                Seen::Link => self.follow_entry(path, name),
                Seen::Entry { is_folder, size, modified } => {
                    Some(FolderEntry { name: name.to_vec(), is_folder, size, modified })
                }
            }));
            true
        })?;
        Ok(FolderContent { entries, is_complete })
    }

    /// What a symbolic link in the folder at `path` leads to, if it is followed.
    fn follow_entry(&self, path: &[u8], name: &[u8]) -> Option<FolderEntry> {
        if self.links == Links::Deny {
            return None;
        }
        let whole = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
        let (is_folder, stamp) = match self.find(&whole).ok()? {
            Found::Folder(stamp) => (true, stamp),
            Found::File(_, stamp) => (false, stamp),
        };
        Some(FolderEntry { name: name.to_vec(), is_folder, size: stamp.size, modified: stamp.modified.0 })
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// `site/` is the root, with entries of every kind.
    fn tree() -> (tempfile::TempDir, Root) {
        let tree = tempfile::tempdir().unwrap();
        let site = tree.path().join("site");
        fs::create_dir_all(site.join("docs/deep")).unwrap();
        fs::write(tree.path().join("secret.txt"), "secret").unwrap();
        fs::write(site.join("docs/b.txt"), "bytes").unwrap();
        fs::write(site.join("docs/.hidden"), "").unwrap();
        symlink("b.txt", site.join("docs/link.txt")).unwrap();
        symlink("..", site.join("docs/up")).unwrap();
        symlink("../../secret.txt", site.join("docs/out.txt")).unwrap();
        symlink("nothing", site.join("docs/broken")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(site.join("docs/socket")).unwrap();
        let root = Root::open(&site).unwrap();
        (tree, root)
    }

    fn names(root: &Root, max: usize) -> (Vec<String>, bool) {
        let found = root.read_folder(b"docs", max, |name| !name.starts_with(b".")).unwrap();
        let text = |entry: &FolderEntry| {
            let slash = if entry.is_folder { "/" } else { "" };
            format!("{}{slash}", String::from_utf8_lossy(&entry.name))
        };
        let mut names: Vec<String> = found.entries.iter().map(text).collect();
        names.sort();
        (names, found.is_complete)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_can_be_served_is_listed_and_nothing_else() {
        let (_tree, root) = tree();
        let list = |root: &Root| names(root, 100).0.join(" ");
        assert_eq!(list(&root), "b.txt deep/ link.txt up/");
        let root = root.with_links(Links::Deny);
        assert_eq!(list(&root), "b.txt deep/");
        let root = root.with_links(Links::Follow);
        assert_eq!(list(&root), "b.txt deep/ link.txt out.txt up/");
    }

    #[test]
    fn an_entry_has_a_size_and_a_date() {
        let (_tree, root) = tree();
        let found = root.read_folder(b"docs", 100, |name| name == b"b.txt").unwrap().entries;
        assert_eq!((found.len(), found[0].size, found[0].is_folder), (1, 5, false));
        assert!(found[0].modified > 1_600_000_000);
        assert_eq!(root.read_folder(b"", 100, |_| true).unwrap().entries[0].name, b"docs");
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let (_tree, root) = tree();
        assert_eq!(names(&root, 1).0.len(), 1);
        assert!(!names(&root, 1).1 && names(&root, 100).1);
    }

    #[test]
    fn what_is_no_folder_or_may_not_be_read_is_an_error() {
        let (tree, root) = tree();
        let read = |path: &[u8]| root.read_folder(path, 10, |_| true).map(|found| found.is_complete);
        assert_eq!(read(b"docs/b.txt"), Err(OpenError::NotFound));
        assert_eq!(read(b"nothing"), Err(OpenError::NotFound));
        assert_eq!(read(b"docs/../.."), Err(OpenError::Outside));
        let path = tree.path().join("site/docs");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser reads everything.
        let expected = if fs::read_dir(&path).is_ok() { Ok(true) } else { Err(OpenError::Forbidden) };
        assert_eq!(read(b"docs"), expected);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
}
