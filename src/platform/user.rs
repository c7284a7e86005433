//! Who runs the program.

/// The number of the user that this process belongs to (`man 2 getuid`).
pub fn user() -> u32 {
    rustix::process::getuid().as_raw()
}
