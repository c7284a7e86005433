//! A Docker.app on disk: finding it, and reading its `Info.plist` and the files of its VM.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::property_list;

use super::{BundleError, Family, InfoError, NotPatched};

/// `CFBundleIdentifier` of Docker for Mac, in all its versions.
pub(super) const BUNDLE_ID: &str = "com.docker.docker";

/// A Docker.app on disk, at the moment it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Path of the bundle, with links resolved.
    pub path: PathBuf,
    /// Path of the bundle as it was named or found.
    pub named: PathBuf,
    /// `CFBundleShortVersionString`, as in `17.06.0-ce-mac18`.
    pub version: String,
    /// `CFBundleVersion`.
    pub build: String,
    /// The family of its VM.
    pub family: Family,
}

impl Bundle {
    /// Reads the bundle at `path`.
    ///
    /// # Errors
    /// When it is not a Docker.app, is incomplete, as during an update, or can't be read.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let named = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path = path
            .canonicalize()
            .map_err(|error| BundleError::file("find", path, &error))?;
        let plist = Self::info_plist(&path);
        // Reading a FIFO would block.
        if fs::metadata(&plist).is_ok_and(|found| !found.is_file()) {
            return Err(no_info(path, InfoError::NotAFile));
        }
        let info = match property_list::read(&plist) {
            Ok(Ok(info)) => info,
            Ok(Err(why)) => return Err(no_info(path, InfoError::NotAPropertyList(why))),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Err(no_info(path, InfoError::Missing));
            }
            Err(error) => return Err(BundleError::file("read", &plist, &error)),
        };
        let text = |key: &str| {
            info.as_dictionary()
                .and_then(|dictionary| dictionary.get(key))
                .and_then(plist::Value::as_string)
        };
        match text("CFBundleIdentifier") {
            Some(BUNDLE_ID) => {}
            other => {
                let id = other.map(str::to_owned);
                return Err(BundleError::OtherApp { path, id });
            }
        }
        let version = text("CFBundleShortVersionString").unwrap_or("unknown");
        let build = text("CFBundleVersion").unwrap_or("unknown");
        Ok(Self {
            version: version.to_owned(),
            build: build.to_owned(),
            family: Family::of(&path.join("Contents/Resources")),
            path,
            named,
        })
    }

    /// Returns the reason why Baleen does not change this Docker, if so.
    pub fn refusal(&self) -> Option<NotPatched> {
        Some(NotPatched::UnknownVm {
            version: self.version.clone(),
            path: self.path.clone(),
            source: self.family.unknown_vm()?,
        })
    }

    /// Returns the path of the bundle's `Info.plist`.
    pub fn info_plist(path: &Path) -> PathBuf {
        path.join("Contents/Info.plist")
    }
}

fn no_info(path: PathBuf, source: InfoError) -> BundleError {
    match path.join("Contents").is_dir() {
        true => BundleError::Info { path, source },
        false => BundleError::NotAnApp { path },
    }
}

/// Returns the default places of Docker.app.
pub(crate) fn default_places(home: Option<&Path>) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/Applications/Docker.app")];
    places.extend(home.map(|home| home.join("Applications/Docker.app")));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, Kind};

    fn bundle(info: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("Contents")).unwrap();
        fs::write(Bundle::info_plist(dir.path()), info).unwrap();
        dir
    }

    fn info(id: &str) -> plist::Value {
        let mut dictionary = plist::Dictionary::new();
        for (key, value) in [
            ("CFBundleIdentifier", id),
            ("CFBundleShortVersionString", "1.12.0-beta21"),
            ("CFBundleVersion", "10868"),
        ] {
            dictionary.insert(key.into(), value.into());
        }
        dictionary.into()
    }

    #[test]
    fn both_kinds_of_property_list_are_read() {
        let mut xml = Vec::new();
        info(BUNDLE_ID).to_writer_xml(&mut xml).unwrap();
        let mut binary = Vec::new();
        info(BUNDLE_ID).to_writer_binary(&mut binary).unwrap();
        for bytes in [xml, binary] {
            let dir = bundle(&bytes);
            let read = Bundle::read(dir.path()).unwrap();
            assert_eq!((&*read.version, &*read.build), ("1.12.0-beta21", "10868"));
            assert_eq!(read.family, Family::Unknown(vec![]));
        }
    }

    #[test]
    fn what_is_not_docker_is_refused_with_what_was_found() {
        let mut other = Vec::new();
        info("com.example.app").to_writer_xml(&mut other).unwrap();
        let error = Bundle::read(bundle(&other).path()).unwrap_err();
        assert!(
            matches!(&error, BundleError::OtherApp { id: Some(id), .. } if id == "com.example.app"),
            "{error}"
        );
        let error = Bundle::read(tempfile::tempdir().unwrap().path()).unwrap_err();
        assert!(matches!(error, BundleError::NotAnApp { .. }), "{error}");
    }

    #[test]
    fn a_bundle_without_a_whole_info_plist_may_be_in_the_middle_of_an_update() {
        let deep = [
            &b"<plist>"[..],
            &b"<array>".repeat(60_000),
            &b"</array>".repeat(60_000),
            b"</plist>",
        ]
        .concat();
        let cut = b"<?xml version=\"1.0\"?><plist><dict><key>CFBun";
        for damaged in [&b""[..], cut, &deep] {
            let dir = bundle(damaged);
            let read = || Bundle::read(dir.path()).unwrap_err();
            assert!(matches!(
                read(),
                BundleError::Info {
                    source: InfoError::NotAPropertyList(_),
                    ..
                }
            ));
            assert_eq!(read().kind(), Kind::Busy);
            fs::remove_file(Bundle::info_plist(dir.path())).unwrap();
            assert!(matches!(
                read(),
                BundleError::Info {
                    source: InfoError::Missing,
                    ..
                }
            ));
        }
    }
}
