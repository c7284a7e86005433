//! A record of edits in running VMs, so that their real state is known: an edit lasts as long as
//! the VM runs, and is not visible from outside. The record is kept in `live.json` in Baleen's
//! state folder.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::backend::LiveEdit;
use crate::backend::docker_desktop::{KnownProcess, Vm};
use crate::digest::Sha;
use crate::storage::JsonFile;
use crate::util::unix_seconds;

const SCHEMA: u32 = 1;

/// The file with the record.
#[derive(Debug, Clone)]
pub struct LiveEdits {
    file: JsonFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// The edit, by the path of the bundle.
    edits: BTreeMap<String, StoredEdit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredEdit {
    vm: KnownProcess,
    block: Option<Sha>,
    at: u64,
    #[serde(default)]
    is_open: bool,
}

impl LiveEdits {
    /// The name of the file.
    pub const FILE: &str = "live.json";

    /// Returns the record in the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// Returns the edit of `vm` of `bundle`, or `None` if the VM runs as it was started.
    pub fn get(&self, bundle: &Path, vm: &Vm) -> Option<LiveEdit> {
        let stored = self.file.read::<Stored>();
        let kept = stored.edits.get(&*bundle.to_string_lossy())?;
        kept.vm.is(vm.pid, vm.since).then(|| LiveEdit {
            revision: kept.block,
            at: UNIX_EPOCH + Duration::from_secs(kept.at),
            is_open: kept.is_open,
        })
    }

    /// Records an edit of `vm` of `bundle`. Records nothing if the system does not tell the VM's
    /// start time, since the VM could not be recognized later.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub fn set(&self, bundle: &Path, vm: &Vm, edit: LiveEdit) -> io::Result<()> {
        let Some(vm) = KnownProcess::new(vm.pid, vm.since) else {
            return Ok(());
        };
        let kept = StoredEdit {
            vm,
            block: edit.revision,
            at: unix_seconds(edit.at),
            is_open: edit.is_open,
        };
        let key = bundle.to_string_lossy().into_owned();
        self.file
            .update(|stored: &mut Stored| stored.edits.insert(key, kept.clone()) != Some(kept))
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn an_edit_lasts_as_long_as_its_vm() {
        let dir = tempfile::tempdir().unwrap();
        let edits = LiveEdits::in_folder(dir.path());
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let vm = |pid, seconds| Vm {
            pid,
            since: Some(at(seconds)),
            console: None,
        };
        let bundle = Path::new("/Applications/Docker.app");
        assert_eq!(edits.get(bundle, &vm(7, 100)), None);
        let (some, other) = (Some(Sha::of(b"block")), Some(Sha::of(b"other")));
        for (block, is_open) in [(some, true), (some, false), (None, true), (None, false)] {
            let edit = LiveEdit {
                revision: block,
                at: at(200),
                is_open,
            };
            edits.set(bundle, &vm(7, 100), edit).unwrap();
            assert_eq!(edits.get(bundle, &vm(7, 101)), Some(edit));
            assert_eq!(edit.gives(block), !is_open);
            assert!(!edit.gives(other));
        }
        assert_eq!(edits.get(bundle, &vm(8, 100)), None);
        assert_eq!(edits.get(bundle, &vm(7, 150)), None, "started again");
        assert_eq!(edits.get(Path::new("/other"), &vm(7, 100)), None);
    }

    /// The format of existing files.
    #[test]
    fn the_form_on_disk_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Sha::of(b"block");
        let kept = format!(
            "{{\"schema\":1,\"edits\":{{
                \"/a\":{{\"vm\":{{\"pid\":7,\"since\":100000}},\"block\":\"{digest}\",\"at\":200,\"is_open\":true}},
                \"/b\":{{\"vm\":{{\"pid\":7,\"since\":100000}},\"block\":null,\"at\":200}}}}}}"
        );
        std::fs::write(dir.path().join("live.json"), kept).unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let vm = Vm {
            pid: 7,
            since: Some(at(100)),
            console: None,
        };
        for (bundle, block, is_open) in [("/a", Some(digest), true), ("/b", None, false)] {
            let edit = LiveEdit {
                revision: block,
                at: at(200),
                is_open,
            };
            let found = LiveEdits::in_folder(dir.path()).get(Path::new(bundle), &vm);
            assert_eq!(found, Some(edit), "{bundle}");
        }
    }
}
