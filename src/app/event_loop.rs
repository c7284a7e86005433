//! The app's loop: one thread that owns what the app is made of, and takes one message after another.

#[cfg(not(target_os = "macos"))]
pub use super::event_loop_linux::run;
#[cfg(target_os = "macos")]
pub use super::event_loop_macos::run;

use std::sync::Arc;

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// With the next message.
    Continue,
    /// No more: the app ends.
    Quit,
}

/// A way into the loop, from any thread.
pub struct Sender<M>(Arc<dyn Fn(M) + Send + Sync>);

impl<M> Sender<M> {
    pub(super) fn new(send: impl Fn(M) + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Sends a message, which no one sees any more when the loop has ended.
    pub fn send(&self, message: M) {
        (self.0)(message);
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
