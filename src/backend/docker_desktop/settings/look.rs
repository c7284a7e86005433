//! Looks at Docker's settings, where they are now, and says what may be done with them.

use std::path::{Path, PathBuf};

use crate::backend::docker_desktop::{Bundle, KnownProcess, restart};
use crate::error::Failure;
use crate::platform::apps::RunningApp;
use crate::proxy::DockerVersion;

use super::access::{Access, FileFound, Process, SocketAnswer, access};
use super::error::SettingsError;
use super::file::{Contents, SettingsFile};
use super::leaf::{Leaf, LeafValue, Values};
use super::policy::{LockedBy, Policies};
use super::socket::{BackendSocket, SOCKET, SocketFault};

/// The places of Docker's settings.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The socket of Docker's backend.
    pub(super) socket: PathBuf,
    home: PathBuf,
}

impl Places {
    /// Returns the places of the settings of the user with this home folder.
    pub(super) fn in_home(home: &Path) -> Self {
        Self {
            socket: home.join(SOCKET),
            home: home.to_owned(),
        }
    }

    /// Returns the file that this Docker reads.
    pub(super) fn file(&self, version: &DockerVersion) -> SettingsFile {
        SettingsFile::of(&self.home, version)
    }
}

/// Docker's settings, as they were found.
#[derive(Debug)]
pub(super) struct Look {
    /// What may be done.
    pub(super) access: Access,
    /// The values, if they could be read.
    pub(super) values: Values,
    /// The settings file.
    pub(super) file: SettingsFile,
    /// Its contents, if they could be read.
    pub(super) contents: Option<Contents>,
    /// The reason why nothing may be written.
    pub(super) fault: Option<SettingsError>,
    /// True if an administrator has locked the containers' proxy.
    pub(super) containers_locked: bool,
    /// The Docker that runs.
    pub(super) process: Option<RunningApp>,
}

impl Look {
    /// Looks at the settings of the Docker in `bundle`.
    pub(super) fn at(bundle: &Bundle, places: &Places) -> Self {
        let version = DockerVersion::of(&bundle.version);
        let app = restart::running(&bundle.path);
        let process = match &app {
            None => Process::None,
            Some(_) if version.has_socket() => Process::Running,
            Some(_) => Process::RunningWithoutSocket,
        };
        let asked =
            (process == Process::Running).then(|| BackendSocket::at(places.socket.clone()).read());
        let answer = match &asked {
            None => SocketAnswer::NotAsked,
            Some(Ok(shown)) if shown.is_locked => SocketAnswer::Locked,
            Some(Ok(_)) => SocketAnswer::Settings,
            Some(Err(SocketFault::Denied)) => SocketAnswer::Denied,
            Some(Err(fault)) if fault.may_pass() => SocketAnswer::None,
            Some(Err(_)) => SocketAnswer::Unknown,
        };
        let file = places.file(&version);
        let read = file.read();
        let found = match &read {
            Ok(_) => FileFound::Usable,
            Err(error) => FileFound::Failed(error.kind()),
        };
        let policy = Policies::of_this_computer().read();
        let access = access(process, answer, found, policy.locked_by.is_some());
        let mut look = Self {
            access,
            values: Values::new(),
            containers_locked: policy.containers_locked,
            contents: None,
            fault: None,
            process: app,
            file,
        };
        match (asked, read) {
            (Some(Ok(shown)), read) => {
                look.containers_locked = shown.containers_locked;
                look.values = shown.values;
                look.contents = read.ok();
                look.fault = (access == Access::Locked).then(|| SettingsError::Locked {
                    by: policy.locked_by.unwrap_or(LockedBy::Organization),
                });
            }
            (Some(Err(fault)), _) => {
                let path = places.socket.clone();
                look.fault = Some(match access {
                    Access::NotAnswering => SettingsError::NotAnswering { path, fault },
                    Access::NotPermitted => SettingsError::Denied { path, fault },
                    _ => SettingsError::Unknown { path, fault },
                });
            }
            (None, Ok(contents)) => {
                match look.file.values(&contents) {
                    Ok(values) => look.values = values,
                    Err(error) => look.fault = Some(error),
                }
                // Before there was a page for it, a missing value meant that there was no such setting.
                let has_mode = version.has_containers_page()
                    || look
                        .values
                        .get(&Leaf::ContainersMode)
                        .is_some_and(|value| value.0.is_some());
                if !has_mode {
                    look.values.remove(&Leaf::ContainersMode);
                }
                look.contents = Some(contents);
                if let (Access::Locked, Some(by)) = (access, policy.locked_by) {
                    look.fault = Some(SettingsError::Locked { by });
                }
            }
            (None, Err(error)) => {
                look.fault = Some(match policy.locked_by {
                    Some(by) => SettingsError::Locked { by },
                    None => error,
                });
            }
        }
        look
    }

    /// Returns a value, which may be missing.
    pub(super) fn value(&self, leaf: Leaf) -> LeafValue {
        self.values.get(&leaf).cloned().unwrap_or(LeafValue(None))
    }

    /// The Docker that runs, as it can be recognized later.
    pub(super) fn known_process(&self) -> Option<KnownProcess> {
        let app = self.process.as_ref()?;
        KnownProcess::new(app.pid, app.since)
    }
}

/// Returns the files whose change means that Docker's settings have to be looked at again.
pub(super) fn watched(bundle: &Bundle, places: &Places) -> Vec<PathBuf> {
    let version = DockerVersion::of(&bundle.version);
    let mut files = vec![places.file(&version).path, places.socket.clone()];
    files.extend(Policies::of_this_computer().files());
    files
}
