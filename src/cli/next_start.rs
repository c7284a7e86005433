//! The sentence that ends a change of an image: when Docker will have it.

use std::path::Path;

use crate::docker::restart;

/// What Docker has after a change of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStart {
    /// A proxy that Baleen put there.
    Proxy,
    /// None of Baleen's any more.
    NoProxy,
    /// The proxy that was set by hand before Baleen.
    ProxyByHand,
}

impl NextStart {
    /// The sentence, where the Docker at `bundle` runs or not.
    pub(super) fn when(self, bundle: &Path) -> &'static str {
        self.sentence(restart::running(bundle).is_some())
    }

    /// A Docker that doesn't run needs no restart.
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
