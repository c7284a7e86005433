//! `baleen doctor`.

use std::env;
use std::fmt::{self, Display};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use serde_json::json;
use time::OffsetDateTime;
use tz::TimeZoneRef;

use crate::config::{Config, SourceSetting};
use crate::desired::Expected;
use crate::desired::ProxyQuery;
use crate::doctor::{NoSocket, Options, Outcome, Settings, Step, Trust, examine};
use crate::error::{Diagnostic, Face, Failure, Hint, IoError, Kind, Result};
use crate::intent::Intent;
use crate::net::{HostPort, tls};
use crate::platform::time_zone;
use crate::property_list;
use crate::proxy::ProxySettings;
use crate::proxy::route::{self, Hop, Target};
use crate::proxy::{ClientDialect, EngineProxy, ProxyConfig, ProxyOrigin, ProxyUrl};
use crate::storage::{self, TEMP_PREFIX};
use crate::text::doctor::{Anonymous, StepText, html, page, short_title, summary};

use super::args::{Global, ProxyArgs};
use super::output::{BAD, BOLD, DIM, GOOD, NOTE, Output, styled, wrap};
use super::{config, find_backend, intents, request, state_folder};

/// `baleen doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The proxy to examine.
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// The registry to reach
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        default_value = "registry-1.docker.io:443"
    )]
    pub(super) registry: HostPort,
    /// Timeout for each step, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(super) timeout: u16,
    /// Also write a report for a bug report, without passwords and user names, to this new file
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Also write a page for a browser to this file ("-": standard output, and nothing else)
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

impl DoctorArgs {
    /// Returns whether the page is all that is printed.
    pub(super) fn prints_page(&self) -> bool {
        self.html.as_deref().is_some_and(is_output)
    }
}

/// Returns whether `path` stands for standard output.
fn is_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The reason why the report or the page can't be written.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("could not write the {what} to {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        what: What,
        path: PathBuf,
        folder: PathBuf,
    },

    #[error("could not write the report to {}: there is something of that name already", path.display())]
    Exists { path: PathBuf },

    #[error("could not write the page to {}: expected a file there, but it is {}", path.display(), found)]
    NotAFile { path: PathBuf, found: &'static str },

    #[error("could not write both the report and the page to {}", path.display())]
    SameFile { path: PathBuf },

    #[error("the report goes into a file, and not to standard output")]
    NoFile,

    #[error(transparent)]
    File(#[from] IoError),
}

/// What is written to a file.
#[derive(Debug, Clone, Copy)]
enum What {
    /// `--report`.
    Report,
    /// `--html`.
    Page,
}

impl Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
            Self::Page => "page",
        })
    }
}

impl Failure for ReportError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoFolder { .. }
            | Self::Exists { .. }
            | Self::NotAFile { .. }
            | Self::SameFile { .. }
            | Self::NoFile => Kind::Usage,
            Self::File(file) => file.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoFolder { .. } => "report-no-folder",
            Self::Exists { .. } => "report-exists",
            Self::NotAFile { .. } => "report-not-a-file",
            Self::SameFile { .. } => "report-same-file",
            Self::NoFile => "report-no-file",
            Self::File(file) => file.code(),
        }
    }
}

impl Hint for ReportError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            Self::NoFolder { .. } => "name a file in a folder that is there",
            Self::Exists { .. } => "name another file, or move that one away",
            Self::NotAFile { .. } => "name a new file, or one that may be replaced",
            Self::SameFile { .. } => "name two different files",
            Self::NoFile => "name a new file with --report; --html - prints the page for a browser",
            Self::File(_) => "name a file in a folder that you may write in",
        };
        Some(advice.to_owned())
    }
}

pub(super) fn run(global: &Global, args: &DoctorArgs, out: &mut Output) -> Result<u8> {
    if let Some(path) = &args.report {
        check_place(path)?;
    }
    let html_target = match &args.html {
        Some(path) => HtmlTarget::of(path)?,
        None => HtmlTarget::None,
    };
    // The page would replace the report.
    if let (Some(report), HtmlTarget::File(page)) = (&args.report, &html_target)
        && is_same_file(report, page)
    {
        let path = report.clone();
        return Err(ReportError::SameFile { path }.into());
    }
    let is_page_only = matches!(html_target, HtmlTarget::Output);
    let config = config(global)?;
    let request = request(&args.proxy, &config)?;
    let backend = find_backend(global, &config).map_err(Diagnostic::from);
    let intent = backend
        .as_ref()
        .ok()
        .and_then(|backend| intents().get(backend.place()));
    let engine = backend.as_ref().ok().and_then(|it| it.engine().ok());
    let engine = engine.map_or_else(
        || ClientDialect::of("", true),
        |engine| engine.capabilities.client,
    );
    // The doctor reports settings that can't be used, so don't stop at their errors.
    let mut proxy_users = Vec::new();
    let proxy_config = request.read().map_err(Diagnostic::from);
    let translated = proxy_config.as_ref().map_err(Diagnostic::clone);
    let uses_relay = request.uses_relay().map_err(Diagnostic::from);
    let is_relay = request.intent() == Intent::Settings && matches!(uses_relay, Ok(true));
    let translated = translated.and_then(|config| uses_relay.map(|_| config));
    let translated = translated.and_then(|proxy_config| {
        proxy_users = proxy_config.proxies().iter().flat_map(users).collect();
        let translated = match is_relay {
            // What the settings say is the relay's business.
            true => request
                .for_client(&engine)
                .and_then(|request| Ok(request.resolve(&engine)?.1)),
            false => request.translate(proxy_config, &engine),
        };
        translated.map_err(Diagnostic::from)
    });
    let translation = translated.as_ref();
    // The step about the boot image reports an image that can't be read.
    let in_place = backend
        .as_ref()
        .ok()
        .and_then(|backend| backend.configured_proxy().ok().flatten());
    if let Some(proxy) = in_place.as_ref().filter(|it| !it.shown().is_relay()) {
        let urls = [proxy.http(), proxy.https()].into_iter().flatten();
        proxy_users.extend(urls.flat_map(users));
    }
    let here = HostContext::new(&config, args, &request, proxy_config.as_ref().ok());
    let trust = Trust {
        public: tls::public_roots(),
        computer: tls::native_roots(),
    };
    let state = state_folder();
    let relay = ProxyOrigin::Relay;
    let question = Options {
        state: &state,
        intent,
        backend: backend.as_deref(),
        expected: request.expected(intent, translation.ok()),
        settings: Settings {
            origin: match is_relay {
                true => Some(&relay),
                false => proxy_config.as_ref().ok().map(|it| &it.origin),
            },
            translation,
            named: request.intent() == Intent::Named,
            by_option: names_proxy(args),
            by_script: here.is_by_script() && !is_relay,
            host_address: config.host_address.as_deref(),
            listed: (&config.no_proxy, &config.pac_hosts),
        },
        in_place: in_place.as_ref(),
        engine: &engine,
        // The relay goes this computer's ways.
        here: &|host| here.way_to(host).filter(|_| !is_relay),
        registry: &args.registry,
        docker_socket: docker_socket(),
        trust: &trust,
        patience: Duration::from_secs(args.timeout.into()),
    };
    let marks = Marks::of_locale(|name| env::var(name).ok());
    let mut printed = Ok(());
    // Steps that are skipped for the same reason share a line, so print them with the next other step.
    let mut skipped: Vec<Step> = Vec::new();
    let report = examine(&question, &mut |step| {
        let is_shown_with_last = skipped.last().is_some_and(|last| last.is_shown_with(step));
        if printed.is_ok() && !is_shown_with_last && !is_page_only {
            printed = print(&skipped, marks, out);
            skipped.clear();
        }
        skipped.push(step.clone());
    });
    printed?;
    let bad = report.count(Outcome::Bad);
    let code = if bad == 0 { 0 } else { 3 };
    let home = env::home_dir();
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).ok();
    let anonymous = Anonymous {
        home: home.as_deref(),
        user: user.as_deref(),
        proxy_users: &proxy_users,
    };
    let facts = facts(&question);
    if let Some(path) = &args.report {
        write_report(path, &page(&report, &facts, anonymous))?;
    }
    let page = || {
        let checked = [("checked", now())];
        let facts = [&facts[..], &checked].concat();
        html(&report, &facts, anonymous, out.face())
    };
    match &html_target {
        HtmlTarget::None => {}
        HtmlTarget::File(path) => storage::replace_file(path, page().as_bytes())
            .map_err(|error| ReportError::from(IoError::new("write", path, error)))?,
        HtmlTarget::Output => {
            let page = page();
            out.raw(page.as_bytes())?;
            return Ok(code);
        }
    }
    print(&skipped, marks, out)?;
    out.line("")?;
    out.line(summary(&report, |outcome, words| {
        styled(style(outcome), words)
    }))?;
    if let Some(path) = &args.report {
        out.line(format!(
            "The report is in {}. It has no password and no user's name in it, but names of hosts: look through it before you send it.",
            path.display()
        ))?;
    }
    if let Some(path) = &args.html {
        out.line(format!("The page for a browser is in {}.", path.display()))?;
    }
    let text = |step| StepText::of(step, out.face());
    let texts: Vec<StepText> = report.steps.iter().map(text).collect();
    out.object(json!({
        "steps": texts,
        "missed": report.missed(),
        "registry": args.registry.to_string(),
        "report": args.report,
        "html": args.html,
    }))?;
    Ok(code)
}

/// Returns whether an option names the proxy.
fn names_proxy(args: &DoctorArgs) -> bool {
    args.proxy.http_proxy.is_some() || args.proxy.https_proxy.is_some()
}

/// This computer's own way to hosts, by the settings that its other programs use as well.
struct HostContext {
    request: ProxyQuery,
    proxy_config: Option<ProxyConfig>,
}

impl HostContext {
    /// Creates the context. A proxy that was named for Docker only, on the command line or in the config
    /// file, says nothing about this computer, so it is ignored.
    fn new(
        config: &Config,
        args: &DoctorArgs,
        request: &ProxyQuery,
        proxy_config: Option<&ProxyConfig>,
    ) -> Self {
        if !names_proxy(args) && config.source != SourceSetting::Manual {
            return Self {
                request: request.clone(),
                proxy_config: proxy_config.cloned(),
            };
        }
        let config = Config {
            source: SourceSetting::Auto,
            ..config.clone()
        };
        let request = ProxyQuery::new(&config, state_folder());
        let proxy_config = request.read().ok();
        Self {
            request,
            proxy_config,
        }
    }

    fn is_by_script(&self) -> bool {
        self.proxy_config.as_ref().is_some_and(by_script)
    }

    /// Returns the way to `host`. Returns nothing if the settings or a script can't be read, or if they
    /// name no proxy at all: without a proxy setting, this computer doesn't necessarily have direct access.
    fn way_to(&self, host: &HostPort) -> Option<Hop> {
        let proxy_config = self.proxy_config.as_ref()?;
        if proxy_config.proxies().is_empty() && !self.is_by_script() {
            return None;
        }
        let target = Target {
            secure: true,
            host: host.host.clone(),
            port: host.port,
        };
        let asked = self
            .request
            .ask_script(proxy_config, &[target.url()])
            .ok()?;
        let answer = asked.as_ref().and_then(|asked| asked.answers.first());
        Some(route::host_route(&proxy_config.settings, answer, &target))
    }
}

/// Returns whether a PAC script decides.
pub(super) fn by_script(config: &ProxyConfig) -> bool {
    matches!(&config.settings, ProxySettings::Settings(settings) if settings.pac.is_some())
}

/// Returns the user of a proxy, decoded and as encoded in the URL.
fn users(proxy: &ProxyUrl) -> impl Iterator<Item = String> {
    proxy.user().into_iter().chain(proxy.encoded_user())
}

/// The marks before the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    good: &'static str,
    warning: &'static str,
    bad: &'static str,
    skipped: &'static str,
}

impl Marks {
    const UNICODE: Self = Self {
        good: "✓",
        warning: "!",
        bad: "✗",
        skipped: "–",
    };
    const ASCII: Self = Self {
        good: "+",
        warning: "!",
        bad: "x",
        skipped: "-",
    };

    /// Chooses the marks by the first variable that is set, as in `man 7 locale`. Without any, macOS uses
    /// UTF-8.
    fn of_locale(get: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(get)
            .find(|value| !value.is_empty());
        match locale.map(|locale| locale.to_ascii_lowercase()) {
            Some(locale) if !locale.contains("utf-8") && !locale.contains("utf8") => Self::ASCII,
            _ => Self::UNICODE,
        }
    }
}

/// Prints one step, or several that were skipped for the same reason.
fn print(steps: &[Step], marks: Marks, out: &mut Output) -> Result<()> {
    let Some(step) = steps.first().filter(|step| step.is_needed()) else {
        return Ok(());
    };
    let mark = match step.outcome() {
        Outcome::Good => marks.good,
        Outcome::Warning => marks.warning,
        Outcome::Bad => marks.bad,
        Outcome::Skipped => marks.skipped,
    };
    let told = StepText::of(step, Face::CommandLine);
    let titles = match steps {
        [_] => told.title,
        several => {
            let titles: Vec<&str> = several.iter().map(|it| short_title(&it.subject)).collect();
            titles.join(", ")
        }
    };
    let text = wrap(&format!("{titles}: {}", told.found), 2, out.width());
    // The title counts toward the width, so it is styled afterwards.
    let text = match &*titles {
        title if steps.len() == 1 => {
            let styled = styled(BOLD, format!("{title}:")).to_string();
            text.replacen(&format!("{title}:"), &styled, 1)
        }
        _ => text,
    };
    let mark = styled(style(step.outcome()), mark);
    out.line(format!("{mark} {}", text.trim_start()))?;
    if let Some(remedy) = &told.remedy {
        let text = wrap(&format!("what to do: {remedy}"), 4, out.width());
        out.line(text.replacen("what to do:", &styled(BOLD, "what to do:"), 1))?;
    }
    Ok(())
}

/// Returns the style of a mark, or of a word that stands for the outcome.
fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Good => GOOD,
        Outcome::Warning => NOTE,
        Outcome::Bad => BAD,
        Outcome::Skipped => DIM,
    }
}

/// Returns the socket of the running engine, at the places where the `docker` command looks for it.
fn docker_socket() -> std::result::Result<PathBuf, NoSocket> {
    if let Some(host) = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return match host.strip_prefix("unix://") {
            Some(path) => Ok(PathBuf::from(path)),
            None => Err(NoSocket::OtherEngine),
        };
    }
    let mut places = vec![PathBuf::from("/var/run/docker.sock")];
    places.extend(env::home_dir().map(|home| home.join(".docker/run/docker.sock")));
    let found = places.iter().find(|place| place.exists()).cloned();
    found.ok_or(NoSocket::NotFound)
}

/// Checks early that the report can be written to `path`, so that the user doesn't wait in vain.
fn check_place(path: &Path) -> std::result::Result<(), ReportError> {
    if is_output(path) {
        return Err(ReportError::NoFile);
    }
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let folder = folder_of(path);
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        _ => Err(no_folder(What::Report, path, folder)),
    }
}

/// Returns whether two paths lead to the same file, which may not be there yet.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let folder = folder_of(path).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    real(one).is_some_and(|one| Some(one) == real(other))
}

fn no_folder(what: What, path: &Path, folder: &Path) -> ReportError {
    ReportError::NoFolder {
        what,
        path: path.to_owned(),
        folder: folder.to_owned(),
    }
}

/// The target of `--html`.
#[derive(Debug, PartialEq, Eq)]
enum HtmlTarget {
    None,
    /// The file itself, if a link was named.
    File(PathBuf),
    Output,
}

impl HtmlTarget {
    /// Checks early that the page can be written to `path`, so that the user doesn't wait in vain.
    fn of(path: &Path) -> std::result::Result<Self, ReportError> {
        if is_output(path) {
            return Ok(Self::Output);
        }
        let not_a_file = |found| ReportError::NotAFile {
            path: path.to_owned(),
            found,
        };
        match fs::metadata(path) {
            // The output would go on into the old file, which has no name any more.
            Ok(found) if is_own_output(&found) => {
                return Err(not_a_file("this program's own output"));
            }
            Ok(found) if found.is_file() => {}
            Ok(found) if found.is_dir() => return Err(not_a_file("a folder")),
            // Replacing a device or a pipe would take it away from all its users.
            Ok(_) => return Err(not_a_file("something else")),
            Err(_) if path.is_symlink() => return Err(not_a_file("a link that leads nowhere")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = folder_of(path);
                return match folder.is_dir() && path.file_name().is_some() {
                    true => Ok(Self::File(path.to_owned())),
                    false => Err(no_folder(What::Page, path, folder)),
                };
            }
            Err(error) => return Err(IoError::new("read", path, error).into()),
        }
        let target = path.canonicalize();
        let target = target.map_err(|error| IoError::new("read", path, error))?;
        Ok(Self::File(target))
    }
}

/// Returns whether this is the file to which standard output or standard error goes.
fn is_own_output(file: &fs::Metadata) -> bool {
    let (out, err) = (io::stdout(), io::stderr());
    [out.as_fd(), err.as_fd()].into_iter().any(|stream| {
        let stream = stream.try_clone_to_owned().map(File::from);
        let stream = stream.and_then(|stream| stream.metadata());
        stream.is_ok_and(|stream| (stream.dev(), stream.ino()) == (file.dev(), file.ino()))
    })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn exists(path: &Path) -> ReportError {
    ReportError::Exists {
        path: path.to_owned(),
    }
}

/// Returns the names and values at the top of the report.
fn facts(question: &Options<'_>) -> Vec<(&'static str, String)> {
    let url = |proxy: Option<&EngineProxy>| {
        proxy.map_or_else(|| "none".to_owned(), |proxy| proxy.shown().summary())
    };
    let proxy = match question.settings.translation {
        Ok(set) => set
            .host_proxy
            .as_ref()
            .map_or_else(|| url(set.proxy.as_ref()), ProxyUrl::redacted),
        Err(_) => "can't be used".to_owned(),
    };
    let no_proxy = match question.expected {
        Expected::Proxy(proxy) => Some(proxy.no_proxy().to_string()),
        Expected::Direct | Expected::Unknown => None,
    };
    vec![
        ("Baleen", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", system()),
        ("proxy in the settings", proxy),
        ("proxy in Docker", url(question.in_place)),
        (
            "no_proxy in the settings",
            no_proxy.unwrap_or_else(|| "none".to_owned()),
        ),
        ("registry", question.registry.to_string()),
        (
            "time for each step",
            format!("{} s", question.patience.as_secs()),
        ),
    ]
}

/// Returns the local time with its offset from UTC.
fn now() -> String {
    let seconds = OffsetDateTime::now_utc().unix_timestamp();
    let zone = time_zone::local();
    let here = |zone| tz::DateTime::from_timespec(seconds, 0, zone);
    // A zone may have no rules for this time.
    let Ok(now) = here(zone.as_ref()).or_else(|_| here(TimeZoneRef::utc())) else {
        return "not known".to_owned();
    };
    let offset = now.local_time_type().ut_offset() / 60;
    let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
    let sign = if offset < 0 { '-' } else { '+' };
    format!(
        "{}-{:02}-{:02} {:02}:{:02} (UTC{sign}{hours:02}:{minutes:02})",
        now.year(),
        now.month(),
        now.month_day(),
        now.hour(),
        now.minute()
    )
}

/// Writes the report to a new file, completely or not at all, readable by its owner only.
fn write_report(path: &Path, page: &str) -> std::result::Result<(), ReportError> {
    let folder = folder_of(path);
    let writing = |error| ReportError::from(IoError::new("write", path, error));
    let mut file = tempfile::Builder::new()
        .prefix(TEMP_PREFIX)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(writing)?;
    file.write_all(page.as_bytes()).map_err(writing)?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => exists(path),
            _ => writing(error.error),
        })?;
    Ok(())
}

/// Returns the operating system and its version, from the system's own file.
fn system() -> String {
    let from_plist = |path: &str| {
        let value = property_list::read(Path::new(path)).ok()?.ok()?;
        let text = |key| value.as_dictionary()?.get(key)?.as_string();
        Some(format!(
            "{} {}",
            text("ProductName")?,
            text("ProductVersion")?
        ))
    };
    let from_release = |path: &str| {
        let text = fs::read_to_string(path).ok()?;
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(name.trim_matches('"').to_owned())
    };
    let name = from_plist("/System/Library/CoreServices/SystemVersion.plist")
        .or_else(|| from_release("/etc/os-release"))
        .unwrap_or_else(|| env::consts::OS.to_owned());
    format!("{name}, {}", env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_plain_where_the_locale_is() {
        for (set, expected) in [
            (&[][..], Marks::UNICODE),
            (&[("LANG", "en_GB.UTF-8")], Marks::UNICODE),
            (&[("LANG", "de_DE.utf8")], Marks::UNICODE),
            (&[("LANG", "C")], Marks::ASCII),
            (&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], Marks::ASCII),
            (
                &[("LC_ALL", ""), ("LC_CTYPE", "UTF-8"), ("LANG", "C")],
                Marks::UNICODE,
            ),
        ] {
            let get = |name: &str| {
                set.iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(Marks::of_locale(get), expected, "{set:?}");
        }
    }
}
