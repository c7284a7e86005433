//! A password in memory. It can't be printed by accident, and its bytes are overwritten on drop.

use zeroize::Zeroizing;

/// A proxy's password: any bytes except control characters, which RFC 7617 doesn't allow.
///
/// It has no `Debug`, no `Display` and no `Serialize`: code that wants the bytes must ask explicitly.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Creates a password from `bytes`; nothing if they include a control character.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes.into());
        (!bytes.iter().any(u8::is_ascii_control)).then_some(Self(bytes))
    }

    /// The bytes, for code that sends or stores them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
