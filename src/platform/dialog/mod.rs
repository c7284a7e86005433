//! Dialogs: a question with two answers, a few fields to fill in, and the panel about Baleen.
//!
//! Only macOS has them ([`AVAILABLE`]). A Linux desktop has no dialogs that a program without a GUI toolkit could show, and
//! `zenity` and its like, where they are installed, can't check fields while they are being filled in. There the settings file
//! takes the place of the fields, and a notification with buttons that of the question.

#[cfg(not(target_os = "macos"))]
mod dialog_linux;
#[cfg(target_os = "macos")]
mod dialog_macos;

use zeroize::Zeroizing;

#[cfg(not(target_os = "macos"))]
pub use dialog_linux::{AVAILABLE, ask, bring_to_front, fill_in, show_about};
#[cfg(target_os = "macos")]
pub use dialog_macos::{AVAILABLE, ask, bring_to_front, fill_in, show_about};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub title: String,
    /// The explanation below it.
    pub text: String,
    /// The label of the button that agrees.
    pub yes: String,
    /// The label of the button that doesn't.
    pub no: String,
    /// True if a yes can't be undone: then no is the default answer, else yes.
    pub is_destructive: bool,
}

/// Fields to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The title.
    pub title: String,
    /// The explanation below it.
    pub text: String,
    /// The fields, from top to bottom.
    pub fields: Vec<Field>,
    /// The label of a checkbox below the fields, if there is one. It is off at first.
    pub option: Option<String>,
    /// The label of the button that accepts the fields, which is the default.
    pub accept: String,
    /// The label of the button that closes the form.
    pub cancel: String,
}

/// A field for a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// The label.
    pub label: String,
    /// The text in it at first.
    pub value: String,
    /// The text that an empty field shows in grey.
    pub placeholder: String,
    /// True if the text is not shown while it is typed.
    pub is_secret: bool,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Field").field(&self.label).finish()
    }
}

/// The contents of a form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entered {
    /// The texts of the fields, from top to bottom.
    pub texts: Vec<Zeroizing<String>>,
    /// True if the checkbox is on.
    pub option: bool,
}
