//! Tests of the oracles for the translation of bypass lists: real Go, the model of old Go, the model of macOS, and the
//! generated lists.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::common::exceptions::{Case, cases};
use crate::common::go::Env;
use crate::common::old_go::Release;
use crate::common::{go, mac_rules, old_go};

const PROXY: &str = "http://p:1";

/// An environment in which everything except `no_proxy` goes through [`PROXY`].
fn all_but(no_proxy: &str) -> Env {
    ["HTTP_PROXY", "HTTPS_PROXY"]
        .map(|name| (name, PROXY.to_owned()))
        .into_iter()
        .chain([("NO_PROXY", no_proxy.to_owned())])
        .collect()
}

fn env(variables: &[(&'static str, &str)]) -> Env {
    let own = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    variables.iter().map(own).collect()
}

/// The generated cases of one run, always the same.
fn made_up(number: usize) -> Vec<Case> {
    let mut runner = TestRunner::deterministic();
    let mut new = || cases().new_tree(&mut runner).unwrap().current();
    (0..number).map(|_| new()).collect()
}

/// The differences and the common ground of old and new Go: list, host, direct in old Go, direct in new.
const LISTS: &[(&str, &str, bool, bool)] = &[
    ("", "corp.com", false, false),
    ("corp.com", "corp.com", true, true),
    ("corp.com", "CORP.com", true, true),
    ("Corp.Com", "corp.com", true, true),
    ("corp.com", "a.b.corp.com", true, true),
    ("corp.com", "xcorp.com", false, false),
    ("corp.com", "corp.com.", false, false),
    ("corp.com.", "corp.com", false, false),
    (".corp.com", "a.corp.com", true, true),
    (".corp.com", "corp.com", true, false),
    ("*.corp.com", "a.corp.com", false, true),
    ("*.corp.com", "corp.com", false, false),
    (" a , corp.com ", "corp.com", true, true),
    ("a,,corp.com", "corp.com", true, true),
    ("10.0.0.0/8", "10.1.2.3", false, true),
    ("10.1.2.3/8", "10.9.9.9", false, true),
    ("169.254/16", "169.254.1.1", false, false),
    ("10.1.*", "10.1.2.3", false, false),
    ("10.0.0.5", "10.0.0.5", true, true),
    ("*", "corp.com", true, true),
    ("a,*", "corp.com", false, true),
    ("foo.*.corp.com", "foo.a.corp.com", false, false),
    ("corp.com:8080", "corp.com", true, false),
    ("corp.com:8080", "corp.com:8080", true, true),
    ("corp.com", "corp.com:8080", true, true),
    ("2001:db8::5", "[2001:db8::5]", false, true),
    ("[2001:db8::5]", "[2001:db8::5]", true, false),
    ("[2001:db8::5]:443", "[2001:db8::5]", true, true),
    ("", "localhost", true, true),
    ("", "LOCALHOST", false, false),
    ("", "127.9.9.9", true, true),
    ("", "[::1]:5000", true, true),
    ("", "[::ffff:127.0.0.1]", true, true),
];

#[test]
fn real_go_and_the_model_of_old_go_differ_where_they_should() {
    let questions: Vec<(Env, Vec<String>)> = LISTS
        .iter()
        .map(|(list, host, ..)| (all_but(list), vec![format!("https://{host}/v2/")]))
        .collect();
    let said = old_go::judge(&questions, Release::UpTo1_8);
    for ((list, host, direct, _), said) in LISTS.iter().zip(said) {
        assert_eq!(said[0].is_none(), *direct, "old Go: {list:?} {host}");
    }
    let Some(said) = go::judge(&questions) else {
        return;
    };
    for ((list, host, _, direct), said) in LISTS.iter().zip(said) {
        assert_eq!(said[0].is_none(), *direct, "new Go: {list:?} {host}");
    }
}

#[test]
fn variables_and_schemes() {
    use Release::{From1_9To1_10, UpTo1_8};
    let urls = vec!["https://x/".to_owned(), "http://x/".to_owned()];
    let questions: Vec<(Env, Vec<String>)> = [
        env(&[("HTTP_PROXY", "http://p:1")]),
        env(&[("HTTPS_PROXY", "http://p:1")]),
        env(&[
            ("HTTPS_PROXY", ""),
            ("https_proxy", "http://p:1"),
            ("http_proxy", "q:2"),
        ]),
        env(&[("HTTP_PROXY", "http://p:1"), ("http_proxy", "http://q:2")]),
        env(&[
            ("HTTP_PROXY", "socks5://p:1"),
            ("HTTPS_PROXY", "socks5://p:1"),
        ]),
        env(&[
            ("http_proxy", "http://u:p%40@p:1"),
            ("https_proxy", "http://u@p:1"),
        ]),
        env(&[]),
    ]
    .into_iter()
    .map(|env| (env, urls.clone()))
    .collect();
    let text = |said: Vec<Vec<Option<String>>>| -> Vec<String> {
        let line = |proxies: Vec<Option<String>>| {
            let proxies = proxies
                .into_iter()
                .map(|proxy| proxy.unwrap_or("-".to_owned()));
            proxies.collect::<Vec<_>>().join(" ")
        };
        said.into_iter().map(line).collect()
    };
    let old = [
        "http://p:1 http://p:1",
        "http://p:1 -",
        "http://p:1 http://q:2",
        "http://p:1 http://p:1",
        "http://socks5://p:1 http://socks5://p:1",
        "http://u@p:1 http://u:p%40@p:1",
        "- -",
    ];
    assert_eq!(text(old_go::judge(&questions, UpTo1_8)), old);
    let mut later = old;
    later[4] = "socks5://p:1 socks5://p:1";
    assert_eq!(text(old_go::judge(&questions, From1_9To1_10)), later);
    let mut new = later;
    new[0] = "- http://p:1";
    new[3] = "- http://p:1";
    if let Some(said) = go::judge(&questions) {
        assert_eq!(text(said), new);
    }
}

/// The answer of new Go depends on its version: since 1.24.1 an address has no domains (golang/go#72123).
#[test]
fn the_end_of_an_address_is_a_domain_to_old_go() {
    let proxy = old_go::proxy_for(&all_but("0.5"), "https://10.0.0.5/", Release::UpTo1_8);
    assert_eq!(proxy, None);
}

/// Plain names mean the same to every Go, so the model has to agree with Go itself.
#[test]
fn the_model_of_old_go_agrees_with_go_where_the_rules_are_the_same() {
    let is_same = |entry: &&String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        entry.starts_with(|c: char| c.is_ascii_alphanumeric())
            && entry.ends_with(|c: char| c.is_ascii_alphabetic())
            && entry.chars().all(plain)
    };
    let questions: Vec<(Env, Vec<String>)> = made_up(1000)
        .iter()
        .map(|case| {
            let list: Vec<&str> = case
                .exceptions
                .iter()
                .filter(is_same)
                .map(|e| &**e)
                .collect();
            (all_but(&list.join(", ")), case.urls("https"))
        })
        .collect();
    let Some(new) = go::judge(&questions) else {
        return;
    };
    let old = old_go::judge(&questions, Release::UpTo1_8);
    let mut direct = 0;
    for ((question, old), new) in questions.iter().zip(old).zip(new) {
        assert_eq!(old, new, "{question:?}");
        direct += old.iter().filter(|proxy| proxy.is_none()).count();
    }
    assert!(direct > 200, "only {direct} went direct");
}

#[test]
fn macos_by_the_table() {
    for (list, simple, host, bypassed) in [
        ("", false, "corp.com", false),
        ("corp.com", false, "corp.com", true),
        ("Corp.COM", false, "cORP.com", true),
        ("corp.com", false, "a.corp.com", false),
        ("*.corp.com", false, "a.corp.com", true),
        ("*.corp.com", false, "a.b.corp.com", true),
        ("*.corp.com", false, "corp.com", false),
        ("*.corp.com", false, "xcorp.com", false),
        (".corp.com", false, "a.corp.com", true),
        (".corp.com", false, "corp.com", false),
        ("foo.*.corp.com", false, "foo.a.corp.com", true),
        ("foo.*.corp.com", false, "foo.corp.com", false),
        ("foo*.corp.com", false, "foobar.corp.com", false),
        ("*", false, "corp.com", false),
        ("*", false, "simple", false),
        (".", false, "corp.com", false),
        ("169.254/16", false, "169.254.1.1", true),
        ("169.254/16", false, "169.255.0.0", false),
        ("10/8", false, "10.255.255.255", true),
        ("10/8", false, "11.0.0.0", false),
        ("10.0.0.0/9", false, "10.127.255.255", true),
        ("10.0.0.0/9", false, "10.128.0.0", false),
        ("10.1.2.3/32", false, "10.1.2.3", true),
        ("10.1.2.3/8", false, "10.1.2.3", false),
        ("10/33", false, "10.0.0.1", false),
        ("10.0.0.256/32", false, "10.0.0.1", false),
        ("10.1.*", false, "10.1.2.3", true),
        ("10.1.*", false, "10.2.1.1", false),
        ("0.5", false, "10.0.0.5", false),
        ("10.0.0.5", false, "10.0.0.5", true),
        ("FE80::1", false, "fe80::1", true),
        ("fe80:0::1", false, "fe80::1", true),
        ("[fe80::1]", false, "fe80::1", false),
        ("corp.com:8080", false, "corp.com", false),
        ("", false, "LOCALHOST", true),
        ("", false, "127.0.0.1", true),
        ("", false, "::1", true),
        ("", false, "127.0.0.2", false),
        ("", true, "simple", true),
        ("", true, "corp.com", false),
        ("", true, "fe80::1", false),
        ("", false, "simple", false),
    ] {
        let list: Vec<String> = list.split(' ').map(str::to_owned).collect();
        let found = mac_rules::bypasses(&list, simple, host);
        assert_eq!(found, bypassed, "{list:?} {host}");
    }
}

/// macOS's own default list, passed on unchanged, does nothing in any Go: that is what Docker did for years.
#[test]
fn the_default_list_of_macos_is_dead_in_go() {
    let list = ["*.local".to_owned(), "169.254/16".to_owned()];
    let hosts = ["printer.local", "169.254.1.1"];
    for host in hosts {
        assert!(mac_rules::bypasses(&list, false, host));
    }
    let urls = hosts.map(|host| format!("https://{host}/")).to_vec();
    let questions = [(all_but(&list.join(",")), urls)];
    let through = Some(PROXY.to_owned());
    let old = old_go::judge(&questions, Release::UpTo1_8);
    assert_eq!(old, [[through.clone(), through.clone()]]);
    if let Some(new) = go::judge(&questions) {
        // New Go knows `*.local`, at least.
        assert_eq!(new, [[None, through]]);
    }
}

/// Every generated case can be answered, and both answers are frequent.
#[test]
fn made_up_cases_are_worth_asking() {
    let cases = made_up(800);
    let (mut bypassed, mut proxied) = (0, 0);
    for case in &cases {
        for host in &case.hosts {
            if mac_rules::bypasses(&case.exceptions, false, host) {
                bypassed += 1;
            } else {
                proxied += 1;
            }
        }
    }
    assert!(
        bypassed > 400 && proxied > 400,
        "{bypassed} bypassed, {proxied} proxied"
    );
    let entries = || cases.iter().flat_map(|case| &case.exceptions);
    for kind in ["*.local", "169.254/16", "*", "fe80::1", "localhost"] {
        assert!(entries().any(|entry| entry == kind), "{kind} never came");
    }
    for (kind, has) in [
        ("upper case", (|e| e.contains("CORP")) as fn(&str) -> bool),
        ("wildcard inside", |e| e.contains(".*.")),
        ("wildcard address", |e| {
            e.starts_with("10.1.") && e.ends_with(".*")
        }),
        ("comma", |e| e.contains(',')),
        ("port", |e| e.ends_with(":8080")),
    ] {
        assert!(entries().any(|entry| has(entry)), "{kind} never came");
    }
    // Go accepts all their URLs: otherwise it would stop here.
    let questions: Vec<(Env, Vec<String>)> = cases[..500]
        .iter()
        .flat_map(|case| ["http", "https"].map(|scheme| (all_but(""), case.urls(scheme))))
        .collect();
    if let Some(said) = go::judge(&questions) {
        assert_eq!(said.len(), questions.len());
    }
}

proptest! {
    /// A network contains the addresses that arithmetic gives.
    #[test]
    fn networks_of_macos(address in any::<u32>(), host in any::<u32>(), near in any::<bool>(), n in 0..=32u32) {
        let mask = u32::MAX.checked_shl(32 - n).unwrap_or(0);
        let network = address & mask;
        let host = if near { network | (host & !mask) } else { host };
        let entry = format!("{}/{n}", std::net::Ipv4Addr::from(network));
        let host_text = std::net::Ipv4Addr::from(host).to_string();
        prop_assume!(host_text != "127.0.0.1");
        let found = mac_rules::bypasses(&[entry], false, &host_text);
        prop_assert_eq!(found, host & mask == network);
    }
}
