//! The fixed texts of the course's servers, exactly as its Python sends them.

/// `GET /` of the default site.
pub(super) const HOME: &str = "Ini Adalah web Server percobaan";

/// `GET /images/` of the image server.
pub(super) const IMAGES: &str = "Ini Adalah web Server percobaan untuk images";

/// `GET /pdf/` of the PDF server.
pub(super) const PDF: &str = "Ini Adalah web Server percobaan untuk pdf";

/// `GET /santai`.
pub(super) const SANTAI: &str = "santai saja";

/// Where `GET /video` redirects to.
pub(super) const VIDEO: &str = "https://youtu.be/katoxpnTf04";

/// Any POST.
pub(super) const EMPTY: &str = "kosong";
