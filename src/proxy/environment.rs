//! The proxy variables of this process, read as Go reads them: the upper-case name first, and the
//! first of the two that is not empty (`getEnvAny` in `golang.org/x/net/http/httpproxy`).

/// The texts of the proxy for `http://`, the one for `https://` and the no-proxy list.
pub fn from_environment(
    get: impl Fn(&str) -> Option<String>,
) -> (Option<String>, Option<String>, Option<String>) {
    let any = |name: &str| {
        [name.to_owned(), name.to_lowercase()]
            .iter()
            .filter_map(|name| get(name))
            .find(|value| !value.is_empty())
    };
    (any("HTTP_PROXY"), any("HTTPS_PROXY"), any("NO_PROXY"))
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
        let (http, https, no_proxy) = from_environment(get);
        assert_eq!(http.as_deref(), Some("a"));
        assert_eq!(https.as_deref(), Some("c"));
        assert_eq!(no_proxy, None);
    }
}
