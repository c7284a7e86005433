//! The console of Docker's VM: a dialogue with a shell on a serial line.
//!
//! ```text
//! Mac                                        VM
//! Console --line--> pseudo-terminal --> ttyS0 --> getty, login, or a shell that someone left open
//!    ^                                    |         `-- exec --> a shell that reads lines, without echo or history
//!    `------frames (among kernel messages, echo, noise)--------'
//! ```
//!
//! No one knows beforehand what is at the other end, and what a prompt looks like proves nothing. So a shell is what does
//! what only a shell does: it answers with a marker that was drawn at random, and does not stand in what was sent. The shell
//! that is found makes way (`exec`) for one that reads line after line and carries them out: it is not interactive, so it
//! shows nothing of what it reads, and keeps no history. It ends by itself when no one has used it for a while.
//!
//! Lines are short, since a terminal cuts long ones, and have no byte that it could take for more than a letter.

mod frames;
mod line;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};

use line::{HANGS, Line};

/// How long it may take until there is a shell.
const SHELL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what was typed may stay without any effect; a hypervisor may take a second to notice that someone is there.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(2500);
/// For how long a line that others write to is listened to.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(3);
/// For how long nothing has to come for something to be over.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long `login` takes to say that it was wrong.
const LOGIN_FAILURE_DELAY: Duration = Duration::from_secs(5);
/// How long a shell may take to be there.
const SHELL_START_TIMEOUT: Duration = Duration::from_secs(5);
/// After how long an answer is asked for again, which something may have been written into; after twice as long the next
/// time, until it is this long.
const REPEAT_INTERVALS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));
/// How long the shell in the VM lives from the last [`Console::stay`] on: longer than any work takes, and not for ever, should
/// this program be killed.
const SHELL_LIFETIME: Duration = Duration::from_secs(300);
/// How long a small command may take, in a VM that is busy.
const SHORT_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer comes at a time: the more, the more often something else is written into it.
const PART_LEN: usize = 160;
/// Longer than any answer with what it stands in.
const MAX_FRAME_LEN: usize = 1024;
/// How much is kept of what is no answer.
const MAX_OUTPUT_LEN: usize = 64 * 1024;
/// How much is sent in a line.
const CHUNK_LEN: usize = 120;
/// After how many lines the VM is asked what it has got.
const MAX_LINES: usize = 16;
/// How often something is sent again that did not arrive as it was.
const ATTEMPTS: u32 = 3;

/// Deletes a line that is half typed (`^U`), and ends it.
const CLEAR_LINE: &[u8] = b"\x15\r";
/// Closes a quote that may be open in a shell, and ends the line.
const CLOSE_QUOTE: &[u8] = b"'\r";
/// Ends the shell that reads lines, and with it the login, and a line that was half sent; `$t` is a file half written.
const LEAVE: &[u8] = b"\x15\rrm -f $t;kill $BALEEN_W;stty echo;exit\n";
/// How long is waited for the next login then. It is no courtesy: on macOS what the other end has not read when the last one
/// closes a terminal is thrown away (`ttylclose` in xnu's tty.c).
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(2);

/// A conversation with a shell in the VM.
#[derive(Debug)]
pub struct Console<'a> {
    line: Line<'a>,
    received: Vec<u8>,
    marker: String,
    /// Of the last question.
    number: u32,
    /// Someone may be logged in, who has to log out.
    is_inside: bool,
}

/// What a command in the VM came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub text: Vec<u8>,
}

impl<'a> Console<'a> {
    /// Opens the console at `path` and finds its way to a shell of the user root. All waits end once `cancel` is set.
    ///
    /// # Errors
    /// [`Kind::Busy`] when someone else has it open; nothing was sent then. When nothing answers, or no one may log in.
    pub fn open(path: &Path, cancel: &'a AtomicBool) -> Result<Self> {
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

    /// Runs `command` in the VM and returns what it printed, errors among it. It gets nothing to read, and at most
    /// `patience`.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn run(&mut self, command: &str, patience: Duration) -> Result<Answer> {
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

    /// Makes sure that no one else has come to the console, and that the shell lives long enough for what comes next.
    ///
    /// # Errors
    /// [`Kind::Busy`] when someone has; what was done until then stays.
    pub fn stay(&mut self) -> Result<()> {
        self.line.is_alone()?;
        self.ask("w;a=0", SHORT_TIMEOUT).map(drop)
    }

    /// Puts `bytes` into the place of the file at `path` in the VM, by one rename, with the mode and owner of the file that
    /// is there; before that the VM has to compute the digest that they have.
    ///
    /// # Errors
    /// When they do not arrive, or can't be put there; the file is then as it was.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let new = format!("{folder}/.baleen-{name}");
        let text = Zeroizing::new(BASE64_STANDARD.encode(bytes));
        let salt = Salt::random()?;
        let expected = salt.digest(bytes);
        let copied = self.ask(&format!("t={new};cp -p {path} $t;a=$?"), SHORT_TIMEOUT)?;
        if copied != "0" {
            return Err(Error::new(
                Kind::Failure,
                format!("could not write {new} in the VM: cp ended with {copied}"),
            )
            .with_hint(
                "the shell there may belong to a user who may not do that; restart Docker instead",
            ));
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
                    code => Err(Error::new(
                        Kind::Failure,
                        format!(
                            "could not put the new {path} into its place in the VM: mv ended with {code}"
                        ),
                    )
                    .with_hint("restart Docker instead")),
                };
            }
        }
        self.ask(&format!("f=;rm -f {new};a=$?;t="), SHORT_TIMEOUT)?;
        Err(Error::new(
            Kind::Failure,
            format!(
                "what was sent to the VM for {path} did not arrive as it was, {ATTEMPTS} times; the file is as it was"
            ),
        )
        .with_hint(HANGS))
    }

    /// The digest of what `command` prints in the VM, as the VM computes it.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn digest(&mut self, salt: &Salt, command: &str) -> Result<String> {
        let Salt(salt) = salt;
        // The shell's own printf: the salt stands in no list of processes.
        let salted = format!("{{ printf %s {salt};{command};}} </dev/null 2>/dev/null");
        self.ask(
            &format!("a=$({salted}|sha256sum|cut -c1-64)"),
            SHORT_TIMEOUT,
        )
    }

    /// Logs out, also when it is to end, and waits until someone else can log in; no longer than a moment.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.is_inside, false) {
            self.line.disregard_cancel();
            self.received.clear();
            let until = Instant::now() + LOGOUT_TIMEOUT;
            // A VM that has gone needs none of it.
            let mut goes_on = self.line.send(LEAVE, until).is_ok();
            while goes_on && !self.asks_for_name() {
                goes_on = self.listen(until, LOGOUT_TIMEOUT).unwrap_or(false);
            }
        }
    }

    /// Gets from whatever is there to a shell that reads lines.
    fn find_shell(&mut self) -> Result<()> {
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
                // Someone's login that was given up half way.
                self.give_up_login()?;
            }
            if self.asks_for_name() {
                self.is_inside = true;
                self.type_and_listen(b"root\r")?;
                if self.asks_for_password() {
                    if was_refused {
                        self.is_inside = false;
                        return Err(Error::new(
                            Kind::Unsupported,
                            format!(
                                "the user root should have no password in Docker's VM, but {} asks for one",
                                self.line.path().display()
                            ),
                        )
                        .with_hint("it is not a VM that Baleen knows; restart Docker instead"));
                    }
                    // Once it may be about another name: what was sent to a VM that hung comes when it goes on.
                    was_refused = true;
                    self.give_up_login()?;
                    continue;
                }
            }
            if self.take_over()? {
                return Ok(());
            }
        }
        let found = match was_silent {
            true => "nothing answers".to_owned(),
            false => "no shell answers".to_owned(),
        };
        Err(Error::new(
            Kind::Failure,
            format!(
                "{found} at the console of Docker's VM, {}, within {} seconds",
                self.line.path().display(),
                SHELL_TIMEOUT.as_secs()
            ),
        )
        .with_hint(format!(
            "{HANGS}; a program that was left running there can be ended by hand: screen '{}', then Ctrl-C",
            self.line.path().display()
        )))
    }

    /// Gives a wrong password, which is as good as any way out of a login, and waits for the next one.
    fn give_up_login(&mut self) -> Result<()> {
        self.type_and_listen(b"\r")?;
        let wrong = Instant::now() + LOGIN_FAILURE_DELAY;
        while !self.asks_for_name() && self.listen(wrong, LOGIN_FAILURE_DELAY)? {}
        Ok(())
    }

    /// What a prompt looks like, which proves nothing, but tells what to try first.
    fn asks_for_name(&self) -> bool {
        frames::contains(&self.received, "ogin: ")
    }

    fn asks_for_password(&self) -> bool {
        frames::contains(&self.received, "assword: ")
    }

    /// Types something, and listens to what comes then.
    fn type_and_listen(&mut self, keys: &[u8]) -> Result<()> {
        let start = Instant::now();
        self.received.clear();
        self.line.send(keys, start + LISTEN_TIMEOUT)?;
        if self.listen(start + FIRST_BYTE_TIMEOUT, FIRST_BYTE_TIMEOUT)? {
            while !self.asks_for_name() && self.listen(start + LISTEN_TIMEOUT, POLL_INTERVAL)? {}
        }
        Ok(())
    }

    /// Listens until something comes, no longer than `pause`, nor than `until`; whether it did.
    fn listen(&mut self, until: Instant, pause: Duration) -> Result<bool> {
        let until = until.min(Instant::now() + pause);
        self.line.receive(&mut self.received, until)
    }

    /// Has the shell that may be there make way for one that reads lines; whether it did.
    fn take_over(&mut self) -> Result<bool> {
        self.marker = random()?;
        self.number = 0;
        self.received.clear();
        let Self { marker, .. } = self;
        let life = SHELL_LIFETIME.as_secs();
        // In one line, which an interactive shell may show: so the marker does not stand in it as it comes back, and no
        // secret. `stty` takes the echo, or there is no such shell; the loop takes the prompt and the history. BALEEN_W is
        // anyone who ends the shell of someone who was killed: a new one takes over from it. What is sent in parts is put
        // together by `p`: whatever gets lost of a call of it, it is no error of syntax, at which a shell would end, and
        // the rest would come to someone who shows it. In a shell that was left within a quote the loop is in that shell
        // itself once the quote is closed, and carries out the next such line.
        let line = format!(
            " m={marker};exec sh -c 'stty -echo||exit;unset a b f q l t;w(){{ kill $BALEEN_W;(sleep {life};kill -9 $$)>/dev/null </dev/null&export BALEEN_W=$!;}};w;{};p(){{ f=$f$1;}};q=0;a=;r;while read -r l;do eval \"$l\";done;' $m 2>/dev/null\r",
            frames::ANSWER,
        );
        let until = Instant::now() + SHELL_START_TIMEOUT;
        self.is_inside = true;
        self.line.send(line.as_bytes(), until)?;
        Ok(self.wait_for_answer(until)?.is_some())
    }

    /// Has the shell carry out `command`, which leaves its answer in `a`. It is asked again until it comes in one piece.
    fn ask(&mut self, command: &str, patience: Duration) -> Result<String> {
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
                // Someone who came in between may have got the answer.
                self.line.is_alone()?;
                return Err(Error::new(
                    Kind::Failure,
                    format!(
                        "the shell in Docker's VM, at {}, gave no answer within {} seconds",
                        self.line.path().display(),
                        patience.as_secs()
                    ),
                )
                .with_hint(HANGS));
            }
            self.line.send(b"r\n", until)?;
        }
    }

    fn wait_for_answer(&mut self, until: Instant) -> Result<Option<String>> {
        loop {
            if let Some(found) = frames::find(&self.received, &self.marker, self.number) {
                return Ok(Some(found.to_owned()));
            }
            // Of a flood the end is enough, in which an answer may have begun.
            if self.received.len() > MAX_OUTPUT_LEN {
                self.received.drain(..self.received.len() - MAX_FRAME_LEN);
            }
            if !self.line.receive(&mut self.received, until)? {
                return Ok(None);
            }
        }
    }

    /// Sends `text`, which is of plain letters, into the variable `f`; whether all of it arrived.
    fn send_text(&mut self, text: &str) -> Result<bool> {
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

    fn nonsense(&self) -> Error {
        Error::new(
            Kind::Failure,
            format!(
                "the shell in Docker's VM, at {}, gave an answer that makes no sense",
                self.line.path().display()
            ),
        )
        .with_hint("sh, base64, cut, tr and sha256sum are needed there; restart Docker instead")
    }
}

impl Drop for Console<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What is hashed before the bytes that are meant. The VM's console is logged on the Mac, and a digest of a script with a
/// password in it lets one try passwords, unless something is in it that was never printed.
#[derive(Debug)]
pub struct Salt(String);

impl Salt {
    /// One that no one can guess.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random() -> Result<Self> {
        random().map(Self)
    }

    /// The SHA-256 digest of it and `bytes`, as [`Console::digest`] gives it.
    pub fn digest(&self, bytes: &[u8]) -> String {
        let digest = Sha256::new_with_prefix(&self.0).chain_update(bytes);
        hex(&digest.finalize())
    }
}

/// A word that no one can guess.
fn random() -> Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(
            Kind::Failure,
            format!("could not draw a random number from the system: {error}"),
        )
    })?;
    // A letter first, so that it is never taken for a part of a number.
    Ok(format!("x{}", hex(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
