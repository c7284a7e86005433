//! The packaging files agree with what the program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use baleen::backend::Registry;
use baleen::service::login_item::file::LABEL;
use baleen::uninstall;

/// The cask's stanza for removing everything.
fn zap() -> String {
    let cask = fs::read_to_string("packaging/homebrew/baleen.rb").unwrap();
    let zap = cask.split("zap ").nth(1).unwrap();
    zap.split("caveats").next().unwrap().to_owned()
}

/// The cask removes each place that the program may leave something in, and nothing else.
#[test]
fn the_cask_knows_every_place() {
    let home = Path::new("/home");
    let places = uninstall::places(Registry::BUILT_IN, |_| None, home, true);
    // Homebrew deletes whole folders; a file outside of them is listed by itself.
    let alone =
        |file: &&std::path::PathBuf| !places.folders.iter().any(|folder| file.starts_with(folder));
    let expected: BTreeSet<String> = places
        .folders
        .iter()
        .chain(places.files.iter().filter(alone))
        .map(|path| format!("~/{}", path.strip_prefix(home).unwrap().display()))
        .collect();
    let named: BTreeSet<String> = zap()
        .split('"')
        .filter(|word| word.starts_with("~/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, expected);
    assert!(expected.len() > 3, "{expected:?}");
}

/// The cask stops every launchd job: those that the program installs, and those that can be installed by hand.
#[test]
fn the_cask_knows_every_launch_agent() {
    let launchd = Path::new("packaging/launchd");
    let mut labels: BTreeSet<String> = [LABEL.to_owned()].into();
    for entry in fs::read_dir(launchd).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "plist") {
            let agent = plist::Value::from_file(&path).unwrap();
            let label = agent.as_dictionary().unwrap()["Label"].as_string().unwrap();
            assert_eq!(path.file_stem().unwrap(), label);
            labels.insert(label.to_owned());
        }
    }
    assert_eq!(labels.len(), 2, "{labels:?}");
    let zap = zap();
    let ended = zap.split("launchctl:").nth(1).unwrap();
    let ended = ended
        .split(']')
        .next()
        .unwrap()
        .split('"')
        .skip(1)
        .step_by(2);
    assert_eq!(ended.map(str::to_owned).collect::<BTreeSet<_>>(), labels);

    // A job installed by hand is reported by its path, which contains its label.
    let places = uninstall::places(Registry::BUILT_IN, |_| None, Path::new("/home"), true);
    let agents = places.launch_agents.iter().chain(&places.files[..1]);
    let told: BTreeSet<String> = agents
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, labels);
}
