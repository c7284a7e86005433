//! Where the app was opened from: told by its path alone.
//!
//! Since 10.12 macOS may open an app with the mark of a download from a read-only place of a random name, until its
//! user has moved it with the Finder; Apple's Platform Security Guide says no more than that it happens ("Gatekeeper
//! and runtime protection in macOS"). The place's form, `…/AppTranslocation/UUID/d/NAME.app`, is that of Apple's
//! published sources (Security, `libsecurity_translocate`). It can also come to an app in Applications that was put
//! there by something else than the Finder. A disk image is mounted at `/Volumes/NAME`
//! (<https://developer.apple.com/library/archive/documentation/FileManagement/Conceptual/FileSystemProgrammingGuide/FileSystemOverview/FileSystemOverview.html>),
//! and what is meant to be opened stands at its top.

use std::env;
use std::path::{Component, Path};

/// Where that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallLocation {
    /// In a folder for apps.
    Installed,
    /// Where macOS opens what was downloaded and not moved.
    Translocated,
    /// At the top of a disk that is not the Mac's own: a disk image, as a rule, or one that is plugged in.
    DiskImage,
    /// In some other folder.
    Elsewhere,
    /// Not in an app bundle: a command, by whichever way it was installed.
    NoBundle,
}

impl InstallLocation {
    /// The place of this program.
    pub fn current() -> Self {
        let whole = |path: std::path::PathBuf| path.canonicalize().unwrap_or(path);
        let program = env::current_exe().map(whole).unwrap_or_default();
        let home = env::home_dir().map(whole).unwrap_or_default();
        Self::of(&program, &home)
    }

    /// The place of the executable `program`, for the user whose home is `home`; links in both resolved.
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

    /// Whether the app is gone from there when it was quit, or a disk ejected.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Translocated | Self::DiskImage)
    }
}

/// Where the program is to be started again, if the system would not take it for the app that it is: `program` is what was
/// started, and `real` is that with all links followed.
///
/// The main bundle is looked for around what was started, and not around what a link leads to. Who comes by a link, as
/// Homebrew puts one into its `bin`, is in no app, without notifications and a login item.
pub fn better_start<'a>(program: &Path, real: &'a Path) -> Option<&'a Path> {
    (bundle(program).is_none() && bundle(real).is_some()).then_some(real)
}

/// The bundle `NAME.app` with `program` in its `Contents/MacOS`.
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
            // A disk image whose app was opened so.
            ("/Volumes/Baleen", DiskImage),
            ("/Volumes/Baleen 1", DiskImage),
            // On a disk of the user's.
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
        // Anyone who has no home has no folder for apps in it.
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
            // That is what is started then.
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
