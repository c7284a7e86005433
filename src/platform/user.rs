//! The user who runs the program.

/// Returns the user ID of this process (`man 2 getuid`).
pub fn user() -> u32 {
    rustix::process::getuid().as_raw()
}
