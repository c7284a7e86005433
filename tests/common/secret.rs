//! The forms of a secret to search for in places where it must not be.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The secret itself, and its encodings at any offset.
pub(crate) fn shapes(secret: &str) -> Vec<String> {
    let mut shapes = vec![secret.to_owned()];
    for shift in 0..3 {
        let text = BASE64_STANDARD.encode([&vec![b'='; shift], secret.as_bytes()].concat());
        // Without the ends, which depend on the bytes around it.
        shapes.push(text[4..text.len() - 4].to_owned());
    }
    shapes
}
