//! A terminal that does not show what is typed.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Does `read` while `terminal` shows nothing of what is typed but the end of the line
/// (`man 4 termios`: ECHO, ECHONL).
///
/// # Errors
/// When it is no terminal, or does not obey.
pub(crate) fn without_echo<T>(
    terminal: impl AsFd,
    read: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let before = tcgetattr(&terminal)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    quiet.local_modes.insert(LocalModes::ECHONL);
    // What was typed ahead was shown, and is thrown away.
    tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
    let _restore = Restore(&terminal, before);
    read()
}

struct Restore<'a, F: AsFd>(&'a F, Termios);

impl<F: AsFd> Drop for Restore<'_, F> {
    fn drop(&mut self) {
        // A terminal that has gone needs no echo.
        let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
    }
}
