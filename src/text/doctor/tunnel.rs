//! A proxy that opens no tunnel, in words.

use serde_json::{Value, json};

use crate::doctor::answer::NoAnswer;
use crate::doctor::proxy_answer::Cause;
use crate::doctor::proxy_verdict::{
    AlsoForbidden, Bypass, Caller, Login, NoTunnel, Obstacle, ReachedHere, TunnelFinding,
};
use crate::error::Face;

use super::Words;
use super::answer::{answer, said};

pub(super) fn words(found: &TunnelFinding, face: Face) -> Words {
    match found {
        TunnelFinding::Opened => Words::good("the proxy opens it"),
        TunnelFinding::PageInstead(answer) => Words::new(
            format!(
                "it answers {} as to a request for a page, and opens no tunnel",
                said(answer)
            ),
            "check host and port: this looks like a web server, not a proxy",
        ),
        TunnelFinding::Refused(refused) => no_tunnel(refused, face),
    }
}

pub(super) fn facts(found: &TunnelFinding) -> Value {
    match found {
        TunnelFinding::Opened => json!({ "status": 200 }),
        TunnelFinding::PageInstead(_) => Value::Null,
        TunnelFinding::Refused(refused) => match &refused.answer {
            Ok(said) => json!({ "status": said.status, "schemes": refused.schemes }),
            Err(_) => Value::Null,
        },
    }
}

fn no_tunnel(refused: &NoTunnel, face: Face) -> Words {
    let registry = &refused.registry;
    let said = answer(&refused.answer);
    if let Some(found) = &refused.reached_here {
        return reached_here(found, Some(&said), face);
    }
    match refused.cause {
        Cause::Login => login(refused, &said, face),
        Cause::Forbidden => forbidden(refused, &said),
        Cause::Unknown => Words::new(
            format!("the proxy can't resolve {} ({said})", registry.host),
            "check the registry's name; if that is right, tell the proxy's administrator; a host of your own network may belong to the no-proxy list instead",
        ),
        Cause::Unreachable => Words::new(
            format!("the proxy is there, but could not reach {registry} ({said})"),
            "check the registry's name; if that is right, tell the proxy's administrator; a host of your own network may belong to the no-proxy list instead",
        ),
        Cause::UnreachableFromRelay => Words::new(
            format!("the proxy on this computer could not reach {registry} ({said})"),
            "if it hands on to another proxy, as cntlm, px and Alpaca do, check that one first: its name, its port, the company's network or VPN; else check the registry's name",
        ),
        Cause::UpstreamDown => Words::new(
            format!("the proxy on this computer can't reach anything ({said})"),
            "what it hands on to is not there: check the proxy that it has in its own settings, and the company's network or VPN; the registry's name is not the reason",
        ),
        Cause::Redirect => {
            let answer = refused.answer.as_ref().ok();
            let place = answer.and_then(|said| said.location.as_deref());
            Words::new(
                format!(
                    "instead of a tunnel it sends us to {} ({said})",
                    place.unwrap_or_default()
                ),
                "open that page in a browser and log in to the network there, then try again",
            )
        }
        Cause::Refused => Words::new(
            format!("the proxy refuses {registry} ({said}), though it opens other tunnels"),
            "check the registry's name and port; if they are right, ask the proxy's administrator",
        ),
        Cause::WebServer => Words::new(
            format!("it does not open tunnels ({said})"),
            "check host and port: this looks like a web server, not a proxy",
        ),
        Cause::Unexpected => Words::new(
            format!("it should answer 200, but says {said}"),
            "check host and port; if they are right, ask the proxy's administrator",
        ),
        Cause::Socks => Words::new(
            "what listens there is a SOCKS proxy, not an HTTP proxy",
            "name the port of an HTTP proxy: many programs have one of each kind; where there is only SOCKS, privoxy makes an HTTP proxy of it",
        ),
        Cause::Tls => Words::new(
            "what listens there speaks TLS, not plain HTTP",
            "check the port: Docker's engine needs the proxy's plain HTTP port, also for https:// (what System Settings call a secure web proxy is one, too)",
        ),
        Cause::DropsHost => Words::new(
            format!(
                "the proxy closes the connection when it is asked for {registry}; for another host it answers"
            ),
            "some proxies close it where a name is unknown or a host is down: check the registry's name; if that is right, tell the proxy's administrator",
        ),
        Cause::DropsIpv6 => Words::new(
            format!(
                "the proxy closes the connection when it is asked for {registry}; for another host it answers"
            ),
            "some proxies, such as cntlm, can't take an IPv6 address: use the registry's name, or an IPv4 address",
        ),
        Cause::DropsAll => Words::new(
            "the connection was closed without an answer, for another host as well; it speaks neither SOCKS nor TLS",
            "check that this is the port of an HTTP proxy, and that it lets this computer in; a relay that can't reach the proxy it hands on to may do this as well",
        ),
        Cause::Truncated => Words::new(
            "the connection was closed in the middle of the answer",
            "try again; if it stays so, tell the proxy's administrator",
        ),
        Cause::NotHttp => {
            let words = match &refused.answer {
                Err(NoAnswer::NotHttp(words)) => words,
                _ => "",
            };
            Words::new(
                format!("what listens there is no HTTP proxy; it says \"{words}\""),
                "check the proxy's port",
            )
        }
        Cause::TooLong => Words::new(said, "check the proxy's port"),
        Cause::SilentForHost => Words::new(
            format!("{said} for {registry}; for another host the proxy answers"),
            "the proxy waits for the registry, which does not answer it: check the registry's name and port; if they are right, tell the proxy's administrator",
        ),
        Cause::Silent => Words::new(
            format!("the connection was taken, but then: {said}"),
            "the proxy may be overloaded, or stopped, or be something else than a proxy: try again, then ask its administrator",
        ),
    }
}

/// `said` is the proxy's answer.
pub(super) fn reached_here(found: &ReachedHere, said: Option<&str>, face: Face) -> Words {
    let obstacle = match found.obstacle {
        Obstacle::Forbids => "forbids it",
        Obstacle::CantResolve => "can't resolve it",
        Obstacle::CantReach => "can't reach it",
        Obstacle::Refuses => "refuses it",
        Obstacle::Closes => "closes the connection",
        Obstacle::Silent => "does not answer",
        Obstacle::DeadTunnel => "opens a tunnel that leads nowhere",
    };
    let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
    Words::new(
        format!(
            "this Mac reaches {} directly, as its settings say, but Docker goes through the proxy, and that {obstacle}{said}",
            found.registry
        ),
        bypass(&found.remedy, face),
    )
}

/// Returns the remedy that makes Docker reach the registry directly, as this computer does.
fn bypass(remedy: &Bypass, face: Face) -> String {
    match (remedy, face) {
        (Bypass::NameAgain { host }, Face::CommandLine) => {
            format!("name the proxy again with `baleen apply`, and {host} with it as --no-proxy")
        }
        (Bypass::NameAgain { host }, Face::Menu) => format!(
            "let Docker bypass the proxy for it as well: where the proxy was named, name it again, and {host} as a host to reach without it"
        ),
        (Bypass::AskScript { hosts }, Face::CommandLine) => format!(
            "have the PAC script asked about it as well: `baleen config set pac_hosts {}`, then `baleen apply`",
            hosts.join(",")
        ),
        (Bypass::AskScript { hosts }, Face::Menu) => format!(
            "have the PAC script asked about it as well: choose Open Settings File and set pac_hosts to {}",
            array(hosts)
        ),
        (Bypass::List { hosts }, Face::CommandLine) => format!(
            "let Docker bypass the proxy for it as well: `baleen config set no_proxy {}`, then `baleen apply`",
            hosts.join(",")
        ),
        (Bypass::List { hosts }, Face::Menu) => format!(
            "let Docker bypass the proxy for it as well: choose Open Settings File and set no_proxy to {}",
            array(hosts)
        ),
    }
}

/// Returns the hosts as the config file has them.
fn array(hosts: &[String]) -> String {
    let quoted: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn forbidden(refused: &NoTunnel, said: &str) -> Words {
    let others = match refused.also_forbidden() {
        AlsoForbidden::Hosts(hosts) => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!(
                " (and to the other hosts that a pull needs: {})",
                hosts.join(", ")
            )
        }
        AlsoForbidden::Port => "; many proxies allow port 443 only".to_owned(),
        AlsoForbidden::Nothing => String::new(),
    };
    let caller = match refused.caller() {
        None => String::new(),
        Some(Caller(Some(address))) => {
            format!("; it may also be this computer ({address}) that it does not let in")
        }
        Some(Caller(None)) => "; it may also be this computer that it does not let in".to_owned(),
    };
    let registry = &refused.registry;
    Words::new(
        format!("the proxy forbids it ({said})"),
        format!("ask the proxy's administrator to allow CONNECT to {registry}{others}{caller}"),
    )
}

fn login(refused: &NoTunnel, said: &str, face: Face) -> Words {
    let schemes = &refused.schemes;
    let takes = match &**schemes {
        [] => "without saying of which kind".to_owned(),
        schemes => format!("it takes {}", schemes.join(", ")),
    };
    match refused.login() {
        Login::OtherScheme { relay_can } => {
            let remedy = match (relay_can, face) {
                (false, _) => {
                    "ask the proxy's administrator to offer Basic as well: Baleen's relay does not know this kind of login"
                }
                (true, Face::CommandLine) => {
                    "let Baleen's relay log in for you: `baleen config set relay on`, then open Baleen; Docker needs no password then. The relay takes your Kerberos ticket, or the password of `baleen credentials set`"
                }
                (true, Face::Menu) => {
                    "let Baleen's relay log in for you: choose Open Settings File and set relay to on; Docker needs no password then. The relay takes your Kerberos ticket, or the password that you store in Terminal: `baleen credentials set`"
                }
            };
            Words::new(
                format!(
                    "the proxy asks for a login and takes {} only ({said}); Docker's engine knows Basic and nothing else",
                    schemes.join(", ")
                ),
                remedy,
            )
        }
        Login::NoUser => Words::new(
            format!("the proxy asks for user and password ({said}; {takes})"),
            match face {
                Face::CommandLine => {
                    "name the user (in System Settings, or as http://USER@HOST:PORT with `baleen config set https_proxy`), and store the password with `baleen credentials set`"
                }
                Face::Menu => {
                    "enter user and password with Settings > Proxy Source > Manual…; if the proxy should go on coming from System Settings, name the user there and store the password in Terminal: `baleen credentials set`"
                }
            },
        ),
        Login::Denied { user } => Words::new(
            format!("the proxy does not accept this password of user '{user}' ({said}; {takes})"),
            "check user and password (has the password changed lately?) before you try again: some proxies lock a user out after a few wrong ones",
        ),
        Login::NoPassword { user } => Words::new(
            format!(
                "the proxy asks for a password ({said}; {takes}), but only the user '{user}' is set"
            ),
            match face {
                Face::CommandLine => "store it with `baleen credentials set`",
                Face::Menu => {
                    "store it in Terminal: `baleen credentials set`; that of a proxy of your own can be entered with Settings > Proxy Source > Manual…"
                }
            },
        ),
    }
}
