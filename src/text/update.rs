//! The result of a look for a newer version, in words.

use crate::service::InstalledBy;
use crate::update::{Verdict, Version, verdict};

/// Returns the news as a title and a sentence on the version that runs.
pub(crate) fn news(running: &Version, latest: &Version) -> (String, String) {
    match verdict(running, latest) {
        Verdict::Newer => (
            format!("Baleen {latest} is available"),
            format!("You have {running}."),
        ),
        Verdict::UpToDate if running == latest => (
            "Baleen is up to date".to_owned(),
            format!("{running} is the latest version."),
        ),
        Verdict::UpToDate => (
            "Baleen is up to date".to_owned(),
            format!("You have {running}, and the latest release is {latest}."),
        ),
    }
}

/// Returns how to get a newer version.
pub(crate) fn how(by: InstalledBy) -> &'static str {
    match by {
        InstalledBy::User => "The release page has the download and says what is new.",
        InstalledBy::Cask => "Update it with `brew upgrade --cask baleen`.",
        InstalledBy::Formula => "Update it with `brew upgrade baleen-cli`.",
        InstalledBy::Administrator => {
            "It belongs to an administrator or another user, who can update it."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homebrew_gets_the_name_that_it_has_for_what_it_installed() {
        for (by, command) in [
            (InstalledBy::Cask, "`brew upgrade --cask baleen`"),
            (InstalledBy::Formula, "`brew upgrade baleen-cli`"),
        ] {
            assert!(how(by).contains(command), "{by:?}");
        }
    }

    #[test]
    fn each_result_says_which_version_there_is_and_which_you_have() {
        for (running, latest, expected) in [
            (
                "0.1.0",
                "0.2.0",
                "Baleen 0.2.0 is available. You have 0.1.0.",
            ),
            (
                "0.1.0",
                "0.1.0",
                "Baleen is up to date. 0.1.0 is the latest version.",
            ),
            (
                "0.2.0",
                "0.1.0",
                "Baleen is up to date. You have 0.2.0, and the latest release is 0.1.0.",
            ),
        ] {
            let (title, body) = news(&running.parse().unwrap(), &latest.parse().unwrap());
            assert_eq!(format!("{title}. {body}"), expected);
        }
    }
}
