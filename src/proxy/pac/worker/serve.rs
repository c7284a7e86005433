//! The process of a worker, from inside: reads requests, answers each within limits.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::panic::resume_unwind;
use std::process;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::de::Error as _;

use crate::net::lookup::lookup;
use crate::platform::time_zone;
use crate::proxy::pac::error::{PacError, ScriptFault};
use crate::proxy::pac::helpers::{DnsCache, HelperContext, own_addresses};
use crate::proxy::pac::script::Engine;

use super::{MAX_MEMORY, Request, Response, TIMEOUT};

/// Timeout for all name lookups of a request together, as a part of [`TIMEOUT`].
const MAX_LOOKUP_TIME: Duration = Duration::from_secs(3);
/// Stack size for the script, in bytes. The engine's functions recurse as deeply as the script's.
const STACK_LEN: usize = 64 << 20;
/// Exit code of a process that exceeded [`MAX_MEMORY`].
pub(super) const OUT_OF_MEMORY: i32 = 70;
/// Time without a request after which the process ends, in seconds. The next request starts another.
const MAX_IDLE_SECONDS: i64 = 120;

/// Answers requests until there are no more.
///
/// # Errors
/// When the first line is not a request with a script, or a later one is none; when the system can't start a
/// thread. The responses report the script's own errors.
pub fn work(input: File, output: impl Write + Send + 'static) -> Result<(), PacError> {
    let is_running = Arc::new(AtomicBool::new(false));
    limit();
    let watched = is_running.clone();
    let watcher = thread::Builder::new()
        .name("pac-memory".to_owned())
        .spawn(move || watch_memory(&watched))
        .map_err(PacError::Thread)?;
    let run = move |is_on| {
        is_running.store(is_on, Ordering::Release);
        watcher.thread().unpark();
    };
    let runner = thread::Builder::new()
        .name("pac".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || serve(input, output, run))
        .map_err(PacError::Thread)?;
    runner.join().unwrap_or_else(|panic| resume_unwind(panic))
}

fn serve(input: File, mut output: impl Write, run: impl Fn(bool)) -> Result<(), PacError> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let mut engine: Option<(Rc<HelperContext>, Result<Engine, ScriptFault>)> = None;
    loop {
        line.clear();
        // The parent is gone if reading fails.
        let is_over =
            !comes_in_time(&input) || !matches!(input.read_until(b'\n', &mut line), Ok(1..));
        if is_over && engine.is_some() {
            return Ok(());
        }
        let request: Request<'_> = serde_json::from_slice(&line).map_err(PacError::Request)?;
        limit_time();
        run(true);
        let (context, engine) = match (request.script, &mut engine) {
            (Some(script), engine) => {
                let context = Rc::new(new_context());
                let read = Engine::new(&script, &context);
                engine.insert((context, read))
            }
            (None, Some(engine)) => {
                engine.0.restart(millis_since_1970());
                engine
            }
            (None, None) => {
                return Err(PacError::Request(serde_json::Error::missing_field(
                    "script",
                )));
            }
        };
        let texts = engine
            .as_mut()
            .map_err(|why| why.clone())
            .and_then(|engine| engine.answers(&request.questions));
        let response = match texts {
            Ok(texts) => Response::Answered {
                texts,
                unanswered: context.names.borrow_mut().unanswered.take(),
                remarks: context.remarks.take(),
            },
            Err(why) => Response::Failed(why),
        };
        run(false);
        let mut answer = serde_json::to_vec(&response).map_err(PacError::Response)?;
        answer.push(b'\n');
        if output
            .write_all(&answer)
            .and_then(|()| output.flush())
            .is_err()
        {
            return Ok(());
        }
    }
}

/// Returns whether a request, or the end of all, comes within [`MAX_IDLE_SECONDS`].
fn comes_in_time(input: &BufReader<File>) -> bool {
    let timeout = Timespec {
        tv_sec: MAX_IDLE_SECONDS,
        tv_nsec: 0,
    };
    let mut polled = [PollFd::new(input.get_ref(), PollFlags::IN)];
    // After an error, reading says more.
    !input.buffer().is_empty() || poll(&mut polled, Some(&timeout)) != Ok(0)
}

fn new_context() -> HelperContext {
    HelperContext {
        now: Cell::new(millis_since_1970()),
        zone: time_zone::local().into(),
        own: own_addresses,
        names: RefCell::new(DnsCache::new(lookup, MAX_LOOKUP_TIME)),
        remarks: RefCell::default(),
    }
}

fn millis_since_1970() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default()
}

/// Sets the system's limits: core dumps, and on Linux the address space (macOS accepts that limit but
/// ignores it).
fn limit() {
    for (resource, value) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_AS, 8 * MAX_MEMORY),
    ] {
        // A limit that is already lower can't be raised, and needn't be.
        let _ = setrlimit(resource, value, value);
    }
}

/// Limits the CPU time of the next request, in case the parent is gone. The system counts from the start of
/// the process, so the limit moves on; a script can't do that.
fn limit_time() {
    let (Ok(usage), Ok((_, hard))) = (
        getrusage(UsageWho::RUSAGE_SELF),
        getrlimit(Resource::RLIMIT_CPU),
    ) else {
        return;
    };
    let used = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    let soft = u64::try_from(used).unwrap_or_default() + TIMEOUT.as_secs() + 2;
    let _ = setrlimit(Resource::RLIMIT_CPU, soft.min(hard), hard);
}

/// Ends this process as soon as a script that runs exceeds [`MAX_MEMORY`]. No other way works on every system.
fn watch_memory(is_running: &AtomicBool) {
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
        if is_running.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(5));
        } else {
            thread::park();
        }
    }
    process::exit(OUT_OF_MEMORY);
}
