//! Runs a script in a separate process, which can be killed whatever the script does.
//!
//! The JavaScript engine's own limits don't cover a loop inside a regular expression or a growing
//! string, and with WPAD the script comes from the network's administrator. So this program starts
//! itself with the hidden command `pac-worker`. It passes the script and the questions as JSON, reads
//! the answers as JSON, and kills the process after [`TIMEOUT`]. The script can reach nothing but name
//! lookups, and those have a time limit as well.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, process};

use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use serde::{Deserialize, Serialize};

use crate::net::lookup::{HOSTS_FILE, lookup};
use crate::platform::time_zone;
use crate::proxy::redact;

use super::error::{Death, EvaluationFault, PacError, ScriptFault};
use super::fetch::Script;
use super::helpers::{DnsCache, HelperContext, own_addresses};
use super::route::Routes;
use super::{PacAnswer, ScriptRemark, script, unsupported_features};

/// Timeout for all questions to a script together.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for all name lookups together, as a part of [`TIMEOUT`].
const MAX_LOOKUP_TIME: Duration = Duration::from_secs(3);
/// Maximum memory of the process, in bytes. With a usual script it uses about 15 MB.
pub(super) const MAX_MEMORY: u64 = 256 << 20;
/// Stack size for the script, in bytes. The engine's functions recurse as deeply as the script's.
const STACK_LEN: usize = 64 << 20;
/// Maximum length of the process's output, in bytes. No number of answers takes that much.
pub(super) const MAX_OUTPUT_LEN: u64 = 4 << 20;
/// Exit code of a process that exceeded [`MAX_MEMORY`].
const OUT_OF_MEMORY: i32 = 70;
/// Maximum length of a message about a script, in characters. It may hold a text that the script threw.
const MAX_MESSAGE_LEN: usize = 300;

/// The hidden command that runs [`work`].
pub(crate) const COMMAND: &str = "pac-worker";

#[derive(Serialize, Deserialize)]
struct Request {
    script: String,
    /// URLs and their hosts.
    questions: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
enum Response {
    Answered {
        texts: Vec<String>,
        unanswered: Option<String>,
        remarks: BTreeSet<ScriptRemark>,
    },
    Failed(ScriptFault),
}

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
    evaluate(program, script, urls).map_err(|why| PacError::Evaluate {
        name: script.name.clone(),
        why: Box::new(why),
    })
}

fn evaluate(
    program: &Path,
    script: &Script,
    urls: &[String],
) -> Result<Evaluated, EvaluationFault> {
    let questions: Option<Vec<_>> = urls.iter().map(|url| script_arguments(url)).collect();
    let job = Request {
        script: script.text.clone(),
        questions: questions.ok_or(EvaluationFault::Question)?,
    };
    let (texts, unanswered, remarks) = match run_worker(program, &job)? {
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
    for ((url, host), text) in job.questions.into_iter().zip(texts) {
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
        remarks: unsupported(script)
            .into_iter()
            .chain(remarks.into_iter().map(ScriptRemark::tidied))
            .collect(),
    })
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

/// A process that is killed on drop.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run_worker(program: &Path, job: &Request) -> Result<Response, EvaluationFault> {
    let until = Instant::now() + TIMEOUT;
    let input = serde_json::to_vec(job).map_err(EvaluationFault::Request)?;
    let could_not = |why| EvaluationFault::Run {
        program: program.to_owned(),
        why,
    };
    let mut worker = start(program).map(Worker).map_err(could_not)?;
    let (Some(stdin), Some(stdout)) = (worker.0.stdin.take(), worker.0.stdout.take()) else {
        return Err(EvaluationFault::NoPipes);
    };
    // Threads write and read the pipes, so that a full or silent pipe can't delay the timeout.
    let (sender, receiver) = mpsc::channel();
    write_in_background(stdin, input).map_err(could_not)?;
    thread::Builder::new()
        .name("pac-answers".to_owned())
        .spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(MAX_OUTPUT_LEN + 1).read_to_end(&mut output);
            // If this fails, the receiver is gone.
            let _ = sender.send(read.map(|_| output));
        })
        .map_err(could_not)?;

    let left = until.saturating_duration_since(Instant::now());
    let output = receiver.recv_timeout(left);
    let output = output.map_err(|_| EvaluationFault::TimedOut)?;
    let output = output.map_err(EvaluationFault::BrokeOff)?;
    if output.len() as u64 > MAX_OUTPUT_LEN {
        return Err(EvaluationFault::TooMuch);
    }
    let status = loop {
        if let Some(status) = worker.0.try_wait().map_err(could_not)? {
            break status;
        }
        if Instant::now() > until {
            return Err(EvaluationFault::TimedOut);
        }
        thread::sleep(Duration::from_millis(5));
    };
    response(status, &output)
}

fn start(program: &Path) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg(COMMAND)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for name in [HOSTS_FILE, "TZ"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.spawn()
}

fn write_in_background(mut stdin: ChildStdin, input: Vec<u8>) -> io::Result<()> {
    let writer = thread::Builder::new().name("pac-script".to_owned());
    writer
        .spawn(move || {
            // If the process doesn't read to the end, its answer or a missing answer shows that.
            let _ = stdin.write_all(&input);
        })
        .map(drop)
}

/// Interprets the exit status and the output of the process.
fn response(status: ExitStatus, output: &[u8]) -> Result<Response, EvaluationFault> {
    if status.code() == Some(OUT_OF_MEMORY) {
        return Err(EvaluationFault::Memory);
    }
    if !status.success() {
        let signal = status.signal().map(Death::Signal);
        return Err(EvaluationFault::Died(
            signal.unwrap_or(Death::Status(status)),
        ));
    }
    serde_json::from_slice(output).map_err(EvaluationFault::Output)
}

/// The worker's side: reads a request, runs it within limits, and returns the response.
///
/// # Errors
/// When `input` is not a request, or the system can't start a thread. The response reports the script's
/// own errors.
pub fn work(input: &[u8]) -> Result<Vec<u8>, PacError> {
    let job: Request = serde_json::from_slice(input).map_err(PacError::Request)?;
    limit();
    thread::Builder::new()
        .name("pac-memory".to_owned())
        .spawn(watch_memory)
        .map_err(PacError::Thread)?;
    let runner = thread::Builder::new()
        .name("pac".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || run(&job))
        .map_err(PacError::Thread)?;
    let outcome = runner
        .join()
        .unwrap_or(Response::Failed(ScriptFault::Engine(None)));
    serde_json::to_vec(&outcome).map_err(PacError::Response)
}

fn run(job: &Request) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    let context = Rc::new(HelperContext {
        now: u64::try_from(now).unwrap_or_default(),
        zone: time_zone::local().into(),
        own: own_addresses,
        names: RefCell::new(DnsCache::new(lookup, MAX_LOOKUP_TIME)),
        remarks: RefCell::default(),
    });
    match script::run(&job.script, &job.questions, &context) {
        Ok(texts) => Response::Answered {
            texts,
            unanswered: context.names.borrow_mut().unanswered.take(),
            remarks: context.remarks.take(),
        },
        Err(why) => Response::Failed(why),
    }
}

/// Sets the system's limits: CPU time, in case the parent is gone, core dumps, and on Linux the address
/// space (macOS accepts that limit but ignores it).
fn limit() {
    let seconds = TIMEOUT.as_secs() + 1;
    for (resource, value) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_CPU, seconds),
        (Resource::RLIMIT_AS, 8 * MAX_MEMORY),
    ] {
        // A limit that is already lower can't be raised, and needn't be.
        let _ = setrlimit(resource, value, value);
    }
}

/// Ends this process as soon as it exceeds [`MAX_MEMORY`]. No other way works on every system.
fn watch_memory() {
    // `ru_maxrss` is in kilobytes on Linux (`man 2 getrusage`), and in bytes on macOS (the same there).
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let most = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        Some(usage.max_rss() as u64 * unit)
    };
    // Linux includes the memory from before this program was executed, which is the parent's memory.
    let Some(start) = most() else {
        return;
    };
    while most().is_some_and(|now| now <= start + MAX_MEMORY) {
        thread::sleep(Duration::from_millis(5));
    }
    process::exit(OUT_OF_MEMORY);
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
