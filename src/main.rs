//! The `baleen` executable. All code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    baleen::cli::main()
}
