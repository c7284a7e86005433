//! `baleen pac-worker`: the separate process in which a PAC script runs.

use std::io::{self, Read};

use crate::error::Result;
use crate::proxy::pac;

use super::error::CliError;
use super::output::Output;

pub(super) fn run(out: &mut Output) -> Result<u8> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input).map_err(CliError::Job)?;
    out.raw(&pac::work(&input)?)?;
    Ok(0)
}
