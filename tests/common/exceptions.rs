//! Lists of exceptions as people write them, and hosts near their entries: just inside or just outside.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A list, the switch beside it, and hosts to ask about.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// `ExceptionsList`.
    pub(crate) exceptions: Vec<String>,
    /// `ExcludeSimpleHostnames`.
    pub(crate) exclude_simple: bool,
    /// Names and addresses, without brackets or ports.
    pub(crate) hosts: Vec<String>,
    /// The port of the request, if it isn't the scheme's default.
    pub(crate) port: Option<u16>,
}

impl Case {
    /// The URLs of `hosts`, in their order.
    pub(crate) fn urls(&self, scheme: &str) -> Vec<String> {
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        let url = |host: &String| match host.contains(':') {
            true => format!("{scheme}://[{host}]{port}/"),
            false => format!("{scheme}://{host}{port}/"),
        };
        self.hosts.iter().map(url).collect()
    }
}

/// Lists with hosts near each entry, and some hosts that have nothing to do with it.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let ports = prop::option::of(select(vec![80u16, 443, 5000, 8080]));
    let near = vec((any::<Index>(), any::<Index>()), 1..8);
    (exceptions(), any::<bool>(), near, vec(hosts(), 0..4), ports).prop_map(
        |(exceptions, exclude_simple, near, others, port)| {
            let mut hosts = others;
            for (entry, kind) in near {
                if !exceptions.is_empty() {
                    let around = around(&exceptions[entry.index(exceptions.len())]);
                    hosts.push(around[kind.index(around.len())].clone());
                }
            }
            Case {
                exceptions,
                exclude_simple,
                hosts,
                port,
            }
        },
    )
}

/// The kinds of entries that System Settings > Network > Proxies accepts.
pub(crate) fn exceptions() -> impl Strategy<Value = Vec<String>> {
    vec(entry(), 0..6)
}

/// One entry.
pub(crate) fn entry() -> impl Strategy<Value = String> {
    let written = prop_oneof![
        8 => domain(),
        6 => domain().prop_map(|domain| format!("*.{domain}")),
        4 => domain().prop_map(|domain| format!(".{domain}")),
        2 => (label(), domain()).prop_map(|(label, domain)| format!("{label}.*.{domain}")),
        1 => domain().prop_map(|domain| format!("{domain}.*")),
        1 => (label(), domain()).prop_map(|(label, domain)| format!("{label}*.{domain}")),
        3 => Just("*.local".to_owned()),
        3 => Just("169.254/16".to_owned()),
        2 => Just("*".to_owned()),
        1 => Just("*.*".to_owned()),
        4 => address(),
        4 => (address(), 0..=32u32).prop_map(|(address, n)| network(&address, n, false)),
        3 => (address(), 0..=32u32).prop_map(|(address, n)| network(&address, n, true)),
        2 => (address(), 0..=33u32).prop_map(|(address, n)| format!("{address}/{n}")),
        3 => (address(), 1..4usize).prop_map(|(address, octets)| {
            let octets: Vec<&str> = address.split('.').take(octets).collect();
            format!("{}.*", octets.join("."))
        }),
        2 => (address(), 1..4usize).prop_map(|(address, octets)| {
            let octets: Vec<&str> = address.split('.').skip(octets).collect();
            octets.join(".")
        }),
        3 => ipv6(),
        1 => ipv6().prop_map(|address| format!("[{address}]")),
        1 => ipv6().prop_map(|address| format!("{address}/64")),
        2 => (domain(), select(vec![80u16, 8080])).prop_map(|(host, port)| format!("{host}:{port}")),
        1 => domain().prop_map(|domain| format!("{domain}.")),
        1 => domain().prop_map(|domain| format!("http://{domain}/")),
        1 => (domain(), domain()).prop_map(|(a, b)| format!("{a},{b}")),
        1 => (domain(), domain()).prop_map(|(a, b)| format!("{a} {b}")),
        2 => select(vec!["", ".", "..", "[]:80", "localhost", "127.0.0.1", "::1", "/8", "*.", "<local>"])
            .prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
    ];
    (written, 0..6u8).prop_map(|(text, case)| match case {
        0 => text.to_uppercase(),
        _ => text,
    })
}

/// A host name that a registry or a mirror may have.
pub(crate) fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => domain(),
        2 => label(),
        3 => address(),
        2 => ipv6(),
        1 => domain().prop_map(|domain| domain.to_uppercase()),
        1 => domain().prop_map(|domain| format!("{domain}.")),
        2 => select(vec!["registry-1.docker.io", "auth.docker.io", "production.cloudflare.docker.com"])
            .prop_map(str::to_owned),
    ]
}

/// Few labels, so that entries and hosts meet.
fn label() -> impl Strategy<Value = String> {
    select(vec![
        "a", "b", "corp", "com", "local", "foo", "x-y", "0", "5",
    ])
    .prop_map(str::to_owned)
}

fn domain() -> impl Strategy<Value = String> {
    (
        vec(label(), 0..3),
        select(vec!["com", "corp", "local", "x1"]),
    )
        .prop_map(|(labels, last)| {
            labels
                .into_iter()
                .chain([last.to_owned()])
                .collect::<Vec<_>>()
                .join(".")
        })
}

fn address() -> impl Strategy<Value = String> {
    let octet = || select(vec![0u8, 1, 5, 10, 16, 127, 128, 169, 192, 254, 255]);
    let first = select(vec![1u8, 10, 169, 172, 192]);
    (first, octet(), octet(), octet()).prop_map(|(a, b, c, d)| format!("{a}.{b}.{c}.{d}"))
}

fn ipv6() -> impl Strategy<Value = String> {
    select(vec![
        "fe80::1",
        "fd00::5",
        "2001:db8::5",
        "2001:db8::10.0.0.5",
        "::ffff:10.1.5.5",
    ])
    .prop_map(str::to_owned)
}

/// The network of `address` with a prefix of `n` bits; `short` omits octets of 0 at its end.
fn network(address: &str, n: u32, short: bool) -> String {
    let bits = u32::from(address.parse::<std::net::Ipv4Addr>().unwrap());
    let mask = u32::MAX.checked_shl(32 - n).unwrap_or(0);
    let mut text = std::net::Ipv4Addr::from(bits & mask).to_string();
    while short && text.contains('.') && text.ends_with(".0") {
        text.truncate(text.len() - 2);
    }
    format!("{text}/{n}")
}

/// Hosts inside and just outside of what `entry` may mean; at least one.
fn around(entry: &str) -> Vec<String> {
    let bare = entry.split('/').next().unwrap_or_default();
    let mut octets: Vec<u8> = bare
        .split('.')
        .map_while(|octet| octet.parse().ok())
        .collect();
    let mut found = Vec::new();
    if !octets.is_empty() && octets.len() <= 4 {
        octets.resize(4, 0);
        let first = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]);
        let length = entry
            .split_once('/')
            .and_then(|(_, n)| n.parse::<u32>().ok());
        let last = first
            | u32::MAX
                .checked_shr(length.unwrap_or(16).min(32))
                .unwrap_or(0);
        for address in [
            first,
            first | 1,
            first.wrapping_sub(1),
            last,
            last.wrapping_add(1),
        ] {
            found.push(std::net::Ipv4Addr::from(address).to_string());
        }
    }
    if entry.contains(':') && bare.parse::<std::net::Ipv6Addr>().is_ok() {
        found.push(bare.to_owned());
        // An IPv4-mapped address is a different address to macOS, and the same one to Go.
        if let Some(inside) = bare.rsplit(':').next().filter(|end| end.contains('.')) {
            found.push(inside.to_owned());
        }
    }
    let name: String = entry
        .replace('*', "foo")
        .trim_matches('.')
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c))
        .collect();
    let name = name.replace("..", ".");
    let base = entry.trim_start_matches(['*', '.']);
    let is_host = |host: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let whole = host.strip_suffix('.').unwrap_or(host);
        whole
            .split('.')
            .all(|label| !label.is_empty() && label.chars().all(plain))
    };
    let labels = base.split('.').skip(1).collect::<Vec<_>>().join(".");
    found.extend(
        [
            // A textual suffix of an address, which old engines take for a domain.
            format!("10.{bare}"),
            name,
            base.to_owned(),
            format!("a.{base}"),
            format!("a.b.{base}"),
            format!("x{base}"),
            format!("{base}.evil.com"),
            format!("{base}."),
            format!("{base}.5"),
            base.to_uppercase(),
            labels,
            entry.replace('*', "a.b"),
        ]
        .into_iter()
        .filter(|host| is_host(host)),
    );
    found.push("other.example".to_owned());
    found
}
