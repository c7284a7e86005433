//! The relay: one VM, whose image is patched once and which is never restarted, while the Mac goes from network to network.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Case;
use crate::cases::{Guarded, USER, stock};
use crate::common::kerberos::{self, REALM, Realm};
use crate::common::secret::shapes;
use crate::common::session::{Session, has_keyring};
use crate::lab::Lab;
use crate::mac::{LOCAL, Mac, both_cases};
use crate::servers::{IMAGE, PROXY};

/// The relay's port, which is the default.
const RELAY: u16 = 18128;
const PASSWORD: &str = "a-pa55w0rd.behind_the-relay";
/// The time after which a change of the network has to count.
const SOON: Duration = Duration::from_secs(2);

pub(crate) fn all() -> Vec<Case> {
    let case = |name: &str, what: &str, is_short, run: fn(&Lab)| Case {
        name: name.to_owned(),
        what: what.to_owned(),
        is_short,
        run: Box::new(run),
    };
    vec![
        case(
            "relay",
            "no proxy, one with a password, a PAC script, no script any more; nothing is restarted",
            true,
            |lab| networks(lab, false),
        ),
        case(
            "relay-kerberos",
            "the same, and a proxy that wants Kerberos tickets",
            false,
            |lab| networks(lab, true),
        ),
    ]
}

/// A Mac with a relay, and the settings of its desktop.
struct Desk<'a> {
    mac: Mac<'a>,
    session: Session,
    relay: Option<Child>,
}

impl<'a> Desk<'a> {
    fn new(lab: &'a Lab) -> Self {
        if !has_keyring() {
            lab.skip("needs dbus-daemon, gnome-keyring, libsecret-tools and libglib2.0-bin");
        }
        let mut mac = Mac::new(lab, &stock(1));
        mac.ports = vec![RELAY];
        let dir = mac.app.dir.path();
        let mut session = Session::new(&dir.join("bus"), &dir.join("home"));
        session.start_keyring();
        Self {
            mac,
            session,
            relay: None,
        }
    }

    fn environment(&self, command: &mut Command) {
        self.mac.environment(command);
        self.session.environment(command);
        command
            .env("BALEEN_RELAY", "on")
            // The names are those of the network in which the registry is.
            .env_remove("BALEEN_HOSTS_FILE")
            .env(
                "XDG_CONFIG_HOME",
                self.mac.app.dir.path().join("home/config"),
            )
            .env("GSETTINGS_BACKEND", "keyfile");
    }

    /// Runs Baleen, which must succeed; returns its output.
    #[track_caller]
    fn baleen(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.mac.app.command(arguments);
        self.environment(&mut command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let lab = self.mac.lab;
        lab.say(&format!("$ baleen {}\n{said}", arguments.join(" ")));
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    fn start_relay(&mut self, prepare: impl FnOnce(&mut Command)) {
        let mut command = self.mac.app.command(&["relay", "-v"]);
        self.environment(&mut command);
        prepare(&mut command);
        let out = fs::File::create(self.mac.lab.folder().join("relay")).unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        self.relay = Some(command.spawn().unwrap());
        let started = Instant::now();
        while self.status()["running"] != true {
            assert!(started.elapsed() < Duration::from_secs(30), "no relay");
            sleep(Duration::from_millis(50));
        }
    }

    fn status(&self) -> Value {
        self.mac.app.json(&["relay", "status"]).1
    }

    fn set(&self, schema: &str, key: &str, value: &str) {
        let mut command = Command::new("gsettings");
        self.environment(&mut command);
        let output = command.args(["set", schema, key, value]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        self.mac.lab.say(&format!("(the Mac's {key} is {value})"));
    }

    /// Sets one proxy for everything.
    fn use_proxy(&self, host: &str, port: u16) {
        for kind in ["http", "https"] {
            let schema = format!("org.gnome.system.proxy.{kind}");
            self.set(&schema, "host", host);
            self.set(&schema, "port", &port.to_string());
        }
        self.set("org.gnome.system.proxy", "mode", "manual");
    }

    fn use_script(&self, address: &str) {
        self.set("org.gnome.system.proxy", "autoconfig-url", address);
        self.set("org.gnome.system.proxy", "mode", "auto");
    }

    fn use_none(&self) {
        self.set("org.gnome.system.proxy", "mode", "none");
    }

    /// The Engine pulls the image, by this proxy and with this login.
    #[track_caller]
    fn pulls(&self, proxy: Option<u16>, login: Option<&str>) {
        sleep(SOON);
        self.mac.pulls();
        let removed = self.mac.docker(&["rmi", IMAGE]);
        assert!(removed.status.success(), "{removed:?}");
        let status = self.status();
        let way = &status["way"];
        assert_eq!(way["login"].as_str(), login, "{status}");
        match (proxy, way["proxy"].as_str()) {
            (None, None) => {}
            (Some(port), Some(taken)) => assert!(taken.ends_with(&format!(":{port}")), "{status}"),
            _ => panic!("{status}"),
        }
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        if let Some(relay) = &mut self.relay {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }
}

/// Serves a PAC script at its address until it is dropped.
struct ScriptServer {
    address: String,
    port: u16,
}

impl ScriptServer {
    fn start(script: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 2048];
                let read = stream.read(&mut head).unwrap_or(0);
                if head[..read].starts_with(b"GET /end") {
                    return;
                }
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ns-proxy-autoconfig\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{script}",
                    script.len()
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self {
            address: format!("http://127.0.0.1:{port}/proxy.pac"),
            port,
        }
    }

    fn end(&self) {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET /end HTTP/1.1\r\n\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
}

fn networks(lab: &Lab, with_kerberos: bool) {
    let guarded = Guarded::tinyproxy(lab, PASSWORD);
    let realm = with_kerberos.then(|| match Realm::start() {
        Some(realm) if std::env::var_os("BALEEN_E2E_UID").is_none() => realm,
        _ => lab
            .skip("needs krb5-kdc, krb5-admin-server, krb5-user and squid, and to be run by root"),
    });
    let mut desk = Desk::new(lab);
    let account = format!("{USER}@127.0.0.1:{}", guarded.proxy.port);
    desk.baleen(&["credentials", "set", &account], PASSWORD);
    desk.use_none();
    desk.baleen(&["apply"], "");
    desk.start_relay(|command| {
        if let Some(realm) = &realm {
            kerberos::environment(command, realm.folder.path());
        }
    });
    let address = desk.baleen(&["relay", "--print-address", "local"], "");
    let address = address.lines().next().unwrap();
    let in_the_vm = address.replace("127.0.0.1", "192.168.65.1");
    desk.mac.start();
    desk.mac.engine_has(&both_cases(&in_the_vm, LOCAL));
    let image = desk.mac.app.bytes();
    let boot = |desk: &Desk<'_>| {
        let id = desk
            .mac
            .aside("cat /proc/sys/kernel/random/boot_id /run/docker.pid");
        assert!(id.trim_end().len() > 36, "{id}");
        id
    };
    let before = boot(&desk);

    // At home: no proxy.
    desk.pulls(None, None);
    // At the office: a proxy with a password, which is in the keyring.
    desk.use_proxy("127.0.0.1", guarded.proxy.port);
    desk.pulls(Some(guarded.proxy.port), Some("Basic"));
    guarded.proxy.saw("registry.test");
    // A script with a dead proxy, and another one for all other hosts.
    let script = ScriptServer::start(format!(
        "function FindProxyForURL(url, host) {{\n  if (host == 'registry.test') return 'PROXY 127.0.0.1:9; PROXY 127.0.0.1:{PROXY}';\n  return 'PROXY 127.0.0.1:{}';\n}}\n",
        guarded.proxy.port
    ));
    desk.use_script(&script.address);
    desk.mac.begin_log();
    desk.pulls(Some(PROXY), None);
    assert!(desk.mac.log().contains("CONNECT registry.test:5443"));
    if let Some(realm) = &realm {
        let squid = realm.squid("10.66.0.1 registry.test\n");
        realm.log_in();
        desk.use_proxy("localhost", squid.port);
        desk.pulls(Some(squid.port), Some("Kerberos"));
        squid.saw(&format!("USER@{REALM}").replace("USER", "jane"));
    }
    // Away from the VPN: the script can't be loaded, and its proxies are gone.
    script.end();
    let gone = ScriptServer::start(String::new());
    gone.end();
    desk.use_script(&gone.address);
    desk.pulls(None, None);
    // A proxy that is not there: the pull fails, and says why.
    desk.use_proxy("127.0.0.1", 9);
    sleep(SOON);
    desk.mac.can_not_pull("Bad Gateway");
    let status = desk.status();
    let reason = status["failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("127.0.0.1:9"), "{status}");
    // And back.
    desk.use_proxy("127.0.0.1", guarded.proxy.port);
    desk.pulls(Some(guarded.proxy.port), Some("Basic"));
    desk.use_none();
    desk.pulls(None, None);

    assert_eq!(boot(&desk), before, "something was restarted");
    assert_eq!(desk.mac.app.bytes(), image);
    no_password(&desk);
}

/// The password is in the keyring and at the proxy, and nowhere else.
fn no_password(desk: &Desk<'_>) {
    let mut places = vec![(
        "the VM".to_owned(),
        desk.mac.aside(
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ /etc/init.d/docker | tr '\\0' '\\n'",
        ),
    )];
    assert!(places[0].1.contains("192.168.65.1"), "nothing was read");
    let output = Command::new("ps")
        .args(["-eww", "-o", "args"])
        .output()
        .unwrap();
    places.push((
        "the processes".to_owned(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ));
    let mut folders = vec![
        desk.mac.app.dir.path().join("state"),
        desk.mac.lab.folder(),
        desk.mac.app.moby(),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() => folders.push(path),
                Ok(found) if found.is_file() => places.push((
                    path.display().to_string(),
                    String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                )),
                _ => {}
            }
        }
    }
    assert!(places.len() > 5, "nothing was looked at");
    places.push(("the script".to_owned(), desk.mac.app.script_text()));
    for (place, text) in &places {
        for shape in shapes(PASSWORD) {
            assert!(!text.contains(&shape), "the password is in {place}");
        }
    }
}
