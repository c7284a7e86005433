//! The sentence after a change of a boot image that says when Docker will use it.

use crate::backend::{Backend, Changes, Depth, EngineSync, Observation, TakesEffect};

/// Docker's proxy after a change of its boot image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStart {
    /// A proxy that Baleen set.
    Proxy,
    /// No proxy from Baleen any more.
    NoProxy,
    /// The proxy that was set by hand before Baleen.
    ProxyByHand,
}

/// Returns the word for programs.
pub(super) fn takes_effect(when: TakesEffect) -> &'static str {
    match when {
        TakesEffect::AtOnce => "at-once",
        TakesEffect::NextStart => "next-start",
    }
}

impl NextStart {
    /// Returns the sentence, which depends on whether the engine runs.
    pub(super) fn when(self, backend: &dyn Backend) -> &'static str {
        self.sentence(backend.running().is_some())
    }

    /// Returns the sentence after these changes.
    pub(super) fn after(self, changes: &Changes, backend: &dyn Backend) -> &'static str {
        match (changes.takes_effect, self) {
            (TakesEffect::NextStart, _) => self.when(backend),
            (TakesEffect::AtOnce, Self::Proxy) => "The running Docker uses it from now on.",
            (TakesEffect::AtOnce, Self::NoProxy | Self::ProxyByHand) => {
                "The running Docker uses them from now on."
            }
        }
    }

    /// Returns the sentence after a command that had nothing to change, if the running engine still has what was there
    /// before an earlier one.
    pub(super) fn still_due(self, backend: &dyn Backend) -> Option<&'static str> {
        let running = backend.running()?;
        let is_old = match backend.observe(Depth::Quick, &|_| {}) {
            Observation::Ready(installed) => running.engine(&installed) == EngineSync::OutOfDate,
            _ => false,
        };
        is_old.then(|| self.sentence(true))
    }

    /// Returns the sentence. A Docker that isn't running needs no restart.
    pub(super) fn sentence(self, is_running: bool) -> &'static str {
        match (self, is_running) {
            (Self::Proxy, true) => {
                "Restart Docker to use it (quit it from its menu, then open it again)."
            }
            (Self::NoProxy, true) => {
                "Restart Docker to stop using the proxy (quit it from its menu, then open it again)."
            }
            (Self::ProxyByHand, true) => {
                "Restart Docker to use that one (quit it from its menu, then open it again)."
            }
            (Self::Proxy, false) => {
                "Docker isn't running; it will use the proxy the next time it starts."
            }
            (Self::NoProxy, false) => {
                "Docker isn't running; it will no longer use the proxy the next time it starts."
            }
            (Self::ProxyByHand, false) => {
                "Docker isn't running; it will use that one the next time it starts."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_advised_only_where_docker_runs() {
        for has in [NextStart::Proxy, NextStart::NoProxy, NextStart::ProxyByHand] {
            assert!(has.sentence(true).starts_with("Restart Docker to "));
            let sentence = has.sentence(false);
            assert!(sentence.starts_with("Docker isn't running; "), "{sentence}");
            assert!(sentence.ends_with("the next time it starts."), "{sentence}");
        }
    }
}
