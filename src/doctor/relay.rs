//! The step about Baleen's relay, if Docker has its address. It comes after the request to the registry, which went
//! through the relay, so that it shows the way of that request.

use crate::relay::{self, Status};

use super::engine_route::TestedProxy;
use super::{Finding, Options, Outcome, Step, Subject};

/// What the relay says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RelayFinding {
    /// It runs.
    Running(Box<Status>),
    /// It does not answer.
    Silent(String),
    /// None runs.
    NotRunning,
}

impl RelayFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Running(status) if status.failure.is_none() => Outcome::Good,
            Self::Running(_) => Outcome::Warning,
            Self::Silent(_) | Self::NotRunning => Outcome::Bad,
        }
    }
}

/// Runs the step, if the tested proxy is the relay.
pub(super) fn examine(
    options: &Options<'_>,
    tested: Option<&TestedProxy<'_>>,
    on_step: &mut dyn FnMut(Step),
) {
    if !tested.is_some_and(TestedProxy::is_relay) {
        return;
    }
    let finding = match relay::running(options.state) {
        None => RelayFinding::NotRunning,
        Some(_) => match relay::status(options.state) {
            Ok(status) => RelayFinding::Running(Box::new(status)),
            Err(error) => RelayFinding::Silent(error.to_string()),
        },
    };
    on_step(Step::new(Subject::Relay, Finding::Relay(finding)));
}
