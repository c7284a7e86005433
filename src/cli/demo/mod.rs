//! `baleen demo`: all of Baleen's work, step by step, on a sample Docker.app. Each step calls the same
//! functions as the other commands.

mod desktop;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use similar::TextDiff;

use crate::backend::docker_desktop::initrd::image::Image;
use crate::backend::docker_desktop::initrd::script::{MAX_SCRIPT_LEN, SCRIPT};
use crate::backend::docker_desktop::open_in_home;
use crate::backend::{Backend, Depth, PlanOptions};
use crate::demo;
use crate::desired::Expected;
use crate::digest::Sha;
use crate::error::{Face, Failure, Hint, IoError, Kind, Result};
use crate::initrd;
use crate::initrd::find::find;
use crate::intent::Intent;
use crate::proxy::ProxySettings;
use crate::proxy::settings::{Server, SystemSettings};
use crate::proxy::{
    ClientDialect, EngineProxy, Overrides, ProxyConfig, ProxyOrigin, Resolvers, Translation,
    translate,
};
use crate::reconcile::State;
use crate::service::{self, StatusQuery, status};

use super::output::{BAD, BOLD, DIM, GOOD, Output, styled};
use super::proxy::entry_json;

const BEFORE: (&str, &str) = ("1.11.1-beta12", "7488");
const AFTER: (&str, &str) = ("1.11.1-beta13", "7975");
/// Proxy host in the demo's System Settings.
const HOST: &str = "proxy.corp.example";
const PORT: u16 = 8080;
const EXCEPTIONS: [&str; 3] = ["*.local", "169.254/16", "intranet.corp.example"];

/// The reason why the demo did not run to its end.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{} is not empty", folder.display())]
    NotEmpty { folder: PathBuf },

    #[error("the demo's proxy is not one")]
    NoProxy,

    #[error("there is no script in this story")]
    NoScript,

    #[error(transparent)]
    Image(initrd::Error),

    #[error("the demo found a bug in Baleen: expected that {claim}")]
    Bug { claim: String },
}

impl Failure for DemoError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotEmpty { .. } => Kind::Unsupported,
            Self::NoProxy | Self::NoScript | Self::Image(_) | Self::Bug { .. } => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotEmpty { .. } => "demo-not-empty",
            Self::NoProxy => "demo-no-proxy",
            Self::NoScript => "demo-no-script",
            Self::Image(_) => "demo-image",
            Self::Bug { .. } => "demo-bug",
        }
    }
}

impl Hint for DemoError {
    fn hint(&self, _face: Face) -> Option<String> {
        match self {
            Self::NotEmpty { .. } => Some("name a new or an empty folder with --keep".to_owned()),
            Self::Bug { .. } => Some("please report this".to_owned()),
            Self::NoProxy | Self::NoScript | Self::Image(_) => None,
        }
    }
}

/// `baleen demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The Docker of the story
    #[arg(long, value_enum, default_value_t = DockerArg::Moby)]
    pub(super) docker: DockerArg,
    /// Work in this folder, which must be empty or new, and keep the result
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
}

/// The Docker of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DockerArg {
    /// Docker for Mac of 2016, whose boot image is patched
    Moby,
    /// Docker Desktop of today, in whose own settings the proxy is kept
    Desktop,
}

pub(super) fn run(args: &DemoArgs, out: &mut Output) -> Result<u8> {
    let temporary;
    let folder = match &args.keep {
        Some(folder) => {
            require_empty(folder)?;
            folder.as_path()
        }
        None => {
            temporary = tempfile::tempdir()
                .map_err(|error| IoError::new("make a folder in", &std::env::temp_dir(), error))?;
            temporary.path()
        }
    };
    let client = match args.docker {
        DockerArg::Moby => ClientDialect::of(BEFORE.0, true),
        DockerArg::Desktop => ClientDialect::of_docker_proxy(desktop::BEFORE.0),
    };
    // Docker Desktop can follow a plain proxy by itself.
    let user = (args.docker == DockerArg::Desktop).then(|| "me".to_owned());
    let translation = translation(&client, user)?;
    let mut story = Story {
        app: folder.join("Docker.app"),
        proxy: translation.proxy.clone().ok_or(DemoError::NoProxy)?,
        translation,
        intent: Intent::Off,
        steps: Vec::new(),
        number: 0,
        out,
    };
    match args.docker {
        DockerArg::Moby => story.tell()?,
        DockerArg::Desktop => story.tell_desktop()?,
    }
    let steps = std::mem::take(&mut story.steps);
    out.object(json!({ "steps": steps }))?;
    if args.keep.is_some() {
        let app = folder.join("Docker.app");
        let app = app.display();
        let command = match args.docker {
            DockerArg::Moby => format!("baleen status --docker-app '{app}'"),
            // The settings of a Docker Desktop are in the home folder of its user.
            DockerArg::Desktop => format!(
                "HOME='{}' baleen status --docker-app '{app}'",
                folder.join("home").display()
            ),
        };
        out.line(format!(
            "\nThe app is still there, to try the other commands on:\n    {command}"
        ))?;
    }
    Ok(0)
}

/// Checks that the user's folder is empty: the demo may fill it, but never clears it.
fn require_empty(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| IoError::new("make", folder, error))?;
    let mut entries = fs::read_dir(folder).map_err(|error| IoError::new("read", folder, error))?;
    if entries.next().is_some() {
        return Err(DemoError::NotEmpty {
            folder: folder.to_owned(),
        }
        .into());
    }
    Ok(())
}

/// Translates the demo's settings for its Docker, without looking up names or asking for passwords.
fn translation(client: &ClientDialect, user: Option<String>) -> Result<Translation> {
    let server = || {
        Some(Server {
            host: HOST.to_owned(),
            port: PORT,
            user: user.clone(),
        })
    };
    let proxy_config = ProxyConfig {
        origin: ProxyOrigin::System,
        settings: ProxySettings::Settings(SystemSettings {
            http: server(),
            https: server(),
            exceptions: EXCEPTIONS.map(str::to_owned).to_vec(),
            ..SystemSettings::default()
        }),
    };
    let world = Resolvers {
        addresses: &|_| Ok(Vec::new()),
        password: &|_| Ok(None),
        pac: &|_, _| Err(DemoError::NoScript.into()),
    };
    translate(&proxy_config, client, &Overrides::default(), &world)
}

struct Story<'a> {
    app: PathBuf,
    translation: Translation,
    proxy: EngineProxy,
    intent: Intent,
    steps: Vec<Value>,
    number: usize,
    out: &'a mut Output,
}

impl Story<'_> {
    fn tell(&mut self) -> Result<()> {
        self.step(&format!("A stock Docker.app, {}", BEFORE.0))?;
        let image = demo::build(&self.app, BEFORE.0, BEFORE.1)?;
        let stock = self.digest(&image, "stock boot image")?;
        self.show_state(State::Off)?;

        self.show_settings("System Settings, and what this engine can express")?;

        self.step("baleen apply")?;
        let before = script(&image)?;
        self.intent = Intent::Settings;
        self.apply()?;
        let patched = self.digest(&image, "patched boot image")?;
        self.show_state(State::Current)?;
        self.check(
            "the patched boot image is the stock one plus appended bytes",
            starts_with_stock(&image)?,
        )?;

        self.step(&format!(
            "What changed: /{SCRIPT} in the boot image, and nothing else"
        ))?;
        let after = script(&image)?;
        let diff = TextDiff::from_lines(&before, &after)
            .unified_diff()
            .header("stock", "patched")
            .to_string();
        self.show_difference(&diff)?;

        self.step("The same apply once more")?;
        self.apply()?;
        let again = self.digest(&image, "image")?;
        self.check("not a byte has changed", again == patched)?;

        self.step(&format!(
            "Docker updates itself to {}, and the patch is gone",
            AFTER.0
        ))?;
        demo::build(&self.app, AFTER.0, AFTER.1)?;
        let updated = self.digest(&image, "new stock boot image")?;
        self.check(
            "the update brought another boot image",
            updated != stock && updated != patched,
        )?;
        self.show_state(State::Wiped)?;

        self.step("The repair")?;
        self.apply()?;
        self.digest(&image, "patched boot image")?;
        self.show_state(State::Current)?;

        self.step("baleen restore")?;
        self.intent = Intent::Off;
        let restored_to = service::restore(&*self.backend(), PlanOptions::default(), None)?
            .changes
            .original;
        let restored = self.digest(&image, "restored boot image")?;
        self.check(
            "it is Docker's own boot image again, byte for byte",
            restored == updated && restored_to.is_some_and(|original| original.sha256.0 == updated),
        )?;
        self.show_state(State::Off)
    }

    /// Shows the settings of this computer, and what becomes of them.
    fn show_settings(&mut self, title: &str) -> Result<()> {
        self.step(title)?;
        let has_user = self
            .proxy
            .https()
            .is_some_and(|proxy| proxy.user().is_some());
        let login = if has_user { ", with a login" } else { "" };
        self.fact(
            &format!("proxy for http and https: {HOST}:{PORT}{login}"),
            json!({ "proxy": format!("{HOST}:{PORT}") }),
        )?;
        for entry in self.translation.entries.clone() {
            let to = entry.to.as_deref().unwrap_or("-");
            let reason = entry.reason.map(|reason| reason.to_string());
            let reason = reason.as_deref().unwrap_or("means the same to both");
            self.fact(
                &format!(
                    "{:21}  {to:21}  {}: {reason}",
                    entry.from,
                    entry.fate.word()
                ),
                entry_json(&entry),
            )?;
        }
        Ok(())
    }

    fn show_difference(&mut self, diff: &str) -> Result<()> {
        for line in diff.lines() {
            let style = if line.starts_with('+') { GOOD } else { DIM };
            self.out.verbatim(format!("   {}", styled(style, line)))?;
        }
        Ok(())
    }

    fn step(&mut self, title: &str) -> Result<()> {
        self.number += 1;
        let gap = if self.number > 1 { "\n" } else { "" };
        self.out.line(format!(
            "{gap}{}",
            styled(BOLD, format!("{}. {title}", self.number))
        ))?;
        self.steps.push(json!({ "title": title, "facts": [] }));
        Ok(())
    }

    fn fact(&mut self, shown: &str, fact: Value) -> Result<()> {
        if let Some(facts) = self
            .steps
            .last_mut()
            .and_then(|step| step["facts"].as_array_mut())
        {
            facts.push(fact);
        }
        self.out.line(format!("   {shown}"))
    }

    /// Checks a claim of the demo. If it is false, the demo fails.
    fn check(&mut self, claim: &str, holds: bool) -> Result<()> {
        if !holds {
            self.out
                .line(format!("   {} {claim}", styled(BAD, "not so:")))?;
            return Err(DemoError::Bug {
                claim: claim.to_owned(),
            }
            .into());
        }
        self.fact(
            &format!("{} {claim}", styled(GOOD, "yes:")),
            json!({ "claim": claim, "holds": holds }),
        )
    }

    fn digest(&mut self, image: &Path, what: &str) -> Result<Sha> {
        let image = Image::open(image)?;
        let sha = Sha::of_file(image.file(), image.length())
            .map_err(|error| IoError::new("read", image.path(), error))?;
        self.fact(
            &format!("{what}: {} bytes, sha256 {sha}", image.length()),
            json!({ "what": what, "bytes": image.length(), "sha256": sha }),
        )?;
        Ok(sha)
    }

    fn apply(&mut self) -> Result<()> {
        let proxy = self.proxy.clone();
        let options = PlanOptions::default();
        let applied = service::apply(&*self.backend(), &proxy, options, None, &|_| {})?.changes;
        let said = match (applied.is_change, applied.method) {
            (true, Some(method)) => format!("applied, by {method}"),
            (true, None) => "applied".to_owned(),
            (false, _) => "in place already: nothing was done".to_owned(),
        };
        self.fact(&said, json!({ "apply": said }))
    }

    fn backend(&self) -> Box<dyn Backend> {
        let folder = self.app.parent().unwrap_or(&self.app);
        open_in_home(&self.app, folder, &folder.join("home"))
    }

    fn show_state(&mut self, expected: State) -> Result<()> {
        let proxy = self.proxy.clone();
        let question = StatusQuery {
            intent: Some(self.intent),
            setting: Expected::Proxy(&proxy).setting(&ProxyOrigin::CommandLine),
        };
        let status = status(&*self.backend(), &question, Depth::Deep, &|_| {});
        let word = status.state.word();
        self.fact(
            &format!(
                "status: {} ({})",
                styled(BOLD, word),
                status.reason.sentence()
            ),
            json!({ "state": status.state }),
        )?;
        if status.state == expected {
            Ok(())
        } else {
            self.check(&format!("the state is {}", expected.word()), false)
        }
    }
}

/// Returns the script that the kernel would end up with.
fn script(image: &Path) -> Result<String> {
    let image = Image::open(image)?;
    let (_, found) =
        find(image.section(), SCRIPT.as_bytes(), MAX_SCRIPT_LEN).map_err(DemoError::Image)?;
    let body = found.and_then(|found| found.body).unwrap_or_default();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Returns whether the boot image begins with all bytes of its backup, and has more.
fn starts_with_stock(image: &Path) -> Result<bool> {
    let image = Image::open(image)?;
    let backup = image.backup_path();
    let read = |path: &Path| -> Result<Vec<u8>> {
        Ok(fs::read(path).map_err(|error| IoError::new("read", path, error))?)
    };
    let (patched, stock) = (read(image.path())?, read(&backup)?);
    Ok(patched.starts_with(&stock) && patched.len() > stock.len())
}
