//! Debouncing: waits until files and settings stop changing, and notices an update that stalls.

use std::time::{Duration, Instant};

use super::Controller;
use crate::agent::snapshot::Fingerprint;
use crate::desired::Setting;
use crate::digest::Sha;
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

/// Time without a change of the proxy after which it counts as settled, and the first one is reported.
pub(crate) const PROXY_DEBOUNCE: Duration = Duration::from_secs(3);
/// Maximum of [`PROXY_DEBOUNCE`], which doubles with each change that follows another one quickly.
pub(crate) const MAX_PROXY_DEBOUNCE: Duration = Duration::from_secs(15);
/// Maximum delay by changes that go on and on.
pub(crate) const MAX_PROXY_DELAY: Duration = Duration::from_secs(60);

/// Patience with a proxy that keeps changing, as with a VPN that connects and disconnects. The first change counts at
/// once. Those that follow quickly are waited out, longer and longer, and reported once.
#[derive(Debug, Default)]
pub(super) struct ProxyDebounce {
    /// The last known proxy; the inner `None` is no proxy.
    proxy: Option<Option<Sha>>,
    /// Number of changes that followed each other quickly.
    changes: u32,
    /// Times of the first change that was waited out, and of the end of waiting.
    first: Option<Instant>,
    until: Option<Instant>,
}

impl ProxyDebounce {
    /// Records the resolved setting.
    pub(super) fn resolved(&mut self, setting: &Setting, now: Instant) {
        let proxy = match setting {
            Setting::Proxy { revision, .. } => Some(*revision),
            Setting::Direct { .. } | Setting::ScriptUnreachable => None,
            // These say nothing about the proxy.
            Setting::Unknown | Setting::Offline | Setting::Failed { .. } => return,
        };
        let before = self.proxy.replace(proxy);
        if before.is_none_or(|before| before == proxy) {
            return;
        }
        let follows = |until: Instant| now < until + MAX_PROXY_DEBOUNCE;
        if !self.until.is_some_and(follows) {
            self.settle();
        }
        self.first.take_if(|first| now >= *first + MAX_PROXY_DELAY);
        self.changes += 1;
        let doublings = self.changes.saturating_sub(2).min(8);
        let wait = (PROXY_DEBOUNCE * 2_u32.pow(doublings)).min(MAX_PROXY_DEBOUNCE);
        let first = *self.first.get_or_insert(now);
        self.until = Some((now + wait).min(first + MAX_PROXY_DELAY));
    }

    /// Ends all waiting: the user or an update makes what is known now count.
    pub(super) fn settle(&mut self) {
        self.changes = 0;
        self.first = None;
        self.until = None;
    }

    /// The time from which the image may be changed, if there is one to wait for.
    fn change_from(&self) -> Option<Instant> {
        self.until.filter(|_| self.changes > 1)
    }

    /// The time from which a change may be reported and Docker restarted, if there is one to wait for.
    pub(super) fn report_from(&self) -> Option<Instant> {
        self.until
    }
}

impl Controller {
    /// The time from which the image may be changed.
    pub(super) fn change_from(&self) -> Instant {
        let proxy = self.proxy_debounce.change_from();
        proxy.map_or(self.settled_at, |from| from.max(self.settled_at))
    }

    pub(super) fn files(&mut self, print: Fingerprint, now: Instant) {
        // Baleen's own jobs report their changes when they end.
        let is_news = self.fingerprint != Some(print) || self.files_moving.is_some();
        if self.busy.is_none() && is_news {
            self.files_changed(print, now);
        }
    }

    /// Records that the files have just changed to this fingerprint.
    pub(super) fn files_changed(&mut self, print: Fingerprint, now: Instant) {
        let is_other = self.fingerprint.replace(print) != Some(print);
        if self
            .installed()
            .is_some_and(|installed| installed.own_settings.is_some())
        {
            // Nothing is written into this Docker.app, so its copying need not be waited out. Docker writes its settings
            // often, mostly for other reasons than the proxy.
            self.observe_by(now + SETTINGS_DEBOUNCE);
            return;
        }
        if is_other {
            // The user agreed to adopt the previous contents only.
            self.adopt = false;
        }
        // What an update took away is put back at once.
        self.proxy_debounce.settle();
        self.backoff = None;
        let first = self.files_moving.map_or(now, |(first, _)| first);
        self.files_moving = Some((first, now));
        self.settled_at = now + FILES_DEBOUNCE;
        self.observe_at = Some(self.settled_at);
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
            at = at.min(retry.max(self.change_from()));
        } else if now < self.settled_at {
            at = at.min(self.settled_at);
        }
        at = match self.question_open_until() {
            Some(until) if now < until => at.min(until),
            _ => at,
        };
        at = match self.proxy_debounce.report_from() {
            Some(from) if now < from => at.min(from),
            _ => at,
        };
        if self.files_moving.is_some() && !self.is_stuck(now) {
            at = at.min(now + FILES_DEBOUNCE);
        }
        at
    }
}
