//! Small helpers that several modules use.

use std::fmt::Write;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the seconds since 1970; 0 for an earlier time.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Locks a mutex whose contents are whole even if a thread that held it has panicked.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls `is_so` until it returns true or `deadline` has passed. Returns whether it did.
pub(crate) fn poll_until(
    deadline: Instant,
    interval: Duration,
    mut is_so: impl FnMut() -> bool,
) -> bool {
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(interval);
    }
}

/// Returns the result of `call`, which runs on a thread with this name. A call can't be canceled: one
/// that takes longer than `timeout` continues in the background, and its result is dropped.
///
/// # Errors
/// When the thread can't be started; [`io::ErrorKind::TimedOut`] when the call takes too long.
pub(crate) fn call_with_timeout<T: Send + 'static>(
    thread: &str,
    timeout: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name(thread.to_owned())
        .spawn(move || {
            // Fails if the receiver has stopped waiting.
            let _ = sender.send(call());
        })?;
    receiver
        .recv_timeout(timeout)
        .map_err(|_| io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_two_digits_each() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
    }

    #[test]
    fn polling_ends_with_success_or_at_the_deadline() {
        let interval = Duration::from_millis(1);
        let mut left = 3;
        let soon = Instant::now() + Duration::from_secs(60);
        assert!(poll_until(soon, interval, || {
            left -= 1;
            left == 0
        }));
        // The condition is checked at least once, even after the deadline.
        assert!(poll_until(Instant::now(), interval, || true));
        assert!(!poll_until(Instant::now(), interval, || false));
    }

    #[test]
    fn a_call_that_takes_too_long_is_abandoned() {
        let second = Duration::from_secs(1);
        assert_eq!(call_with_timeout("test", 60 * second, || 7).unwrap(), 7);
        let (_kept, blocked) = mpsc::channel::<()>();
        let error =
            call_with_timeout("test", second / 100, move || blocked.recv().is_ok()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
