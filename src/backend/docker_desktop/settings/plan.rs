//! A change of Docker's own settings.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::backend::docker_desktop::{Bundle, restart};
use crate::backend::{
    ChangeStep, ChangedSince, Changes, OnProgress, Plan, PlanOptions, Purpose, TakesEffect,
    Unpatched, Warning,
};
use crate::error::Error;
use crate::proxy::{ContainerList, EngineProxy, redact};

use super::access::Access;
use super::containers::{ClientChange, ClientFile, ContainersRecord};
use super::error::{SettingsError, locked_by_words};
use super::file::{self, Lock, SettingsFile};
use super::leaf::{InForce, Leaf, LeafValue, Values};
use super::look::{Look, Places};
use super::observe::shown;
use super::policy::{LockedBy, Policies};
use super::record::{Applied, Record, Records};
use super::socket::{BackendSocket, POLICY_DELAY, READ_TIMEOUT, Shown};
use super::transition::{applying, restoring};

/// A planned change of the settings of one Docker.
#[derive(Debug)]
pub(crate) struct SettingsPlan {
    changes: Changes,
    bundle: PathBuf,
    places: Places,
    look: Look,
    /// The values to write.
    values: Values,
    /// The client's file, and its change.
    client: Option<(ClientFile, ClientChange)>,
    /// What Baleen has in it then.
    containers: Option<ContainersRecord>,
    /// What is recorded before.
    record: Recording,
    records: Records,
    _lock: Option<Lock>,
}

/// What becomes of the record of the values from before Baleen.
#[derive(Debug)]
enum Recording {
    /// These values are put in place for this proxy.
    Set {
        applied: Applied,
        is_adopted: bool,
        is_repair: bool,
    },
    /// Docker follows the Mac itself. Its containers may get this proxy from Baleen.
    Followed {
        proxy: Applied,
        /// The settings that could not be given back what was there; nothing if none were to be.
        left: Option<Vec<Leaf>>,
    },
    /// What was there is back, but for these settings.
    Restored(Vec<Leaf>),
    /// Nothing was recorded.
    None,
}

impl SettingsPlan {
    /// Plans the change after which the Docker in `bundle` has the proxy `want`, or what it had before Baleen.
    pub(crate) fn new(
        (bundle, home): (&Bundle, &Path),
        want: Option<&EngineProxy>,
        options: PlanOptions,
        records: Records,
    ) -> Result<Self, Error> {
        let places = Places::in_home(home);
        let lock = match options.purpose {
            Purpose::Change => Lock::acquire(home)?,
            Purpose::Preview => None,
        };
        let mut look = Look::at(bundle, &places);
        let known = records.get();
        let nothing_to_restore = want.is_none() && known.is_none();
        if let Some(fault) = look.fault.take().filter(|_| !nothing_to_restore) {
            return Err(fault.into());
        }
        let found = InForce::of(match nothing_to_restore {
            true => const { &Values::new() },
            false => &look.values,
        });
        let found = found.map_err(|leaf| SettingsError::NotText { leaf })?;
        let (values, record) = match want {
            Some(proxy) if options.keeps_following => {
                following(proxy, &found, &look, known.as_ref())?
            }
            Some(proxy) => {
                let application = applying(proxy, &found, &look, options.adopt, known.as_ref())?;
                let record = Recording::Set {
                    applied: Applied::of(proxy, application.applied),
                    is_adopted: application.is_adopted,
                    is_repair: application.is_repair,
                };
                (application.values, record)
            }
            None => match &known {
                None => (Values::new(), Recording::None),
                Some(known) => {
                    let restoration = restoring(&found, &look, options.changed_since, known)?;
                    let values = restoration.values(&look, known)?;
                    (values, Recording::Restored(restoration.left))
                }
            },
        };
        let removed = known
            .as_ref()
            .filter(|_| want.is_none())
            .map(|known| known.last.proxy.clone());
        let is_change = !values.is_empty();
        if let Some(contents) = look
            .contents
            .as_ref()
            .filter(|_| look.access != Access::Socket)
        {
            // What forbids the change is found before anything is recorded.
            look.file.changed(contents, &values)?;
        }
        let version = bundle.version.clone();
        if is_change && look.access == Access::FileAfterQuit && !options.may_quit {
            return Err(SettingsError::Runs { version }.into());
        }
        let takes_effect = match look.access {
            Access::Socket => TakesEffect::AtOnce,
            _ => TakesEffect::NextStart,
        };
        let client = ClientFile::of(home);
        let changed = known
            .as_ref()
            .map_or_else(Vec::new, Record::containers_changes);
        let client_change = match want.filter(|_| options.containers) {
            Some(proxy) => Some(client.setting(proxy, changed.first().copied())?),
            None if changed.is_empty() => None,
            None => Some(client.taking_back(&changed)?),
        };
        let containers = client_change
            .as_ref()
            .filter(|_| want.is_some() && options.containers)
            .map(|change| change.record.clone());
        let is_client_change = client_change
            .as_ref()
            .is_some_and(|change| change.text.is_some());
        let mut steps = Vec::new();
        if is_change {
            steps.push(ChangeStep::Edit {
                text: match look.access {
                    Access::Socket => "the settings of the running Docker".to_owned(),
                    _ => look.file.path.display().to_string(),
                },
                difference: difference(&look.file, &look.values, &values),
            });
        }
        if is_client_change {
            steps.push(ChangeStep::Edit {
                text: client.path().display().to_string(),
                difference: String::new(),
            });
        }
        let warnings = want
            .filter(|_| is_client_change && options.containers)
            .map(|proxy| ContainerList::of(proxy.no_proxy()).left_out)
            .filter(|left_out| !left_out.is_empty())
            .map(Warning::NotForContainers);
        let is_change = is_change || is_client_change;
        Ok(Self {
            changes: Changes {
                is_change,
                file: look.file.path.clone(),
                bytes: None,
                method: None,
                proxy: want.map(EngineProxy::shown),
                removed: removed.filter(|_| is_change),
                original: None,
                backup: None,
                unpatched: Unpatched::OwnSettings,
                steps,
                warnings: warnings.into_iter().collect(),
                takes_effect,
            },
            bundle: bundle.path.clone(),
            places,
            look,
            values,
            client: client_change.map(|change| (client, change)),
            containers,
            record,
            records,
            _lock: lock,
        })
    }
}

/// Returns the lines that change, without passwords.
fn difference(file: &SettingsFile, before: &Values, after: &Values) -> String {
    let mut lines = String::new();
    for (leaf, value) in after {
        let key = leaf.key(file.spelling);
        let shown = |value: Option<&LeafValue>| match value.and_then(|it| it.0.as_deref()) {
            Some(raw) => format!("\"{key}\": {}", redact(raw)),
            None => format!("\"{key}\" is not set"),
        };
        // Writing to a string can't fail.
        let _ = writeln!(
            lines,
            "-{}\n+{}",
            shown(before.get(leaf)),
            shown(Some(value))
        );
    }
    lines
}

impl Plan for SettingsPlan {
    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn apply(mut self: Box<Self>, _progress: OnProgress<'_>) -> Result<Changes, Error> {
        match &self.record {
            Recording::Set {
                applied,
                is_adopted,
                ..
            } => {
                let leaves = applied.values.keys();
                let before = leaves.map(|leaf| (*leaf, self.look.value(*leaf))).collect();
                self.records.set(&before, *is_adopted, applied.clone())?;
            }
            Recording::Followed { proxy, .. } if self.containers.is_some() => {
                self.records.set_followed(proxy.clone())?;
            }
            Recording::Followed { .. } | Recording::Restored(_) | Recording::None => {}
        }
        if let Some((client, change)) = &self.client {
            self.records.begin_containers(self.containers.as_ref())?;
            client.write(change)?;
            self.records.end_containers(self.containers.as_ref())?;
        }
        if !self.values.is_empty() {
            match self.look.access {
                Access::Socket => self.change_running()?,
                Access::FileAfterQuit => {
                    let bundle = self.bundle.clone();
                    restart::while_quit(&bundle, || self.change_file())??;
                }
                _ => self.change_file()?,
            }
        }
        match &self.record {
            Recording::Set { is_repair, .. } => self.confirm(*is_repair)?,
            Recording::Followed {
                left: Some(left), ..
            }
            | Recording::Restored(left) => self.records.forget_values(left)?,
            Recording::Followed { left: None, .. } | Recording::None => {}
        }
        Ok(self.changes)
    }
}

/// Returns the values after which a Docker that follows the Mac has nothing of Baleen's, if it followed the Mac before.
fn following(
    proxy: &EngineProxy,
    found: &InForce,
    look: &Look,
    known: Option<&Record>,
) -> Result<(Values, Recording), SettingsError> {
    let proxy = Applied::of(proxy, Values::new());
    let Some(known) = known.filter(|known| known.followed_before()) else {
        let left = None;
        return Ok((Values::new(), Recording::Followed { proxy, left }));
    };
    let restoration = restoring(found, look, ChangedSince::Keep, known)?;
    let values = restoration.values(look, known)?;
    let left = Some(restoration.left);
    Ok((values, Recording::Followed { proxy, left }))
}

impl Applied {
    fn of(proxy: &EngineProxy, values: Values) -> Self {
        Self {
            values,
            proxy: proxy.shown(),
            revision: proxy.revision(),
        }
    }
}

impl SettingsPlan {
    fn change_file(&mut self) -> Result<(), SettingsError> {
        // A Docker that was asked to quit has written its settings since.
        let contents = match self.look.access {
            Access::FileAfterQuit => self.look.file.read()?,
            _ => match self.look.contents.take() {
                Some(contents) => contents,
                None => self.look.file.read()?,
            },
        };
        let text = self.look.file.changed(&contents, &self.values)?;
        if text != contents.text {
            self.look.file.replace(&contents, &text)?;
        }
        Ok(())
    }

    /// Changes the settings of the running Docker, and checks that they stay.
    fn change_running(&self) -> Result<(), SettingsError> {
        let socket = BackendSocket::at(self.places.socket.clone());
        let failed = |fault| {
            let locked_by = Policies::of_this_computer().read().locked_by;
            SettingsError::of_change(&self.places.socket, fault, locked_by)
        };
        let is_as_set = |shown: &Shown| {
            self.values.iter().all(|(leaf, value)| {
                shown.values.get(leaf).and_then(|now| now.text(*leaf)) == value.text(*leaf)
            })
        };
        let posted = match socket.change(&self.values) {
            // Docker may have taken the values although its answer did not come.
            Err(fault) if !fault.may_pass() => return Err(failed(fault)),
            posted => posted,
        };
        let until = Instant::now() + READ_TIMEOUT;
        let shown = match (posted, socket.read_until(until)) {
            (_, Ok(shown)) if is_as_set(&shown) => shown,
            (Err(fault), _) => return Err(failed(fault)),
            (Ok(()), read) => read.map_err(failed)?,
        };
        if matches!(self.record, Recording::Set { .. }) {
            // From here on a missing value is one that was put back.
            self.confirm(false)?;
        }
        if is_as_set(&shown) {
            // Policies come late.
            thread::sleep(POLICY_DELAY);
            let later = socket.read_until(until + POLICY_DELAY).map_err(failed)?;
            if is_as_set(&later) {
                return Ok(());
            }
            return Err(self.put_back(&later.values));
        }
        Err(self.put_back(&shown.values))
    }

    /// Records that Docker has the values.
    fn confirm(&self, is_repair: bool) -> Result<(), SettingsError> {
        let process = match self.look.access {
            Access::Socket => self.look.known_process(),
            _ => None,
        };
        self.records.confirm(process, is_repair)
    }

    fn put_back(&self, now: &Values) -> SettingsError {
        let by = Policies::of_this_computer().read().locked_by;
        SettingsError::PutBack {
            by: locked_by_words(&by.unwrap_or(LockedBy::Organization)),
            found: InForce::of(now).map_or_else(|_| "another value".to_owned(), |it| shown(&it)),
            after: POLICY_DELAY,
        }
    }
}

/// Does everything that a change would do except the change itself.
pub(super) fn preflight(bundle: &Bundle, home: &Path) -> Result<(), SettingsError> {
    let places = Places::in_home(home);
    let look = Look::at(bundle, &places);
    if let Some(fault) = look.fault {
        return Err(fault);
    }
    match (look.access, &look.contents) {
        (Access::File | Access::FileAfterQuit, Some(contents)) => {
            file::preflight(&look.file, contents)
        }
        _ => Ok(()),
    }
}
