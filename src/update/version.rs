//! Versions by Semantic Versioning 2.0.0 (<https://semver.org/spec/v2.0.0.html>).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Maximum length of a version in bytes. Ours have five.
const MAX_LEN: usize = 64;

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Major, minor and patch version.
    core: [u64; 3],
    /// The identifiers of a pre-release, as in `rc.1`; empty for a release.
    pre_release: String,
}

/// The error for a text that is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it should be a version such as v1.2.3")]
pub struct InvalidVersion;

/// What a release means for the version that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is newer.
    Newer,
    /// It is the same, an older one, or a pre-release.
    UpToDate,
}

/// Compares the latest release with the version that runs. A pre-release is never offered, and a release replaces its
/// own pre-releases.
pub fn verdict(running: &Version, latest: &Version) -> Verdict {
    let is_newer = match latest.core.cmp(&running.core) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => !running.pre_release.is_empty(),
        std::cmp::Ordering::Less => false,
    };
    match is_newer && latest.pre_release.is_empty() {
        true => Verdict::Newer,
        false => Verdict::UpToDate,
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads a version, or a tag, which has a `v` before it.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        if text.len() > MAX_LEN {
            return Err(InvalidVersion);
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(pre_release)),
            None => (text, None),
        };
        let is_identifier = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let has_zero = |text: &str| is_number(text) && text.len() > 1 && text.starts_with('0');
        let is_build = |text: &str| text.split('.').all(is_identifier);
        let is_pre_release = |text: &str| is_build(text) && !text.split('.').any(has_zero);
        if !build.is_none_or(is_build) || !pre_release.is_none_or(is_pre_release) {
            return Err(InvalidVersion);
        }
        let mut numbers = core.split('.').map(|text| match is_number(text) {
            true if !has_zero(text) => text.parse().map_err(|_| InvalidVersion),
            _ => Err(InvalidVersion),
        });
        let mut next = || numbers.next().unwrap_or(Err(InvalidVersion));
        let core = [next()?, next()?, next()?];
        match numbers.next() {
            Some(_) => Err(InvalidVersion),
            None => Ok(Self {
                core,
                pre_release: pre_release.unwrap_or_default().to_owned(),
            }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.core;
        write!(f, "{major}.{minor}.{patch}")?;
        match &*self.pre_release {
            "" => Ok(()),
            pre_release => write!(f, "-{pre_release}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_release_is_newer() {
        use Verdict::{Newer, UpToDate};
        for (running, latest, expected) in [
            ("0.1.0", "v0.1.0", UpToDate),
            ("0.1.0", "v0.1.1", Newer),
            ("0.1.0", "0.2.0", Newer),
            ("0.9.0", "v0.10.0", Newer),
            ("0.10.0", "v0.9.9", UpToDate),
            ("1.0.0", "v0.99.99", UpToDate),
            ("1.2.3", "v2.0.0", Newer),
            ("1.2.3", "v1.2.3+build.5", UpToDate),
            // A pre-release is never offered, not even to those who have one.
            ("0.1.0", "v0.2.0-rc.1", UpToDate),
            ("0.2.0-rc.1", "v0.2.0-rc.2", UpToDate),
            ("0.2.0-rc.1", "v0.2.0", Newer),
            ("0.2.0-rc.1", "v0.1.0", UpToDate),
            ("0.2.0", "v0.2.0-rc.1", UpToDate),
        ] {
            let (running, latest) = (running.parse().unwrap(), latest.parse().unwrap());
            assert_eq!(verdict(&running, &latest), expected, "{running} {latest}");
        }
    }

    #[test]
    fn what_is_a_version() {
        for (text, shown) in [
            ("0.1.0", "0.1.0"),
            ("v10.20.30", "10.20.30"),
            ("1.0.0-alpha", "1.0.0-alpha"),
            ("1.0.0-alpha-a.b-c.0+20.0013", "1.0.0-alpha-a.b-c.0"),
            ("1.0.0+a-b", "1.0.0"),
            ("18446744073709551615.0.0", "18446744073709551615.0.0"),
        ] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), shown);
        }
        let long = format!("1.0.0-{}", "a".repeat(MAX_LEN));
        for text in [
            "",
            "v",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.x",
            "01.2.3",
            "1.02.3",
            "1.2.03",
            "-1.2.3",
            "1.2.-3",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3-01",
            "1.2.3+",
            "1.2.3+a+b",
            "1.2.3 ",
            " 1.2.3",
            "+1.2.3",
            "vv1.2.3",
            "1.2.3/..",
            "1.2.3\n",
            "1.2.3-é",
            "18446744073709551616.0.0",
            "latest",
            &long,
        ] {
            assert_eq!(text.parse::<Version>(), Err(InvalidVersion), "{text}");
        }
    }
}
