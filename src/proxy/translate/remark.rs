//! What a translation can't keep, or keeps in another form.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::proxy::pac::{IgnoredEntry, PacAnswers, PacRemark, Route, ScriptState};
use crate::proxy::settings::SettingsFault;

/// A setting that the engine can't follow. A proxy is named as `HOST:PORT`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Remark {
    /// A part of the settings is invalid.
    Settings(SettingsFault),
    /// This variable is set, but neither Go nor Docker reads it.
    IgnoredVariable(&'static str),
    /// The proxy has a user, but no password is stored for it.
    NoPassword {
        /// As in `me@proxy.corp:8080`, with the user in the form of a URL.
        account: String,
    },
    /// The name of the proxy can't be resolved.
    Unresolved {
        /// The host of the proxy.
        host: String,
        /// The resolver's answer.
        why: Arc<io::Error>,
    },
    /// The engine doesn't know the SOCKS proxy of one scheme, and uses the other scheme's proxy for both.
    UnknownSocks {
        /// The SOCKS proxy.
        socks: String,
        /// True if it is the proxy for `https://`.
        secure: bool,
        /// The proxy for both schemes.
        uses: String,
    },
    /// The engine uses the proxy for `http://` also for `https://`, which this computer reaches directly.
    HttpsThroughHttp {
        /// The Go version that built the engine.
        built: String,
        /// The proxy.
        proxy: String,
    },
    /// This computer reaches `https://` directly, and so does the engine.
    HttpsDirect,
    /// Problems with the PAC script, which gave answers all the same, or which the network doesn't offer.
    Pac(Vec<PacRemark>),
    /// The PAC script can't be asked.
    PacUnreachable(PacUnreachable),
    /// The engine does something else than the PAC script's answer for these hosts.
    Hosts {
        /// The hosts.
        hosts: Vec<String>,
        /// The difference.
        what: HostRemark,
    },
    /// The PAC script was never asked about these hosts.
    NeverAsked {
        /// The hosts.
        hosts: Vec<String>,
        /// The proxy that the engine uses for them; none if it goes direct.
        uses: Option<String>,
    },
    /// The PAC script names a proxy for `http://` only, which the engine doesn't get.
    HttpOnly {
        /// The proxy.
        proxy: String,
    },
}

/// A difference between a PAC script's answer and what the engine does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostRemark {
    /// An entry of the answer doesn't count.
    Ignored(IgnoredEntry),
    /// The answer says `SOCKS` without a version.
    SocksVersion,
    /// The engine can't use the first routes.
    NotFirst {
        /// The routes before the one that the engine uses.
        before: Vec<Route>,
        /// The route that it uses.
        uses: Route,
    },
    /// The answer names another proxy than for most hosts.
    OtherProxy {
        /// The proxy in the answer.
        proxy: String,
        /// The engine's proxy.
        uses: String,
    },
    /// The engine can use no route of the answer.
    Unusable {
        /// The answer.
        answer: String,
        /// The engine's proxy.
        uses: String,
    },
    /// The engine takes another way for `http://`. None stands for a direct connection.
    Http {
        /// The proxy in the answer.
        proxy: Option<String>,
        /// The engine's proxy.
        uses: Option<String>,
    },
}

/// A setting that the engine follows in another form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// The PAC script says what to do when its first route fails.
    NoFallback {
        /// The first proxy as `HOST:PORT`; none for a direct connection.
        first: Option<String>,
        /// The next routes.
        rest: Vec<Route>,
    },
    /// The proxy runs on this computer.
    ThisComputer {
        /// The proxy as `HOST:PORT`.
        proxy: String,
        /// The address by which the engine reaches it; none if Docker's own proxy on this computer does.
        address: Option<String>,
    },
}

/// A PAC script that can't be asked now, and what applies instead.
#[derive(Debug, Clone)]
pub struct PacUnreachable {
    /// The reason.
    pub why: Vec<PacRemark>,
    /// The time of the oldest answer in use; none if the engine goes direct.
    pub kept_since: Option<SystemTime>,
    /// The time until which the answers are used; none if they are used until the script is back.
    pub until: Option<SystemTime>,
}

impl PacUnreachable {
    /// Returns the state of these answers, unless they are fresh or the network offers no script.
    pub fn of(asked: &PacAnswers) -> Option<Self> {
        let (kept_since, until) = match &asked.script_state {
            ScriptState::Fresh | ScriptState::NotOffered => return None,
            ScriptState::Direct => (None, None),
            ScriptState::Kept { until, .. } => (Some(asked.kept_since()?), *until),
        };
        Some(Self {
            why: asked.remarks.clone(),
            kept_since,
            until,
        })
    }
}

/// The reason why the engine gets no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyDirect {
    /// The PAC script can't be reached.
    PacUnreachable,
    /// The source names no proxy.
    NoProxy,
}
