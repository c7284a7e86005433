//! What is packaged around the program knows what the program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use baleen::uninstall;

/// The cask removes each place that the program may leave something in, and nothing else.
#[test]
fn the_cask_knows_every_place() {
    let home = Path::new("/home");
    let places = uninstall::places(|_| None, home, true);
    // Homebrew takes whole folders; a file in none of them stands for itself.
    let alone =
        |file: &&std::path::PathBuf| !places.folders.iter().any(|folder| file.starts_with(folder));
    let expected: BTreeSet<String> = places
        .folders
        .iter()
        .chain(places.files.iter().filter(alone))
        .map(|path| format!("~/{}", path.strip_prefix(home).unwrap().display()))
        .collect();
    let cask = fs::read_to_string("packaging/homebrew/baleen.rb").unwrap();
    let zap = cask
        .split("zap ")
        .nth(1)
        .unwrap()
        .split("caveats")
        .next()
        .unwrap();
    let named: BTreeSet<String> = zap
        .split('"')
        .filter(|word| word.starts_with("~/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, expected);
    assert!(expected.len() > 3, "{expected:?}");
}
