//! Being rid of Baleen: all that it made is found, listed, and taken away.
//!
//! ```text
//! places: what it may make --> look: what is there --> plan: what to do, as data --> execute --> Outcome
//! ```
//!
//! Docker's own images come first. Where one can't be given back, everything else stays, so that Baleen is there to
//! try again. What Baleen did not make is left, and named.

mod artifacts;
mod execute;
mod plan;
#[cfg(target_os = "macos")]
mod preferences_macos;
mod scan;

use std::io;
use std::path::Path;

use crate::app::install_location::{self, InstallLocation};
use crate::error::Error;

pub use artifacts::{Artifacts, places};
pub use execute::{ExecuteOutcome, execute};
pub use plan::{UninstallPlan, UninstallStep, plan};
pub use scan::{BackupState, DockerScan, FolderScan, ImageState, ScanResult, Scope, scan};

/// Something that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What.
    pub what: String,
    /// Why, in a clause.
    pub why: String,
}

/// Something that could not be done.
#[derive(Debug)]
pub struct Failed {
    /// What, as in "remove /a/b".
    pub what: String,
    /// Why.
    pub error: Error,
}

/// A system call on something of Baleen's own that failed, as in [`Error::io`], which advises on Docker.app.
fn of_own(tried: &str, path: &Path, error: &io::Error) -> Error {
    let error = Error::io(tried, path, error);
    let shows = match cfg!(target_os = "macos") {
        true => "ls -lde",
        false => "ls -ld",
    };
    Error::new(error.kind(), error.to_string()).with_hint(format!(
        "remove it by hand; `{shows}` shows whose it and its folder are, and who may do that"
    ))
}

/// What is left to the user: the program itself, which is at `program`, of the user whose home is `home`; links in both
/// resolved.
pub fn last_step(program: &Path, home: &Path, macos: bool) -> String {
    match (install_location::bundle(program), InstallLocation::of(program, home)) {
        // Its path is none that the user knows.
        (Some(_), InstallLocation::Translocated) if macos => {
            "Move the Baleen.app that you opened to the Trash, or eject the disk image that it is on.".to_owned()
        }
        (Some(app), InstallLocation::DiskImage) if macos => format!(
            "Eject the disk {} that Baleen was opened from; if it is no disk image, move Baleen.app on it to the Trash.",
            app.parent().unwrap_or(app).display()
        ),
        (Some(app), _) if macos => format!(
            "Move {} to the Trash; where Homebrew installed it, `brew uninstall --cask baleen` does that.",
            app.display()
        ),
        _ => format!("Delete the program itself: {}", program.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_left_to_the_user() {
        let app = "/Applications/Baleen.app/Contents/MacOS/baleen";
        let translocated =
            "/private/var/folders/zy/T/AppTranslocation/613D/d/Baleen.app/Contents/MacOS/baleen";
        for (program, macos, expected) in [
            (app, true, "Move /Applications/Baleen.app to the Trash; "),
            (app, false, "Delete the program itself: /Applications/"),
            (
                translocated,
                true,
                "Move the Baleen.app that you opened to the Trash, or eject ",
            ),
            (
                "/Volumes/Baleen/Baleen.app/Contents/MacOS/baleen",
                true,
                "Eject the disk /Volumes/Baleen that Baleen was opened from; ",
            ),
            (
                "/Users/me/x/Baleen.app/Contents/MacOS/baleen",
                true,
                "Move /Users/me/x/Baleen.app to the Trash; ",
            ),
            (
                "/Users/me/.cargo/bin/baleen",
                true,
                "Delete the program itself: /Users/me/.cargo/bin/baleen",
            ),
        ] {
            let said = last_step(Path::new(program), Path::new("/Users/me"), macos);
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
