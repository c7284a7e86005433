//! Being rid of Baleen: all that it made is found, listed, and taken away.
//!
//! ```text
//! places: what it may make --> look: what is there --> plan: what to do, as data --> carry_out --> Outcome
//! ```
//!
//! Docker's own images come first. Where one can't be given back, everything else stays, so that Baleen is there to
//! try again. What Baleen did not make is left, and named.

mod carry_out;
mod look;
mod places;
mod plan;

use std::path::Path;

use crate::error::Error;

pub use carry_out::{Outcome, carry_out};
pub use look::{Docker, Folder, Found, Image, Scope, look};
pub use places::{Places, places};
pub use plan::{Plan, Step, plan};

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

/// What is left to the user: the program itself, which is at `program`.
pub fn last_step(program: &Path, macos: bool) -> String {
    let is_app = |above: &&Path| above.extension().is_some_and(|end| end == "app");
    match program.ancestors().find(is_app) {
        Some(app) if macos => format!(
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
        for (program, macos, expected) in [
            (app, true, "Move /Applications/Baleen.app to the Trash; "),
            (app, false, "Delete the program itself: /Applications/"),
            (
                "/Users/me/.cargo/bin/baleen",
                true,
                "Delete the program itself: /Users/me/.cargo/bin/baleen",
            ),
        ] {
            let said = last_step(Path::new(program), macos);
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
