//! Advice on the console of Docker's VM. Restarting Docker does the same without the console.

use crate::backend::docker_desktop::initrd::console::ConsoleError;
use crate::error::{Face, Hint};

const HANGS: &str = "the VM may be hung, or very busy: try again later, or restart Docker instead";

impl Hint for ConsoleError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            Self::Cancelled | Self::Random(_) => return None,
            Self::NoShell { path, .. } => {
                return Some(format!(
                    "{HANGS}; a program that was left running there can be ended by hand: screen '{}', then Ctrl-C",
                    path.display()
                ));
            }
            Self::File(_) | Self::NotATerminal { .. } => {
                "restart Docker instead, from its own menu"
            }
            Self::InUse { .. } => {
                "end that program (screen: Ctrl-A, then K, then y) and try again, or restart Docker instead"
            }
            Self::Claimed { .. } => {
                "if it is still open somewhere, close it there and try again, or restart Docker instead"
            }
            Self::Closed { .. } => {
                "if Docker does not start its VM again by itself, quit it and open it again"
            }
            Self::Stuck { .. } | Self::NoAnswer { .. } | Self::Garbled { .. } => HANGS,
            Self::PasswordAsked { .. } => {
                "it is not a VM that Baleen knows; restart Docker instead"
            }
            Self::BadAnswer { .. } => {
                "sh, base64, cut, tr and sha256sum are needed there; restart Docker instead"
            }
            Self::NotCopied { .. } => {
                "the shell there may belong to a user who may not do that; restart Docker instead"
            }
            Self::NotMoved { .. } => "restart Docker instead",
        };
        Some(advice.to_owned())
    }
}
