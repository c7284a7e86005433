//! Newer versions of Baleen: one request for the latest release, and when to make it. Nothing is downloaded.
//!
//! The request is a `HEAD` of the page `releases/latest`, which GitHub redirects to the page of the latest release that is
//! neither a draft nor a pre-release
//! (<https://docs.github.com/en/repositories/releasing-projects-on-github/linking-to-releases>). Its address ends in the
//! tag. GitHub's REST API says the same, but without a login it answers 60 requests an hour from one address, which the
//! computers behind one proxy share
//! (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).

mod error;
mod schedule;
mod version;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::net::http::{Head, Parsed};
use crate::net::tls;
use crate::proxy::redact;
use crate::proxy::route::Target;
use crate::relay::Dialer;

pub use error::UpdateError;
pub use schedule::{Schedule, ScheduleFile};
pub use version::{InvalidVersion, Verdict, Version, verdict};

/// The address of the repository, without a slash at its end.
pub const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Timeout for a look: the PAC script, the proxy's login, and GitHub's answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum length of the answer, in bytes. GitHub's has about 5 KiB.
const MAX_ANSWER_LEN: usize = 64 << 10;

/// Returns the version of this program.
///
/// # Errors
/// None for a version that Cargo accepts.
pub fn running() -> Result<Version, InvalidVersion> {
    env!("CARGO_PKG_VERSION").parse()
}

/// Returns the page of the latest release of a repository.
pub fn page(repository: &str) -> String {
    format!("{repository}/releases/latest")
}

/// Finds out the latest release of the repository, with one request. It sends nothing but this program's name and version.
///
/// # Errors
/// See [`UpdateError`].
pub fn latest(repository: &str, dialer: Dialer) -> Result<Version, UpdateError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(UpdateError::Start)?;
    let asked = runtime.block_on(async {
        let answer = tokio::time::timeout(TIMEOUT, ask(repository, &dialer)).await;
        answer.unwrap_or(Err(UpdateError::Timeout(TIMEOUT)))
    });
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
    release(&asked?, repository)
}

async fn ask(repository: &str, dialer: &Dialer) -> Result<Head, UpdateError> {
    let target = Target::parse(repository).filter(|target| target.secure);
    let path = repository.splitn(4, '/').nth(3);
    let (Some(target), Some(path)) = (target, path) else {
        return Err(UpdateError::Address(repository.to_owned()));
    };
    let host = target.host.clone();
    let broken = |why| UpdateError::Broken {
        host: host.clone(),
        why,
    };
    let stream = dialer.connect(&target).await?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| UpdateError::Address(repository.to_owned()))?;
    // It reads files, or asks the Keychain.
    let config = tokio::task::spawn_blocking(tls::trusting_config).await;
    let config = config.map_err(io::Error::other).flatten().map_err(broken)?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.map_err(broken)?;
    let authority = target.url();
    let authority = authority
        .trim_start_matches("https://")
        .trim_end_matches('/');
    let request = format!(
        "HEAD /{path}/releases/latest HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: Baleen/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.map_err(broken)?;
        bytes.extend_from_slice(&part[..read]);
        let parsed = Head::parse(&bytes);
        match parsed
            .map_err(|error| broken(io::Error::other(format!("it is not HTTP: {error}"))))?
        {
            Some(Parsed { head, .. }) => return Ok(head),
            None if read == 0 => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
            None if bytes.len() > MAX_ANSWER_LEN => {
                return Err(broken(io::Error::other("the answer is too long")));
            }
            None => {}
        }
    }
}

/// Returns the release to whose page the answer leads.
fn release(head: &Head, repository: &str) -> Result<Version, UpdateError> {
    let unexpected = |location: Option<&str>| UpdateError::Unexpected {
        page: page(repository),
        status: head.status,
        location: location.map(redirect),
    };
    let location = head.values("location").next();
    let (301 | 302 | 303 | 307 | 308, Some(location)) = (head.status, location) else {
        return Err(unexpected(None));
    };
    // A redirect may leave out the scheme and the host (RFC 9110, section 10.2.2).
    let path = repository.splitn(4, '/').nth(3).unwrap_or_default();
    let below = match location.strip_prefix('/') {
        Some(location) => location.strip_prefix(path),
        None => location.strip_prefix(repository),
    };
    match below {
        Some("/releases") => Err(UpdateError::NoRelease(repository.to_owned())),
        Some(below) => match below.strip_prefix("/releases/tag/") {
            Some(tag) => tag.parse().map_err(|why| UpdateError::Tag {
                tag: shown(tag),
                why,
            }),
            None => Err(unexpected(Some(location))),
        },
        None => Err(unexpected(Some(location))),
    }
}

/// Returns the address of a redirect without its query and its login: those of a page that wants one have a session in
/// them, or the name of this computer's user.
fn redirect(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    shown(&redact(&location[..end]))
}

/// Returns a server's text without control characters, and not too long.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    short.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_leads_to_a_release_of_this_repository() {
        const AT: &str = "https://github.com/o/r";
        let tag = |tag: &str| format!("302 Found\r\nLocation: {AT}/releases/tag/{tag}");
        for (answer, expected) in [
            (tag("v1.2.3"), Ok("1.2.3")),
            (tag("1.2.3-rc.1"), Ok("1.2.3-rc.1")),
            (
                "301 x\r\nlocation: /o/r/releases/tag/v0.2.0".to_owned(),
                Ok("0.2.0"),
            ),
            (tag("nightly"), Err("'nightly'")),
            (tag("v1.2.3/../.."), Err("'v1.2.3/../..'")),
            (tag(&"9".repeat(1000)), Err("should be a version")),
            (tag(""), Err("should be a version")),
            (
                format!("302 x\r\nLocation: {AT}/releases"),
                Err("has no release"),
            ),
            (
                format!("302 x\r\nLocation: {AT}x/releases/tag/v1.2.3"),
                Err("led to"),
            ),
            (
                "302 x\r\nLocation: https://me:secret@login.corp/in?u=1#x".to_owned(),
                Err("led to https://me:***@login.corp/in"),
            ),
            (
                "302 x\r\nLocation: //evil.example/o/r/releases/tag/v9.9.9".to_owned(),
                Err("led to"),
            ),
            ("302 x".to_owned(), Err("answered 302")),
            (
                "200 OK\r\nLocation: /o/r/releases/tag/v0.2.0".to_owned(),
                Err("answered 200"),
            ),
            ("404 Not Found".to_owned(), Err("answered 404")),
            ("429 Too Many Requests".to_owned(), Err("answered 429")),
        ] {
            let text = format!("HTTP/1.1 {answer}\r\n\r\n");
            let head = Head::read(&mut text.as_bytes()).unwrap();
            match (release(&head, AT), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected),
                (Err(error), Err(expected)) => {
                    let error = error.to_string();
                    assert!(error.contains(expected), "{answer}: {error}");
                    assert!(error.len() < 500, "{error}");
                    assert!(!error.contains("secret") && !error.contains('?'), "{error}");
                }
                (found, _) => panic!("{answer}: {found:?}"),
            }
        }
    }

    #[test]
    fn the_repository_is_the_one_of_the_package() {
        assert_eq!(page(REPOSITORY), format!("{REPOSITORY}/releases/latest"));
        assert!(REPOSITORY.starts_with("https://") && !REPOSITORY.ends_with('/'));
        assert!(running().is_ok());
    }
}
