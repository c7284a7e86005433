//! A Kerberos realm with MIT's KDC, and squid, which accepts its tickets alone.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::network::{RealProxy, open_to_all};
use super::tools;

pub(crate) const REALM: &str = "BALEEN.EXAMPLE";

/// A realm in which `jane` and the proxy `localhost` are known.
pub(crate) struct Realm {
    pub(crate) folder: tempfile::TempDir,
    kdc: Child,
}

impl Realm {
    /// Nothing if the programs are not installed.
    pub(crate) fn start() -> Option<Self> {
        let tools = ["krb5kdc", "kdb5_util", "kadmin.local", "kinit", "squid"];
        if !tools.into_iter().all(tools::has_tool) {
            return None;
        }
        // Squid, which becomes another user, has to get there.
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        write_config(&folder.path().join("krb5.conf"), port);
        let kdc = format!(
            "[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n{REALM} = {{\ndatabase_name = {0}/principals\nkey_stash_file = {0}/stash\n}}\n[logging]\nkdc = FILE:{0}/kdc.log\n",
            folder.path().display()
        );
        fs::write(folder.path().join("kdc.conf"), kdc).unwrap();
        run(command(folder.path(), "kdb5_util").args(["create", "-s", "-P", "master"]));
        let keys = |name: &str| folder.path().join(name).display().to_string();
        for query in [
            "addprinc -randkey jane".to_owned(),
            format!("ktadd -k {} jane", keys("jane.keytab")),
            "addprinc -randkey HTTP/localhost".to_owned(),
            format!("ktadd -k {} HTTP/localhost", keys("proxy.keytab")),
        ] {
            run(command(folder.path(), "kadmin.local").args(["-q", &query]));
        }
        // Squid reads it as another user.
        open_to_all(&folder.path().join("proxy.keytab"), 0o644);
        let kdc = command(folder.path(), "krb5kdc").arg("-n").spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the KDC does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { folder, kdc })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gets a ticket for Jane, but none for the proxy yet.
    pub(crate) fn log_in(&self) {
        let keys = self.path("jane.keytab");
        run(command(self.folder.path(), "kinit")
            .arg("-k")
            .arg("-t")
            .arg(keys)
            .arg("jane"));
    }

    /// Removes the tickets.
    pub(crate) fn log_out(&self) {
        fs::remove_file(self.path("tickets")).unwrap();
    }

    /// Squid, which accepts a ticket of this realm for `localhost`, and knows these hosts only.
    pub(crate) fn squid(&self, hosts: &str) -> RealProxy {
        let names = self.path("hosts");
        fs::write(&names, hosts).unwrap();
        let rules = format!(
            "hosts_file {}\nauth_param negotiate program {} -k {} -s HTTP/localhost@{REALM}\nauth_param negotiate children 2 startup=1\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all",
            names.display(),
            RealProxy::squid_helper("negotiate_kerberos_auth").display(),
            self.path("proxy.keytab").display(),
        );
        let replays = format!("file2:{}", self.path("replays").display());
        RealProxy::squid_with(self.folder.path(), &rules, |command| {
            command
                .env("KRB5_CONFIG", self.path("krb5.conf"))
                .env("KRB5RCACHENAME", replays);
        })
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

/// `man 5 krb5.conf`: nothing is asked of any DNS.
pub(crate) fn write_config(path: &Path, kdc: u16) {
    let config = format!(
        "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\ndns_canonicalize_hostname = false\nudp_preference_limit = 1\n[realms]\n{REALM} = {{\nkdc = 127.0.0.1:{kdc}\n}}\n[domain_realm]\nlocalhost = {REALM}\n"
    );
    fs::write(path, config).unwrap();
}

pub(crate) fn environment<'c>(command: &'c mut Command, folder: &Path) -> &'c mut Command {
    let tickets = format!("FILE:{}", folder.join("tickets").display());
    command
        .env("KRB5_CONFIG", folder.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", folder.join("kdc.conf"))
        .env("KRB5CCNAME", tickets)
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    environment(&mut command, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
