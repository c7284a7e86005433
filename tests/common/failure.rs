//! A failure for tests that are not about a certain one.

use std::fmt;

use baleen::error::{Diagnostic, Error, Face, Failure, Fix, Hint, Kind};

#[derive(Debug)]
struct Made {
    sentence: String,
    hint: Option<String>,
    fix: Option<Fix>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Made {}

impl Hint for Made {
    fn hint(&self, _face: Face) -> Option<String> {
        self.hint.clone()
    }
}

impl Failure for Made {
    fn kind(&self) -> Kind {
        Kind::Failure
    }

    fn code(&self) -> &'static str {
        "made"
    }

    fn fix(&self) -> Option<Fix> {
        self.fix
    }
}

/// Returns a failure with this sentence, this advice and this remedy.
pub(crate) fn diagnostic(sentence: &str, hint: Option<&str>, fix: Option<Fix>) -> Diagnostic {
    Diagnostic::from(Error::from(Made {
        sentence: sentence.to_owned(),
        hint: hint.map(str::to_owned),
        fix,
    }))
}
