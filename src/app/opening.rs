//! What the app opens or copies for the user: settings, logs, Docker, texts.

use std::error::Error as StdError;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::platform::open::{self, TargetError};
use crate::platform::{apps, clipboard};
use crate::proxy::Field;
use crate::text::config_key;

use super::menu::address;
use super::{App, AppError, notification_text};

impl App {
    /// Copies the values for Docker's own proxy settings. Without a clipboard, opens a file with them.
    pub(super) fn copy_proxy_settings(&self, field: Field) {
        let view = self.view.as_ref();
        let Some((view, pane, fields)) =
            view.and_then(|view| Some((view, view.proxy_pane?, view.docker_fields()?)))
        else {
            return self.show_notification(&notification_text::nothing_to_copy());
        };
        let remarks = fields.remarks(view.docker.as_deref().unwrap_or_default());
        let remarks: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        let why = match clipboard::copy(&fields.text(field)) {
            Ok(()) => {
                return self.show_notification(&notification_text::copied(pane, &remarks, None));
            }
            Err(why) => why,
        };
        tracing::info!("not copied: {why}");
        match write_text("baleen-proxy-settings-", &fields.text(Field::All)) {
            Ok(file) => {
                self.show_notification(&notification_text::copied(pane, &remarks, Some(&file)));
                self.open_text(&file);
            }
            Err(error) => self.not_opened("a file with Docker's proxy settings", error),
        }
    }

    /// Copies the proxy's address, for the settings of other programs. Without a clipboard, opens a file with it.
    pub(super) fn copy_proxy_address(&self) {
        let Some(address) = self.view.as_ref().and_then(address) else {
            return self.show_notification(&notification_text::nothing_to_copy());
        };
        let Err(why) = clipboard::copy(&address) else {
            return;
        };
        tracing::info!("not copied: {why}");
        match write_text("baleen-proxy-address-", &address) {
            Ok(file) => self.open_text(&file),
            Err(error) => self.not_opened("a file with the proxy's address", error),
        }
    }

    /// Opens Docker's own proxy settings, or at least Docker.
    pub(super) fn open_docker_settings(&self) {
        let view = self.view.as_ref();
        let Some((view, docker)) = view.and_then(|view| Some((view, view.path.as_ref()?))) else {
            return;
        };
        // Docker may have started since it was last observed.
        let is_running = || {
            let backend = self.options.registry.open(docker, &self.options.state);
            backend.running().is_some()
        };
        if let Some(url) = view.settings_url.filter(|_| is_running()) {
            match open::open(OsStr::new(url)) {
                Ok(()) => return,
                Err(why) => tracing::info!("{url} was not opened: {why}"),
            }
        }
        if let Err(error) = apps::open(docker) {
            tracing::warn!("{error}");
            self.show_notification(&notification_text::failed(
                "Docker could not be opened",
                &error.into(),
            ));
        }
    }

    pub(super) fn open(&self, target: &OsStr) {
        if let Err(error) = open::open(target) {
            self.not_opened(&target.to_string_lossy(), error);
        }
    }

    pub(super) fn open_text(&self, path: &Path) {
        if let Err(error) = open::open_text(path) {
            self.not_opened(&path.to_string_lossy(), error);
        }
    }

    pub(super) fn not_opened(
        &self,
        what: &str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) {
        let error = AppError::NotOpened {
            what: what.to_owned(),
            source: source.into(),
        };
        tracing::warn!("{error}");
        self.show_notification(&notification_text::failed(
            "That could not be opened",
            &error.into(),
        ));
    }

    pub(super) fn open_settings(&self) {
        let path = &self.options.config;
        if let Err(error) = crate::config::make(path, &config_key::new_file()) {
            tracing::warn!("{error}");
            return self.show_notification(&notification_text::failed(
                "There is no settings file",
                &error.into(),
            ));
        }
        self.open_text(path);
    }
}

/// Shows a text in a new file in the system's temporary folder. Its name begins with `prefix`.
pub(super) fn open_as_text(prefix: &str, text: &str) -> Result<(), TargetError> {
    open::open_text(&write_text(prefix, text)?)
}

/// Writes a text into a new file in the system's temporary folder. Its name begins with `prefix`.
fn write_text(prefix: &str, text: &str) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new()
        .prefix(prefix)
        .suffix(".txt")
        .tempfile()?;
    file.write_all(text.as_bytes())?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}
