//! The texts of the notifications: the agent's notices, and the app's own messages.

use std::io;
use std::path::Path;

use serde_json::Value;

use crate::agent::first_run::Question;
use crate::agent::notice::{Notice, NoticeAction};
use crate::backend::ProxyPane;
use crate::error::{Error, Fix};
use crate::text::notice::{Problem, full};
use crate::text::update;
use crate::update::{Verdict, Version, verdict};

use super::notifications::{Button, Notification};
use super::updates::Looked;
use crate::service::InstalledBy;
use crate::service::install_location::InstallLocation;

/// The id of the notification with the result of a check.
pub(super) const CHECKED: &str = "checked";
/// The key of its button.
pub(super) const OPEN_REPORT: &str = "open-report";

/// The id of the notification with the result of a look for a newer version.
pub(super) const LOOKED: &str = "update";
/// The key of its button.
pub(super) const OPEN_PAGE: &str = "open-release-page";

/// The id of the notification of the first question, and of what is said instead of it.
const USE_PROXY: &str = "use-proxy";
/// The id of the notification of the second question.
const START_AT_LOGIN: &str = "start-at-login";
/// The id of the notification of a problem, which the third question is, too.
const TROUBLE: &str = "trouble";

/// Returns the notification for a notice. The next one with the same id replaces it.
pub(super) fn of_notice(notice: &Notice) -> Notification {
    let message = notice.text();
    let buttons = message.offers.iter().copied().map(button).collect();
    Notification::new(id_of(notice), &message.title, &message.body, buttons)
}

/// Returns the id of a notice's notification. Notices share one if the later one makes the earlier one, and the actions
/// that it offers, out of date.
fn id_of(notice: &Notice) -> &'static str {
    match notice {
        Notice::AskUseProxy { .. } | Notice::NothingToUse { .. } | Notice::CannotUse { .. } => {
            USE_PROXY
        }
        Notice::AskStartAtLogin => START_AT_LOGIN,
        Notice::AskAllowChanges | Notice::Trouble { .. } => TROUBLE,
        Notice::Updated { .. } | Notice::Repaired { .. } | Notice::Changed { .. } => "change",
        Notice::SettingsChanged { .. }
        | Notice::RelayFailed { .. }
        | Notice::NotRestarted(_)
        | Notice::NotAppliedLive { .. }
        | Notice::Refused(_) => notice.kind(),
    }
}

/// Returns the question that a press on the notification with this id answers, and the answer.
pub(super) fn answer(id: &str, pressed: NoticeAction) -> Option<(Question, bool)> {
    match (id, pressed) {
        // A notification of an older version may have another id.
        (_, NoticeAction::UseProxy) => Some((Question::UseProxy, true)),
        (USE_PROXY, NoticeAction::NotNow) => Some((Question::UseProxy, false)),
        (_, NoticeAction::StartAtLogin) => Some((Question::StartAtLogin, true)),
        (START_AT_LOGIN, NoticeAction::NotNow) => Some((Question::StartAtLogin, false)),
        (TROUBLE, NoticeAction::NotNow) => Some((Question::AllowChanges, false)),
        // Wherever the pane is opened from, the user may change the permission there.
        (_, NoticeAction::OpenPrivacySettings) => Some((Question::AllowChanges, true)),
        _ => None,
    }
}

fn button(offer: NoticeAction) -> Button {
    Button {
        key: offer.key().to_owned(),
        label: offer.label().to_owned(),
    }
}

/// Returns the action with this key.
pub(super) fn action_of(key: &str) -> Option<NoticeAction> {
    NoticeAction::ALL
        .into_iter()
        .find(|offer| offer.key() == key)
}

fn plain(id: &str, title: &str, body: &str) -> Notification {
    Notification::new(id, title, body, Vec::new())
}

/// Returns the notification that Baleen is already running.
pub(super) fn already_running(headline: &str) -> Notification {
    plain(
        "here",
        "Baleen is already running",
        &format!(
            "Its icon is in the menu bar. {}.",
            headline.trim_end_matches('…')
        ),
    )
}

/// Returns the notification that a request of the user failed.
pub(super) fn failed(title: &str, error: &Error) -> Notification {
    plain("failed", title, &Problem::from(error).sentences())
}

/// Returns the notification that a proxy is entered in the settings file, where there is no panel for it.
pub(super) fn enter_in_file() -> Notification {
    plain(
        "enter-in-file",
        "Enter the proxy in the settings file",
        "Set http_proxy to the address and source to \"manual\". In a terminal, `baleen credentials set` stores a password.",
    )
}

/// Returns the notification that Baleen should be moved, if it should.
pub(super) fn misplaced(location: InstallLocation) -> Option<Notification> {
    let body = match location {
        InstallLocation::Translocated => {
            "Quit it, drag it into Applications in the Finder, and open it there. macOS opened it from a temporary place, as it does with a download that was not moved yet. There it can't start at login, and what you allow it may not last. If it is in Applications already, drag it out and in again."
        }
        InstallLocation::DiskImage => {
            "Quit it, drag it into Applications in the Finder, and open it there. It was opened from a disk that may be ejected. There it can't start at login, and what you allow it may not last."
        }
        InstallLocation::Elsewhere => {
            "Quit it, drag it into Applications in the Finder, and open it there. Start at Login stops working if Baleen is moved or deleted later."
        }
        InstallLocation::Installed | InstallLocation::NoBundle => return None,
    };
    Some(plain("place", "Move Baleen to Applications", body))
}

/// Returns the notification about Baleen.
pub(super) fn about() -> Notification {
    plain(
        "about",
        concat!("Baleen ", env!("CARGO_PKG_VERSION")),
        "Keeps Docker behind the proxy that this Mac uses. Free software (MIT or Apache 2.0).",
    )
}

/// Returns the notification with the result of a look for a newer version.
pub(super) fn looked(running: &Version, result: &Looked, by: InstalledBy) -> Notification {
    let latest = match result {
        Ok(latest) => latest,
        Err(why) => return plain(LOOKED, "Could not check for updates", &full(why)),
    };
    let (title, mut body) = update::news(running, latest);
    let is_newer = verdict(running, latest) == Verdict::Newer;
    if is_newer {
        body = format!("{body} {}", update::how(by));
    }
    let open = is_newer.then(|| Button {
        key: OPEN_PAGE.to_owned(),
        label: "Open Release Page".to_owned(),
    });
    Notification::new(LOOKED, &title, &body, open.into_iter().collect())
}

/// Returns the notification that the values for Docker's `pane` were copied, or were written into the file
/// `written` because there is no clipboard.
pub(super) fn copied(pane: ProxyPane, remarks: &[String], written: Option<&Path>) -> Notification {
    let (title, first) = match written {
        None => (
            "Copied".to_owned(),
            format!("Paste it in Docker under {pane}."),
        ),
        Some(file) => (
            "This computer has no clipboard".to_owned(),
            format!("They are in {}.", file.display()),
        ),
    };
    let remarks = remarks.iter().map(|remark| format!(" {}", full(remark)));
    plain("copied", &title, &(first + &remarks.collect::<String>()))
}

/// Returns the notification that nothing can be copied.
pub(super) fn nothing_to_copy() -> Notification {
    plain(
        "copied",
        "Nothing was copied",
        "No proxy is set on this Mac at the moment, or Baleen can't find out which one.",
    )
}

/// The result of a connection check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CheckResult {
    /// No problem was found in the steps that ran.
    Good {
        /// Number of required steps that were skipped.
        missed: u64,
    },
    /// The first problem that was found.
    Bad {
        /// The step that failed.
        title: String,
        /// The finding.
        found: String,
        /// The advice.
        remedy: Option<String>,
    },
    /// The check itself failed.
    Failed(String),
}

impl CheckResult {
    /// Parses the output of `baleen doctor --json`.
    pub(super) fn of(printed: io::Result<Vec<u8>>) -> Self {
        let object = match object_of(printed, "the check ended before it was done") {
            Ok(object) => object,
            Err(problem) => return Self::Failed(problem.sentence),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let Some(steps) = object["steps"].as_array() else {
            return Self::Failed("the check did not say what it found".to_owned());
        };
        match steps.iter().find(|step| step["outcome"] == "bad") {
            None => Self::Good {
                missed: object["missed"].as_u64().unwrap_or_default(),
            },
            Some(step) => Self::Bad {
                title: text(&step["title"]).unwrap_or_default(),
                found: text(&step["found"]).unwrap_or_default(),
                remedy: text(&step["remedy"]),
            },
        }
    }
}

/// Returns the notification with the result of a connection check.
pub(super) fn checked(result: &CheckResult) -> Notification {
    let (title, body, has_report) = match result {
        CheckResult::Good { missed: 0 } => (
            "Connection OK",
            "Docker can reach the registry: every step on the way works.".to_owned(),
            true,
        ),
        CheckResult::Good { missed } => {
            let skipped = match missed {
                1 => "1 step was".to_owned(),
                n => format!("{n} steps were"),
            };
            let body = format!("{skipped} skipped; the report says which, and why.");
            ("No problems found so far", body, true)
        }
        CheckResult::Bad {
            title,
            found,
            remedy,
        } => {
            let remedy = remedy.as_deref().map(|remedy| format!(" {}", full(remedy)));
            let body = format!("{title}: {}{}", full(found), remedy.unwrap_or_default());
            ("Docker can't reach the registry", body, true)
        }
        CheckResult::Failed(why) => ("The connection could not be checked", full(why), false),
    };
    let open_report = Button {
        key: OPEN_REPORT.to_owned(),
        label: "Open Report".to_owned(),
    };
    let buttons = has_report.then_some(open_report).into_iter().collect();
    let mut notification = Notification::new(CHECKED, title, &body, buttons);
    if has_report {
        // The report has the details.
        let buttons = &mut notification.buttons;
        buttons.retain(|button| button.key == OPEN_REPORT);
    }
    notification
}

/// Returns the object that a process of this program printed.
///
/// # Errors
/// The problem that it reported; if it did not run, why; if it printed no object, `otherwise`.
pub(super) fn object_of(printed: io::Result<Vec<u8>>, otherwise: &str) -> Result<Value, Problem> {
    let printed = printed.map_err(|error| Problem::new(&error.to_string()))?;
    let object: Value = serde_json::from_slice(&printed).map_err(|_| Problem::new(otherwise))?;
    match object.get("error") {
        Some(error) => Err(Problem {
            sentence: error["message"].as_str().unwrap_or_default().to_owned(),
            hint: error["advice"].as_str().map(str::to_owned),
            fix: error["remedy"].as_str().and_then(Fix::named),
        }),
        None => Ok(object),
    }
}

/// The result of an uninstall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Uninstalled {
    /// Baleen was uninstalled as far as possible.
    Done {
        /// True if everything was removed that should have been.
        is_all: bool,
        /// The remaining steps for the user.
        next: String,
        /// The list of everything that was done, was left, or could not be done.
        list: String,
    },
    /// The uninstall did not start, or stopped because a boot image could not be restored.
    Failed(Problem),
}

impl Uninstalled {
    /// Parses the output of `baleen uninstall --json`.
    pub(super) fn of(printed: io::Result<Vec<u8>>) -> Self {
        let object = match object_of(printed, "it ended before it was done") {
            Ok(object) => object,
            Err(why) => return Self::Failed(why),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = |key: &str, line: &dyn Fn(&Value) -> String| -> Vec<String> {
            let all = object[key]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            all.iter().map(line).collect()
        };
        let next = lines("next", &text);
        let failures = lines("failed", &|one| {
            let advice = one["error"]["advice"]
                .as_str()
                .map(|advice| format!(" ({advice})"));
            format!(
                "{}: {}{}",
                text(&one["what"]),
                text(&one["error"]["message"]),
                advice.unwrap_or_default()
            )
        });
        let mut list = "Baleen was uninstalled.\n".to_owned();
        for (heading, lines) in [
            ("Done", lines("done", &|one| text(&one["text"]))),
            (
                "Not removed",
                lines("left", &|one| {
                    format!("{}: {}", text(&one["what"]), text(&one["why"]))
                }),
            ),
            ("Not done", failures.clone()),
            ("Notes", lines("notes", &text)),
            ("Next steps", next.clone()),
        ] {
            if !lines.is_empty() {
                list += &format!("\n{heading}\n\n");
                list.extend(lines.iter().map(|line| format!("- {line}\n")));
            }
        }
        Self::Done {
            is_all: failures.is_empty(),
            next: next.join(" "),
            list,
        }
    }
}

/// Returns the notification that Baleen was removed, completely or partly.
pub(super) fn uninstalled(is_all: bool, next: &str) -> Notification {
    let title = match is_all {
        true => "Baleen is uninstalled",
        false => "Not all of Baleen could be removed",
    };
    let body = format!("{next} Details are in the report that just opened.");
    let mut notification = plain("uninstalled", title, &body);
    // The app quits now, so no press would be heard, and the report has the details.
    notification.buttons.clear();
    notification
}

/// Returns the notification that Baleen was not uninstalled, and why. Users of the app may not have the
/// `baleen` command, so the text names the app's executable `program` instead.
pub(super) fn not_uninstalled(why: &Problem, program: &Path) -> Notification {
    let (mut body, offer) = why.text_and_action();
    if why.fix == Some(Fix::LeaveImages) {
        let program = program.display();
        body += &format!(
            " In Terminal, `\"{program}\" uninstall --leave-images` would leave the boot image as it is and remove the rest."
        );
    }
    let buttons = offer.map(button).into_iter().collect();
    Notification::new("failed", "Baleen was not uninstalled", &body, buttons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(hint: &str) -> Problem {
        Problem {
            hint: Some(hint.to_owned()),
            ..Problem::new("no")
        }
    }

    #[test]
    fn what_an_uninstall_printed_is_read() {
        let done = r#"{"done":[{"kind":"file","what":"/a","text":"removed /a"}],"left":[{"what":"/b","why":"yours"}],
            "failed":[],"notes":[],"next":["Restart Docker.","Delete it."],"schema":1}"#;
        let Uninstalled::Done { is_all, next, list } = Uninstalled::of(Ok(done.into())) else {
            panic!("it was done");
        };
        assert!(is_all);
        assert_eq!(next, "Restart Docker. Delete it.");
        assert_eq!(
            list,
            "Baleen was uninstalled.\n\nDone\n\n- removed /a\n\nNot removed\n\n- /b: yours\n\nNext steps\n\n- Restart Docker.\n- Delete it.\n"
        );
        let some = r#"{"done":[],"failed":[{"what":"remove /a","error":{"message":"no","advice":"try"}}],"next":[]}"#;
        let Uninstalled::Done { is_all, list, .. } = Uninstalled::of(Ok(some.into())) else {
            panic!("it was done, as far as it could be");
        };
        assert!(!is_all);
        assert!(
            list.contains("\nNot done\n\n- remove /a: no (try)\n"),
            "{list}"
        );

        let failed = |diagnostic| Uninstalled::Failed(diagnostic);
        for (printed, expected) in [
            (
                Ok(r#"{"error":{"kind":"refused","message":"no","advice":"try"}}"#),
                failed(problem("try")),
            ),
            (
                Ok(r#"{"error":{"message":"no","advice":"try","remedy":"allow-app-management"}}"#),
                failed(Problem {
                    fix: Some(Fix::AllowAppManagement),
                    ..problem("try")
                }),
            ),
            (Ok(""), failed(Problem::new("it ended before it was done"))),
            (
                Err(io::Error::other("no program")),
                failed(Problem::new("no program")),
            ),
        ] {
            assert_eq!(Uninstalled::of(printed.map(Into::into)), expected);
        }
    }

    #[test]
    fn a_check_that_skipped_steps_does_not_say_that_all_works() {
        for (printed, expected) in [
            (
                r#"{"missed":0,"steps":[{"outcome":"good"}]}"#,
                "Connection OK",
            ),
            (
                r#"{"missed":2,"steps":[{"outcome":"skipped"}]}"#,
                "No problems found so far",
            ),
            (
                r#"{"missed":1,"steps":[{"outcome":"bad","title":"Proxy","found":"x","remedy":"y"}]}"#,
                "Docker can't reach the registry",
            ),
        ] {
            let notification = checked(&CheckResult::of(Ok(printed.into())));
            assert_eq!(notification.title, expected, "{printed}");
        }
    }

    #[test]
    fn a_look_says_what_it_found_and_only_a_newer_version_has_a_page() {
        let running = "0.1.0".parse().unwrap();
        let looked = |latest: &str| {
            let notification = looked(&running, &Ok(latest.parse().unwrap()), InstalledBy::User);
            let keys: Vec<String> = notification.buttons.into_iter().map(|it| it.key).collect();
            format!("{}: {} {keys:?}", notification.title, notification.body)
        };
        assert_eq!(
            looked("0.2.0"),
            "Baleen 0.2.0 is available: You have 0.1.0. The release page has the download and says what is new. [\"open-release-page\"]"
        );
        assert_eq!(
            looked("0.1.0"),
            "Baleen is up to date: 0.1.0 is the latest version. []"
        );
        let failed = super::looked(&running, &Err("no way".to_owned()), InstalledBy::User);
        assert_eq!(failed.title, "Could not check for updates");
        assert_eq!(failed.body, "No way.");
    }

    #[test]
    fn an_uninstall_that_failed_shows_a_way_out_that_the_app_has() {
        let program = Path::new("/A B/Baleen.app/Contents/MacOS/baleen");
        let diagnostic = Problem {
            fix: Some(Fix::LeaveImages),
            ..problem("try again")
        };
        let notification = not_uninstalled(&diagnostic, program);
        assert_eq!(notification.body, "No. Try again.");
        assert_eq!(
            notification.details.as_deref(),
            Some(
                "Baleen was not uninstalled\n\nNo. Try again. In Terminal, `\"/A B/Baleen.app/Contents/MacOS/baleen\" uninstall --leave-images` would leave the boot image as it is and remove the rest.\n"
            )
        );
        assert_eq!(notification.buttons[0].label, "Show Details");
        let remedy = Some(Fix::AllowAppManagement);
        let notification = not_uninstalled(
            &Problem {
                fix: remedy,
                ..diagnostic
            },
            program,
        );
        assert!(
            notification.body.contains("App Management."),
            "{}",
            notification.body
        );
        let keys: Vec<&str> = notification
            .buttons
            .iter()
            .map(|button| &*button.key)
            .collect();
        assert_eq!(keys, [NoticeAction::OpenPrivacySettings.key()]);
    }

    /// What Baleen itself wrote fits without being cut; only what others wrote, such as an error, may not.
    #[test]
    fn every_message_of_the_app_fits() {
        let place = [
            InstallLocation::Translocated,
            InstallLocation::DiskImage,
            InstallLocation::Elsewhere,
        ];
        let whole = [
            about(),
            nothing_to_copy(),
            already_running("An administrator decides Docker's proxy"),
            copied(ProxyPane::Settings, &[], None),
            uninstalled(true, "Drag Baleen to the Trash."),
            checked(&CheckResult::Good { missed: 0 }),
            checked(&CheckResult::Good { missed: 7 }),
        ];
        for one in &whole {
            assert_eq!(one.details, None, "{one:?}");
        }
        // Of these the first sentence says what to do, and the whole text is one press away.
        for one in place.map(|place| misplaced(place).unwrap()) {
            assert_eq!(
                one.body,
                "Quit it, drag it into Applications in the Finder, and open it there."
            );
            assert!(one.details.is_some());
        }
        let in_file = enter_in_file();
        assert_eq!(
            in_file.body,
            "Set http_proxy to the address and source to \"manual\"."
        );
        assert!(in_file.details.is_some());
    }

    #[test]
    fn a_press_answers_the_question_of_its_notification() {
        use NoticeAction as A;
        for (id, action, expected) in [
            (USE_PROXY, A::UseProxy, Some((Question::UseProxy, true))),
            (USE_PROXY, A::NotNow, Some((Question::UseProxy, false))),
            ("welcome", A::UseProxy, Some((Question::UseProxy, true))),
            (
                START_AT_LOGIN,
                A::StartAtLogin,
                Some((Question::StartAtLogin, true)),
            ),
            (
                START_AT_LOGIN,
                A::NotNow,
                Some((Question::StartAtLogin, false)),
            ),
            (
                TROUBLE,
                A::OpenPrivacySettings,
                Some((Question::AllowChanges, true)),
            ),
            (
                "failed",
                A::OpenPrivacySettings,
                Some((Question::AllowChanges, true)),
            ),
            (TROUBLE, A::NotNow, Some((Question::AllowChanges, false))),
            ("change", A::RestartNow, None),
            ("change", A::Later, None),
        ] {
            assert_eq!(answer(id, action), expected, "{id}, {action:?}");
        }
    }
}
