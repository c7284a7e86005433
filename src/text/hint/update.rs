//! Advice on looking for a newer version.

use crate::error::{Face, Hint};
use crate::update::UpdateError;

impl Hint for UpdateError {
    fn hint(&self, face: Face) -> Option<String> {
        match (self, face) {
            (Self::Connect(_) | Self::Broken { .. } | Self::Timeout(_), Face::CommandLine) => Some(
                "`baleen proxy test https://github.com` shows which proxy is used for it"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
