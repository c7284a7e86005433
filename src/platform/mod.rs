//! The operating system's calls, as thin as possible: each a call and a conversion, no decisions.

mod copy;

pub use copy::copy_file;
