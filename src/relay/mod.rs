//! The relay: an HTTP proxy on this computer's loopback address, behind which each connection goes the way that the
//! computer's settings say at that moment.
//!
//! ```text
//! accept -> head (strict) -> access (token, own hosts) -> route (settings, PAC) -> upstream (dial, CONNECT, login) -> tunnel
//! ```
//!
//! An engine whose proxy is the relay never has to be changed again, and never gets to know a password. `SECURITY.md`
//! says who may use it.

mod access;
mod control;
mod dialer;
mod error;
mod head;
mod login;
mod logins;
mod plain;
mod route;
mod server;
mod status;
mod stream;
mod tunnel;
mod upstream;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::proxy::{ProxyUrl, RELAY_USER};

pub use access::{is_given, note_given};
pub(crate) use control::end_process;
pub use control::{end, follow, running, status};
pub use dialer::{DialError, Dialer};
pub use error::RelayError;
pub use login::Credentials;
pub use logins::FindCredentials;
pub use route::{ReadSettings, Settings};
pub use status::{RelayFailure, Status, Way};

use access::Token;
use control::Claim;
use logins::Logins;
use route::Router;
use server::Shared;
use status::Activity;
use stream::Tls;
use upstream::Upstream;

/// The names of the relay's files in the folder for Baleen's own files.
pub const FILES: [&str; 3] = [Token::FILE, control::SOCKET, control::LOCK];
/// Number of threads that carry tunnels.
const WORKERS: usize = 2;
/// Number of descriptors for which the relay asks. launchd gives a program 256 of them.
const MAX_FILES: u64 = 10_000;

/// What the relay needs to run.
pub struct Options {
    /// The port.
    pub port: u16,
    /// The folder for Baleen's own files.
    pub state: PathBuf,
    /// The config file, whose change may change the settings.
    pub config: PathBuf,
    /// What the settings say of passwords in clear, until the first connection has them read.
    pub allow_basic: bool,
    /// Reads the settings.
    pub read: Box<ReadSettings>,
    /// Returns the login of a proxy, if one is stored.
    pub find: Arc<FindCredentials>,
}

/// A relay that listens.
#[derive(Debug)]
pub struct Relay {
    runtime: Runtime,
    listener: TcpListener,
    shared: Arc<Shared>,
    end: watch::Sender<bool>,
    claim: Claim,
}

/// What ends a relay, or has it read the settings again.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
    end: watch::Sender<bool>,
}

impl Relay {
    /// Listens at the port, on the loopback address alone.
    ///
    /// # Errors
    /// When another relay runs, the port is taken, or the token can't be kept.
    pub fn listen(options: Options) -> Result<Self, RelayError> {
        let claim = Claim::new(&options.state)?;
        let token = Token::in_folder(&options.state).map_err(RelayError::Token)?;
        raise_file_limit();
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("relay")
            .enable_all()
            .build()
            .map_err(RelayError::Start)?;
        let listener = {
            let _entered = runtime.enter();
            server::listen(options.port)
        };
        let address = (Ipv4Addr::LOCALHOST, options.port).into();
        let listener = listener.map_err(|why| RelayError::Listen { address, why })?;
        let port = listener.local_addr().map_err(RelayError::Start)?.port();
        let allow_basic = Arc::new(AtomicBool::new(options.allow_basic));
        let router = Router::new(options.read, options.config, allow_basic.clone());
        let shared = Arc::new(Shared {
            router: Arc::new(router),
            upstream: Upstream {
                logins: Logins::new(options.find, allow_basic),
                tls: Tls::default(),
                relay_port: Some(port),
            },
            token,
            port,
            activity: Activity::new(),
        });
        let (end, _) = watch::channel(false);
        let relay = Self {
            runtime,
            listener,
            shared,
            end,
            claim,
        };
        let listened = relay.claim.listen(relay.control());
        listened.map_err(RelayError::Start)?;
        Ok(relay)
    }

    /// The port at which it listens.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// Returns what ends it.
    pub fn control(&self) -> Control {
        Control {
            shared: self.shared.clone(),
            end: self.end.clone(),
        }
    }

    /// Serves until [`Control::end`] is called. Returns the numbers of requests and of bytes.
    pub fn serve(self) -> (u64, u64) {
        use std::sync::atomic::Ordering::Relaxed;
        let shared = self.shared.clone();
        let serve = server::serve(self.listener, self.shared, self.end.subscribe());
        self.runtime.block_on(serve);
        // A name that is being looked up is not waited for.
        self.runtime.shutdown_timeout(Duration::from_millis(100));
        drop(self.claim);
        let activity = &shared.activity;
        (
            activity.requests.load(Relaxed),
            activity.bytes.load(Relaxed),
        )
    }
}

impl Control {
    /// Ends the relay. Open connections have a few seconds.
    pub fn end(&self) {
        // Kept, since it may come before the relay serves.
        self.end.send_replace(true);
    }

    /// Returns whether the relay has been asked to end.
    pub(crate) fn is_over(&self) -> bool {
        *self.end.borrow()
    }

    /// Returns what there is to say about the relay.
    pub(crate) fn status(&self) -> Status {
        let shared = &self.shared;
        shared
            .activity
            .status(shared.port, !shared.upstream.logins.allows_basic())
    }

    /// Has the next connection read the settings again.
    pub fn settings_changed(&self) {
        self.shared.router.changed();
        self.shared.upstream.logins.forget_schemes();
    }
}

/// Returns the proxy URL of the relay for a program on this computer, to be shown and compared. It holds the token; zeros as
/// long as there is none. Makes no files: see `make_token`.
///
/// # Errors
/// When the address is not valid.
pub fn url(state: &Path, port: u16) -> Result<ProxyUrl, RelayError> {
    let token = Token::kept(state).unwrap_or_else(Token::placeholder);
    let url = address_with(&token, &Ipv4Addr::LOCALHOST.to_string(), port);
    ProxyUrl::parse(&url).map_err(RelayError::Url)
}

/// Makes the token, unless there is one. This comes before the [`url`] that is written into an engine.
///
/// # Errors
/// When the token can't be kept.
pub(crate) fn make_token(state: &Path) -> Result<(), RelayError> {
    Token::in_folder(state).map_err(RelayError::Token)?;
    Ok(())
}

/// Returns whether a relay runs and answers at this port.
pub fn is_up(state: &Path, port: u16) -> bool {
    running(state).is_some() && status(state).is_ok_and(|status| status.port == port)
}

/// Returns whether a proxy URL is that of a relay on this computer, with a token as its password.
pub(crate) fn is_own(url: &ProxyUrl) -> bool {
    url.user().as_deref() == Some(RELAY_USER)
        && url.host() == Ipv4Addr::LOCALHOST.to_string()
        && (url.password()).is_some_and(|password| Token::is_well_formed(password.expose()))
}

/// Returns the address of the relay for a program that reaches it under this host name. It holds the token, which is made the
/// first time.
///
/// # Errors
/// When the token can't be kept.
pub fn address(state: &Path, host: &str, port: u16) -> Result<String, RelayError> {
    let token = Token::in_folder(state).map_err(RelayError::Token)?;
    Ok(address_with(&token, host, port))
}

fn address_with(token: &Token, host: &str, port: u16) -> String {
    format!("http://{RELAY_USER}:{}@{host}:{port}", token.expose())
}

/// Each tunnel takes two descriptors.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < MAX_FILES.min(hard)
    {
        // With fewer descriptors there are fewer tunnels.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES.min(hard), hard);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// A signal may come as soon as the relay listens.
    #[test]
    fn an_end_before_it_serves_counts() {
        let folder = tempfile::tempdir().unwrap();
        let relay = Relay::listen(Options {
            port: 0,
            state: folder.path().to_owned(),
            config: folder.path().join("config.toml"),
            allow_basic: true,
            read: Box::new(|| unreachable!("no connection comes")),
            find: Arc::new(|_| Ok(None)),
        });
        let relay = relay.unwrap();
        relay.control().end();
        let (ended, is_over) = mpsc::channel();
        thread::spawn(move || ended.send(relay.serve()));
        let numbers = is_over.recv_timeout(Duration::from_secs(20));
        assert_eq!(numbers, Ok((0, 0)));
    }
}
