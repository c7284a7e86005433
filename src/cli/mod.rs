//! The command line: arguments in, text or JSON and an exit code out. Other modules make the decisions.

mod app;
mod apply;
pub mod args;
mod check_update;
mod config;
mod credentials;
mod demo;
mod docker_desktop;
mod doctor;
mod error;
mod inspect;
mod live;
mod man;
mod next_start;
mod output;
mod pac_worker;
mod proxy;
mod relay;
mod restore;
mod status;
mod uninstall;
mod watch;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::agent;
use crate::backend::{Backend, Registry};
use crate::config::Config;
use crate::desired::{self, ProxyQuery};
use crate::error::{Error, Result};
use crate::intent::Intents;
use crate::proxy::source::{self, ProxySource};
use crate::proxy::translate::{EntryOutcome, EntryReason};
use crate::proxy::{ProxyOrigin, ProxyUrls, RedactedProxy, Translation, redact};
#[cfg(target_os = "macos")]
use crate::service::install_location;
use crate::storage;
use crate::text::{self, remark};

use args::{Cli, Command, Global, ProxyArgs, SourceArg, completion_places};
use error::CliError;
use output::Output;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    // This must come first, since it changes the environment.
    #[cfg(not(target_os = "macos"))]
    crate::platform::choose_session_bus();
    #[cfg(target_os = "macos")]
    if let Ok(program) = env::current_exe()
        && let Ok(real) = program.canonicalize()
        && let Some(better) = install_location::better_start(&program, &real)
    {
        crate::platform::reexec(better);
    }
    let mut arguments: Vec<OsString> = env::args_os().collect();
    // The Finder opens an app without arguments.
    if arguments.len() == 1 && cfg!(target_os = "macos") {
        arguments.push("app".into());
    }
    let cli = match parse(arguments).and_then(without_conflict) {
        Ok(cli) => cli,
        Err(error) => {
            return ExitCode::from(print_error(&error));
        }
    };
    let mut out = Output::new(&cli.global);
    let result = run(&cli, &mut out);
    ExitCode::from(out.finish(result))
}

/// Prints clap's error, or the help, which is one as well, and returns the exit code.
fn print_error(error: &clap::Error) -> u8 {
    let code = error.exit_code().try_into().unwrap_or(2);
    if error.use_stderr() {
        // If this fails, the failure can't be reported either.
        let _ = writeln!(io::stderr(), "{}", without_passwords(error));
        return code;
    }
    match error.print().and_then(|()| io::stdout().flush()) {
        // A reader that closes the pipe wants no more of the help.
        Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: {}", printing(failed));
            1
        }
        _ => code,
    }
}

/// Parses the arguments.
fn parse(arguments: Vec<OsString>) -> std::result::Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if let Some(width) = output::help_width() {
        command = command.term_width(width);
    }
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Returns clap's error for arguments that exclude each other.
fn without_conflict(cli: Cli) -> std::result::Result<Cli, clap::Error> {
    match cli.conflict() {
        None => Ok(cli),
        Some((one, other)) => Err(Cli::command().error(
            ErrorKind::ArgumentConflict,
            format!("the argument '{one}' cannot be used with '{other}'"),
        )),
    }
}

/// Returns clap's error message without passwords. An unknown argument may be a URL whose option was
/// forgotten.
fn without_passwords(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((label, rest)) => format!("{label}: {}", redact(rest)),
        None => redact(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Runs one command and returns its exit code.
fn run(cli: &Cli, out: &mut Output) -> Result<u8> {
    match &cli.command {
        Command::Apply(args) => apply::run(&cli.global, args, out),
        Command::Restore(args) => restore::run(&cli.global, args, out),
        Command::Proxy(args) => proxy::run(&cli.global, args, out),
        Command::Status(args) => status::run(&cli.global, args, out),
        Command::App => app::run(&cli.global, out),
        Command::Watch => watch::run(&cli.global, out),
        Command::Relay(args) => relay::run(&cli.global, args, out),
        Command::Doctor(args) => doctor::run(&cli.global, args, out),
        Command::CheckUpdate => check_update::run(&cli.global, out),
        Command::Inspect(args) => inspect::run(args, out),
        Command::Config(command) => config::run(&cli.global, command, out),
        Command::Demo(args) => demo::run(args, out),
        Command::Man { folder } => man::run(folder, out),
        Command::PacWorker => pac_worker::run(),
        Command::Credentials(args) => credentials::run(&cli.global, args, out),
        Command::Uninstall(args) => uninstall::run(&cli.global, args, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "baleen", &mut script);
            out.raw(&script)?;
            if io::stdout().is_terminal() {
                out.aside(completion_places())?;
            }
            Ok(0)
        }
    }
}

/// Reads the config file. A file that was named must exist.
fn config(global: &Global) -> Result<Config> {
    check_named_config(global)?;
    Ok(Config::load(&config::path(global))?)
}

/// Refuses a config file that was named but doesn't exist.
fn check_named_config(global: &Global) -> Result<()> {
    match &global.config {
        Some(named) if !named.exists() && !named.is_symlink() => {
            let path = named.clone();
            Err(CliError::NoConfig { path }.into())
        }
        _ => Ok(()),
    }
}

/// Returns the engine to look after.
fn find_backend(global: &Global, config: &Config) -> Result<Box<dyn Backend>> {
    let chosen = desired::chosen_path(global.docker_app.as_deref(), config);
    Ok(REGISTRY.find(chosen.as_deref(), &state_folder())?)
}

/// Returns the folder for the program's state.
fn state_folder() -> PathBuf {
    let home = env::home_dir().unwrap_or_default();
    storage::folder(|name| env::var_os(name), &home, cfg!(target_os = "macos"))
}

/// The kinds of engines.
const REGISTRY: Registry = Registry::BUILT_IN;

/// Returns the options for an agent.
fn options(global: &Global, has_icon: bool) -> agent::Options {
    agent::Options {
        registry: REGISTRY,
        docker_app: global.docker_app.clone(),
        config: config::path(global),
        state: state_folder(),
        has_icon,
        wording: text::WORDING,
        relay: relay::command(config::path(global)),
    }
}

/// Returns the user's recorded intents on this computer.
fn intents() -> Intents {
    Intents::in_folder(&state_folder())
}

/// Returns the query for the proxy settings: those of the options, else those of the config file.
fn request(args: &ProxyArgs, config: &Config) -> Result<ProxyQuery> {
    let option = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| (name.to_owned(), value.clone()))
    };
    let http = option("--http-proxy", &args.http_proxy);
    let https = option("--https-proxy", &args.https_proxy);
    let no_proxy = option("--no-proxy", &args.no_proxy);
    let mut config = config.clone();
    if let Some(source) = args.source {
        config.source = source.into();
        if source == SourceArg::Manual
            && config.http_proxy.is_none()
            && config.https_proxy.is_none()
        {
            return Err(CliError::NoManualProxy.into());
        }
    }
    if let Some(no_proxy) = &no_proxy {
        config.no_proxy.extend(source::list(no_proxy)?);
    }
    let mut request = ProxyQuery::new(&config, state_folder());
    if args.source.is_some() || no_proxy.is_some() {
        request = request.for_once();
    }
    Ok(if http.is_some() || https.is_some() {
        let urls = ProxyUrls {
            http: http.as_ref().map(source::url).transpose()?,
            https: https.as_ref().map(source::url).transpose()?,
            ..ProxyUrls::default()
        };
        request.named(ProxySource::Named(ProxyOrigin::CommandLine, Box::new(urls)))
    } else if let Some(file) = &args.system_proxies {
        request.named(ProxySource::Dictionary(file.clone()))
    } else {
        request
    })
}

/// Returns whether a relay runs at the port that this proxy names.
fn is_relay_up(proxy: &RedactedProxy) -> bool {
    let port = proxy.https.as_ref().map(|proxy| proxy.url().port());
    port.is_some_and(|port| crate::relay::is_up(&state_folder(), port))
}

/// Notes that the relay, whose address Docker has, does not run.
fn note_relay_down(proxy: &RedactedProxy, out: &mut Output) -> Result<()> {
    match is_relay_up(proxy) {
        true => Ok(()),
        false => out.note(
            "the relay is not running, so Docker reaches nothing but the hosts that bypass it: open Baleen, or run `baleen relay`"
                .to_owned(),
        ),
    }
}

/// Reports remarks on the translation of the settings: a note for each outcome, with a line for each reason.
fn note_translation(translation: &Translation, out: &mut Output) -> Result<()> {
    for (fate, said) in [
        (
            EntryOutcome::Widened,
            "some entries of the bypass list cover more in the engine",
        ),
        (
            EntryOutcome::LeftOut,
            "left out of the no-proxy list, so reached through the proxy",
        ),
        (
            EntryOutcome::Refused,
            "refused as entries of the no-proxy list",
        ),
    ] {
        let mut reasons: Vec<(Option<EntryReason>, Vec<&str>)> = Vec::new();
        for entry in translation.entries.iter().filter(|e| e.fate == fate) {
            let reason = entry.reason;
            match reasons.iter_mut().find(|(there, _)| *there == reason) {
                Some((_, entries)) => entries.push(&entry.from),
                None => reasons.push((reason, vec![&entry.from])),
            }
        }
        let lines: Vec<String> = reasons
            .into_iter()
            .map(|(reason, entries)| {
                let reason = reason.map_or(String::new(), |reason| reason.to_string());
                format!("{} ({reason})", entries.join(", "))
            })
            .collect();
        match &lines[..] {
            [] => {}
            [line] => out.note(format!("{said}: {line}"))?,
            lines => out.note(format!("{said}:\n  {}", lines.join("\n  ")))?,
        }
    }
    for remark in remark::all(translation, out.face()) {
        out.note(remark)?;
    }
    Ok(())
}

/// Converts an error in writing to the terminal or a pipe into an error of this program.
fn printing(error: io::Error) -> Error {
    CliError::Print(error).into()
}
