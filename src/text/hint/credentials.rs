//! Advice on errors about the system's password store.

use crate::credentials::{CredentialsError, SERVICE};
use crate::error::{Face, Hint};

const IS_MACOS: bool = cfg!(target_os = "macos");

/// The program that shows what the store holds.
const PROGRAM: &str = match IS_MACOS {
    true => "Keychain Access",
    false => "the keyring's own program, such as Passwords and Keys",
};

/// What to do without a store.
const INSTEAD: &str = match IS_MACOS {
    true => {
        "create a login keychain in Keychain Access, or leave the password in the URL in HTTPS_PROXY"
    }
    false => {
        "run it in a desktop session with GNOME Keyring, KWallet or KeePassXC, or leave the password in the URL in HTTPS_PROXY"
    }
};

/// How to unlock the store.
fn unlock(face: Face) -> &'static str {
    match (IS_MACOS, face) {
        (true, Face::CommandLine) => {
            "run `security unlock-keychain` in the same session, or log in at the Mac's screen"
        }
        (true, Face::Menu) => "unlock it in Keychain Access",
        (false, _) => {
            "unlock it in its own program, such as Passwords and Keys, or by logging in at the screen"
        }
    }
}

impl Hint for CredentialsError {
    fn hint(&self, face: Face) -> Option<String> {
        Some(match self {
            Self::InvalidProxy(_) | Self::NoUser(_) => {
                "name it as in me@proxy.corp:8080".to_owned()
            }
            Self::PasswordGiven => {
                "name the proxy as in me@proxy.corp:8080, and give the password when asked for it"
                    .to_owned()
            }
            Self::NoStore(_) => INSTEAD.to_owned(),
            Self::NoThread { .. } => return None,
            Self::TimedOut { .. } => format!(
                "if the system asks to unlock it, answer that and try again; else {}",
                unlock(face)
            ),
            Self::Locked { .. } => unlock(face).to_owned(),
            Self::Denied { .. } => format!(
                "try again, and allow it when the system asks; where it can't ask, {}",
                unlock(face)
            ),
            Self::Store { .. } => format!("look at {SERVICE} in {PROGRAM}"),
            Self::NoneInSystem(_) | Self::NotAMac(_) => match face {
                Face::CommandLine => {
                    "leave --from-system out, and give the password when asked for it".to_owned()
                }
                Face::Menu => return None,
            },
            Self::NotAPassword(account) => match face {
                Face::CommandLine => "store it again with `baleen credentials set`".to_owned(),
                Face::Menu => {
                    format!("store it again in Terminal: `baleen credentials set '{account}'`")
                }
            },
        })
    }
}
