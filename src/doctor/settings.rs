//! The step about the settings, if Docker has its own proxy: the difference between the two, in one line.

use serde_json::json;

use crate::proxy::translate::Remark;
use crate::proxy::{RedactedProxy, Translation};
use crate::reconcile::State;
use crate::service::Status;

use super::engine_route::{Origin, TestedProxy};
use super::{Options, Outcome, Step};

const ID: &str = "settings";
const TITLE: &str = "Settings";

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
        return Step::needless(ID, TITLE, "they are what was tested");
    };
    let is_foreign = status.is_some_and(|status| status.state == State::Foreign);
    let by_hand = options.is_by_hand() && !is_foreign;
    let set = match options.settings.translation {
        Ok(set) => set,
        Err(error) => {
            let mut step = Step::from_error(ID, TITLE, error);
            if by_hand {
                step.outcome = Outcome::Warning;
            }
            return step;
        }
    };
    let origin = options.settings.origin;
    let there = set.proxy.as_ref();
    let is_told = is_foreign || status.is_some_and(|status| status.state == State::Stale);
    let (mut outcome, found, remedy) = if there == Some(in_docker) {
        let found = format!("{} the same proxy", names(origin));
        (Outcome::Good, found, None)
    } else {
        let what = in_words(set, &in_docker.shown());
        let found = format!("{} {what}", names(origin));
        match (by_hand, is_told) {
            (true, _) => (
                Outcome::Warning,
                format!("{found}; Docker's was named by hand, and stays"),
                Some(
                    "nothing, if that is what you want; `baleen apply --follow-settings` makes Docker follow the settings again",
                ),
            ),
            // The step about the boot image already reports this and its remedy.
            (false, true) => (
                Outcome::Good,
                format!("{found} (see {})", super::docker_app::IMAGE),
                None,
            ),
            (false, false) => (
                Outcome::Warning,
                format!("{found}; Docker has another"),
                Some(
                    "`baleen apply` gives Docker what the settings name, `baleen restore` takes its proxy out",
                ),
            ),
        }
    };
    let remarks = remarks(options, tested);
    if !remarks.is_empty() {
        outcome = Outcome::Warning;
    }
    let found = [&[found], &*remarks].concat().join("; ");
    Step::new(ID, TITLE, outcome, found)
        .with_hint(remedy)
        .with(json!({
            "origin": origin,
            "proxy": there.map(|proxy| proxy.shown()),
            "named_by_hand": by_hand,
            "remarks": remarks,
        }))
}

/// Returns the remarks about settings that the engine can't get. Leaves out the remark about a name that can't be
/// resolved, since the step `name` reports it.
pub(super) fn remarks(options: &Options<'_>, tested: Option<&TestedProxy<'_>>) -> Vec<String> {
    let Ok(set) = options.settings.translation else {
        return Vec::new();
    };
    let told = tested.and_then(TestedProxy::url);
    let is_told = |remark: &Remark| match remark {
        Remark::Unresolved { host, .. } => told.is_some_and(|url| url.host() == host),
        _ => false,
    };
    let remarks = set.remarks.iter().filter(|remark| !is_told(remark));
    remarks.map(ToString::to_string).collect()
}

/// Returns `origin` with the verb that fits.
fn names(origin: &str) -> String {
    let verb = if origin.ends_with('s') {
        "name"
    } else {
        "names"
    };
    format!("{origin} {verb}")
}

/// Describes the proxy of the settings, compared with the one that Docker has.
fn in_words(set: &Translation, in_docker: &RedactedProxy) -> String {
    let Some(proxy) = &set.proxy else {
        return "no proxy".to_owned();
    };
    let shown = proxy.shown();
    // The proxy's name in the settings, which may differ from the name that the engine gets.
    let name = match &set.host_proxy {
        Some(here) if proxy.http() == proxy.https() => here.redacted(),
        _ => shown.summary(),
    };
    if (&shown.http, &shown.https) != (&in_docker.http, &in_docker.https) {
        return name;
    }
    if shown.no_proxy == in_docker.no_proxy {
        return format!("{name} with another password");
    }
    format!(
        "the same proxy with another bypass list: {} (in Docker: {})",
        shown.no_proxy, in_docker.no_proxy
    )
}

#[cfg(test)]
mod tests {
    use crate::proxy::{EngineProxy, NoProxy, ProxyUrl};

    use super::*;

    #[test]
    fn a_difference_is_said_in_one_line() {
        let set = |engines: &str, here: &str, list: &str| {
            let url = |text| ProxyUrl::parse(text).ok();
            let list = NoProxy::new([list.to_owned()]);
            Translation {
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
        for (set, expected) in [
            (set("", "", "x"), "no proxy"),
            (set("b:1", "b:1", "x"), "http://b:1"),
            (
                set("192.168.65.1:1", "localhost:1", "x"),
                "http://localhost:1",
            ),
            (
                set("a:1", "a:1", "y"),
                "the same proxy with another bypass list: localhost,127.0.0.1,y (in Docker: localhost,127.0.0.1,x)",
            ),
            (set("a:1", "a:1", "x"), "http://a:1 with another password"),
        ] {
            assert_eq!(in_words(&set, &docker), expected);
        }
        assert_eq!(names("the system's settings"), "the system's settings name");
        assert_eq!(names("the environment"), "the environment names");
    }
}
