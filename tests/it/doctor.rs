//! `baleen doctor` against real proxies, and against peers that misbehave as a proxy or registry. Nothing leaves
//! loopback.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use baleen::doctor::{NoSocket, Options, Outcome, Settings, Trust, examine};
use baleen::net::HostPort;
use baleen::proxy::translate::Remark;
use baleen::proxy::{ClientDialect, EngineProxy, NoProxy, ProxyOrigin, ProxyUrl, Translation};
use serde_json::{Value, json};

use crate::common::app::{App, Run, mode, set_mode};
use crate::common::failure::diagnostic;
use crate::common::network::{
    Authority, REGISTRY, RealProxy, dead_port, docker_socket, plays, read_head, says, serve,
};
use crate::common::redact::{redacted, unwrapped};
use crate::common::tools;

const IDS: [&str; 13] = [
    "bundle", "family", "writable", "image", "proxy", "name", "tcp", "connect", "tls", "registry",
    "hosts", "engine", "settings",
];

/// A Docker.app, and a network of one computer that is also `proxy.corp`.
struct Lab {
    app: App,
}

impl Lab {
    fn new() -> Self {
        Self::with(App::new())
    }

    fn with(app: App) -> Self {
        let lab = Self { app };
        fs::write(lab.path("hosts"), "127.0.0.1 proxy.corp localhost\n").unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.app.dir.path().join(name)
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        // A proxy that is started as root may switch to another user.
        set_mode(self.app.dir.path(), 0o755);
        path
    }

    fn authority(&self, name: &str) -> Option<Authority> {
        tools::has_tool("openssl")
            .then(|| Authority::new(self.path(name), "/O=Example/CN=Example Inspection CA"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.app.command(&[&["doctor"], arguments].concat());
        command
            .env("BALEEN_HOSTS_FILE", self.path("hosts"))
            .env(
                "DOCKER_HOST",
                format!("unix://{}", self.path("docker.sock").display()),
            )
            .env("SSL_CERT_FILE", self.path("none"))
            .env("SSL_CERT_DIR", self.path("none"));
        command
    }

    /// The command that asks the proxy at `port` for the registry at `registry`.
    fn ask(&self, port: u16, registry: &str) -> Command {
        let mut command = self.command(&["--json", "--registry", registry]);
        command.env("HTTP_PROXY", format!("http://proxy.corp:{port}"));
        command
    }
}

/// The steps of a run with `--json`, and its exit code.
struct Steps {
    code: i32,
    steps: Vec<Value>,
}

impl Steps {
    #[track_caller]
    fn of(command: &mut Command) -> Self {
        let run = Run::of(command);
        assert_eq!(run.err, "", "{run}");
        let object = run.object();
        let steps = object["steps"].as_array().unwrap().clone();
        let ids = steps.iter().map(|step| step["id"].as_str().unwrap());
        // Only today's Docker Desktop has a proxy of its own.
        let ids: Vec<&str> = ids.filter(|id| *id != "docker-proxy").collect();
        assert_eq!(ids, IDS, "{run}");
        Self {
            code: run.code,
            steps,
        }
    }

    fn get(&self, id: &str) -> &Value {
        self.steps.iter().find(|step| step["id"] == id).unwrap()
    }

    /// Asserts the outcome of a step, and that its finding and remedy contain these words.
    #[track_caller]
    fn is(&self, id: &str, outcome: &str, words: &[&str]) {
        let step = self.get(id);
        assert_eq!(step["outcome"], outcome, "{step:#}");
        let text = format!(
            "{}\n{}",
            step["found"].as_str().unwrap(),
            step["remedy"].as_str().unwrap_or_default()
        );
        for word in words {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
        // A bad outcome has a remedy.
        assert!(outcome != "bad" || step["remedy"].is_string(), "{step:#}");
    }

    /// Asserts that the steps behind `id` up to the engine were not tried.
    #[track_caller]
    fn stops_at(&self, id: &str) {
        assert_eq!(self.code, 3);
        let at = IDS.iter().position(|i| *i == id).unwrap();
        for later in IDS[at + 1..].iter().take_while(|id| **id != "engine") {
            self.is(later, "skipped", &["an earlier step failed"]);
        }
    }
}

/// The app shows what its own run of the doctor prints, and its users have a menu.
#[test]
fn the_menu_names_no_command_and_no_option() {
    let lab = Lab::new();
    let unreachable = ["--json", "--registry", "registry.example"];
    let proxy = format!("http://proxy.corp:{}", dead_port());
    for (says, proxy) in [("`baleen ", &*proxy), ("--https-proxy", "")] {
        let words = |face: &[&str]| {
            let mut command = lab.command(&[&unreachable[..], face].concat());
            if !proxy.is_empty() {
                command.env("HTTP_PROXY", proxy);
            }
            let run = Run::of(&mut command);
            assert_eq!(run.code, 3, "{run}");
            run.out
        };
        // Otherwise, there would be nothing to put into other words.
        let object = words(&[]);
        assert!(object.contains(says), "{object}");
        let object = words(&["--for-menu"]);
        for word in ["`baleen ", " --", "BALEEN_"] {
            assert!(!object.contains(word), "{object}");
        }
    }
}

#[test]
fn all_is_well_through_tinyproxy() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    if !tools::has_tool("tinyproxy") {
        return;
    }
    let registry = authority
        .identity("DNS:localhost,IP:127.0.0.1", 2099)
        .serve(REGISTRY);
    let proxy = RealProxy::tinyproxy(&lab.folder("tinyproxy"), None, registry);
    let url = format!("http://proxy.corp:{}", proxy.port);
    lab.app.apply(&url);
    docker_socket(
        &lab.path("docker.sock"),
        &json!({
            "ServerVersion": "1.11.1", "OperatingSystem": "Alpine Linux v3.3",
            "HttpProxy": url, "HttpsProxy": url, "NoProxy": "localhost,127.0.0.1",
        })
        .to_string(),
    );
    if tools::has_tool("python3") {
        let target = format!("localhost:{registry}");
        let mut command = lab.command(&["--html", "-", "--registry", &target]);
        command.env("HTTP_PROXY", &url).env("TZ", "UTC");
        command.env("SSL_CERT_FILE", authority.certificate());
        let run = Run::of(&mut command);
        assert_eq!((run.code, &*run.err), (0, ""), "{run}");
        let page = run.out.replace(&proxy.port.to_string(), "[port]");
        let page = page.replace(&registry.to_string(), "[registry port]");
        insta::assert_snapshot!("a_page_without_problems", body(&page, &lab));
    }
    for host in ["localhost", "127.0.0.1"] {
        let target = format!("{host}:{registry}");
        let steps = Steps::of(
            lab.ask(proxy.port, &target)
                .env("SSL_CERT_FILE", authority.certificate()),
        );
        for id in [
            "bundle", "family", "writable", "image", "proxy", "name", "tcp", "connect",
        ] {
            steps.is(id, "good", &[]);
        }
        steps.is("bundle", "good", &["1.11.1-beta12"]);
        steps.is("name", "good", &["127.0.0.1"]);
        assert_eq!(steps.get("connect")["facts"]["status"], 200);
        // This computer knows the authority, which is none of the public ones.
        steps.is(
            "tls",
            "warning",
            &[
                "this computer trusts it",
                "Example Inspection CA",
                "restart Docker",
                &format!("~/.docker/certs.d/{target}/ca.crt"),
            ],
        );
        let facts = &steps.get("tls")["facts"];
        assert_eq!(
            (&facts["public"], &facts["trusted_here"]),
            (&json!(false), &json!(true))
        );
        steps.is("registry", "good", &["401"]);
        steps.is("engine", "good", &["Docker 1.11.1", &url]);
        assert_eq!(steps.code, 0);
        proxy.saw(&format!("CONNECT {target} HTTP/1.1"));
    }
}

/// Only a test's own authority could be in the engine's list, so the test calls the library.
#[test]
fn a_public_certificate_is_good() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    let port = authority.identity("IP:127.0.0.1", 2099).serve(REGISTRY);
    let open = authority
        .identity("IP:127.0.0.1", 2099)
        .inspect("HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n{}");
    let trust = Trust {
        public: authority.roots(),
        computer: rustls::RootCertStore::empty(),
    };
    let registry = HostPort {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let nowhere = diagnostic("nowhere", None, None);
    let inspecting = ProxyUrl::parse(&format!("127.0.0.1:{open}")).unwrap();
    for proxy in [None, Some(&inspecting)] {
        let translation = Translation {
            is_plain_system: false,
            proxy: EngineProxy::new(None, proxy.cloned(), NoProxy::default()),
            host_proxy: proxy.cloned(),
            entries: Vec::new(),
            remarks: vec![Remark::HttpsDirect],
            explanations: Vec::new(),
            pac_unreachable: None,
        };
        let question = Options {
            state: std::path::Path::new("/nonexistent"),
            backend: Err(&nowhere),
            intent: None,
            expected: baleen::desired::Expected::Unknown,
            settings: Settings {
                origin: Some(&ProxyOrigin::Environment),
                translation: Ok(&translation),
                named: false,
                by_option: false,
                by_script: false,
                host_address: None,
                listed: (&[], &[]),
            },
            in_place: None,
            engine: &ClientDialect::of("", true),
            here: &|_| None,
            registry: &registry,
            docker_socket: Err(NoSocket::NotFound),
            trust: &trust,
            patience: Duration::from_secs(10),
        };
        let mut told = Vec::new();
        let report = examine(&question, &mut |step| told.push(step.id()));
        assert_eq!(told, IDS);
        let step = |id: &str| report.steps.iter().find(|step| step.id() == id).unwrap();
        // Only one from a public authority is good.
        assert_eq!(step("tls").outcome(), Outcome::Good, "{:?}", step("tls"));
        assert_eq!(step("registry").outcome(), Outcome::Good);
        // That of the remark.
        assert_eq!(step("proxy").outcome(), Outcome::Warning);
        let tunnel = if proxy.is_some() {
            Outcome::Good
        } else {
            Outcome::Skipped
        };
        assert_eq!(step("connect").outcome(), tunnel);
        assert_eq!(report.count(Outcome::Bad), 1, "{report:?}");
    }
}

#[test]
fn without_a_proxy_the_registry_is_tried_directly() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    let registry = authority.identity("DNS:localhost", 2099).serve(REGISTRY);
    let steps = Steps::of(
        lab.command(&["--json", "--registry", &format!("localhost:{registry}")])
            .env("SSL_CERT_FILE", authority.certificate()),
    );
    steps.is("proxy", "good", &["directly"]);
    steps.is("image", "good", &["off"]);
    steps.is("connect", "skipped", &["no proxy"]);
    steps.is(
        "tls",
        "warning",
        &["the registry has an authority of its own"],
    );
    steps.is("registry", "good", &[]);
    steps.is("engine", "skipped", &["Docker isn't running"]);
    assert_eq!(steps.code, 0);

    let steps = Steps::of(&mut lab.command(&[
        "--json",
        "--registry",
        &format!("localhost:{}", dead_port()),
    ]));
    steps.is("tcp", "bad", &["refused", "through a proxy"]);
    steps.stops_at("tcp");

    // A patch that the settings no longer ask for is reported.
    let mut apply = lab.app.command(&["apply"]);
    assert_eq!(
        Run::of(apply.env("HTTP_PROXY", "http://proxy.corp:1")).code,
        0
    );
    let ask = || Steps::of(&mut lab.command(&["--json", "--registry", "localhost:1"]));
    ask().is(
        "image",
        "bad",
        &[
            "stale",
            "no proxy is set in the environment",
            "baleen apply",
        ],
    );

    // A proxy named by hand is right, although this computer's settings don't have it.
    lab.app.apply("http://proxy.corp:2");
    let steps = ask();
    steps.is("image", "good", &["current"]);
    steps.is(
        "proxy",
        "good",
        &["http://proxy.corp:2", "which Docker has"],
    );
    steps.is("tcp", "bad", &["refused"]);
    steps.stops_at("tcp");
    steps.is(
        "settings",
        "warning",
        &[
            "the environment names no proxy",
            "named by hand",
            "baleen apply --follow-settings",
        ],
    );
}

#[test]
fn logins_at_tinyproxy_and_squid() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    let registry = authority.identity("IP:127.0.0.1", 2099).serve(REGISTRY);
    let target = format!("127.0.0.1:{registry}");
    let login = Some(("jane", "s3cret-of-jane"));
    let mut proxies = Vec::new();
    if tools::has_tool("tinyproxy") {
        proxies.push((
            "tinyproxy",
            RealProxy::tinyproxy(&lab.folder("tinyproxy"), login, registry),
        ));
    }
    if tools::has_tool("squid") {
        proxies.push(("squid", RealProxy::squid(&lab.folder("squid"), login, true)));
    }
    for (name, proxy) in &proxies {
        let with = |credentials: &str| {
            let url = format!("http://{credentials}proxy.corp:{}", proxy.port);
            Steps::of(lab.ask(proxy.port, &target).env("HTTP_PROXY", url))
        };
        let right = with("jane:s3cret-of-jane@");
        right.is("connect", "good", &[]);
        right.is("registry", "good", &["401"]);
        for (credentials, words) in [
            (
                "",
                &[
                    "407",
                    "Basic",
                    "user and password",
                    "baleen credentials set",
                ][..],
            ),
            ("jane@", &["only the user 'jane' is set"]),
            ("jane:wr0ng@", &["this password of user 'jane'"]),
        ] {
            let steps = with(credentials);
            steps.is("connect", "bad", words);
            steps.stops_at("connect");
        }
        proxy.saw(&format!("CONNECT {target}"));
        if *name == "squid" {
            proxy.saw("TCP_TUNNEL/200");
            proxy.saw(&format!("CONNECT {target} jane"));
            proxy.saw("TCP_DENIED/407");
        }
    }
}

#[test]
fn real_proxies_that_forbid_or_can_not_reach_the_registry() {
    let lab = Lab::new();
    if !tools::has_tool("tinyproxy") || !tools::has_tool("squid") {
        return;
    }
    let tinyproxy = RealProxy::tinyproxy(&lab.folder("tinyproxy"), None, 443);
    let steps = Steps::of(&mut lab.ask(tinyproxy.port, "127.0.0.1:5000"));
    steps.is(
        "connect",
        "bad",
        &[
            "forbids",
            "403",
            "allow CONNECT to 127.0.0.1:5000",
            "port 443 only",
        ],
    );
    steps.stops_at("connect");

    let squid = RealProxy::squid(&lab.folder("squid"), None, false);
    let steps = Steps::of(&mut lab.ask(squid.port, "127.0.0.1:443"));
    steps.is(
        "connect",
        "bad",
        &[
            "forbids",
            "403 Forbidden",
            "ERROR: The requested URL could not be retrieved",
        ],
    );
    squid.saw("TCP_DENIED/403");

    let dead = dead_port();
    let open = RealProxy::squid(&lab.folder("squid-open"), None, true);
    let steps = Steps::of(&mut lab.ask(open.port, &format!("127.0.0.1:{dead}")));
    steps.is("connect", "bad", &["could not reach", "503"]);
    let tinyproxy = RealProxy::tinyproxy(&lab.folder("tinyproxy-open"), None, dead);
    let steps = Steps::of(&mut lab.ask(tinyproxy.port, &format!("127.0.0.1:{dead}")));
    steps.is("connect", "bad", &["could not reach", "500"]);
}

#[test]
fn what_a_proxy_may_say_instead_of_opening_the_tunnel() {
    let lab = Lab::new();
    let login = |schemes: &str| {
        format!(
            "HTTP/1.1 407 Proxy Authentication Required\r\n{schemes}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (answer, words) in [
        (
            login("Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate"),
            &[
                "takes NTLM, Negotiate only",
                "knows Basic and nothing else",
                "`baleen config set relay on`",
            ][..],
        ),
        (
            login("Proxy-Authenticate: Digest realm=\"x, y\", nonce=\"z\""),
            &["takes Digest only", "`baleen config set relay on`"],
        ),
        (
            login("Proxy-Authenticate: Negotiate, Basic realm=\"x\""),
            &["user and password", "Negotiate, Basic"],
        ),
        (
            "HTTP/1.1 403 Blocked\r\n\r\n<html><title>Not  for you</title>".into(),
            &["403 Blocked", "\"Not for you\""],
        ),
        (
            "HTTP/1.0 302 Found\r\nLocation: http://login.corp/?a\r\n\r\n".into(),
            &["sends us to http://login.corp/?a", "browser"],
        ),
        (
            "HTTP/1.1 405 Method Not Allowed\r\n\r\n".into(),
            &["does not open tunnels", "web server"],
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n".into(),
            &[
                "can't reach anything",
                "the registry's name is not the reason",
            ],
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
            &["should answer 200", "204 No Content"],
        ),
        (
            "SSH-2.0-OpenSSH_9.2p1\r\n".into(),
            &["no HTTP proxy", "SSH-2.0-OpenSSH_9.2p1", "port"],
        ),
        ("\x15\x03\x01\0\x02\x02\x46".into(), &["speaks TLS"]),
        ("\x1b[31mevil\x07".into(), &["it says \"[31mevil\""]),
        (
            String::new(),
            &["closed without an answer", "neither SOCKS nor TLS"],
        ),
        ("HTTP/1.1 200 Conn".into(), &["in the middle of the answer"]),
        (
            format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(100_000)),
            &["longer than"],
        ),
    ] {
        let steps = Steps::of(&mut lab.ask(says(answer), "localhost:443"));
        steps.is("connect", "bad", words);
        steps.stops_at("connect");
    }
    // A SOCKS or other server that closes before it has read anything.
    let steps = Steps::of(&mut lab.ask(serve(drop), "localhost:443"));
    steps.is("connect", "bad", &["closed without an answer"]);
}

#[test]
fn a_proxy_that_is_not_there() {
    let lab = Lab::new();
    let steps = Steps::of(&mut lab.ask(dead_port(), "localhost:443"));
    steps.is(
        "tcp",
        "bad",
        &[
            "refused",
            "start the proxy that should run on this computer",
        ],
    );
    steps.stops_at("tcp");

    let steps = Steps::of(
        lab.ask(1, "localhost:443")
            .env("HTTP_PROXY", "http://nowhere.corp:1"),
    );
    steps.is("name", "bad", &["can't resolve it", "VPN"]);
    steps.stops_at("name");

    // The system itself refuses to connect to the address of all; so Linux calls it.
    if cfg!(target_os = "linux") {
        fs::write(lab.path("hosts"), "255.255.255.255 proxy.corp\n").unwrap();
        let steps = Steps::of(&mut lab.ask(1, "localhost:443"));
        steps.is("tcp", "bad", &["network unreachable"]);
    }

    let steps = Steps::of(
        lab.ask(1, "localhost:443")
            .env("HTTP_PROXY", "ftp://me:s3cret@proxy.corp"),
    );
    steps.is(
        "proxy",
        "bad",
        &["environment variable HTTP_PROXY", "ftp", "http://HOST:PORT"],
    );
    steps.stops_at("proxy");
    let slip = lab
        .command(&["--https-proxy", "ftp://p:1"])
        .output()
        .unwrap();
    assert_eq!(slip.status.code(), Some(2));
}

#[test]
fn proxies_that_never_answer() {
    let lab = Lab::new();
    let patient = |port| {
        let mut command = lab.ask(port, "localhost:443");
        command.args(["--timeout", "1"]);
        Steps::of(&mut command)
    };
    // The proxy accepts the connection and never answers.
    let silent = serve(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_secs(30));
    });
    let steps = patient(silent);
    steps.is("tcp", "good", &[]);
    steps.is(
        "connect",
        "bad",
        &["the connection was taken", "no answer within 1 s"],
    );
    steps.stops_at("connect");

    // The proxy opens the tunnel and then never answers.
    let hole = serve(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    let steps = patient(hole);
    steps.is(
        "tls",
        "bad",
        &["the proxy opened the tunnel, but", "no answer within 1 s"],
    );
    steps.stops_at("tls");

    // The queue of connections is full, so the system makes further ones wait.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let place = full.local_addr().unwrap();
    let mut callers = Vec::new();
    while let Ok(caller) = TcpStream::connect_timeout(&place, Duration::from_millis(300)) {
        callers.push(caller);
    }
    let steps = patient(place.port());
    steps.is("tcp", "bad", &["no answer within 1 s"]);
    assert_eq!(steps.get("tcp")["facts"]["failed"][0]["error"], "timeout");
    steps.stops_at("tcp");
}

#[test]
fn a_proxy_that_inspects_tls() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    let hub = "registry-1.docker.io";
    let inspecting = authority
        .identity(&format!("DNS:{hub}"), 2099)
        .inspect(REGISTRY);
    let steps = Steps::of(&mut lab.ask(inspecting, hub));
    steps.is(
        "tls",
        "bad",
        &[
            "the proxy inspects TLS",
            "this computer does not trust it either",
            "CN=Example Inspection CA",
            "CN=registry.example",
            "security add-trusted-cert",
            "restart Docker",
            "For Docker Hub the engine does not look into certs.d",
        ],
    );
    // The step behind it can still be checked.
    steps.is("registry", "good", &[]);
    assert_eq!(steps.code, 3);
    let steps = Steps::of(
        lab.ask(inspecting, hub)
            .env("SSL_CERT_FILE", authority.certificate()),
    );
    steps.is("tls", "warning", &["this computer trusts it"]);

    let steps = Steps::of(&mut lab.ask(inspecting, "registry.corp"));
    steps.is(
        "tls",
        "bad",
        &[
            "~/.docker/certs.d/registry.corp/ca.crt",
            "/etc/docker/certs.d/registry.corp/ca.crt",
        ],
    );
}

#[test]
fn certificates_that_no_one_should_accept() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    for (names, until, words) in [
        (
            "DNS:localhost",
            2021,
            &["expired", "2021-01-01", "this computer's date"][..],
        ),
        (
            "DNS:portal.example",
            2099,
            &["not for localhost, but for", "portal.example"],
        ),
    ] {
        let port = authority.identity(names, until).serve(REGISTRY);
        let steps = Steps::of(
            lab.command(&["--json", "--registry", &format!("localhost:{port}")])
                .env("SSL_CERT_FILE", authority.certificate()),
        );
        steps.is("tls", "bad", words);
        assert_eq!(steps.code, 3);
    }
    let plain = serve(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let closing = serve(drop);
    for (port, words) in [
        (plain, &["doesn't speak TLS"][..]),
        (closing, &["closed as soon as TLS began"]),
    ] {
        let steps =
            Steps::of(&mut lab.command(&["--json", "--registry", &format!("localhost:{port}")]));
        steps.is("tls", "bad", words);
        steps.stops_at("tls");
    }
}

#[test]
fn what_is_no_registry() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    for (answer, outcome, words) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><head><title>Hotel Wi-Fi</title>",
            "bad",
            &["no registry, but a page", "\"Hotel Wi-Fi\"", "browser"][..],
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://login.hotel/\r\n\r\n",
            "bad",
            &["https://login.hotel/", "login page"],
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=x\r\n\r\n",
            "warning",
            &["Docker-Distribution-Api-Version is missing"],
        ),
        (
            "HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n{}",
            "good",
            &["open to all"],
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "bad",
            &["404 Not Found", "registry's name"],
        ),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "bad", &["forbidden"]),
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "bad",
            &["503", "later"],
        ),
        ("", "bad", &["no answer", "closed without"]),
        ("ICY 200\r\n", "bad", &["no answer", "not HTTP"]),
    ] {
        let port = authority.identity("DNS:localhost", 2099).inspect(answer);
        let steps = Steps::of(
            lab.ask(port, "localhost:443")
                .env("SSL_CERT_FILE", authority.certificate()),
        );
        steps.is("registry", outcome, words);
    }
}

#[test]
fn the_running_engine_is_compared_with_the_image() {
    let lab = Lab::new();
    let info = |http: &str, no_proxy: &str| {
        json!({
            "ServerVersion": "1.11.1", "OperatingSystem": "Alpine Linux v3.3",
            "HttpProxy": http, "HttpsProxy": http, "NoProxy": no_proxy,
        })
        .to_string()
    };
    let ask = |name: &str| {
        let socket = format!("unix://{}", lab.path(name).display());
        Steps::of(
            lab.ask(dead_port(), "localhost:443")
                .env("DOCKER_HOST", socket),
        )
    };
    let longest: Vec<String> = (0..60).map(|n| format!("host{n}.corp")).collect();
    let listed = format!("localhost,127.0.0.1,{}", longest.join(","));
    docker_socket(
        &lab.path("old.sock"),
        &info("http://old.corp:3128", &listed),
    );
    docker_socket(
        &lab.path("new.sock"),
        &info("http://jane:s3cret@proxy.corp:8080", &listed),
    );
    docker_socket(&lab.path("none.sock"), &info("", ""));
    docker_socket(&lab.path("odd.sock"), "[]");

    ask("none.sock").is("engine", "good", &["uses no proxy"]);
    ask("old.sock").is(
        "engine",
        "warning",
        &["http://old.corp:3128", "not in the boot image"],
    );
    lab.app.ok(&[
        "apply",
        "--http-proxy",
        "http://jane:s3cret@proxy.corp:8080",
        "--no-proxy",
        &longest.join(","),
    ]);
    ask("new.sock").is(
        "engine",
        "good",
        &[
            "uses what the boot image holds",
            "http://jane:***@proxy.corp:8080",
        ],
    );
    ask("old.sock").is(
        "engine",
        "bad",
        &[
            "http://old.corp:3128",
            "the boot image has http://jane:***@proxy.corp:8080",
            "restart Docker",
        ],
    );
    ask("none.sock").is("engine", "bad", &["uses no proxy", "restart Docker"]);
    ask("odd.sock").is("engine", "bad", &["JSON", "restart Docker"]);
    fs::write(lab.path("file.sock"), "").unwrap();
    ask("file.sock").is("engine", "skipped", &["Docker isn't running"]);
    let elsewhere = Steps::of(
        lab.ask(1, "localhost:443")
            .env("DOCKER_HOST", "tcp://10.0.0.1:2375"),
    );
    elsewhere.is("engine", "skipped", &["another engine"]);

    // The settings removed the proxy while the engine still runs with it.
    for proxy in ["http://proxy.corp:8080", ""] {
        let run = Run::of(lab.app.command(&["apply"]).env("HTTP_PROXY", proxy));
        assert_eq!(run.code, 0, "{run}");
    }
    let mut command = lab.command(&["--json", "--registry", "localhost:1"]);
    command.env(
        "DOCKER_HOST",
        format!("unix://{}", lab.path("old.sock").display()),
    );
    let steps = Steps::of(&mut command);
    steps.is("image", "good", &["direct"]);
    steps.is(
        "engine",
        "warning",
        &["not in the boot image", "restart Docker"],
    );

    // A socket that accepts the connection and never answers.
    let _hung = std::os::unix::net::UnixListener::bind(lab.path("hung.sock")).unwrap();
    let mut command = lab.ask(1, "localhost:443");
    command.args(["--timeout", "1"]).env(
        "DOCKER_HOST",
        format!("unix://{}", lab.path("hung.sock").display()),
    );
    Steps::of(&mut command).is("engine", "bad", &["no answer within 1 s", "restart Docker"]);
}

#[test]
fn docker_apps_that_can_not_be_patched() {
    let lab = Lab::new();
    let ask = || {
        let mut command = lab.ask(1, "localhost:443");
        Steps::of(&mut command)
    };
    ask().is("image", "bad", &["off", "baleen apply"]);
    // The settings name no proxy, so `apply` alone would do nothing.
    let mut named = lab.command(&["--json", "--http-proxy", "http://proxy.corp:1"]);
    Steps::of(&mut named).is("image", "bad", &["`baleen apply` with the same options"]);
    let mut other = lab.app.command(&["apply"]);
    let other = Run::of(other.env("HTTPS_PROXY", "http://other.corp:1"));
    assert_eq!(other.code, 0, "{other}");
    ask().is(
        "image",
        "bad",
        &["stale", "run `baleen apply` to bring it up to date"],
    );
    // What was taken out on purpose is no problem.
    lab.app.ok(&["restore"]);
    ask().is("image", "warning", &["off", "run `baleen apply` to set"]);
    let mut other = lab.app.command(&["apply"]);
    Run::of(other.env("HTTPS_PROXY", "http://other.corp:1"));
    lab.app.install("1.12.0", "1");
    ask().is("image", "bad", &["wiped", "baleen apply"]);

    set_mode(&lab.app.moby(), 0o555);
    set_mode(lab.app.dir.path(), 0o755);
    let before = lab.app.snapshot();
    let mut command = lab.ask(1, "localhost:443");
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    Steps::of(&mut command).is("writable", "bad", &["Permission denied", "ls -l"]);
    before.is_still(&lab.app.snapshot());
    set_mode(&lab.app.moby(), 0o755);
    // With write access, the rehearsal leaves nothing but the folder's new time.
    let before = lab.app.snapshot();
    ask().is("writable", "good", &[]);
    before.is_still(&lab.app.snapshot());
    let held = fs::File::open(lab.app.moby()).unwrap();
    held.lock().unwrap();
    ask().is("writable", "warning", &["another Baleen is at work"]);
    drop(held);

    fs::remove_dir_all(lab.app.moby()).unwrap();
    fs::create_dir_all(lab.app.resources().join("linuxkit")).unwrap();
    for file in ["boot.img", "kernel"] {
        fs::write(lab.app.resources().join("linuxkit").join(file), "").unwrap();
    }
    let steps = ask();
    steps.is("family", "good", &["Docker Desktop"]);
    steps.is("writable", "bad", &["never started"]);
    // The same once more would not help.
    steps.is("image", "skipped", &["an earlier step failed"]);
    assert_eq!(steps.get("image")["title"], "Docker's settings");
    steps.is("docker-proxy", "skipped", &["Docker isn't running"]);

    fs::remove_dir_all(lab.app.app()).unwrap();
    let steps = ask();
    steps.is("bundle", "bad", &["there is no Docker.app at"]);
    steps.is("family", "skipped", &[]);
}

#[test]
fn a_person_reads_marks_and_remedies() {
    let lab = Lab::new();
    let port = dead_port();
    let mut command = lab.command(&["--https-proxy", &format!("proxy.corp:{port}")]);
    let run = Run::of(&mut command);
    assert_eq!((run.code, &*run.err), (3, ""), "{run}");
    let out = run.out.replace(&port.to_string(), "[port]");
    insta::assert_snapshot!(redacted(&unwrapped(&out)));
    // In a pipe, each sentence is one line.
    let connection = run.out.lines().find(|line| line.contains("Connection"));
    let connection = connection.unwrap();
    assert!(connection.len() > 100, "{connection}");
    assert!(connection.ends_with("on that port)"), "{connection}");
    let run = Run::of(command.env("LC_ALL", "C"));
    assert!(run.out.is_ascii(), "{run}");
    let out = run.out.replace(&port.to_string(), "[port]");
    insta::assert_snapshot!("a_person_reads_marks_in_ascii", redacted(&unwrapped(&out)));
}

#[test]
fn a_report_is_for_its_owner_and_replaces_nothing() {
    let lab = Lab::new();
    let home = lab.path("home");
    fs::create_dir_all(&home).unwrap();
    fs::rename(lab.app.app(), home.join("Docker.app")).unwrap();
    let report = lab.path("report.md");
    let asking = says("HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\n\r\n");
    let ask = || {
        let mut command = lab.command(&["--report", report.to_str().unwrap()]);
        command
            .env("BALEEN_DOCKER_APP", home.join("Docker.app"))
            .env("USER", "jane")
            .env(
                "HTTP_PROXY",
                format!("http://jane:s3cret@proxy.corp:{asking}"),
            );
        command
    };
    let run = Run::of(&mut ask());
    assert_eq!(run.code, 3, "{run}");
    assert!(run.out.contains(report.to_str().unwrap()), "{run}");
    assert_eq!(mode(&report), 0o600);
    let text = fs::read_to_string(&report).unwrap();
    // The system that the test runs on is not the same everywhere.
    let shown = |text: &str| {
        let text = text.replace(&asking.to_string(), "[port]");
        let lines = text
            .lines()
            .map(|line| match line.starts_with("- system: ") {
                true => "- system: [system]",
                false => line,
            });
        redacted(&lines.collect::<Vec<_>>().join("\n"))
    };
    let first = shown(&text);
    for name in ["jane", "s3cret", home.to_str().unwrap()] {
        assert!(!text.contains(name), "{name} in: {text}");
    }
    Run::of(&mut ask()).is_refusal(2, &[report.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&report).unwrap(), text);

    // Nor in a comment.
    fs::remove_file(&report).unwrap();
    let url = format!("http://CORP%5Cannabel@proxy.corp:{asking}");
    Run::of(ask().env("HTTP_PROXY", url));
    let text = fs::read_to_string(&report).unwrap();
    assert!(!text.contains("annabel"), "{text}");
    insta::assert_snapshot!(format!("{first}\n\n{}", shown(&text)));
}

/// Returns what a reader sees of a page, after a strict check of all of it where there is a tool for that.
fn body(page: &str, lab: &Lab) -> String {
    if tools::has_tool("python3") {
        let path = lab.path("checked.html");
        fs::write(&path, page).unwrap();
        let mut parse = Command::new("python3");
        parse.arg("-c").arg(
            "import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); \
             ids = [e.getAttribute('id') for e in d.getElementsByTagName('*') if e.hasAttribute('id')]; \
             assert len(ids) == len(set(ids)), ids",
        );
        let output = parse.arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{page}");
    }
    let (head, body) = page.split_once("<body>").unwrap();
    assert!(head.contains("default-src 'none'; style-src 'sha256-"));
    let shown = body.lines().map(|line| {
        let rest = line.strip_prefix("<dt>system</dt>");
        match rest {
            Some(_) => "<dt>system</dt><dd>[system]</dd>".to_owned(),
            None => {
                let drawings = regex::Regex::new("<svg .*?</svg>").unwrap();
                drawings.replace_all(line, "[mark]").into_owned()
            }
        }
    });
    let shown = shown.collect::<Vec<_>>().join("\n");
    // What a compressor makes of the same bytes.
    let bytes = regex::Regex::new("bytes</dt><dd>[0-9]+<").unwrap();
    let shown = bytes.replace_all(&shown, "bytes</dt><dd>[n]<");
    let version = format!("<dd>{}</dd>", env!("CARGO_PKG_VERSION"));
    redacted(&shown.replace(&version, "<dd>[version]</dd>"))
}

#[test]
fn a_page_shows_where_the_way_ends() {
    let lab = Lab::new();
    let port = dead_port();
    let page = lab.path("page.html");
    let ask = |arguments: &[&str]| {
        let mut command = lab.command(arguments);
        command.env("TZ", "UTC").env("USER", "jane");
        command.env(
            "HTTP_PROXY",
            format!("http://jane:s3cret@proxy.corp:{port}"),
        );
        command
    };
    let shown = |text: &str| body(&text.replace(&port.to_string(), "[port]"), &lab);
    let run = Run::of(&mut ask(&["--html", page.to_str().unwrap()]));
    assert_eq!(run.code, 3, "{run}");
    assert!(run.out.contains(page.to_str().unwrap()), "{run}");
    assert_eq!(mode(&page), 0o600);
    let text = fs::read_to_string(&page).unwrap();
    for name in ["jane", "s3cret"] {
        assert!(!text.contains(name), "{name} in: {text}");
    }
    insta::assert_snapshot!("a_page_with_a_failing_step", shown(&text));

    // Standard output has the page and nothing else.
    let run = Run::of(&mut ask(&["--html", "-"]));
    assert_eq!((run.code, &*run.err), (3, ""), "{run}");
    assert_eq!(shown(&run.out), shown(&text));
    let run = Run::of(&mut ask(&["--json", "--html", page.to_str().unwrap()]));
    assert_eq!(run.object()["html"], page.to_str().unwrap());

    fs::remove_dir_all(lab.app.app()).unwrap();
    let run = Run::of(&mut ask(&["--html", "-"]));
    assert_eq!(run.code, 3, "{run}");
    insta::assert_snapshot!("a_page_without_docker", shown(&run.out));
}

#[test]
fn a_page_is_replaced_as_a_whole_or_not_at_all() {
    let lab = Lab::new();
    let ask = |path: &str| {
        let mut command = lab.command(&["--registry", "localhost:1", "--html", path]);
        command.current_dir(lab.app.dir.path());
        Run::of(&mut command)
    };
    let (page, link) = (lab.path("page.html"), lab.path("link.html"));
    fs::write(&page, "old").unwrap();
    set_mode(&page, 0o644);
    std::os::unix::fs::symlink("page.html", &link).unwrap();
    assert_eq!(ask("link.html").code, 3);
    assert!(link.is_symlink());
    assert_eq!(mode(&page), 0o600);
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.ends_with("</html>\n"), "{text}");
    assert_eq!(ask("new.html").code, 3);

    std::os::unix::fs::symlink("nowhere", lab.path("broken")).unwrap();
    let fifo = lab.path("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for (path, says) in [
        (".", "it is a folder"),
        ("fifo", "it is something else"),
        ("broken", "a link that leads nowhere"),
        ("missing/page.html", "there is no folder missing"),
    ] {
        ask(path).is_refusal(2, &[says]);
    }
    for arguments in [&["--json", "--html", "-"], &["-q", "--html", "-"]] {
        let both = Run::of(&mut lab.command(arguments));
        assert_eq!(both.code, 2, "{both}");
        assert!(
            both.err.contains("cannot be used with '--html -'"),
            "{both}"
        );
    }
    // It is the file to which the steps are printed.
    let own = lab.path("own.txt");
    for path in ["/dev/stdout", "/dev/stderr", "own.txt"] {
        let file = fs::File::create(&own).unwrap();
        let mut command = lab.command(&["--html", path]);
        command.current_dir(lab.app.dir.path());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        assert_eq!(Run::of(&mut command).code, 2);
        let text = fs::read_to_string(&own).unwrap();
        assert!(text.contains("it is this program's own output"), "{text}");
    }
    let run = Run::of(
        lab.command(&["--report", "-"])
            .current_dir(lab.app.dir.path()),
    );
    run.is_refusal(2, &["the report goes into a file"]);
    assert!(!lab.path("-").exists());
    // The page would replace the report that was just written, also by another path to it.
    fs::create_dir(lab.path("folder")).unwrap();
    for report in ["twice", "./twice", "folder/../twice"] {
        let mut command = lab.command(&["--report", report, "--html", "twice"]);
        let run = Run::of(command.current_dir(lab.app.dir.path()));
        run.is_refusal(2, &["both the report and the page"]);
        assert!(!lab.path("twice").exists());
    }
    let left = fs::read_dir(lab.app.dir.path()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name());
    for name in names {
        assert!(!name.to_str().unwrap().starts_with(".baleen-"), "{name:?}");
    }
    assert_eq!(fs::read_to_string(&page).unwrap(), text);
}

/// Searches all output and all files for a password, raw, percent-encoded and as Basic authentication sends it, while
/// each peer sends back what it was sent.
#[test]
fn a_planted_password_is_nowhere() {
    const PASSWORD: &str = "pl4nted %n33dle";
    const TRACES: [&str; 4] = ["pl4nted", "n33dle", "cGw0bnRlZ", "c3B5OnBsNG50ZWQ"];
    let lab = Lab::new();
    let echo = serve(|mut stream| {
        let head = read_head(&mut stream);
        assert!(
            head.contains("\r\nProxy-Authorization: Basic c3B5OnBsNG50ZWQgJW4zM2RsZQ==\r\n"),
            "{head}"
        );
        let line = head.replace("\r\n", " ");
        let _ = write!(
            stream,
            "HTTP/1.1 400 {line}\r\nLocation: {PASSWORD}\r\n\r\n<title>{line} {PASSWORD} pl4nted%20%25n33dle</title>"
        );
    });
    let parrot = serve(|mut stream| {
        let head = read_head(&mut stream);
        let _ = stream.write_all(head.as_bytes());
    });
    let schemes = serve(|mut stream| {
        read_head(&mut stream);
        let _ = write!(
            stream,
            "HTTP/1.1 407 x\r\nProxy-Authenticate: c3B5OnBsNG50ZWQgJW4zM2RsZQ==\r\nProxy-Authenticate: Basic\r\n\r\n"
        );
    });
    docker_socket(
        &lab.path("docker.sock"),
        &json!({
            "ServerVersion": "1.11.1", "HttpProxy": "http://spy:pl4nted%20%25n33dle@old.corp:1",
            "HttpsProxy": format!("spy:{PASSWORD}@old.corp:1"), "NoProxy": "localhost",
        })
        .to_string(),
    );
    for (number, port) in [echo, parrot, schemes, dead_port()].into_iter().enumerate() {
        let url = format!("http://spy:{PASSWORD}@proxy.corp:{port}");
        for json in [&[][..], &["--json"]] {
            let report = lab.path(&format!("report-{number}-{}", json.len()));
            let page = lab.path("page.html");
            let mut command = lab.command(json);
            command.env("HTTP_PROXY", &url).arg("--report").arg(&report);
            command.arg("--html").arg(&page);
            let run = Run::of(&mut command);
            assert_eq!(run.code, 3, "{run}");
            let text = fs::read_to_string(&report).unwrap();
            let page = fs::read_to_string(&page).unwrap();
            for trace in TRACES {
                for said in [&run.out, &run.err, &text, &page] {
                    assert!(!said.contains(trace), "{trace} in: {said}");
                }
            }
        }
    }
    // And while it runs, in the list of processes, and in the files on disk.
    let silent = serve(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_secs(30));
    });
    let mut child = lab
        .command(&["--timeout", "2"])
        .env(
            "HTTP_PROXY",
            format!("http://spy:{PASSWORD}@proxy.corp:{silent}"),
        )
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = 0;
    while child.try_wait().unwrap().is_none() {
        for process in fs::read_dir("/proc").into_iter().flatten() {
            let Ok(line) = fs::read(process.unwrap().path().join("cmdline")) else {
                continue;
            };
            let line = String::from_utf8_lossy(&line);
            seen += usize::from(line.contains("--timeout\0"));
            for trace in TRACES {
                assert!(!line.contains(trace), "{trace} in: {line}");
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(seen > 0 || !cfg!(target_os = "linux"));
    let mut folders = vec![lab.app.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                for trace in TRACES {
                    assert!(!text.contains(trace), "{trace} in {:?}", entry.path());
                }
            }
        }
    }
}

/// A file for `--system-proxies` with a dictionary as macOS gives it: the keys, in XML.
fn dictionary(lab: &Lab, keys: &str) -> String {
    let file = lab.path("proxies.plist");
    fs::write(
        &file,
        format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>"),
    )
    .unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_proxy_that_docker_has_is_tested_whatever_the_settings_say() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    let working = authority.identity("DNS:localhost", 2099).inspect(REGISTRY);
    let ask = |settings: &str, arguments: &[&str]| {
        let arguments = [&["--json", "--registry", "localhost:443"], arguments].concat();
        let mut command = lab.command(&arguments);
        command
            .env("HTTP_PROXY", settings)
            .env("SSL_CERT_FILE", authority.certificate());
        Steps::of(&mut command)
    };
    lab.app.apply(&format!("http://proxy.corp:{working}"));
    for (settings, words) in [
        (
            "",
            "the environment names no proxy; Docker's was named by hand",
        ),
        (
            "http://nowhere.corp:1",
            "the environment names http://nowhere.corp:1;",
        ),
        ("ftp://proxy.corp", "the environment variable HTTP_PROXY"),
    ] {
        let steps = ask(settings, &[]);
        steps.is("image", "good", &["current"]);
        steps.is(
            "proxy",
            "good",
            &[&format!("http://proxy.corp:{working}, which Docker has")],
        );
        for id in ["name", "tcp", "connect", "registry", "hosts"] {
            steps.is(id, "good", &[]);
        }
        steps.is("settings", "warning", &[words]);
        assert_eq!(steps.code, 0);
    }
    // By the name in the settings, though the VM has another name.
    let apply = |url: &str| {
        let mut apply = lab.app.command(&["apply", "--http-proxy", url]);
        let run = Run::of(apply.env("BALEEN_HOSTS_FILE", lab.path("hosts")));
        assert_eq!(run.code, 0, "{run}");
    };
    let url = format!("http://proxy.corp:{working}");
    apply(&url);
    let steps = ask(&url, &[]);
    steps.is("image", "good", &["http://192.168.65.1:"]);
    steps.is("proxy", "good", &[&format!("{url}, which Docker has")]);
    steps.is("settings", "good", &["the same proxy"]);
    // A proxy that was named for the test is tested.
    let other = format!("http://proxy.corp:{}", dead_port());
    let steps = ask("", &["--http-proxy", &other]);
    steps.is("proxy", "good", &[&other]);
    steps.is("tcp", "bad", &["refused"]);
    steps.is("settings", "skipped", &[]);

    // A name that can't be resolved is reported once, no matter where it comes from.
    lab.app
        .ok(&["apply", "--http-proxy", "http://nowhere.corp:1"]);
    let mut all = String::new();
    for settings in ["", "http://nowhere.corp:1"] {
        let mut command = lab.command(&[]);
        let run = Run::of(command.env("HTTP_PROXY", settings));
        assert_eq!(run.code, 3, "{run}");
        all += &format!("== settings: {settings:?}\n{}\n", unwrapped(&run.out));
    }
    insta::assert_snapshot!(redacted(&all));

    // The Mac's loopback addresses become the Mac's name in the VM.
    apply(&format!("http://localhost:{working}"));
    let steps = ask("", &[]);
    steps.is("image", "good", &["http://192.168.65.1:"]);
    steps.is("proxy", "good", &[&format!("http://localhost:{working}")]);
    steps.is("registry", "good", &[]);
}

#[test]
fn a_proxy_that_another_program_put_into_the_image_is_tested_as_well() {
    let denying = says("HTTP/1.1 403 Filtered\r\n\r\n");
    let script = format!(
        "#!/sbin/openrc-run\n\nexport http_proxy=http://proxy.corp:{denying}\ndepend() {{ need net; }}\nstart() {{ start-stop-daemon --start; }}\n"
    );
    let lab = Lab::with(App::with_script(script.as_bytes()));
    for settings in ["", "http://other.corp:1"] {
        let mut command = lab.command(&["--json"]);
        let steps = Steps::of(command.env("HTTP_PROXY", settings));
        steps.is("image", "bad", &["foreign", "baleen apply --adopt"]);
        steps.is(
            "proxy",
            "good",
            &[&format!("http://proxy.corp:{denying}, which Docker has")],
        );
        steps.is("connect", "bad", &["403 Filtered"]);
    }
}

/// The password that the engine sends; the settings may have none.
#[test]
fn the_password_in_the_image_is_the_one_that_is_sent() {
    for method in ["append", "rebuild"] {
        let lab = Lab::new();
        let asking = serve(|mut stream| {
            // "jane:it's $1"
            let right =
                read_head(&mut stream).contains("Authorization: Basic amFuZTppdCdzICQx\r\n");
            let answer = if right { "403 Right" } else { "407 Wrong" };
            let _ = write!(stream, "HTTP/1.1 {answer}\r\n\r\n");
        });
        let url = format!("http://jane:it's $1@proxy.corp:{asking}");
        lab.app
            .ok(&["apply", "--method", method, "--http-proxy", &url]);
        let steps = Steps::of(&mut lab.command(&["--json"]));
        steps.is("proxy", "good", &["http://jane:***@proxy.corp"]);
        steps.is("connect", "bad", &["403 Right"]);
    }
}

#[test]
fn a_registry_past_the_proxy_is_no_reason_to_take_the_proxy_out() {
    let lab = Lab::new();
    let options = [
        "--http-proxy",
        "http://localhost:3128",
        "--no-proxy",
        "registry.corp.example",
    ];
    let run = Run::of(
        lab.app
            .command(&[&["apply"], &options[..]].concat())
            .env("BALEEN_HOSTS_FILE", lab.path("hosts")),
    );
    assert_eq!(run.code, 0, "{run}");
    let registry = ["--json", "--registry", "registry.corp.example"];
    let mut command = lab.command(&[&registry, &options[..]].concat());
    let steps = Steps::of(&mut command);
    steps.is("image", "good", &["current"]);
    assert_eq!(steps.get("image")["remedy"], Value::Null);
    steps.is(
        "proxy",
        "warning",
        &["Docker reaches registry.corp.example:443 without it"],
    );
}

#[test]
fn where_this_mac_goes_directly_the_proxy_is_not_to_blame() {
    let lab = Lab::new();
    let denying = says("HTTP/1.1 403 Filtered\r\n\r\n");
    let settings = dictionary(
        &lab,
        &format!(
            "<key>HTTPSEnable</key><integer>1</integer><key>HTTPSProxy</key><string>proxy.corp</string>\
             <key>HTTPSPort</key><integer>{denying}</integer>\
             <key>ExceptionsList</key><array><string>10.0.0.0/8</string></array>"
        ),
    );
    let ask = |registry: &str| {
        let arguments = [
            "--json",
            "--registry",
            registry,
            "--system-proxies",
            &settings,
        ];
        Steps::of(&mut lab.command(&arguments))
    };
    ask("10.1.2.3:5000").is(
        "connect",
        "bad",
        &[
            "this Mac reaches 10.1.2.3:5000 directly, as its settings say, but Docker goes through the proxy",
            "forbids it (403 Filtered)",
            "baleen config set no_proxy 10.1.2.3`",
        ],
    );
    ask("11.1.2.3:5000").is(
        "connect",
        "bad",
        &["the proxy forbids it", "ask the proxy's administrator"],
    );
    dictionary(
        &lab,
        &format!(
            "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigJavaScript</key>\
             <string>function FindProxyForURL(url, host) {{ return host == 'registry.corp' ? 'DIRECT' : 'PROXY proxy.corp:{denying}'; }}</string>"
        ),
    );
    ask("registry.corp:5000").is(
        "connect",
        "bad",
        &[
            "this Mac reaches registry.corp:5000 directly",
            "baleen config set pac_hosts registry.corp:5000`",
        ],
    );
    // The advice for a proxy named by hand is to name another by hand.
    lab.app.apply(&format!("http://proxy.corp:{denying}"));
    let ask = |proxy: &str, no_proxy: &str| {
        let mut command = lab.command(&["--json", "--registry", "registry.corp"]);
        Steps::of(command.env("HTTP_PROXY", proxy).env("NO_PROXY", no_proxy))
    };
    ask("http://other.corp:1", "registry.corp").is(
        "connect",
        "bad",
        &[
            "this Mac reaches registry.corp:443 directly",
            "as --no-proxy",
        ],
    );
    // Settings without a proxy don't prove that this computer reaches the internet without one.
    for (proxy, no_proxy) in [("", ""), ("http://other.corp:1", "")] {
        let steps = ask(proxy, no_proxy);
        steps.is("connect", "bad", &["the proxy forbids it"]);
    }
    // Later engines know SOCKS; this check does not.
    let socks = dictionary(
        &lab,
        &format!(
            "<key>SOCKSEnable</key><integer>1</integer><key>SOCKSProxy</key><string>proxy.corp</string><key>SOCKSPort</key><integer>{denying}</integer>"
        ),
    );
    lab.app.install("4.28.0", "1");
    fs::remove_dir_all(lab.app.moby()).unwrap();
    fs::create_dir_all(lab.app.resources().join("linuxkit")).unwrap();
    fs::write(lab.app.resources().join("linuxkit/boot.img"), "").unwrap();
    let steps = Steps::of(&mut lab.command(&["--json", "--system-proxies", &socks]));
    steps.is("connect", "skipped", &["SOCKS proxy"]);
}

#[test]
fn every_host_that_a_pull_needs_is_asked_for() {
    const HUB: &str = "HTTP/1.1 401 Unauthorized\r\nDocker-Distribution-Api-Version: registry/2.0\r\nWww-Authenticate: Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\"\r\n\r\n";
    const CORP: &str = "HTTP/1.1 401 Unauthorized\r\nDocker-Distribution-Api-Version: registry/2.0\r\nWww-Authenticate: Bearer service=\"x\",realm=\"https://auth.corp:8443/jwt\"\r\n\r\n";
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    if !tools::has_tool("tinyproxy") {
        return;
    }
    let hub = authority
        .identity("DNS:registry-1.docker.io", 2099)
        .inspect(HUB);
    let corp = authority.identity("DNS:registry.corp", 2099).inspect(CORP);
    let others = [
        "auth.docker.io:443",
        "production.cloudflare.docker.com:443",
        "production.cloudfront.docker.com:443",
        "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com:443",
    ];
    let ask = |name: &str, allowed: &[&str], parent, registry: &str| {
        let proxy = RealProxy::tinyproxy_for(&lab.folder(name), allowed, parent);
        let mut command = lab.ask(proxy.port, registry);
        Steps::of(command.env("SSL_CERT_FILE", authority.certificate()))
    };
    lab.app.apply("http://proxy.corp:1");
    lab.app.ok(&["restore"]);

    let only = r"^registry-1\.docker\.io$";
    let steps = ask("only", &[only], hub, "registry-1.docker.io");
    steps.is("registry", "good", &["401"]);
    steps.is("hosts", "bad", &["forbidden by the proxy (403 Filtered)"]);
    steps.is("hosts", "bad", &others);
    assert_eq!(steps.code, 3);

    let all = [
        only,
        r"\.docker\.io$",
        r"\.docker\.com$",
        r"cloudflarestorage\.com$",
    ];
    let steps = ask("all", &all, hub, "registry-1.docker.io");
    steps.is("hosts", "good", &others);

    let but_one = [only, r"\.docker\.io$", r"cloudflare"];
    let steps = ask("but-one", &but_one, hub, "registry-1.docker.io");
    steps.is(
        "hosts",
        "bad",
        &["allow CONNECT to production.cloudfront.docker.com:443: a pull"],
    );

    let steps = ask("corp", &[r"^registry\.corp$"], corp, "registry.corp");
    steps.is("hosts", "bad", &["auth.corp:8443", "forbidden"]);
    let steps = ask("corp-all", &["corp"], corp, "registry.corp");
    steps.is("hosts", "good", &["auth.corp:8443"]);
}

/// The answers of real proxies in November 2026, each with its version, replayed.
#[test]
fn recorded_answers_of_real_proxies() {
    const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
    const ALERT: &[u8] = b"\x15\x03\x03\x00\x02\x02\x28";
    const NONE: &[u8] = b"";
    type Recorded = (
        &'static str,
        [&'static [u8]; 4],
        &'static str,
        &'static [&'static str],
    );
    // The proxy; its answers for the registry, for its own address, to SOCKS 5, to TLS; the step that reports; the
    // words.
    let recorded: &[Recorded] = &[
        (
            "privoxy 3.0.34, a name that does not resolve",
            [b"HTTP/1.1 404 No such domain\r\nContent-Type: text/html\r\n\r\n<title>404 - No such Domain (Privoxy@x)</title>", OPENED, NONE, NONE],
            "connect",
            &["can't resolve registry.corp", "registry's name"],
        ),
        (
            "npm's proxy 4.1.0, the same",
            [b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", b"HTTP/1.1 500 Internal Server Error\r\n\r\n", NONE, NONE],
            "connect",
            &["can't resolve registry.corp"],
        ),
        (
            "a web server that knows no such page",
            [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n", NONE, NONE],
            "connect",
            &["does not open tunnels", "web server"],
        ),
        (
            "nginx 1.22.1",
            [b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", NONE, b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            "connect",
            &["web server"],
        ),
        (
            "nginx 1.22.1 with TLS",
            [b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n\r\n<title>400 The plain HTTP request was sent to HTTPS port</title>", b"HTTP/1.1 400 Bad Request\r\n\r\n", NONE, ALERT],
            "connect",
            &["speaks TLS"],
        ),
        (
            "Apache 2.4.71 without ProxyRequests",
            [b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", NONE, NONE],
            "connect",
            &["web server"],
        ),
        (
            "proxy-chain 3.0.1 and pproxy 2.7.9, a host that is down",
            [NONE, OPENED, NONE, NONE],
            "connect",
            &["closes the connection when it is asked for registry.corp:443", "for another host it answers"],
        ),
        (
            "danted 1.4.2 and ss-local 3.3.5",
            [NONE, NONE, b"\x05\x00", NONE],
            "connect",
            &["SOCKS proxy, not an HTTP proxy"],
        ),
        (
            "microsocks 1.0.3",
            [b"\x05\xff", b"\x05\xff", b"\x05\x00", NONE],
            "connect",
            &["SOCKS proxy, not an HTTP proxy"],
        ),
        (
            "stunnel 5.68",
            [NONE, NONE, NONE, ALERT],
            "connect",
            &["speaks TLS, not plain HTTP"],
        ),
        (
            "hoxy 3.3.1 without https",
            [NONE, NONE, NONE, NONE],
            "connect",
            &["for another host as well", "relay"],
        ),
        (
            "cntlm 0.92.3 whose parent is dead",
            [b"HTTP/1.1 502 Parent proxy unreachable\r\n\r\n", b"HTTP/1.1 502 Parent proxy unreachable\r\n\r\n", NONE, NONE],
            "connect",
            &["can't reach anything", "the registry's name is not the reason"],
        ),
        (
            "HAProxy 2.6.12 without a server",
            [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", NONE, NONE],
            "connect",
            &["can't reach anything"],
        ),
        (
            "proxy-chain 3.0.1 whose parent refuses its login",
            [b"HTTP/1.1 597 UPSTREAM407\r\n\r\n", b"HTTP/1.1 597 UPSTREAM407\r\n\r\n", NONE, NONE],
            "connect",
            &["can't reach anything (597 UPSTREAM407)"],
        ),
        (
            "squid 5.7, a name that does not resolve",
            [b"HTTP/1.1 500 Internal Server Error\r\nX-Squid-Error: ERR_CANNOT_FORWARD 0\r\n\r\n", OPENED, NONE, NONE],
            "connect",
            &["could not reach registry.corp:443", "hands on to another proxy", "registry's name"],
        ),
        (
            "Caddy 2.6.2",
            [b"HTTP/1.1 200 OK\r\nServer: Caddy\r\nContent-Length: 0\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n", NONE, NONE, NONE],
            "connect",
            &["opens no tunnel", "web server"],
        ),
        (
            "Caddy 2.6.2 before a backend",
            [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome", NONE, NONE, NONE],
            "connect",
            &["opens no tunnel"],
        ),
        (
            "Traffic Server 9.2.9 and V2Ray 4.34, a host that is down",
            [b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 00:00:00 GMT\r\nServer: ATS/9.2.9\r\nConnection: keep-alive\r\n\r\n", NONE, NONE, NONE],
            "tls",
            &["blocked or not reachable"],
        ),
        (
            "HTTP::Proxy 0.304, the same",
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NONE, NONE, NONE],
            "tls",
            &["blocked or not reachable"],
        ),
        (
            "tinyproxy 1.11.1, a wrong password",
            [b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n", NONE, NONE, NONE],
            "connect",
            &["401 Unauthorized; it takes Basic"],
        ),
        (
            "a proxy that says 401 for NTLM",
            [b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\n\r\n", NONE, NONE, NONE],
            "connect",
            &["takes NTLM only", "`baleen config set relay on`"],
        ),
        (
            "squid 5.7 with Digest alone",
            [b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth\"\r\n\r\n", NONE, NONE, NONE],
            "connect",
            &["takes Digest only", "`baleen config set relay on`"],
        ),
        (
            "squid 5.7 with Negotiate alone",
            [b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n\r\n", NONE, NONE, NONE],
            "connect",
            &["`baleen config set relay on`"],
        ),
        (
            "tinyproxy 1.11.1 that does not know the caller",
            [b"HTTP/1.0 403 Access denied\r\n\r\n", NONE, NONE, NONE],
            "connect",
            &["403 Access denied", "it may also be this computer"],
        ),
    ];
    let lab = Lab::new();
    for (who, [answer, other, socks, tls], id, words) in recorded {
        let steps = Steps::of(&mut lab.ask(plays(answer, other, socks, tls), "registry.corp"));
        let step = steps.get(id);
        assert_eq!(step["outcome"], "bad", "{who}: {step:#}");
        steps.is(id, "bad", words);
        steps.stops_at(id);
    }
    let steps = Steps::of(&mut lab.ask(plays(NONE, OPENED, NONE, NONE), "[fd00::1]:443"));
    steps.is(
        "connect",
        "bad",
        &["[fd00::1]:443", "can't take an IPv6 address"],
    );
}

/// The resolver itself refuses a name with such a long label, so nothing leaves this computer.
#[test]
fn more_real_proxies() {
    let lab = Lab::new();
    let unknown = format!("{}.corp", "a".repeat(64));
    if tools::has_tool("privoxy") {
        let proxy = RealProxy::privoxy(&lab.folder("privoxy"));
        let steps = Steps::of(&mut lab.ask(proxy.port, &unknown));
        steps.is("connect", "bad", &["can't resolve", "404"]);
        let steps = Steps::of(&mut lab.ask(proxy.port, &format!("127.0.0.1:{}", dead_port())));
        steps.is("connect", "bad", &["could not reach", "503"]);
    }
    if tools::has_tool("tinyproxy") {
        let proxy = RealProxy::tinyproxy(&lab.folder("tinyproxy"), None, 443);
        let steps = Steps::of(&mut lab.ask(proxy.port, &unknown));
        steps.is("connect", "bad", &["could not reach", "500"]);
    }
    if tools::has_tool("microsocks") {
        let proxy = RealProxy::microsocks(&lab.folder("microsocks"));
        let steps = Steps::of(&mut lab.ask(proxy.port, "localhost:443"));
        steps.is("connect", "bad", &["SOCKS proxy, not an HTTP proxy"]);
    }
    if tools::has_tool("danted") {
        let proxy = RealProxy::dante(&lab.folder("dante"));
        let steps = Steps::of(&mut lab.ask(proxy.port, "localhost:443"));
        steps.is("connect", "bad", &["SOCKS proxy, not an HTTP proxy"]);
    }
    if tools::has_tool("cntlm") {
        let proxy = RealProxy::cntlm(&lab.folder("cntlm"), dead_port());
        let steps = Steps::of(&mut lab.ask(proxy.port, "registry.corp"));
        steps.is(
            "connect",
            "bad",
            &["can't reach anything", "what it hands on to is not there"],
        );
    }
}

#[test]
fn nothing_is_called_well_that_was_not_tried() {
    let lab = Lab::new();
    let Some(authority) = lab.authority("ca") else {
        return;
    };
    let proxy = authority.identity("DNS:localhost", 2099).inspect(REGISTRY);
    let url = format!("http://proxy.corp:{proxy}");
    lab.app.apply(&url);
    let mut command = lab.command(&["--registry", "localhost:443"]);
    command.env("SSL_CERT_FILE", authority.certificate());
    let run = Run::of(&mut command);
    assert_eq!(run.code, 0, "{run}");
    let last = |run: &Run| run.out.lines().last().unwrap().to_owned();
    let skipped = last(&run);
    let info = json!({
        "ServerVersion": "1.11.1", "OperatingSystem": "Alpine Linux v3.3",
        "HttpProxy": url, "HttpsProxy": url, "NoProxy": "localhost,127.0.0.1",
    });
    docker_socket(&lab.path("docker.sock"), &info.to_string());
    let run = Run::of(&mut command);
    assert_eq!(run.code, 0, "{run}");
    insta::assert_snapshot!(format!("{skipped}\n{}", last(&run)));
}
