//! Sites of a test's own, gone afterwards, and the one the project ships.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder to serve.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// An empty site.
    pub fn new() -> Site {
        Site { folder: tempfile::tempdir().unwrap() }
    }

    /// Adds or replaces a file, with the folders on its way.
    pub fn with(self, path: &str, content: impl AsRef<[u8]>) -> Site {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A file of the site that the project ships.
pub fn public(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("public").join(path)
}

/// The content of such a file.
pub fn public_bytes(path: &str) -> Vec<u8> {
    let file = public(path);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
