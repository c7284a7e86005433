//! The console of Docker's VM: a dialogue with a shell on a serial line.
//!
//! ```text
//! Mac                                        VM
//! Console --line--> pseudo-terminal --> ttyS0 --> getty, login, or a shell that someone left open
//!    ^                                    |         `-- exec --> a shell that reads lines, without echo or history
//!    `------frames (among kernel messages, echo, noise)--------'
//! ```
//!
//! The other end is unknown at first, and the look of a prompt proves nothing. So Baleen recognizes
//! a shell by what only a shell does: it answers with a random marker, in a form that was not sent.
//! That shell is replaced (`exec`) by one that reads and runs line after line. It is not
//! interactive, so it does not echo what it reads, and keeps no history. It ends by itself if it is
//! not used for a while.
//!
//! Lines are short, since a terminal cuts long ones, and contain only bytes that a terminal takes
//! as plain characters.

mod error;
mod frames;
mod line;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::util::hex;

pub use error::ConsoleError;
use line::Line;

/// Timeout for finding a shell.
const SHELL_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for the first response to typed text. A hypervisor may take a second to notice that the
/// terminal was opened.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(2500);
/// Maximum time to listen to a line that others write to.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(3);
/// Length of the silence after which output counts as complete.
const IDLE_TIMEOUT: Duration = Duration::from_millis(500);
/// Time that `login` takes to report a failure.
const LOGIN_FAILURE_DELAY: Duration = Duration::from_secs(5);
/// Timeout for a shell to start.
const SHELL_START_TIMEOUT: Duration = Duration::from_secs(5);
/// First and longest pause before an answer is requested again, since other output may have
/// interrupted it. The pause doubles each time.
const REPEAT_INTERVALS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));
/// Lifetime of the shell in the VM after the last [`Console::stay`]: longer than any work takes,
/// but limited in case this program is killed.
const SHELL_LIFETIME: Duration = Duration::from_secs(300);
/// Timeout for a small command in a busy VM.
const SHORT_TIMEOUT: Duration = Duration::from_secs(30);

/// Length of one part of an answer. Longer parts are more likely to be interrupted by other output.
const PART_LEN: usize = 160;
/// Maximum length of a frame with an answer.
const MAX_FRAME_LEN: usize = 1024;
/// Maximum length of received bytes to keep while no answer is found.
const MAX_OUTPUT_LEN: usize = 64 * 1024;
/// Number of bytes sent in one line.
const CHUNK_LEN: usize = 120;
/// Number of lines after which the VM is asked how much it has received.
const MAX_LINES: usize = 16;
/// Number of attempts to send data that did not arrive intact.
const ATTEMPTS: u32 = 3;

/// Deletes a half-typed line (`^U`), and ends the line.
const CLEAR_LINE: &[u8] = b"\x15\r";
/// Closes a quote that may be open in a shell, and ends the line.
const CLOSE_QUOTE: &[u8] = b"'\r";
/// Discards a half-sent line and ends the shell that reads lines, and the login with it. `$t` is a
/// half-written file.
const LEAVE: &[u8] = b"\x15\rrm -f $t;kill $BALEEN_W;stty echo;exit\n";
/// Timeout for the next login prompt after that. The wait is necessary: macOS discards data that
/// the other end has not read when the last process closes a terminal (`ttylclose` in xnu's tty.c).
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(2);

/// A conversation with a shell in the VM.
#[derive(Debug)]
pub struct Console<'a> {
    line: Line<'a>,
    received: Vec<u8>,
    marker: String,
    /// Number of the last question.
    number: u32,
    /// Set if Baleen may be logged in and has to log out.
    is_inside: bool,
}

/// The result of a command in the VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// Its output.
    pub text: Vec<u8>,
}

impl<'a> Console<'a> {
    /// Opens the console at `path` and finds a shell of the user root. All waits end once `cancel`
    /// is set.
    ///
    /// # Errors
    /// When another program has the console open; nothing was sent then. Also when nothing answers, or
    /// root can't log in.
    pub fn open(path: &Path, cancel: &'a AtomicBool) -> Result<Self, ConsoleError> {
        let mut console = Self {
            line: Line::open(path, cancel)?,
            received: Vec::new(),
            marker: String::new(),
            number: 0,
            is_inside: false,
        };
        console.find_shell()?;
        Ok(console)
    }

    /// Runs `command` in the VM and returns its output, including errors. The command gets no
    /// input, and at most `patience`.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn run(&mut self, command: &str, patience: Duration) -> Result<Answer, ConsoleError> {
        let capture = format!("{{ {command};echo =$?;}} </dev/null 2>&1|base64|tr -d '\\n'");
        let length = self.ask(&format!("b=$({capture});a=${{#b}}"), patience)?;
        let length: usize = length.parse().map_err(|_| self.nonsense())?;
        let mut encoded = String::with_capacity(length);
        while encoded.len() < length {
            let (from, to) = (encoded.len() + 1, encoded.len() + PART_LEN);
            let piece = self.ask(
                &format!("a=$(printf %s \"$b\"|cut -c{from}-{to})"),
                SHORT_TIMEOUT,
            )?;
            if piece.is_empty() || encoded.len() + piece.len() > length {
                return Err(self.nonsense());
            }
            encoded.push_str(&piece);
        }
        let decoded = BASE64_STANDARD.decode(&encoded);
        let mut text = decoded.map_err(|_| self.nonsense())?;
        let code = text
            .iter()
            .rposition(|&byte| byte == b'=')
            .and_then(|at| {
                let code = String::from_utf8_lossy(&text[at + 1..]).trim().parse();
                text.truncate(at);
                code.ok()
            })
            .ok_or_else(|| self.nonsense())?;
        Ok(Answer { code, text })
    }

    /// Ensures that no other program has opened the console, and extends the shell's life for the
    /// next steps.
    ///
    /// # Errors
    /// When another program has opened it. Earlier changes remain.
    pub fn stay(&mut self) -> Result<(), ConsoleError> {
        self.line.is_alone()?;
        self.ask("w;a=0", SHORT_TIMEOUT).map(drop)
    }

    /// Replaces the file at `path` in the VM by `bytes`, with one rename, keeping the file's mode
    /// and owner. Before the rename, the VM has to compute the right digest of the new file.
    ///
    /// # Errors
    /// When the bytes do not arrive, or can't be written. The file is then unchanged.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), ConsoleError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let new = format!("{folder}/.baleen-{name}");
        let text = Zeroizing::new(BASE64_STANDARD.encode(bytes));
        let salt = Salt::random()?;
        let expected = salt.digest(bytes);
        let copied = self.ask(&format!("t={new};cp -p {path} $t;a=$?"), SHORT_TIMEOUT)?;
        if copied != "0" {
            return Err(ConsoleError::NotCopied {
                file: new,
                code: copied,
            });
        }
        for _ in 0..ATTEMPTS {
            if !self.send_text(&text)? {
                continue;
            }
            self.ask(
                &format!("printf %s \"$f\"|base64 -d >{new};a=$?;f="),
                SHORT_TIMEOUT,
            )?;
            if self.digest(&salt, &format!("cat {new}"))? == expected {
                return match &*self.ask(&format!("mv -f {new} {path};a=$?;t="), SHORT_TIMEOUT)? {
                    "0" => Ok(()),
                    code => Err(ConsoleError::NotMoved {
                        file: path.to_owned(),
                        code: code.to_owned(),
                    }),
                };
            }
        }
        self.ask(&format!("f=;rm -f {new};a=$?;t="), SHORT_TIMEOUT)?;
        Err(ConsoleError::Garbled {
            file: path.to_owned(),
            attempts: ATTEMPTS,
        })
    }

    /// Returns the digest of the output of `command` in the VM, as computed by the VM.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn digest(&mut self, salt: &Salt, command: &str) -> Result<String, ConsoleError> {
        let Salt(salt) = salt;
        // The shell's built-in printf keeps the salt out of the process list.
        let salted = format!("{{ printf %s {salt};{command};}} </dev/null 2>/dev/null");
        self.ask(
            &format!("a=$({salted}|sha256sum|cut -c1-64)"),
            SHORT_TIMEOUT,
        )
    }

    /// Logs out, even if `cancel` is set, and briefly waits until another login is possible.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.is_inside, false) {
            self.line.disregard_cancel();
            self.received.clear();
            let until = Instant::now() + LOGOUT_TIMEOUT;
            // A VM that has ended needs no logout.
            let mut goes_on = self.line.send(LEAVE, until).is_ok();
            while goes_on && !self.asks_for_name() {
                goes_on = self.listen(until, LOGOUT_TIMEOUT).unwrap_or(false);
            }
        }
    }

    /// Gets from the current state of the terminal to a shell that reads lines.
    fn find_shell(&mut self) -> Result<(), ConsoleError> {
        let until = Instant::now() + SHELL_TIMEOUT;
        let mut was_silent = true;
        let mut was_refused = false;
        let mut attempts = 0;
        while Instant::now() < until {
            attempts += 1;
            if attempts % 2 == 0 {
                self.type_and_listen(CLOSE_QUOTE)?;
            }
            self.type_and_listen(CLEAR_LINE)?;
            was_silent &= self.received.is_empty();
            if self.asks_for_password() {
                // Another user's login was left unfinished.
                self.give_up_login()?;
            }
            if self.asks_for_name() {
                self.type_keys(b"root\r")?;
                // Only now: if it is cancelled before, there is no login to leave, and the way out would be typed at the prompt.
                self.is_inside = true;
                self.listen_for_answer()?;
                if self.asks_for_password() {
                    if was_refused {
                        self.is_inside = false;
                        return Err(ConsoleError::PasswordAsked { path: self.path() });
                    }
                    // The first request may be about another name: a VM that hung processes old
                    // input when it continues.
                    was_refused = true;
                    self.give_up_login()?;
                    continue;
                }
            }
            if self.take_over()? {
                return Ok(());
            }
        }
        Err(ConsoleError::NoShell {
            path: self.path(),
            is_silent: was_silent,
            within: SHELL_TIMEOUT,
        })
    }

    /// Gives a wrong password, which is a simple way out of a login, and waits for the next prompt.
    fn give_up_login(&mut self) -> Result<(), ConsoleError> {
        self.type_and_listen(b"\r")?;
        let wrong = Instant::now() + LOGIN_FAILURE_DELAY;
        while !self.asks_for_name() && self.listen(wrong, LOGIN_FAILURE_DELAY)? {}
        Ok(())
    }

    /// Returns whether the output looks like a login prompt. That proves nothing, but shows what to
    /// try first.
    fn asks_for_name(&self) -> bool {
        frames::contains(&self.received, "ogin: ")
    }

    fn asks_for_password(&self) -> bool {
        frames::contains(&self.received, "assword: ")
    }

    /// Types `keys` and collects the output that follows.
    fn type_and_listen(&mut self, keys: &[u8]) -> Result<(), ConsoleError> {
        self.type_keys(keys)?;
        self.listen_for_answer()
    }

    fn type_keys(&mut self, keys: &[u8]) -> Result<(), ConsoleError> {
        self.received.clear();
        self.line.send(keys, Instant::now() + LISTEN_TIMEOUT)
    }

    /// Collects the output that follows what was typed.
    fn listen_for_answer(&mut self) -> Result<(), ConsoleError> {
        let start = Instant::now();
        if self.listen(start + FIRST_BYTE_TIMEOUT, FIRST_BYTE_TIMEOUT)? {
            while !self.asks_for_name() && self.listen(start + LISTEN_TIMEOUT, IDLE_TIMEOUT)? {}
        }
        Ok(())
    }

    /// Waits for output, for `pause` at most and not beyond `until`. Returns whether any arrived.
    fn listen(&mut self, until: Instant, pause: Duration) -> Result<bool, ConsoleError> {
        let until = until.min(Instant::now() + pause);
        self.line.receive(&mut self.received, until)
    }

    /// Replaces a shell, if there is one, by one that reads lines. Returns whether it answered.
    fn take_over(&mut self) -> Result<bool, ConsoleError> {
        self.marker = random()?;
        self.number = 0;
        self.received.clear();
        let Self { marker, .. } = self;
        let life = SHELL_LIFETIME.as_secs();
        // This is one line, which an interactive shell may echo. So it contains no secret, and the
        // marker only in a form that differs from an answer. `stty` turns the echo off; if that
        // fails, the shell exits. The loop shows no prompt and keeps no history. BALEEN_W is a
        // watchdog process that ends the shell if Baleen is killed; a new watchdog replaces the old
        // one. `p` joins text that is sent in parts: if part of its call is lost, the rest is no
        // syntax error. A syntax error would end the shell, and the remaining text would reach a
        // program that echoes it. If a shell was left inside an open quote, the loop runs in that
        // shell itself once the quote is closed, and executes the next such line.
        let line = format!(
            " m={marker};exec sh -c 'stty -echo||exit;unset a b f q l t;w(){{ kill $BALEEN_W;(sleep {life};kill -9 $$)>/dev/null </dev/null&export BALEEN_W=$!;}};w;{};p(){{ f=$f$1;}};q=0;a=;r;while read -r l;do eval \"$l\";done;' $m 2>/dev/null\r",
            frames::ANSWER,
        );
        let until = Instant::now() + SHELL_START_TIMEOUT;
        self.is_inside = true;
        self.line.send(line.as_bytes(), until)?;
        Ok(self.wait_for_answer(until)?.is_some())
    }

    /// Runs `command`, which leaves its answer in `a`. The answer is requested again until it
    /// arrives in one piece.
    fn ask(&mut self, command: &str, patience: Duration) -> Result<String, ConsoleError> {
        self.number += 1;
        self.received.clear();
        let until = Instant::now() + patience;
        let line = format!("q={};{command};r\n", self.number);
        self.line.send(line.as_bytes(), until)?;
        let (mut pause, longest) = REPEAT_INTERVALS;
        loop {
            let again = Instant::now() + pause;
            pause = longest.min(2 * pause);
            if let Some(answer) = self.wait_for_answer(until.min(again))? {
                return Ok(answer);
            }
            if Instant::now() >= until {
                // Another program that opened the console may have read the answer.
                self.line.is_alone()?;
                return Err(ConsoleError::NoAnswer {
                    path: self.path(),
                    within: patience,
                });
            }
            self.line.send(b"r\n", until)?;
        }
    }

    fn wait_for_answer(&mut self, until: Instant) -> Result<Option<String>, ConsoleError> {
        loop {
            if let Some(found) = frames::find(&self.received, &self.marker, self.number) {
                return Ok(Some(found.to_owned()));
            }
            // Only the end of a flood matters, since an answer may have begun there.
            if self.received.len() > MAX_OUTPUT_LEN {
                self.received.drain(..self.received.len() - MAX_FRAME_LEN);
            }
            if !self.line.receive(&mut self.received, until)? {
                return Ok(None);
            }
        }
    }

    /// Sends `text`, which is plain characters only, into the variable `f`. Returns whether all of
    /// it arrived.
    fn send_text(&mut self, text: &str) -> Result<bool, ConsoleError> {
        self.ask("f=;a=0", SHORT_TIMEOUT)?;
        let mut sent = 0;
        for lines in text.as_bytes().chunks(CHUNK_LEN * MAX_LINES) {
            for chunk in lines.chunks(CHUNK_LEN) {
                let until = Instant::now() + SHORT_TIMEOUT;
                self.line.send(b"p ", until)?;
                self.line.send(chunk, until)?;
                self.line.send(b"\n", until)?;
            }
            sent += lines.len();
            if self.ask("a=${#f}", SHORT_TIMEOUT)? != sent.to_string() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn path(&self) -> PathBuf {
        self.line.path().to_owned()
    }

    fn nonsense(&self) -> ConsoleError {
        ConsoleError::BadAnswer { path: self.path() }
    }
}

impl Drop for Console<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A secret prefix for hashed bytes. The VM's console is logged on the Mac, and the digest of a
/// script with a password in it would allow guessing passwords, unless it also covers bytes that
/// were never printed.
#[derive(Debug)]
pub struct Salt(String);

impl Salt {
    /// Draws a random salt.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random() -> Result<Self, ConsoleError> {
        random().map(Self)
    }

    /// Returns the SHA-256 digest of the salt and `bytes`, as [`Console::digest`] returns it.
    pub fn digest(&self, bytes: &[u8]) -> String {
        let digest = Sha256::new_with_prefix(&self.0).chain_update(bytes);
        hex(&digest.finalize())
    }
}

/// Returns a random word.
fn random() -> Result<String, ConsoleError> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)?;
    // Begins with a letter, so that it is never taken for a part of a number.
    Ok(format!("x{}", hex(&bytes)))
}
