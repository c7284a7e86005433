//! Advice on the config file.

use std::io::ErrorKind;

use crate::config::{ConfigError, InvalidEntry, InvalidValue, Key, Mistake};
use crate::error::{Face, Hint};

impl Hint for ConfigError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::File(file), _)
                if matches!(
                    file.source.kind(),
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                ) =>
            {
                "make room on that volume and try again; nothing was changed"
            }
            (Self::File(_), Face::CommandLine) => {
                "check the file and its folder (ls -l shows whose they are), or name another file with --config FILE or in BALEEN_CONFIG"
            }
            (Self::File(_), Face::Menu) => {
                "check to whom the file and its folder belong, and who may change them"
            }
            (Self::NotAFile { .. }, Face::CommandLine) => {
                "move it away, or name another file with --config FILE or in BALEEN_CONFIG"
            }
            (Self::NotAFile { .. }, Face::Menu) => "move it away",
            (Self::Locked { .. }, _) => "wait until it is done",
            (Self::Invalid { source, .. }, _) => {
                return Some(in_text(source, face).unwrap_or_else(|| {
                    match face {
                        Face::CommandLine => {
                            "correct it there; `baleen config set --help` lists the keys"
                        }
                        Face::Menu => "choose Open Settings File and correct it there",
                    }
                    .to_owned()
                }));
            }
            (Self::WouldBeInvalid { source, .. }, _) => return in_text(source, face),
            (Self::Value { source, .. } | Self::Variable { source, .. }, _) => {
                return value(source, face);
            }
        };
        Some(advice.to_owned())
    }
}

/// Returns the advice on a mistake in the file.
fn in_text(mistake: &Mistake, face: Face) -> Option<String> {
    Some(match (mistake, face) {
        (Mistake::NotUtf8, _) => "save the file as UTF-8".to_owned(),
        (Mistake::UnknownKey(unknown), _) => match unknown.near() {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the keys are {}", Key::ALL.map(Key::name).join(", ")),
        },
        (Mistake::NoManualProxy, Face::CommandLine) => {
            "set the proxy first: baleen config set http_proxy http://HOST:PORT".to_owned()
        }
        (Mistake::NoManualProxy, Face::Menu) => {
            "set the proxy first: http_proxy = \"http://HOST:PORT\"".to_owned()
        }
        (Mistake::Value { source, .. }, _) => return value(source, face),
        (Mistake::NotToml { .. } | Mistake::Table { .. } | Mistake::OtherType { .. }, _) => {
            return None;
        }
    })
}

/// Returns the advice on a value that a key can't have.
fn value(refusal: &InvalidValue, face: Face) -> Option<String> {
    let advice = match (refusal, face) {
        (InvalidValue::Password, Face::CommandLine) => {
            "leave the user there, and give the password to `baleen credentials set`"
        }
        (InvalidValue::Password, Face::Menu) => {
            "leave the user there, and give the password in Terminal: `baleen credentials set`"
        }
        (InvalidValue::NoProxy(InvalidEntry::Everything), Face::CommandLine) => {
            "`baleen restore` takes the proxy out"
        }
        (InvalidValue::NoProxy(InvalidEntry::Everything), Face::Menu) => {
            "to take the proxy out, switch Use Proxy off"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::ConfigReading;

    /// Returns the advice on a file with this text.
    fn advice(text: &str, face: Face) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let error = ConfigReading::read(file.path()).unwrap_err();
        error.hint(face).unwrap()
    }

    #[test]
    fn each_mistake_has_advice_that_fits_the_user_interface() {
        for (text, command_line, menu) in [
            (
                "source = 'manual'",
                "set the proxy first: baleen config set http_proxy http://HOST:PORT",
                "set the proxy first: http_proxy = \"http://HOST:PORT\"",
            ),
            (
                "http_proxy = 'http://me:s3cret@p:1'",
                "leave the user there, and give the password to `baleen credentials set`",
                "leave the user there, and give the password in Terminal: `baleen credentials set`",
            ),
            (
                "no_proxy = ['*']",
                "`baleen restore` takes the proxy out",
                "to take the proxy out, switch Use Proxy off",
            ),
            (
                "source = auto",
                "correct it there; `baleen config set --help` lists the keys",
                "choose Open Settings File and correct it there",
            ),
            (
                "sorce = 'auto'",
                "did you mean source?",
                "did you mean source?",
            ),
        ] {
            assert_eq!(advice(text, Face::CommandLine), command_line);
            assert_eq!(advice(text, Face::Menu), menu);
        }
        let folder = ConfigReading::read(Path::new("/")).unwrap_err();
        assert_eq!(folder.hint(Face::Menu).unwrap(), "move it away");
    }
}
