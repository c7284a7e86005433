//! Attempts: what was tried, why it failed, and when to try again.

use super::AgentError;
use super::*;

/// Delay before a failed attempt is repeated, if nothing changes before.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(60);
/// Grace period after a failed live update. A Docker that quits ends its VM first and stays visible for
/// up to this long. It must not be opened again.
pub(super) const QUIT_GRACE: Duration = Duration::from_secs(5);
/// Maximum number of consecutive changes. A second one can be needed: the settings can change during
/// the first.
pub(super) const MAX_CHANGES_IN_A_ROW: u32 = 4;

/// A record that Baleen adopted what someone else wrote into a boot image. The VM that started from this
/// image may contain it too.
#[derive(Debug)]
pub(super) struct Adopted {
    /// The VM.
    vm: KnownProcess,
    /// The image without the proxy, once it was observed.
    original: Option<OriginalSha>,
}

impl Adopted {
    /// Returns whether the record still applies to this VM and this image.
    pub(super) fn holds(&mut self, running: Option<&Running>, observation: &Observation) -> bool {
        let is_this_vm = running.is_some_and(|running| self.vm.is(running.pid, running.since));
        let original = match observation {
            Observation::Ready(installed) => installed.configured.as_ref().and(installed.original),
            _ => None,
        };
        is_this_vm && original.is_some_and(|now| *self.original.get_or_insert(now) == now)
    }
}

impl Controller {
    pub(super) fn changed(
        &mut self,
        result: Result<ChangeOutcome, ChangeError>,
        print: Fingerprint,
        now: Instant,
    ) {
        self.busy = None;
        if self.adopt && result.is_ok() {
            let vm = self.running.as_ref();
            let vm = vm.and_then(|vm| KnownProcess::new(vm.pid, vm.since));
            self.adopted = vm.map(|vm| Adopted { vm, original: None });
        }
        self.adopt = false;
        self.observe_at = Some(now);
        self.changes += 1;
        let failed = match result {
            Ok(done) => {
                self.fingerprint = Some(print);
                self.files_moving = None;
                // The image should be right now. If the next observation disagrees, another attempt won't help.
                (done != ChangeOutcome::Changed || self.changes >= MAX_CHANGES_IN_A_ROW).then(
                    || ChangeError {
                        kind: Kind::Failure,
                        diagnostic: why(AgentError::StillNotRight),
                    },
                )
            }
            Err(failed) => Some(failed),
        };
        self.backoff = failed.map(|ChangeError { kind, diagnostic }| {
            let pause = match kind {
                Kind::Busy if !self.is_stuck(now) => {
                    self.files_moving.get_or_insert((now, now));
                    FILES_DEBOUNCE
                }
                Kind::Failure => RETRY_DELAY,
                Kind::NotPermitted if self.is_permission_awaited(now) => PERMISSION_POLL_INTERVAL,
                Kind::Busy
                | Kind::NotPermitted
                | Kind::Unsupported
                | Kind::Locked
                | Kind::Unavailable
                | Kind::Usage => RESYNC_INTERVAL,
            };
            Backoff {
                kind,
                diagnostic,
                until: now + pause,
            }
        });
        if self.backoff.as_ref().is_some_and(|r| r.kind == Kind::Busy) {
            self.resolve_at = Some(now);
        }
    }

    /// Returns a notice of a failed live update, once its consequences are known.
    pub(super) fn notify_not_applied_live(&mut self, decision: &Decision) -> Option<Effect> {
        let is_restarted = decision.action == Action::Restart(RestartScope::Docker);
        if self.quit_grace_until.is_some() && !matches!(decision.action, Action::Restart(_)) {
            return None;
        }
        // The failure no longer matters if Docker has quit, the engine is up to date, or another attempt starts.
        let is_over = self.running.is_none()
            || self.is_engine_up_to_date()
            || decision.action == Action::Restart(RestartScope::Engine);
        // Otherwise it is kept until the files are at rest.
        if !is_over && decision.state != State::RestartNeeded {
            return None;
        }
        let notice = Notice::NotAppliedLive {
            diagnostic: self.live_failure.take()?,
            is_restarted,
        };
        if is_over {
            self.log(&PastEvent::Notified(&notice));
            return None;
        }
        Some(self.notify(notice))
    }

    /// The generation of the file that holds the proxy, if there is one.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.installed().map(Installed::generation)
    }

    /// Returns whether an engine runs and is known to match the image.
    pub(super) fn is_engine_up_to_date(&self) -> bool {
        self.engine()
            .is_some_and(|engine| engine != EngineSync::OutOfDate)
    }

    /// The sync state of the running engine, if there is an image to compare it with.
    pub(super) fn engine(&self) -> Option<EngineSync> {
        let (running, installed) = self.running.as_ref().zip(self.installed())?;
        Some(running.engine(installed))
    }

    /// Returns whether the running engine can be brought up to date without a restart of Docker.
    pub(super) fn can_apply_live(&self) -> bool {
        self.running
            .as_ref()
            .zip(self.installed())
            .is_some_and(|(running, installed)| running.can_apply_live(installed))
    }
}
