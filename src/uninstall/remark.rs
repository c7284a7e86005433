//! What an uninstallation leaves, what it could not find out, and what remains for the user.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::backend::Unpatched;
use crate::backend::Warning;
use crate::error::{Diagnostic, Error};
use crate::proxy::RedactedProxy;
use crate::service::install_location::{self, InstallLocation};

use super::UninstallStep;

/// An item that stays in place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have telling names")]
pub enum Left {
    /// The target of a link in Baleen's place.
    LinkTarget(PathBuf),
    /// A launch agent that someone installed by hand.
    LaunchAgent(PathBuf),
    /// The config file that was named, which may serve others.
    NamedConfig(PathBuf),
    /// The Docker.app whose boot image keeps this proxy.
    Image {
        docker: PathBuf,
        proxy: RedactedProxy,
    },
    /// The Docker.app whose boot image can't be restored.
    BrokenImage { docker: PathBuf, why: Diagnostic },
    /// A file with the backup's name that is not the original of the boot image beside it.
    StrayBackup(PathBuf),
    /// A folder with files of others.
    Folder {
        path: PathBuf,
        others: Vec<OsString>,
    },
    /// A link in the place of one of Baleen's folders.
    Link(PathBuf),
}

impl Left {
    /// Returns whether it is a Docker that has the relay's address.
    pub(super) fn needs_relay(&self) -> bool {
        matches!(self, Self::Image { proxy, .. } if proxy.is_relay())
    }
}

/// An action that failed.
#[derive(Debug)]
pub struct Failed {
    pub(crate) action: Action,
    pub(crate) error: Error,
}

/// An action that can fail while the others go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have telling names")]
pub enum Action {
    Step(UninstallStep),
    /// Finding the passwords to delete.
    ListPasswords,
}

/// A fact that could not be found out, or a problem with a step that was done. None stops anything.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields have telling names")]
pub enum Remark {
    /// The config file can't be read.
    Config(Diagnostic),
    /// There is no Docker.app at the chosen path.
    NoDocker(PathBuf),
    /// There is no Docker.app at a path where the proxy was wanted.
    NoDockerAnyMore(PathBuf),
    /// This program can't see whether the app opens at login.
    LoginItemUnknown,
    /// The restored boot image of this Docker.app has a proxy that was set by hand.
    ByHand {
        docker: PathBuf,
        original: Unpatched,
    },
    /// The patch's own warning about a restored boot image.
    Restored(Warning),
    /// It could not be forgotten that the proxy is wanted in this Docker.app.
    NotForgotten { docker: PathBuf, why: io::Error },
}

/// The last step, which the user has to do: removing the program itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LastStep {
    /// Move the app that was opened to the Trash. The user does not know the path of a translocated app.
    TrashOpenedApp,
    /// Eject this disk with the app.
    Eject(PathBuf),
    /// Move this app to the Trash.
    Trash(PathBuf),
    /// Delete this program.
    Delete(PathBuf),
}

impl LastStep {
    /// Returns the step for the program at `program` of the user with this `home`. Links in both are resolved.
    pub(crate) fn of(program: &Path, home: &Path, macos: bool) -> Self {
        let Some(app) = install_location::bundle(program).filter(|_| macos) else {
            return Self::Delete(program.to_owned());
        };
        match InstallLocation::of(program, home) {
            InstallLocation::Translocated => Self::TrashOpenedApp,
            InstallLocation::DiskImage => Self::Eject(app.parent().unwrap_or(app).to_owned()),
            _ => Self::Trash(app.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_left_to_the_user() {
        let app = "/Applications/Baleen.app/Contents/MacOS/baleen";
        let cargo = "/Users/me/.cargo/bin/baleen";
        let translocated =
            "/private/var/folders/zy/T/AppTranslocation/613D/d/Baleen.app/Contents/MacOS/baleen";
        for (program, macos, expected) in [
            (
                app,
                true,
                LastStep::Trash("/Applications/Baleen.app".into()),
            ),
            (app, false, LastStep::Delete(app.into())),
            (translocated, true, LastStep::TrashOpenedApp),
            (
                "/Volumes/Baleen/Baleen.app/Contents/MacOS/baleen",
                true,
                LastStep::Eject("/Volumes/Baleen".into()),
            ),
            (
                "/Users/me/x/Baleen.app/Contents/MacOS/baleen",
                true,
                LastStep::Trash("/Users/me/x/Baleen.app".into()),
            ),
            (cargo, true, LastStep::Delete(cargo.into())),
        ] {
            let step = LastStep::of(Path::new(program), Path::new("/Users/me"), macos);
            assert_eq!(step, expected);
        }
    }
}
