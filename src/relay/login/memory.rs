//! What is known of a proxy's login, from one request to the next.

use std::sync::Weak;
use std::time::Instant;

use super::{Fingerprint, Inputs, NO_TICKET_FOR, Scheme, digest};

/// What is known of a proxy. It is shared by all requests.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The scheme that worked last.
    pub(super) scheme: Option<Scheme>,
    /// The nonce of Digest that worked last.
    pub(super) digest: Option<Session>,
    /// The credentials that worked last.
    pub(super) accepted: Option<Fingerprint>,
    /// The credentials that were refused, and the scheme with which they were.
    pub(super) refused: Option<(Scheme, Fingerprint)>,
    /// Held by the request that tries credentials for the first time.
    pub(super) trying: Weak<()>,
    /// When there was no ticket, and why.
    pub(super) no_ticket: Option<(Instant, String)>,
}

impl Memory {
    /// The scheme that worked last.
    pub(crate) fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// Returns whether something is known that a proxy would have to be asked again.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.scheme.is_some() || self.refused.is_some()
    }

    /// Forgets the scheme that worked and the missing ticket, as after a change of networks. Credentials that were
    /// refused stay held back.
    pub(crate) fn forget_scheme(&mut self) {
        self.scheme = None;
        self.digest = None;
        self.no_ticket = None;
    }

    /// Returns whether [`Login::start`](super::Login::start) needs a token for Negotiate.
    pub(crate) fn wants_ticket(&self, now: Instant) -> bool {
        self.scheme == Some(Scheme::Negotiate) && self.missing_ticket(now).is_none()
    }

    /// Returns why there was no ticket a moment ago.
    pub(super) fn missing_ticket(&self, now: Instant) -> Option<&str> {
        let (at, why) = self.no_ticket.as_ref()?;
        (now.saturating_duration_since(*at) < NO_TICKET_FOR).then_some(why)
    }

    /// Forgets that this scheme worked.
    pub(super) fn forget(&mut self, scheme: Scheme) {
        if self.scheme == Some(scheme) {
            self.scheme = None;
        }
        if scheme == Scheme::Digest {
            self.digest = None;
        }
    }

    /// Returns the scheme with which these credentials were refused.
    pub(super) fn held_back(&self, fingerprint: Fingerprint) -> Option<Scheme> {
        let refused = self.refused.filter(|refused| refused.1 == fingerprint);
        refused.map(|refused| refused.0)
    }
}

/// A nonce of Digest in use.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) challenge: digest::Challenge,
    pub(super) cnonce: String,
    /// How often the nonce was used.
    pub(super) count: u32,
}

impl Session {
    /// Begins to use the nonce of a challenge.
    pub(super) fn new(challenge: digest::Challenge, inputs: &Inputs<'_>) -> Self {
        let digits = inputs
            .random
            .cnonce
            .iter()
            .map(|byte| format!("{byte:02x}"));
        Self {
            challenge,
            cnonce: digits.collect(),
            count: 1,
        }
    }
}
