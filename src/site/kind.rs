//! The kinds of sites: one for each server of the course.

/// Which server of the course a site belongs to: this decides its fixed pages and its files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SiteKind {
    /// The default server: fixed pages, and all files of the root.
    Default,
    /// The image server: the files in the folder `images` of the root, under `/images/`.
    Image,
    /// The PDF server: the files in the folder `pdf` of the root, under `/pdf/`.
    Pdf,
    /// A back end for the balancers: the default site, and test responses at `/?...`.
    Backend,
}

impl SiteKind {
    /// The only folder of the root that is served, if there is one. It is also the first segment of
    /// the paths of its files.
    pub(super) fn folder(self) -> Option<&'static str> {
        match self {
            SiteKind::Default | SiteKind::Backend => None,
            SiteKind::Image => Some("images"),
            SiteKind::Pdf => Some("pdf"),
        }
    }
}
