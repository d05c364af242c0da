//! The rules of a site: how the files of its folder are served.
//!
//! Contract: [`Rules::default`] is what the course's servers do, with fixed pages and without extras; each rule is
//! on its own. What a user writes is judged here, and an error repeats it and says what would be right.

use std::str::FromStr;
use std::sync::Arc;

use super::limits::{CACHE_CONTROL_BYTES_MAX, EXTRA_FIELDS_BYTES_MAX};
use super::pattern::Pattern;
use crate::net::beneath::Links;
use crate::protocol::http::{is_text_byte, is_token_byte};

/// What `immutable` alone stands for: a year, after which a copy is asked for again at the earliest.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Fields that say what the body of a response is, or where it ends: a second opinion would break it.
const OWN_FIELDS: [&str; 17] = [
    "accept-ranges",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a folder is served.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The course's fixed pages, `kosong` to each POST, and no look at the disk for `/favicon.ico`. Without them
    /// the folder is all that there is.
    pub(crate) course_pages: bool,
    /// A folder without an index is listed.
    pub(crate) listing: bool,
    /// The file that is sent for a path that names nothing, to a client that wants a page.
    pub(crate) spa: Option<OwnFile>,
    /// The files that are sent as the body of errors. Of two for one status the first counts.
    pub(crate) error_pages: Vec<ErrorPage>,
    /// `/about` is the address of `about.html`.
    pub(crate) clean_urls: bool,
    /// Files compressed beforehand, beside those that they are made from, are sent to clients that want them.
    pub(crate) precompressed: bool,
    /// `Cache-Control` by the names of files. The first that fits counts.
    pub(crate) cache_control: Vec<CacheControl>,
    /// Fields that each response has besides.
    pub(crate) extra_fields: Vec<ExtraField>,
    /// Whose pages may read what is served.
    pub(crate) cors: Option<Origin>,
    /// Content types by extension. The first that fits counts.
    pub(crate) types: Vec<TypeOf>,
    /// What becomes of names that begin with a dot.
    pub(crate) dotfiles: Dotfiles,
    /// What becomes of symbolic links.
    pub(crate) links: Links,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            course_pages: true,
            listing: false,
            spa: None,
            error_pages: Vec::new(),
            clean_urls: false,
            precompressed: false,
            cache_control: Vec::new(),
            extra_fields: Vec::new(),
            cors: None,
            types: Vec::new(),
            dotfiles: Dotfiles::Hide,
            links: Links::Inside,
        }
    }
}

/// What becomes of names that begin with a dot, except of `.well-known` at the beginning of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dotfiles {
    /// They are as if they were not there: 404, and in no listing.
    Hide,
    /// 403, and in no listing.
    Deny,
    /// They are served and listed like others.
    Allow,
}

/// A file of the site that is sent in the place of another response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OwnFile(String);

impl OwnFile {
    /// Its path below the root.
    pub(super) fn path(&self) -> &str {
        &self.0
    }
}

impl FromStr for OwnFile {
    type Err = String;

    fn from_str(text: &str) -> Result<OwnFile, String> {
        let path = text.strip_prefix('/').unwrap_or(text);
        let is_odd = |segment: &str| matches!(segment, "" | "." | "..") || segment.contains(['\0', '\\']);
        match path.split('/').any(is_odd) {
            true => Err(format!(
                "{text:?} is no file of the site: write its path below the root, such as 404.html"
            )),
            false => Ok(OwnFile(path.to_owned())),
        }
    }
}

/// A value of `--error-page`: `STATUS=FILE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ErrorPage {
    pub(super) status: u16,
    pub(super) file: OwnFile,
}

impl FromStr for ErrorPage {
    type Err = String;

    fn from_str(text: &str) -> Result<ErrorPage, String> {
        let wanted = "write STATUS=FILE with a status from 400 to 599, such as 404=404.html";
        let wrong = || format!("{text:?} is no error page: {wanted}");
        let (status, file) = text.split_once('=').ok_or_else(wrong)?;
        let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        let status = status.parse().ok().filter(|status| is_status && (400..600).contains(status));
        Ok(ErrorPage { status: status.ok_or_else(wrong)?, file: file.parse()? })
    }
}

/// A value of `--cache-control`: `PATTERN=VALUE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CacheControl {
    pattern: Pattern,
    value: String,
}

impl CacheControl {
    /// The value for the file at `path`, if it is one of those that are meant.
    pub(super) fn value_for(&self, path: &[u8]) -> Option<&str> {
        self.pattern.fits(path).then_some(&self.value)
    }
}

impl FromStr for CacheControl {
    type Err = String;

    fn from_str(text: &str) -> Result<CacheControl, String> {
        let wanted = "write PATTERN=VALUE, such as *.html=no-cache or *.[hash].*=immutable";
        let wrong = |why: &str| format!("{text:?}: {why}; {wanted}");
        let (pattern, value) = text.split_once('=').ok_or_else(|| wrong("there is no equals sign"))?;
        let value = match value.trim() {
            "immutable" => IMMUTABLE,
            value => value,
        };
        if value.is_empty() || value.len() > CACHE_CONTROL_BYTES_MAX || !value.bytes().all(is_text_byte) {
            return Err(wrong("this value cannot be sent"));
        }
        let pattern = pattern.parse().map_err(|error: String| wrong(&error))?;
        Ok(CacheControl { pattern, value: value.to_owned() })
    }
}

/// A value of `--header`: `Name: value`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ExtraField {
    name: String,
    value: String,
}

impl FromStr for ExtraField {
    type Err = String;

    fn from_str(text: &str) -> Result<ExtraField, String> {
        let wrong =
            |why: &str| format!("{text:?}: {why}; write 'Name: value', such as 'X-Frame-Options: DENY'");
        let (name, value) = text.split_once(':').ok_or_else(|| wrong("there is no colon"))?;
        let value = value.trim();
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(wrong("this is no name of a field"));
        }
        if !value.bytes().all(is_text_byte) {
            return Err(wrong("this value cannot be sent"));
        }
        let lower = name.to_ascii_lowercase();
        if OWN_FIELDS.contains(&lower.as_str()) {
            return Err(wrong("this field is written by the server itself"));
        }
        let flag = match lower.as_str() {
            "cache-control" => Some("--cache-control"),
            _ if lower.starts_with("access-control-") => Some("--cors"),
            _ => None,
        };
        match flag {
            Some(flag) => Err(wrong(&format!("{flag} is for that"))),
            None => Ok(ExtraField { name: name.to_owned(), value: value.to_owned() }),
        }
    }
}

/// A value of `--cors`: the origin whose pages may read what is served, or `*` for all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Origin(String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Origin, String> {
        let is_host = |host: &str| {
            let is_odd =
                |c: char| !c.is_ascii_graphic() || "/?#@\\\",*".contains(c) || c.is_ascii_uppercase();
            !host.is_empty() && !host.contains(is_odd)
        };
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match text == "*" || host.is_some_and(is_host) {
            true => Ok(Origin(text.to_owned())),
            false => Err(format!(
                "{text:?} is no origin: write *, or a scheme, a host in lower case and at most a port, \
                 such as https://app.example.org:8443"
            )),
        }
    }
}

/// A value of `--mime`: `EXTENSION=TYPE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TypeOf {
    /// In lower case, without its dot.
    pub(super) extension: String,
    /// Sent as it is written, with the charset that it names or without one.
    pub(super) content_type: String,
}

impl FromStr for TypeOf {
    type Err = String;

    fn from_str(text: &str) -> Result<TypeOf, String> {
        let wrong = || {
            format!("{text:?} is no type: write EXTENSION=TYPE, such as md='text/plain; charset=iso-8859-1'")
        };
        let (extension, content_type) = text.split_once('=').ok_or_else(wrong)?;
        let extension = extension.strip_prefix('.').unwrap_or(extension).to_ascii_lowercase();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_token_byte);
        let is_type = media_type.split_once('/').is_some_and(|(kind, of)| is_token(kind) && is_token(of));
        let is_sendable = content_type.bytes().all(|byte| byte.is_ascii() && is_text_byte(byte));
        if extension.is_empty() || extension.contains(['.', '/']) || !is_type || !is_sendable {
            return Err(wrong());
        }
        Ok(TypeOf { extension, content_type: content_type.trim().to_owned() })
    }
}

impl Rules {
    /// The lines that each response has besides its own; `None` if there are none.
    ///
    /// Errors: they are too long.
    pub(super) fn extra_lines(&self) -> Result<Option<Arc<str>>, String> {
        let mut lines: String =
            self.extra_fields.iter().map(|field| format!("{}: {}\r\n", field.name, field.value)).collect();
        if let Some(Origin(origin)) = &self.cors {
            lines.push_str(&format!(
                "Access-Control-Allow-Origin: {origin}\r\n\
                 Access-Control-Expose-Headers: Accept-Ranges, Content-Encoding, Content-Range, ETag\r\n"
            ));
        }
        match lines.len() {
            0 => Ok(None),
            1..=EXTRA_FIELDS_BYTES_MAX => Ok(Some(lines.into())),
            length => Err(format!(
                "--header: the fields have {length} bytes together; {EXTRA_FIELDS_BYTES_MAX} is the most"
            )),
        }
    }

    /// The value of `Cache-Control` for the file at `path`.
    pub(super) fn cache_control_for(&self, path: &[u8]) -> Option<&str> {
        self.cache_control.iter().find_map(|rule| rule.value_for(path))
    }

    /// The file that is the body of errors with this status.
    pub(super) fn error_page(&self, status: u16) -> Option<&OwnFile> {
        self.error_pages.iter().find(|page| page.status == status).map(|page| &page.file)
    }

    /// The methods that are answered, for `Allow`.
    pub(super) fn allow(&self) -> &'static str {
        if self.course_pages { "GET, HEAD, POST, OPTIONS" } else { "GET, HEAD, OPTIONS" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T: FromStr<Err = String> + std::fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err()
    }

    #[test]
    fn error_pages_have_a_status_and_a_file() {
        let page: ErrorPage = "404=/errors/404.html".parse().unwrap();
        assert_eq!((page.status, page.file.path()), (404, "errors/404.html"));
        for text in
            ["404", "404=", "200=a", "600=a", "+404=a", "4o4=a", "0404=a", "404=../a", "404=a//b", "404=a\\b"]
        {
            let error = error::<ErrorPage>(text);
            assert!(error.contains("such as"), "{text}: {error}");
        }
    }

    #[test]
    fn cache_control_goes_by_the_names_of_files() {
        let rules = |values: &[&str]| Rules {
            cache_control: values.iter().map(|value| value.parse().unwrap()).collect(),
            ..Rules::default()
        };
        let both = rules(&["*.[hash].*=immutable", "*.html= no-cache ", "*=max-age=60"]);
        for (path, expected) in [
            ("assets/app.1a2b3c4d.js", "public, max-age=31536000, immutable"),
            ("docs/index.html", "no-cache"),
            ("a.css", "max-age=60"),
        ] {
            assert_eq!(both.cache_control_for(path.as_bytes()), Some(expected), "{path}");
        }
        assert_eq!(rules(&["*.html=no-cache"]).cache_control_for(b"a.css"), None);
        for text in ["*.html", "=no-cache", "*.html=", "a[b]=x", "*=a\r\nb"] {
            assert!(error::<CacheControl>(text).contains("write PATTERN=VALUE"), "{text}");
        }
    }

    #[test]
    fn extra_fields_are_sound_and_leave_ours_alone() {
        assert!("X-Frame-Options: DENY".parse::<ExtraField>().is_ok());
        assert!("Link:</a>; rel=preload".parse::<ExtraField>().is_ok());
        for (text, words) in [
            ("X-Frame-Options", "there is no colon"),
            ("X Y: z", "no name"),
            (": z", "no name"),
            ("X: a\r\nY: b", "cannot be sent"),
            ("content-length: 5", "the server itself"),
            ("Transfer-Encoding: chunked", "the server itself"),
            ("Cache-Control: no-cache", "--cache-control is for that"),
            ("Access-Control-Allow-Origin: *", "--cors is for that"),
        ] {
            let error = error::<ExtraField>(text);
            assert!(error.contains(words) && error.contains("write 'Name: value'"), "{error}");
        }
        let field: ExtraField = format!("X: {}", "a".repeat(3000)).parse().unwrap();
        let rules = |count| Rules { extra_fields: vec![field.clone(); count], ..Rules::default() };
        assert_eq!(rules(0).extra_lines(), Ok(None));
        assert!(rules(1).extra_lines().unwrap().unwrap().ends_with("a\r\n"));
        assert!(rules(2).extra_lines().unwrap_err().contains("--header: the fields have 6"));
    }

    #[test]
    fn an_origin_has_no_path() {
        for text in ["*", "https://app.example.org", "http://localhost:3000", "http://[::1]:80"] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for text in [
            "",
            "null",
            "app.example.org",
            "https://",
            "https://a/",
            "https://a b",
            "https://*.a",
            "https://A",
        ] {
            assert!(error::<Origin>(text).contains("is no origin"), "{text}");
        }
    }

    #[test]
    fn a_type_is_sent_as_it_is_written() {
        let of: TypeOf = ".MD=text/markdown; charset=iso-8859-1".parse().unwrap();
        assert_eq!(
            (of.extension.as_str(), of.content_type.as_str()),
            ("md", "text/markdown; charset=iso-8859-1")
        );
        for text in
            ["md", "=text/plain", "md=", "md=text", "md=text/", "a/b=text/plain", "md=text/plain\r\nX: y"]
        {
            assert!(error::<TypeOf>(text).contains("write EXTENSION=TYPE"), "{text}");
        }
    }
}
