//! Descriptions of the settings next to the proxy that Docker uses. Docker's proxy comes first; these
//! texts say how the settings differ from it.

use serde_json::{Value, json};

use crate::proxy::RedactedProxy;

use crate::desired::Setting;

/// Returns the clause about the settings next to a proxy named by hand, or `None` while the settings are
/// unknown.
pub(crate) fn clause(in_use: &RedactedProxy, settings: &Setting) -> Option<String> {
    Some(match settings {
        Setting::Unknown => return None,
        Setting::Offline => "the settings are unknown while the network is down".to_owned(),
        Setting::Failed { diagnostic, .. } => {
            format!("the settings can't be used: {}", diagnostic.sentence())
        }
        Setting::ScriptUnreachable => "the PAC script of the settings can't be reached".to_owned(),
        Setting::Direct { origin } => format!("no proxy is set in {origin}"),
        Setting::Proxy { shown, origin, .. } => {
            if shown == in_use {
                format!("the same is set in {origin}")
            } else if shown.summary() == in_use.summary() {
                let hosts = &shown.no_proxy;
                format!("in {origin} it is the same proxy, but bypassed for {hosts}")
            } else {
                format!("{} is set in {origin}", shown.summary())
            }
        }
    })
}

/// Returns the menu line about the settings, or `None` if the line about Docker's proxy says the same.
pub(crate) fn line(in_use: &RedactedProxy, is_named: bool, settings: &Setting) -> Option<String> {
    let says = match settings {
        Setting::Unknown => return None,
        Setting::Offline => "unknown (offline)".to_owned(),
        Setting::Failed { .. } => "can't be used (see the log)".to_owned(),
        Setting::ScriptUnreachable => "the PAC script can't be reached".to_owned(),
        Setting::Direct { .. } => "no proxy".to_owned(),
        Setting::Proxy { shown, .. } if shown == in_use && is_named => "the same".to_owned(),
        Setting::Proxy { shown, .. } if shown == in_use => return None,
        Setting::Proxy { shown, .. } if shown.summary() == in_use.summary() => {
            "the same, with other hosts that bypass it".to_owned()
        }
        Setting::Proxy { shown, .. } => super::notice::short(shown),
    };
    Some(format!("Settings: {says}"))
}

/// Returns the resolved settings as JSON; null while they are unknown.
pub(crate) fn json(settings: &Setting) -> Value {
    let (origin, proxy, error) = match settings {
        Setting::Unknown => return Value::Null,
        Setting::Offline => (None, None, Some("the network is down")),
        Setting::Failed { diagnostic, .. } => (None, None, Some(&*diagnostic.sentence())),
        Setting::ScriptUnreachable => (None, None, Some("the PAC script can't be reached")),
        Setting::Direct { origin } => (Some(origin), None, None),
        Setting::Proxy { shown, origin, .. } => (Some(origin), Some(shown), None),
    };
    json!({ "origin": origin, "proxy": proxy, "error": error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha;
    use crate::error::made;
    use crate::proxy::ProxyOrigin;

    fn shown(host: &str, no_proxy: &str) -> RedactedProxy {
        RedactedProxy {
            http: Some(format!("http://{host}:80").parse().unwrap()),
            https: Some(format!("http://{host}:80").parse().unwrap()),
            no_proxy: no_proxy.to_owned(),
        }
    }

    fn proxy(host: &str, no_proxy: &str) -> Setting {
        Setting::Proxy {
            is_plain_system: false,
            revision: Sha::of(host.as_bytes()),
            shown: shown(host, no_proxy),
            origin: ProxyOrigin::System,
            script: None,
        }
    }

    #[test]
    fn what_the_settings_say_beside_what_docker_uses() {
        let in_use = shown("a", "localhost");
        let broken = Setting::Failed {
            diagnostic: made::diagnostic("the script can't be fetched"),
            is_transient: true,
        };
        let direct = Setting::Direct {
            origin: ProxyOrigin::Environment,
        };
        for (settings, expected, named, followed) in [
            (Setting::Unknown, None, None, None),
            (
                Setting::Offline,
                Some("the settings are unknown while the network is down"),
                Some("Settings: unknown (offline)"),
                Some("Settings: unknown (offline)"),
            ),
            (
                broken,
                Some("the settings can't be used: the script can't be fetched"),
                Some("Settings: can't be used (see the log)"),
                Some("Settings: can't be used (see the log)"),
            ),
            (
                direct,
                Some("no proxy is set in the environment"),
                Some("Settings: no proxy"),
                Some("Settings: no proxy"),
            ),
            (
                Setting::ScriptUnreachable,
                Some("the PAC script of the settings can't be reached"),
                Some("Settings: the PAC script can't be reached"),
                Some("Settings: the PAC script can't be reached"),
            ),
            (
                proxy("a", "localhost"),
                Some("the same is set in the system's settings"),
                Some("Settings: the same"),
                None,
            ),
            (
                proxy("a", "localhost,b"),
                Some("in the system's settings it is the same proxy, but bypassed for localhost,b"),
                Some("Settings: the same, with other hosts that bypass it"),
                Some("Settings: the same, with other hosts that bypass it"),
            ),
            (
                proxy("b", "localhost"),
                Some("http://b:80 is set in the system's settings"),
                Some("Settings: b:80"),
                Some("Settings: b:80"),
            ),
        ] {
            assert_eq!(clause(&in_use, &settings).as_deref(), expected);
            assert_eq!(line(&in_use, true, &settings).as_deref(), named);
            assert_eq!(line(&in_use, false, &settings).as_deref(), followed);
        }
    }

    #[test]
    fn programs_read_the_origin_and_the_proxy_or_why_there_is_none() {
        let direct = Setting::Direct {
            origin: ProxyOrigin::Environment,
        };
        let expected = json!({ "origin": "the environment", "proxy": null, "error": null });
        assert_eq!(json(&direct), expected);
        let found = json(&proxy("b", "localhost"));
        assert_eq!(found["proxy"]["https"], "http://b:80");
        assert_eq!(json(&Setting::Offline)["error"], "the network is down");
        assert_eq!(json(&Setting::Unknown), Value::Null);
    }
}
