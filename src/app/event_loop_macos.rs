//! AppKit's event loop, which must run on the main thread. The menu, the notifications and the watches of
//! `platform` run in it.

use tao::event::{Event, StartCause};
use tao::event_loop::{ControlFlow, EventLoopBuilder};
use tao::platform::macos::{ActivationPolicy, EventLoopExtMacOS};

use super::event_loop::{Flow, Sender};

// Links Foundation before CoreServices. The SDK of macOS 26 has the constant
// NSUserActivityTypeBrowsingWeb, which tao uses, in both. Bound to CoreServices, the program would not
// start on any older system.
#[allow(unsafe_code, reason = "nothing is in it")]
#[link(name = "Foundation", kind = "framework")]
unsafe extern "C" {}

/// Creates the app with `start` once AppKit is ready, and calls `handle` for each message, until it returns
/// [`Flow::Quit`] or the system ends the app (at the end of the session). Must be called on the main
/// thread, and ends the process.
pub(crate) fn run<M: Send + 'static, H: 'static>(
    start: impl FnOnce(Sender<M>) -> H + 'static,
    mut handle: impl FnMut(&mut H, M) -> Flow + 'static,
) -> ! {
    let mut event_loop = EventLoopBuilder::<M>::with_user_event().build();
    // No icon in the Dock and no separate menu bar:
    // <https://developer.apple.com/documentation/appkit/nsapplication/activationpolicy-swift.enum/accessory>
    event_loop.set_activation_policy(ActivationPolicy::Accessory);
    event_loop.set_activate_ignoring_other_apps(false);
    // One proxy for all senders: each clone of it would leave a source behind in the run loop.
    let proxy = event_loop.create_proxy();
    let mut start = Some(move || {
        start(Sender::new(move |message| {
            // If this fails, the loop has ended.
            let _ = proxy.send_event(message);
        }))
    });
    let mut app = None;
    event_loop.run(move |event, _, control_flow| {
        *control_flow = ControlFlow::Wait;
        match event {
            // `applicationDidFinishLaunching`: a status item is not allowed before it.
            Event::NewEvents(StartCause::Init) => app = start.take().map(|start| start()),
            Event::UserEvent(message) => {
                let flow = app.as_mut().map(|app| handle(app, message));
                if flow == Some(Flow::Quit) {
                    app = None;
                    *control_flow = ControlFlow::Exit;
                }
            }
            // `applicationWillTerminate`: the process ends without a return to `run`.
            Event::LoopDestroyed => app = None,
            _ => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn elsewhere_than_on_the_main_thread_it_does_not_begin() {
        let elsewhere = thread::spawn(|| run(|_: Sender<u8>| (), |(), _| Flow::Quit));
        assert!(elsewhere.join().is_err());
    }
}
