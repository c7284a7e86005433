//! Advice on failures of the agent.

use crate::agent::AgentError;
use crate::error::{Face, Hint};

impl Hint for AgentError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::PasswordNotKept, Face::CommandLine) => {
                "store it with `baleen credentials set USER@HOST:PORT`, or name the proxy again"
            }
            (Self::PasswordNotKept, Face::Menu) => {
                "store it, in Terminal: `baleen credentials set USER@HOST:PORT`, or name the proxy again"
            }
            (Self::NamedUnknown, _) => {
                "name it again, or switch Use Proxy off and on to have that of the settings"
            }
            (Self::NoConsole, _) => "restart Docker instead",
            (Self::NoThread(_), _) => {
                "too many programs may be running; end some, and start Baleen again"
            }
            (
                Self::SettingsChanged
                | Self::StillNotRight
                | Self::NotObserved
                | Self::IntentNotNoted(_),
                _,
            ) => return None,
        };
        Some(advice.to_owned())
    }
}
