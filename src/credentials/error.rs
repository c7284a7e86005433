//! Errors about the system's password store.

use std::borrow::Borrow;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use keyring_core::Error as StoreError;
use thiserror::Error as ThisError;

use crate::error::{Failure, Kind};
use crate::proxy::InvalidUrl;

use super::{Account, STORE, StoreFailure, system};

/// A request to the store.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[expect(missing_docs, reason = "the text of each says it")]
pub enum Attempt {
    #[error("open {STORE}")]
    Open,
    #[error("open the login keychain")]
    #[cfg(target_os = "macos")]
    OpenLogin,
    #[error("open the keyring over D-Bus")]
    #[cfg(not(target_os = "macos"))]
    OpenBus,
    #[error("read the password of {0}")]
    Read(Account),
    #[error("read the password that the system's settings have for {0}")]
    ReadSystem(Account),
    #[error("look for the password of {0}")]
    Look(Account),
    #[error("look for the passwords of proxies")]
    List,
    #[error("store the password of {0}")]
    Store(Account),
    #[error("delete the password of {0}")]
    Delete(Account),
    /// Holds a name from the store.
    #[error("delete the password of {0}")]
    DeleteNamed(String),
}

/// The reason why there is no password, or why it was not stored or deleted.
#[derive(Debug, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum CredentialsError {
    #[error("the proxy that was given can't be used: {0}")]
    InvalidProxy(#[source] InvalidUrl),
    #[error(
        "the proxy that was given has a password in it, and other users of this computer can see arguments"
    )]
    PasswordGiven,
    /// Holds `HOST:PORT`.
    #[error("{0} has no user")]
    NoUser(String),
    #[error("there is no keyring to keep a password in: {0}")]
    NoStore(NoStore),
    #[error("could not {tried}: {why}")]
    NoThread {
        tried: Attempt,
        #[source]
        why: io::Error,
    },
    #[error(
        "could not {tried}: {STORE} should answer, but did not within {} seconds",
        patience.as_secs()
    )]
    TimedOut { tried: Attempt, patience: Duration },
    #[error("could not {tried}: {STORE} is locked, and its user could not be asked to unlock it")]
    Locked {
        tried: Attempt,
        #[source]
        why: StoreError,
    },
    #[error(
        "could not {tried}: {STORE} was not unlocked, or Baleen not let in, when its user was asked"
    )]
    Denied {
        tried: Attempt,
        #[source]
        why: StoreError,
    },
    #[error("could not {tried} in {STORE}: {}", root(why))]
    Store {
        tried: Attempt,
        #[source]
        why: StoreError,
    },
    #[error(
        "could not read the password that the system's settings have for {0}: {STORE} has none"
    )]
    NoneInSystem(Account),
    #[error(
        "could not read the password that the system's settings have for {0}: only macOS keeps it, in its Keychain"
    )]
    NotAMac(Account),
    #[error("what {STORE} holds for {0} has a control character in it, which no proxy takes")]
    NotAPassword(Account),
}

/// The reason why there is no store.
#[derive(Debug, ThisError)]
pub enum NoStore {
    /// There is no session bus to find one on.
    #[error(
        "this is no desktop session (neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR leads to one)"
    )]
    #[cfg(not(target_os = "macos"))]
    NoSession,
    /// The system has none.
    #[error("{}", root(.0))]
    Missing(#[source] StoreError),
}

impl CredentialsError {
    /// Tells the failures of the store apart.
    pub(super) fn of(tried: Attempt, why: StoreError) -> Self {
        let failure = match &why {
            StoreError::NoStorageAccess(why) | StoreError::PlatformFailure(why) => {
                system::failure(why)
            }
            _ => StoreFailure::Other,
        };
        match failure {
            StoreFailure::Missing => Self::NoStore(NoStore::Missing(why)),
            StoreFailure::Locked => Self::Locked { tried, why },
            StoreFailure::Denied => Self::Denied { tried, why },
            StoreFailure::Other => Self::Store { tried, why },
        }
    }
}

impl Failure for CredentialsError {
    fn kind(&self) -> Kind {
        match self {
            Self::InvalidProxy(_) | Self::PasswordGiven | Self::NoUser(_) => Kind::Usage,
            Self::NoStore(_) | Self::NotAMac(_) => Kind::Unsupported,
            Self::Locked { .. } | Self::Denied { .. } => Kind::NotPermitted,
            Self::NoThread { .. }
            | Self::TimedOut { .. }
            | Self::Store { .. }
            | Self::NoneInSystem(_)
            | Self::NotAPassword(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidProxy(_) => "invalid-account",
            Self::PasswordGiven => "password-given",
            Self::NoUser(_) => "account-without-user",
            Self::NoStore(_) => "no-password-store",
            Self::NoThread { .. } => "no-thread",
            Self::TimedOut { .. } => "password-store-silent",
            Self::Locked { .. } => "password-store-locked",
            Self::Denied { .. } => "password-store-denied",
            Self::Store { .. } => "password-store-failed",
            Self::NoneInSystem(_) => "no-system-password",
            Self::NotAMac(_) => "no-system-passwords",
            Self::NotAPassword(_) => "not-a-password",
        }
    }
}

/// Returns the message of the root cause, without the names of the layers above it.
fn root(error: impl Borrow<StoreError>) -> String {
    fn deepest(error: &dyn StdError) -> String {
        match error.source() {
            Some(deeper) => deepest(deeper),
            None => error.to_string(),
        }
    }
    match error.borrow() {
        // The store's own message would list the entries in debug format.
        StoreError::Ambiguous(_) => "more than one is stored for it".to_owned(),
        other => deepest(other),
    }
}
