//! The proxy that the user enters in a panel: from the config file into fields, and from the fields into changes of the file
//! and of the password store.
//!
//! ```text
//! Config --ManualProxy::new--> Fields --changes--> Changes --save--> password, then file, then deletion
//! ```
//!
//! The panel has one address, since nearly everyone has one proxy. It stands for `https_proxy`, which Docker uses for
//! registries, or for `http_proxy` if only that is set. Where the file names two different proxies, the one for `http://`
//! stays as it is.
//!
//! A stored password is never read for the panel: an empty field leaves it alone, and [`Fields::forget`] deletes it. A
//! password belongs to a user at a proxy, so a new address does not get the password of the old one: it is entered again.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::{self, Config, Edit, InvalidValue, Key, SourceSetting};
use crate::credentials::{Account, CredentialsError, MAX_PASSWORD_LEN, Store};
use crate::error::{Error, Result};
use crate::proxy::{InvalidUrl, Password, ProxyUrl};

/// The contents of the fields. The address may hold a password until it is moved to the store.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The proxy, as in `proxy.corp:8080`; a user and a password before it are accepted.
    pub address: Zeroizing<String>,
    /// The user; empty if the proxy asks for none.
    pub user: String,
    /// A new password; empty to leave the stored one as it is.
    pub password: Zeroizing<String>,
    /// The hosts to reach without the proxy, separated by commas or spaces.
    pub exceptions: String,
    /// True to delete the stored password.
    pub forget: bool,
}

/// The reason why a field can't be used. It never holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// There is no address.
    NoAddress,
    /// The address is not that of a proxy.
    Address(InvalidUrl),
    /// The user can't be part of a proxy's URL.
    User(InvalidUrl),
    /// The address has another user than the field.
    TwoUsers,
    /// The address has another password than the field.
    TwoPasswords,
    /// There is a password, but no user.
    PasswordWithoutUser,
    /// The password has a control character.
    PasswordCharacter,
    /// The password has more than this number of bytes.
    PasswordTooLong(usize),
    /// A new password was entered, and the stored one is to be deleted.
    PasswordAndForget,
    /// There is no password for the new account; the stored one is that of the account before.
    PasswordOfBefore(Account),
    /// An exception can't be used.
    Exceptions(InvalidValue),
}

/// A change of the password store.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordChange {
    /// Leave it as it is.
    Keep,
    /// Store this password.
    Store(Account, Password),
    /// Delete the password of this account.
    Delete(Account),
}

impl fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => write!(f, "Keep"),
            Self::Store(account, _) => write!(f, "Store({account})"),
            Self::Delete(account) => write!(f, "Delete({account})"),
        }
    }
}

/// What saving the fields changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The changes of the config file. Keys whose values stay the same are not among them.
    pub edits: Vec<Edit>,
    /// The change of the password store.
    pub password: PasswordChange,
}

/// The proxy of the config file, as the panel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualProxy {
    source: SourceSetting,
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    no_proxy: Vec<String>,
    has_password: bool,
}

impl ManualProxy {
    /// Creates the form for the settings in `config`. `has_password` tells whether a password is stored for
    /// [`ManualProxy::account_in`].
    pub fn new(config: &Config, has_password: bool) -> Self {
        Self {
            source: config.source,
            http: config.http_proxy.clone(),
            https: config.https_proxy.clone(),
            no_proxy: config.no_proxy.clone(),
            has_password: has_password && Self::account_in(config).is_some(),
        }
    }

    /// Returns the account of the proxy in `config`; nothing if it has no proxy, or its proxy has no user.
    pub fn account_in(config: &Config) -> Option<Account> {
        let proxy = config.https_proxy.as_ref().or(config.http_proxy.as_ref());
        proxy.and_then(Account::of)
    }

    /// Returns whether a password is stored for the proxy.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// Returns the proxy for `http://` if it is another one, which the panel does not change.
    pub fn other(&self) -> Option<&ProxyUrl> {
        let http = self.http.as_ref()?;
        let https = self.https.as_ref()?;
        (http != https).then_some(http)
    }

    /// Returns the contents of the fields before the user changes them.
    pub fn fields(&self) -> Fields {
        let proxy = self.proxy();
        Fields {
            address: proxy.map(ProxyUrl::display).unwrap_or_default().into(),
            user: proxy.and_then(ProxyUrl::user).unwrap_or_default(),
            exceptions: self.no_proxy.join(", "),
            ..Fields::default()
        }
    }

    /// Returns the first error in the fields, from top to bottom; nothing if they can be saved.
    pub fn error(&self, fields: &Fields) -> Option<FieldError> {
        self.changes(fields).err()
    }

    /// Returns what saving these fields changes.
    ///
    /// # Errors
    /// The first error in the fields, from top to bottom.
    pub fn changes(&self, fields: &Fields) -> std::result::Result<Changes, FieldError> {
        let (proxy, password) = self.entered(fields)?;
        let no_proxy = exceptions(&fields.exceptions)?;
        let mut edits = Vec::new();
        if self.proxy() != Some(&proxy) {
            let keys: &[Key] = match (&self.http, &self.https) {
                (_, None) => &[Key::HttpProxy],
                (Some(http), Some(https)) if http == https => &[Key::HttpProxy, Key::HttpsProxy],
                (_, Some(_)) => &[Key::HttpsProxy],
            };
            let value = || vec![proxy.redacted()];
            edits.extend(keys.iter().map(|key| Edit::set(*key, value())));
        }
        if no_proxy != self.no_proxy {
            edits.push(match no_proxy.is_empty() {
                true => Edit::unset(Key::NoProxy),
                false => Edit::set(Key::NoProxy, no_proxy),
            });
        }
        if self.source != SourceSetting::Manual {
            let name = SourceSetting::Manual.name().to_owned();
            edits.push(Edit::set(Key::Source, vec![name]));
        }
        let stored = || self.proxy().and_then(Account::of);
        let password = match (password, Account::of(&proxy)) {
            (Some(_), None) => return Err(FieldError::PasswordWithoutUser),
            (Some(password), Some(account)) => PasswordChange::Store(account, password),
            (None, _) if fields.forget && self.has_password => {
                stored().map_or(PasswordChange::Keep, PasswordChange::Delete)
            }
            (None, Some(account)) if self.has_password && stored().as_ref() != Some(&account) => {
                return Err(FieldError::PasswordOfBefore(account));
            }
            (None, _) => PasswordChange::Keep,
        };
        Ok(Changes { edits, password })
    }

    /// The proxy that the address stands for.
    fn proxy(&self) -> Option<&ProxyUrl> {
        self.https.as_ref().or(self.http.as_ref())
    }

    /// Returns the proxy of the fields, which has no password, and the new password.
    fn entered(
        &self,
        fields: &Fields,
    ) -> std::result::Result<(ProxyUrl, Option<Password>), FieldError> {
        let before = self.fields();
        if fields.address.trim().is_empty() {
            return Err(FieldError::NoAddress);
        }
        let address = ProxyUrl::parse(&fields.address).map_err(FieldError::Address)?;
        // A user that was not edited stays as it is in the file, even if its bytes are no text.
        let user = match self.proxy().and_then(ProxyUrl::user_bytes) {
            Some(user) if fields.user == before.user => Some(user.to_owned()),
            _ => Some(fields.user.trim().as_bytes().to_owned()).filter(|user| !user.is_empty()),
        };
        let user = match (address.user_bytes(), user) {
            (Some(in_address), Some(user)) if in_address != user => {
                // The old user in the field counts for nothing if a new one comes with the address.
                if fields.user != before.user {
                    return Err(FieldError::TwoUsers);
                }
                Some(in_address.to_owned())
            }
            (Some(in_address), _) => Some(in_address.to_owned()),
            (None, user) => user,
        };
        let is_control = |user: &Vec<u8>| user.iter().any(u8::is_ascii_control);
        if user.as_ref().is_some_and(is_control) {
            return Err(FieldError::User(InvalidUrl::Control));
        }
        let password = self.password(fields, &address)?;
        let (scheme, host, port) = (address.scheme(), address.host().to_owned(), address.port());
        Ok((ProxyUrl::of_parts(scheme, user, host, port), password))
    }

    /// Returns the new password: that of its field, else that of the address.
    fn password(
        &self,
        fields: &Fields,
        address: &ProxyUrl,
    ) -> std::result::Result<Option<Password>, FieldError> {
        // An empty password, as in `me:@proxy`, is none.
        let in_address = address.password().filter(|p| !p.expose().is_empty());
        let password = match (in_address, fields.password.as_str()) {
            (None, "") => return Ok(None),
            (Some(password), "") => password.clone(),
            (in_address, text) => {
                let password = Password::new(text.as_bytes().to_owned());
                let password = password.ok_or(FieldError::PasswordCharacter)?;
                if in_address.is_some_and(|in_address| *in_address != password) {
                    return Err(FieldError::TwoPasswords);
                }
                password
            }
        };
        if password.expose().len() > MAX_PASSWORD_LEN {
            return Err(FieldError::PasswordTooLong(MAX_PASSWORD_LEN));
        }
        match fields.forget && self.has_password {
            true => Err(FieldError::PasswordAndForget),
            false => Ok(Some(password)),
        }
    }
}

/// Returns the entries of the list of exceptions, each once.
fn exceptions(text: &str) -> std::result::Result<Vec<String>, FieldError> {
    let mut entries: Vec<String> = Vec::new();
    for entry in text.split(|c: char| c == ',' || c.is_whitespace()) {
        if entry.is_empty() || entries.iter().any(|known| known == entry) {
            continue;
        }
        Key::NoProxy.check(entry).map_err(FieldError::Exceptions)?;
        entries.push(entry.to_owned());
    }
    Ok(entries)
}

/// The calls of the password store that saving makes.
pub trait Passwords {
    /// Returns whether there is a password for `account`.
    ///
    /// # Errors
    /// When the store can't be searched.
    fn has(&self, account: &Account) -> std::result::Result<bool, CredentialsError>;

    /// Stores a password for `account`, and replaces an existing one.
    ///
    /// # Errors
    /// When the store refuses it.
    fn store(
        &self,
        account: &Account,
        password: &Password,
    ) -> std::result::Result<(), CredentialsError>;

    /// Deletes the password of `account`, if there is one.
    ///
    /// # Errors
    /// When the store refuses to delete it.
    fn delete(&self, account: &Account) -> std::result::Result<(), CredentialsError>;
}

impl Passwords for Store {
    fn has(&self, account: &Account) -> std::result::Result<bool, CredentialsError> {
        self.has_password(account)
    }

    fn store(
        &self,
        account: &Account,
        password: &Password,
    ) -> std::result::Result<(), CredentialsError> {
        self.set(account, password)
    }

    fn delete(&self, account: &Account) -> std::result::Result<(), CredentialsError> {
        Store::delete(self, account).map(|_| ())
    }
}

/// What saving did.
#[derive(Debug)]
pub enum Saved {
    /// Everything.
    All,
    /// The file was changed, but the old password could not be deleted.
    ButPassword(Error),
}

impl Changes {
    /// Makes the changes in the config file at `path` and in the store that `open` opens, if it is needed.
    ///
    /// A new password is stored before the file names its account, and an old one is deleted last: if Baleen is killed in
    /// between, the file is the old one or the new one, and no password is lost that the file needs.
    ///
    /// # Errors
    /// When the file can't be changed, or the store refuses a new password. The file is unchanged then.
    pub fn save<P: Passwords>(
        &self,
        path: &Path,
        open: impl FnOnce() -> std::result::Result<P, CredentialsError>,
    ) -> Result<Saved> {
        // A file with a mistake in it must not cost the user a stored password.
        config::check(path, &self.edits)?;
        match &self.password {
            PasswordChange::Keep => self.write(path)?,
            PasswordChange::Store(account, password) => {
                let store = open()?;
                let is_new = !store.has(account)?;
                store.store(account, password)?;
                let written = self.write(path);
                if written.is_err() && is_new {
                    // The error about the file is the one to report.
                    let _ = store.delete(account);
                }
                written?;
            }
            PasswordChange::Delete(account) => {
                let store = open()?;
                self.write(path)?;
                if let Err(error) = store.delete(account) {
                    return Ok(Saved::ButPassword(error.into()));
                }
            }
        }
        Ok(Saved::All)
    }

    fn write(&self, path: &Path) -> Result<()> {
        if !self.edits.is_empty() {
            config::set_all(path, &self.edits)?;
        }
        Ok(())
    }
}

/// Reads the config file at `path`, and finds out whether a password is stored for its proxy. A store that can't be searched
/// counts as one without a password, since the user may have no use for one.
///
/// # Errors
/// When the file can't be read, or has a mistake in it.
pub fn read(path: &Path) -> Result<ManualProxy> {
    let config = Config::load(path)?;
    let has_password = ManualProxy::account_in(&config).is_some_and(|account| {
        let found = Store::open().and_then(|store| store.has_password(&account));
        found.unwrap_or_else(|error| {
            tracing::warn!("{error}");
            false
        })
    });
    Ok(ManualProxy::new(&config, has_password))
}

#[cfg(test)]
mod tests;
