//! The cases with `--live`: Baleen updates the running VM over its console, and neither Docker nor the VM restarts. The
//! cases inspect the VM over a second serial line, not over that console.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{OptionalActions, ioctl_tiocexcl, tcgetattr, tcsetattr};

use crate::Case;
use crate::cases::{Behind, Guarded, NOWHERE, NOWHERE_IN_THE_VM, stock};
use crate::common::app::Run;
use crate::common::secret::shapes;
use crate::lab::Lab;
use crate::mac::{IN_THE_VM, LOCAL, Mac, NO_WAY, ON_THE_MAC, TUNNEL, both_cases};
use crate::servers::IMAGE;

/// The cases that CI runs.
const SHORT: &[&str] = &["live", "live-noise"];

/// The reason why no pull works through [`NOWHERE`].
const NOTHING_LISTENS: &str = "proxyconnect tcp: dial tcp 192.168.65.1:9";

pub(crate) fn all() -> Vec<Case> {
    let case = |name: &str, what: &str, run: fn(&Lab)| Case {
        name: name.to_owned(),
        what: what.to_owned(),
        is_short: SHORT.contains(&name),
        run: Box::new(run),
    };
    vec![
        case(
            "live",
            "the running VM gets the proxy, keeps it, and loses it again; it is not started again",
            on_and_off,
        ),
        case(
            "live-another-proxy",
            "a VM that started with a dead proxy gets the right one",
            another_proxy,
        ),
        case(
            "live-native",
            "Docker's own proxy setting names a dead proxy, and the script asks for it",
            native,
        ),
        case(
            "live-password",
            "a proxy that asks for a password, of which nothing is to be seen afterwards",
            password,
        ),
        case(
            "live-someone",
            "someone left a shell open, a line half typed, or has the console open",
            console_user,
        ),
        case(
            "live-noise",
            "the kernel and others write to the console all the time",
            noise,
        ),
        case("live-hung", "a VM that hangs, and goes on later", hung),
        case(
            "live-baleen-killed",
            "Baleen is killed, or asked to end, somewhere in the middle",
            baleen_killed,
        ),
        case(
            "live-vm-killed",
            "the VM ends somewhere in the middle",
            vm_killed,
        ),
        case(
            "live-not-running",
            "Docker isn't running: the change counts the next time it starts",
            not_running,
        ),
    ]
}

/// Returns whether a claim on a terminal (`TIOCEXCL`) is harmless once the process that made it is gone. On Linux the
/// claim lasts as long as the terminal, unlike on macOS, but doesn't bind root.
fn claims_end() -> bool {
    std::env::var_os("BALEEN_E2E_UID").is_none()
}

/// Has Baleen update the running VM, which must succeed.
#[track_caller]
fn follow(mac: &Mac<'_>, what: &str, proxy: &str) -> Run {
    let run = live(mac, what, proxy);
    assert_eq!(run.code, 0, "{run}");
    run
}

fn live(mac: &Mac<'_>, what: &str, proxy: &str) -> Run {
    let started = Instant::now();
    let run = mac.run(&[what, "--live", "--yes"], proxy, "");
    let seconds = started.elapsed().as_secs_f64();
    mac.lab.say(&format!("(it took {seconds:.1} s)"));
    run
}

#[track_caller]
fn restarts(run: &Run) {
    let word = "The Engine was restarted; Docker and its VM went on running.";
    assert!(run.out.contains(word), "{run}");
}

/// Identifies the Docker process, the VM process and the boot of the VM.
#[track_caller]
fn identity(mac: &Mac<'_>) -> (Option<u32>, Pid, String) {
    let boot = mac.aside("cat /proc/sys/kernel/random/boot_id");
    assert_eq!(boot.trim_end().len(), 36, "{boot}");
    (mac.docker_runs(), mac.qemu(), boot)
}

/// The script in the VM.
#[track_caller]
fn script(mac: &Mac<'_>) -> String {
    let script = mac.aside("cat /etc/init.d/docker; stat -c '%A %u:%g' /etc/init.d/docker");
    assert!(script.starts_with("#!/sbin/openrc-run\n"), "{script}");
    script
}

/// The process of the Engine.
#[track_caller]
fn engine(mac: &Mac<'_>) -> String {
    let pid = mac.aside("cat /run/docker.pid");
    assert!(pid.trim_end().parse::<u32>().is_ok(), "{pid}");
    pid
}

fn on_and_off(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    let own_image = mac.app.bytes();
    mac.start();
    mac.finds_no_way(NO_WAY);
    let (before, own_script) = (identity(&mac), script(&mac));

    restarts(&follow(&mac, "apply", ON_THE_MAC));
    mac.pulls_through_the_proxy();
    mac.engine_has_now(&both_cases(IN_THE_VM, LOCAL));

    let running = engine(&mac);
    let again = follow(&mac, "apply", ON_THE_MAC);
    let word = "The running Engine was up to date already.";
    assert!(again.out.contains(word), "{again}");
    assert_eq!(engine(&mac), running, "it was restarted");

    restarts(&follow(&mac, "restore", ""));
    assert!(mac.app.bytes() == own_image, "not Docker's own image");
    assert_eq!(script(&mac), own_script);
    mac.engine_has_now(&[]);
    let removed = mac.docker(&["rmi", IMAGE]);
    assert!(removed.status.success(), "{removed:?}");
    mac.begin_log();
    mac.finds_no_way(NO_WAY);
    assert_eq!(identity(&mac), before);
    let left = mac.aside("ls -A /root /tmp /etc/init.d; ps");
    assert!(
        !left.contains("baleen") && !left.contains("history"),
        "{left}"
    );
}

fn another_proxy(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(3));
    mac.apply(&[], NOWHERE);
    mac.start();
    mac.engine_has(&both_cases(NOWHERE_IN_THE_VM, LOCAL));
    mac.finds_no_way(NOTHING_LISTENS);
    let before = identity(&mac);
    restarts(&follow(&mac, "apply", ON_THE_MAC));
    mac.engine_has_now(&both_cases(IN_THE_VM, LOCAL));
    mac.pulls_through_the_proxy();
    assert_eq!(identity(&mac), before);
}

fn native(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    for key in ["proxy/http", "proxy/https"] {
        mac.set_native(key, NOWHERE_IN_THE_VM);
    }
    mac.set_native("proxy/exclude", "");
    mac.start();
    let own = [
        ("http_proxy", NOWHERE_IN_THE_VM),
        ("https_proxy", NOWHERE_IN_THE_VM),
        ("no_proxy", ""),
    ];
    mac.engine_has(&own);
    mac.finds_no_way(NOTHING_LISTENS);
    restarts(&follow(&mac, "apply", ON_THE_MAC));
    let mut wanted = both_cases(IN_THE_VM, LOCAL);
    wanted.extend(own);
    mac.engine_has_now(&wanted);
    mac.pulls_through_the_proxy();
    // Baleen must not take out what the script itself asks for.
    restarts(&follow(&mac, "restore", ""));
    mac.engine_has_now(&own);
}

const PASSWORD: &str = "a-pa55w0rd.of_s0me-length";

fn password(lab: &Lab) {
    let guarded = Guarded::tinyproxy(lab, PASSWORD);
    let mut behind = Behind::new(&guarded, PASSWORD);
    behind.mac.start();
    behind.mac.can_not_pull(NO_WAY);
    // A watcher in the VM records all that runs there from now on, with its arguments.
    behind.mac.aside(
        "(while :; do cat /proc/[0-9]*/cmdline >>/tmp/seen; usleep 100000; done) >/dev/null 2>&1 & echo $! >/tmp/watch",
    );
    let said = behind.baleen(&["apply", "--live", "--yes"], "");
    let mac = &behind.mac;
    assert!(
        said.contains("https_proxy=http://***@192.168.65.1"),
        "{said}"
    );
    mac.pulls();
    guarded.proxy.saw("CONNECT registry.test:5443 ");
    guarded.proxy.saw(TUNNEL);
    mac.engine_has_now(&both_cases(&behind.in_the_vm, LOCAL));
    let seen = mac.aside(
        "kill $(cat /tmp/watch); cat /tmp/seen /root/.*history /proc/[0-9]*/cmdline|tr '\\0' ' '",
    );
    assert!(seen.contains("base64") && seen.contains("getty"), "{seen}");
    for (place, text) in [
        ("the console's log", mac.console()),
        ("the lists of processes and the histories", seen),
    ] {
        for secret in shapes(PASSWORD) {
            assert!(!text.contains(&secret), "{secret} is in {place}: {text}");
        }
    }
}

/// A user who works at the console by hand.
struct ConsoleUser<'a> {
    lab: &'a Lab,
    tty: File,
}

impl<'a> ConsoleUser<'a> {
    fn at(lab: &'a Lab, mac: &Mac<'_>) -> Self {
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let tty = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(mac.tty())
            .unwrap();
        let mut raw = tcgetattr(&tty).unwrap();
        raw.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &raw).unwrap();
        Self { lab, tty }
    }

    /// Types `keys` until the console shows `shown`.
    #[track_caller]
    fn types_until(&mut self, keys: &str, shown: &str) {
        self.lab
            .say(&format!("(someone types {keys:?} at the console)"));
        let started = Instant::now();
        let mut received = Vec::new();
        let mut bytes = [0; 4096];
        let mut typed = None;
        while !String::from_utf8_lossy(&received).contains(shown) {
            let waited = started.elapsed();
            assert!(
                waited < Duration::from_secs(60),
                "no {shown:?}: {received:?}"
            );
            if typed.is_none_or(|at: Instant| at.elapsed() > Duration::from_secs(5)) {
                self.tty.write_all(keys.as_bytes()).unwrap();
                typed = Some(Instant::now());
            }
            match self.tty.read(&mut bytes) {
                Ok(read) => received.extend_from_slice(&bytes[..read]),
                Err(_) => sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Logs in and waits for the shell.
    #[track_caller]
    fn logs_in(&mut self) {
        self.types_until("\r", "login: ");
        self.types_until("root\r", "# ");
    }
}

fn console_user(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.start();
    let before = script(&mac);
    while !mac.console().contains("login: ") {
        sleep(Duration::from_millis(50));
    }
    let mut proxies = [ON_THE_MAC, NOWHERE].into_iter().cycle();

    for exclusively in [false, true] {
        if exclusively && !claims_end() {
            break;
        }
        let tty = ConsoleUser::at(lab, &mac).tty;
        if exclusively {
            ioctl_tiocexcl(&tty).unwrap();
        }
        let mut screen = Held(
            Command::new("sleep")
                .arg("600")
                .stdin(tty)
                .stdout(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let printed = mac.console().len();
        let proxy = proxies.next().unwrap();
        let run = live(&mac, "apply", proxy);
        assert_eq!(run.code, 4, "{run}");
        // Only root sees which process has claimed a terminal.
        let who = format!("in use by sleep (process {})", screen.0.id());
        for words in [&*who, "the boot image is done", "Baleen leaves it alone"] {
            assert!(run.err.contains(words), "{run}");
        }
        // Each key typed there brings another prompt.
        let console = mac.console();
        let sent = console[printed..].contains("login");
        assert!(!sent, "something was sent: {}", &console[printed..]);
        assert_eq!(script(&mac), before);
        let status = mac.run(&["status", "--verify"], proxy, "");
        assert!(status.out.contains("current"), "{status}");
        screen.end();
    }

    // The state that `screen` leaves when its window is simply closed.
    let mut user = ConsoleUser::at(lab, &mac);
    user.logs_in();
    user.types_until("cd /etc; echo $((6*7))\r", "42");
    user.types_until("rm -r /etc/init.d \"and so", "and so");
    drop(user);
    restarts(&follow(&mac, "apply", ON_THE_MAC));
    mac.engine_has_now(&both_cases(IN_THE_VM, LOCAL));

    // The next user finds a login.
    let mut user = ConsoleUser::at(lab, &mac);
    user.types_until("\r", "login: ");
    // That user leaves the login half done.
    user.types_until("nobody\r", "assword: ");
    drop(user);
    restarts(&follow(&mac, "restore", ""));
    assert_eq!(script(&mac), before);
}

/// A process that is ended when this is dropped.
struct Held(Child);

impl Held {
    fn end(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

fn noise(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.start();
    mac.aside("echo 8 >/proc/sys/kernel/printk");
    // Lines from the kernel, and lines and fragments from other programs, each some ten times a second.
    for (pause, what, to) in [
        (110_000, "noise of the kernel", "/dev/kmsg"),
        (130_000, "noise of a service", "/dev/console"),
        (70_000, "", "/dev/console"),
    ] {
        let say = match what {
            "" => "printf :".to_owned(),
            what => format!("echo {what}"),
        };
        mac.aside(&format!(
            "(while :; do {say} >{to}; usleep {pause}; done) >/dev/null 2>&1 & :"
        ));
    }
    let printed = mac.console();
    restarts(&follow(&mac, "apply", ON_THE_MAC));
    let console = mac.console();
    for noise in ["] noise of the kernel", "noise of a service"] {
        let of = |text: &str| text.matches(noise).count();
        assert!(of(&console) > of(&printed) + 20, "not much of {noise:?}");
    }
    mac.pulls_through_the_proxy();
    restarts(&follow(&mac, "restore", ""));
    mac.engine_has_now(&[]);
}

fn hung(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.start();
    let before = script(&mac);
    let qemu = mac.qemu();
    lab.say("(the VM hangs)");
    kill_process(qemu, Signal::STOP).unwrap();
    let started = Instant::now();
    let run = live(&mac, "apply", ON_THE_MAC);
    lab.say("(the VM goes on)");
    kill_process(qemu, Signal::CONT).unwrap();
    assert!(started.elapsed() < Duration::from_secs(75));
    assert_eq!(run.code, 1, "{run}");
    for words in [
        "the boot image is done",
        "nothing answers",
        "restart Docker",
    ] {
        assert!(run.err.contains(words), "{run}");
    }
    assert_eq!(script(&mac), before);
    restarts(&follow(&mac, "apply", ON_THE_MAC));
    mac.pulls_through_the_proxy();
}

/// A moment of the dialogue: its name, and a test for it in what the console has shown since the start.
type Moment = (&'static str, fn(&str) -> bool);

const MOMENTS: &[Moment] = &[
    ("it logs in", |shown| shown.contains("login: root")),
    ("it has looked at a few things", |shown| frames(shown) >= 4),
    // The script is this long after its first lines.
    ("the script is on its way", |shown| {
        shown.contains(":4:1920;")
    }),
    ("the Engine is stopped", |shown| {
        shown.contains("Processing signal")
    }),
];

/// Counts the answers.
fn frames(shown: &str) -> usize {
    let is_frame = |line: &str| {
        let mut parts = line.split(':');
        let marker = parts.next().unwrap_or_default();
        marker.len() == 25 && marker.starts_with('x') && parts.next().is_some()
    };
    shown.lines().filter(|line| is_frame(line)).count()
}

/// Starts Baleen, interrupts it or the VM at one of [`MOMENTS`], and returns Baleen's result.
#[track_caller]
fn interrupted(
    lab: &Lab,
    mac: &Mac<'_>,
    proxy: &str,
    (what, is_now): Moment,
    interrupt: impl FnOnce(Pid),
) -> Run {
    let (mut command, shown) = mac.baleen(&["apply", "--live", "--yes"], proxy, "");
    let before = mac.console().len();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut baleen = command.spawn().unwrap();
    let pid = Pid::from_child(&baleen);
    while !is_now(mac.console().get(before..).unwrap_or_default()) {
        assert!(
            baleen.try_wait().unwrap().is_none(),
            "it ended before {what}"
        );
        sleep(Duration::from_millis(5));
    }
    interrupt(pid);
    let run = Run::from(baleen.wait_with_output().unwrap());
    lab.say(&format!("{shown}\n({what}) {run}"));
    run
}

fn baleen_killed(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.start();
    let own = script(&mac);
    let mut possible = vec![own];
    for signal in [Signal::TERM, Signal::KILL] {
        if signal == Signal::KILL && !claims_end() {
            break;
        }
        for &moment in MOMENTS {
            // Differs from the proxy in the script, so that there is a change to make.
            let proxy = match script(&mac).contains(IN_THE_VM) {
                true => NOWHERE,
                false => ON_THE_MAC,
            };
            let run = interrupted(lab, &mac, proxy, moment, |pid| {
                kill_process(pid, signal).unwrap();
            });
            match signal {
                Signal::KILL => assert_eq!(run.code, -1, "{run}"),
                _ => {
                    assert_eq!(run.code, 1, "{run}");
                    assert!(run.err.contains("stopped while"), "{run}");
                }
            }
            // The script must be a complete one.
            let now = script(&mac);
            let is_known = possible.contains(&now);
            assert!(is_known || is_of(&possible[0], &now, proxy), "{now}");
            if !is_known {
                possible.push(now);
            }
        }
    }
    follow(&mac, "apply", ON_THE_MAC);
    mac.pulls_through_the_proxy();
    mac.engine_has_now(&both_cases(IN_THE_VM, LOCAL));
    follow(&mac, "restore", "");
    assert_eq!(script(&mac), possible[0]);
}

/// Returns whether `script` is `own` with a complete block after the first line, and the block has `proxy`.
fn is_of(own: &str, script: &str, proxy: &str) -> bool {
    let proxy = proxy.replace("127.0.0.1", "192.168.65.1");
    let (first, rest) = own.split_once('\n').unwrap();
    let block = script
        .strip_prefix(&format!("{first}\n"))
        .and_then(|found| found.strip_suffix(rest))
        .unwrap_or_default();
    block.starts_with("# >>> baleen")
        && block.lines().last().unwrap().starts_with("# <<< baleen")
        && block.contains(&proxy)
}

fn vm_killed(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    let mut in_the_image = Vec::new();
    for (index, proxy) in [(0, ON_THE_MAC), (2, NOWHERE), (3, ON_THE_MAC)] {
        // The image has the proxy of the previous round, which the end of the VM did not affect.
        mac.start();
        mac.engine_has(&in_the_image);
        let qemu = mac.qemu();
        let run = interrupted(lab, &mac, proxy, MOMENTS[index], |_| {
            kill_process(qemu, Signal::KILL).unwrap();
        });
        assert_eq!(run.code, 1, "{run}");
        for words in ["the boot image is done", "in the middle of the work"] {
            assert!(run.err.contains(words), "{run}");
        }
        let started = Instant::now();
        while mac.docker_runs().is_some() {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "Docker runs on"
            );
            mac.reap();
            sleep(Duration::from_millis(20));
        }
        let status = mac.run(&["status", "--verify"], proxy, "");
        assert_eq!(status.code, 0, "{status}");
        assert!(status.out.contains("current"), "{status}");
        mac.quit();
        in_the_image = match proxy {
            ON_THE_MAC => both_cases(IN_THE_VM, LOCAL),
            _ => both_cases(NOWHERE_IN_THE_VM, LOCAL),
        };
    }
}

fn not_running(lab: &Lab) {
    let mac = Mac::new(lab, &stock(1));
    let own = mac.app.bytes();
    for what in ["apply", "restore"] {
        let run = follow(&mac, what, ON_THE_MAC);
        let words = "Docker isn't running; it will";
        assert!(run.out.contains(words), "{run}");
    }
    assert!(mac.app.bytes() == own, "not Docker's own image");
}
