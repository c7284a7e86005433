//! Logins at upstream proxies: what `login/` decides, with the stored credentials, Kerberos tickets, a clock and
//! random bytes.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout;

use crate::error::Error;
use crate::platform::gss::{self, GssError};
use crate::proxy::route::HopProxy;
use crate::util::locked;

use super::login::{
    Challenges, Connection, Credentials, Field, Inputs, Login, Memory, Random, Refusal, Request,
    Scheme, Step,
};

/// Returns the login of a proxy, if one is stored. It may ask the password store, so it blocks.
pub type FindCredentials = dyn Fn(&HopProxy) -> Result<Option<Credentials>, Error> + Send + Sync;

/// Number of proxies from which on those that never asked for a login are forgotten.
const MAX_PROXIES: usize = 1000;
/// Interval at which a request asks whether another one has tried the same credentials.
const WAIT_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum time of such waiting.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Timeout for a Kerberos ticket. With a KDC that is silent the library itself needs half a minute.
const TICKET_TIMEOUT: Duration = Duration::from_secs(5);

/// The logins of all proxies.
pub(crate) struct Logins {
    find: Arc<FindCredentials>,
    /// False if a password must not be sent in clear.
    allow_basic: Arc<AtomicBool>,
    /// What is known of each proxy.
    proxies: Mutex<HashMap<String, Arc<Proxy>>>,
}

/// What the requests to one proxy share.
#[derive(Debug, Default)]
struct Proxy {
    memory: Mutex<Memory>,
    /// Locked by the request that gets a token. It holds the answer to a question that was not answered in time.
    asked: tokio::sync::Mutex<Option<Answer>>,
}

/// The answer to a question for a token.
type Answer = oneshot::Receiver<Result<Vec<u8>, GssError>>;

/// A refusal that asks for a login.
#[derive(Debug)]
pub(crate) struct Challenge {
    /// The values of `Proxy-Authenticate`.
    pub(crate) fields: Vec<String>,
    /// True if the connection can be used for the next request.
    pub(crate) is_kept: bool,
}

/// What is sent next.
#[derive(Debug)]
pub(crate) struct Next {
    /// The value of `Proxy-Authorization`.
    pub(crate) field: Field,
    /// True if it is to be sent on the same connection.
    pub(crate) is_same: bool,
}

/// The reason why there is no login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginFault {
    /// There is none to try, or it was refused.
    #[error("{why}{}", .no_ticket.iter().map(|why| format!("; and there is no Kerberos ticket: {why}")).collect::<String>())]
    Refusal {
        why: Refusal,
        /// Why Negotiate was not tried, if that is not the reason itself.
        no_ticket: Option<String>,
    },
    /// The credentials can't be read.
    #[error("{0}")]
    Store(#[source] Error),
    /// The system has no random bytes.
    #[error("the system has no random bytes: {0}")]
    Random(getrandom::Error),
    /// Another request has been trying the same credentials for too long.
    #[error("another request is still trying the same user and password")]
    Waited,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    pub(crate) fn new(find: Arc<FindCredentials>, allow_basic: Arc<AtomicBool>) -> Self {
        Self {
            find,
            allow_basic,
            proxies: Mutex::default(),
        }
    }

    /// Returns whether a password may be sent in clear.
    pub(crate) fn allows_basic(&self) -> bool {
        self.allow_basic.load(Ordering::Relaxed)
    }

    /// Forgets which schemes worked, as after a change of networks. What was refused stays held back.
    pub(crate) fn forget_schemes(&self) {
        let proxies = locked(&self.proxies);
        for proxy in proxies.values() {
            let mut memory = locked(&proxy.memory);
            memory.forget_scheme();
        }
    }

    /// Returns the name of the scheme of the last login at the proxy, if it wants one.
    pub(crate) fn scheme(&self, proxy: &HopProxy) -> Option<String> {
        let proxies = locked(&self.proxies);
        let known = proxies.get(&proxy.to_string())?;
        let memory = locked(&known.memory);
        match memory.scheme()? {
            // Other tokens than those of Kerberos are not sent.
            Scheme::Negotiate => Some("Kerberos".to_owned()),
            scheme => Some(scheme.to_string()),
        }
    }

    /// Begins the login of one request.
    pub(crate) fn session<'l>(
        &'l self,
        proxy: &'l HopProxy,
        method: &'l str,
        target: &'l str,
    ) -> Session<'l> {
        let mut proxies = locked(&self.proxies);
        let name = proxy.to_string();
        if proxies.len() >= MAX_PROXIES && !proxies.contains_key(&name) {
            // A script may make up as many names as it likes. What a proxy refused stays known.
            proxies.retain(|_, known| {
                Arc::strong_count(known) > 1 || locked(&known.memory).is_worth_keeping()
            });
        }
        Session {
            logins: self,
            proxy,
            shared: proxies.entry(name).or_default().clone(),
            request: Request {
                proxy: proxy.host.trim_matches(['[', ']']),
                method,
                target,
            },
            login: None,
        }
    }
}

/// The login of one request.
#[derive(Debug)]
pub(crate) struct Session<'l> {
    logins: &'l Logins,
    proxy: &'l HopProxy,
    request: Request<'l>,
    shared: Arc<Proxy>,
    login: Option<Login>,
}

impl Session<'_> {
    /// Returns what is sent with the first request, if the proxy is known to want a login.
    ///
    /// # Errors
    /// When the credentials can't be read.
    pub(crate) async fn first(&mut self) -> Result<Option<Field>, LoginFault> {
        let shared = self.shared.clone();
        let memory = || locked(&shared.memory);
        let scheme = memory().scheme();
        // The store is not asked as long as no proxy asks for a password.
        let credentials = match scheme {
            Some(Scheme::Ntlm | Scheme::Digest | Scheme::Basic) => self.credentials().await?,
            Some(Scheme::Negotiate) | None => None,
        };
        let (mut asked, mut token) = (None, None);
        if scheme == Some(Scheme::Negotiate) {
            let asked = asked.insert(shared.asked.lock().await);
            // The request before may have found out that there is no ticket.
            let wants_ticket = memory().wants_ticket(Instant::now());
            if wants_ticket {
                token = Some(ticket(asked, self.request.proxy).await);
            }
        }
        let (login, field) = self.with_inputs(credentials.as_ref(), token, |inputs| {
            Login::start(self.request, &shared.memory, inputs)
        })?;
        drop(asked);
        self.login = Some(login);
        Ok(field)
    }

    /// Returns what is sent after a refusal.
    ///
    /// # Errors
    /// When there is no login to try.
    pub(crate) async fn next(&mut self, challenge: &Challenge) -> Result<Next, LoginFault> {
        let challenges = Challenges::parse(&challenge.fields);
        self.step(|login, memory, inputs| {
            login.next(&challenges, !challenge.is_kept, memory, inputs)
        })
        .await
    }

    /// Returns what is sent after the proxy has closed the connection instead of answering.
    ///
    /// # Errors
    /// When there is nothing to try again.
    pub(crate) async fn cut(&mut self) -> Result<Next, LoginFault> {
        self.step(|login, memory, inputs| login.cut(memory, inputs))
            .await
    }

    /// Records that the request came through.
    pub(crate) fn succeeded(&mut self) {
        if let Some(login) = &mut self.login {
            login.succeeded(&self.shared.memory);
        }
    }

    async fn step(
        &mut self,
        mut step: impl FnMut(&mut Login, &Mutex<Memory>, &mut Inputs<'_>) -> Step,
    ) -> Result<Next, LoginFault> {
        // A store that can't be read matters only where a ticket is not enough.
        let (credentials, unreadable) = match self.credentials().await {
            Ok(credentials) => (credentials, None),
            Err(fault) => (None, Some(fault)),
        };
        let Some(mut login) = self.login.take() else {
            return Err(Refusal::Closed.into());
        };
        let shared = self.shared.clone();
        let until = Instant::now() + MAX_WAIT;
        let (mut asked, mut token) = (None, None);
        let next = loop {
            let taken = self.with_inputs(credentials.as_ref(), token.take(), |inputs| {
                step(&mut login, &shared.memory, inputs)
            })?;
            match (taken, &mut asked) {
                (Step::Send { field, connection }, _) => {
                    let is_same = connection == Connection::Same;
                    break Ok(Next { field, is_same });
                }
                (Step::Failed(why), _) => {
                    if let (Refusal::NoCredentials { .. }, Some(fault)) = (&why, unreadable) {
                        break Err(fault);
                    }
                    let is_told = matches!(why, Refusal::NoTicket { .. });
                    let no_ticket = login.no_ticket().filter(|_| !is_told).map(str::to_owned);
                    break Err(LoginFault::Refusal { why, no_ticket });
                }
                (Step::Wait, _) if Instant::now() > until => break Err(LoginFault::Waited),
                (Step::Wait, asked) => {
                    *asked = None;
                    tokio::time::sleep(WAIT_INTERVAL).await;
                }
                // The request before may have found out that there is no ticket.
                (Step::NeedsTicket, asked @ None) => *asked = Some(shared.asked.lock().await),
                (Step::NeedsTicket, Some(asked)) => {
                    token = Some(ticket(asked, self.request.proxy).await);
                }
            }
        };
        self.login = Some(login);
        next
    }

    async fn credentials(&self) -> Result<Option<Credentials>, LoginFault> {
        let (find, proxy) = (self.logins.find.clone(), self.proxy.clone());
        let found = tokio::task::spawn_blocking(move || find(&proxy)).await;
        // A search that was cut off found nothing.
        found.unwrap_or(Ok(None)).map_err(LoginFault::Store)
    }

    fn with_inputs<T>(
        &self,
        credentials: Option<&Credentials>,
        ticket: Option<Result<Vec<u8>, String>>,
        call: impl FnOnce(&mut Inputs<'_>) -> T,
    ) -> Result<T, LoginFault> {
        let mut random = [0; Random::LEN];
        getrandom::fill(&mut random).map_err(LoginFault::Random)?;
        let unix_time = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(call(&mut Inputs {
            credentials,
            allow_basic: self.logins.allows_basic(),
            random: random.into(),
            now: Instant::now(),
            unix_time: unix_time.unwrap_or_default(),
            ticket,
        }))
    }
}

impl From<Refusal> for LoginFault {
    fn from(why: Refusal) -> Self {
        Self::Refusal {
            why,
            no_ticket: None,
        }
    }
}

/// Returns a new token for a proxy. The library blocks, and can't be interrupted: it is asked on a thread of its own,
/// which is left alone after [`TICKET_TIMEOUT`]. As long as that thread runs, it is the only one for the proxy.
async fn ticket(asked: &mut Option<Answer>, host: &str) -> Result<Vec<u8>, String> {
    let explain = |why: &dyn fmt::Display| {
        let advice = match host.parse::<IpAddr>() {
            Ok(_) => {
                ", and there is rarely a ticket for an address: name the proxy by its host name in the settings"
            }
            Err(_) => "",
        };
        format!("{why} (asked for {}{advice})", gss::service(host))
    };
    // A token that came too late may be too old by now.
    if asked
        .as_mut()
        .is_some_and(|answer| answer.try_recv() != Err(TryRecvError::Empty))
    {
        *asked = None;
    }
    let answer = match asked {
        Some(answer) => answer,
        None => {
            let (sender, receiver) = oneshot::channel();
            let host = host.to_owned();
            let thread = thread::Builder::new().name("ticket".to_owned());
            // The request may have ended by the time of the answer.
            let spawned = thread.spawn(move || drop(sender.send(gss::token(&host))));
            spawned.map_err(|why| explain(&why))?;
            asked.insert(receiver)
        }
    };
    let seconds = TICKET_TIMEOUT.as_secs();
    let Ok(answer) = timeout(TICKET_TIMEOUT, answer).await else {
        let why = format!("the Kerberos library did not answer within {seconds} seconds");
        return Err(explain(&why));
    };
    *asked = None;
    match answer {
        Ok(answer) => answer.map_err(|why| explain(&why)),
        Err(_) => Err(explain(&"the Kerberos library stopped without an answer")),
    }
}
