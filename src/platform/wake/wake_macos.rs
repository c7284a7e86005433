//! The detection of a wake on macOS.

use std::ptr::NonNull;

use block2::RcBlock;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::{NSObjectProtocol, ProtocolObject};
use objc2_app_kit::{NSWorkspace, NSWorkspaceDidWakeNotification};
use objc2_foundation::{NSNotification, NSNotificationCenter};

/// A watcher for the Mac's wake. It ends when it is dropped.
pub struct Watch {
    center: Retained<NSNotificationCenter>,
    token: Retained<ProtocolObject<dyn NSObjectProtocol>>,
}

/// Calls `on_wake` when the Mac has woken, on the main thread, whose run loop delivers the notification.
///
/// <https://developer.apple.com/documentation/appkit/nsworkspace/didwakenotification>, which only the
/// center of NSWorkspace posts.
pub fn watch(on_wake: impl Fn() + Send + Sync + 'static) -> Option<Watch> {
    let center = NSWorkspace::sharedWorkspace().notificationCenter();
    let block = RcBlock::new(move |_: NonNull<NSNotification>| on_wake());
    #[allow(unsafe_code, reason = "a block may be called on any thread")]
    // SAFETY: `on_wake` can be called on any thread. No queue and no object are named. The name is a
    // constant of AppKit, set before any code runs.
    let token = unsafe {
        // <https://developer.apple.com/documentation/foundation/notificationcenter/addobserver(forname:object:queue:using:)>
        center.addObserverForName_object_queue_usingBlock(
            Some(NSWorkspaceDidWakeNotification),
            None,
            None,
            &block,
        )
    };
    Some(Watch { center, token })
}

impl Drop for Watch {
    fn drop(&mut self) {
        #[allow(unsafe_code, reason = "an observer of any type would be taken")]
        // SAFETY: this is the token that this center returned.
        autoreleasepool(|_| unsafe { self.center.removeObserver((*self.token).as_ref()) });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn is_reported_until_it_is_dropped() {
        // The center is shared, so its observers get the same notification as when the Mac wakes.
        let wake = || {
            let center = NSWorkspace::sharedWorkspace().notificationCenter();
            #[allow(unsafe_code, reason = "any object could be handed along")]
            // SAFETY: no object is passed. The name is a constant of AppKit.
            unsafe {
                center.postNotificationName_object(NSWorkspaceDidWakeNotification, None);
            }
        };
        let (sender, receiver) = mpsc::channel();
        let watch = watch(move || sender.send(()).unwrap()).unwrap();
        wake();
        assert_eq!(receiver.try_recv(), Ok(()));
        drop(watch);
        wake();
        assert!(receiver.try_recv().is_err());
    }
}
