//! The site: finds out what a request is for and makes the response.
//!
//! Contract: the method decides first, then the fixed pages, then the files. What is refused gets the error page
//! of its status, if there is one; and every response has the fields that the rules give to all.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cached_file::CachedFile;
use super::conditional::{self, Decision};
use super::files::{Files, Resource};
use super::kind::SiteKind;
use super::listing::Listing;
use super::multipart::Multipart;
use super::negotiate;
use super::path::{self, SitePath, WELL_KNOWN};
use super::range::Selection;
use super::refusals::{
    METHOD_NOT_ALLOWED, METHOD_UNKNOWN, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE, Refused,
};
use super::response::{Content, ContentRange, Length, Response};
use super::rules::{OwnFile, Rules};
use super::{pages, test_response};
use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{Method, Refusal};
use crate::protocol::now::Now;
use crate::protocol::transport::https_status;
use crate::protocol::web;

/// What a page of another origin may do: these methods, with any fields, and it need not ask again for a day.
const PREFLIGHT: &str = "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n\
                         Access-Control-Allow-Headers: *\r\nAccess-Control-Max-Age: 86400\r\n";

/// The pages and files of one web server.
#[derive(Debug)]
pub struct Site {
    pub(super) files: Files,
    /// Fields of all responses, each a line with its end.
    extra_lines: Option<Arc<str>>,
}

impl Site {
    /// Opens the site in the folder `root`. The error names the folder that cannot be opened.
    pub fn open(kind: SiteKind, root: &Path) -> io::Result<Site> {
        Ok(Site { files: Files::open(kind, root)?, extra_lines: None })
    }

    /// The same site in the wire format of the course's Python.
    #[must_use]
    pub fn with_mirror(mut self) -> Site {
        self.files.mirror = true;
        self
    }

    /// The same site without a cache: each request gets the file as it is on the disk at that moment.
    #[must_use]
    pub fn without_cache(mut self) -> Site {
        self.files.caches = false;
        self
    }

    /// The same site by these rules. Files that they name and that are not there are told in the log: there may be
    /// some later.
    ///
    /// Errors: rules that cannot be kept.
    pub(crate) fn with_rules(self, rules: Rules) -> Result<Site, String> {
        let extra_lines = rules.extra_lines()?;
        Ok(Site { files: self.files.with_rules(rules), extra_lines })
    }

    /// Looks for the files that the rules name, and tells the log which of them are missing.
    pub(crate) fn tell_missing_files(&self, now: &Now) {
        let rules = &self.files.rules;
        let pages = rules.error_pages.iter().map(|page| ("--error-page", &page.file));
        for (flag, file) in pages.chain(rules.spa.iter().map(|file| ("--spa", file))) {
            if self.files.own(file, now).is_err() {
                let path = file.path();
                log::warn!(
                    "{flag}: there is no file {path} in the site; until there is one, errors stay plain"
                );
            }
        }
    }

    /// Looks after what is kept between requests: uses another folder that is in the place of the root now,
    /// and closes files that nobody asks for. To be called once per
    /// [`TIDY_INTERVAL`](super::limits::TIDY_INTERVAL).
    pub(crate) fn tidy(&self, now: &Now) {
        self.files.tidy(now);
    }

    /// The response with its body, also to a HEAD.
    fn response(&self, head: &RequestHead<'_>, now: &Now) -> Response {
        let (path, query) = path::split(head.path_and_query());
        match head.method {
            Method::Get | Method::Head | Method::Post => {}
            Method::Options => return self.options(head),
            Method::Other => return Response::refusal(METHOD_UNKNOWN),
            _ => return self.method_refused(),
        }
        // The Python ignored the query, so its mirror has no test responses.
        let may_be_test =
            self.files.kind == SiteKind::Backend && path == "/" && !query.is_empty() && !self.files.mirror;
        if may_be_test && let Some(response) = test_response::respond(query, head.version) {
            return response;
        }
        if head.method == Method::Post {
            return if self.files.rules.course_pages { pages::post() } else { self.method_refused() };
        }
        let name = path.strip_prefix('/').unwrap_or(path);
        if let Some(page) = self.files.page(name.as_bytes()) {
            return page;
        }
        match self.files.find(path, query, now) {
            Ok(Resource::File(file)) => self.file_response(file, head, now),
            Ok(Resource::Page(page)) => page,
            Ok(Resource::Folder { path, depth, content }) => {
                let listing = Listing::new(&path, depth, content, query);
                let is_json = negotiate::prefers_json(|| head.fields.all("accept"));
                if is_json { listing.json() } else { listing.page() }
            }
            Err(refused) => match self.fallback(path, refused, head).map(|file| self.files.own(file, now)) {
                Some(Ok(file)) => self.file_response(file, head, now),
                _ => Response::refusal(refused),
            },
        }
    }

    fn options(&self, head: &RequestHead<'_>) -> Response {
        let rules = &self.files.rules;
        let is_preflight =
            head.fields.first("access-control-request-method").is_some() && rules.cors.is_some();
        let lines = if is_preflight { PREFLIGHT } else { "" };
        Response { allow: Some(rules.allow()), lines, ..Response::no_content() }
    }

    fn method_refused(&self) -> Response {
        Response { allow: Some(self.files.rules.allow()), ..Response::refusal(METHOD_NOT_ALLOWED) }
    }

    /// The page of an application that shows all paths by itself, for a path that names nothing. A path with an
    /// extension gets it only if the request names HTML, as a browser does that opens a page: a script or picture
    /// that is missing must not become one. `.well-known` is for programs.
    fn fallback(&self, path: &str, refused: Refused, head: &RequestHead<'_>) -> Option<&OwnFile> {
        let rules = &self.files.rules;
        let page = rules.spa.as_ref().filter(|_| refused.refusal.status == 404)?;
        let path = SitePath::parse(path, rules.dotfiles).ok()?;
        let is_page = !path.has_extension() || negotiate::names_html(head.fields.all("accept"));
        (is_page && !path.segments().starts_with(WELL_KNOWN)).then_some(page)
    }

    /// The response to a request for a file: the file, or a sidecar of it, or a part of the one that is chosen, or
    /// what its conditions lead to.
    fn file_response(&self, file: Arc<CachedFile>, head: &RequestHead<'_>, now: &Now) -> Response {
        let file = match file.sidecars() {
            [] => file,
            sidecars => {
                let available = sidecars.iter().map(|(coding, sidecar)| (*coding, sidecar.size()));
                match negotiate::choose(|| head.fields.all("accept-encoding"), available) {
                    Some(place) => Arc::clone(&sidecars[place].1),
                    None => file,
                }
            }
        };
        let whole = file.size();
        // The Python knew neither conditions nor ranges.
        let decision = match self.files.mirror {
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
            Decision::Send(Selection::Parts(ranges)) => {
                let parts = Content::Multipart(Box::new(Multipart::new(file.clone(), ranges)));
                Response { file: Some(file), ..Response::new(206, parts) }
            }
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

    /// Gives a refusal the error page of its status as its body, if there is one that can be read.
    fn add_error_page(&self, refusal: &mut Response, now: &Now) {
        let page = self.files.rules.error_page(refusal.status).map(|page| self.files.own(page, now));
        let Some(Ok(page)) = page else { return };
        let length = page.size();
        refusal.body = part(Arc::clone(&page), 0, length);
        refusal.length = Length::Known(length);
        refusal.file = Some(page);
    }

    /// Puts a response into the format of this site. (In its place: a response is large to be moved about.)
    fn format(&self, response: &mut Response) {
        response.extra_lines.clone_from(&self.extra_lines);
        if self.files.mirror {
            response.mirror();
        }
    }
}

impl web::Site for Site {
    type Response = Response;

    fn respond(&self, head: &RequestHead<'_>, now: &Now) -> Response {
        let mut response = self.response(head, now);
        if response.cause.is_some() {
            self.add_error_page(&mut response, now);
        }
        self.format(&mut response);
        if head.method == Method::Head {
            response.drop_body();
        }
        response
    }

    fn redirect(&self, head: &RequestHead<'_>, location: String) -> Response {
        let extra_lines = self.extra_lines.clone();
        Response { extra_lines, ..Response::redirect(https_status(head.method), location) }
    }

    /// The connection is closed, because after a head that was refused it is not certain where the
    /// next request begins. No error page is looked for: it may be the lack of descriptors that is told here.
    fn refuse(&self, refusal: Refusal) -> Response {
        let mut response = Response { close: true, ..Response::refusal(refusal) };
        self.format(&mut response);
        response
    }

    /// Never in the Python's format: it has no word for what such a client must be told.
    fn decline(&self, head: &RequestHead<'_>, refusal: Refusal) -> Response {
        let extra_lines = self.extra_lines.clone();
        let mut response = Response { extra_lines, ..Response::refusal(refusal) };
        if head.method == Method::Head {
            response.drop_body();
        }
        response
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
