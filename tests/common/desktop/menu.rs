//! The menu of an icon, as `com.canonical.dbusmenu` hands it out (the file `dbus-menu.xml` of libdbusmenu).

use std::collections::HashMap;
use std::fmt;

use zbus::message::Message;
use zbus::zvariant::{OwnedValue, Structure};

/// The entries from top to bottom. Printed, each takes one line, and those of a submenu are indented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Menu(pub(crate) Vec<Entry>);

/// One line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: i32,
    /// The label as the user sees it, without the underscores that mark keys.
    pub(crate) label: String,
    pub(crate) enabled: bool,
    pub(crate) visible: bool,
    pub(crate) kind: EntryKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Separator,
    Button,
    Check(bool),
    Submenu(Menu),
}

impl Menu {
    /// The menu in a reply to `GetLayout`.
    pub(super) fn read(reply: &Message) -> zbus::Result<Self> {
        let (_, (_, _, below)): (u32, Layout) = reply.body().deserialize()?;
        Ok(Self(entries(below)?))
    }

    /// The entry that the labels lead to, in the menu or in the only submenu that has it. A label that ends in `…` matches
    /// every label with that beginning.
    pub(crate) fn find(&self, path: &[&str]) -> Result<&Entry, String> {
        let (first, rest) = path.split_first().ok_or("a path needs a label")?;
        let mut found: Vec<&Entry> = self.matching(|label| label == *first);
        if let (true, Some(start)) = (found.is_empty(), first.strip_suffix('…')) {
            found = self.matching(|label| label.starts_with(start));
        }
        if found.is_empty() {
            let below: Vec<&Entry> = self
                .0
                .iter()
                .filter_map(|entry| match &entry.kind {
                    EntryKind::Submenu(menu) => menu.find(path).ok(),
                    _ => None,
                })
                .collect();
            if let [entry] = below[..] {
                return Ok(entry);
            }
        }
        let [entry] = found[..] else {
            return Err(format!("{} entries {first:?} in the menu", found.len()));
        };
        match (&entry.kind, rest) {
            (_, []) => Ok(entry),
            (EntryKind::Submenu(menu), _) => menu.find(rest),
            _ => Err(format!("{first:?} is no submenu")),
        }
    }

    /// [`Menu::find`] for an entry that must exist.
    #[track_caller]
    pub(crate) fn entry(&self, path: &[&str]) -> &Entry {
        match self.find(path) {
            Ok(entry) => entry,
            Err(why) => panic!("{why}\n{self}"),
        }
    }

    pub(crate) fn has(&self, path: &[&str]) -> bool {
        self.find(path).is_ok()
    }

    /// The visible entries of the menu, without separators.
    pub(crate) fn labels(&self) -> Vec<&str> {
        self.matching(|_| true)
            .into_iter()
            .map(|entry| &*entry.label)
            .collect()
    }

    fn matching(&self, is_it: impl Fn(&str) -> bool) -> Vec<&Entry> {
        self.0
            .iter()
            .filter(|entry| entry.visible && entry.kind != EntryKind::Separator)
            .filter(|entry| is_it(&entry.label))
            .collect()
    }

    /// The number of an entry that can be clicked, as can all entries that lead to it.
    pub(super) fn clickable(&self, path: &[&str]) -> Result<i32, String> {
        let mut id = Err("a path needs a label".to_owned());
        for length in 1..=path.len() {
            let entry = self.find(&path[..length])?;
            if !entry.enabled {
                return Err(format!("{:?} is disabled", entry.label));
            }
            id = match entry.kind {
                EntryKind::Submenu(_) => Err(format!("{:?} is a submenu", entry.label)),
                _ => Ok(entry.id),
            };
        }
        id
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        for entry in &self.0 {
            let mut line = match &entry.kind {
                EntryKind::Separator => "---".to_owned(),
                EntryKind::Button => entry.label.clone(),
                EntryKind::Check(true) => format!("[x] {}", entry.label),
                EntryKind::Check(false) => format!("[ ] {}", entry.label),
                EntryKind::Submenu(_) => format!("{} >", entry.label),
            };
            if !entry.enabled {
                line = format!("({line})");
            }
            if !entry.visible {
                line += " hidden";
            }
            writeln!(f, "{:1$}{line}", "", 4 * depth)?;
            if let EntryKind::Submenu(menu) = &entry.kind {
                menu.print(f, depth + 1)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Menu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl Entry {
    /// Returns whether the entry has a check mark.
    pub(crate) fn is_checked(&self) -> bool {
        self.kind == EntryKind::Check(true)
    }
}

/// The number of an entry, its properties, and the entries below it.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

fn entries(layouts: Vec<OwnedValue>) -> zbus::Result<Vec<Entry>> {
    layouts
        .into_iter()
        .map(|layout| {
            let layout: Layout = Structure::try_from(layout)?.try_into()?;
            entry(layout)
        })
        .collect()
}

fn entry((id, mut said, below): Layout) -> zbus::Result<Entry> {
    let mut text = |name: &str| -> zbus::Result<Option<String>> {
        Ok(said.remove(name).map(String::try_from).transpose()?)
    };
    let label = text("label")?.unwrap_or_default();
    let is_separator = text("type")?.as_deref() == Some("separator");
    let is_submenu = text("children-display")?.as_deref() == Some("submenu");
    let is_toggle = text("toggle-type")?.is_some_and(|kind| !kind.is_empty());
    let state = said.remove("toggle-state").map(i32::try_from).transpose()?;
    let kind = if is_separator {
        EntryKind::Separator
    } else if is_submenu {
        EntryKind::Submenu(Menu(entries(below)?))
    } else if is_toggle {
        EntryKind::Check(state == Some(1))
    } else {
        EntryKind::Button
    };
    let mut flag = |name: &str| said.remove(name).map(bool::try_from).transpose();
    Ok(Entry {
        id,
        label: without_mnemonic(&label),
        enabled: flag("enabled")?.unwrap_or(true),
        visible: flag("visible")?.unwrap_or(true),
        kind,
    })
}

/// Two underscores stand for one, and a single one is invisible.
fn without_mnemonic(label: &str) -> String {
    label
        .split("__")
        .map(|part| part.replace('_', ""))
        .collect::<Vec<_>>()
        .join("_")
}
