//! The whole story, as the app's user lives it.

use std::process::ExitCode;

use crate::Case;
use crate::lab::Lab;

pub(crate) fn case() -> Case {
    Case {
        name: "app".to_owned(),
        what: "the whole story through the app".to_owned(),
        is_short: false,
        run: Box::new(|_| {}),
    }
}

pub(crate) fn shell(_lab: &Lab) -> ExitCode {
    ExitCode::SUCCESS
}
