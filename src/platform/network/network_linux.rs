//! The network on Linux.

/// Whether there is a network, without which the system's settings would not be what they usually are.
/// The desktop's settings on Linux are the same with and without one, so there always is.
pub fn is_up() -> bool {
    true
}
