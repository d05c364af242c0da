//! Pages: the fixed responses of each kind of site, which need no file.
//!
//! They are looked up by name before any file is, which costs a few comparisons of short texts.

use super::kind::SiteKind;
use super::refusals::Refused;
use super::response::Response;
use super::texts;

/// The page with this name, which is the path without its first slash.
pub(super) fn find(kind: SiteKind, name: &[u8]) -> Option<Response> {
    let has_course_pages = matches!(kind, SiteKind::Default | SiteKind::Backend);
    match (kind, name) {
        (_, b"") if has_course_pages => Some(Response::text(200, texts::HOME)),
        // At `/` too: a client that comes directly, and not through the proxy, then sees which server it is.
        (SiteKind::Image, b"" | b"images" | b"images/") => Some(Response::text(200, texts::IMAGES)),
        (SiteKind::Pdf, b"" | b"pdf" | b"pdf/") => Some(Response::text(200, texts::PDF)),
        (_, b"video") if has_course_pages => Some(Response::redirect(302, texts::VIDEO)),
        (_, b"santai") if has_course_pages => Some(Response::text(200, texts::SANTAI)),
        // Browsers request it with every page, so it is worth a response without a look at the disk.
        (_, b"favicon.ico") => Some(Response::refusal(Refused::nothing_here("not looked for"))),
        _ => None,
    }
}

/// The response to any POST.
pub(super) fn post() -> Response {
    Response::text(200, texts::EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_site_has_its_pages() {
        use SiteKind::*;
        let found = |kind, name: &str| {
            find(kind, name.as_bytes()).map(|response| (response.status, response.body.length()))
        };
        for kind in [Default, Backend] {
            assert_eq!(found(kind, ""), Some((200, 31)));
            assert_eq!(found(kind, "video"), Some((302, 0)));
            assert_eq!(found(kind, "santai"), Some((200, 11)));
            assert_eq!(found(kind, "images/"), None);
        }
        assert_eq!(found(Image, "images/"), Some((200, 44)));
        assert_eq!(found(Image, ""), Some((200, 44)));
        assert_eq!(found(Image, "video"), None);
        assert_eq!(found(Pdf, "pdf/"), Some((200, 41)));
        assert_eq!(found(Pdf, "images/"), None);
        for kind in [Default, Backend, Image, Pdf] {
            assert_eq!(found(kind, "favicon.ico").map(|(status, _)| status), Some(404));
        }
    }
}
