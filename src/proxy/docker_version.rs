//! Versions of Docker Desktop.

/// The first two numbers of a version; none if a text names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DockerVersion(Option<(u32, u32)>);

impl DockerVersion {
    /// Reads a version such as `4.84.0` or `17.12.0-ce-mac55`. 17 and 18 are years, and came before 2.0.
    pub(crate) fn of(text: &str) -> Self {
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse::<u32>().ok());
        let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
        Self(major.map(|major| match (major, minor.unwrap_or(0)) {
            (17 | 18, _) => (1, major),
            found => found,
        }))
    }

    /// Returns whether it is at least `least`; nothing if it is not known.
    pub(crate) fn is_at_least(&self, least: (u32, u32)) -> Option<bool> {
        self.0.map(|found| found >= least)
    }

    /// Returns whether a running Docker of this version tells its settings over its socket. A Docker without a known
    /// version may be the latest one.
    pub(crate) fn has_socket(&self) -> bool {
        self.is_at_least((4, 0)).unwrap_or(true)
    }

    /// Returns whether its window has a page of its own for the containers' proxy, on which pulls depend as well.
    pub(crate) fn has_containers_page(&self) -> bool {
        self.is_at_least((4, 63)).unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_of_their_releases() {
        for (text, least, expected) in [
            ("4.84.0", (4, 35), Some(true)),
            ("4.34.3", (4, 35), Some(false)),
            ("4.35.0", (4, 35), Some(true)),
            ("3.6.0", (4, 0), Some(false)),
            ("17.12.0-ce-mac55", (2, 0), Some(false)),
            ("18.09.2", (4, 0), Some(false)),
            ("2.0.0.0-mac82", (4, 0), Some(false)),
            ("5.0", (4, 63), Some(true)),
            ("unknown", (4, 0), None),
        ] {
            assert_eq!(
                DockerVersion::of(text).is_at_least(least),
                expected,
                "{text}"
            );
        }
        assert!(DockerVersion::of("unknown").has_socket());
        assert!(!DockerVersion::of("3.6.0").has_socket());
    }
}
