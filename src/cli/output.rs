//! Output as text for people and as JSON for programs, without secrets in either.

use std::cell::RefCell;
use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::backend::{Progress, Step};
use crate::error::{Error, Face, Kind, Result};
use crate::platform::columns;

use super::args::{Color, Global};
use super::error::CliError;
use super::printing;

/// Maximum width of lines, as in the help texts.
pub(super) const WIDTH: usize = 100;
/// Minimum width at which lines are wrapped. A narrower terminal wraps them just as well itself.
const NARROWEST: usize = 30;

/// Interval between redraws of a progress bar, so that drawing costs nothing.
const REDRAW_INTERVAL: Duration = Duration::from_millis(50);
/// Width of the bar itself, in characters.
const BAR_WIDTH: usize = 30;

/// Version of the output of `--json`.
const SCHEMA: u32 = 1;

/// Style of a heading.
pub(super) const BOLD: Style = Style::new().bold();
/// Style of a good result.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Style of something that needs attention.
pub(super) const NOTE: Style = AnsiColor::Yellow.on_default();
/// Style of a problem.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Style of less important text.
pub(super) const DIM: Style = Style::new().dimmed();

/// Returns `text` in `style`.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The output of a command.
pub(super) struct Output {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    json: bool,
    face: Face,
    /// The step whose progress is shown, and when that was drawn.
    bar: RefCell<Option<(Step, Instant)>>,
    broken_pipe: bool,
    notes: Vec<String>,
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        let choice = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self {
            out: AutoStream::new(io::stdout(), choice),
            err: AutoStream::new(io::stderr(), choice),
            json: global.json,
            face: match global.for_menu {
                true => Face::Menu,
                false => Face::CommandLine,
            },
            bar: RefCell::new(None),
            broken_pipe: false,
            notes: Vec::new(),
        }
    }

    /// Returns the width for text that is wrapped even without a terminal.
    pub(super) fn width(&self) -> usize {
        width(self.out.as_inner()).unwrap_or(WIDTH)
    }

    /// The user interface that shows what is printed.
    pub(super) fn face(&self) -> Face {
        self.face
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a line for a person; nothing under `--json`.
    pub(super) fn line(&mut self, text: impl Display) -> Result<()> {
        self.clear_bar();
        if self.json {
            return Ok(());
        }
        let written = writeln!(self.out, "{text}");
        self.judge(written)
    }

    /// Prints a question to the user, also under `--json`. The answer follows on the same line.
    pub(super) fn prompt(&mut self, text: String) -> io::Result<()> {
        write!(self.err, "{text}")?;
        self.err.flush()
    }

    /// Asks the user, and returns whether the answer is yes.
    pub(super) fn agrees(&mut self, question: &str) -> Result<bool> {
        self.prompt(question.to_owned()).map_err(CliError::Answer)?;
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(CliError::Answer)?;
        Ok(matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "y" | "yes"
        ))
    }

    /// Reports additional information: prints a line for a person, and keeps it for the object of `--json`.
    pub(super) fn note(&mut self, text: String) -> Result<()> {
        let line = labelled(NOTE, "note:", &text, width(self.out.as_inner()));
        self.line(line)?;
        self.notes.push(text);
        Ok(())
    }

    /// Prints the JSON object under `--json`; nothing otherwise.
    pub(super) fn object(&mut self, mut object: Value) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        object["schema"] = SCHEMA.into();
        object["notes"] = std::mem::take(&mut self.notes).into();
        let written = writeln!(self.out, "{object}");
        self.judge(written)
    }

    /// Prints bytes unchanged.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.out.as_inner().lock().write_all(bytes);
        self.judge(written)
    }

    /// Checks the result of writing. If the reader closed the pipe, it wants no more output, which is no
    /// failure of the command.
    fn judge(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.broken_pipe = true;
                Ok(())
            }
            other => other.map_err(printing),
        }
    }

    /// Returns whether the reader has closed the pipe.
    pub(super) fn is_closed(&self) -> bool {
        self.broken_pipe
    }

    /// Shows a progress bar on a terminal; nothing elsewhere.
    pub(super) fn progress(&self, progress: Progress) {
        if self.json || !io::stderr().is_terminal() || progress.total == 0 {
            return;
        }
        // No terminal that can erase a line.
        if env::var_os("TERM").is_none_or(|name| name == "dumb") {
            return;
        }
        let mut bar = self.bar.borrow_mut();
        let is_current = |(step, drawn): (Step, Instant)| {
            step == progress.step && drawn.elapsed() < REDRAW_INTERVAL
        };
        if bar.is_some_and(is_current) {
            return;
        }
        // One that wraps can't be erased.
        let columns = columns(io::stderr()).map_or(NARROWEST, |columns| columns - 1);
        let text: String = bar_text(&progress).chars().take(columns).collect();
        // It only fails where no one sees it.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
        *bar = Some((progress.step, Instant::now()));
    }

    fn clear_bar(&self) {
        if self.bar.borrow_mut().take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Prints the error, if there is one, and returns the exit code.
    pub(super) fn finish(mut self, result: Result<u8>) -> u8 {
        self.clear_bar();
        let result = result.and_then(|code| {
            let flushed = self.out.flush();
            self.judge(flushed).map(|()| code)
        });
        let error = match result {
            Ok(code) => return code,
            Err(error) => error,
        };
        // If this fails too, the error can't be reported.
        let _ = self.object(json!({ "error": describe(&error, self.face) }));
        let width = width(self.err.as_inner());
        let line = labelled(BAD, "error:", &error.to_string(), width);
        let _ = writeln!(self.err, "{line}");
        if let Some(advice) = error.hint(Face::CommandLine) {
            let _ = writeln!(
                self.err,
                "{}",
                labelled(NOTE, "what to do:", &advice, width)
            );
        }
        match error.kind() {
            Kind::Failure => 1,
            Kind::Usage => 2,
            Kind::Unsupported | Kind::Busy | Kind::Locked | Kind::Unavailable => 4,
            Kind::NotPermitted => 5,
        }
    }
}

/// Returns the text of a progress bar, as in
/// "reading    ███████████████░░░░░░░░░░░░░░░ 33.10 MiB/66.21 MiB".
fn bar_text(Progress { step, done, total }: &Progress) -> String {
    let full = (*done as f64 / *total as f64 * BAR_WIDTH as f64) as usize;
    let bar = "█".repeat(full.min(BAR_WIDTH)) + &"░".repeat(BAR_WIDTH.saturating_sub(full));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    format!(
        "{:10} {bar} {:.2} MiB/{:.2} MiB",
        step.word(),
        mib(*done),
        mib(*total)
    )
}

/// Returns the width at which lines are wrapped; nothing unless the output is a terminal, since programs
/// want each sentence on one line.
fn width(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    let columns = stream.is_terminal().then(|| columns(stream)).flatten()?;
    Some(columns.min(WIDTH)).filter(|&columns| columns >= NARROWEST)
}

/// Returns `text` after a label in `style`, wrapped at `width`.
fn labelled(style: Style, label: &str, text: &str, width: Option<usize>) -> String {
    let text = format!("{label} {text}");
    let text = match width {
        Some(width) => wrap(&text, 2, width),
        None => text,
    };
    text.trim_start().replacen(label, &styled(style, label), 1)
}

/// Wraps lines between words and indents them by `indent`. Text in backticks stays on one line, so that
/// it can be copied. A line that begins with four spaces is a command and stays whole as well.
pub(super) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let margin = " ".repeat(indent);
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("    ") {
            lines.push(format!("{margin}{line}"));
            continue;
        }
        let mut current = margin.clone();
        let mut quoted = false;
        for word in line.split(' ') {
            let length = current.chars().count() + 1 + word.chars().count();
            if !quoted && length > width && current.len() > margin.len() {
                lines.push(std::mem::replace(&mut current, margin.clone()));
            }
            if current.len() > margin.len() {
                current.push(' ');
            }
            current.push_str(word);
            quoted ^= word.matches('`').count() % 2 == 1;
        }
        lines.push(current);
    }
    lines.join("\n")
}

/// Returns an error for programs, with the advice that fits `face`.
pub(super) fn describe(error: &Error, face: Face) -> Value {
    let kind = match error.kind() {
        Kind::Failure => "failure",
        Kind::Usage => "usage",
        Kind::Unsupported => "refused",
        Kind::Busy => "busy",
        Kind::NotPermitted => "not-permitted",
        Kind::Locked => "locked",
        Kind::Unavailable => "unavailable",
    };
    let mut described =
        json!({ "kind": kind, "message": error.to_string(), "advice": error.hint(face) });
    if let Some(remedy) = error.fix() {
        described["remedy"] = remedy.name().into();
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_bar_is_as_full_as_the_work_is_done() {
        let text = |done| {
            bar_text(&Progress {
                step: Step::Reading,
                done,
                total: 64 << 20,
            })
        };
        let (full, empty) = ("█".repeat(15), "░".repeat(15));
        let half = format!("reading    {full}{empty} 32.00 MiB/64.00 MiB");
        assert_eq!(text(32 << 20), half);
        assert!(text(0).contains(&empty.repeat(2)));
        // A file that grows in the meantime.
        assert!(text(65 << 20).ends_with(&format!("{full}{full} 65.00 MiB/64.00 MiB")));
    }

    #[test]
    fn lines_are_broken_between_words() {
        let long = "word ".repeat(60);
        for width in [NARROWEST, WIDTH] {
            for line in wrap(long.trim(), 4, width).lines() {
                assert!(line.chars().count() <= width && line.starts_with("    word"));
            }
        }
        let command = format!("say:\n    {}", "x".repeat(200));
        assert_eq!(wrap(&command, 2, WIDTH).lines().count(), 2);
        assert_eq!(wrap("a\nb", 2, WIDTH), "  a\n  b");
    }

    #[test]
    fn a_command_in_a_sentence_stays_whole() {
        let text = "to be well again, run `baleen config set source manual`, and then ask again";
        assert_eq!(
            wrap(text, 2, 30),
            "  to be well again, run\n  `baleen config set source manual`,\n  and then ask again"
        );
    }

    #[test]
    fn only_a_terminal_gets_broken_lines() {
        let text = "word ".repeat(30);
        assert_eq!(
            labelled(Style::new(), "note:", &text, None).lines().count(),
            1
        );
        let broken = labelled(Style::new(), "note:", &text, Some(40));
        assert!(broken.starts_with("note: word"));
        assert!(
            broken
                .lines()
                .skip(1)
                .all(|line| line.starts_with("  word"))
        );
    }
}
