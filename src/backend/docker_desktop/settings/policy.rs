//! What an administrator has decided about Docker's proxy, as far as files on this computer tell. A running Docker tells
//! more reliably, over its socket.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::property_list;

/// Who decides about Docker's proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockedBy {
    /// The file with Docker's settings management.
    AdminSettings(PathBuf),
    /// A configuration profile.
    Profile(PathBuf),
    /// The organization's policy, in Docker's Admin Console. No file on this computer says so.
    Organization,
}

/// Machine-wide files are below this folder.
const ROOT_VARIABLE: &str = "BALEEN_SYSTEM_ROOT";
const ADMIN_SETTINGS: &str = "Library/Application Support/com.docker.docker/admin-settings.json";
const MANAGED: &str = "Library/Managed Preferences";
/// The payload type of profiles for Docker Desktop from 4.48 on.
const PROFILE: &str = "com.docker.config.plist";
/// The keys of a profile that are about the proxy. One of them locks all of them.
const PROFILE_PREFIX: &str = "overrideProxy";
/// Maximum length of such a file, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// The files with an administrator's decisions.
#[derive(Debug, Clone)]
pub(super) struct Policies {
    root: PathBuf,
    user: Option<String>,
}

/// What the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    /// Who has locked the proxy.
    pub(super) locked_by: Option<LockedBy>,
    /// True if the containers' proxy is locked.
    pub(super) containers_locked: bool,
}

impl Policies {
    /// Uses the files of this computer.
    pub(super) fn of_this_computer() -> Self {
        let root = env::var_os(ROOT_VARIABLE).filter(|root| !root.is_empty());
        Self {
            root: root.map_or_else(|| "/".into(), PathBuf::from),
            user: env::var("USER").ok().filter(|user| !user.is_empty()),
        }
    }

    /// Returns the files, whether they exist or not.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.root.join(ADMIN_SETTINGS)];
        files.extend(self.profiles());
        files
    }

    /// The user's own profile counts before that of the whole computer. Apple does not document these files, but their
    /// places have been the same since Mac OS X 10.7.
    fn profiles(&self) -> Vec<PathBuf> {
        let managed = self.root.join(MANAGED);
        let own = self
            .user
            .as_ref()
            .map(|user| managed.join(user).join(PROFILE));
        own.into_iter().chain([managed.join(PROFILE)]).collect()
    }

    /// Reads the files. Docker ignores a file that it can't parse, and so does Baleen.
    pub(super) fn read(&self) -> Policy {
        let path = self.root.join(ADMIN_SETTINGS);
        let admin = json(&path).unwrap_or_default();
        let locked = |group: &str| {
            admin.get(group).and_then(|group| group.get("locked")) == Some(&Value::Bool(true))
        };
        let profile = self.profiles().into_iter().find(|path| names_proxy(path));
        Policy {
            locked_by: match locked("proxy") {
                true => Some(LockedBy::AdminSettings(path)),
                false => profile.map(LockedBy::Profile),
            },
            containers_locked: locked("containersProxy"),
        }
    }
}

fn json(path: &Path) -> Option<Value> {
    let mut bytes = Vec::new();
    // Reading a FIFO would block.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    File::open(path)
        .ok()?
        .take(MAX_LEN)
        .read_to_end(&mut bytes)
        .ok()?;
    // From 4.58 on Docker takes a byte order mark here.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(bytes).ok()
}

/// Returns whether a profile has a value for Docker's proxy.
fn names_proxy(path: &Path) -> bool {
    if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let Ok(Ok(profile)) = property_list::read(path) else {
        return false;
    };
    let names = |(key, value): (&String, &plist::Value)| {
        key.starts_with(PROFILE_PREFIX) && value.as_string().is_none_or(|text| !text.is_empty())
    };
    profile
        .as_dictionary()
        .is_some_and(|profile| profile.iter().any(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies(root: &Path) -> Policies {
        Policies {
            root: root.to_owned(),
            user: Some("me".to_owned()),
        }
    }

    fn write(path: &Path, bytes: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_lock_of_the_admin_settings_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let policies = policies(dir.path());
        let path = dir.path().join(ADMIN_SETTINGS);
        let by = || Some(LockedBy::AdminSettings(path.clone()));
        for (text, locked_by, containers_locked) in [
            (
                r#"{"configurationFileVersion": 2, "proxy": {"locked": true, "mode": "manual"}}"#,
                by(),
                false,
            ),
            (
                r#"{"proxy": {"locked": false, "mode": "manual"}}"#,
                None,
                false,
            ),
            (
                r#"{"proxy": {"locked": true}, "containersProxy": {"locked": true}}"#,
                by(),
                true,
            ),
            (r#"{"containersProxy": {"locked": true}}"#, None, true),
            ("\u{feff}{\"proxy\": {\"locked\": true}}", by(), false),
            (r#"{"proxy": {"locked": "true"}}"#, None, false),
            ("{", None, false),
        ] {
            write(&path, text);
            let expected = Policy {
                locked_by,
                containers_locked,
            };
            assert_eq!(policies.read(), expected, "{text}");
        }
    }

    #[test]
    fn a_profile_with_one_key_of_the_proxy_locks_it() {
        let dir = tempfile::tempdir().unwrap();
        let policies = policies(dir.path());
        let plist = |key: &str| {
            format!(
                "<plist version=\"1.0\"><dict><key>{key}</key><string>x</string></dict></plist>"
            )
        };
        for path in policies.profiles() {
            write(&path, &plist("allowedOrgs"));
            assert_eq!(policies.read(), Policy::default());
            write(&path, &plist("overrideProxyHTTP"));
            assert_eq!(
                policies.read().locked_by,
                Some(LockedBy::Profile(path.clone()))
            );
            fs::remove_file(path).unwrap();
        }
    }
}
