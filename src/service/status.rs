//! The state of an engine, as every user interface sees it.

use std::time::Instant;

use crate::backend::{Backend, Depth, Engine, Installed, Observation, OnProgress};
use crate::config::RestartPolicy;
use crate::desired::{ProxyQuery, Setting};
use crate::error::{Diagnostic, Result};
use crate::intent::{Intent, Intents};
use crate::proxy::{ProxyOrigin, RedactedProxy, Translation};
use crate::reconcile::{Attempts, Inputs, Reason, State, reconcile};

/// The state of an engine, and the facts that it was derived from.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub state: State,
    /// The reason for the state.
    pub reason: Reason,
    /// What was observed.
    pub observed: Observation,
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

/// Returns the state of an engine. A reason that forbids a change is a state, not an error.
pub fn status(
    backend: &dyn Backend,
    query: &StatusQuery,
    depth: Depth,
    progress: OnProgress<'_>,
) -> Status {
    Status::of(backend.observe(depth, progress), query)
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
    pub resolved: Option<std::result::Result<(ProxyOrigin, Translation), Diagnostic>>,
}

/// Returns the state of the engine of `backend`, compared with what `request` resolves to if that matters: reading the
/// settings may take a while.
pub(crate) fn report(
    backend: Result<Box<dyn Backend>>,
    intents: &Intents,
    request: &ProxyQuery,
    depth: Depth,
    progress: OnProgress<'_>,
) -> Report {
    let backend = match backend {
        Ok(backend) => backend,
        Err(error) => {
            let missing = Observation::Missing(error.into());
            return Report {
                status: Status::of(missing, &StatusQuery::default()),
                intent: None,
                settings: None,
                resolved: None,
            };
        }
    };
    let intent = intents.get(backend.place());
    let mut observed = backend.observe(Depth::Quick, progress);
    let is_compared = request.is_compared(intent);
    let matters = (is_compared || intent == Some(Intent::Named))
        && (observed.proxy().is_some() || intent == Some(Intent::Settings));
    let resolved = match &observed {
        Observation::Ready(installed)
            if matters || intent != Some(Intent::Off) && installed.follows_by_itself() =>
        {
            let client = &installed.engine.capabilities.client;
            let resolved = request
                .for_client(client)
                .and_then(|request| request.resolve(client));
            Some(resolved.map_err(Diagnostic::from))
        }
        _ => None,
    };
    if depth == Depth::Deep {
        observed = backend.observe(Depth::Deep, progress);
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
        setting: setting
            .filter(|setting| is_compared || setting.is_plain_system())
            .unwrap_or(Setting::Unknown),
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
    pub fn of(observed: Observation, query: &StatusQuery) -> Self {
        let now = Instant::now();
        let decision = reconcile(&Inputs {
            intent: query.intent,
            observation: &observed,
            is_moving: false,
            settled_at: now,
            restart_from: None,
            setting: &query.setting,
            overridden_settings: None,
            backoff: None,
            running: None,
            containers: None,
            restart: RestartPolicy::Never,
            consent: None,
            is_asked: false,
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

    /// The engine, if Baleen can change it.
    pub(crate) fn installed(&self) -> Option<&Installed> {
        match &self.observed {
            Observation::Ready(installed) => Some(installed),
            _ => None,
        }
    }

    /// The engine, as far as it could be read.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.observed.engine()
    }

    /// The proxy that Baleen configured.
    pub(crate) fn proxy(&self) -> Option<&RedactedProxy> {
        self.observed.proxy()
    }
}
