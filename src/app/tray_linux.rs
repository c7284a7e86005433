//! The parts of the icon and of its menu that differ from macOS: on other systems they are plain.

use tray_icon::TrayIcon;
use tray_icon::menu::{IsMenuItem, MenuItem};

use super::menu::Shape;
use super::tray::plain;

/// Sets the title, which panels show or read aloud.
pub(super) fn say(icon: &TrayIcon, title: &str) {
    icon.set_title(Some(title));
}

/// The line with the state. Whether a panel draws images in menus is its own affair, so it has none.
pub(super) struct Status(MenuItem);

impl Status {
    pub(super) fn new(_: Shape, text: &str) -> Self {
        // Choosing it does nothing, but what can't be chosen is drawn pale.
        Self(MenuItem::new(plain(text), true, None))
    }

    pub(super) fn set(&self, _: Shape, text: &str) {
        self.0.set_text(plain(text));
    }

    pub(super) fn item(&self) -> &dyn IsMenuItem {
        &self.0
    }
}
