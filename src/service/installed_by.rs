//! Who installed this Baleen, and with it who brings it up to date.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::UpdateCheck;

use super::install_location::{InstallLocation, bundle};
use super::login_item::file::LABEL;

/// Who installed this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstalledBy {
    /// The user.
    User,
    /// Homebrew as a cask, the app. Homebrew has commands of its own for newer versions.
    Cask,
    /// Homebrew as a formula, the command line alone.
    Formula,
    /// An administrator, or another user.
    Administrator,
}

/// The folders in which Homebrew notes the casks that it installed, on Apple silicon and on Intel
/// (<https://docs.brew.sh/Installation>).
const CASKROOMS: [&str; 2] = ["/opt/homebrew/Caskroom", "/usr/local/Caskroom"];

impl InstalledBy {
    /// Returns who installed this program.
    pub fn current() -> Self {
        let whole = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let program = env::current_exe().map(whole).unwrap_or_default();
        let home = env::home_dir().map(whole).unwrap_or_default();
        let item = bundle(&program).unwrap_or(&program);
        let owner = fs::metadata(item).map(|found| found.uid()).ok();
        let own = crate::platform::user();
        let exists = |path: &Path| path.exists();
        Self::of(
            &program,
            &home,
            owner.is_some_and(|owner| owner != own),
            &exists,
        )
    }

    /// Returns who installed `program`. `is_others` says whether it belongs to another user, and `exists` whether there is
    /// something at a path.
    pub fn of(
        program: &Path,
        home: &Path,
        is_others: bool,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Self {
        let is_installed = InstallLocation::of(program, home) == InstallLocation::Installed;
        let is_cask = || {
            let has = |folder| exists(&Path::new(folder).join("baleen"));
            CASKROOMS.into_iter().any(has)
        };
        // The launch agent for all users, from `packaging/launchd`.
        let all_users = Path::new("/Library/LaunchAgents").join(format!("{LABEL}.plist"));
        if Self::is_formula(program) {
            Self::Formula
        } else if is_others || is_installed && exists(&all_users) {
            Self::Administrator
        } else if is_installed && is_cask() {
            Self::Cask
        } else {
            Self::User
        }
    }

    /// Returns whether Homebrew installed this program as a formula: the files of those are in its Cellar.
    pub(crate) fn is_formula(program: &Path) -> bool {
        let mut parts = program.components();
        parts.any(|part| part.as_os_str() == "Cellar")
    }

    /// Returns whether the app looks for newer versions by itself, where an environment variable and the config file
    /// say this. What others keep up to date is left to them, unless the user wants to know.
    pub fn update_check(
        self,
        variable: Option<UpdateCheck>,
        configured: Option<UpdateCheck>,
    ) -> UpdateCheck {
        let default = match self {
            Self::User => UpdateCheck::Weekly,
            Self::Cask | Self::Formula | Self::Administrator => UpdateCheck::Off,
        };
        variable.or(configured).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_the_owner_and_homebrews_notes_tell() {
        use InstalledBy::{Administrator, Cask, Formula, User};
        const APP: &str = "/Applications/Baleen.app/Contents/MacOS/baleen";
        const AGENT: &str = "/Library/LaunchAgents/io.github.baleen-app.Baleen.plist";
        for (program, is_others, there, expected) in [
            (APP, false, "", User),
            (APP, true, "", Administrator),
            (APP, false, AGENT, Administrator),
            (APP, false, "/opt/homebrew/Caskroom/baleen", Cask),
            (APP, false, "/usr/local/Caskroom/baleen", Cask),
            (APP, false, "/usr/local/Caskroom/other", User),
            // Homebrew's own user may be another one: an administrator's.
            (APP, true, "/opt/homebrew/Caskroom/baleen", Administrator),
            (
                "/opt/homebrew/Cellar/baleen-cli/0.1.0/bin/baleen",
                false,
                "",
                Formula,
            ),
            (
                "/opt/homebrew/Cellar/baleen-cli/0.1.0/bin/baleen",
                true,
                "",
                Formula,
            ),
            ("/usr/bin/baleen", true, "", Administrator),
            ("/Users/me/.cargo/bin/baleen", false, "", User),
            // Another copy than the cask's, or than the one that starts for all.
            (
                "/Users/me/src/target/debug/baleen",
                false,
                "/opt/homebrew/Caskroom/baleen",
                User,
            ),
            (
                "/Users/me/Downloads/Baleen.app/Contents/MacOS/baleen",
                false,
                AGENT,
                User,
            ),
        ] {
            let exists = |path: &Path| path == Path::new(there);
            let found = InstalledBy::of(
                Path::new(program),
                Path::new("/Users/me"),
                is_others,
                &exists,
            );
            assert_eq!(found, expected, "{program} {is_others} {there}");
        }
    }

    #[test]
    fn what_was_said_holds_and_else_those_who_install_decide() {
        use UpdateCheck::{Off, Weekly};
        for (by, variable, configured, expected) in [
            (InstalledBy::User, None, None, Weekly),
            (InstalledBy::Cask, None, None, Off),
            (InstalledBy::Formula, None, None, Off),
            (InstalledBy::Administrator, None, None, Off),
            (InstalledBy::Administrator, None, Some(Weekly), Weekly),
            (InstalledBy::User, None, Some(Off), Off),
            (InstalledBy::User, Some(Off), Some(Weekly), Off),
            (InstalledBy::Cask, Some(Weekly), Some(Off), Weekly),
        ] {
            assert_eq!(by.update_check(variable, configured), expected, "{by:?}");
        }
    }
}
