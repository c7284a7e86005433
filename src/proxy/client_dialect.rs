//! The proxy settings that an engine understands, by the version of its Docker.app.
//!
//! The Go version of each engine is from the output of its `docker version`, in transcripts that
//! people have published: 1.11.1 says go1.5.4, 1.12.0 go1.6.3, 1.13.0 go1.7.3, 17.06.0 go1.8.3,
//! 17.12.0 go1.9.2, 18.06.0 go1.10.3, 19.03.0 go1.12.5, 20.10.0 go1.13.15, 20.10.8 go1.16.6. Go's
//! release notes and `net/http/transport.go` say what each Go version understands.

use serde::Serialize;

use super::DockerVersion;
use super::go::NoProxyRules;

/// The proxy features of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClientDialect {
    /// The Go version that built it, as in `1.8`; from Docker 4.0 on it may be a later one.
    pub go: Option<&'static str>,
    /// The rules by which it reads `NO_PROXY`.
    pub rules: NoProxyRules,
    /// True if it uses `HTTP_PROXY` for `https://` without an `HTTPS_PROXY` (until Go 1.15).
    pub https_falls_back: bool,
    /// True if a proxy may be `socks5://` (from Go 1.9 on; earlier versions take that for a host name).
    pub knows_socks: bool,
    /// The address at which it reaches this Mac's own loopback; none if Docker's own proxy, which runs
    /// on the Mac, reads the settings.
    pub host_address: Option<&'static str>,
}

/// First versions of Docker for Mac, each with the Go version that built its engine. 2.0 came after
/// 18.09.
const BUILT_WITH: [((u32, u32), &str); 10] = [
    ((1, 10), "1.5"),
    ((1, 12), "1.6"),
    ((1, 13), "1.7"),
    ((17, 6), "1.8"),
    ((17, 12), "1.9"),
    ((18, 6), "1.10"),
    ((2, 0), "1.10"),
    ((2, 1), "1.12"),
    ((3, 0), "1.13"),
    ((4, 0), "1.16"),
];

/// Address of the Mac in VPNKit, the network of Docker's VM from the spring of 2016 on.
const VPNKIT_HOST: &str = "192.168.65.1";

impl ClientDialect {
    /// Returns the engine of a Docker.app version such as `17.06.0-ce-mac18`. `patched` is true if the
    /// engine gets its proxy from the boot image, as all do until 17.10.
    pub fn of(version: &str, patched: bool) -> Self {
        let go = built_with(version);
        // Without a known version: a boot image that can be patched is from before 2018.
        let minor = go.map_or(if patched { 8 } else { 16 }, minor);
        Self {
            go,
            rules: if minor <= 10 {
                NoProxyRules::UpTo1_10
            } else {
                NoProxyRules::From1_11
            },
            https_falls_back: minor <= 15,
            knows_socks: minor >= 9,
            host_address: patched.then_some(VPNKIT_HOST),
        }
    }

    /// Returns what Docker's own proxy understands, which reads the settings of Docker Desktop of this version and runs on
    /// the Mac. Its release notes name networks, `.d` and `*.d` in the bypass list from 4.17 on, and `socks5://` from
    /// 4.28 on.
    pub fn of_docker_proxy(version: &str) -> Self {
        let version = DockerVersion::of(version);
        let is_at_least = |least| version.is_at_least(least).unwrap_or(true);
        Self {
            go: None,
            rules: match is_at_least((4, 17)) {
                true => NoProxyRules::From1_11,
                false => NoProxyRules::UpTo1_10,
            },
            https_falls_back: false,
            knows_socks: is_at_least((4, 28)),
            host_address: None,
        }
    }

    /// Returns whether it gets passwords from Baleen. Docker's own proxy asks for them itself.
    pub(crate) fn takes_passwords(&self) -> bool {
        self.host_address.is_some()
    }

    /// Returns the Go version that built it, in words.
    pub(crate) fn in_words(&self) -> String {
        match self.go {
            Some(go) => format!("Go {go}"),
            None => self.rules.in_words().to_owned(),
        }
    }
}

fn minor(go: &str) -> u32 {
    go.split('.')
        .nth(1)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

fn built_with(version: &str) -> Option<&'static str> {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse::<u32>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    // 17 and 18 are years, and follow 1.13; 2.0 restarted the numbering.
    let series = |major: u32| if matches!(major, 17 | 18) { 1 } else { major };
    BUILT_WITH
        .iter()
        .filter(|(first, _)| series(first.0) == series(major) && *first <= (major, minor))
        .map(|(_, go)| *go)
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_tell_the_rules() {
        for (version, go, rules) in [
            ("1.11.1-beta12", Some("1.5"), NoProxyRules::UpTo1_10),
            ("1.10.3", Some("1.5"), NoProxyRules::UpTo1_10),
            ("1.12.0-beta21", Some("1.6"), NoProxyRules::UpTo1_10),
            ("1.13.0", Some("1.7"), NoProxyRules::UpTo1_10),
            ("17.03.1-ce-mac12", Some("1.7"), NoProxyRules::UpTo1_10),
            ("17.06.0-ce-mac18", Some("1.8"), NoProxyRules::UpTo1_10),
            ("17.09.1-ce-mac42", Some("1.8"), NoProxyRules::UpTo1_10),
            ("18.03.1-ce-mac65", Some("1.9"), NoProxyRules::UpTo1_10),
            ("17.12.0-ce-mac55", Some("1.9"), NoProxyRules::UpTo1_10),
            ("18.09.2", Some("1.10"), NoProxyRules::UpTo1_10),
            ("2.0.0.0-mac82", Some("1.10"), NoProxyRules::UpTo1_10),
            ("3.1.0", Some("1.13"), NoProxyRules::From1_11),
            ("5.0", None, NoProxyRules::UpTo1_10),
            ("2.2.0.3", Some("1.12"), NoProxyRules::From1_11),
            ("4.37.2", Some("1.16"), NoProxyRules::From1_11),
            ("1.9", None, NoProxyRules::UpTo1_10),
            ("unknown", None, NoProxyRules::UpTo1_10),
        ] {
            let engine = ClientDialect::of(version, true);
            assert_eq!((engine.go, engine.rules), (go, rules), "{version}");
            assert_eq!(engine.host_address, Some("192.168.65.1"));
        }
        let unknown = ClientDialect::of("unknown", false);
        assert_eq!(unknown.rules, NoProxyRules::From1_11);
        assert_eq!(unknown.host_address, None);
        for (version, falls_back, socks) in [
            ("17.09.1", true, false),
            ("17.12.0", true, true),
            ("3.0.0", true, true),
            ("4.0.0", false, true),
        ] {
            let engine = ClientDialect::of(version, false);
            assert_eq!(
                (engine.https_falls_back, engine.knows_socks),
                (falls_back, socks),
                "{version}"
            );
        }
    }
}
