//! The translation of bypass lists, compared with oracles that share no code with it: Go itself, a model of the Go of
//! 2016, and a model of macOS's rules.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::{go, mac_rules, old_go};

use crate::common::exceptions::{Case, cases};
use crate::common::go::Env;
use crate::common::old_go::Release;
use baleen::net::lookup::{TIMEOUT, lookup};
use baleen::proxy::route::{self, Hop, Target};
use baleen::proxy::settings::{Server, SystemSettings};
use baleen::proxy::translate::EntryOutcome;
use baleen::proxy::{
    ClientDialect, EngineProxy, NoProxy, Overrides, ProxyConfig, ProxyOrigin, ProxyUrl, Resolvers,
    Translation, no_proxy, translate,
};
use baleen::proxy::{ProxySettings, ProxyUrls};

/// An IP address, so that nothing is looked up.
const PROXY: &str = "10.20.30.40";
/// A Docker for Mac version for each set of rules, and the number of generated cases.
const OLD: &str = "17.06.0-ce-mac18";
const NEW: &str = "2.2.0.0";
const CASES: usize = 1500;

fn settings(case: &Case) -> SystemSettings {
    let server = || {
        Some(Server {
            host: PROXY.into(),
            port: 3128,
            user: None,
        })
    };
    SystemSettings {
        http: server(),
        https: server(),
        exceptions: case.exceptions.clone(),
        exclude_simple_hostnames: case.exclude_simple,
        ..SystemSettings::default()
    }
}

fn translated(case: &Case, engine: &ClientDialect) -> Translation {
    let proxy_config = ProxyConfig {
        origin: ProxyOrigin::Environment,
        settings: ProxySettings::Settings(settings(case)),
    };
    let resolvers = Resolvers {
        addresses: &|host| lookup(host, TIMEOUT),
        password: &|_| Ok(None),
        pac: &|_, _| unreachable!("no script is set"),
    };
    translate(&proxy_config, engine, &Overrides::default(), &resolvers).unwrap()
}

fn environment(proxy: &EngineProxy) -> Env {
    proxy
        .variables()
        .into_iter()
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// The same cases every time, unless `BALEEN_SEED` has a number; also returns the seed.
fn made_up() -> (Vec<Case>, u64) {
    let number = std::env::var("BALEEN_SEED").ok();
    let number: u64 = number.map_or(0, |number| number.parse().unwrap());
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut new = || cases().new_tree(&mut runner).unwrap().current();
    ((0..CASES).map(|_| new()).collect(), number)
}

/// The names of the VM itself always go direct in an engine, including names below `localhost` (RFC 6761, section 6.3);
/// the entry `localhost` is on every list.
fn is_the_vm(target: &Target) -> bool {
    let address = target.host.parse::<std::net::IpAddr>();
    let name = target.host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// `128.16` is neither an address nor a name, since no top-level domain is a number (RFC 3696, section 2).
fn is_no_host(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    host.parse::<std::net::IpAddr>().is_err() && last.bytes().all(|b| b.is_ascii_digit())
}

/// Returns whether this list alone sends each URL past the proxy, by the oracle for this version.
fn direct(version: &str, cases: &[(Env, Vec<String>)]) -> Option<Vec<Vec<bool>>> {
    let said = if version == OLD {
        old_go::judge(cases, Release::UpTo1_8)
    } else {
        go::judge(cases)?
    };
    let is_direct = |answers: Vec<Option<String>>| answers.iter().map(Option::is_none).collect();
    Some(said.into_iter().map(is_direct).collect())
}

fn check(version: &str) {
    let engine = ClientDialect::of(version, version == OLD);
    let (cases, seed) = made_up();
    let asked: Vec<(Case, Translation, Vec<String>)> = cases
        .into_iter()
        .map(|case| {
            let translation = translated(&case, &engine);
            let urls = [case.urls("https"), case.urls("http")].concat();
            (case, translation, urls)
        })
        .collect();
    let whole: Vec<(Env, Vec<String>)> = asked
        .iter()
        .map(|(_, translation, urls)| {
            (
                environment(translation.proxy.as_ref().unwrap()),
                urls.clone(),
            )
        })
        .collect();
    let kept_only: Vec<(Env, Vec<String>)> = asked
        .iter()
        .map(|(_, translation, urls)| {
            let proxy = translation.proxy.as_ref().unwrap();
            let kept = translation
                .entries
                .iter()
                .filter(|e| e.fate == EntryOutcome::Kept);
            let kept = NoProxy::new(kept.filter_map(|entry| entry.to.clone()));
            let url = || proxy.https().cloned();
            let proxy = EngineProxy::new(url(), url(), kept).unwrap();
            (environment(&proxy), urls.clone())
        })
        .collect();
    let (Some(whole), Some(kept_only)) = (direct(version, &whole), direct(version, &kept_only))
    else {
        return;
    };

    let (mut both_direct, mut widened) = (0, 0);
    for (at, (case, translation, urls)) in asked.iter().enumerate() {
        let what = ProxySettings::Settings(settings(case));
        for (number, url) in urls.iter().enumerate() {
            let told = || {
                let entries = &translation.entries;
                format!("seed {seed}, {url} by {case:?}, translated to {entries:?}")
            };
            let target = Target::parse(url).unwrap_or_else(|| panic!("{}", told()));
            if is_no_host(&target.host) {
                continue;
            }
            let in_engine = whole[at][number];
            let here = mac_rules::bypasses(&case.exceptions, case.exclude_simple, &target.host);

            // The answer of `proxy test` agrees with the oracles.
            let ours = route::in_engine(translation.proxy.as_ref(), &engine, &target);
            assert_eq!(ours == Hop::Direct, in_engine, "the engine: {}", told());
            let ours = route::host_route(&what, None, &target);
            assert_eq!(ours == Hop::Direct, here, "macOS: {}", told());

            // An IPv4 address in the form of an IPv6 one leads to the same computer; Go compares them so.
            let same = target.host.parse::<std::net::IpAddr>();
            let same = same.map_or(String::new(), |address| address.to_canonical().to_string());
            let here = here || mac_rules::bypasses(&case.exceptions, case.exclude_simple, &same);

            // The engine bypasses the proxy only if the Mac does so, too, or if Baleen reported the difference.
            if in_engine && !here && !is_the_vm(&target) {
                assert!(!kept_only[at][number], "untold: {}", told());
                widened += 1;
            }
            both_direct += usize::from(in_engine && here);
        }
    }
    // Otherwise the cases would show nothing.
    assert!(both_direct > CASES / 10, "{both_direct}");
    assert!(widened > CASES / 100, "{widened}");
}

#[test]
fn engines_of_2016_and_2017_get_what_macos_means_or_it_is_reported() {
    check(OLD);
}

#[test]
fn engines_built_with_go_1_11_get_what_macos_means_or_it_is_reported() {
    check(NEW);
}

/// Entries as people write them into `NO_PROXY`, and hosts near them. None of them is a port without a host.
const ENTRIES: [&str; 62] = [
    "corp.example",
    "Corp.EXAMPLE",
    ".corp.example",
    "*.corp.example",
    "*corp.example",
    "www.*.example",
    "corp.example.",
    "corp.example:",
    "corp.example:443",
    "corp.example:5000",
    "corp.example:0443",
    "corp.example:+443",
    "corp.example:65536",
    "corp.example:99999",
    "corp.example:https",
    ".corp.example:443",
    "*.corp.example:443",
    "[corp.example]:443",
    "[corp.example]",
    "corp.example/",
    "http://corp.example/",
    "https://corp.example:443",
    "//corp.example",
    "/var/run/docker.sock",
    "<local>",
    "intranet",
    "10.1.2.3",
    "10.1.2.3:443",
    "10.1.2.3:5000",
    "[10.1.2.3]",
    "[10.1.2.3]:443",
    "10.1.2.3/32",
    "10.0.0.0/8",
    "10.1.2.3/8",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/33",
    "10.0.0.0/255.0.0.0",
    "10/8",
    "10.1.*",
    "10.1.",
    "010.1.2.3",
    "fd00::1234",
    "FD00:0:0::1234",
    "[fd00::1234]",
    "[fd00::1234]:443",
    "[fd00::1234]:5000",
    "fd00::1234/128",
    "fd00::/8",
    "[fd00::]/8",
    "fd00::1234%en0",
    "::1",
    "::ffff:10.1.2.3",
    "[::ffff:10.1.2.3]:443",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.0/90",
    "bücher.example",
    "BÜCHER.example:443",
    ".bücher.example",
    "xn--bcher-kva.example",
    "straße.example",
    "bü_cher.example",
];

const HOSTS: [&str; 22] = [
    "corp.example",
    "www.corp.example",
    "a.b.CORP.example",
    "notcorp.example",
    "corp.example.",
    "corp.example:5000",
    "intranet",
    "local",
    "other.example",
    "10.1.2.3",
    "10.1.2.3:5000",
    "10.200.0.1",
    "[fd00::1234]",
    "[fd00:0:0::1234]:5000",
    "[fdff::1]",
    "[::ffff:10.1.2.3]",
    "bücher.example",
    "Bücher.example",
    "xn--bcher-kva.example",
    "www.bücher.example",
    "straße.example",
    "[::1]",
];

/// Returns whether this is a name, or an address in its shortest form.
fn is_spelled_as_usual(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    address.is_err() || address.is_ok_and(|ip| ip.to_canonical().to_string() == host)
}

/// Checks that [`ENTRIES`] mean to Baleen what they mean to Go: in this environment, and in the engine's.
fn check_entries(version: &str) {
    let engine = ClientDialect::of(version, version == OLD);
    let url = || ProxyUrl::parse(&format!("{PROXY}:3128")).unwrap();
    let urls: Vec<String> = HOSTS.map(|host| format!("https://{host}/")).to_vec();
    let translated: Vec<(ProxySettings, Translation)> = ENTRIES
        .iter()
        .map(|entry| {
            let what = ProxySettings::Urls(ProxyUrls {
                http: Some(url()),
                https: Some(url()),
                no_proxy: no_proxy::split(entry).unwrap(),
                ..ProxyUrls::default()
            });
            let proxy_config = ProxyConfig {
                origin: ProxyOrigin::Environment,
                settings: what.clone(),
            };
            let resolvers = Resolvers {
                addresses: &|host| lookup(host, TIMEOUT),
                password: &|_| Ok(None),
                pac: &|_, _| unreachable!("no script is set"),
            };
            let translation =
                translate(&proxy_config, &engine, &Overrides::default(), &resolvers).unwrap();
            (what, translation)
        })
        .collect();
    let proxied = |entry: &str| -> Env {
        ["HTTP_PROXY", "HTTPS_PROXY"]
            .map(|name| (name, url().for_engine().to_string()))
            .into_iter()
            .chain([("NO_PROXY", entry.to_owned())])
            .collect()
    };
    let proxy_config: Vec<(Env, Vec<String>)> = ENTRIES
        .iter()
        .map(|entry| (proxied(entry), urls.clone()))
        .collect();
    let written: Vec<(Env, Vec<String>)> = translated
        .iter()
        .map(|(_, translation)| {
            (
                environment(translation.proxy.as_ref().unwrap()),
                urls.clone(),
            )
        })
        .collect();
    let (Some(proxy_config), Some(written)) =
        (direct(NEW, &proxy_config), direct(version, &written))
    else {
        return;
    };
    let mut kept = 0;
    for (at, entry) in ENTRIES.iter().enumerate() {
        let (what, translation) = &translated[at];
        let fate = translation.entries[0].fate;
        for (number, url) in urls.iter().enumerate() {
            let told = format!("{entry} for {url}: {:?}", translation.entries);
            let target = Target::parse(url).unwrap_or_else(|| panic!("{told}"));
            let (here, in_engine) = (proxy_config[at][number], written[at][number]);
            // Go up to 1.7 has no IDNA, and an engine asks for ASCII names only: an image's name has no others.
            if version == OLD && !url.is_ascii() {
                continue;
            }
            assert_eq!(
                route::host_route(what, None, &target) == Hop::Direct,
                here,
                "here, {told}"
            );
            let way = route::in_engine(translation.proxy.as_ref(), &engine, &target);
            assert_eq!(way == Hop::Direct, in_engine, "the engine, {told}");
            match fate {
                // Old engines compare addresses as they are spelled.
                EntryOutcome::Kept if version == NEW || is_spelled_as_usual(&target.host) => {
                    assert_eq!(here, in_engine, "kept, {told}");
                }
                EntryOutcome::Kept => assert!(here || !in_engine, "kept, {told}"),
                EntryOutcome::LeftOut | EntryOutcome::Refused => {
                    assert!(here || !in_engine, "untold, {told}")
                }
                EntryOutcome::Widened => {}
            }
            kept +=
                usize::from(fate == EntryOutcome::Kept && here && in_engine && !is_the_vm(&target));
        }
    }
    // Otherwise the entries would show nothing.
    assert!(kept > 20, "{kept}");
}

#[test]
fn variables_mean_to_engines_of_2016_and_2017_what_they_mean_here_or_it_is_reported() {
    check_entries(OLD);
}

#[test]
fn variables_mean_to_engines_built_with_go_1_11_what_they_mean_here_or_it_is_reported() {
    check_entries(NEW);
}

/// A list in the engine's form stays the same when it is read again.
#[test]
fn what_an_engine_was_given_is_what_it_is_given_again() {
    let resolvers = Resolvers {
        addresses: &|host| lookup(host, TIMEOUT),
        password: &|_| Ok(None),
        pac: &|_, _| unreachable!("no script is set"),
    };
    for version in [OLD, NEW] {
        let engine = ClientDialect::of(version, version == OLD);
        let again = |no_proxy: Vec<String>| {
            let proxy_config = ProxyConfig {
                origin: ProxyOrigin::Environment,
                settings: ProxySettings::Urls(ProxyUrls {
                    https: Some(ProxyUrl::parse(PROXY).unwrap()),
                    no_proxy,
                    ..ProxyUrls::default()
                }),
            };
            let translation =
                translate(&proxy_config, &engine, &Overrides::default(), &resolvers).unwrap();
            translation.proxy.unwrap().no_proxy().to_string()
        };
        let once = again(ENTRIES.map(str::to_owned).to_vec());
        let twice = again(no_proxy::split(&once).unwrap());
        assert_eq!(once, twice);
    }
}
