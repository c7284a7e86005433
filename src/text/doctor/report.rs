//! The report as a Markdown page that can be shown to others: it has no names of people.

use std::path::Path;

use crate::doctor::{Outcome, Report, Step};
use crate::error::Face;

use super::StepText;

/// The names of one user, which the page replaces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anonymous<'a> {
    /// The home folder, replaced with `~`.
    pub(crate) home: Option<&'a Path>,
    /// The account, replaced with `USER` in paths.
    pub(crate) user: Option<&'a str>,
    /// The proxies' users, replaced with `USER`. Each is in the list a second time as written in a URL.
    pub(crate) proxy_users: &'a [String],
}

/// Returns the page. `facts` are names and values for the lines at its top.
pub(crate) fn page(report: &Report, facts: &[(&str, String)], anonymous: Anonymous<'_>) -> String {
    let mut page = String::from("# Report of `baleen doctor`\n\n");
    for (name, value) in facts {
        page.push_str(&format!("- {name}: {value}\n"));
    }
    page.push_str("\n## Steps\n");
    for steps in report.shown() {
        page.push('\n');
        page.push_str(&section(steps));
    }
    anonymous.apply(&page)
}

/// Returns the section of one step, or of several that were skipped for the same reason.
fn section(steps: &[Step]) -> String {
    let texts: Vec<StepText> = steps
        .iter()
        .map(|step| StepText::of(step, Face::CommandLine))
        .collect();
    let Some(step) = texts.first() else {
        return String::new();
    };
    let word = match step.outcome {
        Outcome::Good => "good",
        Outcome::Warning => "warning",
        Outcome::Bad => "bad",
        Outcome::Skipped => "skipped",
    };
    let titles: Vec<String> = texts
        .iter()
        .map(|step| format!("{} (`{}`)", step.title, step.id))
        .collect();
    let mut text = format!("### {}: {word}\n\n{}\n", titles.join(", "), step.found);
    if let Some(remedy) = &step.remedy {
        text.push_str(&format!("\nTo do: {remedy}\n"));
    }
    if !step.facts.is_null() {
        text.push_str(&format!("\n    {}\n", step.facts));
    }
    text
}

impl Anonymous<'_> {
    /// Returns the text without the names.
    pub(super) fn apply(self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(home) = self.home.and_then(Path::to_str)
            && home.len() > 1
        {
            text = replace_folder(&text, home, "~");
        }
        if let Some(user) = self.user
            && !user.is_empty()
        {
            for parent in ["/Users/", "/home/"] {
                let folder = format!("{parent}{user}");
                text = replace_folder(&text, &folder, &format!("{parent}USER"));
            }
        }
        // Sentences have a user in quotes. In URLs, the position shows the user.
        for user in self.forms() {
            text = text.replace(&format!("'{user}'"), "'USER'");
            text = replace_user(&text, &user);
        }
        without_hidden_logins(&without_users(&text))
    }

    /// Returns the proxies' users, each also as written in JSON. A longer form comes before a shorter one
    /// that may be its end.
    fn forms(self) -> Vec<String> {
        let named = self.proxy_users.iter().filter(|user| !user.is_empty());
        let mut forms: Vec<String> = named
            .flat_map(|user| {
                let quoted = serde_json::Value::from(&**user).to_string();
                [user.clone(), quoted[1..quoted.len() - 1].to_owned()]
            })
            .collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms
    }
}

/// Replaces `user` if a host follows, as in `me@proxy.corp:80`.
fn replace_user(text: &str, user: &str) -> String {
    let login = format!("{user}@");
    let mut parts = text.split(&login);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let goes_on = replaced.ends_with(|c: char| c.is_alphanumeric() || "-_.%".contains(c));
        replaced.push_str(if goes_on { user } else { "USER" });
        replaced.push('@');
        replaced.push_str(part);
    }
    replaced
}

/// Replaces `folder` if it is a whole path or the beginning of one.
fn replace_folder(text: &str, folder: &str, with: &str) -> String {
    let mut parts = text.split(folder);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let goes_on = part.starts_with(|c: char| c.is_alphanumeric() || "-_.".contains(c));
        replaced.push_str(if goes_on { folder } else { with });
        replaced.push_str(part);
    }
    replaced
}

/// Replaces the user of each URL. Its password has already been removed.
fn without_users(text: &str) -> String {
    let mut parts = text.split("://");
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        replaced.push_str("://");
        let end = part
            .find(|c: char| c.is_whitespace() || "/\"'<>,;".contains(c))
            .unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) if part[..at].contains(':') => {
                replaced.push_str("USER:***");
                replaced.push_str(&part[at..]);
            }
            Some(at) => {
                replaced.push_str("USER");
                replaced.push_str(&part[at..]);
            }
            None => replaced.push_str(part),
        }
    }
    replaced
}

/// Replaces the user of each `USER:***@`, which stands without a scheme in the answer of a PAC script.
fn without_hidden_logins(text: &str) -> String {
    const HIDDEN: &str = ":***@";
    let is_user = |c: char| !c.is_whitespace() && !"/\"'<>(,;`".contains(c);
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(HIDDEN) {
        replaced.push_str(before.trim_end_matches(is_user));
        replaced.push_str("USER");
        replaced.push_str(HIDDEN);
        rest = after;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_is_named() {
        let anonymous = Anonymous {
            home: Some(Path::new("/Users/jane")),
            user: Some("jane"),
            proxy_users: &["CORP\\jane", "CORP%5Cjane", "jane"].map(str::to_owned),
        };
        for (text, expected) in [
            ("/Users/jane/Docker.app", "~/Docker.app"),
            ("at /Users/jane", "at ~"),
            ("/Users/janet/x", "/Users/janet/x"),
            ("/Volumes/x/Users/jane/y", "/Volumes/x~/y"),
            ("/home/jane/x", "/home/USER/x"),
            ("http://jane:***@p:1 and", "http://USER:***@p:1 and"),
            ("\"http://jane@p:1\",", "\"http://USER@p:1\","),
            ("http://p:1 bob@corp", "http://p:1 bob@corp"),
            ("kept for jane@p:80", "kept for USER@p:80"),
            ("kept for CORP\\jane@p:80", "kept for USER@p:80"),
            ("\"for CORP\\\\jane@p:80\"", "\"for USER@p:80\""),
            ("as CORP%5Cjane@p:80", "as USER@p:80"),
            ("mary-jane@p:80", "mary-jane@p:80"),
            ("http://p:1/@", "http://p:1/@"),
            ("of user 'CORP\\jane' (407)", "of user 'USER' (407)"),
            (
                "PROXY bob:***@p:1; PROXY a:***@q:1",
                "PROXY USER:***@p:1; PROXY USER:***@q:1",
            ),
            ("bob:***@p", "USER:***@p"),
            ("http://bob:***@p", "http://USER:***@p"),
        ] {
            assert_eq!(anonymous.apply(text), expected);
        }
    }
}
