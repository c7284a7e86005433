//! Observation of Docker's own settings.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::backend::docker_desktop::Bundle;
use crate::backend::{
    ChangedSince, Configured, Installed, Layer, Observation, OwnSettings, Unpatched,
};
use crate::error::{Diagnostic, Failure, Kind};
use crate::proxy::{EngineProxy, NoProxy, ProxyUrl, no_proxy, redact, summary};

use super::access::Access;
use super::error::SettingsError;
use super::leaf::{DISABLED, InForce, Leaf, MANUAL};
use super::look::{Look, Places};
use super::record::{Applied, Record, Records};
use super::transition::restoring;

/// Observes the settings of the Docker in `bundle`, for the user with this home folder. Baleen keeps its state in `state`.
pub(crate) fn observe(bundle: &Bundle, home: &Path, state: &Path) -> Observation {
    let mut look = Look::at(bundle, &Places::in_home(home));
    let mut engine = bundle.engine();
    if let Some(fault) = look.fault.take() {
        if let SettingsError::Locked { by } = &fault {
            engine.locked_by = Some(by.clone());
        }
        if let SettingsError::Unknown { .. } = fault {
            engine.proxy_pane = bundle.family.proxy_pane();
            engine.settings_url = bundle.family.settings_url();
        }
        let kind = fault.kind();
        let why = Diagnostic::from(fault);
        return match kind {
            Kind::Unavailable => Observation::NotAnswering(why, Box::new(engine)),
            Kind::Busy => Observation::Incomplete(why),
            _ => Observation::Blocked(why, Some(Box::new(engine))),
        };
    }
    let in_force = match InForce::of(&look.values) {
        Ok(in_force) => in_force,
        Err(leaf) => {
            let why = Diagnostic::from(SettingsError::NotText { leaf });
            return Observation::Blocked(why, Some(Box::new(engine)));
        }
    };
    let record = Records::in_folder(state).get();
    let ours = record.as_ref().and_then(|record| ours(record, &in_force));
    let unpatched = match (ours, record.as_ref()) {
        (Some(_), _) => Unpatched::Unchecked,
        (None, record) if has_no_other(record, &in_force, &look) => Unpatched::OwnSettings,
        (None, _) => Unpatched::InSettings {
            summary: shown(&in_force),
        },
    };
    let was_put_back = ours.is_none()
        && record.as_ref().is_some_and(|record| {
            let app = look.process.as_ref();
            let is_same = |app: &crate::platform::apps::RunningApp| {
                record
                    .process
                    .is_some_and(|known| known.is(app.pid, app.since))
            };
            app.is_some_and(is_same)
        });
    Observation::Ready(Box::new(Installed {
        configured: ours.map(|applied| Configured {
            revision: applied.revision,
            proxy: applied.proxy.clone(),
            method: None,
        }),
        unpatched,
        since: look
            .contents
            .as_ref()
            .map_or_else(SystemTime::now, |it| it.since()),
        bytes: look.contents.as_ref().map_or(0, |it| it.bytes()),
        file: look.file.path.clone(),
        original: None,
        own_settings: Some(OwnSettings {
            follows_system: in_force.follows_system(),
            containers: record.as_ref().is_some_and(Record::has_containers),
            containers_revision: record
                .as_ref()
                .filter(|record| record.has_containers())
                .map(|record| record.last.revision),
            followed_before: record.as_ref().is_some_and(Record::followed_before),
            repairs: record.as_ref().map_or(0, |record| record.repairs),
            can_restore: record
                .as_ref()
                .is_some_and(|record| can_restore(record, &in_force, &look)),
            was_configured: record.as_ref().is_some_and(Record::changes_settings),
            was_put_back,
            layer: match look.access {
                Access::Socket => Layer::RunningDocker,
                _ => Layer::SettingsFile,
            },
            mode: in_force.mode.clone(),
            daemon_proxies: has_daemon_proxies(home),
            containers_bypass: in_force.containers_bypass() && !look.containers_locked,
            containers_mode: in_force.containers_mode,
        }),
        engine,
    }))
}

/// Returns whether a restoration would change something, or forget something that is back already.
fn can_restore(record: &Record, found: &InForce, look: &Look) -> bool {
    let restoration = restoring(found, look, ChangedSince::Refuse, record);
    let has_containers = !record.containers_changes().is_empty();
    restoration.is_ok_and(|it| has_containers || !it.leaves.is_empty() || it.left.is_empty())
}

/// Returns whether the daemon's own file has proxies. Docker Desktop ignores them; before 4.35 they won by mistake.
fn has_daemon_proxies(home: &Path) -> bool {
    let file = fs::read(home.join(".docker/daemon.json")).unwrap_or_default();
    let daemon = serde_json::from_slice::<serde_json::Value>(&file).unwrap_or_default();
    daemon.get("proxies").is_some()
}

/// Returns what Baleen set, if the values are those. What Docker leaves out has its default.
pub(super) fn ours<'r>(record: &'r Record, found: &InForce) -> Option<&'r Applied> {
    record.applied().find(|applied| {
        let text = |leaf: Leaf| applied.values.get(&leaf).and_then(|value| value.text(leaf));
        found.mode == MANUAL
            && !found.has_pac
            && text(Leaf::Http).as_deref() == Some(&found.http)
            && text(Leaf::Https).as_deref() == Some(&found.https)
            && text(Leaf::Exclude).as_deref() == Some(&found.exclude)
    })
}

/// Returns whether no one else than Baleen has set a proxy: the values are Docker's defaults, or those that were recorded
/// before Baleen changed them. A policy or an update may put the mode back and leave the addresses.
pub(super) fn has_no_other(record: Option<&Record>, found: &InForce, look: &Look) -> bool {
    if found.follows_system() {
        return true;
    }
    let is_empty = found.http.is_empty() && found.https.is_empty() && !found.has_pac;
    if found.mode == MANUAL && is_empty {
        return true;
    }
    let Some(record) = record else {
        return false;
    };
    // A leaf that a running Docker does not show says nothing.
    let is_shown = |leaf: &Leaf| look.access != Access::Socket || look.values.contains_key(leaf);
    Leaf::ALL
        .iter()
        .filter(|leaf| **leaf != Leaf::ContainersMode && is_shown(leaf))
        .all(|leaf| record.is_from_before(*leaf, &look.value(*leaf)))
}

/// Returns the proxy of someone else's settings, without passwords.
pub(super) fn shown(found: &InForce) -> String {
    let some = |text: &str| (!text.is_empty()).then(|| redact(text));
    match &*found.mode {
        DISABLED => "no proxy".to_owned(),
        MANUAL if found.has_pac => "a PAC script".to_owned(),
        MANUAL => summary(some(&found.http), some(&found.https)),
        other => format!("the mode {}", redact(other)),
    }
}

/// Returns the proxy that the settings set.
pub(super) fn configured_proxy(
    bundle: &Bundle,
    home: &Path,
) -> Result<Option<EngineProxy>, SettingsError> {
    let look = Look::at(bundle, &Places::in_home(home));
    if let Some(fault) = look.fault {
        return Err(fault);
    }
    let found = InForce::of(&look.values).map_err(|leaf| SettingsError::NotText { leaf })?;
    if found.mode != MANUAL || found.has_pac {
        return Ok(None);
    }
    let url = |text: &str| ProxyUrl::parse(text).ok();
    let entries = no_proxy::split(&found.exclude).unwrap_or_default();
    Ok(EngineProxy::new(
        url(&found.http),
        url(&found.https),
        NoProxy::new(entries),
    ))
}
