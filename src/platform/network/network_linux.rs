//! The network on Linux.

/// Whether there is a network. On macOS the proxies are the network's, and are gone with it; a desktop's
/// settings on Linux stay what they are, so they can be believed at any time.
pub fn is_up() -> bool {
    true
}
