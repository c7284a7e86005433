//! Advice on failures of the agent.

use crate::agent::AgentError;
use crate::error::{Face, Hint};

impl Hint for AgentError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            Self::PasswordNotKept => {
                "store it with `baleen credentials set USER@HOST:PORT`, or name the proxy again"
            }
            Self::NamedUnknown => {
                "name it again, or switch Use Proxy off and on to have that of the settings"
            }
            Self::NoConsole => "restart Docker instead",
            Self::NoThread(_) => {
                "too many programs may be running; end some, and start Baleen again"
            }
            Self::SettingsChanged
            | Self::StillNotRight
            | Self::NotObserved
            | Self::IntentNotNoted(_) => return None,
        };
        Some(advice.to_owned())
    }
}
