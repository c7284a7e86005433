//! Copying with a program that keeps the clipboard of a desktop session: `wl-copy` (`man 1 wl-copy`) under Wayland,
//! `xclip` or `xsel` (`man 1 xclip`, `man 1 xsel`) under X. This process can't keep the clipboard itself: under X a
//! window owns it, and this program has no window.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{CopyError, ProgramError};

/// Timeout for the program. Once it has the text, it continues in the background by itself.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Interval between polls for the program's end.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Returns the programs that can copy in this kind of session, the best first.
fn programs(is_wayland: bool, is_x: bool) -> Vec<(&'static str, &'static [&'static str])> {
    let mut programs: Vec<(&str, &[&str])> = Vec::new();
    if is_wayland {
        programs.push(("wl-copy", &["--type", "text/plain;charset=utf-8"]));
    }
    if is_x {
        programs.push(("xclip", &["-selection", "clipboard", "-in"]));
        programs.push(("xsel", &["--clipboard", "--input"]));
    }
    programs
}

/// Replaces the contents of the clipboard with this text.
///
/// # Errors
/// When there is no clipboard, or no program can copy.
pub fn copy(text: &str) -> Result<(), CopyError> {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let programs = programs(is_set("WAYLAND_DISPLAY"), is_set("DISPLAY"));
    if programs.is_empty() {
        return Err(CopyError::NoScreen);
    }
    let mut failed = Vec::new();
    for (program, arguments) in programs {
        match copy_with(Command::new(program).args(arguments), text) {
            Ok(()) => return Ok(()),
            Err(why) => failed.push((program, why)),
        }
    }
    Err(CopyError::Programs(failed))
}

fn copy_with(program: &mut Command, text: &str) -> Result<(), ProgramError> {
    let mut child = program
        .stdin(Stdio::piped())
        // A program that continues in the background would keep a pipe open.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
    let end = Instant::now() + TIMEOUT;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(written?),
            Some(status) => return Err(ProgramError::Ended(status)),
            None if Instant::now() < end => thread::sleep(POLL_INTERVAL),
            None => {
                child.kill()?;
                child.wait()?;
                return Err(ProgramError::NoAnswer { within: TIMEOUT });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_that_of_the_session() {
        let names = |is_wayland, is_x| -> Vec<&str> {
            let programs = programs(is_wayland, is_x);
            programs.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(true, true), ["wl-copy", "xclip", "xsel"]);
        assert_eq!(names(false, true), ["xclip", "xsel"]);
        assert_eq!(names(true, false), ["wl-copy"]);
        assert!(names(false, false).is_empty());
    }

    #[test]
    fn a_program_gets_the_text_and_its_failure_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("copied");
        let script = format!("cat > '{}'", file.display());
        copy_with(Command::new("sh").args(["-c", &script]), "a\nb\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\nb\n");
        let failed = copy_with(Command::new("sh").args(["-c", "cat; exit 3"]), "a").unwrap_err();
        assert!(
            matches!(&failed, ProgramError::Ended(status) if status.code() == Some(3)),
            "{failed}"
        );
        let slow = copy_with(Command::new("sleep").arg("600"), "a").unwrap_err();
        assert!(matches!(slow, ProgramError::NoAnswer { .. }), "{slow}");
        assert!(copy_with(&mut Command::new("/nowhere/xclip"), "a").is_err());
    }
}
