//! The kinds of VM that Docker for Mac has had, recognized by the files in `Contents/Resources`.
//! Version numbers overlap and were changed; the files show which loader reads them.

use std::fmt;
use std::path::{Path, PathBuf};

/// The way in which a bundle stores its VM. It decides where the engine gets its proxy from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    /// `moby/vmlinuz64` and `moby/initrd.img`, until 17.09: the engine reads its environment, which
    /// an init script inside the boot image sets. Baleen patches this family.
    Moby {
        /// The path of the boot image.
        image: PathBuf,
    },
    /// `linuxkit/*.iso`, from 17.12 to about 2.2.
    LinuxKitIso,
    /// `linuxkit/kernel` and `linuxkit/initrd.img`, from about 2.3 to 4.3x.
    LinuxKitInitrd,
    /// `linuxkit/boot.img`, after that. The bundles that people have listed also have
    /// `linuxkit/kernel`.
    BootImage,
    /// None of these, or several, with the files that were found.
    Unknown(Vec<String>),
}

/// The pane of Docker's own window that sets its proxy. The window was rebuilt with 2.2, and *Preferences* became
/// *Settings* later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyPane {
    /// In *Preferences*.
    Preferences,
    /// In *Settings*.
    Settings,
}

impl ProxyPane {
    /// Returns its title, as the window shows it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Preferences => "Preferences > Proxies",
            Self::Settings => "Settings > Resources > Proxies",
        }
    }
}

impl fmt::Display for ProxyPane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// The files of a VM that Baleen does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum UnknownVm {
    #[error(
        "none of the files that a Docker VM boots from is in its Contents/Resources (expected moby/vmlinuz64 and moby/initrd.img, or a linuxkit folder)"
    )]
    NoFiles,

    #[error("it mixes or lacks files of the VMs Baleen knows: expected moby/vmlinuz64 with moby/initrd.img alone, found {}", found.join(", "))]
    OtherFiles { found: Vec<String> },
}

/// Files that identify a family.
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
    /// Returns the family of the bundle whose `Contents/Resources` is `resources`.
    pub fn of(resources: &Path) -> Self {
        // A link counts as present even if its target does not exist: whether to follow it is
        // decided later.
        let there = |name: &str| resources.join(name).symlink_metadata().is_ok();
        let found: Vec<&str> = KNOWN.into_iter().filter(|name| there(name)).collect();
        match found[..] {
            ["moby/vmlinuz64", "moby/initrd.img"] => Self::Moby {
                image: resources.join("moby/initrd.img"),
            },
            ["linuxkit/docker-for-mac.iso"] | ["linuxkit/docker-desktop.iso"] => Self::LinuxKitIso,
            ["linuxkit/kernel", "linuxkit/initrd.img"] => Self::LinuxKitInitrd,
            ["linuxkit/boot.img"] | ["linuxkit/kernel", "linuxkit/boot.img"] => Self::BootImage,
            _ => Self::Unknown(found.into_iter().map(str::to_owned).collect()),
        }
    }

    /// Returns the files, below `Contents/Resources`, that identify a family.
    pub fn files() -> &'static [&'static str] {
        &KNOWN
    }

    /// Returns whether a bundle with only these files may become complete, as while an update
    /// copies it.
    pub(crate) fn may_become_whole(found: &[String]) -> bool {
        matches!(
            found.iter().map(String::as_str).collect::<Vec<_>>()[..],
            [] | ["moby/vmlinuz64" | "moby/initrd.img" | "linuxkit/kernel" | "linuxkit/initrd.img"]
        )
    }

    /// Returns whether Docker for Mac of this version belongs to the patched family: until 17.10.
    /// This is for versions without a bundle on disk; for a bundle, its files decide.
    pub(crate) fn is_patched_in(version: &str) -> bool {
        let mut numbers = version
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse::<u32>().ok());
        let mut number = || numbers.next().flatten();
        matches!(
            (number(), number()),
            (Some(1), _) | (Some(17), Some(0..=10))
        )
    }

    /// Returns the name in `--json`.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Moby { .. } => "moby",
            Self::LinuxKitIso => "linuxkit-iso",
            Self::LinuxKitInitrd => "linuxkit-initrd",
            Self::BootImage => "boot-image",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Returns the pane of Docker's own window that sets its proxy, or `None` if this Docker has no
    /// such pane or is unknown. From 17.12 on, a proxy process on the Mac reads that setting, and
    /// patching the boot image is wrong.
    pub(crate) fn proxy_pane(&self) -> Option<ProxyPane> {
        match self {
            Self::LinuxKitIso => Some(ProxyPane::Preferences),
            Self::LinuxKitInitrd | Self::BootImage => Some(ProxyPane::Settings),
            Self::Moby { .. } | Self::Unknown(_) => None,
        }
    }

    /// Returns the URL of that pane, if Docker has one. Docker's documentation does not mention
    /// these URLs; a public list of the URLs that the app of June 2026 understands contains this
    /// one. They only work while Docker runs and do not start it, so otherwise the app itself must
    /// be opened.
    pub(crate) fn settings_url(&self) -> Option<&'static str> {
        (*self == Self::BootImage)
            .then_some("docker-desktop://dashboard/open?path=settings/resources/proxies")
    }

    /// Returns the files of the VM, if Baleen does not know it. It sets the proxy of all others.
    pub(crate) fn unknown_vm(&self) -> Option<UnknownVm> {
        match self {
            Self::Unknown(found) if found.is_empty() => Some(UnknownVm::NoFiles),
            Self::Unknown(found) => Some(UnknownVm::OtherFiles {
                found: found.clone(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(files: &[&str]) -> Family {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        Family::of(dir.path())
    }

    /// Tests every set of these files: the few that Docker shipped are recognized, all others are
    /// not.
    #[test]
    fn only_the_sets_of_files_that_docker_shipped_are_a_family() {
        let shipped: [(&[&str], &str); 6] = [
            (&["moby/vmlinuz64", "moby/initrd.img"], "moby"),
            (&["linuxkit/docker-for-mac.iso"], "linuxkit-iso"),
            (&["linuxkit/docker-desktop.iso"], "linuxkit-iso"),
            (
                &["linuxkit/kernel", "linuxkit/initrd.img"],
                "linuxkit-initrd",
            ),
            (&["linuxkit/boot.img"], "boot-image"),
            (&["linuxkit/kernel", "linuxkit/boot.img"], "boot-image"),
        ];
        for bits in 0..1_u32 << KNOWN.len() {
            let files: Vec<&str> = (0..KNOWN.len())
                .filter(|bit| bits & 1 << bit != 0)
                .map(|bit| KNOWN[bit])
                .collect();
            let expected = shipped
                .iter()
                .find(|(set, _)| *set == files)
                .map_or("unknown", |(_, id)| id);
            let found = family(&files);
            assert_eq!(found.id(), expected, "{files:?}");
            match &found {
                Family::Unknown(listed) => assert_eq!(*listed, files),
                whole => assert_eq!(
                    whole.proxy_pane().is_some(),
                    !matches!(whole, Family::Moby { .. }),
                    "{files:?}"
                ),
            }
        }
    }

    #[test]
    fn files_that_tell_nothing_are_not_counted() {
        for (files, expected) in [
            (
                &["linuxkit/docker-for-mac.iso", "uefi/UEFI.fd"][..],
                "linuxkit-iso",
            ),
            (
                &[
                    "linuxkit/kernel",
                    "linuxkit/boot.img",
                    "linuxkit/boot.img.sha256",
                    "componentsVersion.json",
                ],
                "boot-image",
            ),
            (&["linuxkit/boot.img.sha256"], "unknown"),
        ] {
            assert_eq!(family(files).id(), expected, "{files:?}");
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
    fn a_docker_with_its_own_settings_has_a_pane_for_them() {
        assert_eq!(Family::Moby { image: "x".into() }.unknown_vm(), None);
        for (family, pane) in [
            (Family::LinuxKitIso, ProxyPane::Preferences),
            (Family::LinuxKitInitrd, ProxyPane::Settings),
            (Family::BootImage, ProxyPane::Settings),
        ] {
            assert_eq!(family.proxy_pane(), Some(pane));
            assert_eq!(family.unknown_vm(), None);
        }
        for (family, has_url) in [
            (Family::BootImage, true),
            (Family::LinuxKitInitrd, false),
            (Family::LinuxKitIso, false),
        ] {
            assert_eq!(family.settings_url().is_some(), has_url);
        }
        let found = vec!["linuxkit/kernel".to_owned()];
        assert_eq!(
            Family::Unknown(found.clone()).unknown_vm(),
            Some(UnknownVm::OtherFiles { found })
        );
    }
}
