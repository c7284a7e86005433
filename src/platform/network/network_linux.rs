//! The state of the network on Linux.

/// Returns `true`. On macOS the proxies belong to the network and vanish with it. A desktop's settings on
/// Linux stay unchanged without a network, so they are always valid.
pub fn is_up() -> bool {
    true
}
