//! Carries out the plan.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::app::{login_item, single_instance};
use crate::credentials::Store;
use crate::docker::Bundle;
use crate::error::{Error, Face, Kind, Result};
use crate::patch::image::image_of;
use crate::patch::intent::{Intent, Intents};
use crate::patch::live::LiveLock;
use crate::patch::{self, Unpatched};
use crate::service::{self, Recording};

use super::plan::{UninstallPlan, UninstallStep, plan, stopped};
use super::{Failed, Left, Scope, of_own, scan};

/// The name of this process for other Baleens while it holds their locks.
const WHAT: &str = "`baleen uninstall`";

/// Timeout for another Baleen to end. It first finishes a change of a boot image that is in
/// progress.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The result of an uninstallation.
#[derive(Debug, Default)]
pub(crate) struct ExecuteOutcome {
    /// The steps that were done.
    pub done: Vec<UninstallStep>,
    /// The items that stay.
    pub left: Vec<Left>,
    /// The actions that failed.
    pub failed: Vec<Failed>,
    /// Warnings about steps that were done.
    pub remarks: Vec<String>,
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

/// Carries out `planned`, which was made from `scope`.
///
/// # Errors
/// When another Baleen does not end or is working on a boot image, or a boot image can't be
/// restored. Then nothing else is removed.
pub(crate) fn execute(
    planned: &UninstallPlan,
    scope: &Scope,
    leave_images: bool,
) -> Result<ExecuteOutcome> {
    let is_end = |step: &&UninstallStep| matches!(step, UninstallStep::End(_));
    let ended: Vec<UninstallStep> = planned.steps.iter().filter(is_end).cloned().collect();
    // Held to the end, so that no other Baleen starts during the uninstallation.
    let _alone = single_instance::end(&scope.state, WHAT, TIMEOUT)?;
    if LiveLock::is_seen(&scope.state) {
        // That command would give the running VM the proxy that is being removed from the boot
        // image.
        let error = Error::new(
            Kind::Busy,
            "`baleen apply --live` or `baleen restore --live` is at work in a terminal",
        )
        .with_hint("wait until it is done, and try again; nothing was removed");
        return Err(without(&ended, error));
    }
    let done = remove(scope, leave_images).map_err(|error| without(&ended, error))?;
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
        match take(&step, &scope.state) {
            Ok(remark) => {
                outcome.remarks.extend(remark);
                outcome.done.push(step);
            }
            Err(error) if step.stops(&error) => {
                return Err(stopped(error, step.is_of_choice(), &outcome.done));
            }
            Err(error) => outcome.failed.push(Failed {
                what: step.to_do(),
                error,
            }),
        }
    }
    Ok(outcome)
}

/// Adds to an error that Baleen is still installed and that the `ended` processes have to be
/// started again.
fn without(ended: &[UninstallStep], error: Error) -> Error {
    if ended.is_empty() {
        return error;
    }
    let ended: Vec<String> = ended.iter().map(UninstallStep::done).collect();
    let advice = match error.hint(Face::CommandLine) {
        Some(advice) => format!("{advice}; "),
        None => String::new(),
    };
    let advice = format!("{advice}{}: start it again", ended.join(", "));
    error.with_hint(advice)
}

/// Carries out one step. Returns a warning if the step is done but had a problem.
fn take(step: &UninstallStep, state: &Path) -> Result<Option<String>> {
    match step {
        // This was done first.
        UninstallStep::End(_) => {}
        UninstallStep::RemoveLeftover(path, _) => {
            let bundle = Bundle::read(path)?;
            // A restoration begins with removing the files of killed runs.
            service::restore(&bundle, None)?;
            if let Some(left) = patch::unfinished(image_of(&bundle)?).first() {
                let message = format!("{} is still there", left.display());
                return Err(Error::new(Kind::Failure, message)
                    .with_hint("remove it by hand; it may have a password in it"));
            }
        }
        UninstallStep::Restore(path, ..) => {
            let intents = Intents::in_folder(state);
            // Otherwise the app would apply the proxy again if the uninstallation stops here.
            let recording = Recording {
                intents: &intents,
                intent: Intent::Off,
            };
            let restored = service::restore(&Bundle::read(path)?, Some(recording))?;
            let forgotten = intents.forget(path);
            let warning = restored.outcome.and_then(|restored| restored.warning);
            let warning = warning.map(|warning| warning.sentence());
            return Ok(warning.or(forgotten.err().map(|error| {
                format!(
                    "could not forget that the proxy is wanted in {}: {error}",
                    path.display()
                )
            })));
        }
        UninstallStep::Backup(path, _) => patch::remove_leftover(&Bundle::read(path)?)?,
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
fn gone(path: &Path, removed: io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(of_own("remove", path, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_ended_in_vain_is_named() {
        let app = [UninstallStep::End("the Baleen app (process 7)".to_owned())];
        let failed = || Error::new(Kind::Failure, "no");
        for (ended, error, expected) in [
            (&app[..0], failed(), None),
            (&app[..0], failed().with_hint("look"), Some("look")),
            (
                &app,
                failed(),
                Some("ended the Baleen app (process 7): start it again"),
            ),
            (
                &app,
                failed().with_hint("look"),
                Some("look; ended the Baleen app (process 7): start it again"),
            ),
        ] {
            assert_eq!(
                without(ended, error).hint(Face::CommandLine).as_deref(),
                expected
            );
        }
    }
}
