//! The flags of a static server's site: which folder, and how it is served.
//!
//! Contract: what the flags say becomes [`Rules`] and nothing else; the site judges the values.

use std::path::{Path, PathBuf};

use clap::Args;

use super::values::{Cache, Dotfiles, Symlinks};
use crate::app::defaults;
use crate::site::rules::{CacheControl, ErrorPage, ExtraField, Origin, OwnFile, Rules, TypeOf};

/// Flags that have no meaning with `--mirror`: the Python had none of this.
const NOT_IN_MIRROR: [&str; 10] = [
    "no_course_pages",
    "listing",
    "spa",
    "error_page",
    "clean_urls",
    "precompressed",
    "cache_control",
    "header",
    "cors",
    "mime",
];

/// Whose pages a static server sends: the flags that say so, and those of the folder.
pub trait SiteGroup: Args {
    /// The flags of the folder.
    fn folder(&self) -> &FolderFlags;
    /// Where it is.
    fn root(&self) -> &Path {
        &self.folder().root
    }
    /// The course's fixed pages stand before the files.
    fn has_course_pages(&self) -> bool;
    /// Everything is answered as the course's Python did.
    fn is_mirror(&self) -> bool;
}

/// The site of the course's roles: its pages, and the files of a folder.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Site")]
pub struct CourseSite {
    #[command(flatten)]
    folder: FolderFlags,
    /// Answer byte for byte as the course's Python does
    #[arg(long, conflicts_with_all = NOT_IN_MIRROR)]
    mirror: bool,
    /// Serve the folder and nothing else: index.html at /, no fixed pages, 405 for POST
    #[arg(long)]
    no_course_pages: bool,
}

impl SiteGroup for CourseSite {
    fn folder(&self) -> &FolderFlags {
        &self.folder
    }

    fn has_course_pages(&self) -> bool {
        !self.no_course_pages
    }

    fn is_mirror(&self) -> bool {
        self.mirror
    }
}

/// A folder and nothing else.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Site")]
pub(crate) struct PlainFolder {
    /// Folder of the site [default: this folder]; the same as --root
    // The configuration file knows it by this id.
    #[arg(value_name = "DIR", conflicts_with = "root", help_heading = None::<&str>)]
    root_word: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderFlags,
}

impl SiteGroup for PlainFolder {
    fn folder(&self) -> &FolderFlags {
        &self.folder
    }

    fn root(&self) -> &Path {
        self.root_word.as_ref().unwrap_or(&self.folder.root)
    }

    fn has_course_pages(&self) -> bool {
        false
    }

    fn is_mirror(&self) -> bool {
        false
    }
}

/// How a folder is served.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Site")]
pub struct FolderFlags {
    /// Folder of the site
    #[arg(long, value_name = "DIR", default_value = defaults::ROOT)]
    pub(crate) root: PathBuf,
    /// Keep files for a second before they are looked at again
    #[arg(long, value_enum, default_value_t = Cache::On)]
    pub(crate) cache: Cache,
    /// List folders that have no index.html: as a page, or as JSON for Accept: application/json
    #[arg(long)]
    pub(crate) listing: bool,
    /// File that is sent, with 200, for paths that name nothing: the page of an application that shows all of its paths by itself. A path with an extension gets it only if the request names text/html
    #[arg(long, value_name = "FILE")]
    pub(crate) spa: Option<OwnFile>,
    /// File that is the body of errors with this status, such as 404=404.html; repeatable
    #[arg(long, value_name = "STATUS=FILE")]
    pub(crate) error_page: Vec<ErrorPage>,
    /// Serve about.html at /about, and redirect /about.html there
    #[arg(long)]
    pub(crate) clean_urls: bool,
    /// Send FILE.br, FILE.zst or FILE.gz in the place of FILE to clients that accept it, unless it is older than FILE
    #[arg(long)]
    pub(crate) precompressed: bool,
    /// `Cache-Control` by the names of files.
    // The brackets and the address of these two help texts mean something else in a doc comment.
    #[arg(
        long,
        value_name = "PATTERN=VALUE",
        help = "Cache-Control of files whose names fit, such as '*.html=no-cache'; '*.[hash].*=immutable' is for names with a hash; the first that fits counts; repeatable"
    )]
    pub(crate) cache_control: Vec<CacheControl>,
    /// Field that every response gets, such as 'X-Frame-Options: DENY'; repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<ExtraField>,
    /// Whose pages may read what is served.
    #[arg(
        long,
        value_name = "ORIGIN",
        help = "Let scripts on pages of this origin, such as https://app.example.org, or of all (*) read what is served"
    )]
    pub(crate) cors: Option<Origin>,
    /// Content type of an extension, sent as it is written, such as 'md=text/plain; charset=iso-8859-1'; repeatable
    #[arg(long, value_name = "EXT=TYPE")]
    pub(crate) mime: Vec<TypeOf>,
    /// Symbolic links that are followed; one that is not is as if it were not there
    #[arg(long, value_enum, default_value_t = Symlinks::Inside)]
    pub(crate) symlinks: Symlinks,
    /// What becomes of names that begin with a dot; /.well-known/ is always served
    #[arg(long, value_enum, default_value_t = Dotfiles::Hide)]
    pub(crate) dotfiles: Dotfiles,
}

impl FolderFlags {
    /// True if the site keeps files.
    pub(crate) fn caches(&self) -> bool {
        self.cache == Cache::On
    }

    /// How the folder is served, with the course's pages or without.
    pub(crate) fn rules(&self, course_pages: bool) -> Rules {
        Rules {
            course_pages,
            listing: self.listing,
            spa: self.spa.clone(),
            error_pages: self.error_page.clone(),
            clean_urls: self.clean_urls,
            precompressed: self.precompressed,
            cache_control: self.cache_control.clone(),
            extra_fields: self.header.clone(),
            cors: self.cors.clone(),
            types: self.mime.clone(),
            dotfiles: self.dotfiles.into(),
            links: self.symlinks.into(),
        }
    }
}
