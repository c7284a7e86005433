//! A Mac with a Docker.app that boots, Baleen's command line, and Docker's own client, used as their user does.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use baleen::backend::docker_desktop::restart;
use baleen::platform::apps;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::common::app::{App, Run};
use crate::lab::{Lab, Stock};
use crate::servers::{HELLO, IMAGE, PROXY};

/// Time limit for the start of a VM, and for a pull; software emulation on a busy computer is slow.
const TIMEOUT: Duration = Duration::from_secs(240);
/// Time limit for a command in the VM.
const ASIDE: Duration = Duration::from_secs(60);
const DATA: &str = "home/Library/Containers/com.docker.docker/Data";
const DRIVER: &str = "com.docker.driver.amd64-linux";

pub(crate) struct Mac<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) app: App,
    /// The Docker that was opened by the test, not by the app.
    opened: Option<Child>,
    /// The ports of the Mac that the VM reaches.
    pub(crate) ports: Vec<u16>,
    /// Set while there is a VM whose records are not saved yet.
    is_to_keep: Cell<bool>,
    /// Length of the proxy's log when the VM was started.
    logged: Cell<usize>,
}

impl<'a> Mac<'a> {
    pub(crate) fn new(lab: &'a Lab, stock: &Stock) -> Self {
        let app = App::new();
        install(lab, stock, &app.app(), "17.03.0-ce-mac1", "15583");
        Self {
            lab,
            app,
            opened: None,
            ports: vec![PROXY],
            is_to_keep: Cell::default(),
            logged: Cell::default(),
        }
    }

    /// Sets the environment of a program on this Mac.
    pub(crate) fn environment(&self, command: &mut Command) {
        self.app.environment(command);
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("MAC_PORTS", ports.join(" "))
            .env("DOCKER_HOST", "tcp://127.0.0.1:2375");
    }

    /// Sets a value that Docker for Mac keeps for its VM, such as `proxy/http`.
    pub(crate) fn set_native(&self, key: &str, value: &str) {
        let file = self.app.dir.path().join(DATA).join("database").join(DRIVER);
        let file = file.join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, value).unwrap();
    }

    /// Runs Baleen with `proxy` as the proxy for everything, and `no_proxy` as the list of exceptions.
    pub(crate) fn run(&self, arguments: &[&str], proxy: &str, no_proxy: &str) -> Run {
        let (mut command, shown) = self.baleen(arguments, proxy, no_proxy);
        let run = Run::of(&mut command);
        self.lab.say(&format!("{shown}\n{}{}", run.out, run.err));
        run
    }

    /// The command of [`Mac::run`], and its text for the transcript.
    pub(crate) fn baleen(
        &self,
        arguments: &[&str],
        proxy: &str,
        no_proxy: &str,
    ) -> (Command, String) {
        let mut command = self.app.command(arguments);
        self.environment(&mut command);
        command.env("http_proxy", proxy).env("https_proxy", proxy);
        let mut shown = format!("$ https_proxy={proxy}");
        if !no_proxy.is_empty() {
            command.env("no_proxy", no_proxy);
            shown += &format!(" no_proxy={no_proxy}");
        }
        (command, format!("{shown} baleen {}", arguments.join(" ")))
    }

    /// Puts `proxy` into the image as the proxy for everything.
    #[track_caller]
    pub(crate) fn apply(&self, arguments: &[&str], proxy: &str) {
        self.apply_but(arguments, proxy, "");
    }

    #[track_caller]
    pub(crate) fn apply_but(&self, arguments: &[&str], proxy: &str, no_proxy: &str) {
        let run = self.run(&[&["apply"], arguments].concat(), proxy, no_proxy);
        assert_eq!(run.code, 0, "{run}");
        let status = self.run(&["status", "--verify"], proxy, no_proxy);
        assert_eq!(status.code, 0, "{status}");
        assert!(status.out.contains("current"), "{status}");
    }

    #[track_caller]
    pub(crate) fn restore(&self) {
        let run = self.run(&["restore"], "", "");
        assert_eq!(run.code, 0, "{run}");
    }

    /// Opens Docker, and waits until its Engine answers.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.open();
        self.wait_for_engine();
    }

    /// Opens Docker.
    #[track_caller]
    pub(crate) fn open(&mut self) {
        assert_eq!(self.docker_runs(), None);
        let mut command = Command::new(self.app.app().join("Contents/MacOS/Docker"));
        self.environment(&mut command);
        let out = fs::File::create(self.lab.folder().join("qemu")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .process_group(0);
        self.lab.say("(Docker is opened)");
        self.begin_log();
        self.opened = Some(command.spawn().unwrap());
        self.is_to_keep.set(true);
        let started = Instant::now();
        while self.docker_runs().is_none() {
            assert!(started.elapsed() < TIMEOUT, "Docker does not run");
            sleep(Duration::from_millis(20));
        }
    }

    /// The process of the Docker that runs, no matter who opened it.
    pub(crate) fn docker_runs(&self) -> Option<u32> {
        restart::running(&self.app.app()).map(|docker| docker.pid)
    }

    /// Calls a function that makes another program restart Docker, and waits until the new Engine answers.
    #[track_caller]
    pub(crate) fn is_restarted_by(&mut self, cause: impl FnOnce()) {
        let before = self.docker_runs();
        assert!(before.is_some(), "Docker does not run");
        self.keep();
        self.begin_log();
        cause();
        let started = Instant::now();
        while self.docker_runs().is_none_or(|now| Some(now) == before) {
            assert!(started.elapsed() < TIMEOUT, "Docker was not restarted");
            self.reap();
            sleep(Duration::from_millis(20));
        }
        self.is_to_keep.set(true);
        self.lab.say("(Docker is restarted)");
        self.wait_for_engine();
    }

    /// Forgets the Docker that the test opened, if it has ended.
    pub(crate) fn reap(&mut self) {
        if let Some(child) = &mut self.opened
            && child.try_wait().unwrap().is_some()
        {
            self.opened = None;
        }
    }

    /// Starts a new record of the proxy's log.
    pub(crate) fn begin_log(&self) {
        self.logged.set(self.lab.servers.log().len());
    }

    #[track_caller]
    pub(crate) fn wait_for_engine(&self) {
        let started = Instant::now();
        while !self.docker(&["version"]).status.success() {
            let said = fs::read_to_string(self.lab.folder().join("qemu")).unwrap_or_default();
            assert!(
                self.docker_runs().is_some(),
                "Docker has ended. {said}The last lines of the console:\n{}",
                last_lines(&self.console())
            );
            let console = self.console();
            assert!(
                started.elapsed() < TIMEOUT && !console.contains("vm: no engine\n"),
                "the Engine does not answer. The last lines of the console:\n{}",
                last_lines(&self.console())
            );
            sleep(Duration::from_millis(200));
        }
        let seconds = started.elapsed().as_secs_f64();
        self.lab
            .say(&format!("(the Engine answers after {seconds:.0} s)"));
    }

    /// Quits Docker, and saves the records of its VM.
    pub(crate) fn quit(&mut self) {
        let mut started = Instant::now();
        while let Some(docker) = restart::running(&self.app.app()) {
            apps::ask_to_quit(&docker);
            if started.elapsed() > Duration::from_secs(20) {
                self.lab.say("(Docker does not quit, and is killed)");
                let pid = docker.pid.try_into().ok().and_then(Pid::from_raw);
                let _ = kill_process_group(pid.unwrap(), Signal::KILL);
                started = Instant::now();
            }
            self.reap();
            sleep(Duration::from_millis(20));
        }
        if self.is_to_keep.get() {
            self.lab.say("(Docker is quit)");
            self.keep();
        }
    }

    /// Saves the console and the proxy's log of this boot.
    fn keep(&self) {
        self.is_to_keep.set(false);
        let boot = self.lab.next_boot();
        let folder = self.lab.folder();
        let _ = fs::write(folder.join(format!("{boot}.console")), self.console());
        let _ = fs::write(folder.join(format!("{boot}.proxy")), self.log());
        let log = self.app.dir.path().join("state/baleen.log");
        let _ = fs::copy(log, folder.join("baleen.log"));
    }

    /// The proxy's log since the VM was started.
    pub(crate) fn log(&self) -> String {
        self.lab.servers.log()[self.logged.get()..].to_owned()
    }

    /// The console output of the VM.
    pub(crate) fn console(&self) -> String {
        let bytes = fs::read(self.driver().join("console-ring")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    /// The terminal that is the VM's console.
    pub(crate) fn tty(&self) -> PathBuf {
        self.driver().join("tty").canonicalize().unwrap()
    }

    fn driver(&self) -> PathBuf {
        self.app.dir.path().join(DATA).join(DRIVER)
    }

    /// The output of the line `command` in the VM, sent over the second serial line, not the console.
    #[track_caller]
    pub(crate) fn aside(&self, command: &str) -> String {
        let path = self.app.dir.path().join("home/aside");
        let mut line = UnixStream::connect(path).unwrap();
        line.set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let started = Instant::now();
        let mut received = String::new();
        // The VM computes both numbers, so that the echo of the command is not taken for its output.
        let mut wait_for = |line: &mut UnixStream, mark: &str, again: &str| {
            let mut bytes = [0; 4096];
            while !received.contains(mark) {
                assert!(started.elapsed() < ASIDE, "{command}: {received}");
                match line.read(&mut bytes) {
                    Ok(0) => panic!("{command}: the VM has ended"),
                    Ok(read) => received += &String::from_utf8_lossy(&bytes[..read]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        line.write_all(again.as_bytes()).unwrap();
                    }
                    Err(error) => panic!("{command}: {error}"),
                }
            }
            received.clone()
        };
        // So soon after the start, no shell may answer yet.
        let hello = "echo \"<$((6*7))>\"\n";
        line.write_all(hello.as_bytes()).unwrap();
        wait_for(&mut line, "<42>", hello);
        let asked = format!(
            "echo \"[$((6*7))\";{{ {command}; }} 2>&1 </dev/null;echo;echo \"$((6*7))]\"\n"
        );
        line.write_all(asked.as_bytes()).unwrap();
        let said = wait_for(&mut line, "\n42]", "");
        let (_, said) = said.split_once("[42\n").unwrap();
        let (said, _) = said.split_once("\n42]").unwrap();
        self.lab
            .say(&format!("(in the VM) $ {command}\n{}", said.trim_end()));
        said.to_owned()
    }

    /// The process that runs the VM.
    #[track_caller]
    pub(crate) fn qemu(&self) -> Pid {
        let docker = self.docker_runs().expect("Docker does not run");
        let found = Command::new("pgrep")
            .args(["-P", &docker.to_string(), "qemu"])
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        Pid::from_raw(found.trim_end().parse().unwrap()).unwrap()
    }

    /// Docker's client.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["120", "docker"]).args(arguments);
        self.environment(&mut command);
        command.output().unwrap()
    }

    /// Has the Engine pull the image; returns the client's exit code and output.
    pub(crate) fn try_pull(&self, image: &str) -> (Option<i32>, String) {
        let pull = self.docker(&["pull", image]);
        let said = [pull.stdout, pull.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        self.lab.say(&format!("$ docker pull {image}\n{said}"));
        (pull.status.code(), said)
    }

    /// The pull succeeds, and the image runs.
    #[track_caller]
    pub(crate) fn pulls(&self) {
        let (code, said) = self.try_pull(IMAGE);
        assert_eq!(code, Some(0), "the image was not pulled: {said}");
        let run = self.docker(&["run", "--rm", "--network", "none", IMAGE]);
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        self.lab
            .say(&format!("$ docker run --rm --network none {IMAGE}\n{said}"));
        assert_eq!(said.trim_end(), HELLO, "{run:?}");
    }

    /// The pull succeeds through the proxy, and the image runs.
    #[track_caller]
    pub(crate) fn pulls_through_the_proxy(&self) {
        self.pulls();
        let log = self.log();
        for words in ["CONNECT registry.test:5443 ", TUNNEL] {
            assert!(log.contains(words), "the proxy knows nothing of it: {log}");
        }
    }

    /// The pull fails for this reason, and the proxy was not asked.
    #[track_caller]
    pub(crate) fn finds_no_way(&self, reason: &str) {
        self.can_not_pull(reason);
        let log = self.log();
        assert!(!log.contains("Request"), "the proxy was asked: {log}");
    }

    /// The pull fails for this reason; the Engine still answers.
    #[track_caller]
    pub(crate) fn can_not_pull(&self, reason: &str) {
        let (code, said) = self.try_pull(IMAGE);
        assert_eq!(code, Some(1), "not for want of a way: {said}");
        assert!(said.contains(reason), "not for this reason: {said}");
        let images = self.docker(&["images", "--quiet"]);
        assert!(images.status.success(), "the Engine is down: {images:?}");
        assert!(images.stdout.is_empty(), "{images:?}");
    }

    /// The proxy variables in the Engine's own environment are exactly these.
    #[track_caller]
    pub(crate) fn engine_has(&self, wanted: &[(&str, &str)]) {
        let started = Instant::now();
        while !self.console().contains("vm: engine runs\n") {
            assert!(
                started.elapsed() < TIMEOUT,
                "the VM did not say what the Engine has:\n{}",
                last_lines(&self.console())
            );
            sleep(Duration::from_millis(100));
        }
        let console = self.console();
        // Without this line nothing was read.
        assert!(console.contains("vm: env PATH="), "{console}");
        let environment: BTreeMap<&str, &str> = reported(&console, "vm: env ")
            .filter_map(|line| line.split_once('='))
            .filter(|(name, _)| *name != "PATH")
            .collect();
        for (name, value) in &environment {
            self.lab.say(&format!("(the Engine has {name}={value})"));
        }
        assert_eq!(environment, wanted.iter().copied().collect());
    }

    /// The same check for the Engine that runs now, which may not be the one that the VM started with.
    #[track_caller]
    pub(crate) fn engine_has_now(&self, wanted: &[(&str, &str)]) {
        let said = self.aside("tr '\\0' '\\n' </proc/$(cat /run/docker.pid)/environ");
        let environment: BTreeMap<&str, &str> = said
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        // Without it nothing was read.
        assert!(environment.contains_key("PATH"), "{said}");
        let of_proxies = environment.into_iter().filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            name.ends_with("_proxy")
        });
        assert_eq!(
            of_proxies.collect::<BTreeMap<_, _>>(),
            wanted.iter().copied().collect()
        );
    }

    /// The VM has a file of this mode, owner and name, or has none of this name.
    #[track_caller]
    pub(crate) fn vm_has(&self, name: &str, wanted: Option<&str>) {
        let console = self.console();
        let found = reported(&console, "vm: file ")
            .filter_map(|line| line.split_once(' '))
            .find_map(|(of, rest)| (of == name).then_some(rest));
        assert_eq!(found, wanted, "{name}");
    }
}

impl Drop for Mac<'_> {
    fn drop(&mut self) {
        self.quit();
    }
}

/// The proxy as the Mac names it, and as the VM reaches it on the Mac.
pub(crate) const ON_THE_MAC: &str = "http://127.0.0.1:3128";
pub(crate) const IN_THE_VM: &str = "http://192.168.65.1:3128";
/// The entries that are always on the list of exceptions.
pub(crate) const LOCAL: &str = "localhost,127.0.0.1";
/// The reason why no pull works without a proxy: there is no name server, nor a route to one.
pub(crate) const NO_WAY: &str = "lookup registry.test";
/// The line that tinyproxy logs when it has let a client through to the registry.
pub(crate) const TUNNEL: &str = "Established connection to host \"registry.test\"";

/// Both cases of each variable, as Baleen sets them.
pub(crate) fn both_cases<'a>(proxy: &'a str, no_proxy: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("HTTP_PROXY", proxy),
        ("http_proxy", proxy),
        ("HTTPS_PROXY", proxy),
        ("https_proxy", proxy),
        ("NO_PROXY", no_proxy),
        ("no_proxy", no_proxy),
    ]
}

/// Installs a Docker.app that boots, and replaces any other.
pub(crate) fn install(lab: &Lab, stock: &Stock, bundle: &Path, version: &str, build: &str) {
    baleen::demo::build(bundle, version, build).unwrap();
    let moby = bundle.join("Contents/Resources/moby");
    lab.make(stock, &moby.join("initrd.img"));
    fs::copy(&lab.kernels()[0], moby.join("vmlinuz64")).unwrap();
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/docker.sh");
    fs::copy(program, bundle.join("Contents/MacOS/Docker")).unwrap();
}

/// The rest of the console output after this text. A login prompt may precede it.
fn reported<'a>(console: &'a str, what: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = console.lines();
    lines.filter_map(move |line| Some(line.split_once(what)?.1))
}

pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
