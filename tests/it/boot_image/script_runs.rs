//! The patched script does its work: when the shells that it may meet source it, with stubs for OpenRC's functions and
//! for `mobyconfig`, it passes on an environment in which Go finds the requested proxy. One script for each form that
//! the 130 historical versions had (FACTS, section 1).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::app::{App, percent_decoded, set_mode};
use crate::common::{app, tools};

macro_rules! scripts {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../../scripts/", $name, ".openrc")))),*] };
}

/// The forms that run.
const SCRIPTS: &[(&str, &[u8])] = scripts![
    "2015-command",
    "2016-comment",
    "2016-depend-start",
    "2016-export-mobyconfig",
    "2016-one-line-mobyconfig",
    "2017-startas",
];

/// Those of them that ask `mobyconfig`.
const ASK_MOBYCONFIG: &[&str] = &[
    "2016-export-mobyconfig",
    "2016-one-line-mobyconfig",
    "2017-startas",
];

/// One historical version never ran: its `if` has no end.
const MISSING_FI: &[u8] = include_bytes!("../../scripts/2016-missing-fi.openrc");

const SHELLS: &[&[&str]] = &[&["dash"], &["busybox", "ash"]];

/// Stands in for `openrc-run`. It uses aliases, since no function of these shells may be called `start-stop-daemon`,
/// and busybox would prefer its own program to one in the path.
const RUNNER: &str = r#"
alias start-stop-daemon="$STUBS/start-stop-daemon"
alias mobyconfig="$STUBS/mobyconfig"
ebegin() { :; }
eend() { return "${1:-0}"; }
einfo() { :; }
need() { :; }
use() { :; }
after() { :; }
before() { :; }
ewaitfile() { :; }
RC_SVCNAME=docker
. "$STUBS/docker"
if command -v depend >/dev/null; then depend; fi
if command -v start >/dev/null; then
	start
else
	eval "\"$STUBS/start-stop-daemon\" --start --exec \"$command\" $start_stop_daemon_args -- $command_args"
fi
"#;

/// The answer of the `mobyconfig` stub.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moby {
    /// The program doesn't exist.
    Missing,
    /// The setting doesn't exist.
    Absent,
    /// The setting exists and is empty.
    Empty,
    /// The setting names another proxy.
    Other,
}

impl Moby {
    const ALL: [Self; 4] = [Self::Missing, Self::Absent, Self::Empty, Self::Other];

    fn stub(self) -> Option<&'static str> {
        match self {
            Self::Missing => None,
            Self::Absent => Some("#!/bin/sh\nexit 1\n"),
            Self::Empty => Some("#!/bin/sh\nexit 0\n"),
            Self::Other => Some(
                "#!/bin/sh\n[ \"$1\" = exists ] && exit 0\ncase \"$2\" in\n*/exclude) echo docker.example ;;\n*) echo http://moby.example:1 ;;\nesac\n",
            ),
        }
    }
}

/// A folder with the stubs and the script.
struct Stage {
    dir: tempfile::TempDir,
}

impl Stage {
    fn new(script: &[u8], moby: Moby) -> Self {
        let stage = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::write(stage.path("runner"), RUNNER).unwrap();
        fs::write(stage.path("docker"), script).unwrap();
        let dump = "#!/bin/sh\nexec /usr/bin/env -0 >\"$STUBS/environment\"\n";
        for (name, text) in [
            ("start-stop-daemon", Some(dump)),
            ("mobyconfig", moby.stub()),
        ] {
            if let Some(text) = text {
                fs::write(stage.path(name), text).unwrap();
                set_mode(&stage.path(name), 0o755);
            }
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn shell(&self, shell: &[&str], arguments: &[&Path]) -> Output {
        Command::new(shell[0])
            .args(&shell[1..])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("STUBS", self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The environment that the engine would inherit.
    #[track_caller]
    fn environment(&self, shell: &[&str], why: &str) -> BTreeMap<String, String> {
        let output = self.shell(shell, &[&self.path("runner")]);
        let dumped = fs::read(self.path("environment"))
            .unwrap_or_else(|_| panic!("{why}: the engine was not started: {output:?}"));
        fs::remove_file(self.path("environment")).unwrap();
        String::from_utf8(dumped)
            .unwrap()
            .split_terminator('\0')
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// A variable as Go reads it: upper case first, and the first that is not empty.
fn as_go(environment: &BTreeMap<String, String>, name: &str) -> String {
    [name.to_uppercase(), name.to_lowercase()]
        .iter()
        .filter_map(|name| environment.get(name))
        .find(|value| !value.is_empty())
        .cloned()
        .unwrap_or_default()
}

/// Host and port, user, password.
fn taken_apart(url: &str) -> (String, String, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (credentials, place) = rest.split_once('@').unwrap_or(("", rest));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let text = |part: &str| String::from_utf8(percent_decoded(part)).unwrap();
    (place.to_owned(), text(user), text(password))
}

/// The script that ends up in an image when the program is run with these arguments.
#[track_caller]
fn patched(script: &[u8], arguments: &[&str]) -> Vec<u8> {
    let app = App::with_script(script);
    app.ok(&[&["apply"], arguments].concat());
    app.script()
}

fn shells() -> Vec<&'static [&'static str]> {
    let there = |shell: &&[&str]| tools::has_tool(shell[0]);
    SHELLS.iter().copied().filter(there).collect()
}

/// Runs `check` for every form of the script, shell and answer of `mobyconfig`.
fn in_every_way(arguments: &[&str], check: impl Fn(&str, &BTreeMap<String, String>)) {
    let shells = shells();
    for (name, script) in SCRIPTS {
        let patched = patched(script, arguments);
        for moby in Moby::ALL {
            let stage = Stage::new(&patched, moby);
            for shell in &shells {
                let why = format!("{name} in {} with {moby:?}", shell[0]);
                check(&why, &stage.environment(shell, &why));
            }
        }
    }
}

#[test]
fn the_engine_gets_both_proxies_and_the_list() {
    let arguments = [
        "--http-proxy",
        "http://one.corp:8080",
        "--https-proxy",
        "http://two.corp:3128",
        "--no-proxy",
        "*.corp,10.0.0.5,10.0.0.0/8",
    ];
    in_every_way(&arguments, |why, environment| {
        for (name, value) in [
            ("http_proxy", "http://one.corp:8080"),
            ("https_proxy", "http://two.corp:3128"),
            ("no_proxy", "localhost,127.0.0.1,.corp,10.0.0.5"),
        ] {
            assert_eq!(as_go(environment, name), value, "{why}");
        }
    });
}

#[test]
fn without_a_list_dockers_own_is_not_left_in_force() {
    in_every_way(&["--http-proxy", "one.corp"], |why, environment| {
        for (name, value) in [
            ("http_proxy", "http://one.corp:80"),
            ("https_proxy", "http://one.corp:80"),
            ("no_proxy", "localhost,127.0.0.1"),
        ] {
            assert_eq!(as_go(environment, name), value, "{why}");
        }
    });
}

#[test]
fn any_password_arrives() {
    let shells = shells();
    for (user, password) in [
        ("me", "s3cret"),
        ("me", "it's"),
        ("me", "'; touch /tmp/x; '"),
        ("me", "$HOME ${PATH} $(id) `id`"),
        ("me", "100%"),
        ("me", "%zz%41"),
        ("me", "p@ss:word@"),
        ("me", "a#b?c/d"),
        ("me", " two  spaces "),
        ("me", r#"back\slash\\ "quoted" \n"#),
        ("me", "Grüße, 鯨 🐋"),
        ("me", "!*~^&|<>();=+{}[]"),
        ("CORP\\me", "x"),
        ("Jürgen O'Neil", "-n"),
        ("me", ""),
    ] {
        let raw = format!("http://{user}:{password}@proxy.corp:8080");
        let encoded: String = format!("{user}\0{password}")
            .bytes()
            .map(|byte| match byte {
                0 => ":".to_owned(),
                byte => format!("%{byte:02x}"),
            })
            .collect();
        let encoded = format!("http://{encoded}@proxy.corp:8080");
        // One form suffices here: the block is the same in each.
        let script = SCRIPTS[5].1;
        for given in [&raw, &encoded] {
            let stage = Stage::new(&patched(script, &["--http-proxy", given]), Moby::Other);
            for shell in &shells {
                let environment = stage.environment(shell, given);
                for name in ["http_proxy", "https_proxy"] {
                    assert_eq!(
                        taken_apart(&as_go(&environment, name)),
                        ("proxy.corp:8080".into(), user.into(), password.into()),
                        "{name} in {} for {given}",
                        shell[0]
                    );
                }
            }
        }
    }
}

/// Without the patch Go finds another proxy, or none, so the tests above do show the effect of the patch.
#[test]
fn the_stubs_let_dockers_own_setting_through() {
    let shells = shells();
    for (name, script) in SCRIPTS {
        let asks = ASK_MOBYCONFIG.contains(name);
        for moby in Moby::ALL {
            let stage = Stage::new(script, moby);
            for shell in &shells {
                let environment = stage.environment(shell, name);
                let expected = if asks && moby == Moby::Other {
                    "http://moby.example:1"
                } else {
                    ""
                };
                let why = format!("{name} in {} with {moby:?}", shell[0]);
                assert_eq!(as_go(&environment, "https_proxy"), expected, "{why}");
                assert!(!environment.contains_key("HTTPS_PROXY"), "{why}");
            }
        }
    }
}

/// Other exports of the script for the engine stay.
#[test]
fn other_exports_of_the_script_arrive() {
    let script = SCRIPTS[3].1;
    let stage = Stage::new(
        &patched(script, &["--http-proxy", app::PROXY]),
        Moby::Absent,
    );
    for shell in shells() {
        let environment = stage.environment(shell, "2016-export-mobyconfig");
        assert_eq!(environment["DOCKER_RAMDISK"], "true");
    }
}

#[test]
fn the_shells_find_no_fault_in_a_patched_script() {
    let arguments = [
        "--http-proxy",
        "http://me:'$`\"\\ü@p:1",
        "--no-proxy",
        ".corp",
    ];
    for (name, script) in SCRIPTS {
        let stage = Stage::new(&patched(script, &arguments), Moby::Absent);
        for shell in shells() {
            let output = stage.shell(shell, &["-n".as_ref(), &stage.path("docker")]);
            assert!(output.status.success(), "{name}: {output:?}");
            assert!(output.stderr.is_empty(), "{name}: {output:?}");
        }
    }
}

/// Baleen neither repairs nor rejects what it did not write.
#[test]
fn a_script_that_never_ran_is_patched_and_still_does_not_run() {
    let new = patched(MISSING_FI, &["--http-proxy", app::PROXY]);
    let new = String::from_utf8(new).unwrap();
    let old = String::from_utf8(MISSING_FI.to_vec()).unwrap();
    let (first, rest) = old.split_once('\n').unwrap();
    let block = new
        .strip_prefix(&format!("{first}\n"))
        .and_then(|new| new.strip_suffix(rest))
        .unwrap();
    let added = block.lines().count();

    for shell in shells() {
        let complaint = |script: &str| {
            let stage = Stage::new(script.as_bytes(), Moby::Absent);
            let output = stage.shell(shell, &["-n".as_ref(), &stage.path("docker")]);
            assert!(!output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stderr).unwrap();
            text.replace(stage.dir.path().to_str().unwrap(), "")
        };
        // The same complaint, as many lines further down as the block has.
        let line = |lines: &str| lines.matches('\n').count();
        let moved = |text: &str, by: usize| {
            text.replace(&line(&old).to_string(), &(line(&old) + by).to_string())
        };
        let (before, after) = (complaint(&old), complaint(&new));
        assert!(
            after == before || after == moved(&before, added),
            "{before}{after}"
        );
        let alone = Stage::new(block.as_bytes(), Moby::Absent);
        let output = alone.shell(shell, &["-n".as_ref(), &alone.path("docker")]);
        assert!(output.status.success(), "{output:?}");
    }
}
