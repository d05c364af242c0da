//! Pages: the fixed answers of each role, which need no file.
//!
//! They are found by name before any file is, and cost no more than a comparison of texts.

use super::Role;
use super::response::Response;
use crate::protocol::http::Refusal;

/// Bytes of [`HOME`]: also what a test answer has when it is not told a size.
pub(super) const HOME_BYTES: u64 = HOME.len() as u64;

/// `GET /`.
pub(super) const HOME: &str = "Ini Adalah web Server percobaan";
const IMAGES: &str = "Ini Adalah web Server percobaan untuk images";
const PDF: &str = "Ini Adalah web Server percobaan untuk pdf";
const VIDEO: &str = "https://youtu.be/katoxpnTf04";

/// No file, no page.
pub(super) const NOTHING_HERE: Refusal = Refusal::new(404, "There is nothing at this address.");

/// The page of this name, which is the path without its first slash.
pub(super) fn find(role: Role, name: &[u8]) -> Option<Response> {
    let is_plain = matches!(role, Role::Default | Role::Generic);
    match (role, name) {
        (Role::Default | Role::Generic, b"") => Some(Response::text(200, HOME)),
        // A server of one kind of file says the same at its own root: whoever asks it directly, and
        // not through the proxy, gets to know where he is.
        (Role::Image, b"" | b"images" | b"images/") => Some(Response::text(200, IMAGES)),
        (Role::Pdf, b"" | b"pdf" | b"pdf/") => Some(Response::text(200, PDF)),
        (_, b"video") if is_plain => Some(Response::redirect(302, VIDEO)),
        (_, b"santai") if is_plain => Some(Response::text(200, "santai saja")),
        // Browsers ask for it each time: answered without a look at the disk.
        (_, b"favicon.ico") => Some(Response::refusal(NOTHING_HERE)),
        _ => None,
    }
}

/// What every POST gets.
pub(super) fn empty() -> Response {
    Response::text(200, "kosong")
}

/// What OPTIONS gets.
pub(super) fn options() -> Response {
    Response { allow: true, ..Response::no_content() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_pages() {
        use Role::*;
        let found = |role, name: &str| {
            find(role, name.as_bytes()).map(|response| (response.status, response.body.length()))
        };
        for role in [Default, Generic] {
            assert_eq!(found(role, ""), Some((200, 31)));
            assert_eq!(found(role, "video"), Some((302, 0)));
            assert_eq!(found(role, "santai"), Some((200, 11)));
            assert_eq!(found(role, "images/"), None);
        }
        assert_eq!(found(Image, "images/"), Some((200, 44)));
        assert_eq!(found(Image, ""), Some((200, 44)));
        assert_eq!(found(Image, "video"), None);
        assert_eq!(found(Pdf, "pdf/"), Some((200, 41)));
        assert_eq!(found(Pdf, "images/"), None);
        for role in [Default, Generic, Image, Pdf] {
            assert_eq!(found(role, "favicon.ico").map(|(status, _)| status), Some(404));
        }
    }
}
