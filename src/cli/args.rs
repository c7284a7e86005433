//! The command line's arguments.

#![allow(rustdoc::bare_urls, reason = "these comments are the help texts")]

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::Key;
use crate::config::SourceSetting;
use crate::net::HostPort;
use crate::patch::Method;

const ABOUT: &str = "Keeps the Docker Engine of Docker for Mac behind a proxy";

const LONG_ABOUT: &str = "\
Keeps the Docker Engine of Docker for Mac behind a proxy.

The engine of Docker for Mac runs in a Linux VM that knows nothing of the Mac's proxy. Baleen writes \
the proxy into the VM's image (initrd.img inside Docker.app), where the engine's start script \
exports it, and can give the original image back, byte for byte.";

/// Examples for beginners, one per line.
pub(super) const EXAMPLES: &str = "\
baleen demo                                       try it on a sample Docker.app
baleen proxy                                      which proxy is set on this computer, and what
                                                  Docker can make of it
baleen apply                                      set that proxy in Docker
baleen apply --http-proxy http://proxy.corp:8080  set this one
baleen apply --dry-run                            show what would change
baleen apply --live                               update the running VM too, without restarting Docker
baleen status                                     is the proxy in place?
baleen doctor                                     find out why Docker can't pull
baleen restore                                    put Docker back exactly as it was
baleen app                                        let the menu-bar app do all this by itself
baleen uninstall                                  remove Baleen's files and settings";

/// Meanings of the exit codes, one per line.
pub(super) const EXIT_CODES: &str = "\
0  success
1  failure
2  usage error
3  status, doctor: action needed
4  refused: unknown, foreign, unsupported, being updated, or no Docker.app
5  not permitted by the system";

/// Returns the text after the help.
fn after_help() -> String {
    let indented = |text: &str| text.replace('\n', "\n  ");
    format!(
        "Examples:\n  {}\n\nExit codes:\n  {}",
        indented(EXAMPLES),
        indented(EXIT_CODES)
    )
}

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "baleen", version, about = ABOUT, long_about = LONG_ABOUT, after_help = after_help())]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Docker.app to work on, instead of the one in BALEEN_DOCKER_APP, the config file, /Applications or ~/Applications
    #[arg(long, global = true, value_name = "PATH")]
    pub docker_app: Option<PathBuf>,
    /// Config file to use, instead of the one in BALEEN_CONFIG or in the usual place (`baleen config path`)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of text; passwords are left out
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use color
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When to use color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put the engine behind a proxy
    ///
    /// Reads the image once, writes a changed copy beside it, reads that back, and only then puts it in the
    /// original's place; the original is kept as initrd.img-backup. Applying the same proxy again does nothing.
    Apply(Apply),
    /// Give Docker the image back that it had before Baleen, byte for byte
    ///
    /// Reads the original's digest again before it says so. With --live, the running Engine stops using the proxy too.
    Restore(Restore),
    /// Say what this computer's proxy settings are, what the engine makes of them, and why
    ///
    /// Entry by entry of the bypass list: what the engine gets for it, and what it can't be told.
    Proxy(Proxy),
    /// Say whether the proxy is in place
    ///
    /// By default only both ends of the image are looked at, which takes a moment on any image. That tells what
    /// Baleen did, not what someone else did to a stock image: --verify reads every byte.
    Status(Status),
    /// Run the menu-bar app: it keeps the proxy in place by itself, and says what it did
    ///
    /// Its icon shows the state; its menu switches the proxy on and off. On macOS this is what Baleen.app does, and
    /// what happens without any command. A second one shows the first and ends.
    App(Act),
    /// Do what the menu-bar app does, without an icon, until it is interrupted
    ///
    /// Watches Docker.app and the proxy settings, puts the proxy back after an update of Docker, and prints what it
    /// sees and does; under --json one object a line.
    Watch(Act),
    /// Find out why the engine does not get through, step by step
    ///
    /// Looks at Docker.app, at the image, at the proxy and the way through it to the registry, and at the running
    /// engine; says of each what was found and what to do. Changes nothing.
    Doctor(Doctor),
    /// List what is in an image, or print one file of it
    Inspect(Inspect),
    /// Show or change the config file
    #[command(subcommand)]
    Config(Config),
    /// Show all of it on a small Docker.app made for the purpose
    Demo(Demo),
    /// Keep the password of a proxy in the Keychain (elsewhere: the desktop's keyring)
    #[command(subcommand)]
    Credentials(Credentials),
    /// Remove all that Baleen made on this computer, and put Docker back exactly as it was
    ///
    /// Lists it and asks; ends the menu-bar app or `baleen watch`; then Docker's own images come back, and Start at
    /// login, stored passwords, settings, state and logs go. Where an image can't be given back, nothing is removed.
    /// What Baleen did not make is left and named. The program itself stays.
    Uninstall(Uninstall),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual, a page for each command, into a folder: how it gets into the app
    #[command(hide = true)]
    Man {
        /// The folder, which is made where it is missing
        folder: PathBuf,
    },
    /// Run a PAC script from standard input: how Baleen starts itself for that
    #[command(hide = true)]
    PacWorker,
}

/// A proxy.
#[derive(Debug, Clone, Default, Args)]
pub struct ProxyArgs {
    /// Proxy for http://, and for https:// where no other is given, instead of the settings
    ///
    /// As in http://proxy.corp:8080 or http://USER@proxy.corp:8080; the password comes from the Keychain (see
    /// `baleen credentials`). A password in the URL is taken, too, but other users of this computer can see arguments.
    #[arg(long, value_name = "URL")]
    pub http_proxy: Option<String>,
    /// Proxy for https://, which is what pulling images uses
    #[arg(long, value_name = "URL")]
    pub https_proxy: Option<String>,
    /// More hosts to reach without the proxy, separated by commas; localhost and 127.0.0.1 always are
    #[arg(long, value_name = "LIST")]
    pub no_proxy: Option<String>,
    /// Whose settings to use, instead of what the config file says
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["http_proxy", "https_proxy"])]
    pub source: Option<SourceArg>,
    /// Use the settings in this property list, as SCDynamicStoreCopyProxies gives them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["http_proxy", "https_proxy", "source"])]
    pub system_proxies: Option<PathBuf>,
}

/// Whose settings to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceArg {
    /// The same as system
    Auto,
    /// System Settings; on Linux the desktop's, or else the environment
    System,
    /// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or in lower case
    Environment,
    /// The proxies in the config file
    Manual,
}

impl From<SourceArg> for SourceSetting {
    fn from(source: SourceArg) -> Self {
        match source {
            SourceArg::Auto => Self::Auto,
            SourceArg::System => Self::System,
            SourceArg::Environment => Self::Environment,
            SourceArg::Manual => Self::Manual,
        }
    }
}

/// `baleen apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// The proxy.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// How to patch: append a small archive (fast), or rebuild the archive that holds the script; without it as the
    /// config file says, else by append
    #[arg(long, value_name = "append|rebuild")]
    pub method: Option<Method>,
    /// Use the proxy of the settings from now on, and no longer the one that was named by hand
    #[arg(long, conflicts_with_all = ["http_proxy", "https_proxy", "no_proxy", "source", "system_proxies"])]
    pub follow_settings: bool,
    /// Take over a proxy that someone else wrote into the script
    #[arg(long)]
    pub adopt: bool,
    /// Print the plan and the script's difference, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The running VM.
    #[command(flatten)]
    pub live: Live,
}

/// `baleen restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The running VM.
    #[command(flatten)]
    pub live: Live,
}

/// What is to become of the VM that runs.
#[derive(Debug, Args)]
pub struct Live {
    /// Bring the running VM up to date as well, over its console, and restart the Engine in it: seconds instead of a
    /// restart of Docker. Containers stop, so it asks first
    #[arg(long)]
    pub live: bool,
    /// Do not ask
    #[arg(long, requires = "live")]
    pub yes: bool,
}

/// `baleen proxy`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Proxy {
    /// The proxy.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// Translate for this version of Docker instead of the one that is installed, as in 17.06.0-ce-mac18
    #[arg(long, value_name = "VERSION", value_parser = docker_version)]
    pub docker_version: Option<String>,
    /// Go on, and say it again each time the system's settings change
    #[arg(long, conflicts_with_all = ["http_proxy", "https_proxy", "system_proxies"])]
    pub watch: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<ProxyCommand>,
}

/// The commands below `baleen proxy`.
#[derive(Debug, Subcommand)]
pub enum ProxyCommand {
    /// Say for each host whether it is reached directly or through the proxy: here, and from the engine
    Test(ProxyTest),
}

/// `baleen proxy test`.
#[derive(Debug, Args)]
pub struct ProxyTest {
    /// The hosts: HOST, HOST:PORT or a URL; https unless it says otherwise
    #[arg(required = true, value_name = "HOST")]
    pub hosts: Vec<String>,
    /// The proxy.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// Translate for this version of Docker instead of the one that is installed, as in 17.06.0-ce-mac18
    #[arg(long, value_name = "VERSION", value_parser = docker_version)]
    pub docker_version: Option<String>,
}

/// `baleen status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The proxy that should be in place.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// Read the whole image and compute every digest again
    #[arg(long)]
    pub verify: bool,
}

/// `baleen doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The proxy to examine.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// The registry to reach
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        default_value = "registry-1.docker.io:443"
    )]
    pub registry: HostPort,
    /// How long each step may wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub timeout: u16,
    /// Also write a report without passwords and users' names to this new file, for a bug report
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// `baleen app` and `baleen watch`.
#[derive(Debug, Default, Args)]
pub struct Act {
    /// Print the log to the terminal as well; twice: in more detail
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `baleen uninstall`.
#[derive(Debug, Args)]
pub struct Uninstall {
    /// List what would be done, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Leave images as they are: engines keep the proxy until you reinstall Docker
    #[arg(long)]
    pub leave_images: bool,
}

/// `baleen inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The image, as in Docker.app/Contents/Resources/moby/initrd.img
    pub image: PathBuf,
    /// Print the bytes of this file, as the kernel would end up with it, passwords and all
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
}

/// `baleen demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Work in this folder, which must be empty or new, and leave the result there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// `baleen config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print where the config file is
    Path,
    /// Print each key with its value, and whether that is set or the default
    Show,
    /// Set a key; comments and everything else in the file stay as they are
    Set {
        /// The key
        #[arg(value_parser = keys())]
        key: Key,
        /// Its value; the entries of a list are separated by commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take a key out of the file, so that its default holds
    Unset {
        /// The key
        #[arg(value_parser = keys())]
        key: Key,
    },
}

/// Checks a Docker version, which must begin with a digit: otherwise it would count as the newest.
fn docker_version(text: &str) -> Result<String, &'static str> {
    match text.as_bytes() {
        [b'0'..=b'9', ..] => Ok(text.to_owned()),
        _ => Err("expected a version as in 1.12.0 or 17.06.0-ce-mac18"),
    }
}

/// Returns a parser for the names of the keys, which shells can complete.
fn keys() -> impl TypedValueParser<Value = Key> {
    let names = Key::ALL.map(|key| PossibleValue::new(key.name()).help(key.about()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Key>())
}

/// `baleen credentials`.
#[derive(Debug, Subcommand)]
pub enum Credentials {
    /// Store the password of a proxy
    ///
    /// It is asked for where standard input is a terminal and read from there where it is not; it is never an
    /// argument, which other users of this computer could see. One that is stored already is replaced.
    Set {
        /// User and proxy, as in me@proxy.corp:8080 (without a port: 80); by default those in use
        #[arg(value_name = "USER@HOST[:PORT]")]
        proxy: Option<String>,
        /// Take it from the Keychain, where System Settings keep it; macOS asks whether Baleen may
        #[arg(long)]
        from_system: bool,
    },
    /// Delete the stored password of a proxy
    Delete {
        /// User and proxy, as in me@proxy.corp:8080 (without a port: 80); by default those in use
        #[arg(value_name = "USER@HOST[:PORT]")]
        proxy: Option<String>,
    },
    /// Say of each proxy in use that names a user whether its password is stored
    Status,
}
