use std::collections::BTreeMap;
use std::sync::Arc;

use super::entries::for_engine;
use super::*;
use crate::error::{Face, Kind, made};
use crate::proxy::ProxyOrigin;
use crate::proxy::ProxyUrls;
use crate::proxy::go::NoProxyRules;
use crate::proxy::pac::{PacRemark, ScriptState};
use crate::proxy::settings::{Server, SystemSettings};
use crate::text::remark;

const OLD: &str = "17.06.0";
const NEW: &str = "2.2.0";

/// Resolves the known host names and address literals, and fails for all others.
fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let known = BTreeMap::from([
        ("localhost", vec!["::1", "127.0.0.1"]),
        ("cntlm", vec!["127.0.0.1"]),
        ("both", vec!["127.0.0.1", "10.0.0.9"]),
        ("proxy", vec!["10.0.0.1"]),
        ("other", vec!["10.0.0.2"]),
    ]);
    let one = host.trim_matches(['[', ']']);
    match (one.parse::<IpAddr>(), known.get(host)) {
        (Ok(address), _) => Ok(vec![address]),
        (_, Some(found)) => Ok(found.iter().map(|a| a.parse().unwrap()).collect()),
        _ => Err(io::Error::other("no such name")),
    }
}

fn no_script(_: &PacSource, _: &[String]) -> Result<PacAnswers> {
    unreachable!("no script is set")
}

fn resolvers() -> Resolvers<'static> {
    Resolvers {
        addresses: &addresses,
        password: &|_| Ok(None),
        pac: &no_script,
    }
}

fn server(host: &str, port: u16) -> Option<Server> {
    Some(Server {
        host: host.into(),
        port,
        user: None,
    })
}

fn proxy_config(settings: SystemSettings) -> ProxyConfig {
    ProxyConfig {
        origin: ProxyOrigin::Environment,
        settings: ProxySettings::Settings(settings),
    }
}

fn urls(http: Option<&str>, https: Option<&str>, no_proxy: &[&str]) -> ProxyConfig {
    ProxyConfig {
        origin: ProxyOrigin::Environment,
        settings: ProxySettings::Urls(ProxyUrls {
            http: http.map(|url| ProxyUrl::parse(url).unwrap()),
            https: https.map(|url| ProxyUrl::parse(url).unwrap()),
            no_proxy: no_proxy.iter().map(|&e| e.to_owned()).collect(),
            ..ProxyUrls::default()
        }),
    }
}

/// Returns the engine's variables, and all remarks.
fn of(
    proxy_config: &ProxyConfig,
    version: &str,
    overrides: &Overrides,
) -> Result<(Vec<String>, String)> {
    let engine = ClientDialect::of(version, version == OLD);
    let translation = translate(proxy_config, &engine, overrides, &resolvers())?;
    let variables = translation.proxy.iter().flat_map(EngineProxy::variables);
    Ok((
        variables
            .map(|(name, value)| format!("{name}={}", *value))
            .collect(),
        remark::all(&translation, Face::CommandLine)
            .collect::<Vec<_>>()
            .join("; "),
    ))
}

#[test]
fn the_proxies_of_the_settings() {
    let none = SystemSettings::default;
    let cases: Vec<(&str, SystemSettings, &str, &[&str], &str)> = vec![
        ("none", none(), OLD, &[], ""),
        (
            "both",
            SystemSettings {
                http: server("proxy", 80),
                https: server("other", 8443),
                ..none()
            },
            OLD,
            &[
                "HTTP_PROXY=http://proxy:80",
                "HTTPS_PROXY=http://other:8443",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "",
        ),
        (
            "http only, where https falls back to it",
            SystemSettings {
                http: server("proxy", 80),
                ..none()
            },
            OLD,
            &[
                "HTTP_PROXY=http://proxy:80",
                "HTTPS_PROXY=http://proxy:80",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "(built with Go 1.8) uses the HTTP proxy proxy:80 for it as well",
        ),
        (
            "http only, where it does not",
            SystemSettings {
                http: server("proxy", 80),
                ..none()
            },
            "4.37.2",
            &["HTTP_PROXY=http://proxy:80", "NO_PROXY=localhost,127.0.0.1"],
            "images are pulled over https",
        ),
        (
            "https only",
            SystemSettings {
                https: server("proxy", 80),
                ..none()
            },
            OLD,
            &[
                "HTTPS_PROXY=http://proxy:80",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "",
        ),
        (
            "SOCKS only, where it is known",
            SystemSettings {
                socks: server("proxy", 1080),
                ..none()
            },
            NEW,
            &[
                "HTTP_PROXY=socks5://proxy:1080",
                "HTTPS_PROXY=socks5://proxy:1080",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "",
        ),
        (
            "https and SOCKS, where that is unknown",
            SystemSettings {
                https: server("proxy", 80),
                socks: server("other", 1080),
                ..none()
            },
            OLD,
            &[
                "HTTP_PROXY=http://proxy:80",
                "HTTPS_PROXY=http://proxy:80",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "uses the SOCKS proxy other:1080 for http, which this engine doesn't know",
        ),
        (
            "http, https and SOCKS",
            SystemSettings {
                http: server("proxy", 80),
                https: server("proxy", 80),
                socks: server("other", 1080),
                ..none()
            },
            OLD,
            &[
                "HTTP_PROXY=http://proxy:80",
                "HTTPS_PROXY=http://proxy:80",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "",
        ),
        (
            "an IPv6 address",
            SystemSettings {
                https: server("fe80::1", 3128),
                ..none()
            },
            OLD,
            &[
                "HTTPS_PROXY=http://[fe80::1]:3128",
                "NO_PROXY=localhost,127.0.0.1",
            ],
            "",
        ),
    ];
    for (name, settings, version, expected, remark) in cases {
        let (variables, remarks) =
            of(&proxy_config(settings), version, &Overrides::default()).unwrap();
        assert_eq!(variables, expected, "{name}");
        assert!(remarks.contains(remark), "{name}: {remarks}");
        assert_eq!(remarks.is_empty(), remark.is_empty(), "{name}: {remarks}");
    }
}

#[test]
fn what_can_be_said_to_no_engine_is_an_error() {
    let socks = SystemSettings {
        socks: server("proxy", 1080),
        ..SystemSettings::default()
    };
    let error = of(&proxy_config(socks), OLD, &Overrides::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error.to_string().contains("SOCKS proxy proxy:1080"),
        "{error}"
    );
    for host in ["http://proxy", "a b", "proxy:80", "pröxy!"] {
        let settings = SystemSettings {
            https: server(host, 80),
            ..SystemSettings::default()
        };
        let error = of(&proxy_config(settings), OLD, &Overrides::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    }
}

#[test]
fn a_proxy_on_this_computer_is_named_as_the_engine_reaches_it() {
    let via = |address: &str| Overrides {
        host_address: Some(address.into()),
        ..Overrides::default()
    };
    let default = Overrides::default;
    for (url, version, overrides, expected, remark) in [
        (
            "http://me:pw@127.0.0.1:3128",
            OLD,
            default(),
            "http://me:pw@192.168.65.1:3128",
            "reaches as",
        ),
        (
            "localhost:3128",
            OLD,
            default(),
            "http://192.168.65.1:3128",
            "reaches as",
        ),
        (
            "cntlm:3128",
            OLD,
            default(),
            "http://192.168.65.1:3128",
            "reaches as",
        ),
        (
            "[::1]:1",
            OLD,
            default(),
            "http://192.168.65.1:1",
            "reaches as",
        ),
        (
            "0.0.0.0:1",
            OLD,
            default(),
            "http://192.168.65.1:1",
            "reaches as",
        ),
        (
            "localhost:1",
            OLD,
            via("192.168.64.1"),
            "http://192.168.64.1:1",
            "192.168.64.1",
        ),
        (
            "localhost:1",
            OLD,
            via("docker.for.mac.localhost"),
            "http://docker.for.mac.localhost:1",
            "reaches",
        ),
        (
            "localhost:1",
            NEW,
            default(),
            "http://localhost:1",
            "Docker on the Mac",
        ),
        (
            "127.0.0.1:1",
            NEW,
            via("192.168.64.1"),
            "http://127.0.0.1:1",
            "Docker on the Mac",
        ),
        ("both:1", OLD, default(), "http://both:1", ""),
        ("proxy:1", OLD, via("192.168.64.1"), "http://proxy:1", ""),
        (
            "gone:1",
            OLD,
            default(),
            "http://gone:1",
            "can't resolve gone",
        ),
    ] {
        let (variables, remarks) =
            of(&urls(None, Some(url), &["localhost"]), version, &overrides).unwrap();
        assert_eq!(variables[0], format!("HTTPS_PROXY={expected}"), "{url}");
        assert_eq!(variables[1], "NO_PROXY=localhost,127.0.0.1", "{url}");
        assert!(remarks.contains(remark), "{url}: {remarks}");
        assert_eq!(remarks.is_empty(), remark.is_empty(), "{url}: {remarks}");
    }
    let error = of(&urls(None, Some("localhost:1"), &[]), OLD, &via("a b")).unwrap_err();
    assert!(error.to_string().contains("host address 'a b'"), "{error}");
}

#[test]
fn a_password_is_asked_for_where_there_is_a_user_without_one() {
    let engine = ClientDialect::of(OLD, true);
    let get = |url: &str, answer: &dyn Fn() -> Result<Option<Password>>| {
        let password = |asked: &ProxyUrl| {
            assert_eq!(asked.display(), "proxy:1");
            answer()
        };
        let resolvers = Resolvers {
            password: &password,
            ..resolvers()
        };
        translate(
            &urls(None, Some(url), &[]),
            &engine,
            &Overrides::default(),
            &resolvers,
        )
    };
    let found = get("http://me@proxy:1", &|| Ok(Password::new(*b"a@b"))).unwrap();
    let (_, url) = &found.proxy.unwrap().variables()[0];
    assert_eq!(**url, "http://me:a%40b@proxy:1");
    assert!(found.remarks.is_empty());
    assert!(found.host_proxy.unwrap().has_password());
    let resolvers = Resolvers {
        password: &|_| panic!("it is of no use"),
        ..resolvers()
    };
    let overrides = Overrides {
        no_passwords: true,
        ..Overrides::default()
    };
    let unasked = translate(
        &urls(None, Some("http://me@proxy:1"), &[]),
        &ClientDialect::of(NEW, false),
        &overrides,
        &resolvers,
    )
    .unwrap();
    assert!(unasked.remarks.is_empty(), "{:?}", unasked.remarks);
    assert_eq!(
        unasked.proxy.unwrap().shown().https.unwrap().to_string(),
        "http://me@proxy:1"
    );
    let missing = get("http://me@proxy:1", &|| Ok(None)).unwrap();
    let [Remark::NoPassword { account }] = &*missing.remarks else {
        panic!("{:?}", missing.remarks);
    };
    assert_eq!(account, "me@proxy:1");
    let locked = || Err(made::error("it is locked"));
    let failed = get("http://me@proxy:1", &locked).unwrap_err();
    assert_eq!(failed.to_string(), "it is locked");
    for url in ["http://me:pw@proxy:1", "http://proxy:1"] {
        get(url, &|| unreachable!("no password is needed")).unwrap();
    }
}

/// Entries of macOS's list, and their translation for either kind of engine (`FACTS.md`, section 4).
#[test]
fn bypass_lists_of_macos() {
    use EntryOutcome::{Kept, LeftOut, Refused, Widened};
    for (entry, old, new) in [
        (
            "corp.com",
            (Some("corp.com"), Widened),
            (Some("corp.com"), Widened),
        ),
        (
            "*.corp.com",
            (Some(".corp.com"), Widened),
            (Some(".corp.com"), Kept),
        ),
        (
            ".corp.com",
            (Some(".corp.com"), Widened),
            (Some(".corp.com"), Kept),
        ),
        ("*.local", (Some(".local"), Widened), (Some(".local"), Kept)),
        (
            "169.254/16",
            (None, LeftOut),
            (Some("169.254.0.0/16"), Kept),
        ),
        ("10.1.*", (None, LeftOut), (Some("10.1.0.0/16"), Kept)),
        (
            "10.1.2.3/32",
            (Some("10.1.2.3"), Kept),
            (Some("10.1.2.3"), Kept),
        ),
        ("foo.*.corp.com", (None, LeftOut), (None, LeftOut)),
        ("*", (None, LeftOut), (None, LeftOut)),
        ("10.1.2.3/8", (None, LeftOut), (None, LeftOut)),
        (
            "10.1.2.3",
            (Some("10.1.2.3"), Kept),
            (Some("10.1.2.3"), Kept),
        ),
        (
            "fe80::1",
            (Some("[fe80::1]"), Kept),
            (Some("fe80::1"), Kept),
        ),
        ("corp.com:80", (None, LeftOut), (None, LeftOut)),
        ("0.5", (None, LeftOut), (None, LeftOut)),
        ("a,b", (None, Refused), (None, Refused)),
        ("a b", (None, Refused), (None, Refused)),
        ("a\u{7}b", (None, Refused), (None, Refused)),
    ] {
        for (rules, expected) in [(NoProxyRules::UpTo1_10, old), (NoProxyRules::From1_11, new)] {
            let found = for_engine(entry, rules);
            assert_eq!(
                (found.to.as_deref(), found.fate),
                expected,
                "{entry} {rules:?}"
            );
            assert_eq!(found.reason.is_none(), found.fate == Kept, "{entry}");
            assert!(!found.from.contains(char::is_control));
        }
    }
    let settings = SystemSettings {
        https: server("proxy", 1),
        exceptions: vec![" *.local".into(), String::new(), "*.local".into()],
        exclude_simple_hostnames: true,
        ..SystemSettings::default()
    };
    let overrides = Overrides {
        no_proxy: vec!["registry.corp".into()],
        ..Overrides::default()
    };
    let (variables, _) = of(&proxy_config(settings), OLD, &overrides).unwrap();
    assert_eq!(
        variables[1],
        "NO_PROXY=localhost,127.0.0.1,.local,registry.corp"
    );
}

#[test]
fn lists_that_are_meant_for_go() {
    use EntryOutcome::{Kept, LeftOut, Widened};
    for (entry, old, new) in [
        (
            "corp.com",
            (Some("corp.com"), Kept),
            (Some("corp.com"), Kept),
        ),
        (
            ".corp.com",
            (Some(".corp.com"), Widened),
            (Some(".corp.com"), Kept),
        ),
        (
            "*.corp.com",
            (Some(".corp.com"), Widened),
            (Some(".corp.com"), Kept),
        ),
        (
            "corp.com:80",
            (Some("corp.com:80"), Widened),
            (Some("corp.com:80"), Kept),
        ),
        ("10.0.0.0/8", (None, LeftOut), (Some("10.0.0.0/8"), Kept)),
        ("10.1.*", (None, LeftOut), (None, LeftOut)),
        (
            "10.0.0.5",
            (Some("10.0.0.5"), Kept),
            (Some("10.0.0.5"), Kept),
        ),
        (
            "fe80::1",
            (Some("[fe80::1]"), Kept),
            (Some("fe80::1"), Kept),
        ),
        ("[fe80::1]", (Some("[fe80::1]"), Widened), (None, LeftOut)),
        ("::1", (Some("[::1]"), Kept), (Some("::1"), Kept)),
        (
            "::ffff:10.0.0.5",
            (Some("10.0.0.5"), Kept),
            (Some("10.0.0.5"), Kept),
        ),
        (
            "[fe80::1]:443",
            (Some("[fe80::1]:443"), Widened),
            (Some("[fe80::1]:443"), Kept),
        ),
        (
            "[corp.com]:80",
            (Some("corp.com:80"), Widened),
            (Some("corp.com:80"), Kept),
        ),
        (
            "10.0.0.5/32",
            (Some("10.0.0.5"), Kept),
            (Some("10.0.0.5"), Kept),
        ),
        ("fe80::/10", (None, LeftOut), (Some("fe80::/10"), Kept)),
        (
            "corp.com:",
            (Some("corp.com"), Kept),
            (Some("corp.com"), Kept),
        ),
        (
            "bücher.example",
            (Some("xn--bcher-kva.example"), Kept),
            (Some("xn--bcher-kva.example"), Kept),
        ),
        (
            ".Bücher.example:80",
            (Some(".xn--bcher-kva.example:80"), Widened),
            (Some(".xn--bcher-kva.example:80"), Kept),
        ),
        ("2.3", (Some("2.3"), Widened), (Some("2.3"), Widened)),
        ("corp.com:65536", (None, LeftOut), (None, LeftOut)),
        ("[]:80", (None, LeftOut), (None, LeftOut)),
    ] {
        for (rules, expected) in [(NoProxyRules::UpTo1_10, old), (NoProxyRules::From1_11, new)] {
            let found = for_go(entry, rules);
            assert_eq!(
                (found.to.as_deref(), found.fate),
                expected,
                "{entry} {rules:?}"
            );
        }
    }
}

/// The reason for leaving out an entry names the kind of the entry, not a character in it.
#[test]
fn what_is_left_out_is_called_what_it_is() {
    for (entry, on_a_mac, in_old_go, in_go) in [
        ("[]:80", "no ports", "names no host", "names no host"),
        (
            "/var/run/docker.sock",
            "is a path",
            "is a path",
            "is a path",
        ),
        ("http://corp.com/", "is a URL", "is a URL", "is a URL"),
        ("corp.com/v2", "has a path", "has a path", "has a path"),
        ("<local>", "Windows' word", "Windows' word", "Windows' word"),
        (
            "fe80::1%en0",
            "on an interface",
            "on an interface",
            "on an interface",
        ),
        (
            "10.0.0.0/255.0.0.0",
            "has a mask",
            "support networks",
            "has a mask",
        ),
        (
            "10.0.0.0/33",
            "its prefix",
            "support networks",
            "its prefix",
        ),
        ("corp.com:99999", "no ports", "1 to 65535", "1 to 65535"),
        ("corp.com:http", "1 to 65535", "1 to 65535", "1 to 65535"),
        (
            "corp.com.",
            "ends with a dot",
            "dot at its end",
            "dot at its end",
        ),
        (
            "a;b",
            "a separator inside",
            "a separator inside",
            "a separator inside",
        ),
        (
            "\"a\"",
            "quotation marks",
            "quotation marks",
            "quotation marks",
        ),
        (
            "a:b:c",
            "neither a host",
            "neither a host",
            "neither a host",
        ),
        (
            "10.1.*:80",
            "no ports",
            "a * in such a place",
            "a * in such a place",
        ),
    ] {
        let reason = |entry: TranslatedEntry| {
            assert_eq!(
                (&entry.to, entry.fate),
                (&None, EntryOutcome::LeftOut),
                "{entry:?}"
            );
            entry.reason.unwrap().to_string()
        };
        for (found, expected) in [
            (for_engine(entry, NoProxyRules::From1_11), on_a_mac),
            (for_go(entry, NoProxyRules::UpTo1_10), in_old_go),
            (for_go(entry, NoProxyRules::From1_11), in_go),
        ] {
            let found = reason(found);
            assert!(found.contains(expected), "{entry}: {found}");
        }
    }
    for (entry, expected) in [
        ("[fe80::1]", "without brackets"),
        ("fe80::/10", "IPv4 addresses only"),
        ("2.3", "no whole address"),
        ("bücher.example", "outside ASCII"),
        (" corp.com", "before or behind it"),
        ("a, b", "of its own"),
    ] {
        let found = for_engine(entry, NoProxyRules::From1_11).reason;
        let found = found.unwrap().to_string();
        assert!(found.contains(expected), "{entry}: {found}");
    }
    let mapped = for_engine("::ffff:10.0.0.5", NoProxyRules::From1_11);
    assert_eq!(
        (mapped.to.as_deref(), mapped.fate),
        (Some("10.0.0.5"), EntryOutcome::Widened)
    );
}

/// A user who names only one proxy means it for both schemes.
#[test]
fn variables_and_options() {
    for (http, https, expected) in [
        (Some("proxy:1"), None, ("http://proxy:1", "http://proxy:1")),
        (
            Some("proxy:1"),
            Some("other:2"),
            ("http://proxy:1", "http://other:2"),
        ),
    ] {
        let (variables, remarks) = of(&urls(http, https, &[]), OLD, &Overrides::default()).unwrap();
        assert_eq!(variables[0], format!("HTTP_PROXY={}", expected.0));
        assert_eq!(variables[1], format!("HTTPS_PROXY={}", expected.1));
        assert_eq!(remarks, "");
    }
    assert!(
        of(&urls(None, None, &["a"]), OLD, &Overrides::default())
            .unwrap()
            .0
            .is_empty()
    );
}

/// Many Macs are set to discover a PAC script on networks that offer none; then the other settings
/// apply.
#[test]
fn without_the_script_that_was_looked_for_the_settings_count() {
    let none = |_: &PacSource, _: &[String]| {
        Ok(PacAnswers {
            answers: Vec::new(),
            script_state: ScriptState::NotOffered,
            remarks: vec![PacRemark::NotOffered(Arc::new(io::Error::other("x")))],
        })
    };
    let settings = SystemSettings {
        pac: Some(PacSource::Discover),
        https: server("proxy", 1),
        exceptions: vec!["a.corp".into()],
        ..SystemSettings::default()
    };
    let resolvers = Resolvers {
        pac: &none,
        ..resolvers()
    };
    let engine = ClientDialect::of(OLD, true);
    let proxy_config = proxy_config(settings);
    let found = translate(&proxy_config, &engine, &Overrides::default(), &resolvers).unwrap();
    assert_eq!(found.host_proxy.unwrap().display(), "proxy:1");
    assert_eq!(found.entries[0].from, "a.corp");
    assert!(matches!(&*found.remarks, [Remark::Pac(_)]));
    assert_eq!(proxy_config.proxies().len(), 1);
}
