//! The proxy that an image holds, password included: for who tries it as the engine would.

use zeroize::Zeroizing;

use crate::docker::Bundle;
use crate::error::{Error, Kind, Result};
use crate::proxy::{EngineProxy, NoProxy, ProxyUrl};

use super::image::{Image, Patched};
use super::plan::image_of;
use super::script::{SCRIPT, Script};
use super::shell;
use super::status::find_script;

/// Returns the proxy that Baleen put into the image of `bundle`; nothing where it put none there.
///
/// # Errors
/// When the image can't be read, or what Baleen put there is damaged.
pub fn in_place(bundle: &Bundle) -> Result<Option<EngineProxy>> {
    let image = Image::open(image_of(bundle)?)?;
    let script = match image.patched()? {
        Patched::No => return Ok(None),
        Patched::Appended { script, .. } => script,
        Patched::Rebuilt { .. } => find_script(&image, &|_| {})?,
    };
    match Script::parse(&script)?.block() {
        Some(block) => read(block).map(Some).ok_or_else(|| {
            Error::new(
                Kind::Refused,
                format!("the block of Baleen's in /{SCRIPT} should set a proxy, but does not"),
            )
            .advise("`baleen apply` writes it again")
        }),
        None => Ok(None),
    }
}

/// What a block sets; nothing where it names no proxy that can be read.
fn read(block: &[u8]) -> Option<EngineProxy> {
    let text = std::str::from_utf8(block).ok()?;
    let value = |name: &str| {
        let words = text.lines().filter_map(shell::plain_words).flatten();
        words.map(Zeroizing::new).find_map(|word| {
            let value = word.strip_prefix(name)?.strip_prefix('=')?;
            Some(Zeroizing::new(value.to_owned()))
        })
    };
    let url = |name| value(name).and_then(|value| ProxyUrl::parse(&value).ok());
    let listed = value("NO_PROXY").unwrap_or_default();
    let no_proxy = NoProxy::new(listed.split(',').map(str::to_owned));
    EngineProxy::new(url("HTTP_PROXY"), url("HTTPS_PROXY"), no_proxy)
}

#[cfg(test)]
mod tests {
    use super::super::script::block;
    use super::*;

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
            assert_eq!(read(block(&proxy).as_bytes()), Some(proxy));
        }
        assert_eq!(read(b"# nothing\n"), None);
    }
}
