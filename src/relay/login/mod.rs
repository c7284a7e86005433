//! The login at an upstream proxy: which scheme is tried, what is sent, and when to stop.
//!
//! There is no I/O in here, no clock and no random number: [`Inputs`] brings them. One [`Login`] belongs to one
//! request, such as a tunnel, and one [`Memory`] to one proxy, for all requests:
//!
//! ```text
//! Login::start -> first head -> 407 -> Login::next -> head -> 407 -> Login::next -> head -> 200 -> Login::succeeded
//! ```
//!
//! Negotiate (Kerberos) is tried first, since a refused ticket locks no account. Then exactly one scheme gets the
//! password, the strongest one on offer. If the proxy refuses it, it isn't sent to that proxy again until it changes:
//! three schemes with a wrong password would be three steps towards a locked account. For the same reason a password
//! that the proxy hasn't accepted yet is tried by one request at a time ([`Step::Wait`]).

mod basic;
mod challenge;
mod digest;
mod memory;
mod negotiate;
mod ntlm;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use challenge::Challenges;
pub(crate) use memory::Memory;

use crate::util::locked;

use memory::Session;

/// Maximum number of heads that are sent for one request.
pub(crate) const MAX_HEADS: u32 = 5;
/// How long the library isn't asked for a ticket again, after it had none.
pub(crate) const NO_TICKET_FOR: Duration = Duration::from_secs(30);

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// A Kerberos ticket.
    Negotiate,
    /// NTLM.
    Ntlm,
    /// Digest.
    Digest,
    /// User and password in clear.
    Basic,
}

impl Scheme {
    /// All schemes, the strongest one first.
    pub(crate) const ALL: [Self; 4] = [Self::Negotiate, Self::Ntlm, Self::Digest, Self::Basic];
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Digest => "Digest",
            Self::Basic => "Basic",
        })
    }
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: Zeroizing<Vec<u8>>,
}

impl Credentials {
    /// Creates credentials; nothing if either holds a control character, which no scheme can send.
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Option<Self> {
        let (user, password) = (user.into(), Zeroizing::new(password.into()));
        let is_plain =
            !user.chars().any(char::is_control) && !password.iter().any(u8::is_ascii_control);
        is_plain.then_some(Self { user, password })
    }

    /// The user, with the domain if there is one.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The password, for code that computes an answer.
    pub(crate) fn password(&self) -> &[u8] {
        &self.password
    }

    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = Sha256::new();
        hasher.update((self.user.len() as u64).to_le_bytes());
        hasher.update(&self.user);
        hasher.update(&*self.password);
        Fingerprint(hasher.finalize().into())
    }
}

/// The password is a secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of credentials, to tell whether they changed. It is a secret, too: passwords can be tried against it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The value of a `Proxy-Authorization` field. Its bytes are overwritten on drop.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Field(Zeroizing<String>);

impl Field {
    fn new(value: Zeroizing<String>) -> Self {
        Self(value)
    }

    fn with_token(scheme: Scheme, token: &[u8]) -> Self {
        Self::new(format!("{scheme} {}", BASE64_STANDARD.encode(token)).into())
    }

    /// The text, for code that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Shows the scheme only.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split(' ').next().unwrap_or_default();
        f.debug_tuple("Field").field(&scheme).finish()
    }
}

/// Random bytes, new ones for each call.
#[derive(Clone)]
pub(crate) struct Random {
    client_challenge: [u8; 8],
    session_key: Zeroizing<[u8; 16]>,
    cnonce: [u8; 16],
}

impl Random {
    /// Number of bytes that it is made of.
    pub(crate) const LEN: usize = 40;
}

impl From<[u8; Random::LEN]> for Random {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        let mut random = Self {
            client_challenge: [0; 8],
            session_key: Zeroizing::new([0; 16]),
            cnonce: [0; 16],
        };
        random.client_challenge.copy_from_slice(&bytes[..8]);
        random.session_key.copy_from_slice(&bytes[8..24]);
        random.cnonce.copy_from_slice(&bytes[24..]);
        random
    }
}

/// One of them is a key.
impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// What a step needs from outside.
pub(crate) struct Inputs<'a> {
    /// The credentials for this proxy, as they are stored now.
    pub(crate) credentials: Option<&'a Credentials>,
    /// Whether a password may be sent in clear.
    pub(crate) allow_basic: bool,
    /// Random bytes.
    pub(crate) random: Random,
    /// The time of a clock that only goes forward.
    pub(crate) now: Instant,
    /// The time since the beginning of 1970.
    pub(crate) unix_time: Duration,
    /// A new token for Negotiate, or why there is none. To get one takes time, so it is here only where a step has
    /// asked for it ([`Step::NeedsTicket`], [`Memory::wants_ticket`]).
    pub(crate) ticket: Option<Result<Vec<u8>, String>>,
}

/// The request that needs the login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The proxy's host, without a port.
    pub(crate) proxy: &'a str,
    /// The method, such as `CONNECT`.
    pub(crate) method: &'a str,
    /// The target as the request line has it.
    pub(crate) target: &'a str,
}

/// The connection for the next head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// The one of the last head.
    Same,
    /// A new one.
    New,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send the request again.
    Send {
        /// The value of `Proxy-Authorization`.
        field: Field,
        /// Where to send it.
        connection: Connection,
    },
    /// Another request is trying these credentials at this proxy for the first time. Call again with the same
    /// arguments a moment later, for as long as a request may take.
    Wait,
    /// A token for Negotiate is needed. Get one, and call again with the same arguments and the token.
    NeedsTicket,
    /// There is no login.
    Failed(Refusal),
}

/// The reason why there is no login.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// The proxy offers no scheme that can be used.
    #[error("the proxy offers no way to log in that can be used{}", in_brackets(.others))]
    NothingOffered {
        /// Names of the other schemes that it offers.
        others: Vec<String>,
    },
    /// No credentials are stored for this proxy.
    #[error("no user and password are stored for the proxy, which offers {}", list(.offered))]
    NoCredentials {
        /// What it offers.
        offered: Vec<Scheme>,
    },
    /// The proxy refused the login.
    #[error("the proxy refused the login ({scheme})")]
    Refused {
        /// The scheme.
        scheme: Scheme,
    },
    /// The proxy refused these credentials before.
    #[error(
        "the proxy refused this user and password before ({scheme}); they are not tried again until they change"
    )]
    HeldBack {
        /// The scheme with which it did.
        scheme: Scheme,
    },
    /// The proxy wants a Kerberos ticket, and there is none.
    #[error("there is no Kerberos ticket for the proxy: {why}")]
    NoTicket {
        /// The text of the library.
        why: String,
    },
    /// The proxy asks on and on.
    #[error("the proxy asked for a login again after {MAX_HEADS} requests")]
    TooManyHeads,
    /// The proxy wants the password in clear, which is switched off.
    #[error("the proxy wants the password in clear (Basic), which is switched off")]
    BasicNotAllowed,
    /// The scheme can't be carried out.
    #[error("{scheme} can't be used: {why}")]
    Unusable {
        /// The scheme.
        scheme: Scheme,
        /// The reason.
        why: String,
    },
    /// The proxy closed the connection twice instead of answering.
    #[error("the proxy closed the connection during the login")]
    Closed,
}

fn in_brackets(names: &[String]) -> String {
    match names {
        [] => String::new(),
        _ => format!(" ({})", names.join(", ")),
    }
}

fn list(schemes: &[Scheme]) -> String {
    let names: Vec<_> = schemes.iter().map(Scheme::to_string).collect();
    names.join(", ")
}

/// What the last head had for a login.
#[derive(Debug)]
enum Sent {
    Nothing,
    Negotiate,
    /// NTLM's first message.
    Greeting(Vec<u8>),
    /// NTLM's third message.
    Ntlm,
    Digest(Session),
    Basic,
}

/// What became of Negotiate in this request.
#[derive(Debug)]
enum Negotiate {
    NotTried,
    NoTicket(String),
    Tried,
    Refused,
}

/// The login for one request.
#[derive(Debug)]
pub(crate) struct Login {
    proxy: String,
    method: String,
    target: String,
    heads: u32,
    sent: Sent,
    negotiate: Negotiate,
    /// The credentials of the last answer.
    fingerprint: Option<Fingerprint>,
    /// The scheme with which the password was refused.
    refused: Option<Scheme>,
    /// Whether an exchange that was cut has begun again.
    is_restarted: bool,
    /// Whether an answer was repeated with a new nonce.
    is_renewed: bool,
    /// Held while these credentials are tried for the first time.
    attempt: Option<Arc<()>>,
}

impl Login {
    /// Begins the login of a request. Also returns what to send with the first head, if the proxy is known to want it.
    pub(crate) fn start(
        request: Request<'_>,
        memory: &Mutex<Memory>,
        inputs: &mut Inputs<'_>,
    ) -> (Self, Option<Field>) {
        let mut login = Self {
            proxy: request.proxy.to_owned(),
            method: request.method.to_owned(),
            target: request.target.to_owned(),
            heads: 1,
            sent: Sent::Nothing,
            negotiate: Negotiate::NotTried,
            fingerprint: None,
            refused: None,
            is_restarted: false,
            is_renewed: false,
            attempt: None,
        };
        let field = login.first(memory, inputs);
        (login, field)
    }

    fn first(&mut self, memory: &Mutex<Memory>, inputs: &mut Inputs<'_>) -> Option<Field> {
        let scheme = locked(memory).scheme?;
        if scheme == Scheme::Negotiate {
            let Ok(token) = self.token(memory, inputs)? else {
                return None;
            };
            self.sent = Sent::Negotiate;
            return Some(Field::with_token(scheme, &token));
        }
        // Credentials that the proxy doesn't know yet are sent when it asks for them.
        let credentials = inputs.credentials?;
        let fingerprint = credentials.fingerprint();
        let digest = {
            let mut memory = locked(memory);
            if memory.accepted != Some(fingerprint) || memory.held_back(fingerprint).is_some() {
                return None;
            }
            let session = memory.digest.as_mut();
            session.filter(|_| scheme == Scheme::Digest).map(|session| {
                session.count += 1;
                session.clone()
            })
        };
        let field = match scheme {
            Scheme::Ntlm => self.greeting(),
            Scheme::Digest => self.digest_answer(digest?, credentials),
            Scheme::Basic if inputs.allow_basic => {
                let field = basic::answer(credentials).ok()?;
                self.sent = Sent::Basic;
                field
            }
            Scheme::Basic | Scheme::Negotiate => return None,
        };
        self.fingerprint = Some(fingerprint);
        Some(field)
    }

    /// Returns what to do after a 407. `is_closed` tells whether the connection can't be used any more.
    pub(crate) fn next(
        &mut self,
        challenges: &Challenges,
        is_closed: bool,
        memory: &Mutex<Memory>,
        inputs: &mut Inputs<'_>,
    ) -> Step {
        let connection = if is_closed {
            Connection::New
        } else {
            Connection::Same
        };
        let step = match &self.sent {
            Sent::Nothing => self.choose(challenges, connection, memory, inputs),
            Sent::Negotiate => {
                self.negotiate = Negotiate::Refused;
                locked(memory).forget(Scheme::Negotiate);
                // squid takes no other login on a connection on which it refused one.
                self.choose(challenges, Connection::New, memory, inputs)
            }
            Sent::Greeting(greeting) => match &challenges.ntlm_message {
                Some(message) if !is_closed => {
                    let greeting = greeting.clone();
                    self.ntlm_answer(&greeting, message, challenges, memory, inputs)
                }
                // The proxy has changed since NTLM worked, and no password was sent to it.
                _ if self.is_first() && !challenges.ntlm => {
                    locked(memory).forget(Scheme::Ntlm);
                    self.choose(challenges, Connection::New, memory, inputs)
                }
                _ if self.is_restarted && !is_closed => {
                    unusable(Scheme::Ntlm, &"the proxy doesn't answer its first message")
                }
                _ => self.restart(memory, inputs),
            },
            Sent::Ntlm => self.refuse(Scheme::Ntlm, challenges, Connection::New, memory, inputs),
            Sent::Digest(session) => match &challenges.digest {
                Some(challenge) if self.is_to_renew(session, challenge) => {
                    let challenge = challenge.clone();
                    self.renew(challenge, challenges, connection, memory, inputs)
                }
                _ => self.refuse(Scheme::Digest, challenges, connection, memory, inputs),
            },
            Sent::Basic => self.refuse(Scheme::Basic, challenges, connection, memory, inputs),
        };
        self.ended(step)
    }

    /// Returns what to do after the proxy has closed the connection instead of answering a head with a login.
    pub(crate) fn cut(&mut self, memory: &Mutex<Memory>, inputs: &mut Inputs<'_>) -> Step {
        let step = self.restart(memory, inputs);
        self.ended(step)
    }

    /// Takes note of a login that the proxy took, or of an answer that shows that it wanted none.
    pub(crate) fn succeeded(&mut self, memory: &Mutex<Memory>) {
        self.attempt = None;
        let mut memory = locked(memory);
        let scheme = match &self.sent {
            // It asked for no password, which says nothing of it.
            Sent::Nothing | Sent::Greeting(_) => return,
            Sent::Negotiate => Scheme::Negotiate,
            Sent::Ntlm => Scheme::Ntlm,
            Sent::Basic => Scheme::Basic,
            Sent::Digest(session) => {
                match &mut memory.digest {
                    Some(kept) if kept.challenge.nonce == session.challenge.nonce => {
                        kept.count = kept.count.max(session.count);
                    }
                    kept => *kept = Some(session.clone()),
                }
                Scheme::Digest
            }
        };
        memory.scheme = Some(scheme);
        if scheme != Scheme::Negotiate {
            memory.accepted = self.fingerprint;
            memory.refused = None;
        }
    }

    /// The scheme of the last head. It is the one that worked, after a head that was answered with success.
    pub(crate) fn scheme(&self) -> Option<Scheme> {
        match self.sent {
            Sent::Nothing => None,
            Sent::Negotiate => Some(Scheme::Negotiate),
            Sent::Greeting(_) | Sent::Ntlm => Some(Scheme::Ntlm),
            Sent::Digest(_) => Some(Scheme::Digest),
            Sent::Basic => Some(Scheme::Basic),
        }
    }

    /// Why there was no ticket, if one was asked for. It is worth telling with any refusal.
    pub(crate) fn no_ticket(&self) -> Option<&str> {
        match &self.negotiate {
            Negotiate::NoTicket(why) => Some(why),
            _ => None,
        }
    }

    /// Chooses a scheme: Negotiate, or the strongest one that uses a password.
    fn choose(
        &mut self,
        challenges: &Challenges,
        connection: Connection,
        memory: &Mutex<Memory>,
        inputs: &mut Inputs<'_>,
    ) -> Step {
        if let Some(step) = self.try_negotiate(challenges, connection, memory, inputs) {
            return step;
        }
        if let Some(scheme) = self.refused {
            return Step::Failed(Refusal::Refused { scheme });
        }
        let is_refused = matches!(self.negotiate, Negotiate::Refused);
        let refused = Refusal::Refused {
            scheme: Scheme::Negotiate,
        };
        let Some(scheme) = challenges.password_scheme() else {
            return Step::Failed(match &self.negotiate {
                Negotiate::Refused => refused,
                Negotiate::NoTicket(why) if challenges.negotiate => {
                    Refusal::NoTicket { why: why.clone() }
                }
                _ => Refusal::NothingOffered {
                    others: challenges.others.clone(),
                },
            });
        };
        let Some(credentials) = inputs.credentials else {
            return Step::Failed(if is_refused {
                refused
            } else {
                Refusal::NoCredentials {
                    offered: challenges.schemes(),
                }
            });
        };
        if scheme == Scheme::Basic && !inputs.allow_basic {
            return Step::Failed(Refusal::BasicNotAllowed);
        }
        if self.heads >= MAX_HEADS {
            return Step::Failed(Refusal::TooManyHeads);
        }
        if let Err(step) = self.admit(credentials, memory) {
            return step;
        }
        let field = match (scheme, &challenges.digest) {
            (Scheme::Ntlm, _) => self.greeting(),
            (Scheme::Digest, Some(challenge)) => {
                self.digest_answer(Session::new(challenge.clone(), inputs), credentials)
            }
            _ => match basic::answer(credentials) {
                Ok(field) => {
                    self.sent = Sent::Basic;
                    field
                }
                Err(fault) => return unusable(Scheme::Basic, &fault),
            },
        };
        self.send(field, connection)
    }

    /// Sends a token, if Negotiate is offered, was not tried yet, and there is a ticket.
    fn try_negotiate(
        &mut self,
        challenges: &Challenges,
        connection: Connection,
        memory: &Mutex<Memory>,
        inputs: &mut Inputs<'_>,
    ) -> Option<Step> {
        let is_open = challenges.negotiate && matches!(self.negotiate, Negotiate::NotTried);
        if !is_open || self.heads >= MAX_HEADS {
            return None;
        }
        let token = match self.token(memory, inputs)? {
            Ok(token) => token,
            Err(step) => return Some(step),
        };
        self.sent = Sent::Negotiate;
        Some(self.send(Field::with_token(Scheme::Negotiate, &token), connection))
    }

    /// Returns a new token, or the step that gets one; nothing if there is no ticket.
    fn token(
        &mut self,
        memory: &Mutex<Memory>,
        inputs: &mut Inputs<'_>,
    ) -> Option<Result<Vec<u8>, Step>> {
        let mut memory = locked(memory);
        let token = match (memory.missing_ticket(inputs.now), inputs.ticket.take()) {
            (Some(why), _) => Err(why.to_owned()),
            (None, None) => return Some(Err(Step::NeedsTicket)),
            (None, Some(Ok(token))) if negotiate::is_ntlm(&token) => {
                Err("the library offers NTLM in place of Kerberos".to_owned())
            }
            (None, Some(token)) => token,
        };
        match token {
            Ok(token) => {
                memory.no_ticket = None;
                self.negotiate = Negotiate::Tried;
                Some(Ok(token))
            }
            Err(why) => {
                if memory.missing_ticket(inputs.now).is_none() {
                    memory.no_ticket = Some((inputs.now, why.clone()));
                }
                self.negotiate = Negotiate::NoTicket(why);
                None
            }
        }
    }

    /// Checks that a password may be sent now.
    fn admit(&mut self, credentials: &Credentials, memory: &Mutex<Memory>) -> Result<(), Step> {
        let fingerprint = credentials.fingerprint();
        let mut memory = locked(memory);
        if let Some(scheme) = memory.held_back(fingerprint) {
            return Err(Step::Failed(Refusal::HeldBack { scheme }));
        }
        if memory.accepted != Some(fingerprint) && self.attempt.is_none() {
            if memory.trying.strong_count() > 0 {
                return Err(Step::Wait);
            }
            let attempt = Arc::new(());
            memory.trying = Arc::downgrade(&attempt);
            self.attempt = Some(attempt);
        }
        self.fingerprint = Some(fingerprint);
        Ok(())
    }

    fn greeting(&mut self) -> Field {
        let greeting = ntlm::greeting();
        let field = Field::with_token(Scheme::Ntlm, &greeting);
        self.sent = Sent::Greeting(greeting);
        field
    }

    fn ntlm_answer(
        &mut self,
        greeting: &[u8],
        message: &[u8],
        challenges: &Challenges,
        memory: &Mutex<Memory>,
        inputs: &Inputs<'_>,
    ) -> Step {
        if self.heads >= MAX_HEADS {
            return Step::Failed(Refusal::TooManyHeads);
        }
        let Some(credentials) = inputs.credentials else {
            let offered = challenges.schemes();
            return Step::Failed(Refusal::NoCredentials { offered });
        };
        if let Err(step) = self.admit(credentials, memory) {
            return step;
        }
        let target = format!("HTTP/{}", self.proxy);
        let client = ntlm::Client {
            workstation: "",
            target: Some(&target),
            challenge: inputs.random.client_challenge,
            session_key: &inputs.random.session_key,
            time: ntlm::windows_time(inputs.unix_time),
        };
        let answer = ntlm::Challenge::parse(message)
            .and_then(|challenge| ntlm::answer(greeting, &challenge, credentials, client));
        match answer {
            Ok(answer) => {
                self.sent = Sent::Ntlm;
                self.send(Field::with_token(Scheme::Ntlm, &answer), Connection::Same)
            }
            Err(fault) => unusable(Scheme::Ntlm, &fault),
        }
    }

    fn digest_answer(&mut self, session: Session, credentials: &Credentials) -> Field {
        let usage = digest::Use {
            method: &self.method,
            uri: &self.target,
            cnonce: &session.cnonce,
            count: session.count,
        };
        let field = digest::answer(&session.challenge, credentials, usage);
        self.sent = Sent::Digest(session);
        Field::new(field.into())
    }

    /// Returns whether an answer was refused for its nonce. Proxies that forget their nonces at a restart, or are
    /// several behind one name, may not say `stale`, so a new nonce instead of a kept one means the same, once.
    fn is_to_renew(&self, session: &Session, challenge: &digest::Challenge) -> bool {
        challenge.stale || self.is_first() && challenge.nonce != session.challenge.nonce
    }

    /// Repeats an answer of Digest with a new nonce, once.
    fn renew(
        &mut self,
        challenge: digest::Challenge,
        challenges: &Challenges,
        connection: Connection,
        memory: &Mutex<Memory>,
        inputs: &Inputs<'_>,
    ) -> Step {
        locked(memory).digest = None;
        if std::mem::replace(&mut self.is_renewed, true) {
            // Nothing was said of the password, so it isn't held back.
            return Step::Failed(Refusal::Refused {
                scheme: Scheme::Digest,
            });
        }
        if self.heads >= MAX_HEADS {
            return Step::Failed(Refusal::TooManyHeads);
        }
        let Some(credentials) = inputs.credentials else {
            let offered = challenges.schemes();
            return Step::Failed(Refusal::NoCredentials { offered });
        };
        if let Err(step) = self.admit(credentials, memory) {
            // The caller comes again.
            self.is_renewed = step != Step::Wait;
            return step;
        }
        let field = self.digest_answer(Session::new(challenge, inputs), credentials);
        self.send(field, connection)
    }

    /// Takes note of a refused password. Only Negotiate can be tried after that.
    fn refuse(
        &mut self,
        scheme: Scheme,
        challenges: &Challenges,
        connection: Connection,
        memory: &Mutex<Memory>,
        inputs: &mut Inputs<'_>,
    ) -> Step {
        // A step that needed a ticket comes twice, and another request may have logged in in between.
        if self.refused.replace(scheme).is_none() {
            let mut memory = locked(memory);
            memory.forget(scheme);
            // A proxy that doesn't offer the scheme of the first head any more has not looked at the password.
            let is_checked = challenges.offers(scheme) || !self.is_first();
            if let Some(fingerprint) = self.fingerprint.filter(|_| is_checked) {
                memory.refused = Some((scheme, fingerprint));
                if memory.accepted == Some(fingerprint) {
                    memory.accepted = None;
                }
            }
        }
        self.attempt = None;
        let refused = Step::Failed(Refusal::Refused { scheme });
        self.try_negotiate(challenges, connection, memory, inputs)
            .unwrap_or(refused)
    }

    /// Begins an exchange that was cut again, on a new connection, once.
    fn restart(&mut self, memory: &Mutex<Memory>, inputs: &mut Inputs<'_>) -> Step {
        if self.is_restarted {
            return Step::Failed(Refusal::Closed);
        }
        if self.heads >= MAX_HEADS {
            return Step::Failed(Refusal::TooManyHeads);
        }
        if matches!(self.sent, Sent::Negotiate) {
            let token = match self.token(memory, inputs) {
                Some(Ok(token)) => token,
                Some(Err(step)) => return step,
                None => {
                    let why = self.no_ticket().unwrap_or_default().to_owned();
                    return Step::Failed(Refusal::NoTicket { why });
                }
            };
            self.is_restarted = true;
            return self.send(
                Field::with_token(Scheme::Negotiate, &token),
                Connection::New,
            );
        }
        let (Some(scheme), Some(credentials)) = (self.scheme(), inputs.credentials) else {
            return Step::Failed(Refusal::Closed);
        };
        if let Err(step) = self.admit(credentials, memory) {
            return step;
        }
        self.is_restarted = true;
        let field = match &self.sent {
            Sent::Digest(session) => {
                let mut session = session.clone();
                session.count += 1;
                if let Some(kept) = &mut locked(memory).digest
                    && kept.challenge.nonce == session.challenge.nonce
                {
                    kept.count = session.count.max(kept.count + 1);
                    session.count = kept.count;
                }
                self.digest_answer(session, credentials)
            }
            Sent::Basic => match basic::answer(credentials) {
                Ok(field) => field,
                Err(fault) => return unusable(scheme, &fault),
            },
            _ => self.greeting(),
        };
        self.send(field, Connection::New)
    }

    fn send(&mut self, field: Field, connection: Connection) -> Step {
        self.heads += 1;
        Step::Send { field, connection }
    }

    /// Lets another request try the credentials if this one has ended.
    fn ended(&mut self, step: Step) -> Step {
        if matches!(step, Step::Failed(_)) {
            self.attempt = None;
        }
        step
    }

    /// Returns whether the last head was the first one.
    fn is_first(&self) -> bool {
        self.heads == 1
    }
}

fn unusable(scheme: Scheme, fault: &dyn fmt::Display) -> Step {
    let why = fault.to_string();
    Step::Failed(Refusal::Unusable { scheme, why })
}

#[cfg(test)]
mod tests;
