//! What an uninstallation does, leaves and could not do, in words.

use std::path::Path;

use crate::backend::Unpatched;
use crate::credentials::STORE;
use crate::service::InstalledBy;
use crate::uninstall::{Action, LastStep, Left, Remark, UninstallStep};

/// Maximum number of files of others that are listed for a folder.
const NAMED: usize = 5;

const SAME: &str = "the same as the unchanged boot image beside it";

/// Returns the text for a planned step, as in "remove /a/b".
pub(crate) fn to_do(step: &UninstallStep) -> String {
    match step {
        UninstallStep::End(who) | UninstallStep::EndRelay(who) => format!("end {who}"),
        UninstallStep::Restore(path, version, original) => format!(
            "give Docker {version} at {} {}",
            path.display(),
            back(original)
        ),
        UninstallStep::RemoveLeftover(path, version) => format!(
            "remove an unfinished boot image from Docker {version} at {}",
            path.display()
        ),
        UninstallStep::Backup(_, path) => format!("remove {}, which is {SAME}", path.display()),
        UninstallStep::LoginItem => "no longer open Baleen at login".to_owned(),
        UninstallStep::Password(account) => {
            format!("delete the password of {account} from {STORE}")
        }
        UninstallStep::File(path) => format!("remove {}", path.display()),
        UninstallStep::Folder(path) => format!("remove the folder {}", path.display()),
    }
}

/// Returns the text for a completed step, as in "removed /a/b".
pub(crate) fn done(step: &UninstallStep) -> String {
    match step {
        UninstallStep::End(who) | UninstallStep::EndRelay(who) => format!("ended {who}"),
        UninstallStep::Restore(path, version, original) => format!(
            "gave Docker {version} at {} {}, byte for byte",
            path.display(),
            back(original)
        ),
        UninstallStep::RemoveLeftover(path, version) => format!(
            "removed an unfinished boot image from Docker {version} at {}",
            path.display()
        ),
        UninstallStep::Backup(_, path) => format!("removed {}, which was {SAME}", path.display()),
        UninstallStep::LoginItem => "Baleen no longer opens at login".to_owned(),
        UninstallStep::Password(account) => {
            format!("deleted the password of {account} from {STORE}")
        }
        UninstallStep::File(path) => format!("removed {}", path.display()),
        UninstallStep::Folder(path) => format!("removed the folder {}", path.display()),
    }
}

/// Returns the completed steps in one line.
pub(super) fn all_done(steps: &[UninstallStep]) -> String {
    let steps: Vec<String> = steps.iter().map(done).collect();
    steps.join(", ")
}

/// Describes the restored boot image. It is called Docker's own only if it sets no proxy.
fn back(original: &Unpatched) -> String {
    match original {
        Unpatched::Clean => "its own boot image back".to_owned(),
        other => format!("back {}", other.in_words()),
    }
}

/// Returns the text for an action that failed.
pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::Step(step) => to_do(step),
        Action::ListPasswords => format!("delete what may be of Baleen's in {STORE}"),
    }
}

/// Returns the item that stays, and the reason as a clause.
pub(crate) fn left(left: &Left) -> (String, String) {
    let of = |path: &Path, why: &str| (path.display().to_string(), why.to_owned());
    match left {
        Left::LinkTarget(path) => of(path, "a file that Baleen only had a link to; the link goes"),
        Left::LaunchAgent(path) => of(path, &launch_agent(path)),
        Left::NamedConfig(path) => of(
            path,
            "the settings file that was named, which may serve others",
        ),
        Left::Image { docker, proxy } if proxy.is_relay() => of(
            docker,
            &format!(
                "its engine keeps the address of {}, which runs until you log out; after that Docker reaches nothing until you reinstall Docker or Baleen",
                proxy.summary()
            ),
        ),
        Left::Image { docker, proxy } => of(
            docker,
            &format!(
                "its engine keeps the proxy {}, until you reinstall Docker",
                proxy.summary()
            ),
        ),
        Left::BrokenImage { docker, why } => of(docker, &why.sentence()),
        Left::StrayBackup(path) => of(
            path,
            "a boot image that is not the original of the one beside it; Docker has no use for it",
        ),
        Left::Folder { path, others } => {
            let names: Vec<String> = others
                .iter()
                .take(NAMED)
                .map(|name| name.display().to_string())
                .collect();
            let more = match others.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            of(
                path,
                &format!("Baleen did not make {}{more} in it", names.join(", ")),
            )
        }
        Left::Link(path) => of(path, "Baleen did not make this link"),
    }
}

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

/// Returns the remark as a sentence without a period.
pub(crate) fn remark(remark: &Remark) -> String {
    match remark {
        Remark::Config(why) => format!(
            "{}; a Docker.app that is named only there was not looked at",
            why.sentence()
        ),
        Remark::NoDocker(path) => format!("there is no Docker.app at {}", path.display()),
        Remark::NoDockerAnyMore(path) => format!(
            "there is no Docker.app at {}, in which the proxy was wanted: if it is on a disk that is not connected now, its boot image keeps what it has",
            path.display()
        ),
        Remark::LoginItemUnknown => {
            "this baleen is no app, and can't see whether Baleen.app opens at login: System Settings > General > Login Items shows it"
                .to_owned()
        }
        Remark::ByHand { docker, original } => format!(
            "Baleen leaves the proxy that was set by hand in the boot image of {}; {}",
            docker.display(),
            original.way_out().unwrap_or_default()
        ),
        Remark::Restored(warning) => warning.sentence(),
        Remark::NotForgotten { docker, why } => format!(
            "could not forget that the proxy is wanted in {}: {why}",
            docker.display()
        ),
    }
}

/// Returns the instruction for the last step.
pub(crate) fn last_step(step: &LastStep) -> String {
    match step {
        LastStep::TrashOpenedApp => {
            "Move the Baleen.app that you opened to the Trash, or eject the disk image that it is on."
                .to_owned()
        }
        LastStep::Eject(disk) => format!(
            "Eject the disk {} that Baleen was opened from; if it is no disk image, move Baleen.app on it to the Trash.",
            disk.display()
        ),
        LastStep::Trash(app) => format!(
            "Move {} to the Trash; where Homebrew installed it, `brew uninstall --cask baleen` does that.",
            app.display()
        ),
        LastStep::Delete(program) if InstalledBy::is_formula(program) => {
            "Remove the program itself: `brew uninstall baleen-cli`".to_owned()
        }
        LastStep::Delete(program) => {
            format!("Delete the program itself: {}", program.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_said_before_and_after_it() {
        let docker = || "/Docker.app".into();
        let version = || "1.12.0".to_owned();
        for (step, before, after) in [
            (
                UninstallStep::End("the app".to_owned()),
                "end the app",
                "ended the app",
            ),
            (
                UninstallStep::Restore(docker(), version(), Unpatched::Clean),
                "give Docker 1.12.0 at /Docker.app its own boot image back",
                "gave Docker 1.12.0 at /Docker.app its own boot image back, byte for byte",
            ),
            (
                UninstallStep::RemoveLeftover(docker(), version()),
                "remove an unfinished boot image from Docker 1.12.0 at /Docker.app",
                "removed an unfinished boot image from Docker 1.12.0 at /Docker.app",
            ),
            (
                UninstallStep::Folder("/s".into()),
                "remove the folder /s",
                "removed the folder /s",
            ),
        ] {
            assert_eq!((&*to_do(&step), &*done(&step)), (before, after));
        }
    }

    #[test]
    fn homebrew_removes_what_it_installed() {
        for (program, expected) in [
            (
                "/opt/homebrew/Cellar/baleen-cli/0.1.0/bin/baleen",
                "Remove the program itself: `brew uninstall baleen-cli`",
            ),
            (
                "/home/me/.cargo/bin/baleen",
                "Delete the program itself: /home/me/.cargo/bin/baleen",
            ),
        ] {
            assert_eq!(last_step(&LastStep::Delete(program.into())), expected);
        }
    }

    #[test]
    fn five_files_of_others_are_named() {
        for (count, expected) in [
            (1, "Baleen did not make 1 in it"),
            (5, "Baleen did not make 1, 2, 3, 4, 5 in it"),
            (7, "Baleen did not make 1, 2, 3, 4, 5 and 2 more in it"),
        ] {
            let others = (1..=count).map(|name: u8| name.to_string().into());
            let (_, why) = left(&Left::Folder {
                path: "/s".into(),
                others: others.collect(),
            });
            assert_eq!(why, expected);
        }
    }

    #[test]
    fn a_launch_agent_of_all_users_needs_sudo() {
        for (path, way) in [
            (
                "/h/Library/a.plist",
                "`launchctl bootout gui/$(id -u)/a; rm /h/Library/a.plist`",
            ),
            (
                "/Library/b.plist",
                "`launchctl bootout gui/$(id -u)/b; sudo rm /Library/b.plist`",
            ),
        ] {
            let (what, why) = left(&Left::LaunchAgent(path.into()));
            assert_eq!(what, path);
            assert!(why.ends_with(way), "{why}");
        }
    }
}
