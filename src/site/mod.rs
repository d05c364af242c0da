//! A site: the pages and files of one role, and what it answers to a request.
//!
//! Contract: [`Site::answer`] is given a whole request head and the time, and gives back an
//! [`Response`]; it knows no socket and no clock. It opens files beneath its root and nothing else,
//! and is shared by all threads. For a fixed page or a cached file it neither allocates nor asks the
//! kernel anything.
//!
//! | file | owns |
//! |---|---|
//! | `path` | from a target to a place below the root, or a refusal |
//! | `files` | opening what is there, beneath the root only |
//! | `cache` | files as they were a moment ago |
//! | `conditional` | `If-...` and `Range` |
//! | `mime` | content types |
//! | `pages`, `trial` | answers without a file: fixed ones, and to order |
//! | `answer`, `mirror` | an answer as a head, in our form and in the Python's |

mod cache;
mod conditional;
mod files;
pub mod limits;
mod mime;
mod mirror;
mod pages;
mod path;
mod response;
mod trial;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use cache::CachedFile;
pub use response::{Content, ContentRange, Length, Response};
pub use trial::Filler;

use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{Method, Refusal};
use crate::protocol::now::Now;
use crate::protocol::web;
use cache::{Cache, Hit};
use conditional::Verdict;
use files::{Found, Root};
use pages::NOTHING_HERE;
use path::Place;

/// Which server of the course a site is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The default server: fixed pages, and all files of the root.
    Default,
    /// The image server: files of `images` in the root, under `/images/`.
    Image,
    /// The PDF server: files of `pdf` in the root, under `/pdf/`.
    Pdf,
    /// A back end for the balancers: the default site, and test answers at `/?...`.
    Generic,
}

impl Role {
    /// The one folder of the root that the role shows, which is also the first segment of its paths.
    fn folder(self) -> Option<&'static str> {
        match self {
            Role::Default | Role::Generic => None,
            Role::Image => Some("images"),
            Role::Pdf => Some("pdf"),
        }
    }
}

/// The pages and files of one role.
#[derive(Debug)]
pub struct Site {
    role: Role,
    root: Root,
    cache: Cache,
    mirror: bool,
}

/// What a path leads to when it is no fixed page.
enum Target {
    File(Arc<CachedFile>),
    Page(Response),
}

impl Site {
    /// Opens the site in the folder `root`; an error names the folder that cannot be opened.
    pub fn open(role: Role, root: &Path) -> io::Result<Site> {
        let root = match role.folder() {
            // Opened as a root of its own: not even a link within the site leads out of it.
            Some(folder) => Root::open(&root.join(folder))?,
            None => Root::open(root)?,
        };
        Ok(Site { role, root, cache: Cache::default(), mirror: false })
    }

    /// The same site in the wire format of the course's Python.
    #[must_use]
    pub fn with_mirror(self) -> Site {
        Site { mirror: true, ..self }
    }

    /// True if the site answers in the Python's format.
    pub fn is_mirror(&self) -> bool {
        self.mirror
    }

    /// The answer to any method, as if it were a GET where it is a HEAD.
    fn unmasked(&self, head: &RequestHead<'_>, now: &Now) -> Response {
        let (path, query) = path::split(head.path_and_query());
        match head.method {
            Method::Get | Method::Head | Method::Post => {}
            Method::Options => return pages::options(),
            Method::Other => {
                return Response::refusal(Refusal::new(501, "This method is not known here."));
            }
            _ => return Response::refusal(Refusal::new(405, "This method is not allowed here.")),
        }
        // The Python looked at no query, so its mirror gives no test answers.
        let is_trial = self.role == Role::Generic && path == "/" && !query.is_empty() && !self.mirror;
        if is_trial && let Some(response) = trial::response(query, head.version) {
            return response;
        }
        if head.method == Method::Post {
            return pages::empty();
        }
        let name = path.strip_prefix('/').unwrap_or(path);
        if let Some(page) = pages::find(self.role, name.as_bytes()) {
            return page;
        }
        match self.target(path, now) {
            Ok(Target::File(file)) => self.send(file, head, now),
            Ok(Target::Page(page)) => page,
            Err(refusal) => Response::refusal(refusal),
        }
    }

    /// What a path leads to: from the cache, or from the disk where that has nothing or is old.
    fn target(&self, path: &str, now: &Now) -> Result<Target, Refusal> {
        let old = match self.cache.find(path, now) {
            Some(Hit::Fresh(file)) => return Ok(Target::File(file)),
            Some(Hit::Due(file)) => Some(file),
            None => None,
        };
        match (self.open_target(path, old.as_ref(), now), old) {
            // No descriptor left to look again with: what was right a second ago is the better answer.
            (Err(refusal), Some(old)) if refusal.status == 503 => Ok(Target::File(old)),
            (target @ (Err(_) | Ok(Target::Page(_))), Some(_)) => {
                self.cache.forget(path);
                target
            }
            (target, _) => target,
        }
    }

    /// What a path leads to on the disk. `old` is what it led to when it was last looked at: it is
    /// opened all the same, because only a path that is resolved anew is known to be still beneath the root.
    fn open_target(&self, path: &str, old: Option<&Arc<CachedFile>>, now: &Now) -> Result<Target, Refusal> {
        let place = Place::parse(path)?;
        // The same page under another spelling, such as `//` or `/%76ideo`.
        if let Some(page) = pages::find(self.role, &place.name()) {
            return Ok(Target::Page(page));
        }
        let address = place.folder_address();
        let place = match self.role.folder() {
            Some(folder) => place.below(folder)?,
            None => place,
        };
        let name = place.file();
        let (file, stamp) = match self.root.find(&name)? {
            Found::File(file, stamp) => (file, stamp),
            // A folder without its slash: links in its index would lead elsewhere, so the client is
            // sent to the address with one. Without an index there is nothing to be sent to.
            Found::Folder => {
                return match self.root.find(&place.index())? {
                    Found::File(..) => Ok(Target::Page(Response::redirect(301, address))),
                    Found::Folder => Err(NOTHING_HERE),
                };
            }
        };
        if let Some(old) = old.filter(|old| old.is_still(&stamp)) {
            return Ok(Target::File(old.clone()));
        }
        let content_type = if self.mirror { mirror::content_type(&name) } else { mime::of(&name) };
        let loaded = CachedFile::load(file, stamp, content_type, now);
        let file = Arc::new(loaded.map_err(|_| Refusal::new(500, "This file cannot be read."))?);
        self.cache.keep(path, &file, now);
        Ok(Target::File(file))
    }

    /// Answers with a file, or with what the request's conditions make of it.
    fn send(&self, file: Arc<CachedFile>, head: &RequestHead<'_>, now: &Now) -> Response {
        let whole = file.size();
        // The Python sent everything each time.
        let verdict = match self.mirror {
            true => Verdict::Whole,
            false => conditional::judge(head, file.validators(), now),
        };
        match verdict {
            Verdict::Whole => {
                Response { file: Some(file.clone()), ..Response::new(200, part(file, 0, whole)) }
            }
            Verdict::Part(range) => Response {
                file: Some(file.clone()),
                content_range: Some(ContentRange::Part { first: range.start, last: range.end - 1, whole }),
                ..Response::new(206, part(file, range.start, range.end - range.start))
            },
            Verdict::NotModified => {
                Response { file: Some(file), length: Length::None, ..Response::new(304, Content::Empty) }
            }
            Verdict::Failed => {
                Response::refusal(Refusal::new(412, "The file is not in the state that was asked for."))
            }
            Verdict::Unsatisfiable => Response {
                content_range: Some(ContentRange::Unsatisfiable { whole }),
                ..Response::refusal(Refusal::new(416, "The range begins after the end of the file."))
            },
        }
    }
}

impl web::Site for Site {
    type Response = Response;

    /// Answers one request whose head is complete.
    fn respond(&self, head: &RequestHead<'_>, now: &Now) -> Response {
        let response = self.unmasked(head, now);
        let response = if self.mirror { mirror::mirrored(response) } else { response };
        match head.method {
            Method::Head => response.without_body(),
            _ => response,
        }
    }

    /// A refusal as an answer: one plain sentence, and the end of the connection, since what else
    /// comes on it may not be a request. Where it may be, use [`Response::refusal`].
    fn refuse(&self, refusal: Refusal) -> Response {
        let response = Response { close: true, ..Response::refusal(refusal) };
        if self.mirror { mirror::mirrored(response) } else { response }
    }
}

/// A part of a file as a body, from memory or from the open file.
fn part(file: Arc<CachedFile>, offset: u64, length: u64) -> Content {
    match file.file() {
        Some(open) => Content::File { file: open.clone(), offset, length },
        // The casts are whole: these bytes are in memory.
        None => Content::Cached { range: offset as usize..(offset + length) as usize, file },
    }
}

#[cfg(test)]
mod tests;
