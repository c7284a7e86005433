//! The agent's saved state: only what can't be observed again. This is the last report to the user, the
//! last observation of Docker, and the image that the running engine started from. A lost or damaged
//! file is rebuilt from new observations; at worst a change is not reported.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::backend::docker_desktop::KnownProcess;
use crate::backend::{Installed, Running};
use crate::digest::{OriginalSha, Sha};
use crate::proxy::RedactedProxy;
use crate::storage::JsonFile;
use crate::util::unix_seconds;

use super::first_run::FirstRun;

const SCHEMA: u32 = 1;
/// Maximum number of events in the history.
const MAX_HISTORY: usize = 5;

/// The file with the agent's state.
#[derive(Debug, Clone)]
pub struct AgentStateFile {
    file: JsonFile,
}

impl AgentStateFile {
    /// The name of the file.
    pub const FILE: &str = "agent.json";

    /// Uses the file of this name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// Reads the state.
    pub fn read(&self) -> AgentState {
        self.file.read()
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When the file can't be written. It then keeps its contents.
    pub fn write(&self, memory: &AgentState) -> io::Result<()> {
        self.file.update(|kept: &mut AgentState| {
            let changes = kept != memory;
            kept.clone_from(memory);
            changes
        })
    }
}

/// The agent's state that is kept across runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// True once the user got a notice of the first run. Older versions read and write only this of it.
    #[serde(default)]
    pub welcomed: bool,
    /// What the user was asked and answered at the first run. `None` in the file of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_run: Option<FirstRun>,
    /// The last reported problem, while it lasts.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The latest events, newest first.
    #[serde(default)]
    pub past: Vec<HistoryEntry>,
    /// The records of bundles by path.
    #[serde(default)]
    bundles: BTreeMap<String, BundleRecord>,
}

/// A past event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Time of the event, in seconds since 1970.
    pub at: u64,
    /// The event in a few words.
    pub what: String,
}

/// The saved facts about a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRecord {
    /// The last report to the user about the bundle, or the first observation of it.
    pub told: Option<Reported>,
    /// The Docker that runs from the bundle.
    pub running: Option<EngineRecord>,
    /// The proxy named by hand for the bundle, if any.
    pub named: Option<RedactedProxy>,
    /// The resolved settings at the last report while a proxy named by hand applied: the digest of a
    /// proxy's block, or no proxy.
    #[serde(default, with = "settings")]
    pub settings: Option<Option<Sha>>,
}

/// Serialization of `settings`. Settings without a proxy become an empty list, since JSON has only one
/// null for "no proxy" and "unknown".
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

/// The last report to the user about a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Docker's version.
    pub version: String,
    /// The patch.
    pub patch: Option<ReportedPatch>,
}

/// The last report to the user about a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedPatch {
    /// The revision of the proxy.
    #[serde(rename = "block")]
    pub revision: Sha,
    /// The proxy.
    pub proxy: RedactedProxy,
    /// The digest of the file without the change, if there is one.
    pub original: Option<OriginalSha>,
    /// How often the proxy was put back into the engine's own settings.
    #[serde(default)]
    pub repairs: u32,
}

impl Reported {
    /// Returns the facts to report about `installed`.
    pub fn of(installed: &Installed) -> Self {
        Self {
            version: installed.engine.version.clone(),
            patch: installed.configured.as_ref().map(|it| ReportedPatch {
                revision: it.revision,
                proxy: it.proxy.clone(),
                original: installed.original,
                repairs: installed.own_settings.as_ref().map_or(0, |own| own.repairs),
            }),
        }
    }
}

/// A running Docker, and the revision of the proxy that it started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRecord {
    #[serde(flatten)]
    process: KnownProcess,
    #[serde(rename = "block")]
    revision: Option<Sha>,
}

impl AgentState {
    /// Returns what the user was asked at the first run, for changes. A user whom an older version has welcomed is
    /// asked nothing.
    pub(crate) fn first_run(&mut self) -> &mut FirstRun {
        let is_welcomed = self.welcomed;
        self.first_run.get_or_insert_with(|| match is_welcomed {
            true => FirstRun::over(),
            false => FirstRun::default(),
        })
    }

    /// Returns the record of the bundle at `path`.
    pub fn known(&self, path: &Path) -> Option<&BundleRecord> {
        self.bundles.get(&*path.to_string_lossy())
    }

    /// Returns the record for changes, and creates it if it is missing.
    pub fn known_mut(&mut self, path: &Path) -> &mut BundleRecord {
        let key = path.to_string_lossy().into_owned();
        self.bundles.entry(key).or_default()
    }

    /// Adds an event to the history.
    pub fn log(&mut self, at: SystemTime, what: impl Into<String>) {
        let past = HistoryEntry {
            at: unix_seconds(at),
            what: what.into(),
        };
        self.past.insert(0, past);
        self.past.truncate(MAX_HISTORY);
    }
}

impl EngineRecord {
    /// Creates the record of a Docker that started with this revision. Returns `None` if the system
    /// does not report the start time.
    pub fn new(running: &Running, revision: Option<Sha>) -> Option<Self> {
        let process = KnownProcess::new(running.pid, running.since)?;
        Some(Self { process, revision })
    }

    /// Returns the revision that `running` started with, if it is the same process.
    pub(crate) fn revision_of(&self, running: &Running) -> Option<Option<Sha>> {
        let is_same = self.process.is(running.pid, running.since);
        is_same.then_some(self.revision)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, UNIX_EPOCH};

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
