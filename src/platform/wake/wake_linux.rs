//! The detection of a wake on Linux, with a clock that keeps running during sleep.

use std::thread;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Interval of the timer. A timer that expires during sleep fires on wake.
const CHECK_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// A watcher for the end of sleep. It runs until the program ends.
#[derive(Debug)]
pub struct Watch;

/// Calls `on_wake`, on a separate thread, after a sleep, and otherwise every quarter of an hour.
pub fn watch(on_wake: impl Fn() + Send + Sync + 'static) -> Option<Watch> {
    // `man 2 timerfd_create`: CLOCK_BOOTTIME counts the time that the system is suspended.
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC).ok()?;
    let length = Timespec {
        tv_sec: CHECK_INTERVAL.as_secs().try_into().ok()?,
        tv_nsec: 0,
    };
    let every = Itimerspec {
        it_interval: length,
        it_value: length,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every).ok()?;
    thread::Builder::new()
        .name("wake".to_owned())
        .spawn(move || {
            let mut rings = [0; 8];
            while rustix::io::read(&timer, &mut rings).is_ok() {
                on_wake();
            }
        })
        .ok()?;
    Some(Watch)
}
