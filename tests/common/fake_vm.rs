//! A VM as seen from its console, simulated in this process: a pseudo-terminal as a hypervisor makes it, a login, and
//! behind the login a shell of the host on its own terminal. A pseudo-random generator delays, cuts and disturbs the
//! traffic on the line; the same seed gives the same traffic.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::tty::{open, terminal};

/// The state of the other end of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// A login that lets root in without a password.
    Login,
    /// A login that asks for root's password.
    Password,
    /// A login that a user left half done.
    HalfLogin,
    /// A login with a name already typed, which comes before the next one.
    TypedAhead,
    /// A shell that was left open, with a line half typed.
    Shell,
    /// A shell that was left open inside a quote.
    Quote,
    /// A program that prints endlessly.
    Flood,
    /// No answer.
    Silence,
}

/// The disturbances on the line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) seed: u64,
    /// Other programs write to the line, every few milliseconds.
    pub(crate) noise: bool,
    /// The traffic arrives late, and in pieces.
    pub(crate) delays: bool,
    /// Number of bytes towards the VM after which one byte is lost.
    pub(crate) lost_at: Option<usize>,
    /// Number of bytes towards the VM after which the VM ends.
    pub(crate) ends_at: Option<usize>,
}

pub(crate) struct FakeVm {
    pub(crate) dir: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    traffic: Arc<Mutex<Traffic>>,
    thread: Option<JoinHandle<()>>,
    /// Kept open, since a terminal forgets its modes when no process has it open.
    slave: File,
}

#[derive(Default)]
struct Traffic {
    /// All bytes that were sent to the VM, and all that came from it, before any disturbance.
    to_vm: Vec<u8>,
    from_vm: Vec<u8>,
}

impl FakeVm {
    /// Starts a VM whose shell is the command `shell`.
    pub(crate) fn start(there: There, shell: &[&str], weather: Weather) -> Self {
        let dir = tempfile::tempdir().unwrap();
        furnish(dir.path());
        let (master, name) = terminal();
        fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).unwrap();
        let slave = open(&name);
        raw(&slave);
        std::os::unix::fs::symlink(&name, dir.path().join("tty")).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let relay = Relay {
            home: dir.path().to_owned(),
            shell: shell.iter().map(|&word| word.to_owned()).collect(),
            outside: master.into(),
            inside: None,
            there,
            typed: Vec::new(),
            asked: None,
            numbers: Numbers(weather.seed | 1),
            weather,
            stop: stop.clone(),
            traffic: traffic.clone(),
        };
        Self {
            dir,
            stop,
            traffic,
            thread: Some(thread::spawn(move || relay.run())),
            slave,
        }
    }

    /// The path of the console, as a hypervisor links it.
    pub(crate) fn console(&self) -> PathBuf {
        self.dir.path().join("tty")
    }

    /// The modes of the console. This process has the console open as well, but isn't counted among its users.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    pub(crate) fn script(&self) -> PathBuf {
        self.dir.path().join("init.d/docker")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.dir.path().join("docker.pid")
    }

    /// The name of the Engine's program, which no other program of the host has.
    pub(crate) fn program(&self) -> String {
        program(self.dir.path())
    }

    /// The process ID of the Engine.
    pub(crate) fn engine(&self) -> Option<u32> {
        fs::read_to_string(self.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// The proxy variables of the Engine.
    pub(crate) fn environment(&self) -> Vec<String> {
        let path = format!("/proc/{}/environ", self.engine().unwrap());
        let bytes = fs::read(path).unwrap();
        let mut found: Vec<String> = bytes
            .split(|&byte| byte == 0)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .filter(|line| line.to_lowercase().contains("_proxy="))
            .collect();
        found.sort();
        found
    }

    pub(crate) fn sent(&self) -> Vec<u8> {
        self.traffic.lock().unwrap().to_vm.clone()
    }

    pub(crate) fn printed(&self) -> Vec<u8> {
        self.traffic.lock().unwrap().from_vm.clone()
    }
}

impl Drop for FakeVm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        if let Some(pid) = self.engine() {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
    }
}

fn program(dir: &Path) -> String {
    dir.file_name().unwrap().to_string_lossy().replace('.', "")
}

/// Writes the script that is patched, and the files it needs to start a process that inherits its environment.
fn furnish(dir: &Path) {
    let root = dir.display();
    let program = program(dir);
    std::os::unix::fs::symlink("/usr/bin/sleep", dir.join(&program)).unwrap();
    fs::create_dir(dir.join("init.d")).unwrap();
    for (name, text) in [
        (
            "openrc-run",
            "#!/bin/sh\nscript=$1\n. \"$script\"\n\"$2\"\n".to_owned(),
        ),
        (
            "start-stop-daemon",
            format!(
                "#!/bin/sh\nif [ \"$1\" = --stop ]\nthen\n\tkill $(cat {root}/docker.pid)\n\trm {root}/docker.pid\n\
                 else\n\tsetsid sh -c 'printf $$ > {root}/new.pid; mv {root}/new.pid {root}/docker.pid; exec {root}/{program} 1000' < /dev/null > /dev/null 2>&1 &\n\
                 \twhile [ ! -e {root}/docker.pid ]; do sleep 0.01; done\nfi\n"
            ),
        ),
        (
            "init.d/docker",
            format!(
                "#!{root}/openrc-run\n\nstart()\n{{\n\techo starting\n\t{root}/start-stop-daemon --start\n}}\n\n\
                 stop()\n{{\n\t{root}/start-stop-daemon --stop\n}}\n"
            ),
        ),
    ] {
        fs::write(dir.join(name), text).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn raw(terminal: &File) {
    let mut modes = tcgetattr(terminal).unwrap();
    modes.make_raw();
    tcsetattr(terminal, OptionalActions::Now, &modes).unwrap();
}

/// A generator of pseudo-random numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn readable(file: &File) -> bool {
    let none = Timespec::default();
    poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&none)).is_ok_and(|ready| ready > 0)
}

/// The relay between the two terminals.
struct Relay {
    home: PathBuf,
    shell: Vec<String>,
    outside: File,
    inside: Option<(File, Child)>,
    there: There,
    typed: Vec<u8>,
    /// The name whose password was asked for.
    asked: Option<Vec<u8>>,
    numbers: Numbers,
    weather: Weather,
    stop: Arc<AtomicBool>,
    traffic: Arc<Mutex<Traffic>>,
}

impl Relay {
    fn run(mut self) {
        match self.there {
            There::Shell | There::Quote => {
                self.start_shell();
                let (inside, _) = self.inside.as_mut().unwrap();
                let typed: &[u8] = match self.there {
                    There::Quote => b"echo 'half\n",
                    _ => b"cd /tmp\necho 'half",
                };
                inside.write_all(typed).unwrap();
            }
            There::HalfLogin => self.asked = Some(b"someone".to_vec()),
            There::Login | There::Password | There::TypedAhead => self.say(b"\r\nmoby login: "),
            There::Silence | There::Flood => {}
        }
        let mut sent = 0;
        let mut buffer = [0; 512];
        while !self.stop.load(Ordering::Relaxed) {
            if readable(&self.outside) {
                let Ok(read) = self.outside.read(&mut buffer) else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                for &byte in &buffer[..read] {
                    sent += 1;
                    if self.weather.ends_at.is_some_and(|end| sent >= end) {
                        return;
                    }
                    self.traffic.lock().unwrap().to_vm.push(byte);
                    if self.weather.lost_at == Some(sent) {
                        continue;
                    }
                    self.take(byte);
                }
            }
            if let Some((inside, child)) = &mut self.inside {
                let mut from = inside.try_clone().unwrap();
                if readable(&from)
                    && let Ok(read @ 1..) = from.read(&mut buffer)
                {
                    self.say(&buffer[..read]);
                } else if let Ok(Some(_)) = child.try_wait() {
                    self.inside = None;
                    self.say(b"\r\n\r\nmoby login: ");
                } else {
                    // Wait below.
                }
            }
            if self.there == There::Flood {
                self.say(&[b'y'; 512]);
            }
            if self.weather.noise && self.numbers.below(12) == 0 {
                self.make_noise();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Writes kernel messages, and output of a service that ends no line.
    fn make_noise(&mut self) {
        let noise = match self.numbers.below(4) {
            0 => format!(
                "[{:5}.{:06}] eth0: link is up\r\n",
                self.numbers.below(999),
                self.numbers.below(999_999)
            ),
            1 => "\u{1b}[1;31mdockerd: level=info; msg=\"x:1:2:ab;\"".to_owned(),
            2 => "login: ".to_owned(),
            _ => "#".repeat(self.numbers.below(40) as usize),
        };
        self.print(noise.as_bytes());
    }

    /// Prints output of the VM. Noise may interrupt it, even inside a marker.
    fn say(&mut self, bytes: &[u8]) {
        self.traffic
            .lock()
            .unwrap()
            .from_vm
            .extend_from_slice(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = match self.weather.noise || self.weather.delays {
                true => self.numbers.below(300) as usize + 1,
                false => rest.len(),
            };
            let (now, later) = rest.split_at(piece.min(rest.len()));
            self.print(now);
            rest = later;
            if self.weather.noise && self.numbers.below(20) == 0 {
                self.make_noise();
            }
            if self.weather.delays {
                thread::sleep(Duration::from_millis(self.numbers.below(8)));
            }
        }
    }

    /// Writes `bytes` to the terminal, which blocks when it is full and no process reads it.
    fn print(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.stop.load(Ordering::Relaxed) {
            match self.outside.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(_) => return,
            }
        }
    }

    /// Handles one byte sent to the VM.
    fn take(&mut self, byte: u8) {
        if matches!(self.there, There::Silence | There::Flood) {
            return;
        }
        if self.weather.delays && self.numbers.below(50) == 0 {
            thread::sleep(Duration::from_millis(self.numbers.below(10)));
        }
        if let Some((inside, _)) = &mut self.inside {
            let _ = inside.write_all(&[byte]);
            return;
        }
        match (byte, self.asked.take()) {
            (0x15, asked) => {
                self.typed.clear();
                self.asked = asked;
            }
            (b'\r' | b'\n', None) => {
                let name = std::mem::take(&mut self.typed);
                match &*name {
                    b"root" if self.there == There::TypedAhead => {
                        self.there = There::Login;
                        self.say(b"\r\nPassword: ");
                        self.asked = Some(b"someone".to_vec());
                    }
                    b"" => self.say(b"\r\nmoby login: "),
                    b"root" if self.there != There::Password => {
                        self.say(b"\r\n");
                        self.start_shell();
                    }
                    _ => {
                        self.say(b"\r\nPassword: ");
                        self.asked = Some(name);
                    }
                }
            }
            (b'\r' | b'\n', Some(_)) => {
                self.typed.clear();
                thread::sleep(Duration::from_millis(300));
                self.say(b"\r\nLogin incorrect\r\nmoby login: ");
            }
            (byte, None) => {
                self.typed.push(byte);
                self.say(&[byte]);
            }
            (_, asked) => self.asked = asked,
        }
    }

    fn start_shell(&mut self) {
        let (master, name) = terminal();
        let slave = open(&name);
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        // On its own terminal, as after a login.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .args(&self.shell)
            .arg("-i")
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", &self.home)
            .env("PS1", "\\w # ")
            .current_dir(&self.home)
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio());
        let child = command.spawn().unwrap();
        self.inside = Some((master.into(), child));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some((_, child)) = &mut self.inside {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
