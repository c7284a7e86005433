//! The location from which the app was opened, derived from its path alone.
//!
//! Since 10.12, macOS may open a downloaded app from a read-only path with a random name until the user has
//! moved it with the Finder ("translocation"). Apple's Platform Security Guide only says that this happens
//! ("Gatekeeper and runtime protection in macOS"). The form of the path,
//! `…/AppTranslocation/UUID/d/NAME.app`, comes from Apple's published sources (Security,
//! `libsecurity_translocate`). It can also affect an app in Applications that something other than the
//! Finder put there. A disk image is mounted at `/Volumes/NAME`
//! (<https://developer.apple.com/library/archive/documentation/FileManagement/Conceptual/FileSystemProgrammingGuide/FileSystemOverview/FileSystemOverview.html>),
//! with the app to open at its top.

use std::env;
use std::path::{Component, Path};

/// The kind of location from which the app was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallLocation {
    /// In a folder for apps.
    Installed,
    /// The temporary location from which macOS opens downloads that were not moved.
    Translocated,
    /// At the top of a disk other than the Mac's own: usually a disk image, or an external disk.
    DiskImage,
    /// In another folder.
    Elsewhere,
    /// Not in an app bundle: a command, however it was installed.
    NoBundle,
}

impl InstallLocation {
    /// Returns the location of this program.
    pub fn current() -> Self {
        let whole = |path: std::path::PathBuf| path.canonicalize().unwrap_or(path);
        let program = env::current_exe().map(whole).unwrap_or_default();
        let home = env::home_dir().map(whole).unwrap_or_default();
        Self::of(&program, &home)
    }

    /// Returns the location of the executable `program` for the user with this `home`. Both paths must have
    /// their links resolved.
    pub fn of(program: &Path, home: &Path) -> Self {
        let Some(bundle) = bundle(program) else {
            return Self::NoBundle;
        };
        let translocated = Component::Normal("AppTranslocation".as_ref());
        let folder = bundle.parent().unwrap_or(Path::new(""));
        if bundle.components().any(|part| part == translocated) {
            Self::Translocated
        } else if folder.parent() == Some(Path::new("/Volumes")) {
            Self::DiskImage
        } else if folder.starts_with("/Applications")
            || folder.starts_with(home.join("Applications"))
        {
            Self::Installed
        } else {
            Self::Elsewhere
        }
    }

    /// Returns whether the app disappears from there when it quits or the disk is ejected.
    pub(crate) fn is_temporary(self) -> bool {
        matches!(self, Self::Translocated | Self::DiskImage)
    }
}

/// Returns the path to start instead, if the system does not recognize the program as an app. `program` is
/// the path that was started, and `real` is the same path with all links resolved.
///
/// The system looks for the main bundle around the started path, not around a link's target. A program
/// started by a link, as Homebrew puts one into its `bin`, has no bundle, no notifications and no login item.
pub fn better_start<'a>(program: &Path, real: &'a Path) -> Option<&'a Path> {
    (bundle(program).is_none() && bundle(real).is_some()).then_some(real)
}

/// Returns the bundle `NAME.app` with `program` in its `Contents/MacOS`.
pub fn bundle(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    let bundle = folder.parent()?.parent()?;
    let is_app = bundle
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("app"));
    (is_app && folder.ends_with("Contents/MacOS")).then_some(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_place() {
        use InstallLocation::{DiskImage, Elsewhere, Installed, NoBundle, Translocated};
        let translocated = "/private/var/folders/zy/x0/T/AppTranslocation/613DF902-6BE1-4C37/d";
        for (folder, expected) in [
            ("/Applications", Installed),
            ("/Applications/Network tools", Installed),
            ("/Users/me/Applications", Installed),
            ("/Users/me/Applications/Work", Installed),
            (translocated, Translocated),
            // An app opened from a disk image.
            ("/Volumes/Baleen", DiskImage),
            ("/Volumes/Baleen 1", DiskImage),
            // On the user's own disk.
            ("/Volumes/Work/Applications", Elsewhere),
            ("/Volumes", Elsewhere),
            ("/Users/me/Downloads", Elsewhere),
            ("/Users/me", Elsewhere),
            ("/Users/other/Applications", Elsewhere),
            ("/Applications 2", Elsewhere),
            ("/Users/me/ApplicationTranslocation/d", Elsewhere),
            ("/", Elsewhere),
        ] {
            let program = Path::new(folder).join("Baleen.app/Contents/MacOS/baleen");
            let found = InstallLocation::of(&program, Path::new("/Users/me"));
            assert_eq!(found, expected, "{folder}");
            let is_passing = [Translocated, DiskImage].contains(&expected);
            assert_eq!(found.is_temporary(), is_passing, "{folder}");
        }
        for program in [
            "/Users/me/.cargo/bin/baleen",
            "/usr/local/bin/baleen",
            "/Volumes/Baleen/baleen",
            "/Applications/baleen",
            "/Applications/Baleen.app/baleen",
            "/Applications/Baleen.app/Contents/Resources/baleen",
            "/Applications/Baleen/Contents/MacOS/baleen",
            "/x/AppTranslocation/613DF902/d/baleen",
            "baleen",
            "",
        ] {
            let found = InstallLocation::of(Path::new(program), Path::new("/Users/me"));
            assert_eq!(found, NoBundle, "{program}");
        }
        // A user without a home folder has no Applications folder in it.
        let program = Path::new("/x/Baleen.app/Contents/MacOS/baleen");
        assert_eq!(InstallLocation::of(program, Path::new("")), Elsewhere);
    }
    #[test]
    fn a_link_into_an_app_is_followed_and_once_only() {
        let real = Path::new("/Applications/Baleen.app/Contents/MacOS/baleen");
        for (program, expected) in [
            ("/usr/local/bin/baleen", Some(real)),
            (
                "/Applications/Baleen.app/Contents/Resources/bin/baleen",
                Some(real),
            ),
            // The started path is already the real one.
            ("/Applications/Baleen.app/Contents/MacOS/baleen", None),
            // A link on the way to the app.
            ("/Users/me/apps/Baleen.app/Contents/MacOS/baleen", None),
        ] {
            assert_eq!(
                better_start(Path::new(program), real),
                expected,
                "{program}"
            );
        }
        let cellar = Path::new("/usr/local/Cellar/baleen/0.1.0/bin/baleen");
        assert_eq!(
            better_start(Path::new("/usr/local/bin/baleen"), cellar),
            None
        );
    }
}
