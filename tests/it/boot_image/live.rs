//! `apply --live` and `restore --live` as far as they get without a VM; `tests/e2e` has the rest.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcgetattr;

use baleen::backend::docker_desktop::restart;
use baleen::service::LiveLock;

use crate::common::app::{App, PROXY, Run};
use crate::common::redact::{Transcript, redacted, without_typed};
use crate::common::{tools, tty};

const APPLY: [&str; 5] = ["apply", "--http-proxy", PROXY, "--live", "--yes"];

/// A Docker that runs until this is dropped.
struct Running(Child);

impl Running {
    fn start(app: &App) -> Self {
        let child = Command::new(app.app().join("Contents/MacOS/Docker"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while restart::running(&app.app()).is_none() {
            assert!(Instant::now() < until, "Docker does not run");
            sleep(Duration::from_millis(10));
        }
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Quits Docker instead of killing it, which would leave behind the processes that it
        // started.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn it_asks_before_and_where_no_one_can_be_asked_nothing_is_done() {
    let app = App::new();
    let mut told = Transcript::default();
    for arguments in [&APPLY[..4], &["restore", "--live"]] {
        told.refused(&app, arguments, 2);
    }
    insta::assert_snapshot!(told);
    let yes = app.run(&["restore", "--yes"]);
    assert!(yes.code == 2 && yes.err.contains("--live"), "{yes}");
}

#[test]
fn what_it_asks_can_be_denied() {
    if !tools::has_tool("script") {
        return;
    }
    let app = App::new();
    let _docker = Running::start(&app);
    let before = app.bytes();
    // `script` gives the program a terminal.
    let program = format!(
        "{} apply --http-proxy {PROXY} --live",
        env!("CARGO_BIN_EXE_baleen")
    );
    let mut script = Command::new("script");
    script.args(["-E", "never", "-qec", &program, "/dev/null"]);
    app.environment(&mut script);
    let said = tools::said(&mut script, b"n\n".to_vec());
    insta::assert_snapshot!(redacted(&without_typed(&said, "n")));
    assert!(app.bytes() == before);
}

#[test]
fn without_a_running_docker_its_next_start_counts() {
    let app = App::new();
    let stock = app.bytes();
    let said = app.ok(&APPLY);
    insta::assert_snapshot!(redacted(&said));
    assert_eq!(app.state(&["--verify"]), ("current".to_owned(), 0));
    let (code, object) = app.json(&["restore", "--live", "--yes"]);
    assert_eq!((code, &object["live"]["running"]), (0, &false.into()));
    assert!(app.bytes() == stock);
    assert!(app.json(&["restore"]).1["live"].is_null());
}

#[test]
fn a_docker_without_a_console_has_its_image_done_and_is_reported() {
    let app = App::new();
    let _docker = Running::start(&app);
    let run = app.run(&APPLY);
    assert_eq!(run.code, 4, "{run}");
    insta::assert_snapshot!(redacted(&run.to_string()));
    assert_eq!(app.state(&["--verify"]), ("current".to_owned(), 0));
}

#[test]
fn a_console_that_is_open_elsewhere_is_left_alone() {
    let app = App::new();
    let _docker = Running::start(&app);
    let (vm, device) = tty::console(&app.dir.path().join("home"));
    let mut screen = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::from(tty::open(&device)))
        .spawn()
        .unwrap();
    let (code, object) = app.json(&APPLY);
    screen.kill().unwrap();
    screen.wait().unwrap();
    assert_eq!(code, 4, "{object}");
    let message = object["error"]["message"].as_str().unwrap();
    assert!(message.contains(&screen.id().to_string()), "{message}");
    let message = message.replace(device.to_str().unwrap(), "[device]");
    insta::assert_snapshot!(redacted(&message));
    assert_eq!(app.state(&[]), ("current".to_owned(), 0));
    rustix::io::ioctl_fionbio(&vm, true).unwrap();
    let mut byte = [0];
    let read = rustix::io::read(&vm, &mut byte);
    assert_ne!(read, Ok(1), "something was sent to the VM");
}

#[test]
fn an_interrupted_command_gives_the_terminal_back() {
    let app = App::new();
    let _docker = Running::start(&app);
    let mut told = Transcript::default();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (vm, device) = tty::console(&app.dir.path().join("home"));
        let modes = || format!("{:?}", tcgetattr(tty::open(&device)).unwrap());
        let before = modes();
        let mut command = app.command(&APPLY);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first byte shows that the dialogue has begun; until another process opens the
        // terminal, reading fails.
        let until = Instant::now() + Duration::from_secs(60);
        while rustix::io::read(&vm, &mut [0; 8]).is_err() {
            assert!(Instant::now() < until, "nothing was sent");
            sleep(Duration::from_millis(10));
        }
        assert_ne!(modes_if_free(&device), Some(before.clone()));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!(run.code, 1, "{run}");
        told.text(&format!("{signal:?}"), &run.err);
        assert_eq!(modes(), before, "after {signal:?}");
    }
    insta::assert_snapshot!(told);
}

/// The menu-bar app must not announce a restart that is already in progress.
#[test]
fn it_gives_a_sign_as_long_as_it_is_at_work() {
    let app = App::new();
    let _docker = Running::start(&app);
    let state = app.dir.path().join("state");
    let is_seen = || LiveLock::is_seen(&state);
    app.apply("http://before.corp:8080");
    assert!(!is_seen());
    for arguments in [&APPLY[..], &["restore", "--live", "--yes"]] {
        let (vm, _) = tty::console(&app.dir.path().join("home"));
        let before = app.bytes();
        let child = app
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while app.bytes() == before {
            assert!(Instant::now() < until, "the image is not changed");
            sleep(Duration::from_millis(1));
        }
        assert!(is_seen(), "{arguments:?}: not when the image is changed");
        while rustix::io::read(&vm, &mut [0; 8]).is_err() {
            assert!(Instant::now() < until, "nothing was sent");
            sleep(Duration::from_millis(10));
        }
        assert!(is_seen(), "{arguments:?}: not in the middle");
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait_with_output().unwrap();
        assert!(!is_seen(), "{arguments:?}: it was killed");
    }
    app.ok(&["apply", "--http-proxy", PROXY]);
    assert!(!is_seen());
}

/// The modes of a terminal, unless another process has claimed it; root may read them anyway.
fn modes_if_free(device: &PathBuf) -> Option<String> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(device, flags, Mode::empty()).ok()?.into();
    Some(format!("{:?}", tcgetattr(file).unwrap()))
}

#[test]
fn a_dry_run_says_what_it_comes_to_and_touches_nothing() {
    let app = App::new();
    let _docker = Running::start(&app);
    let before = app.snapshot();
    let said = app.ok(&["apply", "--http-proxy", PROXY, "--live", "--dry-run"]);
    insta::assert_snapshot!(redacted(&said));
    before.is_still(&app.snapshot());
}
