//! The proxy that an image sets, including its password, for a test that connects as the engine
//! would.

use zeroize::Zeroizing;

use crate::backend::docker_desktop::Bundle;
use crate::proxy::{EngineProxy, NoProxy, ProxyUrl};

use super::error::{PatchError, Result};
use super::image::image_of;
use super::image::{Image, Patched};
use super::script::Script;
use super::shell;
use super::verify::find_script;

/// Returns the proxy that the image of `bundle` sets, even if someone else put it there, or `None`
/// if it sets none. Reads the whole image unless Baleen appended a member to it.
///
/// # Errors
/// When the image can't be read, or Baleen's patch is damaged.
pub fn in_place(bundle: &Bundle) -> Result<Option<EngineProxy>> {
    let image = Image::open(image_of(bundle)?)?;
    let script = match image.patched()? {
        Patched::Appended { script, .. } => script,
        Patched::No | Patched::Rebuilt { .. } => find_script(&image, &|_| {})?,
    };
    let script = Script::parse(&script)?;
    match script.block() {
        Some(block) => read(block).map(Some).ok_or(PatchError::BlockWithoutProxy),
        // Lines whose value is only known by running them are ignored, as Docker's own lines are.
        None if !script.foreign().is_empty() => Ok(read(script.stock())),
        None => Ok(None),
    }
}

/// Returns the proxy that plain lines set, or `None` if they set no readable one. The upper-case
/// name comes first, as in Go.
fn read(script: &[u8]) -> Option<EngineProxy> {
    let text = Zeroizing::new(String::from_utf8_lossy(script).into_owned());
    let named = |name: &str| {
        let words = text.lines().filter_map(shell::plain_words).flatten();
        words.map(Zeroizing::new).find_map(|word| {
            let value = word.strip_prefix(name)?.strip_prefix('=')?;
            (!value.is_empty()).then(|| Zeroizing::new(value.to_owned()))
        })
    };
    let value = |name: &str| named(name).or_else(|| named(&name.to_lowercase()));
    let url = |name| value(name).and_then(|value| ProxyUrl::parse(&value).ok());
    let listed = value("NO_PROXY").unwrap_or_default();
    let no_proxy = NoProxy::new(
        listed
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned),
    );
    EngineProxy::new(url("HTTP_PROXY"), url("HTTPS_PROXY"), no_proxy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::exports;

    #[test]
    fn what_was_written_is_read() {
        let url = |text| ProxyUrl::parse(text).ok();
        let list = || NoProxy::new([".corp".to_owned(), "10.0.0.5".to_owned()]);
        for (http, https) in [
            (url("http://p:1"), url("http://p:1")),
            (url("http://me:it's $x@p:1"), None),
            (None, url("http://CORP%5Cme:a%20b@[fe80::1]:8080")),
        ] {
            let proxy = EngineProxy::new(http, https, list()).unwrap();
            assert_eq!(read(exports(&proxy).as_bytes()), Some(proxy));
        }
        assert_eq!(read(b"# nothing\n"), None);
        let by_hand = "start() {\n  export http_proxy=\"$(mobyconfig get proxy/http)\"\n}\nexport https_proxy=p:1 NO_PROXY=.corp\n";
        let found = read(by_hand.as_bytes()).unwrap();
        assert_eq!((found.http(), found.https()), (None, url("p:1").as_ref()));
    }
}
