//! `baleen app`.

use serde_json::json;

use crate::app::{self, End};
use crate::error::Result;
use crate::logs;

use super::args::{Act, Global};
use super::options;
use super::output::Output;

pub(super) fn run(global: &Global, args: &Act, out: &mut Output) -> Result<u8> {
    logs::start(&logs::path(), args.verbose)?;
    tracing::info!("Baleen {} starts, as the app", env!("CARGO_PKG_VERSION"));
    if let End::HandedOver(who) = app::run(options(global, true))? {
        out.line(format!(
            "Baleen runs already: {who}. Its icon is in the menu bar."
        ))?;
        out.object(json!({ "runs_already": who }))?;
    }
    Ok(0)
}
