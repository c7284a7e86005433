//! `baleen app`.

use serde_json::json;

use crate::app::{self, AppExit};
use crate::error::Result;
use crate::logs;

use super::args::Global;
use super::output::Output;
use super::{check_named_config, options};

pub(super) fn run(global: &Global, out: &mut Output) -> Result<u8> {
    check_named_config(global)?;
    // An instance that doesn't run creates no log folder: the running Baleen may be removing it.
    let start_log = || {
        logs::start(&logs::path(), global.verbose)?;
        tracing::info!("Baleen {} starts, as the app", env!("CARGO_PKG_VERSION"));
        Ok(())
    };
    if let AppExit::HandedOver(who) = app::run(options(global, true), start_log)? {
        out.line(format!(
            "Baleen is already running: {who}. Its icon is in the menu bar."
        ))?;
        out.object(json!({ "runs_already": who }))?;
    }
    Ok(0)
}
