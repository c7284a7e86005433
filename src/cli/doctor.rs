//! `baleen doctor`.

use std::env;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::docker::Bundle;
use crate::doctor::report::{self, Anonymous};
use crate::doctor::{Outcome, Question, Report, Step, Trust, examine};
use crate::error::{Error, Kind, Result};
use crate::kept::UNFINISHED;
use crate::net::lookup::is_loopback;
use crate::net::{HostPort, tls};
use crate::patch::intent::Intent;
use crate::patch::status::Expected;
use crate::property_list;
use crate::proxy::route::{self, Target, Way};
use crate::proxy::{Engine, ProxyUrl, Translation};
use crate::wanted::engine_of;

use super::args::{Doctor as Args, Global};
use super::output::{BAD, BOLD, DIM, GOOD, NOTE, Output, styled, wrap};
use super::{bundle_path, config, intents, request};

pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<u8> {
    if let Some(path) = &args.report {
        check_place(path)?;
    }
    let config = config(global)?;
    let request = request(&args.proxy, &config)?;
    let bundle = bundle_path(global, &config).map(|path| path.canonicalize().unwrap_or(path));
    let wanted = bundle.as_ref().ok().and_then(|path| intents().get(path));
    let engine = match bundle.as_deref().map(Bundle::read) {
        Ok(Ok(bundle)) => engine_of(&bundle),
        _ => Engine::of("", true),
    };
    // A setting that can't be used is what the doctor is for.
    let mut proxy_users = Vec::new();
    let translation = request.read().and_then(|stated| {
        proxy_users = stated.proxies().iter().flat_map(users).collect();
        request.translate(&stated, &engine)
    });
    let way = translation
        .as_ref()
        .map(|t| way_to(&args.registry, t, &engine));
    let trust = Trust {
        public: tls::public_roots(),
        computer: tls::native_roots(),
    };
    let question = Question {
        wanted,
        bundle: bundle.as_deref(),
        expected: request.expected(wanted, translation.as_ref().ok()),
        proxy: way
            .as_ref()
            .map(|(proxy, _)| *proxy)
            .map_err(|error| *error),
        by_hand: wanted == Some(Intent::Named) && request.intent() != Intent::Named,
        remarks: way.as_ref().map_or(&[], |(_, remarks)| remarks),
        registry: &args.registry,
        docker_socket: docker_socket(),
        trust: &trust,
        patience: Duration::from_secs(args.timeout.into()),
    };
    let marks = Marks::of_locale(|name| env::var(name).ok());
    let mut printed = Ok(());
    let report = examine(&question, &mut |step| {
        if printed.is_ok() {
            printed = print(step, marks, out);
        }
    });
    printed?;
    let bad = report.count(Outcome::Bad);
    out.line("")?;
    out.line(summary(&report))?;
    if let Some(path) = &args.report {
        write_report(path, &report, &question, &proxy_users)?;
        out.line(format!(
            "The report is in {}. It has no password and no user's name in it, but names of hosts: look through it before you send it.",
            path.display()
        ))?;
    }
    out.object(json!({
        "steps": report,
        "registry": args.registry.to_string(),
        "report": args.report,
    }))?;
    Ok(if bad == 0 { 0 } else { 3 })
}

/// The proxy on the way to the registry, as this computer reaches it, and what there is to say of it.
fn way_to<'a>(
    registry: &HostPort,
    translation: &'a Translation,
    engine: &Engine,
) -> (Option<&'a ProxyUrl>, Vec<String>) {
    let mut remarks = translation.remarks.clone();
    let target = Target {
        secure: true,
        host: registry.host.clone(),
        port: registry.port,
    };
    let way = route::in_engine(translation.proxy.as_ref(), engine, &target);
    // One on this computer is the VM itself for the engine; what the proxy does can be seen all the same.
    let is_here = target.host == "localhost" || target.host.parse().is_ok_and(is_loopback);
    if way == Way::Direct && !is_here && translation.proxy.is_some() {
        remarks.push(format!(
            "the engine reaches {registry} past the proxy, since its no-proxy list says so"
        ));
        return (None, remarks);
    }
    (translation.here.as_ref(), remarks)
}

/// The user of a proxy, as it is and as it stands in the URL.
fn users(proxy: &ProxyUrl) -> impl Iterator<Item = String> {
    proxy.user().into_iter().chain(proxy.encoded_user())
}

/// What stands before a step.
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

    /// By the first of the variables that is set, as in `man 7 locale`. Without any, macOS speaks UTF-8.
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

fn print(step: &Step, marks: Marks, out: &mut Output) -> Result<()> {
    let (style, mark) = match step.outcome {
        Outcome::Good => (GOOD, marks.good),
        Outcome::Warning => (NOTE, marks.warning),
        Outcome::Bad => (BAD, marks.bad),
        Outcome::Skipped => (DIM, marks.skipped),
    };
    let title = styled(BOLD, format!("{}:", step.title));
    // The title counts for the width, but is styled afterwards.
    let text = wrap(&format!("{}: {}", step.title, step.found), 2, out.width());
    let text = text.replacen(&format!("{}:", step.title), &title, 1);
    out.line(format!("{} {}", styled(style, mark), text.trim_start()))?;
    if let Some(remedy) = &step.remedy {
        let text = wrap(&format!("what to do: {remedy}"), 4, out.width());
        out.line(text.replacen("what to do:", &styled(BOLD, "what to do:"), 1))?;
    }
    Ok(())
}

fn summary(report: &Report) -> String {
    let (bad, warnings) = (report.count(Outcome::Bad), report.count(Outcome::Warning));
    let worth = match warnings {
        0 => String::new(),
        1 => " One thing is worth a look.".to_owned(),
        n => format!(" {n} things are worth a look."),
    };
    match bad {
        0 => format!(
            "{} as far as this computer can tell.{worth}",
            styled(GOOD, "All is well,")
        ),
        1 => format!("{}{worth}", styled(BAD, "One thing is to be done.")),
        n => format!(
            "{} Begin with the first.{worth}",
            styled(BAD, format!("{n} things are to be done."))
        ),
    }
}

/// The socket of the engine that runs, where the `docker` command looks for it.
fn docker_socket() -> std::result::Result<PathBuf, String> {
    if let Some(host) = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return match host.strip_prefix("unix://") {
            Some(path) => Ok(PathBuf::from(path)),
            None => Err(
                "DOCKER_HOST names an engine elsewhere, which is not that of this Docker.app"
                    .to_owned(),
            ),
        };
    }
    let mut places = vec![PathBuf::from("/var/run/docker.sock")];
    places.extend(env::home_dir().map(|home| home.join(".docker/run/docker.sock")));
    let found = places.iter().find(|place| place.exists()).cloned();
    found.ok_or_else(|| "Docker is not running (it has no socket)".to_owned())
}

/// Whether a report could be written there, before anybody waits for it.
fn check_place(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let folder = folder_of(path);
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        _ => Err(Error::new(
            Kind::Usage,
            format!(
                "could not write the report to {}: there is no folder {}",
                path.display(),
                folder.display()
            ),
        )
        .advise("name a file in a folder that is there")),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn exists(path: &Path) -> Error {
    Error::new(
        Kind::Usage,
        format!(
            "could not write the report to {}: there is something of that name already",
            path.display()
        ),
    )
    .advise("name another file, or move that one away")
}

/// Writes the report where nothing is yet, whole or not at all, for its owner alone.
fn write_report(
    path: &Path,
    report: &Report,
    question: &Question<'_>,
    proxy_users: &[String],
) -> Result<()> {
    let home = env::home_dir();
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).ok();
    let proxy = match question.proxy {
        Ok(Some(proxy)) => proxy.redacted(),
        Ok(None) => "none".to_owned(),
        Err(_) => "can't be used".to_owned(),
    };
    let no_proxy = match question.expected {
        Expected::Proxy(proxy) => Some(proxy.no_proxy().to_string()),
        Expected::Direct | Expected::Unknown => None,
    };
    let facts = [
        ("Baleen", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", system()),
        ("proxy", proxy),
        ("no_proxy", no_proxy.unwrap_or_else(|| "none".to_owned())),
        ("registry", question.registry.to_string()),
        (
            "time for each step",
            format!("{} s", question.patience.as_secs()),
        ),
    ];
    let anonymous = Anonymous {
        home: home.as_deref(),
        user: user.as_deref(),
        proxy_users,
    };
    let page = report::page(report, &facts, anonymous);
    let folder = folder_of(path);
    // What is to be done about Docker.app is no help here.
    let writing = |error| {
        Error::io("write", path, &error).advise("name a file in a folder that you may write in")
    };
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(writing)?;
    file.write_all(page.as_bytes()).map_err(writing)?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(path),
            _ => writing(error.error),
        })?;
    Ok(())
}

/// The operating system and its version, from the file in which it says so.
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
