//! Advice on what the system does not tell.

use crate::error::{Face, Hint};
use crate::platform::system_proxies::ReadError;

impl Hint for ReadError {
    fn hint(&self, face: Face) -> Option<String> {
        match self {
            Self::Call { .. } | Self::PropertyList { .. } => None,
            Self::Run(_) | Self::NoAnswer { .. } | Self::Failed { .. } | Self::Setting(_) => {
                let at = match face {
                    Face::CommandLine => "",
                    Face::Menu => "in a terminal, ",
                };
                Some(format!(
                    "{at}see what `gsettings list-recursively org.gnome.system.proxy` says"
                ))
            }
        }
    }
}
