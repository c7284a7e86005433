//! *Proxy Source > Manual…*: a panel for the proxy where there are dialogs, else the settings file.

use std::thread;

use crate::agent::event::Click;
use crate::config::{Config, SourceSetting};
use crate::credentials::Store;
use crate::error::Result;
use crate::platform::dialog;
use crate::service::manual_proxy::{self, Changes, ManualProxy};
use crate::text;

use super::{App, AppEvent, dialog_text, notification_text};

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
            return;
        }
        self.is_asking = true;
        let path = self.options.config.clone();
        // The password store may ask to be unlocked.
        self.in_background("manual-proxy", move || {
            AppEvent::ManualProxy(manual_proxy::read(&path).map(Box::new))
        });
    }

    /// Shows the panel.
    pub(super) fn show_manual_proxy(&mut self, proxy: Result<Box<ManualProxy>>) {
        let proxy = match proxy {
            Ok(proxy) if self.running_agent.is_some() => proxy,
            Ok(_) => {
                self.is_asking = false;
                return;
            }
            Err(error) => {
                self.is_asking = false;
                tracing::warn!("{error}");
                return self.show_notification(&notification_text::failed(
                    "The proxy can't be changed now",
                    &error,
                ));
            }
        };
        let (form, sender) = (dialog_text::manual_proxy(&proxy), self.sender.clone());
        let checked = proxy.clone();
        dialog::fill_in(
            &form,
            move |entered| {
                let error = checked.error(&dialog_text::fields(entered))?;
                Some(text::manual_proxy::problem(&error))
            },
            move |entered| {
                let changes = entered.and_then(|entered| {
                    // The panel was accepted, so they have no error.
                    proxy.changes(&dialog_text::fields(&entered)).ok()
                });
                sender.send(AppEvent::ManualProxyEntered(changes.map(Box::new)));
            },
        );
    }

    /// Saves what was entered in the panel; nothing if it was closed.
    pub(super) fn save_manual_proxy(&mut self, changes: Option<Box<Changes>>) {
        self.is_asking = false;
        // An uninstall removes the file, which must not come back.
        let Some(changes) = changes.filter(|_| self.running_agent.is_some()) else {
            return;
        };
        let path = self.options.config.clone();
        self.in_background("manual-proxy", move || {
            AppEvent::ManualProxySaved(changes.save(&path, Store::open))
        });
    }

    /// Has Docker use the proxy that was saved.
    pub(super) fn manual_proxy_saved(&mut self, saved: Result<()>) {
        match saved {
            Ok(()) => self.click(Click::Source(SourceSetting::Manual)),
            Err(error) => {
                tracing::warn!("{error}");
                self.show_notification(&notification_text::failed(
                    "The proxy was not saved",
                    &error,
                ));
            }
        }
    }

    /// Runs `call` on a thread of its own, and sends its result to the app.
    fn in_background(&mut self, name: &str, call: impl FnOnce() -> AppEvent + Send + 'static) {
        let sender = self.sender.clone();
        let spawned = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || sender.send(call()));
        if let Err(error) = spawned {
            self.is_asking = false;
            self.not_opened("the panel for the proxy", error);
        }
    }
}
