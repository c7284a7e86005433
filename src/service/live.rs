//! Making a running engine use the proxy that is configured, without a restart of the app around it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::backend::{Activation, Backend, RestartScope};
use crate::error::{Error, Kind};
use crate::util::poll_until;

/// Makes the running engine of `backend` use the proxy that is configured. The user has consented to a restart of the
/// engine. With `adopt`, it may take over a proxy that someone else wrote into the running engine. Stops at the next step
/// once `cancel` is set.
///
/// # Errors
/// When the engine can't be reached or is not as desired afterwards. What is in use is tried again before that.
pub(crate) fn apply_live(
    backend: &dyn Backend,
    adopt: bool,
    cancel: &AtomicBool,
) -> Result<Activation, Error> {
    retrying(RETRY_DELAY, cancel, || {
        backend.activate(RestartScope::Engine, adopt, cancel)
    })
}

/// Maximum number of attempts while the console is in use.
const ATTEMPTS: u32 = 3;
/// Delay between attempts.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// Interval between checks for cancellation during the delay.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Repeats an attempt after the delay `moment` if something is in use, which may pass.
fn retrying<T>(
    moment: Duration,
    cancel: &AtomicBool,
    mut attempt: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let is_cancelled = || cancel.load(Ordering::Relaxed);
    for _ in 1..ATTEMPTS {
        let error = match attempt() {
            Err(error) if error.kind() == Kind::Busy => error,
            other => return other,
        };
        tracing::debug!("{error}");
        // Another attempt takes about a second, which would delay the end of the program.
        if poll_until(
            Instant::now() + moment,
            POLL_INTERVAL.min(moment),
            is_cancelled,
        ) {
            return Err(error);
        }
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::backend::docker_desktop::initrd::console::ConsoleError;

    fn error(kind: Kind) -> Error {
        let path = PathBuf::from("/tty");
        let error = Error::from(match kind {
            Kind::Busy => ConsoleError::Claimed { path },
            _ => ConsoleError::Closed { path },
        });
        assert_eq!(error.kind(), kind);
        error
    }

    #[test]
    fn a_console_in_use_is_tried_again_a_moment_later_and_nothing_else_is() {
        let (in_use, broken) = (Kind::Busy, Kind::Failure);
        for (outcomes, attempts, is_done) in [
            (vec![None], 1, true),
            (vec![Some(in_use), None], 2, true),
            (vec![Some(in_use), Some(in_use), None], 3, true),
            (vec![Some(in_use); 4], 3, false),
            (vec![Some(broken), None], 1, false),
            (vec![Some(in_use), Some(broken), None], 2, false),
        ] {
            let mut made = 0;
            let go = AtomicBool::new(false);
            let done = retrying(Duration::from_millis(1), &go, || {
                made += 1;
                outcomes[made - 1].map_or(Ok(()), |kind| Err(error(kind)))
            });
            assert_eq!((made, done.is_ok()), (attempts, is_done), "{outcomes:?}");
        }
    }

    #[test]
    fn a_program_that_ends_does_not_wait_for_the_next_attempt() {
        let started = Instant::now();
        let mut made = 0;
        let cancel = AtomicBool::new(true);
        let in_use = || {
            made += 1;
            Err::<(), _>(error(Kind::Busy))
        };
        assert!(retrying(Duration::from_secs(600), &cancel, in_use).is_err());
        assert!(started.elapsed() < Duration::from_secs(300));
        assert_eq!(made, 1, "attempts after it was to end");
    }
}
