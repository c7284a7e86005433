//! The command line: arguments in, text or JSON and an exit code out. What there is to decide is
//! decided elsewhere.

mod apply;
pub mod args;
mod credentials;
mod demo;
mod inspect;
mod output;
mod restore;
mod status;

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::docker::{self, Bundle, bundle};
use crate::error::{Error, Kind, Result};
use crate::patch::intent::{self, Intents};
use crate::proxy::{EngineProxy, NoProxy, ProxyUrl, Variable, from_environment, redact};

use args::{Cli, Command, Global, ProxyArgs};
use output::Output;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails only where nobody can be told.
            let _ = if error.use_stderr() {
                writeln!(io::stderr(), "{}", without_passwords(&error))
            } else {
                error.print()
            };
            return ExitCode::from(error.exit_code().try_into().unwrap_or(2));
        }
    };
    let mut out = Output::new(&cli.global);
    let result = run(&cli, &mut out);
    ExitCode::from(out.finish(result))
}

/// What clap says of an argument it did not understand, which may be a URL whose option was forgotten.
fn without_passwords(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((label, rest)) => format!("{label}: {}", redact(rest)),
        None => redact(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Carries out one command and returns its exit code.
fn run(cli: &Cli, out: &mut Output) -> Result<u8> {
    match &cli.command {
        Command::Apply(args) => apply::run(&cli.global, args, out),
        Command::Restore => restore::run(&cli.global, out),
        Command::Status(args) => status::run(&cli.global, args, out),
        Command::Inspect(args) => inspect::run(args, out),
        Command::Demo(args) => demo::run(args, out),
        Command::Credentials(args) => credentials::run(args, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "baleen", &mut script);
            out.raw(&script)?;
            Ok(0)
        }
    }
}

/// The path of the bundle that is meant.
fn bundle_path(global: &Global) -> Result<PathBuf> {
    let places = bundle::default_places(env::home_dir().as_deref());
    // An empty variable is how some shells say that there is none; an empty option is a slip.
    let variable = env::var_os("BALEEN_DOCKER_APP").filter(|path| !path.is_empty());
    let chosen = global.docker_app.clone().or(variable.map(PathBuf::from));
    docker::find(chosen.as_deref(), &places)?.ok_or_else(|| bundle::not_found(&places))
}

/// The bundle that is meant.
fn find_bundle(global: &Global) -> Result<Bundle> {
    Bundle::read(&bundle_path(global)?)
}

/// What the user was heard to want, on this computer.
fn intents() -> Intents {
    let home = env::home_dir().unwrap_or_default();
    let folder = intent::folder(|name| env::var_os(name), &home, cfg!(target_os = "macos"));
    Intents::in_folder(&folder)
}

/// The proxy that the options name, or, where there are none, the environment.
fn proxy(args: &ProxyArgs) -> Result<Option<EngineProxy>> {
    let option = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| (name.to_owned(), value.clone()))
    };
    let in_words = |found: Option<Variable>| {
        found.map(|(name, value)| (format!("the environment variable {name}"), value))
    };
    let (http, https, listed) = from_environment(|name| env::var(name).ok());
    let (mut http, mut https, listed) = (in_words(http), in_words(https), in_words(listed));
    if args.http_proxy.is_some() || args.https_proxy.is_some() {
        http = option("--http-proxy", &args.http_proxy);
        https = option("--https-proxy", &args.https_proxy);
    }
    // The environment's list belongs to the environment's proxy, unless the options have one of their own.
    let from_environment = args.http_proxy.is_none() && args.https_proxy.is_none();
    let no_proxy = option("--no-proxy", &args.no_proxy).or(listed.filter(|_| from_environment));

    let unusable = |what: &str, name: &str, why: &dyn Display| {
        Error::new(
            Kind::Usage,
            format!("the {what} in {name} can't be used: {why}"),
        )
    };
    let url = |given: Option<Variable>| {
        given
            .map(|(name, text)| {
                ProxyUrl::parse(&text).map_err(|why| unusable("proxy", &name, &why))
            })
            .transpose()
    };
    let (http, https) = (url(http)?, url(https)?);
    let no_proxy = match no_proxy {
        Some((name, list)) => {
            NoProxy::parse(&list).map_err(|why| unusable("no-proxy list", &name, &why))?
        }
        None => NoProxy::default(),
    };
    Ok(EngineProxy::new(http, https, no_proxy))
}

/// Turns an error of writing to the terminal or a pipe into one of this program.
fn printing(error: io::Error) -> Error {
    Error::new(Kind::Failure, format!("could not print: {error}"))
}
