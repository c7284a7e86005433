//! The proxies of System Settings, from the dynamic store.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use core_foundation::array::CFArray;
use core_foundation::base::TCFType;
use core_foundation::propertylist::{create_data, kCFPropertyListBinaryFormat_v1_0};
use core_foundation::runloop::{CFRunLoop, CFRunLoopSource, kCFRunLoopDefaultMode};
use core_foundation::string::CFString;
use system_configuration::dynamic_store::{
    SCDynamicStore, SCDynamicStoreBuilder, SCDynamicStoreCallBackContext,
};

use crate::platform::network::network_macos;
use crate::property_list;

use super::ReadError;

/// The key that `SCDynamicStoreKeyCreateProxies` returns. `scutil` shows its value.
const PROXIES: &str = "State:/Network/Global/Proxies";

/// The key of the name servers. Another network may have the same proxies, but a PAC script or a
/// proxy's name may give another result there.
const DNS: &str = "State:/Network/Global/DNS";

fn silent(call: &'static str) -> ReadError {
    ReadError::Call { call }
}

/// Returns the proxies that the Mac uses now.
///
/// # Errors
/// When the system does not say.
pub fn read() -> Result<Option<plist::Value>, ReadError> {
    // <https://developer.apple.com/documentation/systemconfiguration/scdynamicstorecopyproxies(_:)>
    let proxies = SCDynamicStoreBuilder::new("baleen")
        .build()
        .and_then(|store| store.get_proxies())
        .ok_or_else(|| silent("SCDynamicStoreCopyProxies"))?;
    // <https://developer.apple.com/documentation/corefoundation/cfpropertylistcreatedata(_:_:_:_:_:)>
    let data = create_data(proxies.as_CFTypeRef(), kCFPropertyListBinaryFormat_v1_0)
        .map_err(|_| silent("CFPropertyListCreateData"))?;
    property_list::parse(data.bytes().to_vec())?
        .map(Some)
        .map_err(|why| ReadError::PropertyList { why })
}

/// A watcher for changes. It ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    run_loop: CFRunLoop,
    thread: Option<JoinHandle<()>>,
}

/// Calls `on_change`, on a separate thread, when the proxies or the network may have changed.
/// `on_change` must not drop the returned value.
///
/// # Errors
/// When the system can't watch them.
pub fn watch(on_change: impl FnMut() + Send + 'static) -> Result<Option<Watch>, ReadError> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("system proxies".to_owned())
        .spawn(move || {
            let Some((_store, source)) = observe(on_change) else {
                return;
            };
            let run_loop = CFRunLoop::get_current();
            #[allow(unsafe_code, reason = "a constant of the system")]
            // SAFETY: Core Foundation sets it before any code runs, and nothing changes it.
            let mode = unsafe { kCFRunLoopDefaultMode };
            run_loop.add_source(&source, mode);
            if sender.send(run_loop).is_ok() {
                CFRunLoop::run_current();
            }
        })
        .map_err(|_| silent("starting a thread"))?;
    // If `observe` fails, the sender is dropped without a message.
    let run_loop = receiver
        .recv()
        .map_err(|_| silent("SCDynamicStoreSetNotificationKeys"))?;
    Ok(Some(Watch {
        run_loop,
        thread: Some(thread),
    }))
}

/// Observes the keys of the proxies, the name servers and the network.
///
/// <https://developer.apple.com/documentation/systemconfiguration/scdynamicstoresetnotificationkeys(_:_:_:)>
fn observe<F: FnMut()>(on_change: F) -> Option<(SCDynamicStore, CFRunLoopSource)> {
    let store = SCDynamicStoreBuilder::new("baleen")
        .callback_context(SCDynamicStoreCallBackContext {
            callout: |_, _, on_change: &mut F| on_change(),
            info: on_change,
        })
        .build()?;
    let keys = [PROXIES, DNS].into_iter().chain(network_macos::KEYS);
    let keys: Vec<_> = keys.map(CFString::from_static_string).collect();
    let keys = CFArray::from_CFTypes(&keys);
    let patterns = CFArray::<CFString>::from_CFTypes(&[]);
    if !store.set_notification_keys(&keys, &patterns) {
        return None;
    }
    let source = store.create_run_loop_source()?;
    Some((store, source))
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // CFRunLoopStop has no effect before the loop starts, so repeat it until the thread has ended.
        while !thread.is_finished() {
            self.run_loop.stop();
            thread::sleep(Duration::from_millis(5));
        }
        // A panic of the callback was reported when it happened.
        let _ = thread.join();
    }
}
