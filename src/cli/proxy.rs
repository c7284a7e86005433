//! `baleen proxy` and `baleen proxy test`.

#![allow(rustdoc::bare_urls, reason = "some comments are help texts")]

use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::backend::docker_desktop::client_of;
use crate::backend::{Backend, Depth, Engine};
use crate::desired::{ProxyQuery, source_of};
use crate::error::{Face, Failure, Hint, Kind, Result};
use crate::intent::Intent;
use crate::platform::system_proxies;
use crate::proxy::ProxySettings;
use crate::proxy::pac::{self, PacAnswer, PacAnswers, PacSource, ScriptState};
use crate::proxy::route::{self, Hop, Target};
use crate::proxy::settings::{Server, SystemSettings};
use crate::proxy::translate::{EntryOutcome, TranslatedEntry};
use crate::proxy::{ClientDialect, ProxyConfig, RedactedProxy, Translation, joined, notes, redact};
use crate::text::remark;
use crate::text::time::ago;
use crate::util::unix_seconds;

use super::args::{Global, ProxyArgs, first_given};
use super::output::{BOLD, DIM, GOOD, NOTE, Output, styled};
use super::{config, find_backend, intents, request};

/// An argument of `baleen proxy test` that names no host, without a password.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' should be HOST, HOST:PORT or an http:// or https:// URL")]
struct NoTarget(String);

impl Failure for NoTarget {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn code(&self) -> &'static str {
        "no-target"
    }
}

impl Hint for NoTarget {
    fn hint(&self, _face: Face) -> Option<String> {
        None
    }
}

/// `baleen proxy`.
#[derive(Debug, Args)]
pub(crate) struct ProxyCommandArgs {
    /// The proxy.
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// Translate for this version of Docker instead of the installed one, for example 17.06.0-ce-mac18
    #[arg(long, value_name = "VERSION", value_parser = docker_version)]
    pub(super) docker_version: Option<String>,
    /// Keep running, and print the result again each time the system's settings change
    #[arg(long, conflicts_with_all = ["http_proxy", "https_proxy", "system_proxies"])]
    pub(super) watch: bool,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Option<ProxyCommand>,
}

impl ProxyCommandArgs {
    /// Returns an option that stands before `test`, which has options of its own, and that command.
    pub(super) fn conflict(&self) -> Option<(&'static str, &'static str)> {
        self.command.as_ref()?;
        let option = first_given(&[
            ("--docker-version", self.docker_version.is_some()),
            ("--watch", self.watch),
        ]);
        let option = option.or_else(|| self.proxy.first())?;
        Some((option, "test"))
    }
}

/// The commands below `baleen proxy`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// Show for each host whether this computer and the engine reach it directly or through the proxy
    Test(ProxyTest),
}

/// `baleen proxy test`.
#[derive(Debug, Args)]
pub(crate) struct ProxyTest {
    /// The hosts: HOST, HOST:PORT or a URL; the default scheme is https
    #[arg(required = true, value_name = "HOST")]
    pub(super) hosts: Vec<String>,
    /// The proxy.
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// Translate for this version of Docker instead of the installed one, for example 17.06.0-ce-mac18
    #[arg(long, value_name = "VERSION", value_parser = docker_version)]
    pub(super) docker_version: Option<String>,
}

/// Checks a Docker version, which must begin with a digit: otherwise it would count as the newest.
fn docker_version(text: &str) -> std::result::Result<String, &'static str> {
    match text.as_bytes() {
        [b'0'..=b'9', ..] => Ok(text.to_owned()),
        _ => Err("expected a version as in 1.12.0 or 17.06.0-ce-mac18"),
    }
}

pub(super) fn run(global: &Global, args: &ProxyCommandArgs, out: &mut Output) -> Result<u8> {
    if let Some(ProxyCommand::Test(args)) = &args.command {
        return test(global, args, out);
    }
    let (request, query) = ask(global, &args.proxy, args.docker_version.as_deref())?;
    if args.watch {
        return watch(&request, &query, out);
    }
    show(&request, &request.read()?, &query, out)?;
    Ok(0)
}

/// Time without changes before settings are read again. One click makes several changes.
const DEBOUNCE: Duration = Duration::from_millis(500);

fn watch(request: &ProxyQuery, query: &Query, out: &mut Output) -> Result<u8> {
    let (sender, changes) = mpsc::channel();
    // Watch before reading, so that no change is missed in between.
    let watch = system_proxies::watch(move || {
        // If this fails, the receiver is gone.
        let _ = sender.send(());
    })?;
    let mut proxy_config = request.read()?;
    show(request, &proxy_config, query, out)?;
    if watch.is_none() {
        out.note("this computer has no desktop settings that could change".to_owned())?;
        return Ok(0);
    }
    while changes.recv().is_ok() && !out.is_closed() {
        while changes.recv_timeout(DEBOUNCE).is_ok() {}
        let now = request.read()?;
        if now != proxy_config {
            proxy_config = now;
            out.line("")?;
            show(request, &proxy_config, query, out)?;
        }
    }
    Ok(0)
}

fn show(
    request: &ProxyQuery,
    proxy_config: &ProxyConfig,
    query: &Query,
    out: &mut Output,
) -> Result<()> {
    let translation = request.translate(proxy_config, &query.client)?;
    if let Some(named) = &query.named {
        out.line(format!(
            "Docker uses {}, which was named by hand (`baleen apply --follow-settings` follows the settings).",
            named.summary()
        ))?;
        out.line("")?;
    }
    out.line(styled(
        BOLD,
        format!("This computer ({})", proxy_config.origin),
    ))?;
    for (name, value) in said(&proxy_config.settings) {
        out.line(format!("  {name:9} {value}"))?;
    }
    out.line("")?;
    out.line(styled(BOLD, query.heading()))?;
    let shown = translation.proxy.as_ref().map(|proxy| proxy.shown());
    match &shown {
        None => out.line("  no proxy: everything is reached directly")?,
        Some(shown) => {
            let RedactedProxy {
                http,
                https,
                no_proxy,
            } = shown;
            for (name, value) in [("http", http), ("https", https)] {
                let value = value.as_ref().map(ToString::to_string);
                let value = value.as_deref().unwrap_or("directly");
                out.line(format!("  {name:9} {value}"))?;
            }
            out.line(format!("  no_proxy  {no_proxy}"))?;
        }
    }
    print_entries(&translation.entries, out)?;
    let remarks: Vec<String> = remark::all(&translation, Face::CommandLine).collect();
    if !remarks.is_empty() {
        out.line("")?;
    }
    for remark in remarks {
        out.note(remark)?;
    }
    if let Some(elsewhere) = query.elsewhere().filter(|_| shown.is_some()) {
        out.note(elsewhere)?;
    }
    out.object(json!({
        "origin": proxy_config.origin,
        "here": said_json(&proxy_config.settings),
        "engine": query.json(),
        "proxy": shown,
        "entries": entries_json(&translation.entries),
        "pac": pac_json(&translation),
        "named": query.named,
    }))
}

/// The engine to translate for.
struct Query {
    client: ClientDialect,
    version: Option<String>,
    engine: Option<Engine>,
    /// The proxy in its boot image, if it was named by hand, so that it doesn't follow the settings.
    named: Option<RedactedProxy>,
}

/// Returns the query and its engine: the engine of the named version, else that of the installed bundle.
fn ask(global: &Global, args: &ProxyArgs, version: Option<&str>) -> Result<(ProxyQuery, Query)> {
    let config = config(global)?;
    let request = request(args, &config)?;
    if let Some(version) = version {
        let query = Query {
            client: client_of(version),
            version: Some(version.to_owned()),
            engine: None,
            named: None,
        };
        return Ok((request, query));
    }
    let query = match find_backend(global, &config) {
        Ok(backend) => {
            let engine = backend.engine()?;
            Query {
                // A proxy from the options takes precedence over the one in place.
                named: named(&*backend).filter(|_| request.intent() == Intent::Settings),
                client: engine.capabilities.client,
                version: Some(engine.version.clone()),
                engine: Some(engine),
            }
        }
        Err(error) if global.docker_app.is_some() || config.docker_app.is_some() => {
            return Err(error);
        }
        Err(_) => Query {
            client: ClientDialect::of("", true),
            version: None,
            engine: None,
            named: None,
        },
    };
    Ok((request, query))
}

/// Returns the proxy that Baleen configured, if it was named by hand.
fn named(backend: &dyn Backend) -> Option<RedactedProxy> {
    if intents().get(backend.place()) != Some(Intent::Named) {
        return None;
    }
    backend.observe(Depth::Quick, &|_| {}).proxy().cloned()
}

impl Query {
    fn heading(&self) -> String {
        let built = self.client.in_words();
        let gets = match self.named {
            Some(_) => "would get that as",
            None => "gets",
        };
        match &self.version {
            Some(version) if !self.client.takes_passwords() => {
                format!("Docker {version}'s own proxy, which runs on the Mac, {gets}")
            }
            Some(version) => format!("The engine of Docker {version} (built with {built}) {gets}"),
            None => format!(
                "An engine of 2016 or 2017 (built with {built}; no Docker.app was found) gets"
            ),
        }
    }

    /// Returns a note about where the settings belong, if not into the boot image.
    fn elsewhere(&self) -> Option<String> {
        if self.client.host_address.is_some() {
            return None;
        }
        let engine = self.engine.as_ref();
        Some(
            match engine.map(|engine| (engine.proxy_pane, &engine.refusal)) {
                Some((Some(pane), _)) => format!(
                    "this Docker has its own proxy settings: enter these values there, under {pane}; `baleen apply` prints them field by field"
                ),
                Some((None, Some(refusal))) => refusal.sentence(),
                _ => "this Docker gets its proxy from its own settings, not from the boot image"
                    .to_owned(),
            },
        )
    }

    fn json(&self) -> Value {
        let mut object = json!(self.client);
        object["docker_version"] = json!(self.version);
        object["family"] = json!(self.engine.as_ref().map(|engine| engine.family));
        object
    }
}

/// Returns a source's settings, line by line: a name and a value.
fn said(what: &ProxySettings) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut list = |name, entries: &[String]| {
        if !entries.is_empty() {
            lines.push((name, entries.join(", ")));
        }
    };
    match what {
        ProxySettings::Urls(urls) => {
            list("bypass", &urls.no_proxy);
            for (name, url) in [("https", &urls.https), ("http", &urls.http)] {
                lines.extend(url.as_ref().map(|url| (name, url.redacted())));
            }
            lines.reverse();
        }
        ProxySettings::Settings(settings) => {
            let exceptions: Vec<String> = settings.exceptions.iter().map(|e| redact(e)).collect();
            list("bypass", &exceptions);
            if settings.exclude_simple_hostnames {
                lines.push(("", "and all names without a dot".to_owned()));
            }
            let mut proxies = proxies(settings);
            proxies.append(&mut lines);
            lines = proxies;
        }
    }
    if lines.is_empty() {
        lines.push(("proxy", "none".to_owned()));
    }
    lines
}

fn proxies(settings: &SystemSettings) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    match &settings.pac {
        Some(PacSource::Url(url)) => lines.push(("script", pac::shown(url))),
        Some(PacSource::Script(script)) => {
            lines.push(("script", format!("in the settings, {} bytes", script.len())));
        }
        Some(PacSource::Discover) => {
            lines.push(("script", "from the network (WPAD)".to_owned()));
        }
        None => {}
    }
    for (name, server) in [
        ("http", &settings.http),
        ("https", &settings.https),
        ("socks", &settings.socks),
    ] {
        if let Some(Server { host, port, user }) = server {
            let user = user.as_ref().map(|user| format!(", user {user}"));
            // With a script switched on, macOS ignores the rest.
            let unused = if matches!(settings.pac, Some(PacSource::Url(_) | PacSource::Script(_))) {
                " (not used: the script decides)"
            } else {
                ""
            };
            lines.push((
                name,
                format!(
                    "{}:{port}{}{unused}",
                    redact(host),
                    user.unwrap_or_default()
                ),
            ));
        }
    }
    lines
}

fn said_json(what: &ProxySettings) -> Value {
    match what {
        ProxySettings::Urls(urls) => json!({
            "http": urls.http.as_ref().map(|url| url.redacted()),
            "https": urls.https.as_ref().map(|url| url.redacted()),
            "bypass": urls.no_proxy,
        }),
        ProxySettings::Settings(settings) => {
            let server = |server: &Option<Server>| {
                server
                    .as_ref()
                    .map(|s| json!({ "host": redact(&s.host), "port": s.port, "user": s.user }))
            };
            json!({
                "http": server(&settings.http),
                "https": server(&settings.https),
                "socks": server(&settings.socks),
                "script": settings.pac.as_ref().map(|pac| match pac {
                    PacSource::Url(url) => pac::shown(url),
                    PacSource::Script(_) => "in the settings".to_owned(),
                    PacSource::Discover => "discover".to_owned(),
                }),
                "bypass": settings.exceptions.iter().map(|e| redact(e)).collect::<Vec<_>>(),
                "exclude_simple_hostnames": settings.exclude_simple_hostnames,
            })
        }
    }
}

/// Returns the bypass list, entry by entry, as JSON.
fn entries_json(entries: &[TranslatedEntry]) -> Vec<Value> {
    entries.iter().map(entry_json).collect()
}

pub(super) fn entry_json(entry: &TranslatedEntry) -> Value {
    json!({
        "from": entry.from,
        "to": entry.to,
        "fate": entry.fate,
        "reason": entry.reason.map(|reason| reason.to_string()),
    })
}

/// Prints the bypass list, entry by entry.
fn print_entries(entries: &[TranslatedEntry], out: &mut Output) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.line(styled(BOLD, "The bypass list, entry by entry"))?;
    let width = |text: &dyn Fn(&TranslatedEntry) -> usize| {
        let widest = entries.iter().map(text).max().unwrap_or(0);
        widest.clamp(8, 32)
    };
    let from_width = width(&|entry| entry.from.chars().count());
    let to_width = width(&|entry| entry.to.as_ref().map_or(0, |to| to.chars().count()));
    for entry in entries {
        let to = entry.to.as_deref().unwrap_or("-");
        let style = match entry.fate {
            EntryOutcome::Kept => GOOD,
            EntryOutcome::Widened => DIM,
            EntryOutcome::LeftOut | EntryOutcome::Refused => NOTE,
        };
        let fate = styled(style, entry.fate.word());
        let reason = entry.reason.map(|reason| format!(": {reason}"));
        out.line(format!(
            "  {:from_width$}  {to:to_width$}  {fate}{}",
            entry.from,
            reason.unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn test(global: &Global, args: &ProxyTest, out: &mut Output) -> Result<u8> {
    let (request, query) = ask(global, &args.proxy, args.docker_version.as_deref())?;
    let targets: Vec<(&String, Target)> = args
        .hosts
        .iter()
        .map(|text| {
            let target = Target::parse(text).ok_or_else(|| NoTarget(redact(text)))?;
            Ok((text, target))
        })
        .collect::<Result<_>>()?;
    let proxy_config = request.read()?;
    let urls: Vec<String> = targets.iter().map(|(_, target)| target.url()).collect();
    let (translation, asked) = request.translate_and_ask(&proxy_config, &query.client, &urls)?;
    let asked = asked.filter(|asked| asked.script_state != ScriptState::NotOffered);
    let translation = match &query.named {
        Some(named) => {
            let request = request.clone().named(source_of(named));
            request.translate(&request.read()?, &query.client)?
        }
        None => translation,
    };
    let rows: Vec<Row<'_>> = targets
        .iter()
        .map(|(name, target)| {
            Row::new(
                name,
                target,
                &proxy_config,
                asked.as_ref(),
                &translation,
                &query,
            )
        })
        .collect();

    let width = |text: &dyn Fn(&Row<'_>) -> usize| rows.iter().map(text).max().unwrap_or(0).max(4);
    let name_width = width(&|row| row.name.chars().count());
    let here_width = width(&|row| row.here().chars().count());
    out.line(styled(
        BOLD,
        format!("{:name_width$}  {:here_width$}  engine", "host", "here"),
    ))?;
    for row in &rows {
        let differs = match (&row.here, &row.engine) {
            (Some(Hop::Through(_)), Hop::Direct) => styled(NOTE, "  past the proxy"),
            (Some(Hop::Direct), Hop::Through(_)) => styled(DIM, "  still goes through the proxy"),
            _ => String::new(),
        };
        let kept = row.given.map_or_else(String::new, |given| {
            styled(NOTE, format!("  (the script's answer from {})", ago(given)))
        });
        out.line(format!(
            "{:name_width$}  {:here_width$}  {}{differs}{kept}",
            row.name,
            row.here(),
            in_words(&row.engine)
        ))?;
    }
    if let Some(asked) = &asked {
        if let Some(it) = &translation.pac_unreachable {
            out.note(remark::pac_unreachable(it, Face::CommandLine))?;
        } else if !asked.remarks.is_empty() {
            out.note(joined(&asked.remarks))?;
        }
        let unknown: Vec<&str> = rows
            .iter()
            .filter(|row| row.here.is_none())
            .map(|row| row.name)
            .collect();
        if !unknown.is_empty() {
            out.note(format!(
                "the PAC script was never asked about {}, so the way from this computer is unknown",
                unknown.join(", ")
            ))?;
        }
        // Label the answers with the names from the command line.
        let answers: Vec<PacAnswer> = targets
            .iter()
            .filter_map(|(name, target)| {
                let answer = asked.of(&target.url())?.clone();
                let host = (*name).clone();
                Some(PacAnswer { host, ..answer })
            })
            .collect();
        let notes = notes(&answers, &query.client);
        for it in &notes.remarks {
            out.note(remark::remark(it, Face::CommandLine))?;
        }
        for it in &notes.explanations {
            out.note(it.to_string())?;
        }
    }
    if let Some(named) = &query.named {
        out.note(format!(
            "Docker uses {}, which was named by hand, and not the proxy of the settings (`baleen apply --follow-settings` follows them)",
            named.summary()
        ))?;
    }
    let way = |way: &Hop| match way {
        Hop::Direct => Value::Null,
        Hop::Through(proxy) => proxy.to_string().into(),
    };
    let hosts: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut object = json!({
                "target": row.name,
                "here": row.here.as_ref().map_or(Value::Null, way),
                "engine": way(&row.engine),
            });
            if asked.is_some() {
                object["here_known"] = json!(row.here.is_some());
                object["kept_since"] = json!(row.given.map(unix_seconds));
            }
            object
        })
        .collect();
    out.object(json!({
        "origin": proxy_config.origin,
        "engine": query.json(),
        "hosts": hosts,
        "pac": pac_json(&translation),
        "named": query.named,
    }))?;
    Ok(0)
}

/// A target, the way from this computer, and the way from the engine.
struct Row<'a> {
    name: &'a str,
    /// The way from this computer; none if it is unknown.
    here: Option<Hop>,
    /// The time of the script's answer, unless it is fresh.
    given: Option<SystemTime>,
    engine: Hop,
}

impl<'a> Row<'a> {
    fn new(
        name: &'a str,
        target: &Target,
        proxy_config: &ProxyConfig,
        asked: Option<&PacAnswers>,
        translation: &Translation,
        query: &Query,
    ) -> Self {
        let url = target.url();
        let answer = asked.and_then(|asked| asked.of(&url));
        let is_known = asked.is_none() || answer.is_some();
        Self {
            name,
            here: is_known.then(|| route::host_route(&proxy_config.settings, answer, target)),
            given: asked.and_then(|asked| asked.given(&url)),
            engine: route::in_engine(translation.proxy.as_ref(), &query.client, target),
        }
    }

    fn here(&self) -> String {
        self.here
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), in_words)
    }
}

/// Returns the state of a PAC script that can't be asked now, as JSON.
pub(super) fn pac_json(translation: &Translation) -> Value {
    match &translation.pac_unreachable {
        None => Value::Null,
        Some(pac_unreachable) => json!({
            "reachable": false,
            "sentence": remark::pac_unreachable(pac_unreachable, Face::CommandLine),
            "kept_since": pac_unreachable.kept_since.map(unix_seconds),
            "until": pac_unreachable.until.map(unix_seconds),
        }),
    }
}

fn in_words(way: &Hop) -> String {
    match way {
        Hop::Direct => "directly".to_owned(),
        Hop::Through(proxy) => proxy.to_string(),
    }
}
