//! Whether Baleen opens when the user logs in.
//!
//! macOS 13 and later keep a list of such apps, and ask the user; everywhere else it is a file in a folder, which
//! is there or is not.

pub mod file;
#[cfg(target_os = "macos")]
pub mod login_item_macos;

use std::env;
use std::path::PathBuf;

use crate::error::Result;

/// Whether it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginItem {
    /// It does not.
    Off,
    /// It does.
    On,
    /// It would, but the user has to allow it in System Settings first.
    NeedsApproval,
}

/// What the system says now.
pub fn status() -> LoginItem {
    #[cfg(target_os = "macos")]
    if login_item_macos::has_service() {
        return login_item_macos::status();
    }
    file::status(&location())
}

/// Whether there may be a login item that this program does not see: that of the app, which is another program.
pub fn is_out_of_sight() -> bool {
    #[cfg(target_os = "macos")]
    let is_out_of_sight = login_item_macos::is_out_of_sight();
    #[cfg(not(target_os = "macos"))]
    let is_out_of_sight = false;
    is_out_of_sight
}

/// Has Baleen open at login, or no more; what the system says afterwards.
///
/// # Errors
/// When the system does not let it.
pub fn set(on: bool) -> Result<LoginItem> {
    #[cfg(target_os = "macos")]
    if login_item_macos::has_service() {
        return login_item_macos::set(on).map_err(|why| {
            crate::error::Error::new(
                crate::error::Kind::Failure,
                format!("macOS did not change whether Baleen opens at login: {why}"),
            )
            .with_hint(match on {
                true => "move Baleen to the Applications folder, open it from there, and try again",
                false => "remove it in System Settings > General > Login Items",
            })
        });
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
