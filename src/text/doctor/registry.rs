//! The registry's answer in words.

use serde_json::{Value, json};

use crate::doctor::registry::{RegistryFinding, RegistryVerdict};

use super::Words;
use super::answer::{no_answer, said};

pub(super) fn words(found: &RegistryFinding) -> Words {
    let (answer, verdict) = match found {
        RegistryFinding::Answered { said, verdict } => (said, verdict),
        RegistryFinding::NoAnswer(why) => {
            return Words::new(
                format!("GET /v2/ got no answer: {}", no_answer(why)),
                "try again; if it stays so, tell the administrator of the proxy or the registry",
            );
        }
    };
    let said = said(answer);
    match verdict {
        RegistryVerdict::Open => Words::good("it is a registry, open to all (200)"),
        RegistryVerdict::Login => {
            Words::good("it is a registry and requires authentication (401), as expected")
        }
        RegistryVerdict::LoginOfUnknown => Words::new(
            format!(
                "it asks who pulls ({said}), but does not say that it is a registry: the field Docker-Distribution-Api-Version is missing"
            ),
            "engines up to 2020 or so do not talk to such a registry: check its name, or ask its administrator",
        ),
        RegistryVerdict::Redirect => Words::new(
            format!(
                "a registry should answer 200 or 401, but this sends us to {} ({said})",
                answer.location.as_deref().unwrap_or_default()
            ),
            "this is how the login page of a network behaves: open a browser, log in, and try again",
        ),
        RegistryVerdict::Page => Words::new(
            format!(
                "what answers is no registry, but a page ({said}; Docker-Distribution-Api-Version is missing)"
            ),
            "this is how the login page of a network behaves: open a browser, log in, and try again; else check the registry's name",
        ),
        RegistryVerdict::Forbidden => Words::new(
            format!("it is forbidden ({said})"),
            "the proxy may block this registry by its content: ask its administrator; else check the registry's name",
        ),
        RegistryVerdict::Failing => Words::new(
            format!("it fails ({said})"),
            "try again later; if it stays so, tell the registry's administrator",
        ),
        RegistryVerdict::Unexpected => Words::new(
            format!("a registry should answer 200 or 401, but this says {said}"),
            "check the registry's name",
        ),
    }
}

pub(super) fn facts(found: &RegistryFinding) -> Value {
    match found {
        RegistryFinding::Answered { said, .. } => json!({ "status": said.status }),
        RegistryFinding::NoAnswer(_) => Value::Null,
    }
}
