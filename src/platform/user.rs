//! Who runs the program.

/// The number of the user who is at work: under `sudo` the one who called it (`man 8 sudo`, SUDO_UID).
pub fn user() -> u32 {
    std::env::var("SUDO_UID")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| rustix::process::getuid().as_raw())
}
