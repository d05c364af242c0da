//! The course's site inside the program: the files of `public/`, unpacked while a suite serves them.
//!
//! Contract: [`CourseSite`] is a folder of its own in the system's folder for temporary files; it is removed when the
//! value is dropped. Nobody else may read or change it: the folder is its owner's alone.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::app::cli::Failure;

/// The files of `public/`, each by its path below it. A test compares the list with the folder.
const FILES: [(&str, &[u8]); 8] = [
    ("images/me/donalbebek.jpg", include_bytes!("../../public/images/me/donalbebek.jpg")),
    ("images/pokijan.jpg", include_bytes!("../../public/images/pokijan.jpg")),
    ("images/research_center.jpg", include_bytes!("../../public/images/research_center.jpg")),
    ("page.html", include_bytes!("../../public/page.html")),
    ("pdf/bench/msi.pdf", include_bytes!("../../public/pdf/bench/msi.pdf")),
    ("pdf/nfc.pdf", include_bytes!("../../public/pdf/nfc.pdf")),
    ("sending.html", include_bytes!("../../public/sending.html")),
    ("testing.txt", include_bytes!("../../public/testing.txt")),
];

/// The unpacked site.
#[derive(Debug)]
pub(super) struct CourseSite(TempDir);

impl CourseSite {
    /// Writes its files.
    ///
    /// Errors: there is no folder for temporary files, or no room in it.
    pub(super) fn unpack() -> Result<CourseSite, Failure> {
        let write = || {
            let folder = tempfile::Builder::new().prefix("giliran-").tempdir()?;
            for (path, content) in FILES {
                let path = folder.path().join(path);
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(path, content)?;
            }
            io::Result::Ok(CourseSite(folder))
        };
        let place = std::env::temp_dir();
        write().map_err(|error| {
            Failure::Runtime(format!(
                "the course's site cannot be unpacked below {}: {error}; --root DIR serves another",
                place.display()
            ))
        })
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files below a folder, each by its path from there.
    fn files(root: &Path, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            match entry.file_type().unwrap().is_dir() {
                true => found.extend(files(root, &path)),
                false => found.push(path),
            }
        }
        found.sort();
        found
    }

    #[test]
    fn it_is_the_folder_public_and_is_removed_in_the_end() {
        let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
        let site = CourseSite::unpack().unwrap();
        let root = site.root().to_owned();
        assert_eq!(files(&root, ""), files(&public, ""));
        for path in files(&public, "") {
            assert_eq!(fs::read(root.join(&path)).unwrap(), fs::read(public.join(&path)).unwrap(), "{path}");
        }
        drop(site);
        assert!(!root.exists());
    }
}
