//! Advice on the relay.

use crate::error::{Face, Hint};
use crate::relay::RelayError;

impl Hint for RelayError {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (Self::Listen { why, .. }, Face::CommandLine)
                if why.kind() == std::io::ErrorKind::AddrInUse =>
            {
                "another relay may be running; otherwise choose another port with --port, and enter that one where the relay is used"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
