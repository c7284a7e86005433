//! Errors about proxy settings.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::error::{Failure, IoError, Kind};
use crate::property_list::InvalidList;

use super::no_proxy::InvalidNoProxy;
use super::pac::PacRemark;
use super::settings::SettingsFault;
use super::{InvalidUrl, redact};

/// The reason why proxy settings can't be used.
#[derive(Debug, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ProxyError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("{} should be a property list, but is not a file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} is not a property list: {why}", path.display())]
    NotAList {
        path: PathBuf,
        #[source]
        why: InvalidList,
    },
    #[error("the environment variable {0} should be UTF-8, but has other bytes in it")]
    NotUtf8(String),
    #[error("the proxy in {place} can't be used: {why}")]
    Url {
        /// The variable or the option.
        place: String,
        #[source]
        why: InvalidUrl,
    },
    #[error("the no-proxy list in {place} can't be used: {why}")]
    NoProxy {
        /// The variable or the option.
        place: String,
        #[source]
        why: InvalidNoProxy,
    },
    #[error(
        "the proxy '{}' of the system's settings can't be used: {why}",
        redact(host)
    )]
    Server {
        host: String,
        #[source]
        why: InvalidUrl,
    },
    /// A proxy is switched on, but was left out.
    #[error("a proxy is switched on, but can't be made out: {}", joined(.0))]
    Broken(Vec<SettingsFault>),
    #[error(
        "this computer reaches the network through the SOCKS proxy {proxy}, and this engine (built with {built}) knows HTTP proxies only"
    )]
    SocksOnly {
        /// `HOST:PORT`.
        proxy: String,
        /// The Go version that built the engine.
        built: String,
    },
    #[error("the host address '{address}' can't be used: {why}")]
    HostAddress {
        address: String,
        #[source]
        why: InvalidUrl,
    },
    #[error("{}; it was never asked about {}", joined(why), listed(hosts))]
    NeverAsked {
        why: Vec<PacRemark>,
        hosts: Vec<String>,
    },
    #[error(
        "the PAC script says \"{answer}\" for {host}, which this engine (built with {built}) can't do"
    )]
    UnusableAnswer {
        answer: String,
        host: String,
        /// The Go version that built the engine.
        built: String,
    },
}

impl Failure for ProxyError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::SocksOnly { .. } | Self::UnusableAnswer { .. } => Kind::Unsupported,
            Self::NeverAsked { .. } => Kind::Failure,
            Self::NotAFile(_)
            | Self::NotAList { .. }
            | Self::NotUtf8(_)
            | Self::Url { .. }
            | Self::NoProxy { .. }
            | Self::Server { .. }
            | Self::Broken(_)
            | Self::HostAddress { .. } => Kind::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::NotAFile(_) => "proxies-not-a-file",
            Self::NotAList { .. } => "proxies-not-a-list",
            Self::NotUtf8(_) => "variable-not-utf8",
            Self::Url { .. } => "invalid-proxy",
            Self::NoProxy { .. } => "invalid-no-proxy",
            Self::Server { .. } => "invalid-system-proxy",
            Self::Broken(_) => "broken-system-proxy",
            Self::SocksOnly { .. } => "socks-only",
            Self::HostAddress { .. } => "invalid-host-address",
            Self::NeverAsked { .. } => "pac-never-asked",
            Self::UnusableAnswer { .. } => "pac-unusable-answer",
        }
    }
}

/// Returns sentences in one line.
pub(crate) fn joined<T: ToString>(sentences: &[T]) -> String {
    let sentences: Vec<String> = sentences.iter().map(T::to_string).collect();
    sentences.join("; ")
}

/// Returns a list of hosts in words.
pub(crate) fn listed(hosts: &[String]) -> String {
    match hosts {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}
