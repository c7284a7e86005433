//! Applying a proxy and restoring the original, for every user interface. What the user wants is recorded before
//! anything is changed: whatever stops Baleen in between, the next one knows what to repair, and what not.

use std::io;
use std::path::Path;

use crate::desired::{ProxyQuery, engine_of};
use crate::docker::Bundle;
use crate::error::Error;
use crate::patch::image::image_of;
use crate::patch::intent::{Intent, IntentRecord, Intents};
use crate::patch::plan::{self, Desired, Plan};
use crate::patch::restore::{self, RestorePlan};
use crate::patch::{
    self, ApplyOutcome, Lock, Method, OnProgress, PatchError, RestoreOutcome, Unpatched,
};
use crate::proxy::{EngineProxy, ProxyConfig, RedactedProxy, Translation};

/// How the user wants a proxy to be put in place.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions {
    /// The patch method; `None` keeps the present one.
    pub method: Option<Method>,
    /// True if Baleen may take over a proxy that someone else wrote.
    pub adopt: bool,
}

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
pub struct Recorded<T> {
    /// The outcome of the change.
    pub outcome: T,
    /// The proxy that was named by hand before.
    pub named_before: Option<RedactedProxy>,
    /// The reason why the intent could not be recorded. The change was made in any case.
    pub not_recorded: Option<io::Error>,
}

/// The proxy that an engine should get, ready to be put in place.
#[derive(Debug)]
pub(crate) struct Application {
    /// The bundle.
    pub bundle: Bundle,
    /// The settings, as they were read.
    pub proxy_config: ProxyConfig,
    /// Their translation for this engine.
    pub translation: Translation,
    /// What the user wants with it.
    pub intent: Intent,
}

/// What an [`Application`] would change.
#[derive(Debug)]
pub(crate) enum ApplicationPlan {
    /// The proxy would be put in place.
    Apply(Plan),
    /// The settings name no proxy, so the original would be restored.
    Restore(RestorePlan),
}

/// What an [`Application`] has changed.
#[derive(Debug)]
pub(crate) enum ApplicationOutcome {
    /// The proxy is in place.
    Applied(ApplyOutcome),
    /// The settings name no proxy: the original is restored, or there was nothing to restore.
    Restored(Option<RestoreOutcome>),
}

impl Application {
    /// Reads the settings of `request` and translates them for the engine of `bundle`.
    ///
    /// # Errors
    /// When the bundle can't be patched, or the settings can't be used.
    pub(crate) fn prepare(bundle: Bundle, request: &ProxyQuery) -> Result<Self, Error> {
        image_of(&bundle)?;
        let proxy_config = request.read()?;
        let translation = request.translate(&proxy_config, &engine_of(&bundle))?;
        Ok(Self {
            bundle,
            proxy_config,
            translation,
            intent: request.intent(),
        })
    }

    /// Returns what [`Self::carry_out`] would do. Changes nothing.
    ///
    /// # Errors
    /// The reasons that forbid the change.
    pub(crate) fn plan(
        &self,
        options: ApplyOptions,
        progress: OnProgress<'_>,
    ) -> Result<ApplicationPlan, PatchError> {
        Ok(match &self.translation.proxy {
            Some(proxy) => {
                let desired = desired(proxy, options);
                let plan = plan::plan(&self.bundle, desired, progress)?;
                if let Plan::Change(change) = &plan {
                    change.check_original()?;
                }
                ApplicationPlan::Apply(plan)
            }
            None => ApplicationPlan::Restore(restore::plan(&self.bundle)?),
        })
    }

    /// Records the intent and changes the image.
    ///
    /// # Errors
    /// Any reason that forbids or stops the change. The image and the intent are then as before.
    pub(crate) fn carry_out(
        &self,
        options: ApplyOptions,
        intents: &Intents,
        progress: OnProgress<'_>,
    ) -> Result<Recorded<ApplicationOutcome>, PatchError> {
        match &self.translation.proxy {
            Some(proxy) => {
                let recording = Recording {
                    intents,
                    intent: self.intent,
                };
                let recorded = apply(&self.bundle, proxy, options, Some(recording), progress)?;
                Ok(recorded.map(ApplicationOutcome::Applied))
            }
            None => {
                // The proxy comes back when the settings name one again.
                let recording = Recording {
                    intents,
                    intent: Intent::Settings,
                };
                let recorded = restore(&self.bundle, Some(recording))?;
                Ok(recorded.map(ApplicationOutcome::Restored))
            }
        }
    }
}

impl<T> Recorded<T> {
    fn map<U>(self, into: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded {
            outcome: into(self.outcome),
            named_before: self.named_before,
            not_recorded: self.not_recorded,
        }
    }
}

fn desired(proxy: &EngineProxy, options: ApplyOptions) -> Desired<'_> {
    Desired {
        proxy,
        method: options.method,
        adopt: options.adopt,
    }
}

/// Puts the engine of `bundle` behind `proxy`: lock, plan, record the intent, apply.
///
/// # Errors
/// Any reason that forbids or stops the change. The image and the intent are then as before.
pub fn apply(
    bundle: &Bundle,
    proxy: &EngineProxy,
    options: ApplyOptions,
    recording: Option<Recording<'_>>,
    progress: OnProgress<'_>,
) -> Result<Recorded<ApplyOutcome>, PatchError> {
    let lock = Lock::acquire(image_of(bundle)?)?;
    let plan = plan::plan(bundle, desired(proxy, options), progress)?;
    let in_place = match &plan {
        Plan::Nothing(manifest) => &manifest.proxy,
        Plan::Change(change) => &change.manifest.proxy,
    };
    let intent = Intention::record(bundle, recording, Some(in_place));
    let outcome = match plan {
        Plan::Nothing(manifest) => Ok(ApplyOutcome::InPlace(manifest)),
        Plan::Change(change) => {
            patch::apply::apply(&change, &lock, progress).map(ApplyOutcome::Applied)
        }
    };
    intent.finish(outcome)
}

/// Restores the image that `bundle` had before Baleen: lock, plan, record the intent, restore. The outcome is `None` if
/// the image was not patched.
///
/// # Errors
/// Any reason that forbids or stops the restoration. The image and the intent are then as before.
pub fn restore(
    bundle: &Bundle,
    recording: Option<Recording<'_>>,
) -> Result<Recorded<Option<RestoreOutcome>>, PatchError> {
    let image = image_of(bundle)?;
    let lock = Lock::acquire(image)?;
    let plan = restore::plan(bundle)?;
    let intent = Intention::record(bundle, recording, None);
    let outcome = match plan {
        RestorePlan::Nothing => Ok(None),
        RestorePlan::Restore(found) => restore::restore(&found, &lock).map(|warning| {
            Some(RestoreOutcome {
                manifest: found.manifest,
                original: found.original,
                warning,
            })
        }),
    };
    intent.finish(outcome)
}

/// Remembers which proxy the restored image of `bundle` sets by itself, for `status`.
///
/// # Errors
/// When that can't be recorded.
pub(crate) fn remember_original(
    bundle: &Bundle,
    intents: &Intents,
    original: &Unpatched,
) -> Result<(), PatchError> {
    intents.note_original(&bundle.path, image_of(bundle)?, original.clone())
}

/// An intent that was recorded before a change.
struct Intention<'a> {
    place: &'a Path,
    recording: Option<(Recording<'a>, IntentRecord)>,
    not_recorded: Option<io::Error>,
}

impl<'a> Intention<'a> {
    fn record(
        bundle: &'a Bundle,
        recording: Option<Recording<'a>>,
        proxy: Option<&RedactedProxy>,
    ) -> Self {
        let place = &*bundle.named;
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
    fn finish<T, E>(self, outcome: Result<T, E>) -> Result<Recorded<T>, E> {
        let before = self.recording.map(|(recording, before)| {
            if outcome.is_err()
                && let Err(error) = recording.intents.put_back(self.place, &before)
            {
                tracing::warn!(
                    "the intent for {} could not be put back: {error}",
                    self.place.display()
                );
            }
            before
        });
        Ok(Recorded {
            outcome: outcome?,
            named_before: before.and_then(|before| before.named),
            not_recorded: self.not_recorded,
        })
    }
}
