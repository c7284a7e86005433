//! The dialogue with a VM over its console, with a line in this process and a shell of the host at its end.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use baleen::backend::docker_desktop::initrd::console::Console;
use baleen::backend::docker_desktop::initrd::live::{GuestPaths, LiveOutcome, apply_live_at};
use baleen::error::{Kind, Result};
use baleen::proxy::exports;
use baleen::proxy::{EngineProxy, NoProxy, ProxyUrl};

use crate::common::fake_vm::{FakeVm, There, Weather};
use crate::common::redact::{Transcript, redacted};
use crate::common::secret::shapes;
use crate::common::tools;

/// Maximum time of a logout. A shell ends in an instant, unless the computer is busy.
const LONGEST_LOGOUT: Duration = Duration::from_secs(20);

const PASSWORD: &str = "s3cr3t-%40-pa55word";

/// The shells that a VM may have: Debian's, and Moby's.
fn shells() -> Vec<&'static [&'static str]> {
    let mut shells: Vec<&[&str]> = vec![&["sh"]];
    if tools::has_tool("busybox") {
        shells.push(&["busybox", "ash"]);
    }
    shells
}

fn block(host: &str) -> Vec<u8> {
    block_for(host, true)
}

fn block_for(host: &str, has_https: bool) -> Vec<u8> {
    let url = ProxyUrl::parse(&format!("http://me:{PASSWORD}@{host}:3128")).unwrap();
    let https = has_https.then(|| url.clone());
    let proxy = EngineProxy::new(Some(url), https, NoProxy::default()).unwrap();
    exports(&proxy).as_bytes().to_vec()
}

/// The script with this block.
fn with_block(stock: &[u8], block: &[u8]) -> Vec<u8> {
    let first = stock.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    [&stock[..first], block, &stock[first..]].concat()
}

fn follow(vm: &FakeVm, block: Option<&[u8]>, cancel: &AtomicBool) -> Result<LiveOutcome> {
    let mut console = Console::open(&vm.console(), cancel)?;
    let (script, pid) = (vm.script(), vm.pid_file());
    let program = vm.program();
    let places = GuestPaths {
        script: script.to_str().unwrap(),
        pid: pid.to_str().unwrap(),
        programs: &[&program],
    };
    let followed = apply_live_at(&mut console, places, block, false)?;
    Ok(followed)
}

fn go(vm: &FakeVm, block: Option<&[u8]>) -> Result<LiveOutcome> {
    follow(vm, block, &AtomicBool::new(false))
}

/// Asserts that the script is complete and has one of these blocks.
fn assert_script_is_one_of(vm: &FakeVm, stock: &[u8], blocks: &[Option<&[u8]>]) {
    let found = fs::read(vm.script()).unwrap();
    let possible = blocks
        .iter()
        .map(|block| with_block(stock, block.unwrap_or_default()));
    assert!(
        possible.into_iter().any(|script| script == found),
        "{}",
        String::from_utf8_lossy(&found)
    );
}

/// Puts a proxy in, repeats that, changes the proxy, and takes it out.
fn round(there: There, shell: &[&str], weather: Weather) {
    let vm = FakeVm::start(there, shell, weather);
    let stock = fs::read(vm.script()).unwrap();
    let modes = format!("{:?}", vm.modes());
    let (one, other) = (block("one.corp"), block("other.corp"));

    let followed = go(&vm, Some(&one)).unwrap();
    assert!(followed.restarted);
    assert_script_is_one_of(&vm, &stock, &[Some(&one)]);
    let engine = vm.engine().unwrap();
    let has = |vm: &FakeVm, host: &str| {
        let value = format!("http://me:{PASSWORD}@{host}:3128");
        vm.environment().contains(&format!("HTTPS_PROXY={value}"))
    };
    assert!(has(&vm, "one.corp"), "{:?}", vm.environment());
    let shown = "HTTPS_PROXY=http://***@one.corp:3128".to_owned();
    assert!(followed.environment.contains(&shown), "{followed:?}");

    let followed = go(&vm, Some(&one)).unwrap();
    assert!(!followed.restarted);
    assert_eq!(vm.engine(), Some(engine));

    let followed = go(&vm, Some(&other)).unwrap();
    assert!(followed.restarted && has(&vm, "other.corp"));
    assert_script_is_one_of(&vm, &stock, &[Some(&other)]);

    let followed = go(&vm, None).unwrap();
    assert!(followed.restarted);
    assert_eq!(fs::read(vm.script()).unwrap(), stock);
    assert_eq!(vm.environment(), [""; 0]);
    assert_eq!(followed.environment, [""; 0]);
    let mode = fs::metadata(vm.script()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(!go(&vm, None).unwrap().restarted);

    // Nothing is left behind on either side.
    assert_eq!(format!("{:?}", vm.modes()), modes);
    let left = fs::read_dir(vm.script().parent().unwrap()).unwrap().count();
    assert_eq!(left, 1);
    assert_no_password(&vm);
}

/// Asserts that the password was never printed, and that no shell keeps it.
fn assert_no_password(vm: &FakeVm) {
    let printed = vm.printed();
    let history = fs::read(vm.dir.path().join(".ash_history")).unwrap_or_default();
    for secret in shapes(PASSWORD) {
        for text in [&printed, &history] {
            let is_there = text
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!is_there, "{}", String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn from_wherever_it_finds_itself_it_comes_to_a_shell_and_leaves_it() {
    thread::scope(|scope| {
        for shell in shells() {
            for there in [
                There::Login,
                There::HalfLogin,
                There::TypedAhead,
                There::Shell,
                There::Quote,
            ] {
                scope.spawn(move || round(there, shell, Weather::default()));
            }
        }
    });
}

#[test]
fn in_any_weather() {
    thread::scope(|scope| {
        for (seed, shell) in (1..=6).zip(shells().into_iter().cycle()) {
            let weather = Weather {
                seed,
                noise: seed % 3 != 0,
                delays: seed % 3 != 1,
                ..Weather::default()
            };
            scope.spawn(move || round(There::Login, shell, weather));
        }
    });
}

/// As after a kill between the change of the script and the restart.
#[test]
fn an_engine_that_has_more_than_the_script_says_is_not_up_to_date() {
    let vm = FakeVm::start(There::Login, &["sh"], Weather::default());
    let stock = fs::read(vm.script()).unwrap();
    go(&vm, Some(&block("one.corp"))).unwrap();
    let fewer = block_for("one.corp", false);
    fs::write(vm.script(), with_block(&stock, &fewer)).unwrap();
    assert!(go(&vm, Some(&fewer)).unwrap().restarted);
    let has_https = |vm: &FakeVm| {
        let variables = vm.environment();
        variables.iter().any(|v| v.starts_with("HTTPS_PROXY="))
    };
    assert!(!has_https(&vm), "{:?}", vm.environment());
    assert!(!go(&vm, Some(&fewer)).unwrap().restarted);
    fs::write(vm.script(), &stock).unwrap();
    assert!(go(&vm, None).unwrap().restarted);
}

#[test]
fn what_is_lost_on_the_way_is_noticed() {
    let stock_of = |vm: &FakeVm| fs::read(vm.script()).unwrap();
    let calm = FakeVm::start(There::Login, &["sh"], Weather::default());
    go(&calm, Some(&block("one.corp"))).unwrap();
    let sent = calm.sent();
    // The parts of the script, of which the first ones contain the password.
    let part = sent
        .windows(3)
        .position(|window| window == b"\np ")
        .unwrap();
    let in_a_part = (part..part + 132).step_by(6);
    let elsewhere = (200..sent.len()).step_by(part / 4);
    thread::scope(|scope| {
        for (shell, lost_at) in shells().into_iter().cycle().zip(in_a_part.chain(elsewhere)) {
            scope.spawn(move || {
                let weather = Weather {
                    lost_at: Some(lost_at),
                    ..Weather::default()
                };
                let vm = FakeVm::start(There::Login, shell, weather);
                let stock = stock_of(&vm);
                let one = block("one.corp");
                let result = go(&vm, Some(&one));
                assert_script_is_one_of(&vm, &stock, &[None, Some(&one)]);
                assert_no_password(&vm);
                // After any loss, the next dialogue works.
                if result.is_err() {
                    go(&vm, Some(&one)).unwrap();
                }
                assert_script_is_one_of(&vm, &stock, &[Some(&one)]);
            });
        }
    });
}

#[test]
fn a_vm_that_ends_in_the_middle_is_reported() {
    thread::scope(|scope| {
        let start = |ends_at| {
            scope.spawn(move || {
                let weather = Weather {
                    ends_at: Some(ends_at),
                    ..Weather::default()
                };
                let vm = FakeVm::start(There::Login, &["sh"], weather);
                let stock = fs::read(vm.script()).unwrap();
                let one = block("one.corp");
                let error = go(&vm, Some(&one)).unwrap_err();
                assert_eq!(error.kind(), Kind::Failure);
                assert_script_is_one_of(&vm, &stock, &[None, Some(&one)]);
                error.to_string()
            })
        };
        let all = [1, 3, 100, 900, 1600, 2400].map(|ends_at| (ends_at, start(ends_at)));
        let mut told = Transcript::default();
        for (ends_at, thread) in all {
            told.text(&format!("after {ends_at}"), thread.join().unwrap());
        }
        insta::assert_snapshot!(told);
    });
}

#[test]
fn an_interrupted_command_gives_the_terminal_back_and_logs_out() {
    thread::scope(|scope| {
        for milliseconds in [10, 700, 1500, 2500] {
            scope.spawn(move || {
                let vm = FakeVm::start(There::Login, &["sh"], Weather::default());
                let stock = fs::read(vm.script()).unwrap();
                let modes = format!("{:?}", vm.modes());
                let one = block("one.corp");
                let cancel = AtomicBool::new(false);
                let result = thread::scope(|scope| {
                    scope.spawn(|| {
                        thread::sleep(Duration::from_millis(milliseconds));
                        cancel.store(true, Ordering::Relaxed);
                    });
                    follow(&vm, Some(&one), &cancel)
                });
                if let Err(error) = result {
                    assert!(error.to_string().contains("stopped"), "{error}");
                }
                assert_eq!(format!("{:?}", vm.modes()), modes);
                // The shell was asked to end, and may still be ending.
                let started = Instant::now();
                while !vm.printed().ends_with(b"login: ") {
                    assert!(
                        started.elapsed() < LONGEST_LOGOUT,
                        "no one logged out after {milliseconds} ms: {:?}",
                        String::from_utf8_lossy(&vm.printed())
                    );
                    thread::sleep(Duration::from_millis(20));
                }
                assert_script_is_one_of(&vm, &stock, &[None, Some(&one)]);
                go(&vm, Some(&one)).unwrap();
                assert_script_is_one_of(&vm, &stock, &[Some(&one)]);
            });
        }
    });
}

#[test]
fn a_console_that_is_open_elsewhere_is_left_alone() {
    let vm = FakeVm::start(There::Login, &["sh"], Weather::default());
    let mut screen = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::from(File::open(vm.console()).unwrap()))
        .spawn()
        .unwrap();
    let error = go(&vm, None).unwrap_err();
    screen.kill().unwrap();
    screen.wait().unwrap();
    assert_eq!(error.kind(), Kind::Busy);
    let who = format!("in use by sleep (process {})", screen.id());
    assert!(error.to_string().contains(&who), "{error}");
    assert_eq!(vm.sent(), b"");
    go(&vm, None).unwrap();
}

#[test]
fn the_hypervisor_may_have_both_ends_open_and_leave_the_name_of_the_device() {
    let vm = FakeVm::start(There::Login, &["sh"], Weather::default());
    let device = fs::canonicalize(vm.console()).unwrap();
    fs::remove_file(vm.console()).unwrap();
    fs::write(vm.console(), device.to_str().unwrap()).unwrap();
    let hyperkit = vm.dir.path().join("com.docker.hyperkit");
    std::os::unix::fs::symlink(tools::which("sleep"), &hyperkit).unwrap();
    let mut hyperkit = Command::new(hyperkit)
        .arg("60")
        .stdin(Stdio::from(File::open(device).unwrap()))
        .spawn()
        .unwrap();
    let result = go(&vm, Some(&block("one.corp")));
    hyperkit.kill().unwrap();
    hyperkit.wait().unwrap();
    assert!(result.unwrap().restarted);
}

#[test]
fn a_login_that_asks_root_for_a_password_is_refused() {
    let vm = FakeVm::start(There::Password, &["sh"], Weather::default());
    let error = go(&vm, None).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    insta::assert_snapshot!(redacted(&error.to_string()));
}

#[test]
fn silence_and_what_never_falls_silent_are_not_listened_to_for_ever() {
    thread::scope(|scope| {
        let start = |there| {
            scope.spawn(move || {
                let vm = FakeVm::start(there, &["sh"], Weather::default());
                let modes = format!("{:?}", vm.modes());
                let started = Instant::now();
                let error = go(&vm, None).unwrap_err();
                assert!(started.elapsed() < Duration::from_secs(60));
                assert_eq!(format!("{:?}", vm.modes()), modes);
                error.to_string()
            })
        };
        let (silence, flood) = (start(There::Silence), start(There::Flood));
        let mut told = Transcript::default();
        told.text("silence", silence.join().unwrap());
        told.text("flood", flood.join().unwrap());
        insta::assert_snapshot!(told);
    });
}

#[test]
fn what_is_no_console_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tty");
    let cancel = AtomicBool::new(false);
    let open = || Console::open(&path, &cancel).unwrap_err().to_string();
    let mut told = Transcript::default();
    told.text("nothing", open());
    for no_terminal in ["/dev/null", "/etc/passwd", "/"] {
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(no_terminal, &path).unwrap();
        told.text(no_terminal, open());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_script_that_someone_else_wrote_is_left_alone() {
    let mut told = Transcript::default();
    for line in [
        "export http_proxy=http://p:1\n",
        "export http_proxy=http://me:s3cr3t@p:1\n",
        "echo http://me:s3cr3t@p:1\n",
        "# >>> baleen >>>\n",
    ] {
        let vm = FakeVm::start(There::Login, &["sh"], Weather::default());
        let mut script = fs::read(vm.script()).unwrap();
        script.extend_from_slice(line.as_bytes());
        fs::write(vm.script(), &script).unwrap();
        let error = go(&vm, Some(&block("one.corp"))).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported, "{error}");
        told.text(line.trim_end(), &error);
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
        assert_eq!(fs::read(vm.script()).unwrap(), script);
        assert!(!String::from_utf8_lossy(&vm.printed()).contains("s3cr3t"));
        assert_eq!(vm.engine(), None, "the Engine was restarted");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn an_engine_that_does_not_start_is_reported_with_what_its_script_said() {
    let vm = FakeVm::start(There::Login, &["sh"], Weather::default());
    let script = fs::read_to_string(vm.script()).unwrap();
    let said = "no such device";
    let broken = script.replace("\techo starting\n", &format!("\techo {said}\n\treturn 1\n"));
    fs::write(vm.script(), broken).unwrap();
    let error = go(&vm, Some(&block("one.corp"))).unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
}
