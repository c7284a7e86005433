//! The terminal: its width, and input without echo.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Runs `read` while `terminal` does not echo the typed characters except the end of the line
/// (`man 4 termios`: ECHO, ECHONL).
///
/// # Errors
/// When it is not a terminal, or does not accept the settings.
pub(crate) fn without_echo<T>(
    terminal: impl AsFd,
    read: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let before = tcgetattr(&terminal)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    quiet.local_modes.insert(LocalModes::ECHONL);
    // Characters typed before this were echoed. They are discarded.
    tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
    let _restore = Restore(&terminal, before);
    read()
}

/// Returns the number of columns. `None` if it is not a terminal or does not say.
pub(crate) fn columns(terminal: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

struct Restore<'a, F: AsFd>(&'a F, Termios);

impl<F: AsFd> Drop for Restore<'_, F> {
    fn drop(&mut self) {
        // A terminal that no longer exists needs no echo.
        let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
    }
}
