//! What a proxy's answer to `CONNECT` means. Pure: from what was observed to one cause.
//!
//! The facts are what 27 programs did in 56 set-ups in November 2026 (Debian 12, PyPI, npm); the tests name them.
//! What one answer leaves open, further connections tell: `CONNECT` to another host, a greeting of SOCKS 5, and one
//! of TLS.

use std::io;

use crate::net::HostPort;
use crate::net::http::{Head, HttpError};

/// What came of asking for a tunnel.
pub(super) struct Observed<'a> {
    pub(super) answer: &'a Result<Head, HttpError>,
    /// What further connections told, where they were asked.
    pub(super) second: Second,
    /// Where the tunnel was to lead.
    pub(super) target: &'a HostPort,
    /// Whether the proxy is on this computer.
    pub(super) is_local: bool,
}

/// What further connections to the proxy told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Second {
    /// The status of its answer to `CONNECT` to another host, if it gave one.
    pub(super) connect: Option<u16>,
    /// Whether it speaks SOCKS 5.
    pub(super) socks: bool,
    /// Whether it speaks TLS.
    pub(super) tls: bool,
}

/// Which further connections tell something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Worthwhile {
    pub(super) connect: bool,
    pub(super) socks: bool,
    pub(super) tls: bool,
}

/// Why there is no tunnel, or that there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was opened, as far as the proxy says.
    Opened,
    /// It wants to know who asks.
    Login,
    /// It forbids the host, the port, or this computer.
    Forbidden,
    /// It knows no such name.
    Unknown,
    /// It could not reach the host.
    Unreachable,
    /// It is on this computer, and could not reach this host; whether others is not known.
    UnreachableFromRelay,
    /// It is on this computer, and can't reach anything: what it hands on to is not there.
    OwnParent,
    /// It sends the caller to a page.
    Redirect,
    /// It refuses this host, though it opens tunnels.
    Refused,
    /// It opens none: a web server.
    WebServer,
    /// An answer that means none of these.
    Odd,
    /// It speaks SOCKS.
    Socks,
    /// It speaks TLS.
    Tls,
    /// It closes the connection for this host, and answers for another.
    DropsHost,
    /// The same for an IPv6 address.
    DropsIpv6,
    /// It closes the connection whatever it is asked for.
    DropsAll,
    /// The connection was closed in the middle of the answer.
    Half,
    /// It speaks something else.
    NotHttp,
    /// It does not come to an end.
    TooLong,
    /// It does not answer for this host, but does for another.
    SilentForHost,
    /// It does not answer.
    Silent,
}

/// Which further connections are worth their time after this answer.
pub(super) fn worthwhile(answer: &Result<Head, HttpError>, is_local: bool) -> Worthwhile {
    let all = Worthwhile {
        connect: true,
        socks: true,
        tls: true,
    };
    let connect = Worthwhile {
        connect: true,
        ..Worthwhile::default()
    };
    match answer {
        Ok(head) => match head.status {
            400 => Worthwhile {
                tls: true,
                ..connect
            },
            404 | 405 | 501 => connect,
            500..=599 if is_local => connect,
            _ => Worthwhile::default(),
        },
        Err(HttpError::Closed | HttpError::Io(_)) => all,
        Err(_) => Worthwhile::default(),
    }
}

impl Observed<'_> {
    pub(super) fn cause(&self) -> Cause {
        let second = self.second;
        match self.answer {
            Ok(head) => self.of_status(head.status),
            Err(HttpError::Closed | HttpError::Io(_)) if second.socks => Cause::Socks,
            Err(HttpError::Closed | HttpError::Io(_)) if second.tls => Cause::Tls,
            Err(HttpError::Closed) => match second.connect {
                // cntlm 0.92.3 does, whatever the address.
                Some(_) if self.target.host.contains(':') => Cause::DropsIpv6,
                // proxy-chain 3.0.1 and pproxy 2.7.9 do where a name is unknown or the host dead.
                Some(_) => Cause::DropsHost,
                None => Cause::DropsAll,
            },
            Err(HttpError::Io(error)) => match (error.kind(), second.connect) {
                // tinyproxy and mitmproxy wait as long as the system does for a host that swallows everything.
                (io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock, Some(_)) => {
                    Cause::SilentForHost
                }
                _ => Cause::Silent,
            },
            Err(HttpError::Half) => Cause::Half,
            Err(HttpError::NotHttp(bytes)) => of_bytes(bytes),
            Err(HttpError::TooLong) => Cause::TooLong,
        }
    }

    fn of_status(&self, status: u16) -> Cause {
        let second = self.second;
        match status {
            200 => Cause::Opened,
            // tinyproxy 1.11 asks with 407, but says 401 of a wrong password.
            401 | 407 => Cause::Login,
            403 => Cause::Forbidden,
            300..=399 => Cause::Redirect,
            400 if second.tls && second.connect.is_none_or(|other| other == 400) => Cause::Tls,
            // What says the same of every host is no proxy.
            400 | 404 | 405 | 501 => match second.connect {
                Some(other) if other != status => match status {
                    // privoxy 3.0.34 and npm's proxy 4.1.0.
                    404 => Cause::Unknown,
                    _ => Cause::Refused,
                },
                _ => Cause::WebServer,
            },
            // 597 is proxy-chain's word for a parent that refuses its login.
            500..=599 if self.is_local => match second.connect {
                Some(500..=599) => Cause::OwnParent,
                _ => Cause::UnreachableFromRelay,
            },
            500..=599 => Cause::Unreachable,
            _ => Cause::Odd,
        }
    }
}

/// What the first bytes of an answer are, if they are not HTTP.
fn of_bytes(bytes: &[u8]) -> Cause {
    match bytes {
        // A record of TLS: an alert, or a handshake.
        [0x15 | 0x16, 0x03, ..] => Cause::Tls,
        // The answer of SOCKS 5 to a greeting (microsocks says that it takes no login that it was offered), that of SOCKS 4.
        [0x05, 0x00..=0x08 | 0xff, ..] | [0x00, 0x5a..=0x5d, ..] => Cause::Socks,
        _ => Cause::NotHttp,
    }
}

/// Whether a 200 has the fields of a page, which a tunnel has none of: Caddy 2.6 answers `CONNECT` like a `GET`. Only
/// together with a tunnel that carries nothing does it say something.
pub(super) fn is_page(head: &Head) -> bool {
    ["content-length", "content-type"]
        .iter()
        .any(|name| head.values(name).next().is_some())
}

/// The programs that log in to a proxy with one of these schemes for others that can't, and run on a Mac. What each
/// of them can do is what its documentation says (2026-11).
pub(super) fn relays_for(schemes: &[String]) -> Vec<&'static str> {
    const CAN: [(&str, &[&str]); 4] = [
        ("px", &["ntlm", "negotiate", "digest"]),
        ("cntlm", &["ntlm"]),
        ("Alpaca", &["ntlm", "negotiate"]),
        ("proxydetox", &["negotiate"]),
    ];
    let offered: Vec<String> = schemes.iter().map(|s| s.to_ascii_lowercase()).collect();
    CAN.iter()
        .filter(|(_, can)| can.iter().any(|scheme| offered.iter().any(|s| s == scheme)))
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Second = Second {
        connect: None,
        socks: false,
        tls: false,
    };

    fn other(status: u16) -> Second {
        Second {
            connect: Some(status),
            ..NOTHING
        }
    }

    fn observe(sent: &str, second: Second, host: &str, is_local: bool) -> Cause {
        let answer = Head::read(&mut sent.as_bytes());
        Observed {
            answer: &answer,
            second,
            target: &HostPort {
                host: host.to_owned(),
                port: 443,
            },
            is_local,
        }
        .cause()
    }

    #[test]
    fn an_answer_and_what_further_connections_tell_make_a_cause() {
        let socks = Second {
            socks: true,
            ..NOTHING
        };
        let tls = Second {
            tls: true,
            ..NOTHING
        };
        for (sent, second, cause) in [
            ("HTTP/1.0 200 OK\r\n\r\n", NOTHING, Cause::Opened),
            ("HTTP/1.1 407 x\r\n\r\n", NOTHING, Cause::Login),
            ("HTTP/1.1 401 x\r\n\r\n", NOTHING, Cause::Login),
            ("HTTP/1.1 403 x\r\n\r\n", NOTHING, Cause::Forbidden),
            ("HTTP/1.1 302 x\r\n\r\n", NOTHING, Cause::Redirect),
            ("HTTP/1.1 404 x\r\n\r\n", other(404), Cause::WebServer),
            ("HTTP/1.1 404 x\r\n\r\n", NOTHING, Cause::WebServer),
            ("HTTP/1.1 404 x\r\n\r\n", other(200), Cause::Unknown),
            ("HTTP/1.1 404 x\r\n\r\n", other(503), Cause::Unknown),
            ("HTTP/1.1 400 x\r\n\r\n", other(400), Cause::WebServer),
            ("HTTP/1.1 400 x\r\n\r\n", other(200), Cause::Refused),
            ("HTTP/1.1 400 x\r\n\r\n", tls, Cause::Tls),
            ("HTTP/1.1 405 x\r\n\r\n", other(405), Cause::WebServer),
            ("HTTP/1.1 501 x\r\n\r\n", other(501), Cause::WebServer),
            ("HTTP/1.1 502 x\r\n\r\n", NOTHING, Cause::Unreachable),
            ("HTTP/1.1 597 x\r\n\r\n", NOTHING, Cause::Unreachable),
            ("HTTP/1.1 204 x\r\n\r\n", NOTHING, Cause::Odd),
            ("", NOTHING, Cause::DropsAll),
            ("", other(403), Cause::DropsHost),
            ("", socks, Cause::Socks),
            ("", tls, Cause::Tls),
            ("HTTP/1.1 200", NOTHING, Cause::Half),
            ("\x05\x07", NOTHING, Cause::Socks),
            ("\x15\x03\x01", NOTHING, Cause::Tls),
            ("SSH-2.0-x\r\n", NOTHING, Cause::NotHttp),
        ] {
            let found = observe(sent, second, "registry.corp", false);
            assert_eq!(found, cause, "{sent:?} {second:?}");
        }
        assert_eq!(of_bytes(&[0x05, 0xff]), Cause::Socks);
        assert_eq!(of_bytes(&[0x00, 0x5b, 0, 0]), Cause::Socks);
        assert_eq!(observe("", other(200), "fe80::1", false), Cause::DropsIpv6);
        for (second, cause) in [
            (other(200), Cause::UnreachableFromRelay),
            (other(502), Cause::OwnParent),
            (NOTHING, Cause::UnreachableFromRelay),
        ] {
            let found = observe("HTTP/1.1 503 x\r\n\r\n", second, "registry.corp", true);
            assert_eq!(found, cause, "{second:?}");
        }
        let timeout = Err(HttpError::Io(io::ErrorKind::TimedOut.into()));
        for (second, cause) in [
            (NOTHING, Cause::Silent),
            (other(200), Cause::SilentForHost),
            (socks, Cause::Socks),
        ] {
            let observed = Observed {
                answer: &timeout,
                second,
                target: &"registry.corp".parse().unwrap(),
                is_local: false,
            };
            assert_eq!(observed.cause(), cause, "{second:?}");
        }
    }

    #[test]
    fn a_relay_is_named_only_if_it_can_do_the_scheme() {
        for (schemes, relays) in [
            (&["NTLM"][..], &["px", "cntlm", "Alpaca"][..]),
            (&["Negotiate"], &["px", "Alpaca", "proxydetox"]),
            (&["digest"], &["px"]),
            (
                &["Negotiate", "NTLM"],
                &["px", "cntlm", "Alpaca", "proxydetox"],
            ),
            (&["Bearer"], &[]),
        ] {
            let schemes: Vec<String> = schemes.iter().map(|&s| s.to_owned()).collect();
            assert_eq!(relays_for(&schemes), relays, "{schemes:?}");
        }
    }
}
