//! The text of a snapshot: what the program said, without what differs between computers and runs.

use std::fmt::{self, Display};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::app::{App, Run};

/// What differs between computers and runs, apart from the temporary folders, and what stands for it.
static VARIES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b[0-9a-f]{64}\b", "[sha256]"),
        (r"-backup-[0-9a-f]+\b", "-backup-[digest]"),
        (r"\b\d+ bytes\b", "[n] bytes"),
        (r"\bbut has \d+\b", "but has [n]"),
        (r"/\.baleen-\w{6}/", "/.baleen-[random]/"),
        (r#""bytes":\d+"#, "\"bytes\":[n]"),
        (r"^- Baleen: [0-9.]+", "- Baleen: [version]"),
        (r"/dev/(pts/|ttys)\d+", "/dev/[tty]"),
        (r"\bwith the number \d+\b", "with the number [uid]"),
        (r"\bprocess \d+\b", "process [pid]"),
        // The ports that a system gives out by itself have five digits.
        (r"(127\.0\.0\.1|localhost|\[::1\]):\d{5}\b", "$1:[port]"),
        (r"\b\d{4}-\d\d-\d\d\b", "[date]"),
        (r"\b\d\d:\d\d(:\d\d)?\b", "[time]"),
        (r"\bBaleen \d+\.\d+\.\d+\b", "Baleen [version]"),
        // What a compressor makes of the same bytes, and a manifest with the version in it.
        (r"\b(at|after|from) byte [1-9]\d*", "$1 byte [n]"),
        (r"\b\d+ unpacked\b", "[n] unpacked"),
        (r"\b\d+ etc/baleen\.json\b", "[n] etc/baleen.json"),
        // These differ between systems.
        (r"\bthe keyring\b", "the Keychain"),
        (r"\bls -lde\b", "ls -ld"),
    ]
    .into_iter()
    .map(|(pattern, name)| (Regex::new(&format!("(?m-u){pattern}")).unwrap(), name))
    .collect()
});

/// The folders that `tempfile` makes. macOS has its folder for temporary files below a link to `/private`.
static FOLDER: LazyLock<Regex> = LazyLock::new(|| {
    let parent = std::env::temp_dir();
    let parent = regex::escape(parent.to_str().unwrap().trim_end_matches('/'));
    Regex::new(&format!(r"(?:/private)?{parent}/\.tmp[0-9A-Za-z]{{6}}")).unwrap()
});

/// Returns `text` without what differs between computers and runs.
pub(crate) fn redacted(text: &str) -> String {
    let mut folders: Vec<String> = Vec::new();
    let text = FOLDER.replace_all(text, |found: &Captures<'_>| {
        let folder = found[0].trim_start_matches("/private").to_owned();
        let known = folders.iter().position(|known| *known == folder);
        let number = known.unwrap_or_else(|| {
            folders.push(folder);
            folders.len() - 1
        });
        match number {
            0 => "[folder]".to_owned(),
            _ => format!("[folder {}]", number + 1),
        }
    });
    let mut text = text.replace(env!("CARGO_BIN_EXE_baleen"), "[baleen]");
    for (pattern, name) in VARIES.iter() {
        text = pattern.replace_all(&text, *name).into_owned();
    }
    text
}

/// Returns `text` with each line that was wrapped, or that is indented for another reason, behind the one before it:
/// where a line is wrapped depends on the length of what is redacted.
pub(crate) fn unwrapped(text: &str) -> String {
    let mut whole = String::new();
    for line in text.lines() {
        match line.strip_prefix("  ") {
            Some(rest) => whole += &format!(" {}", rest.trim_start()),
            None if whole.is_empty() => whole += line,
            None => whole += &format!("\n{line}"),
        }
    }
    whole
}

/// What the program says in a test, command by command, for the one snapshot of that test.
#[derive(Default)]
pub(crate) struct Transcript(String);

impl Transcript {
    /// Runs the program, which must succeed, and adds what it says.
    #[track_caller]
    pub(crate) fn ok(&mut self, app: &App, arguments: &[&str]) -> String {
        let out = app.ok(arguments);
        self.text(&command(arguments), &out);
        out
    }

    /// Runs the program, which must refuse with `code` and change nothing, and adds what it says.
    #[track_caller]
    pub(crate) fn refused(&mut self, app: &App, arguments: &[&str], code: i32) {
        let run = app.refused(arguments, code, &[]);
        self.run(arguments, &run);
    }

    /// Adds a run of the program with these arguments.
    pub(crate) fn run(&mut self, arguments: &[&str], run: &Run) {
        self.text(&command(arguments), &run.out);
        if !run.err.is_empty() {
            self.0 += "--- standard error\n";
            self.line(&run.err);
        }
        if run.code != 0 {
            self.0 += &format!("--- exit code {}\n", run.code);
        }
    }

    /// Adds a text below a line that says what it is.
    pub(crate) fn text(&mut self, heading: &str, text: impl Display) {
        if !self.0.is_empty() {
            self.0 += "\n";
        }
        self.0 += &format!("{heading}\n");
        self.line(&text.to_string());
    }

    fn line(&mut self, text: &str) {
        self.0 += text;
        if !text.is_empty() && !text.ends_with('\n') {
            self.0 += "\n";
        }
    }
}

fn command(arguments: &[&str]) -> String {
    let mut command = "$ baleen".to_owned();
    for argument in arguments {
        command.push(' ');
        for char in argument.chars() {
            match char.is_control() {
                true => command.extend(char.escape_default()),
                false => command.push(char),
            }
        }
    }
    command
}

/// Redacted.
impl Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

/// What was shown in a terminal where someone typed `answer`, which the terminal may show at any time.
pub(crate) fn without_typed(shown: &str, answer: &str) -> String {
    let shown = shown
        .replace('\r', "")
        .replace("^D\u{8}\u{8}", "")
        .replace("[y/N] ", "[y/N]\n");
    let lines = shown
        .lines()
        .filter(|line| !line.is_empty() && *line != answer.trim());
    lines.map(|line| format!("{line}\n")).collect()
}
