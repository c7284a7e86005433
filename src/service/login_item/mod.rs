//! The login item, which opens Baleen when the user logs in.
//!
//! macOS 13 and later keep a list of such apps, and ask the user. On other systems it is a file in a folder.

pub mod file;
#[cfg(target_os = "macos")]
mod login_item_macos;

use std::env;
use std::path::PathBuf;

use crate::error::Result;

/// The state of the login item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginItem {
    /// Baleen does not open at login.
    Off,
    /// Baleen opens at login.
    On,
    /// Baleen opens at login once the user allows it in System Settings.
    NeedsApproval,
}

/// Returns the current state.
pub fn status() -> LoginItem {
    #[cfg(target_os = "macos")]
    if login_item_macos::has_service() {
        return login_item_macos::status();
    }
    file::status(&location())
}

/// Returns whether a login item may exist that this program can't see: the app's, which is another program.
pub(crate) fn is_out_of_sight() -> bool {
    #[cfg(target_os = "macos")]
    let is_out_of_sight = login_item_macos::is_out_of_sight();
    #[cfg(not(target_os = "macos"))]
    let is_out_of_sight = false;
    is_out_of_sight
}

/// Opens the list of login items in System Settings.
#[cfg(target_os = "macos")]
pub(crate) use login_item_macos::open_settings;

/// Switches opening at login on or off, and returns the new state.
///
/// # Errors
/// When the system refuses.
pub fn set(on: bool) -> Result<LoginItem> {
    #[cfg(target_os = "macos")]
    if login_item_macos::has_service() {
        return login_item_macos::set(on)
            .map_err(|source| super::ServiceError::LoginItem { on, source }.into());
    }
    let location = location();
    if on {
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("baleen"));
        file::put(&location, &program, cfg!(target_os = "macos"))?;
    } else {
        file::remove(&location)?;
    }
    Ok(file::status(&location))
}

fn location() -> PathBuf {
    let home = env::home_dir().unwrap_or_default();
    file::default_path(|name| env::var_os(name), &home, cfg!(target_os = "macos"))
}
