//! Output as text for people and as JSON for programs, without secrets in either.
//!
//! On a terminal, lines are wrapped between words at its width (`COLUMNS`, if that is set), up to [`WIDTH`], and never
//! inside an address, a path or a command. Elsewhere each sentence stays on one line, since programs read it.

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
    quiet: bool,
    verbose: bool,
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
            quiet: global.quiet,
            verbose: global.verbose > 0,
            face: match global.for_menu {
                true => Face::Menu,
                false => Face::CommandLine,
            },
            bar: RefCell::new(None),
            broken_pipe: false,
            notes: Vec::new(),
        }
    }

    /// Returns the width at which text is wrapped, which has no limit without a terminal.
    pub(super) fn width(&self) -> usize {
        width(self.out.as_inner()).unwrap_or(usize::MAX)
    }

    /// The user interface that shows what is printed.
    pub(super) fn face(&self) -> Face {
        self.face
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Returns whether sizes, digests, methods and places are printed, too.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Returns whether the user can be asked: someone has to be there, and to see what they agree to.
    pub(super) fn can_ask(&self) -> bool {
        let is_shown = !self.json && !self.quiet;
        is_shown && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Prints a line for a person, wrapped on a terminal; nothing under `--json` and `--quiet`.
    pub(super) fn line(&mut self, text: impl Display) -> Result<()> {
        match width(self.out.as_inner()) {
            Some(width) => self.verbatim(fill(&text.to_string(), width)),
            None => self.verbatim(text),
        }
    }

    /// Prints a line that only `--verbose` asks for.
    pub(super) fn detail(&mut self, text: impl Display) -> Result<()> {
        match self.verbose {
            true => self.line(text),
            false => Ok(()),
        }
    }

    /// Prints text for a person as it is, such as a difference or a table; nothing under `--json` and `--quiet`.
    pub(super) fn verbatim(&mut self, text: impl Display) -> Result<()> {
        self.clear_bar();
        if self.json || self.quiet {
            return Ok(());
        }
        let written = writeln!(self.out, "{text}");
        self.judge(written)
    }

    /// Prints text for a person beside the output, which is a file's content.
    pub(super) fn aside(&mut self, text: impl Display) -> Result<()> {
        let flushed = self.out.flush();
        self.judge(flushed)?;
        let written = writeln!(self.err, "{text}");
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
        self.verbatim(line)?;
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
        if self.json || self.quiet || !io::stderr().is_terminal() || progress.total == 0 {
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
    if !stream.is_terminal() {
        return None;
    }
    let chosen = env::var("COLUMNS").ok();
    fitting_width(chosen.as_deref(), columns(stream))
}

/// Returns the width for help texts, if `COLUMNS` sets one. clap itself reads it only where there is no terminal.
pub(super) fn help_width() -> Option<usize> {
    fitting_width(env::var("COLUMNS").ok().as_deref(), None)
}

/// Returns the width at which lines are wrapped on a terminal of that many columns. `chosen` is the value of
/// `COLUMNS`, which counts more ("The Open Group Base Specifications", chapter 8.3).
fn fitting_width(chosen: Option<&str>, columns: Option<usize>) -> Option<usize> {
    let chosen = chosen.and_then(|text| text.parse().ok());
    let columns = chosen.filter(|&columns| columns > 0).or(columns)?;
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

/// Wraps lines between words and indents them by `indent`. Commands in backticks and paths stay on one line, so
/// that they can be copied. A line that begins with four spaces is a command and stays whole as well.
pub(super) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let margin = " ".repeat(indent);
    let lines = text.lines().map(|line| {
        let is_command = line.starts_with("    ");
        let line = format!("{margin}{line}");
        // What is continued stands below its own beginning.
        let begin = line.len() - line.trim_start_matches(' ').len();
        match is_command {
            true => line,
            false => fill_line(&line, begin, begin, width),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Wraps each line between words. What is continued stands below the value of a label, as in
/// "  docker    1.13", and else two columns further in than its beginning.
fn fill(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let is_command = number > 0 && indent >= 4;
        lines.push(match is_command || shown_width(line) <= width {
            true => line.to_owned(),
            false => fill_line(line, indent, value_column(line, width), width),
        });
    }
    lines.join("\n")
}

/// Returns the column at which a wrapped line goes on.
fn value_column(line: &str, width: usize) -> usize {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let gap = line[indent..].find("  ").map(|at| indent + at);
    let value = gap.map(|gap| {
        let rest = line[gap..].trim_start_matches(' ');
        shown_width(&line[..line.len() - rest.len()])
    });
    value
        .filter(|&column| column <= width * 2 / 5)
        .unwrap_or(indent + 2)
}

/// Wraps a line between words; what is continued begins at the column `hang`. A word that is longer than that
/// stays whole, except that a list without spaces is broken behind a comma.
fn fill_line(line: &str, indent: usize, hang: usize, width: usize) -> String {
    let mut filled = line[..indent].to_owned();
    let mut column = indent;
    for (gap, word) in unbroken(&line[indent..]) {
        let begin = word.trim_start_matches(['(', '"', '\'']);
        let is_whole = begin.starts_with(['/', '~']) || word.contains("://");
        let is_list = word.contains(',') && !is_whole && !word.contains(['`', ' ']);
        let parts: Vec<&str> = match is_list && shown_width(word) > width - hang.min(width) {
            true => word.split_inclusive(',').collect(),
            false => vec![word],
        };
        let mut gap = gap;
        for part in parts {
            let length = shown_width(part);
            // Behind a label, or at the beginning, a new line would gain nothing.
            if column + gap.len() > hang && column + gap.len() + length > width {
                filled.push('\n');
                filled.push_str(&" ".repeat(hang));
                column = hang;
            } else {
                filled.push_str(gap);
                column += gap.len();
            }
            filled.push_str(part);
            column += length;
            gap = "";
        }
    }
    filled
}

/// Splits text where a line may be broken: into words, each with the spaces before it. A command in backticks is one
/// word, and so is a path with spaces, as far as can be seen.
fn unbroken(text: &str) -> Vec<(&str, &str)> {
    // The words' places: where the spaces before each begin, where it begins, and where it ends.
    let mut words: Vec<(usize, usize, usize)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let begin = at + (text.len() - at - text[at..].trim_start_matches(' ').len());
        let end = text[begin..]
            .find(' ')
            .map_or(text.len(), |end| begin + end);
        words.push((at, begin, end));
        at = end;
    }
    let mut pieces = Vec::new();
    let mut next = 0;
    while let Some(&(gap, begin, mut end)) = words.get(next) {
        next += 1;
        let is_quoted = |end: usize| text[begin..end].matches('`').count() % 2 == 1;
        while next < words.len() && is_quoted(end) {
            end = words[next].2;
            next += 1;
        }
        while is_path(&text[begin..end])
            && let Some(more) = (next..words.len().min(next + MAX_PATH_WORDS))
                .take_while(|&word| {
                    word == next || !ends_path(&text[words[word - 1].1..words[word - 1].2])
                })
                .find(|&word| goes_on(&text[words[word].1..words[word].2]))
        {
            end = words[more].2;
            next = more + 1;
        }
        pieces.push((&text[gap..begin], &text[begin..end]));
    }
    pieces
}

/// Words without a slash that a path's file name may have before the next slash.
const MAX_PATH_WORDS: usize = 3;

/// Returns whether this may be the beginning of a path whose names have spaces.
fn is_path(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '"', '\'', '\u{1b}']);
    (word.starts_with('/') || word.starts_with("~/")) && !ends_path(word)
}

/// Returns whether a path is over after this word.
fn ends_path(word: &str) -> bool {
    word.ends_with([',', ';', ':', ')', '.', '"'])
}

/// Returns whether a path with spaces goes on in this word, as in "Support/Baleen" and "Desktop.app".
fn goes_on(word: &str) -> bool {
    let name = word.trim_end_matches([',', ';', ':', ')', '.', '"']);
    let has_folder = name.find('/').is_some_and(|at| at > 0);
    (has_folder || name.ends_with(".app")) && !name.contains("://") && !name.starts_with('~')
}

/// Returns the number of characters that a terminal shows, without the escape sequences of styles.
fn shown_width(text: &str) -> usize {
    anstream::adapter::strip_str(text)
        .map(|part| part.chars().count())
        .sum()
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
        assert_eq!(wrap("a:\n  bb cc", 1, 6), " a:\n   bb\n   cc");
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
    fn addresses_paths_and_commands_stay_whole() {
        for (text, expected) in [
            (
                "Done. The proxy for Docker is http://proxy.corp.example:8080. Bypassing it: localhost,127.0.0.1.",
                "Done. The proxy for Docker is\n  http://proxy.corp.example:8080.\n  Bypassing it:\n  localhost,127.0.0.1.",
            ),
            (
                "the file is /Users/me/Library/Application Support/Baleen/config.toml, and that is all",
                "the file is\n  /Users/me/Library/Application Support/Baleen/config.toml,\n  and that is all",
            ),
            (
                "  docker    4.35 at /Applications/Docker Desktop.app now",
                "  docker    4.35 at\n            /Applications/Docker Desktop.app\n            now",
            ),
            (
                "  bypass    localhost,127.0.0.1,.corp.example,10.0.0.0/8,intranet.example",
                "  bypass    localhost,127.0.0.1,\n            .corp.example,\n            10.0.0.0/8,\n            intranet.example",
            ),
            (
                "To follow the settings again, run `baleen apply --follow-settings`.",
                "To follow the settings again, run\n  `baleen apply --follow-settings`.",
            ),
            ("short", "short"),
            ("a\n\nb", "a\n\nb"),
        ] {
            assert_eq!(fill(text, 34), expected);
        }
        // A style takes no room.
        let bold = styled(BOLD, "Done.");
        let text = format!("{bold} The proxy is set now in Docker");
        assert_eq!(fill(&text, 36), text);
    }

    #[test]
    fn no_character_is_lost_at_any_width() {
        let text = "  image     /a b/c d/Docker Desktop.app, `x y z` http://h:1/a,b (1 of 2),  two,three,four,five,six,seven";
        let words = |text: &str| text.split_whitespace().collect::<String>();
        for width in NARROWEST..=WIDTH {
            assert_eq!(words(&fill(text, width)), words(text), "{width}");
            for whole in ["/a b/c d/Docker Desktop.app,", "`x y z`", "http://h:1/a,b"] {
                assert!(fill(text, width).contains(whole), "{width}: {whole}");
            }
        }
    }

    #[test]
    fn columns_counts_more_than_the_terminal() {
        for (chosen, columns, expected) in [
            (None, Some(80), Some(80)),
            (None, Some(200), Some(WIDTH)),
            (None, Some(NARROWEST - 1), None),
            (None, None, None),
            (Some("60"), Some(80), Some(60)),
            (Some("60"), None, Some(60)),
            (Some("0"), Some(80), Some(80)),
            (Some("wide"), Some(80), Some(80)),
            (Some("300"), Some(80), Some(WIDTH)),
        ] {
            assert_eq!(
                fitting_width(chosen, columns),
                expected,
                "{chosen:?} {columns:?}"
            );
        }
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
