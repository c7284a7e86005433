//! Plans the uninstallation from the result of a scan.

use std::path::{Path, PathBuf};

use crate::backend::{BackupState, Remains, RemainsState, Unpatched};
use crate::error::{Error, Kind};
use crate::relay;
use crate::service::single_instance::Instance;
use crate::storage::{is_temporary, quarantined_from};

use super::scan::{FolderScan, ScanResult};
use super::{Action, Artifacts, Failed, Left, Remark, UninstallError};

/// One action of an uninstallation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UninstallStep {
    /// Ends another Baleen, described by this text.
    End(String),
    /// Restores the boot image of the Docker.app at this path and version. The original sets this
    /// proxy.
    Restore(PathBuf, String, Unpatched),
    /// Ends the relay with this description. Its tunnels have a few seconds.
    EndRelay(String),
    /// Removes an unfinished copy of the boot image from the Docker.app at this path and version.
    RemoveLeftover(PathBuf, String),
    /// Removes the backup at the second path from the Docker.app at the first. It is a duplicate of
    /// an unchanged boot image.
    Backup(PathBuf, PathBuf),
    /// Stops opening Baleen at login.
    LoginItem,
    /// Deletes the password of this account.
    Password(String),
    /// Removes this file.
    File(PathBuf),
    /// Removes this folder, which is empty by then.
    Folder(PathBuf),
}

impl UninstallStep {
    /// Returns the kind of the step.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::End(_) | Self::EndRelay(_) => "running",
            Self::Restore(..) => "image",
            Self::RemoveLeftover(..) => "unfinished-image",
            Self::Backup(..) => "leftover-backup",
            Self::LoginItem => "login-item",
            Self::Password(_) => "password",
            Self::File(_) => "file",
            Self::Folder(_) => "folder",
        }
    }

    /// Returns the object of the step, for programs.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::End(what) | Self::EndRelay(what) | Self::Password(what) => what.clone(),
            Self::Restore(path, ..)
            | Self::RemoveLeftover(path, _)
            | Self::Backup(_, path)
            | Self::File(path)
            | Self::Folder(path) => path.display().to_string(),
            Self::LoginItem => "Baleen".to_owned(),
        }
    }

    /// Returns whether this error stops the uninstallation. Otherwise the work on a boot image
    /// would continue without Baleen, or could not be undone any more.
    pub(super) fn stops(&self, error: &Error) -> bool {
        match self {
            Self::Restore(..) => true,
            // Another Baleen is at work on it.
            Self::RemoveLeftover(..) | Self::Backup(..) => error.kind() == Kind::Busy,
            _ => false,
        }
    }

    /// Returns whether the step is skipped when boot images are left unchanged.
    pub(super) fn is_of_choice(&self) -> bool {
        matches!(self, Self::Restore(..))
    }

    /// Returns the position among the steps that remove files. The file that keeps a second Baleen
    /// from starting is removed last of all files.
    fn rank(&self) -> u8 {
        match self {
            Self::Folder(_) => 2,
            Self::File(path) if path.ends_with(Instance::LOCK) => 1,
            _ => 0,
        }
    }
}

/// A complete plan, in the order of its steps.
#[derive(Debug, Default)]
pub struct UninstallPlan {
    /// The steps.
    pub steps: Vec<UninstallStep>,
    /// The items that stay.
    pub left: Vec<Left>,
    /// The items that could not be read.
    pub failed: Vec<Failed>,
    /// Facts that could not be found out, but don't stop anything.
    pub remarks: Vec<Remark>,
}

/// Makes the plan. With `leave_images`, boot images keep the proxy.
///
/// # Errors
/// When a boot image can't be restored, and `leave_images` is false.
pub fn plan(
    found: ScanResult,
    places: &Artifacts,
    leave_images: bool,
) -> Result<UninstallPlan, UninstallError> {
    let mut plan = UninstallPlan {
        remarks: found.remarks,
        ..UninstallPlan::default()
    };
    plan.steps.extend(found.running.map(UninstallStep::End));
    for engine in found.engines {
        plan.add_engine(engine, leave_images)?;
    }
    // Docker reaches nothing without the relay as long as it has its address, and the token in it.
    let keeps_relay = plan.left.iter().any(|left| left.needs_relay());
    if !keeps_relay {
        plan.steps.extend(found.relay.map(UninstallStep::EndRelay));
    }
    let is_kept = |path: &Path| keeps_relay && is_of_relay(path);
    if found.opens_at_login {
        plan.steps.push(UninstallStep::LoginItem);
    }
    match found.passwords {
        Ok(accounts) => plan
            .steps
            .extend(accounts.into_iter().map(UninstallStep::Password)),
        // Without a store there are no passwords.
        Err(error) if error.kind() == Kind::Unsupported => {}
        Err(error) => plan.failed.push(Failed {
            action: Action::ListPasswords,
            error,
        }),
    }
    let files = found.files.into_iter().filter(|path| !is_kept(path));
    plan.steps.extend(files.map(UninstallStep::File));
    for folder in &found.folders {
        plan.add_folder(folder, places, &is_kept);
    }
    plan.steps.sort_by_key(UninstallStep::rank);
    let linked = found.linked.into_iter().map(Left::LinkTarget);
    let agents = found.launch_agents.into_iter().map(Left::LaunchAgent);
    plan.left.extend(linked.chain(agents));
    plan.left.extend(found.named_config.map(Left::NamedConfig));
    Ok(plan)
}

impl UninstallPlan {
    fn add_engine(&mut self, engine: Remains, leave_image: bool) -> Result<(), UninstallError> {
        let version = engine.version.unwrap_or_default();
        let path = engine.path.clone();
        match engine.state {
            Ok(RemainsState::Stock) => {}
            Ok(RemainsState::Unfinished) => self
                .steps
                .push(UninstallStep::RemoveLeftover(engine.path, version)),
            Ok(RemainsState::Patched(_, original)) if !leave_image => {
                if let Unpatched::ByHand { .. } = original {
                    self.remarks.push(Remark::ByHand {
                        docker: engine.path.clone(),
                        original: original.clone(),
                    });
                }
                self.steps
                    .push(UninstallStep::Restore(engine.path, version, original));
            }
            Ok(RemainsState::Patched(proxy, _)) => self.left.push(Left::Image {
                docker: engine.path,
                proxy,
            }),
            Err(error) if leave_image => self.left.push(Left::BrokenImage {
                docker: engine.path,
                why: error.into(),
            }),
            Err(error) => return Err(UninstallError::stopped(error, true, Vec::new())),
        }
        match engine.backup {
            Some(BackupState::Leftover(backup)) => {
                self.steps.push(UninstallStep::Backup(path, backup))
            }
            Some(BackupState::Stray(backup)) => self.left.push(Left::StrayBackup(backup)),
            None => {}
        }
        Ok(())
    }

    /// Removes a folder and everything that Baleen made in it, unless it holds other files as well, or one that is kept.
    fn add_folder(
        &mut self,
        folder: &FolderScan,
        places: &Artifacts,
        is_kept: &dyn Fn(&Path) -> bool,
    ) {
        let (mut others, mut is_needed) = (Vec::new(), false);
        let (mut more, mut finders) = (Vec::new(), None);
        for (name, is_folder) in &folder.entries {
            let path = folder.path.join(name);
            let was = quarantined_from(&path);
            if *is_folder {
                others.push(name.clone());
            } else if name == FINDERS {
                finders = Some(UninstallStep::File(path));
            } else if is_temporary(name) || was.is_some_and(|was| places.files.contains(&was)) {
                more.push(UninstallStep::File(path));
            } else if !places.files.contains(&path) {
                others.push(name.clone());
            } else {
                is_needed |= is_kept(&path);
            }
        }
        self.steps.extend(more);
        if !others.is_empty() {
            self.left.push(Left::Folder {
                path: folder.path.clone(),
                others,
            });
        } else if folder.is_link {
            self.left.push(Left::Link(folder.path.clone()));
        } else if !is_needed {
            self.steps.extend(finders);
            self.steps.push(UninstallStep::Folder(folder.path.clone()));
        }
    }
}

/// Returns whether a file of Baleen's is one of the relay's.
fn is_of_relay(path: &Path) -> bool {
    let name = path.file_name();
    name.is_some_and(|name| relay::FILES.iter().any(|file| name == *file))
}

/// The file in which the Finder stores the view of a folder. It exists in each folder that was ever
/// opened.
const FINDERS: &str = ".DS_Store";

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::backend::NotFound;
    use crate::error::{Failure, IoError};
    use crate::proxy::RedactedProxy;

    fn places() -> Artifacts {
        Artifacts {
            files: vec!["/s/state.json".into(), "/s/baleen.log".into()],
            folders: vec!["/s".into()],
            launch_agents: Vec::new(),
        }
    }

    fn found() -> ScanResult {
        ScanResult {
            running: None,
            relay: None,
            engines: Vec::new(),
            opens_at_login: false,
            passwords: Ok(Vec::new()),
            files: Vec::new(),
            folders: Vec::new(),
            named_config: None,
            linked: Vec::new(),
            launch_agents: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn docker(state: crate::error::Result<RemainsState>) -> Remains {
        Remains {
            path: "/Docker.app".into(),
            version: Some("1.12.0".to_owned()),
            state,
            backup: None,
        }
    }

    fn broken() -> Error {
        NotFound::Anywhere { places: Vec::new() }.into()
    }

    fn io(kind: ErrorKind) -> Error {
        IoError::new("read", "/a".as_ref(), kind.into()).into()
    }

    fn proxy() -> RedactedProxy {
        RedactedProxy {
            http: "http://p:1".parse().ok(),
            https: "http://p:1".parse().ok(),
            no_proxy: String::new(),
        }
    }

    fn file(path: &str) -> UninstallStep {
        UninstallStep::File(path.into())
    }

    #[test]
    fn it_is_done_in_this_order() {
        let found = ScanResult {
            running: Some("the app".to_owned()),
            relay: Some("the relay".to_owned()),
            engines: vec![docker(Ok(RemainsState::Patched(proxy(), Unpatched::Clean)))],
            opens_at_login: true,
            passwords: Ok(vec!["me@p:1".to_owned()]),
            files: vec!["/s/agent.lock".into(), "/s/state.json".into()],
            folders: vec![folder(&["agent.lock", "state.json", ".baleen-x"])],
            ..found()
        };
        let mut places = places();
        places.files.push("/s/agent.lock".into());
        let plan = plan(found, &places, false).unwrap();
        assert_eq!(
            plan.steps,
            [
                UninstallStep::End("the app".to_owned()),
                UninstallStep::Restore("/Docker.app".into(), "1.12.0".to_owned(), Unpatched::Clean),
                UninstallStep::EndRelay("the relay".to_owned()),
                UninstallStep::LoginItem,
                UninstallStep::Password("me@p:1".to_owned()),
                file("/s/state.json"),
                file("/s/.baleen-x"),
                // Until then, no second Baleen can start.
                file("/s/agent.lock"),
                UninstallStep::Folder("/s".into()),
            ]
        );
        assert!(plan.left.is_empty() && plan.failed.is_empty());
    }

    #[test]
    fn the_relay_stays_as_long_as_an_image_has_its_address() {
        let relay = |host: &str| {
            let url = format!("http://{}:x@{host}:18128", crate::proxy::RELAY_USER);
            RedactedProxy {
                http: url.parse().ok(),
                https: url.parse().ok(),
                no_proxy: String::new(),
            }
        };
        let names = ["relay.json", "relay.lock", "relay.socket", "state.json"];
        let files = || {
            names
                .map(|name| PathBuf::from(format!("/s/{name}")))
                .to_vec()
        };
        let mut places = places();
        places.files.extend(files());
        for (proxy, leave, others, keeps) in [
            (relay("192.168.65.1"), true, None, true),
            (relay("192.168.65.1"), true, Some("mine"), true),
            (relay("192.168.65.1"), false, None, false),
            (proxy(), true, None, false),
        ] {
            let found = ScanResult {
                relay: Some("the relay".to_owned()),
                engines: vec![docker(Ok(RemainsState::Patched(proxy, Unpatched::Clean)))],
                files: files(),
                folders: vec![folder(&[&names[..], others.as_slice()].concat())],
                ..found()
            };
            let plan = plan(found, &places, leave).unwrap();
            let has = |step: UninstallStep| plan.steps.contains(&step);
            assert!(has(file("/s/state.json")));
            assert_eq!(has(UninstallStep::EndRelay("the relay".to_owned())), !keeps);
            assert_eq!(has(UninstallStep::Folder("/s".into())), !keeps);
            for name in &names[..3] {
                assert_eq!(has(file(&format!("/s/{name}"))), !keeps, "{name}");
            }
            let is_folder = |left: &&Left| matches!(left, Left::Folder { .. });
            let left = plan.left.iter().find(is_folder);
            assert_eq!(left.is_some(), others.is_some(), "{left:?}");
        }
    }

    #[test]
    fn what_becomes_of_an_image() {
        let (path, version) = (|| PathBuf::from("/Docker.app"), || "1.12.0".to_owned());
        let patched = || Ok(RemainsState::Patched(proxy(), Unpatched::Clean));
        let restored = UninstallStep::Restore(path(), version(), Unpatched::Clean);
        for (image, leave, steps, left) in [
            (Ok(RemainsState::Stock), false, vec![], vec![]),
            (Ok(RemainsState::Stock), true, vec![], vec![]),
            (
                Ok(RemainsState::Unfinished),
                false,
                vec![UninstallStep::RemoveLeftover(path(), version())],
                vec![],
            ),
            (patched(), false, vec![restored], vec![]),
            (
                patched(),
                true,
                vec![],
                vec![Left::Image {
                    docker: path(),
                    proxy: proxy(),
                }],
            ),
            (
                Err(broken()),
                true,
                vec![],
                vec![Left::BrokenImage {
                    docker: path(),
                    why: broken().into(),
                }],
            ),
        ] {
            let found = ScanResult {
                engines: vec![docker(image)],
                ..found()
            };
            let plan = plan(found, &places(), leave).unwrap();
            assert_eq!((plan.steps, plan.left), (steps, left));
        }
        // An image that can't be restored stops everything, even if another one can be.
        let found = ScanResult {
            engines: vec![docker(patched()), docker(Err(broken()))],
            ..found()
        };
        let error = plan(found, &places(), false).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (broken().kind(), broken().code())
        );
        let UninstallError::Stopped {
            can_leave_image,
            done,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert!(can_leave_image && done.is_empty());
    }

    #[test]
    fn a_proxy_that_was_set_by_hand_is_reported() {
        let original = Unpatched::ByHand {
            line: "export http_proxy=x".to_owned(),
            stock: None,
        };
        let found = ScanResult {
            engines: vec![docker(Ok(RemainsState::Patched(proxy(), original.clone())))],
            ..found()
        };
        let plan = plan(found, &places(), false).unwrap();
        let [
            Remark::ByHand {
                docker,
                original: told,
            },
        ] = &*plan.remarks
        else {
            panic!("{:?}", plan.remarks);
        };
        assert_eq!((docker, told), (&PathBuf::from("/Docker.app"), &original));
    }

    fn folder(names: &[&str]) -> FolderScan {
        // A slash after a name makes it a folder.
        let entry = |name: &&str| (name.trim_end_matches('/').into(), name.ends_with('/'));
        FolderScan {
            path: "/s".into(),
            is_link: false,
            entries: names.iter().map(entry).collect(),
        }
    }

    #[test]
    fn what_becomes_of_a_folder() {
        let gone = || UninstallStep::Folder("/s".into());
        let cases: [(&[&str], Vec<UninstallStep>, &[&str]); 9] = [
            (
                &[".DS_Store", ".baleen-kept-7", "x"],
                vec![file("/s/.baleen-kept-7")],
                &["x"],
            ),
            (&[], vec![gone()], &[]),
            (&["state.json", "baleen.log"], vec![gone()], &[]),
            (
                &[".DS_Store", ".baleen-kept-7"],
                vec![file("/s/.baleen-kept-7"), file("/s/.DS_Store"), gone()],
                &[],
            ),
            (
                &["state.json", "state.json.schema-12"],
                vec![file("/s/state.json.schema-12"), gone()],
                &[],
            ),
            (
                &["mine.json.schema-2", "state.json.schema-x"],
                vec![],
                &["mine.json.schema-2", "state.json.schema-x"],
            ),
            (&["state.json", "x"], vec![], &["x"]),
            (&["state.json/"], vec![], &["state.json"]),
            (&[".baleen-x/"], vec![], &[".baleen-x"]),
        ];
        let planned = |folder| {
            let folders = vec![folder];
            plan(ScanResult { folders, ..found() }, &places(), false).unwrap()
        };
        for (names, steps, others) in cases {
            let plan = planned(folder(names));
            assert_eq!(plan.steps, steps, "{names:?}");
            let left = Left::Folder {
                path: "/s".into(),
                others: others.iter().map(Into::into).collect(),
            };
            let left: Vec<Left> = (!others.is_empty()).then_some(left).into_iter().collect();
            assert_eq!(plan.left, left, "{names:?}");
        }
        let plan = planned(FolderScan {
            is_link: true,
            ..folder(&["state.json"])
        });
        assert!(plan.steps.is_empty());
        assert_eq!(plan.left, [Left::Link("/s".into())]);
    }

    #[test]
    fn a_keyring_that_is_not_there_has_nothing_and_one_that_says_nothing_is_reported() {
        for (error, failures) in [
            (broken(), 0),
            (io(ErrorKind::PermissionDenied), 1),
            (io(ErrorKind::NotFound), 1),
        ] {
            let kind = error.kind();
            let found = ScanResult {
                passwords: Err(error),
                ..found()
            };
            let plan = plan(found, &places(), false).unwrap();
            assert!(plan.steps.is_empty());
            assert_eq!(plan.failed.len(), failures, "{kind:?}");
        }
    }

    #[test]
    fn what_is_the_users_own_is_left() {
        let stray = Remains {
            backup: Some(BackupState::Stray("/x-backup".into())),
            ..docker(Ok(RemainsState::Stock))
        };
        let found = ScanResult {
            engines: vec![stray],
            named_config: Some("/work.toml".into()),
            linked: vec!["/dotfiles/baleen.toml".into()],
            launch_agents: vec!["/h/Library/a.plist".into(), "/Library/b.plist".into()],
            ..found()
        };
        let plan = plan(found, &places(), false).unwrap();
        assert!(plan.steps.is_empty());
        assert_eq!(
            plan.left,
            [
                Left::StrayBackup("/x-backup".into()),
                Left::LinkTarget("/dotfiles/baleen.toml".into()),
                Left::LaunchAgent("/h/Library/a.plist".into()),
                Left::LaunchAgent("/Library/b.plist".into()),
                Left::NamedConfig("/work.toml".into()),
            ]
        );
    }

    #[test]
    fn a_second_one_of_an_unchanged_image_goes() {
        let leftover = Remains {
            backup: Some(BackupState::Leftover("/x-backup".into())),
            ..docker(Ok(RemainsState::Stock))
        };
        let found = ScanResult {
            engines: vec![leftover],
            ..found()
        };
        let plan = plan(found, &places(), true).unwrap();
        assert_eq!(
            plan.steps,
            [UninstallStep::Backup(
                "/Docker.app".into(),
                "/x-backup".into()
            )]
        );
        assert!(plan.left.is_empty());
    }

    #[test]
    fn another_baleen_at_work_on_an_image_stops_it() {
        let (path, version) = (PathBuf::from("/Docker.app"), String::new());
        let (restore, clear) = (
            UninstallStep::Restore(path.clone(), version.clone(), Unpatched::Clean),
            UninstallStep::RemoveLeftover(path.clone(), version),
        );
        let backup = UninstallStep::Backup(path.clone(), "/x-backup".into());
        let file = UninstallStep::File(path);
        let busy = || Error::from(UninstallError::LiveEdit);
        for (error, step, expected) in [
            (busy(), &restore, true),
            (io(ErrorKind::NotFound), &restore, true),
            (busy(), &clear, true),
            (io(ErrorKind::NotFound), &clear, false),
            (busy(), &backup, true),
            (io(ErrorKind::PermissionDenied), &backup, false),
            (busy(), &file, false),
        ] {
            assert_eq!(step.stops(&error), expected, "{error:?} {step:?}");
        }
    }
}
