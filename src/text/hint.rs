//! Advice on what to do about a failure: one file for the errors of each module.

mod agent;
mod files;

use crate::error::{Face, Hint, Plain};

impl Hint for Plain {
    fn hint(&self, _face: Face) -> Option<String> {
        self.advice.clone()
    }
}
