//! The login item of macOS 13 and later, which is the app itself
//! (<https://developer.apple.com/documentation/servicemanagement/smappservice>).

use objc2::available;
use objc2::rc::{Retained, autoreleasepool};
use objc2_service_management::{SMAppService, SMAppServiceStatus};

use crate::platform::is_in_bundle;

use super::super::LoginItemError;
use super::LoginItem;

/// Returns whether this system has the service and this program is an app that can use it.
pub(super) fn has_service() -> bool {
    available!(macos = 13.0) && is_in_bundle()
}

/// Returns whether this system has the service but this program is not an app, so it can't query it.
pub(super) fn is_out_of_sight() -> bool {
    available!(macos = 13.0) && !is_in_bundle()
}

/// <https://developer.apple.com/documentation/servicemanagement/smappservice/mainapp>
fn service() -> Option<Retained<SMAppService>> {
    #[allow(unsafe_code, reason = "not every system has the class")]
    // SAFETY: this system has the class. The call takes no arguments.
    has_service().then(|| unsafe { SMAppService::mainAppService() })
}

/// <https://developer.apple.com/documentation/servicemanagement/smappservice/status-swift.enum>
fn status_of(service: &SMAppService) -> LoginItem {
    #[allow(unsafe_code, reason = "the crate has every method of the class so")]
    // SAFETY: the call takes no arguments and returns a number.
    match unsafe { service.status() } {
        SMAppServiceStatus::Enabled => LoginItem::On,
        SMAppServiceStatus::RequiresApproval => LoginItem::NeedsApproval,
        // Not registered, or not found, which also stands for an app that was never registered.
        _ => LoginItem::Off,
    }
}

/// Returns whether the app opens at login. Without the service it is off.
pub(super) fn status() -> LoginItem {
    autoreleasepool(|_| service().map_or(LoginItem::Off, |service| status_of(&service)))
}

/// Switches opening at login on or off, and returns the new state: the user may have to allow it.
///
/// # Errors
/// When the state is not the requested one afterwards, with the system's reason.
pub(super) fn set(on: bool) -> Result<LoginItem, LoginItemError> {
    autoreleasepool(|_| {
        let service = service().ok_or(LoginItemError::NoService)?;
        #[allow(unsafe_code, reason = "the crate has every method of the class so")]
        // SAFETY: the calls take no arguments and return an error or nothing.
        let done = unsafe {
            if on {
                service.registerAndReturnError()
            } else {
                service.unregisterAndReturnError()
            }
        };
        let now = status_of(&service);
        match done {
            // "Already done" and "the user must allow it" are not failures.
            Err(error) if (now == LoginItem::Off) == on => {
                let why = error.localizedDescription().to_string();
                Err(LoginItemError::Refused(
                    why.trim_end_matches('.').to_owned(),
                ))
            }
            _ => Ok(now),
        }
    })
}

/// Opens the pane of System Settings in which the user allows it.
///
/// <https://developer.apple.com/documentation/servicemanagement/smappservice/opensystemsettingsloginitems()>
pub(crate) fn open_settings() {
    if has_service() {
        #[allow(unsafe_code, reason = "not every system has the class")]
        // SAFETY: this system has the class. The call takes no arguments.
        autoreleasepool(|_| unsafe { SMAppService::openSystemSettingsLoginItems() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_bundle_there_is_no_login_item() {
        assert!(!has_service());
        assert_eq!(is_out_of_sight(), available!(macos = 13.0));
        assert_eq!(status(), LoginItem::Off);
        assert!(set(true).is_err());
        assert!(set(false).is_err());
        open_settings();
    }
}
