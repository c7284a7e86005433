//! Plans the uninstallation from the result of a scan.

use std::path::{Path, PathBuf};

use crate::app::single_instance::Instance;
use crate::credentials::STORE;
use crate::error::{Error, Face, Kind, Result};
use crate::patch::Unpatched;
use crate::storage::{is_temporary, quarantined_from};

use super::scan::{BackupState, DockerScan, FolderScan, ImageState, ScanResult};
use super::{Artifacts, Failed, Left};

/// One action of an uninstallation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UninstallStep {
    /// Ends another Baleen, described by this text.
    End(String),
    /// Restores the boot image of the Docker.app at this path and version. The original sets this
    /// proxy.
    Restore(PathBuf, String, Unpatched),
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
            Self::End(_) => "running",
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
    pub fn what(&self) -> String {
        match self {
            Self::End(what) | Self::Password(what) => what.clone(),
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

    /// Returns the text for a planned step, as in "remove /a/b".
    pub(crate) fn to_do(&self) -> String {
        match self {
            Self::End(who) => format!("end {who}"),
            Self::Restore(path, version, original) => format!(
                "give Docker {version} at {} {}",
                path.display(),
                back(original)
            ),
            Self::RemoveLeftover(path, version) => format!(
                "remove an unfinished boot image from Docker {version} at {}",
                path.display()
            ),
            Self::Backup(_, path) => format!("remove {}, which is {SAME}", path.display()),
            Self::LoginItem => "no longer open Baleen at login".to_owned(),
            Self::Password(account) => format!("delete the password of {account} from {STORE}"),
            Self::File(path) => format!("remove {}", path.display()),
            Self::Folder(path) => format!("remove the folder {}", path.display()),
        }
    }

    /// Returns the text for a completed step, as in "removed /a/b".
    pub fn done(&self) -> String {
        match self {
            Self::End(who) => format!("ended {who}"),
            Self::Restore(path, version, original) => format!(
                "gave Docker {version} at {} {}, byte for byte",
                path.display(),
                back(original)
            ),
            Self::RemoveLeftover(path, version) => format!(
                "removed an unfinished boot image from Docker {version} at {}",
                path.display()
            ),
            Self::Backup(_, path) => format!("removed {}, which was {SAME}", path.display()),
            Self::LoginItem => "Baleen no longer opens at login".to_owned(),
            Self::Password(account) => format!("deleted the password of {account} from {STORE}"),
            Self::File(path) => format!("removed {}", path.display()),
            Self::Folder(path) => format!("removed the folder {}", path.display()),
        }
    }
}

/// Describes the restored boot image. It is called Docker's own only if it sets no proxy.
fn back(original: &Unpatched) -> String {
    match original {
        Unpatched::Clean => "its own boot image back".to_owned(),
        other => format!("back {}", other.in_words()),
    }
}

const SAME: &str = "the same as the unchanged boot image beside it";

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
    pub remarks: Vec<String>,
}

/// Makes the plan. With `leave_images`, boot images keep the proxy.
///
/// # Errors
/// When a boot image can't be restored, and `leave_images` is false.
pub fn plan(found: ScanResult, places: &Artifacts, leave_images: bool) -> Result<UninstallPlan> {
    let mut plan = UninstallPlan {
        remarks: found.remarks,
        ..UninstallPlan::default()
    };
    plan.steps.extend(found.running.map(UninstallStep::End));
    for docker in found.dockers {
        plan.add_docker(docker, leave_images)?;
    }
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
            what: format!("delete what may be of Baleen's in {STORE}"),
            error,
        }),
    }
    plan.steps
        .extend(found.files.into_iter().map(UninstallStep::File));
    for folder in &found.folders {
        plan.add_folder(folder, places);
    }
    plan.steps.sort_by_key(UninstallStep::rank);
    for target in found.linked {
        plan.leave(
            target.display(),
            "a file that Baleen only had a link to; the link goes",
        );
    }
    for agent in found.launch_agents {
        plan.leave(agent.display(), launch_agent(&agent));
    }
    if let Some(config) = found.named_config {
        plan.leave(
            config.display(),
            "the settings file that was named, which may serve others",
        );
    }
    Ok(plan)
}

impl UninstallPlan {
    fn leave(&mut self, what: impl ToString, why: impl Into<String>) {
        self.left.push(Left {
            what: what.to_string(),
            why: why.into(),
        });
    }

    fn add_docker(&mut self, docker: DockerScan, leave_image: bool) -> Result<()> {
        let version = docker.version.unwrap_or_default();
        let path = docker.path.clone();
        let shown = path.display().to_string();
        match docker.image {
            Ok(ImageState::Stock) => {}
            Ok(ImageState::Unfinished) => self
                .steps
                .push(UninstallStep::RemoveLeftover(docker.path, version)),
            Ok(ImageState::Patched(_, original)) if !leave_image => {
                self.remarks.extend(original.way_out().map(|way_out| {
                    format!("Baleen leaves the proxy that was set by hand in the boot image of {shown}; {way_out}")
                }));
                self.steps
                    .push(UninstallStep::Restore(docker.path, version, original));
            }
            Ok(ImageState::Patched(proxy, _)) => self.leave(
                &shown,
                format!("its engine keeps the proxy {proxy}, until you reinstall Docker"),
            ),
            Err(error) if leave_image => self.leave(&shown, error.to_string()),
            Err(error) => return Err(stopped(error, true, &[])),
        }
        match docker.backup {
            Some(BackupState::Leftover(backup)) => {
                self.steps.push(UninstallStep::Backup(path, backup))
            }
            Some(BackupState::Stray(backup)) => self.leave(
                backup.display(),
                "a boot image that is not the original of the one beside it; Docker has no use for it",
            ),
            None => {}
        }
        Ok(())
    }

    /// Removes a folder and everything that Baleen made in it, unless it holds other files as well.
    fn add_folder(&mut self, folder: &FolderScan, places: &Artifacts) {
        let mut others = Vec::new();
        let (mut more, mut finders) = (Vec::new(), None);
        for (name, is_folder) in &folder.entries {
            let path = folder.path.join(name);
            let was = quarantined_from(&path);
            if *is_folder {
                others.push(name);
            } else if name == FINDERS {
                finders = Some(UninstallStep::File(path));
            } else if is_temporary(name) || was.is_some_and(|was| places.files.contains(&was)) {
                more.push(UninstallStep::File(path));
            } else if !places.files.contains(&path) {
                others.push(name);
            }
        }
        self.steps.extend(more);
        if !others.is_empty() {
            let names: Vec<String> = others
                .iter()
                .take(NAMED)
                .map(|name| name.display().to_string())
                .collect();
            let more = match others.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.leave(
                folder.path.display(),
                format!("Baleen did not make {}{more} in it", names.join(", ")),
            );
        } else if folder.is_link {
            self.leave(folder.path.display(), "Baleen did not make this link");
        } else {
            self.steps.extend(finders);
            self.steps.push(UninstallStep::Folder(folder.path.clone()));
        }
    }
}

/// The file in which the Finder stores the view of a folder. It exists in each folder that was ever
/// opened.
const FINDERS: &str = ".DS_Store";
/// Maximum number of remaining files that are listed for a folder.
const NAMED: usize = 5;

/// Returns advice on how to remove a launch agent that Baleen did not make.
fn launch_agent(path: &Path) -> String {
    let label = path.file_stem().unwrap_or_default().display();
    let sudo = match path.starts_with("/Library") {
        true => "sudo ",
        false => "",
    };
    format!(
        "it starts Baleen at each login, and someone installed it by hand; to remove it: `launchctl bootout gui/$(id -u)/{label}; {sudo}rm {}`",
        path.display()
    )
}

/// The error for a boot image that stops the uninstallation after the steps in `before`.
/// `is_of_choice` is true if the boot image can be left unchanged.
pub(super) fn stopped(error: Error, is_of_choice: bool, before: &[UninstallStep]) -> Error {
    let own = match error.hint(Face::CommandLine) {
        Some(advice) => format!("{advice}; then uninstall again"),
        None => "fix that, then run uninstall again".to_owned(),
    };
    let done: Vec<String> = before.iter().map(UninstallStep::done).collect();
    let done = match done.is_empty() {
        true => "nothing was removed".to_owned(),
        false => format!("only this was done: {}", done.join(", ")),
    };
    let choice = match is_of_choice {
        true => {
            ". `baleen uninstall --leave-images` would leave the boot image as it is and remove the rest"
        }
        false => "",
    };
    error.with_hint(format!("{own}{choice}; {done}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            dockers: Vec::new(),
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

    fn docker(image: Result<ImageState>) -> DockerScan {
        DockerScan {
            path: "/Docker.app".into(),
            version: Some("1.12.0".to_owned()),
            image,
            backup: None,
        }
    }

    fn broken() -> Error {
        Error::new(Kind::Unsupported, "no original").with_hint("install Docker again")
    }

    fn words(plan: &UninstallPlan) -> Vec<String> {
        plan.steps.iter().map(UninstallStep::to_do).collect()
    }

    #[test]
    fn it_is_done_in_this_order() {
        let found = ScanResult {
            running: Some("the app".to_owned()),
            dockers: vec![docker(Ok(ImageState::Patched(
                "http://p:1".to_owned(),
                Unpatched::Clean,
            )))],
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
            words(&plan),
            [
                "end the app",
                "give Docker 1.12.0 at /Docker.app its own boot image back",
                "no longer open Baleen at login",
                &format!("delete the password of me@p:1 from {STORE}"),
                "remove /s/state.json",
                "remove /s/.baleen-x",
                // Until then, no second Baleen can start.
                "remove /s/agent.lock",
                "remove the folder /s",
            ]
        );
        assert!(plan.left.is_empty() && plan.failed.is_empty());
        let done: Vec<String> = plan.steps.iter().map(UninstallStep::done).collect();
        assert_eq!(done[0], "ended the app");
        assert_eq!(
            done[6..],
            ["removed /s/agent.lock", "removed the folder /s"]
        );
    }

    #[test]
    fn what_becomes_of_an_image() {
        let patched = || {
            Ok(ImageState::Patched(
                "http://p:1".to_owned(),
                Unpatched::Clean,
            ))
        };
        type Case = (
            fn() -> Result<ImageState>,
            bool,
            &'static [&'static str],
            &'static [&'static str],
        );
        let cases: [Case; 6] = [
            (|| Ok(ImageState::Stock), false, &[], &[]),
            (|| Ok(ImageState::Stock), true, &[], &[]),
            (
                || Ok(ImageState::Unfinished),
                false,
                &["remove an unfinished boot image from Docker 1.12.0 at /Docker.app"],
                &[],
            ),
            (
                || {
                    Ok(ImageState::Patched(
                        "http://p:1".to_owned(),
                        Unpatched::Clean,
                    ))
                },
                false,
                &["give Docker 1.12.0 at /Docker.app its own boot image back"],
                &[],
            ),
            (
                || {
                    Ok(ImageState::Patched(
                        "http://p:1".to_owned(),
                        Unpatched::Clean,
                    ))
                },
                true,
                &[],
                &["its engine keeps the proxy http://p:1, until you reinstall Docker"],
            ),
            (|| Err(broken()), true, &[], &["no original"]),
        ];
        for (image, leave, steps, left) in cases {
            let found = ScanResult {
                dockers: vec![docker(image())],
                ..found()
            };
            let plan = plan(found, &places(), leave).unwrap();
            assert_eq!(words(&plan), steps);
            let why: Vec<&str> = plan.left.iter().map(|left| &*left.why).collect();
            assert_eq!(why, left);
        }
        // An image that can't be restored stops everything, even if another one can be.
        let found = ScanResult {
            dockers: vec![docker(patched()), docker(Err(broken()))],
            ..found()
        };
        let error = plan(found, &places(), false).unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (Kind::Unsupported, "no original")
        );
        assert_eq!(
            error.hint(Face::CommandLine).as_deref(),
            Some(
                "install Docker again; then uninstall again. `baleen uninstall --leave-images` would leave the boot image as it is and remove the rest; nothing was removed"
            )
        );
    }

    #[test]
    fn what_was_done_before_it_stopped_is_said() {
        let before = [UninstallStep::Restore(
            "/a".into(),
            "1.12.0".to_owned(),
            Unpatched::Clean,
        )];
        let error = stopped(Error::new(Kind::Failure, "no"), true, &before);
        let advice = error.hint(Face::CommandLine).unwrap();
        assert!(
            advice.starts_with("fix that, then run uninstall again. "),
            "{advice}"
        );
        assert!(
            advice.ends_with(
                "only this was done: gave Docker 1.12.0 at /a its own boot image back, byte for byte"
            ),
            "{advice}"
        );
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
        let gone = "remove the folder /s";
        let cases: [(&[&str], &[&str], &str); 10] = [
            (
                &[".DS_Store", ".baleen-kept-7", "x"],
                &["remove /s/.baleen-kept-7"],
                "Baleen did not make x in it",
            ),
            (&[], &[gone], ""),
            (&["state.json", "baleen.log"], &[gone], ""),
            (
                &[".DS_Store", ".baleen-kept-7"],
                &["remove /s/.baleen-kept-7", "remove /s/.DS_Store", gone],
                "",
            ),
            (
                &["state.json", "state.json.schema-12"],
                &["remove /s/state.json.schema-12", gone],
                "",
            ),
            (
                &["mine.json.schema-2", "state.json.schema-x"],
                &[],
                "Baleen did not make mine.json.schema-2, state.json.schema-x in it",
            ),
            (&["state.json", "x"], &[], "Baleen did not make x in it"),
            (
                &["state.json/"],
                &[],
                "Baleen did not make state.json in it",
            ),
            (&[".baleen-x/"], &[], "Baleen did not make .baleen-x in it"),
            (
                &["1", "2", "3", "4", "5", "6", "7"],
                &[],
                "Baleen did not make 1, 2, 3, 4, 5 and 2 more in it",
            ),
        ];
        let planned = |folder| {
            let folders = vec![folder];
            plan(ScanResult { folders, ..found() }, &places(), false).unwrap()
        };
        for (names, steps, why) in cases {
            let plan = planned(folder(names));
            assert_eq!(words(&plan), steps, "{names:?}");
            let left: Vec<&str> = plan.left.iter().map(|left| &*left.why).collect();
            assert_eq!(left.concat(), why, "{names:?}");
        }
        let plan = planned(FolderScan {
            is_link: true,
            ..folder(&["state.json"])
        });
        assert!(plan.steps.is_empty());
        assert_eq!(plan.left[0].why, "Baleen did not make this link");
    }

    #[test]
    fn a_keyring_that_is_not_there_has_nothing_and_one_that_says_nothing_is_told() {
        for (kind, failures) in [
            (Kind::Unsupported, 0),
            (Kind::NotPermitted, 1),
            (Kind::Failure, 1),
        ] {
            let found = ScanResult {
                passwords: Err(Error::new(kind, "no")),
                ..found()
            };
            let plan = plan(found, &places(), false).unwrap();
            assert!(plan.steps.is_empty());
            assert_eq!(plan.failed.len(), failures, "{kind:?}");
        }
    }

    #[test]
    fn what_is_the_users_own_is_left() {
        let stray = DockerScan {
            backup: Some(BackupState::Stray("/x-backup".into())),
            ..docker(Ok(ImageState::Stock))
        };
        let found = ScanResult {
            dockers: vec![stray],
            named_config: Some("/work.toml".into()),
            linked: vec!["/dotfiles/baleen.toml".into()],
            launch_agents: vec!["/h/Library/a.plist".into(), "/Library/b.plist".into()],
            ..found()
        };
        let plan = plan(found, &places(), false).unwrap();
        assert!(plan.steps.is_empty());
        let left: Vec<&str> = plan.left.iter().map(|left| &*left.what).collect();
        assert_eq!(
            left,
            [
                "/x-backup",
                "/dotfiles/baleen.toml",
                "/h/Library/a.plist",
                "/Library/b.plist",
                "/work.toml"
            ]
        );
        for (left, way) in plan.left[2..].iter().zip([
            "`launchctl bootout gui/$(id -u)/a; rm /h/Library/a.plist`",
            "`launchctl bootout gui/$(id -u)/b; sudo rm /Library/b.plist`",
        ]) {
            assert!(left.why.ends_with(way), "{}", left.why);
        }
    }

    #[test]
    fn a_second_one_of_an_unchanged_image_goes() {
        let leftover = DockerScan {
            backup: Some(BackupState::Leftover("/x-backup".into())),
            ..docker(Ok(ImageState::Stock))
        };
        let found = ScanResult {
            dockers: vec![leftover],
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
        for (kind, step, expected) in [
            (Kind::Busy, &restore, true),
            (Kind::Failure, &restore, true),
            (Kind::Busy, &clear, true),
            (Kind::Failure, &clear, false),
            (Kind::Busy, &backup, true),
            (Kind::NotPermitted, &backup, false),
            (Kind::Busy, &UninstallStep::File(path.clone()), false),
        ] {
            let error = Error::new(kind, "no");
            assert_eq!(step.stops(&error), expected, "{kind:?} {step:?}");
        }
        let error = stopped(Error::new(Kind::Busy, "no").with_hint("wait"), false, &[]);
        assert_eq!(
            error.hint(Face::CommandLine).as_deref(),
            Some("wait; then uninstall again; nothing was removed")
        );
    }
}
