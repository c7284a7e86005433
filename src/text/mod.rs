//! The sentences for people. Below this module, results are data: enums and errors with a type of their own.
//!
//! `hint` has the advice for each failure, in the words of the user interface that shows it.

pub(crate) mod config_key;
pub(crate) mod hint;
