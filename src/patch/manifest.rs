//! What a patched image says about itself, in `etc/baleen.json` inside it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::proxy::{EngineProxy, RedactedProxy};

use super::digest::{OriginalSha, Sha};

/// The manifest's name in the image.
pub const MANIFEST: &str = "etc/baleen.json";

/// The format this version writes, and the newest that it knows in full.
const FORMAT: u32 = 1;

/// How an image is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A member behind the image.
    Append,
    /// The script's member written again.
    Rebuild,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Rebuild => "rebuild",
        })
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "append" => Ok(Self::Append),
            "rebuild" => Ok(Self::Rebuild),
            other => Err(format!("expected append or rebuild, found {other}")),
        }
    }
}

/// The manifest. Fields of a later version that keep the format number are passed over.
///
/// A later version that raises the number can say which readers need not care: its `readable_from` is the oldest format
/// whose readers find all they look for. What can be read so can also be restored, and patched again. Without that key,
/// only readers of the same format or a later one do; format 1 has no older readers, and no such key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Version of Baleen that wrote it.
    pub baleen: String,
    /// How the image was patched.
    pub method: Method,
    /// The image without the patch.
    pub original: Original,
    /// The proxy the engine gets, passwords left out.
    pub proxy: RedactedProxy,
    /// Digest of the block in the script, so that another password is seen as another proxy.
    pub block_sha256: Sha,
}

/// The image as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: OriginalSha,
    /// Its permissions, to be given back.
    pub mode: u32,
}

impl Manifest {
    /// The manifest for a patch with `block`.
    pub fn new(method: Method, original: Original, proxy: &EngineProxy, block: &str) -> Self {
        Self {
            format: FORMAT,
            baleen: env!("CARGO_PKG_VERSION").to_owned(),
            method,
            original,
            proxy: proxy.shown(),
            block_sha256: Sha::of(block.as_bytes()),
        }
    }

    /// The bytes for the image.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text.into_bytes()
    }

    /// Reads what [`Self::to_bytes`] wrote, in this version, an older one, or a newer one that says that it can be read.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] when a Baleen too new wrote it, or it is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
            baleen: String,
            readable_from: Option<u32>,
        }
        let damaged = |error: serde_json::Error| {
            Error::new(
                Kind::Unsupported,
                format!("Baleen's manifest in the image ({MANIFEST}) is damaged: {error}"),
            )
            .with_hint("install Docker again to have its own image back")
        };
        let found: Versioned = serde_json::from_slice(bytes).map_err(damaged)?;
        let is_readable = |oldest: u32| (1..=FORMAT).contains(&oldest);
        match found.format {
            FORMAT => serde_json::from_slice(bytes).map_err(damaged),
            newer if newer > FORMAT && found.readable_from.is_some_and(is_readable) => {
                serde_json::from_slice(bytes).map_err(damaged)
            }
            other => Err(Error::new(
                Kind::Unsupported,
                format!(
                    "the image was patched by Baleen {} in format {other}, but this version reads format {FORMAT}",
                    found.baleen
                ),
            )
            .with_hint("use that version of Baleen or a newer one")),
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
        Manifest::new(Method::Append, original, &proxy, "block")
    }

    #[test]
    fn it_is_read_as_it_was_written_and_holds_no_password() {
        let bytes = manifest().to_bytes();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
        assert!(!String::from_utf8(bytes).unwrap().contains("s3cret"));
    }

    /// What is in images out there has to be read for ever, so its form is not left to how the fields are called today.
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
            // There is no such format, and never was.
            (r#""format": 2, "readable_from": 0,"#, 2),
            (r#""format": 0,"#, 0),
            (r#""format": 0, "readable_from": 1,"#, 0),
        ] {
            let error = Manifest::parse(with(head).as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Unsupported, "{head}");
            let words = format!("in format {format}, but this version reads format 1");
            assert!(error.to_string().contains(&words), "{error}");
            let advice = "use that version of Baleen or a newer one";
            assert_eq!(error.hint(), Some(advice), "{head}");
        }
        // It says that all is in it that this version looks for, and then it is not.
        let head = r#""format": 2, "readable_from": 1,"#;
        for damage in [
            with(head).replace("original", "origin"),
            with(r#""format": 2, "readable_from": "1","#),
            "{".to_owned(),
        ] {
            let error = Manifest::parse(damage.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Unsupported, "{damage}");
            assert!(error.to_string().contains("is damaged"), "{error}");
        }
    }
}
