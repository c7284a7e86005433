//! The step about Docker's own proxy in words.

use serde_json::{Value, json};

use crate::doctor::docker_proxy::{DockerProxyAnswer, DockerProxyFinding};

use super::Words;

pub(super) fn words(found: &DockerProxyFinding) -> Words {
    match &found.answer {
        DockerProxyAnswer::Open => match &found.bypassed_by {
            None => Words::good("it reaches the registry"),
            Some(mode) => Words::new(
                format!(
                    "it reaches the registry, but with the containers' mode {mode:?} pulls and builds were reported to bypass it"
                ),
                "in Docker, choose Settings > Resources > Proxies and have containers use Docker's own proxy",
            ),
        },
        DockerProxyAnswer::Dead(why) => Words::new(
            format!(
                "it is not there ({why}), so the port 3128 that the engine uses refuses every connection"
            ),
            "quit Docker and open it again",
        ),
        DockerProxyAnswer::Silent(after) => Words::new(
            format!(
                "it did not answer within {} s, so the proxy behind it does not either",
                after.as_secs()
            ),
            "see whether this Mac reaches the proxy (VPN, network)",
        ),
        DockerProxyAnswer::Login => Words::new(
            "the proxy behind it wants a login (407)",
            "enter user and password when Docker asks for them",
        ),
        DockerProxyAnswer::Pac => Words::new(
            "it could not load its PAC script, so it reaches nothing",
            "connect to the network that has the script, or let Baleen set a proxy",
        ),
        DockerProxyAnswer::Name => Words::new(
            "it could not look up a name on this Mac",
            "see whether this Mac looks up the proxy's name (VPN, DNS)",
        ),
        DockerProxyAnswer::Upstream(status) => Words::new(
            format!("the proxy behind it can't be reached ({status})"),
            "see whether this Mac reaches the proxy (VPN, network)",
        ),
        DockerProxyAnswer::Other(status) => Words::new(
            format!("it answered with {status}"),
            "look into Docker's own log, or ask the administrator of the proxy",
        ),
    }
}

pub(super) fn facts(found: &DockerProxyFinding) -> Value {
    let (answer, status) = match &found.answer {
        DockerProxyAnswer::Open => ("open", Some(200)),
        DockerProxyAnswer::Dead(_) => ("dead", None),
        DockerProxyAnswer::Silent(_) => ("silent", None),
        DockerProxyAnswer::Login => ("login", Some(407)),
        DockerProxyAnswer::Pac => ("pac", None),
        DockerProxyAnswer::Name => ("name", None),
        DockerProxyAnswer::Upstream(status) => ("upstream", Some(*status)),
        DockerProxyAnswer::Other(status) => ("other", Some(*status)),
    };
    json!({ "answer": answer, "status": status, "bypassed_by_containers_mode": found.bypassed_by })
}
