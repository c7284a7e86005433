//! A password in memory: it can't be printed by accident, and its bytes are overwritten when it goes.

use zeroize::Zeroizing;

/// A proxy's password: any bytes but control characters (RFC 7617 has none of these).
///
/// There is no `Debug`, no `Display` and no `Serialize`: anyone who wants the bytes has to say so.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes `bytes` for a password; nothing if a control character is among them.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes.into());
        (!bytes.iter().any(u8::is_ascii_control)).then_some(Self(bytes))
    }

    /// The bytes, for those who have to send or store them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
