//! The interpretation of a registry's response to `GET /v2/`.

use crate::net::http::Head;

use super::Outcome;
use super::answer::{NoAnswer, Said};
use super::untrusted_text::Redactor;

/// The registry's response.
#[derive(Debug, Clone)]
pub(crate) enum RegistryFinding {
    Answered {
        said: Said,
        verdict: RegistryVerdict,
    },
    NoAnswer(NoAnswer),
}

/// What a response says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegistryVerdict {
    /// A registry that is open to all.
    Open,
    /// A registry that requires authentication.
    Login,
    /// It requires authentication, but does not say that it is a registry.
    LoginOfUnknown,
    Redirect,
    /// A page instead of a registry.
    Page,
    Forbidden,
    Failing,
    Unexpected,
}

impl RegistryFinding {
    pub(super) fn of(head: &Head, page: Option<&str>, redactor: &Redactor) -> Self {
        Self::Answered {
            said: Said::of(head, page, redactor),
            verdict: RegistryVerdict::of(head),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Answered { verdict, .. } => match verdict {
                RegistryVerdict::Open | RegistryVerdict::Login => Outcome::Good,
                RegistryVerdict::LoginOfUnknown => Outcome::Warning,
                _ => Outcome::Bad,
            },
            Self::NoAnswer(_) => Outcome::Bad,
        }
    }
}

impl RegistryVerdict {
    fn of(head: &Head) -> Self {
        let version = head
            .values("docker-distribution-api-version")
            .any(|value| value.contains("registry/2"));
        let asks = head.values("www-authenticate").next().is_some();
        match head.status {
            200 if version => Self::Open,
            401 if version => Self::Login,
            401 if asks => Self::LoginOfUnknown,
            300..=399 => Self::Redirect,
            200 => Self::Page,
            403 => Self::Forbidden,
            500..=599 => Self::Failing,
            _ => Self::Unexpected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_says_that_it_is_one() {
        const VERSION: &str = "Docker-Distribution-Api-Version: registry/2.0\r\n";
        const ASKS: &str = "WWW-Authenticate: Basic realm=x\r\n";
        for (status, fields, expected) in [
            (200, VERSION, RegistryVerdict::Open),
            (200, "", RegistryVerdict::Page),
            (401, VERSION, RegistryVerdict::Login),
            (401, ASKS, RegistryVerdict::LoginOfUnknown),
            (401, "", RegistryVerdict::Unexpected),
            (302, VERSION, RegistryVerdict::Redirect),
            (403, VERSION, RegistryVerdict::Forbidden),
            (404, VERSION, RegistryVerdict::Unexpected),
            (502, "", RegistryVerdict::Failing),
        ] {
            let answer = format!("HTTP/1.1 {status} x\r\n{fields}\r\n");
            let head = Head::read(&mut answer.as_bytes()).unwrap();
            assert_eq!(RegistryVerdict::of(&head), expected, "{answer}");
        }
    }
}
