//! The sentences for people. Below this module, results are data: enums and errors with a type of their own.
//!
//! `hint` has the advice for each failure, in the words of the user interface that shows it; `remark` has what there
//! is to say about proxy settings.

mod by_hand;
pub(crate) mod config_key;
pub(crate) mod doctor;
pub mod fit;
pub(crate) mod hint;
mod history;
pub(crate) mod manual_proxy;
pub mod notice;
mod origin;
mod patch;
mod reason;
pub(crate) mod relay;
pub(crate) mod remark;
pub(crate) mod time;
pub(crate) mod uninstall;
pub(crate) mod update;
pub(crate) mod view;

pub(crate) use by_hand::{clause as settings_clause, json as settings_json, line as settings_line};
pub use history::WORDING;
