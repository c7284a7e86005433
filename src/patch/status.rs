//! The state of a bundle, as one word and one sentence.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::docker::Bundle;
use crate::docker::bundle_file_error;
use crate::error::{Error, Face, Kind, Result};
use crate::initrd::{FileRange, ProgressReader, append, find, rebuild};
use crate::proxy::{EngineProxy, RedactedProxy};

use super::apply::manifest_file;
use super::contents::{Contents, read_and_hash};
use super::digest::{OriginalSha, Sha};
use super::image::{Image, Patched, REBUILT, damaged, image_of, unmarked};
use super::intent::{Intent, Intents};
use super::manifest::{MANIFEST, Method};
use super::original::Unpatched;
use super::original_source::source;
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT, Script};
use super::{OnProgress, Progress};

/// The state of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The image is stock, and the user asked for nothing else.
    Off,
    /// The image is patched with the wanted proxy.
    Current,
    /// The user wants the proxy, but this Mac uses none now, and the image is stock.
    Direct,
    /// The image is patched with another proxy.
    Stale,
    /// The image is stock although the user asked for the proxy: an update of Docker installed its
    /// own image.
    Wiped,
    /// Someone else put a proxy into the script.
    Foreign,
    /// The image is incomplete, or is changing.
    Updating,
    /// Baleen does not patch this bundle or this image.
    Unsupported,
    /// The system does not let Baleen read the image.
    NotPermitted,
    /// There is no Docker.app.
    NoDocker,
    /// The image has the proxy, but the running engine started before it had. Only a program that
    /// watches Docker can detect this state.
    RestartNeeded,
}

impl State {
    /// All states.
    pub const ALL: [Self; 11] = [
        Self::Off,
        Self::Current,
        Self::Direct,
        Self::Stale,
        Self::Wiped,
        Self::Foreign,
        Self::Updating,
        Self::Unsupported,
        Self::NotPermitted,
        Self::NoDocker,
        Self::RestartNeeded,
    ];

    /// Returns the word for this state in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Current => "current",
            Self::Direct => "direct",
            Self::Stale => "stale",
            Self::Wiped => "wiped",
            Self::Foreign => "foreign",
            Self::Updating => "updating",
            Self::Unsupported => "unsupported",
            Self::NotPermitted => "not-permitted",
            Self::NoDocker => "no-docker",
            Self::RestartNeeded => "restart-needed",
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// The state of a bundle, and the facts that it was derived from.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub state: State,
    /// The state in one sentence.
    pub sentence: String,
    /// The action to take now, if any.
    pub advice: Option<String>,
    /// The bundle, as far as it could be read.
    pub docker: Option<Bundle>,
    /// The image, as far as it could be read.
    pub image: Option<ImageFacts>,
    /// The proxy that the image sets by Baleen's patch.
    pub proxy: Option<RedactedProxy>,
    /// The proxy that someone else set in an image without Baleen's patch, if the script was
    /// checked.
    pub unpatched: Unpatched,
}

/// The known facts about an image.
#[derive(Debug, Clone, Serialize)]
pub struct ImageFacts {
    /// The path of the image.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// Digest of the image without the patch: from the manifest, or for a stock image, computed on
    /// request.
    pub original_sha256: Option<OriginalSha>,
    /// The patch method.
    pub method: Option<Method>,
}

/// The proxy that should be in place.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// Unknown, so it is not compared.
    Unknown,
    /// No proxy: this Mac uses none now.
    Direct,
    /// This proxy.
    Proxy(&'a EngineProxy),
}

/// The parameters of a status query.
#[derive(Debug, Clone, Copy)]
pub struct StatusQuery<'a> {
    /// The proxy that should be in place.
    pub expected: Expected<'a>,
    /// The user's intent for this bundle, if known.
    pub intent: Option<Intent>,
    /// Read every byte and verify every digest, instead of only checking both ends of the image.
    pub verify: bool,
}

/// Returns the status when there is no bundle.
pub(crate) fn without_docker(error: &Error) -> Status {
    Status {
        state: State::NoDocker,
        sentence: error.to_string(),
        advice: error.hint(Face::CommandLine),
        docker: None,
        image: None,
        proxy: None,
        unpatched: Unpatched::Unchecked,
    }
}

/// Returns the status of the bundle at `path`. A reason that forbids a patch is a state, not an
/// error.
pub fn status(path: &Path, query: StatusQuery<'_>, report: OnProgress<'_>) -> Status {
    let mut status = Status {
        state: State::Off,
        sentence: String::new(),
        advice: None,
        docker: None,
        image: None,
        proxy: None,
        unpatched: Unpatched::Unchecked,
    };
    match read_state(path, query, report, &mut status) {
        Ok((state, sentence, advice)) => {
            status.state = state;
            status.sentence = sentence;
            status.advice = advice;
        }
        Err(error) => {
            status.state = match error.kind() {
                Kind::Busy => State::Updating,
                Kind::NotPermitted => State::NotPermitted,
                _ => State::Unsupported,
            };
            status.sentence = error.to_string();
            status.advice = error.hint(Face::CommandLine);
        }
    }
    status
}

/// Completes a status with what Baleen remembers of the image that it restored in the bundle at
/// `path`: that image may set a proxy by hand. The image does not have to be read again.
#[must_use]
pub(crate) fn with_history(mut status: Status, path: &Path, intents: &Intents) -> Status {
    let is_unread = status.unpatched == Unpatched::Unchecked
        && matches!(status.state, State::Off | State::Direct | State::Wiped);
    let image = status.image.as_ref().filter(|_| is_unread);
    if let Some(image) = image.and_then(|facts| Image::open(&facts.path).ok()) {
        status.unpatched = intents.original(path, &image);
        if let Some(line) = status.unpatched.by_hand() {
            (status.state, status.sentence, status.advice) =
                foreign_verdict(line, &status.unpatched);
        }
    }
    status
}

fn foreign_verdict(line: &str, found: &Unpatched) -> Verdict {
    (
        State::Foreign,
        format!("the boot image carries a proxy that was not put there by Baleen ({line})"),
        Some(format!(
            "`baleen apply --adopt` takes it over; {}",
            found.way_out().unwrap_or_default()
        )),
    )
}

type Verdict = (State, String, Option<String>);

fn read_state(
    path: &Path,
    query: StatusQuery<'_>,
    report: OnProgress<'_>,
    status: &mut Status,
) -> Result<Verdict> {
    let bundle = status.docker.insert(Bundle::read(path)?);
    let image = Image::open(image_of(bundle)?)?;
    let facts = status.image.insert(ImageFacts {
        path: image.path().to_owned(),
        bytes: image.length(),
        original_sha256: None,
        method: None,
    });
    let patched = image.patched()?;
    let Some(manifest) = patched.manifest() else {
        if query.verify {
            let (sha, found) = read_stock(&image, report)?;
            facts.original_sha256 = Some(OriginalSha(sha));
            status.unpatched = found;
            if let Some(line) = status.unpatched.by_hand() {
                return Ok(foreign_verdict(line, &status.unpatched));
            }
        }
        let intent = query.intent.filter(|&intent| intent != Intent::Off);
        return Ok(if let Some(intent) = intent {
            if let Expected::Direct = query.expected {
                return Ok((
                    State::Direct,
                    "this computer uses no proxy now, and neither does the engine".to_owned(),
                    None,
                ));
            }
            (
                State::Wiped,
                format!(
                    "Docker {} has {} again, without the proxy",
                    bundle.version,
                    match status.unpatched {
                        Unpatched::Clean => "its own boot image",
                        _ => "a boot image without Baleen's patch",
                    }
                ),
                Some(
                    match intent {
                        Intent::Named => {
                            "`baleen apply` with the same proxy as before puts it back"
                        }
                        _ => "`baleen apply` puts it back",
                    }
                    .to_owned(),
                ),
            )
        } else {
            let sentence = if query.verify {
                "unmodified: there is no proxy in Docker's boot image"
            } else {
                "not patched by Baleen"
            };
            (State::Off, sentence.to_owned(), None)
        });
    };
    facts.original_sha256 = Some(manifest.original.sha256);
    facts.method = Some(manifest.method);
    status.proxy = Some(manifest.proxy.clone());
    if query.verify {
        verify(&image, &patched, report)?;
    }
    let in_place = manifest.proxy.summary();
    const UPDATE: &str = "`baleen apply`, with the same options as here, brings it up to date";
    match query.expected {
        Expected::Proxy(proxy)
            if Sha::of(script::block(proxy).as_bytes()) != manifest.block_sha256 =>
        {
            let difference = manifest.proxy.difference(&proxy.shown());
            return Ok((
                State::Stale,
                format!("the engine gets {in_place}, but {difference}"),
                Some(UPDATE.to_owned()),
            ));
        }
        Expected::Direct => {
            return Ok((
                State::Stale,
                format!("the engine gets {in_place}, but this computer uses no proxy now"),
                Some(UPDATE.to_owned()),
            ));
        }
        Expected::Proxy(_) | Expected::Unknown => {}
    }
    Ok((State::Current, format!("the engine gets {in_place}"), None))
}

/// Reads a stock image in full and refuses it for the same reasons as a patch would. Returns its
/// digest and the proxy that someone set in it by hand, if any.
fn read_stock(image: &Image, report: OnProgress<'_>) -> Result<(Sha, Unpatched)> {
    let progress = verifying(image, report);
    let (_, contents, sha) =
        read_and_hash((image.file(), image.path()), image.length(), &progress)?;
    let (_, text, _) = contents.usable(image.path())?;
    let script = Script::parse(&text)?;
    if script.block().is_some() {
        return Err(unmarked(image));
    }
    Ok((sha, Unpatched::of(&script, image.path())))
}

/// Reports the number of bytes of the image that were read.
fn verifying<'a>(image: &Image, report: OnProgress<'a>) -> impl Fn(u64) + 'a {
    let total = image.length();
    move |done| {
        report(Progress {
            step: "verifying",
            done,
            total,
        });
    }
}

/// Returns the script that the kernel ends up with. Reads the whole image.
pub(super) fn find_script(image: &Image, report: OnProgress<'_>) -> Result<script::SecretBytes> {
    let progress = verifying(image, report);
    let section = ProgressReader::new(image.section(), &progress);
    let (_, found) = find::find(section, SCRIPT.as_bytes(), MAX_SCRIPT_LEN)
        .map_err(|error| image.damaged(error))?;
    let body = found.and_then(|found| found.body);
    Ok(body.unwrap_or_default().into())
}

/// Verifies everything that the manifest says: the image is its original with exactly this proxy in
/// its script, and nothing else differs.
fn verify(image: &Image, patched: &Patched, report: OnProgress<'_>) -> Result<()> {
    let Some(manifest) = patched.manifest() else {
        return Ok(());
    };
    let original = &manifest.original;
    let refuse = |what: String| {
        Err(Error::new(
            Kind::Unsupported,
            format!("the boot image {} {what}", image.path().display()),
        )
        .with_hint("`baleen restore` gives the original back if its backup is whole; else install Docker again"))
    };
    let script = find_script(image, report)?;
    let block = Script::parse(&script)?
        .block()
        .map(<[u8]>::to_vec)
        .unwrap_or_default();
    if Sha::of(&block) != manifest.block_sha256 {
        return refuse("does not hold the proxy that its manifest names".to_owned());
    }

    let source = source(image, patched)?;
    let sha = Sha::of_file(&source.file, original.bytes)
        .map_err(|error| bundle_file_error("read", &source.path, &error))?;
    if sha != original.sha256.0 {
        return refuse(format!(
            "should have an original with the digest {}, but {} has {sha}",
            original.sha256,
            source.path.display()
        ));
    }
    let section = FileRange::new(&source.file, 0, original.bytes);
    let (_, contents) =
        Contents::read(section.clone()).map_err(|error| damaged(&source.path, error))?;
    let (entry, stock, after) = contents.usable(&source.path)?;
    let stock = Script::parse(&stock)?;
    let expected = stock.with_block(&String::from_utf8_lossy(&block), true)?;
    if script != expected {
        return refuse(format!(
            "has a /{SCRIPT} that differs from the original in more than the proxy"
        ));
    }
    if let Patched::Rebuilt { .. } = patched {
        let (_, manifest_entry) = find::find(image.section(), MANIFEST.as_bytes(), MAX_SCRIPT_LEN)
            .map_err(|error| image.damaged(error))?;
        let body = manifest_entry
            .and_then(|found| found.body)
            .unwrap_or_default();
        let added = append::entry(&manifest_file(&body, &entry.header))
            .map_err(|error| image.unreadable(&error))?;
        let edit = rebuild::Edit {
            entry: entry.number,
            body: &script,
            added: &added,
            after,
            label: REBUILT,
        };
        if let Err(error) = rebuild::compare(section, image.section(), &edit, &|_| {}) {
            return refuse(format!("is not its original with the proxy in it: {error}"));
        }
    }
    Ok(())
}
