//! The proxy of Docker Desktop, in its own settings: over the socket of a running Docker, which takes effect at once, or
//! in the settings file of a Docker that does not run. Nothing below `Docker.app` is changed.

mod access;
mod containers;
mod error;
mod file;
mod json_text;
mod leaf;
mod look;
mod observe;
mod plan;
mod policy;
mod record;
mod socket;
mod target;
mod transition;

use std::path::{Path, PathBuf};

pub use error::{FileFault, SettingsError};
pub use json_text::InvalidJson;
pub use leaf::{Leaf, LeafValue, Spelling, Values};
pub use policy::LockedBy;
pub use socket::{SocketFault, UnknownShape};

pub(super) use observe::observe;
pub(super) use plan::SettingsPlan;
pub(super) use record::Records;

use super::Bundle;
use crate::backend::{Observation, Remains, RemainsState, Running, Unpatched};
use crate::proxy::{DockerVersion, EngineProxy};

/// Returns the files whose change means that Docker's settings have to be looked at again.
pub(super) fn watched(bundle: &Bundle, home: &Path) -> Vec<PathBuf> {
    look::watched(bundle, &look::Places::in_home(home))
}

/// Returns the Docker that runs from `bundle`.
pub(super) fn running(bundle: &Bundle) -> Option<Running> {
    let app = super::restart::running(&bundle.path)?;
    Some(Running {
        pid: app.pid,
        since: app.since,
        tells_settings: DockerVersion::of(&bundle.version).has_socket(),
        ..Running::default()
    })
}

/// Docker's own proxy on the Mac, in the user's home folder.
const OWN_PROXY: &str = "Library/Containers/com.docker.docker/Data/httpproxy.sock";

/// Returns the socket of Docker's own proxy.
pub(super) fn own_proxy(home: &Path) -> PathBuf {
    home.join(OWN_PROXY)
}

/// Returns the files that a killed Baleen left behind.
pub(super) fn unfinished(home: &Path) -> Vec<PathBuf> {
    file::unfinished(home)
}

/// Removes the files that a killed Baleen left behind.
pub(super) fn remove_unfinished(home: &Path) {
    let _ = file::Lock::acquire(home);
}

/// Returns the proxy that Docker's settings set, also if Baleen did not set it.
pub(super) fn configured_proxy(
    bundle: &Bundle,
    home: &Path,
) -> Result<Option<EngineProxy>, SettingsError> {
    observe::configured_proxy(bundle, home)
}

/// Does everything that a change would do except the change itself.
pub(super) fn preflight(bundle: &Bundle, home: &Path) -> Result<(), SettingsError> {
    plan::preflight(bundle, home)
}

/// Returns what Baleen has left in Docker's settings.
pub(super) fn remains(bundle: &Bundle, home: &Path, state: &Path) -> Option<Remains> {
    let record = Records::in_folder(state).get();
    let observed = observe(bundle, home, state);
    let state = match (record, observed) {
        (None, _) => Ok(RemainsState::Stock),
        // Also where only some of the values are left, or someone else has set another proxy since.
        (Some(record), Observation::Ready(_)) => Ok(RemainsState::Patched(
            record.last.proxy,
            Unpatched::OwnSettings,
        )),
        (
            Some(_),
            Observation::Missing(why)
            | Observation::Incomplete(why)
            | Observation::NotAnswering(why, _)
            | Observation::Blocked(why, _),
        ) => Err(why.into_error()),
    };
    Some(Remains {
        path: bundle.path.clone(),
        version: Some(bundle.version.clone()),
        state,
        backup: None,
    })
}
