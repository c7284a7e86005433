//! The change of a boot image, as the plan of a backend.

use std::path::Path;

use similar::TextDiff;

use crate::backend::docker_desktop::Bundle;
use crate::backend::{
    ChangeStep, Changes, OnProgress, Original, Plan, PlanOptions, Purpose, TakesEffect, Unpatched,
};
use crate::error::Error;
use crate::proxy::EngineProxy;

use super::error::Result;
use super::files::{self, BACKUP_SUFFIX};
use super::image::image_of;
use super::lock::Lock;
use super::manifest::Manifest;
use super::plan::{self, BackupPlan, Change, Desired};
use super::restore::{self, RestoreChange, RestorePlan};
use super::script::{SCRIPT, shown};

/// A planned change of a boot image.
#[derive(Debug)]
pub(crate) struct ImagePlan {
    changes: Changes,
    action: Action,
    /// Held as long as the plan is to be carried out.
    lock: Option<Lock>,
}

#[derive(Debug)]
enum Action {
    Nothing,
    Apply(Box<Change>),
    Restore(Box<RestoreChange>),
}

impl ImagePlan {
    /// Plans the change of `bundle` to the proxy `want`, or back to its original.
    ///
    /// # Errors
    /// Any reason that forbids the change.
    pub(crate) fn new(
        bundle: &Bundle,
        want: Option<&EngineProxy>,
        options: PlanOptions,
        progress: OnProgress<'_>,
    ) -> Result<Self> {
        let image = image_of(bundle)?;
        let lock = match options.purpose {
            Purpose::Preview => None,
            Purpose::Change => Some(Lock::acquire(image)?),
        };
        let nothing = Changes {
            is_change: false,
            file: image.to_owned(),
            bytes: None,
            method: None,
            proxy: None,
            removed: None,
            original: None,
            backup: None,
            unpatched: Unpatched::default(),
            steps: Vec::new(),
            warnings: Vec::new(),
            takes_effect: TakesEffect::NextStart,
        };
        let (action, changes) = match want {
            Some(proxy) => {
                let desired = Desired { proxy, options };
                match plan::plan(bundle, desired, progress)? {
                    plan::Plan::Nothing(manifest) => (Action::Nothing, with(nothing, &manifest)),
                    plan::Plan::Change(change) => {
                        let mut changes = with(nothing, &change.manifest);
                        changes.is_change = true;
                        if options.purpose == Purpose::Preview {
                            change.check_original()?;
                            changes.steps = steps(&change);
                        }
                        (Action::Apply(change), changes)
                    }
                }
            }
            None => match restore::plan(bundle)? {
                RestorePlan::Nothing => (Action::Nothing, nothing),
                RestorePlan::Restore(found) => {
                    let changes = Changes {
                        is_change: true,
                        proxy: None,
                        removed: Some(found.manifest.proxy.clone()),
                        unpatched: found.original.clone(),
                        method: None,
                        backup: None,
                        ..with(nothing, &found.manifest)
                    };
                    (Action::Restore(found), changes)
                }
            },
        };
        Ok(Self {
            changes,
            action,
            lock,
        })
    }
}

/// The changes to an image with this manifest.
fn with(nothing: Changes, manifest: &Manifest) -> Changes {
    Changes {
        method: Some(manifest.method),
        proxy: Some(manifest.proxy.clone()),
        original: Some(Original {
            bytes: manifest.original.bytes,
            sha256: manifest.original.sha256,
        }),
        backup: Some(backup_name(&nothing.file)),
        ..nothing
    }
}

/// The steps of a change, in their order.
fn steps(change: &Change) -> Vec<ChangeStep> {
    let mut steps = Vec::new();
    if let BackupPlan::MoveAsideAndMake(aside) = &change.backup {
        steps.push(ChangeStep::MoveAside {
            name: backup_name(change.image()),
            to: aside.clone(),
        });
    }
    if change.backup != BackupPlan::Keep {
        steps.push(ChangeStep::KeepOriginal(backup_name(change.image())));
    }
    let (old, new) = (shown(&change.old_script), shown(&change.new_script));
    let difference = TextDiff::from_lines(&old, &new)
        .unified_diff()
        .header(&format!("a/{SCRIPT}"), &format!("b/{SCRIPT}"))
        .to_string();
    steps.push(ChangeStep::Edit {
        text: SCRIPT.to_owned(),
        difference,
    });
    steps.push(ChangeStep::Replace { mode: change.mode });
    steps
}

fn backup_name(image: &Path) -> String {
    let path = files::backup_of(image);
    let name = path.file_name().and_then(|name| name.to_str());
    name.map_or_else(|| format!("initrd.img{BACKUP_SUFFIX}"), str::to_owned)
}

impl Plan for ImagePlan {
    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn apply(self: Box<Self>, progress: OnProgress<'_>) -> std::result::Result<Changes, Error> {
        let Self {
            mut changes,
            action,
            lock,
        } = *self;
        // A preview holds no lock, so it takes one now.
        let lock = match lock {
            Some(lock) => lock,
            None => Lock::acquire(&changes.file)?,
        };
        match action {
            Action::Nothing => {}
            Action::Apply(change) => {
                let applied = super::apply::apply(&change, &lock, progress)?;
                changes.bytes = Some(applied.bytes);
                let name = backup_name(&changes.file);
                let moved = |to| ChangeStep::MoveAside { name, to };
                changes.steps = Vec::from_iter(applied.moved_aside.map(moved));
                changes.warnings = applied.warnings;
            }
            Action::Restore(found) => {
                changes.warnings = Vec::from_iter(restore::restore(&found, &lock)?);
            }
        }
        Ok(changes)
    }
}
