//! The files of a site: what a path names, from the cache or from the disk.
//!
//! Contract: a fixed page wins over a file of the same name, and the cache over the disk. Every file that is opened
//! is looked up beneath the root anew, also when it is only compared with the cache.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::cache::{Cache, Hit};
use super::cached_file::CachedFile;
use super::kind::SiteKind;
use super::limits::LISTED_MAX;
use super::negotiate::Coding;
use super::path::SitePath;
use super::refusals::{Refused, UNREADABLE};
use super::response::Response;
use super::rules::{Dotfiles, OwnFile, Rules};
use super::{mime, mirror, pages, refusals};
use crate::net::beneath::listing::FolderContent;
use crate::net::beneath::{Found, OpenError, Root, RootChange, Stamp};
use crate::protocol::now::Now;

/// The files of one site, and the rules by which they are served.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) kind: SiteKind,
    root: Root,
    pub(super) cache: Cache,
    /// Off, the file is opened anew for each request.
    pub(super) caches: bool,
    /// The types are those that the Python knew.
    pub(super) mirror: bool,
    pub(super) rules: Rules,
    /// Held by the thread that tidies.
    tidying: Mutex<()>,
}

/// What a path names when it is not the exact name of a fixed page.
pub(super) enum Resource {
    File(Arc<CachedFile>),
    /// A fixed page, or a redirect.
    Page(Response),
    /// A folder that is to be listed.
    Folder {
        path: SitePath,
        /// How many folders are above it within the site.
        depth: usize,
        content: FolderContent,
    },
}

impl Files {
    /// Opens the folder `root`. The error names the folder that cannot be opened.
    pub(super) fn open(kind: SiteKind, root: &Path) -> io::Result<Files> {
        let root = match kind.folder() {
            // The folder is a root of its own, so not even a link to elsewhere in `root` is followed.
            Some(folder) => Root::open(&root.join(folder))?,
            None => Root::open(root)?,
        };
        Ok(Files {
            kind,
            root,
            cache: Cache::default(),
            caches: true,
            mirror: false,
            rules: Rules::default(),
            tidying: Mutex::default(),
        })
    }

    /// The same files by other rules.
    pub(super) fn with_rules(self, rules: Rules) -> Files {
        Files { root: self.root.with_links(rules.links), rules, ..self }
    }

    /// Looks after what is kept between requests: uses another folder that is in the place of the root now, and
    /// closes files that nobody asks for.
    pub(super) fn tidy(&self, now: &Now) {
        // Several servers may have one site (the suite's do). One of them does the work, and its lines are
        // said once.
        let Ok(_only_one) = self.tidying.try_lock() else { return };
        self.cache.close_idle(now);
        let Some(change) = self.root.follow() else { return };
        let path = self.root.path().display();
        match change {
            RootChange::Replaced => {
                // After the change, so that no request can fill the cache from the old folder for long.
                self.cache.clear();
                log::info!("the folder {path} is another one now, and it is the one that is served");
            }
            RootChange::Gone(error) => {
                log::warn!("the folder {path} is gone, and the one from before stays in use: {error}");
            }
            RootChange::Back => log::info!("the folder {path} is back"),
        }
    }

    /// The fixed page of this name, if the site has any.
    pub(super) fn page(&self, name: &[u8]) -> Option<Response> {
        if self.rules.course_pages { pages::find(self.kind, name) } else { None }
    }

    /// What a path names. A redirect keeps `query`.
    pub(super) fn find(&self, path: &str, query: &str, now: &Now) -> Result<Resource, Refused> {
        self.through_cache(path, now, |old| self.find_on_disk(path, query, old, now))
    }

    /// A file that is sent in the place of another response.
    pub(super) fn own(&self, file: &OwnFile, now: &Now) -> Result<Arc<CachedFile>, Refused> {
        // The key begins without a slash, as no path of a request does.
        let (key, name) = (file.path(), file.path().as_bytes());
        let found =
            self.through_cache(key, now, |old| match self.root.find(name).map_err(refusals::of)? {
                Found::File(file, stamp) => self.load(key, name, (file, stamp), old, now),
                Found::Folder(_) => Err(refusals::of(OpenError::NotAFile)),
            })?;
        match found {
            Resource::File(file) => Ok(file),
            Resource::Page(_) | Resource::Folder { .. } => Err(refusals::of(OpenError::NotAFile)),
        }
    }

    /// What the cache has under `key`, or `look` finds if it has nothing or an old entry, which `look` is given.
    fn through_cache(
        &self,
        key: &str,
        now: &Now,
        look: impl Fn(Option<&Arc<CachedFile>>) -> Result<Resource, Refused>,
    ) -> Result<Resource, Refused> {
        let cached = if self.caches { self.cache.get(key, now) } else { None };
        let (old, is_current) = match cached {
            None => return look(None),
            Some(Hit::Fresh(file)) if file.is_current() => return Ok(Resource::File(file)),
            // An open file that was changed since it was described.
            Some(Hit::Fresh(file)) => (file, false),
            Some(Hit::Stale(file)) => (file, true),
        };
        match look(Some(&old)) {
            // There is no descriptor left to check the file with. What was right a second ago is better
            // than an error.
            Err(refused) if refused.refusal.status == 503 && is_current && old.is_current() => {
                Ok(Resource::File(old))
            }
            found @ Ok(Resource::File(_)) => found,
            found => {
                self.cache.remove(key);
                found
            }
        }
    }

    /// What a path names on the disk. `old` is what the cache has for it: the path is looked up all the
    /// same, because only a new lookup shows that it still leads to a file beneath the root.
    fn find_on_disk(
        &self,
        path: &str,
        query: &str,
        old: Option<&Arc<CachedFile>>,
        now: &Now,
    ) -> Result<Resource, Refused> {
        let parsed = SitePath::parse(path, self.rules.dotfiles)?;
        // A fixed page in another spelling, such as `//` or `/%76ideo`.
        if let Some(page) = self.page(&parsed.name()) {
            return Ok(Resource::Page(page));
        }
        let below = match self.kind.folder() {
            Some(folder) => parsed.clone().below(folder)?,
            None => parsed.clone(),
        };
        if self.rules.clean_urls
            && let Some(short) = parsed.without_extension()
            && self.has_short_address(&below)
        {
            return redirect(&short, query);
        }
        let name = below.file();
        match self.root.find(&name) {
            Ok(Found::File(file, stamp)) => self.load(path, &name, (file, stamp), old, now),
            Ok(Found::Folder(_)) | Err(OpenError::NotFound) if below.is_folder() => self.list(parsed, &below),
            // Relative links in its index would lead elsewhere, so the client is sent to the path with the slash.
            Ok(Found::Folder(_)) if self.is_file(&below.index()) => redirect(&parsed.as_folder(), query),
            Err(error) if error != OpenError::NotFound => Err(refusals::of(error)),
            found => match (self.find_page(&below), found) {
                (Some((name, opened)), _) => self.load(path, &name, opened, old, now),
                (None, Ok(_)) if self.rules.listing => redirect(&parsed.as_folder(), query),
                (None, Ok(_)) => Err(Refused::nothing_here("a folder without an index")),
                (None, Err(error)) => Err(refusals::of(error)),
            },
        }
    }

    fn is_file(&self, name: &[u8]) -> bool {
        matches!(self.root.find(name), Ok(Found::File(..)))
    }

    /// The page whose address this is without its extension.
    fn find_page(&self, path: &SitePath) -> Option<(Vec<u8>, (File, Stamp))> {
        let name = if self.rules.clean_urls { path.page()? } else { return None };
        match self.root.find(&name) {
            Ok(Found::File(file, stamp)) => Some((name, (file, stamp))),
            _ => None,
        }
    }

    /// True if a page is known by an address without its extension, which leads to it and to nothing else.
    fn has_short_address(&self, path: &SitePath) -> bool {
        let Some(short) = path.without_extension() else { return false };
        let is_free = short.is_folder()
            || match self.root.find(&short.file()) {
                Ok(Found::File(..)) => false,
                Ok(Found::Folder(_)) => !self.is_file(&short.index()),
                Err(_) => true,
            };
        is_free && self.is_file(&path.file())
    }

    /// The folder at `path`, which is at `below` beneath the root and has no index.
    fn list(&self, path: SitePath, below: &SitePath) -> Result<Resource, Refused> {
        if !self.rules.listing {
            return Err(refusals::of(OpenError::NotFound));
        }
        let shows_dotfiles = self.rules.dotfiles == Dotfiles::Allow;
        // A name with a backslash is not served either.
        let wants = |name: &[u8]| (shows_dotfiles || !name.starts_with(b".")) && !name.contains(&b'\\');
        let folder = below.segments();
        let content = self.root.read_folder(folder, LISTED_MAX, wants).map_err(refusals::of)?;
        let depth = folder.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).count();
        Ok(Resource::Folder { path, depth, content })
    }

    /// Describes a file that was just opened, and keeps it under `key`; or finds that it is still `old`.
    fn load(
        &self,
        key: &str,
        name: &[u8],
        (file, stamp): (File, Stamp),
        old: Option<&Arc<CachedFile>>,
        now: &Now,
    ) -> Result<Resource, Refused> {
        let sidecars = self.find_sidecars(name, &stamp);
        let is_same = |old: &&Arc<CachedFile>| {
            old.is_unchanged(&stamp)
                && old.sidecars().len() == sidecars.len()
                && old
                    .sidecars()
                    .iter()
                    .zip(&sidecars)
                    .all(|((coding, old), (found, _, stamp))| coding == found && old.is_unchanged(stamp))
        };
        if let Some(old) = old.filter(is_same) {
            return Ok(Resource::File(old.clone()));
        }
        let type_of = |start: &dyn Fn() -> Vec<u8>| match self.mirror {
            true => mirror::content_type(name).into(),
            false => mime::of(name, &self.rules.types, start),
        };
        let lines = self.lines_for(name);
        let file = CachedFile::load(file, stamp, type_of, now).map_err(|_| UNREADABLE)?.with_lines(&lines);
        let content_type = file.content_type().to_owned();
        // A file that is encoded itself is sent as it is.
        let is_plain = file.content_encoding().is_none();
        let loaded = sidecars.into_iter().filter(|_| is_plain).filter_map(|(coding, opened, stamp)| {
            let sidecar = CachedFile::load(opened, stamp, |_| mime::UNKNOWN.into(), now).ok()?;
            Some((coding, Arc::new(sidecar.encoded(coding, &content_type).with_lines(&lines))))
        });
        let loaded = loaded.collect();
        let file = Arc::new(file.with_sidecars(loaded));
        if self.caches {
            self.cache.insert(key, &file, now);
        }
        Ok(Resource::File(file))
    }

    /// The sidecars of a file with this stamp. One that is older than its file holds what the file was before, and
    /// is not used. Whole seconds are compared, because tools that give a sidecar the time of its file, as `brotli`
    /// and `tar` do, may cut it to that.
    fn find_sidecars(&self, name: &[u8], stamp: &Stamp) -> Vec<(Coding, File, Stamp)> {
        let is_sidecar = Coding::ALL.iter().any(|coding| name.ends_with(coding.extension().as_bytes()));
        if !self.rules.precompressed || is_sidecar {
            return Vec::new();
        }
        let find = |coding: Coding| match self.root.find(&[name, coding.extension().as_bytes()].concat()) {
            Ok(Found::File(file, found)) if found.modified.0 >= stamp.modified.0 => {
                Some((coding, file, found))
            }
            Ok(Found::File(..)) => {
                let name = String::from_utf8_lossy(name);
                log::debug!("{name}{} is older than {name}, and is not sent", coding.extension());
                None
            }
            _ => None,
        };
        Coding::ALL.into_iter().filter_map(find).collect()
    }

    /// The field lines that the rules give to a file.
    fn lines_for(&self, name: &[u8]) -> String {
        let mut lines = String::new();
        if self.rules.precompressed {
            // Also without a sidecar: there may be one soon.
            lines.push_str("Vary: Accept-Encoding\r\n");
        }
        if let Some(value) = self.rules.cache_control_for(name) {
            lines.push_str(&format!("Cache-Control: {value}\r\n"));
        }
        lines
    }
}

fn redirect(to: &SitePath, query: &str) -> Result<Resource, Refused> {
    Ok(Resource::Page(Response::redirect(301, to.location(query)?)))
}
