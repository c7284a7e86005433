//! The parts of the icon and of its menu that only AppKit has.

use objc2::MainThreadMarker;
use objc2_app_kit::NSAccessibility;
use objc2_foundation::NSString;
use tray_icon::TrayIcon;
use tray_icon::menu::{IconMenuItem, IsMenuItem, NativeIcon};

use super::menu::Shape;
use super::tray::plain;

/// Sets what VoiceOver reads for the icon, which has no text of its own. VoiceOver reads the new label when the user
/// comes to the icon; an announcement for each change would interrupt what is being read
/// (<https://developer.apple.com/documentation/appkit/nsaccessibilityprotocol/accessibilitylabel()>,
/// <https://developer.apple.com/documentation/appkit/nsstatusitem/button>).
pub(super) fn say(icon: &TrayIcon, title: &str) {
    let Some(main) = MainThreadMarker::new() else {
        return tracing::warn!("the icon belongs to the main thread");
    };
    let button = icon.ns_status_item().and_then(|item| item.button(main));
    if let Some(button) = button {
        button.setAccessibilityLabel(Some(&NSString::from_str(title)));
    }
}

/// The line with the state, with a dot like those of Messages: green, yellow or gray
/// (<https://developer.apple.com/documentation/appkit/nsimage/statusavailablename>). The line is enabled, since AppKit
/// dims the images of disabled items; choosing it does nothing.
pub(super) struct Status(IconMenuItem);

fn dot(shape: Shape) -> NativeIcon {
    match shape {
        Shape::On => NativeIcon::StatusAvailable,
        Shape::Attention => NativeIcon::StatusPartiallyAvailable,
        Shape::Off | Shape::Working => NativeIcon::StatusNone,
    }
}

impl Status {
    pub(super) fn new(shape: Shape, text: &str) -> Self {
        Self(IconMenuItem::with_native_icon(
            plain(text),
            true,
            Some(dot(shape)),
            None,
        ))
    }

    pub(super) fn set(&self, shape: Shape, text: &str) {
        self.0.set_text(plain(text));
        self.0.set_native_icon(Some(dot(shape)));
    }

    pub(super) fn item(&self) -> &dyn IsMenuItem {
        &self.0
    }
}
