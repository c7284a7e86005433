//! The end-to-end test: a real kernel boots the images that Baleen patches, and a real Docker Engine pulls an image
//! through a real proxy, or fails to. `tests/e2e/run` prepares everything, and starts this in its own network
//! namespace.

#![cfg(target_os = "linux")]

use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

#[path = "../common/mod.rs"]
mod common;
#[path = "../slow/kernel/facts.rs"]
mod facts;
#[path = "../slow/kernel/machine.rs"]
mod machine;
#[path = "../desktop/stand_in/mod.rs"]
mod stand_in;

mod cases;
mod desktop;
mod lab;
mod live;
mod mac;
mod relay;
mod servers;
mod story;

use facts::Fact;
use lab::Lab;
use machine::{Kernel, Machine};

/// A case, whose function panics if it fails.
struct Case {
    name: String,
    /// One line.
    what: String,
    /// Whether CI runs it.
    is_short: bool,
    run: Box<dyn Fn(&Lab)>,
}

/// One of several processes that share the cases.
#[derive(Clone, Copy)]
struct Lane {
    number: usize,
    of: usize,
}

impl Lane {
    fn parse(option: &str) -> Option<Self> {
        let (number, of) = option.strip_prefix("--lane=")?.split_once('/')?;
        let (number, of) = (number.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&number).then_some(Self { number, of })
    }
}

/// The panic payload of a case that can't be run here.
struct Skip(String);

fn main() -> ExitCode {
    let mut names = BTreeSet::new();
    let [mut short, mut verbose, mut list, mut shell, mut check] = [false; 5];
    let mut lane = Lane { number: 1, of: 1 };
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--short" => short = true,
            "--verbose" | "-v" => verbose = true,
            "--list" => list = true,
            "--shell" => shell = true,
            // Checks only whether the rest of the line makes sense.
            "--check" => check = true,
            option if option.starts_with("--lane=") => {
                let Some(found) = Lane::parse(option) else {
                    eprintln!("{option}: expected --lane=1/2 or the like");
                    return ExitCode::from(2);
                };
                lane = found;
            }
            option if option.starts_with('-') => {
                eprintln!("no option {option}: there are --short, --verbose, --list and --shell");
                return ExitCode::from(2);
            }
            name => {
                names.insert(name.to_owned());
            }
        }
    }
    let mut cases = kernels();
    cases.extend(cases::all());
    cases.extend(live::all());
    cases.extend(relay::all());
    cases.extend(desktop::all());
    cases.extend(story::all());
    if let Some(unknown) = names
        .iter()
        .find(|name| !cases.iter().any(|case| case.name == **name))
    {
        eprintln!("no case {unknown}: --list shows which there are");
        return ExitCode::from(2);
    }
    if list {
        for case in &cases {
            let mark = if case.is_short { '*' } else { ' ' };
            println!("{mark} {:28} {}", case.name, case.what);
        }
        println!("* those of --short");
        return ExitCode::SUCCESS;
    }
    cases.retain(|case| {
        (names.is_empty() || names.contains(&case.name)) && (!short || case.is_short)
    });
    if cases.is_empty() {
        eprintln!("none of these is among the short ones");
        return ExitCode::from(2);
    }
    if check {
        return ExitCode::SUCCESS;
    }
    let mut index = 0;
    cases.retain(|_| {
        index += 1;
        index % lane.of == lane.number % lane.of
    });
    let (Some(_), Some(cache)) = (
        std::env::var_os("BALEEN_E2E"),
        std::env::var_os("BALEEN_CACHE"),
    ) else {
        eprintln!("these tests are started by tests/e2e/run");
        return ExitCode::from(2);
    };
    let lab = Lab::start(cache.into(), lane.number, verbose);
    if shell {
        return story::shell(&lab);
    }
    run(&lab, &cases)
}

/// The facts that hold on every kernel. `tests/slow/kernel` checks them on one kernel with every `cargo test`.
fn kernels() -> Vec<Case> {
    let case = |fact: &'static Fact| Case {
        name: fact.name.to_owned(),
        what: fact.what.to_owned(),
        is_short: false,
        run: Box::new(|lab| {
            for path in lab.kernels() {
                let kernel = Kernel::Qemu(path.clone());
                let version = kernel.version();
                lab.say(&format!("(on Linux {version})"));
                let machine = Machine {
                    busybox: common::tools::which("busybox"),
                    folder: lab.folder().join(&version),
                    kernel,
                };
                let result = panic::catch_unwind(|| (fact.check)(&machine));
                if let Err(why) = result {
                    panic!("on Linux {version}: {}", message(&*why));
                }
            }
        }),
    };
    facts::FACTS.iter().map(case).collect()
}

fn run(lab: &Lab, cases: &[Case]) -> ExitCode {
    let kernels: Vec<String> = lab
        .kernels()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    println!("kernels of the cases kernel-…: {}", kernels.join(", "));
    let started = Instant::now();
    let (mut failed, mut skipped) = (0, 0);
    for case in cases {
        lab.begin(&case.name);
        let before = Instant::now();
        // The message is printed below, with the rest.
        panic::set_hook(Box::new(|_| {}));
        let result = panic::catch_unwind(panic::AssertUnwindSafe(|| (case.run)(lab)));
        drop(panic::take_hook());
        let word = match &result {
            Ok(()) => "ok  ",
            Err(why) if why.is::<Skip>() => "skip",
            Err(_) => "FAIL",
        };
        let seconds = before.elapsed().as_secs_f64();
        println!("{word} {:28} {seconds:6.1} s  {}", case.name, case.what);
        if let Err(why) = result {
            if let Some(Skip(why)) = why.downcast_ref() {
                println!("     {why}");
                skipped += 1;
                continue;
            }
            failed += 1;
            for line in message(&*why).lines() {
                println!("     {line}");
            }
            println!("     consoles and logs: {}", lab.folder().display());
            if std::env::var_os("CI").is_some() {
                show(&lab.folder());
            }
        }
        let _ = std::io::stdout().flush();
    }
    println!(
        "\nin {:.0} s\n{} passed, {failed} failed, {skipped} skipped",
        started.elapsed().as_secs_f64(),
        cases.len() - failed - skipped,
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the ends of the files that a case left behind, for readers who can't open them.
fn show(folder: &Path) {
    for path in fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
    {
        if path.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            println!("--- {}\n{}", path.display(), mac::last_lines(&text));
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}
