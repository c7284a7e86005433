//! The steps of a check, and their results as data.

use std::path::PathBuf;

use serde::Serialize;

use crate::net::HostPort;
use crate::net::tls::Unsupported;

use super::certificate::TlsFinding;
use super::docker_app::{BundleFinding, FamilyFinding, ImageFinding, WritableFinding};
use super::docker_proxy::DockerProxyFinding;
use super::engine::EngineFinding;
use super::hosts::HostsFinding;
use super::proxy_verdict::TunnelFinding;
use super::registry::RegistryFinding;
use super::relay::RelayFinding;
use super::route::{AddressFinding, ConnectionFinding, ProxyFinding};
use super::settings::SettingsFinding;

/// The outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything is as it should be.
    Good,
    /// A problem that does not keep the engine from working.
    Warning,
    /// A problem that the user has to fix.
    Bad,
    /// The step was not tried.
    Skipped,
}

/// The result of one step.
#[derive(Debug, Clone)]
pub struct Step {
    pub(crate) subject: Subject,
    /// Without passwords.
    pub(crate) finding: Finding,
}

/// What a step checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Bundle,
    Family,
    Writable,
    Image,
    /// The same where the engine has settings of its own instead of a boot image.
    OwnSettings,
    Proxy,
    /// The address of this host, if it is known which one is needed.
    Address(Option<String>),
    /// The connection to this host, if it is known which one is needed.
    Connection(Option<HostPort>),
    /// The tunnel to this registry.
    Tunnel(HostPort),
    /// TLS with this registry.
    Tls(HostPort),
    /// The answer of this registry.
    Registry(HostPort),
    OtherHosts,
    Relay,
    DockerProxy,
    Engine,
    Settings,
}

/// What a step found, one variant a step.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    /// The step was not tried.
    Skipped(Skip),
    Bundle(BundleFinding),
    Family(FamilyFinding),
    Writable(WritableFinding),
    Image(ImageFinding),
    Proxy(ProxyFinding),
    Address(AddressFinding),
    Connection(ConnectionFinding),
    Tunnel(TunnelFinding),
    Tls(TlsFinding),
    Registry(RegistryFinding),
    OtherHosts(HostsFinding),
    Relay(RelayFinding),
    DockerProxy(DockerProxyFinding),
    Engine(EngineFinding),
    Settings(SettingsFinding),
}

/// The reason why a step was not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Skip {
    NoDocker,
    /// Docker.app could not be read.
    NotWhole,
    /// Baleen patches no boot image of this kind.
    NotPatched,
    /// The step needs an earlier one that failed.
    Earlier,
    NoProxyToTest,
    /// There is no proxy on the way.
    NoTunnelNeeded,
    /// Baleen can't test a SOCKS proxy.
    Socks,
    /// This computer can't do the cryptography of TLS.
    NoCryptography(Unsupported),
    /// A pull needs no other hosts.
    NoOtherHosts,
    /// It is not known which engine to ask.
    NoSocket(NoSocket),
    /// No engine listens on this socket.
    NotRunning(PathBuf),
    /// The settings themselves were tested.
    SettingsTested,
}

/// The reason why there is no socket of the running engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSocket {
    /// The `docker` command is told to use another engine.
    OtherEngine,
    /// There is none at the usual places.
    NotFound,
}

impl Subject {
    /// Returns the name of the step for scripts.
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Family => "family",
            Self::Writable => "writable",
            Self::Image | Self::OwnSettings => "image",
            Self::Proxy => "proxy",
            Self::Address(_) => "name",
            Self::Connection(_) => "tcp",
            Self::Tunnel(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Registry(_) => "registry",
            Self::OtherHosts => "hosts",
            Self::Relay => "relay",
            Self::DockerProxy => "docker-proxy",
            Self::Engine => "engine",
            Self::Settings => "settings",
        }
    }
}

impl Finding {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Skipped(_) => Outcome::Skipped,
            Self::Bundle(found) => found.outcome(),
            Self::Family(found) => found.outcome(),
            Self::Writable(found) => found.outcome(),
            Self::Image(found) => found.outcome(),
            Self::Proxy(found) => found.outcome(),
            Self::Address(found) => found.outcome(),
            Self::Connection(found) => found.outcome(),
            Self::Tunnel(found) => found.outcome(),
            Self::Tls(found) => found.outcome(),
            Self::Registry(found) => found.outcome(),
            Self::OtherHosts(found) => found.outcome(),
            Self::Relay(found) => found.outcome(),
            Self::DockerProxy(found) => found.outcome(),
            Self::Engine(found) => found.outcome(),
            Self::Settings(found) => found.outcome(),
        }
    }
}

impl Skip {
    /// Returns whether this setup needs the step. Some steps are only for other setups.
    fn is_needed(&self) -> bool {
        !matches!(
            self,
            Self::NoTunnelNeeded | Self::NoOtherHosts | Self::SettingsTested
        )
    }
}

impl Step {
    pub(super) fn new(subject: Subject, finding: Finding) -> Self {
        Self { subject, finding }
    }

    pub(super) fn skipped(subject: Subject, why: Skip) -> Self {
        Self::new(subject, Finding::Skipped(why))
    }

    /// Returns its name for scripts.
    pub fn id(&self) -> &'static str {
        self.subject.id()
    }

    /// Returns its outcome.
    pub fn outcome(&self) -> Outcome {
        self.finding.outcome()
    }

    /// Returns the reason why it was not tried.
    pub(crate) fn skip(&self) -> Option<&Skip> {
        match &self.finding {
            Finding::Skipped(why) => Some(why),
            _ => None,
        }
    }

    /// Returns whether this setup needs the step.
    pub(crate) fn is_needed(&self) -> bool {
        self.skip().is_none_or(Skip::is_needed)
    }

    /// Returns whether the two steps are shown as one, since they were skipped for the same reason.
    pub(crate) fn is_shown_with(&self, other: &Self) -> bool {
        self.skip().is_some() && self.skip() == other.skip()
    }
}

/// The results of all steps, in order.
#[derive(Debug, Clone)]
pub struct Report {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Report {
    /// Returns the number of steps with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps
            .iter()
            .filter(|step| step.outcome() == outcome)
            .count()
    }

    /// Returns the number of needed steps that were skipped.
    pub fn missed(&self) -> usize {
        let missed = |step: &&Step| step.outcome() == Outcome::Skipped && step.is_needed();
        self.steps.iter().filter(missed).count()
    }

    /// Returns the steps to show. Groups steps that were skipped for the same reason, and leaves out steps that are
    /// not needed.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &[Step]> {
        self.steps
            .chunk_by(Step::is_shown_with)
            .filter(|steps| steps.iter().any(Step::is_needed))
    }
}
