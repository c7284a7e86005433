//! Tells the linker what Rust has no words for: what the program needs of macOS only where it is there. Elsewhere
//! it does nothing. What is told here is looked at afterwards by `packaging/macos/check-symbols.py`.

use std::env;
use std::path::Path;
use std::process::Command;

/// The frameworks of which something is younger than the oldest macOS that Baleen runs on, macOS 10.12. Linked weakly,
/// what is missing of them is null instead of an end of the program before it has begun.
const YOUNGER: [&str; 2] = [
    // From its constants to the framework itself: macOS 10.14.
    "UserNotifications",
    // The keys of the About panel, which muda names and Baleen has no use for: macOS 10.13.
    "AppKit",
];

/// What the program says that it was built with. To one from before macOS 11 every later macOS says that it is 10.16
/// (`system-version-compat.c` in Apple's xnu), and shows it without dark colors.
const SDK: &str = "11.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("macos") {
        return;
    }
    for framework in YOUNGER {
        link(&["-weak_framework", framework]);
    }
    // Clang, which links on a Mac, knows its SDK. Where rustc calls the linker itself, it names the oldest macOS
    // (<https://github.com/rust-lang/rust/issues/129432>); of two such options the later one counts.
    println!("cargo::rerun-if-env-changed=MACOSX_DEPLOYMENT_TARGET");
    if env::var_os("RUSTC_LINKER").is_some_and(|linker| is_ld64(Path::new(&linker))) {
        link(&["-platform_version", "macos", &oldest(), SDK]);
    }
}

/// Whether that is LLVM's linker for Macs, by whichever version's name, and not something in a folder called so.
fn is_ld64(linker: &Path) -> bool {
    let name = linker.file_name().unwrap_or_default();
    name.to_string_lossy().contains("ld64")
}

/// Hands these words to the linker, for the program as for each test of it.
fn link(words: &[&str]) {
    for word in words {
        println!("cargo::rustc-link-arg={word}");
    }
}

/// The oldest macOS that rustc compiles for: what `MACOSX_DEPLOYMENT_TARGET` says, or its own choice.
fn oldest() -> String {
    let target = env::var("TARGET").expect("Cargo names the target");
    let rustc = env::var_os("RUSTC").expect("Cargo names the compiler");
    let output = Command::new(&rustc)
        .args(["--print", "deployment-target", "--target", &target])
        .output()
        .expect("the compiler can be run");
    // MACOSX_DEPLOYMENT_TARGET=10.12
    let printed = String::from_utf8_lossy(&output.stdout);
    let version = printed.trim().rsplit('=').next().unwrap_or_default();
    assert!(
        !version.is_empty(),
        "{} --print deployment-target: expected a version, found {:?}",
        rustc.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    version.to_owned()
}
