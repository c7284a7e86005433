//! The app's event loop: one thread that owns the app's parts and handles one message after another.

#[cfg(not(target_os = "macos"))]
pub(crate) use super::event_loop_linux::run;
#[cfg(target_os = "macos")]
pub(crate) use super::event_loop_macos::run;

use std::sync::Arc;

/// The decision to continue or to end the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Continue with the next message.
    Continue,
    /// End the loop; the app quits.
    Quit,
}

/// A sender of messages to the loop, from any thread.
pub(crate) struct Sender<M>(Arc<dyn Fn(M) + Send + Sync>);

impl<M> Sender<M> {
    pub(super) fn new(send: impl Fn(M) + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Sends a message. It is lost if the loop has ended.
    pub(crate) fn send(&self, message: M) {
        (self.0)(message);
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
