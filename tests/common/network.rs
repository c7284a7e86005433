//! Servers on loopback for tests: real proxies, registries with certificates made by `openssl`, and peers that
//! misbehave as proxies.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Answers each connection to a free port with `answer`, and returns the port.
pub(crate) fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            thread::spawn(move || answer(stream));
        }
    });
    port
}

/// Starts a server that reads a request, sends these bytes and closes the connection.
pub(crate) fn says(bytes: impl Into<Vec<u8>>) -> u16 {
    let bytes = bytes.into();
    serve(move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(&bytes);
    })
}

/// A port that refuses connections as long as the test runs, since it is taken but has no listener.
pub(crate) fn dead_port() -> u16 {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let taken = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&taken, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let place = SocketAddrV4::try_from(getsockname(&taken).unwrap()).unwrap();
    std::mem::forget(taken);
    place.port()
}

/// A free port for a program to take.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Reads up to the end of a request's head, or what there is if the peer stops before.
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Starts a fake Docker Engine at the socket `path`. It answers requests for `/info` with `body`, and others with 404.
pub(crate) fn docker_socket(path: &Path, body: &str) {
    let listener = UnixListener::bind(path).unwrap();
    let body = body.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let status = match read_head(&mut stream).starts_with("GET /info HTTP/1.0\r\n") {
                true => "200 OK",
                false => "404 Not Found",
            };
            let _ = write!(
                stream,
                "HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{body}"
            );
        }
    });
}

/// Starts a proxy that answers `CONNECT` to its own address with `other`, to any other address with `answer`, a SOCKS
/// greeting with `socks` and a TLS one with `tls`, and then closes the connection.
pub(crate) fn plays(
    answer: &'static [u8],
    other: &'static [u8],
    socks: &'static [u8],
    tls: &'static [u8],
) -> u16 {
    serve(move |mut stream| {
        let mut first = [0];
        if !matches!(stream.peek(&mut first), Ok(1)) {
            return;
        }
        let bytes = match first[0] {
            0x05 => socks,
            0x16 => tls,
            _ => {
                let own = format!("CONNECT {} ", stream.local_addr().unwrap());
                match read_head(&mut stream).starts_with(&own) {
                    true => other,
                    false => answer,
                }
            }
        };
        let _ = stream.write_all(bytes);
        // Closing with bytes unread would reset the connection, and lose what was sent.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// A registry's answer to a request for `/v2/` without a token. The realm gets the port of the server that answers.
pub(crate) const REGISTRY: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nDocker-Distribution-Api-Version: registry/2.0\r\nWww-Authenticate: Bearer realm=\"https://localhost/token\"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

/// A certificate authority made by `openssl`.
pub(crate) struct Authority {
    dir: PathBuf,
}

/// A certificate of an authority, with its key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes an authority in the folder `dir`.
    pub(crate) fn new(dir: PathBuf, subject: &str) -> Self {
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("index"), "").unwrap();
        let config = format!(
            "[ca]\ndefault_ca=it\n[it]\ndatabase={0}/index\nnew_certs_dir={0}\nrand_serial=yes\nunique_subject=no\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n",
            dir.display()
        );
        fs::write(dir.join("config"), config).unwrap();
        let authority = Self { dir };
        let own = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", subject];
        authority.openssl(&[&["req", "-x509", "-days", "3650"], NEW_KEY, &own].concat());
        authority
    }

    /// Its own certificate, in PEM.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The root store that trusts this authority alone.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(self.certificate()).unwrap();
        roots.add(certificate).unwrap();
        roots
    }

    /// Makes a certificate for `names`, as in `DNS:localhost,IP:127.0.0.1`, that is valid until the year `until`.
    pub(crate) fn identity(&self, names: &str, until: u32) -> Identity {
        fs::write(self.dir.join("names"), format!("subjectAltName={names}\n")).unwrap();
        let own = [
            "-keyout",
            "own.key",
            "-out",
            "own.csr",
            "-subj",
            "/CN=registry.example",
        ];
        self.openssl(&[&["req"], NEW_KEY, &own].concat());
        let end = format!("{until}0101000000Z");
        self.openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            "config",
            "-cert",
            "ca.crt",
            "-keyfile",
            "ca.key",
            "-in",
            "own.csr",
            "-out",
            "own.crt",
            "-extfile",
            "names",
            "-startdate",
            "20200101000000Z",
            "-enddate",
            &end,
        ]);
        Identity {
            chain: vec![CertificateDer::from_pem_file(self.dir.join("own.crt")).unwrap()],
            key: PrivateKeyDer::from_pem_file(self.dir.join("own.key")).unwrap(),
        }
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

const NEW_KEY: &[&str] = &[
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

impl Identity {
    /// Starts a server that speaks TLS with this certificate, reads a request and sends `answer`.
    pub(crate) fn serve(self, answer: &'static str) -> u16 {
        let config = self.config();
        serve(move |stream| speak_tls(stream, &config, answer))
    }

    /// Starts a server that speaks TLS with this certificate, and answers each request's head with `answer`.
    pub(crate) fn answer(self, answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> u16 {
        let config = self.config();
        serve(move |stream| answer_over_tls(stream, &config, &answer))
    }

    /// Starts a proxy that opens a tunnel if `opens` accepts the request's head, else sends what that returns, and then
    /// speaks TLS itself instead of the server.
    pub(crate) fn answer_behind(
        self,
        opens: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> u16 {
        let config = self.config();
        serve(move |mut stream| match opens(&read_head(&mut stream)) {
            Ok(()) => {
                let opened = b"HTTP/1.1 200 Connection established\r\n\r\n";
                stream.write_all(opened).unwrap();
                answer_over_tls(stream, &config, &answer);
            }
            Err(refusal) => stream.write_all(refusal.as_bytes()).unwrap(),
        })
    }

    /// Starts a proxy that opens every tunnel, and then speaks TLS itself instead of the server.
    pub(crate) fn inspect(self, answer: &'static str) -> u16 {
        let config = self.config();
        serve(move |mut stream| {
            read_head(&mut stream);
            let opened = "HTTP/1.1 200 Connection established\r\n\r\n";
            stream.write_all(opened.as_bytes()).unwrap();
            speak_tls(stream, &config, answer);
        })
    }

    /// Starts a server that gives each connection to `serve` once it speaks TLS.
    pub(crate) fn serve_with(
        self,
        serve_one: impl Fn(StreamOwned<ServerConnection, TcpStream>) + Send + Sync + 'static,
    ) -> u16 {
        let config = self.config();
        serve(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            serve_one(StreamOwned::new(connection, stream));
        })
    }

    fn config(self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls_graviola::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
            .unwrap();
        Arc::new(config)
    }
}

fn answer_over_tls(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    answer: &dyn Fn(&str) -> Vec<u8>,
) {
    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let head = read_head(&mut stream);
    // A client that does not trust the certificate sends none, and closes.
    if !head.is_empty() {
        let _ = stream.write_all(&answer(&head));
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

fn speak_tls(stream: TcpStream, config: &Arc<ServerConfig>, answer: &str) {
    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
    let place = format!("localhost:{}/token", stream.local_addr().unwrap().port());
    let answer = answer.replace("localhost/token", &place);
    let mut stream = StreamOwned::new(connection, stream);
    if read_head(&mut stream).starts_with("GET /v2/ HTTP/1.1\r\n") {
        let _ = stream.write_all(answer.as_bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

/// Gives a file or a folder this mode, so that another user reaches it.
pub(crate) fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A real proxy, which is stopped when this is dropped.
pub(crate) struct RealProxy {
    child: Child,
    log: PathBuf,
    pub(crate) port: u16,
}

impl RealProxy {
    /// `tinyproxy`, which requires `login` (user and password) if given, and opens tunnels to `allowed`.
    pub(crate) fn tinyproxy(dir: &Path, login: Option<(&str, &str)>, allowed: u16) -> Self {
        let port = free_port();
        let log = dir.join("tinyproxy.log");
        let mut config = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nLogLevel Connect\nLogFile \"{}\"\nConnectPort {allowed}\n",
            log.display()
        );
        if let Some((user, password)) = login {
            config += &format!("BasicAuth {user} {password}\n");
        }
        Self::tinyproxy_by(dir, port, log, &config)
    }

    /// `tinyproxy`, which opens tunnels only to hosts that match one of `allowed`. It forwards them to the proxy at
    /// `parent`, so that it need not resolve them.
    pub(crate) fn tinyproxy_for(dir: &Path, allowed: &[&str], parent: u16) -> Self {
        let port = free_port();
        let log = dir.join("tinyproxy.log");
        let filter = dir.join("filter");
        fs::write(&filter, allowed.join("\n") + "\n").unwrap();
        let config = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nLogLevel Connect\nLogFile \"{}\"\nFilter \"{}\"\nFilterDefaultDeny Yes\nUpstream http 127.0.0.1:{parent}\n",
            log.display(),
            filter.display()
        );
        Self::tinyproxy_by(dir, port, log, &config)
    }

    /// `tinyproxy`, which opens tunnels to every port.
    pub(crate) fn tinyproxy_open(dir: &Path) -> Self {
        let port = free_port();
        let log = dir.join("tinyproxy.log");
        let config = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nLogFile \"{}\"\n",
            log.display()
        );
        Self::tinyproxy_by(dir, port, log, &config)
    }

    /// `tinyproxy`, which asks the proxy at `parent`, and logs in to it.
    pub(crate) fn tinyproxy_before(dir: &Path, parent: u16, login: &str) -> Self {
        let port = free_port();
        let log = dir.join("tinyproxy.log");
        let config = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nLogLevel Connect\nLogFile \"{}\"\nUpstream http {login}@127.0.0.1:{parent}\n",
            log.display()
        );
        Self::tinyproxy_by(dir, port, log, &config)
    }

    fn tinyproxy_by(dir: &Path, port: u16, log: PathBuf, config: &str) -> Self {
        let file = dir.join("tinyproxy.conf");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(file);
        Self::start(command, port, log)
    }

    /// `squid`, which requires `login` if given, and forbids every tunnel unless `open`.
    pub(crate) fn squid(dir: &Path, login: Option<(&str, &str)>, open: bool) -> Self {
        let rule = match (open, login) {
            (false, _) => "http_access deny all".to_owned(),
            (true, None) => "http_access allow all".to_owned(),
            (true, Some((user, password))) => {
                let hashed = Command::new("openssl")
                    .args(["passwd", "-apr1", password])
                    .output()
                    .unwrap();
                let hashed = String::from_utf8(hashed.stdout).unwrap();
                fs::write(dir.join("users"), format!("{user}:{hashed}")).unwrap();
                format!(
                    "auth_param basic program {} {}\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all",
                    Self::squid_helper("basic_ncsa_auth").display(),
                    dir.join("users").display()
                )
            }
        };
        Self::squid_with(dir, &rule, |_| {})
    }

    /// The path of a program that squid asks.
    pub(crate) fn squid_helper(name: &str) -> PathBuf {
        [
            "/usr/lib/squid",
            "/usr/lib64/squid",
            "/opt/homebrew/opt/squid/libexec",
        ]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.exists())
        .unwrap()
    }

    /// `squid`, which asks the proxy at `parent`, and logs in to it.
    pub(crate) fn squid_before(dir: &Path, parent: u16, login: &str) -> Self {
        let rule = format!(
            "http_access allow all\ncache_peer 127.0.0.1 parent {parent} 0 no-query no-digest default login={login}\nnever_direct allow all"
        );
        Self::squid_with(dir, &rule, |_| {})
    }

    /// `squid`, with these lines in its configuration.
    pub(crate) fn squid_with(dir: &Path, rules: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let port = free_port();
        let log = dir.join("squid.log");
        let config = format!(
            "http_port 127.0.0.1:{port}\npid_filename none\nvisible_hostname squid.example\ndns_nameservers 127.0.0.1\nshutdown_lifetime 0\ncache deny all\ncache_log {}\naccess_log stdio:{}\n{rules}\n",
            dir.join("squid-cache.log").display(),
            log.display()
        );
        let file = dir.join("squid.conf");
        fs::write(&file, config).unwrap();
        // Started as root it becomes another user, which has to write to these files.
        open_to_all(dir, 0o777);
        let mut command = Command::new("squid");
        command.arg("-N").arg("-f").arg(file);
        prepare(&mut command);
        Self::start(command, port, log)
    }

    /// Debian's `apache2` as a proxy with TLS, with the last certificate of `authority`. It forwards everything to the
    /// proxy at `parent`, so that it need not resolve names.
    pub(crate) fn apache_with_tls(dir: &Path, authority: &Authority, parent: u16) -> Self {
        let port = free_port();
        let modules = [
            "mpm_event",
            "authn_core",
            "authz_core",
            "proxy",
            "proxy_http",
            "proxy_connect",
            "ssl",
        ]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
        let config = format!(
            "{modules}ServerName localhost\nListen 127.0.0.1:{port} https\nPidFile {0}/apache.pid\nDefaultRuntimeDir {0}\nMutex file:{0}\nErrorLog {0}/apache.log\nUser www-data\nGroup www-data\nSSLEngine on\nSSLSessionCache none\nSSLCertificateFile {1}/own.crt\nSSLCertificateKeyFile {1}/own.key\nProxyRequests On\nProxyRemote * http://127.0.0.1:{parent}\nAllowCONNECT 1-65535\n<Proxy \"*\">\nRequire all granted\n</Proxy>\n",
            dir.display(),
            authority.dir.display()
        );
        let file = dir.join("apache.conf");
        fs::write(&file, config).unwrap();
        open_to_all(dir, 0o777);
        let mut command = Command::new("apache2");
        command.arg("-X").arg("-f").arg(file);
        Self::start(command, port, dir.join("apache.log"))
    }

    /// `privoxy`, with its default settings.
    pub(crate) fn privoxy(dir: &Path) -> Self {
        let port = free_port();
        let file = dir.join("privoxy.conf");
        // Without its templates it answers every request with 500.
        let folders = ["/etc/privoxy", "/opt/homebrew/etc/privoxy"];
        let folder = folders.iter().find(|folder| Path::new(folder).is_dir());
        let folder = folder.map(|folder| format!("confdir {folder}\n"));
        let listen = format!("listen-address 127.0.0.1:{port}\n");
        fs::write(&file, folder.unwrap_or_default() + &listen).unwrap();
        let mut command = Command::new("privoxy");
        command.arg("--no-daemon").arg(file);
        Self::start(command, port, dir.join("privoxy.log"))
    }

    /// `microsocks`, which speaks SOCKS 5 alone.
    pub(crate) fn microsocks(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        Self::start(command, port, dir.join("microsocks.log"))
    }

    /// Dante's server, which speaks SOCKS 4 and 5.
    pub(crate) fn dante(dir: &Path) -> Self {
        let port = free_port();
        let log = dir.join("dante.log");
        let config = format!(
            "logoutput: {}\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nclientmethod: none\nsocksmethod: none\nclient pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\nsocks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n",
            log.display()
        );
        let file = dir.join("dante.conf");
        fs::write(&file, config).unwrap();
        let pid = dir.join("dante.pid");
        let mut command = Command::new("danted");
        command.arg("-f").arg(file).arg("-p").arg(pid);
        Self::start(command, port, log)
    }

    /// `cntlm`, which forwards every request to the proxy at `parent`.
    pub(crate) fn cntlm(dir: &Path, parent: u16) -> Self {
        Self::cntlm_by(dir, &format!("Proxy 127.0.0.1:{parent}\n"))
    }

    /// `cntlm`, which asks no other proxy.
    pub(crate) fn cntlm_alone(dir: &Path) -> Self {
        Self::cntlm_by(dir, "Proxy 127.0.0.1:1\nNoProxy *\n")
    }

    fn cntlm_by(dir: &Path, more: &str) -> Self {
        let port = free_port();
        let file = dir.join("cntlm.conf");
        let config =
            format!("Username me\nDomain corp\nPassword x\nListen 127.0.0.1:{port}\n{more}");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("cntlm");
        command.arg("-f").arg("-c").arg(file);
        Self::start(command, port, dir.join("cntlm.log"))
    }

    /// Apache Traffic Server, without a cache.
    pub(crate) fn traffic_server(dir: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let port = free_port();
        let folders = [
            ("sysconfdir", "etc"),
            ("runtimedir", "run"),
            ("logdir", "log"),
            ("cachedir", "cache"),
            ("datadir", "cache"),
            ("localstatedir", "run"),
        ];
        let mut layout = format!(
            "prefix: {}\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\nincludedir: /usr/include\nlibdir: /usr/lib\nlibexecdir: /usr/lib/trafficserver/modules\nmandir: /usr/share/man\ninfodir: /usr/share/info\n",
            dir.display()
        );
        // Started as root it becomes another user, which has to write to these folders.
        let open_to_all = fs::Permissions::from_mode(0o777);
        fs::set_permissions(dir, open_to_all.clone()).unwrap();
        for (key, folder) in folders {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(&folder, open_to_all.clone()).unwrap();
            layout += &format!("{key}: {}\n", folder.display());
        }
        let mut records = format!(
            "CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1\nCONFIG proxy.config.url_remap.remap_required INT 0\nCONFIG proxy.config.reverse_proxy.enabled INT 0\nCONFIG proxy.config.http.cache.http INT 0\nCONFIG proxy.config.http.connect_ports STRING *\n"
        );
        if rustix::process::geteuid().is_root() {
            records += "CONFIG proxy.config.admin.user_id STRING nobody\n";
        }
        let rule = "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n    action: allow\n    methods: ALL\n";
        let root = dir.join("runroot.yaml");
        fs::write(&root, layout).unwrap();
        fs::write(dir.join("etc/records.config"), records).unwrap();
        fs::write(dir.join("etc/storage.config"), "cache 16M\n").unwrap();
        fs::write(dir.join("etc/ip_allow.yaml"), rule).unwrap();
        let mut command = Command::new("traffic_server");
        command.arg(format!("--run-root={}", root.display()));
        Self::start(command, port, dir.join("log/diags.log"))
    }

    fn start(mut command: Command, port: u16, log: PathBuf) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut proxy = Self { child, log, port };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?}: {ended:?}");
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    /// The proxy's log of its clients so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the proxy's log of its clients contains `word`; the proxy logs after it has answered.
    #[track_caller]
    pub(crate) fn saw(&self, word: &str) {
        self.saw_times(word, 1);
    }

    /// Waits until the proxy's log of its clients contains `word` that often.
    #[track_caller]
    pub(crate) fn saw_times(&self, word: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = self.log();
            if log.matches(word).count() >= times {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{word:?} is not {times} times in: {log}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for RealProxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
