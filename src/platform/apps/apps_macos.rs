//! Apps as Launch Services and NSWorkspace know them.

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

use crate::error::{Error, Kind, Result};
use crate::platform::open::open_macos;

use super::RunningApp;
use observer::Observer;

/// How long the system may take to open an app: it reads through a new one first, to verify it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The instances of the app with the bundle identifier `id` that run, whichever bundle they are from.
///
/// That one has ended shows here only after the next turn of the main thread's run loop; its pid tells
/// at once (<https://developer.apple.com/documentation/appkit/nsrunningapplication>).
pub fn running(_bundle: &Path, id: &str) -> Vec<RunningApp> {
    autoreleasepool(|_| {
        // <https://developer.apple.com/documentation/appkit/nsrunningapplication/runningapplications(withbundleidentifier:)>
        let id = NSString::from_str(id);
        let apps = NSRunningApplication::runningApplicationsWithBundleIdentifier(&id);
        apps.iter()
            .filter(|app| !app.isTerminated())
            .filter_map(|app| {
                Some(RunningApp {
                    // -1 where there is no process any more.
                    pid: u32::try_from(app.processIdentifier()).ok()?,
                    since: app.launchDate().and_then(|date| system_time(&date)),
                })
            })
            .collect()
    })
}

/// Whether `app` runs from `bundle`, and not from another with the same identifier; where the system does not say, it may.
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

/// <https://developer.apple.com/documentation/foundation/nsdate/timeintervalsince1970>
fn system_time(date: &NSDate) -> Option<SystemTime> {
    let since_1970 = Duration::try_from_secs_f64(date.timeIntervalSince1970()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since_1970)
}

/// Asks an app to quit, as its menu would, and does not wait for it; it may ask the user first, and
/// stay. Says whether it could be asked. A pid of long ago may be another app's by now.
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

/// Opens an app in the background, and waits until the system says that it did. Not for the main
/// thread, which would stand still in the meantime.
///
/// # Errors
/// When the system can't open it, or does not say so in time.
pub fn open(bundle: &Path) -> Result<()> {
    let opened = if available!(macos = 10.15) {
        open_by_workspace(bundle)
    } else {
        open_by_command(bundle)
    };
    opened.map_err(|why| {
        let message = format!("could not open {}: {why}", bundle.display());
        Error::new(Kind::Failure, message).with_hint("open it in the Finder")
    })
}

/// Before macOS 10.15, NSWorkspace opens an app in the background by a call that Apple has marked as
/// outdated. `open -g` does the same.
fn open_by_command(bundle: &Path) -> std::result::Result<(), String> {
    open_macos::run_open("-g", bundle).map_err(|error| error.to_string())
}

fn open_by_workspace(bundle: &Path) -> std::result::Result<(), String> {
    autoreleasepool(|_| {
        let url = NSURL::from_directory_path(bundle).ok_or("it is no path")?;
        let configuration = NSWorkspaceOpenConfiguration::configuration();
        configuration.setActivates(false);
        let (sender, receiver) = mpsc::channel();
        // Called "on a concurrent queue", so it needs neither this thread nor a run loop.
        let done = RcBlock::new(
            move |_app: *mut NSRunningApplication, error: *mut NSError| {
                #[allow(unsafe_code, reason = "an argument that may be null")]
                // SAFETY: it is null, or an error that lives for the length of this call.
                let error = unsafe { error.as_ref() };
                // No one waits any more if this fails.
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
            Ok(Some(why)) => Err(why.trim_end_matches('.').to_owned()),
            Err(_) => {
                let seconds = TIMEOUT.as_secs();
                Err(format!(
                    "macOS did not say within {seconds} seconds that it is open"
                ))
            }
        }
    })
}

/// ExitWatcher to the end of apps, which on macOS is [`watch`]'s.
pub struct ExitWatcher;

impl ExitWatcher {
    /// There is nothing to it here.
    pub fn new(_on_end: impl Fn() + Send + Sync + 'static) -> Self {
        Self
    }

    /// There is nothing to do here.
    pub fn watch(&self, _app: &RunningApp) {}
}

/// What is observed: `NSWorkspace.runningApplications`.
const KEY_PATH: &str = "runningApplications";

/// A look-out for apps that open and quit, until it is dropped.
pub struct Watch {
    workspace: Retained<NSWorkspace>,
    observer: Retained<Observer>,
}

/// Calls `on_change`, on the main thread, when an instance of the app with the bundle identifier `id`
/// has come or gone. Has to be called on the main thread, whose run loop brings the news; nothing
/// elsewhere.
///
/// The notifications of launch and termination would not do: "The system doesn't post this notification
/// for background apps or for apps that have the LSUIElement key", which are those that live in the menu
/// bar, like Docker. To observe the list of apps is what Apple advises instead
/// (<https://developer.apple.com/documentation/appkit/nsworkspace/didlaunchapplicationnotification>,
/// <https://developer.apple.com/documentation/appkit/nsworkspace/runningapplications>).
pub fn watch(id: &str, on_change: impl Fn() + Send + Sync + 'static) -> Option<Watch> {
    // An observer can be removed safely only where it can't be called at the same time.
    MainThreadMarker::new()?;
    let workspace = NSWorkspace::sharedWorkspace();
    let observer = Observer::new(id, on_change);
    #[allow(unsafe_code, reason = "observing keeps no hold of the observer")]
    // SAFETY: `Watch` removes the observer before it lets go of it. The context is only handed back.
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
        // SAFETY: it was added once, by the same key path and context, and is removed once. `Watch` can't
        // be sent elsewhere, so this is the main thread.
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
        // SAFETY: NSObject asks nothing of a class below it, and this one has no `Drop`.
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

    /// Whether the app `id` is among those that came or went
    /// (<https://developer.apple.com/documentation/foundation/nskeyvaluechangekey>). One that has gone may
    /// not know its identifier any more, and could be it.
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
        assert!(open_by_command(bundle).unwrap_err().contains(NOWHERE));
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
