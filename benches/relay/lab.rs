//! Forward proxies side by side on loopback, in one run: tunnels a second, latency, throughput, processor time, memory.
//! `benches/relay.sh` compiles and starts it. Only ratios within one run mean anything.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CALLERS: usize = 8;
const OPEN: usize = 500;
const RULES: usize = 2000;
/// Targets of which the script has not been asked yet, for each round.
const NEW: usize = 100;

/// A proxy that runs.
struct Peer {
    name: &'static str,
    port: u16,
    /// The name by which it knows the server.
    host: &'static str,
    /// The field that opens it, with its line end.
    field: String,
    child: Option<Child>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One round of measurements.
struct Figures {
    tunnels: f64,
    p50: f64,
    p99: f64,
    megabytes: f64,
    cpu: f64,
    idle: f64,
    open: f64,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, port] = &arguments[..]
        && word == "copy"
    {
        return copy_proxy(port.parse().expect("a port"));
    }
    let number = |name: &str, default: usize| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (calls, rounds, megabytes) = (
        number("CALLS", 4000),
        number("ROUNDS", 3),
        number("MB", 1000),
    );
    let origin = origin();
    let folder = env::var("FOLDER").expect("a folder for what the peers write");
    println!(
        "| peer | tunnels/s | p50 µs | p99 µs | MB/s | CPU s/GB | idle MiB | {OPEN} open MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let peers: Vec<Peer> = [copy, tinyproxy, squid, baleen]
        .iter()
        .filter_map(|start| start(Path::new(&folder)))
        .collect();
    let mut all: Vec<Vec<Figures>> = peers.iter().map(|_| Vec::new()).collect();
    // Interleaved, so that what else the computer does meets all of them.
    for _ in 0..rounds {
        for (peer, figures) in peers.iter().zip(&mut all) {
            figures.push(measure(peer, origin, calls, megabytes));
        }
    }
    for (peer, figures) in peers.iter().zip(&all) {
        let median = |value: fn(&Figures) -> f64| middle(figures.iter().map(value).collect());
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} | {:.1} |",
            peer.name,
            median(|it| it.tunnels),
            median(|it| it.p50),
            median(|it| it.p99),
            median(|it| it.megabytes),
            median(|it| it.cpu),
            median(|it| it.idle),
            median(|it| it.open),
        );
    }
    drop(peers);
    by_script(Path::new(&folder), origin, calls / 4, rounds);
    with_login(Path::new(&folder), origin, calls, rounds);
    behind(Path::new(&folder), origin, calls, rounds);
}

/// The name of the origin behind proxies.
const HOST: &str = "origin.corp.example";

/// Prints tunnels a second through a squid that demands a login, which each peer has.
fn with_login(folder: &Path, origin: u16, calls: usize, rounds: usize) -> Option<()> {
    let helper = "/usr/lib/squid/basic_fake_auth";
    let hosts = folder.join("hosts");
    fs::write(&hosts, format!("127.0.0.1 {HOST}\n")).ok()?;
    let rules = format!(
        "hosts_file {}\nauth_param basic program {helper}\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n",
        hosts.display()
    );
    let upstream = squid_with(folder, "upstream", &rules)?;
    let place = format!("127.0.0.1:{}", upstream.port);
    let parent = format!(
        "cache_peer 127.0.0.1 parent {} 0 no-query login=me:s\nnever_direct allow all\nhttp_access allow all\n",
        upstream.port
    );
    let peers = [
        squid_with(folder, "squid", &parent),
        px(folder, &place, ("BASIC", "me", "s")),
        relay(folder, "login", "", &format!("http://me:s@{place}")),
    ];
    println!("\n| behind a squid with a login (Basic) | tunnels/s |\n|---|---|");
    compare(peers, origin, calls, rounds);
    Some(())
}

/// Prints tunnels a second through each proxy that `UPSTREAMS` names, a line each: ADDRESS AUTH USER PASSWORD, where AUTH is
/// px's word for the login. They have to find origin.corp.example at 127.0.0.1.
fn behind(folder: &Path, origin: u16, calls: usize, rounds: usize) -> Option<()> {
    for line in env::var("UPSTREAMS").ok()?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [place, auth, user, password] = words[..] else {
            continue;
        };
        // Negotiate goes by the ticket alone.
        let login = match auth {
            "NEGOTIATE" => String::new(),
            _ => format!("{user}:{password}@"),
        };
        let peers = [
            px(folder, place, (auth, user, password)),
            relay(folder, auth, "", &format!("http://{login}{place}")),
        ];
        println!("\n| behind {auth} | tunnels/s |\n|---|---|");
        compare(peers, origin, calls, rounds);
    }
    Some(())
}

/// Prints the tunnels a second of each peer, to a host that none of them takes for this computer itself.
fn compare<const N: usize>(peers: [Option<Peer>; N], origin: u16, calls: usize, rounds: usize) {
    // No peer sends this computer's own addresses to a proxy.
    let peers = peers.into_iter().flatten();
    let peers: Vec<Peer> = peers
        .map(|mut peer| {
            peer.host = HOST;
            peer
        })
        .collect();
    let mut all: Vec<Vec<f64>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (peer, figures) in peers.iter().zip(&mut all) {
            call(peer, origin);
            figures.push(tunnels(peer, origin, calls));
        }
    }
    for (peer, values) in peers.iter().zip(all) {
        println!("| {} | {:.0} |", peer.name, middle(values));
    }
}

/// Starts px, if `PX` names it.
fn px(folder: &Path, upstream: &str, (auth, user, password): (&str, &str, &str)) -> Option<Peer> {
    let config = folder.join("px.ini");
    fs::write(&config, "").ok()?;
    let port = free_port();
    let mut command = Command::new(env::var_os("PX")?);
    command
        .env("PX_PASSWORD", password)
        .args([&format!("--username={user}"), &format!("--auth={auth}")])
        .arg("--listen=127.0.0.1")
        .arg(format!("--proxy={upstream}"))
        .arg(format!("--port={port}"))
        .arg(format!("--config={}", config.display()));
    peer("px", port, &mut command)
}

/// Prints how long the relay takes for a new tunnel by a PAC script of many rules, none of which fits.
fn by_script(folder: &Path, origin: u16, calls: usize, rounds: usize) -> Option<()> {
    let script = folder.join("rules.pac");
    let rules: String = (0..RULES)
        .map(|rule| {
            format!(
                "if (dnsDomainIs(host, '.d{rule}.corp.example') || shExpMatch(host, '*.s{rule}.example.org')) return 'PROXY 127.0.0.1:9';\n"
            )
        })
        .collect();
    let text = format!("function FindProxyForURL(url, host) {{\n{rules}return 'DIRECT';\n}}\n");
    fs::write(&script, text).ok()?;
    let settings = format!(
        "{DIRECT}<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    let without = relay(folder, "without", DIRECT, "")?;
    let with = relay(folder, "with", &settings, "")?;
    let mut all: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        // Another port is another target.
        let others: Vec<u16> = (0..NEW).map(|_| self::origin()).collect();
        call(&with, origin);
        all[0].push(latency(&without, &[origin], calls).0);
        all[1].push(latency(&with, &[origin], calls).0);
        all[2].push(latency(&with, &others, NEW).0);
    }
    println!("\n| a new tunnel by a PAC script of {RULES} rules | p50 µs |\n|---|---|");
    let names = ["no script", "the answer is known", "the script is asked"];
    for (name, values) in names.iter().zip(all) {
        println!("| {name} | {:.0} |", middle(values));
    }
    Some(())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns p50 and p99 of one caller who takes the targets in turn, in microseconds.
fn latency(peer: &Peer, origins: &[u16], calls: usize) -> (f64, f64) {
    let mut times: Vec<f64> = (0..calls)
        .map(|at| {
            let started = Instant::now();
            call(peer, origins[at % origins.len()]);
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn wait_for(port: u16) {
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nothing listens at {port}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn peer(name: &'static str, port: u16, command: &mut Command) -> Option<Peer> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = child.ok()?;
    wait_for(port);
    Some(Peer {
        name,
        port,
        host: "127.0.0.1",
        field: String::new(),
        child: Some(child),
    })
}

/// The least that a relay can do: two threads a tunnel.
fn copy(_: &Path) -> Option<Peer> {
    let port = free_port();
    let own = env::current_exe().ok()?;
    peer(
        "copy, a thread each way",
        port,
        Command::new(own).args(["copy", &port.to_string()]),
    )
}

fn tinyproxy(folder: &Path) -> Option<Peer> {
    let port = free_port();
    let config = folder.join("tinyproxy.conf");
    let text =
        format!("Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 2000\nLogLevel Critical\n");
    fs::write(&config, text).ok()?;
    peer(
        "tinyproxy",
        port,
        Command::new("tinyproxy").args(["-d", "-c"]).arg(config),
    )
}

fn squid(folder: &Path) -> Option<Peer> {
    squid_with(folder, "squid", "http_access allow all\n")
}

fn squid_with(folder: &Path, name: &'static str, rules: &str) -> Option<Peer> {
    let port = free_port();
    let config = folder.join(format!("{name}.conf"));
    let log = folder.join(format!("{name}.log"));
    let text = format!(
        "http_port 127.0.0.1:{port}\n{rules}cache deny all\naccess_log none\ncache_log {}\npid_filename none\ncoredump_dir /\nmax_filedescriptors 8192\n",
        log.display()
    );
    fs::write(&config, text).ok()?;
    let _ = fs::write(&log, "");
    let _ = Command::new("chmod")
        .arg("-R")
        .arg("a+rwX")
        .arg(folder)
        .status();
    peer(
        name,
        port,
        Command::new("squid").args(["-N", "-f"]).arg(config),
    )
}

/// Settings by which everything on this computer is reached directly.
const DIRECT: &str = "<key>ExceptionsList</key><array><string>127.0.0.1</string></array>";

fn baleen(folder: &Path) -> Option<Peer> {
    relay(folder, "direct", DIRECT, "")
}

/// Starts a relay with a folder of its own, by these system settings or through `proxy`.
fn relay(folder: &Path, name: &str, pairs: &str, proxy: &str) -> Option<Peer> {
    let program = env::var("BALEEN").ok()?;
    let port = free_port();
    let folder = &folder.join(name);
    fs::create_dir(folder).ok()?;
    let settings = folder.join("settings.plist");
    let text = format!("<plist version=\"1.0\"><dict>{pairs}</dict></plist>");
    fs::write(&settings, text).ok()?;
    let command = |more: &[&str]| {
        let mut command = Command::new(&program);
        command
            .env("BALEEN_STATE_DIR", folder)
            .env("BALEEN_CONFIG", folder.join("config.toml"));
        command
            .args(["relay", "--port", &port.to_string()])
            .args(more);
        command
    };
    let printed = command(&["--print-address", "local"]).output().ok()?;
    let address = String::from_utf8(printed.stdout).ok()?;
    let login = address
        .lines()
        .next()?
        .strip_prefix("http://")?
        .split_once('@')?
        .0
        .to_owned();
    let mut started = match proxy {
        "" => command(&["--system-proxies", settings.to_str()?]),
        proxy => command(&["--http-proxy", proxy]),
    };
    let mut peer = peer("baleen relay", port, &mut started)?;
    let login = base64(login.as_bytes());
    peer.field = format!("Proxy-Authorization: Basic {login}\r\n");
    Some(peer)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let all = (0..3).fold(0_u32, |all, at| {
            all << 8 | u32::from(*part.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let sextet = ALPHABET[(all >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= part.len() { sextet.into() } else { '=' });
        }
    }
    text
}

/// A server: `e` gets one byte back, `s` gets bytes until the client has enough.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a server");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.set_nodelay(true);
            thread::spawn(move || -> io::Result<()> {
                let mut word = [0];
                stream.read_exact(&mut word)?;
                if word == *b"s" {
                    let bytes = vec![7; 1 << 18];
                    loop {
                        stream.write_all(&bytes)?;
                    }
                }
                stream.write_all(&word)?;
                let _ = stream.read(&mut word);
                Ok(())
            });
        }
    });
    port
}

/// Opens a tunnel.
fn tunnel(peer: &Peer, origin: u16) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", peer.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let place = format!("{}:{origin}", peer.host);
    write!(
        stream,
        "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{}\r\n",
        peer.field
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    match head.get(9) {
        Some(b'2') => Ok(stream),
        _ => Err(io::Error::other(
            String::from_utf8_lossy(&head).into_owned(),
        )),
    }
}

fn call(peer: &Peer, origin: u16) {
    let mut stream = tunnel(peer, origin).unwrap_or_else(|error| panic!("{}: {error}", peer.name));
    let mut byte = *b"e";
    stream.write_all(&byte).expect("a byte there");
    stream.read_exact(&mut byte).expect("a byte back");
}

/// Returns the number of calls a second.
fn tunnels(peer: &Peer, origin: u16, calls: usize) -> f64 {
    let (left, started) = (AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while left.fetch_add(1, Ordering::Relaxed) < calls {
                    call(peer, origin);
                }
            });
        }
    });
    calls as f64 / started.elapsed().as_secs_f64()
}

fn measure(peer: &Peer, origin: u16, calls: usize, megabytes: usize) -> Figures {
    let pid = peer.child.as_ref().map_or(0, Child::id);
    let idle = memory(pid);
    let tunnels = tunnels(peer, origin, calls);
    let (p50, p99) = latency(peer, &[origin], calls / 4);
    let (cpu, started) = (processor_time(pid), Instant::now());
    let mut stream = tunnel(peer, origin).expect("a tunnel");
    stream.write_all(b"s").expect("a byte");
    let (mut got, mut part) = (0, vec![0; 1 << 18]);
    while got < megabytes * 1_000_000 {
        got += stream.read(&mut part).expect("bytes");
    }
    let (bytes, time) = (got as f64, started.elapsed().as_secs_f64());
    let cpu = processor_time(pid) - cpu;
    drop(stream);
    let held: Vec<TcpStream> = (0..OPEN)
        .map(|_| tunnel(peer, origin).expect("a tunnel"))
        .collect();
    let open = memory(pid);
    drop(held);
    thread::sleep(Duration::from_millis(300));
    Figures {
        tunnels,
        p50,
        p99,
        megabytes: bytes / 1e6 / time,
        cpu: cpu / (bytes / 1e9),
        idle,
        open,
    }
}

/// The memory of a process in MiB, with its share of what others use too.
fn memory(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// The processor time of a process in seconds; the clock has 100 ticks in each.
fn processor_time(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(f64::NAN) + ticks(12).unwrap_or(f64::NAN)) / 100.0
}

/// A proxy that does nothing but copy.
fn copy_proxy(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    while let Ok((mut client, _)) = listener.accept() {
        thread::spawn(move || -> io::Result<()> {
            client.set_nodelay(true)?;
            let mut head = Vec::new();
            let mut part = [0; 4096];
            while !head.ends_with(b"\r\n\r\n") {
                let read = client.read(&mut part)?;
                if read == 0 {
                    return Ok(());
                }
                head.extend_from_slice(&part[..read]);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let place = text.split(' ').nth(1).unwrap_or_default();
            let mut other = TcpStream::connect(place)?;
            other.set_nodelay(true)?;
            client.write_all(b"HTTP/1.1 200 x\r\n\r\n")?;
            let (mut from, mut to) = (client.try_clone()?, other.try_clone()?);
            thread::spawn(move || {
                let _ = pump(&mut from, &mut to);
                to.shutdown(Shutdown::Write)
            });
            let _ = pump(&mut other, &mut client);
            client.shutdown(Shutdown::Write)
        });
    }
}

/// The standard library's own copy would be `splice` on Linux, which macOS does not have.
fn pump(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    let mut part = vec![0; 1 << 16];
    loop {
        match from.read(&mut part)? {
            0 => return Ok(()),
            read => to.write_all(&part[..read])?,
        }
    }
}
