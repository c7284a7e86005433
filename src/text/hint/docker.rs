//! Advice on finding, opening and restarting Docker.app, and on one that is not patched.

use crate::backend::NotFound;
use crate::backend::docker_desktop::{BundleError, NotPatched, RestartError, UnknownVm};
use crate::error::{Face, Hint};
use crate::platform::apps::OpenError;

const NAME_IT: &str = "name Docker.app with --docker-app PATH, in BALEEN_DOCKER_APP, or once and for all with `baleen config set docker_app PATH`";

impl Hint for NotFound {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::Anywhere { .. }, Face::CommandLine) => NAME_IT,
            (Self::Anywhere { .. }, Face::Menu) => {
                "put Docker.app there, or choose Open Settings File and set docker_app to its path"
            }
            (Self::AtChosenPath { .. }, Face::CommandLine) => {
                "check the path given with --docker-app, in BALEEN_DOCKER_APP or in the config file"
            }
            (Self::AtChosenPath { .. }, Face::Menu) => {
                "choose Open Settings File and check the path at docker_app"
            }
        };
        Some(advice.to_owned())
    }
}

impl Hint for BundleError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::NotAnApp { .. } | Self::OtherApp { .. }, Face::CommandLine) => NAME_IT,
            (Self::NotAnApp { .. } | Self::OtherApp { .. }, Face::Menu) => {
                "choose Open Settings File and set docker_app to the path of Docker.app"
            }
            (Self::Info { .. } | Self::NoContents { .. }, _) => {
                "if Docker is being updated, try again when that is done; else install Docker again"
            }
            (Self::File(file), _) => return file.hint(face),
        };
        Some(advice.to_owned())
    }
}

impl Hint for NotPatched {
    fn hint(&self, face: Face) -> Option<String> {
        let Self::OwnSettings { pane, .. } = self else {
            return None;
        };
        Some(match face {
            Face::CommandLine => {
                format!("in Docker, open {pane} and enter the values that `baleen apply` prints")
            }
            Face::Menu => {
                format!("in Docker, open {pane} and paste what Copy Proxy Settings copies")
            }
        })
    }
}

impl Hint for UnknownVm {
    fn hint(&self, _face: Face) -> Option<String> {
        None
    }
}

impl Hint for RestartError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match self {
            Self::StillRuns { .. } => {
                "see whether it asks something, quit it from its own menu, and open it again"
            }
            Self::NotRunning { .. } => "open it by hand",
            Self::Open(open) => return open.hint(face),
        };
        Some(advice.to_owned())
    }
}

impl Hint for OpenError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            Self::Run(_) => "open Docker by hand",
            Self::NotAPath { .. }
            | Self::Refused { .. }
            | Self::Command { .. }
            | Self::NoAnswer { .. } => "open it in the Finder",
        };
        Some(advice.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::backend::docker_desktop::{InfoError, ProxyPane};

    #[test]
    fn the_menu_names_no_command_and_no_option() {
        let path = || PathBuf::from("/a");
        let errors: [Box<dyn Hint>; 5] = [
            Box::new(NotFound::Anywhere { places: vec![] }),
            Box::new(NotFound::AtChosenPath { path: path() }),
            Box::new(BundleError::NotAnApp { path: path() }),
            Box::new(BundleError::OtherApp {
                path: path(),
                id: None,
            }),
            Box::new(BundleError::Info {
                path: path(),
                source: InfoError::Missing,
            }),
        ];
        for error in errors {
            let advice = error.hint(Face::Menu).unwrap();
            for word in ["`baleen", "--", "BALEEN_"] {
                assert!(!advice.contains(word), "{advice}");
            }
        }
        let own = NotPatched::OwnSettings {
            version: "4.84.0".to_owned(),
            pane: ProxyPane::Settings,
        };
        assert_eq!(
            own.hint(Face::Menu).unwrap(),
            "in Docker, open Settings > Resources > Proxies and paste what Copy Proxy Settings copies"
        );
        assert_eq!(
            own.hint(Face::CommandLine).unwrap(),
            "in Docker, open Settings > Resources > Proxies and enter the values that `baleen apply` prints"
        );
    }
}
