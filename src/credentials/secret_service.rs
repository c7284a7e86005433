//! The Secret Service of a desktop session
//! (<https://specifications.freedesktop.org/secret-service-spec/latest/>).

use std::sync::Arc;

use keyring_core::error::PlatformError;
use keyring_core::{CredentialStore, Error as StoreError};
use secret_service::Error as ServiceError;

use crate::platform::has_session_bus;

use super::{Account, Attempt, CredentialsError, NoStore, Result, SERVICE, StoreFailure};

pub(super) const NAME: &str = "the keyring";

pub(super) fn open() -> Result<Arc<CredentialStore>> {
    if !has_session_bus() {
        return Err(CredentialsError::NoStore(NoStore::NoSession));
    }
    let store = zbus_secret_service_keyring_store::Store::new();
    Ok(store.map_err(|error| CredentialsError::of(Attempt::OpenBus, error))?)
}

pub(super) fn is_stored(
    store: &Arc<CredentialStore>,
    account: &Account,
) -> keyring_core::Result<bool> {
    let entry = store.build(SERVICE, &account.to_string(), None)?;
    // This reads attributes only.
    entry.get_credential().map(|_| true)
}

pub(super) fn failure(why: &PlatformError) -> StoreFailure {
    match why.downcast_ref::<ServiceError>() {
        // A keyring without a display dismisses its own prompts.
        Some(ServiceError::Prompt) => StoreFailure::Denied,
        Some(ServiceError::Locked | ServiceError::NoResult) => StoreFailure::Locked,
        Some(ServiceError::Unavailable) => StoreFailure::Missing,
        Some(error @ (ServiceError::Zbus(_) | ServiceError::ZbusFdo(_))) => {
            failure_on_the_bus(&error.to_string())
        }
        _ => StoreFailure::Other,
    }
}

/// Classifies a failure by the error's name, since only the name is common to the bus's own errors and
/// those of the service.
fn failure_on_the_bus(error: &str) -> StoreFailure {
    if error.contains("org.freedesktop.Secret.Error.IsLocked") {
        StoreFailure::Locked
    } else if error.contains("org.freedesktop.Secret.Error.") {
        StoreFailure::Other
    } else {
        StoreFailure::Missing
    }
}

pub(super) fn system_secret(_account: &Account) -> keyring_core::Result<Vec<u8>> {
    Err(StoreError::NotSupportedByStore("system_secret".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_reported_apart() {
        for (error, expected) in [
            (ServiceError::Prompt, StoreFailure::Denied),
            (ServiceError::Locked, StoreFailure::Locked),
            (ServiceError::NoResult, StoreFailure::Locked),
            (ServiceError::Unavailable, StoreFailure::Missing),
            (ServiceError::Crypto("x"), StoreFailure::Other),
        ] {
            let shown = error.to_string();
            assert_eq!(failure(&error.into()), expected, "{shown}");
        }
        assert_eq!(failure(&"x".into()), StoreFailure::Other);
        for (error, expected) in [
            (
                "org.freedesktop.Secret.Error.IsLocked: no",
                StoreFailure::Locked,
            ),
            (
                "org.freedesktop.Secret.Error.NoSession",
                StoreFailure::Other,
            ),
            (
                "org.freedesktop.DBus.Error.ServiceUnknown: org.freedesktop.secrets",
                StoreFailure::Missing,
            ),
            ("Connection refused", StoreFailure::Missing),
        ] {
            assert_eq!(failure_on_the_bus(error), expected, "{error}");
        }
    }
}
