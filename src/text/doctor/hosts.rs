//! The other hosts of a pull in words.

use serde_json::{Value, json};

use crate::doctor::hosts::{HostFinding, HostsFinding, NoTunnelTo, Trouble};

use super::Words;
use super::answer::{answer, net};

pub(super) fn words(found: &HostsFinding) -> Words {
    let (good, bad): (Vec<&HostFinding>, Vec<&HostFinding>) =
        found.hosts.iter().partition(|host| host.trouble.is_none());
    let reached = format!("reached: {}", names(good.iter().copied()));
    if bad.is_empty() {
        return Words::good(reached);
    }
    let mut reasons: Vec<(String, Vec<&HostFinding>)> = Vec::new();
    for host in bad {
        let Some(why) = host.trouble.as_ref().map(trouble) else {
            continue;
        };
        match reasons.iter_mut().find(|(there, _)| *there == why) {
            Some((_, hosts)) => hosts.push(host),
            None => reasons.push((why, vec![host])),
        }
    }
    let mut lines: Vec<String> = reasons
        .iter()
        .map(|(why, hosts)| format!("{}: {why}", names(hosts.iter().copied())))
        .collect();
    if !good.is_empty() {
        lines.push(reached);
    }
    let mut forbidden = found
        .hosts
        .iter()
        .filter(|host| host.is_forbidden())
        .peekable();
    let remedy = if forbidden.peek().is_some() {
        format!(
            "ask the proxy's administrator to allow CONNECT to {}: a pull is sent there for its token or for layers",
            names(forbidden)
        )
    } else if found.is_hub {
        "a pull that needs one of them fails (Docker Hub chooses where layers come from): check that name and this network; if they are right, tell the proxy's administrator".to_owned()
    } else {
        "a pull needs a token from there: tell the administrator of the registry or the proxy"
            .to_owned()
    };
    Words::new(lines.join("\n"), remedy)
}

fn names<'h>(hosts: impl Iterator<Item = &'h HostFinding>) -> String {
    let names: Vec<String> = hosts.map(|host| host.host.to_string()).collect();
    names.join(", ")
}

pub(super) fn facts(found: &HostsFinding) -> Value {
    let one = |host: &HostFinding| {
        json!({
            "host": host.host.to_string(),
            "through_proxy": host.through_proxy,
            "trouble": host.trouble.as_ref().map(trouble),
        })
    };
    let hosts: Vec<Value> = found.hosts.iter().map(one).collect();
    json!({ "hosts": hosts })
}

/// Returns the reason why a host was not reached.
fn trouble(why: &Trouble) -> String {
    match why {
        Trouble::NoName(error) => format!("can't be resolved: {}", net(error)),
        Trouble::NoConnection(error) => net(error),
        Trouble::NoTunnel { why, answer: said } => {
            let said = answer(said);
            match why {
                NoTunnelTo::Forbidden => format!("forbidden by the proxy ({said})"),
                NoTunnelTo::Unreachable => format!("the proxy can't reach it ({said})"),
                NoTunnelTo::Other => format!("the proxy opens no tunnel ({said})"),
            }
        }
        Trouble::Closed => {
            "blocked or not reachable (the proxy opens the tunnel, and closes it)".to_owned()
        }
        Trouble::NoTls(error) => format!("no TLS: {}", net(error)),
        Trouble::Tls(words) => format!("no TLS: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::net_error::NetError;

    #[test]
    fn each_reason_is_said_once() {
        let host = |name: &str, trouble| HostFinding {
            host: name.parse().unwrap(),
            through_proxy: false,
            trouble,
        };
        let found = HostsFinding {
            hosts: vec![
                host("a", Some(Trouble::NoConnection(NetError::Refused))),
                host("b", None),
                host("c", Some(Trouble::NoConnection(NetError::Refused))),
            ],
            is_hub: false,
        };
        assert_eq!(
            words(&found).found,
            "a:443, c:443: connection refused (nothing is listening on that port)\nreached: b:443"
        );
    }
}
