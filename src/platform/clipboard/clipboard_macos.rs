//! Copying with NSPasteboard.

use objc2::rc::autoreleasepool;
use objc2_app_kit::NSPasteboard;
use objc2_foundation::NSString;

use super::CopyError;

/// The value of `NSPasteboardTypeString`:
/// <https://developer.apple.com/documentation/appkit/nspasteboard/pasteboardtype/string>.
const PLAIN_TEXT: &str = "public.utf8-plain-text";

/// Replaces the contents of the general pasteboard with this text.
///
/// # Errors
/// When the system does not accept it.
pub fn copy(text: &str) -> Result<(), CopyError> {
    autoreleasepool(|_| {
        // "Clears the existing contents", which makes this process its owner:
        // <https://developer.apple.com/documentation/appkit/nspasteboard/clearcontents()>
        let pasteboard = NSPasteboard::generalPasteboard();
        pasteboard.clearContents();
        // <https://developer.apple.com/documentation/appkit/nspasteboard/setstring(_:fortype:)>
        let (text, kind) = (NSString::from_str(text), NSString::from_str(PLAIN_TEXT));
        match pasteboard.setString_forType(&text, &kind) {
            true => Ok(()),
            false => Err(CopyError::NotTaken),
        }
    })
}
