//! Advice on boot images and the changes to them.

use crate::backend::docker_desktop::initrd::PatchError;
use crate::error::{Face, Hint};
use crate::initrd;

/// The advice for everything that only Docker's own installer puts right.
const INSTALL_AGAIN: &str = "install Docker again to have its own boot image back";
const UNKNOWN_IMAGE: &str =
    "it is not a boot image of Docker for Mac that Baleen knows; it was left as it is";

impl Hint for PatchError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::File(file), _) => return file.hint(face),
            (Self::NotPatched(why), _) => return why.hint(face),
            (Self::OtherFamily | Self::NotNoted { .. } | Self::NotAppended(_), _) => return None,
            (Self::OwnerNotGiven(_), _) => {
                "run Baleen as the user to whom the boot image belongs, and as a member of its group (ls -l shows both); if there is none any more, make both yours with chown"
            }
            (Self::NotAFile { .. }, _) => "install Docker again to have its own boot image there",
            (Self::BackupNotAFile { .. }, _) => {
                "the original is to be kept under that name: move away what is there, and try again"
            }
            (Self::Replaced { .. }, _) => "if Docker is being updated, try again when that is done",
            (Self::Locked { .. }, _) => "wait until it is done",
            (Self::Immutable { image }, _) => {
                return Some(format!(
                    "unlock it with chflags nouchg '{}'",
                    image.display()
                ));
            }
            (Self::NotWhole { .. }, _) => {
                "if Docker is being updated, try again when that is done; else install Docker again"
            }
            (
                Self::Unusable {
                    source: initrd::Error::Bootconfig { .. },
                    ..
                },
                _,
            ) => {
                "take it off (bootconfig -d), or install Docker again to have its own boot image back"
            }
            (Self::Unusable { .. }, _) => {
                "it was left as it is; install Docker again to have its own boot image back"
            }
            (Self::ScriptEntry { .. } | Self::ManifestEntry { .. }, _) => UNKNOWN_IMAGE,
            (Self::Unmarked { backup, .. }, _) => {
                return Some(format!(
                    "install Docker again to have its own boot image, or put {} in its place if that is it; {}`baleen apply --adopt` treats the current boot image as the original",
                    backup.display(),
                    in_terminal(face)
                ));
            }
            (Self::OtherMember | Self::Manifest(_), _) => INSTALL_AGAIN,
            (Self::OtherLength { .. }, _) => {
                "another tool changed it; install Docker again to have its own boot image back"
            }
            (Self::ManifestFormat { .. }, _) => "use that version of Baleen or a newer one",
            (Self::Block, Face::CommandLine) => {
                "`baleen restore` gives the original back; apply after that"
            }
            (Self::Block, Face::Menu) => {
                "switch Use Proxy off to have the original back, and on again after that"
            }
            (Self::BlockWithoutProxy, Face::CommandLine) => "`baleen apply` writes it again",
            (Self::BlockWithoutProxy, Face::Menu) => {
                "switch Use Proxy off and on again to have it written again"
            }
            (Self::OtherScript(_), _) => {
                "this boot image was changed by another tool, or is one that Baleen does not know; it was left as it is"
            }
            (Self::ByHand { .. }, Face::CommandLine) => {
                "apply with --adopt to have Baleen take these lines over"
            }
            (Self::ByHand { .. }, Face::Menu) => {
                "choose Adopt Existing Proxy to have Baleen take these lines over"
            }
            (Self::NotAdoptable { .. }, Face::CommandLine) => {
                "take that line out by hand, or install Docker again and apply then"
            }
            (Self::NotAdoptable { .. }, Face::Menu) => {
                "take that line out by hand, or install Docker again and choose Use Proxy then"
            }
            (Self::ScriptTooLong { .. }, _) => "shorten the no-proxy list",
            (Self::OtherOwner { image, user, .. }, _) => {
                return Some(format!(
                    "make it yours (sudo chown {user} '{}'), or use a proxy that asks for no password, such as cntlm or px on this computer",
                    image.display()
                ));
            }
            (Self::UnalignedEnd { .. }, Face::CommandLine) => "use --method rebuild",
            (Self::UnalignedEnd { .. }, Face::Menu) => {
                "choose Open Settings File and set method to rebuild"
            }
            (Self::NotRebuilt(_), Face::CommandLine) => {
                "the boot image was left as it is; use --method append, and report this"
            }
            (Self::NotRebuilt(_), Face::Menu) => {
                "the boot image was left as it is; choose Open Settings File and set method to append, and report this"
            }
            (Self::NotAsWritten { .. }, _) => "check the disk with Disk Utility",
            (Self::NoOriginal { .. }, _) => "put the backup back, or install Docker again",
            (Self::OtherBackup { .. }, _) => {
                "install this version of Docker again to have its own boot image"
            }
            (Self::OtherOriginal { .. }, _) => {
                "it was damaged or replaced since the patch; install Docker again"
            }
            (Self::OtherOriginalPart { .. }, _) => {
                "it was damaged since the patch; install Docker again"
            }
            (Self::NotAsPatched { .. }, Face::CommandLine) => {
                "`baleen restore` gives the original back if its backup is whole; else install Docker again"
            }
            (Self::NotAsPatched { .. }, Face::Menu) => {
                "switching Use Proxy off gives the original back if its backup is whole; else install Docker again"
            }
        };
        Some(advice.to_owned())
    }
}

fn in_terminal(face: Face) -> &'static str {
    match face {
        Face::CommandLine => "",
        Face::Menu => "in Terminal: ",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::backend::docker_desktop::initrd::{Difference, OtherScript};

    #[test]
    fn the_menu_names_no_command_and_no_option_unless_there_is_nothing_else() {
        let image = || PathBuf::from("/d/initrd.img");
        for error in [
            PatchError::Block,
            PatchError::BlockWithoutProxy,
            PatchError::ByHand { lines: vec![] },
            PatchError::OtherScript(OtherScript::NoEngine),
            PatchError::UnalignedEnd { length: 3 },
            PatchError::NotRebuilt(initrd::Error::Empty),
            PatchError::NotAsPatched {
                image: image(),
                difference: Difference::Script,
            },
        ] {
            let advice = error.hint(Face::Menu).unwrap();
            for word in ["`baleen", "--", "BALEEN_"] {
                assert!(!advice.contains(word), "{advice}");
            }
        }
        let unmarked = PatchError::Unmarked {
            image: image(),
            backup: PathBuf::from("/d/initrd.img-backup"),
        };
        for (face, word) in [
            (Face::CommandLine, "; `baleen"),
            (Face::Menu, "; in Terminal: `baleen"),
        ] {
            let advice = unmarked.hint(face).unwrap();
            assert!(advice.contains(word), "{advice}");
        }
    }
}
