//! Refusals: the status and the sentence a client gets when it does not get a file.
//!
//! The sentence is the body of the response. It never says what lies outside of the root.

use crate::net::beneath::OpenError;
use crate::protocol::http::Refusal;

/// No file and no page has this address.
pub(super) const NOTHING_HERE: Refusal = Refusal::new(404, "There is nothing at this address.");

/// The method is known and the site does not serve it.
pub(super) const METHOD_NOT_ALLOWED: Refusal = Refusal::new(405, "This method is not allowed here.");

/// The method is not one that we know.
pub(super) const METHOD_UNKNOWN: Refusal = Refusal::new(501, "This method is not known here.");

/// `If-Match` or `If-Unmodified-Since` does not hold.
pub(super) const PRECONDITION_FAILED: Refusal =
    Refusal::new(412, "The file is not in the state that was asked for.");

/// The range starts behind the last byte.
pub(super) const RANGE_NOT_SATISFIABLE: Refusal =
    Refusal::new(416, "The range begins after the end of the file.");

/// The redirect from a folder without its final slash would lead to an address that is refused.
pub(super) const LOCATION_TOO_LONG: Refusal =
    Refusal::new(414, "The address that this one leads to is too long.");

/// The file exists, and reading it fails.
pub(super) const UNREADABLE: Refusal = Refusal::new(500, "This file cannot be read.");

/// The refusal for a file that cannot be opened.
pub(super) fn of(error: OpenError) -> Refusal {
    match error {
        OpenError::NotFound => NOTHING_HERE,
        OpenError::Forbidden => Refusal::new(403, "This file may not be read."),
        OpenError::Busy => Refusal::new(503, "Too many files are open at the moment."),
        OpenError::Broken => UNREADABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_open_error_has_its_status() {
        for (error, expected) in [
            (OpenError::NotFound, 404),
            (OpenError::Forbidden, 403),
            (OpenError::Busy, 503),
            (OpenError::Broken, 500),
        ] {
            assert_eq!(of(error).status, expected, "{error:?}");
        }
    }
}
