//! The cases with Baleen's command line: an image as Docker ships it, what Baleen does to it, and what environment the
//! Engine then has and which images it can pull.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Case;
use crate::common::network::RealProxy;
use crate::common::session::{Session, has_keyring};
use crate::common::tools::{self, has_tool};
use crate::lab::{Lab, Stock};
use crate::mac::{IN_THE_VM, LOCAL, Mac, NO_WAY, ON_THE_MAC, TUNNEL, both_cases};
use crate::servers::PLAIN_IMAGE;

/// A proxy URL at which no program listens.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";
pub(crate) const NOWHERE_IN_THE_VM: &str = "http://192.168.65.1:9";

pub(crate) fn stock(members: u8) -> Stock {
    Stock {
        members,
        script: None,
    }
}

/// An image whose script has one of its historical forms.
fn of_form(name: &str) -> Stock {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    Stock {
        members: 3,
        script: Some(folder.join(format!("{name}.openrc"))),
    }
}

/// The cases that CI runs.
const SHORT: &[&str] = &[
    "unpatched",
    "append",
    "rebuild",
    "append-2-members",
    "native-empty",
    "restored",
];

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, what: &str, run: Box<dyn Fn(&Lab)>| {
        cases.push(Case {
            name: name.to_owned(),
            what: what.to_owned(),
            is_short: SHORT.contains(&name),
            run,
        });
    };
    add(
        "unpatched",
        "as Docker ships it: nothing can be pulled",
        Box::new(unpatched),
    );
    for members in [1, 2, 3] {
        for method in ["append", "rebuild"] {
            let name = match members {
                1 => method.to_owned(),
                _ => format!("{method}-{members}-members"),
            };
            add(
                &name,
                "patched: pulled through the proxy, and run",
                Box::new(move |lab| patched(lab, &stock(members), method)),
            );
        }
    }
    for (form, what) in [
        (
            "2015-command",
            "a script of early 2016, which only names its command",
        ),
        (
            "2016-depend-start",
            "a script with its own start(), which knows no proxy",
        ),
        (
            "2017-startas",
            "a script of 2017, which starts the Engine through a shell",
        ),
    ] {
        add(
            form,
            what,
            Box::new(move |lab| patched(lab, &of_form(form), "append")),
        );
    }
    for (native, what) in [
        (
            "absent",
            "a script that asks for Docker's own proxy setting, and there is none",
        ),
        ("empty", "Docker's own proxy setting is there, and empty"),
        (
            "set",
            "Docker's own proxy setting names another proxy, which is dead",
        ),
    ] {
        let name = format!("native-{native}");
        add(&name, what, Box::new(move |lab| with_native(lab, native)));
    }
    add(
        "wrong-proxy",
        "a proxy that is not there: nothing can be pulled",
        Box::new(wrong_proxy),
    );
    add(
        "bypass-registry",
        "a bypass list with the registry: the Engine goes past the proxy, in vain",
        Box::new(bypass_registry),
    );
    add(
        "bypass-others",
        "a bypass list with other hosts: pulled through the proxy",
        Box::new(bypass_others),
    );
    add(
        "password",
        "a proxy that asks for a password, which is in the keyring",
        Box::new(password),
    );
    add(
        "password-quoted",
        "the same, with a password full of what has to be quoted",
        Box::new(password_quoted),
    );
    add(
        "wrong-password",
        "the same, with a password that the proxy does not know",
        Box::new(wrong_password),
    );
    add(
        "applied-twice",
        "another proxy first, then the right one, then again",
        Box::new(applied_twice),
    );
    add(
        "restored",
        "applied and taken out: Docker's own image, and nothing can be pulled",
        Box::new(restored),
    );
    add(
        "adopted",
        "exports that someone wrote by hand are taken over",
        Box::new(adopted),
    );
    cases
}

fn unpatched(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.start();
    mac.engine_has(&[]);
    mac.vm_has("/etc/init.d/docker", Some("-rwxr-xr-x 0:0"));
    mac.vm_has("/etc/baleen.json", None);
    mac.finds_no_way(NO_WAY);
}

fn patched(lab: &Lab, stock: &Stock, method: &str) {
    let mut mac = Mac::new(lab, stock);
    mac.apply(&["--method", method], ON_THE_MAC);
    mac.start();
    mac.engine_has(&both_cases(IN_THE_VM, LOCAL));
    mac.vm_has("/etc", Some("drwxr-xr-x 0:0"));
    mac.vm_has("/etc/init.d", Some("drwxr-xr-x 0:0"));
    mac.vm_has("/etc/init.d/docker", Some("-rwxr-xr-x 0:0"));
    mac.vm_has("/etc/baleen.json", Some("-rw-r--r-- 0:0"));
    mac.pulls_through_the_proxy();
    // The proxy for http is used, too. tinyproxy does not always complete such a pull.
    mac.try_pull(PLAIN_IMAGE);
    let log = mac.log();
    assert!(log.contains("http://registry.test:5000/v2/"), "{log}");
}

fn with_native(lab: &Lab, native: &str) {
    let mut mac = Mac::new(lab, &of_form("2016-export-mobyconfig"));
    let value = match native {
        "empty" => "",
        _ => NOWHERE_IN_THE_VM,
    };
    if native != "absent" {
        for key in ["proxy/http", "proxy/https", "proxy/exclude"] {
            mac.set_native(key, if key == "proxy/exclude" { "" } else { value });
        }
    }
    mac.apply(&[], ON_THE_MAC);
    mac.start();
    let mut wanted = both_cases(IN_THE_VM, LOCAL);
    if native != "absent" {
        // The script has the last word on these, and Go reads the others first.
        for (name, text) in &mut wanted {
            match *name {
                "http_proxy" | "https_proxy" => *text = value,
                "no_proxy" => *text = "",
                _ => {}
            }
        }
    }
    mac.engine_has(&wanted);
    mac.pulls_through_the_proxy();
}

fn wrong_proxy(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.apply(&[], NOWHERE);
    mac.start();
    mac.engine_has(&both_cases(NOWHERE_IN_THE_VM, LOCAL));
    mac.finds_no_way("proxyconnect tcp: dial tcp 192.168.65.1:9");
}

fn bypass_registry(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.apply_but(&[], ON_THE_MAC, "registry.test");
    mac.start();
    mac.engine_has(&both_cases(IN_THE_VM, &format!("{LOCAL},registry.test")));
    mac.finds_no_way(NO_WAY);
}

fn bypass_others(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    mac.apply_but(&[], ON_THE_MAC, "egistry.test,.example,test.registry");
    mac.start();
    mac.engine_has(&both_cases(
        IN_THE_VM,
        &format!("{LOCAL},egistry.test,.example,test.registry"),
    ));
    mac.pulls_through_the_proxy();
}

pub(crate) const USER: &str = "me";
/// All characters that are special to URLs, shells and settings files, and some that are not.
const PASSWORD: &str = "p%41:$x`'\"\\&é#/? @!~";

/// A proxy that asks for a password. Its log stays with the case.
pub(crate) struct Guarded<'a> {
    lab: &'a Lab,
    pub(crate) proxy: RealProxy,
    _dir: TempDir,
}

impl<'a> Guarded<'a> {
    /// tinyproxy, which accepts only letters, digits, `-`, `.` and `_` in passwords.
    pub(crate) fn tinyproxy(lab: &'a Lab, password: &str) -> Self {
        Self::new(lab, |dir| {
            RealProxy::tinyproxy(dir, Some((USER, password)), 5443)
        })
    }

    /// squid, which becomes another user if it can, so its folder has to be writable for all.
    fn squid(lab: &'a Lab, password: &str) -> Self {
        if !has_tool("squid") || std::env::var_os("BALEEN_E2E_UID").is_some() {
            lab.skip("needs squid, and to be run by root");
        }
        Self::new(lab, |dir| {
            RealProxy::squid(dir, Some((USER, password)), true)
        })
    }

    fn new(lab: &'a Lab, start: impl FnOnce(&Path) -> RealProxy) -> Self {
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        Self {
            lab,
            proxy: start(dir.path()),
            _dir: dir,
        }
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        let log = self.lab.folder().join("guarded.proxy");
        let _ = fs::write(log, self.proxy.log());
    }
}

/// A Mac on which all traffic goes through a proxy that asks for a password, which is in the keyring.
pub(crate) struct Behind<'a> {
    pub(crate) mac: Mac<'a>,
    lab: &'a Lab,
    session: Session,
    url: String,
    password: String,
    /// The proxy URL that the Engine must have.
    pub(crate) in_the_vm: String,
}

impl<'a> Behind<'a> {
    pub(crate) fn new(guarded: &Guarded<'a>, password: &str) -> Self {
        let (lab, proxy) = (guarded.lab, &guarded.proxy);
        if !has_keyring() {
            lab.skip("needs dbus-daemon, gnome-keyring, libsecret-tools and libglib2.0-bin");
        }
        let mut mac = Mac::new(lab, &stock(1));
        mac.ports = vec![proxy.port];
        let dir = mac.app.dir.path();
        let mut session = Session::new(&dir.join("bus"), &dir.join("home"));
        session.start_keyring();
        let encoded: String = password
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let new = Self {
            mac,
            lab,
            session,
            url: format!("http://{USER}@127.0.0.1:{}", proxy.port),
            password: password.to_owned(),
            in_the_vm: format!("http://{USER}:{encoded}@192.168.65.1:{}", proxy.port),
        };
        new.baleen(&["credentials", "set"], password);
        new
    }

    /// Runs Baleen, which must not print the password; returns its output.
    pub(crate) fn baleen(&self, arguments: &[&str], input: &str) -> String {
        let Self { mac, lab, url, .. } = self;
        let mut command = mac.app.command(arguments);
        mac.environment(&mut command);
        self.session.environment(&mut command);
        command.env("http_proxy", url).env("https_proxy", url);
        lab.say(&format!(
            "$ https_proxy={url} baleen {}",
            arguments.join(" ")
        ));
        let said = tools::said(&mut command, input.as_bytes().to_vec());
        assert!(!said.contains(&self.password), "{said}");
        lab.say(&said);
        said
    }
}

/// Such a Mac, whose Docker was started from an image that has the password.
fn behind<'a>(guarded: &Guarded<'a>, password: &str) -> Mac<'a> {
    let behind = Behind::new(guarded, password);
    behind.baleen(&["apply"], "");
    let Behind {
        mut mac, in_the_vm, ..
    } = behind;
    let mode = fs::metadata(mac.app.image()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "who may read the password");
    mac.start();
    mac.engine_has(&both_cases(&in_the_vm, LOCAL));
    mac
}

fn password(lab: &Lab) {
    let password = "pass-w0.rd_";
    let guarded = Guarded::tinyproxy(lab, password);
    let mac = behind(&guarded, password);
    mac.pulls();
    guarded.proxy.saw("CONNECT registry.test:5443 ");
    guarded.proxy.saw(TUNNEL);
}

fn password_quoted(lab: &Lab) {
    let guarded = Guarded::squid(lab, PASSWORD);
    let mac = behind(&guarded, PASSWORD);
    mac.pulls();
    guarded.proxy.saw("CONNECT registry.test:5443 ");
    guarded.proxy.saw("TCP_TUNNEL/200");
}

fn wrong_password(lab: &Lab) {
    let guarded = Guarded::tinyproxy(lab, "pass-w0.rd_");
    let mac = behind(&guarded, "pass-w0.rd");
    mac.can_not_pull("no basic auth credentials");
    guarded.proxy.saw("CONNECT registry.test:5443 ");
    let log = guarded.proxy.log();
    assert!(!log.contains(TUNNEL), "it was let through: {log}");
}

fn applied_twice(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(2));
    let original = mac.app.bytes();
    mac.apply(&[], NOWHERE);
    mac.apply(&[], ON_THE_MAC);
    let once = mac.app.bytes();
    mac.apply(&[], ON_THE_MAC);
    assert!(mac.app.bytes() == once, "the second time changed it");
    assert!(once.starts_with(&original), "the original is no prefix");
    mac.start();
    mac.engine_has(&both_cases(IN_THE_VM, LOCAL));
    mac.pulls_through_the_proxy();
}

fn restored(lab: &Lab) {
    let mut mac = Mac::new(lab, &stock(1));
    let original = mac.app.bytes();
    for method in ["append", "rebuild"] {
        mac.apply(&["--method", method], ON_THE_MAC);
        assert!(mac.app.bytes() != original, "{method}: nothing was changed");
        mac.restore();
        assert!(
            mac.app.bytes() == original,
            "{method}: not Docker's own image"
        );
    }
    mac.start();
    mac.engine_has(&[]);
    mac.finds_no_way(NO_WAY);
}

fn adopted(lab: &Lab) {
    let script = fs::read_to_string(of_form("2016-depend-start").script.unwrap()).unwrap();
    let by_hand = format!(
        "export http_proxy={NOWHERE_IN_THE_VM}\nexport https_proxy={NOWHERE_IN_THE_VM}\n\
         export HTTPS_PROXY={NOWHERE_IN_THE_VM}\n"
    );
    let file = lab.folder().join("by-hand.openrc");
    fs::write(&file, script.replacen('\n', &format!("\n{by_hand}"), 1)).unwrap();
    let mut mac = Mac::new(
        lab,
        &Stock {
            members: 3,
            script: Some(file),
        },
    );
    let stock = mac.app.bytes();
    let run = mac.run(&["apply"], ON_THE_MAC, "");
    assert_eq!(run.code, 4, "{run}");
    assert!(mac.app.bytes() == stock, "a refusal changed it");
    mac.apply(&["--adopt"], ON_THE_MAC);
    mac.start();
    mac.engine_has(&both_cases(IN_THE_VM, LOCAL));
    mac.pulls_through_the_proxy();
}
