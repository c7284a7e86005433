//! The architecture as ARCHITECTURE.md draws it: imports run downward, and the layers below the faces don't speak of
//! the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate from top to bottom. One may import those in the rows below its own.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["text"],
    &["uninstall"],
    &["agent", "doctor"],
    &["service"],
    &["reconcile"],
    &["demo"],
    &["backend"],
    &["desired", "update"],
    &["intent", "logs", "relay"],
    &["config", "credentials"],
    &["initrd", "proxy"],
    &["storage", "net", "platform"],
    &["property_list", "digest"],
    &["util"],
    &["error"],
];

/// Where options, commands or environment variables are still named below the faces, and how often. The numbers
/// may only go down. Those of demo, platform and, but for one, backend are of other programs; backend, config, desired, logs,
/// net, storage and uninstall each read a variable.
const COMMAND_LINE_WORDS: &[(&str, usize)] = &[
    ("config", 1),
    ("demo", 4),
    ("backend", 4),
    ("storage", 1),
    ("logs", 1),
    ("net", 1),
    ("platform", 3),
    ("uninstall", 1),
    ("desired", 2),
];

/// A Rust file without its comments and its unit tests.
struct Source {
    path: PathBuf,
    module: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap().as_os_str();
                let module = Path::new(first).file_stem().unwrap().to_str().unwrap();
                found.push(Source {
                    module: module.to_owned(),
                    code: code(&fs::read_to_string(&path).unwrap()),
                    path,
                });
            }
        }
    }
    // The first declares the modules and has no code; the others are unit tests.
    found.retain(|source| source.module != "lib");
    found.retain(|source| source.path.file_name() != Some("tests.rs".as_ref()));
    assert!(found.len() > 100, "{} files", found.len());
    found
}

fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..tests]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The modules that stand behind `crate::`, also several in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        text.trim_start().chars().take_while(is_part).collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(name(rest));
            continue;
        };
        let mut depth = 0;
        found.insert(name(group));
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => drop(found.insert(name(&group[at + 1..]))),
                _ => {}
            }
        }
    }
    found.remove("");
    found
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("the module {module} has no layer in tests/it/layers.rs"))
}

#[test]
fn imports_are_found_in_every_form() {
    let found = imports("use crate::a::{b, c};\nuse crate::{d, e::{f, g},\n h};\ncrate::i::j();");
    let expected = ["a", "d", "e", "h", "i"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
    assert_eq!(
        code("a\n  // crate::b\nc\n#[cfg(test)]\nmod tests {\n}\n"),
        "a\nc\n"
    );
}

#[test]
fn imports_run_downward() {
    let mut upward = Vec::new();
    for source in sources() {
        for import in imports(&source.code) {
            if import != source.module && layer(&import) <= layer(&source.module) {
                upward.push(format!("{} imports {import}", source.path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn the_map_has_every_module() {
    let map = include_str!("../../ARCHITECTURE.md");
    for module in LAYERS.iter().skip(1).copied().flatten() {
        let (file, folder) = (format!("`src/{module}.rs`"), format!("`src/{module}/`"));
        assert!(
            map.contains(&file) || map.contains(&folder),
            "{module} is not in ARCHITECTURE.md"
        );
    }
}

#[test]
fn below_the_faces_nothing_speaks_of_the_command_line() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources() {
        if ["main", "cli", "app", "text"].contains(&&*source.module) {
            continue;
        }
        let words = ["`baleen ", "--", "BALEEN_"];
        let count = |word: &str| -> usize {
            let starts_word = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic());
            source
                .code
                .match_indices(word)
                .filter(|&(at, _)| starts_word(&source.code[at + word.len()..]))
                .count()
        };
        *found.entry(source.module).or_default() += words.map(count).iter().sum::<usize>();
    }
    found.retain(|_, count| *count > 0);
    let known = COMMAND_LINE_WORDS
        .iter()
        .map(|&(module, count)| (module.to_owned(), count));
    assert_eq!(found, known.collect::<BTreeMap<_, _>>());
}
