//! The two languages of the lab, and the catalogue of its texts.
//!
//! Contract: what a report, a table or a lesson says is in `locales/en.ftl` and `locales/id.ftl`
//! ([Fluent](https://projectfluent.org)), not in the code, which asks for it by key with [`text!`]. Both
//! files have the same keys with the same figures, and each key is used: a test reads the sources, and `help` knows
//! its own.

use std::io;
use std::sync::{LazyLock, OnceLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// English, or the language of the course.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Lang {
    /// English.
    #[default]
    En,
    /// Bahasa Indonesia.
    Id,
}

/// The language of errors that arise where nobody knows who reads them, such as in a program's start. There is one
/// reader, so there is one such language in a process; English until it is chosen.
static OF_ERRORS: OnceLock<Lang> = OnceLock::new();

/// The text with this key, its figures filled in: `text!(lang, "report")`, `text!(lang, "resumed", done)`,
/// `text!(lang, "resumed", done = saved.len())`. A figure is an integer or a text: how many decimals it
/// has is decided where it is measured.
macro_rules! text {
    (@value $name:ident) => { $name };
    (@value $name:ident $value:expr) => { $value };
    ($lang:expr, $key:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {{
        #[allow(unused_mut)] // a text without figures
        let mut figures = fluent_bundle::FluentArgs::new();
        $(figures.set(stringify!($name), text!(@value $name $($value)?));)*
        $lang.text($key, &figures)
    }};
}
pub(super) use text;

impl Lang {
    /// Chooses the language of errors. The first choice counts.
    pub(super) fn use_for_errors(self) {
        let _ = OF_ERRORS.set(self); // an error is that it is chosen already
    }

    /// The language of errors.
    pub(super) fn of_errors() -> Lang {
        OF_ERRORS.get().copied().unwrap_or_default()
    }

    /// Its code, as in HTML's `lang`.
    pub(super) fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Id => "id",
        }
    }

    /// The text with this key; callers use [`text!`].
    pub(super) fn text(self, key: &str, figures: &FluentArgs<'_>) -> String {
        let catalogue = self.catalogue();
        let Some(text) = catalogue.get_message(key).and_then(|message| message.value()) else {
            debug_assert!(false, "{} has no text {key}", self.code());
            return key.to_owned();
        };
        let mut errors = Vec::new();
        let text = catalogue.format_pattern(text, Some(&self.figures(figures)), &mut errors);
        debug_assert!(errors.is_empty(), "{key}: {errors:?}");
        // Long texts have several lines in the catalogue and are one paragraph.
        text.replace('\n', " ")
    }

    /// Why the system refused something: in this language where users meet it, else in the system's words.
    pub(super) fn cause(self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::NotFound => text!(self, "cause-not-found"),
            io::ErrorKind::PermissionDenied => text!(self, "cause-not-allowed"),
            io::ErrorKind::AddrInUse => text!(self, "cause-in-use"),
            _ => error.to_string(),
        }
    }

    /// A figure, with its unit if it is percent or milliseconds, as this language writes it.
    pub(super) fn figure(self, figure: &str) -> String {
        let is_number = figure.trim_end_matches(" %").trim_end_matches(" ms").parse::<f64>().is_ok();
        if self == Lang::Id && is_number { figure.replace('.', ",") } else { figure.to_owned() }
    }

    fn figures<'f>(self, figures: &'f FluentArgs<'f>) -> FluentArgs<'f> {
        let written = figures.iter().map(|(name, value)| match value {
            FluentValue::String(figure) => (name, self.figure(figure).into()),
            other => (name, other.clone()),
        });
        written.collect()
    }

    fn catalogue(self) -> &'static FluentBundle<FluentResource> {
        static ENGLISH: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| load(Lang::En));
        static INDONESIAN: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| load(Lang::Id));
        match self {
            Lang::En => &ENGLISH,
            Lang::Id => &INDONESIAN,
        }
    }

    fn source(self) -> &'static str {
        match self {
            Lang::En => include_str!("locales/en.ftl"),
            Lang::Id => include_str!("locales/id.ftl"),
        }
    }
}

fn load(lang: Lang) -> FluentBundle<FluentResource> {
    // What a test has read without an error has none here.
    let resource = FluentResource::try_new(lang.source().to_owned()).unwrap_or_else(|(valid, _)| valid);
    let mut catalogue = FluentBundle::new_concurrent(vec![lang.code().parse().unwrap_or_default()]);
    // Marks around figures that keep right-to-left text apart; a table or a test would see them.
    catalogue.set_use_isolating(false);
    catalogue.add_resource_overriding(resource);
    catalogue
}

/// The parts of a text that lists the columns of a table or the choices of a question: `a | b | c`.
pub(super) fn parts(text: &str) -> Vec<String> {
    text.split(" | ").map(str::to_owned).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// The keys of its texts.
    pub(in crate::lab) fn keys(lang: Lang) -> BTreeSet<String> {
        catalogue(lang).into_keys().collect()
    }

    /// Each key with its figures and the number of its parts.
    fn catalogue(lang: Lang) -> BTreeMap<String, (BTreeSet<String>, usize)> {
        let mut texts = BTreeMap::new();
        let mut key = String::new();
        for line in lang.source().lines().filter(|line| !line.starts_with('#')) {
            let begin = line.split_once(" =").filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase()));
            if let Some((new, _)) = begin {
                key = new.to_owned();
                assert!(texts.insert(key.clone(), (BTreeSet::new(), 1)).is_none(), "{key} is there twice");
            }
            let Some((figures, parts)) = texts.get_mut(&key) else { continue };
            let names = line.split('$').skip(1).map(|rest| rest.split([' ', '}']).next().unwrap().to_owned());
            figures.extend(names);
            *parts += line.matches(" | ").count();
        }
        texts
    }

    fn sources(folder: &Path) -> String {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let text = entries.map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(extension) if extension == "rs" => std::fs::read_to_string(&path).unwrap(),
            _ => String::new(),
        });
        text.collect()
    }

    #[test]
    fn both_catalogues_are_valid_and_have_the_same_texts() {
        for lang in [Lang::En, Lang::Id] {
            if let Err((_, errors)) = FluentResource::try_new(lang.source().to_owned()) {
                panic!("{}: {errors:?}", lang.code());
            }
        }
        let (english, indonesian) = (catalogue(Lang::En), catalogue(Lang::Id));
        let keys = |texts: &BTreeMap<String, _>| texts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&english), keys(&indonesian));
        for (key, text) in english {
            assert_eq!(text, indonesian[&key], "{key}");
        }
    }

    #[test]
    fn every_key_of_the_code_is_in_the_catalogue_and_every_text_is_used() {
        let code = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab"));
        let calls = code.split(concat!("text!", "(")).skip(1).filter(|call| !call.starts_with('@'));
        // Between the parenthesis and the key there is only the language.
        let named = calls.filter_map(|call| call.split_once("\"")?.1.split('"').next());
        let used: BTreeSet<String> = named.map(str::to_owned).collect();
        // The texts of `--help` have keys that are made of the names of flags; `help` has their test.
        let known: BTreeSet<String> =
            keys(Lang::En).into_iter().filter(|key| !key.starts_with("help-")).collect();
        let missing: Vec<_> = used.difference(&known).collect();
        let unused: Vec<_> = known.difference(&used).collect();
        assert!(missing.is_empty() && unused.is_empty(), "missing: {missing:?}, unused: {unused:?}");
    }

    #[test]
    fn indonesian_has_a_decimal_comma() {
        assert_eq!(text!(Lang::Id, "times", middle = "7.70"), "7,70 kali lipat");
        for (figure, written) in
            [("16.8 %", "16,8 %"), ("0.4 ms", "0,4 ms"), ("-", "-"), ("0.1.0", "0.1.0"), ("12", "12")]
        {
            assert_eq!(
                (Lang::Id.figure(figure), Lang::En.figure(figure)),
                (written.to_owned(), figure.to_owned())
            );
        }
    }

    #[test]
    fn common_reasons_of_the_system_are_translated_and_others_stay() {
        let missing = std::fs::read("/nowhere/at/all").unwrap_err();
        assert_eq!(Lang::Id.cause(&missing), "file atau foldernya tidak ada");
        assert_eq!(Lang::En.cause(&missing), "no such file or folder");
        assert_eq!(Lang::Id.cause(&io::Error::other("odd")), "odd");
    }

    #[test]
    fn figures_are_filled_in_and_counted() {
        assert_eq!(
            text!(Lang::En, "faults-of-runs", count = 1, faults = "1 reset"),
            "1 request of all runs failed: 1 reset"
        );
        assert_eq!(
            text!(Lang::En, "faults-of-runs", count = 12_345, faults = "x"),
            "12345 requests of all runs failed: x"
        );
        assert_eq!(
            text!(Lang::Id, "faults-of-runs", count = 1, faults = "x"),
            "1 request dari semua putaran gagal: x"
        );
    }
}
