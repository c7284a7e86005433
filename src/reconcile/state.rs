//! The state of an engine, in one word.

use serde::{Serialize, Serializer};

/// The state of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The image is stock, and the user asked for nothing else.
    Off,
    /// The image is patched with the wanted proxy.
    Current,
    /// The user wants the proxy, but this Mac uses none now, and the image is stock.
    Direct,
    /// The image is patched with another proxy.
    Stale,
    /// The image is stock although the user asked for the proxy: an update of Docker installed its
    /// own image.
    Wiped,
    /// Someone else put a proxy into the script.
    Foreign,
    /// The image is incomplete, or is changing.
    Updating,
    /// Baleen does not patch this bundle or this image.
    Unsupported,
    /// The system does not let Baleen read the image.
    NotPermitted,
    /// There is no Docker.app.
    NoDocker,
    /// An administrator decides about the proxy.
    Locked,
    /// The engine is starting, or does not answer.
    NotAnswering,
    /// The image has the proxy, but the running engine started before it had. Only a program that
    /// watches Docker can detect this state.
    RestartNeeded,
}

impl State {
    /// All states.
    pub const ALL: [Self; 13] = [
        Self::Off,
        Self::Current,
        Self::Direct,
        Self::Stale,
        Self::Wiped,
        Self::Foreign,
        Self::Updating,
        Self::Unsupported,
        Self::NotPermitted,
        Self::NoDocker,
        Self::Locked,
        Self::NotAnswering,
        Self::RestartNeeded,
    ];

    /// Returns the word for this state in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Current => "current",
            Self::Direct => "direct",
            Self::Stale => "stale",
            Self::Wiped => "wiped",
            Self::Foreign => "foreign",
            Self::Updating => "updating",
            Self::Unsupported => "unsupported",
            Self::NotPermitted => "not-permitted",
            Self::Locked => "locked",
            Self::NotAnswering => "not-answering",
            Self::NoDocker => "no-docker",
            Self::RestartNeeded => "restart-needed",
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
