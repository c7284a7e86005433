//! The sentences for people. Below this module, results are data: enums and errors with a type of their own.
//!
//! `hint` has the advice for each failure, in the words of the user interface that shows it; `remark` has what there
//! is to say about proxy settings.

pub(crate) mod hint;
pub(crate) mod remark;
pub(crate) mod time;
