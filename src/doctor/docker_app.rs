//! The steps about Docker.app: its existence, its kind, the permission to change it, and the state of its boot image
//! or of its own settings.

use std::path::PathBuf;

use crate::backend::Depth;
use crate::desired::Setting;
use crate::error::{Diagnostic, Kind};
use crate::intent::Intent;
use crate::reconcile::State;
use crate::service::{Status, StatusQuery, status};

use super::{Finding, Options, Outcome, Skip, Step, Subject};

/// The Docker.app.
#[derive(Debug, Clone)]
pub(crate) enum BundleFinding {
    Found {
        path: PathBuf,
        version: String,
        build: String,
    },
    Failed(Diagnostic),
}

/// The kind of its VM.
#[derive(Debug, Clone)]
pub(crate) struct FamilyFinding {
    /// Its name for scripts.
    pub(crate) id: &'static str,
    /// The reason why Baleen does not patch it.
    pub(crate) refusal: Option<Diagnostic>,
}

/// The permission to patch its boot image.
#[derive(Debug, Clone)]
pub(crate) enum WritableFinding {
    Granted,
    Failed(Diagnostic),
}

/// The state of its boot image.
#[derive(Debug, Clone)]
pub(crate) struct ImageFinding {
    pub(crate) status: Box<Status>,
    pub(crate) mismatch: Option<Mismatch>,
    /// True if options named the proxy.
    pub(crate) has_options: bool,
}

/// The difference between the boot image and the settings that the state alone does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The settings name a proxy, and the boot image has none.
    NotInImage,
    /// The settings name a proxy, and the user took it out of the boot image.
    SwitchedOff,
    /// The settings name no proxy any more, and the boot image has one.
    NoLongerUsed,
}

impl BundleFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Found { .. } => Outcome::Good,
            Self::Failed(_) => Outcome::Bad,
        }
    }
}

impl FamilyFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self.refusal {
            None => Outcome::Good,
            Some(_) => Outcome::Bad,
        }
    }
}

impl WritableFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Granted => Outcome::Good,
            Self::Failed(error) if error.kind() == Kind::Busy => Outcome::Warning,
            Self::Failed(_) => Outcome::Bad,
        }
    }
}

impl ImageFinding {
    fn new(status: &Status, options: &Options<'_>) -> Self {
        // The proxy that is set, not the one on the route to one registry.
        let set = options.settings.translation.ok().map(|set| &set.proxy);
        let direct = matches!(set, Some(None)) && !options.is_by_hand();
        let mismatch = match status.state {
            State::Off if matches!(set, Some(Some(_))) => Some(match options.intent {
                Some(Intent::Off) => Mismatch::SwitchedOff,
                _ => Mismatch::NotInImage,
            }),
            State::Current if direct => Some(Mismatch::NoLongerUsed),
            _ => None,
        };
        Self {
            status: Box::new(status.clone()),
            mismatch,
            has_options: options.settings.named,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match (self.mismatch, self.status.state) {
            (Some(Mismatch::NotInImage), _) => Outcome::Bad,
            (Some(Mismatch::SwitchedOff | Mismatch::NoLongerUsed), _) => Outcome::Warning,
            (None, State::Off | State::Direct | State::Current) => Outcome::Good,
            (None, State::Updating | State::NotAnswering) => Outcome::Warning,
            (None, _) => Outcome::Bad,
        }
    }
}

/// Runs the four steps. Returns the status of the boot image, if there is one.
pub(super) fn examine(options: &Options<'_>, on_step: &mut dyn FnMut(Step)) -> Option<Status> {
    let skip = |subjects: &[Subject], why: Skip, on_step: &mut dyn FnMut(Step)| {
        for subject in subjects {
            on_step(Step::skipped(subject.clone(), why.clone()));
        }
    };
    let rest = [Subject::Family, Subject::Writable, Subject::Image];
    let found = |found| Step::new(Subject::Bundle, Finding::Bundle(found));
    let backend = match options.backend {
        Ok(backend) => backend,
        Err(error) => {
            on_step(found(BundleFinding::Failed(error.clone())));
            skip(&rest, Skip::NoDocker, on_step);
            return None;
        }
    };
    let engine = match backend.engine() {
        Ok(engine) => engine,
        Err(error) => {
            on_step(found(BundleFinding::Failed(error.into())));
            skip(&rest, Skip::NotWhole, on_step);
            return None;
        }
    };
    on_step(found(BundleFinding::Found {
        path: engine.path.clone(),
        version: engine.version.clone(),
        build: engine.build.clone(),
    }));
    let is_supported = engine.refusal.is_none();
    let image = match engine.capabilities.live {
        true => Subject::Image,
        false => Subject::OwnSettings,
    };
    let family = FamilyFinding {
        id: engine.family,
        refusal: engine.refusal,
    };
    on_step(Step::new(Subject::Family, Finding::Family(family)));
    if !is_supported {
        skip(&rest[1..], Skip::NotPatched, on_step);
        return None;
    }
    let obstacle = backend.preflight().err().map(Diagnostic::from);
    let writable = match &obstacle {
        None => WritableFinding::Granted,
        Some(error) => WritableFinding::Failed(error.clone()),
    };
    on_step(Step::new(Subject::Writable, Finding::Writable(writable)));
    let query = StatusQuery {
        intent: options.intent,
        setting: match (options.settings.origin, options.settings.translation) {
            // Docker Desktop may follow these by itself.
            (Some(origin), Ok(set)) if set.is_plain_system => {
                Setting::of(&Ok((origin.clone(), set.clone())))
            }
            (Some(origin), _) => options.expected.setting(origin),
            (None, _) => Setting::Unknown,
        },
    };
    let mut found = status(backend, &query, Depth::Quick, &|_| {});
    // Only reading all of the boot image finds a proxy that another program put there.
    if found.proxy().is_none() && options.in_place.is_some() {
        found = status(backend, &query, Depth::Deep, &|_| {});
    }
    on_step(match &obstacle {
        // What can't be read can't be written either: once is enough.
        Some(obstacle) if found.reason.diagnostic() == Some(obstacle) => {
            Step::skipped(image, Skip::Earlier)
        }
        _ => Step::new(image, Finding::Image(ImageFinding::new(&found, options))),
    });
    Some(found)
}
