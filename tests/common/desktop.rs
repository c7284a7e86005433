//! A desktop that a test plays on a [`Session`]'s bus: the panel that shows icons and their menus, and the server that
//! shows notifications. Both can come late, go away and come back, as on a real desktop.
//!
//! An icon is a StatusNotifierItem (freedesktop.org's document of that name; the names on the bus are KDE's).

#![allow(unused_imports, reason = "each test file uses a part of it")]

#[path = "desktop/bus.rs"]
mod bus;
#[path = "desktop/menu.rs"]
mod menu;
#[path = "desktop/notifications.rs"]
mod notifications;

use std::fmt;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::message::{Header, Message};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value};

use bus::{builder, connect, good, is_listened_for, is_there, leave, lock, sender, wait, wait_for};
pub(crate) use menu::{Entry, EntryKind, Menu};
pub(crate) use notifications::{Notification, Notifications};

use super::session::Session;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// The panel, which shows icons until it is stopped or dropped.
pub(crate) struct Panel {
    address: String,
    connection: Connection,
    registered: Arc<Mutex<Vec<Registered>>>,
}

impl Panel {
    /// Starts a panel on the bus of `session`, which must have no other.
    #[track_caller]
    pub(crate) fn start(session: &Session) -> Self {
        let registered = Arc::<Mutex<Vec<Registered>>>::default();
        let connection = builder(session.address())
            .serve_at(WATCHER_PATH, Watcher(Arc::clone(&registered)))
            .and_then(|builder| builder.name(WATCHER))
            .and_then(Builder::build);
        Self {
            address: session.address().to_owned(),
            connection: good(connection, "no panel could be started"),
            registered,
        }
    }

    /// Waits until a program listens for a panel. A program that has just found none needs a moment before it listens,
    /// and would miss a panel that came in between.
    #[track_caller]
    pub(crate) fn wait_until_awaited(session: &Session) {
        let connection = connect(session.address());
        let rule = |rule: &str| rule.contains(WATCHER) && rule.contains("NameOwnerChanged");
        let is_awaited = wait(|| is_listened_for(&connection, None, rule));
        assert!(is_awaited, "no program waits for a panel");
    }

    /// Waits for an icon with a menu that has entries; of several icons returns the newest.
    #[track_caller]
    pub(crate) fn item(&self) -> Item {
        let connection = connect(&self.address);
        let mut lack = String::new();
        let found = wait_for(|| {
            lack.clear();
            for registered in lock(&self.registered).clone().into_iter().rev() {
                match Item::of(&connection, &registered) {
                    Ok(item) => return Some(item),
                    Err(why) => lack += &format!("\n{} {why}", registered.name),
                }
            }
            None
        });
        let Some(item) = found else {
            panic!("no icon with a menu came up in the panel{lack}");
        };
        item
    }

    /// The number of icons.
    pub(crate) fn count(&self) -> usize {
        let registered = lock(&self.registered).clone();
        registered
            .iter()
            .filter(|registered| is_there(&self.connection, &registered.name))
            .count()
    }

    /// Stops the panel. Icons stay on the bus, and register with the next panel.
    pub(crate) fn stop(self) {}
}

impl Drop for Panel {
    fn drop(&mut self) {
        leave(&self.connection, WATCHER);
    }
}

/// The address of an icon.
#[derive(Clone, PartialEq)]
struct Registered {
    name: String,
    path: String,
}

struct Watcher(Arc<Mutex<Vec<Registered>>>);

/// Never signals that an icon has gone: the only host is the test, which checks by itself.
#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// `service` is a name on the bus, or the path of one of the caller's objects.
    async fn register_status_notifier_item(
        &self,
        service: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        let registered = Registered {
            name: sender(&header),
            path: if service.starts_with('/') {
                service.to_owned()
            } else {
                "/StatusNotifierItem".to_owned()
            },
        };
        {
            let mut all = lock(&self.0);
            all.retain(|other| *other != registered);
            all.push(registered);
        }
        Ok(Self::status_notifier_item_registered(&emitter, service).await?)
    }

    async fn register_status_notifier_host(
        &self,
        _service: &str,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        Ok(Self::status_notifier_host_registered(&emitter).await?)
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        let all = lock(&self.0);
        all.iter()
            .map(|registered| format!("{}{}", registered.name, registered.path))
            .collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(signal)]
    async fn status_notifier_item_registered(
        emitter: &SignalEmitter<'_>,
        service: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn status_notifier_host_registered(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// An icon in the panel. Each question uses its own connection, so the icon outlives its panel.
pub(crate) struct Item {
    connection: Connection,
    place: Registered,
    menu: OwnedObjectPath,
}

impl Item {
    fn of(connection: &Connection, place: &Registered) -> Result<Self, String> {
        let mut item = Self {
            connection: connection.clone(),
            place: place.clone(),
            menu: ObjectPath::from_static_str_unchecked("/").into(),
        };
        item.menu = item
            .property("Menu")
            .map_err(|error| format!("has no menu: {error}"))?;
        match item.layout() {
            Ok(menu) if menu.0.is_empty() => Err("has an empty menu".to_owned()),
            Ok(_) => Ok(item),
            Err(error) => Err(format!("has no menu at {}: {error}", item.menu)),
        }
    }

    #[track_caller]
    pub(crate) fn title(&self) -> String {
        self.wanted("Title")
    }

    /// The tooltip beside the title.
    #[track_caller]
    pub(crate) fn tooltip(&self) -> String {
        let (_, _, _, text): (String, Vec<Pixels>, String, String) = self.wanted("ToolTip");
        text
    }

    /// `Active`, `Passive` (hidden) or `NeedsAttention`.
    #[track_caller]
    pub(crate) fn status(&self) -> String {
        self.wanted("Status")
    }

    /// The picture, in all its sizes.
    #[track_caller]
    pub(crate) fn icon(&self) -> Vec<Pixmap> {
        let pixels: Vec<Pixels> = self.wanted("IconPixmap");
        pixels
            .into_iter()
            .map(|(width, height, argb)| Pixmap {
                width,
                height,
                argb,
            })
            .collect()
    }

    #[track_caller]
    pub(crate) fn menu(&self) -> Menu {
        good(self.layout(), "the menu can't be read")
    }

    /// Clicks on the entry that [`Menu::find`] finds, which has to be enabled. The click may end the program.
    #[track_caller]
    pub(crate) fn click(&self, path: &[&str]) {
        for again in 0.. {
            let menu = self.menu();
            let id = match menu.clickable(path) {
                Ok(id) => id,
                Err(why) => panic!("{why}\n{menu}"),
            };
            let click = (id, "clicked", Value::from(0), 0u32);
            match self.call(self.menu.as_str(), MENU, "Event", &click) {
                Ok(_) => return,
                Err(_) if self.is_gone() => return,
                // The menu was rebuilt between the look-up and the click, so its entries have new numbers.
                Err(zbus::Error::MethodError(name, ..))
                    if name == "org.freedesktop.DBus.Error.InvalidArgs" && again < 5 => {}
                Err(error) => panic!("no click on {path:?}: {error}\n{}", self.shown()),
            }
        }
    }

    /// Clicks on the icon itself.
    #[track_caller]
    pub(crate) fn activate(&self) {
        let reply = self.call(&self.place.path, ITEM, "Activate", &(0, 0));
        good(reply, "no click on the icon");
    }

    /// Waits until `is_so` returns true. `what` completes "waited until".
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let is_so = wait(|| is_so(self));
        assert!(
            is_so,
            "waited until {what}, but the menu is\n{}",
            self.shown()
        );
    }

    /// Returns whether its program has left the bus.
    pub(crate) fn is_gone(&self) -> bool {
        !is_there(&self.connection, &self.place.name)
    }

    /// Waits until its program has left the bus.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self) {
        self.wait_until("the icon is gone", Self::is_gone);
    }

    fn shown(&self) -> String {
        match self.layout() {
            Ok(menu) => menu.to_string(),
            Err(error) => format!("not to be read: {error}"),
        }
    }

    fn layout(&self) -> zbus::Result<Menu> {
        let reply = self.call(
            self.menu.as_str(),
            MENU,
            "GetLayout",
            &(0, -1, Vec::<&str>::new()),
        )?;
        Menu::read(&reply)
    }

    #[track_caller]
    fn wanted<T>(&self, name: &str) -> T
    where
        T: TryFrom<OwnedValue>,
        T::Error: Into<zbus::Error>,
    {
        good(
            self.property(name),
            &format!("the icon's {name} can't be read"),
        )
    }

    fn property<T>(&self, name: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedValue>,
        T::Error: Into<zbus::Error>,
    {
        let properties = "org.freedesktop.DBus.Properties";
        let reply = self.call(&self.place.path, properties, "Get", &(ITEM, name))?;
        let value: OwnedValue = reply.body().deserialize()?;
        value.try_into().map_err(Into::into)
    }

    fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: Serialize + DynamicType,
    {
        self.connection
            .call_method(Some(&*self.place.name), path, Some(interface), method, body)
    }
}

/// Width, height, and four bytes for each pixel: alpha, red, green, blue.
type Pixels = (i32, i32, Vec<u8>);

/// The picture of an icon in one size.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pixmap {
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// Four bytes for each pixel: alpha, red, green, blue.
    pub(crate) argb: Vec<u8>,
}

impl fmt::Debug for Pixmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let visible = self.argb.chunks(4).filter(|pixel| pixel[0] != 0).count();
        write!(
            f,
            "{} x {} pixels, {visible} of them visible",
            self.width, self.height
        )
    }
}
