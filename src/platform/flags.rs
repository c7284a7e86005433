//! The lock of a file against any change, whatever its permissions.

use std::fs::Metadata;

/// Returns whether a file is locked ("Locked" in the Finder, `chflags uchg`), so that a clone of it
/// would be locked too: `man 2 chflags`, UF_IMMUTABLE, UF_APPEND, SF_IMMUTABLE, SF_APPEND of `sys/stat.h`.
#[cfg(target_os = "macos")]
pub fn is_locked(metadata: &Metadata) -> bool {
    use std::os::macos::fs::MetadataExt;
    metadata.st_flags() & 0x0006_0006 != 0
}

/// Returns `false`. Linux has a similar flag (`chattr +i`), but a copy does not inherit it.
#[cfg(not(target_os = "macos"))]
pub fn is_locked(_metadata: &Metadata) -> bool {
    false
}
