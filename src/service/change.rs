//! Applying a proxy and restoring the original, for every user interface. What the user wants is recorded before
//! anything is changed: whatever stops Baleen in between, the next one knows what to repair, and what not.

use std::io;
use std::path::{Path, PathBuf};

use crate::backend::{
    Backend, Changes, Depth, Engine, Observation, OnProgress, Plan, PlanOptions, Purpose,
};
use crate::desired::ProxyQuery;
use crate::error::Error;
use crate::intent::{Intent, IntentRecord, Intents};
use crate::proxy::{EngineProxy, ProxyConfig, ProxyOrigin, RedactedProxy, Translation};
use crate::relay;

/// The intents to record, and the intent of the user.
#[derive(Debug, Clone, Copy)]
pub struct Recording<'a> {
    /// Where intents are kept.
    pub intents: &'a Intents,
    /// What the user wants from now on.
    pub intent: Intent,
}

/// A change, and what became of the intent.
#[derive(Debug)]
pub struct Recorded {
    /// What was changed.
    pub changes: Changes,
    /// The proxy that was named by hand before.
    pub named_before: Option<RedactedProxy>,
    /// The reason why the intent could not be recorded. The change was made in any case.
    pub not_recorded: Option<io::Error>,
}

/// The proxy that an engine should get, ready to be put in place.
#[derive(Debug)]
pub(crate) struct Application<'a> {
    backend: &'a dyn Backend,
    state: PathBuf,
    /// The engine.
    pub engine: Engine,
    /// The settings, as they were read.
    pub proxy_config: ProxyConfig,
    /// Their translation for this engine.
    pub translation: Translation,
    /// What the user wants with it.
    pub intent: Intent,
    /// True for an engine that follows the settings by itself, and goes on doing so.
    pub follows_by_itself: bool,
}

impl<'a> Application<'a> {
    /// Reads the settings of `request` and translates them for the engine of `backend`.
    ///
    /// # Errors
    /// When the engine can't be changed, or the settings can't be used.
    pub(crate) fn prepare(backend: &'a dyn Backend, request: &ProxyQuery) -> Result<Self, Error> {
        let engine = backend.engine()?;
        engine.check_supported()?;
        let request = request.for_client(&engine.capabilities.client)?;
        let proxy_config = request.read()?;
        let translation = request.translate(&proxy_config, &engine.capabilities.client)?;
        let follows_by_itself = translation.is_plain_system && follows_by_itself(backend)?;
        Ok(Self {
            backend,
            state: request.state().to_owned(),
            engine,
            proxy_config,
            translation,
            intent: request.intent(),
            follows_by_itself,
        })
    }

    /// The engine's backend.
    pub(crate) fn backend(&self) -> &'a dyn Backend {
        self.backend
    }

    /// Returns what [`Self::carry_out`] would do. Changes nothing.
    ///
    /// # Errors
    /// The reasons that forbid the change.
    pub(crate) fn plan(
        &self,
        options: PlanOptions,
        progress: OnProgress<'_>,
    ) -> Result<Box<dyn Plan>, Error> {
        let options = PlanOptions {
            purpose: Purpose::Preview,
            keeps_following: self.follows_by_itself,
            ..options
        };
        self.backend
            .plan(self.translation.proxy.as_ref(), options, progress)
    }

    /// Records the intent and changes the engine.
    ///
    /// # Errors
    /// Any reason that forbids or stops the change. The engine and the intent are then as before.
    pub(crate) fn carry_out(
        &self,
        options: PlanOptions,
        intents: &Intents,
        progress: OnProgress<'_>,
    ) -> Result<Recorded, Error> {
        let options = PlanOptions {
            keeps_following: self.follows_by_itself,
            ..options
        };
        let proxy = self.translation.proxy.as_ref();
        if self.follows_by_itself && self.intent == Intent::Named {
            // Settings that were named for this run say nothing about the next one.
            return change(self.backend, proxy, options, None, progress);
        }
        let recording = Recording {
            intents,
            intent: match proxy {
                Some(_) => self.intent,
                // The proxy comes back when the settings name one again.
                None => Intent::Settings,
            },
        };
        let is_relay = self.proxy_config.origin == ProxyOrigin::Relay;
        with_relay((&self.state, self.backend.place()), is_relay, || {
            change(self.backend, proxy, options, Some(recording), progress)
        })
    }
}

/// Carries out a change after which an engine has the relay's address, or has it no longer. That it has is recorded
/// before, and that it has not, after: in between, the relay is kept running.
///
/// # Errors
/// Any reason that stops the change.
pub(crate) fn with_relay<T>(
    (state, place): (&Path, &Path),
    is_relay: bool,
    change: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let is_new = is_relay && relay::note_given(state, place, true)?;
    let changed = change();
    let has_none = match &changed {
        Ok(_) => !is_relay,
        Err(_) => is_new,
    };
    if has_none && let Err(error) = relay::note_given(state, place, false) {
        // The relay then runs on without a need.
        tracing::warn!("{error}");
    }
    changed
}

/// Returns whether the engine follows this computer's settings by itself.
///
/// # Errors
/// When a running engine does not answer. Planning a change would find the same a second later.
pub(crate) fn follows_by_itself(backend: &dyn Backend) -> Result<bool, Error> {
    match backend.observe(Depth::Quick, &|_| {}) {
        Observation::Ready(installed) => Ok(installed.follows_by_itself()),
        Observation::NotAnswering(why, _) => Err(why.into_error()),
        _ => Ok(false),
    }
}

/// Puts the engine of `backend` behind `proxy`.
///
/// # Errors
/// Any reason that forbids or stops the change. The engine and the intent are then as before.
pub fn apply(
    backend: &dyn Backend,
    proxy: &EngineProxy,
    options: PlanOptions,
    recording: Option<Recording<'_>>,
    progress: OnProgress<'_>,
) -> Result<Recorded, Error> {
    change(backend, Some(proxy), options, recording, progress)
}

/// Restores what the engine of `backend` had before Baleen.
///
/// # Errors
/// Any reason that forbids or stops the restoration. The engine and the intent are then as before.
pub fn restore(
    backend: &dyn Backend,
    options: PlanOptions,
    recording: Option<Recording<'_>>,
) -> Result<Recorded, Error> {
    change(backend, None, options, recording, &|_| {})
}

/// Plans, records the intent, and carries the plan out.
fn change(
    backend: &dyn Backend,
    want: Option<&EngineProxy>,
    options: PlanOptions,
    recording: Option<Recording<'_>>,
    progress: OnProgress<'_>,
) -> Result<Recorded, Error> {
    let options = PlanOptions {
        purpose: Purpose::Change,
        ..options
    };
    let plan = backend.plan(want, options, progress)?;
    let proxy = plan.changes().proxy.as_ref();
    let intent = Intention::record(backend.place(), recording, proxy);
    intent.finish(plan.apply(progress))
}

/// An intent that was recorded before a change.
struct Intention<'a> {
    place: &'a Path,
    recording: Option<(Recording<'a>, IntentRecord)>,
    not_recorded: Option<io::Error>,
}

impl<'a> Intention<'a> {
    fn record(
        place: &'a Path,
        recording: Option<Recording<'a>>,
        proxy: Option<&RedactedProxy>,
    ) -> Self {
        let before = recording.map(|recording| (recording, recording.intents.record(place)));
        let recorded = recording.map_or(Ok(()), |Recording { intents, intent }| {
            match (intent, proxy) {
                (Intent::Named, Some(proxy)) => intents.set_named(place, proxy),
                _ => intents.set(place, intent),
            }
        });
        Self {
            place,
            recording: before,
            not_recorded: recorded.err(),
        }
    }

    /// Returns the outcome of the change. If the change failed, what was recorded before counts again.
    fn finish(self, outcome: Result<Changes, Error>) -> Result<Recorded, Error> {
        let before = self.recording.map(|(recording, before)| {
            if outcome.is_err()
                && let Err(error) = recording.intents.put_back(&before)
            {
                tracing::warn!(
                    "the intent for {} could not be put back: {error}",
                    self.place.display()
                );
            }
            before
        });
        Ok(Recorded {
            changes: outcome?,
            named_before: before.and_then(|before| before.named),
            not_recorded: self.not_recorded,
        })
    }
}
