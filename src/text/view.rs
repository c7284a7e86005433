//! The agent's state in words and as JSON.

use serde_json::{Value, json};

use crate::agent::RelayState;
use crate::agent::view::{Busy, View};
use crate::backend::EngineSync;
use crate::error::Face;
use crate::intent::Intent;

use super::by_hand;

impl Busy {
    /// Returns the label of the job.
    pub fn label(self) -> &'static str {
        match self {
            Self::Applying => "Putting the proxy in place…",
            Self::Restoring => "Taking the proxy out…",
            Self::Restarting => "Restarting Docker…",
            Self::RestartingEngine => "Restarting the Engine…",
        }
    }
}

impl View {
    /// Returns the state as JSON.
    pub fn json(&self) -> Value {
        json!({
            "state": self.state,
            "sentence": self.reason.sentence(),
            "advice": self.reason.hint(Face::CommandLine),
            "docker": self.docker.as_ref().map(|version| json!({
                "version": version,
                "family": self.family,
                "path": self.path,
                "running": self.is_running,
                "engine": self.engine.map(EngineSync::word),
                "followed_at": self.applied_live_at(),
                "console": self.can_apply_live,
            })),
            "proxy": self.in_image,
            "source": self.intent.and_then(Intent::source),
            "settings": by_hand::json(self.settings()),
            "relay": self.relay.as_ref().map(|relay| match relay {
                RelayState::Unknown => json!({ "running": Value::Null }),
                RelayState::Running(status) => json!({ "running": true, "status": status }),
                RelayState::Failed { reason } => json!({ "running": false, "reason": reason }),
            }),
            "use_proxy": self.is_on,
            "busy": self.busy.map(|busy| match busy {
                Busy::Applying => "applying",
                Busy::Restoring => "restoring",
                Busy::Restarting => "restarting",
                Busy::RestartingEngine => "restarting-engine",
            }),
        })
    }
}
