//! The lines of the agent's history and of its log.

use crate::agent::{PastEvent, Wording};
use crate::reconcile::Reason;
use crate::reconcile::State;

use super::notice::full;

/// The words for the agent.
pub const WORDING: Wording = Wording {
    history,
    state,
    notice: |notice| {
        let text = notice.text();
        let end = if text.title.ends_with('?') { "" } else { "." };
        format!("{}{end} {}", text.title, text.body)
    },
};

fn history(event: &PastEvent<'_>) -> String {
    match event {
        PastEvent::Notified(notice) => notice.headline(),
        PastEvent::Checked(reason) => format!("Checked: {}", full(&reason.sentence())),
        PastEvent::DockerRestarted => "Docker was restarted".to_owned(),
        PastEvent::EngineRestarted => "The Engine was restarted".to_owned(),
        PastEvent::EngineUpToDate => "The running Engine was up to date already".to_owned(),
    }
}

fn state(state: State, reason: &Reason) -> String {
    format!("{}: {}", state.word(), reason.sentence())
}
