//! The functions that a script may call, as pure as they can be: those that ask about the world ask
//! a [`World`], which tests make up.
//!
//! What they do is described in MDN's "Proxy Auto-Configuration (PAC) file", and for those whose names
//! end in `Ex` in Microsoft's "IPv6 extensions to Navigator auto-config file format". Where these
//! leave something open they do what Firefox and Chrome do, since that is what scripts were tried with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::calendar::{date_range, time_range, weekday_range};
use super::pattern;

/// What a script can learn of the world outside.
pub(super) struct World {
    /// The time, in the local offset.
    pub(super) now: OffsetDateTime,
    /// The addresses of this computer, as other hosts see them.
    pub(super) own: fn() -> Vec<IpAddr>,
    /// The addresses of others.
    pub(super) names: RefCell<Names>,
}

/// Looks names up, each once, within a time for all of them together.
pub(super) struct Names {
    look_up: fn(&str, Duration) -> io::Result<Vec<IpAddr>>,
    left: Duration,
    known: BTreeMap<String, Vec<IpAddr>>,
    /// The first name that nobody answered for in time; to the script it is one that does not exist.
    pub(super) unanswered: Option<String>,
}

impl Names {
    pub(super) fn new(
        look_up: fn(&str, Duration) -> io::Result<Vec<IpAddr>>,
        left: Duration,
    ) -> Self {
        Self {
            look_up,
            left,
            known: BTreeMap::new(),
            unanswered: None,
        }
    }

    fn addresses(&mut self, host: &str) -> Vec<IpAddr> {
        // The resolver takes the empty name for this computer.
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

/// What a function gives back to the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// `null`.
    Null,
    /// A boolean.
    Is(bool),
    /// A number.
    Number(i32),
    /// A string.
    Text(String),
}

/// A function: it gets each argument as a string, or nothing for `null` and `undefined`.
pub(super) type Helper = fn(&World, &[Option<String>]) -> Reply;

/// All of them, with the number of arguments that their `length` says.
pub(super) const HELPERS: [(&str, usize, Helper); 19] = [
    ("alert", 1, |_, _| Reply::Null),
    ("convert_addr", 1, |_, args| {
        Reply::Number(number(arg(args, 0)) as i32)
    }),
    ("dateRange", 6, |world, args| {
        Reply::Is(date_range(args, world.now))
    }),
    ("dnsDomainIs", 2, |_, args| {
        Reply::Is(arg(args, 0).ends_with(arg(args, 1)))
    }),
    ("dnsDomainLevels", 1, |_, args| {
        Reply::Number(arg(args, 0).matches('.').count() as i32)
    }),
    ("dnsResolve", 1, |world, args| {
        match first_ipv4(world, arg(args, 0)) {
            Some(address) => Reply::Text(address.to_string()),
            None => Reply::Null,
        }
    }),
    ("dnsResolveEx", 1, |world, args| {
        Reply::Text(list(&addresses(world, arg(args, 0))))
    }),
    ("isInNet", 3, is_in_net),
    ("isInNetEx", 2, is_in_net_ex),
    ("isPlainHostName", 1, |_, args| {
        Reply::Is(!arg(args, 0).contains(['.', ':']))
    }),
    ("isResolvable", 1, |world, args| {
        Reply::Is(first_ipv4(world, arg(args, 0)).is_some())
    }),
    ("isResolvableEx", 1, |world, args| {
        Reply::Is(!addresses(world, arg(args, 0)).is_empty())
    }),
    ("localHostOrDomainIs", 2, local_host_or_domain_is),
    ("myIpAddress", 0, |world, _| {
        let own = (world.own)().into_iter().find_map(ipv4);
        Reply::Text(own.unwrap_or(Ipv4Addr::LOCALHOST).to_string())
    }),
    ("myIpAddressEx", 0, |world, _| {
        Reply::Text(list(&(world.own)()))
    }),
    ("shExpMatch", 2, |_, args| {
        Reply::Is(pattern::matches(arg(args, 0), arg(args, 1)))
    }),
    ("sortIpAddressList", 1, sort_ip_address_list),
    ("timeRange", 6, |world, args| {
        Reply::Is(time_range(args, world.now))
    }),
    ("weekdayRange", 2, |world, args| {
        Reply::Is(weekday_range(args, world.now))
    }),
];

/// The argument at `index`; nothing is as good as an empty one.
fn arg(args: &[Option<String>], index: usize) -> &str {
    let arg = args.get(index).and_then(Option::as_deref);
    arg.unwrap_or_default()
}

fn addresses(world: &World, host: &str) -> Vec<IpAddr> {
    world.names.borrow_mut().addresses(host)
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The first address of `host` that the functions of Netscape's time can speak of.
fn first_ipv4(world: &World, host: &str) -> Option<Ipv4Addr> {
    addresses(world, host).into_iter().find_map(ipv4)
}

fn list(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    shown.join(";")
}

/// The number that four decimal bytes stand for. As in the browsers, what is no number or left out
/// counts as zero, so that `10.1` is a network, too.
fn number(dotted: &str) -> u32 {
    let mut bytes = dotted
        .split('.')
        .map(|byte| byte.trim().parse::<u32>().unwrap_or(0) & 0xff);
    (0..4).fold(0, |number, _| number << 8 | bytes.next().unwrap_or(0))
}

/// `isInNet(host, "10.0.0.0", "255.0.0.0")`: a name is looked up, and one that can't be is in no network.
fn is_in_net(world: &World, args: &[Option<String>]) -> Reply {
    let host = arg(args, 0);
    let Some(address) = first_ipv4(world, host) else {
        return Reply::Is(false);
    };
    let (network, mask) = (number(arg(args, 1)), number(arg(args, 2)));
    Reply::Is(u32::from(address) & mask == network & mask)
}

/// `isInNetEx(host, "10.0.0.0/8")`, or with an IPv6 network.
fn is_in_net_ex(world: &World, args: &[Option<String>]) -> Reply {
    let Some((network, length)) = prefix(arg(args, 1)) else {
        return Reply::Is(false);
    };
    let inside = |address: &IpAddr| match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            (u32::from(*address) ^ u32::from(network)) & mask == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            (u128::from(*address) ^ u128::from(network)) & mask == 0
        }
        _ => false,
    };
    Reply::Is(addresses(world, arg(args, 0)).iter().any(inside))
}

fn prefix(text: &str) -> Option<(IpAddr, u32)> {
    let (network, length) = text.split_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let bits = if network.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().filter(|&length| length <= bits)?;
    Some((network, length))
}

/// Whether the first name is the second, or the second is the first with a domain behind it.
fn local_host_or_domain_is(_: &World, args: &[Option<String>]) -> Reply {
    let (host, full) = (arg(args, 0), arg(args, 1));
    let rest = full.strip_prefix(host);
    Reply::Is(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The addresses between semicolons in order, IPv6 first; `false` if one of them is none.
fn sort_ip_address_list(_: &World, args: &[Option<String>]) -> Reply {
    let parsed = arg(args, 0).split(';').map(|one| one.trim().parse());
    match parsed.collect::<Result<Vec<IpAddr>, _>>() {
        Ok(mut addresses) => {
            addresses.sort_by_key(|address| (address.is_ipv4(), *address));
            Reply::Text(list(&addresses))
        }
        Err(_) => Reply::Is(false),
    }
}

/// The addresses of this computer on the way to the rest of the world, as far as there is one.
///
/// To connect a UDP socket sends nothing: the system picks the way and, with it, the address. The
/// targets are in the networks that RFC 5737 and RFC 3849 set aside for documents.
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
    use time::Month;

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

    fn world() -> World {
        let date = time::Date::from_calendar_date(2017, Month::December, 1).unwrap();
        World {
            now: date.midnight().assume_utc(),
            own: || vec!["10.0.0.9".parse().unwrap(), "2001:db8::9".parse().unwrap()],
            names: RefCell::new(Names::new(look_up, Duration::from_secs(1))),
        }
    }

    fn call(world: &World, name: &str, args: &[Option<&str>]) -> Reply {
        let helper = HELPERS.iter().find(|helper| helper.0 == name).unwrap().2;
        let args: Vec<Option<String>> = args.iter().map(|a| a.map(str::to_owned)).collect();
        helper(world, &args)
    }

    #[test]
    fn what_is_so_and_what_is_not() {
        let world = world();
        for (name, args, expected) in [
            ("isPlainHostName", &["www"][..], true),
            ("isPlainHostName", &["www.corp"], false),
            ("isPlainHostName", &["::1"], false),
            ("isPlainHostName", &[""], true),
            ("dnsDomainIs", &["www.corp", ".corp"], true),
            ("dnsDomainIs", &["www.corp", "corp"], true),
            // A suffix is a suffix, also in the middle of a label: so it is in every browser.
            ("dnsDomainIs", &["notcorp", "corp"], true),
            ("dnsDomainIs", &["corp", ".corp"], false),
            ("dnsDomainIs", &["www.corp", ".CORP"], false),
            ("dnsDomainIs", &["www", "www.corp"], false),
            ("localHostOrDomainIs", &["www.corp", "www.corp"], true),
            ("localHostOrDomainIs", &["www", "www.corp"], true),
            ("localHostOrDomainIs", &["ww", "www.corp"], false),
            ("localHostOrDomainIs", &["www.other", "www.corp"], false),
            ("localHostOrDomainIs", &["home.corp", "www.corp"], false),
            ("isResolvable", &["ten.corp"], true),
            ("isResolvable", &["six.corp"], false),
            ("isResolvable", &["no.corp"], false),
            ("isResolvable", &[""], false),
            ("isResolvableEx", &["six.corp"], true),
            ("isResolvableEx", &["no.corp"], false),
            ("isInNet", &["10.1.2.3", "10.0.0.0", "255.0.0.0"], true),
            ("isInNet", &["11.1.2.3", "10.0.0.0", "255.0.0.0"], false),
            ("isInNet", &["ten.corp", "10.1.0.0", "255.255.0.0"], true),
            (
                "isInNet",
                &["both.corp", "10.9.9.9", "255.255.255.255"],
                true,
            ),
            ("isInNet", &["no.corp", "0.0.0.0", "0.0.0.0"], false),
            ("isInNet", &["six.corp", "0.0.0.0", "0.0.0.0"], false),
            ("isInNet", &["10.1.2.3", "10.1.2.99", "255.255.255.0"], true),
            ("isInNet", &["10.1.2.3", "10.1", "255.255"], true),
            ("isInNet", &["10.1.2.3", "010.001.0.0", "255.255.0.0"], true),
            ("isInNet", &["256.1.2.3", "0.0.0.0", "0.0.0.0"], false),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0/8"], true),
            ("isInNetEx", &["10.1.2.3", "0.0.0.0/0"], true),
            ("isInNetEx", &["10.1.2.3", "10.1.2.4/32"], false),
            ("isInNetEx", &["six.corp", "2001:db8::/32"], true),
            ("isInNetEx", &["six.corp", "2001:db9::/32"], false),
            ("isInNetEx", &["six.corp", "::/0"], true),
            ("isInNetEx", &["six.corp", "10.0.0.0/8"], false),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0/33"], false),
            ("isInNetEx", &["10.1.2.3", "10.0.0.0"], false),
            ("shExpMatch", &["www.corp", "*.corp"], true),
            ("weekdayRange", &["FRI"], true),
            ("dateRange", &["1", "DEC"], true),
            ("timeRange", &["0"], true),
            ("sortIpAddressList", &["10.0.0.1;corp"], false),
            ("sortIpAddressList", &[""], false),
        ] {
            let given: Vec<Option<&str>> = args.iter().map(|a| Some(*a)).collect();
            assert_eq!(
                call(&world, name, &given),
                Reply::Is(expected),
                "{name} {args:?}"
            );
        }
        // What a script hands on when a look-up failed.
        assert_eq!(
            call(&world, "isInNet", &[None, Some("0.0.0.0"), Some("0.0.0.0")]),
            Reply::Is(false)
        );
    }

    #[test]
    fn texts_and_numbers() {
        let world = world();
        let text = |text: &str| Reply::Text(text.to_owned());
        for (name, args, expected) in [
            ("dnsResolve", &["ten.corp"][..], text("10.1.2.3")),
            ("dnsResolve", &["both.corp"], text("10.9.9.9")),
            ("dnsResolve", &["10.0.0.1"], text("10.0.0.1")),
            ("dnsResolve", &["six.corp"], Reply::Null),
            ("dnsResolve", &["no.corp"], Reply::Null),
            ("dnsResolveEx", &["both.corp"], text("2001:db8::7;10.9.9.9")),
            ("dnsResolveEx", &["no.corp"], text("")),
            ("myIpAddress", &[], text("10.0.0.9")),
            ("myIpAddressEx", &[], text("10.0.0.9;2001:db8::9")),
            (
                "convert_addr",
                &["104.16.41.2"],
                Reply::Number(1_745_889_538),
            ),
            // The browsers' arithmetic is signed.
            ("convert_addr", &["255.255.255.255"], Reply::Number(-1)),
            ("convert_addr", &["no.corp"], Reply::Number(0)),
            ("dnsDomainLevels", &["www"], Reply::Number(0)),
            ("dnsDomainLevels", &["www.a.corp"], Reply::Number(2)),
            (
                "sortIpAddressList",
                &["10.2.3.9;2001:4898:28:3::2;::1;127.0.0.1;::9"],
                text("::1;::9;2001:4898:28:3::2;10.2.3.9;127.0.0.1"),
            ),
            ("alert", &["hello"], Reply::Null),
        ] {
            let given: Vec<Option<&str>> = args.iter().map(|a| Some(*a)).collect();
            assert_eq!(call(&world, name, &given), expected, "{name} {args:?}");
        }
        let mut nowhere = world;
        nowhere.own = Vec::new;
        assert_eq!(call(&nowhere, "myIpAddress", &[]), text("127.0.0.1"));
        assert_eq!(call(&nowhere, "myIpAddressEx", &[]), text(""));
    }

    #[test]
    fn names_without_an_answer_are_told() {
        let world = world();
        for host in ["slow.corp", "slow.corp", "no.corp"] {
            assert_eq!(
                call(&world, "isResolvable", &[Some(host)]),
                Reply::Is(false)
            );
        }
        let unanswered = |world: &World| world.names.borrow().unanswered.clone();
        assert_eq!(unanswered(&world).as_deref(), Some("slow.corp"));
        // When all the time is used up nobody is asked any more.
        let late = self::world();
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
