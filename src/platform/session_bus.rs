//! Whether there is a desktop session to ask.

use std::env;
use std::path::Path;

/// Whether this process belongs to a session with a message bus: `DBUS_SESSION_BUS_ADDRESS` names
/// it, or it is at `$XDG_RUNTIME_DIR/bus` (`man 1 dbus-daemon`, `man 8 pam_systemd`). Without one,
/// no keyring and no desktop's setting is this user's here and now, and none is asked.
pub(crate) fn has_session_bus() -> bool {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    set("DBUS_SESSION_BUS_ADDRESS").is_some()
        || set("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).join("bus").exists())
}
