//! A site: the pages and files of a web server, and the response to each request for them.
//!
//! Contract: [`Site`] is given a whole request head and the time, and returns a response. It uses
//! no socket and no clock, opens files only beneath its root, and is shared by all threads. For a fixed
//! page or a file in memory it neither allocates nor makes a system call; for a file that is held open it
//! makes one, so that what it says of the file is so.
//!
//! Each file uses only files above it:
//!
//! | file | owns |
//! |---|---|
//! | `limits` | the bounds |
//! | `texts` | the fixed texts of the course's servers |
//! | `refusals` | the errors, each with its status, its sentence and its cause |
//! | `kind` | the kinds of sites |
//! | `pattern` | patterns of file names |
//! | `rules` | how a folder is served: what the flags of a site ask for |
//! | `mime` | content types, charsets, and what is compressed |
//! | `negotiate` | `Accept` and `Accept-Encoding` |
//! | `path` | from a request target to a path below the root |
//! | `range` | `Range`: one part of a file, or several |
//! | `conditional` | `If-...` |
//! | `cached_file` | one file with its header fields |
//! | `cache` | the files that were used recently |
//! | `multipart` | several parts of a file in one body |
//! | `filler` | generated bodies of any length |
//! | `mirror` | response heads in the format of the course's Python |
//! | `response` | a response before it is bytes, and its head in our format |
//! | `pages` | the fixed responses |
//! | `test_response` | responses as the query of a request asks for them |
//! | `listing` | what a folder holds, as a page and as JSON |
//! | `files` | what a path names: a file, a folder, a redirect |
//! | `site` | which of these a request gets |

mod cache;
mod cached_file;
mod conditional;
mod files;
mod filler;
mod kind;
pub(crate) mod limits;
mod listing;
mod mime;
mod mirror;
mod multipart;
mod negotiate;
mod pages;
mod path;
mod pattern;
mod range;
mod refusals;
mod response;
pub(crate) mod rules;
#[expect(clippy::module_inception, reason = "it owns the type that the room is named after")]
mod site;
mod test_response;
mod texts;

pub use kind::SiteKind;
pub use site::Site;

#[cfg(test)]
mod tests;
