//! On any bad input, the program says so in one sentence, returns the right code, never hangs, and leaves every file as
//! it was.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::app::{App, Entry, OTHER_PROXY, PROXY, Run, image_with, member, set_mode};
use crate::common::redact::{Transcript, redacted};
use crate::common::tampering::Forgery;
use crate::common::tools;
use baleen::backend::PlanOptions;
use baleen::backend::docker_desktop::Bundle;
use baleen::backend::docker_desktop::initrd::plan::{self, Desired, Plan};
use baleen::backend::docker_desktop::initrd::{Lock, PatchError, apply, restore};
use baleen::proxy::{EngineProxy, NoProxy, ProxyUrl};

const APPLY: &[&str] = &["apply", "--http-proxy", PROXY];
const REBUILD: &[&str] = &["apply", "--http-proxy", PROXY, "--method", "rebuild"];
const SCRIPT: &str = "#!/sbin/openrc-run\n\ndepend()\n{\n\tneed net\n}\n\nstart()\n{\n\tstart-stop-daemon --start --exec /usr/bin/dockerd\n}\n";

/// Both methods and a dry run refuse the image alike, and say the same.
#[track_caller]
fn not_applied(told: &mut Transcript, app: &App, code: i32) {
    let run = app.refused(APPLY, code, &[]);
    for arguments in [REBUILD, &[APPLY, &["--dry-run"]].concat()] {
        assert_eq!(app.refused(arguments, code, &[]).err, run.err);
    }
    told.run(APPLY, &run);
}

/// Fails the test if the program hangs, instead of waiting for it.
#[track_caller]
fn in_time(command: &mut Command) -> Run {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("still waiting");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap().into()
}

fn is_root() -> bool {
    // The test's own process made this folder, so the folder belongs to the user who runs the test.
    tempfile::tempdir()
        .unwrap()
        .path()
        .metadata()
        .unwrap()
        .uid()
        == 0
}

#[test]
fn a_missing_image() {
    let mut told = Transcript::default();
    let app = App::new();
    fs::remove_file(app.image()).unwrap();
    not_applied(&mut told, &app, 4);
    told.refused(&app, &["restore"], 4);
    // An update copies one file after another.
    assert_eq!(app.state(&[]), ("updating".into(), 4));
    let path = app.image();
    told.refused(&app, &["inspect", path.to_str().unwrap()], 1);
    insta::assert_snapshot!(told);
}

#[test]
fn an_empty_image() {
    let mut told = Transcript::default();
    let app = App::new();
    app.replace_image(b"");
    not_applied(&mut told, &app, 4);
    told.refused(&app, &["restore"], 4);
    assert_eq!(app.state(&[]), ("updating".into(), 4));
    let path = app.image();
    told.refused(&app, &["inspect", path.to_str().unwrap()], 4);
    insta::assert_snapshot!(told);
}

#[test]
fn a_truncated_image() {
    let app = App::new();
    let whole = app.bytes();
    let mut told = Vec::new();
    // The first member ends somewhere in between; with a cut at that place, the image lacks only its second member.
    for length in [
        1,
        2,
        9,
        10,
        17,
        18,
        100,
        4096,
        whole.len() / 2,
        whole.len() - 400,
        whole.len() - 9,
    ] {
        app.replace_image(&whole[..length]);
        for arguments in [APPLY, REBUILD] {
            let run = app.refused(arguments, 4, &[]);
            told.push(redacted(&run.err));
        }
        assert_eq!(app.state(&["--verify"]), ("updating".into(), 4), "{length}");
        let path = app.image();
        let run = Run::of(&mut app.command(&["inspect", path.to_str().unwrap()]));
        assert_eq!(run.code, 4, "{length}: {run}");
        assert_eq!(run.err.matches("error:").count(), 1, "{length}: {run}");
    }
    told.dedup();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_truncated_patched_image() {
    for method in ["append", "rebuild"] {
        let app = App::new();
        let original = app.bytes();
        app.ok(&[APPLY, &["--method", method]].concat());
        let whole = app.bytes();
        for length in [original.len() + 40, original.len() - 40, 5000] {
            if length >= whole.len() {
                continue;
            }
            app.replace_image(&whole[..length]);
            let run = app.run(&["apply", "--http-proxy", OTHER_PROXY]);
            // With a cut behind the original, the rest of the patch is junk or a cut member.
            assert_eq!(run.code, 4, "{method} {length}: {run}");
            assert_eq!(app.bytes(), &whole[..length]);
            assert_eq!(fs::read(app.backup()).unwrap(), original);
        }
    }
}

#[test]
fn a_bit_flipped_image() {
    let app = App::new();
    let whole = app.bytes();
    for at in [
        0,
        1,
        3,
        300,
        5000,
        whole.len() / 3,
        whole.len() / 2,
        whole.len() - 200,
    ] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        app.replace_image(&flipped);
        let before = app.snapshot();
        for arguments in [APPLY, REBUILD] {
            let run = app.run(arguments);
            run.is_refusal(4, &["initrd.img"]);
        }
        before.is_still(&app.snapshot());
    }
}

#[test]
fn an_image_that_is_something_else() {
    let mut told = Transcript::default();
    let app = App::new();
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 1)
        .collect();
    for bytes in [
        &noise[..],
        b"#!/bin/sh\necho an image\n",
        b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46",
        &[0; 4096],
        &[&b"070707"[..], &[b'0'; 200]].concat(),
    ] {
        app.replace_image(bytes);
        not_applied(&mut told, &app, 4);
        app.refused(&["restore"], 4, &["initrd.img"]);
        assert_eq!(app.state(&["--verify"]).1, 4);
        // The entries before the fault are listed.
        let before = app.snapshot();
        let path = app.image();
        let mut run = app.run(&["inspect", path.to_str().unwrap()]);
        run.out.clear();
        run.is_refusal(4, &["initrd.img"]);
        told.text("inspect", &run.err);
        before.is_still(&app.snapshot());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn something_else_in_the_place_of_the_image() {
    let app = App::new();
    let elsewhere = app.place().join("elsewhere.img");
    fs::rename(app.image(), &elsewhere).unwrap();
    symlink(&elsewhere, app.image()).unwrap();
    let mut told = Transcript::default();
    let mut check = || {
        for arguments in [APPLY, REBUILD, &["restore"]] {
            let before = app.snapshot();
            let run = in_time(&mut app.command(arguments));
            run.is_refusal(4, &["initrd.img"]);
            told.run(arguments, &run);
            before.is_still(&app.snapshot());
        }
        let status = in_time(&mut app.command(&["status", "--verify", "--json"]));
        assert_eq!(
            (status.code, &status.object()["state"]),
            (4, &"unsupported".into())
        );
    };
    check();
    fs::remove_file(app.image()).unwrap();
    symlink("nowhere", app.image()).unwrap();
    check();
    fs::remove_file(app.image()).unwrap();
    fs::create_dir(app.image()).unwrap();
    check();
    fs::remove_dir(app.image()).unwrap();
    if tools::has_tool("mkfifo") {
        let made = Command::new("mkfifo").arg(app.image()).status().unwrap();
        assert!(made.success());
        check();
        let path = app.image();
        in_time(&mut app.command(&["inspect", path.to_str().unwrap()]))
            .is_refusal(4, &["initrd.img"]);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn an_info_plist_that_can_not_be_read() {
    let mut told = Transcript::default();
    let app = App::new();
    let plist = fs::read(app.info_plist()).unwrap();
    for bytes in [
        &b""[..],
        &plist[..100],
        &plist[..plist.len() - 30],
        b"text",
        b"bplist00",
    ] {
        fs::write(app.info_plist(), bytes).unwrap();
        not_applied(&mut told, &app, 4);
        told.refused(&app, &["restore"], 4);
        assert_eq!(app.state(&[]), ("updating".into(), 4));
    }
    fs::remove_file(app.info_plist()).unwrap();
    not_applied(&mut told, &app, 4);
    fs::create_dir(app.info_plist()).unwrap();
    not_applied(&mut told, &app, 4);
    fs::remove_dir(app.info_plist()).unwrap();
    if tools::has_tool("mkfifo") {
        assert!(
            Command::new("mkfifo")
                .arg(app.info_plist())
                .status()
                .unwrap()
                .success()
        );
        let run = in_time(&mut app.command(APPLY));
        run.is_refusal(4, &["Info.plist"]);
        told.run(APPLY, &run);
        fs::remove_file(app.info_plist()).unwrap();
    }
    // Not even an app.
    let folder = app.place();
    told.refused(
        &app,
        &[
            "apply",
            "--http-proxy",
            PROXY,
            "--docker-app",
            folder.to_str().unwrap(),
        ],
        4,
    );
    let file = app.place().join("file.app");
    fs::write(&file, b"").unwrap();
    told.refused(
        &app,
        &[
            "apply",
            "--http-proxy",
            PROXY,
            "--docker-app",
            file.to_str().unwrap(),
        ],
        4,
    );
    insta::assert_snapshot!(told);
}

#[test]
fn another_app() {
    let mut told = Transcript::default();
    let app = App::new();
    let plist = fs::read_to_string(app.info_plist()).unwrap();
    for bundle_id in ["<string>com.example.docker</string>", "<true/>"] {
        fs::write(
            app.info_plist(),
            plist.replace("<string>com.docker.docker</string>", bundle_id),
        )
        .unwrap();
        not_applied(&mut told, &app, 4);
        assert_eq!(app.state(&[]), ("unsupported".into(), 4));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_no_docker_that_baleen_knows_is_refused() {
    let mut told = Transcript::default();
    let app = App::new();
    for files in [
        &["other"][..],
        &["moby/vmlinuz64", "moby/initrd.img", "linuxkit/kernel"],
        &[
            "linuxkit/kernel",
            "linuxkit/initrd.img",
            "linuxkit/boot.img",
        ],
    ] {
        app.install_with("4.84.0", files);
        not_applied(&mut told, &app, 4);
        told.refused(&app, &["restore"], 4);
        let (code, status) = app.json(&["status"]);
        let state = match files {
            // More files may follow.
            ["other"] => "updating",
            _ => "unsupported",
        };
        assert_eq!((code, &status["state"]), (4, &state.into()));
        told.text("status", status["sentence"].as_str().unwrap());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn proxies_that_no_engine_could_use() {
    let mut told = Transcript::default();
    let app = App::new();
    for url in [
        "socks5://p:1",
        "https://p:1",
        "ftp://p",
        "http://p:0",
        "http://p:65536",
        "http://p:http",
        "http://p:",
        "http://",
        "http://:8080",
        "http://a b:1",
        "http://[::1:80",
        "http://p:1/path",
        "http://:secret@p:1",
        "http://p:1\n",
        "http://p\nx:1",
        "http://me:a%0ab@p:1",
        // An argument can't contain a NUL, but an encoded one.
        "http://me:a%00b@p:1",
        "\x1b[31mp:1",
        "",
        "  ",
    ] {
        told.refused(&app, &["apply", "--http-proxy", url], 2);
        app.refused(
            &["apply", "--https-proxy", url, "--dry-run"],
            2,
            &["--https-proxy"],
        );
    }
    for list in ["*", ".corp,*", "a b", "a\nb", "it's"] {
        told.refused(
            &app,
            &["apply", "--http-proxy", PROXY, "--no-proxy", list],
            2,
        );
    }
    let before = app.snapshot();
    let mut variables = |name: &str, run: &Run| {
        run.is_refusal(2, &[name]);
        told.text(&format!("the variable {name}"), &run.err);
    };
    for (name, value) in [
        ("https_proxy", "socks5://p:1"),
        ("HTTP_PROXY", "http://p:0"),
    ] {
        variables(name, &Run::of(app.command(&["apply"]).env(name, value)));
    }
    let everything = Run::of(
        app.command(&["apply"])
            .env("https_proxy", PROXY)
            .env("no_proxy", "*"),
    );
    variables("no_proxy", &everything);
    let bytes = OsStr::from_bytes(b"http://me:p\xe4ss@proxy.corp:80");
    let odd = Run::of(app.command(&["apply"]).env("HTTPS_PROXY", bytes));
    variables("HTTPS_PROXY", &odd);
    app.run(&["status", "--https-proxy", "socks5://p:1"])
        .is_refusal(2, &["--https-proxy"]);
    before.is_still(&app.snapshot());

    // The state needs no password.
    let run = Run::of(app.command(&["apply"]).env("https_proxy", PROXY));
    assert_eq!(run.code, 0, "{run}");
    let status = Run::of(app.command(&["status"]).env("https_proxy", "socks5://p:1"));
    assert_eq!((status.code, &*status.err), (0, ""), "{status}");
    told.run(&["status"], &status);
    insta::assert_snapshot!(told);
}

#[test]
fn an_image_without_a_script_of_its_own() {
    let mut told = Transcript::default();
    let app = App::new();
    let script = Entry::file("etc/init.d/docker", SCRIPT.as_bytes());
    app.replace_image(&member(&[Entry::file("init", b"x")]));
    not_applied(&mut told, &app, 4);
    app.replace_image(&member(&[Entry {
        mode: 0o120_777,
        ..Entry::file("etc/init.d/docker", b"dockerd")
    }]));
    not_applied(&mut told, &app, 4);
    app.replace_image(&member(&[Entry {
        mode: 0o040_755,
        ..Entry::file("etc/init.d/docker", b"")
    }]));
    not_applied(&mut told, &app, 4);
    app.replace_image(&member(&[
        Entry {
            links: 2,
            ..Entry::file("etc/init.d/other", b"")
        },
        Entry { links: 2, ..script },
    ]));
    not_applied(&mut told, &app, 4);
    let long = format!("{SCRIPT}# {}\n", "x".repeat(200_000));
    app.replace_image(&image_with(long.as_bytes()));
    not_applied(&mut told, &app, 4);
    assert_eq!(app.state(&["--verify"]).1, 4);
    insta::assert_snapshot!(told);
}

#[test]
fn a_script_that_is_not_the_one_expected() {
    let mut told = Transcript::default();
    let app = App::new();
    let begin = "# >>> baleen: x >>>\n";
    let end = "# <<< baleen <<<\n";
    for script in [
        SCRIPT.replace("/sbin/openrc-run", "/bin/sh"),
        String::new(),
        "#!/sbin/openrc-run\necho\n".into(),
        format!("#!/sbin/openrc-run\n{begin}command=x\n"),
        format!("#!/sbin/openrc-run\n{end}command=x\n"),
        format!("#!/sbin/openrc-run\n{begin}{end}{begin}{end}command=x\n"),
        format!("#!/sbin/openrc-run\n{begin}{begin}{end}command=x\n"),
    ] {
        app.replace_image(&image_with(script.as_bytes()));
        not_applied(&mut told, &app, 4);
        assert_eq!(
            app.state(&["--verify"]),
            ("unsupported".into(), 4),
            "{script}"
        );
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_script_of_an_unusual_form_is_patched() {
    let mut told = Transcript::default();
    let block = |script: &str| {
        let start = script.find("# >>> baleen").unwrap();
        let end = script.find("# <<< baleen <<<\n").unwrap() + "# <<< baleen <<<\n".len();
        (
            script[start..end].to_owned(),
            script[..start].to_owned() + &script[end..],
        )
    };
    let crlf = SCRIPT.replace('\n', "\r\n");
    let unfinished = SCRIPT.trim_end();
    for script in [&*crlf, unfinished] {
        for arguments in [APPLY, REBUILD] {
            let app = App::with_script(script.as_bytes());
            let original = app.bytes();
            app.ok(arguments);
            let (block, rest) = block(&app.script_text());
            assert_eq!(rest, script);
            assert!(!block.contains('\r'), "{block}");
            assert!(block.contains(
                "export NO_PROXY='localhost,127.0.0.1' no_proxy='localhost,127.0.0.1'\n"
            ));
            app.ok(&["restore"]);
            assert_eq!(app.bytes(), original);
        }
    }
    // A block that an older Baleen wrote, in an image that another tool has packed again since: the previous content is
    // unknown, so the user has to say that the image may be taken as it is.
    let older = SCRIPT.replacen(
        '\n',
        "\n# >>> baleen 0.0 >>>\nexport http_proxy='http://old:1'\n# <<< baleen <<<\n",
        1,
    );
    let app = App::with_script(older.as_bytes());
    not_applied(&mut told, &app, 4);
    told.refused(&app, &["restore"], 4);
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));
    app.ok(&[APPLY, &["--adopt"]].concat());
    let (block, rest) = block(&app.script_text());
    assert_eq!(rest, SCRIPT);
    assert!(!block.contains("old:1") && block.contains(PROXY), "{block}");
    insta::assert_snapshot!(told);
}

/// Every command that reads the image or changes it refuses alike, and touches nothing.
#[track_caller]
fn forgery_is_refused(told: &mut Transcript, app: &App) {
    not_applied(told, app, 4);
    told.refused(app, &[APPLY, &["--adopt"]].concat(), 4);
    told.refused(app, &["restore"], 4);
    let before = app.snapshot();
    for arguments in [&[][..], &["--verify"]] {
        assert_eq!(app.state(arguments), ("unsupported".into(), 4));
    }
    before.is_still(&app.snapshot());
}

#[test]
fn a_manifest_of_a_newer_format() {
    let forgery = Forgery::new();
    let mut told = Transcript::default();
    let length = forgery.original.len();
    for manifest in [
        forgery.with_format("\"format\": 2"),
        forgery.with_format("\"format\": 3, \"readable_from\": 2"),
        forgery.manifest.replace("\"original\"", "\"origin\""),
        "{".into(),
        forgery
            .manifest
            .replace(&format!("\"bytes\": {length}"), "\"bytes\": 7"),
    ] {
        forgery.put(&manifest, &[]);
        forgery_is_refused(&mut told, &forgery.app);
    }
    // Extra files with a newer format are no damage, but extra files with this version's format are.
    let more = &["etc/baleen.d/more"][..];
    forgery.put(&forgery.with_format("\"format\": 2"), more);
    forgery_is_refused(&mut told, &forgery.app);
    forgery.put(&forgery.manifest, more);
    forgery_is_refused(&mut told, &forgery.app);
    insta::assert_snapshot!(told);
}

#[test]
fn a_manifest_of_a_newer_format_that_says_that_it_can_be_read() {
    let forgery = Forgery::new();
    let newer = "\"format\": 2, \"readable_from\": 1, \"since\": \"some time\"";
    let put = || forgery.put(&forgery.with_format(newer), &[]);
    let app = &forgery.app;
    let is_restored = || {
        app.ok(&["restore"]);
        assert!(app.bytes() == forgery.original);
    };
    put();
    assert_eq!(app.state(&["--verify"]), ("current".into(), 0));
    let before = app.snapshot();
    assert_eq!(app.json(APPLY).1["changed"], false);
    before.is_still(&app.snapshot());
    is_restored();

    // Another proxy replaces the present one, on the same original.
    put();
    app.apply(OTHER_PROXY);
    assert_eq!(
        app.state(&["--verify", "--http-proxy", OTHER_PROXY]),
        ("current".into(), 0)
    );
    is_restored();

    // Also without its backup, which the last restore put back in place.
    put();
    assert!(!app.backup().exists());
    is_restored();
}

#[test]
fn an_original_that_changed_under_the_patch() {
    let mut told = Transcript::default();
    let app = App::new();
    app.ok(APPLY);
    fs::remove_file(app.backup()).unwrap();
    let mut image = app.bytes();
    image[4] ^= 1;
    app.replace_image(&image);
    told.refused(&app, &["restore"], 4);
    told.refused(&app, &["apply", "--http-proxy", OTHER_PROXY], 4);
    insta::assert_snapshot!(told);
}

/// FACTS, section 5, case 26, from the inside: everything is read, and then something changes.
#[test]
fn case_26_docker_is_updated_in_the_middle_of_an_apply() {
    type Swap = fn(&App);
    let swaps: &[(&str, Swap)] = &[
        ("Info.plist written", |app| {
            let plist = fs::read(app.info_plist()).unwrap();
            fs::write(app.info_plist(), plist).unwrap();
        }),
        ("Info.plist renamed into place", |app| {
            renamed_copy(&app.info_plist())
        }),
        ("Info.plist gone", |app| {
            fs::remove_file(app.info_plist()).unwrap()
        }),
        ("image renamed into place, same bytes", |app| {
            renamed_copy(&app.image())
        }),
        ("image renamed into place, other bytes", |app| {
            app.replace_image(&image_with(SCRIPT.as_bytes()));
        }),
        ("image written, same length", |app| {
            let mut bytes = app.bytes();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(app.image(), bytes).unwrap();
        }),
        ("image cut", |app| {
            let bytes = app.bytes();
            fs::write(app.image(), &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("image empty", |app| fs::write(app.image(), b"").unwrap()),
        ("image gone", |app| fs::remove_file(app.image()).unwrap()),
        ("image a link", |app| {
            let elsewhere = app.place().join("elsewhere");
            fs::rename(app.image(), &elsewhere).unwrap();
            symlink(elsewhere, app.image()).unwrap();
        }),
        ("the whole app", |app| {
            let new = App::with_script(SCRIPT.replace("net", "logger").as_bytes());
            fs::rename(app.app(), app.place().join("old.app")).unwrap();
            copy_folder(&new.app(), &app.app());
        }),
    ];
    for before in [&[][..], APPLY, REBUILD] {
        for method in ["append", "rebuild"] {
            for (name, swap) in swaps {
                for foreign_backup in [false, true] {
                    if foreign_backup && !before.is_empty() {
                        continue;
                    }
                    let why = format!("{before:?}, then {method}: {name}");
                    let app = App::with_script(SCRIPT.as_bytes());
                    if !before.is_empty() {
                        app.ok(before);
                    }
                    if foreign_backup {
                        fs::write(app.backup(), b"another's").unwrap();
                    }
                    let url = ProxyUrl::parse(OTHER_PROXY).unwrap();
                    let proxy =
                        EngineProxy::new(Some(url.clone()), Some(url), NoProxy::default()).unwrap();
                    let desired = Desired {
                        proxy: &proxy,
                        options: PlanOptions {
                            method: method.parse().ok(),
                            ..PlanOptions::default()
                        },
                    };
                    let bundle = Bundle::read(&app.app()).unwrap();
                    let lock = Lock::acquire(
                        baleen::backend::docker_desktop::initrd::image::image_of(&bundle).unwrap(),
                    )
                    .unwrap();
                    let Plan::Change(change) = plan::plan(&bundle, desired, &|_| {}).unwrap()
                    else {
                        panic!("{why}: nothing to do");
                    };
                    swap(&app);
                    let swapped = app.snapshot();
                    let error = apply::apply(&change, &lock, &|_| {}).unwrap_err();
                    let is_replaced = matches!(error, PatchError::Replaced { .. });
                    assert!(is_replaced, "{why}: {error}");
                    drop(lock);
                    swapped.is_still(&app.snapshot());
                }
            }
        }
        if before.is_empty() {
            continue;
        }
        for (name, swap) in swaps {
            let app = App::with_script(SCRIPT.as_bytes());
            app.ok(before);
            let bundle = Bundle::read(&app.app()).unwrap();
            let lock = Lock::acquire(
                baleen::backend::docker_desktop::initrd::image::image_of(&bundle).unwrap(),
            )
            .unwrap();
            let restore::RestorePlan::Restore(found) = restore::plan(&bundle).unwrap() else {
                panic!("nothing to restore");
            };
            swap(&app);
            let swapped = app.snapshot();
            let error = restore::restore(&found, &lock).unwrap_err();
            let is_replaced = matches!(error, PatchError::Replaced { .. });
            assert!(is_replaced, "{before:?}, restore, {name}: {error}");
            swapped.is_still(&app.snapshot());
        }
    }
}

fn renamed_copy(path: &Path) {
    let new = path.with_extension("new");
    fs::copy(path, &new).unwrap();
    fs::rename(new, path).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Makes `command` run as an unprivileged user if this is root, whom no mode would stop.
fn as_another_user(app: &App, command: &mut Command) {
    if is_root() {
        set_mode(app.dir.path(), 0o755);
        command.uid(65534).gid(65534);
    }
}

/// The copy of a large image can end anywhere, and what was copied by then proves nothing.
#[test]
fn a_copy_that_finds_no_room_is_not_called_a_replaced_image() {
    let app = App::with_script(SCRIPT.as_bytes());
    let mut number = 1_u64;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number as u8
    })
    .take(20 << 20)
    .collect();
    let padding = member(&[Entry::file("padding", &random)]);
    app.replace_image(&[image_with(SCRIPT.as_bytes()), padding].concat());
    let before = app.snapshot();
    let mut command = Command::new("sh");
    // In blocks of 512 or 1024 bytes, by the shell. Without the signal, the write fails.
    command.args(["-c", "trap '' XFSZ; ulimit -f 15000; exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_baleen")).args(APPLY);
    app.environment(&mut command);
    let run = Run::of(&mut command);
    run.is_refusal(1, &["could not write", "File too large"]);
    before.is_still(&app.snapshot());
}

#[test]
fn a_folder_that_may_not_be_written() {
    let app = App::new();
    app.ok(APPLY);
    set_mode(&app.moby(), 0o555);
    let mut told = Transcript::default();
    for arguments in [&["apply", "--http-proxy", OTHER_PROXY][..], &["restore"]] {
        let mut command = app.command(arguments);
        as_another_user(&app, &mut command);
        let before = app.snapshot();
        let run = Run::of(&mut command);
        run.is_refusal(5, &[app.moby().to_str().unwrap()]);
        told.run(arguments, &run);
        before.is_still(&app.snapshot());
    }
    insta::assert_snapshot!(told);
    // The readable parts still give an answer.
    let mut command = app.command(&["status", "--verify", "--json"]);
    as_another_user(&app, &mut command);
    assert_eq!(Run::of(&mut command).object()["state"], "current");
    set_mode(&app.moby(), 0o755);
}

#[test]
fn an_image_that_may_not_be_read() {
    let app = App::new();
    set_mode(&app.image(), 0o600);
    let before = app.snapshot();
    // The owner may not read it either, if the owner runs the test.
    set_mode(&app.image(), if is_root() { 0o600 } else { 0o000 });
    let run = |arguments: &[&str]| {
        let mut command = app.command(arguments);
        as_another_user(&app, &mut command);
        Run::of(&mut command)
    };
    let mut told = Transcript::default();
    for arguments in [APPLY, &["restore"]] {
        let run = run(arguments);
        run.is_refusal(5, &["initrd.img"]);
        told.run(arguments, &run);
    }
    insta::assert_snapshot!(told);
    let status = run(&["status", "--json"]);
    assert_eq!(
        (status.code, &status.object()["state"]),
        (5, &"not-permitted".into())
    );
    set_mode(&app.image(), 0o600);
    before.is_still(&app.snapshot());
}

/// Runs `script` with the app's folder in `$PLACE`, as root in its own mount namespace. Returns nothing, with a
/// message, if that is not permitted.
fn with_mounts(app: &App, script: &str) -> Option<Run> {
    if !is_root() || !tools::has_tool("unshare") {
        tools::tell("skipped: mounts (not root)");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    app.environment(&mut command);
    command
        .env("PLACE", app.place())
        .env("BALEEN", env!("CARGO_BIN_EXE_baleen"));
    let run = Run::of(&mut command);
    if run.code == 77 || run.err.starts_with("unshare: ") {
        tools::tell(&format!("skipped: mounts ({})", run.err.trim()));
        return None;
    }
    Some(run)
}

#[test]
fn a_volume_that_is_read_only() {
    let app = App::new();
    let before = app.snapshot();
    let script = r#"mount --bind "$PLACE" "$PLACE" && mount -o remount,bind,ro "$PLACE" || exit 77
        exec "$BALEEN" apply --http-proxy http://proxy.corp:8080"#;
    if let Some(run) = with_mounts(&app, script) {
        run.is_refusal(5, &[app.moby().to_str().unwrap()]);
        insta::assert_snapshot!(redacted(&run.err));
        before.is_still(&app.snapshot());
    }
}

#[test]
fn a_volume_that_is_full() {
    let mut told = Transcript::default();
    for method in ["append", "rebuild"] {
        let app = App::new();
        // Room for the app and for less than one more image.
        let room = app.bytes().len() * 3 / 2;
        let script = format!(
            r#"cp -a "$PLACE" "$PLACE.copy" && mount -t tmpfs -o size={room} tmpfs "$PLACE" || exit 77
            cp -a "$PLACE.copy/Docker.app" "$PLACE/" || exit 77
            list() {{ find "$PLACE" ! -type d -printf '%p %i %m %U %G %s %T@\n' -exec sha256sum {{}} +; find "$PLACE" -type d -printf '%p %i %m\n'; }}
            list | sort >"$PLACE.before"
            "$BALEEN" apply --http-proxy http://proxy.corp:8080 --method {method}
            code=$?
            list | sort >"$PLACE.after"
            exit $code"#
        );
        let Some(run) = with_mounts(&app, &script) else {
            return;
        };
        run.is_refusal(1, &[app.moby().to_str().unwrap()]);
        told.text(method, &run.err);
        let list = |name: &str| fs::read_to_string(app.dir.path().join(name)).unwrap();
        assert!(list("place.before").contains("initrd.img"));
        assert_eq!(list("place.before"), list("place.after"));
        assert!(!app.dir.path().join("state").exists());
    }
    insta::assert_snapshot!(told);
}

/// An immutable file is refused with `EPERM`, as macOS refuses to let one app change another.
#[test]
fn an_image_that_may_not_be_replaced() {
    let mut told = Transcript::default();
    for (foreign_backup, method) in [(false, "append"), (true, "append"), (true, "rebuild")] {
        let app = App::new();
        if foreign_backup {
            fs::write(app.backup(), b"another's").unwrap();
        }
        let chattr = |how: &str| {
            let done = Command::new("chattr").arg(how).arg(app.image()).output();
            done.is_ok_and(|output| output.status.success())
        };
        if !chattr("+i") {
            tools::tell("skipped: chattr +i");
            return;
        }
        let before = app.snapshot();
        let run = app.run(&[APPLY, &["--method", method]].concat());
        let after = app.snapshot();
        assert!(chattr("-i"));
        run.is_refusal(5, &["initrd.img"]);
        told.text(method, &run.err);
        before.is_still(&after);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_state_folder_that_can_not_be_written_is_reported_but_stops_nothing() {
    let app = App::new();
    fs::write(app.dir.path().join("state"), b"a file").unwrap();
    let mut told = Transcript::default();
    told.ok(&app, APPLY);
    assert_eq!(app.state(&[]), ("current".into(), 0));
    told.ok(&app, &["restore"]);
    insta::assert_snapshot!(told);
    // A damaged file counts as a missing one.
    fs::remove_file(app.dir.path().join("state")).unwrap();
    fs::create_dir(app.dir.path().join("state")).unwrap();
    fs::write(app.dir.path().join("state/state.json"), b"{").unwrap();
    app.ok(APPLY);
    app.install("1.12.0", "1");
    assert_eq!(app.state(&[]), ("wiped".into(), 3));
}
