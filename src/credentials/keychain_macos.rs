//! The legacy Keychain, which is in a file and needs no entitlement.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Arc;

use keyring::Entry;
use keyring_core::error::PlatformError;
use keyring_core::{CredentialStore, Error as StoreError};
use security_framework::os::macos::passwords::{
    SecAuthenticationType, SecProtocolType, find_internet_password,
};

use super::{Account, Attempt, CredentialsError, Result, SERVICE, StoreFailure, failure_of_status};

pub(super) const NAME: &str = "the Keychain";

pub(super) fn open() -> Result<Arc<CredentialStore>> {
    let failed = |error| CredentialsError::of(Attempt::OpenLogin, error);
    if let Err(error) = Entry::store_status() {
        // `keyring` keeps the error itself.
        return Err(failed(StoreError::NoStorageAccess(Box::new(error))));
    }
    keyring_core::get_default_store().ok_or_else(|| failed(StoreError::NoDefaultStore))
}

/// Returns whether there is a password. It requests attributes only, which the Keychain returns without
/// asking the user (<https://developer.apple.com/documentation/security/item-return-result-keys>).
pub(super) fn is_stored(
    store: &Arc<CredentialStore>,
    account: &Account,
) -> keyring_core::Result<bool> {
    let account = account.to_string();
    let found = store.search(&HashMap::from([("service", SERVICE), ("user", &*account)]))?;
    Ok(!found.is_empty())
}

pub(super) fn failure(why: &PlatformError) -> StoreFailure {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&**why);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<security_framework::base::Error>() {
            return failure_of_status(error.code());
        }
        cause = error.source();
    }
    StoreFailure::Other
}

/// Returns the password that System Settings store for a proxy, which is an internet password for its
/// host and port (<https://developer.apple.com/documentation/security/secprotocoltype>).
pub(super) fn system_secret(account: &Account) -> keyring_core::Result<Vec<u8>> {
    let find = |protocol| {
        let (host, port) = (&account.host, Some(account.port));
        let any = SecAuthenticationType::Any;
        find_internet_password(None, host, None, &account.user, "", port, protocol, any)
            .map(|(secret, _)| secret.as_ref().to_vec())
            .map_err(|error| match error.code() {
                // errSecItemNotFound
                -25300 => StoreError::NoEntry,
                _ => StoreError::PlatformFailure(Box::new(error)),
            })
    };
    match find(SecProtocolType::HTTPSProxy) {
        Err(StoreError::NoEntry) => find(SecProtocolType::HTTPProxy),
        found => found,
    }
}
