//! The texts of the dialogs: the question before an uninstall, and the form for a proxy.

use std::io;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::agent::notice::NoticeAction;
use crate::credentials::STORE;
use crate::platform::dialog::{Entered, Field, Form, Question};
use crate::service::manual_proxy::{Fields, ManualProxy};
use crate::text::notice::Problem;

use super::notification_text::object_of;
use super::notifications::{Button, Notification};

/// The id of the notification that asks before an uninstall, where there are no dialogs.
pub(super) const UNINSTALL: &str = "uninstall";
/// The key of its button that agrees.
pub(super) const UNINSTALL_NOW: &str = "uninstall-now";
/// The key of its button that doesn't.
const CANCEL: &str = "cancel";

/// Maximum number of steps that the question lists. A dialog can't be scrolled.
const MAX_STEPS: usize = 12;

/// What is said if the plan is not understood.
const NO_STEPS: &str = "it did not say what it would remove";

/// The plan of an uninstall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Planned {
    /// What would be done, and what would stay, in words.
    Steps {
        /// The steps, as in "remove /a/b".
        steps: Vec<String>,
        /// The items that stay.
        left: Vec<String>,
    },
    /// Baleen can't be uninstalled.
    Failed(Problem),
}

impl Planned {
    /// Parses the output of `baleen uninstall --dry-run --json`.
    pub(super) fn of(printed: io::Result<Vec<u8>>) -> Self {
        let object = match object_of(printed, NO_STEPS) {
            Ok(object) => object,
            Err(why) => return Self::Failed(why),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let Some(steps) = object["steps"].as_array() else {
            return Self::Failed(Problem::new(NO_STEPS));
        };
        let left = object["left"].as_array().map(Vec::as_slice);
        Self::Steps {
            steps: steps.iter().map(|step| text(&step["text"])).collect(),
            left: left
                .unwrap_or_default()
                .iter()
                .map(|one| text(&one["what"]))
                .collect(),
        }
    }
}

/// Returns the question before an uninstall.
pub(super) fn uninstall(steps: &[String], left: &[String]) -> Question {
    let mut text = match steps {
        [] => "There is nothing to remove; Baleen quits.".to_owned(),
        _ => "This will:".to_owned(),
    };
    for step in listed(steps) {
        text += &format!("\n• {step}");
    }
    if !left.is_empty() {
        text += "\n\nThis stays:";
        for one in listed(left) {
            text += &format!("\n• {one}");
        }
    }
    Question {
        title: "Uninstall Baleen?".to_owned(),
        text,
        yes: "Uninstall".to_owned(),
        no: "Cancel".to_owned(),
        is_destructive: true,
    }
}

/// Returns the lines of a list, of which a long one is cut.
fn listed(lines: &[String]) -> Vec<String> {
    let shown = match lines.len() {
        // A line that says "and 1 more" takes as much room as the one that it stands for.
        n if n <= MAX_STEPS + 1 => n,
        _ => MAX_STEPS,
    };
    let mut listed = lines[..shown].to_vec();
    if shown < lines.len() {
        listed.push(format!("and {} more", lines.len() - shown));
    }
    listed
}

/// The question of a notification, for a dialog.
pub(super) struct Asked {
    /// The question.
    pub(super) question: Question,
    /// The key of the button that agrees.
    pub(super) yes: String,
    /// The key of the button that doesn't.
    pub(super) no: String,
}

/// Returns the question that a notification asks: one of the first run, which can be answered with *Not Now*.
pub(super) fn as_question(notification: &Notification) -> Option<Asked> {
    let not_now = NoticeAction::NotNow.key();
    let no = notification.buttons.iter().find(|it| it.key == not_now)?;
    let yes = notification.buttons.iter().find(|it| it.key != not_now)?;
    Some(Asked {
        question: Question {
            title: notification.title.clone(),
            text: notification.body.clone(),
            yes: yes.label.clone(),
            no: no.label.clone(),
            is_destructive: false,
        },
        yes: yes.key.clone(),
        no: no.key.clone(),
    })
}

/// Returns the notification that asks the question, where there are no dialogs. A press of the notification
/// itself is no answer.
pub(super) fn as_notification(question: &Question) -> Notification {
    let button = |key: &str, label: &str| Button {
        key: key.to_owned(),
        label: label.to_owned(),
    };
    Notification {
        id: UNINSTALL.to_owned(),
        title: question.title.clone(),
        body: question.text.clone(),
        buttons: vec![
            button(CANCEL, &question.no),
            button(UNINSTALL_NOW, &question.yes),
        ],
        // The list is the question, so it is not cut.
        details: None,
    }
}

/// Returns the form for a proxy, with these contents. `is_on` tells whether Docker gets a proxy at all, and `problem` why the
/// last contents were not saved. A password is entered again then.
pub(super) fn manual_proxy(
    proxy: &ManualProxy,
    fields: &Fields,
    is_on: bool,
    problem: Option<&Problem>,
) -> Form {
    let field = |label: &str, value: &str, placeholder: &str| Field {
        label: label.to_owned(),
        value: value.to_owned(),
        placeholder: placeholder.to_owned(),
        is_secret: false,
    };
    let kept = format!("Stored in {STORE}");
    let password = match proxy.has_password() {
        true => &kept,
        false => "Only if the proxy asks for one",
    };
    let mut text = String::new();
    if let Some(problem) = problem {
        text += &format!("This was not saved. {}\n\n", problem.sentences());
    }
    text += match is_on {
        true => "Docker uses this proxy instead of the one in System Settings.",
        false => "Docker gets this proxy once Use Proxy is switched on in the menu.",
    };
    text += &format!(" The password is stored in {STORE}, the rest in the settings file.");
    if let Some(other) = proxy.other() {
        text += &format!(
            " The settings file has another proxy for http://, {}, which stays as it is.",
            other.display()
        );
    }
    Form {
        title: "Proxy for Docker".to_owned(),
        text,
        fields: vec![
            field("Address:", &fields.address, "proxy.corp.example:8080"),
            field("User:", &fields.user, "Only if the proxy asks for one"),
            Field {
                is_secret: true,
                ..field("Password:", "", password)
            },
            field("Exceptions:", &fields.exceptions, ".corp.example, 10.0.0.5"),
        ],
        option: proxy
            .has_password()
            .then(|| "Delete the stored password".to_owned()),
        accept: "OK".to_owned(),
        cancel: "Cancel".to_owned(),
    }
}

/// Returns the fields that were entered into the form of [`manual_proxy`].
pub(super) fn fields(entered: &Entered) -> Fields {
    let text = |at: usize| -> Zeroizing<String> {
        let text = entered.texts.get(at);
        text.cloned().unwrap_or_default()
    };
    Fields {
        address: text(0),
        user: text(1).to_string(),
        password: text(2),
        exceptions: text(3).to_string(),
        forget: entered.option,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::proxy::ProxyUrl;

    #[test]
    fn the_plan_of_an_uninstall_is_read() {
        let printed = r#"{"dry_run":true,"steps":[{"kind":"file","what":"/a","text":"remove /a"}],
            "left":[{"what":"/b","why":"yours"}],"failed":[],"schema":1}"#;
        let expected = Planned::Steps {
            steps: vec!["remove /a".to_owned()],
            left: vec!["/b".to_owned()],
        };
        assert_eq!(Planned::of(Ok(printed.into())), expected);
        let refused = r#"{"error":{"message":"no","advice":"do","code":"x"}}"#;
        let Planned::Failed(why) = Planned::of(Ok(refused.into())) else {
            panic!("it failed");
        };
        assert_eq!((&*why.sentence, why.hint.as_deref()), ("no", Some("do")));
        for printed in [
            Err(io::ErrorKind::NotFound.into()),
            Ok(Vec::new()),
            Ok(b"[".to_vec()),
            Ok(b"{}".to_vec()),
            Ok(br#"{"steps": 1}"#.to_vec()),
        ] {
            assert!(matches!(Planned::of(printed), Planned::Failed(_)));
        }
    }

    #[test]
    fn the_question_lists_what_goes_and_what_stays() {
        let lines = |n: usize| (1..=n).map(|n| n.to_string()).collect::<Vec<_>>();
        let question = uninstall(&lines(2), &lines(1));
        assert_eq!(question.text, "This will:\n• 1\n• 2\n\nThis stays:\n• 1");
        assert_eq!((&*question.yes, &*question.no), ("Uninstall", "Cancel"));
        for (n, last, count) in [(13, "13", 13), (14, "and 2 more", 13), (0, "", 0)] {
            let listed = listed(&lines(n));
            assert_eq!(listed.len(), count);
            assert_eq!(listed.last().map_or("", String::as_str), last);
        }
    }

    #[test]
    fn only_its_own_button_agrees() {
        let notification = as_notification(&uninstall(&[], &[]));
        let keys: Vec<&str> = notification.buttons.iter().map(|b| &*b.key).collect();
        assert_eq!(keys, ["cancel", "uninstall-now"]);
        assert_eq!(notification.id, UNINSTALL);
    }

    #[test]
    fn the_form_has_the_fields_of_the_settings_and_gives_them_back() {
        let config = Config {
            https_proxy: Some(ProxyUrl::parse("me@proxy.corp:8080").unwrap()),
            http_proxy: Some(ProxyUrl::parse("other.corp:3128").unwrap()),
            no_proxy: vec![".corp".to_owned(), "10.0.0.5".to_owned()],
            ..Config::default()
        };
        let proxy = ManualProxy::new(&config, true);
        let form = manual_proxy(&proxy, &proxy.fields(), true, None);
        assert!(form.text.contains("other.corp:3128"), "{}", form.text);
        assert!(form.option.is_some());
        let secrets: Vec<bool> = form.fields.iter().map(|field| field.is_secret).collect();
        assert_eq!(secrets, [false, false, true, false]);
        let texts = form.fields.iter();
        let entered = Entered {
            texts: texts.map(|field| field.value.clone().into()).collect(),
            option: false,
        };
        assert!(fields(&entered) == proxy.fields());
        let empty = ManualProxy::new(&Config::default(), true);
        let problem = Problem::new("the disk is full");
        let form = manual_proxy(&empty, &fields(&entered), false, Some(&problem));
        assert!(form.option.is_none());
        assert_eq!(form.fields[0].value, "proxy.corp:8080");
        assert!(
            form.text
                .starts_with("This was not saved. The disk is full.\n")
        );
        assert!(form.text.contains("once Use Proxy is switched on"));
    }
}
