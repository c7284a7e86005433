//! The files and folders that Baleen may make, apart from its changes to boot images and the
//! Keychain.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::agent::agent_state::AgentStateFile;
use crate::backend::Registry;
use crate::intent::Intents;
use crate::proxy::pac;
use crate::relay;
use crate::service::LiveLock;
use crate::service::login_item;
use crate::service::login_item::file::LABEL;
use crate::service::single_instance::Instance;
use crate::update::ScheduleFile;
use crate::{config, logs, storage};

/// The preferences that macOS keeps for the app, in the user's home folder, named by its bundle
/// identifier.
pub(super) const PREFERENCES: &str = "Library/Preferences/io.github.baleen-app.Baleen.plist";

/// All files and folders that Baleen may make, whether or not they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The folders that only Baleen uses.
    pub folders: Vec<PathBuf>,
    /// The launch agents that the user may have installed by hand (`packaging/launchd`).
    pub launch_agents: Vec<PathBuf>,
}

/// Returns the default places below `home`, unless the variables that `get` reads name others. A
/// config file that `BALEEN_CONFIG` names belongs to the user, so the one in the default place is
/// returned instead.
pub fn places(
    registry: Registry,
    get: impl Fn(&str) -> Option<OsString>,
    home: &Path,
    macos: bool,
) -> Artifacts {
    let usual = |name: &str| get(name).filter(|_| name != "BALEEN_CONFIG");
    let config = config::default_path(usual, home, macos);
    let state = storage::folder(&get, home, macos);
    let log = logs::default_path(&get, home, macos);
    let mut folders = Vec::new();
    for folder in [config.parent(), Some(&*state), log.parent()] {
        let folder = folder.unwrap_or(Path::new("/")).to_owned();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let mut files = vec![login_item::file::default_path(&get, home, macos), config];
    let own = [
        Intents::FILE,
        AgentStateFile::FILE,
        pac::AnswerCache::FILE,
        ScheduleFile::FILE,
        LiveLock::FILE,
        Instance::SOCKET,
        Instance::LOCK,
    ];
    let names = registry.state_files().chain(own).chain(relay::FILES);
    files.extend(names.map(|name| state.join(name)));
    files.extend([
        logs::report_beside(&log),
        logs::page_beside(&log),
        logs::older(&log),
        log,
    ]);
    if macos {
        // The system stores the icon's position in the menu bar there, by the bundle identifier
        // (<https://developer.apple.com/documentation/appkit/nsstatusitem/autosavename-swift.property>).
        files.push(home.join(PREFERENCES));
    }
    let mut launch_agents = Vec::new();
    if macos {
        let all = Path::new("/Library/LaunchAgents");
        let watch = format!("{LABEL}.watch.plist");
        launch_agents.push(home.join("Library/LaunchAgents").join(&watch));
        launch_agents.push(all.join(format!("{LABEL}.plist")));
        launch_agents.push(all.join(watch));
    }
    Artifacts {
        files,
        folders,
        launch_agents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pins the names on disk. The uninstall tests show that there are no others.
    #[test]
    fn each_platform_has_its_places() {
        let state = |name: &str| (name == "BALEEN_STATE_DIR").then(|| "/s".into());
        let config = |name: &str| (name == "BALEEN_CONFIG").then(|| "/c.toml".into());
        let none = |_: &str| None;
        let support = "/h/Library/Application Support/Baleen/";
        let logs = "/h/Library/Logs/Baleen/";
        let (settings, kept) = ("/h/.config/baleen/", "/h/.local/state/baleen/");
        let agent = "/h/Library/LaunchAgents/io.github.baleen-app.Baleen.plist";
        let autostart = "/h/.config/autostart/baleen.desktop";
        let preferences = "/h/Library/Preferences/io.github.baleen-app.Baleen.plist";
        type Get<'a> = &'a dyn Fn(&str) -> Option<OsString>;
        let table: [(Get<'_>, bool, &str, &str, &str, &str); 5] = [
            (&none, true, agent, support, support, logs),
            (&none, false, autostart, settings, kept, kept),
            (&config, false, autostart, settings, kept, kept),
            (&state, true, agent, support, "/s/", "/s/"),
            (&state, false, autostart, settings, "/s/", "/s/"),
        ];
        for (get, macos, login, config, state, log) in table {
            let found = places(Registry::BUILT_IN, get, Path::new("/h"), macos);
            let mut expected: Vec<String> = vec![login.into(), format!("{config}config.toml")];
            for name in [
                "live.json",
                "originals.json",
                "docker-settings.json",
                "state.json",
                "agent.json",
                "pac.json",
                "update.json",
                "live.lock",
                "agent.socket",
                "agent.lock",
                "relay.json",
                "relay.socket",
                "relay.lock",
            ] {
                expected.push(format!("{state}{name}"));
            }
            for name in [
                "doctor-report.md",
                "doctor-report.html",
                "baleen.log.1",
                "baleen.log",
            ] {
                expected.push(format!("{log}{name}"));
            }
            expected.extend(macos.then(|| preferences.to_owned()));
            let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(found.files, expected);
            let mut folders = vec![Path::new(config), Path::new(state), Path::new(log)];
            folders.dedup();
            assert_eq!(found.folders, folders);
            let watch = "Library/LaunchAgents/io.github.baleen-app.Baleen.watch.plist";
            let agents = [
                format!("/h/{watch}"),
                "/Library/LaunchAgents/io.github.baleen-app.Baleen.plist".to_owned(),
                format!("/{watch}"),
            ];
            let agents = agents.iter().filter(|_| macos).map(PathBuf::from);
            assert_eq!(found.launch_agents, agents.collect::<Vec<_>>());
        }
    }
}
