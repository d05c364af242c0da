//! Content negotiation: which of several forms of a resource a client prefers (RFC 9110 section 12).
//!
//! Contract: only values of `Accept` and `Accept-Encoding` decide, and nothing is allocated. A member of a list
//! that cannot be understood is as if it were not there.

use crate::protocol::http::trim;

/// How much a client wants something, in thousandths: from 0, not at all, to [`BEST`].
type Quality = u16;

/// The quality of a member that names none.
const BEST: Quality = 1000;

/// A content coding of which a file may have a sidecar: the same content, compressed beforehand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// All of them. Of two that a client wants equally, and that are equally long, the first is sent.
    pub(super) const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// Its name in `Content-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the name of its sidecar has in addition to that of the file.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstd => ".zst",
            Coding::Gzip => ".gz",
        }
    }

    /// True if a member of `Accept-Encoding` names it. `x-gzip` is the same as `gzip` (section 8.4.1.3).
    fn is_named(self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || (self == Coding::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
    }
}

/// Which of the sidecars `available`, each with its coding and its length in bytes, these values of
/// `Accept-Encoding` want most: its place in the list, or `None` for the file as it is. Of those wanted equally it
/// is the shortest.
///
/// A coding that is neither named nor covered by `*` is not wanted. The file as it is (`identity`) is sent where
/// nothing else is wanted, even to a client that refuses it: the alternative, a 406, helps nobody
/// (section 12.5.3).
pub(super) fn choose<'v, V: Iterator<Item = &'v [u8]>>(
    values: impl Fn() -> V,
    available: impl Iterator<Item = (Coding, u64)>,
) -> Option<usize> {
    let quality = |is_it: &dyn Fn(&[u8]) -> bool| {
        values().flat_map(members).find(|(name, _)| is_it(name)).map(|(_, quality)| quality)
    };
    let others = quality(&|name| name == b"*").unwrap_or(0);
    let as_it_is = quality(&|name| name.eq_ignore_ascii_case(b"identity")).unwrap_or(0);
    available
        .enumerate()
        .map(|(place, (coding, length))| {
            (place, quality(&|name| coding.is_named(name)).unwrap_or(others), length)
        })
        .filter(|(_, quality, _)| *quality > 0 && *quality >= as_it_is)
        .min_by_key(|(_, quality, length)| (BEST - quality, *length))
        .map(|(place, ..)| place)
}

/// True if these values of `Accept` want JSON more than HTML. Where both are wanted equally, as `*/*` does, the
/// one that is named decides.
pub(super) fn prefers_json<'v, V: Iterator<Item = &'v [u8]>>(values: impl Fn() -> V) -> bool {
    let (json, html) = (media_type(values(), "application/json"), media_type(values(), "text/html"));
    json.0 > 0 && json > html
}

/// True if these values of `Accept` name HTML: those of a browser that opens a page do, and those with which it
/// loads a script or a picture do not.
pub(super) fn names_html<'v>(values: impl Iterator<Item = &'v [u8]>) -> bool {
    values.flat_map(members).any(|(name, quality)| name.eq_ignore_ascii_case(b"text/html") && quality > 0)
}

/// How much `wanted` is wanted, and how precisely it is named: 2 for the type itself, 1 for all of its kind
/// (`text/*`), 0 for all types, or for none at all.
fn media_type<'v>(values: impl Iterator<Item = &'v [u8]>, wanted: &str) -> (Quality, u8) {
    let kind = wanted.split('/').next().unwrap_or_default().as_bytes();
    let precision = |name: &[u8]| match name {
        b"*/*" => Some(0),
        _ if name.eq_ignore_ascii_case(wanted.as_bytes()) => Some(2),
        _ => name.strip_suffix(b"/*").is_some_and(|name| name.eq_ignore_ascii_case(kind)).then_some(1),
    };
    let found = values.flat_map(members).filter_map(|(name, quality)| Some((precision(name)?, quality)));
    // The most precise member decides, whatever the others say (section 12.5.1).
    found.max_by_key(|(precision, _)| *precision).map_or((0, 0), |(precision, quality)| (quality, precision))
}

/// The members of a list, each with its quality.
fn members(value: &[u8]) -> impl Iterator<Item = (&[u8], Quality)> {
    value.split(|byte| *byte == b',').filter_map(|member| {
        let mut parts = member.split(|byte| *byte == b';').map(trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
        Some((name, weight.map_or(Some(BEST), quality)?))
    })
}

/// The quality that is written so: `0`, `1`, or one of them with up to three decimals, at most 1 (section 12.4.2).
fn quality(text: &[u8]) -> Option<Quality> {
    let (whole, decimals) = text.split_first()?;
    let decimals = match decimals {
        [] => decimals,
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return None,
    };
    let mut thousandths = Quality::from(whole.checked_sub(b'0').filter(|digit| *digit <= 1)?);
    for place in 0..3 {
        let digit = decimals.get(place).copied().unwrap_or(b'0');
        thousandths = thousandths * 10 + Quality::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
    }
    (thousandths <= BEST).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All three sidecars, of which gzip is the longest and zstd the shortest.
    const ALL: [(Coding, u64); 3] = [(Coding::Brotli, 20), (Coding::Zstd, 10), (Coding::Gzip, 30)];

    fn chosen(values: &[&str], available: &[(Coding, u64)]) -> Option<&'static str> {
        choose(|| values.iter().map(|value| value.as_bytes()), available.iter().copied())
            .map(|place| available[place].0.name())
    }

    #[test]
    fn the_coding_that_is_wanted_most_is_chosen() {
        for (values, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["deflate, compress"], None),
            (&["gzip"], Some("gzip")),
            (&["x-gzip"], Some("gzip")),
            (&["GZIP;q=0.5"], Some("gzip")),
            (&["gzip, deflate, br, zstd"], Some("zstd")),
            (&["gzip", "br;q=0.9"], Some("gzip")),
            (&["gzip;q=0.001, br;q=0"], Some("gzip")),
            (&["gzip;q=0, *;q=0.1"], Some("zstd")),
            (&["*"], Some("zstd")),
            (&["*;q=0"], None),
            (&["br;q=0.5, identity"], None),
            (&["br;q=0.5, identity;q=0.5"], Some("br")),
            (&["br;q=0.5, identity;q=0.4"], Some("br")),
            (&["identity;q=0, gzip;q=0.2"], Some("gzip")),
            (&["gzip;q=2, br;q=x, zstd;q=0.1234"], None),
            (&["gzip ; q=0.3 , br ;q=0.4"], Some("br")),
            (&["identity;q=0"], None),
        ] {
            assert_eq!(chosen(values, &ALL), expected, "{values:?}");
        }
        assert_eq!(chosen(&["br, zstd"], &ALL[2..]), None);
        let equally_long = [(Coding::Brotli, 5), (Coding::Gzip, 5)];
        assert_eq!(chosen(&["gzip, br"], &equally_long), Some("br"));
    }

    #[test]
    fn json_is_sent_to_those_who_ask_for_it() {
        for (value, expected) in [
            ("application/json", true),
            ("application/json, text/plain, */*", true),
            ("text/html;q=0.8, application/json;q=0.9", true),
            ("application/*", true),
            ("*/*", false),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false),
            ("application/json;q=0.5, text/html", false),
            ("application/json;q=0, */*", false),
            ("application/json;q=0", false),
            ("", false),
            ("text/*, application/json", true),
        ] {
            assert_eq!(prefers_json(|| [value.as_bytes()].into_iter()), expected, "{value}");
        }
        assert!(!prefers_json(std::iter::empty));
    }

    #[test]
    fn only_an_open_page_names_html() {
        let names = |value: &'static str| names_html([value.as_bytes()].into_iter());
        assert!(names("text/html,application/xhtml+xml,*/*;q=0.8") && names("TEXT/HTML;level=1;q=0.1"));
        assert!(!names("*/*") && !names("image/avif,image/webp,*/*;q=0.8") && !names("text/html;q=0"));
    }

    #[test]
    fn qualities_have_at_most_three_decimals() {
        let good = [("0", 0), ("1", 1000), ("0.", 0), ("0.5", 500), ("0.001", 1), ("1.000", 1000)];
        for (text, expected) in good {
            assert_eq!(quality(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["", ".", "2", "1.001", "0.1234", "0,5", "-1", "0.a", "1.", "01"] {
            let expected = (text == "1.").then_some(1000);
            assert_eq!(quality(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_and_what_is_chosen_is_available(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let place = choose(|| [value.as_slice()].into_iter(), ALL.into_iter());
            prop_assert!(place.is_none_or(|place| place < ALL.len()));
        }

        #[test]
        fn no_coding_is_chosen_that_is_refused_or_less_wanted_than_another(
            qualities in proptest::collection::vec(0u16..=1000, 4),
        ) {
            let names = ["br", "zstd", "gzip", "identity"];
            let members: Vec<String> = names.iter().zip(&qualities)
                .map(|(name, quality)| format!("{name};q={}.{:03}", quality / 1000, quality % 1000)).collect();
            let value = members.join(", ");
            let of = |place: Option<usize>| place.map_or(qualities[3], |place| qualities[place]);
            let place = choose(|| [value.as_bytes()].into_iter(), ALL.into_iter());
            prop_assert!(place.is_none_or(|place| qualities[place] > 0), "{}", value);
            prop_assert_eq!(of(place), *qualities.iter().max().unwrap(), "{}", value);
        }
    }
}
