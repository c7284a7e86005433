//! The app bundle of this program.

use objc2::rc::autoreleasepool;
use objc2_foundation::NSBundle;

/// Returns whether this process is an app with a bundle. The system needs the bundle's identifier for
/// notifications and the login item; an executable outside a bundle has none
/// (<https://developer.apple.com/documentation/foundation/bundle/bundleidentifier>).
pub(crate) fn is_in_bundle() -> bool {
    autoreleasepool(|_| {
        let bundle = NSBundle::mainBundle();
        // An executable with an embedded Info.plist has an identifier, but is not an app.
        let is_app = bundle.bundlePath().to_string().ends_with(".app");
        is_app && bundle.bundleIdentifier().is_some()
    })
}
