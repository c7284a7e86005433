//! What Docker's settings should be, for a proxy. The table of modes is in `docs/docker-desktop.md`.

use crate::proxy::{EngineProxy, ProxyUrl};
use crate::relay;

use super::leaf::{InForce, Leaf, LeafValue, MANUAL, SAME_AS_HOST, Values};

/// Returns the values that put Docker behind `proxy`, given the present ones.
///
/// The addresses have no user and no password: from 4.13 on Docker asks for them itself, and keeps them in its keychain.
/// A PAC script that is named would count more than the addresses, so it is emptied.
pub(super) fn values_for(proxy: &EngineProxy, present: &InForce, shown: &Values) -> Values {
    let text = |url: Option<&ProxyUrl>| url.map_or_else(String::new, address);
    let mut values = Values::from([
        (Leaf::Mode, LeafValue::of(MANUAL)),
        (Leaf::Http, LeafValue::of(&text(proxy.http()))),
        (Leaf::Https, LeafValue::of(&text(proxy.https()))),
        (Leaf::Exclude, LeafValue::of(&proxy.no_proxy().to_string())),
    ]);
    for leaf in [Leaf::Pac, Leaf::EmbeddedPac] {
        let is_named = |value: &LeafValue| value.text(leaf).is_some_and(|text| !text.is_empty());
        if shown.get(&leaf).is_some_and(is_named) {
            values.insert(leaf, LeafValue::of(""));
        }
    }
    if present.containers_bypass() {
        values.insert(Leaf::ContainersMode, LeafValue::of(SAME_AS_HOST));
    }
    values
}

/// Returns the address of a proxy as Docker's fields take it: without a user, except for the relay, whose token opens
/// nothing but the relay itself.
fn address(proxy: &ProxyUrl) -> String {
    if relay::is_own(proxy) {
        return proxy.for_engine().to_string();
    }
    format!("{}{}", proxy.scheme().prefix(), proxy.authority())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::NoProxy;

    #[test]
    fn each_mode_gets_what_puts_docker_behind_the_proxy() {
        let url = |text: &str| ProxyUrl::parse(text).unwrap();
        let login = url("http://me:pw@proxy.corp:8080");
        let both = EngineProxy::new(Some(login.clone()), Some(login), NoProxy::default()).unwrap();
        let one = EngineProxy::new(None, Some(url("http://p:1")), NoProxy::default()).unwrap();
        let list = "localhost,127.0.0.1";
        let all = |http: &str, https: &str, more: &[(Leaf, &str)]| {
            let four = [
                (Leaf::Mode, MANUAL),
                (Leaf::Http, http),
                (Leaf::Https, https),
                (Leaf::Exclude, list),
            ];
            four.iter()
                .chain(more)
                .map(|(leaf, text)| (*leaf, LeafValue::of(text)))
                .collect()
        };
        let here = "http://proxy.corp:8080";
        for (present, proxy, expected) in [
            (&[][..], &both, all(here, here, &[])),
            (&[(Leaf::Mode, "system")], &both, all(here, here, &[])),
            (&[], &one, all("", "http://p:1", &[])),
            (&[(Leaf::Pac, "")], &both, all(here, here, &[])),
            (
                &[
                    (Leaf::Pac, "http://p/x.pac"),
                    (Leaf::EmbeddedPac, "function"),
                ],
                &both,
                all(here, here, &[(Leaf::Pac, ""), (Leaf::EmbeddedPac, "")]),
            ),
            (
                &[(Leaf::ContainersMode, "")],
                &both,
                all(here, here, &[(Leaf::ContainersMode, SAME_AS_HOST)]),
            ),
            (
                &[(Leaf::ContainersMode, "disabled")],
                &both,
                all(here, here, &[(Leaf::ContainersMode, SAME_AS_HOST)]),
            ),
            (
                &[(Leaf::ContainersMode, "system")],
                &both,
                all(here, here, &[]),
            ),
            (
                &[(Leaf::ContainersMode, "manual")],
                &both,
                all(here, here, &[]),
            ),
            (
                &[(Leaf::ContainersMode, SAME_AS_HOST)],
                &both,
                all(here, here, &[]),
            ),
        ] {
            let shown: Values = present
                .iter()
                .map(|(leaf, text)| (*leaf, LeafValue::of(text)))
                .collect();
            let in_force = InForce::of(&shown).unwrap();
            assert_eq!(
                values_for(proxy, &in_force, &shown),
                expected,
                "{present:?}"
            );
        }
    }

    /// Only the relay's token may be in Docker's settings, and not the password of another proxy on this computer.
    #[test]
    fn a_login_is_written_for_the_relay_only() {
        let token = "0123456789abcdef".repeat(2);
        let relay = format!(
            "http://{}:{token}@127.0.0.1:18128",
            crate::proxy::RELAY_USER
        );
        for (url, expected) in [
            (&*relay, &*relay),
            ("http://baleen:pw@127.0.0.1:3128", "http://127.0.0.1:3128"),
            (&relay.replace(&token, "pw"), "http://127.0.0.1:18128"),
            (
                &relay.replace("127.0.0.1", "proxy.corp"),
                "http://proxy.corp:18128",
            ),
        ] {
            assert_eq!(address(&ProxyUrl::parse(url).unwrap()), expected);
        }
    }
}
