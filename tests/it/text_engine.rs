//! A made-up kind of engine whose only setting is a text file. It has status, apply, restore, the agent's watch, the
//! doctor's first steps and uninstallation without a change anywhere else, which is what the interface of backends is for.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, SystemTime};

use baleen::agent::notice::Notice;
use baleen::agent::{Agent, AgentOutput, Options};
use baleen::backend::{
    Activation, Backend, BackendId, Capabilities, ChangeStep, Changes, Configured, Depth, Engine,
    Installed, Kind, Observation, OnProgress, Original, Plan, PlanOptions, Registry, Remains,
    RemainsState, RestartScope, Running, TakesEffect, Unpatched,
};
use baleen::desired::Expected;
use baleen::digest::{OriginalSha, Sha};
use baleen::doctor::{self, NoSocket, Outcome, Settings, Trust};
use baleen::error::{Error, IoError};
use baleen::intent::{Intent, Intents};
use baleen::net::HostPort;
use baleen::proxy::{
    ClientDialect, EngineProxy, NoProxy, ProxyOrigin, ProxyUrl, RedactedProxy, Translation,
};
use baleen::reconcile::State;
use baleen::service::{self, Recording, Status, StatusQuery, status};
use baleen::text::WORDING;
use baleen::uninstall::{self, Scope};

use crate::common::failure::diagnostic;

/// The kind: a folder with `engine.txt` in it.
#[derive(Debug)]
struct TextKind;

const REGISTRY: Registry = Registry::new(&[&TextKind]);

impl Kind for TextKind {
    fn places(&self, _home: Option<&Path>) -> Vec<PathBuf> {
        Vec::new()
    }

    fn is_at(&self, path: &Path) -> bool {
        path.join("engine.txt").exists()
    }

    fn open(&self, path: &Path, _state: &Path) -> Box<dyn Backend> {
        Box::new(TextEngine {
            place: path.to_owned(),
        })
    }
}

#[derive(Debug)]
struct TextEngine {
    place: PathBuf,
}

/// The first line of an `engine.txt` that Baleen changed; the original's lines come after those of the proxy.
const MARK: &str = "# baleen ";
const END: &str = "# end of baleen\n";

impl TextEngine {
    fn file(&self) -> PathBuf {
        self.place.join("engine.txt")
    }

    fn text(&self) -> Result<String, Error> {
        let file = self.file();
        Ok(fs::read_to_string(&file).map_err(|error| IoError::new("read", &file, error))?)
    }

    /// The text without Baleen's lines, and what Baleen configured.
    fn parts(&self) -> Result<(String, Option<Configured>), Error> {
        let text = self.text()?;
        let Some((own, original)) = text.split_once(END) else {
            return Ok((text, None));
        };
        let head = own.lines().next().and_then(|line| line.strip_prefix(MARK));
        let head = head.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData));
        let head = head.and_then(|head| Ok(serde_json::from_str::<(Sha, RedactedProxy)>(head)?));
        let (revision, proxy) =
            head.map_err(|error| IoError::new("understand", &self.file(), error))?;
        let configured = Configured {
            revision,
            proxy,
            method: None,
        };
        Ok((original.to_owned(), Some(configured)))
    }
}

impl Backend for TextEngine {
    fn place(&self) -> &Path {
        &self.place
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.place.clone(), self.file()]
    }

    fn engine(&self) -> Result<Engine, Error> {
        let (original, _) = self.parts()?;
        let version = original
            .lines()
            .find_map(|line| line.strip_prefix("version="));
        Ok(Engine {
            locked_by: None,
            backend: BackendId("text"),
            path: self.place.clone(),
            named: self.place.clone(),
            version: version.unwrap_or("unknown").to_owned(),
            build: "0".to_owned(),
            family: "text",
            capabilities: Capabilities {
                client: ClientDialect::of("17.06.0", true),
                live: false,
            },
            proxy_pane: None,
            settings_url: None,
            refusal: None,
        })
    }

    fn observe(&self, _depth: Depth, _progress: OnProgress<'_>) -> Observation {
        let found = self.engine().and_then(|engine| {
            let (original, configured) = self.parts()?;
            let file = self.file();
            let metadata =
                fs::metadata(&file).map_err(|error| IoError::new("read", &file, error))?;
            Ok(Installed {
                own_settings: None,
                engine,
                file,
                configured,
                unpatched: Unpatched::Clean,
                since: SystemTime::UNIX_EPOCH
                    + Duration::new(metadata.ctime() as u64, metadata.ctime_nsec() as u32),
                bytes: metadata.len(),
                original: Some(OriginalSha(Sha::of(original.as_bytes()))),
            })
        });
        match found {
            Ok(installed) => Observation::Ready(Box::new(installed)),
            Err(error) => Observation::Incomplete(error.into()),
        }
    }

    fn running(&self) -> Option<Running> {
        None
    }

    fn plan(
        &self,
        want: Option<&EngineProxy>,
        _options: PlanOptions,
        _progress: OnProgress<'_>,
    ) -> Result<Box<dyn Plan>, Error> {
        let (original, configured) = self.parts()?;
        let mut new = String::new();
        if let Some(proxy) = want {
            let head = serde_json::to_string(&(proxy.revision(), proxy.shown())).unwrap();
            new += &format!("{MARK}{head}\n");
            for (name, value) in proxy.variables() {
                new += &format!("{name}={}\n", *value);
            }
            new += END;
        }
        new += &original;
        let old = self.text()?;
        Ok(Box::new(TextPlan {
            changes: Changes {
                takes_effect: TakesEffect::NextStart,
                is_change: new != old,
                file: self.file(),
                bytes: None,
                method: None,
                proxy: want.map(EngineProxy::shown),
                removed: configured.filter(|_| want.is_none()).map(|it| it.proxy),
                original: Some(Original {
                    bytes: original.len() as u64,
                    sha256: OriginalSha(Sha::of(original.as_bytes())),
                }),
                backup: None,
                unpatched: Unpatched::Clean,
                steps: vec![ChangeStep::Edit {
                    text: "engine.txt".to_owned(),
                    difference: format!("-{old}\n+{new}"),
                }],
                warnings: Vec::new(),
            },
            new,
        }))
    }

    fn activate(
        &self,
        _scope: RestartScope,
        _adopt: bool,
        _cancel: &AtomicBool,
    ) -> Result<Activation, Error> {
        Ok(Activation::NotRunning)
    }

    fn configured_proxy(&self) -> Result<Option<EngineProxy>, Error> {
        let text = self.text()?;
        let value = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.and_then(|value| ProxyUrl::parse(value).ok())
        };
        Ok(EngineProxy::new(
            value("HTTP_PROXY"),
            value("HTTPS_PROXY"),
            NoProxy::default(),
        ))
    }

    fn preflight(&self) -> Result<(), Error> {
        let file = self.file();
        fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .map_err(|error| IoError::new("write", &file, error))?;
        Ok(())
    }

    fn remains(&self) -> Option<Remains> {
        Some(Remains {
            path: self.place.clone(),
            version: self.engine().ok().map(|engine| engine.version),
            state: self.parts().map(|(_, configured)| match configured {
                Some(configured) => RemainsState::Patched(configured.proxy, Unpatched::Clean),
                None => RemainsState::Stock,
            }),
            backup: None,
        })
    }
}

#[derive(Debug)]
struct TextPlan {
    changes: Changes,
    new: String,
}

impl Plan for TextPlan {
    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn apply(mut self: Box<Self>, _progress: OnProgress<'_>) -> Result<Changes, Error> {
        if self.changes.is_change {
            let file = &self.changes.file;
            let new = file.with_file_name(".baleen-engine.txt");
            fs::write(&new, &self.new)
                .and_then(|()| fs::rename(&new, file))
                .map_err(|error| IoError::new("write", file, error))?;
            self.changes.bytes = Some(self.new.len() as u64);
        }
        Ok(self.changes)
    }
}

/// A folder with `engine`, `state` and a config file.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(place.engine()).unwrap();
        place.install("1.0");
        place
    }

    fn engine(&self) -> PathBuf {
        self.dir.path().join("engine")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn stock(version: &str) -> String {
        format!("version={version}\ncolor=blue\n")
    }

    /// An installation or an update of the engine.
    fn install(&self, version: &str) {
        fs::write(self.engine().join("engine.txt"), Self::stock(version)).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.engine().join("engine.txt")).unwrap()
    }

    fn backend(&self) -> Box<dyn Backend> {
        REGISTRY.open(&self.engine(), &self.state())
    }

    fn intents(&self) -> Intents {
        Intents::in_folder(&self.state())
    }

    fn status(&self, proxy: &EngineProxy) -> Status {
        let backend = self.backend();
        let query = StatusQuery {
            intent: self.intents().get(backend.place()),
            setting: Expected::Proxy(proxy).setting(&ProxyOrigin::Environment),
        };
        status(&*backend, &query, Depth::Quick, &|_| {})
    }

    fn apply(&self, proxy: &EngineProxy) -> Changes {
        let intents = self.intents();
        let recording = Recording {
            intents: &intents,
            intent: Intent::Settings,
        };
        let options = PlanOptions::default();
        let applied = service::apply(&*self.backend(), proxy, options, Some(recording), &|_| {});
        applied.unwrap().changes
    }
}

fn proxy(url: &str) -> EngineProxy {
    let url = ProxyUrl::parse(url).unwrap();
    EngineProxy::new(Some(url.clone()), Some(url), NoProxy::default()).unwrap()
}

#[test]
fn its_proxy_is_set_kept_through_an_update_and_taken_out() {
    let place = Place::new();
    let (one, two) = (
        proxy("http://one.corp:1"),
        proxy("http://me:s3cret@two.corp:2"),
    );
    assert_eq!(place.status(&one).state, State::Off);
    assert!(place.apply(&one).is_change);
    assert_eq!(place.status(&one).state, State::Current);
    assert!(!place.apply(&one).is_change);
    assert_eq!(place.status(&two).state, State::Stale);
    place.install("2.0");
    let wiped = place.status(&one);
    assert_eq!(wiped.state, State::Wiped);
    assert!(wiped.reason.sentence().contains("2.0"), "{wiped:?}");
    assert!(place.apply(&two).is_change);
    assert_eq!(place.status(&two).state, State::Current);
    assert!(!format!("{:?}", place.status(&two)).contains("s3cret"));

    let intents = place.intents();
    let recording = Recording {
        intents: &intents,
        intent: Intent::Off,
    };
    let restored =
        service::restore(&*place.backend(), PlanOptions::default(), Some(recording)).unwrap();
    assert_eq!(restored.changes.removed, Some(two.shown()));
    assert_eq!(place.text(), Place::stock("2.0"));
    assert_eq!(place.status(&two).state, State::Off);
}

/// Waits for an output of the agent.
fn until<T>(outputs: &Receiver<AgentOutput>, found: impl Fn(&AgentOutput) -> Option<T>) -> T {
    loop {
        let output = outputs.recv_timeout(Duration::from_secs(60)).unwrap();
        if let Some(found) = found(&output) {
            return found;
        }
    }
}

#[test]
fn the_agent_follows_the_settings_and_repairs_it_after_an_update() {
    let place = Place::new();
    let names = |host: &str| {
        let line = format!("source = \"manual\"\nhttps_proxy = \"http://{host}:3128\"\n");
        fs::write(place.config(), line).unwrap();
    };
    names("one.corp");
    place
        .intents()
        .set(&place.engine(), Intent::Settings)
        .unwrap();
    let (sender, outputs) = mpsc::channel();
    let options = Options {
        relay: None,
        registry: REGISTRY,
        docker_app: Some(place.engine()),
        config: place.config(),
        state: place.state(),
        has_icon: false,
        wording: WORDING,
    };
    // The test may end before the agent.
    let agent = Agent::start(options, move |output| drop(sender.send(output))).unwrap();
    let is_current = |host: &'static str| {
        move |output: &AgentOutput| match output {
            AgentOutput::View(view) if view.state == State::Current => {
                let shown = view.in_image.as_ref()?.summary();
                shown.contains(host).then_some(())
            }
            _ => None,
        }
    };
    until(&outputs, is_current("one.corp"));
    assert!(place.text().contains("HTTPS_PROXY=http://one.corp:3128\n"));

    place.install("2.0");
    let updated = until(&outputs, |output| match output {
        AgentOutput::Notice(notice) => match &**notice {
            Notice::Updated { from, to, .. } => Some((from.clone(), to.clone())),
            _ => None,
        },
        AgentOutput::View(_) => None,
    });
    assert_eq!(updated, ("1.0".to_owned(), "2.0".to_owned()));
    assert!(place.text().contains("HTTPS_PROXY=http://one.corp:3128\n"));
    assert!(place.text().ends_with(&Place::stock("2.0")));

    names("two.corp");
    until(&outputs, is_current("two.corp"));
    drop(agent.stop());
}

#[test]
fn the_doctor_looks_at_it() {
    let place = Place::new();
    let wanted = proxy("http://one.corp:1");
    let translation = Translation {
        is_plain_system: false,
        proxy: Some(wanted.clone()),
        host_proxy: None,
        entries: Vec::new(),
        remarks: Vec::new(),
        explanations: Vec::new(),
        pac_unreachable: None,
    };
    let examine = || {
        let backend = place.backend();
        let options = doctor::Options {
            state: std::path::Path::new("/nonexistent"),
            backend: Ok(&*backend),
            intent: place.intents().get(backend.place()),
            expected: Expected::Proxy(&wanted),
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
            engine: &ClientDialect::of("17.06.0", true),
            here: &|_| None,
            registry: &HostPort {
                host: "127.0.0.1".to_owned(),
                port: 9,
            },
            docker_socket: Err(NoSocket::NotFound),
            trust: &Trust {
                public: rustls::RootCertStore::empty(),
                computer: rustls::RootCertStore::empty(),
            },
            patience: Duration::from_secs(1),
        };
        let report = doctor::examine(&options, &mut |_| {});
        let first = report.steps[..4].iter();
        first
            .map(|step| (step.id().to_owned(), step.outcome()))
            .collect::<Vec<_>>()
    };
    let steps = |last| {
        [("bundle", Outcome::Good), ("family", Outcome::Good)]
            .into_iter()
            .chain([("writable", Outcome::Good), ("image", last)])
            .map(|(id, outcome)| (id.to_owned(), outcome))
            .collect::<Vec<_>>()
    };
    assert_eq!(examine(), steps(Outcome::Bad));
    place.apply(&wanted);
    assert_eq!(examine(), steps(Outcome::Good));
}

#[test]
fn uninstalling_gives_it_back_as_it_was() {
    let place = Place::new();
    place.apply(&proxy("http://one.corp:1"));
    let home = place.dir.path().join("home");
    let scope = Scope {
        registry: REGISTRY,
        docker_app: Some(place.engine()),
        config: place.config(),
        state: place.state(),
        places: uninstall::places(
            REGISTRY,
            |name| (name == "BALEEN_STATE_DIR").then(|| place.state().into()),
            &home,
            false,
        ),
    };
    let found = uninstall::scan(&scope).unwrap();
    let plan = uninstall::plan(found, &scope.places, false).unwrap();
    let kinds: BTreeSet<&str> = plan.steps.iter().map(|step| step.kind()).collect();
    assert_eq!(kinds, BTreeSet::from(["file", "folder", "image"]));
    let outcome = uninstall::execute(&plan, &scope, false, "a test").unwrap();
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    assert_eq!(place.text(), Place::stock("1.0"));
    assert!(!place.state().exists());
}

/// A failure of an engine reaches the user interfaces as it is.
#[test]
fn an_engine_that_is_half_there_is_updating() {
    let place = Place::new();
    let wanted = proxy("http://one.corp:1");
    place.apply(&wanted);
    fs::remove_file(place.engine().join("engine.txt")).unwrap();
    let backend = REGISTRY.open(&place.engine(), &place.state());
    let query = StatusQuery::default();
    let seen = status(&*backend, &query, Depth::Quick, &|_| {});
    assert_eq!(seen.state, State::Updating);
    let missing = Observation::Missing(diagnostic("nothing", None, None));
    assert_eq!(Status::of(missing, &query).state, State::NoDocker);
}
