//! Proxy passwords in the system's own store: the Keychain on macOS, the Secret Service of the desktop
//! session elsewhere (GNOME Keyring, KWallet, KeePassXC). Passwords are stored nowhere else.
//!
//! Each is stored under [`SERVICE`] and an [`Account`], as in `me@proxy.corp:8080`. The crate `keyring`
//! opens the Keychain. The store that it opens is used through `keyring-core`, which can also list and
//! search, and has an in-memory store for tests. The Secret Service is opened by its own crate: `keyring`
//! opens the store once for a process and keeps a failure, so an app that started before the session bus
//! would never find a password. The Keychain needs no running service, and opening it can't fail.

mod error;
#[cfg(target_os = "macos")]
mod keychain_macos;
#[cfg(not(target_os = "macos"))]
mod secret_service;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error as StoreError};
use zeroize::Zeroizing;

use crate::proxy::{Password, ProxyUrl};
use crate::util::call_with_timeout;

pub use error::{Attempt, CredentialsError, NoStore};
#[cfg(target_os = "macos")]
use keychain_macos as system;
#[cfg(not(target_os = "macos"))]
use secret_service as system;

/// Service name of the passwords in the store: the app's bundle id.
pub const SERVICE: &str = "io.github.baleen-app.Baleen";

/// Name of the store, as in "the Keychain".
pub(crate) const STORE: &str = system::NAME;

/// Timeout for reading from the store. The store may exist but never answer, for example while it waits
/// for an invisible prompt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout for a change that the user requested. The user may be typing at the store's own prompt.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum length of a password, in bytes. No proxy accepts more, and a terminal's line has room for it.
pub(crate) const MAX_PASSWORD_LEN: usize = 1000;

type Result<T> = std::result::Result<T, CredentialsError>;

/// A user of a proxy. A password belongs to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    user: String,
    host: String,
    port: u16,
}

impl Account {
    /// Returns the account of `proxy`; nothing if it has no user.
    pub fn of(proxy: &ProxyUrl) -> Option<Self> {
        Some(Self {
            user: proxy.user()?,
            // Otherwise the same proxy could have two passwords.
            host: proxy.host().to_ascii_lowercase(),
            port: proxy.port(),
        })
    }

    /// The user.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Reads `USER@HOST[:PORT]`.
    ///
    /// # Errors
    /// When the text has another form; in particular when it has a password.
    pub fn parse(text: &str) -> Result<Self> {
        let proxy = ProxyUrl::parse(text).map_err(CredentialsError::InvalidProxy)?;
        if proxy.has_password() {
            return Err(CredentialsError::PasswordGiven);
        }
        Self::of(&proxy).ok_or_else(|| CredentialsError::NoUser(proxy.authority()))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}

/// The reason why a request to the store failed, as far as the store tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoreFailure {
    /// There is no store.
    Missing,
    /// The store is locked, and the user can't be asked to unlock it.
    Locked,
    /// The user was asked and refused.
    Denied,
    Other,
}

/// The system's password store.
#[derive(Debug)]
pub struct Store(Arc<CredentialStore>);

impl Store {
    /// Opens the store of the current user.
    ///
    /// # Errors
    /// When there is no store, or it does not answer.
    pub fn open() -> Result<Self> {
        within(TIMEOUT, &Attempt::Open, system::open)?.map(Self)
    }

    /// Returns the password of `account`, if there is one. The system may ask the user to unlock the store.
    ///
    /// # Errors
    /// When the store can't be read, or its content is not a valid password.
    pub fn password(&self, account: &Account) -> Result<Option<Password>> {
        let tried = Attempt::Read(account.clone());
        let read = self.entry_within(TIMEOUT, &tried, account, |entry| {
            entry.get_secret().map(Zeroizing::new)
        });
        let secret = match read? {
            Ok(secret) => secret,
            Err(StoreError::NoEntry) => return Ok(None),
            Err(error) => return Err(CredentialsError::of(tried, error)),
        };
        accepted(&secret, account).map(Some)
    }

    /// Returns whether there is a password for `account`, without reading it. The system may ask the user
    /// to unlock the store.
    ///
    /// # Errors
    /// When the store can't be searched.
    pub(crate) fn has_password(&self, account: &Account) -> Result<bool> {
        let tried = Attempt::Look(account.clone());
        let (store, asked) = (Arc::clone(&self.0), account.clone());
        match within(TIMEOUT, &tried, move || system::is_stored(&store, &asked))? {
            Err(StoreError::NoEntry) => Ok(false),
            Err(error) => Err(CredentialsError::of(tried, error)),
            Ok(is_stored) => Ok(is_stored),
        }
    }

    /// Stores a password for `account`, and replaces an existing one.
    ///
    /// # Errors
    /// When the store refuses it.
    pub fn set(&self, account: &Account, password: &Password) -> Result<()> {
        let tried = Attempt::Store(account.clone());
        let secret = Zeroizing::new(password.expose().to_vec());
        self.entry_within(PROMPT_TIMEOUT, &tried, account, move |entry| {
            entry.set_secret(&secret)
        })?
        .map_err(|error| CredentialsError::of(tried, error))
    }

    /// Deletes the password of `account`, and returns whether there was one.
    ///
    /// # Errors
    /// When the store refuses to delete it.
    pub fn delete(&self, account: &Account) -> Result<bool> {
        let tried = Attempt::Delete(account.clone());
        let deleted = self.entry_within(PROMPT_TIMEOUT, &tried, account, |entry| {
            entry.delete_credential()
        });
        match deleted? {
            Err(StoreError::NoEntry) => Ok(false),
            Err(error) => Err(CredentialsError::of(tried, error)),
            Ok(()) => Ok(true),
        }
    }

    /// Returns the accounts of all passwords that Baleen has stored, as in `me@proxy.corp:8080`, without
    /// reading a password. The system may ask the user to unlock the store.
    ///
    /// # Errors
    /// When the store can't be searched.
    pub fn accounts(&self) -> Result<Vec<String>> {
        let tried = Attempt::List;
        let store = Arc::clone(&self.0);
        let found = within(TIMEOUT, &tried, move || stored(&*store))?;
        let mut names: Vec<String> = found
            .map_err(|error| CredentialsError::of(tried, error))?
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Deletes everything that is stored under one of the names from [`Store::accounts`].
    ///
    /// # Errors
    /// When the store refuses to delete it.
    pub(crate) fn delete_named(&self, name: &str) -> Result<()> {
        let tried = Attempt::DeleteNamed(name.to_owned());
        let (store, meant) = (Arc::clone(&self.0), name.to_owned());
        within(PROMPT_TIMEOUT, &tried, move || {
            let of_name = stored(&*store)?
                .into_iter()
                .filter(|(name, _)| *name == meant);
            for (_, entry) in of_name {
                match entry.delete_credential() {
                    Err(StoreError::NoEntry) => {}
                    deleted => deleted?,
                }
            }
            Ok(())
        })?
        .map_err(|error: StoreError| CredentialsError::of(tried, error))
    }

    /// Runs `call` with the entry of `account`, within a time limit.
    fn entry_within<T: Send + 'static>(
        &self,
        patience: Duration,
        tried: &Attempt,
        account: &Account,
        call: impl FnOnce(Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<keyring_core::Result<T>> {
        let (store, name) = (Arc::clone(&self.0), account.to_string());
        within(patience, tried, move || {
            store.build(SERVICE, &name, None).and_then(call)
        })
    }
}

/// Returns all entries under [`SERVICE`], with their names.
fn stored(store: &CredentialStore) -> keyring_core::Result<Vec<(String, Entry)>> {
    let found = store.search(&HashMap::from([("service", SERVICE)]))?;
    // An entry without a name is not Baleen's.
    let named = found.into_iter().filter_map(|entry| {
        let (_, name) = entry.get_specifiers()?;
        Some((name, entry))
    });
    Ok(named.collect())
}

/// Returns the result of `call`, if it ends in time. A call can't be canceled: one that takes too long
/// continues in the background.
fn within<T: Send + 'static>(
    patience: Duration,
    tried: &Attempt,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    call_with_timeout("credentials", patience, call).map_err(|why| {
        let tried = tried.clone();
        match why.kind() {
            io::ErrorKind::TimedOut => CredentialsError::TimedOut { tried, patience },
            _ => CredentialsError::NoThread { tried, why },
        }
    })
}

/// Returns the password that the system itself stores for a proxy of its settings. The system asks the
/// user first.
///
/// # Errors
/// When there is no password, the user refuses, or this system has no store that Baleen can read.
pub(crate) fn system_password(account: &Account) -> Result<Password> {
    let tried = Attempt::ReadSystem(account.clone());
    let asked = account.clone();
    match within(PROMPT_TIMEOUT, &tried, move || {
        system::system_secret(&asked)
    })? {
        Ok(secret) => accepted(&Zeroizing::new(secret), account),
        Err(StoreError::NotSupportedByStore(_)) => Err(CredentialsError::NotAMac(account.clone())),
        Err(StoreError::NoEntry) => Err(CredentialsError::NoneInSystem(account.clone())),
        Err(error) => Err(CredentialsError::of(tried, error)),
    }
}

/// Converts a secret from the store into a password.
fn accepted(secret: &[u8], account: &Account) -> Result<Password> {
    Password::new(secret).ok_or_else(|| CredentialsError::NotAPassword(account.clone()))
}

/// Classifies a failure by the codes of
/// <https://developer.apple.com/documentation/security/security-framework-result-codes>.
#[cfg(any(target_os = "macos", test))]
fn failure_of_status(code: i32) -> StoreFailure {
    match code {
        // errSecUserCanceled, errSecAuthFailed
        -128 | -25293 => StoreFailure::Denied,
        // errSecInteractionNotAllowed, as over ssh
        -25308 => StoreFailure::Locked,
        // errSecNotAvailable, errSecNoSuchKeychain, errSecNoDefaultKeychain
        -25291 | -25294 | -25307 => StoreFailure::Missing,
        _ => StoreFailure::Other,
    }
}

/// Returns the stored password for `account`, if there is one. Without a store, there is none.
///
/// # Errors
/// When there is a store, but it can't be read, so that the password is unknown.
pub(crate) fn password_for(account: &Account) -> Result<Option<Password>> {
    match Store::open().and_then(|store| store.password(account)) {
        Err(CredentialsError::NoStore(_)) => Ok(None),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Face, Failure, Hint, Kind};
    use keyring_core::mock;

    fn account() -> Account {
        Account::parse("me@proxy.corp:8080").unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    fn entry(store: &Store) -> Entry {
        let name = account().to_string();
        store.0.build(SERVICE, &name, None).unwrap()
    }

    #[test]
    fn a_store_that_never_answers_is_not_waited_for() {
        let (_open, never) = std::sync::mpsc::channel::<()>();
        let patience = Duration::from_millis(10);
        let error = within(patience, &Attempt::List, move || never.recv()).unwrap_err();
        assert!(
            matches!(
                &error,
                CredentialsError::TimedOut {
                    tried: Attempt::List,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.hint(Face::CommandLine).is_some());
        assert_eq!(within(TIMEOUT, &Attempt::List, || 1).unwrap(), 1);
    }

    /// A store in memory, and a function that makes the next call for [`account`] fail.
    fn mocked() -> (Store, impl Fn(StoreError)) {
        let store = Store(mock::Store::new().unwrap());
        let entry = entry(&store);
        let fail = move |error| {
            let credential = entry.as_any().downcast_ref::<mock::Cred>().unwrap();
            credential.set_error(error);
        };
        (store, fail)
    }

    #[test]
    fn accounts_are_what_a_url_says() {
        for (text, expected) in [
            ("me@proxy.corp:8080", "me@proxy.corp:8080"),
            ("http://me@Proxy.Corp:8080/", "me@proxy.corp:8080"),
            ("me@proxy.corp", "me@proxy.corp:80"),
            ("m%40e@[2001:DB8::1]:3128", "m@e@[2001:db8::1]:3128"),
            (r"CORP\me@proxy", r"CORP\me@proxy:80"),
        ] {
            assert_eq!(Account::parse(text).unwrap().to_string(), expected);
        }
        for (text, expected) in [
            ("proxy.corp:8080", "account-without-user"),
            ("me:Xq7needle@proxy.corp:8080", "password-given"),
            ("me:@proxy.corp:8080", "password-given"),
            ("me@", "invalid-account"),
            ("me@proxy:0", "invalid-account"),
            ("", "invalid-account"),
        ] {
            let error = Account::parse(text).unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                (expected, Kind::Usage),
                "{text}"
            );
            assert!(
                !format!("{error:?}{error}").contains("Xq7needle"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_password_is_kept_replaced_and_deleted() {
        let (store, _) = mocked();
        let read = || store.password(&account()).unwrap();
        assert!(read().is_none());
        assert!(!store.delete(&account()).unwrap());
        for text in ["first", "s3cret ü\u{ff}'%"] {
            store.set(&account(), &password(text)).unwrap();
            assert_eq!(read().unwrap().expose(), text.as_bytes());
        }
        assert!(store.delete(&account()).unwrap());
        assert!(read().is_none());
    }

    #[test]
    fn all_that_was_ever_stored_is_found_and_deleted_by_its_name() {
        let (store, fail) = mocked();
        let other = Account::parse("you@other.corp").unwrap();
        store.set(&account(), &password("x")).unwrap();
        store.set(&other, &password("y")).unwrap();
        assert_eq!(
            store.accounts().unwrap(),
            ["me@proxy.corp:8080", "you@other.corp:80"]
        );
        store.delete_named("you@other.corp:80").unwrap();
        assert!(store.password(&other).unwrap().is_none());
        assert!(store.password(&account()).unwrap().is_some());
        // Deleting a missing password is no failure; a refusal is one.
        store.delete_named("you@other.corp:80").unwrap();
        fail(StoreError::NoStorageAccess("x".into()));
        let error = store.delete_named("me@proxy.corp:8080").unwrap_err();
        assert!(error.to_string().contains("me@proxy.corp:8080"), "{error}");
        store.delete_named("me@proxy.corp:8080").unwrap();
        assert!(store.password(&account()).unwrap().is_none());
    }

    /// On macOS, the code searches the store, and a search in the mock finds every entry that was ever
    /// built.
    #[cfg(not(target_os = "macos"))]
    #[test]
    fn whether_there_is_a_password_is_reported() {
        let (store, fail) = mocked();
        assert!(!store.has_password(&account()).unwrap());
        store.set(&account(), &password("x")).unwrap();
        assert!(store.has_password(&account()).unwrap());
        fail(StoreError::BadStoreFormat("no attributes".to_owned()));
        let error = store.has_password(&account()).unwrap_err().to_string();
        assert!(error.contains("could not look for the password of me@proxy.corp:8080"));
        assert!(error.contains("no attributes"), "{error}");
    }

    #[test]
    fn what_the_keychain_says_is_reported_apart() {
        for (code, expected) in [
            (-128, StoreFailure::Denied),
            (-25293, StoreFailure::Denied),
            (-25308, StoreFailure::Locked),
            (-25307, StoreFailure::Missing),
            (-50, StoreFailure::Other),
        ] {
            assert_eq!(failure_of_status(code), expected, "{code}");
        }
    }

    #[test]
    fn what_is_no_password_is_refused() {
        let (store, _) = mocked();
        entry(&store).set_secret(b"a\nb").unwrap();
        let Err(error) = store.password(&account()) else {
            panic!("a password with a line break");
        };
        assert!(
            matches!(error, CredentialsError::NotAPassword(_)),
            "{error}"
        );
    }

    #[test]
    fn a_failure_is_reported_in_words_and_leaves_the_password_alone() {
        let (store, fail) = mocked();
        store.set(&account(), &password("s3cret")).unwrap();
        for (error, expected) in [
            (
                StoreError::PlatformFailure("the disk is full".into()),
                "the disk is full",
            ),
            (StoreError::BadStoreFormat("torn".to_owned()), "torn"),
            (StoreError::Ambiguous(vec![entry(&store)]), "more than one"),
        ] {
            fail(error);
            let error = store.set(&account(), &password("other")).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("could not store the password of me@proxy.corp:8080"));
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("Cred"), "{text}");
        }
        fail(StoreError::NoStorageAccess("x".into()));
        assert!(store.delete(&account()).is_err());
        fail(StoreError::NoStorageAccess("x".into()));
        assert!(store.password(&account()).is_err());
        let kept = store.password(&account()).unwrap().unwrap();
        assert_eq!(kept.expose(), b"s3cret");
    }
}
