use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// The reason why a text was not copied.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum CopyError {
    #[error("neither WAYLAND_DISPLAY nor DISPLAY leads to a screen")]
    NoScreen,

    /// None of the programs copied it.
    #[error("{}", listed(.0))]
    Programs(Vec<(&'static str, ProgramError)>),

    #[error("macOS did not take the text")]
    NotTaken,
}

/// The reason why a program did not copy a text.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ProgramError {
    #[error(transparent)]
    Run(#[from] io::Error),

    #[error("it ended with {0}")]
    Ended(ExitStatus),

    #[error("it did not take the text within {} seconds", within.as_secs())]
    NoAnswer { within: Duration },
}

fn listed(programs: &[(&str, ProgramError)]) -> String {
    let listed = programs.iter().map(|(name, why)| format!("{name}: {why}"));
    listed.collect::<Vec<_>>().join("; ")
}
