//! The normal form of a path, in which prefixes and requests are compared.
//!
//! Contract: two paths that RFC 3986 holds to be equal have the same normal form.
//!
//! 1. `%xx` of an unreserved character (letters, digits, `-._~`) is that character (RFC 3986 section
//!    6.2.2.2), so `/%70df/` is `/pdf/`; any other, above all `%2F`, stays an escape.
//! 2. Slashes in a row are one (nginx `merge_slashes on`).
//! 3. `.` and `..` segments are resolved (RFC 3986 section 5.2.4); a path that leads above the root is an
//!    error, as in nginx.
//!
//! A path that is normal already, as nearly every path is, is used without allocating.

use std::borrow::Cow;

use super::RouteError;

/// The normal form of `path`, which starts with `/`.
pub(super) fn normalize(path: &[u8]) -> Result<Cow<'_, [u8]>, RouteError> {
    if is_normal(path) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode(path);
    let mut normal = Vec::with_capacity(decoded.len());
    let mut segments = decoded.split(|byte| *byte == b'/').skip(1).peekable();
    normal.push(b'/');
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"" | b"." => {}
            b".." => {
                if normal == b"/" {
                    return Err(RouteError::AboveRoot);
                }
                normal.pop();
                let parent = normal.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
                normal.truncate(parent);
            }
            _ => {
                normal.extend_from_slice(segment);
                if !is_last {
                    normal.push(b'/');
                }
            }
        }
    }
    Ok(Cow::Owned(normal))
}

/// The path as a careless back end reads it: every escape decoded, `\` a slash like `/`, `;parameters` cut
/// off each segment, and the end at a NUL.
pub(super) fn read_loosely(path: &[u8]) -> Result<Vec<u8>, RouteError> {
    let decoded: Vec<u8> = percent_encoding::percent_decode(path)
        .map(|byte| if byte == b'\\' { b'/' } else { byte })
        .take_while(|byte| *byte != 0)
        .collect();
    let without_parameters = |segment: &[u8]| segment.split(|byte| *byte == b';').next().map(<[u8]>::to_vec);
    let segments: Vec<_> = decoded.split(|byte| *byte == b'/').filter_map(without_parameters).collect();
    normalize(&segments.join(&b'/')).map(Cow::into_owned)
}

/// True if nothing in `path` may need a change: no escape, no `//`, no segment that starts with a
/// dot, and no byte that [`decode`] would write as an escape.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = 0;
    path.iter().all(|&byte| {
        let follows_slash = previous == b'/';
        previous = byte;
        match byte {
            b'%' => false,
            b'/' | b'.' => !follows_slash,
            _ => byte.is_ascii_graphic(),
        }
    })
}

/// Step 1. Escapes that stay get capital digits, and bytes that no target should hold become escapes, so
/// that a prefix written `/gambar saya/` matches a target `/gambar%20saya/`.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hexadecimal(*high, *low),
            _ => None,
        };
        match escaped {
            Some(value) => {
                rest = &after[2..];
                match value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
                    true => decoded.push(value),
                    false => escape(&mut decoded, value),
                }
            }
            None if byte.is_ascii_graphic() => decoded.push(byte),
            None => escape(&mut decoded, byte),
        }
    }
    decoded
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// The value of two hexadecimal digits.
fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    u8::try_from(16 * digit(high)? + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_needs_a_change_is_copied() {
        for (path, is_copied) in
            [("/", false), ("/a/b.c/", false), ("/a//b", true), ("/.a", true), ("/%2F", true)]
        {
            assert_eq!(matches!(normalize(path.as_bytes()), Ok(Cow::Owned(_))), is_copied, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_and_is_never_copied(path in "(/[a-z.%]{0,3}){1,6}") {
            if let Ok(normal) = normalize(path.as_bytes()) {
                prop_assert!(normal.starts_with(b"/"));
                prop_assert!(!normal.windows(2).any(|pair| pair == b"//"));
                let again = normalize(&normal).unwrap();
                prop_assert_eq!(&*again, &*normal);
                prop_assert!(!is_normal(path.as_bytes()) || matches!(normal, Cow::Borrowed(_)));
            }
        }
    }
}
