//! Docker Desktop of today: the Engine's environment names Docker's own proxy on the Mac, and Baleen changes where that one
//! forwards to, while everything goes on running. The Engine, the VM, the registry and the proxy are real; Docker's backend
//! is the stand-in of `tests/desktop`, since Docker Desktop runs on no Linux without a screen and an account.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::Case;
use crate::cases::stock;
use crate::common::app::App;
use crate::lab::Lab;
use crate::mac::{Mac, ON_THE_MAC};
use crate::servers::{IMAGE, PROXY};
use crate::stand_in::StandIn;

/// The port of Docker's own proxy on the Mac. In Docker Desktop it is 3128, which is the upstream's here.
const OWN_PROXY: u16 = 3129;
/// Another address of the same upstream.
const OTHER_UPSTREAM: u16 = 3130;

pub(crate) fn all() -> Vec<Case> {
    vec![Case {
        name: "desktop".to_owned(),
        what: "Docker Desktop's own proxy (a stand-in) gets an upstream, another one, and none; nothing is restarted"
            .to_owned(),
        is_short: true,
        run: Box::new(upstream_comes_changes_and_goes),
    }]
}

/// A Docker Desktop whose backend is the stand-in.
struct Desktop {
    app: App,
    process: Child,
    docker: StandIn,
}

impl Desktop {
    fn start() -> Self {
        let app = App::new();
        app.install_with("4.84.0", &["linuxkit/kernel", "linuxkit/boot.img"]);
        let docker = StandIn::start(&app.dir.path().join("home"), (4, 84)).unwrap();
        // Without Baleen this Mac reaches nothing.
        docker.set(|state| state.is_isolated = true);
        docker.listen(&format!("127.0.0.1:{OWN_PROXY}")).unwrap();
        let process = Command::new(app.app().join("Contents/MacOS/Docker"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            app,
            process,
            docker,
        }
    }

    #[track_caller]
    fn baleen(&self, lab: &Lab, arguments: &[&str]) {
        let run = self.app.run(arguments);
        lab.say(&format!(
            "$ baleen {}\n{}{}",
            arguments.join(" "),
            run.out,
            run.err
        ));
        assert_eq!(run.code, 0, "{run}");
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn upstream_comes_changes_and_goes(lab: &Lab) {
    let desktop = Desktop::start();
    forward(OTHER_UPSTREAM, PROXY);
    let mut mac = Mac::new(lab, &stock(1));
    mac.ports = vec![OWN_PROXY];
    let own = format!("http://192.168.65.1:{OWN_PROXY}");
    for key in ["proxy/http", "proxy/https"] {
        mac.set_native(key, &own);
    }
    mac.set_native("proxy/exclude", "");
    mac.start();
    let boot = mac.aside("cat /proc/sys/kernel/random/boot_id; cat /run/docker.pid");
    let bundle = crate::common::app::Snapshot::of(&desktop.app.app(), true);
    mac.finds_no_way("Bad Gateway");

    desktop.baleen(lab, &["apply", "--http-proxy", ON_THE_MAC]);
    mac.pulls_through_the_proxy();
    desktop.baleen(
        lab,
        &[
            "apply",
            "--http-proxy",
            &format!("http://127.0.0.1:{OTHER_UPSTREAM}"),
        ],
    );
    forget_image(&mac);
    mac.pulls_through_the_proxy();
    desktop.baleen(lab, &["restore"]);
    forget_image(&mac);
    mac.finds_no_way("Bad Gateway");

    assert_eq!(
        mac.aside("cat /proc/sys/kernel/random/boot_id; cat /run/docker.pid"),
        boot
    );
    assert_eq!(desktop.docker.state.lock().unwrap().posts.len(), 3);
    bundle.is_still(&crate::common::app::Snapshot::of(&desktop.app.app(), true));
}

/// Removes the image from the Engine, so that the next pull has to get all of it.
fn forget_image(mac: &Mac<'_>) {
    let removed = mac.docker(&["rmi", "--force", IMAGE]);
    assert!(removed.status.success(), "{removed:?}");
    mac.begin_log();
}

/// Forwards connections on this computer from one port to another.
fn forward(from: u16, to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", from)).unwrap();
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            thread::spawn(move || -> io::Result<()> {
                let server = TcpStream::connect(("127.0.0.1", to))?;
                let (mut there, mut back) = (client.try_clone()?, server.try_clone()?);
                let (mut client, mut server) = (client, server);
                thread::spawn(move || io::copy(&mut there, &mut server));
                io::copy(&mut back, &mut client)?;
                Ok(())
            });
        }
    });
}
