//! The state of an engine, as every user interface sees it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::backend::{self, BundleState, Depth, Installed};
use crate::config::RestartPolicy;
use crate::desired::{ProxyQuery, Setting};
use crate::docker::Bundle;
use crate::error::{Diagnostic, Result};
use crate::patch::OnProgress;
use crate::patch::intent::{Intent, Intents};
use crate::proxy::{RedactedProxy, Translation};
use crate::reconcile::{Attempts, Inputs, Reason, State, reconcile};

/// The state of an engine, and the facts that it was derived from.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub state: State,
    /// The reason for the state.
    pub reason: Reason,
    /// What was observed.
    pub observed: BundleState,
}

/// What the observed state is compared with.
#[derive(Debug, Clone)]
pub struct StatusQuery {
    /// The user's intent for this bundle, if known.
    pub intent: Option<Intent>,
    /// The desired proxy.
    pub setting: Setting,
}

impl Default for StatusQuery {
    fn default() -> Self {
        Self {
            intent: None,
            setting: Setting::Unknown,
        }
    }
}

/// Returns the state of the bundle at `path`. A reason that forbids a patch is a state, not an error.
pub fn status(
    path: &Path,
    intents: &Intents,
    query: &StatusQuery,
    depth: Depth,
    progress: OnProgress<'_>,
) -> Status {
    let observed = backend::bundle_state(path, intents, depth, progress);
    Status::of(observed, query)
}

/// The state of the chosen engine, compared with what it should have.
#[derive(Debug)]
pub(crate) struct Report {
    /// The state.
    pub status: Status,
    /// The user's recorded intent for this engine.
    pub intent: Option<Intent>,
    /// The settings, if they were resolved.
    pub settings: Option<Setting>,
    /// The resolved proxy with its origin, if it was needed.
    pub resolved: Option<std::result::Result<(String, Translation), Diagnostic>>,
}

/// Returns the state of the engine at `path`, compared with what `request` resolves to if that matters: reading the
/// settings may take a while.
pub(crate) fn report(
    path: Result<PathBuf>,
    intents: &Intents,
    request: &ProxyQuery,
    depth: Depth,
    progress: OnProgress<'_>,
) -> Report {
    let path = match path {
        Ok(path) => path,
        Err(error) => {
            let missing = BundleState::Missing(error.into());
            return Report {
                status: Status::of(missing, &StatusQuery::default()),
                intent: None,
                settings: None,
                resolved: None,
            };
        }
    };
    let intent = intents.get(&path);
    let mut observed = backend::bundle_state(&path, intents, Depth::Quick, progress);
    let is_compared = request.is_compared(intent);
    let matters = (is_compared || intent == Some(Intent::Named))
        && (observed.proxy().is_some() || intent == Some(Intent::Settings));
    let resolved = match &observed {
        BundleState::Ready(installed) if matters => {
            Some(request.resolve(&installed.bundle).map_err(Diagnostic::from))
        }
        _ => None,
    };
    if depth == Depth::Deep {
        observed = backend::bundle_state(&path, intents, Depth::Deep, progress);
    }
    let setting = resolved.as_ref().map(Setting::of);
    // A proxy that was named for this run only says nothing about the settings.
    let is_for_once = request.intent() == Intent::Named;
    let settings = setting.clone().filter(|_| !is_for_once);
    let query = StatusQuery {
        intent: match is_for_once && observed.proxy().is_some() {
            true => Some(Intent::Settings),
            false => intent,
        },
        setting: setting.filter(|_| is_compared).unwrap_or(Setting::Unknown),
    };
    Report {
        status: Status::of(observed, &query),
        intent,
        settings,
        resolved,
    }
}

impl Status {
    /// Judges an observation. The running engine is not looked at.
    pub fn of(observed: BundleState, query: &StatusQuery) -> Self {
        let now = Instant::now();
        let decision = reconcile(&Inputs {
            intent: query.intent,
            bundle_state: &observed,
            is_moving: false,
            settled_at: now,
            restart_from: None,
            setting: &query.setting,
            overridden_settings: None,
            backoff: None,
            running: None,
            restart: RestartPolicy::Never,
            consent: None,
            is_live_locked: false,
            attempts: &Attempts::default(),
            may_be_ending: false,
            now,
        });
        Self {
            state: decision.state,
            reason: decision.reason,
            observed,
        }
    }

    /// The bundle and its image, if it has one.
    pub(crate) fn installed(&self) -> Option<&Installed> {
        match &self.observed {
            BundleState::Ready(installed) => Some(installed),
            _ => None,
        }
    }

    /// The bundle, as far as it could be read.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.observed.bundle()
    }

    /// The proxy that the image sets by Baleen's patch.
    pub(crate) fn proxy(&self) -> Option<&RedactedProxy> {
        self.observed.proxy()
    }
}
