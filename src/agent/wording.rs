//! The agent's only need for sentences: its history and its log. They come from the user interface that starts it,
//! since all texts are made above the agent.

use crate::reconcile::Reason;
use crate::reconcile::State;

use super::notice::Notice;

/// The functions that put what happened into words.
#[derive(Debug, Clone, Copy)]
pub struct Wording {
    /// A line of the history.
    pub history: fn(&PastEvent<'_>) -> String,
    /// A line of the log about a new state.
    pub state: fn(State, &Reason) -> String,
    /// A line of the log about a notice.
    pub notice: fn(&Notice) -> String,
}

/// An event for the history.
#[derive(Debug, Clone, Copy)]
pub enum PastEvent<'a> {
    /// The user was notified.
    Notified(&'a Notice),
    /// The user asked for a check, which found this.
    Checked(&'a Reason),
    /// Docker was restarted.
    DockerRestarted,
    /// The Engine was restarted.
    EngineRestarted,
    /// The running Engine needed no restart.
    EngineUpToDate,
}
