//! Internationalized domain names, as UTS #46 maps them to the ASCII labels of the DNS.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Returns `name` in ASCII, such as `xn--bcher-kva.example` for `bücher.example`; nothing if it has no
/// ASCII form.
///
/// Go leaves ASCII unchanged (`idnaASCII` in `golang.org/x/net/http/httpproxy`), and so does this
/// function. For other names it uses the same options as `idna.Lookup` there.
pub(super) fn to_ascii(name: &str) -> Option<Cow<'_, str>> {
    if name.is_ascii() {
        return Some(Cow::Borrowed(name));
    }
    let mapped = Uts46::new().to_ascii(
        name.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::Check,
        DnsLength::Ignore,
    );
    mapped.ok().map(|name| Cow::Owned(name.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_ascii() {
        for (name, expected) in [
            ("corp.example", Some("corp.example")),
            ("Corp.Example.", Some("Corp.Example.")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("BÜCHER.Example", Some("xn--bcher-kva.example")),
            ("bu\u{308}cher.example", Some("xn--bcher-kva.example")),
            ("例え。テスト", Some("xn--r8jz45g.xn--zckzah")),
            ("straße.example", Some("xn--strae-oqa.example")),
            ("bü cher.example", None),
            ("ü:80", None),
        ] {
            assert_eq!(to_ascii(name).as_deref(), expected, "{name}");
        }
    }
}
