//! The server that shows notifications (Desktop Notifications Specification 1.2).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{DynamicType, OwnedValue};

use super::super::session::Session;
use super::bus::{builder, good, is_listened_for, leave, lock, sender, wait, wait_for};

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";

/// A notification, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    pub(crate) id: u32,
    /// The number of the notification that this one replaces, or 0.
    pub(crate) replaces: u32,
    pub(crate) app_name: String,
    pub(crate) summary: String,
    pub(crate) body: String,
    /// The keys and the labels of the buttons.
    pub(crate) actions: Vec<(String, String)>,
    /// 0 is low, 1 normal, 2 critical.
    pub(crate) urgency: Option<u8>,
    sender: String,
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if self.replaces != 0 {
            write!(f, " in the place of {}", self.replaces)?;
        }
        write!(
            f,
            ", {}: {:?}, {:?}",
            self.app_name, self.summary, self.body
        )?;
        for (_, label) in &self.actions {
            write!(f, " [{label}]")?;
        }
        Ok(())
    }
}

/// The server that shows notifications until it is stopped or dropped.
pub(crate) struct Notifications {
    connection: Connection,
    shown: Arc<Mutex<Shown>>,
    /// The notifications that a wait has already returned.
    taken: Mutex<HashSet<usize>>,
}

impl Notifications {
    /// Starts the server on the bus of `session`, which must have no other.
    #[track_caller]
    pub(crate) fn start(session: &Session) -> Self {
        let shown = Arc::<Mutex<Shown>>::default();
        let connection = builder(session.address())
            .serve_at(NOTIFICATIONS_PATH, Server(Arc::clone(&shown)))
            .and_then(|builder| builder.name(NOTIFICATIONS))
            .and_then(Builder::build);
        Self {
            connection: good(connection, "no notifications could be started"),
            shown,
            taken: Mutex::default(),
        }
    }

    /// All notifications that came, in order.
    pub(crate) fn all(&self) -> Vec<Notification> {
        lock(&self.shown).all.clone()
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Notification) -> bool) -> usize {
        self.all().iter().filter(|one| is_it(one)).count()
    }

    /// Waits for a notification that no wait has returned before. `what` completes "no notification".
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        what: &str,
        is_it: impl Fn(&Notification) -> bool,
    ) -> Notification {
        let found = wait_for(|| {
            let mut taken = lock(&self.taken);
            let mut all = self.all().into_iter().enumerate();
            let (index, found) = all.find(|(index, one)| !taken.contains(index) && is_it(one))?;
            taken.insert(index);
            Some(found)
        });
        let Some(notification) = found else {
            panic!("no notification {what} came, but{}", listed(&self.all()));
        };
        notification
    }

    /// Presses the button with this label, as soon as the program listens for that on the connection from which it sent
    /// the notification. With notify-rust it listens only after the notification is on the screen.
    #[track_caller]
    pub(crate) fn press(&self, notification: &Notification, label: &str) {
        let action = notification.actions.iter().find(|(_, text)| text == label);
        let Some((key, _)) = action else {
            panic!("no button {label:?}: {notification}");
        };
        assert!(self.is_open(notification), "was closed: {notification}");
        let rule = |rule: &str| {
            rule.contains(NOTIFICATIONS)
                && (!rule.contains("member=") || rule.contains("ActionInvoked"))
        };
        let is_heard = wait(|| is_listened_for(&self.connection, Some(&notification.sender), rule));
        assert!(is_heard, "its program does not listen: {notification}");
        // A program may subscribe to signals first, and start to read them right after that.
        sleep(Duration::from_millis(100));
        self.emit("ActionInvoked", &(notification.id, key));
        self.close(notification);
    }

    /// Closes the notification as its user does, without pressing a button.
    #[track_caller]
    pub(crate) fn dismiss(&self, notification: &Notification) {
        assert!(self.is_open(notification), "was closed: {notification}");
        self.close(notification);
    }

    /// Returns whether it is still on the screen: neither closed by its program or by the test, nor replaced.
    pub(crate) fn is_open(&self, notification: &Notification) -> bool {
        let shown = lock(&self.shown);
        let last = shown.all.iter().rfind(|one| one.id == notification.id);
        shown.open.contains(&notification.id) && last == Some(notification)
    }

    /// Fails if another notification comes within `time`.
    #[track_caller]
    pub(crate) fn assert_no_more_for(&self, time: Duration) {
        let (before, started) = (self.all().len(), Instant::now());
        while started.elapsed() < time {
            let all = self.all();
            assert!(
                all.len() == before,
                "came as well:{}",
                listed(&all[before..])
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server, which removes everything from the screen.
    pub(crate) fn stop(self) {}

    #[track_caller]
    fn close(&self, notification: &Notification) {
        lock(&self.shown).open.remove(&notification.id);
        self.emit("NotificationClosed", &(notification.id, BY_ITS_USER));
    }

    #[track_caller]
    fn emit<B>(&self, signal: &str, body: &B)
    where
        B: Serialize + DynamicType,
    {
        let none = None::<&str>;
        let sent =
            self.connection
                .emit_signal(none, NOTIFICATIONS_PATH, NOTIFICATIONS, signal, body);
        good(sent, "a signal could not be sent");
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        leave(&self.connection, NOTIFICATIONS);
    }
}

/// Reasons of `NotificationClosed`.
const BY_ITS_USER: u32 = 2;
const BY_ITS_PROGRAM: u32 = 3;

#[derive(Default)]
struct Shown {
    all: Vec<Notification>,
    open: HashSet<u32>,
    last_id: u32,
}

struct Server(Arc<Mutex<Shown>>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    fn notify(
        &self,
        app_name: String,
        replaces: u32,
        _app_icon: &str,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
        #[zbus(header)] header: Header<'_>,
    ) -> u32 {
        let mut shown = lock(&self.0);
        let id = if shown.open.contains(&replaces) {
            replaces
        } else {
            shown.last_id += 1;
            shown.last_id
        };
        shown.open.insert(id);
        shown.all.push(Notification {
            id,
            replaces,
            app_name,
            summary,
            body,
            actions: actions
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
            urgency: hints.get("urgency").and_then(|hint| hint.try_into().ok()),
            sender: sender(&header),
        });
        id
    }

    async fn close_notification(
        &self,
        id: u32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        if lock(&self.0).open.remove(&id) {
            Self::notification_closed(&emitter, id, BY_ITS_PROGRAM).await?;
        }
        Ok(())
    }

    fn get_capabilities(&self) -> Vec<&str> {
        vec!["actions", "body"]
    }

    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("A test's desktop", "Baleen", "1", "1.2")
    }

    #[zbus(signal)]
    async fn action_invoked(
        emitter: &SignalEmitter<'_>,
        id: u32,
        action_key: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

fn listed(all: &[Notification]) -> String {
    if all.is_empty() {
        return " none".to_owned();
    }
    all.iter().map(|one| format!("\n{one}")).collect()
}
