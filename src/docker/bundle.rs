//! A Docker.app on disk: finding it, and reading its `Info.plist` and the files of its VM.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Fix, Kind, Result};
use crate::property_list;

use super::{Family, bundle_file_error};

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
    /// [`Kind::Unsupported`] when it is not a Docker.app. [`Kind::Busy`] when it is incomplete, as
    /// during an update.
    pub fn read(path: &Path) -> Result<Self> {
        let named = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path = path
            .canonicalize()
            .map_err(|error| bundle_file_error("find", path, &error))?;
        let plist = Self::info_plist(&path);
        // Reading a FIFO would block.
        if fs::metadata(&plist).is_ok_and(|found| !found.is_file()) {
            return Err(no_info(&path, "it is not a file"));
        }
        let info = match property_list::read(&plist) {
            Ok(read) => {
                read.map_err(|why| no_info(&path, &format!("it is no property list: {why}")))?
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Err(no_info(&path, "it is not there"));
            }
            Err(error) => return Err(bundle_file_error("read", &plist, &error)),
        };
        let text = |key: &str| {
            info.as_dictionary()
                .and_then(|dictionary| dictionary.get(key))
                .and_then(plist::Value::as_string)
        };
        match text("CFBundleIdentifier") {
            Some(BUNDLE_ID) => {}
            other => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "{} is not Docker for Mac: its bundle identifier should be {BUNDLE_ID}, but is {}",
                        path.display(),
                        other.unwrap_or("missing")
                    ),
                )
                .with_hint(CHOOSE));
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

    /// Returns the reason why Baleen does not change this Docker, or `None` if Baleen patches its
    /// boot image.
    pub fn refusal(&self) -> Option<Error> {
        let docker = format!("Docker {}", self.version);
        if let Some((own, advice)) = self.family.own_settings(&docker).zip(self.family.advice()) {
            let error = Error::new(Kind::Unsupported, own).with_hint(advice);
            return Some(error.with_fix(Fix::DockerSettings));
        }
        let why = self.family.refusal()?;
        Some(Error::new(
            Kind::Unsupported,
            format!("{docker} at {} is not patched: {why}", self.path.display()),
        ))
    }

    /// Returns the path of the bundle's `Info.plist`.
    pub fn info_plist(path: &Path) -> PathBuf {
        path.join("Contents/Info.plist")
    }
}

const CHOOSE: &str = "name Docker.app with --docker-app PATH, in BALEEN_DOCKER_APP, or once and for all with `baleen config set docker_app PATH`";

fn no_info(path: &Path, found: &str) -> Error {
    if !path.join("Contents").is_dir() {
        return Error::new(
            Kind::Unsupported,
            format!(
                "{} is not an app: it should hold Contents/Info.plist, but has no Contents folder",
                path.display()
            ),
        )
        .with_hint(CHOOSE);
    }
    Error::new(
        Kind::Busy,
        format!(
            "{} has no usable Contents/Info.plist: {found}",
            path.display()
        ),
    )
    .with_hint("if Docker is being updated, try again when that is done; else install Docker again")
}

/// Returns the default places of Docker.app.
pub(crate) fn default_places(home: Option<&Path>) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/Applications/Docker.app")];
    places.extend(home.map(|home| home.join("Applications/Docker.app")));
    places
}

/// Returns the path of the bundle: `chosen` if it is set, otherwise the first of `places` that
/// exists. `None` if none exists.
///
/// # Errors
/// When `chosen` does not exist. The user chose it, so no other bundle replaces it.
pub fn find(chosen: Option<&Path>, places: &[PathBuf]) -> Result<Option<PathBuf>> {
    match chosen {
        Some(path) if path.exists() => Ok(Some(path.to_owned())),
        Some(path) => Err(Error::new(
            Kind::Unsupported,
            format!("there is no Docker.app at {}", path.display()),
        )
        .with_hint(
            "check the path given with --docker-app, in BALEEN_DOCKER_APP or in the config file",
        )),
        None => Ok(places.iter().find(|place| place.exists()).cloned()),
    }
}

/// The error for no bundle in the default places.
pub(crate) fn not_found(places: &[PathBuf]) -> Error {
    let listed: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
    Error::new(
        Kind::Unsupported,
        format!("found no Docker.app (looked for {})", listed.join(" and ")),
    )
    .with_hint(CHOOSE)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("com.example.app"), "{error}");

        let error = Bundle::read(tempfile::tempdir().unwrap().path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("no Contents folder"), "{error}");
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
            assert_eq!(Bundle::read(dir.path()).unwrap_err().kind(), Kind::Busy);
            fs::remove_file(Bundle::info_plist(dir.path())).unwrap();
            assert_eq!(Bundle::read(dir.path()).unwrap_err().kind(), Kind::Busy);
        }
    }

    #[test]
    fn a_chosen_place_is_never_replaced_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let places = [dir.path().join("a"), dir.path().to_owned()];
        assert_eq!(find(None, &places).unwrap().as_deref(), Some(dir.path()));
        assert_eq!(find(None, &places[..1]).unwrap(), None);
        assert!(find(Some(&places[0]), &places).is_err());
    }
}
