//! What this program is to the system.

use objc2::rc::autoreleasepool;
use objc2_foundation::NSBundle;

/// Whether this process is an app's, so that the system can tell whose notifications and login item
/// it is about: an executable that is in no bundle has no identifier
/// (<https://developer.apple.com/documentation/foundation/bundle/bundleidentifier>).
pub(crate) fn is_in_bundle() -> bool {
    autoreleasepool(|_| {
        let bundle = NSBundle::mainBundle();
        // An executable with an Info.plist inside it would have an identifier, but be no app.
        let is_app = bundle.bundlePath().to_string().ends_with(".app");
        is_app && bundle.bundleIdentifier().is_some()
    })
}
