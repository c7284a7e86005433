//! What has to be asked of a terminal: its width, and not to show what is typed.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

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

/// How many characters a line of it has; nothing where it is no terminal, or does not say.
pub(crate) fn columns(terminal: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

struct Restore<'a, F: AsFd>(&'a F, Termios);

impl<F: AsFd> Drop for Restore<'_, F> {
    fn drop(&mut self) {
        // A terminal that has gone needs no echo.
        let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
    }
}
