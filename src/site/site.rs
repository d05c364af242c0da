//! The site: finds out what a request is for and makes the response.
//!
//! Contract: a fixed page wins over a file of the same name, and the cache over the disk. Every file
//! that is opened is looked up beneath the root anew, also when it is only compared with the cache.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::cache::{Cache, Hit};
use super::cached_file::CachedFile;
use super::conditional::{self, Decision};
use super::kind::SiteKind;
use super::path::{self, SitePath};
use super::range::Selection;
use super::refusals::{
    METHOD_NOT_ALLOWED, METHOD_UNKNOWN, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE, Refused, UNREADABLE,
};
use super::response::{Content, ContentRange, Length, Response};
use super::{mime, mirror, pages, refusals, test_response};
use crate::net::beneath::{Found, Root, RootChange};
use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{Method, Refusal};
use crate::protocol::now::Now;
use crate::protocol::transport::https_status;
use crate::protocol::web;

/// The pages and files of one web server.
#[derive(Debug)]
pub struct Site {
    kind: SiteKind,
    root: Root,
    pub(super) cache: Cache,
    /// Off, the file is opened anew for each request.
    caches: bool,
    mirror: bool,
    /// Held by the thread that tidies.
    tidying: Mutex<()>,
}

/// What a path names when it is not the exact name of a fixed page.
enum Resource {
    File(Arc<CachedFile>),
    Page(Response),
}

impl Site {
    /// Opens the site in the folder `root`. The error names the folder that cannot be opened.
    pub fn open(kind: SiteKind, root: &Path) -> io::Result<Site> {
        let root = match kind.folder() {
            // The folder is a root of its own, so not even a link to elsewhere in `root` is followed.
            Some(folder) => Root::open(&root.join(folder))?,
            None => Root::open(root)?,
        };
        Ok(Site {
            kind,
            root,
            cache: Cache::default(),
            caches: true,
            mirror: false,
            tidying: Mutex::default(),
        })
    }

    /// The same site in the wire format of the course's Python.
    #[must_use]
    pub fn with_mirror(self) -> Site {
        Site { mirror: true, ..self }
    }

    /// The same site without a cache: each request gets the file as it is on the disk at that moment.
    #[must_use]
    pub fn without_cache(self) -> Site {
        Site { caches: false, ..self }
    }

    /// Looks after what is kept between requests: uses another folder that is in the place of the root now,
    /// and closes files that nobody asks for. To be called once per
    /// [`TIDY_INTERVAL`](super::limits::TIDY_INTERVAL).
    pub(crate) fn tidy(&self, now: &Now) {
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

    /// The response with its body, also to a HEAD.
    fn response(&self, head: &RequestHead<'_>, now: &Now) -> Response {
        let (path, query) = path::split(head.path_and_query());
        match head.method {
            Method::Get | Method::Head | Method::Post => {}
            Method::Options => return pages::options(),
            Method::Other => return Response::refusal(METHOD_UNKNOWN),
            _ => return Response::refusal(METHOD_NOT_ALLOWED),
        }
        // The Python ignored the query, so its mirror has no test responses.
        let may_be_test = self.kind == SiteKind::Backend && path == "/" && !query.is_empty() && !self.mirror;
        if may_be_test && let Some(response) = test_response::respond(query, head.version) {
            return response;
        }
        if head.method == Method::Post {
            return pages::post();
        }
        let name = path.strip_prefix('/').unwrap_or(path);
        if let Some(page) = pages::find(self.kind, name.as_bytes()) {
            return page;
        }
        match self.find(path, query, now) {
            Ok(Resource::File(file)) => self.file_response(file, head, now),
            Ok(Resource::Page(page)) => page,
            Err(refused) => Response::refusal(refused),
        }
    }

    /// What a path names: from the cache, or from the disk if the cache has nothing or an old entry.
    fn find(&self, path: &str, query: &str, now: &Now) -> Result<Resource, Refused> {
        let cached = if self.caches { self.cache.get(path, now) } else { None };
        let (old, is_current) = match cached {
            None => return self.find_on_disk(path, query, None, now),
            Some(Hit::Fresh(file)) if file.is_current() => return Ok(Resource::File(file)),
            // An open file that was changed since it was described.
            Some(Hit::Fresh(file)) => (file, false),
            Some(Hit::Stale(file)) => (file, true),
        };
        match self.find_on_disk(path, query, Some(&old), now) {
            // There is no descriptor left to check the file with. What was right a second ago is better
            // than an error.
            Err(refused) if refused.refusal.status == 503 && is_current && old.is_current() => {
                Ok(Resource::File(old))
            }
            found @ (Err(_) | Ok(Resource::Page(_))) => {
                self.cache.remove(path);
                found
            }
            found => found,
        }
    }

    /// What a path names on the disk. `old` is what the cache has for it: the path is looked up all the
    /// same, because only a new lookup shows that it still leads to a file beneath the root. A redirect keeps
    /// `query`.
    fn find_on_disk(
        &self,
        path: &str,
        query: &str,
        old: Option<&Arc<CachedFile>>,
        now: &Now,
    ) -> Result<Resource, Refused> {
        let parsed = SitePath::parse(path)?;
        // A fixed page in another spelling, such as `//` or `/%76ideo`.
        if let Some(page) = pages::find(self.kind, &parsed.name()) {
            return Ok(Resource::Page(page));
        }
        let relative = match self.kind.folder() {
            Some(folder) => parsed.clone().below(folder)?,
            None => parsed.clone(),
        };
        let name = relative.file();
        let (file, stamp) = match self.root.find(&name).map_err(refusals::of)? {
            Found::File(file, stamp) => (file, stamp),
            // A folder without its final slash: relative links in its index would lead elsewhere, so the
            // client is redirected to the path with the slash, if there is an index.
            Found::Folder => {
                return match self.root.find(&relative.index()).map_err(refusals::of)? {
                    Found::File(..) => {
                        Ok(Resource::Page(Response::redirect(301, parsed.folder_location(query)?)))
                    }
                    Found::Folder => Err(Refused::nothing_here("a folder without an index")),
                };
            }
        };
        if let Some(old) = old.filter(|old| old.is_unchanged(&stamp)) {
            return Ok(Resource::File(old.clone()));
        }
        let type_of = |start: &dyn Fn() -> Vec<u8>| match self.mirror {
            true => mirror::content_type(&name).into(),
            false => mime::of(&name, start),
        };
        let file = CachedFile::load(file, stamp, type_of, now).map_err(|_| UNREADABLE)?;
        let file = Arc::new(file);
        if self.caches {
            self.cache.insert(path, &file, now);
        }
        Ok(Resource::File(file))
    }

    /// The response to a request for a file: the file or a part of it, or what its conditions lead to.
    fn file_response(&self, file: Arc<CachedFile>, head: &RequestHead<'_>, now: &Now) -> Response {
        let whole = file.size();
        // The Python knew neither conditions nor ranges.
        let decision = match self.mirror {
            true => Decision::Send(Selection::Whole),
            false => conditional::evaluate(head, file.validators(), now),
        };
        match decision {
            Decision::Send(Selection::Whole) => {
                Response { file: Some(file.clone()), ..Response::new(200, part(file, 0, whole)) }
            }
            Decision::Send(Selection::Part(range)) => Response {
                file: Some(file.clone()),
                content_range: Some(ContentRange::Part { first: range.start, last: range.end - 1, whole }),
                ..Response::new(206, part(file, range.start, range.end - range.start))
            },
            Decision::Send(Selection::Unsatisfiable) => Response {
                content_range: Some(ContentRange::Unsatisfiable { whole }),
                ..Response::refusal(RANGE_NOT_SATISFIABLE)
            },
            Decision::NotModified => {
                Response { file: Some(file), length: Length::None, ..Response::new(304, Content::Empty) }
            }
            Decision::Failed => Response::refusal(PRECONDITION_FAILED),
        }
    }

    /// The response in the format of this site.
    fn formatted(&self, response: Response) -> Response {
        if self.mirror { response.into_mirrored() } else { response }
    }
}

impl web::Site for Site {
    type Response = Response;

    fn respond(&self, head: &RequestHead<'_>, now: &Now) -> Response {
        let response = self.formatted(self.response(head, now));
        match head.method {
            Method::Head => response.without_body(),
            _ => response,
        }
    }

    fn redirect(&self, head: &RequestHead<'_>, location: String) -> Response {
        Response::redirect(https_status(head.method), location)
    }

    /// The connection is closed, because after a head that was refused it is not certain where the
    /// next request begins.
    fn refuse(&self, refusal: Refusal) -> Response {
        self.formatted(Response { close: true, ..Response::refusal(refusal) })
    }

    /// Never in the Python's format: it has no word for what such a client must be told.
    fn decline(&self, head: &RequestHead<'_>, refusal: Refusal) -> Response {
        let response = Response::refusal(refusal);
        if head.method == Method::Head { response.without_body() } else { response }
    }
}

/// A part of a file as a body, from memory or from the open file.
fn part(file: Arc<CachedFile>, offset: u64, length: u64) -> Content {
    match file.open_file() {
        Some(open) => Content::File { file: open.clone(), offset, length },
        // The casts lose nothing: a file in memory has at most CACHED_FILE_BYTES_MAX bytes.
        None => Content::Cached { range: offset as usize..(offset + length) as usize, file },
    }
}
