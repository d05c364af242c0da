//! The file of `htpasswd` (Apache): a name and a hashed password on each line.
//!
//! Contract: only bcrypt is taken (`htpasswd -B`). The other kinds that the program can write, MD5, SHA-1 and crypt, are
//! so fast that a stolen file gives its passwords away. A line that is not right is an error that names it: a user who
//! is left out without a word would be found by a user who cannot log in.

use std::collections::HashMap;
use std::str::FromStr;

use bcrypt::HashParts;

/// The names with their hashes.
#[derive(Clone)]
pub struct Htpasswd {
    hashes: HashMap<Vec<u8>, String>,
    /// One of the hashes: a name that is not there takes as long as one that is.
    any: String,
}

impl Htpasswd {
    /// Reads the text of a file. Empty lines and those that begin with `#` mean nothing.
    ///
    /// Errors: the number of the line, and a sentence.
    pub fn parse(text: &str) -> Result<Htpasswd, (usize, String)> {
        let mut hashes = HashMap::new();
        let mut any = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = user(line).map_err(|words| (number, words))?;
            any.get_or_insert_with(|| hash.to_owned());
            if hashes.insert(name.as_bytes().to_vec(), hash.to_owned()).is_some() {
                return Err((number, format!("the user {name:?} is there twice")));
            }
        }
        match any {
            Some(any) => Ok(Htpasswd { hashes, any }),
            None => Err((1, "it holds no user: make one with htpasswd -cB FILE NAME".to_owned())),
        }
    }

    /// True if this is the password of that user. Takes milliseconds, for a name that is not there too.
    pub(super) fn verify(&self, user: &[u8], password: &[u8]) -> bool {
        let known = self.hashes.get(user);
        let is_right = bcrypt::verify(password, known.unwrap_or(&self.any)).unwrap_or(false);
        is_right && known.is_some()
    }
}

impl std::fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Htpasswd({} users)", self.hashes.len())
    }
}

/// The name and the hash of a line.
fn user(line: &str) -> Result<(&str, &str), String> {
    let Some((name, hash)) = line.split_once(':') else {
        return Err("it is not NAME:HASH, as htpasswd -B writes it".to_owned());
    };
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    // The text is never shown: it may be a password that somebody wrote down as it is.
    let kind = match hash {
        _ if hash.starts_with("$2") => match HashParts::from_str(hash) {
            Ok(_) => return Ok((name, hash)),
            Err(_) => {
                return Err(format!(
                    "the bcrypt hash of {name:?} is not whole: make it anew with htpasswd -B FILE NAME"
                ));
            }
        },
        _ if hash.starts_with("$apr1$") => "MD5 ($apr1$)",
        _ if hash.starts_with("{SHA}") => "SHA-1 ({SHA})",
        _ if hash.starts_with("$5$") => "SHA-256 ($5$)",
        _ if hash.starts_with("$6$") => "SHA-512 ($6$)",
        _ => "crypt or plain text",
    };
    Err(format!(
        "the password of {name:?} is hashed as {kind}, and only bcrypt is taken: make it with htpasswd -B FILE NAME"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `rahasia`, with the least cost that bcrypt has.
    const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuu5lvgLlS8VK3Jl2jW9rZSTkFoNw9Kxm";

    fn hash_of(password: &str) -> String {
        bcrypt::hash(password, 4).unwrap()
    }

    #[test]
    fn a_password_is_right_for_its_own_user_only() {
        let text = format!("# users\n\nbudi:{}\r\nsiti:{}\n", hash_of("rahasia"), hash_of("lain"));
        let users = Htpasswd::parse(&text).unwrap();
        for (name, password, is_right) in [
            ("budi", "rahasia", true),
            ("siti", "lain", true),
            ("budi", "lain", false),
            ("budi", "", false),
            ("Budi", "rahasia", false),
            // The hash that stands in for a name that is not there.
            ("ani", "rahasia", false),
        ] {
            assert_eq!(users.verify(name.as_bytes(), password.as_bytes()), is_right, "{name} {password}");
        }
        assert_eq!(format!("{users:?}"), "Htpasswd(2 users)");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_without_the_hash() {
        let good = format!("budi:{}\n", hash_of("x"));
        let cut = &HASH[..40];
        for (line, words) in [
            ("siti", "it is not NAME:HASH"),
            (":$2b$", "the name is empty"),
            (
                "siti:$apr1$yyWcy3gy$V56DHPkDVg6rtpvDMN4o/1",
                "hashed as MD5 ($apr1$), and only bcrypt is taken: make it with htpasswd -B",
            ),
            ("siti:{SHA}6dcfXufJLW3J6S/9rRe4vUlBj5g=", "SHA-1 ({SHA})"),
            ("siti:$5$JyKaBaWireBUAnWv$qiNV", "SHA-256"),
            ("siti:6nUBHCwS1Wvyo", "crypt or plain text"),
            (&format!("siti:{cut}"), "the bcrypt hash of \"siti\" is not whole"),
            (good.trim(), "\"budi\" is there twice"),
        ] {
            let (number, error) = Htpasswd::parse(&format!("{good}# x\n{line}\n")).unwrap_err();
            assert!(number == 3 && error.contains(words), "{number}: {error}");
            let hash = line.split_once(':').map_or("x:x", |(_, hash)| hash);
            assert!(hash.len() < 10 || !error.contains(hash), "{error}");
        }
        assert!(Htpasswd::parse("\n# nobody\n").unwrap_err().1.contains("it holds no user"));
    }
}
