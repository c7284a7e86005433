//! Carries out the plan.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::backend::{ChangedSince, PlanOptions, Unpatched};
use crate::credentials::Store;
use crate::error::{Error, Result};
use crate::intent::{Intent, Intents};
use crate::relay;
use crate::service::LiveLock;
use crate::service::{self, Recording, login_item, single_instance};

use super::plan::{UninstallPlan, UninstallStep, plan};
use super::{Action, Failed, Left, Remark, Scope, UninstallError, scan};

/// Timeout for another Baleen to end. It first finishes a change of a boot image that is in
/// progress.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The result of an uninstallation.
#[derive(Debug, Default)]
pub struct ExecuteOutcome {
    /// The steps that were done.
    pub done: Vec<UninstallStep>,
    /// The items that stay.
    pub left: Vec<Left>,
    /// The actions that failed.
    pub failed: Vec<Failed>,
    /// Warnings about steps that were done.
    pub remarks: Vec<Remark>,
}

impl ExecuteOutcome {
    /// Returns the outcome of a plan without steps.
    pub(crate) fn nothing(plan: UninstallPlan) -> Self {
        Self {
            done: Vec::new(),
            left: plan.left,
            failed: plan.failed,
            remarks: plan.remarks,
        }
    }

    /// Returns each Docker.app whose proxy was removed. A running one keeps the proxy until it is
    /// restarted.
    pub(crate) fn restored(&self) -> impl Iterator<Item = (&Path, &Unpatched)> {
        self.done.iter().filter_map(|step| match step {
            UninstallStep::Restore(path, _, original) => Some((&**path, original)),
            _ => None,
        })
    }
}

/// Carries out `planned`, which was made from `scope`. `what` is the name of this process for other Baleens while it
/// holds their locks.
///
/// # Errors
/// When another Baleen does not end or is working on a boot image, or a boot image can't be
/// restored. Then nothing else is removed.
pub fn execute(
    planned: &UninstallPlan,
    scope: &Scope,
    leave_images: bool,
    what: &str,
) -> Result<ExecuteOutcome> {
    let is_end = |step: &&UninstallStep| matches!(step, UninstallStep::End(_));
    let ended: Vec<UninstallStep> = planned.steps.iter().filter(is_end).cloned().collect();
    // Held to the end, so that no other Baleen starts during the uninstallation.
    let _alone = single_instance::end(&scope.state, what, TIMEOUT)?;
    if LiveLock::is_seen(&scope.state) {
        return Err(in_vain(ended, UninstallError::LiveEdit.into()));
    }
    let done = match remove(scope, leave_images) {
        Ok(done) => done,
        Err(error) => return Err(in_vain(ended, error)),
    };
    Ok(ExecuteOutcome {
        done: [ended, done.done].concat(),
        ..done
    })
}

/// Removes everything that exists now, after all other Baleens have ended.
fn remove(scope: &Scope, leave_images: bool) -> Result<ExecuteOutcome> {
    // The other Baleen may have changed something since the plan was made.
    let mut found = scan(scope)?;
    // The running Baleen is this process.
    found.running = None;
    let mut plan = plan(found, &scope.places, leave_images)?;
    let steps = std::mem::take(&mut plan.steps);
    let mut outcome = ExecuteOutcome::nothing(plan);
    for step in steps {
        match take(&step, scope) {
            Ok(remark) => {
                outcome.remarks.extend(remark);
                outcome.done.push(step);
            }
            Err(error) if step.stops(&error) => {
                let can_leave_image = step.is_of_choice();
                return Err(UninstallError::stopped(error, can_leave_image, outcome.done).into());
            }
            Err(error) => outcome.failed.push(Failed {
                action: Action::Step(step),
                error,
            }),
        }
    }
    Ok(outcome)
}

/// Adds to an error that the `ended` processes have to be started again, since Baleen is still installed.
fn in_vain(ended: Vec<UninstallStep>, source: Error) -> Error {
    match ended.is_empty() {
        true => source,
        false => UninstallError::InVain { source, ended }.into(),
    }
}

/// Carries out one step. Returns a remark if the step is done but had a problem.
fn take(step: &UninstallStep, scope: &Scope) -> Result<Option<Remark>> {
    let open = |path: &Path| scope.registry.open(path, &scope.state);
    match step {
        // This was done first.
        UninstallStep::End(_) => {}
        UninstallStep::EndRelay(_) => relay::end(&scope.state, TIMEOUT)?,
        UninstallStep::RemoveLeftover(path, _) => {
            let backend = open(path);
            // A restoration begins with removing the files of killed runs.
            service::restore(&*backend, PlanOptions::default(), None)?;
            if let Some(left) = backend.unfinished().first() {
                return Err(UninstallError::StillThere { path: left.clone() }.into());
            }
        }
        UninstallStep::Restore(path, ..) => {
            let intents = Intents::in_folder(&scope.state);
            // Otherwise the app would apply the proxy again if the uninstallation stops here.
            let recording = Recording {
                intents: &intents,
                intent: Intent::Off,
            };
            let options = PlanOptions {
                changed_since: ChangedSince::Keep,
                ..PlanOptions::default()
            };
            let restore = || service::restore(&*open(path), options, Some(recording));
            let restored = service::with_relay((&scope.state, path), false, restore)?;
            let forgotten = intents.forget(path);
            let warning = restored.changes.warnings.into_iter().next();
            let warning = warning.map(Remark::Restored);
            return Ok(
                warning.or(forgotten.err().map(|error| Remark::NotForgotten {
                    docker: path.clone(),
                    why: error,
                })),
            );
        }
        UninstallStep::Backup(path, _) => open(path).remove_leftover_backup()?,
        UninstallStep::LoginItem => drop(login_item::set(false)?),
        UninstallStep::Password(account) => Store::open()?.delete_named(account)?,
        UninstallStep::File(path) => {
            #[cfg(target_os = "macos")]
            if path.ends_with(super::artifacts::PREFERENCES) {
                super::preferences_macos::forget(crate::credentials::SERVICE);
            }
            gone(path, fs::remove_file(path))?;
        }
        UninstallStep::Folder(path) => gone(path, fs::remove_dir(path))?,
    }
    Ok(None)
}

/// Treats a file that does not exist as removed.
fn gone(path: &Path, removed: io::Result<()>) -> std::result::Result<(), UninstallError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(UninstallError::own_file("remove", path, error))
        }
        _ => Ok(()),
    }
}
