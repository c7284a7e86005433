//! What a patched image says about itself, in `etc/baleen.json` inside it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::proxy::{EngineProxy, Shown};

use super::digest::{OriginalSha, Sha};

/// The manifest's name in the image.
pub const MANIFEST: &str = "etc/baleen.json";

/// The format this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// How an image is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A member behind the image.
    Append,
    /// The script's member written anew.
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
    pub proxy: Shown,
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

    /// Reads what [`Self::to_bytes`] wrote, in this version or an older one.
    ///
    /// # Errors
    /// [`Kind::Refused`] when a newer Baleen wrote it, or it is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
            baleen: String,
        }
        let damaged = |error: serde_json::Error| {
            Error::new(
                Kind::Refused,
                format!("Baleen's manifest in the image ({MANIFEST}) is damaged: {error}"),
            )
            .advise("install Docker again to have its own image back")
        };
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(damaged)?;
        if versioned.format != FORMAT {
            return Err(Error::new(
                Kind::Refused,
                format!(
                    "the image was patched by Baleen {} in format {}, but this version reads format {FORMAT}",
                    versioned.baleen, versioned.format
                ),
            )
            .advise("use that version of Baleen or a newer one"));
        }
        serde_json::from_slice(bytes).map_err(damaged)
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

    #[test]
    fn other_formats_are_refused_by_name() {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        let newer = text.replace("\"format\": 1", "\"format\": 2");
        let error = Manifest::parse(newer.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("format 2"), "{error}");
        assert_eq!(Manifest::parse(b"{").unwrap_err().kind(), Kind::Refused);
    }
}
