//! The conversion of XML property lists to a form that the `plist` crate reads completely.
//!
//! The crate (1.10.3) silently ignores some parts of XML: in a text it drops CDATA sections and entities that it
//! doesn't know, and in a dictionary it takes any text for a key. A PAC script could lose its middle, and a list of
//! exceptions an entry. So this module resolves the parts that the crate drops, as XML 1.0 requires, or refuses them
//! by name, as macOS does.

use super::InvalidList;

/// The elements of Apple's document type, and their content.
const ELEMENTS: [(&str, Content); 11] = [
    ("plist", Content::Values),
    ("array", Content::Values),
    ("dict", Content::Pairs),
    ("key", Content::Text),
    ("string", Content::Text),
    ("data", Content::Text),
    ("date", Content::Trimmed),
    ("integer", Content::Trimmed),
    ("real", Content::Trimmed),
    ("true", Content::Nothing),
    ("false", Content::Nothing),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Values,
    Pairs,
    Text,
    /// Text without meaningful spaces at its ends. The crate fails on such spaces.
    Trimmed,
    Nothing,
}

/// An element that is not closed yet.
struct Open {
    content: Content,
    /// Length of the output before its content.
    start: usize,
    /// Number of its child elements.
    children: usize,
}

/// Returns the same document without comments, processing instructions, a document type and CDATA sections.
///
/// # Errors
/// When it is not a property list, or has something that property lists don't have.
pub(super) fn plain(bytes: &[u8]) -> Result<String, InvalidList> {
    let text = decode(bytes)?;
    if let Some(c) = text.chars().find(|&c| !is_char(c)) {
        return Err(InvalidList::Character(c));
    }
    // XML 1.0, section 2.11.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut plain = String::with_capacity(text.len());
    let mut open: Vec<Open> = Vec::new();
    let mut rest = &*text;
    while let Some(at) = rest.find(['<', '&']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if let Some(inside) = rest.strip_prefix("<!--") {
            until(inside, "-->", "comment")?.1
        } else if let Some(inside) = rest.strip_prefix("<![CDATA[") {
            let (inside, rest) = until(inside, "]]>", "CDATA section")?;
            for c in inside.chars() {
                match c {
                    '<' => plain.push_str("&lt;"),
                    '&' => plain.push_str("&amp;"),
                    c => plain.push(c),
                }
            }
            rest
        } else if let Some(inside) = rest.strip_prefix("<?") {
            until(inside, "?>", "processing instruction")?.1
        } else if let Some(inside) = rest.strip_prefix("<!DOCTYPE") {
            let (inside, rest) = until(inside, ">", "document type")?;
            if inside.contains('[') {
                return Err(InvalidList::Declarations);
            }
            rest
        } else if let Some(inside) = rest.strip_prefix('&') {
            let (name, rest) = inside.split_once(';').unwrap_or((inside, ""));
            plain.push_str(&entity(name)?);
            rest
        } else {
            tag(rest, &mut plain, &mut open)?
        };
    }
    plain.push_str(rest);
    Ok(plain)
}

/// Reads the tag at the start of `rest`. Returns the text after it.
fn tag<'a>(
    rest: &'a str,
    plain: &mut String,
    open: &mut Vec<Open>,
) -> Result<&'a str, InvalidList> {
    let (inside, after) = until(&rest[1..], ">", "tag")?;
    if let Some(name) = inside.strip_prefix('/') {
        if let Some(Open {
            content: Content::Trimmed,
            start,
            ..
        }) = open.pop()
        {
            let text = plain.split_off(start);
            plain.push_str(text.trim());
        }
        plain.push_str(&format!("</{}>", name.trim_end()));
        return Ok(after);
    }
    let (name, closed) = match inside.strip_suffix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    // Attributes have no meaning. Only `plist` has one, the version.
    let name = name.split_ascii_whitespace().next().unwrap_or_default();
    let Some(&(name, content)) = ELEMENTS.iter().find(|(known, _)| *known == name) else {
        return Err(InvalidList::UnknownElement);
    };
    match open.last_mut() {
        None => {}
        Some(parent) => {
            let is_key = name == "key";
            let fits = match parent.content {
                Content::Values => !is_key,
                Content::Pairs => is_key == parent.children.is_multiple_of(2),
                _ => false,
            };
            if !fits || name == "plist" {
                return Err(InvalidList::MisplacedElement(name));
            }
            parent.children += 1;
        }
    }
    plain.push_str(&format!("<{name}>"));
    if closed {
        plain.push_str(&format!("</{name}>"));
    } else {
        open.push(Open {
            content,
            start: plain.len(),
            children: 0,
        });
    }
    Ok(after)
}

/// Returns the text before `end` and the text after it.
fn until<'a>(
    text: &'a str,
    end: &str,
    what: &'static str,
) -> Result<(&'a str, &'a str), InvalidList> {
    text.split_once(end).ok_or(InvalidList::Unclosed(what))
}

/// Returns an entity in a form that the crate reads: one of XML's own, or a character.
fn entity(name: &str) -> Result<String, InvalidList> {
    if ["amp", "lt", "gt", "quot", "apos"].contains(&name) {
        return Ok(format!("&{name};"));
    }
    let number = name
        .strip_prefix('#')
        .map(|number| match number.strip_prefix('x') {
            Some(digits) => (digits, 16),
            None => (number, 10),
        });
    if let Some((digits, radix)) = number
        && digits.chars().all(|c| c.is_digit(radix))
        && let Some(c) = u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
        && is_char(c)
    {
        return Ok(format!("&#{};", u32::from(c)));
    }
    let shown = name.len() <= 32 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#');
    Err(match shown {
        true => InvalidList::UnknownEntity(name.to_owned()),
        false => InvalidList::BareAmpersand,
    })
}

/// Decodes UTF-8, or UTF-16 with a byte order mark.
fn decode(bytes: &[u8]) -> Result<String, InvalidList> {
    let wide = |of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|two| of([two[0], two[1]]))
            .collect();
        let text = String::from_utf16(&units)
            .ok()
            .filter(|_| bytes.len().is_multiple_of(2));
        text.ok_or(InvalidList::NotUtf16)
    };
    match bytes {
        [0xff, 0xfe, ..] => return wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return wide(u16::from_be_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidList::NotUtf8)?;
    match declared_encoding(text) {
        Some(name)
            if !text.is_ascii() && !["utf-8", "utf8"].contains(&&*name.to_ascii_lowercase()) =>
        {
            Err(InvalidList::OtherEncoding)
        }
        _ => Ok(text.to_owned()),
    }
}

/// Returns the encoding that the XML declaration names.
fn declared_encoding(text: &str) -> Option<&str> {
    let (declaration, _) = text.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let mark = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
    value[1..].split(mark).next()
}

/// Returns whether XML allows the character (XML 1.0, section 2.2).
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use plist::Value;

    use super::InvalidList;

    /// Reads a property list with this content. The error is the reason why it is not one.
    fn of(inside: &str) -> Result<Value, InvalidList> {
        let text = format!("<?xml version=\"1.0\"?><plist version=\"1.0\">{inside}</plist>");
        super::super::value(text.into_bytes())
    }

    #[test]
    fn nothing_is_lost_from_a_text() {
        for (inside, expected) in [
            ("a<![CDATA[b]]>c", "abc"),
            (
                "<![CDATA[if (a < b && c > d) {}]]>",
                "if (a < b && c > d) {}",
            ),
            ("<![CDATA[a]]]]><![CDATA[>b]]>", "a]]>b"),
            ("<![CDATA[<!-- &amp; -->]]>", "<!-- &amp; -->"),
            ("<![CDATA[]]>", ""),
            ("a<!-- <b> & -->c", "ac"),
            ("a<?b c?>d", "ad"),
            ("a&#66;&#x43;&#x1F40B;", "aBC\u{1f40b}"),
            ("&lt;&amp;&gt;&quot;&apos;", "<&>\"'"),
            ("&amp;lt;", "&lt;"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("a&#13;\nb", "a\r\nb"),
            (" a ", " a "),
        ] {
            let read = of(&format!("<string>{inside}</string>"));
            assert_eq!(read, Ok(expected.into()), "{inside}");
        }
        let numbers = "<array><integer> 8080\n</integer><integer><![CDATA[1]]></integer></array>";
        let expected = Value::Array(vec![8080.into(), 1.into()]);
        assert_eq!(of(numbers), Ok(expected));
    }

    #[test]
    fn what_property_lists_do_not_have_is_refused_by_its_name() {
        for (inside, word) in [
            ("<string>&nbsp;</string>", "have: &nbsp;"),
            ("<string>&host;</string>", "have: &host;"),
            ("<string>a && b; c</string>", "begins no entity"),
            ("<string>a & b</string>", "begins no entity"),
            ("<string>&#0;</string>", "have: &#0;"),
            ("<string>&#xD800;</string>", "have: &#xD800;"),
            ("<string>&#+66;</string>", "begins no entity"),
            ("<string>\u{1}</string>", "U+0001"),
            (
                "<string><![CDATA[a</string>",
                "CDATA section, but not the end",
            ),
            (
                "<string>a<b/>c</string>",
                "an element that no property list has",
            ),
            ("<string>a<true/>c</string>", "<true> in a place"),
            ("<true><string/></true>", "<string> in a place"),
            (
                "<dict><string>a</string><string>b</string></dict>",
                "<string> in a place",
            ),
            ("<dict><key>a</key><key>b</key></dict>", "<key> in a place"),
            ("<array><key>a</key></array>", "<key> in a place"),
            ("<array><plist/></array>", "<plist> in a place"),
            ("<dict><key>a</key></dict>", "can't be read"),
            ("<array><![CDATA[a]]></array>", "can't be read"),
            ("<string/><string/>", "can't be read"),
        ] {
            let why = of(inside).unwrap_err().to_string();
            assert!(why.contains(word), "{inside}: {why}");
        }
        let declared = b"<!DOCTYPE plist [<!ENTITY host \"proxy.corp\">]><plist><string>&host;</string></plist>";
        let read = super::super::value(declared.to_vec());
        assert_eq!(read, Err(InvalidList::Declarations));
    }

    #[test]
    fn texts_in_their_encodings() {
        let text = "<plist><string>b\u{fc}</string></plist>";
        let wide = |of: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}")
                .encode_utf16()
                .flat_map(of)
                .collect()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            format!("<?xml version='1.0' encoding='utf-8'?>{text}").into_bytes(),
            wide(u16::to_le_bytes),
            wide(u16::to_be_bytes),
        ] {
            assert_eq!(super::super::value(bytes), Ok("b\u{fc}".into()));
        }
        for bytes in [
            format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{text}").into_bytes(),
            b"<plist><string>b\xfc</string></plist>".to_vec(),
            b"\xff\xfe<".to_vec(),
        ] {
            let why = super::super::value(bytes).unwrap_err().to_string();
            assert!(why.contains("UTF-"), "{why}");
        }
    }
}
