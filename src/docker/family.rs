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
    /// `linuxkit/boot.img`, since, with `linuxkit/kernel` beside it in the bundles that people have listed.
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
            ["linuxkit/boot.img"] | ["linuxkit/kernel", "linuxkit/boot.img"] => Self::BootImage,
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

    /// The pane of Docker's own window in which its proxy is set; nothing where Docker has no such pane, or where it is
    /// not known which Docker this is. From 17.12 on a proxy process on the Mac reads what is set there, and the image
    /// is the wrong place. The window was rebuilt with 2.2, and *Preferences* became *Settings* later.
    pub fn proxy_pane(&self) -> Option<&'static str> {
        match self {
            Self::LinuxKitIso => Some("Preferences > Proxies"),
            Self::LinuxKitInitrd | Self::BootImage => Some("Settings > Resources > Proxies"),
            Self::Moby { .. } | Self::Unknown(_) => None,
        }
    }

    /// The address of that pane, where Docker has one for it. Docker's documentation doesn't mention these addresses; a
    /// public list of what the app of June 2026 understands has this one. They reach a Docker that runs: one that
    /// doesn't is not opened by them, so there the app is what to open.
    pub fn settings_url(&self, is_running: bool) -> Option<&'static str> {
        (is_running && *self == Self::BootImage)
            .then_some("docker-desktop://dashboard/open?path=settings/resources/proxies")
    }

    /// Why this family is not patched; nothing for the one that is.
    pub fn refusal(&self) -> Option<String> {
        match self {
            _ if self.proxy_pane().is_some() => self.own_settings("it"),
            Self::Unknown(found) if found.is_empty() => Some(
                "none of the files that a Docker VM boots from is in its Contents/Resources (expected moby/vmlinuz64 and moby/initrd.img, or a linuxkit folder)".to_owned(),
            ),
            Self::Unknown(found) => Some(format!(
                "it mixes or lacks files of the VMs Baleen knows: expected moby/vmlinuz64 with moby/initrd.img alone, found {}",
                found.join(", ")
            )),
            _ => None,
        }
    }

    /// The sentence about a Docker with its own proxy settings, in which `docker` stands for it; every face has the same.
    pub fn own_settings(&self, docker: &str) -> Option<String> {
        let pane = self.proxy_pane()?;
        Some(format!(
            "{docker} has its own proxy settings ({pane}), which Baleen doesn't change yet"
        ))
    }

    /// What to do about a Docker that is not patched, where something can be done.
    pub fn advice(&self) -> Option<String> {
        let pane = self.proxy_pane()?;
        Some(format!(
            "in Docker, open {pane} and enter the values that `baleen apply` prints"
        ))
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

    /// Every set of the files that tell a family: the few that Docker shipped are named, all others are refused.
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
    fn a_docker_with_its_own_settings_is_not_called_a_failure() {
        let moby = Family::Moby { image: "x".into() };
        assert_eq!((moby.refusal(), moby.advice()), (None, None));
        for (family, pane) in [
            (Family::LinuxKitIso, "Preferences > Proxies"),
            (Family::LinuxKitInitrd, "Settings > Resources > Proxies"),
            (Family::BootImage, "Settings > Resources > Proxies"),
        ] {
            let sentence = family.refusal().unwrap();
            assert!(sentence.contains(pane), "{sentence}");
            assert!(sentence.len() < 100, "{sentence}");
            for word in ["can't", "not patched", "unsupported"] {
                assert!(!sentence.contains(word), "{sentence}");
            }
            assert!(family.advice().unwrap().contains(pane));
        }
        for (family, is_running, has_url) in [
            (Family::BootImage, true, true),
            (Family::BootImage, false, false),
            (Family::LinuxKitInitrd, true, false),
            (Family::LinuxKitIso, true, false),
        ] {
            assert_eq!(family.settings_url(is_running).is_some(), has_url);
        }
        let mixed = Family::Unknown(vec!["linuxkit/kernel".into()]);
        assert!(mixed.refusal().unwrap().contains("found linuxkit/kernel"));
        assert_eq!(mixed.advice(), None);
    }
}
