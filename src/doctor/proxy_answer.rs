//! The interpretation of a proxy's response to `CONNECT`: a pure function from the observations to one cause.
//!
//! It is based on the behavior of 27 programs in 56 setups in November 2026 (Debian 12, PyPI, npm); the tests name
//! them. If one response is not enough, further connections help: `CONNECT` to another host, a SOCKS 5 greeting, and a
//! TLS greeting.

use std::io;

use crate::net::HostPort;
use crate::net::http::{Head, HttpError};

/// The observations from asking a proxy for a tunnel.
pub(super) struct Observed<'a> {
    pub(super) answer: &'a Result<Head, HttpError>,
    /// The results of further connections, if there were any.
    pub(super) second: ProbeResults,
    /// The target of the tunnel.
    pub(super) target: &'a HostPort,
    /// True if the proxy is on this computer.
    pub(super) is_local: bool,
}

/// The results of further connections to the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ProbeResults {
    /// The status of its response to `CONNECT` to another host, if it sent one.
    pub(super) connect: Option<u16>,
    /// True if it speaks SOCKS 5.
    pub(super) socks: bool,
    /// True if it speaks TLS.
    pub(super) tls: bool,
}

/// The further connections that can help.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FollowUpProbes {
    pub(super) connect: bool,
    pub(super) socks: bool,
    pub(super) tls: bool,
}

/// The reason why there is no tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It requires a login.
    Login,
    /// It forbids the host, the port, or this computer.
    Forbidden,
    /// It can't resolve the name.
    Unknown,
    /// It could not reach the host.
    Unreachable,
    /// It is on this computer and could not reach this host. It may reach others.
    UnreachableFromRelay,
    /// It is on this computer and can't reach any host, since its parent proxy is not there.
    UpstreamDown,
    /// It redirects to a page.
    Redirect,
    /// It refuses this host, but opens other tunnels.
    Refused,
    /// It is a web server, which opens no tunnels.
    WebServer,
    /// Its response has none of the other meanings.
    Unexpected,
    /// It speaks SOCKS.
    Socks,
    /// It speaks TLS.
    Tls,
    /// It closes the connection for this host, but responds for another one.
    DropsHost,
    /// It closes the connection for an IPv6 address, but responds for another host.
    DropsIpv6,
    /// It closes the connection for every host.
    DropsAll,
    /// The connection was closed in the middle of the response.
    Truncated,
    /// It speaks another protocol.
    NotHttp,
    /// Its response does not end.
    TooLong,
    /// It does not respond for this host, but does for another one.
    SilentForHost,
    /// It does not respond.
    Silent,
}

/// Returns the further connections that are worth their time after this response.
pub(super) fn worthwhile(answer: &Result<Head, HttpError>, is_local: bool) -> FollowUpProbes {
    let all = FollowUpProbes {
        connect: true,
        socks: true,
        tls: true,
    };
    let connect = FollowUpProbes {
        connect: true,
        ..FollowUpProbes::default()
    };
    match answer {
        Ok(head) => match head.status {
            400 => FollowUpProbes {
                tls: true,
                ..connect
            },
            404 | 405 | 501 => connect,
            500..=599 if is_local => connect,
            _ => FollowUpProbes::default(),
        },
        Err(HttpError::Closed | HttpError::Io(_)) => all,
        Err(_) => FollowUpProbes::default(),
    }
}

impl Observed<'_> {
    /// Returns the reason why there is no tunnel. `None` if the proxy reports that it is open.
    pub(super) fn cause(&self) -> Option<Cause> {
        let second = self.second;
        Some(match self.answer {
            Ok(head) if head.status == 200 => return None,
            Ok(head) => self.of_status(head.status),
            Err(HttpError::Closed | HttpError::Io(_)) if second.socks => Cause::Socks,
            Err(HttpError::Closed | HttpError::Io(_)) if second.tls => Cause::Tls,
            Err(HttpError::Closed) => match second.connect {
                // cntlm 0.92.3 does this for every IPv6 address.
                Some(_) if self.target.host.contains(':') => Cause::DropsIpv6,
                // proxy-chain 3.0.1 and pproxy 2.7.9 do this if a name is unknown or the host is down.
                Some(_) => Cause::DropsHost,
                None => Cause::DropsAll,
            },
            Err(HttpError::Io(error)) => match (error.kind(), second.connect) {
                // tinyproxy and mitmproxy wait as long as the system does for a host that never answers.
                (io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock, Some(_)) => {
                    Cause::SilentForHost
                }
                _ => Cause::Silent,
            },
            Err(HttpError::Half) => Cause::Truncated,
            Err(HttpError::NotHttp(bytes)) => of_bytes(bytes),
            Err(HttpError::TooLong) => Cause::TooLong,
        })
    }

    fn of_status(&self, status: u16) -> Cause {
        let second = self.second;
        match status {
            // tinyproxy 1.11 asks for a login with 407, but rejects a wrong password with 401.
            401 | 407 => Cause::Login,
            403 => Cause::Forbidden,
            300..=399 => Cause::Redirect,
            400 if second.tls && second.connect.is_none_or(|other| other == 400) => Cause::Tls,
            // A server with the same response for every host is not a proxy.
            400 | 404 | 405 | 501 => match second.connect {
                Some(other) if other != status => match status {
                    // privoxy 3.0.34 and npm's proxy 4.1.0 do this.
                    404 => Cause::Unknown,
                    _ => Cause::Refused,
                },
                _ => Cause::WebServer,
            },
            // proxy-chain sends 597 if its parent refuses its login.
            500..=599 if self.is_local => match second.connect {
                Some(500..=599) => Cause::UpstreamDown,
                _ => Cause::UnreachableFromRelay,
            },
            500..=599 => Cause::Unreachable,
            _ => Cause::Unexpected,
        }
    }
}

/// Returns the cause for a response that is not HTTP, from its first bytes.
fn of_bytes(bytes: &[u8]) -> Cause {
    match bytes {
        // A TLS record: an alert or a handshake.
        [0x15 | 0x16, 0x03, ..] => Cause::Tls,
        // A SOCKS 5 response to a greeting (microsocks accepts none of the offered logins), or a SOCKS 4 response.
        [0x05, 0x00..=0x08 | 0xff, ..] | [0x00, 0x5a..=0x5d, ..] => Cause::Socks,
        _ => Cause::NotHttp,
    }
}

/// Returns whether a 200 has the fields of a page, which a tunnel does not have: Caddy 2.6 answers `CONNECT` like a
/// `GET`. This is meaningful only if the tunnel also carries nothing.
pub(super) fn is_page(head: &Head) -> bool {
    ["content-length", "content-type"]
        .iter()
        .any(|name| head.values(name).next().is_some())
}

/// Returns whether Baleen's relay can log in to a proxy with one of these schemes, all but Basic.
pub(super) fn relay_logs_in(schemes: &[String]) -> bool {
    ["Negotiate", "NTLM", "Digest"]
        .iter()
        .any(|can| schemes.iter().any(|it| it.eq_ignore_ascii_case(can)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: ProbeResults = ProbeResults {
        connect: None,
        socks: false,
        tls: false,
    };

    fn other(status: u16) -> ProbeResults {
        ProbeResults {
            connect: Some(status),
            ..NOTHING
        }
    }

    fn observe(sent: &str, second: ProbeResults, host: &str, is_local: bool) -> Option<Cause> {
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
        let socks = ProbeResults {
            socks: true,
            ..NOTHING
        };
        let tls = ProbeResults {
            tls: true,
            ..NOTHING
        };
        for (sent, second, cause) in [
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
            ("HTTP/1.1 204 x\r\n\r\n", NOTHING, Cause::Unexpected),
            ("", NOTHING, Cause::DropsAll),
            ("", other(403), Cause::DropsHost),
            ("", socks, Cause::Socks),
            ("", tls, Cause::Tls),
            ("HTTP/1.1 200", NOTHING, Cause::Truncated),
            ("\x05\x07", NOTHING, Cause::Socks),
            ("\x15\x03\x01", NOTHING, Cause::Tls),
            ("SSH-2.0-x\r\n", NOTHING, Cause::NotHttp),
        ] {
            let found = observe(sent, second, "registry.corp", false);
            assert_eq!(found, Some(cause), "{sent:?} {second:?}");
        }
        let opened = observe("HTTP/1.0 200 OK\r\n\r\n", NOTHING, "registry.corp", false);
        assert_eq!(opened, None);
        assert_eq!(of_bytes(&[0x05, 0xff]), Cause::Socks);
        assert_eq!(of_bytes(&[0x00, 0x5b, 0, 0]), Cause::Socks);
        assert_eq!(
            observe("", other(200), "fe80::1", false),
            Some(Cause::DropsIpv6)
        );
        for (second, cause) in [
            (other(200), Cause::UnreachableFromRelay),
            (other(502), Cause::UpstreamDown),
            (NOTHING, Cause::UnreachableFromRelay),
        ] {
            let found = observe("HTTP/1.1 503 x\r\n\r\n", second, "registry.corp", true);
            assert_eq!(found, Some(cause), "{second:?}");
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
            assert_eq!(observed.cause(), Some(cause), "{second:?}");
        }
    }

    #[test]
    fn the_relay_is_named_only_if_it_can_do_the_scheme() {
        for (schemes, can) in [
            (&["NTLM"][..], true),
            (&["digest"], true),
            (&["Bearer", "Negotiate"], true),
            (&["Bearer"], false),
        ] {
            let schemes: Vec<String> = schemes.iter().map(|&s| s.to_owned()).collect();
            assert_eq!(relay_logs_in(&schemes), can, "{schemes:?}");
        }
    }
}
