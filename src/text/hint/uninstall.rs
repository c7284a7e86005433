//! Advice on an uninstallation that failed or stopped.

use crate::error::{Face, Hint};
use crate::text::uninstall::all_done;
use crate::uninstall::UninstallError;

impl Hint for UninstallError {
    fn hint(&self, face: Face) -> Option<String> {
        Some(match self {
            Self::OwnFile(_) => {
                let shows = match cfg!(target_os = "macos") {
                    true => "ls -lde",
                    false => "ls -ld",
                };
                format!(
                    "remove it by hand; `{shows}` shows whose it and its folder are, and who may do that"
                )
            }
            Self::LiveEdit => {
                "wait until it is done, and try again; nothing was removed".to_owned()
            }
            Self::StillThere { .. } => "remove it by hand; it may have a password in it".to_owned(),
            Self::Stopped {
                source,
                can_leave_image,
                done,
            } => {
                let own = match source.hint(face) {
                    Some(advice) => format!("{advice}; then uninstall again"),
                    None => "fix that, then run uninstall again".to_owned(),
                };
                let choice = match (can_leave_image, face) {
                    (false, _) => "",
                    (true, Face::CommandLine) => {
                        ". `baleen uninstall --leave-images` would leave the boot image as it is and remove the rest"
                    }
                    // The app knows which program to name in a terminal.
                    (true, Face::Menu) => "",
                };
                let done = match done.is_empty() {
                    true => "nothing was removed".to_owned(),
                    false => format!("only this was done: {}", all_done(done)),
                };
                format!("{own}{choice}; {done}")
            }
            Self::InVain { source, ended } => {
                let own = match source.hint(face) {
                    Some(advice) => format!("{advice}; "),
                    None => String::new(),
                };
                format!("{own}{}: start it again", all_done(ended))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::NotFound;
    use crate::backend::Unpatched;
    use crate::error::{Error, IoError};
    use crate::uninstall::UninstallStep;

    /// A failure with advice.
    fn advised() -> Error {
        let places = Vec::new();
        NotFound::Anywhere { places }.into()
    }

    /// A failure without advice.
    fn bare() -> Error {
        let nothing = std::io::Error::from(std::io::ErrorKind::NotFound);
        IoError::new("read", "/a".as_ref(), nothing).into()
    }

    #[test]
    fn what_was_done_before_it_stopped_is_said() {
        let restored =
            || UninstallStep::Restore("/a".into(), "1.12.0".to_owned(), Unpatched::Clean);
        let advice = advised().hint(Face::CommandLine).unwrap();
        let left = "`baleen uninstall --leave-images` would leave the boot image as it is and remove the rest";
        for (source, can_leave_image, done, expected) in [
            (
                bare(),
                true,
                vec![restored()],
                format!(
                    "fix that, then run uninstall again. {left}; only this was done: gave Docker 1.12.0 at /a its own boot image back, byte for byte"
                ),
            ),
            (
                advised(),
                true,
                Vec::new(),
                format!("{advice}; then uninstall again. {left}; nothing was removed"),
            ),
            (
                advised(),
                false,
                Vec::new(),
                format!("{advice}; then uninstall again; nothing was removed"),
            ),
        ] {
            let error = UninstallError::Stopped {
                source,
                can_leave_image,
                done,
            };
            assert_eq!(error.hint(Face::CommandLine).unwrap(), expected);
        }
    }

    #[test]
    fn who_was_ended_in_vain_is_named() {
        let app = || vec![UninstallStep::End("the Baleen app (process 7)".to_owned())];
        let advice = advised().hint(Face::Menu).unwrap();
        for (source, expected) in [
            (
                bare(),
                "ended the Baleen app (process 7): start it again".to_owned(),
            ),
            (
                advised(),
                format!("{advice}; ended the Baleen app (process 7): start it again"),
            ),
        ] {
            let error = UninstallError::InVain {
                source,
                ended: app(),
            };
            assert_eq!(error.hint(Face::Menu).unwrap(), expected);
        }
    }
}
