//! The legacy Keychain, which is in a file and needs no entitlement.

use std::collections::HashMap;
use std::sync::Arc;

use keyring::Entry;
use keyring_core::error::PlatformError;
use keyring_core::{CredentialStore, Error as StoreError};
use security_framework::os::macos::passwords::{
    SecAuthenticationType, SecProtocolType, find_internet_password,
};

use crate::error::Result;

use super::{Account, SERVICE, StoreFailure, failure_of_status, in_words};

pub(super) const NAME: &str = "the Keychain";
pub(super) const PROGRAM: &str = "Keychain Access";
pub(super) const UNLOCK: &str =
    "run `security unlock-keychain` in the same session, or log in at the Mac's screen";
pub(super) const INSTEAD: &str =
    "create a login keychain in Keychain Access, or leave the password in the URL in HTTPS_PROXY";

pub(super) fn open() -> Result<Arc<CredentialStore>> {
    let tried = "open the login keychain";
    if let Err(error) = Entry::store_status() {
        return Err(in_words(tried, error));
    }
    keyring_core::get_default_store().ok_or_else(|| in_words(tried, StoreError::NoDefaultStore))
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
    let error = why.downcast_ref::<security_framework::base::Error>();
    error.map_or(StoreFailure::Other, |error| failure_of_status(error.code()))
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
