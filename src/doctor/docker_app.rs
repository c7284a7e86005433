//! The steps about Docker.app: its existence, its kind, the permission to patch it, and the state of its boot image.

use std::path::Path;

use serde_json::json;

use crate::backend::{Depth, Installed};
use crate::docker::{Bundle, Family, NotPatched};
use crate::error::{Face, Hint, Kind};
use crate::patch::intent::Intents;
use crate::patch::preflight;
use crate::reconcile::State;
use crate::service::{Status, StatusQuery, status};

use super::{Options, Outcome, Step};

const BUNDLE: &str = "Docker.app";
const FAMILY: &str = "Kind of VM";
const WRITABLE: &str = "Permission to patch";
pub(super) const IMAGE: &str = "Image";

/// Runs the four steps. Returns the status of the boot image, if there is one.
pub(super) fn examine(options: &Options<'_>, on_step: &mut dyn FnMut(Step)) -> Option<Status> {
    let skip = |steps: &[(&'static str, &str)], why: &str, on_step: &mut dyn FnMut(Step)| {
        for (id, title) in steps {
            on_step(Step::new(id, *title, Outcome::Skipped, why));
        }
    };
    let rest = [("family", FAMILY), ("writable", WRITABLE), ("image", IMAGE)];
    let read = match options.bundle {
        Ok(path) => Bundle::read(path),
        Err(error) => {
            on_step(Step::from_error("bundle", BUNDLE, error));
            skip(&rest, "skipped (there is no Docker.app)", on_step);
            return None;
        }
    };
    let bundle = match read {
        Ok(bundle) => bundle,
        Err(error) => {
            on_step(Step::from_error("bundle", BUNDLE, &error.into()));
            skip(&rest, "skipped (there is no whole Docker.app)", on_step);
            return None;
        }
    };
    on_step(found(&bundle));
    on_step(family(&bundle));
    let Family::Moby { image } = &bundle.family else {
        skip(
            &rest[1..],
            "skipped (Baleen patches no boot image of this kind)",
            on_step,
        );
        return None;
    };
    on_step(writable(image));
    let query = StatusQuery {
        intent: options.intent,
        setting: options.expected.setting(options.settings.origin),
        overridden_settings: None,
    };
    let intents = Intents::in_folder(options.state);
    let mut found = status(&bundle.path, &intents, &query, Depth::Quick, &|_| {});
    // Only reading all of the boot image finds a proxy that another program put there.
    if found.proxy().is_none() && options.in_place.is_some() {
        found = status(&bundle.path, &intents, &query, Depth::Deep, &|_| {});
    }
    let status = found;
    on_step(patched(&status, options));
    Some(status)
}

fn found(bundle: &Bundle) -> Step {
    let text = format!(
        "{} (build {}) at {}",
        bundle.version,
        bundle.build,
        bundle.path.display()
    );
    Step::new("bundle", BUNDLE, Outcome::Good, text).with(json!({
        "path": bundle.path,
        "version": bundle.version,
        "build": bundle.build,
    }))
}

fn family(bundle: &Bundle) -> Step {
    let refusal = bundle.refusal();
    let (outcome, found) = match &refusal {
        None => (Outcome::Good, "Moby (supported)".to_owned()),
        Some(NotPatched::UnknownVm { .. }) => (Outcome::Bad, "none that Baleen knows".to_owned()),
        Some(NotPatched::OwnSettings { pane, .. }) => (
            Outcome::Warning,
            format!(
                "this Docker has its own proxy settings ({pane}), which Baleen doesn't change yet"
            ),
        ),
    };
    let advice = refusal.and_then(|refusal| match &refusal {
        NotPatched::OwnSettings { .. } => refusal.hint(Face::CommandLine),
        NotPatched::UnknownVm { source, .. } => Some(source.to_string()),
    });
    Step::new("family", FAMILY, outcome, found)
        .with_hint(advice)
        .with(json!({ "family": bundle.family.id() }))
}

fn writable(image: &Path) -> Step {
    match preflight(image).map_err(crate::error::Error::from) {
        Ok(()) => Step::new("writable", WRITABLE, Outcome::Good, "OK"),
        Err(error) => {
            let mut step = Step::from_error("writable", WRITABLE, &error);
            if error.kind() == Kind::Busy {
                step.outcome = Outcome::Warning;
            }
            step
        }
    }
}

fn patched(status: &Status, options: &Options<'_>) -> Step {
    // The proxy that is set, not the one on the route to one registry.
    let set = options.settings.translation.ok().map(|set| &set.proxy);
    let direct = matches!(set, Some(None)) && !options.is_by_hand();
    let (outcome, remedy) = match status.state {
        State::Off if matches!(set, Some(Some(_))) => (
            Outcome::Bad,
            Some("`baleen apply` puts the proxy into the boot image".to_owned()),
        ),
        State::Current if direct => (
            Outcome::Warning,
            Some(
                "this Mac no longer uses a proxy; run `baleen restore` to remove it from Docker too"
                    .to_owned(),
            ),
        ),
        State::Off | State::Direct | State::Current => (Outcome::Good, None),
        State::Updating => (Outcome::Warning, status.reason.next_step(Face::CommandLine)),
        _ => (Outcome::Bad, status.reason.next_step(Face::CommandLine)),
    };
    Step::new(
        "image",
        IMAGE,
        outcome,
        format!("{} ({})", status.state.word(), status.reason.sentence()),
    )
    .with_hint(remedy)
    .with(json!({
        "state": status.state,
        "image": status.installed().map(Installed::facts),
        "proxy": status.proxy(),
    }))
}
