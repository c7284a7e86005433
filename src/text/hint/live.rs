//! Advice on the update of a running VM. Restarting Docker does the same without the VM's console.

use crate::backend::docker_desktop::initrd::PatchError;
use crate::backend::docker_desktop::initrd::live::LiveError;
use crate::error::{Face, Hint};

impl Hint for LiveError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::Image(source), _) => return source.hint(face),
            (Self::Console(source) | Self::Restart { source }, _) => return source.hint(face),
            (Self::NoConsole { .. }, _) => "restart Docker instead",
            (Self::NoBlock, Face::CommandLine) => {
                "another tool changed it; apply again, or install Docker again"
            }
            (Self::NoBlock, Face::Menu) => {
                "another tool changed it; choose Check and Repair Now, or install Docker again"
            }
            (Self::NoScript { .. }, _) => {
                "it is not a VM that Baleen knows; restart Docker instead"
            }
            (
                Self::Script {
                    source: PatchError::ByHand { .. },
                },
                Face::CommandLine,
            ) => {
                "apply with --adopt --live to have Baleen take these lines over, or restart Docker instead"
            }
            // Taking them over in the running VM works only from a terminal.
            (
                Self::Script {
                    source: PatchError::ByHand { .. },
                },
                Face::Menu,
            ) => "restart Docker instead",
            (Self::Script { .. } | Self::ForeignPassword, _) => {
                "restart Docker instead, so that its VM starts from the boot image"
            }
            (Self::OtherProxy(_), _) => "restart Docker, so that its VM starts from the boot image",
        };
        Some(advice.to_owned())
    }
}
