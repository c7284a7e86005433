//! The settings, compared with the proxy that Docker has, in words.

use serde_json::{Value, json};

use crate::doctor::settings::{
    Comparison, DifferenceReason, OtherProxy, SetProxy, SettingsFinding,
};
use crate::error::Face;
use crate::proxy::ProxyOrigin;

use super::Words;
use super::route::{remark_facts, with_remarks};

pub(super) fn words(found: &SettingsFinding, face: Face) -> Words {
    let (origin, comparison, remarks) = match found {
        SettingsFinding::Unusable { error, .. } => return Words::of_error(error, face),
        SettingsFinding::Compared {
            origin,
            comparison,
            remarks,
            ..
        } => (names(origin.as_ref()), comparison, remarks),
    };
    let (found, remedy) = match comparison {
        Comparison::Same => (format!("{origin} the same proxy"), None),
        Comparison::Different { set, reason } => {
            let found = format!("{origin} {}", other(set));
            match reason {
                DifferenceReason::NamedByHand => (
                    format!("{found}; Docker's was named by hand, and stays"),
                    Some(match face {
                        Face::CommandLine => {
                            "nothing, if that is what you want; `baleen apply --follow-settings` makes Docker follow the settings again"
                        }
                        Face::Menu => {
                            "nothing, if that is what you want; the menu item that begins with Follow makes Docker follow the settings again"
                        }
                    }),
                ),
                // That step already has the remedy.
                DifferenceReason::SeeImage => (format!("{found} (see above)"), None),
                DifferenceReason::Unknown => (
                    format!("{found}; Docker has another"),
                    Some(match face {
                        Face::CommandLine => {
                            "`baleen apply` gives Docker what the settings name, `baleen restore` takes its proxy out"
                        }
                        Face::Menu => {
                            "choose Check and Repair Now to give Docker what the settings name, or turn off Use Proxy to take its proxy out"
                        }
                    }),
                ),
            }
        }
    };
    Words {
        found: with_remarks(found, remarks, face),
        remedy: remedy.map(str::to_owned),
    }
}

pub(super) fn facts(found: &SettingsFinding) -> Value {
    match found {
        SettingsFinding::Unusable { .. } => Value::Null,
        SettingsFinding::Compared {
            origin,
            proxy,
            by_hand,
            remarks,
            ..
        } => json!({
            "origin": origin,
            "proxy": proxy,
            "named_by_hand": by_hand,
            "remarks": remark_facts(remarks),
        }),
    }
}

/// Returns `origin` with the verb that fits.
fn names(origin: Option<&ProxyOrigin>) -> String {
    match origin {
        None => "the settings name".to_owned(),
        Some(ProxyOrigin::System) => format!("{} name", ProxyOrigin::System),
        Some(origin) => format!("{origin} names"),
    }
}

/// Describes the proxy of the settings, compared with the one that Docker has.
fn other(set: &SetProxy) -> String {
    let name = |proxy: &OtherProxy| match proxy {
        OtherProxy::One(proxy) => proxy.to_string(),
        OtherProxy::Engines(proxy) => proxy.summary(),
    };
    match set {
        SetProxy::None => "no proxy".to_owned(),
        SetProxy::Other(proxy) => name(proxy),
        SetProxy::OtherPassword(proxy) => format!("{} with another password", name(proxy)),
        SetProxy::OtherBypass { set, in_docker } => {
            format!("the same proxy with another bypass list: {set} (in Docker: {in_docker})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_said_in_one_line() {
        let one = |url: &str| OtherProxy::One(url.parse().unwrap());
        for (set, expected) in [
            (SetProxy::None, "no proxy"),
            (SetProxy::Other(one("http://b:1")), "http://b:1"),
            (
                SetProxy::OtherBypass {
                    set: "localhost,y".to_owned(),
                    in_docker: "localhost,x".to_owned(),
                },
                "the same proxy with another bypass list: localhost,y (in Docker: localhost,x)",
            ),
            (
                SetProxy::OtherPassword(one("http://a:1")),
                "http://a:1 with another password",
            ),
        ] {
            assert_eq!(other(&set), expected);
        }
        assert_eq!(
            names(Some(&ProxyOrigin::System)),
            "the system's settings name"
        );
        assert_eq!(
            names(Some(&ProxyOrigin::Environment)),
            "the environment names"
        );
    }
}
