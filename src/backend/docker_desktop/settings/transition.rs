//! Which values are to be written: to put Docker behind a proxy, or to give back what was there before.

use crate::backend::ChangedSince;
use crate::proxy::EngineProxy;

use super::access::Access;
use super::error::SettingsError;
use super::leaf::{InForce, Leaf, LeafValue, Values};
use super::look::Look;
use super::observe::{has_no_other, ours, shown};
use super::record::Record;
use super::target::values_for;

/// The values that put Docker behind a proxy.
#[derive(Debug)]
pub(super) struct Application {
    /// All that Baleen sets.
    pub(super) applied: Values,
    /// Those that Docker does not have yet.
    pub(super) values: Values,
    /// True if what someone else has set is taken over.
    pub(super) is_adopted: bool,
    /// True if something has taken out what Baleen had set.
    pub(super) is_repair: bool,
}

/// Returns the values that put Docker behind `proxy`.
///
/// # Errors
/// When someone else has set a proxy, and it is not to be taken over.
pub(super) fn applying(
    proxy: &EngineProxy,
    found: &InForce,
    look: &Look,
    adopt: bool,
    known: Option<&Record>,
) -> Result<Application, SettingsError> {
    let is_ours = known.is_some_and(|record| ours(record, found).is_some());
    let is_known = is_ours || has_no_other(known, found, look);
    if !is_known && !adopt {
        return Err(SettingsError::Foreign {
            found: shown(found),
        });
    }
    let mut applied = values_for(proxy, found, &look.values);
    if look.containers_locked {
        applied.remove(&Leaf::ContainersMode);
    }
    let values = applied
        .iter()
        .filter(|(leaf, value)| look.value(**leaf).text(**leaf) != value.text(**leaf))
        .map(|(leaf, value)| (*leaf, value.clone()))
        .collect();
    Ok(Application {
        applied,
        values,
        is_adopted: !is_known,
        is_repair: !is_ours && known.is_some_and(Record::was_set),
    })
}

/// The settings that get back what was there before.
#[derive(Debug, Default)]
pub(super) struct Restoration {
    /// The settings to write.
    pub(super) leaves: Vec<Leaf>,
    /// The settings that can't be written now, since Docker does not show them, or an administrator has locked them.
    pub(super) left: Vec<Leaf>,
}

/// Returns the settings that get back what was there before.
///
/// # Errors
/// When someone else has set a value since, and `on_change` does not say what becomes of it.
pub(super) fn restoring(
    found: &InForce,
    look: &Look,
    on_change: ChangedSince,
    record: &Record,
) -> Result<Restoration, SettingsError> {
    let mut restoration = Restoration::default();
    let is_socket = look.access == Access::Socket;
    let mut changed_since = false;
    for leaf in record.leaves() {
        let now = look.value(leaf);
        let is_shown = !is_socket || look.values.contains_key(&leaf);
        let is_locked = leaf == Leaf::ContainersMode && look.containers_locked;
        // Over the socket a missing value is Docker's default.
        let is_back = match is_socket {
            true => record.is_from_before(leaf, &now),
            false => record.is_exactly_from_before(leaf, &now),
        };
        if is_back && is_shown {
            continue;
        }
        if !is_shown || is_locked {
            restoration.left.push(leaf);
            continue;
        }
        let text = now.text(leaf);
        // A reset put Docker's default there, and not the value from before Baleen.
        let is_default = text.as_deref() == Some(leaf.default_text())
            || leaf == Leaf::Mode && text.as_deref() == Some("");
        if is_default
            || record.is_set_by_baleen(leaf, &now)
            || record.is_from_before(leaf, &now)
            || on_change == ChangedSince::Replace
        {
            restoration.leaves.push(leaf);
        } else {
            changed_since = true;
        }
    }
    let will_follow = !restoration.leaves.contains(&Leaf::Mode) || record.followed_before();
    // An address that Docker does not use, and will not use, need not be decided about.
    if changed_since && !(found.follows_system() && will_follow) {
        match on_change {
            ChangedSince::Refuse | ChangedSince::Replace => {
                return Err(SettingsError::ChangedSince {
                    found: shown(found),
                });
            }
            // The rest of someone else's proxy may rest on what Baleen has set.
            ChangedSince::Keep => restoration
                .leaves
                .retain(|leaf| *leaf == Leaf::ContainersMode),
        }
    }
    Ok(restoration)
}

impl Restoration {
    /// Returns the values to write. A password may have to be read from the password store.
    pub(super) fn values(&self, look: &Look, record: &Record) -> Result<Values, SettingsError> {
        let value = |leaf: &Leaf| {
            let before = record.before(*leaf)?;
            // Over the socket a missing value is Docker's default.
            let value = match (look.access, before.text(*leaf)) {
                (Access::Socket, Some(text)) => LeafValue::of(&text),
                _ => before,
            };
            Ok((*leaf, value))
        };
        self.leaves.iter().map(value).collect()
    }
}
