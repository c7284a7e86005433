//! The proxy variables of this process, read as Go reads them: the upper-case name first, and the
//! first of the two that is not empty (`getEnvAny` in `golang.org/x/net/http/httpproxy`).

/// A variable that is set: its name and its value.
pub(crate) type NamedValue = (String, String);

/// Returns the variables for the `http://` proxy, the `https://` proxy and the no-proxy list.
pub(crate) fn from_environment(
    get: impl Fn(&str) -> Option<String>,
) -> (Option<NamedValue>, Option<NamedValue>, Option<NamedValue>) {
    let any = |name: &str| {
        [name.to_owned(), name.to_lowercase()]
            .into_iter()
            .filter_map(|name| get(&name).map(|value| (name, value)))
            .find(|(_, value)| !value.is_empty())
    };
    (any("HTTP_PROXY"), any("HTTPS_PROXY"), any("NO_PROXY"))
}

/// Returns the name of the variable with curl's proxy for every scheme, if it is set. Neither Go nor
/// Docker reads it.
pub(super) fn all_proxy(get: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    ["ALL_PROXY", "all_proxy"]
        .into_iter()
        .find(|name| get(name).is_some_and(|value| !value.is_empty()))
}

/// Returns whether the environment of this process names a proxy.
pub fn is_in_environment() -> bool {
    let (http, https, _) = from_environment(|name| std::env::var(name).ok());
    http.is_some() || https.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_wins_unless_it_is_empty() {
        let set = [
            ("HTTP_PROXY", "a"),
            ("http_proxy", "b"),
            ("HTTPS_PROXY", ""),
            ("https_proxy", "c"),
        ];
        let get = |name: &str| {
            set.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        let variable = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        let (http, https, no_proxy) = from_environment(get);
        assert_eq!(http, variable("HTTP_PROXY", "a"));
        assert_eq!(https, variable("https_proxy", "c"));
        assert_eq!(no_proxy, None);
    }

    #[test]
    fn curls_proxy_for_every_scheme_is_seen() {
        for (set, value, expected) in [
            ("all_proxy", "socks5://p:1", Some("all_proxy")),
            ("ALL_PROXY", "http://p:1", Some("ALL_PROXY")),
            ("ALL_PROXY", "", None),
            ("HTTP_PROXY", "http://p:1", None),
        ] {
            let get = |name: &str| (name == set).then(|| value.to_owned());
            assert_eq!(all_proxy(get), expected, "{set}={value}");
        }
    }
}
