//! The common parts of icons and notifications: connections to the bus, calls on it, and waiting.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::message::{Header, Message};
use zbus::zvariant::DynamicType;

/// Timeout of every wait. Only a test that fails ever uses it up.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn sender(header: &Header<'_>) -> String {
    header.sender().map(ToString::to_string).unwrap_or_default()
}

#[track_caller]
pub(super) fn builder(address: &str) -> Builder<'_> {
    good(Builder::address(address), address).method_timeout(TIMEOUT)
}

#[track_caller]
pub(super) fn connect(address: &str) -> Connection {
    good(builder(address).build(), address)
}

/// Gives the name back first: the bus notices the end of a connection late, and would refuse the name to the next one.
pub(super) fn leave(connection: &Connection, name: &str) {
    let _ = connection.release_name(name);
    let _ = connection.clone().close();
}

/// Returns whether a connection with this name is on the bus.
pub(super) fn is_there(connection: &Connection, name: &str) -> bool {
    let answer = bus(connection, "org.freedesktop.DBus", "NameHasOwner", &name)
        .and_then(|reply| reply.body().deserialize());
    good(answer, "the bus does not answer")
}

/// Returns whether a connection (`who`, if given) has asked the bus for signals that match such a rule.
pub(super) fn is_listened_for(
    connection: &Connection,
    who: Option<&str>,
    is_it: impl Fn(&str) -> bool,
) -> bool {
    let stats = "org.freedesktop.DBus.Debug.Stats";
    let answer = bus(connection, stats, "GetAllMatchRules", &())
        .and_then(|reply| reply.body().deserialize());
    let rules: HashMap<String, Vec<String>> =
        good(answer, "dbus-daemon has to be one with statistics");
    rules
        .iter()
        .filter(|(name, _)| who.is_none_or(|who| who == *name))
        .any(|(_, rules)| rules.iter().any(|rule| is_it(rule)))
}

fn bus<B>(connection: &Connection, interface: &str, method: &str, body: &B) -> zbus::Result<Message>
where
    B: Serialize + DynamicType,
{
    connection.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some(interface),
        method,
        body,
    )
}

/// Waits until `is_so` returns true; returns whether it did.
pub(super) fn wait(mut is_so: impl FnMut() -> bool) -> bool {
    wait_for(|| is_so().then_some(())).is_some()
}

/// Waits until `look` returns a value.
pub(super) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let found = look();
        if found.is_some() || started.elapsed() > TIMEOUT {
            return found;
        }
        sleep(Duration::from_millis(20));
    }
}

/// The value of `result`; the message of a failure begins with `problem`.
#[track_caller]
pub(super) fn good<T>(result: zbus::Result<T>, problem: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{problem}: {error}"),
    }
}

/// The data that a thread that panicked has left behind is still valid.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}
