//! The proxy of containers and builds: `proxies` in the Docker client's own `~/.docker/config.json`, which the client puts
//! into each new container as variables. It is written only where the user asks for it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::IoError;
use crate::net::lookup::is_loopback;
use crate::proxy::{ContainerList, EngineProxy, ProxyUrl, Scheme};
use crate::storage::TEMP_PREFIX;

use super::error::{FileFault, SettingsError};
use super::file::{Contents, SettingsFile};
use super::json_text::{InvalidJson, JsonText};
use super::leaf::Spelling;

/// The client's file, in the user's home folder.
const FILE: &str = ".docker/config.json";
/// The member with the proxies, by the daemon's address.
const PROXIES: &str = "proxies";
/// The section for every daemon without one of its own.
const DEFAULT: &str = "default";
/// The text of a new file.
const EMPTY: &str = "{}\n";
/// The name of the Mac in containers of Docker Desktop.
const MAC: &str = "host.docker.internal";

/// What was changed in the client's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContainersRecord {
    /// True if there was no file.
    #[serde(default)]
    is_created: bool,
    /// True if the file had no proxies at all.
    is_new: bool,
    /// The sections that were not there.
    new_sections: Vec<String>,
    changes: Vec<Change>,
}

/// The change of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    section: String,
    key: String,
    /// The JSON text that was there.
    before: Option<String>,
    /// The JSON text that was put there.
    applied: String,
}

/// The client's file.
#[derive(Debug, Clone)]
pub(super) struct ClientFile {
    file: SettingsFile,
    /// The addresses by which the client may know the daemon of Docker Desktop.
    daemons: Vec<String>,
}

/// A planned change of the client's file.
#[derive(Debug)]
pub(super) struct ClientChange {
    /// The new text; nothing if the file is as desired already.
    pub(super) text: Option<String>,
    /// The file as it was read.
    found: Option<Contents>,
    /// What is changed by it, together with earlier changes.
    pub(super) record: ContainersRecord,
}

impl ClientFile {
    /// Returns the folder of the file, also where a link leads elsewhere.
    pub(super) fn folder(home: &Path) -> PathBuf {
        let path = Self::of(home).file.path;
        path.parent().unwrap_or(&path).to_owned()
    }

    /// Returns the file of the user with this home folder. A link is followed, since many keep this file elsewhere.
    pub(super) fn of(home: &Path) -> Self {
        let path = home.join(FILE);
        let path = path.canonicalize().unwrap_or(path);
        let own = home.join(".docker/run/docker.sock");
        Self {
            file: SettingsFile {
                path,
                spelling: Spelling::Camel,
            },
            daemons: vec![
                "unix:///var/run/docker.sock".to_owned(),
                format!("unix://{}", own.display()),
            ],
        }
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.file.path
    }

    /// Plans the proxies of containers.
    pub(super) fn setting(
        &self,
        proxy: &EngineProxy,
        known: Option<&ContainersRecord>,
    ) -> Result<ClientChange, SettingsError> {
        let found = self.read()?;
        let text = found.as_ref().map_or(EMPTY, |found| &found.text);
        let changed = set(text, &self.daemons, proxy, known);
        let (new, mut record) = changed.map_err(|fault| self.fault(fault))?;
        record.is_created |= found.is_none() && new != text;
        Ok(ClientChange {
            text: Some(new).filter(|new| new != text),
            found,
            record,
        })
    }

    /// Plans to give back what was there before all these changes, of which the last comes first.
    pub(super) fn taking_back(
        &self,
        changes: &[&ContainersRecord],
    ) -> Result<ClientChange, SettingsError> {
        let found = self.read()?;
        let mut text = found.as_ref().map(|found| found.text.clone());
        for record in changes {
            if let Some(text) = &mut text {
                *text = take_back(text, record)
                    .map_err(|invalid| self.fault(FileFault::Invalid { invalid }))?;
            }
        }
        let is_same = found.as_ref().map(|found| &found.text) == text.as_ref();
        Ok(ClientChange {
            text: text.filter(|_| !is_same),
            found,
            record: changes.first().copied().cloned().unwrap_or_default(),
        })
    }

    /// Writes a planned change. A file that Baleen made goes away when nothing is left in it.
    ///
    /// # Errors
    /// When the file was changed since the change was planned, or can't be written. It is then as it was.
    pub(super) fn write(&self, change: &ClientChange) -> Result<(), SettingsError> {
        let Some(text) = &change.text else {
            return Ok(());
        };
        let path = &self.file.path;
        let io = |error| SettingsError::Io(IoError::new("write", path, error));
        match &change.found {
            Some(found) if change.record.is_created && text == EMPTY => self.file.remove(found),
            Some(found) => self.file.replace(found, text),
            None => {
                let folder = path.parent().unwrap_or(path);
                fs::create_dir_all(folder).map_err(io)?;
                // Only the owner can access a temporary file, from the start.
                let mut file = tempfile::Builder::new()
                    .prefix(TEMP_PREFIX)
                    .tempfile_in(folder)
                    .map_err(io)?;
                file.write_all(text.as_bytes()).map_err(io)?;
                file.as_file().sync_all().map_err(io)?;
                match file.persist_noclobber(path) {
                    Ok(_) => Ok(()),
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                        Err(self.fault(FileFault::Changing))
                    }
                    Err(error) => Err(io(error.error)),
                }
            }
        }
    }

    /// Reads the file; nothing if there is no file.
    fn read(&self) -> Result<Option<Contents>, SettingsError> {
        match self.file.read() {
            Err(SettingsError::File {
                fault: FileFault::Missing,
                ..
            }) => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    fn fault(&self, fault: FileFault) -> SettingsError {
        SettingsError::File {
            path: self.file.path.clone(),
            fault,
        }
    }
}

/// Returns the values for a proxy, as JSON texts. An address of the Mac's loopback is the Mac's name in containers.
fn values(proxy: &EngineProxy) -> Vec<(&'static str, String)> {
    let address = |url: Option<&ProxyUrl>| {
        // Few programs know SOCKS proxies.
        let url = url.filter(|url| url.scheme() == Scheme::Http)?;
        let host = url.host();
        let bare = host.trim_matches(['[', ']']);
        let is_mac = bare.parse().is_ok_and(is_loopback) || host.eq_ignore_ascii_case("localhost");
        let host = if is_mac { MAC } else { host };
        Some(format!("http://{host}:{}", url.port()))
    };
    let list = ContainerList::of(proxy.no_proxy()).text;
    let (http, https) = (address(proxy.http()), address(proxy.https()));
    let list = (http.is_some() || https.is_some()).then_some(list);
    [
        ("httpProxy", http),
        ("httpsProxy", https),
        ("noProxy", list),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, serde_json::Value::from(value?).to_string())))
    .collect()
}

/// Puts the values for `proxy` into the default section, and into those for the daemon's own addresses.
fn set(
    text: &str,
    daemons: &[String],
    proxy: &EngineProxy,
    known: Option<&ContainersRecord>,
) -> Result<(String, ContainersRecord), FileFault> {
    let invalid = |invalid| FileFault::Invalid { invalid };
    let outer = JsonText::parse(text).map_err(invalid)?;
    let found = outer.get(PROXIES);
    let wanted = values(proxy);
    let mut record = known.cloned().unwrap_or_else(|| ContainersRecord {
        is_new: found.is_none(),
        ..ContainersRecord::default()
    });
    let mut proxies = found.unwrap_or("{}").to_owned();
    // What is not wanted any more, such as the address for a scheme that has no proxy now.
    let (kept, over): (Vec<_>, Vec<_>) = record
        .changes
        .drain(..)
        .partition(|change| wanted.iter().any(|(key, _)| *key == change.key));
    proxies = take_back_from(&proxies, &over, &record.new_sections).map_err(invalid)?;
    record.changes = kept;
    let sections: Vec<String> = {
        let json = JsonText::parse(&proxies).map_err(invalid)?;
        // A section for the daemon's own address replaces the default one whole.
        let own = daemons
            .iter()
            .filter(|daemon| json.get(daemon).is_some())
            .cloned();
        [DEFAULT.to_owned()].into_iter().chain(own).collect()
    };
    for section in sections.iter().filter(|_| !wanted.is_empty()) {
        let json = JsonText::parse(&proxies).map_err(invalid)?;
        let mut body = match json.get(section) {
            Some(body) => body.to_owned(),
            None => {
                if !record.new_sections.contains(section) {
                    record.new_sections.push(section.clone());
                }
                "{}".to_owned()
            }
        };
        for (key, value) in &wanted {
            let json = JsonText::parse(&body).map_err(invalid)?;
            let before = json.get(key).map(str::to_owned);
            let mut changes = record.changes.iter_mut();
            match changes.find(|it| it.section == *section && it.key == *key) {
                Some(change) => change.applied.clone_from(value),
                None if before.as_ref() == Some(value) => continue,
                None => {
                    if before.as_deref().is_some_and(|before| before.contains('@')) {
                        return Err(FileFault::HoldsPassword { key });
                    }
                    record.changes.push(Change {
                        section: section.clone(),
                        key: (*key).to_owned(),
                        before,
                        applied: value.clone(),
                    });
                }
            }
            body = json.with(key, value).map_err(invalid)?;
        }
        proxies = JsonText::parse(&proxies)
            .and_then(|json| json.with(section, &body))
            .map_err(invalid)?;
    }
    let new = with_proxies(&outer, &proxies, record.is_new).map_err(invalid)?;
    Ok((new, record))
}

/// Takes back what is still as Baleen put it.
fn take_back(text: &str, record: &ContainersRecord) -> Result<String, InvalidJson> {
    let outer = JsonText::parse(text)?;
    let Some(proxies) = outer.get(PROXIES) else {
        return Ok(text.to_owned());
    };
    // Not an object: someone else's.
    if JsonText::parse(proxies).is_err() {
        return Ok(text.to_owned());
    }
    let proxies = take_back_from(proxies, &record.changes, &record.new_sections)?;
    with_proxies(&outer, &proxies, record.is_new)
}

/// Returns the whole file with these proxies; without any if there is none left and `is_new` says that there was none.
fn with_proxies(outer: &JsonText<'_>, proxies: &str, is_new: bool) -> Result<String, InvalidJson> {
    match is_empty(proxies) && is_new {
        true => outer.without(PROXIES),
        false => outer.with(PROXIES, proxies),
    }
}

/// Takes these changes back from the proxies, the latest first.
fn take_back_from(
    proxies: &str,
    changes: &[Change],
    new_sections: &[String],
) -> Result<String, InvalidJson> {
    let mut proxies = proxies.to_owned();
    for change in changes.iter().rev() {
        let json = JsonText::parse(&proxies)?;
        let Some(body) = json.get(&change.section) else {
            continue;
        };
        let Ok(section) = JsonText::parse(body) else {
            continue;
        };
        if section.get(&change.key) != Some(&*change.applied) {
            continue;
        }
        let body = match &change.before {
            Some(before) => section.with(&change.key, before)?,
            None => section.without(&change.key)?,
        };
        proxies = match is_empty(&body) && new_sections.contains(&change.section) {
            true => json.without(&change.section)?,
            false => json.with(&change.section, &body)?,
        };
    }
    Ok(proxies)
}

/// Returns whether the object has no members.
fn is_empty(object: &str) -> bool {
    let members = object.trim_matches(['{', '}', ' ', '\n', '\t', '\r']);
    members.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::NoProxy;

    /// What `docker login` writes while a change is planned is not lost.
    #[test]
    fn a_file_that_changed_since_the_plan_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let client = ClientFile::of(home.path());
        let path = home.path().join(FILE);
        let planned = client.setting(&proxy("http://p:1"), None).unwrap();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let changing = |result| {
            assert!(
                matches!(
                    result,
                    Err(SettingsError::File {
                        fault: FileFault::Changing,
                        ..
                    })
                ),
                "{result:?}"
            );
        };
        for (before, login) in [("", "{\"auths\": {}}"), ("{}", "{\"auths\": {\"r\": {}}}")] {
            let planned = match before {
                "" => &planned,
                _ => {
                    fs::write(&path, before).unwrap();
                    &client.setting(&proxy("http://p:1"), None).unwrap()
                }
            };
            fs::write(&path, login).unwrap();
            changing(client.write(planned));
            assert_eq!(fs::read_to_string(&path).unwrap(), login);
        }
        fs::remove_file(&path).unwrap();
        client.write(&planned).unwrap();
        let left = client.taking_back(&[&planned.record]).unwrap();
        fs::write(&path, "{\"auths\": {}}").unwrap();
        changing(client.write(&left));
        assert!(path.exists());
    }

    fn proxy(url: &str) -> EngineProxy {
        let url = ProxyUrl::parse(url).unwrap();
        EngineProxy::new(Some(url.clone()), Some(url), NoProxy::default()).unwrap()
    }

    #[test]
    fn the_proxies_are_put_in_and_taken_out_without_a_trace() {
        let daemons = ["unix:///var/run/docker.sock".to_owned()];
        let own = "{\n\t\"auths\": {\"r.corp\": {}},\n\t\"credsStore\": \"desktop\",\n\t\"proxies\": {\n\t\t\"default\": {\n\t\t\t\"ftpProxy\": \"http://f:1\",\n\t\t\t\"httpProxy\": \"http://old:1\"\n\t\t},\n\t\t\"unix:///var/run/docker.sock\": {}\n\t}\n}\n";
        for text in ["{}", "{\n\t\"credsStore\": \"desktop\"\n}\n", own] {
            let (one, two) = (
                proxy("http://me:pw@127.0.0.1:3128"),
                proxy("http://proxy.corp:8080"),
            );
            let (first, record) = set(text, &daemons, &one, None).unwrap();
            assert!(
                first.contains("\"http://host.docker.internal:3128\"") && !first.contains("pw"),
                "{first}"
            );
            assert!(first.contains("\"localhost,127.0.0.1,::1\""), "{first}");
            let (again, same) = set(&first, &daemons, &one, Some(&record)).unwrap();
            assert_eq!((&again, &same), (&first, &record));
            let (second, record) = set(&first, &daemons, &two, Some(&record)).unwrap();
            assert!(
                second.contains("proxy.corp") && !second.contains(MAC),
                "{second}"
            );
            assert_eq!(take_back(&second, &record).unwrap(), text);
            // What someone else changed since stays.
            let changed = second.replacen("http://proxy.corp:8080", "http://mine:1", 1);
            assert!(
                take_back(&changed, &record)
                    .unwrap()
                    .contains("http://mine:1")
            );
            if text == own {
                assert_eq!(second.matches("\"noProxy\"").count(), 2, "{second}");
                assert!(second.contains("ftpProxy"));
            }
        }
        // A scheme whose proxy went away, or came to be one that few programs know, keeps nothing of it.
        let only = |scheme| {
            let url = ProxyUrl::of_parts(scheme, None, "p".to_owned(), 1);
            EngineProxy::new(None, Some(url), NoProxy::default()).unwrap()
        };
        let both = proxy("http://proxy.corp:8080");
        for text in ["{}", own] {
            let (first, record) = set(text, &daemons, &both, None).unwrap();
            let (second, record) =
                set(&first, &daemons, &only(Scheme::Http), Some(&record)).unwrap();
            assert!(!second.contains("proxy.corp"), "{second}");
            let (third, record) =
                set(&second, &daemons, &only(Scheme::Socks5), Some(&record)).unwrap();
            assert_eq!(third, text);
            assert_eq!(take_back(&third, &record).unwrap(), text);
            let (again, _) = set(&third, &daemons, &both, Some(&record)).unwrap();
            assert_eq!(again, first);
        }
        let secret = "{\"proxies\": {\"default\": {\"httpProxy\": \"http://a:b@p:1\"}}}";
        assert!(matches!(
            set(secret, &daemons, &proxy("http://p:1"), None),
            Err(FileFault::HoldsPassword { .. })
        ));
        assert!(set("{\"proxies\": []}", &daemons, &proxy("http://p:1"), None).is_err());
    }
}
