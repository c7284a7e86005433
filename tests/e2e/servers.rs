//! The servers outside the VM, all real, in a network of their own: a registry with an image in it, and a proxy.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::common::tools::{sha256, which};

/// The image in the registry.
pub(crate) const IMAGE: &str = "registry.test:5443/hello:1";
/// The same image, requested without TLS.
pub(crate) const PLAIN_IMAGE: &str = "registry.test:5000/hello:1";
/// The output of the image.
pub(crate) const HELLO: &str = "hello from an image that came through the proxy";
/// The proxy's port on the Mac.
pub(crate) const PROXY: u16 = 3128;

pub(crate) struct Servers {
    folder: PathBuf,
    running: Vec<Child>,
}

impl Servers {
    /// Starts all servers, with their logs in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join("registry")).unwrap();
        let mut servers = Self {
            folder: folder.to_owned(),
            running: Vec::new(),
        };
        servers.start_registries();
        servers.start_proxy();
        for port in [5000, 5443, PROXY] {
            let started = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(
                    started.elapsed() < Duration::from_secs(30),
                    "nothing listens on {port}; their logs are in {}",
                    folder.display()
                );
                sleep(Duration::from_millis(50));
            }
        }
        push("hello", "1");
        servers
    }

    /// The proxy's log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("proxy.log")).unwrap_or_default()
    }

    /// Two registries with one store: with TLS, and without.
    fn start_registries(&mut self) {
        let folder = self.folder.clone();
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (key, certificate) = (path("key.pem"), path("certificate.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=registry.test"])
            .args(["-addext", "subjectAltName=DNS:registry.test"])
            .args(["-keyout", &key, "-out", &certificate])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let store = path("registry");
        let tls = format!(", tls: {{certificate: {certificate}, key: {key}}}");
        for (name, port, tls) in [("plain", 5000, ""), ("tls", 5443, &*tls)] {
            let config = format!(
                "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {store}}}}}\n\
                 http: {{addr: \":{port}\"{tls}}}\n"
            );
            let file = path(&format!("registry-{name}.yml"));
            fs::write(&file, config).unwrap();
            let mut command = Command::new("docker-registry");
            command.args(["serve", &file]);
            self.spawn(command, &format!("registry-{name}.log"));
        }
    }

    fn start_proxy(&mut self) {
        let ports = [443, 5000, 5443].map(|port| format!("ConnectPort {port}\n"));
        let text = format!(
            "Port {PROXY}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 50\n\
             LogFile \"{}\"\nLogLevel Connect\n{}",
            self.folder.join("proxy.log").display(),
            ports.concat(),
        );
        let config = self.folder.join("proxy.conf");
        fs::write(&config, text).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config);
        self.spawn(command, "proxy.out");
    }

    fn spawn(&mut self, mut command: Command, log: &str) {
        let out = fs::File::create(self.folder.join(log)).unwrap();
        let name = command.get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", name.display()));
        self.running.push(child);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Puts an image with nothing but busybox into the registry, by the registry's protocol:
/// <https://distribution.github.io/distribution/spec/api/>.
fn push(name: &str, tag: &str) {
    let busybox = which("busybox");
    let layer = Command::new("tar")
        .args([
            "--create",
            "--owner=0",
            "--group=0",
            "--transform=s,.*,bin/busybox,",
        ])
        .arg("--absolute-names")
        .arg(busybox)
        .output()
        .unwrap();
    assert!(layer.status.success(), "{layer:?}");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut packed, &layer.stdout).unwrap();
    let packed = packed.finish().unwrap();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "echo", HELLO]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer.stdout)]},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let registry = format!("http://127.0.0.1:5000/v2/{name}");
    let blob = |bytes: &[u8]| {
        let upload = agent
            .post(format!("{registry}/blobs/uploads/"))
            .send_empty()
            .unwrap();
        let place = upload.headers()["location"].to_str().unwrap();
        let place = match place.strip_prefix('/') {
            Some(path) => format!("http://127.0.0.1:5000/{path}"),
            None => place.to_owned(),
        };
        let joint = if place.contains('?') { '&' } else { '?' };
        agent
            .put(format!("{place}{joint}digest={}", digest(bytes)))
            .content_type("application/octet-stream")
            .send(bytes)
            .unwrap();
        json!({"size": bytes.len(), "digest": digest(bytes)})
    };
    let of_type = |kind: &str, mut blob: Value| {
        blob["mediaType"] = format!("application/vnd.docker.{kind}").into();
        blob
    };
    let mut manifest = of_type("distribution.manifest.v2+json", json!({"schemaVersion": 2}));
    manifest["config"] = of_type("container.image.v1+json", blob(&config));
    manifest["layers"] = json!([of_type("image.rootfs.diff.tar.gzip", blob(&packed))]);
    agent
        .put(format!("{registry}/manifests/{tag}"))
        .content_type(manifest["mediaType"].as_str().unwrap())
        .send(&*manifest.to_string())
        .unwrap();
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}
