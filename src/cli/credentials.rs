//! `baleen credentials`.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use clap::Subcommand;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::credentials::{self, Account, MAX_PASSWORD_LEN, Store};
use crate::error::{self, Face, Failure, Hint, Kind};
use crate::platform::without_echo;
use crate::proxy::Password;

use super::args::{Global, ProxyArgs};
use super::output::{BOLD, DIM, GOOD, NOTE, Output, styled};
use super::{config, request};

/// The reason why it is not known whose password is meant.
#[derive(Debug, thiserror::Error)]
enum AccountError {
    #[error("which proxy is meant? None in use names a user")]
    NoneInUse { verb: &'static str },

    #[error("which proxy is meant? In use are {accounts}")]
    SeveralInUse {
        verb: &'static str,
        accounts: String,
    },
}

impl Failure for AccountError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoneInUse { .. } => "account-none-in-use",
            Self::SeveralInUse { .. } => "account-several-in-use",
        }
    }
}

impl Hint for AccountError {
    fn hint(&self, _face: Face) -> Option<String> {
        let (Self::NoneInUse { verb } | Self::SeveralInUse { verb, .. }) = self;
        Some(format!(
            "name it, as in `baleen credentials {verb} me@proxy.corp:8080`"
        ))
    }
}

/// The reason why a password was not taken. It does not hold the password.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error("could not read the password from standard input: {0}")]
    Unread(io::Error),

    #[error("the password is empty")]
    Empty,

    #[error("the password is longer than {MAX_PASSWORD_LEN} bytes")]
    TooLong,

    #[error(
        "the password has a line break, a tab or another control character in it, which no proxy takes"
    )]
    ControlCharacter,
}

impl Failure for PasswordError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unread(_) => Kind::Failure,
            Self::Empty | Self::TooLong | Self::ControlCharacter => Kind::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unread(_) => "password-unread",
            Self::Empty => "password-empty",
            Self::TooLong => "password-too-long",
            Self::ControlCharacter => "password-control-character",
        }
    }
}

impl Hint for PasswordError {
    fn hint(&self, _face: Face) -> Option<String> {
        matches!(self, Self::Empty).then(|| {
            "type it when asked, or give it on standard input; `baleen credentials delete` removes one"
                .to_owned()
        })
    }
}

/// `baleen credentials`.
#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Store the password of a proxy
    ///
    /// Asks for the password in a terminal, otherwise reads it from standard input. It is never an argument, since other
    /// users on this computer could see it. A password that is already stored is replaced.
    Set {
        /// User and proxy, for example me@proxy.corp:8080 (default port 80); by default, those in use
        #[arg(value_name = "USER@HOST[:PORT]")]
        proxy: Option<String>,
        /// Copy the password that System Settings stored in the Keychain; macOS asks for permission
        #[arg(long)]
        from_system: bool,
    },
    /// Delete the stored password of a proxy
    Delete {
        /// User and proxy, for example me@proxy.corp:8080 (default port 80); by default, those in use
        #[arg(value_name = "USER@HOST[:PORT]")]
        proxy: Option<String>,
    },
    /// Show whether the password of each proxy in use is stored
    Status,
}

pub(super) fn run(
    global: &Global,
    args: &CredentialsCommand,
    out: &mut Output,
) -> error::Result<u8> {
    match args {
        CredentialsCommand::Set { proxy, from_system } => {
            set(global, proxy.as_deref(), *from_system, out)?
        }
        CredentialsCommand::Delete { proxy } => delete(global, proxy.as_deref(), out)?,
        CredentialsCommand::Status => status(global, out)?,
    }
    Ok(0)
}

fn set(
    global: &Global,
    proxy: Option<&str>,
    from_system: bool,
    out: &mut Output,
) -> error::Result<()> {
    let account = chosen(global, proxy, "set")?;
    // Open the store first, so that the user doesn't type a password that can't be stored.
    let (store, password) = if from_system {
        let password = credentials::system_password(&account)?;
        (Store::open()?, password)
    } else {
        (Store::open()?, asked(&account, out)?)
    };
    store.set(&account, &password)?;
    out.line(format!(
        "{}: the password of {account} is in {} now",
        styled(GOOD, "stored"),
        credentials::STORE
    ))?;
    note_if_not_in_use(global, &account, out)?;
    out.object(json!({ "account": account.to_string(), "stored": true }))
}

fn delete(global: &Global, proxy: Option<&str>, out: &mut Output) -> error::Result<()> {
    let account = chosen(global, proxy, "delete")?;
    let deleted = Store::open()?.delete(&account)?;
    out.line(if deleted {
        format!(
            "{}: the password of {account} is no longer in {}",
            styled(GOOD, "deleted"),
            credentials::STORE
        )
    } else {
        let nothing = styled(DIM, "nothing to delete");
        format!(
            "{nothing}: {} has no password of {account}",
            credentials::STORE
        )
    })?;
    if !deleted {
        note_if_not_in_use(global, &account, out)?;
    }
    out.object(json!({ "account": account.to_string(), "deleted": deleted }))
}

fn status(global: &Global, out: &mut Output) -> error::Result<()> {
    let used = in_use(global)?;
    if used.is_empty() {
        out.line("no proxy in use names a user, so none needs a password")?;
        return out.object(json!({ "proxies": [] }));
    }
    let store = Store::open()?;
    let mut objects: Vec<Value> = Vec::new();
    for (account, in_url) in used {
        let stored = store.has_password(&account)?;
        let word = match stored {
            true => styled(GOOD, "stored"),
            false if in_url => styled(DIM, "not stored"),
            false => styled(NOTE, "not stored"),
        };
        let place = match in_url {
            true => " (its URL has one, which is used)",
            false => "",
        };
        out.line(format!("{} password {word}{place}", styled(BOLD, &account)))?;
        objects.push(json!({
            "account": account.to_string(),
            "stored": stored,
            "in_url": in_url,
        }));
    }
    out.object(json!({ "proxies": objects }))
}

/// Returns the accounts of the proxies in use, each once, and whether the password is in the URL.
fn in_use(global: &Global) -> error::Result<Vec<(Account, bool)>> {
    let mut accounts: Vec<(Account, bool)> = Vec::new();
    let request = request(&ProxyArgs::default(), &config(global)?)?;
    for proxy in request.read()?.proxies() {
        let Some(account) = Account::of(&proxy) else {
            continue;
        };
        match accounts.iter_mut().find(|(known, _)| *known == account) {
            Some((_, in_url)) => *in_url &= proxy.has_password(),
            None => accounts.push((account, proxy.has_password())),
        }
    }
    Ok(accounts)
}

/// Returns the account to use: the one that was named, else the only one in use.
fn chosen(global: &Global, proxy: Option<&str>, verb: &'static str) -> error::Result<Account> {
    if let Some(proxy) = proxy {
        return Ok(Account::parse(proxy)?);
    }
    let mut used = in_use(global)?;
    Err(match used.len() {
        1 => return Ok(used.remove(0).0),
        0 => AccountError::NoneInUse { verb },
        _ => AccountError::SeveralInUse {
            verb,
            accounts: listed(&used),
        },
    }
    .into())
}

fn listed(accounts: &[(Account, bool)]) -> String {
    let accounts: Vec<String> = accounts.iter().map(|(a, _)| a.to_string()).collect();
    accounts.join(" and ")
}

/// Notes that an account is not in use. Otherwise the user would not notice a typing error until the
/// proxy asks for a password again.
fn note_if_not_in_use(global: &Global, account: &Account, out: &mut Output) -> error::Result<()> {
    match in_use(global) {
        Ok(used) if !used.is_empty() && !used.iter().any(|(a, _)| a == account) => {
            out.note(format!("{account} is not in use now; {} is", listed(&used)))
        }
        // A failure to read the proxies in use doesn't affect this account.
        _ => Ok(()),
    }
}

/// Reads the password from standard input; on a terminal, it asks the user.
fn asked(account: &Account, out: &mut Output) -> error::Result<Password> {
    let stdin = io::stdin();
    let terminal = stdin.is_terminal();
    // Don't use std's standard input, whose buffer would keep the password.
    let mut file = File::from(
        stdin
            .as_fd()
            .try_clone_to_owned()
            .map_err(PasswordError::Unread)?,
    );
    let bytes = if terminal {
        without_echo(&stdin, || {
            out.prompt(format!("Password of {account}: "))?;
            read(&mut file, true)
        })
    } else {
        read(&mut file, false)
    };
    Ok(password(&bytes.map_err(PasswordError::Unread)?)?)
}

/// Reads to the end, or to the end of the line, but only until the text is found too long.
fn read(from: &mut impl Read, only_a_line: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    // Allocate the full size at once: a buffer that grows leaves its old bytes in memory.
    let mut bytes = Zeroizing::new(vec![0; MAX_PASSWORD_LEN + 2]);
    let mut length = 0;
    while length < bytes.len() && !(only_a_line && bytes[..length].ends_with(b"\n")) {
        match from.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Returns the entered password, without the line end.
fn password(bytes: &[u8]) -> Result<Password, PasswordError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(PasswordError::Empty);
    }
    if bytes.len() > MAX_PASSWORD_LEN {
        return Err(PasswordError::TooLong);
    }
    Password::new(bytes).ok_or(PasswordError::ControlCharacter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        let long = "x".repeat(MAX_PASSWORD_LEN);
        for (given, expected) in [
            ("s3cret", "s3cret"),
            ("s3cret\n", "s3cret"),
            (" two words ", " two words "),
            ("ü%'\"\\", "ü%'\"\\"),
            (&long, &long),
        ] {
            let Ok(password) = password(given.as_bytes()) else {
                panic!("{given} was refused");
            };
            assert_eq!(password.expose(), expected.as_bytes());
        }
        for (given, expected) in [
            ("", "password-empty"),
            ("\n", "password-empty"),
            ("Xq7\r\n", "password-control-character"),
            ("Xq7\n\n", "password-control-character"),
            ("Xq7\nx", "password-control-character"),
            ("Xq7\0", "password-control-character"),
            (&(long.clone() + "x"), "password-too-long"),
        ] {
            let Err(error) = password(given.as_bytes()) else {
                panic!("{given:?} was taken");
            };
            assert_eq!(error.code(), expected);
            assert!(!format!("{error:?}").contains("Xq7"), "{error:?}");
        }
    }

    #[test]
    fn a_line_or_all_of_it_is_read_and_no_more_than_needed() {
        /// A reader that returns one byte at a time.
        struct SlowReader<'a>(&'a [u8]);
        impl Read for SlowReader<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(&mut buffer[..1])
            }
        }
        let text = b"one\ntwo\n";
        assert_eq!(**read(&mut SlowReader(text), true).unwrap(), *b"one\n");
        assert_eq!(**read(&mut SlowReader(text), false).unwrap(), *text);
        let endless = read(&mut io::repeat(b'x'), false).unwrap();
        assert!(matches!(password(&endless), Err(PasswordError::TooLong)));
    }
}
