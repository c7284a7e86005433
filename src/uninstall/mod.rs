//! Uninstalls Baleen: finds, lists and removes everything that it made.
//!
//! ```text
//! places: what Baleen may make --> scan: what exists --> plan: the steps, as data --> execute --> outcome
//! ```
//!
//! Docker's boot images come first. If one can't be restored, everything else stays, so that Baleen
//! can try again. Items that Baleen did not make are left, and listed.

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
pub(crate) use execute::{ExecuteOutcome, execute};
pub use plan::plan;
pub(crate) use plan::{UninstallPlan, UninstallStep};
pub(crate) use scan::{Scope, scan};

/// An item that stays in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The item.
    pub what: String,
    /// The reason, as a clause.
    pub why: String,
}

/// An action that failed.
#[derive(Debug)]
pub struct Failed {
    /// The action, as in "remove /a/b".
    pub what: String,
    /// The reason.
    pub error: Error,
}

/// Returns the error for a failed system call on one of Baleen's own files. [`Error::io`] alone
/// would give advice about Docker.app.
fn of_own(tried: &'static str, path: &Path, error: &io::Error) -> Error {
    let error = Error::io(tried, path, error);
    let shows = match cfg!(target_os = "macos") {
        true => "ls -lde",
        false => "ls -ld",
    };
    Error::new(error.kind(), error.to_string()).with_hint(format!(
        "remove it by hand; `{shows}` shows whose it and its folder are, and who may do that"
    ))
}

/// Returns the instruction for the last step, which the user has to do: removing the program
/// itself. The program is at `program`, and the user's home is `home`. Links in both are resolved.
pub(crate) fn last_step(program: &Path, home: &Path, macos: bool) -> String {
    match (install_location::bundle(program), InstallLocation::of(program, home)) {
        // The user does not know the path of a translocated app.
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
