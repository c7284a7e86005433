//! Who may use the relay, and for what. Every user, container and web page of this computer reaches its port, so a
//! request needs this installation's token, and leads to no loopback or link-local address of the computer itself. `SECURITY.md` has the model.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::IoError;
use crate::proxy::RELAY_USER;
use crate::storage::JsonFile;
use crate::util::hex;

use super::RelayError;

/// Length of a token, in bytes.
const TOKEN_LEN: usize = 16;

/// The token of this installation. It opens the relay on this computer, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    token: Option<String>,
    /// The paths of the engines that have the relay's address from Baleen.
    #[serde(default)]
    given: BTreeSet<PathBuf>,
}

/// Returns whether an engine that still exists has the relay's address from Baleen.
pub fn is_given(folder: &Path) -> bool {
    let file = JsonFile::new(folder.join(Token::FILE), 1);
    let given = file.read::<Stored>().given;
    given.iter().any(|engine| engine.exists())
}

/// Records whether the engine at `engine` has the relay's address from Baleen. Returns whether that is new. Makes no file
/// to say that it has not.
///
/// # Errors
/// When it can't be kept.
pub fn note_given(folder: &Path, engine: &Path, is_given: bool) -> Result<bool, RelayError> {
    let file = JsonFile::new(folder.join(Token::FILE), 1);
    // It may be named by a link.
    let engine = &engine.canonicalize().unwrap_or_else(|_| engine.to_owned());
    debug_assert!(
        !is_given || Token::kept(folder).is_some(),
        "no engine gets the placeholder of a token"
    );
    if file.read::<Stored>().given.contains(engine) == is_given {
        return Ok(false);
    }
    let written = file.update(|stored: &mut Stored| match is_given {
        true => stored.given.insert(engine.clone()),
        false => stored.given.remove(engine),
    });
    written.map_err(|error| RelayError::Token(IoError::new("write", file.path(), error)))?;
    Ok(true)
}

impl Token {
    /// The name of the file with the token, which only its owner can read.
    pub(crate) const FILE: &str = "relay.json";

    /// Returns the token that is kept in `folder`, if there is one. Makes no files.
    pub(crate) fn kept(folder: &Path) -> Option<Self> {
        let stored: Stored = JsonFile::new(folder.join(Self::FILE), 1).read();
        stored
            .token
            .filter(|text| Self::is_well_formed(text.as_bytes()))
            .map(Self)
    }

    /// Returns what stands for a token that is not made yet. It opens nothing, and is always the same, so that an address with it
    /// can be compared.
    pub(crate) fn placeholder() -> Self {
        Self("0".repeat(2 * TOKEN_LEN))
    }

    /// Returns the token that is kept in `folder`. The first time it is made there.
    ///
    /// # Errors
    /// When it can't be kept.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, IoError> {
        let file = JsonFile::new(folder.join(Self::FILE), 1);
        let mut token = None;
        let mut random = [0; TOKEN_LEN];
        let failed = |error| IoError::new("write", file.path(), error);
        getrandom::fill(&mut random)
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let written = file.update(|stored: &mut Stored| {
            let kept = stored.token.as_deref().map(str::as_bytes);
            let is_new = !kept.is_some_and(Self::is_well_formed);
            if is_new {
                stored.token = Some(hex(&random));
            }
            token.clone_from(&stored.token);
            is_new
        });
        written.map_err(failed)?;
        Ok(Self(token.unwrap_or_default()))
    }

    /// Returns whether a text has the form of a token.
    pub(crate) fn is_well_formed(text: &[u8]) -> bool {
        text.len() == 2 * TOKEN_LEN && text.iter().all(u8::is_ascii_hexdigit)
    }

    /// The token's text, for an address.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether a request with this `Proxy-Authorization` has the token.
    pub(crate) fn is_in(&self, authorization: Option<&str>) -> bool {
        let login = authorization.and_then(|value| {
            let (scheme, text) = value.split_once(' ')?;
            let text = BASE64_STANDARD.decode(text.trim()).ok()?;
            scheme.eq_ignore_ascii_case("basic").then_some(text)
        });
        let expected = format!("{RELAY_USER}:{}", self.0);
        login.is_some_and(|login| is_equal(&login, expected.as_bytes()))
    }
}

/// Only the owner of the file may know it.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Compares in a time that depends on the lengths only.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

/// Returns whether this name or address stands for this computer itself, or for its neighbors on the same cable.
pub(crate) fn is_own_host(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    match name.parse::<IpAddr>() {
        Ok(address) => is_own_address(address),
        Err(_) => name.eq_ignore_ascii_case("localhost") || ends_with_localhost(name),
    }
}

fn ends_with_localhost(name: &str) -> bool {
    let suffix = ".localhost";
    name.len() > suffix.len()
        && name.is_char_boundary(name.len() - suffix.len())
        && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// Returns whether the address is a loopback, link-local, unspecified or multicast one.
pub(crate) fn is_own_address(address: IpAddr) -> bool {
    let v4 = |address: Ipv4Addr| {
        address.is_loopback()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
            // 0.0.0.0/8: "this host on this network" (RFC 1122, section 3.2.1.3).
            || address.octets()[0] == 0
    };
    let v6 = |address: Ipv6Addr| {
        address.is_loopback()
            || address.is_unspecified()
            || address.is_unicast_link_local()
            || address.is_multicast()
    };
    match address.to_canonical() {
        IpAddr::V4(address) => v4(address),
        // ::a.b.c.d, which some systems still send to a.b.c.d.
        IpAddr::V6(address) => v6(address) || address.to_ipv4().is_some_and(v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_only_it_opens() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::in_folder(folder.path()).unwrap();
        assert_eq!(Token::in_folder(folder.path()).unwrap(), token);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Token::in_folder(other.path()).unwrap(), token);
        assert!(!format!("{token:?}").contains(token.expose()));

        let login = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let right = format!("baleen-relay:{}", token.expose());
        assert!(token.is_in(Some(&login(&right))));
        assert!(token.is_in(Some(&login(&right).replacen("Basic", "bAsIc", 1))));
        for wrong in [
            "",
            "baleen-relay",
            "baleen-relay:",
            &right.replacen("-relay", "", 1),
            &right[1..],
            &right[..right.len() - 1],
            &format!("{right} "),
            &right.replacen("baleen", "Baleen", 1),
        ] {
            assert!(!token.is_in(Some(&login(wrong))), "{wrong}");
        }
        for wrong in [
            None,
            Some("Basic"),
            Some("Basic !"),
            Some(&*login(&right).replace("Basic", "Bearer")),
        ] {
            assert!(!token.is_in(wrong), "{wrong:?}");
        }
    }

    /// A Docker.app that was thrown away needs no relay.
    #[test]
    fn only_what_is_there_has_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let engine = folder.path().join("Docker.app");
        std::fs::create_dir(&engine).unwrap();
        Token::in_folder(folder.path()).unwrap();
        assert!(note_given(folder.path(), &engine, true).unwrap());
        assert!(is_given(folder.path()));
        std::fs::remove_dir(&engine).unwrap();
        assert!(!is_given(folder.path()));
    }

    #[test]
    fn what_is_this_computer_itself() {
        for own in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.1.1",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
        ] {
            assert!(is_own_host(own), "{own}");
        }
        for other in [
            "localhost.corp",
            "notlocalhost",
            "10.0.0.1",
            "192.168.1.1",
            "2001:db8::1",
            "fd00::1",
            "128.0.0.1",
            "é",
        ] {
            assert!(!is_own_host(other), "{other}");
        }
    }
}
