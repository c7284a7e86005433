//! Doing what was planned.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::app::{login_item, single_instance};
use crate::credentials::Store;
use crate::docker::Bundle;
use crate::error::{Error, Kind, Result};
use crate::patch::image::image_of;
use crate::patch::intent::Intents;
use crate::patch::live::LiveLock;
use crate::patch::{self, Unpatched};

use super::plan::{UninstallPlan, UninstallStep, plan, stopped};
use super::{Failed, Left, Scope, of_own, scan};

/// What it is called while it holds what every other Baleen has to hold.
const WHAT: &str = "`baleen uninstall`";

/// How long another Baleen may take to end: it finishes a change of an image that is under way.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What came of it.
#[derive(Debug, Default)]
pub struct ExecuteOutcome {
    /// What was done.
    pub done: Vec<UninstallStep>,
    /// What stays.
    pub left: Vec<Left>,
    /// What could not be done.
    pub failed: Vec<Failed>,
    /// What went not as it should, though it was done.
    pub remarks: Vec<String>,
}

impl ExecuteOutcome {
    /// Of a plan in which nothing is to be done.
    pub fn nothing(plan: UninstallPlan) -> Self {
        Self {
            done: Vec::new(),
            left: plan.left,
            failed: plan.failed,
            remarks: plan.remarks,
        }
    }

    /// Each Docker.app from which the proxy was taken: one that runs has it until it is restarted.
    pub fn restored(&self) -> impl Iterator<Item = (&Path, &Unpatched)> {
        self.done.iter().filter_map(|step| match step {
            UninstallStep::Restore(path, _, original) => Some((&**path, original)),
            _ => None,
        })
    }
}

/// Carries out `planned`, which was made of `scope`.
///
/// # Errors
/// When another Baleen does not end or is at work on an image, or an image can't be given back: then nothing else is
/// removed.
pub fn execute(
    planned: &UninstallPlan,
    scope: &Scope,
    leave_images: bool,
) -> Result<ExecuteOutcome> {
    let is_end = |step: &&UninstallStep| matches!(step, UninstallStep::End(_));
    let ended: Vec<UninstallStep> = planned.steps.iter().filter(is_end).cloned().collect();
    // Held to the end, so that none begins again in the meantime.
    let _alone = single_instance::end(&scope.state, WHAT, TIMEOUT)?;
    if LiveLock::is_seen(&scope.state) {
        // It would give the running VM the proxy that is taken out of the image here.
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

/// Removes what there is now that no other Baleen acts by itself.
fn remove(scope: &Scope, leave_images: bool) -> Result<ExecuteOutcome> {
    // The other one may have finished something since.
    let mut found = scan(scope)?;
    // That is this one.
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

/// The failure after which Baleen is still there, where what ran of it was ended before.
fn without(ended: &[UninstallStep], error: Error) -> Error {
    if ended.is_empty() {
        return error;
    }
    let ended: Vec<String> = ended.iter().map(UninstallStep::done).collect();
    let advice = match error.hint() {
        Some(advice) => format!("{advice}; "),
        None => String::new(),
    };
    let advice = format!("{advice}{}: start it again", ended.join(", "));
    error.with_hint(advice)
}

/// Takes one step; says what went not as it should, though it is done.
fn take(step: &UninstallStep, state: &Path) -> Result<Option<String>> {
    match step {
        // That comes before everything.
        UninstallStep::End(_) => {}
        UninstallStep::Clear(path, _) => {
            let bundle = Bundle::read(path)?;
            // It begins with clearing away what others left behind.
            patch::restore_original(&bundle)?;
            if let Some(left) = patch::unfinished(image_of(&bundle)?).first() {
                let message = format!("{} is still there", left.display());
                return Err(Error::new(Kind::Failure, message)
                    .with_hint("remove it by hand; it may have a password in it"));
            }
        }
        UninstallStep::Restore(path, ..) => {
            let restored = patch::restore_original(&Bundle::read(path)?)?;
            // Else the app would put the proxy in again if the uninstall goes no further.
            let forgotten = Intents::in_folder(state).forget(path);
            let warning = restored.and_then(|restored| restored.warning);
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

/// What is gone already needs no removing.
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
            assert_eq!(without(ended, error).hint(), expected);
        }
    }
}
