//! The login item of macOS 13 and later, which is the app itself
//! (<https://developer.apple.com/documentation/servicemanagement/smappservice>).

use objc2::available;
use objc2::rc::{Retained, autoreleasepool};
use objc2_service_management::{SMAppService, SMAppServiceStatus};

use crate::platform::is_in_bundle;

use super::LoginItem;

/// Whether this system has such a service, and this program is an app that could use it.
pub fn has_service() -> bool {
    available!(macos = 13.0) && is_in_bundle()
}

/// Whether this system has such a service, and this program is no app, so that it can't ask for any.
pub fn is_out_of_sight() -> bool {
    available!(macos = 13.0) && !is_in_bundle()
}

/// <https://developer.apple.com/documentation/servicemanagement/smappservice/mainapp>
fn service() -> Option<Retained<SMAppService>> {
    #[allow(unsafe_code, reason = "not every system has the class")]
    // SAFETY: this one has it. Nothing is handed over.
    has_service().then(|| unsafe { SMAppService::mainAppService() })
}

/// <https://developer.apple.com/documentation/servicemanagement/smappservice/status-swift.enum>
fn status_of(service: &SMAppService) -> LoginItem {
    #[allow(unsafe_code, reason = "the crate has every method of the class so")]
    // SAFETY: nothing is handed over, and a number comes back.
    match unsafe { service.status() } {
        SMAppServiceStatus::Enabled => LoginItem::On,
        SMAppServiceStatus::RequiresApproval => LoginItem::NeedsApproval,
        // Not registered; not found, which is also said of an app that never was registered.
        _ => LoginItem::Off,
    }
}

/// Whether the app opens at login; off where there is no service.
pub fn status() -> LoginItem {
    autoreleasepool(|_| service().map_or(LoginItem::Off, |service| status_of(&service)))
}

/// Has the app opened at login, or no more, and says what it came to: the user may have to allow it.
///
/// # Errors
/// When it is not as it should be then, with the system's reason.
pub fn set(on: bool) -> Result<LoginItem, String> {
    autoreleasepool(|_| {
        let service = service().ok_or("this needs macOS 13, and Baleen to be opened as an app")?;
        #[allow(unsafe_code, reason = "the crate has every method of the class so")]
        // SAFETY: nothing is handed over, and an error comes back or none.
        let done = unsafe {
            if on {
                service.registerAndReturnError()
            } else {
                service.unregisterAndReturnError()
            }
        };
        let now = status_of(&service);
        match done {
            // To be told that it is so already, or that the user has to allow it, is no failure.
            Err(error) if (now == LoginItem::Off) == on => {
                let why = error.localizedDescription().to_string();
                Err(why.trim_end_matches('.').to_owned())
            }
            _ => Ok(now),
        }
    })
}

/// Opens System Settings where the user allows it.
///
/// <https://developer.apple.com/documentation/servicemanagement/smappservice/opensystemsettingsloginitems()>
pub fn open_settings() {
    if has_service() {
        #[allow(unsafe_code, reason = "not every system has the class")]
        // SAFETY: this one has it. Nothing is handed over.
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
