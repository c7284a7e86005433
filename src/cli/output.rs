//! Text for people and JSON for programs, and never a secret in either.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::patch::Progress;

use super::args::{Color, Global};
use super::printing;

/// Version of what `--json` prints.
const SCHEMA: u32 = 1;

/// A heading.
pub(super) const BOLD: Style = Style::new().bold();
/// Something that is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(super) const NOTE: Style = AnsiColor::Yellow.on_default();
/// Something that is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something of less weight.
pub(super) const DIM: Style = Style::new().dimmed();

/// `text` in `style`.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Where the program speaks.
pub(super) struct Output {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    json: bool,
    bar: RefCell<Option<(&'static str, ProgressBar)>>,
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
            bar: RefCell::new(None),
            broken_pipe: false,
            notes: Vec::new(),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// One line for a person; nothing under `--json`.
    pub(super) fn line(&mut self, text: impl Display) -> Result<()> {
        self.clear_bar();
        if self.json {
            return Ok(());
        }
        let written = writeln!(self.out, "{text}");
        self.judge(written)
    }

    /// A question to the user, also under `--json`: the answer goes on in its line.
    pub(super) fn prompt(&mut self, text: String) -> io::Result<()> {
        write!(self.err, "{text}")?;
        self.err.flush()
    }

    /// Something the user should know besides: a line for a person, kept for the object of `--json`.
    pub(super) fn note(&mut self, text: String) -> Result<()> {
        self.line(format!("{} {text}", styled(NOTE, "note:")))?;
        self.notes.push(text);
        Ok(())
    }

    /// The one object of `--json`; nothing without.
    pub(super) fn object(&mut self, mut object: Value) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        object["schema"] = SCHEMA.into();
        object["notes"] = std::mem::take(&mut self.notes).into();
        let written = writeln!(self.out, "{object}");
        self.judge(written)
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.out.as_inner().lock().write_all(bytes);
        self.judge(written)
    }

    /// Whoever closed the pipe wants no more of it; that is no failure of what was done.
    fn judge(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.broken_pipe = true;
                Ok(())
            }
            other => other.map_err(printing),
        }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.broken_pipe
    }

    /// A progress bar on a terminal; nothing elsewhere.
    pub(super) fn progress(&self, progress: Progress) {
        if self.json || !io::stderr().is_terminal() || progress.total == 0 {
            return;
        }
        let mut bar = self.bar.borrow_mut();
        match &*bar {
            Some((step, bar)) if *step == progress.step => bar.set_position(progress.done),
            _ => {
                if let Some((_, old)) = bar.take() {
                    old.finish_and_clear();
                }
                let new = ProgressBar::new(progress.total).with_message(progress.step);
                if let Ok(style) =
                    ProgressStyle::with_template("{msg:10} {bar:30} {bytes}/{total_bytes}")
                {
                    new.set_style(style);
                }
                new.set_position(progress.done);
                *bar = Some((progress.step, new));
            }
        }
    }

    fn clear_bar(&self) {
        if let Some((_, bar)) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    /// Tells an error, if there is one, and gives the exit code.
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
        // There is nobody left to tell if this fails, too.
        let _ = self.object(json!({ "error": describe(&error) }));
        let _ = writeln!(self.err, "{} {error}", styled(BAD, "error:"));
        if let Some(advice) = error.advice() {
            let _ = writeln!(self.err, "{} {advice}", styled(NOTE, "what to do:"));
        }
        match error.kind() {
            Kind::Failure => 1,
            Kind::Usage => 2,
            Kind::Refused | Kind::Busy => 4,
            Kind::NotPermitted => 5,
        }
    }
}

fn describe(error: &Error) -> Value {
    let kind = match error.kind() {
        Kind::Failure => "failure",
        Kind::Usage => "usage",
        Kind::Refused => "refused",
        Kind::Busy => "busy",
        Kind::NotPermitted => "not-permitted",
    };
    json!({ "kind": kind, "message": error.to_string(), "advice": error.advice() })
}
