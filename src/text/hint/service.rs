//! Advice on other Baleens and on opening Baleen at login.

use crate::error::{Face, Hint};
use crate::service::ServiceError;

impl Hint for ServiceError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match self {
            Self::AlreadyRunning { .. } => "end that one first",
            Self::StillRuns { .. } if face == Face::Menu => {
                "quit it from its menu, or with Ctrl-C in its terminal, and try again; nothing was removed"
            }
            Self::StillRuns { .. } => {
                "quit it from its menu, or `baleen watch` with Ctrl-C, and try again; nothing was removed"
            }
            Self::LoginItem { on: true, .. } => {
                "move Baleen to the Applications folder, open it from there, and try again"
            }
            Self::LoginItem { on: false, .. } => {
                "remove it in System Settings > General > Login Items"
            }
        };
        Some(advice.to_owned())
    }
}
