//! Advice on errors about proxy settings and PAC scripts.

use crate::error::{Face, Hint};
use crate::proxy::ProxyError;
use crate::proxy::no_proxy::InvalidNoProxy;
use crate::proxy::pac::{FetchFault, PacError};

const SYSTEM_SETTINGS: &str = "correct it in System Settings > Network > Details > Proxies";

impl Hint for ProxyError {
    fn hint(&self, face: Face) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.hint(face),
            Self::NotAFile(_) | Self::Url { .. } | Self::HostAddress { .. } => return None,
            Self::NoProxy { why, .. } => return why.hint(face),
            Self::NotAList { .. } => {
                "expected the dictionary that SCDynamicStoreCopyProxies gives, in XML or binary"
                    .to_owned()
            }
            Self::NotUtf8(_) => "write each of them as an escape, such as %E4".to_owned(),
            Self::Server { .. } => SYSTEM_SETTINGS.to_owned(),
            Self::Broken(_) => format!("{SYSTEM_SETTINGS}, or switch it off"),
            Self::SocksOnly { .. } => {
                let place = match face {
                    Face::CommandLine => {
                        "in System Settings, or with `baleen config set https_proxy http://HOST:PORT` and then `baleen config set source manual`"
                    }
                    Face::Menu => {
                        "in System Settings, or with Settings > Proxy Source > Manual…"
                    }
                };
                format!(
                    "name an HTTP proxy ({place}), or run one on this computer that forwards to it, such as privoxy"
                )
            }
            Self::NeverAsked { .. } => {
                "connect to the network or VPN that the script is in; nothing was decided without it"
                    .to_owned()
            }
            Self::UnusableAnswer { .. } => match face {
                Face::CommandLine => {
                    "name an HTTP proxy yourself: `baleen config set https_proxy http://HOST:PORT`, then `baleen config set source manual`"
                }
                Face::Menu => {
                    "name an HTTP proxy yourself with Settings > Proxy Source > Manual…"
                }
            }
            .to_owned(),
        })
    }
}

impl Hint for InvalidNoProxy {
    fn hint(&self, face: Face) -> Option<String> {
        let takes_out = match face {
            Face::CommandLine => "`baleen restore` takes the proxy out",
            Face::Menu => "switch Use Proxy off to take the proxy out",
        };
        (*self == Self::Everything).then(|| takes_out.to_owned())
    }
}

impl Hint for PacError {
    fn hint(&self, face: Face) -> Option<String> {
        match self {
            Self::File(error) => error.hint(face),
            Self::Fetch {
                why: FetchFault::WebPage,
                ..
            } => Some(
                "open that address in a browser: the network may want you to log in first"
                    .to_owned(),
            ),
            Self::NothingKept { why, goes_direct } => why.hint(face).or_else(|| {
                let advice = match goes_direct {
                    true => {
                        "connect to the network or VPN that the script is in; if it stays unreachable for 5 minutes, the engine goes direct, as macOS does. Nothing was decided without it"
                    }
                    false => {
                        "tell your network's administrator, or choose another proxy setting; nothing was decided without the script"
                    }
                };
                Some(advice.to_owned())
            }),
            Self::NotAFile(_)
            | Self::Fetch { .. }
            | Self::Evaluate { .. }
            | Self::OwnProgram(_)
            | Self::Request(_)
            | Self::Thread(_)
            | Self::Response(_) => None,
        }
    }
}
