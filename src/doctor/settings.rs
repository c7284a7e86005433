//! The step about the settings, if Docker has its own proxy: the difference between the two.

use crate::error::Diagnostic;
use crate::proxy::translate::Remark;
use crate::proxy::{EngineProxy, ProxyOrigin, ProxyRef, RedactedProxy, Translation};
use crate::reconcile::State;
use crate::service::Status;

use super::engine_route::{Origin, TestedProxy};
use super::{Finding, Options, Outcome, Skip, Step, Subject};

/// The settings, compared with the proxy that Docker has.
#[derive(Debug, Clone)]
pub(crate) enum SettingsFinding {
    /// They can't be used.
    Unusable {
        error: Diagnostic,
        /// True if Docker's proxy was named by hand, so that the settings do not apply to it.
        by_hand: bool,
    },
    Compared {
        /// As in "the system's settings".
        origin: Option<ProxyOrigin>,
        /// The engine's proxy by the settings.
        proxy: Option<RedactedProxy>,
        by_hand: bool,
        comparison: Comparison,
        /// The settings that the engine can't follow.
        remarks: Vec<Remark>,
    },
}

/// The result of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    Different {
        set: SetProxy,
        reason: DifferenceReason,
    },
}

/// The proxy of the settings, where it differs from Docker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SetProxy {
    None,
    /// Another one. Its name in the settings may differ from the name that the engine gets.
    Other(OtherProxy),
    /// The same one, but for its password.
    OtherPassword(OtherProxy),
    /// The same one with another bypass list.
    OtherBypass {
        set: String,
        in_docker: String,
    },
}

/// Another proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OtherProxy {
    /// One proxy for everything, as this computer reaches it.
    One(ProxyRef),
    /// As the engine gets it.
    Engines(RedactedProxy),
}

/// The reason why Docker has another proxy than the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DifferenceReason {
    /// It was named by hand.
    NamedByHand,
    /// The step about the boot image reports the reason and the remedy.
    SeeImage,
    Unknown,
}

impl SettingsFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Unusable { by_hand: true, .. } => Outcome::Warning,
            Self::Unusable { by_hand: false, .. } => Outcome::Bad,
            Self::Compared { remarks, .. } if !remarks.is_empty() => Outcome::Warning,
            Self::Compared { comparison, .. } => match comparison {
                Comparison::Same
                | Comparison::Different {
                    reason: DifferenceReason::SeeImage,
                    ..
                } => Outcome::Good,
                Comparison::Different { .. } => Outcome::Warning,
            },
        }
    }
}

/// Returns the step.
pub(super) fn compare(
    options: &Options<'_>,
    status: Option<&Status>,
    tested: Option<&TestedProxy<'_>>,
) -> Step {
    let Some(in_docker) = options
        .in_place
        .filter(|_| tested.is_some_and(|tested| tested.origin == Origin::Docker))
    else {
        return Step::skipped(Subject::Settings, Skip::SettingsTested);
    };
    let is_foreign = status.is_some_and(|status| status.state == State::Foreign);
    let by_hand = options.is_by_hand() && !is_foreign;
    let step = |found| Step::new(Subject::Settings, Finding::Settings(found));
    let set = match options.settings.translation {
        Ok(set) => set,
        Err(error) => {
            return step(SettingsFinding::Unusable {
                error: error.clone(),
                by_hand,
            });
        }
    };
    let there = set.proxy.as_ref();
    let is_reported = is_foreign || status.is_some_and(|status| status.state == State::Stale);
    let comparison = match there == Some(in_docker) {
        true => Comparison::Same,
        false => Comparison::Different {
            set: SetProxy::of(set, &in_docker.shown()),
            reason: match (by_hand, is_reported) {
                (true, _) => DifferenceReason::NamedByHand,
                (false, true) => DifferenceReason::SeeImage,
                (false, false) => DifferenceReason::Unknown,
            },
        },
    };
    step(SettingsFinding::Compared {
        origin: options.settings.origin.cloned(),
        proxy: there.map(EngineProxy::shown),
        by_hand,
        comparison,
        remarks: remarks(options, tested),
    })
}

/// Returns the remarks about settings that the engine can't get. Leaves out the remark about a name that can't be
/// resolved, since the step `name` reports it.
pub(super) fn remarks(options: &Options<'_>, tested: Option<&TestedProxy<'_>>) -> Vec<Remark> {
    let Ok(set) = options.settings.translation else {
        return Vec::new();
    };
    let told = tested.and_then(TestedProxy::url);
    let is_reported = |remark: &Remark| match remark {
        Remark::Unresolved { host, .. } => told.is_some_and(|url| url.host() == host),
        _ => false,
    };
    let remarks = set.remarks.iter().filter(|remark| !is_reported(remark));
    remarks.cloned().collect()
}

impl SetProxy {
    fn of(set: &Translation, in_docker: &RedactedProxy) -> Self {
        let Some(proxy) = &set.proxy else {
            return Self::None;
        };
        let shown = proxy.shown();
        let is_same_proxy = (&shown.http, &shown.https) == (&in_docker.http, &in_docker.https);
        if is_same_proxy && shown.no_proxy != in_docker.no_proxy {
            return Self::OtherBypass {
                set: shown.no_proxy,
                in_docker: in_docker.no_proxy.clone(),
            };
        }
        let other = match &set.host_proxy {
            Some(here) if proxy.http() == proxy.https() => OtherProxy::One(here.reference()),
            _ => OtherProxy::Engines(shown),
        };
        match is_same_proxy {
            true => Self::OtherPassword(other),
            false => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::proxy::{NoProxy, ProxyUrl};

    use super::*;

    #[test]
    fn differences_are_reported_apart() {
        let set = |engines: &str, here: &str, list: &str| {
            let url = |text| ProxyUrl::parse(text).ok();
            let list = NoProxy::new([list.to_owned()]);
            Translation {
                is_plain_system: false,
                proxy: EngineProxy::new(url(engines), url(engines), list),
                host_proxy: url(here),
                entries: Vec::new(),
                remarks: Vec::new(),
                explanations: Vec::new(),
                pac_unreachable: None,
            }
        };
        let docker = RedactedProxy {
            http: Some("http://a:1".parse().unwrap()),
            https: Some("http://a:1".parse().unwrap()),
            no_proxy: "localhost,127.0.0.1,x".to_owned(),
        };
        let other = |url: &str| OtherProxy::One(url.parse().unwrap());
        for (set, expected) in [
            (set("", "", "x"), SetProxy::None),
            (set("b:1", "b:1", "x"), SetProxy::Other(other("http://b:1"))),
            (
                set("192.168.65.1:1", "localhost:1", "x"),
                SetProxy::Other(other("http://localhost:1")),
            ),
            (
                set("a:1", "a:1", "y"),
                SetProxy::OtherBypass {
                    set: "localhost,127.0.0.1,y".to_owned(),
                    in_docker: "localhost,127.0.0.1,x".to_owned(),
                },
            ),
            (
                set("a:1", "a:1", "x"),
                SetProxy::OtherPassword(other("http://a:1")),
            ),
        ] {
            assert_eq!(SetProxy::of(&set, &docker), expected);
        }
    }
}
