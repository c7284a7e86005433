//! *Proxy Source > Manual…*: a panel for the proxy where there are dialogs, else the settings file.

use std::io;

use crate::agent::event::Click;
use crate::config::{Config, SourceSetting};
use crate::credentials::Store;
use crate::error::{Error, Result};
use crate::platform::dialog;
use crate::service::manual_proxy::{self, Changes, Fields, ManualProxy, Saved};
use crate::text::{self, notice::Problem};

use super::{App, AppError, AppEvent, dialog_text, notification_text};

/// What was entered in the panel, and accepted.
#[derive(Clone)]
pub(super) struct Entry {
    /// The proxy before.
    proxy: ManualProxy,
    /// The contents of the fields.
    fields: Fields,
    /// What they change.
    changes: Changes,
}

impl App {
    /// Lets the user enter a proxy.
    pub(super) fn edit_manual_proxy(&mut self) {
        if !dialog::AVAILABLE {
            // The agent may not have seen the last change of the file yet.
            let config = Config::load(&self.options.config);
            let has_manual = config
                .is_ok_and(|config| config.http_proxy.is_some() || config.https_proxy.is_some());
            if has_manual {
                self.click(Click::Source(SourceSetting::Manual));
            } else {
                self.show_notification(&notification_text::enter_in_file());
            }
            return self.open_settings();
        }
        if self.is_asking {
            // It may be behind a window.
            return dialog::bring_to_front();
        }
        self.is_asking = true;
        let path = self.options.config.clone();
        // The password store may ask to be unlocked.
        self.in_background(
            "manual-proxy",
            move || AppEvent::ManualProxy(manual_proxy::read(&path).map(Box::new)),
            |error| AppEvent::ManualProxy(Err(not_started(error))),
        );
    }

    /// Shows the panel.
    pub(super) fn show_manual_proxy(&mut self, proxy: Result<Box<ManualProxy>>) {
        match proxy {
            Ok(proxy) => {
                let fields = proxy.fields();
                self.fill_in_manual_proxy(*proxy, &fields, None);
            }
            Err(error) => {
                self.is_asking = false;
                tracing::warn!("{error}");
                self.show_notification(&notification_text::failed(
                    "The proxy can't be changed now",
                    &error,
                ));
            }
        }
    }

    /// Shows the panel with these contents, below a problem with the last ones, if there was one.
    fn fill_in_manual_proxy(
        &mut self,
        proxy: ManualProxy,
        fields: &Fields,
        problem: Option<&Problem>,
    ) {
        let Some(view) = self.view.as_ref().filter(|_| self.running_agent.is_some()) else {
            self.is_asking = false;
            return;
        };
        self.is_asking = true;
        let form = dialog_text::manual_proxy(&proxy, fields, view.is_on, problem);
        let (sender, checked) = (self.sender.clone(), proxy.clone());
        dialog::fill_in(
            &form,
            move |entered| {
                let error = checked.error(&dialog_text::fields(entered))?;
                Some(text::manual_proxy::problem(&error))
            },
            move |entered| {
                let entry = entered.and_then(|entered| {
                    let fields = dialog_text::fields(&entered);
                    // The panel was accepted, so they have no error.
                    let changes = proxy.changes(&fields).ok()?;
                    Some(Box::new(Entry {
                        proxy,
                        fields,
                        changes,
                    }))
                });
                sender.send(AppEvent::ManualProxyEntered(entry));
            },
        );
    }

    /// Saves what was entered in the panel; nothing if it was closed.
    pub(super) fn save_manual_proxy(&mut self, entry: Option<Box<Entry>>) {
        self.is_asking = false;
        // An uninstall removes the file, which must not come back.
        let Some(entry) = entry.filter(|_| self.running_agent.is_some()) else {
            return;
        };
        let path = self.options.config.clone();
        let failed = entry.clone();
        self.in_background(
            "manual-proxy",
            move || {
                let saved = entry.changes.save(&path, Store::open);
                AppEvent::ManualProxySaved(entry, saved)
            },
            |error| AppEvent::ManualProxySaved(failed, Err(not_started(error))),
        );
    }

    /// Has Docker use the proxy that was saved. If it was not saved, shows the panel again, with what was entered.
    pub(super) fn manual_proxy_saved(&mut self, entry: &Entry, saved: Result<Saved>) {
        match saved {
            Ok(saved) => {
                self.click(Click::Source(SourceSetting::Manual));
                if let Saved::ButPassword(error) = saved {
                    tracing::warn!("{error}");
                    self.show_notification(&notification_text::failed(
                        "The stored password was not deleted",
                        &error,
                    ));
                }
            }
            Err(error) => {
                tracing::warn!("{error}");
                // Another dialog may have been opened since.
                if self.is_asking {
                    return self.show_notification(&notification_text::failed(
                        "The proxy was not saved",
                        &error,
                    ));
                }
                let problem = Problem::from(&error);
                self.fill_in_manual_proxy(entry.proxy.clone(), &entry.fields, Some(&problem));
            }
        }
    }
}

/// Returns the error that there was no thread for the panel.
fn not_started(source: io::Error) -> Error {
    let error = AppError::NotOpened {
        what: "the panel for the proxy".to_owned(),
        source: source.into(),
    };
    error.into()
}
