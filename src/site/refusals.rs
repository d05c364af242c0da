//! Refusals: the status and the sentence a client gets when it does not get a file, and the cause that the log
//! gets.
//!
//! The sentence is the body of the response. It never says what lies outside of the root, nor whether a file
//! that is not served exists. The cause does, for whoever runs the server.

use crate::net::beneath::OpenError;
use crate::protocol::http::Refusal;

/// A refusal and its cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    /// What the client is told.
    pub(super) refusal: Refusal,
    /// What the log is told.
    pub(super) cause: &'static str,
}

impl Refused {
    /// There is nothing for a client at this address, for this cause.
    pub(super) const fn nothing_here(cause: &'static str) -> Refused {
        Refused { refusal: NOTHING_HERE, cause }
    }
}

impl From<Refusal> for Refused {
    /// A refusal whose sentence says it all.
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, cause: refusal.reason }
    }
}

/// A name that begins with a dot, where that is said.
pub(super) const DOTFILE: Refused =
    Refused { refusal: Refusal::new(403, "This file is not served."), cause: "a dotfile" };

/// No file and no page has this address.
const NOTHING_HERE: Refusal = Refusal::new(404, "There is nothing at this address.");

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
pub(super) fn of(error: OpenError) -> Refused {
    match error {
        OpenError::NotFound => Refused::nothing_here("missing"),
        OpenError::Outside => Refused::nothing_here("a symbolic link that leaves the root"),
        OpenError::Link => Refused::nothing_here("a symbolic link that cannot be followed"),
        OpenError::NotAFile => Refused::nothing_here("not a regular file"),
        OpenError::Forbidden => Refused {
            refusal: Refusal::new(403, "This file may not be read."),
            cause: "no permission to read it",
        },
        OpenError::Busy => Refusal::new(503, "Too many files are open at the moment.").into(),
        OpenError::Broken => UNREADABLE.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_open_error_has_its_status_and_a_cause_of_its_own() {
        let mut causes = Vec::new();
        for (error, expected) in [
            (OpenError::NotFound, 404),
            (OpenError::Outside, 404),
            (OpenError::Link, 404),
            (OpenError::NotAFile, 404),
            (OpenError::Forbidden, 403),
            (OpenError::Busy, 503),
            (OpenError::Broken, 500),
        ] {
            let refused = of(error);
            assert_eq!(refused.refusal.status, expected, "{error:?}");
            assert!(!causes.contains(&refused.cause), "{error:?}");
            causes.push(refused.cause);
        }
    }
}
