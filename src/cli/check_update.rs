//! `baleen check-update`.

use std::env;
use std::sync::Arc;

use serde_json::json;

use crate::config::Config;
use crate::error::Result;
use crate::relay::Dialer;
use crate::service::InstalledBy;
use crate::text;
use crate::update::{self, UpdateError, Verdict};

use super::args::{Global, ProxyArgs};
use super::check_named_config;
use super::output::{BOLD, GOOD, Output, styled};
use super::relay::{credentials, reader};

/// Exit code if there is a newer version.
const NEWER: u8 = 3;

pub(super) fn run(global: &Global, out: &mut Output) -> Result<u8> {
    check_named_config(global)?;
    let path = super::config::path(global);
    // A mistake in the file is reported as what it is.
    Config::load(&path)?;
    let read = reader(ProxyArgs::default(), path.clone());
    let settings = reader(ProxyArgs::default(), path.clone());
    let dialer = Dialer::new(
        Box::new(read),
        path,
        Arc::new(move |proxy| credentials(proxy, &settings)),
    );
    let repository = repository();
    let latest = update::latest(&repository, dialer)?;
    let running = update::running().map_err(|why| UpdateError::Tag {
        tag: env!("CARGO_PKG_VERSION").to_owned(),
        why,
    })?;
    let is_newer = update::verdict(&running, &latest) == Verdict::Newer;
    let page = update::page(&repository);
    let (title, body) = text::update::news(&running, &latest);
    let style = if is_newer { BOLD } else { GOOD };
    out.line(format!("{}. {body}", styled(style, title)))?;
    if is_newer {
        out.line(format!(
            "{} {page}",
            text::update::how(InstalledBy::current())
        ))?;
    }
    out.object(json!({
        "running": running.to_string(),
        "latest": latest.to_string(),
        "is_newer": is_newer,
        "page": page,
    }))?;
    Ok(if is_newer { NEWER } else { 0 })
}

/// Returns the address of the repository. Tests have another one, on this computer.
fn repository() -> String {
    let named = env::var("BALEEN_REPOSITORY").ok();
    named
        .filter(|named| !named.is_empty())
        .unwrap_or_else(|| update::REPOSITORY.to_owned())
}
