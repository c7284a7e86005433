//! `baleen credentials` with a real keyring, and the search for a password everywhere it must not be.
//!
//! Not on macOS, where the only Keychain is the user's own, and there is no `/proc`.

#![cfg(not(target_os = "macos"))]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use baleen::credentials::{Account, SERVICE, Store};
use serde_json::json;

use crate::common::app::{App, Run, mode, percent_decoded};
use crate::common::redact::{Transcript, redacted};
use crate::common::session::{Session, has_keyring};
use crate::common::tools;

const ACCOUNT: &str = "me@proxy.corp:8080";
const URL: &str = "http://me@proxy.corp:8080";
/// A password with all characters that shells, URLs and terminals trip over; it contains the needle.
const PASSWORD: &str = "Xq7needleK9'$`% @#\"\\ü";
const NEEDLE: &str = "Xq7needleK9";

fn session(app: &App) -> Session {
    let folder = app.dir.path().join("session");
    Session::new(&folder, &app.dir.path().join("home"))
}

/// The program in a session.
fn command(app: &App, session: &Session, arguments: &[&str]) -> Command {
    let mut command = app.command(arguments);
    session.environment(&mut command);
    command
}

/// Runs `command` with `input` on its standard input.
fn run_with(command: &mut Command, input: &str) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap().into()
}

/// Runs the program with [`URL`] as its proxy.
fn run_behind_the_proxy(app: &App, session: &Session, arguments: &[&str], input: &str) -> Run {
    run_with(
        command(app, session, arguments).env("HTTPS_PROXY", URL),
        input,
    )
}

#[track_caller]
fn ok(run: &Run) -> &str {
    assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    &run.out
}

#[test]
fn a_password_is_kept_in_a_real_keyring() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let with =
        |arguments: &[&str], input: &str| run_behind_the_proxy(&app, &session, arguments, input);
    let status = || with(&["credentials", "status", "--json"], "").object()["proxies"].clone();
    let object = |stored| json!([{ "account": ACCOUNT, "stored": stored, "in_url": false }]);

    assert_eq!(status(), object(false));
    let run = with(&["credentials", "delete", "--json"], "");
    assert_eq!((run.code, &run.object()["deleted"]), (0, &json!(false)));

    // With and without a line break at the end, named and not, and each replaces the one before.
    for (arguments, input, expected) in [
        (&["credentials", "set"][..], "first\n", "first"),
        (
            &["credentials", "set", "me@PROXY.corp:8080"],
            "second",
            "second",
        ),
        (&["credentials", "set"], PASSWORD, PASSWORD),
    ] {
        let run = with(arguments, input);
        assert!(ok(&run).contains(ACCOUNT), "{run}");
        let kept = session.lookup(SERVICE, ACCOUNT).unwrap();
        assert_eq!(String::from_utf8(kept).unwrap(), expected);
    }
    assert_eq!(status(), object(true));
    let mut told = Transcript::default();
    told.text("status", ok(&with(&["credentials", "status"], "")));
    let run = with(&["credentials", "set", "me@proxy.corp", "--json"], "other");
    assert_eq!(run.object()["account"], "me@proxy.corp:80", "{run}");
    told.text("for a proxy that isn't used", &run.object()["notes"]);
    insta::assert_snapshot!(told);

    let run = with(&["credentials", "delete", "--json"], "");
    assert_eq!(run.object()["deleted"], true, "{run}");
    assert_eq!(session.lookup(SERVICE, ACCOUNT), None);
    assert!(session.lookup(SERVICE, "me@proxy.corp:80").is_some());
    assert_eq!(status(), object(false));
}

/// The variable is a list, of which GLib takes the first address that answers; the program does the same.
#[test]
fn the_keyring_is_found_behind_any_address_of_the_list() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let (good, bad) = (session.address(), "unix:path=/nonexistent/bus");
    // The place where systemd puts it, which is the default if the variable is not set.
    let socket = good.trim_start_matches("unix:path=").split(',').next();
    let by_default = app.dir.path().join("session/bus");
    std::os::unix::fs::symlink(socket.unwrap(), by_default).unwrap();
    for list in [
        String::new(),
        format!("{bad};{good}"),
        format!("{good};{bad}"),
        format!("{bad};;autolaunch:;{good};"),
    ] {
        let with = |arguments: &[&str]| {
            let mut command = command(&app, &session, arguments);
            command.env("DBUS_SESSION_BUS_ADDRESS", &list);
            run_with(command.env("HTTPS_PROXY", URL), &format!("by {list}"))
        };
        ok(&with(&["credentials", "set"]));
        let kept = session.lookup(SERVICE, ACCOUNT).unwrap();
        assert_eq!(String::from_utf8(kept).unwrap(), format!("by {list}"));
        ok(&with(&["credentials", "delete"]));
    }
}

/// A bus that accepts connections and never answers.
#[test]
fn a_silent_bus_is_not_waited_for() {
    let app = App::new();
    let socket = app.dir.path().join("silent");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = app.command(arguments);
        command
            .env(
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={}", socket.display()),
            )
            .env("HTTPS_PROXY", URL);
        run_with(&mut command, "x")
    };
    let mut told = Transcript::default();
    for arguments in [
        &["apply", "--source", "environment"][..],
        &["credentials", "delete"],
    ] {
        let run = run(arguments);
        assert_ne!(run.code, 0, "{run}");
        told.run(arguments, &run);
    }
    insta::assert_snapshot!(told);
}

/// From the keyring into the image, and the answer of `status` if the password changes.
#[test]
fn apply_puts_the_stored_password_into_the_image() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let with =
        |arguments: &[&str], input: &str| run_behind_the_proxy(&app, &session, arguments, input);
    let mut told = Transcript::default();
    told.text("no password", ok(&with(&["apply"], "")));
    assert!(app.script_text().contains("://me@proxy.corp:8080"));
    assert_ne!(mode(&app.image()), 0o600);

    ok(&with(&["credentials", "set"], "a'b %#@c"));
    let run = with(&["status"], "");
    assert_eq!(run.code, 3, "{run}");
    told.run(&["status"], &run);
    told.text("a password", ok(&with(&["apply"], "")));
    assert!(
        app.script_text()
            .contains("://me:a%27b%20%25%23%40c@proxy.corp:8080")
    );
    assert_eq!(mode(&app.image()), 0o600);
    assert_eq!(with(&["status"], "").code, 0);

    ok(&with(&["credentials", "set"], "changed"));
    let run = with(&["status"], "");
    assert_eq!(run.code, 3, "{run}");
    told.run(&["status"], &run);
    // The password is unknown now, which is not the same as missing.
    session.lock_keyring();
    let patched = app.bytes();
    let run = with(&["status"], "");
    assert_eq!(run.code, 0, "{run}");
    told.run(&["status"], &run);
    insta::assert_snapshot!(told);
    let run = with(&["apply"], "");
    assert_eq!(run.code, 5, "{run}");
    assert_eq!(app.bytes(), patched);
}

/// The other direction: GNOME's tool stores, Baleen reads. The library reads its process's own environment, so the test
/// calls it in a separate process.
#[test]
fn a_password_in_a_real_keyring_is_read() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let label = [
        "store",
        "--label=x",
        "service",
        SERVICE,
        "username",
        ACCOUNT,
    ];
    let run = run_with(session.command("secret-tool").args(label), PASSWORD);
    ok(&run);
    run_in(&session, "reads_in_the_session_of_its_caller");
}

#[test]
#[ignore = "a_password_in_a_real_keyring_is_read runs it"]
fn reads_in_the_session_of_its_caller() {
    let store = Store::open().unwrap();
    let read = |account| store.password(&Account::parse(account).unwrap()).unwrap();
    assert_eq!(read(ACCOUNT).unwrap().expose(), PASSWORD.as_bytes());
    assert!(read("you@proxy.corp:8080").is_none());
}

/// Runs the ignored test `name` of this file in `session`.
#[track_caller]
fn run_in(session: &Session, name: &str) {
    let mut inner = session.command(std::env::current_exe().unwrap().to_str().unwrap());
    let name = tools::test_name(module_path!(), name);
    inner.args(["--exact", &name, "--ignored"]);
    let run = run_with(&mut inner, "");
    assert!(run.code == 0 && run.out.contains("1 passed"), "{run}");
}

/// The crate `keyring`, which other programs use, finds a password where Baleen stored it, and the other way round.
#[test]
fn the_keyring_crate_reads_what_is_stored_and_what_it_stores_is_read() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    ok(&run_with(
        &mut command(&app, &session, &["credentials", "set", ACCOUNT]),
        PASSWORD,
    ));
    run_in(&session, "the_keyring_crate_in_the_session_of_its_caller");
    let kept = session.lookup(SERVICE, ACCOUNT).unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), NEEDLE);
}

#[test]
#[ignore = "the_keyring_crate_reads_what_is_stored_and_what_it_stores_is_read runs it"]
fn the_keyring_crate_in_the_session_of_its_caller() {
    let entry = keyring::Entry::new(SERVICE, ACCOUNT).unwrap();
    assert_eq!(entry.get_password().unwrap(), PASSWORD);
    entry.set_password(NEEDLE).unwrap();
    let account = Account::parse(ACCOUNT).unwrap();
    let read = Store::open().unwrap().password(&account).unwrap();
    assert_eq!(read.unwrap().expose(), NEEDLE.as_bytes());
}

#[test]
fn a_locked_keyring_is_reported_as_such_and_keeps_what_it_has() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    ok(&run_with(
        &mut command(&app, &session, &["credentials", "set", ACCOUNT]),
        "kept",
    ));
    session.lock_keyring();
    let mut told = Transcript::default();
    for arguments in [
        &["credentials", "status"][..],
        &["credentials", "set"],
        &["credentials", "set", "you@other.corp"],
        &["credentials", "delete"],
    ] {
        let mut command = command(&app, &session, arguments);
        let run = run_with(command.env("HTTPS_PROXY", URL), "other");
        run.is_refusal(5, &[]);
        told.run(arguments, &run);
    }
    insta::assert_snapshot!(told);
    session.start_keyring();
    assert_eq!(session.lookup(SERVICE, ACCOUNT).unwrap(), b"kept");
}

#[test]
fn no_keyring_is_reported_as_such() {
    let app = App::new();
    let mut told = Transcript::default();
    for arguments in [
        &["credentials", "status"][..],
        &["credentials", "set"],
        &["credentials", "delete"],
    ] {
        let run = run_with(app.command(arguments).env("HTTPS_PROXY", URL), "x");
        run.is_refusal(4, &["DBUS_SESSION_BUS_ADDRESS"]);
        told.run(arguments, &run);
    }
    let mut command = app.command(&["credentials", "status"]);
    command
        .env("HTTPS_PROXY", URL)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    let run = Run::of(&mut command);
    run.is_refusal(4, &[]);
    told.text("no bus", &run.err);
    insta::assert_snapshot!(told);
    if tools::has_tool("dbus-daemon") {
        let session = session(&app);
        let mut command = self::command(&app, &session, &["credentials", "set", ACCOUNT]);
        run_with(&mut command, "x").is_refusal(4, &["org.freedesktop.secrets"]);
    }
}

#[test]
fn what_is_meant_has_to_be_clear() {
    let app = App::new();
    let two = [
        ("HTTP_PROXY", "http://a@proxy:1"),
        ("HTTPS_PROXY", "http://b@proxy:1"),
    ];
    let mut told = Transcript::default();
    for (variables, arguments, code) in [
        (&[][..], &["credentials", "set"][..], 2),
        (
            &[("HTTPS_PROXY", "http://proxy:1")],
            &["credentials", "delete"],
            2,
        ),
        (&two, &["credentials", "set"], 2),
        (&[], &["credentials", "set", "proxy.corp"], 2),
        (&[], &["credentials", "set", "me:s3cret@proxy.corp"], 2),
        (&[], &["credentials", "set", ACCOUNT, "--from-system"], 4),
    ] {
        let before = app.snapshot();
        let mut command = app.command(arguments);
        let run = run_with(command.envs(variables.iter().copied()), "x");
        run.is_refusal(code, &[]);
        told.text(&arguments[..2].join(" "), &run.err);
        assert!(!run.err.contains("s3cret"), "{run}");
        before.is_still(&app.snapshot());
    }
    // No proxy needs a password, so no keyring is needed.
    told.ok(&app, &["credentials", "status"]);
    insta::assert_snapshot!(told);
    let (code, object) = app.json(&["credentials", "status"]);
    assert_eq!((code, &object["proxies"]), (0, &json!([])));
}

#[test]
fn what_is_no_password_is_refused() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let mut told = String::new();
    for input in [
        "",
        "\n",
        "Xq7needleK9\nx",
        "Xq7needleK9\0",
        &"Xq7needleK9".repeat(100),
    ] {
        let run = run_with(
            &mut command(&app, &session, &["credentials", "set", ACCOUNT]),
            input,
        );
        run.is_refusal(2, &[]);
        told += &run.err;
        assert!(!run.err.contains(NEEDLE), "{run}");
    }
    assert_eq!(session.lookup(SERVICE, ACCOUNT), None);
    insta::assert_snapshot!(redacted(&told));
}

/// `script` gives the program a terminal, and passes on all that the terminal shows.
#[test]
fn a_terminal_does_not_show_the_password() {
    if !has_keyring() || !tools::has_tool("script") {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let program = format!(
        "{} credentials set {ACCOUNT}; stty -a",
        env!("CARGO_BIN_EXE_baleen")
    );
    let mut script = Command::new("script");
    script.args(["-qec", &program, "/dev/null"]);
    app.environment(&mut script);
    session.environment(&mut script);
    let mut child = script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let question = format!("{ACCOUNT}: ");
    while !shown.ends_with(question.as_bytes()) {
        let mut byte = [0];
        assert_ne!(
            stdout.read(&mut byte).unwrap(),
            0,
            "{}",
            String::from_utf8_lossy(&shown)
        );
        shown.push(byte[0]);
    }
    stdin.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    assert!(!shown.contains(NEEDLE), "{shown}");
    // The terminal is as it was: it shows what is typed.
    assert!(
        shown.contains(" echo ") && shown.contains("-echonl"),
        "{shown}"
    );
    assert_eq!(
        session.lookup(SERVICE, ACCOUNT).unwrap(),
        PASSWORD.as_bytes()
    );
}

/// A password in the forms it could take: as it is, in UTF-16, in hexadecimal digits, and in base64 at each of the
/// three possible offsets. Percent-encoding, JSON and a shell's quotes leave the needle's letters alone.
struct Needles(Vec<Vec<u8>>);

impl Needles {
    fn new(needle: &str) -> Self {
        let bytes = needle.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let wide = bytes.iter().flat_map(|&byte| [byte, 0]).collect();
        let mut forms = vec![bytes.to_vec(), hex.to_uppercase().into(), hex.into(), wide];
        forms.extend((0..3).map(|skipped| base64(&bytes[skipped..])));
        Self(forms)
    }

    #[track_caller]
    fn are_not_in(&self, bytes: &[u8], place: &str) {
        for form in &self.0 {
            let found = bytes.windows(form.len()).any(|window| window == form);
            assert!(
                !found,
                "the password is in {place}, as {}",
                String::from_utf8_lossy(form)
            );
        }
    }

    /// Fails if a file name or a file's content below `folder` has the password, except the file `image`.
    #[track_caller]
    fn are_not_below(&self, folder: &Path, image: &Path) {
        let Ok(entries) = fs::read_dir(folder) else {
            return; // it went in the meantime
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            self.are_not_in(path.as_os_str().as_encoded_bytes(), "a file's name");
            match path.symlink_metadata() {
                Ok(facts) if facts.is_dir() => self.are_not_below(&path, image),
                Ok(facts) if facts.is_file() && path != image => {
                    if let Ok(bytes) = fs::read(&path) {
                        self.are_not_in(&bytes, &path.display().to_string());
                    }
                }
                _ => {}
            }
        }
    }

    /// Fails if the arguments of any process have the password, or the environment of `child` or its children, unless
    /// the test put it there.
    #[track_caller]
    fn are_not_in_processes(&self, child: u32, in_environment: bool) {
        let mut family = BTreeSet::from([child]);
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let folder = process.path();
            // Processes come in the order of their numbers, parents nearly always before their children.
            let Some(number) = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let read = |name| fs::read(folder.join(name)).unwrap_or_default();
            let stat = String::from_utf8_lossy(&read("stat")).into_owned();
            let parent = stat
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            if parent.is_some_and(|parent| family.contains(&parent)) {
                family.insert(number);
            }
            self.are_not_in(
                &read("cmdline"),
                &format!("the arguments of process {number}"),
            );
            if !in_environment && family.contains(&number) {
                self.are_not_in(
                    &read("environ"),
                    &format!("the environment of process {number}"),
                );
            }
        }
    }
}

/// Encodes as many bytes as make whole groups of three.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes
        .chunks_exact(3)
        .map(|group| u32::from_be_bytes([0, group[0], group[1], group[2]]));
    groups
        .flat_map(|bits| [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift) as usize & 63]))
        .collect()
}

/// Runs `command`, whose password comes in two pieces on standard input or is in its environment, and searches
/// processes and the files below `app` while it runs.
fn searched(app: &App, command: &mut Command, input: [&str; 2], in_environment: bool) -> Run {
    let needles = Needles::new(NEEDLE);
    let look = |child| {
        needles.are_not_in_processes(child, in_environment);
        needles.are_not_below(app.dir.path(), &app.image());
    };
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let number = child.id();
    let mut stdin = child.stdin.take().unwrap();
    for piece in input {
        // A program that wants no input may have ended.
        let _ = stdin.write_all(piece.as_bytes());
        look(number);
    }
    drop(stdin);
    let run: Run = thread::scope(|scope| {
        let waiting = scope.spawn(|| child.wait_with_output().unwrap());
        while !waiting.is_finished() {
            look(number);
        }
        waiting.join().unwrap()
    })
    .into();
    look(number);
    needles.are_not_in(run.out.as_bytes(), &format!("standard output of {shown}"));
    needles.are_not_in(run.err.as_bytes(), &format!("standard error of {shown}"));
    run
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let needles = Needles::new(NEEDLE);
    let encoded = |lead: &str| base64(format!("{lead}{NEEDLE}ab").as_bytes());
    let wide: Vec<u8> = NEEDLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for planted in [
        PASSWORD.as_bytes().to_vec(),
        wide,
        b"58713765656e".to_vec(),
        b"5871376e6565646c654b39".to_vec(),
        b"5871376E6565646C654B39".to_vec(),
        encoded(""),
        encoded("m"),
        encoded("me"),
    ] {
        let decoy = planted == b"58713765656e";
        let text = [b"before ", &planted[..], b" after"].concat();
        let found = std::panic::catch_unwind(|| needles.are_not_in(&text, "here")).is_err();
        assert_eq!(found, !decoy, "{}", String::from_utf8_lossy(&planted));
    }
}

/// Of all commands that can learn a password, only `apply` puts it anywhere, and only into the image.
#[test]
fn a_password_from_the_environment_is_in_the_image_alone() {
    let app = App::new();
    let tmp = app.dir.path().join("tmp");
    fs::create_dir(&tmp).unwrap();
    let url = format!("http://me:{PASSWORD}@proxy.corp:8080");
    let image = app.image();
    let image = image.to_str().unwrap();
    for arguments in [
        &["status"][..],
        &["apply", "--dry-run"],
        &["apply", "--dry-run", "--method", "rebuild"],
        &["apply"],
        &["apply"],
        &["apply", "--method", "rebuild"],
        &["status", "--verify"],
        &["inspect", image],
        &["credentials", "status"],
        &["credentials", "set"],
        &["restore"],
        &["demo"],
        &["--help"],
    ] {
        for json in [&[][..], &["--json"]] {
            let mut command = app.command(&[arguments, json].concat());
            command
                .env("TMPDIR", &tmp)
                .env("HTTPS_PROXY", &url)
                .env("http_proxy", &url);
            searched(&app, &mut command, ["", ""], true);
        }
        if arguments == ["apply"] {
            // The image has the password, so it was there to be found during the search.
            let script = app.script_text();
            let value = script.split("HTTPS_PROXY='http://me:").nth(1).unwrap();
            let value = value.split('@').next().unwrap();
            assert_eq!(percent_decoded(value), PASSWORD.as_bytes());
        }
    }
    Needles::new(NEEDLE).are_not_below(app.dir.path(), Path::new(""));
}

#[test]
fn a_password_from_standard_input_is_in_the_keyring_alone() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let pieces = PASSWORD.split_at(NEEDLE.len());
    for (arguments, input) in [
        (&["credentials", "set"][..], [pieces.0, pieces.1]),
        (&["credentials", "set", "--json"], [pieces.0, pieces.1]),
        (&["credentials", "status"], ["", ""]),
        (&["credentials", "status", "--json"], ["", ""]),
        (&["status", "--json"], ["", ""]),
    ] {
        let mut command = command(&app, &session, arguments);
        let run = searched(&app, command.env("HTTPS_PROXY", URL), input, false);
        assert_eq!(run.err, "", "{run}");
        assert_eq!(
            session.lookup(SERVICE, ACCOUNT).unwrap(),
            PASSWORD.as_bytes()
        );
    }
}

/// What the program writes to files, pipes and sockets, and what it starts, as the kernel sees it: this misses nothing
/// that comes and goes between two searches. The trace shows the password being read, so it would also show it being
/// written.
#[test]
fn no_system_call_takes_a_password_out() {
    if !has_keyring() || !tools::has_tool("strace") {
        return;
    }
    let app = App::new();
    let mut session = session(&app);
    session.start_keyring();
    let needles = Needles::new(NEEDLE);
    let calls = "read,readv,pread64,write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg,execve,openat,mkdir,rename,\
                 symlink,setxattr,fsetxattr";
    // The number of calls that read the password; any other call with it is a failure.
    let reads = |arguments: &[&str], url: &str, input: &str| {
        let log = app.dir.path().join("trace");
        let mut command = session.command("strace");
        command.args([
            "-f",
            "-qq",
            "-s",
            "1000000",
            "-e",
            &format!("trace={calls}"),
        ]);
        command
            .arg("-o")
            .arg(&log)
            .arg(env!("CARGO_BIN_EXE_baleen"))
            .args(arguments);
        command
            .env("HTTPS_PROXY", url)
            .env("BALEEN_STATE_DIR", app.dir.path().join("state"))
            .env("BALEEN_DOCKER_APP", app.app());
        ok(&run_with(&mut command, input));
        let text = fs::read_to_string(&log).unwrap();
        fs::remove_file(log).unwrap();
        // Each line has the thread ID before the call.
        let is_read = |line: &&str| line.split(' ').any(|word| word.starts_with("read("));
        let (reads, others): (Vec<&str>, Vec<&str>) = text.lines().partition(is_read);
        assert!(others.iter().any(|line| line.contains("write(")), "{text}");
        for line in others {
            needles.are_not_in(line.as_bytes(), line);
        }
        reads.iter().filter(|line| line.contains(NEEDLE)).count()
    };
    assert_eq!(reads(&["credentials", "set"], URL, PASSWORD), 1);
    assert_eq!(
        session.lookup(SERVICE, ACCOUNT).unwrap(),
        PASSWORD.as_bytes()
    );
    let url = format!("http://me:{PASSWORD}@proxy.corp:8080");
    for arguments in [
        &["apply"][..],
        &["apply", "--method", "rebuild"],
        &["restore"],
    ] {
        assert_eq!(reads(arguments, &url, ""), 0, "{arguments:?}");
    }
}
