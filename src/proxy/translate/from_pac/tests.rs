use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::{ProxyConfig, ProxySettings, Translation, WhyDirect, translate};
use super::*;
use crate::error::{Face, Kind};
use crate::proxy::ProxyOrigin;
use crate::proxy::ProxyRef;
use crate::proxy::pac::{FetchFault, PacError, PacRemark, Routes};
use crate::proxy::settings::SystemSettings;
use crate::text::remark::pac_unreachable;

const OLD: &str = "17.06.0";
const NEW: &str = "2.2.0";
const HUB: &str = "registry-1.docker.io";
const OWN: &str = "registry.corp";
const OWN_PLAIN: &str = "http://registry.corp/";

fn answer(host: &str, text: &str) -> PacAnswer {
    let Routes { routes, ignored } = Routes::parse(text).unwrap();
    PacAnswer {
        host: host.to_owned(),
        url: host.to_owned(),
        text: text.to_owned(),
        routes,
        ignored,
    }
}

#[test]
fn what_only_firefox_understands_counts_as_in_chromium() {
    let engine = ClientDialect::of(NEW, false);
    let way = |text| match choice(&answer(HUB, text), &engine) {
        None => "nothing".to_owned(),
        Some(Choice::Direct) => "direct".to_owned(),
        Some(Choice::Proxy(url)) => url.authority(),
    };
    assert_eq!(way("HTTP p.corp:1"), "direct");
    assert_eq!(way("HTTP p.corp:1; DIRECT"), "direct");
    assert_eq!(way("HTTP p.corp:1; PROXY q.corp:2"), "q.corp:2");
    // An entry that no browser understands may have been meant for a proxy.
    assert_eq!(way("PROXI p.corp:1; DIRECT"), "nothing");
    let said = said(&notes([&answer(HUB, "HTTP p.corp:1")], &engine).remarks);
    assert!(said.contains("Firefox"), "{said}");
}

/// The reason why the script of [`translated`] has no fresh answers.
const WHY: &str = "could not get the PAC script x: no answer within 5 seconds";

/// Returns the sentences, a line each.
fn said<T: ToString>(remarks: &[T]) -> String {
    let lines: Vec<String> = remarks.iter().map(T::to_string).collect();
    lines.join("\n")
}

/// Translates a script that answers `usual` for all hosts except those in `others`. For a host in
/// `others` without a text, it has no answer.
fn translated(
    usual: &str,
    others: &[(&str, Option<&str>)],
    script_state: ScriptState,
    version: &str,
) -> Result<Translation> {
    let pac = |source: &PacSource, hosts: &[String]| {
        assert_eq!(*source, PacSource::Discover);
        let answers = hosts.iter().filter_map(|host| {
            let other = others.iter().find(|(other, _)| other == host);
            Some(answer(host, other.map_or(Some(usual), |(_, text)| *text)?))
        });
        Ok(PacAnswers {
            answers: answers.collect(),
            script_state: script_state.clone(),
            remarks: match script_state {
                ScriptState::Fresh => Vec::new(),
                _ => vec![PacRemark::Failed(Arc::new(PacError::Fetch {
                    name: "x".to_owned(),
                    why: FetchFault::TimedOut,
                }))],
            },
        })
    };
    let proxy_config = ProxyConfig {
        origin: ProxyOrigin::Environment,
        settings: ProxySettings::Settings(SystemSettings {
            pac: Some(PacSource::Discover),
            // With a script switched on, macOS ignores these.
            exceptions: vec!["unused.corp".into()],
            ..SystemSettings::default()
        }),
    };
    let overrides = Overrides {
        // The same host in another spelling is asked about once.
        pac_hosts: vec![OWN.into(), "Auth.docker.io:443".into()],
        ..Overrides::default()
    };
    let resolvers = Resolvers {
        addresses: &|_| Ok(Vec::new()),
        password: &|_| Ok(None),
        pac: &pac,
    };
    translate(
        &proxy_config,
        &ClientDialect::of(version, version == OLD),
        &overrides,
        &resolvers,
    )
}

/// Returns the proxies for `http://` and `https://`, and the bypass list without its usual beginning.
fn got(found: &Translation) -> Option<(String, String, String)> {
    let shown = found.proxy.as_ref()?.shown();
    let plain = |url: Option<ProxyRef>| {
        url.map_or(String::new(), |url| url.to_string())
            .replace("http://", "")
    };
    let list = shown.no_proxy.replacen("localhost,127.0.0.1", "", 1);
    Some((plain(shown.http), plain(shown.https), list))
}

#[test]
fn what_a_script_comes_to() {
    let all_docker = format!(",{}", docker_hub::HOSTS.join(","));
    let last = docker_hub::HOSTS[docker_hub::HOSTS.len() - 1];
    let through = format!(
        "the script sends {last} through q:1, but an engine has one proxy for all: it uses p:1"
    );
    for (usual, others, expected, remark) in [
        ("PROXY p:1", &[][..], Some(("p:1", "p:1", "")), ""),
        ("DIRECT", &[], None, ""),
        ("DIRECT; PROXY p:1", &[], None, ""),
        (
            "PROXY p:1",
            &[(OWN, Some("DIRECT"))],
            Some(("p:1", "p:1", ",registry.corp")),
            "the script reaches http://registry.corp/ through p:1; the engine reaches it directly",
        ),
        (
            "PROXY p:1",
            &[(OWN, Some("DIRECT")), (OWN_PLAIN, Some("DIRECT"))],
            Some(("p:1", "p:1", ",registry.corp")),
            "",
        ),
        (
            "DIRECT",
            &[(OWN, Some("PROXY p:1")), (OWN_PLAIN, Some("PROXY p:1"))],
            Some(("p:1", "p:1", &*all_docker)),
            "",
        ),
        (
            "PROXY p:1",
            &[(last, Some("PROXY q:1"))],
            Some(("p:1", "p:1", "")),
            &*through,
        ),
        (
            "PROXY p:1",
            &[(HUB, Some("SOCKS q:1; DIRECT"))],
            Some(("p:1", "p:1", "")),
            "says \"SOCKS q:1; DIRECT\" for registry-1.docker.io, which no engine of this version knows; it uses p:1",
        ),
        // http:// may have a proxy of its own.
        (
            "PROXY p:1",
            &[
                ("http://registry-1.docker.io/", Some("PROXY h:2")),
                (OWN_PLAIN, Some("PROXY h:2")),
            ],
            Some(("h:2", "p:1", "")),
            "",
        ),
        (
            "PROXY p:1",
            &[
                ("http://registry-1.docker.io/", Some("PROXY h:2")),
                (OWN_PLAIN, Some("PROXY i:3")),
            ],
            Some(("h:2", "p:1", "")),
            "the script reaches http://registry.corp/ through i:3; the engine uses h:2",
        ),
        (
            "PROXY p:1",
            &[
                ("http://registry-1.docker.io/", Some("DIRECT")),
                (OWN_PLAIN, Some("DIRECT")),
            ],
            Some(("p:1", "p:1", "")),
            "the script reaches http://registry.corp/ directly; the engine uses p:1",
        ),
        (
            "DIRECT",
            &[(OWN_PLAIN, Some("PROXY h:2"))],
            None,
            "the script sends http:// through h:2 and https:// directly; the engine goes direct for both",
        ),
    ] {
        let found = translated(usual, others, ScriptState::Fresh, OLD).unwrap();
        let proxies = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        let remarks = said(&found.remarks);
        assert_eq!(got(&found), proxies, "{usual} {others:?}: {remarks}");
        assert!(remarks.contains(remark), "{usual} {others:?}: {remarks}");
        let expected = usize::from(!remark.is_empty());
        assert_eq!(
            found.remarks.len(),
            expected,
            "{usual} {others:?}: {remarks}"
        );
    }
    // A proxy that the engine can't use must not turn into direct access.
    for (usual, others) in [
        ("SOCKS q:1", &[][..]),
        ("SOCKS q:1; DIRECT", &[]),
        ("HTTPS q:1; DIRECT", &[]),
        ("DIRECT", &[(OWN, Some("SOCKS q:1"))]),
    ] {
        let error = translated(usual, others, ScriptState::Fresh, OLD).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains(":1"), "{error}");
    }
}

/// Each part of an answer that the engine can't express is reported once.
#[test]
fn what_can_not_be_passed_on_is_said() {
    const FIRST: &str = "for a the PAC script's first choice is ";
    for (text, version, remark, explanation) in [
        ("PROXY p:1", OLD, "", ""),
        ("DIRECT", OLD, "", ""),
        ("PROXY p:1; PROXY p:1", OLD, "", ""),
        (
            "PROXY p:1; DIRECT",
            OLD,
            "",
            "if p:1 fails, the PAC script goes on to DIRECT; the engine can't do that",
        ),
        (
            "PROXY p:1; PROXY q:2; PROXY p:1; DIRECT",
            OLD,
            "",
            "if p:1 fails, the PAC script goes on to PROXY q:2, then DIRECT; the engine can't do that",
        ),
        (
            "DIRECT; PROXY p:1",
            OLD,
            "",
            "if a direct connection fails, the PAC script goes on to PROXY p:1; the engine can't do that",
        ),
        (
            "HTTPS s:443; PROXY p:1",
            OLD,
            &format!(
                "{FIRST}HTTPS s:443, which this engine can't use; the next that it can use is PROXY p:1"
            ),
            "",
        ),
        (
            "SOCKS5 s:1080; HTTPS s:443; PROXY p:1; DIRECT",
            OLD,
            &format!("{FIRST}SOCKS s:1080, then HTTPS s:443, which this"),
            "if p:1 fails",
        ),
        ("SOCKS5 s:1080", NEW, "", ""),
        (
            "SOCKS s:1080",
            NEW,
            "for a the PAC script says SOCKS without a version: browsers take that for version 4, the engine speaks version 5",
            "",
        ),
        (
            "SOCKS4 s:1080; SOCKS5 s:1080",
            NEW,
            &format!("{FIRST}SOCKS4 s:1080, which this"),
            "",
        ),
        (
            "QUIC p:1; PROXY p:1",
            OLD,
            "in the PAC script's answer for a, this can't be understood: 'QUIC p:1'",
            "",
        ),
        // No route is usable, which another message reports.
        ("HTTPS s:443; DIRECT", OLD, "", ""),
    ] {
        let found = notes(
            &[answer("a", text)],
            &ClientDialect::of(version, version == OLD),
        );
        for (said, expected) in [
            (said(&found.remarks), remark),
            (said(&found.explanations), explanation),
        ] {
            assert!(said.contains(expected), "{text}: {said}");
            let expected = usize::from(!expected.is_empty());
            assert_eq!(said.lines().count(), expected, "{text}: {said}");
        }
    }
    let many = ["a", "b", "c", "d"].map(|host| answer(host, "QUIC q:1; PROXY p:1; DIRECT"));
    let found = notes(&many, &ClientDialect::of(OLD, true));
    assert_eq!(
        (found.remarks.len(), found.explanations.len()),
        (1, 1),
        "{found:?}"
    );
    let said = said(&found.remarks);
    assert!(said.contains("for a, b and 2 more, this"), "{said}");
}

#[test]
fn what_counts_while_the_script_is_away() {
    let now = SystemTime::now();
    let hours = |hours: u64| now - Duration::from_secs(3600 * hours);
    let kept = |until| ScriptState::Kept {
        given: BTreeMap::from([("a".to_owned(), hours(2)), ("b".to_owned(), hours(72))]),
        until,
    };
    // The cache has all answers.
    let found = translated("PROXY p:1", &[], kept(None), OLD).unwrap();
    let expected = format!("{WHY}; its answers from 3 days ago are used");
    assert_eq!(said(&found.remarks), expected);
    let unreachable = found.pac_unreachable.unwrap();
    assert_eq!(unreachable.kept_since, Some(hours(72)));
    assert_eq!(pac_unreachable(&unreachable, Face::Menu), expected);

    let soon = now + Duration::from_secs(200);
    let found = translated("PROXY p:1", &[], kept(Some(soon)), OLD).unwrap();
    assert_eq!(
        said(&found.remarks),
        format!(
            "{WHY}; its answers from 3 days ago are used for another 4 minutes, then the engine goes direct"
        )
    );
    assert_eq!(found.pac_unreachable.unwrap().until, Some(soon));

    // An unknown host doesn't affect the others, and is reported.
    let unknown = [(OWN, None), (OWN_PLAIN, None)];
    let found = translated("PROXY p:1", &unknown, kept(None), OLD).unwrap();
    assert_eq!(got(&found).unwrap().1, "p:1");
    assert_eq!(
        found.remarks[1].to_string(),
        "the PAC script was never asked about registry.corp; until it can be, the engine uses p:1 there"
    );
    assert_eq!(found.remarks.len(), 2);
    let error = translated("PROXY p:1", &[], kept(None), OLD).map(|found| found.remarks);
    assert!(error.is_ok());
    let nothing: Vec<(&str, Option<&str>)> = docker_hub::HOSTS
        .iter()
        .chain(&[OWN])
        .map(|host| (*host, None))
        .collect();
    let error = translated("PROXY p:1", &nothing, kept(None), OLD).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it was never asked about registry-1"),
        "{error}"
    );

    let found = translated("DIRECT", &[], ScriptState::Direct, OLD).unwrap();
    assert!(found.proxy.is_none());
    let (cli, menu) = (
        said(&found.remarks),
        pac_unreachable(found.pac_unreachable.as_ref().unwrap(), Face::Menu),
    );
    for said in [&cli, &menu] {
        let expected = format!("{WHY}; so the engine goes direct");
        assert!(said.starts_with(&expected), "{said}");
    }
    assert_eq!(
        (cli.contains("baleen"), menu.contains("baleen")),
        (true, false)
    );
    assert_eq!(found.why_direct(), WhyDirect::PacUnreachable);
    assert_eq!(found.pac_unreachable.unwrap().kept_since, None);

    let found = translated("DIRECT", &[], ScriptState::Fresh, OLD).unwrap();
    assert_eq!(
        (found.pac_unreachable.is_none(), found.why_direct()),
        (true, WhyDirect::NoProxy)
    );
}
