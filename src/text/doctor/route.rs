//! The first steps on the route to the registry in words: the proxy, its address, and the connection.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::doctor::engine_route::Origin;
use crate::doctor::net_error::NetError;
use crate::doctor::route::{
    AddressFinding, ConnectionFinding, FirstHost, OtherRoute, ProxyFinding, TestedRoute,
};
use crate::error::Face;
use crate::proxy::translate::Remark;
use crate::text::remark::remark;

use super::Words;
use super::answer::net;

pub(super) fn proxy(found: &ProxyFinding, face: Face) -> Words {
    let (route, origin, remarks) = match found {
        ProxyFinding::Tested {
            route,
            origin,
            remarks,
        } => (route, origin, remarks),
        ProxyFinding::Unusable(error) => {
            let expected = || "correct it: expected http://HOST:PORT".to_owned();
            return Words::new(error.sentence(), error.hint(face).unwrap_or_else(expected));
        }
    };
    let found = match (route, origin) {
        (TestedRoute::Through(proxy), Origin::Docker) => format!("{proxy}, which Docker has"),
        (TestedRoute::Through(proxy), Origin::Settings) => proxy.to_string(),
        (TestedRoute::Bypassed(registry), _) => format!(
            "not on the way: Docker reaches {registry} without it, since its no-proxy list says so; the registry is tried directly"
        ),
        (TestedRoute::NotForHttps, _) => {
            "none for https://; the registry is tried directly".to_owned()
        }
        (TestedRoute::Direct, _) => "none is set; the registry is tried directly".to_owned(),
    };
    Words::good(with_remarks(found, remarks, face))
}

/// Returns the sentence and the remarks in one line.
pub(super) fn with_remarks(found: String, remarks: &[Remark], face: Face) -> String {
    let mut all = vec![found];
    all.extend(remarks.iter().map(|it| remark(it, face)));
    all.join("; ")
}

pub(super) fn proxy_facts(found: &ProxyFinding) -> Value {
    match found {
        ProxyFinding::Tested {
            route,
            origin,
            remarks,
        } => {
            let proxy = match route {
                TestedRoute::Through(proxy) => Some(proxy.to_string()),
                _ => None,
            };
            json!({ "proxy": proxy, "of": origin, "remarks": remark_facts(remarks) })
        }
        ProxyFinding::Unusable(_) => Value::Null,
    }
}

pub(super) fn remark_facts(remarks: &[Remark]) -> Vec<String> {
    remarks
        .iter()
        .map(|it| remark(it, Face::CommandLine))
        .collect()
}

pub(super) fn address(found: &AddressFinding, face: Face) -> Words {
    let (why, host, other_route) = match found {
        AddressFinding::Itself(_) => return Words::good("it is an address already"),
        AddressFinding::Found(addresses) => return Words::good(texts(addresses).join(", ")),
        AddressFinding::NotFound {
            why,
            host,
            other_route,
        } => (why, host, other_route),
    };
    let why = match why {
        Some(error) => net(error),
        None => "it has no address".to_owned(),
    };
    let remedy = match (host, face) {
        (FirstHost::Proxy, _) => {
            "check the spelling; company names resolve only on the company network or VPN"
        }
        (FirstHost::BypassedRegistry, _) => {
            "check the spelling of the registry's name; if only the proxy knows it, take it off the bypass list or the no-proxy list"
        }
        (FirstHost::Registry, Face::CommandLine) => {
            "check that this computer is online; in a network that needs a proxy, set it (in System Settings or with --https-proxy) and try again"
        }
        (FirstHost::Registry, Face::Menu) => {
            "check that this computer is online; in a network that needs a proxy, set it in System Settings and try again"
        }
    };
    let found = format!("can't resolve it: {why}{}", other(other_route.as_ref()));
    Words::new(found, remedy)
}

pub(super) fn address_facts(found: &AddressFinding) -> Value {
    match found {
        AddressFinding::Itself(address) => json!({ "addresses": texts(&[*address]) }),
        AddressFinding::Found(addresses) => json!({ "addresses": texts(addresses) }),
        AddressFinding::NotFound { .. } => Value::Null,
    }
}

fn texts(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

/// Returns the remark that this computer uses a proxy for the registry.
fn other(route: Option<&OtherRoute>) -> String {
    match route {
        Some(OtherRoute { registry, proxy }) => {
            format!("; this Mac reaches {registry} through {proxy}, Docker directly")
        }
        None => String::new(),
    }
}

pub(super) fn connection(found: &ConnectionFinding, face: Face) -> Words {
    let (errors, host, is_local, other_route) = match found {
        ConnectionFinding::Made(place) => {
            return Words::good(format!("{place} takes connections"));
        }
        ConnectionFinding::Failed {
            errors,
            host,
            is_local,
            other_route,
        } => (errors, host, *is_local, other_route),
    };
    let is_refused = matches!(errors.first(), Some((_, NetError::Refused)));
    let remedy = match (host, face) {
        (FirstHost::BypassedRegistry, _) => {
            "check the registry's name and port; if only the proxy reaches it, take it off the bypass list or the no-proxy list"
        }
        (FirstHost::Proxy, _) if is_refused && is_local => {
            "start the proxy that should run on this computer, or correct its port"
        }
        (FirstHost::Proxy, _) if is_refused => "check the proxy's port (often 8080, 3128 or 80)",
        (FirstHost::Proxy, _) => {
            "check the proxy's host and port; a proxy of a company's network is reached only in that network or with its VPN on"
        }
        (FirstHost::Registry, Face::CommandLine) => {
            "this network may allow connections through a proxy only: set it (in System Settings or with --https-proxy) and try again"
        }
        (FirstHost::Registry, Face::Menu) => {
            "this network may allow connections through a proxy only: set it in System Settings and try again"
        }
    };
    let mut reasons: Vec<(&NetError, Vec<String>)> = Vec::new();
    for (place, error) in errors {
        match reasons.iter_mut().find(|(there, _)| *there == error) {
            Some((_, places)) => places.push(place.to_string()),
            None => reasons.push((error, vec![place.to_string()])),
        }
    }
    let each: Vec<String> = reasons
        .iter()
        .map(|(error, places)| format!("{}: {}", places.join(", "), net(error)))
        .collect();
    let found = format!("{}{}", each.join("; "), other(other_route.as_ref()));
    Words::new(found, remedy)
}

pub(super) fn connection_facts(found: &ConnectionFinding) -> Value {
    match found {
        ConnectionFinding::Made(place) => json!({ "address": place.to_string() }),
        ConnectionFinding::Failed { errors, .. } => {
            let failed: Vec<Value> = errors
                .iter()
                .map(
                    |(place, error)| json!({ "address": place.to_string(), "error": error.word() }),
                )
                .collect();
            json!({ "failed": failed })
        }
    }
}
