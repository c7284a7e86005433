//! The file that makes the system open Baleen at login: a launch agent on macOS before 13
//! (`man 5 launchd.plist`), on other systems an entry in the autostart folder (Desktop Application Autostart
//! Specification, <https://specifications.freedesktop.org/autostart-spec/latest/>).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::IoError;
use crate::storage::absolute;

use super::LoginItem;

/// The label of the launch agent.
pub const LABEL: &str = "io.github.baleen-app.Baleen";

/// Returns the path of the file.
pub(crate) fn default_path(
    get: impl Fn(&str) -> Option<OsString>,
    home: &Path,
    macos: bool,
) -> PathBuf {
    if macos {
        return home.join(format!("Library/LaunchAgents/{LABEL}.plist"));
    }
    absolute(get, "XDG_CONFIG_HOME")
        .unwrap_or_else(|| home.join(".config"))
        .join("autostart/baleen.desktop")
}

/// Returns whether the file exists.
pub fn status(location: &Path) -> LoginItem {
    match location.is_file() {
        true => LoginItem::On,
        false => LoginItem::Off,
    }
}

/// Writes the file that opens `program`.
///
/// # Errors
/// When the file can't be written.
pub fn put(location: &Path, program: &Path, macos: bool) -> Result<(), IoError> {
    let failed = |error| IoError::new("write", location, error);
    let content = if macos {
        launch_agent(program).map_err(|error| failed(io::Error::other(error)))?
    } else {
        desktop_entry(program).into_bytes()
    };
    let folder = location.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // An atomic write: the file is complete or unchanged.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    io::Write::write_all(&mut file, &content).map_err(failed)?;
    file.persist(location)
        .map_err(|error| failed(error.error))?;
    Ok(())
}

/// Removes the file, if it exists.
///
/// # Errors
/// When the file can't be removed.
pub fn remove(location: &Path) -> Result<(), IoError> {
    match fs::remove_file(location) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(IoError::new("remove", location, error))
        }
        _ => Ok(()),
    }
}

fn launch_agent(program: &Path) -> Result<Vec<u8>, plist::Error> {
    let mut agent = plist::Dictionary::new();
    let program = program.to_string_lossy().into_owned();
    agent.insert("Label".to_owned(), LABEL.into());
    agent.insert(
        "ProgramArguments".to_owned(),
        plist::Value::Array(vec![program.into(), "app".into()]),
    );
    agent.insert("RunAtLoad".to_owned(), true.into());
    // The menu bar exists only in a graphical session.
    agent.insert("LimitLoadToSessionType".to_owned(), "Aqua".into());
    agent.insert("ProcessType".to_owned(), "Interactive".into());
    let mut bytes = Vec::new();
    plist::Value::from(agent).to_writer_xml(&mut bytes)?;
    Ok(bytes)
}

fn desktop_entry(program: &Path) -> String {
    // Desktop Entry Specification, "The Exec key": an argument may be quoted, with these characters escaped. A
    // percent sign begins a field code. The backslashes are then escaped again, as in any string.
    let mut quoted = String::new();
    for c in program.to_string_lossy().chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    format!(
        "[Desktop Entry]\nType=Application\nName=Baleen\nComment=Keeps Docker behind the proxy\nExec=\"{quoted}\" app\nTerminal=false\nX-GNOME-Autostart-enabled=true\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_and_removed() {
        for macos in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let location = default_path(|_| None, dir.path(), macos);
            assert_eq!(status(&location), LoginItem::Off);
            remove(&location).unwrap();
            for _ in 0..2 {
                put(&location, Path::new("/Applications/B & C/baleen"), macos).unwrap();
                assert_eq!(status(&location), LoginItem::On);
            }
            let text = fs::read_to_string(&location).unwrap();
            if macos {
                let read = plist::Value::from_file(&location).unwrap();
                let read = read.as_dictionary().unwrap();
                let arguments = read["ProgramArguments"].as_array().unwrap();
                assert_eq!(arguments[0].as_string(), Some("/Applications/B & C/baleen"));
                assert_eq!(read["RunAtLoad"].as_boolean(), Some(true));
            } else {
                assert!(
                    text.contains("\nExec=\"/Applications/B & C/baleen\" app\n"),
                    "{text}"
                );
            }
            remove(&location).unwrap();
            assert_eq!(status(&location), LoginItem::Off);
        }
    }

    #[test]
    fn the_file_for_managed_macs_is_the_one_that_is_written() {
        let program = Path::new("/Applications/Baleen.app/Contents/MacOS/baleen");
        let written = launch_agent(program).unwrap();
        let ours = include_bytes!("../../../packaging/launchd/io.github.baleen-app.Baleen.plist")
            .as_slice();
        let read = |bytes: &[u8]| plist::Value::from_reader_xml(bytes).unwrap();
        assert_eq!(read(ours), read(&written));
    }

    #[test]
    fn what_a_desktop_entry_would_take_for_something_else_is_escaped() {
        let entry = desktop_entry(Path::new("/a\"b$c%d\\e"));
        assert!(
            entry.contains("Exec=\"/a\\\\\"b\\\\$c%%d\\\\\\\\e\" app"),
            "{entry}"
        );
    }

    #[test]
    fn each_platform_has_its_place() {
        let home = Path::new("/home/me");
        let none = |_: &str| None;
        assert_eq!(
            default_path(none, home, true),
            Path::new("/home/me/Library/LaunchAgents/io.github.baleen-app.Baleen.plist")
        );
        assert_eq!(
            default_path(none, home, false),
            Path::new("/home/me/.config/autostart/baleen.desktop")
        );
        let config = |name: &str| (name == "XDG_CONFIG_HOME").then(|| "/c".into());
        assert_eq!(
            default_path(config, home, false),
            Path::new("/c/autostart/baleen.desktop")
        );
    }
}
