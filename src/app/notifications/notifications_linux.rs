//! Notifications by the Desktop Notifications Specification
//! (<https://specifications.freedesktop.org/notification-spec/latest/>), over the session's message bus.
//!
//! All notifications use one connection. It listens before anything is shown, so an immediate press of a
//! button is not lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::Value;

use super::Notification;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The server's numbers of the notifications on the screen, by id.
type Shown = Arc<Mutex<HashMap<String, u32>>>;

/// The sender of notifications.
pub(crate) struct Notifier {
    proxy: Proxy<'static>,
    shown: Shown,
    on_refused: Box<dyn Fn(String, String) + Send + Sync>,
}

impl Notifier {
    /// Calls `on_press` on a separate thread with the id of a notification and the key of its pressed button,
    /// and `on_refused` with the id and the reason when a notification can't be shown. Returns `None` without a session.
    pub(crate) fn new(
        on_press: impl Fn(String, String) + Send + Sync + 'static,
        on_refused: impl Fn(String, String) + Send + Sync + 'static,
    ) -> Option<Self> {
        let proxy = Connection::session()
            .and_then(|connection| Proxy::new(&connection, NAME, PATH, NAME))
            .inspect_err(|error| tracing::warn!("no notifications on this computer: {error}"))
            .ok()?;
        let shown = Shown::default();
        let pressed = proxy
            .receive_signal("ActionInvoked")
            .inspect_err(|error| {
                tracing::warn!("no buttons on notifications on this computer: {error}")
            })
            .ok()?;
        let known = shown.clone();
        thread::Builder::new()
            .name("notifications".to_owned())
            .spawn(move || {
                for signal in pressed {
                    let Ok((number, key)) = signal.body().deserialize::<(u32, String)>() else {
                        continue;
                    };
                    // A press closes the notification. Presses on other apps' notifications are ignored.
                    let pressed = locked(&known)
                        .extract_if(|_, shown| *shown == number)
                        .next();
                    if let Some((id, _)) = pressed {
                        on_press(id, key);
                    }
                }
            })
            .ok()?;
        Some(Self {
            proxy,
            shown,
            on_refused: Box::new(on_refused),
        })
    }

    /// Shows a notification.
    pub(crate) fn show(&self, notification: &Notification) {
        let mut actions = vec!["default", ""];
        for button in &notification.buttons {
            actions.extend([button.key.as_str(), button.label.as_str()]);
        }
        let hints = HashMap::from([("desktop-entry", Value::from("baleen"))]);
        // The lock is held until the number is known, so that an early press waits for it.
        let mut shown = locked(&self.shown);
        let replaced = shown.get(&notification.id).copied().unwrap_or(0);
        let body = escaped(&notification.body);
        let arguments = (
            "Baleen",
            replaced,
            "",
            &notification.title,
            body,
            actions,
            hints,
            -1,
        );
        match self.proxy.call::<_, _, u32>("Notify", &arguments) {
            Ok(number) => {
                shown.insert(notification.id.clone(), number);
            }
            Err(error) => {
                drop(shown);
                (self.on_refused)(notification.id.clone(), error.to_string());
            }
        }
    }
}

fn locked(shown: &Shown) -> MutexGuard<'_, HashMap<String, u32>> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Escapes markup such as `<b>`, which is allowed in a body.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
