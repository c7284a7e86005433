//! The log: one line for each action, observation or notice, in a file of limited length. Passwords in URLs
//! are removed from every line.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::error::{Failure, IoError, Kind};
use crate::proxy::redact;
use crate::storage;
use crate::util::locked;

/// Maximum length of the file. The previous file is kept next to it.
const MAX_LOG_LEN: u64 = 1 << 20;

/// The reason why the log could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    File(#[from] IoError),

    #[error("could not start the log: {0}")]
    Started(#[from] SetGlobalDefaultError),
}

impl Failure for LogError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(file) => file.kind(),
            Self::Started(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(file) => file.code(),
            Self::Started(_) => "log-started",
        }
    }
}

/// Returns the path of the log: in `~/Library/Logs/Baleen` on macOS (Apple, "File System Programming
/// Guide"), on other systems in the program's own folder. It is in that folder on macOS too if
/// `BALEEN_STATE_DIR` sets it.
pub(crate) fn default_path(
    get: impl Fn(&str) -> Option<OsString>,
    home: &Path,
    macos: bool,
) -> PathBuf {
    let is_chosen = get("BALEEN_STATE_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    let folder = match macos && !is_chosen {
        true => home.join("Library/Logs/Baleen"),
        false => storage::folder(get, home, macos),
    };
    folder.join("baleen.log")
}

/// Returns the path of the log that precedes the one at `path`.
pub(crate) fn older(path: &Path) -> PathBuf {
    let mut older = path.to_owned().into_os_string();
    older.push(".1");
    older.into()
}

/// Returns the path of the current user's log.
pub(crate) fn path() -> PathBuf {
    let home = env::home_dir().unwrap_or_default();
    default_path(|name| env::var_os(name), &home, cfg!(target_os = "macos"))
}

/// Starts logging to the file at `path`, and to the terminal according to `verbosity` (the number of `-v`
/// options).
///
/// # Errors
/// When the file can't be written.
pub(crate) fn start(path: &Path, verbosity: u8) -> Result<(), LogError> {
    let file = Rotated::open(path).map_err(|error| IoError::new("write", path, error))?;
    let (file_level, terminal_level) = match verbosity {
        0 => (Level::INFO, None),
        1 => (Level::INFO, Some(Level::INFO)),
        _ => (Level::DEBUG, Some(Level::DEBUG)),
    };
    let sink = Sink {
        file: Arc::new(Mutex::new(file)),
        to_terminal: terminal_level.is_some(),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(file_level)
        .event_format(Lines)
        .with_writer(move || sink.clone())
        .finish();
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

/// One event, one line: time, level, what.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Events of other crates are of no use to the user.
        if !event
            .metadata()
            .target()
            .starts_with(env!("CARGO_PKG_NAME"))
        {
            return Ok(());
        }
        let mut what = String::new();
        context.format_fields(Writer::new(&mut what), event)?;
        let now = OffsetDateTime::now_utc();
        let now = now
            .replace_nanosecond(now.nanosecond() / 1_000_000 * 1_000_000)
            .unwrap_or(now);
        let now = now.format(&Rfc3339).unwrap_or_default();
        writeln!(
            writer,
            "{now} {:5} {}",
            event.metadata().level(),
            clean(&what)
        )
    }
}

/// Returns the text on one line and without passwords.
fn clean(text: &str) -> String {
    redact(&text.replace(['\n', '\r'], " "))
}

/// The outputs of the log.
#[derive(Clone)]
struct Sink {
    file: Arc<Mutex<Rotated>>,
    to_terminal: bool,
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.to_terminal {
            // A closed terminal is no reason to lose the line.
            let _ = io::stderr().write_all(line);
        }
        let mut file = locked(&self.file);
        file.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log file that is rotated at its maximum length.
struct Rotated {
    path: PathBuf,
    file: File,
    length: u64,
    longest: u64,
}

impl Rotated {
    fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, MAX_LOG_LEN)
    }

    fn open_with(path: &Path, longest: u64) -> io::Result<Self> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        // The log names hosts and proxies, which are private to the user.
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            length: file.metadata()?.len(),
            path: path.to_owned(),
            file,
            longest,
        })
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        // The app and its relay share the file, and each may have rotated it.
        match fs::metadata(&self.path) {
            Ok(now) if now.ino() == self.file.metadata()?.ino() => self.length = now.len(),
            Ok(_) => *self = Self::open_with(&self.path, self.longest)?,
            // Uninstalling has removed it. It must not come back.
            Err(_) => return self.file.write_all(line),
        }
        if self.length + line.len() as u64 > self.longest && self.length > 0 {
            fs::rename(&self.path, older(&self.path))?;
            *self = Self::open_with(&self.path, self.longest)?;
        }
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(())
    }
}

/// Returns the path of a check's report, next to the log.
pub(crate) fn report_beside(log: &Path) -> PathBuf {
    log.with_file_name("doctor-report.md")
}

/// Returns the path of the page with a check's result, next to the log.
pub(crate) fn page_beside(log: &Path) -> PathBuf {
    log.with_file_name("doctor-report.html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_grow_without_end_and_loses_no_line_of_the_last_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/baleen.log");
        for number in 0..100 {
            // The log is opened again for each line, as after another start.
            let mut log = Rotated::open_with(&path, 100).unwrap();
            log.write_all(format!("line {number}\n").as_bytes())
                .unwrap();
        }
        let now = fs::read_to_string(&path).unwrap();
        let before = fs::read_to_string(dir.path().join("new/baleen.log.1")).unwrap();
        assert!(now.len() <= 100 && before.len() <= 100);
        assert!(now.ends_with("line 99\n"), "{now}");
        let all: Vec<String> = [before, now].concat().lines().map(str::to_owned).collect();
        let expected: Vec<String> = (100 - all.len()..100)
            .map(|n| format!("line {n}"))
            .collect();
        assert_eq!(all, expected);
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 2);
    }

    #[test]
    fn two_processes_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("baleen.log");
        let mut logs = [
            Rotated::open_with(&path, 100).unwrap(),
            Rotated::open_with(&path, 100).unwrap(),
        ];
        for number in 0..100 {
            let line = format!("line {number}\n");
            logs[number % 2].write_all(line.as_bytes()).unwrap();
            let now = fs::read_to_string(&path).unwrap();
            assert!(now.ends_with(&line) && now.len() <= 100, "{number}: {now}");
        }
        let before = fs::read_to_string(older(&path)).unwrap();
        let now = fs::read_to_string(&path).unwrap();
        let all = before.clone() + &now;
        let expected: String = (100 - all.lines().count()..100)
            .map(|number| format!("line {number}\n"))
            .collect();
        assert_eq!(all, expected);
        // None was rotated before it was full.
        assert!(before.len() > 90, "{before}");
    }

    #[test]
    fn one_that_was_removed_stays_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/baleen.log");
        let mut log = Rotated::open_with(&path, 100).unwrap();
        fs::remove_dir_all(dir.path().join("state")).unwrap();
        for _ in 0..20 {
            log.write_all(b"the last line\n").unwrap();
        }
        assert!(!dir.path().join("state").exists());
    }

    #[test]
    fn a_line_is_one_line_and_has_no_password_in_it() {
        assert_eq!(
            clean("a\nb http://me:Xq7needle@p:1"),
            "a b http://me:***@p:1"
        );
    }

    #[test]
    fn each_platform_has_its_place() {
        let home = Path::new("/home/me");
        let state = |name: &str| (name == "BALEEN_STATE_DIR").then(|| "/s".into());
        for (macos, chosen, expected) in [
            (true, false, "/home/me/Library/Logs/Baleen/baleen.log"),
            (false, false, "/home/me/.local/state/baleen/baleen.log"),
            (true, true, "/s/baleen.log"),
            (false, true, "/s/baleen.log"),
        ] {
            let place = match chosen {
                true => default_path(state, home, macos),
                false => default_path(|_| None, home, macos),
            };
            assert_eq!(place, Path::new(expected));
        }
    }
}
