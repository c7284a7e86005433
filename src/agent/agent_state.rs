//! What is kept across runs: only what can't be read again. What was last told to the user, what was
//! last seen of Docker, and what the running engine started from. A file that is lost or damaged is
//! rebuilt from what is to be seen; at worst a change goes untold.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::docker::KnownProcess;
use crate::patch::digest::{OriginalSha, Sha};
use crate::proxy::RedactedProxy;
use crate::storage::JsonFile;

use super::reconcile::{Installed, Running};

const SCHEMA: u32 = 1;
/// How many past events are kept.
const MAX_HISTORY: usize = 5;

/// The file with it.
#[derive(Debug, Clone)]
pub struct AgentStateFile {
    file: JsonFile,
}

impl AgentStateFile {
    /// The name of the file.
    pub const FILE: &str = "agent.json";

    /// In the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// What is in it.
    pub fn read(&self) -> AgentState {
        self.file.read()
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it can't be written; it is then as it was.
    pub fn write(&self, memory: &AgentState) -> io::Result<()> {
        self.file.update(|kept: &mut AgentState| {
            let changes = kept != memory;
            kept.clone_from(memory);
            changes
        })
    }
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// The user was told what Baleen is.
    #[serde(default)]
    pub welcomed: bool,
    /// The trouble that was told last, while it lasts.
    #[serde(default)]
    pub trouble: Option<String>,
    /// What happened last, the newest first.
    #[serde(default)]
    pub past: Vec<HistoryEntry>,
    /// By the path of the bundle.
    #[serde(default)]
    bundles: BTreeMap<String, BundleRecord>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What, in a few words.
    pub what: String,
}

/// What is known of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRecord {
    /// What the user was last told about it, or saw of it.
    pub told: Option<Reported>,
    /// The Docker that runs from it.
    pub running: Option<EngineRecord>,
    /// The proxy that was named for it, where one was.
    pub named: Option<RedactedProxy>,
    /// What the settings came to beside that when the user was last told: the digest of a proxy's block, or no proxy.
    #[serde(default, with = "settings")]
    pub settings: Option<Option<Sha>>,
}

/// Settings that come to no proxy are kept as an empty list, since JSON has one null for that and for nothing known.
mod settings {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Sha;

    pub(super) fn serialize<S: Serializer>(
        settings: &Option<Option<Sha>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let list: Option<Vec<Sha>> = settings.map(|block| block.into_iter().collect());
        list.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<Sha>>, D::Error> {
        let list = Option::<Vec<Sha>>::deserialize(deserializer)?;
        Ok(list.map(|list| list.first().copied()))
    }
}

/// What the user was last told about a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Docker's version.
    pub version: String,
    /// The patch.
    pub patch: Option<ReportedPatch>,
}

/// What the user was last told about a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedPatch {
    /// Digest of its block.
    pub block: Sha,
    /// The proxy.
    pub proxy: RedactedProxy,
    /// The image without it.
    pub original: OriginalSha,
}

impl Reported {
    /// What there is to be told of `stand`.
    pub fn of(installed: &Installed) -> Self {
        Self {
            version: installed.bundle.version.clone(),
            patch: installed.patch.as_ref().map(|patch| ReportedPatch {
                block: patch.block,
                proxy: patch.proxy.clone(),
                original: patch.original,
            }),
        }
    }
}

/// A running Docker, and what its engine gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRecord {
    #[serde(flatten)]
    process: KnownProcess,
    block: Option<Sha>,
}

impl AgentState {
    /// What is known of the bundle at `path`.
    pub fn known(&self, path: &Path) -> Option<&BundleRecord> {
        self.bundles.get(&*path.to_string_lossy())
    }

    /// The same, to be changed.
    pub fn known_mut(&mut self, path: &Path) -> &mut BundleRecord {
        let key = path.to_string_lossy().into_owned();
        self.bundles.entry(key).or_default()
    }

    /// Notes that something happened.
    pub fn log(&mut self, at: SystemTime, what: impl Into<String>) {
        let past = HistoryEntry {
            at: at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            what: what.into(),
        };
        self.past.insert(0, past);
        self.past.truncate(MAX_HISTORY);
    }
}

impl EngineRecord {
    /// Of a Docker that started from an image with `block`; nothing where the system does not say when it did.
    pub fn new(running: &Running, block: Option<Sha>) -> Option<Self> {
        let process = KnownProcess::new(running.pid, running.since)?;
        Some(Self { process, block })
    }

    /// The block that `running` started from, if this is the same Docker.
    pub fn block_of(&self, running: &Running) -> Option<Option<Sha>> {
        let is_same = self.process.is(running.pid, running.since);
        is_same.then_some(self.block)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_damage_means_that_nothing_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let file = AgentStateFile::in_folder(dir.path());
        assert_eq!(file.read(), AgentState::default());
        let mut memory = AgentState {
            welcomed: true,
            ..AgentState::default()
        };
        for number in 0..7 {
            memory.log(
                UNIX_EPOCH + Duration::from_secs(number),
                format!("{number}"),
            );
        }
        let running = Running {
            pid: 7,
            since: Some(UNIX_EPOCH + Duration::from_secs(100)),
            ..Running::default()
        };
        memory.known_mut(Path::new("/a")).running = EngineRecord::new(&running, None);
        memory.known_mut(Path::new("/a")).settings = Some(None);
        memory.known_mut(Path::new("/b")).settings = Some(Some(Sha::of(b"x")));
        file.write(&memory).unwrap();
        assert_eq!(file.read(), memory);
        let told: Vec<&str> = memory.past.iter().map(|past| &*past.what).collect();
        assert_eq!(told, ["6", "5", "4", "3", "2"]);
        for damage in ["", "{", "{\"schema\":9}", "[]"] {
            fs::write(dir.path().join("agent.json"), damage).unwrap();
            assert_eq!(file.read(), AgentState::default(), "{damage}");
        }
    }
}
