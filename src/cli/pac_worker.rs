//! `baleen pac-worker`: the separate process in which a PAC script runs.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use crate::error::Result;
use crate::proxy::pac;

use super::error::CliError;

pub(super) fn run() -> Result<u8> {
    // The standard library's handle has a buffer, behind which no one can wait for input with a time limit.
    let input = io::stdin().as_fd().try_clone_to_owned();
    let input = input.map(File::from).map_err(CliError::Job)?;
    pac::work(input, io::stdout())?;
    Ok(0)
}
