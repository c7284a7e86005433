//! Look-ups of a host's addresses by the system's resolver, with a time limit.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::util::call_with_timeout;

/// Timeout for the resolver. A name that only a VPN knows can take the system's full half minute to
/// fail, and no caller should wait that long.
pub const TIMEOUT: Duration = Duration::from_secs(3);

/// Environment variable with the path of a file in the format of `/etc/hosts`, which replaces the
/// system's resolver. It is for tests, which ask no server, and for trying things out.
pub(crate) const HOSTS_FILE: &str = "BALEEN_HOSTS_FILE";

/// The reason why a look-up failed; the content of the [`io::Error`] that [`lookup`] returns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum LookupError {
    #[error("DNS knows no such name")]
    NoSuchName,
    /// A temporary failure, as without a network.
    #[error("DNS did not answer")]
    NoAnswer,
    #[error("no answer from DNS within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Another answer of the system's resolver, in its words.
    #[error("{0}")]
    Resolver(String),
    #[error("{} has no such name", .0.display())]
    NotInFile(PathBuf),
}

impl LookupError {
    /// Puts the reason into an error of the kind that tells callers what to do about it.
    fn of_kind(self, kind: io::ErrorKind) -> io::Error {
        io::Error::new(kind, self)
    }
}

/// Returns the addresses of `host`, each once. `host` may be an address itself (IPv6 with or without
/// brackets).
///
/// # Errors
/// When the resolver reports an error or needs more than `patience`.
pub fn lookup(host: &str, patience: Duration) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(vec![address]);
    }
    if let Some(file) = env::var_os(HOSTS_FILE).filter(|path| !path.is_empty()) {
        return from_hosts_file(&PathBuf::from(file), host);
    }
    let name = host.to_owned();
    call_with_timeout("lookup", patience, move || {
        let addresses = (&*name, 0).to_socket_addrs().map_err(classified)?;
        let mut seen = BTreeSet::new();
        Ok(addresses
            .map(|address| address.ip())
            .filter(|&ip| seen.insert(ip))
            .collect())
    })
    .map_err(|error| match error.kind() {
        kind @ io::ErrorKind::TimedOut => LookupError::TimedOut(patience).of_kind(kind),
        _ => error,
    })?
}

/// Tells the answers of the resolver apart. A name that does not exist is an
/// [`io::ErrorKind::NotFound`], unlike a temporary failure, as without a network. `std` does not give access to the
/// code of `getaddrinfo`, so the function matches the error's text (`gai_strerror` of glibc, musl and macOS; Rust
/// leaves the locale at "C").
fn classified(error: io::Error) -> io::Error {
    const NO_SUCH_NAME: [&str; 4] = [
        "Name or service not known",
        "No address associated with hostname",
        "nodename nor servname provided, or not known",
        "Name does not resolve",
    ];
    const NO_ANSWER: [&str; 2] = ["Temporary failure in name resolution", "Try again"];
    let text = error.to_string();
    let is_one_of = |known: &[&str]| known.iter().any(|known| text.contains(known));
    if is_one_of(&NO_SUCH_NAME) {
        return LookupError::NoSuchName.of_kind(io::ErrorKind::NotFound);
    }
    if is_one_of(&NO_ANSWER) {
        return LookupError::NoAnswer.of_kind(io::ErrorKind::Other);
    }
    match text.strip_prefix("failed to lookup address information: ") {
        Some(why) => LookupError::Resolver(why.to_owned()).of_kind(error.kind()),
        None => error,
    }
}

fn from_hosts_file(path: &PathBuf, host: &str) -> io::Result<Vec<IpAddr>> {
    let text = fs::read_to_string(path)?;
    let found: Vec<IpAddr> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(address)
        })
        .collect();
    if found.is_empty() {
        return Err(LookupError::NotInFile(path.clone()).of_kind(io::ErrorKind::NotFound));
    }
    Ok(found)
}

/// Returns whether an address leads to this computer. The unspecified address does, too.
pub fn is_loopback(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_resolver() {
        for (host, address) in [
            ("10.0.0.1", "10.0.0.1"),
            ("[::1]", "::1"),
            ("fe80::1", "fe80::1"),
        ] {
            let found = lookup(host, TIMEOUT).unwrap();
            assert_eq!(found, [address.parse::<IpAddr>().unwrap()]);
        }
    }

    #[test]
    fn names_come_from_a_hosts_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            &file,
            "127.0.0.1 me Cntlm # not.me\n\n10.0.0.5\tproxy.corp\n10.0.0.6 proxy.corp\n",
        )
        .unwrap();
        let of = |host| from_hosts_file(&file.path().to_owned(), host);
        assert_eq!(
            of("cntlm").unwrap(),
            ["127.0.0.1".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(of("proxy.corp").unwrap().len(), 2);
        assert_eq!(of("not.me").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn answers_of_the_resolver_are_reported_apart() {
        let because = |why: &str| {
            let error = io::Error::other(format!("failed to lookup address information: {why}"));
            let told = classified(error);
            let kind = told.kind();
            (kind, told.downcast::<LookupError>().unwrap())
        };
        let (missing, other) = (io::ErrorKind::NotFound, io::ErrorKind::Other);
        let odd = "Non-recoverable failure";
        for (why, kind, told) in [
            (
                "Name or service not known",
                missing,
                LookupError::NoSuchName,
            ),
            (
                "nodename nor servname provided, or not known",
                missing,
                LookupError::NoSuchName,
            ),
            (
                "Temporary failure in name resolution",
                other,
                LookupError::NoAnswer,
            ),
            (odd, other, LookupError::Resolver(odd.to_owned())),
        ] {
            assert_eq!(because(why), (kind, told), "{why}");
        }
    }

    #[test]
    fn loopback_in_all_its_forms() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", true),
            ("::", true),
            ("10.0.0.1", false),
            ("192.168.65.1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_loopback(address.parse().unwrap()), expected, "{address}");
        }
    }
}
