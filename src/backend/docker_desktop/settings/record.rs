//! What Docker's settings were before Baleen, and what Baleen set. It is written before anything is changed, so that
//! whatever stops Baleen in between, what was there can be given back.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::backend::docker_desktop::KnownProcess;
use crate::credentials::{self, Account, CredentialsError};
use crate::digest::Sha;
use crate::error::IoError;
use crate::proxy::{Password, ProxyUrl, RedactedProxy, redact};
use crate::storage::JsonFile;

use super::containers::ContainersRecord;
use super::error::SettingsError;
use super::json_text::string_of;
use super::leaf::{Leaf, LeafValue, SYSTEM, Spelling, Values};

/// The record of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What was there before the first change. The values that held a password are in the password store instead.
    before: Values,
    /// The settings whose values from before are in the password store, with the values without their passwords.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secret: BTreeMap<Leaf, String>,
    /// What Baleen set last, or is about to set.
    pub(super) last: Applied,
    /// What Baleen set before that, until Docker is known to have the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<Applied>,
    /// How often Baleen has put its proxy back.
    #[serde(default)]
    pub(super) repairs: u32,
    /// What was changed for containers, or is about to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) containers: Option<ContainersRecord>,
    /// What was changed for containers before that, until the file is known to have the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    containers_earlier: Option<ContainersRecord>,
    /// True until the file is known to have the last change.
    #[serde(default)]
    containers_pending: bool,
    /// True once Docker had the values.
    #[serde(default)]
    was_set: bool,
    /// The Docker that took them while it ran.
    #[serde(default)]
    pub(super) process: Option<KnownProcess>,
}

/// The values that Baleen set for a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Applied {
    pub(super) values: Values,
    /// The proxy, without its password.
    pub(super) proxy: RedactedProxy,
    /// The revision of that proxy.
    pub(super) revision: Sha,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    record: Option<Record>,
}

const SCHEMA: u32 = 1;

/// The file with the record. All Dockers of a user share their settings, so there is one record.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    file: JsonFile,
}

impl Records {
    /// The name of the file.
    pub(crate) const FILE: &str = "docker-settings.json";

    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    pub(super) fn get(&self) -> Option<Record> {
        self.file.read::<Stored>().record
    }

    /// Records a change that is about to be made. `before` replaces what is recorded only where nothing is, or where
    /// `is_adopted` and the value is not Baleen's.
    pub(super) fn set(
        &self,
        before: &Values,
        is_adopted: bool,
        applied: Applied,
    ) -> Result<(), SettingsError> {
        let known = self.get();
        let mut record = match known.clone() {
            Some(known) => known.followed_by(applied),
            None => Record::new(applied),
        };
        if let Some(known) = known.filter(|_| is_adopted) {
            // Only what someone else has set since is the new original.
            for (leaf, value) in before {
                if !known.is_set_by_baleen(*leaf, value) {
                    record.before.remove(leaf);
                    record.secret.remove(leaf);
                }
            }
        }
        for (leaf, value) in before {
            // Baleen sets no passwords, so this one is someone else's, perhaps a later one.
            if holds_secret(value) && !record.before.contains_key(leaf) {
                keep(*leaf, value)?;
                record.secret.insert(*leaf, without_password(*leaf, value));
            } else if !record.before.contains_key(leaf) && !record.secret.contains_key(leaf) {
                // A later change may concern another setting, too.
                record.before.insert(*leaf, value.clone());
            }
        }
        self.write(Some(record))
    }

    /// Records that Docker has the last values now: the running one, if `process` names one.
    pub(super) fn confirm(
        &self,
        process: Option<KnownProcess>,
        is_repair: bool,
    ) -> Result<(), SettingsError> {
        self.replace(|known| {
            Some(Record {
                earlier: None,
                was_set: true,
                process,
                repairs: known.repairs + u32::from(is_repair),
                ..known
            })
        })
    }

    /// Records what the proxy is of which containers get the address, where Docker follows the Mac itself.
    pub(super) fn set_followed(&self, followed: Applied) -> Result<(), SettingsError> {
        let record = match self.get() {
            Some(known) => known.followed_by(followed),
            None => Record::new(followed),
        };
        self.write(Some(record))
    }

    /// Records a change for containers that is about to be made: what Baleen has in the file afterwards, if anything.
    pub(super) fn begin_containers(
        &self,
        after: Option<&ContainersRecord>,
    ) -> Result<(), SettingsError> {
        self.replace(|known| {
            let present = known.containers.clone();
            Some(Record {
                containers: after.cloned().or(present.clone()),
                containers_earlier: known.containers_earlier.clone().or(present),
                containers_pending: true,
                ..known
            })
        })
    }

    /// Records that the change for containers was made.
    pub(super) fn end_containers(
        &self,
        after: Option<&ContainersRecord>,
    ) -> Result<(), SettingsError> {
        self.replace(|known| {
            Some(Record {
                containers: after.cloned(),
                containers_earlier: None,
                containers_pending: false,
                ..known
            })
        })
    }

    /// Forgets the values, since what was there is back, but for those of the settings `left`, and but for what was changed
    /// for containers. Forgets all if nothing is left.
    pub(super) fn forget_values(&self, left: &[Leaf]) -> Result<(), SettingsError> {
        self.replace(|mut known| {
            let is_left = |leaf: &Leaf| left.contains(leaf);
            known.before.retain(|leaf, _| is_left(leaf));
            known.secret.retain(|leaf, _| is_left(leaf));
            known.last.values.retain(|leaf, _| is_left(leaf));
            let is_empty = left.is_empty() && known.containers.is_none();
            (!is_empty).then_some(Record {
                earlier: None,
                was_set: false,
                process: None,
                repairs: 0,
                ..known
            })
        })
    }

    fn replace(&self, by: impl FnOnce(Record) -> Option<Record>) -> Result<(), SettingsError> {
        let Some(record) = self.get() else {
            return Ok(());
        };
        let mut secret: Vec<Leaf> = record.secret.keys().copied().collect();
        let replaced = by(record);
        secret.retain(|leaf| {
            let is_kept = |record: &Record| record.secret.contains_key(leaf);
            !replaced.as_ref().is_some_and(is_kept)
        });
        self.write(replaced)?;
        for leaf in secret {
            // What stays in the store is of no use to anyone else.
            let _ = forget(leaf);
        }
        Ok(())
    }

    fn write(&self, record: Option<Record>) -> Result<(), SettingsError> {
        let written = self.file.update(|stored: &mut Stored| {
            let is_other = stored.record != record;
            stored.record = record;
            is_other
        });
        written.map_err(|error| {
            SettingsError::NotNoted(IoError::new("write", self.file.path(), error))
        })
    }
}

impl Record {
    fn new(applied: Applied) -> Self {
        Self {
            before: Values::new(),
            secret: BTreeMap::new(),
            last: applied,
            earlier: None,
            repairs: 0,
            containers: None,
            containers_earlier: None,
            containers_pending: false,
            was_set: false,
            process: None,
        }
    }

    /// Returns the record of the next change.
    fn followed_by(self, mut applied: Applied) -> Self {
        // What an earlier change set stays on record, or it would not be taken back.
        for (leaf, value) in &self.last.values {
            let known = applied.values.entry(*leaf);
            known.or_insert_with(|| value.clone());
        }
        Self {
            earlier: self.earlier.or(Some(self.last)),
            last: applied,
            ..self
        }
    }

    /// Returns what Baleen may have set: the last values, and those before as long as Docker may still have them.
    pub(super) fn applied(&self) -> impl Iterator<Item = &Applied> {
        [&self.last].into_iter().chain(&self.earlier)
    }

    /// Returns the settings that Baleen has changed.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Leaf> {
        self.last.values.keys().copied()
    }

    /// Returns whether Baleen has set this value.
    pub(super) fn is_set_by_baleen(&self, leaf: Leaf, now: &LeafValue) -> bool {
        self.applied().any(|applied| {
            let value = applied.values.get(&leaf);
            value.is_some_and(|value| value.text(leaf) == now.text(leaf))
        })
    }

    /// Returns whether the value is the one that was there before. Passwords are not compared.
    pub(super) fn is_from_before(&self, leaf: Leaf, now: &LeafValue) -> bool {
        match (self.secret.get(&leaf), self.before.get(&leaf)) {
            (Some(before), _) => *before == without_password(leaf, now),
            (None, Some(before)) => before.text(leaf) == now.text(leaf),
            // It was not changed, so it had no proxy.
            (None, None) => now.text(leaf).as_deref() == Some(leaf.default_text()),
        }
    }

    /// Returns whether the value is the very one that was there before, also in its spelling, as far as that is known without
    /// the password store.
    pub(super) fn is_exactly_from_before(&self, leaf: Leaf, now: &LeafValue) -> bool {
        match (self.secret.get(&leaf), self.before.get(&leaf)) {
            (Some(_), _) => self.is_from_before(leaf, now),
            (None, before) => before.map_or(now.0.is_none(), |before| before == now),
        }
    }

    /// Returns whether Docker followed the Mac's settings before.
    pub(super) fn followed_before(&self) -> bool {
        let before = self.before.get(&Leaf::Mode);
        let mode = before.unwrap_or(&LeafValue(None)).text(Leaf::Mode);
        matches!(mode.as_deref(), Some(SYSTEM | ""))
    }

    /// Returns whether Docker's own settings were changed, and not only what containers get.
    pub(super) fn changes_settings(&self) -> bool {
        !self.last.values.is_empty()
    }

    /// Returns whether Docker once had the values, so that something has taken them out where it has not.
    pub(super) fn was_set(&self) -> bool {
        self.was_set
    }

    /// Returns whether containers get the proxy, as far as Baleen knows.
    pub(super) fn has_containers(&self) -> bool {
        self.containers.is_some() && !self.containers_pending
    }

    /// Returns the changes for containers that may be in the file, the last first.
    pub(super) fn containers_changes(&self) -> Vec<&ContainersRecord> {
        let changes = [&self.containers, &self.containers_earlier];
        changes.into_iter().flatten().collect()
    }

    /// Returns what was there before. It may have to be read from the password store.
    pub(super) fn before(&self, leaf: Leaf) -> Result<LeafValue, SettingsError> {
        match self.secret.contains_key(&leaf) {
            true => kept(leaf),
            false => Ok(self.before.get(&leaf).cloned().unwrap_or(LeafValue(None))),
        }
    }
}

fn holds_secret(value: &LeafValue) -> bool {
    // An escape may stand for the sign.
    let raw = value.0.as_deref();
    raw.is_some_and(|raw| string_of(raw).as_deref().unwrap_or(raw).contains('@'))
}

fn without_password(leaf: Leaf, value: &LeafValue) -> String {
    redact(&value.text(leaf).unwrap_or_default())
}

/// Returns the account under which a value is kept.
fn account(leaf: Leaf) -> Option<Account> {
    let name = leaf.key(Spelling::Camel);
    let url = format!("http://{name}@docker-settings.baleen.invalid:1");
    Account::of(&ProxyUrl::parse(&url).ok()?)
}

fn keep(leaf: Leaf, value: &LeafValue) -> Result<(), SettingsError> {
    let secret = value.0.clone().and_then(Password::new);
    let (Some(account), Some(secret)) = (account(leaf), secret) else {
        return Err(SettingsError::NotKnownAnyMore);
    };
    store()?
        .set(&account, &secret)
        .map_err(SettingsError::NotKept)
}

fn kept(leaf: Leaf) -> Result<LeafValue, SettingsError> {
    let account = account(leaf).ok_or(SettingsError::NotKnownAnyMore)?;
    let secret = store()?
        .password(&account)
        .map_err(SettingsError::NotKept)?;
    let secret = secret.and_then(|secret| String::from_utf8(secret.expose().to_vec()).ok());
    match secret {
        Some(raw) => Ok(LeafValue(Some(raw))),
        None => Err(SettingsError::NotKnownAnyMore),
    }
}

fn forget(leaf: Leaf) -> Result<(), CredentialsError> {
    match account(leaf) {
        Some(account) => credentials::Store::open()?.delete(&account).map(drop),
        None => Ok(()),
    }
}

fn store() -> Result<credentials::Store, SettingsError> {
    credentials::Store::open().map_err(SettingsError::NotKept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(name: &str) -> Applied {
        Applied {
            values: Values::from([(Leaf::Http, LeafValue::of(name))]),
            proxy: RedactedProxy {
                http: None,
                https: None,
                no_proxy: String::new(),
            },
            revision: Sha::of(name.as_bytes()),
        }
    }

    /// Whatever stops Baleen, what it may have put in place stays known as its own.
    #[test]
    fn what_may_be_in_place_is_known_until_the_next_is() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::in_folder(folder.path());
        let has = |name: &str| {
            let record = records.get().unwrap();
            record.is_set_by_baleen(Leaf::Http, &LeafValue::of(name))
        };
        let before = Values::from([(Leaf::Http, LeafValue::of("theirs"))]);
        let none = Values::new();
        records.set(&before, true, applied("a")).unwrap();
        assert!(has("a") && !has("theirs") && !records.get().unwrap().was_set());
        records.confirm(None, false).unwrap();
        records.set(&none, false, applied("b")).unwrap();
        records.set(&none, false, applied("c")).unwrap();
        assert!(has("a") && has("c"));
        records.confirm(None, true).unwrap();
        assert!(!has("a") && has("c"));
        let record = records.get().unwrap();
        assert_eq!((record.was_set(), record.repairs), (true, 1));
        assert!(record.is_from_before(Leaf::Http, &LeafValue::of("theirs")));

        let containers = ContainersRecord::default();
        let changes = || records.get().unwrap().containers_changes().len();
        records.begin_containers(Some(&containers)).unwrap();
        assert!(changes() == 1 && !records.get().unwrap().has_containers());
        records.end_containers(Some(&containers)).unwrap();
        assert!(records.get().unwrap().has_containers());
        // Taken out, unless something stops it.
        records.begin_containers(None).unwrap();
        assert!(changes() > 0 && !records.get().unwrap().has_containers());
        records.end_containers(None).unwrap();
        assert_eq!(changes(), 0);
        records.forget_values(&[Leaf::Http]).unwrap();
        assert!(has("c"));
        records.forget_values(&[]).unwrap();
        assert!(records.get().is_none());
    }
}
