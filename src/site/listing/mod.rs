//! The listing of a folder: as a page for people, or as JSON for programs.
//!
//! Contract: folders come first, then files, each in the order that the query asks for: `sort` is `name`, `size` or
//! `date`, and `order` is `asc` or `desc`. A name is shown as text and never as markup, and a link is relative, so
//! that a proxy in front may serve the folder at another address. The page loads nothing.

mod page;

use chrono::{DateTime, SecondsFormat};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;

use super::path::SitePath;
use super::response::{Content, Response};
use crate::net::beneath::listing::{FolderContent, FolderEntry};

/// Bytes of a name that are not percent-encoded in a link: those that mean nothing in an address.
const NOT_IN_A_LINK: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is sent depends on `Accept`.
const OF_JSON: &str = "Vary: Accept\r\nX-Content-Type-Options: nosniff\r\n";

/// Besides, the page may load nothing: its names are made by whoever may write into the folder.
const OF_PAGE: &str = "Vary: Accept\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; \
                       style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\r\n";

/// A folder that is listed.
#[derive(Debug)]
pub(super) struct Listing<'l> {
    /// Its address.
    path: &'l SitePath,
    /// How many folders are above it within the site.
    depth: usize,
    content: FolderContent,
    order: Order,
}

/// The order of the entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Order {
    by: Column,
    is_descending: bool,
}

/// What entries are sorted by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Column {
    Name,
    Size,
    Date,
}

/// A listing as JSON.
#[derive(Serialize)]
struct Document {
    path: String,
    /// False if only a part of the folder is listed.
    complete: bool,
    entries: Vec<DocumentEntry>,
}

#[derive(Serialize)]
struct DocumentEntry {
    name: String,
    /// What is to be appended to the address of the folder.
    href: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// RFC 3339, in UTC; missing where the date cannot be written so.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

impl<'l> Listing<'l> {
    /// The listing of the folder at `path`, which has `depth` folders above it within the site, in the order that
    /// `query` asks for.
    pub(super) fn new(path: &'l SitePath, depth: usize, content: FolderContent, query: &str) -> Listing<'l> {
        let mut listing = Listing { path, depth, content, order: Order::of(query) };
        listing.sort();
        listing
    }

    fn sort(&mut self) {
        let Order { by, is_descending } = self.order;
        let entries = &mut self.content.entries;
        // By name in any case, so that equally large or old ones have an order.
        entries.sort_by_cached_key(|entry| (shown(entry).to_lowercase(), entry.name.clone()));
        match by {
            Column::Name => {}
            Column::Size => entries.sort_by_key(|entry| if entry.is_folder { 0 } else { entry.size }),
            Column::Date => entries.sort_by_key(|entry| entry.modified),
        }
        if is_descending {
            entries.reverse();
        }
        entries.sort_by_key(|entry| !entry.is_folder);
    }

    /// The response for programs.
    pub(super) fn json(self) -> Response {
        let document = Document {
            path: self.address(),
            complete: self.content.is_complete,
            entries: self.content.entries.iter().map(DocumentEntry::of).collect(),
        };
        // Numbers and texts can always be written.
        let text = serde_json::to_string(&document).unwrap_or_default() + "\n";
        Response {
            content_type: Some("application/json"),
            lines: OF_JSON,
            ..Response::new(200, Content::Text(text))
        }
    }

    /// The response for people.
    pub(super) fn page(self) -> Response {
        let text = page::of(&self).into_string();
        let page = Response::new(200, Content::Text(text));
        Response { content_type: Some("text/html; charset=utf-8"), lines: OF_PAGE, ..page }
    }

    /// The path of the folder, to be read by people.
    fn address(&self) -> String {
        let segments = String::from_utf8_lossy(self.path.segments());
        if segments.is_empty() { "/".to_owned() } else { format!("/{segments}/") }
    }
}

impl Order {
    /// The order that a query asks for; what it does not know is ignored.
    fn of(query: &str) -> Order {
        let mut order = Order { by: Column::Name, is_descending: false };
        for parameter in query.split('&') {
            match parameter {
                "sort=name" => order.by = Column::Name,
                "sort=size" => order.by = Column::Size,
                "sort=date" => order.by = Column::Date,
                "order=asc" => order.is_descending = false,
                "order=desc" => order.is_descending = true,
                _ => {}
            }
        }
        order
    }
}

impl DocumentEntry {
    fn of(entry: &FolderEntry) -> DocumentEntry {
        DocumentEntry {
            name: shown(entry),
            href: href(entry),
            kind: if entry.is_folder { "folder" } else { "file" },
            size: (!entry.is_folder).then_some(entry.size),
            modified: modified(entry).map(|date| date.to_rfc3339_opts(SecondsFormat::Secs, true)),
        }
    }
}

/// The name of an entry as text.
fn shown(entry: &FolderEntry) -> String {
    String::from_utf8_lossy(&entry.name).into_owned()
}

/// A link from the folder to an entry.
fn href(entry: &FolderEntry) -> String {
    let slash = if entry.is_folder { "/" } else { "" };
    format!("{}{slash}", percent_encode(&entry.name, NOT_IN_A_LINK))
}

/// When an entry was last changed.
fn modified(entry: &FolderEntry) -> Option<DateTime<chrono::Utc>> {
    DateTime::from_timestamp(entry.modified, 0)
}

#[cfg(test)]
mod tests;
