//! The process of a worker, as its parent sees it.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::lookup::HOSTS_FILE;
use crate::proxy::pac::error::{Death, EvaluationFault};

use super::serve::OUT_OF_MEMORY;
use super::{COMMAND, MAX_OUTPUT_LEN, Request, Response};

/// A process that is killed on drop. Threads write and read its pipes, so that a full or silent pipe can't
/// delay the timeout; they end with the process.
#[derive(Debug)]
pub(super) struct Process {
    program: PathBuf,
    child: Child,
    input: Sender<Vec<u8>>,
    output: Receiver<io::Result<Vec<u8>>>,
    requests: u32,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub(super) fn start(program: &Path) -> Result<Self, EvaluationFault> {
        let could_not = |why| EvaluationFault::Run {
            program: program.to_owned(),
            why,
        };
        let mut child = spawn(program).map_err(could_not)?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (input, lines) = mpsc::channel();
        // A process that says more than it was asked for has to wait.
        let (answers, output) = mpsc::sync_channel(1);
        // From here on it is killed if anything fails.
        let process = Self {
            program: program.to_owned(),
            child,
            input,
            output,
            requests: 0,
        };
        let (Some(stdin), Some(stdout)) = pipes else {
            return Err(EvaluationFault::NoPipes);
        };
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        thread("pac-script")
            .spawn(move || write_lines(stdin, &lines))
            .map_err(could_not)?;
        thread("pac-answers")
            .spawn(move || read_lines(stdout, &answers))
            .map_err(could_not)?;
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The number of requests that it got.
    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// Sends a request and waits for the response. After an error, the process is of no more use.
    pub(super) fn exchange(
        &mut self,
        script: Option<&str>,
        questions: &[(String, String)],
        until: Instant,
    ) -> Result<Response, EvaluationFault> {
        let request = Request {
            script: script.map(Into::into),
            questions: questions.into(),
        };
        let mut line = serde_json::to_vec(&request).map_err(EvaluationFault::Request)?;
        line.push(b'\n');
        self.requests += 1;
        // If the process doesn't read it, its answer or a missing answer shows that.
        let _ = self.input.send(line);
        let left = until.saturating_duration_since(Instant::now());
        let answer = self.output.recv_timeout(left);
        let answer = answer.map_err(|_| EvaluationFault::TimedOut)?;
        let answer = answer.map_err(EvaluationFault::BrokeOff)?;
        if answer.is_empty() {
            return Err(self.end(until));
        }
        if answer.len() as u64 > MAX_OUTPUT_LEN {
            return Err(EvaluationFault::TooMuch);
        }
        serde_json::from_slice(&answer).map_err(EvaluationFault::Output)
    }

    /// Returns the reason why the process said nothing.
    fn end(&mut self, until: Instant) -> EvaluationFault {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() > until => return EvaluationFault::TimedOut,
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(why) => {
                    let program = self.program.clone();
                    return EvaluationFault::Run { program, why };
                }
            }
        };
        if status.code() == Some(OUT_OF_MEMORY) {
            return EvaluationFault::Memory;
        }
        let signal = status.signal().map(Death::Signal);
        EvaluationFault::Died(signal.unwrap_or(Death::Status(status)))
    }
}

fn spawn(program: &Path) -> io::Result<Child> {
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

fn write_lines(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    for line in lines {
        if stdin.write_all(&line).is_err() {
            return;
        }
    }
}

/// Sends each line, and an empty one at the end.
fn read_lines(stdout: ChildStdout, lines: &SyncSender<io::Result<Vec<u8>>>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = (&mut stdout)
            .take(MAX_OUTPUT_LEN + 1)
            .read_until(b'\n', &mut line);
        let is_last = !line.ends_with(b"\n");
        if lines.send(read.map(|_| line)).is_err() || is_last {
            return;
        }
    }
}
