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
use crate::common::tampering::Forgery;
use crate::common::tools;
use baleen::docker::Bundle;
use baleen::error::Kind;
use baleen::patch::plan::{self, Desired, Plan};
use baleen::patch::{Lock, apply, restore};
use baleen::proxy::{EngineProxy, NoProxy, ProxyUrl};

const APPLY: &[&str] = &["apply", "--http-proxy", PROXY];
const REBUILD: &[&str] = &["apply", "--http-proxy", PROXY, "--method", "rebuild"];
const SCRIPT: &str = "#!/sbin/openrc-run\n\ndepend()\n{\n\tneed net\n}\n\nstart()\n{\n\tstart-stop-daemon --start --exec /usr/bin/dockerd\n}\n";

/// Both methods and a dry run refuse the image alike.
#[track_caller]
fn not_applied(app: &App, code: i32, words: &[&str]) {
    for arguments in [APPLY, REBUILD, &[APPLY, &["--dry-run"]].concat()] {
        app.refused(arguments, code, words);
    }
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
    let app = App::new();
    fs::remove_file(app.image()).unwrap();
    let words = [
        "expected moby/vmlinuz64 with moby/initrd.img",
        "found moby/vmlinuz64",
    ];
    not_applied(&app, 4, &words);
    app.refused(&["restore"], 4, &words);
    // An update copies one file after another.
    assert_eq!(app.state(&[]), ("updating".into(), 4));
    let path = app.image();
    app.refused(
        &["inspect", path.to_str().unwrap()],
        1,
        &["initrd.img", "No such file"],
    );
}

#[test]
fn an_empty_image() {
    let app = App::new();
    app.replace_image(b"");
    not_applied(
        &app,
        4,
        &[
            "initrd.img is not a whole boot image",
            "it is empty",
            "gzip or cpio header",
        ],
    );
    app.refused(&["restore"], 4, &["it is empty"]);
    assert_eq!(app.state(&[]), ("updating".into(), 4));
    let path = app.image();
    app.refused(&["inspect", path.to_str().unwrap()], 4, &["it is empty"]);
}

#[test]
fn a_truncated_image() {
    let app = App::new();
    let whole = app.bytes();
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
            let run = app.refused(
                arguments,
                4,
                &["initrd.img is not a whole boot image", "cut off"],
            );
            assert!(
                run.err.contains("if Docker is being updated, try again"),
                "{run}"
            );
        }
        assert_eq!(app.state(&["--verify"]), ("updating".into(), 4), "{length}");
        let path = app.image();
        let run = Run::of(&mut app.command(&["inspect", path.to_str().unwrap()]));
        assert_eq!(run.code, 4, "{length}: {run}");
        assert_eq!(run.err.matches("error:").count(), 1, "{length}: {run}");
    }
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
    let app = App::new();
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 1)
        .collect();
    for (bytes, words) in [
        (
            &noise[..],
            &[
                "byte 0 should start a cpio archive, a gzip member",
                "but holds",
            ][..],
        ),
        (
            b"#!/bin/sh\necho an image\n",
            &["byte 0 should start", "but holds"],
        ),
        (b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46", &["compressed with xz"]),
        (&[0; 4096], &["initrd.img"]),
        (
            &[&b"070707"[..], &[b'0'; 200]].concat(),
            &["initrd.img", "070707"],
        ),
    ] {
        app.replace_image(bytes);
        not_applied(&app, 4, words);
        app.refused(&["restore"], 4, &["initrd.img"]);
        assert_eq!(app.state(&["--verify"]).1, 4);
        // The entries before the fault are listed.
        let before = app.snapshot();
        let path = app.image();
        let mut run = app.run(&["inspect", path.to_str().unwrap()]);
        run.out.clear();
        run.is_refusal(4, &["can't be listed to its end"]);
        before.is_still(&app.snapshot());
    }
}

#[test]
fn something_else_in_the_place_of_the_image() {
    let app = App::new();
    let elsewhere = app.place().join("elsewhere.img");
    fs::rename(app.image(), &elsewhere).unwrap();
    symlink(&elsewhere, app.image()).unwrap();
    let check = |found: &str| {
        let words = format!("initrd.img should be a regular file, but is {found}");
        for arguments in [APPLY, REBUILD, &["restore"]] {
            let before = app.snapshot();
            in_time(&mut app.command(arguments)).is_refusal(4, &[&words]);
            before.is_still(&app.snapshot());
        }
        let status = in_time(&mut app.command(&["status", "--verify", "--json"]));
        assert_eq!(
            (status.code, &status.object()["state"]),
            (4, &"unsupported".into())
        );
    };
    check("a symbolic link");
    fs::remove_file(app.image()).unwrap();
    symlink("nowhere", app.image()).unwrap();
    check("a symbolic link");
    fs::remove_file(app.image()).unwrap();
    fs::create_dir(app.image()).unwrap();
    check("a folder");
    fs::remove_dir(app.image()).unwrap();
    if tools::has_tool("mkfifo") {
        let made = Command::new("mkfifo").arg(app.image()).status().unwrap();
        assert!(made.success());
        check("a special file");
        let path = app.image();
        in_time(&mut app.command(&["inspect", path.to_str().unwrap()]))
            .is_refusal(4, &["a special file"]);
    }
}

#[test]
fn an_info_plist_that_can_not_be_read() {
    let app = App::new();
    let plist = fs::read(app.info_plist()).unwrap();
    let words = ["no usable Contents/Info.plist"];
    for bytes in [
        &b""[..],
        &plist[..100],
        &plist[..plist.len() - 30],
        b"text",
        b"bplist00",
    ] {
        fs::write(app.info_plist(), bytes).unwrap();
        not_applied(&app, 4, &words);
        app.refused(&["restore"], 4, &words);
        assert_eq!(app.state(&[]), ("updating".into(), 4));
    }
    fs::remove_file(app.info_plist()).unwrap();
    not_applied(
        &app,
        4,
        &["no usable Contents/Info.plist", "it is not there"],
    );
    fs::create_dir(app.info_plist()).unwrap();
    not_applied(
        &app,
        4,
        &["no usable Contents/Info.plist", "it is not a file"],
    );
    fs::remove_dir(app.info_plist()).unwrap();
    if tools::has_tool("mkfifo") {
        assert!(
            Command::new("mkfifo")
                .arg(app.info_plist())
                .status()
                .unwrap()
                .success()
        );
        in_time(&mut app.command(APPLY)).is_refusal(4, &["it is not a file"]);
        fs::remove_file(app.info_plist()).unwrap();
    }
    // Not even an app.
    let folder = app.place();
    app.refused(
        &[
            "apply",
            "--http-proxy",
            PROXY,
            "--docker-app",
            folder.to_str().unwrap(),
        ],
        4,
        &["is not an app", "Contents"],
    );
    let file = app.place().join("file.app");
    fs::write(&file, b"").unwrap();
    app.refused(
        &[
            "apply",
            "--http-proxy",
            PROXY,
            "--docker-app",
            file.to_str().unwrap(),
        ],
        4,
        &["is not an app"],
    );
}

#[test]
fn another_app() {
    let app = App::new();
    let plist = fs::read_to_string(app.info_plist()).unwrap();
    for (bundle_id, found) in [
        (
            "<string>com.example.docker</string>",
            "but is com.example.docker",
        ),
        ("<true/>", "but is missing"),
    ] {
        fs::write(
            app.info_plist(),
            plist.replace("<string>com.docker.docker</string>", bundle_id),
        )
        .unwrap();
        not_applied(
            &app,
            4,
            &[
                "is not Docker for Mac",
                "should be com.docker.docker",
                found,
            ],
        );
        assert_eq!(app.state(&[]), ("unsupported".into(), 4));
    }
}

#[test]
fn what_is_no_docker_that_baleen_knows_is_refused() {
    let app = App::new();
    for (files, words) in [
        (
            &["other"][..],
            &[
                "none of the files",
                "expected moby/vmlinuz64 and moby/initrd.img",
            ][..],
        ),
        (
            &["moby/vmlinuz64", "moby/initrd.img", "linuxkit/kernel"],
            &[
                "mixes or lacks",
                "found moby/vmlinuz64, moby/initrd.img, linuxkit/kernel",
            ],
        ),
        (
            &[
                "linuxkit/kernel",
                "linuxkit/initrd.img",
                "linuxkit/boot.img",
            ],
            &["mixes or lacks", "found linuxkit/kernel"],
        ),
    ] {
        app.install_with("4.84.0", files);
        not_applied(&app, 4, words);
        app.refused(&["restore"], 4, words);
        let (code, status) = app.json(&["status"]);
        let state = match files {
            // More files may follow.
            ["other"] => "updating",
            _ => "unsupported",
        };
        assert_eq!((code, &status["state"]), (4, &state.into()));
        assert!(status["sentence"].as_str().unwrap().contains(words[0]));
    }
}

#[test]
fn proxies_that_no_engine_could_use() {
    let app = App::new();
    for (url, words) in [
        (
            "socks5://p:1",
            &[
                "--http-proxy",
                "names a SOCKS proxy ('socks5://')",
                "name an HTTP proxy",
            ][..],
        ),
        ("https://p:1", &["reached over TLS", "write http://"]),
        ("ftp://p", &["its scheme is 'ftp'"]),
        (
            "http://p:0",
            &["port '0' is not a port number from 1 to 65535"],
        ),
        ("http://p:65536", &["port '65536'"]),
        ("http://p:http", &["not a port number from 1 to 65535"]),
        ("http://p:", &["port"]),
        ("http://", &["no host"]),
        ("http://:8080", &["no host"]),
        ("http://a b:1", &["host 'a b'"]),
        ("http://[::1:80", &["host '[::1:80'"]),
        ("http://p:1/path", &["no path"]),
        ("http://:secret@p:1", &["a password but no user"]),
        ("http://p:1\n", &["line break"]),
        ("http://p\nx:1", &["line break"]),
        (
            "http://me:a%0ab@p:1",
            &["line break, a NUL or another control character"],
        ),
        // An argument can't contain a NUL, but an encoded one.
        ("http://me:a%00b@p:1", &["NUL"]),
        ("\x1b[31mp:1", &["control character"]),
        ("", &["it is empty"]),
        ("  ", &["it is empty"]),
    ] {
        app.refused(&["apply", "--http-proxy", url], 2, words);
        app.refused(
            &["apply", "--https-proxy", url, "--dry-run"],
            2,
            &["--https-proxy"],
        );
    }
    for (list, words) in [
        (
            "*",
            &["--no-proxy", "'*' would send everything past the proxy"][..],
        ),
        (".corp,*", &["'*'"]),
        ("a b", &["'a b' has a space", "commas"]),
        ("a\nb", &["line break"]),
        ("it's", &["quotation mark"]),
    ] {
        app.refused(
            &["apply", "--http-proxy", PROXY, "--no-proxy", list],
            2,
            words,
        );
    }
    let before = app.snapshot();
    for (name, value, words) in [
        (
            "https_proxy",
            "socks5://p:1",
            &["the environment variable https_proxy", "socks5"][..],
        ),
        (
            "HTTP_PROXY",
            "http://p:0",
            &["the environment variable HTTP_PROXY", "'0'"],
        ),
    ] {
        Run::of(app.command(&["apply"]).env(name, value)).is_refusal(2, words);
    }
    let everything = Run::of(
        app.command(&["apply"])
            .env("https_proxy", PROXY)
            .env("no_proxy", "*"),
    );
    everything.is_refusal(2, &["the environment variable no_proxy", "'*'"]);
    let bytes = OsStr::from_bytes(b"http://me:p\xe4ss@proxy.corp:80");
    let odd = Run::of(app.command(&["apply"]).env("HTTPS_PROXY", bytes));
    odd.is_refusal(2, &["the environment variable HTTPS_PROXY", "UTF-8"]);
    app.run(&["status", "--https-proxy", "socks5://p:1"])
        .is_refusal(2, &["--https-proxy", "socks5"]);
    before.is_still(&app.snapshot());

    // The state needs no password.
    let run = Run::of(app.command(&["apply"]).env("https_proxy", PROXY));
    assert_eq!(run.code, 0, "{run}");
    let status = Run::of(app.command(&["status"]).env("https_proxy", "socks5://p:1"));
    assert_eq!((status.code, &*status.err), (0, ""), "{status}");
    assert!(
        status.out.contains("whether that is right is unknown"),
        "{status}"
    );
}

#[test]
fn an_image_without_a_script_of_its_own() {
    let app = App::new();
    let should = "should hold /etc/init.d/docker as a file of its own, but";
    let script = Entry::file("etc/init.d/docker", SCRIPT.as_bytes());
    app.replace_image(&member(&[Entry::file("init", b"x")]));
    not_applied(&app, 4, &[should, "no entry of that name"]);
    app.replace_image(&member(&[Entry {
        mode: 0o120_777,
        ..Entry::file("etc/init.d/docker", b"dockerd")
    }]));
    not_applied(&app, 4, &[should, "it is a symbolic link"]);
    app.replace_image(&member(&[Entry {
        mode: 0o040_755,
        ..Entry::file("etc/init.d/docker", b"")
    }]));
    not_applied(&app, 4, &[should, "it is a"]);
    app.replace_image(&member(&[
        Entry {
            links: 2,
            ..Entry::file("etc/init.d/other", b"")
        },
        Entry { links: 2, ..script },
    ]));
    not_applied(&app, 4, &[should, "other names share its data"]);
    let long = format!("{SCRIPT}# {}\n", "x".repeat(200_000));
    app.replace_image(&image_with(long.as_bytes()));
    not_applied(&app, 4, &[should, "more than the 131072"]);
    assert_eq!(app.state(&["--verify"]).1, 4);
}

#[test]
fn a_script_that_is_not_the_one_expected() {
    let app = App::new();
    let begin = "# >>> baleen: x >>>\n";
    let end = "# <<< baleen <<<\n";
    for (script, words) in [
        (
            SCRIPT.replace("/sbin/openrc-run", "/bin/sh"),
            &["its first line should be #!/sbin/openrc-run, but found '#!/bin/sh'"][..],
        ),
        (
            String::new(),
            &["its first line should be #!/sbin/openrc-run, but found ''"],
        ),
        (
            "#!/sbin/openrc-run\necho\n".into(),
            &["should start the engine with command= or start-stop-daemon, but found neither"],
        ),
        (
            format!("#!/sbin/openrc-run\n{begin}command=x\n"),
            &["block of Baleen", "someone changed it"],
        ),
        (
            format!("#!/sbin/openrc-run\n{end}command=x\n"),
            &["block of Baleen"],
        ),
        (
            format!("#!/sbin/openrc-run\n{begin}{end}{begin}{end}command=x\n"),
            &["block of Baleen"],
        ),
        (
            format!("#!/sbin/openrc-run\n{begin}{begin}{end}command=x\n"),
            &["block of Baleen"],
        ),
    ] {
        app.replace_image(&image_with(script.as_bytes()));
        not_applied(&app, 4, &[&["/etc/init.d/docker"], words].concat());
        assert_eq!(
            app.state(&["--verify"]),
            ("unsupported".into(), 4),
            "{script}"
        );
    }
}

#[test]
fn a_script_of_an_unusual_form_is_patched() {
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
    not_applied(
        &app,
        4,
        &["proxy that Baleen put there", "its manifest is missing"],
    );
    app.refused(&["restore"], 4, &["its manifest is missing"]);
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));
    app.ok(&[APPLY, &["--adopt"]].concat());
    let (block, rest) = block(&app.script_text());
    assert_eq!(rest, SCRIPT);
    assert!(!block.contains("old:1") && block.contains(PROXY), "{block}");
}

/// Every command that reads the image or changes it refuses alike, and touches nothing.
#[track_caller]
fn forgery_is_refused(app: &App, words: &[&str]) {
    not_applied(app, 4, words);
    app.refused(&[APPLY, &["--adopt"]].concat(), 4, words);
    app.refused(&["restore"], 4, words);
    let before = app.snapshot();
    for arguments in [&[][..], &["--verify"]] {
        assert_eq!(app.state(arguments), ("unsupported".into(), 4));
    }
    before.is_still(&app.snapshot());
}

#[test]
fn a_manifest_of_a_newer_format() {
    let forgery = Forgery::new();
    let unknown = &["in format 2, but this version reads format 1"][..];
    let length = forgery.original.len();
    for (manifest, words) in [
        (forgery.with_format("\"format\": 2"), unknown),
        (
            forgery.with_format("\"format\": 3, \"readable_from\": 2"),
            &["in format 3, but this version reads format 1"],
        ),
        (
            forgery.manifest.replace("\"original\"", "\"origin\""),
            &["manifest", "damaged", "original"],
        ),
        ("{".into(), &["manifest", "damaged"]),
        (
            forgery
                .manifest
                .replace(&format!("\"bytes\": {length}"), "\"bytes\": 7"),
            &[
                "should have 7 bytes before the patch",
                &format!("but has {length}"),
            ],
        ),
    ] {
        forgery.put(&manifest, &[]);
        forgery_is_refused(&forgery.app, words);
    }
    // Extra files with a newer format are no damage, but extra files with this version's format are.
    let more = &["etc/baleen.d/more"][..];
    forgery.put(&forgery.with_format("\"format\": 2"), more);
    forgery_is_refused(&forgery.app, unknown);
    forgery.put(&forgery.manifest, more);
    forgery_is_refused(
        &forgery.app,
        &["should hold a script and a manifest and nothing else"],
    );
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
    let said = app.ok(APPLY);
    assert!(said.contains("nothing to do"), "{said}");
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
    let app = App::new();
    app.ok(APPLY);
    fs::remove_file(app.backup()).unwrap();
    let mut image = app.bytes();
    image[4] ^= 1;
    app.replace_image(&image);
    app.refused(&["restore"], 4, &["should have the digest", "but has"]);
    app.refused(
        &["apply", "--http-proxy", OTHER_PROXY],
        4,
        &["should have the digest", "but has"],
    );
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
                        fs::write(app.backup(), b"somebody's").unwrap();
                    }
                    let url = ProxyUrl::parse(OTHER_PROXY).unwrap();
                    let proxy =
                        EngineProxy::new(Some(url.clone()), Some(url), NoProxy::default()).unwrap();
                    let desired = Desired {
                        proxy: &proxy,
                        method: method.parse().ok(),
                        adopt: false,
                    };
                    let bundle = Bundle::read(&app.app()).unwrap();
                    let lock =
                        Lock::acquire(baleen::patch::image::image_of(&bundle).unwrap()).unwrap();
                    let Plan::Change(change) = plan::plan(&bundle, desired, &|_| {}).unwrap()
                    else {
                        panic!("{why}: nothing to do");
                    };
                    swap(&app);
                    let swapped = app.snapshot();
                    let error = apply::apply(&change, &lock, &|_| {}).unwrap_err();
                    assert_eq!(error.kind(), Kind::Busy, "{why}: {error}");
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
            let lock = Lock::acquire(baleen::patch::image::image_of(&bundle).unwrap()).unwrap();
            let restore::RestorePlan::Restore(found) = restore::plan(&bundle).unwrap() else {
                panic!("nothing to restore");
            };
            swap(&app);
            let swapped = app.snapshot();
            let error = restore::restore(&found, &lock).unwrap_err();
            assert_eq!(
                error.kind(),
                Kind::Busy,
                "{before:?}, restore, {name}: {error}"
            );
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
fn as_somebody(app: &App, command: &mut Command) {
    if is_root() {
        set_mode(app.dir.path(), 0o755);
        command.uid(65534).gid(65534);
    }
}

#[test]
fn a_folder_that_may_not_be_written() {
    let app = App::new();
    app.ok(APPLY);
    set_mode(&app.moby(), 0o555);
    for arguments in [&["apply", "--http-proxy", OTHER_PROXY][..], &["restore"]] {
        let mut command = app.command(arguments);
        as_somebody(&app, &mut command);
        let before = app.snapshot();
        let run = Run::of(&mut command);
        run.is_refusal(
            5,
            &[
                "could not",
                app.moby().to_str().unwrap(),
                "Permission denied",
            ],
        );
        assert!(run.err.contains("what to do: "), "{run}");
        before.is_still(&app.snapshot());
    }
    // The readable parts still give an answer.
    let mut command = app.command(&["status", "--verify", "--json"]);
    as_somebody(&app, &mut command);
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
        as_somebody(&app, &mut command);
        Run::of(&mut command)
    };
    run(APPLY).is_refusal(5, &["could not read", "initrd.img: Permission denied"]);
    run(&["restore"]).is_refusal(5, &["could not read", "initrd.img: Permission denied"]);
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
        run.is_refusal(5, &["could not write in", "Read-only file system"]);
        assert!(run.err.contains("the volume is read-only"), "{run}");
        before.is_still(&app.snapshot());
    }
}

#[test]
fn a_volume_that_is_full() {
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
        run.is_refusal(1, &["could not write", "No space left on device"]);
        assert!(run.err.contains("make room on that volume"), "{run}");
        let list = |name: &str| fs::read_to_string(app.dir.path().join(name)).unwrap();
        assert!(list("place.before").contains("initrd.img"));
        assert_eq!(list("place.before"), list("place.after"));
        assert!(!app.dir.path().join("state").exists());
    }
}

/// An immutable file is refused with `EPERM`, as macOS refuses to let one app change another.
#[test]
fn an_image_that_may_not_be_replaced() {
    for (foreign_backup, method) in [(false, "append"), (true, "append"), (true, "rebuild")] {
        let app = App::new();
        if foreign_backup {
            fs::write(app.backup(), b"somebody's").unwrap();
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
        run.is_refusal(
            5,
            &[
                "put a new file in the place of",
                "initrd.img: Operation not permitted",
            ],
        );
        before.is_still(&after);
    }
}

#[test]
fn a_state_folder_that_can_not_be_written_is_told_but_stops_nothing() {
    let app = App::new();
    fs::write(app.dir.path().join("state"), b"a file").unwrap();
    let said = app.ok(APPLY);
    assert!(
        said.contains("could not note that the proxy is wanted"),
        "{said}"
    );
    assert_eq!(app.state(&[]), ("current".into(), 0));
    let said = app.ok(&["restore"]);
    assert!(said.contains("could not note"), "{said}");
    // A damaged file counts as a missing one.
    fs::remove_file(app.dir.path().join("state")).unwrap();
    fs::create_dir(app.dir.path().join("state")).unwrap();
    fs::write(app.dir.path().join("state/state.json"), b"{").unwrap();
    app.ok(APPLY);
    app.install("1.12.0", "1");
    assert_eq!(app.state(&[]), ("wiped".into(), 3));
}
