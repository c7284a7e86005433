//! The Digest scheme (RFC 7616, and RFC 2069 where the proxy names no `qop`).
//!
//! Names are sent and hashed as raw UTF-8. RFC 7616 has `username*` for them, which neither squid nor Apache reads.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Credentials;

/// A hash function that Digest can use. The stronger one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hash {
    /// MD5.
    Md5,
    /// SHA-256.
    Sha256,
}

/// The algorithm of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Algorithm {
    /// The hash function.
    pub(crate) hash: Hash,
    /// Whether the key is made once for each nonce (`-sess`).
    pub(crate) session: bool,
    /// How the proxy writes it, for the answer. Nothing where it names none, which means MD5.
    pub(crate) written: Option<String>,
}

impl Algorithm {
    /// Returns the algorithm that a proxy calls `name`; nothing if it isn't known.
    pub(crate) fn of(name: Option<&str>) -> Option<Self> {
        let lower = name.map_or_else(|| "md5".into(), str::to_ascii_lowercase);
        let (hash, session) = match &*lower {
            "md5" => (Hash::Md5, false),
            "md5-sess" => (Hash::Md5, true),
            "sha-256" => (Hash::Sha256, false),
            "sha-256-sess" => (Hash::Sha256, true),
            _ => return None,
        };
        Some(Self {
            hash,
            session,
            written: name.map(str::to_owned),
        })
    }
}

/// What a proxy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Where the password counts.
    pub(crate) realm: String,
    /// The proxy's number for this challenge.
    pub(crate) nonce: String,
    /// A text to be sent back as it is.
    pub(crate) opaque: Option<String>,
    /// The algorithm.
    pub(crate) algorithm: Algorithm,
    /// Whether the answer counts the uses of the nonce (`qop=auth`); otherwise it has the form of RFC 2069.
    pub(crate) auth: bool,
    /// Whether the last answer was refused for its nonce, not for its password.
    pub(crate) stale: bool,
}

/// What an answer holds in addition to the challenge and the credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use<'a> {
    /// The method of the request.
    pub(crate) method: &'a str,
    /// The target as the request line has it, such as `HOST:PORT` for `CONNECT`.
    pub(crate) uri: &'a str,
    /// The client's number. It stays the same as long as the nonce does, since `-sess` makes its key of the first.
    pub(crate) cnonce: &'a str,
    /// How often the nonce was used, this time included.
    pub(crate) count: u32,
}

/// Returns the value of `Proxy-Authorization`.
pub(crate) fn answer(challenge: &Challenge, credentials: &Credentials, usage: Use<'_>) -> String {
    let hash = |parts: &[&[u8]]| match challenge.algorithm.hash {
        Hash::Md5 => hex_of_hash::<Md5>(parts),
        Hash::Sha256 => hex_of_hash::<Sha256>(parts),
    };
    let user = credentials.user();
    let nonce = challenge.nonce.as_bytes();
    let cnonce = usage.cnonce.as_bytes();
    let count = format!("{:08x}", usage.count);

    let mut key = hash(&[
        user.as_bytes(),
        challenge.realm.as_bytes(),
        credentials.password(),
    ]);
    if challenge.algorithm.session {
        key = hash(&[key.as_bytes(), nonce, cnonce]);
    }
    let request = hash(&[usage.method.as_bytes(), usage.uri.as_bytes()]);
    let response = if challenge.auth {
        let (count, request) = (count.as_bytes(), request.as_bytes());
        hash(&[key.as_bytes(), nonce, count, cnonce, b"auth", request])
    } else {
        hash(&[key.as_bytes(), nonce, request.as_bytes()])
    };

    let mut field = "Digest ".to_owned();
    push_quoted(&mut field, "username", user);
    field.push_str(", ");
    push_quoted(&mut field, "realm", &challenge.realm);
    field.push_str(", ");
    push_quoted(&mut field, "nonce", &challenge.nonce);
    field.push_str(", ");
    push_quoted(&mut field, "uri", usage.uri);
    if let Some(algorithm) = &challenge.algorithm.written {
        field.push_str(", algorithm=");
        field.push_str(algorithm);
    }
    field.push_str(", ");
    push_quoted(&mut field, "response", &response);
    if let Some(opaque) = &challenge.opaque {
        field.push_str(", ");
        push_quoted(&mut field, "opaque", opaque);
    }
    if challenge.auth {
        field.push_str(", qop=auth, nc=");
        field.push_str(&count);
    }
    if challenge.auth || challenge.algorithm.session {
        field.push_str(", ");
        push_quoted(&mut field, "cnonce", usage.cnonce);
    }
    field
}

fn push_quoted(field: &mut String, name: &str, value: &str) {
    field.push_str(name);
    field.push_str("=\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            field.push('\\');
        }
        field.push(character);
    }
    field.push('"');
}

/// Returns the hash of `parts`, with colons between them, in hexadecimal digits.
fn hex_of_hash<D: Digest>(parts: &[&[u8]]) -> Zeroizing<String> {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    let hash = hasher.finalize();
    let mut hex = Zeroizing::new(String::with_capacity(2 * hash.len()));
    for byte in hash {
        // Writing to a string can't fail.
        let _ = write!(*hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(algorithm: Option<&str>, auth: bool) -> Challenge {
        Challenge {
            realm: "http-auth@example.org".to_owned(),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".to_owned(),
            opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".to_owned()),
            algorithm: Algorithm::of(algorithm).unwrap(),
            auth,
            stale: false,
        }
    }

    const USE: Use<'_> = Use {
        method: "GET",
        uri: "/dir/index.html",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        count: 1,
    };

    /// RFC 7616, section 3.9.1. The `-sess` values were computed by an independent program.
    #[test]
    fn the_examples_of_the_standard_hold() {
        let credentials = Credentials::new("Mufasa", "Circle of Life").unwrap();
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            ("MD5-sess", "e783283f46242139c486a698fec7211d"),
            (
                "SHA-256-sess",
                "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
            ),
        ] {
            assert_eq!(
                answer(&challenge(Some(algorithm), true), &credentials, USE),
                format!(
                    "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
                     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
                     algorithm={algorithm}, response=\"{response}\", \
                     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", qop=auth, nc=00000001, \
                     cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\""
                )
            );
        }
    }

    /// RFC 2617, section 3.5, and RFC 2069, section 2.4, with the value of its erratum 749.
    #[test]
    fn the_examples_of_older_standards_hold() {
        for (password, auth, response) in [
            ("Circle Of Life", true, "6629fae49393a05397450978507c4ef1"),
            ("CircleOfLife", false, "1949323746fe6a43ef61f9606e7febea"),
        ] {
            let challenge = Challenge {
                realm: "testrealm@host.com".to_owned(),
                nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".to_owned(),
                opaque: None,
                ..challenge(None, auth)
            };
            let usage = Use {
                cnonce: "0a4f113b",
                ..USE
            };
            let credentials = Credentials::new("Mufasa", password).unwrap();
            let field = answer(&challenge, &credentials, usage);
            assert!(
                field.contains(&format!("response=\"{response}\"")),
                "{field}"
            );
            assert_eq!(field.contains("qop=auth, nc=00000001, cnonce="), auth);
            assert!(!field.contains("algorithm"), "{field}");
        }
    }

    /// The value was computed by an independent program.
    #[test]
    fn names_are_raw_utf_8_and_quotes_are_escaped() {
        let challenge = Challenge {
            realm: "corp, proxy".to_owned(),
            nonce: "abc".to_owned(),
            opaque: Some("a\"b\\c".to_owned()),
            ..challenge(None, true)
        };
        let usage = Use {
            method: "CONNECT",
            uri: "example.com:443",
            cnonce: "cn",
            count: 1,
        };
        let credentials = Credentials::new("jürgen", "pä$$wörd€").unwrap();
        assert_eq!(
            answer(&challenge, &credentials, usage),
            "Digest username=\"jürgen\", realm=\"corp, proxy\", nonce=\"abc\", uri=\"example.com:443\", \
             response=\"2760b68a4f7b535da5a6239f577f0e7f\", opaque=\"a\\\"b\\\\c\", qop=auth, nc=00000001, \
             cnonce=\"cn\""
        );
    }

    #[test]
    fn counts_have_eight_hexadecimal_digits() {
        let credentials = Credentials::new("a", "b").unwrap();
        let usage = Use {
            count: 0xab_cdef,
            ..USE
        };
        let field = answer(&challenge(None, true), &credentials, usage);
        assert!(field.contains("nc=00abcdef,"), "{field}");
    }

    #[test]
    fn algorithms_are_known_in_any_case() {
        assert_eq!(Algorithm::of(None).unwrap().hash, Hash::Md5);
        assert_eq!(Algorithm::of(Some("sha-256")).unwrap().hash, Hash::Sha256);
        assert!(Algorithm::of(Some("Md5-Sess")).unwrap().session);
        for unknown in ["SHA-512-256", "SHA", "", "MD5-session"] {
            assert_eq!(Algorithm::of(Some(unknown)), None, "{unknown}");
        }
    }
}
