//! The two languages the lab speaks. Both texts of a sentence stand side by side where it is said,
//! so that whoever changes one sees the other.

/// English, or the language of the course.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Lang {
    /// English.
    #[default]
    En,
    /// Bahasa Indonesia.
    Id,
}

impl Lang {
    /// The one of two texts that is in this language.
    pub(super) fn pick<T>(self, english: T, indonesian: T) -> T {
        match self {
            Lang::En => english,
            Lang::Id => indonesian,
        }
    }

    /// Its code in HTML's `lang`.
    pub(super) fn code(self) -> &'static str {
        self.pick("en", "id")
    }
}
