//! Advice on Docker's own settings.

use crate::backend::docker_desktop::settings::{FileFault, LockedBy, SettingsError};
use crate::error::{Face, Failure, Hint, Kind};

impl Hint for SettingsError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::File { fault, .. }, _) => match fault {
                FileFault::Missing => "open Docker once, so that it writes its settings",
                FileFault::Link => "put a plain file in the place of the link",
                FileFault::ReadOnly => "let its owner write it (chmod u+w)",
                FileFault::HoldsPassword { .. } => {
                    "take the password out of it, or leave `containers` off"
                }
                FileFault::Changing => "try again in a moment",
                FileFault::NotAFile
                | FileFault::TooLong
                | FileFault::NotUtf8
                | FileFault::Invalid { .. } => {
                    "correct the file while Docker isn't running, or move it away and open Docker, which writes a new one"
                }
            },
            (Self::Io(_), _) if self.kind() != Kind::NotPermitted => return None,
            (Self::Io(_) | Self::Denied { .. }, _) => {
                "allow it in System Settings > Privacy & Security (Files & Folders, or Full Disk Access), or start Docker, whose socket Baleen can use instead"
            }
            (Self::NotAnswering { .. }, _) => {
                "wait until Docker has started; if it doesn't, quit it from its menu and open it again"
            }
            (Self::Unknown { .. } | Self::NotText { .. }, _) => {
                "set the proxy in Docker's own window, and update Baleen"
            }
            (
                Self::Locked {
                    by: LockedBy::Organization,
                }
                | Self::PutBack { .. },
                _,
            ) => "ask the administrators of Docker in your organization",
            (Self::Locked { .. }, _) => "ask the administrator of this Mac",
            (Self::Runs { .. }, Face::CommandLine) => {
                "quit Docker and run the command again, or pass --live to have Docker quit and opened again"
            }
            (Self::Runs { .. }, Face::Menu) => {
                "quit Docker from its menu; the change follows at once"
            }
            (Self::Foreign { .. }, Face::CommandLine) => {
                "`baleen apply --adopt` puts Baleen's proxy in its place; `baleen restore` brings it back"
            }
            (Self::Foreign { .. }, Face::Menu) => {
                "choose Adopt Existing Proxy to put Baleen's proxy in its place"
            }
            (Self::ChangedSince { .. }, Face::CommandLine) => {
                "`baleen restore --force` brings back what was there before Baleen"
            }
            (Self::ChangedSince { .. }, Face::Menu) => {
                "run `baleen restore --force` in a terminal to bring back what was there before Baleen"
            }
            (Self::Busy { .. }, _) => "try again when it is done",
            (Self::NotKept(error), face) => return error.hint(face),
            (Self::NotKnownAnyMore, _) => "enter the proxy in Docker's own window",
            (Self::NotNoted(_), _) => return None,
        };
        Some(advice.to_owned())
    }
}
