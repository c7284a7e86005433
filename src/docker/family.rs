//! The kinds of VM that Docker for Mac has had, told by the files in `Contents/Resources`: versions
//! overlap and were renumbered, the files say which loader reads them.

use std::path::{Path, PathBuf};

/// How the VM of a bundle is stored, which decides where its engine gets a proxy from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    /// `moby/vmlinuz64` and `moby/initrd.img`, until 17.09: the engine reads its environment, which
    /// an init script inside the image sets. This is what Baleen patches.
    Moby {
        /// The image.
        image: PathBuf,
    },
    /// `linuxkit/*.iso`, from 17.12 to about 2.2.
    LinuxKitIso,
    /// `linuxkit/kernel` and `linuxkit/initrd.img`, from about 2.3 to 4.3x.
    LinuxKitInitrd,
    /// `linuxkit/boot.img`, since.
    BootImage,
    /// None of these, or several: what was found.
    Unknown(Vec<String>),
}

/// Files that tell a family.
const KNOWN: [&str; 7] = [
    "moby/vmlinuz64",
    "moby/initrd.img",
    "linuxkit/docker-for-mac.iso",
    "linuxkit/docker-desktop.iso",
    "linuxkit/kernel",
    "linuxkit/initrd.img",
    "linuxkit/boot.img",
];

impl Family {
    /// Tells the family of the bundle whose `Contents/Resources` is `resources`.
    pub fn of(resources: &Path) -> Self {
        // A link counts as present even if it leads nowhere: whether it may be followed is decided later.
        let there = |name: &str| resources.join(name).symlink_metadata().is_ok();
        let found: Vec<&str> = KNOWN.into_iter().filter(|name| there(name)).collect();
        match found[..] {
            ["moby/vmlinuz64", "moby/initrd.img"] => Self::Moby {
                image: resources.join("moby/initrd.img"),
            },
            ["linuxkit/docker-for-mac.iso"] | ["linuxkit/docker-desktop.iso"] => Self::LinuxKitIso,
            ["linuxkit/kernel", "linuxkit/initrd.img"] => Self::LinuxKitInitrd,
            ["linuxkit/boot.img"] => Self::BootImage,
            _ => Self::Unknown(found.into_iter().map(str::to_owned).collect()),
        }
    }

    /// The files, below `Contents/Resources`, that tell a family.
    pub fn files() -> &'static [&'static str] {
        &KNOWN
    }

    /// Whether a bundle with these of the files may be on its way to become a whole one, as it is while an update
    /// copies it.
    pub fn may_become_whole(found: &[String]) -> bool {
        matches!(
            found.iter().map(String::as_str).collect::<Vec<_>>()[..],
            [] | ["moby/vmlinuz64" | "moby/initrd.img" | "linuxkit/kernel" | "linuxkit/initrd.img"]
        )
    }

    /// Whether Docker for Mac of this version is of the family that is patched: until 17.10. For
    /// versions that are only spoken of; of a bundle on disk, its files tell.
    pub fn is_patched_in(version: &str) -> bool {
        let mut numbers = version
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse::<u32>().ok());
        let mut number = || numbers.next().flatten();
        matches!(
            (number(), number()),
            (Some(1), _) | (Some(17), Some(0..=10))
        )
    }

    /// The name in `--json`.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Moby { .. } => "moby",
            Self::LinuxKitIso => "linuxkit-iso",
            Self::LinuxKitInitrd => "linuxkit-initrd",
            Self::BootImage => "boot-image",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why this family is not patched and what to do instead; nothing for the one that is.
    pub fn refusal(&self) -> Option<String> {
        const OWN_SETTING: &str = "its engine gets the proxy from Docker's own settings, not from the image: set it in Docker's menu under Settings > Resources > Proxies (\"Manual proxy configuration\"), which is kept in ~/Library/Group Containers/group.com.docker/";
        match self {
            Self::Moby { .. } => None,
            Self::LinuxKitIso => Some(format!(
                "its VM is a LinuxKit ISO (17.12 to about 2.2); {OWN_SETTING}settings.json as overrideProxyHttp, overrideProxyHttps and overrideProxyExclude"
            )),
            Self::LinuxKitInitrd => Some(format!(
                "its VM is a LinuxKit kernel and initrd (about 2.3 to 4.3x); {OWN_SETTING}settings.json (from 4.35 on settings-store.json) as overrideProxyHttp, overrideProxyHttps and overrideProxyExclude"
            )),
            Self::BootImage => Some(format!(
                "its VM is a boot image (4.4x and later); {OWN_SETTING}settings-store.json as OverrideProxyHTTP, OverrideProxyHTTPS and OverrideProxyExclude"
            )),
            Self::Unknown(found) if found.is_empty() => Some(
                "none of the files that a Docker VM boots from is in its Contents/Resources (expected moby/vmlinuz64 and moby/initrd.img, or a linuxkit folder)".to_owned(),
            ),
            Self::Unknown(found) => Some(format!(
                "it mixes or lacks files of the VMs Baleen knows: expected moby/vmlinuz64 with moby/initrd.img alone, found {}",
                found.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(files: &[&str]) -> &'static str {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        Family::of(dir.path()).id()
    }

    #[test]
    fn families_are_told_by_their_files() {
        for (files, expected) in [
            (&["moby/vmlinuz64", "moby/initrd.img"][..], "moby"),
            (
                &["linuxkit/docker-for-mac.iso", "uefi/UEFI.fd"],
                "linuxkit-iso",
            ),
            (&["linuxkit/docker-desktop.iso"], "linuxkit-iso"),
            (
                &["linuxkit/kernel", "linuxkit/initrd.img"],
                "linuxkit-initrd",
            ),
            (
                &["linuxkit/boot.img", "linuxkit/boot.img.sha256"],
                "boot-image",
            ),
            (&[], "unknown"),
            (&["moby/initrd.img"], "unknown"),
            (
                &["moby/vmlinuz64", "moby/initrd.img", "linuxkit/kernel"],
                "unknown",
            ),
        ] {
            assert_eq!(family(files), expected, "{files:?}");
        }
    }

    #[test]
    fn versions_that_are_spoken_of() {
        for (version, patched) in [
            ("1.11.1-beta12", true),
            ("17.06.0-ce-mac18", true),
            ("17.10.0-ce-mac36", true),
            ("17.12.0-ce-mac55", false),
            ("2.0.0.0-mac82", false),
            ("unknown", false),
        ] {
            assert_eq!(Family::is_patched_in(version), patched, "{version}");
        }
    }

    #[test]
    fn every_family_but_one_says_where_its_proxy_is_set() {
        assert_eq!(Family::Moby { image: "x".into() }.refusal(), None);
        for (family, file) in [
            (Family::LinuxKitIso, "settings.json"),
            (Family::LinuxKitInitrd, "settings.json"),
            (Family::BootImage, "settings-store.json"),
        ] {
            assert!(family.refusal().unwrap().contains(file));
        }
        let mixed = Family::Unknown(vec!["linuxkit/kernel".into()]);
        assert!(mixed.refusal().unwrap().contains("found linuxkit/kernel"));
    }
}
