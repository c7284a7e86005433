//! Runs a script in a separate process, which can be killed whatever the script does.
//!
//! The JavaScript engine's own limits don't cover a loop inside a regular expression or a growing
//! string, and with WPAD the script comes from the network's administrator. So this program starts
//! itself with the hidden command `pac-worker` (`process`), sends it the script and the questions, and kills
//! it when an answer takes longer than [`TIMEOUT`]. The script can reach nothing but name lookups, and
//! those have a time limit as well (`serve`).
//!
//! A [`PacWorker`] keeps its process, and with it the engine that has read the script: reading one of 2,000
//! rules takes far longer than calling its function. So a global variable that the script changes keeps its
//! value until the next question, as it does in Chromium and Firefox, and as it always did here between the
//! questions of one request. The clock, the looked-up names and the time for lookups start again with each
//! request. What the script itself computed when it was read, such as its own address, is as old as the
//! process: an owner that learns of another network makes a new [`PacWorker`].

mod process;
mod protocol;
mod serve;

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::proxy::redact;
use crate::util::locked;

use super::error::{EvaluationFault, PacError};
use super::fetch::Script;
use super::route::Routes;
use super::{PacAnswer, ScriptRemark, unsupported_features};
use process::Process;
use protocol::{Request, Response};

pub use serve::work;

/// Timeout for all questions of a request together, and for waiting until a worker is free.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum memory of the process, in bytes. With a usual script it uses about 15 MB.
pub(super) const MAX_MEMORY: u64 = 256 << 20;
/// Maximum length of an answer of the process, in bytes. No number of answers takes that much.
pub(super) const MAX_OUTPUT_LEN: u64 = 4 << 20;
/// Maximum length of a message about a script, in characters. It may hold a text that the script threw.
const MAX_MESSAGE_LEN: usize = 300;
/// Maximum number of requests to one process: a script may keep something of each.
const MAX_REQUESTS: u32 = 10_000;
/// Minimum time between two starts of a worker's process.
const START_INTERVAL: Duration = Duration::from_millis(200);

/// The hidden command that runs [`work`].
pub(crate) const COMMAND: &str = "pac-worker";

/// The result of running a script.
#[derive(Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// One answer for each URL, in their order.
    pub answers: Vec<PacAnswer>,
    /// The first name that the script looked up and for which no answer came in time.
    pub unanswered: Option<String>,
    /// Differences from the browsers.
    pub remarks: Vec<ScriptRemark>,
}

/// Asks `script` about `urls` in a separate process, which runs `program`: this program.
///
/// # Errors
/// When the script fails, takes too long or too much memory, or gives an invalid answer. The first
/// failure ends the run for all URLs.
pub fn evaluate_in_worker(
    program: &Path,
    script: &Script,
    urls: &[String],
) -> Result<Evaluated, PacError> {
    PacWorker::new(program.to_owned(), script.clone())
        .turn()?
        .ask(urls)
}

/// A script and the process that runs it, from the first question on.
///
/// A process that is found to have ended, because it was idle for long or was killed, is replaced, and the
/// request is sent once more; so is one that has run out of memory after other questions. One that takes too long, or
/// runs out of memory at its first question, is killed, and the next request starts another.
#[derive(Debug)]
pub struct PacWorker {
    program: PathBuf,
    script: Script,
    /// What the script's text says, which takes longer to find than an answer.
    unsupported: OnceLock<Option<ScriptRemark>>,
    state: Mutex<State>,
    is_free: Condvar,
}

#[derive(Debug, Default)]
struct State {
    process: Option<Process>,
    /// The time of the last start.
    started: Option<Instant>,
    is_taken: bool,
}

/// The right to ask a worker, which answers one at a time.
#[derive(Debug)]
pub struct Turn<'a>(&'a PacWorker);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().is_taken = false;
        self.0.is_free.notify_one();
    }
}

impl PacWorker {
    /// Creates a worker without a process yet. `program` is this program.
    pub fn new(program: PathBuf, script: Script) -> Self {
        Self {
            program,
            script,
            unsupported: OnceLock::new(),
            state: Mutex::default(),
            is_free: Condvar::new(),
        }
    }

    /// Returns a worker for the same script, which is read again.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self::new(self.program.clone(), self.script.clone())
    }

    /// Waits until the worker is free.
    ///
    /// # Errors
    /// When other questions keep it busy for too long.
    pub fn turn(&self) -> Result<Turn<'_>, PacError> {
        let (mut state, waited) = self
            .is_free
            .wait_timeout_while(self.state(), TIMEOUT, |state| state.is_taken)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(self.failed(EvaluationFault::Busy));
        }
        state.is_taken = true;
        Ok(Turn(self))
    }

    /// Returns the ID of the process, if there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.state().process.as_ref().map(Process::id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    fn failed(&self, why: EvaluationFault) -> PacError {
        PacError::Evaluate {
            name: self.script.name.clone(),
            why: Box::new(why),
        }
    }
}

impl Turn<'_> {
    /// Asks the script about `urls`.
    ///
    /// # Errors
    /// As [`evaluate_in_worker`].
    pub fn ask(&self, urls: &[String]) -> Result<Evaluated, PacError> {
        self.evaluate(urls).map_err(|why| self.0.failed(why))
    }

    fn evaluate(&self, urls: &[String]) -> Result<Evaluated, EvaluationFault> {
        let questions: Option<Vec<_>> = urls.iter().map(|url| script_arguments(url)).collect();
        let questions = questions.ok_or(EvaluationFault::Question)?;
        let (texts, unanswered, remarks) = match self.exchange(&questions)? {
            Response::Answered {
                texts,
                unanswered,
                remarks,
            } if texts.len() == urls.len() => (texts, unanswered, remarks),
            Response::Answered { texts, .. } => {
                let (found, expected) = (texts.len(), urls.len());
                return Err(EvaluationFault::Count { found, expected });
            }
            Response::Failed(why) => return Err(EvaluationFault::Script(why)),
        };
        let mut answers = Vec::new();
        for ((url, host), text) in questions.into_iter().zip(texts) {
            // Redact each entry separately, so that a cut in one doesn't remove the next.
            let shown: Vec<String> = text.trim().split(';').map(redact).collect();
            let shown = shown.join(";");
            let Routes { routes, ignored } = match Routes::parse(text.trim()) {
                Ok(routes) => routes,
                Err(why) => {
                    let answer = shown;
                    return Err(EvaluationFault::Answer { url, answer, why });
                }
            };
            answers.push(PacAnswer {
                host,
                url,
                text: shown,
                routes,
                ignored,
            });
        }
        Ok(Evaluated {
            answers,
            unanswered: unanswered.map(|name| tidy(&name)),
            remarks: (self.0.unsupported)
                .get_or_init(|| unsupported(&self.0.script))
                .clone()
                .into_iter()
                .chain(remarks.into_iter().map(ScriptRemark::tidied))
                .collect(),
        })
    }

    /// Sends a request, and starts the process if there is none. One that fails is killed.
    fn exchange(&self, questions: &[(String, String)]) -> Result<Response, EvaluationFault> {
        let until = Instant::now() + TIMEOUT;
        let kept = self.0.state().process.take();
        // What fills its memory may be what the script kept of earlier questions.
        let mut ran_out = false;
        if let Some(mut process) = kept.filter(|kept| kept.requests() < MAX_REQUESTS) {
            match process.exchange(None, questions, until) {
                Err(EvaluationFault::Memory) => ran_out = true,
                Err(why) if why.is_end() => {}
                answered => return self.keep(process, answered),
            }
        }
        let started = self.0.state().started;
        let earliest = started.map_or_else(Instant::now, |started| started + START_INTERVAL);
        thread::sleep(
            earliest
                .min(until)
                .saturating_duration_since(Instant::now()),
        );
        let mut process = Process::start(&self.0.program)?;
        self.0.state().started = Some(Instant::now());
        let answered = process.exchange(Some(&self.0.script.text), questions, until);
        let answered = match answered {
            // It was about to do so once more.
            Err(EvaluationFault::TimedOut) if ran_out => Err(EvaluationFault::Memory),
            answered => answered,
        };
        self.keep(process, answered)
    }

    fn keep(
        &self,
        process: Process,
        answered: Result<Response, EvaluationFault>,
    ) -> Result<Response, EvaluationFault> {
        if answered.is_ok() {
            self.0.state().process = Some(process);
        }
        answered
    }
}

fn unsupported(script: &Script) -> Option<ScriptRemark> {
    let lacking = unsupported_features::lacking(&script.text);
    (!lacking.is_empty()).then_some(ScriptRemark::Unsupported(lacking))
}

/// Returns the URL that a script may see, and its host. As in browsers, the secret parts of the URL are
/// left out: always the user and the fragment, with TLS also the path and the query.
fn script_arguments(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let place = place.rsplit('@').next()?.to_ascii_lowercase();
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => place.split(':').next()?,
    };
    let path = path.split('#').next().filter(|_| scheme != "https");
    let slash = if path.is_some_and(|path| path.starts_with('/')) {
        ""
    } else {
        "/"
    };
    let shown = format!("{scheme}://{place}{slash}{}", path.unwrap_or_default());
    (!host.is_empty()).then(|| (shown, host.to_owned()))
}

/// Returns `text` on one line, without control characters for the terminal, and not too long.
pub(super) fn tidy(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_MESSAGE_LEN).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_see_of_a_url_what_browsers_show_them() {
        for (url, seen, host) in [
            ("https://a.corp/", "https://a.corp/", "a.corp"),
            ("https://A.corp", "https://a.corp/", "a.corp"),
            ("https://a:5000/v2/?q=1", "https://a:5000/", "a"),
            ("https://me:pw@a/v2/", "https://a/", "a"),
            ("HTTPS://a?token", "https://a/", "a"),
            ("http://a/v2/?q=1#x", "http://a/v2/?q=1", "a"),
            ("http://me@a?q", "http://a/?q", "a"),
            (
                "https://[FE80::1]:5000/",
                "https://[fe80::1]:5000/",
                "fe80::1",
            ),
        ] {
            let found = script_arguments(url).unwrap();
            assert_eq!(found, (seen.to_owned(), host.to_owned()), "{url}");
        }
        for url in ["", "a.corp", "https://", "https:///x", "https://[::1"] {
            assert_eq!(script_arguments(url), None, "{url}");
        }
    }

    #[test]
    fn what_a_script_says_is_made_harmless() {
        assert_eq!(tidy("a\u{1b}[1m\nb"), "a [1m b");
        assert_eq!(tidy(&"x".repeat(1000)).len(), MAX_MESSAGE_LEN + 3);
    }
}
