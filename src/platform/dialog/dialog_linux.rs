//! No dialogs.

use super::{Entered, Form, Question};

/// Whether this system has dialogs.
pub const AVAILABLE: bool = false;

/// Answers no: a question that is not shown has no other answer.
pub fn ask(_question: &Question, answer: impl FnOnce(bool) + 'static) {
    answer(false);
}

/// Does nothing: there is none to bring.
pub fn bring_to_front() {}

/// Does nothing: there is no such panel.
pub fn show_about() {}

/// Closes the form as its second button does.
pub fn fill_in(
    _form: &Form,
    _check: impl Fn(&Entered) -> Option<String> + 'static,
    done: impl FnOnce(Option<Entered>) + 'static,
) {
    done(None);
}
