//! Verification of a boot image: every byte is read, and every digest is checked.

use crate::backend::{OnProgress, Progress, Step, Unpatched};
use crate::initrd::{FileRange, ProgressReader, append, find, rebuild};

use super::apply::manifest_file;
use super::contents::{Contents, read_and_hash};
use super::error::{Difference, PatchError, Result};
use super::image::{Image, Patched, REBUILT, unmarked};
use super::manifest::MANIFEST;
use super::original_source::source;
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT, Script};
use crate::digest::{OriginalSha, Sha};

/// Reads a stock image in full and refuses it for the same reasons as a patch would. Returns its
/// digest and the proxy that someone set in it by hand, if any.
pub(crate) fn read_stock(
    image: &Image,
    report: OnProgress<'_>,
) -> Result<(OriginalSha, Unpatched)> {
    let progress = verifying(image, report);
    let (_, contents, sha) =
        read_and_hash((image.file(), image.path()), image.length(), &progress)?;
    let (_, text, _) = contents.usable(image.path())?;
    let script = Script::parse(&text)?;
    if script.block().is_some() {
        return Err(unmarked(image));
    }
    Ok((OriginalSha(sha), Unpatched::of(&script, image.path())))
}

/// Reports the number of bytes of the image that were read.
fn verifying<'a>(image: &Image, report: OnProgress<'a>) -> impl Fn(u64) + 'a {
    let total = image.length();
    move |done| {
        report(Progress {
            step: Step::Verifying,
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
pub(crate) fn verify(image: &Image, patched: &Patched, report: OnProgress<'_>) -> Result<()> {
    let Some(manifest) = patched.manifest() else {
        return Ok(());
    };
    let original = &manifest.original;
    let refuse = |difference| {
        let image = image.path().to_owned();
        Err(PatchError::NotAsPatched { image, difference })
    };
    let script = find_script(image, report)?;
    let block = Script::parse(&script)?
        .block()
        .map(<[u8]>::to_vec)
        .unwrap_or_default();
    if Sha::of(&block) != manifest.block_sha256 {
        return refuse(Difference::Proxy);
    }

    let source = source(image, patched)?;
    let sha = Sha::of_file(&source.file, original.bytes)
        .map_err(|error| PatchError::file("read", &source.path, error))?;
    if sha != original.sha256.0 {
        return refuse(Difference::Original {
            path: source.path,
            expected: original.sha256,
            found: sha,
        });
    }
    let section = FileRange::new(&source.file, 0, original.bytes);
    let (_, contents) = Contents::read(section.clone())
        .map_err(|error| PatchError::damaged(&source.path, error))?;
    let (entry, stock, after) = contents.usable(&source.path)?;
    let stock = Script::parse(&stock)?;
    let expected = stock.with_block(&String::from_utf8_lossy(&block), true)?;
    if script != expected {
        return refuse(Difference::Script);
    }
    if let Patched::Rebuilt { .. } = patched {
        let (_, manifest_entry) = find::find(image.section(), MANIFEST.as_bytes(), MAX_SCRIPT_LEN)
            .map_err(|error| image.damaged(error))?;
        let body = manifest_entry
            .and_then(|found| found.body)
            .unwrap_or_default();
        let added = append::entry(&manifest_file(&body, &entry.header))
            .map_err(|error| image.unreadable(error))?;
        let edit = rebuild::Edit {
            entry: entry.number,
            body: &script,
            added: &added,
            after,
            label: REBUILT,
        };
        if let Err(error) = rebuild::compare(section, image.section(), &edit, &|_| {}) {
            return refuse(Difference::Entries(error));
        }
    }
    Ok(())
}
