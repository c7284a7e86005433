//! Notes by the Desktop Notifications Specification
//! (<https://specifications.freedesktop.org/notification-spec/latest/>), over the session's message bus.
//!
//! One connection for all, which listens before anything is shown: a button that is pressed at once is heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::Value;

use super::Notification;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// Numbers of the notes on the screen, by their ids.
type Shown = Arc<Mutex<HashMap<String, u32>>>;

/// Shows notes.
pub struct Notifier {
    proxy: Proxy<'static>,
    shown: Shown,
    on_refused: Box<dyn Fn(String) + Send + Sync>,
}

impl Notifier {
    /// Calls `on_press`, on a thread of its own, with the id of a note and the key of the button that was pressed on
    /// it, and `on_refused` with the reason when a note can't be shown. Nothing where there is no session.
    pub fn new(
        on_press: impl Fn(String, String) + Send + Sync + 'static,
        on_refused: impl Fn(String) + Send + Sync + 'static,
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
                    // It goes with the press; one on any other note is none of Baleen's.
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

    /// Shows a note.
    pub fn show(&self, notification: &Notification) {
        let mut actions = vec!["default", ""];
        for button in &notification.buttons {
            actions.extend([button.key.as_str(), button.label.as_str()]);
        }
        let hints = HashMap::from([("desktop-entry", Value::from("baleen"))]);
        // Held until the number is known, so that a press in the meantime waits for it.
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
                (self.on_refused)(error.to_string());
            }
        }
    }
}

fn locked(shown: &Shown) -> MutexGuard<'_, HashMap<String, u32>> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body may be marked up, as in `<b>`.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
