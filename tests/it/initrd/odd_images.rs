//! Images that are not as Docker packs them: the command line follows what the kernel makes of each.
//! `tests/slow/kernel` shows what a real kernel makes of the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read;

use crate::common::app::{App, OTHER_PROXY, PROXY};
use crate::common::redact::Transcript;
use crate::common::{Entry, Image, SCRIPT, cpio, cpio_without_trailer, gzip};
use flate2::read::MultiGzDecoder;

const MANIFEST: &str = "etc/baleen.json";
const STOCK_SCRIPT: &[u8] = include_bytes!("../../scripts/2016-one-line-mobyconfig.openrc");
const METHODS: [&str; 2] = ["append", "rebuild"];

fn folders() -> Vec<Entry> {
    ["etc", "etc/init.d"].map(Entry::directory).to_vec()
}

fn script() -> Entry {
    Entry::file(SCRIPT, STOCK_SCRIPT)
}

/// An image with the script in it, and `more` behind that.
fn stock_and(more: &[Entry]) -> Vec<u8> {
    let init = Entry::file("init", b"#!/bin/sh\n");
    gzip(&cpio(&[&folders()[..], &[script(), init], more].concat()))
}

fn app_with(image: &[u8]) -> App {
    let app = App::with_script(STOCK_SCRIPT);
    app.replace_image(image);
    app
}

fn apply<'a>(proxy: &'a str, method: &'a str) -> Vec<&'a str> {
    vec!["apply", "--http-proxy", proxy, "--method", method]
}

/// Both methods of patching are refused, and `status` says the same.
#[track_caller]
fn is_refused(told: &mut Transcript, image: &[u8]) {
    let app = app_with(image);
    for method in METHODS {
        told.refused(&app, &apply(PROXY, method), 4);
    }
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));
}

/// Both methods work: the script has the proxy, every other entry is unchanged, and restore gives back the original.
#[track_caller]
fn is_patched(image: &[u8]) {
    for method in METHODS {
        let app = app_with(image);
        app.ok(&apply(PROXY, method));
        assert!(app.script_text().contains(PROXY), "{method}");
        let now = ["--verify", "--http-proxy", PROXY];
        assert_eq!(app.state(&now), ("current".into(), 0), "{method}");
        app.ok(&["restore"]);
        assert!(app.bytes() == image, "{method}: restore gives other bytes");
    }
}

#[test]
fn a_manifest_that_is_no_longer_the_last_entry_is_not_taken_for_the_new_one() {
    let app = app_with(&stock_and(&[]));
    app.ok(&apply(PROXY, "append"));
    // Another tool packs all members as one, so the image has Baleen's manifest without the mark that leads to it.
    let mut inside = Vec::new();
    let patched = app.bytes();
    MultiGzDecoder::new(&patched[..])
        .read_to_end(&mut inside)
        .unwrap();
    let packed = gzip(&inside);
    app.replace_image(&packed);
    fs::remove_file(app.backup()).unwrap();
    for method in METHODS {
        app.ok(&[&apply(OTHER_PROXY, method)[..], &["--adopt"]].concat());
        assert!(app.script_text().contains(OTHER_PROXY));
        let now = ["--verify", "--http-proxy", OTHER_PROXY];
        assert_eq!(app.state(&now), ("current".into(), 0));
        app.ok(&["restore"]);
        assert!(app.bytes() == packed, "{method}");
    }
}

#[test]
fn a_file_called_like_the_manifest_wherever_it_is() {
    let own = Entry::file(MANIFEST, b"another's");
    let before = [folders(), vec![own.clone(), script()]].concat();
    let elsewhere = Image::default()
        .packed(&[folders(), vec![script()]].concat())
        .packed(&[own.clone(), Entry::file("etc/other", b"x")])
        .bytes;
    for image in [
        gzip(&cpio(&before)),
        stock_and(std::slice::from_ref(&own)),
        stock_and(&[own.clone(), own, Entry::file("etc/other", b"x")]),
        elsewhere,
    ] {
        is_patched(&image);
    }
}

#[test]
fn a_manifest_that_is_also_another_file_is_not_written_over() {
    let mut told = Transcript::default();
    let linked = |name: &str, body: &[u8]| Entry::name_of(21, 2, name, body);
    let pair = [
        linked("etc/other", b""),
        linked(MANIFEST, b"shared with etc/other"),
    ];
    is_refused(&mut told, &stock_and(&pair));
    let link = Entry::link(MANIFEST, "other");
    is_refused(&mut told, &stock_and(&[link]));
    let full = [
        Entry::directory(MANIFEST),
        Entry::file("etc/baleen.json/x", b""),
    ];
    is_refused(&mut told, &stock_and(&full));
    insta::assert_snapshot!(told);
}

#[test]
fn an_entry_that_the_kernel_drops_is_not_the_script() {
    let really = [
        Entry::directory("etc"),
        Entry::directory("etc/really"),
        Entry::link("etc/init.d", "really"),
        script(),
        Entry::directory("etc/init.d"),
    ];
    let in_its_place = [
        Entry::directory(SCRIPT),
        Entry::file("etc/init.d/docker/x", b""),
        script(),
    ];
    let none = Entry::file("etc/none/../init.d/docker", b"another");
    let mut told = Transcript::default();
    for entries in [
        [vec![script()], folders()].concat(),
        really.to_vec(),
        [folders(), in_its_place.to_vec()].concat(),
        [folders(), vec![script(), none]].concat(),
        [folders(), vec![script(), Entry::new(0, SCRIPT, b"")]].concat(),
    ] {
        is_refused(&mut told, &gzip(&cpio(&entries)));
    }
    insta::assert_snapshot!(told);
}

/// The same behind Baleen's own patch, where the end of the file alone isn't enough to tell.
#[test]
fn a_script_that_is_dropped_later_is_not_current() {
    for method in METHODS {
        for name in ["etc/init.d/docker", "etc/init.d/x/../docker"] {
            let app = app_with(&stock_and(&[Entry::directory("etc/init.d/x")]));
            app.ok(&apply(PROXY, method));
            let removed = gzip(&cpio(&[Entry::new(0, name, b"")]));
            app.replace_image(&[app.bytes(), removed].concat());
            let (state, code) = app.state(&["--verify", "--http-proxy", PROXY]);
            assert!(state != "current" && code != 0, "{method} {name}: {state}");
        }
    }
}

#[test]
fn what_the_kernel_takes_for_junk_is_not_called_unfinished() {
    let stock = stock_and(&[]);
    let across = cpio(&[folders(), vec![script()]].concat());
    let (one, two) = across.split_at(across.len() / 2 / 4 * 4);
    let mut told = Transcript::default();
    for image in [
        [gzip(b""), stock.clone()].concat(),
        [gzip(one), gzip(two)].concat(),
        gzip(&cpio_without_trailer(&[script()])[..150]),
    ] {
        is_refused(&mut told, &image);
    }
    // A file that does end too early may still be in the middle of being written.
    let app = app_with(&stock[..stock.len() - 20]);
    told.refused(&app, &apply(PROXY, "append"), 4);
    insta::assert_snapshot!(told);
}

/// The form is that of the kernel's `tools/bootconfig`: text, length, checksum, and a word at the very end.
#[test]
fn a_boot_configuration_behind_the_image_is_named() {
    let text = b"kernel.console = ttyS0\n\0\0";
    let sum: u32 = text.iter().map(|&byte| u32::from(byte)).sum();
    let mut image = stock_and(&[]);
    image.extend_from_slice(text);
    image.extend_from_slice(&(text.len() as u32).to_le_bytes());
    image.extend_from_slice(&sum.to_le_bytes());
    image.extend_from_slice(b"#BOOTCONFIG\n");
    let mut told = Transcript::default();
    is_refused(&mut told, &image);
    insta::assert_snapshot!(told);
}

#[test]
fn the_target_of_a_link_is_shown_without_the_zeros_behind_it() {
    let app = app_with(&stock_and(&[Entry::link(
        "etc/link",
        b"init.d/docker\0\0\0",
    )]));
    let listed = app.ok(&["inspect", app.image().to_str().unwrap()]);
    assert!(listed.contains("etc/link -> init.d/docker\n"), "{listed}");
}
