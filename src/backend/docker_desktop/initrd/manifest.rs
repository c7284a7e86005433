//! The manifest of a patched image: `etc/baleen.json` inside the image.

use serde::{Deserialize, Serialize};

use crate::config::Method;
use crate::proxy::{EngineProxy, RedactedProxy};

use super::error::{PatchError, Result};
use crate::digest::{OriginalSha, Sha};

/// The path of the manifest in the image.
pub const MANIFEST: &str = "etc/baleen.json";

/// The format that this version writes, and the newest that it knows completely.
const FORMAT: u32 = 1;

/// The manifest. Unknown fields, which a later version may add without a new format number, are
/// ignored.
///
/// A later version that raises the format number can declare the manifest readable by older
/// versions: `readable_from` is the oldest format whose readers find every field they need. An
/// image with a readable manifest can also be restored, and patched again. Without that key, only
/// readers of the same format or a later one can read the manifest. Format 1 has no older readers
/// and no such key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest format.
    pub format: u32,
    /// Version of Baleen that wrote the manifest.
    pub baleen: String,
    /// The patch method.
    pub method: Method,
    /// The image without the patch.
    pub original: Original,
    /// The proxy that the engine gets, without passwords.
    pub proxy: RedactedProxy,
    /// Digest of the block in the script. A changed password changes it, so it counts as another
    /// proxy.
    pub block_sha256: Sha,
    /// Digest of the script without the block, and of its header. While it is right, another proxy can be put into this
    /// script, and the original does not have to be unpacked again. Older versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_sha256: Option<Sha>,
}

/// The image without the patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// Length in bytes.
    pub bytes: u64,
    /// Digest of the image.
    pub sha256: OriginalSha,
    /// Permissions of the image, which a restoration sets again.
    pub mode: u32,
}

impl Manifest {
    /// Creates the manifest of a patch with `block`.
    pub fn new(
        method: Method,
        original: Original,
        proxy: &EngineProxy,
        block: &str,
        script: Option<Sha>,
    ) -> Self {
        Self {
            format: FORMAT,
            baleen: env!("CARGO_PKG_VERSION").to_owned(),
            method,
            original,
            proxy: proxy.shown(),
            block_sha256: Sha::of(block.as_bytes()),
            script_sha256: script,
        }
    }

    /// Returns the bytes to store in the image.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text.into_bytes()
    }

    /// Reads a manifest that `to_bytes` wrote in this version, an older one, or a newer one
    /// that declares itself readable.
    ///
    /// # Errors
    /// [`PatchError::Manifest`] when the manifest is damaged, [`PatchError::ManifestFormat`] when its format is too new.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
            baleen: String,
            readable_from: Option<u32>,
        }
        let damaged = PatchError::Manifest;
        let found: Versioned = serde_json::from_slice(bytes).map_err(damaged)?;
        let is_readable = |oldest: u32| (1..=FORMAT).contains(&oldest);
        match found.format {
            FORMAT => serde_json::from_slice(bytes).map_err(damaged),
            newer if newer > FORMAT && found.readable_from.is_some_and(is_readable) => {
                serde_json::from_slice(bytes).map_err(damaged)
            }
            format => Err(PatchError::ManifestFormat {
                baleen: found.baleen,
                format,
                known: FORMAT,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{NoProxy, ProxyUrl};

    fn manifest() -> Manifest {
        let url = ProxyUrl::parse("http://me:s3cret@p:1").unwrap();
        let proxy = EngineProxy::new(Some(url.clone()), Some(url), NoProxy::default()).unwrap();
        let original = Original {
            bytes: 7,
            sha256: OriginalSha(Sha::of(b"x")),
            mode: 0o644,
        };
        Manifest::new(Method::Append, original, &proxy, "block", None)
    }

    #[test]
    fn it_is_read_as_it_was_written_and_holds_no_password() {
        let bytes = manifest().to_bytes();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
        assert!(!String::from_utf8(bytes).unwrap().contains("s3cret"));
    }

    /// Existing images must stay readable, so this test pins the format independently of the field
    /// names in the code.
    #[test]
    fn the_bytes_of_format_1_are_these() {
        let text = r#"{
  "format": 1,
  "baleen": "VERSION",
  "method": "append",
  "original": {
    "bytes": 7,
    "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
    "mode": 420
  },
  "proxy": {
    "http": "http://me:***@p:1",
    "https": "http://me:***@p:1",
    "no_proxy": "localhost,127.0.0.1"
  },
  "block_sha256": "496aca80e4d8f29fb8e8cd816c3afb48d3f103970b3a2ee1600c08ca67326dee"
}
"#;
        let text = text.replace("VERSION", env!("CARGO_PKG_VERSION"));
        assert_eq!(String::from_utf8(manifest().to_bytes()).unwrap(), text);
    }

    #[test]
    fn a_newer_format_is_read_when_it_says_so_and_refused_by_name_otherwise() {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        let with = |head: &str| text.replace("\"format\": 1,", head);
        for head in [
            r#""format": 2, "readable_from": 1,"#,
            r#""format": 7, "readable_from": 1, "more": {"a": [1]},"#,
        ] {
            let read = Manifest::parse(with(head).as_bytes()).unwrap();
            let format = read.format;
            assert!(format > 1, "{head}");
            assert_eq!(Manifest { format: 1, ..read }, manifest(), "{head}");
        }
        for (head, format) in [
            (r#""format": 2,"#, 2),
            (r#""format": 2, "readable_from": null,"#, 2),
            (r#""format": 3, "readable_from": 2,"#, 3),
            // Format 0 never existed.
            (r#""format": 2, "readable_from": 0,"#, 2),
            (r#""format": 0,"#, 0),
            (r#""format": 0, "readable_from": 1,"#, 0),
        ] {
            let error = Manifest::parse(with(head).as_bytes()).unwrap_err();
            let PatchError::ManifestFormat {
                format: found,
                known,
                ..
            } = error
            else {
                panic!("{head}: {error}");
            };
            assert_eq!((found, known), (format, 1), "{head}");
        }
        // The manifest claims to have every field that this version needs, but lacks one.
        let head = r#""format": 2, "readable_from": 1,"#;
        for damage in [
            with(head).replace("original", "origin"),
            with(r#""format": 2, "readable_from": "1","#),
            "{".to_owned(),
        ] {
            let error = Manifest::parse(damage.as_bytes()).unwrap_err();
            assert!(matches!(error, PatchError::Manifest(_)), "{error}");
        }
    }
}
