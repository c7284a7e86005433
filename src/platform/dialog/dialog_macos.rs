//! Dialogs with NSAlert (<https://developer.apple.com/documentation/appkit/nsalert>).
//!
//! An alert runs a loop of its own until a button is pressed. It is started by a timer and not in the caller's turn: the
//! caller is the app's event loop, which handles no further message before it returns, and so the app would stand still
//! behind the alert.

use std::cell::Cell;

use block2::RcBlock;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::{NSObjectProtocol, ProtocolObject};
use objc2::{MainThreadMarker, MainThreadOnly, available, sel};
use objc2_app_kit::{
    NSAccessibility, NSAlert, NSAlertFirstButtonReturn, NSAlertSecondButtonReturn, NSApplication,
    NSButton, NSColor, NSControlStateValueOn, NSFont, NSMenu, NSMenuItem, NSSecureTextField,
    NSTextField, NSView,
};
use objc2_foundation::{NSPoint, NSRect, NSSize, NSString, NSTimer, ns_string};
use zeroize::Zeroizing;

use super::{Entered, Field, Form, Question};
use delegate::{Delegate, Parts};

/// Whether this system has dialogs.
pub const AVAILABLE: bool = true;

/// Widths and heights of the form, in points.
const WIDTH: f64 = 400.0;
const LABEL_WIDTH: f64 = 90.0;
const ROW: f64 = 30.0;
const FIELD_HEIGHT: f64 = 22.0;
/// Four lines of small text, for the longest sentence about a field.
const PROBLEM_HEIGHT: f64 = 68.0;

/// Asks the question on the main thread, and calls `answer` there with true if the user agreed.
pub fn ask(question: &Question, answer: impl FnOnce(bool) + 'static) {
    let question = question.clone();
    soon(move |mtm| {
        let alert = alert(&question.title, &question.text, mtm);
        let button = |label: &str| alert.addButtonWithTitle(&NSString::from_str(label));
        // "By default, the first button has a key equivalent of Return":
        // <https://developer.apple.com/documentation/appkit/nsalert/addbutton(withtitle:)>
        let yes = match question.is_destructive {
            true => {
                button(&question.no);
                let yes = button(&question.yes);
                if available!(macos = 11.0) {
                    // <https://developer.apple.com/documentation/appkit/nsbutton/hasdestructiveaction>
                    yes.setHasDestructiveAction(true);
                }
                NSAlertSecondButtonReturn
            }
            false => {
                button(&question.yes);
                // Only a button called Cancel has the Escape key by itself:
                // <https://developer.apple.com/documentation/appkit/nsbutton/keyequivalent>
                button(&question.no).setKeyEquivalent(ns_string!("\u{1b}"));
                NSAlertFirstButtonReturn
            }
        };
        // <https://developer.apple.com/documentation/appkit/nsalert/runmodal()>
        answer(alert.runModal() == yes);
    });
}

/// Brings the open dialog in front of the windows of other apps.
pub fn bring_to_front() {
    let Some(mtm) = MainThreadMarker::new() else {
        return;
    };
    // <https://developer.apple.com/documentation/appkit/nsapplication/modalwindow>
    if let Some(window) = activated(mtm).modalWindow() {
        // <https://developer.apple.com/documentation/appkit/nswindow/makekeyandorderfront(_:)>
        window.makeKeyAndOrderFront(None);
    }
}

/// Shows the system's About panel, with the name, version and icon of the bundle.
pub fn show_about() {
    let Some(mtm) = MainThreadMarker::new() else {
        return;
    };
    // <https://developer.apple.com/documentation/appkit/nsapplication/orderfrontstandardaboutpanel(_:)>
    activated(mtm).orderFrontStandardAboutPanel(None);
}

/// Returns the app, as the active one: otherwise its windows open behind those of the app that is, and an app with no icon in
/// the Dock never becomes it by itself.
fn activated(mtm: MainThreadMarker) -> Retained<NSApplication> {
    let app = NSApplication::sharedApplication(mtm);
    // <https://developer.apple.com/documentation/appkit/nsapplication/activate(ignoringotherapps:)>
    #[allow(deprecated, reason = "the systems before macOS 14 have nothing else")]
    app.activateIgnoringOtherApps(true);
    app
}

/// Shows the form on the main thread, and calls `done` there with its contents, or with nothing if the user closed it. `check`
/// returns the sentence to show below the fields while they can't be accepted; it is called after each change.
pub fn fill_in(
    form: &Form,
    check: impl Fn(&Entered) -> Option<String> + 'static,
    done: impl FnOnce(Option<Entered>) + 'static,
) {
    let form = form.clone();
    soon(move |mtm| {
        edit_menu(mtm);
        let alert = alert(&form.title, &form.text, mtm);
        let accept = alert.addButtonWithTitle(&NSString::from_str(&form.accept));
        // "Any button with a title of 'Cancel' has a key equivalent of Escape":
        // <https://developer.apple.com/documentation/appkit/nsalert/addbutton(withtitle:)>
        let cancel = alert.addButtonWithTitle(&NSString::from_str(&form.cancel));
        let (view, fields, option, problem) = content(&form, mtm);
        // <https://developer.apple.com/documentation/appkit/nsalert/accessoryview>
        alert.setAccessoryView(Some(&view));
        let delegate = Delegate::new(
            Parts {
                fields,
                option,
                accept,
                cancel,
                problem,
                check: Box::new(check),
            },
            mtm,
        );
        delegate.connect();
        // The window's frame depends on the accessory view, which `layout` has it take in:
        // <https://developer.apple.com/documentation/appkit/nsalert/layout()>
        alert.layout();
        // <https://developer.apple.com/documentation/appkit/nswindow/initialfirstresponder>
        let first = delegate.first_field();
        alert.window().setInitialFirstResponder(first);
        let accepted = alert.runModal() == NSAlertFirstButtonReturn;
        done(accepted.then(|| delegate.entered()));
    });
}

/// Calls `call` in the next turn of the main thread's run loop.
fn soon(call: impl FnOnce(MainThreadMarker) + 'static) {
    let call = Cell::new(Some(call));
    let block = RcBlock::new(move |_| {
        if let (Some(call), Some(mtm)) = (call.take(), MainThreadMarker::new()) {
            autoreleasepool(|_| call(mtm));
        }
    });
    #[allow(unsafe_code, reason = "the block is not required to be sendable")]
    // SAFETY: the timer runs on the thread that schedules it, which the app's event loop calls: the main one.
    // <https://developer.apple.com/documentation/foundation/timer/scheduledtimer(withtimeinterval:repeats:block:)>
    unsafe {
        NSTimer::scheduledTimerWithTimeInterval_repeats_block(0.0, false, &block);
    }
}

/// Returns an alert, in front of the windows of other apps.
fn alert(title: &str, text: &str, mtm: MainThreadMarker) -> Retained<NSAlert> {
    activated(mtm);
    let alert = NSAlert::new(mtm);
    // <https://developer.apple.com/documentation/appkit/nsalert/messagetext>
    alert.setMessageText(&NSString::from_str(title));
    // <https://developer.apple.com/documentation/appkit/nsalert/informativetext>
    alert.setInformativeText(&NSString::from_str(text));
    alert
}

/// Gives the app the Edit menu, if it has no menu yet. It is never seen, since the app has no menu bar, but without it the keys
/// for Cut, Copy, Paste and Select All would do nothing: a key equivalent is looked for in the main menu.
/// <https://developer.apple.com/documentation/appkit/nsapplication/mainmenu>
fn edit_menu(mtm: MainThreadMarker) {
    let app = NSApplication::sharedApplication(mtm);
    if app.mainMenu().is_some() {
        return;
    }
    let edit = NSMenu::new(mtm);
    for (title, action, key) in [
        (ns_string!("Cut"), sel!(cut:), ns_string!("x")),
        (ns_string!("Copy"), sel!(copy:), ns_string!("c")),
        (ns_string!("Paste"), sel!(paste:), ns_string!("v")),
        (ns_string!("Select All"), sel!(selectAll:), ns_string!("a")),
    ] {
        #[allow(unsafe_code, reason = "the selector must be that of a method")]
        // SAFETY: the four are methods of the standard responders, with one argument.
        // <https://developer.apple.com/documentation/appkit/nsmenu/additem(withtitle:action:keyequivalent:)>
        unsafe {
            edit.addItemWithTitle_action_keyEquivalent(title, Some(action), key);
        }
    }
    let item = NSMenuItem::new(mtm);
    item.setSubmenu(Some(&edit));
    let main = NSMenu::new(mtm);
    main.addItem(&item);
    app.setMainMenu(Some(&main));
}

type Content = (
    Retained<NSView>,
    Vec<Retained<NSTextField>>,
    Option<Retained<NSButton>>,
    Retained<NSTextField>,
);

/// Returns the view below the alert's text: a row for each field, the checkbox, and the text about a problem.
fn content(form: &Form, mtm: MainThreadMarker) -> Content {
    let rows = form.fields.len() + usize::from(form.option.is_some());
    let height = PROBLEM_HEIGHT + ROW * rows as f64;
    // <https://developer.apple.com/documentation/appkit/nsview/init(frame:)>
    let view = NSView::initWithFrame(NSView::alloc(mtm), frame(0.0, 0.0, WIDTH, height));
    let mut top = height;
    let mut fields = Vec::new();
    for one in &form.fields {
        top -= ROW;
        // <https://developer.apple.com/documentation/appkit/nstextfield/init(labelwithstring:)>
        let label = NSTextField::labelWithString(&NSString::from_str(&one.label), mtm);
        label.setFrame(frame(0.0, top, LABEL_WIDTH, FIELD_HEIGHT - 3.0));
        view.addSubview(&label);
        let field = field(one, top, mtm);
        view.addSubview(&field);
        fields.push(field);
    }
    let option = form.option.as_ref().map(|label| {
        top -= ROW;
        #[allow(unsafe_code, reason = "the action must be that of a method")]
        // SAFETY: there is no target and no action.
        // <https://developer.apple.com/documentation/appkit/nsbutton/init(checkboxwithtitle:target:action:)>
        let option = unsafe {
            NSButton::checkboxWithTitle_target_action(&NSString::from_str(label), None, None, mtm)
        };
        option.setFrame(frame(LABEL_WIDTH, top, WIDTH - LABEL_WIDTH, FIELD_HEIGHT));
        view.addSubview(&option);
        option
    });
    // <https://developer.apple.com/documentation/appkit/nstextfield/init(wrappinglabelwithstring:)>
    let problem = NSTextField::wrappingLabelWithString(ns_string!(""), mtm);
    problem.setFrame(frame(0.0, 0.0, WIDTH, PROBLEM_HEIGHT - 8.0));
    problem.setFont(Some(&NSFont::systemFontOfSize(
        NSFont::smallSystemFontSize(),
    )));
    // <https://developer.apple.com/documentation/appkit/nscolor/systemred>
    problem.setTextColor(Some(&NSColor::systemRedColor()));
    view.addSubview(&problem);
    (view, fields, option, problem)
}

/// Returns a field in the row whose lower edge is at `y`.
fn field(one: &Field, y: f64, mtm: MainThreadMarker) -> Retained<NSTextField> {
    let place = frame(LABEL_WIDTH, y, WIDTH - LABEL_WIDTH, FIELD_HEIGHT);
    let field = match one.is_secret {
        // <https://developer.apple.com/documentation/appkit/nssecuretextfield>
        true => Retained::into_super(NSSecureTextField::initWithFrame(
            NSSecureTextField::alloc(mtm),
            place,
        )),
        false => NSTextField::initWithFrame(NSTextField::alloc(mtm), place),
    };
    // <https://developer.apple.com/documentation/appkit/nscontrol/stringvalue>
    field.setStringValue(&NSString::from_str(&one.value));
    // <https://developer.apple.com/documentation/appkit/nstextfield/placeholderstring>
    field.setPlaceholderString(Some(&NSString::from_str(&one.placeholder)));
    // The label is a view of its own, which VoiceOver does not connect with the field:
    // <https://developer.apple.com/documentation/appkit/nsaccessibilityprotocol/setaccessibilitylabel(_:)>
    field.setAccessibilityLabel(Some(&NSString::from_str(&one.label)));
    field
}

fn frame(x: f64, y: f64, width: f64, height: f64) -> NSRect {
    NSRect::new(NSPoint::new(x, y), NSSize::new(width, height))
}

#[allow(
    unsafe_code,
    reason = "a class for the system to call can't be declared without"
)]
mod delegate {
    use objc2::rc::Retained;
    use objc2::runtime::{AnyObject, NSObject};
    use objc2::{DefinedClass, define_class, msg_send};
    use objc2_app_kit::{NSControlTextEditingDelegate, NSTextFieldDelegate};
    use objc2_foundation::NSNotification;

    use super::*;

    /// Returns the problem with the contents of a form, if there is one.
    type Check = Box<dyn Fn(&Entered) -> Option<String>>;

    /// The parts of a form that change, or are read, while it is shown.
    pub(super) struct Parts {
        pub(super) fields: Vec<Retained<NSTextField>>,
        pub(super) option: Option<Retained<NSButton>>,
        pub(super) accept: Retained<NSButton>,
        pub(super) cancel: Retained<NSButton>,
        pub(super) problem: Retained<NSTextField>,
        pub(super) check: Check,
    }

    define_class!(
        // SAFETY: NSObject has no requirements for subclasses, and this one has no `Drop`.
        #[unsafe(super(NSObject))]
        #[thread_kind = MainThreadOnly]
        #[name = "BaleenFormDelegate"]
        #[ivars = Parts]
        pub(super) struct Delegate;

        // SAFETY: the protocol has no required methods.
        unsafe impl NSObjectProtocol for Delegate {}

        // SAFETY: the method has the signature of Apple's header.
        // <https://developer.apple.com/documentation/appkit/nscontroltexteditingdelegate/controltextdidchange(_:)>
        unsafe impl NSControlTextEditingDelegate for Delegate {
            #[unsafe(method(controlTextDidChange:))]
            fn changed(&self, _notification: &NSNotification) {
                self.check();
            }
        }

        // SAFETY: the protocol has no required methods.
        unsafe impl NSTextFieldDelegate for Delegate {}

        impl Delegate {
            #[unsafe(method(optionChanged:))]
            fn option_changed(&self, _sender: Option<&AnyObject>) {
                self.check();
            }
        }
    );

    impl Delegate {
        pub(super) fn new(parts: Parts, mtm: MainThreadMarker) -> Retained<Self> {
            let this = Self::alloc(mtm).set_ivars(parts);
            // SAFETY: NSObject's `init`, which takes nothing and returns the object.
            unsafe { msg_send![super(this), init] }
        }

        /// Has the fields and the checkbox report their changes, and checks them for the first time.
        pub(super) fn connect(&self) {
            let parts = self.ivars();
            let mut keyed: Vec<&NSView> = Vec::new();
            for field in &parts.fields {
                keyed.push(field);
                // SAFETY: it is not retained, and lives until the form is closed.
                // <https://developer.apple.com/documentation/appkit/nstextfield/delegate>
                unsafe {
                    field.setDelegate(Some(ProtocolObject::from_ref(self)));
                }
            }
            if let Some(option) = &parts.option {
                keyed.push(option);
            }
            keyed.extend([&**parts.cancel as &NSView, &**parts.accept]);
            // The Tab key goes through all of them, and from the last one to the first.
            for (one, next) in keyed.iter().zip(keyed.iter().cycle().skip(1)) {
                // SAFETY: neither is retained, and all live until the form is closed.
                // <https://developer.apple.com/documentation/appkit/nsview/nextkeyview>
                unsafe {
                    one.setNextKeyView(Some(next));
                }
            }
            if let Some(option) = &parts.option {
                // SAFETY: the target lives until the form is closed, and has the action.
                // <https://developer.apple.com/documentation/appkit/nscontrol/target>
                unsafe {
                    option.setTarget(Some(self));
                    option.setAction(Some(sel!(optionChanged:)));
                }
            }
            self.check();
        }

        /// The first field.
        pub(super) fn first_field(&self) -> Option<&NSView> {
            let first = self.ivars().fields.first()?;
            Some(first)
        }

        /// Returns the contents of the form.
        pub(super) fn entered(&self) -> Entered {
            let parts = self.ivars();
            let texts = parts.fields.iter();
            Entered {
                texts: texts
                    .map(|field| Zeroizing::new(field.stringValue().to_string()))
                    .collect(),
                option: parts
                    .option
                    .as_ref()
                    .is_some_and(|option| option.state() == NSControlStateValueOn),
            }
        }

        /// Shows the problem, and lets the form be accepted only without one.
        /// <https://developer.apple.com/documentation/appkit/nscontrol/isenabled>
        fn check(&self) {
            let parts = self.ivars();
            let problem = (parts.check)(&self.entered());
            parts.accept.setEnabled(problem.is_none());
            let text = problem.unwrap_or_default();
            parts.problem.setStringValue(&NSString::from_str(&text));
        }
    }
}
