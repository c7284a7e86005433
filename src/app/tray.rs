//! The icon and its drawn menu. Only this module uses the `tray_icon` crate.

use std::error::Error as StdError;

use tray_icon::menu::accelerator::{Accelerator, CMD_OR_CTRL, Code};
use tray_icon::menu::{
    CheckMenuItem, IsMenuItem, Menu as Drawn, MenuEvent, MenuItem, PredefinedMenuItem, Submenu,
};
use tray_icon::{Icon, TrayIcon, TrayIconBuilder, TrayIconEvent};

use super::menu::{Command, Item, Menu, Shape};
#[cfg(not(target_os = "macos"))]
use super::tray_linux::{Status, say};
#[cfg(target_os = "macos")]
use super::tray_macos::{Status, say};
use super::{AppError, icons};

/// The icon with its menu. It belongs to the main thread.
pub(super) struct Tray {
    icon: TrayIcon,
    face: Face,
    menu: Menu,
    lines: Vec<Line>,
}

/// What is visible, or read aloud, without the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Face {
    /// The shape of the icon.
    pub(super) shape: Shape,
    /// The state, as a title and as the label for VoiceOver.
    pub(super) title: String,
    /// The sentence about the state.
    pub(super) tooltip: String,
}

/// A drawn line of the menu.
enum Line {
    Separator(PredefinedMenuItem),
    Status(Status),
    Text(MenuItem),
    Check(CheckMenuItem),
    Submenu(Submenu, Vec<Line>),
}

impl Tray {
    /// Puts the icon into the menu bar. `on_choice` is called on any thread with the id of the chosen item, and
    /// `on_approach` before the menu opens, where the system reports that.
    pub(super) fn new(
        face: Face,
        menu: Menu,
        on_choice: impl Fn(String) + Send + Sync + 'static,
        on_approach: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, AppError> {
        MenuEvent::set_event_handler(Some(move |event: MenuEvent| on_choice(event.id.0)));
        TrayIconEvent::set_event_handler(Some(move |event| {
            if let TrayIconEvent::Enter { .. } | TrayIconEvent::Click { .. } = event {
                on_approach();
            }
        }));
        let lines: Vec<Line> = menu.items.iter().map(draw).collect();
        let builder = TrayIconBuilder::new()
            .with_id("baleen")
            .with_tooltip(&face.tooltip)
            .with_menu(Box::new(whole(&lines)?));
        let icon = with_icon(builder, icon(face.shape)?)
            .build()
            .map_err(refused)?;
        say(&icon, &face.title);
        Ok(Self {
            icon,
            face,
            menu,
            lines,
        })
    }

    /// Shows a new state.
    pub(super) fn show(&mut self, face: Face, menu: Menu) {
        let shown = self.try_show(face, menu);
        if let Err(error) = shown {
            tracing::warn!("{error}");
        }
    }

    fn try_show(&mut self, face: Face, menu: Menu) -> Result<(), AppError> {
        let before = std::mem::replace(&mut self.face, face);
        let face = &self.face;
        if before.shape != face.shape {
            set_icon(&self.icon, icon(face.shape)?)?;
        }
        if before.tooltip != face.tooltip {
            self.icon
                .set_tooltip(Some(&face.tooltip))
                .map_err(refused)?;
        }
        if before.title != face.title {
            say(&self.icon, &face.title);
        }
        // Line-by-line changes keep an open menu open.
        if same_shape(&self.menu.items, &menu.items) {
            redraw(&self.lines, &menu.items);
        } else {
            self.lines = menu.items.iter().map(draw).collect();
            self.icon.set_menu(Some(Box::new(whole(&self.lines)?)));
        }
        self.menu = menu;
        Ok(())
    }
}

fn icon(shape: Shape) -> Result<Icon, AppError> {
    Icon::from_rgba(icons::rgba(shape), icons::SIZE, icons::SIZE).map_err(refused)
}

#[cfg(target_os = "macos")]
fn with_icon(builder: TrayIconBuilder, icon: Icon) -> TrayIconBuilder {
    builder.with_icon_templated(icon)
}

#[cfg(not(target_os = "macos"))]
fn with_icon(builder: TrayIconBuilder, icon: Icon) -> TrayIconBuilder {
    builder.with_icon(icon)
}

#[cfg(target_os = "macos")]
fn set_icon(tray: &TrayIcon, icon: Icon) -> Result<(), AppError> {
    tray.set_icon_templated(Some(icon)).map_err(refused)
}

#[cfg(not(target_os = "macos"))]
fn set_icon(tray: &TrayIcon, icon: Icon) -> Result<(), AppError> {
    tray.set_icon(Some(icon)).map_err(refused)
}

fn refused(error: impl StdError + Send + Sync + 'static) -> AppError {
    AppError::Icon(Box::new(error))
}

fn whole(lines: &[Line]) -> Result<Drawn, AppError> {
    let items: Vec<&dyn IsMenuItem> = lines.iter().map(Line::item).collect();
    Drawn::with_items(&items).map_err(refused)
}

impl Line {
    fn item(&self) -> &dyn IsMenuItem {
        match self {
            Self::Separator(item) => item,
            Self::Status(item) => item.item(),
            Self::Text(item) => item,
            Self::Check(item) => item,
            Self::Submenu(item, _) => item,
        }
    }
}

/// Returns the keys for a command. On macOS they are Command-comma and Command-Q, as Apple's guidelines have them
/// (<https://developer.apple.com/design/human-interface-guidelines/keyboards>).
fn keys(command: Command) -> Option<Accelerator> {
    let key = match command {
        Command::OpenSettings => Code::Comma,
        Command::Quit => Code::KeyQ,
        _ => return None,
    };
    Some(Accelerator::new(CMD_OR_CTRL, key))
}

/// Escapes ampersands. A single one would make the next letter a mnemonic.
pub(super) fn plain(text: &str) -> String {
    text.replace('&', "&&")
}

fn draw(item: &Item) -> Line {
    let id = item.id().unwrap_or_default();
    match item {
        Item::Separator => Line::Separator(PredefinedMenuItem::separator()),
        Item::Label(text) => Line::Text(MenuItem::new(plain(text), false, None)),
        Item::Status { shape, text } => Line::Status(Status::new(*shape, text)),
        Item::Button {
            command,
            text,
            enabled,
        } => Line::Text(MenuItem::with_id(id, plain(text), *enabled, keys(*command))),
        Item::Check {
            text,
            enabled,
            checked,
            ..
        } => Line::Check(CheckMenuItem::with_id(
            id,
            plain(text),
            *enabled,
            *checked,
            None,
        )),
        Item::Submenu { text, items } => {
            let lines: Vec<Line> = items.iter().map(draw).collect();
            let submenu = Submenu::new(plain(text), true);
            for line in &lines {
                // It fails only for items that are already in another menu.
                let _ = submenu.append(line.item());
            }
            Line::Submenu(submenu, lines)
        }
    }
}

/// Returns whether changes of texts and check marks can turn one menu into the other.
fn same_shape(one: &[Item], other: &[Item]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Item::Submenu { items: one, .. }, Item::Submenu { items: other, .. }) => {
                same_shape(one, other)
            }
            (one, other) => {
                std::mem::discriminant(one) == std::mem::discriminant(other)
                    && one.id() == other.id()
            }
        })
}

/// Sets everything, even unchanged parts: a line with a check mark toggles it when chosen.
fn redraw(lines: &[Line], items: &[Item]) {
    for pair in lines.iter().zip(items) {
        match pair {
            (Line::Status(line), Item::Status { shape, text }) => line.set(*shape, text),
            (Line::Text(line), Item::Label(text)) => line.set_text(plain(text)),
            (Line::Text(line), Item::Button { text, enabled, .. }) => {
                line.set_text(plain(text));
                line.set_enabled(*enabled);
            }
            (
                Line::Check(line),
                Item::Check {
                    text,
                    enabled,
                    checked,
                    ..
                },
            ) => {
                line.set_text(plain(text));
                line.set_enabled(*enabled);
                line.set_checked(*checked);
            }
            (Line::Submenu(line, lines), Item::Submenu { text, items }) => {
                line.set_text(plain(text));
                redraw(lines, items);
            }
            _ => {}
        }
    }
}
