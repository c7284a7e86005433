//! The functions for scripts that are native in Chromium as well; the others are in `library.js`. They
//! get information about the outside world from a [`HelperContext`], which tests replace.
//!
//! MDN's "Proxy Auto-Configuration (PAC) file" describes the functions, and Microsoft's "IPv6 extensions
//! to Navigator auto-config file format" describes those whose names end in `Ex`. Where these documents
//! leave something open, the functions follow Chromium. Its `proxy_resolver_v8.cc` says how that differs
//! from other browsers.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::ScriptRemark;
use super::dates::Zone;

/// The information about the outside world that a script can get.
pub(super) struct HelperContext {
    /// The time, in milliseconds since 1970.
    pub(super) now: Cell<u64>,
    /// The rules of local time.
    pub(super) zone: Zone,
    /// The addresses of this computer, as other hosts see them.
    pub(super) own: fn() -> Vec<IpAddr>,
    /// The addresses of other hosts.
    pub(super) names: RefCell<DnsCache>,
    /// Cases where another browser would have answered the script differently.
    pub(super) remarks: RefCell<BTreeSet<ScriptRemark>>,
}

impl HelperContext {
    /// Forgets what belongs to the request before.
    pub(super) fn restart(&self, now: u64) {
        self.now.set(now);
        self.names.borrow_mut().restart();
        self.remarks.take();
    }
}

/// Looks up each name once, within a time limit for all names together.
pub(super) struct DnsCache {
    look_up: fn(&str, Duration) -> io::Result<Vec<IpAddr>>,
    limit: Duration,
    left: Duration,
    known: BTreeMap<String, Vec<IpAddr>>,
    /// The first name for which no answer came in time; the script sees it as a name that does not exist.
    pub(super) unanswered: Option<String>,
}

impl DnsCache {
    pub(super) fn new(
        look_up: fn(&str, Duration) -> io::Result<Vec<IpAddr>>,
        limit: Duration,
    ) -> Self {
        Self {
            look_up,
            limit,
            left: limit,
            known: BTreeMap::new(),
            unanswered: None,
        }
    }

    fn restart(&mut self) {
        *self = Self::new(self.look_up, self.limit);
    }

    fn addresses(&mut self, host: &str) -> Vec<IpAddr> {
        // The resolver takes an empty name for this computer.
        if host.is_empty() {
            return Vec::new();
        }
        if let Some(known) = self.known.get(host) {
            return known.clone();
        }
        let start = Instant::now();
        let found = if self.left.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            (self.look_up)(host, self.left)
        };
        self.left = self.left.saturating_sub(start.elapsed());
        let found = found.unwrap_or_else(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                self.unanswered.get_or_insert_with(|| host.to_owned());
            }
            Vec::new()
        });
        self.known.insert(host.to_owned(), found.clone());
        found
    }
}

/// A function's return value to the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// A boolean.
    Is(bool),
    /// A string.
    Text(String),
    /// A `TypeError`.
    Throw(&'static str),
}

/// A function for scripts. It gets each argument that is a string; others count as missing.
pub(super) type Helper = fn(&HelperContext, &[Option<String>]) -> Reply;

/// All functions, each with the value of its `length` property.
pub(super) const HELPERS: [(&str, usize, Helper); 8] = [
    ("alert", 1, |_, _| Reply::Undefined),
    ("dnsResolve", 1, dns_resolve),
    ("dnsResolveEx", 1, |context, args| match arg(args, 0) {
        Some(host) => Reply::Text(list(&addresses(context, host))),
        None => Reply::Undefined,
    }),
    ("isInNetEx", 2, |_, args| {
        match (arg(args, 0), arg(args, 1)) {
            (Some(address), Some(network)) => Reply::Is(is_in_net_ex(address, network)),
            _ => Reply::Null,
        }
    }),
    ("isPlainHostName", 1, |_, args| match arg(args, 0) {
        Some(host) => Reply::Is(!host.contains('.') && host.parse::<IpAddr>().is_err()),
        None => Reply::Throw("isPlainHostName takes a string"),
    }),
    ("myIpAddress", 0, |context, _| {
        let own = (context.own)();
        let first = own.iter().find(|ip| ip.is_ipv4()).or(own.first());
        Reply::Text(first.map_or_else(|| "127.0.0.1".to_owned(), IpAddr::to_string))
    }),
    ("myIpAddressEx", 0, |context, _| {
        Reply::Text(list(&(context.own)()))
    }),
    ("sortIpAddressList", 1, |_, args| match arg(args, 0) {
        Some(list) => sorted(list).map_or(Reply::Is(false), Reply::Text),
        None => Reply::Null,
    }),
];

fn arg(args: &[Option<String>], index: usize) -> Option<&str> {
    args.get(index).and_then(Option::as_deref)
}

fn addresses(context: &HelperContext, host: &str) -> Vec<IpAddr> {
    context.names.borrow_mut().addresses(host)
}

fn ipv4(address: &IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Returns the first IPv4 address of a host. Netscape's original functions know no other kind.
fn dns_resolve(context: &HelperContext, args: &[Option<String>]) -> Reply {
    let Some(host) = arg(args, 0) else {
        return Reply::Null;
    };
    let found = addresses(context, host);
    if let Some(address) = found.iter().find_map(ipv4) {
        return Reply::Text(address.to_string());
    }
    if let Some(&first) = found.first() {
        let host = host.to_owned();
        let remark = ScriptRemark::Ipv6Only { host, first };
        context.remarks.borrow_mut().insert(remark);
    }
    Reply::Null
}

fn list(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    shown.join(";")
}

/// Returns whether an address is in a network such as `10.0.0.0/8`. A name is in no network, since it
/// isn't looked up. An IPv4 address equals the IPv6 address that it is mapped to.
fn is_in_net_ex(address: &str, network: &str) -> bool {
    let in_ipv6 = |text: &str| {
        let address: IpAddr = text.parse().ok()?;
        Some(match address {
            IpAddr::V4(four) => (u128::from(four.to_ipv6_mapped()), 96),
            IpAddr::V6(six) => (u128::from(six), 0),
        })
    };
    let inside = || {
        let (address, _) = in_ipv6(address)?;
        let (network, length) = network.split_once('/')?;
        let (network, before) = in_ipv6(network)?;
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = length.parse().ok().filter(|_| digits)?;
        let left = 128_u32.checked_sub(before + length)?;
        let mask = u128::MAX.checked_shl(left).unwrap_or(0);
        Some((address ^ network) & mask == 0)
    };
    inside().unwrap_or(false)
}

/// Sorts addresses separated by semicolons, IPv6 first, and keeps their spelling. Returns nothing if
/// one of them is not an address, or if there are none.
fn sorted(list: &str) -> Option<String> {
    let list = list.replace([' ', '\t'], "");
    let texts = list.split(';').filter(|text| !text.is_empty());
    let parsed = texts.map(|text| Some((text.parse::<IpAddr>().ok()?, text)));
    let mut addresses: Vec<(IpAddr, &str)> = parsed.collect::<Option<_>>()?;
    addresses.sort_by_key(|(address, _)| (address.is_ipv4(), *address));
    let texts: Vec<&str> = addresses.into_iter().map(|(_, text)| text).collect();
    (!texts.is_empty()).then(|| texts.join(";"))
}

/// Returns the addresses of this computer on its routes to the Internet, if it has any.
///
/// Connecting a UDP socket sends nothing: the system chooses the route and with it the address. The
/// targets are in the networks that RFC 5737 and RFC 3849 reserve for documentation.
pub(super) fn own_addresses() -> Vec<IpAddr> {
    let targets: [(IpAddr, IpAddr); 2] = [
        (
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
        ),
        (
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        ),
    ];
    targets
        .into_iter()
        .filter_map(|(from, to)| {
            let socket = std::net::UdpSocket::bind((from, 0)).ok()?;
            socket.connect((to, 9)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(host: &str, _: Duration) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let addresses = match host {
            "ten.corp" => "10.1.2.3",
            "both.corp" => "2001:db8::7 10.9.9.9",
            "six.corp" => "2001:db8::8",
            "slow.corp" => return Err(io::ErrorKind::TimedOut.into()),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(addresses.split(' ').map(|a| a.parse().unwrap()).collect())
    }

    fn context() -> HelperContext {
        HelperContext {
            now: Cell::new(0),
            zone: tz::TimeZone::utc().into(),
            own: || vec!["2001:db8::9".parse().unwrap(), "10.0.0.9".parse().unwrap()],
            names: RefCell::new(DnsCache::new(look_up, Duration::from_secs(1))),
            remarks: RefCell::default(),
        }
    }

    fn call(context: &HelperContext, name: &str, args: &[Option<&str>]) -> Reply {
        let helper = HELPERS.iter().find(|helper| helper.0 == name).unwrap().2;
        let args: Vec<Option<String>> = args.iter().map(|a| a.map(str::to_owned)).collect();
        helper(context, &args)
    }

    #[test]
    fn what_is_so_and_what_is_not() {
        let context = context();
        for (name, args, expected) in [
            ("isPlainHostName", &["www"][..], true),
            ("isPlainHostName", &["www.corp"], false),
            ("isPlainHostName", &["::1"], false),
            ("isPlainHostName", &["a:b"], true),
            ("isPlainHostName", &[""], true),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0/8"], true),
            ("isInNetEx", &["10.1.2.3", "0.0.0.0/0"], true),
            ("isInNetEx", &["10.1.2.3", "10.1.2.4/32"], false),
            ("isInNetEx", &["2001:db8::8", "2001:db8::/32"], true),
            ("isInNetEx", &["2001:db8::8", "2001:db9::/32"], false),
            ("isInNetEx", &["2001:db8::8", "::/0"], true),
            ("isInNetEx", &["2001:db8::8", "10.0.0.0/8"], false),
            ("isInNetEx", &["10.1.2.3", "::ffff:10.0.0.0/104"], true),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0/33"], false),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0/+8"], false),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0"], false),
            ("isInNetEx", &["ten.corp", "10.0.0.0/8"], false),
            ("sortIpAddressList", &["10.0.0.1;corp"], false),
            ("sortIpAddressList", &[" ; "], false),
            ("sortIpAddressList", &[""], false),
        ] {
            let given: Vec<Option<&str>> = args.iter().map(|a| Some(*a)).collect();
            assert_eq!(
                call(&context, name, &given),
                Reply::Is(expected),
                "{name} {args:?}"
            );
        }
    }

    #[test]
    fn texts() {
        let context = context();
        let text = |text: &str| Reply::Text(text.to_owned());
        for (name, args, expected) in [
            ("dnsResolve", &["ten.corp"][..], text("10.1.2.3")),
            ("dnsResolve", &["both.corp"], text("10.9.9.9")),
            ("dnsResolve", &["10.0.0.1"], text("10.0.0.1")),
            ("dnsResolve", &["no.corp"], Reply::Null),
            ("dnsResolve", &[""], Reply::Null),
            ("dnsResolveEx", &["both.corp"], text("2001:db8::7;10.9.9.9")),
            ("dnsResolveEx", &["no.corp"], text("")),
            ("myIpAddress", &[], text("10.0.0.9")),
            ("myIpAddressEx", &[], text("2001:db8::9;10.0.0.9")),
            (
                "sortIpAddressList",
                &["10.2.3.9; 2001:4898:28:3:0::2;::1;127.0.0.1;::9;"],
                text("::1;::9;2001:4898:28:3:0::2;10.2.3.9;127.0.0.1"),
            ),
            ("alert", &["hello"], Reply::Undefined),
        ] {
            let given: Vec<Option<&str>> = args.iter().map(|a| Some(*a)).collect();
            assert_eq!(call(&context, name, &given), expected, "{name} {args:?}");
        }
        assert!(context.remarks.borrow().is_empty());
        assert_eq!(
            call(&context, "dnsResolve", &[Some("six.corp")]),
            Reply::Null
        );
        let remarks = context.remarks.borrow();
        let expected = ScriptRemark::Ipv6Only {
            host: "six.corp".to_owned(),
            first: "2001:db8::8".parse().unwrap(),
        };
        assert_eq!(remarks.first(), Some(&expected));
    }

    #[test]
    fn what_is_no_string_is_nothing() {
        let context = context();
        for (name, expected) in [
            ("dnsResolve", Reply::Null),
            ("dnsResolveEx", Reply::Undefined),
            ("isInNetEx", Reply::Null),
            ("sortIpAddressList", Reply::Null),
            (
                "isPlainHostName",
                Reply::Throw("isPlainHostName takes a string"),
            ),
        ] {
            assert_eq!(call(&context, name, &[]), expected, "{name}");
            assert_eq!(call(&context, name, &[None]), expected, "{name}");
        }
    }

    #[test]
    fn a_computer_has_an_address() {
        let text = |text: &str| Reply::Text(text.to_owned());
        let mut context = context();
        context.own = || vec!["2001:db8::9".parse().unwrap()];
        assert_eq!(call(&context, "myIpAddress", &[]), text("2001:db8::9"));
        context.own = Vec::new;
        assert_eq!(call(&context, "myIpAddress", &[]), text("127.0.0.1"));
        assert_eq!(call(&context, "myIpAddressEx", &[]), text(""));
    }

    #[test]
    fn names_without_an_answer_are_reported() {
        let context = context();
        for host in ["slow.corp", "slow.corp", "no.corp"] {
            assert_eq!(call(&context, "dnsResolve", &[Some(host)]), Reply::Null);
        }
        let unanswered = |context: &HelperContext| context.names.borrow().unanswered.clone();
        assert_eq!(unanswered(&context).as_deref(), Some("slow.corp"));
        // After the time limit, the resolver isn't asked any more.
        let late = self::context();
        late.names.borrow_mut().left = Duration::ZERO;
        assert_eq!(call(&late, "dnsResolve", &[Some("ten.corp")]), Reply::Null);
        assert_eq!(unanswered(&late).as_deref(), Some("ten.corp"));
    }

    #[test]
    fn own_addresses_are_addresses_of_a_computer() {
        for address in own_addresses() {
            assert!(!address.is_unspecified(), "{address}");
        }
    }
}
