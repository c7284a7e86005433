//! The message bus of a desktop session: its existence and its address.
//!
//! `DBUS_SESSION_BUS_ADDRESS` is "a semicolon-separated list of addresses", which a client tries "in order until one
//! succeeds" (<https://dbus.freedesktop.org/doc/dbus-specification.html#addresses>, section "Server Addresses"). GLib
//! and libdbus do so. zbus 5.19, which the icon, the notifications and the keyring use, takes the list for one address.
//! If the variable is empty, libdbus continues with `$XDG_RUNTIME_DIR/bus`; GLib 2.74 and zbus fail.

use std::env;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// The environment variable with the addresses of the bus.
const VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Timeout for a bus in the network.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Returns whether this process belongs to a session with a message bus: `DBUS_SESSION_BUS_ADDRESS`
/// names it, or it is at `$XDG_RUNTIME_DIR/bus` (`man 1 dbus-daemon`, `man 8 pam_systemd`). Without a
/// bus, this session has no keyring and no desktop settings, so Baleen queries neither.
pub(crate) fn has_session_bus() -> bool {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    set(VARIABLE).is_some()
        || set("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).join("bus").exists())
}

/// The change to the variable for clients that take it for one address.
#[derive(Debug, PartialEq, Eq)]
enum Choice<'a> {
    /// Keep it unchanged.
    Keep,
    /// Set it to this address of the list.
    Set(&'a str),
    /// Remove it, since it names no address.
    Remove,
}

/// Chooses the first address of `list` that answers. If none does, chooses the first, so that an error names it.
fn choose<'a>(list: &'a str, answers: impl Fn(&str) -> bool) -> Choice<'a> {
    let addresses: Vec<&str> = list.split(';').filter(|one| !one.is_empty()).collect();
    match addresses[..] {
        [] => Choice::Remove,
        [only] if only == list => Choice::Keep,
        [first, ..] => {
            let found = addresses.iter().find(|address| answers(address));
            Choice::Set(found.unwrap_or(&first))
        }
    }
}

/// Reduces `DBUS_SESSION_BUS_ADDRESS` to one address that answers. Must be called before the program starts a thread.
pub(crate) fn choose_session_bus() {
    let Ok(list) = env::var(VARIABLE) else {
        return;
    };
    #[expect(
        unsafe_code,
        reason = "the crates that connect to the bus read the environment, and take no address"
    )]
    match choose(&list, |address| connect(address).is_ok()) {
        Choice::Keep => {}
        // SAFETY: the program has only one thread so far, so nothing reads the environment during the change.
        Choice::Set(address) => unsafe { env::set_var(VARIABLE, address) },
        // SAFETY: as above.
        Choice::Remove => unsafe { env::remove_var(VARIABLE) },
    }
}

/// Connects to a bus and disconnects. A transport that starts a program for each connection counts as present.
fn connect(address: &str) -> io::Result<()> {
    let unusable = || io::Error::new(io::ErrorKind::InvalidInput, "not an address to connect to");
    let (transport, options) = address.split_once(':').ok_or_else(unusable)?;
    let option = |name: &str| {
        let mut pairs = options.split(',').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        Some(percent_decode_str(value).collect::<Vec<u8>>())
    };
    match transport {
        "unix" => match (option("path"), option("abstract")) {
            (Some(path), _) => {
                UnixStream::connect(Path::new(std::ffi::OsStr::from_bytes(&path))).map(drop)
            }
            (None, Some(name)) => connect_abstract(&name),
            // `dir`, `tmpdir` and `runtime` are for servers.
            (None, None) => Err(unusable()),
        },
        "tcp" => {
            let text = |name| option(name).and_then(|value| String::from_utf8(value).ok());
            let (host, port) = text("host").zip(text("port")).ok_or_else(unusable)?;
            let port: u16 = port.parse().map_err(|_| unusable())?;
            let mut last = unusable();
            for place in (host.as_str(), port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&place, TIMEOUT) {
                    Ok(_) => return Ok(()),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        "unixexec" | "nonce-tcp" | "vsock" => Ok(()),
        _ => Err(unusable()),
    }
}

#[cfg(target_os = "linux")]
fn connect_abstract(name: &[u8]) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_name: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_first_address_of_the_list_that_answers_is_chosen() {
        for (list, expected) in [
            ("unix:path=/a", Choice::Keep),
            ("", Choice::Remove),
            (";", Choice::Remove),
            ("unix:path=/b;", Choice::Set("unix:path=/b")),
            ("unix:path=/a;unix:path=/b", Choice::Set("unix:path=/b")),
            ("unix:path=/b;unix:path=/a", Choice::Set("unix:path=/b")),
            (
                "unix:path=/a;;unix:path=/b,guid=1;unix:path=/b",
                Choice::Set("unix:path=/b,guid=1"),
            ),
            ("unix:path=/a;unix:path=/c", Choice::Set("unix:path=/a")),
        ] {
            let answers = |address: &str| address.starts_with("unix:path=/b");
            assert_eq!(choose(list, answers), expected, "{list}");
        }
    }

    #[test]
    fn an_address_is_connected_to_as_it_is_spelled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b;c");
        let _listener = UnixListener::bind(&path).unwrap();
        let _network = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = _network.local_addr().unwrap().port();
        let folder = dir.path().display();
        for (address, is_there) in [
            (format!("unix:path={folder}/a%20b%3bc"), true),
            (format!("unix:guid=1,path={folder}/a%20b%3Bc"), true),
            (format!("unix:path={folder}/nothing"), false),
            (format!("unix:dir={folder}"), false),
            (format!("tcp:host=127.0.0.1,port={port},family=ipv4"), true),
            ("tcp:host=127.0.0.1".to_owned(), false),
            ("tcp:host=127.0.0.1,port=99999".to_owned(), false),
            ("autolaunch:".to_owned(), false),
            ("unixexec:path=ssh".to_owned(), true),
            ("nonsense".to_owned(), false),
        ] {
            assert_eq!(connect(&address).is_ok(), is_there, "{address}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_address_has_no_file() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;

        let name = format!("baleen-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        assert!(connect(&format!("unix:abstract={name}")).is_ok());
        drop(listener);
        assert!(connect(&format!("unix:abstract={name}")).is_err());
    }
}
