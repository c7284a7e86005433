//! The checks of `baleen doctor`, step by step from Docker.app to the registry. What each step finds is data, which
//! `text::doctor` puts into words.
//!
//! ```text
//! bundle -> family -> writable -> image                         the patch
//! proxy -> name -> tcp -> connect -> tls -> registry -> hosts   the route to the registry, from this computer
//! relay                                                         Baleen's relay, if Docker has its address
//! docker-proxy                                                  Docker's own proxy, where it has one
//! engine                                                        the proxy that the running engine reports
//! settings                                                      the difference between the settings and Docker
//! ```
//!
//! The checks test the proxy that Docker has. If Docker has none, or the user names another proxy to test, they test
//! the proxy of the settings.
//!
//! The checks change nothing: to test whether a patch could be written, they create a private folder next to the boot
//! image and remove it. A step that depends on a failed one is skipped and gives the reason. The only secret that
//! leaves the computer is the proxy's password, which goes to the proxy, as the engine sends it. The connection to the
//! registry accepts any certificate, so that the report can name the server that answers. Only the request of the
//! check is sent over it.

pub(crate) mod answer;
pub(crate) mod certificate;
pub(crate) mod docker_app;
pub(crate) mod docker_proxy;
pub(crate) mod engine;
pub(crate) mod engine_route;
pub(crate) mod hosts;
pub(crate) mod net_error;
pub(crate) mod proxy_answer;
pub(crate) mod proxy_verdict;
pub(crate) mod registry;
pub(crate) mod relay;
pub(crate) mod route;
pub(crate) mod settings;
mod step;
mod tunnel;
mod untrusted_text;
pub(crate) mod way;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::RootCertStore;

use crate::backend::Backend;
use crate::desired::Expected;
use crate::error::Diagnostic;
use crate::intent::Intent;
use crate::net::HostPort;
use crate::proxy::route::Hop;
use crate::proxy::{ClientDialect, EngineProxy, ProxyOrigin, Translation};

use engine_route::TestedProxy;
use untrusted_text::Redactor;

pub(crate) use step::{Finding, Skip, Subject};
pub use step::{NoSocket, Outcome, Report, Step};

/// The inputs of the checks.
pub struct Options<'a> {
    /// The folder for Baleen's own files.
    pub state: &'a Path,
    /// The engine, or the reason why there is none.
    pub backend: Result<&'a dyn Backend, &'a Diagnostic>,
    /// The user's recorded intent for this bundle.
    pub intent: Option<Intent>,
    /// The proxy that the engine should get.
    pub expected: Expected<'a>,
    /// The proxy settings of this computer or of the options.
    pub settings: Settings<'a>,
    /// The proxy that Docker has, with its password.
    pub in_place: Option<&'a EngineProxy>,
    /// The dialect of the engine that uses this proxy.
    pub engine: &'a ClientDialect,
    /// Returns this computer's route to a host by its settings. `None` if it is not known.
    pub here: &'a dyn Fn(&HostPort) -> Option<Hop>,
    /// The registry to test.
    pub registry: &'a HostPort,
    /// The running engine's socket, or the reason why there is none.
    pub docker_socket: Result<PathBuf, NoSocket>,
    /// The authorities that the engine and this computer trust.
    pub trust: &'a Trust,
    /// Timeout for each step that waits for a peer.
    pub patience: Duration,
}

/// The proxy settings and their origin.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The origin of the settings, if they could be read.
    pub origin: Option<&'a ProxyOrigin>,
    /// The engine's proxy by these settings, or the reason why they can't be used.
    pub translation: Result<&'a Translation, &'a Diagnostic>,
    /// True if the user named this proxy to test, whatever Docker has.
    pub named: bool,
    /// True if the user named it by an option that names a proxy.
    pub by_option: bool,
    /// True if a PAC script decides.
    pub by_script: bool,
    /// The address of this computer in the VM, if the user has set it.
    pub host_address: Option<&'a str>,
    /// The hosts that the config file already lists, under `no_proxy` and under `pac_hosts`.
    pub listed: (&'a [String], &'a [String]),
}

/// Lists of authorities.
#[derive(Debug)]
pub struct Trust {
    /// The public authorities, which stand for the list of the engine's VM.
    pub public: RootCertStore,
    /// The authorities of this computer.
    pub computer: RootCertStore,
}

/// Runs all steps and passes each result to `on_step` when it is done.
pub fn examine(options: &Options<'_>, on_step: &mut dyn FnMut(&Step)) -> Report {
    let mut report = Report { steps: Vec::new() };
    let mut on_step = |step: Step| {
        on_step(&step);
        report.steps.push(step);
    };
    let status = docker_app::examine(options, &mut on_step);
    let tested = TestedProxy::of(options);
    let redactor = options.redactor();
    route::examine(options, tested.as_ref(), &redactor, &mut on_step);
    relay::examine(options, tested.as_ref(), &mut on_step);
    docker_proxy::examine(options, status.as_ref(), &mut on_step);
    engine::examine(options, status.as_ref(), &redactor, &mut on_step);
    on_step(settings::compare(options, status.as_ref(), tested.as_ref()));
    report
}

impl Options<'_> {
    /// Returns whether the user named Docker's proxy by hand, so that the settings do not apply to it.
    fn is_by_hand(&self) -> bool {
        self.intent == Some(Intent::Named)
    }

    /// Returns the redactor that removes the proxies' passwords from text that others send.
    fn redactor(&self) -> Redactor {
        let set = self.settings.translation.ok();
        let proxies = [self.in_place, set.and_then(|set| set.proxy.as_ref())];
        let urls = proxies
            .into_iter()
            .flatten()
            .flat_map(|proxy| [proxy.http(), proxy.https()]);
        Redactor::of(urls.flatten())
    }
}
