//! Debouncing: waits until files and settings stop changing, and notices an update that stalls.

use std::time::{Duration, Instant};

use super::Controller;
use crate::agent::snapshot::Fingerprint;
use crate::reconcile::Action;

/// Time that the files of Docker.app must be at rest before Baleen changes them. An update copies one
/// file after another, with pauses well below this.
pub const FILES_DEBOUNCE: Duration = Duration::from_secs(2);
/// Time without a change after which an incomplete bundle counts as stuck.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum duration of an update.
pub(crate) const MAX_UPDATE_TIME: Duration = Duration::from_secs(15 * 60);
/// Debounce time for the settings: one click in System Settings makes several changes, and a network
/// that comes up makes many.
pub(crate) const SETTINGS_DEBOUNCE: Duration = Duration::from_millis(500);
/// Maximum delay by [`SETTINGS_DEBOUNCE`], for settings that keep changing.
pub(crate) const MAX_SETTINGS_DEBOUNCE: Duration = Duration::from_secs(5);
/// Interval between full checks, which need no event.
pub const RESYNC_INTERVAL: Duration = Duration::from_secs(15 * 60);

impl Controller {
    pub(super) fn files(&mut self, print: Fingerprint, now: Instant) {
        // Baleen's own jobs report their changes when they end.
        let is_news = self.fingerprint != Some(print) || self.files_moving.is_some();
        if self.busy.is_none() && is_news {
            self.files_changed(print, now);
        }
    }

    /// Records that the files have just changed to this fingerprint.
    pub(super) fn files_changed(&mut self, print: Fingerprint, now: Instant) {
        if self.fingerprint.replace(print) != Some(print) {
            // The user agreed to adopt the previous contents only.
            self.adopt = false;
        }
        let first = self.files_moving.map_or(now, |(first, _)| first);
        self.files_moving = Some((first, now));
        self.settled_at = now + FILES_DEBOUNCE;
        self.observe_at = Some(self.settled_at);
        self.backoff = None;
    }

    pub(super) fn resync(&mut self, now: Instant) {
        self.resync_at = now + RESYNC_INTERVAL;
        self.backoff = None;
        self.observe_at = Some(now);
        self.resolve_at = Some(now);
    }

    /// Schedules an observation for this time at the latest.
    pub(super) fn observe_by(&mut self, at: Instant) {
        self.observe_at = Some(self.observe_at.map_or(at, |before| before.min(at)));
    }

    /// Returns whether an update in progress seems to be stuck.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.files_moving.is_some_and(|(first, last)| {
            now >= last + STALL_TIMEOUT || now >= first + MAX_UPDATE_TIME
        })
    }

    /// Returns the time of the next [`Self::poll`], if no event comes before.
    pub fn deadline(&self, now: Instant) -> Instant {
        if self.busy.is_some() {
            return self.resync_at;
        }
        let mut at = self.resync_at;
        at = at.min(self.observe_at.unwrap_or(at));
        at = at.min(self.quit_grace_until.unwrap_or(at));
        if !self.is_resolving {
            at = at.min(self.resolve_at.unwrap_or(at));
        }
        if self.reconcile(now).pending != Action::Nothing {
            let retry = self.backoff.as_ref().map_or(now, |refusal| refusal.until);
            at = at.min(retry.max(self.settled_at));
        } else if now < self.settled_at {
            at = at.min(self.settled_at);
        }
        if self.files_moving.is_some() && !self.is_stuck(now) {
            at = at.min(now + FILES_DEBOUNCE);
        }
        at
    }
}
