//! Apps on macOS, through Launch Services and NSWorkspace.

use std::path::Path;
use std::ptr;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use block2::RcBlock;
use objc2::rc::{Retained, autoreleasepool};
use objc2::{MainThreadMarker, available};
use objc2_app_kit::{NSRunningApplication, NSWorkspace, NSWorkspaceOpenConfiguration};
use objc2_foundation::{
    NSDate, NSError, NSKeyValueObservingOptions, NSObjectNSKeyValueObserverRegistration, NSString,
    NSURL,
};

use crate::platform::open::open_macos;

use super::{OpenError, RunningApp};
use observer::Observer;

/// Timeout for opening an app. The system reads all of a new app first, to verify it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the running instances of the app with the bundle identifier `id`, from any bundle.
///
/// This list shows the end of an instance only after the next turn of the main thread's run loop. Its
/// pid shows it at once (<https://developer.apple.com/documentation/appkit/nsrunningapplication>).
pub fn running(_bundle: &Path, id: &str) -> Vec<RunningApp> {
    autoreleasepool(|_| {
        // <https://developer.apple.com/documentation/appkit/nsrunningapplication/runningapplications(withbundleidentifier:)>
        let id = NSString::from_str(id);
        let apps = NSRunningApplication::runningApplicationsWithBundleIdentifier(&id);
        apps.iter()
            .filter(|app| !app.isTerminated())
            .filter_map(|app| {
                Some(RunningApp {
                    // -1 if the process no longer exists.
                    pid: u32::try_from(app.processIdentifier()).ok()?,
                    since: app.launchDate().and_then(|date| system_time(&date)),
                })
            })
            .collect()
    })
}

/// Returns whether `app` runs from `bundle`, and not from another bundle with the same identifier. True
/// if the system does not say.
///
/// <https://developer.apple.com/documentation/appkit/nsrunningapplication/bundleurl>
pub fn is_from(app: &RunningApp, bundle: &Path) -> bool {
    let Ok(pid) = app.pid.try_into() else {
        return false;
    };
    let path = autoreleasepool(|_| {
        let app = NSRunningApplication::runningApplicationWithProcessIdentifier(pid)?;
        Some(app.bundleURL()?.path()?.to_string())
    });
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.is_none_or(|path| real(Path::new(&path)) == real(bundle))
}

/// Converts a date (<https://developer.apple.com/documentation/foundation/nsdate/timeintervalsince1970>).
fn system_time(date: &NSDate) -> Option<SystemTime> {
    let since_1970 = Duration::try_from_secs_f64(date.timeIntervalSince1970()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since_1970)
}

/// Asks an app to quit, as its menu does, and does not wait for it. The app may ask the user first, and
/// may keep running. Returns whether the system sent the request. An old pid may belong to another app
/// by now.
///
/// <https://developer.apple.com/documentation/appkit/nsrunningapplication/terminate()>
pub fn ask_to_quit(app: &RunningApp) -> bool {
    let Ok(pid) = app.pid.try_into() else {
        return false;
    };
    autoreleasepool(|_| {
        NSRunningApplication::runningApplicationWithProcessIdentifier(pid)
            .is_some_and(|app| app.terminate())
    })
}

/// Opens an app in the background and waits until the system reports that it is open. Not for the main
/// thread, since it blocks.
///
/// # Errors
/// When the system can't open it, or does not report that it is open in time.
pub fn open(bundle: &Path) -> Result<(), OpenError> {
    if available!(macos = 10.15) {
        open_by_workspace(bundle)
    } else {
        open_by_command(bundle)
    }
}

/// Opens an app with `open -g`. Before macOS 10.15, the call of NSWorkspace that opens an app in the
/// background is one that Apple has deprecated.
fn open_by_command(bundle: &Path) -> Result<(), OpenError> {
    open_macos::run_open("-g", bundle).map_err(|source| OpenError::Command {
        bundle: bundle.to_owned(),
        source,
    })
}

fn open_by_workspace(bundle: &Path) -> Result<(), OpenError> {
    let path = bundle.to_owned();
    autoreleasepool(|_| {
        let Some(url) = NSURL::from_directory_path(bundle) else {
            return Err(OpenError::NotAPath { bundle: path });
        };
        let configuration = NSWorkspaceOpenConfiguration::configuration();
        configuration.setActivates(false);
        let (sender, receiver) = mpsc::channel();
        // The system calls this block "on a concurrent queue", so it needs neither this thread nor a run loop.
        let done = RcBlock::new(
            move |_app: *mut NSRunningApplication, error: *mut NSError| {
                #[allow(unsafe_code, reason = "an argument that may be null")]
                // SAFETY: it is null, or an error that lives for the length of this call.
                let error = unsafe { error.as_ref() };
                // Fails if the receiver has stopped waiting.
                let _ = sender.send(error.map(|error| error.localizedDescription().to_string()));
            },
        );
        // <https://developer.apple.com/documentation/appkit/nsworkspace/openapplication(at:configuration:completionhandler:)>
        NSWorkspace::sharedWorkspace().openApplicationAtURL_configuration_completionHandler(
            &url,
            &configuration,
            Some(&done),
        );
        match receiver.recv_timeout(TIMEOUT) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(OpenError::Refused {
                bundle: path,
                said: why.trim_end_matches('.').to_owned(),
            }),
            Err(_) => Err(OpenError::NoAnswer {
                bundle: path,
                within: TIMEOUT,
            }),
        }
    })
}

/// A watcher for the end of apps. On macOS [`watch`] does its work.
pub struct ExitWatcher;

impl ExitWatcher {
    /// Creates a watcher that does nothing.
    pub fn new(_on_end: impl Fn() + Send + Sync + 'static) -> Self {
        Self
    }

    /// Does nothing.
    pub fn watch(&self, _app: &RunningApp) {}
}

/// The observed property: `NSWorkspace.runningApplications`.
const KEY_PATH: &str = "runningApplications";

/// A watcher for apps that start and quit. It ends when it is dropped.
pub struct Watch {
    workspace: Retained<NSWorkspace>,
    observer: Retained<Observer>,
}

/// Calls `on_change`, on the main thread, when an instance of the app with the bundle identifier `id`
/// has started or quit. The caller must be on the main thread, whose run loop delivers the changes.
/// Returns `None` on any other thread.
///
/// The notifications of launch and termination are not enough: "The system doesn't post this
/// notification for background apps or for apps that have the LSUIElement key", which menu bar apps
/// like Docker have. Apple advises observing the list of apps instead
/// (<https://developer.apple.com/documentation/appkit/nsworkspace/didlaunchapplicationnotification>,
/// <https://developer.apple.com/documentation/appkit/nsworkspace/runningapplications>).
pub fn watch(id: &str, on_change: impl Fn() + Send + Sync + 'static) -> Option<Watch> {
    // An observer can be removed safely only on the thread that calls it.
    MainThreadMarker::new()?;
    let workspace = NSWorkspace::sharedWorkspace();
    let observer = Observer::new(id, on_change);
    #[allow(unsafe_code, reason = "observing keeps no hold of the observer")]
    // SAFETY: `Watch` removes the observer before it releases it. The context is only passed back.
    unsafe {
        workspace.addObserver_forKeyPath_options_context(
            &observer,
            &NSString::from_str(KEY_PATH),
            NSKeyValueObservingOptions::New | NSKeyValueObservingOptions::Old,
            ptr::null_mut(),
        );
    }
    Some(Watch {
        workspace,
        observer,
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        #[allow(
            unsafe_code,
            reason = "removing what observes not would be an exception"
        )]
        // SAFETY: the observer was added once, with the same key path and context, and is removed once.
        // `Watch` can't be sent to another thread, so this is the main thread.
        unsafe {
            self.workspace.removeObserver_forKeyPath_context(
                &self.observer,
                &NSString::from_str(KEY_PATH),
                ptr::null_mut(),
            );
        }
    }
}

#[allow(
    unsafe_code,
    reason = "a class for the system to call can't be declared without"
)]
mod observer {
    use std::ffi::c_void;

    use objc2::rc::Retained;
    use objc2::runtime::{AnyObject, NSObject};
    use objc2::{AnyThread, DefinedClass, define_class, msg_send};
    use objc2_app_kit::NSRunningApplication;
    use objc2_foundation::{
        NSArray, NSDictionary, NSKeyValueChangeNewKey, NSKeyValueChangeOldKey, NSString,
    };

    pub(super) struct Ivars {
        id: String,
        on_change: Box<dyn Fn() + Send + Sync>,
    }

    define_class!(
        // SAFETY: NSObject has no requirements for its subclasses, and this class has no `Drop`.
        #[unsafe(super(NSObject))]
        #[name = "BaleenRunningAppsObserver"]
        #[ivars = Ivars]
        pub(super) struct Observer;

        impl Observer {
            /// <https://developer.apple.com/documentation/objectivec/nsobject-swift.class/observevalue(forkeypath:of:change:context:)>
            #[unsafe(method(observeValueForKeyPath:ofObject:change:context:))]
            fn observe(
                &self,
                _key_path: Option<&NSString>,
                _object: Option<&AnyObject>,
                change: Option<&NSDictionary<NSString, AnyObject>>,
                _context: *mut c_void,
            ) {
                if change.is_none_or(|change| is_about(change, &self.ivars().id)) {
                    (self.ivars().on_change)();
                }
            }
        }
    );

    impl Observer {
        pub(super) fn new(
            id: &str,
            on_change: impl Fn() + Send + Sync + 'static,
        ) -> Retained<Self> {
            let this = Self::alloc().set_ivars(Ivars {
                id: id.to_owned(),
                on_change: Box::new(on_change),
            });
            // SAFETY: NSObject's `init`, which takes nothing and returns the object.
            unsafe { msg_send![super(this), init] }
        }
    }

    /// Returns whether the app `id` is among those that started or quit
    /// (<https://developer.apple.com/documentation/foundation/nskeyvaluechangekey>). An app that has quit
    /// may have lost its identifier, so it counts as the app.
    fn is_about(change: &NSDictionary<NSString, AnyObject>, id: &str) -> bool {
        // SAFETY: constants of Foundation, set before any code runs.
        let keys = unsafe { [NSKeyValueChangeNewKey, NSKeyValueChangeOldKey] };
        keys.into_iter()
            .filter_map(|key| change.objectForKey(key)?.downcast::<NSArray>().ok())
            .flat_map(|apps| apps.to_vec())
            .filter_map(|app| app.downcast::<NSRunningApplication>().ok())
            .any(|app| {
                app.bundleIdentifier()
                    .is_none_or(|found| found.to_string() == id)
            })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const NOWHERE: &str = "/nowhere/Nothing.app";

    #[test]
    fn an_app_that_is_not_there() {
        let (bundle, id) = (Path::new(NOWHERE), "io.github.baleen-app.Nothing");
        assert_eq!(running(bundle, id), []);
        for pid in [i32::MAX as u32, u32::MAX] {
            assert!(!ask_to_quit(&RunningApp { pid, since: None }));
        }
        let error = open(bundle).unwrap_err().to_string();
        assert!(error.contains(NOWHERE), "{error}");
        let error = open_by_command(bundle).unwrap_err();
        assert!(matches!(error, OpenError::Command { .. }), "{error}");
        assert!(error.to_string().contains(NOWHERE), "{error}");
        let elsewhere = thread::spawn(move || watch(id, || {}).is_none());
        assert!(elsewhere.join().unwrap());
    }

    #[test]
    fn dates_are_times() {
        let at = |seconds| system_time(&NSDate::dateWithTimeIntervalSince1970(seconds));
        assert_eq!(
            at(1.5),
            Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500))
        );
        assert_eq!(at(-1.0), None);
    }
}
