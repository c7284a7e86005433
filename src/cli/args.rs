//! The command line: its commands, and the options that several of them have. Those of one command are in its file.

#![allow(rustdoc::bare_urls, reason = "these comments are the help texts")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::SourceSetting;

use super::apply::ApplyArgs;
use super::config::ConfigCommand;
use super::credentials::CredentialsCommand;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::inspect::InspectArgs;
use super::proxy::ProxyCommandArgs;
use super::relay::RelayArgs;
use super::restore::RestoreArgs;
use super::status::StatusArgs;
use super::uninstall::UninstallArgs;

const ABOUT: &str = "Keeps the Docker Engine of Docker for Mac behind a proxy";

const LONG_ABOUT: &str = "\
Keeps the Docker Engine of Docker for Mac behind a proxy.

Docker for Mac runs its engine in a Linux VM, which doesn't know the Mac's proxy. In the betas of 2016 \
to 17.09, Baleen writes the proxy into the VM's boot image (initrd.img inside Docker.app), and can restore \
the original byte for byte. In later versions, it sets the proxy in Docker's own settings, and can put back \
the values that were there before.";

/// Examples for beginners: each command, and below it what it does. Side by side, they would not fit 80 columns.
pub(super) const EXAMPLES: &str = "\
baleen demo
    try it on a sample Docker.app
baleen proxy
    which proxy is set on this computer, and what Docker can make of it
baleen apply
    set that proxy in Docker
baleen apply --http-proxy http://proxy.corp:8080
    set this one
baleen apply --dry-run
    show what would change
baleen apply --live
    update the running VM too, without restarting Docker
baleen status
    is the proxy in place?
baleen doctor
    find out why Docker can't pull
baleen restore
    put Docker back as it was
baleen app
    let the menu-bar app do all this by itself
baleen uninstall
    remove Baleen's files and settings";

/// Meanings of the exit codes, one per line.
pub(super) const EXIT_CODES: &str = "\
0  success
1  failure
2  usage error
3  status, doctor: action needed; check-update: there is a newer version;
   relay status: no relay is running
4  refused: unknown, foreign, unsupported, locked, being updated,
   not answering, or no Docker.app
5  not permitted by the system";

/// The file for the completion script of each shell, one per line. Sources: bash-completion's README ("Where should
/// I install my own local completions?"), zsh's manual (zshcompsys, "Initialization"), fish's manual ("Where to put
/// completions"), and Homebrew's "Shell Completion".
pub(super) const COMPLETION_FILES: &str = "\
bash            ~/.local/share/bash-completion/completions/baleen
bash, Homebrew  $(brew --prefix)/etc/bash_completion.d/baleen
zsh             ~/.zfunc/_baleen
zsh, Homebrew   $(brew --prefix)/share/zsh/site-functions/_baleen
fish            ~/.config/fish/completions/baleen.fish
fish, Homebrew  $(brew --prefix)/share/fish/vendor_completions.d/baleen.fish";

/// What else the shells need, one paragraph per line.
pub(super) const COMPLETION_NOTES: &str = "\
For example: baleen completions zsh > ~/.zfunc/_baleen
Make the folder first if it is missing. bash needs the package bash-completion.
zsh reads ~/.zfunc if ~/.zshrc has: fpath=(~/.zfunc $fpath); autoload -U compinit; compinit
Baleen's Homebrew cask and formula put the scripts there by themselves.";

/// Returns the text after the help of `baleen completions`.
pub(super) fn completion_places() -> String {
    let files = COMPLETION_FILES.replace('\n', "\n  ");
    format!("Where the script goes:\n  {files}\n\n{COMPLETION_NOTES}")
}

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
    /// Docker.app to use, instead of the one in BALEEN_DOCKER_APP, the config file, /Applications or ~/Applications
    #[arg(long, global = true, value_name = "PATH")]
    pub docker_app: Option<PathBuf>,
    /// Config file to use, instead of the one in BALEEN_CONFIG or the default (`baleen config path`)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of text, without passwords
    #[arg(long, global = true)]
    pub json: bool,
    /// Print more: sizes, digests, methods and places. With app, watch and relay, also the log; given twice, in more detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print nothing but errors. The exit code says the result
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Word the JSON object for the menu-bar app, which runs some commands in processes of their own
    #[arg(long, global = true, hide = true)]
    pub for_menu: bool,
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
pub(crate) enum Command {
    /// Set the proxy in Docker
    ///
    /// In the betas of 2016 to 17.09, writes a changed copy of the boot image, verifies it, and then replaces the
    /// original, which is kept as initrd.img-backup. In later versions, sets the proxy in Docker's own settings, and keeps
    /// the values of before. Applying the same proxy again changes nothing.
    Apply(ApplyArgs),
    /// Put Docker back as it was
    ///
    /// In the betas of 2016 to 17.09, restores the original boot image byte for byte, after verifying its SHA-256 digest.
    /// In later versions, puts back the values that Docker's own settings had before. With --live, the running Engine stops
    /// using the proxy too.
    Restore(RestoreArgs),
    /// Show this computer's proxy settings and what Docker can use of them
    ///
    /// Lists what happens to each entry of the bypass list, and why.
    Proxy(ProxyCommandArgs),
    /// Show whether the proxy is in place
    ///
    /// In the betas of 2016 to 17.09, reads only both ends of the boot image by default, which is fast and shows what
    /// Baleen did. To find out what someone else changed, use --verify, which reads every byte. In later versions, asks the
    /// running Docker for its settings, or reads them from their file.
    Status(StatusArgs),
    /// Run the menu-bar app, which keeps the proxy in place
    ///
    /// The icon shows the state, and the menu turns the proxy on and off. On macOS, Baleen.app does this, and so does
    /// `baleen` without a command. If Baleen is already running, it shows itself and the new one exits.
    App,
    /// Keep the proxy in place without an icon, until interrupted
    ///
    /// Watches Docker.app and the proxy settings, puts the proxy back after a Docker update, and prints what it sees
    /// and does, with the local time. Ctrl-C stops it. With --json, prints one object per line.
    Watch,
    /// Run a proxy on this computer that sends each connection the way of the system's settings
    ///
    /// Listens on 127.0.0.1 alone, and asks for a token, which only this user can read. Follows the settings, their
    /// PAC script and the network from one connection to the next, and logs in upstream with your Kerberos ticket or the
    /// stored password (NTLM, Digest, Basic), so that the programs behind it need no change and no password. Runs until interrupted.
    Relay(RelayArgs),
    /// Find out why Docker can't pull, step by step
    ///
    /// Checks Docker.app, the boot image or Docker's own settings, the proxy, the connection through it to the registry, and the running
    /// engine. Prints what it found and what to do. Changes nothing.
    Doctor(DoctorArgs),
    /// Find out whether there is a newer version of Baleen
    ///
    /// Asks the releases page on GitHub, with one small request, through the proxy that this computer uses. Sends Baleen's name
    /// and version and nothing else. Downloads and installs nothing. The exit code is 3 if there is a newer version.
    CheckUpdate,
    /// List the files in a boot image, or print one of them
    Inspect(InspectArgs),
    /// Show or change the config file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Try Baleen on a small sample Docker.app
    Demo(DemoArgs),
    /// Store a proxy's password in the Keychain (on Linux, in the desktop's keyring)
    #[command(subcommand)]
    Credentials(CredentialsCommand),
    /// Remove Baleen's files and settings, and put Docker back as it was
    ///
    /// Lists what it will do and asks first. Quits the menu-bar app and `baleen watch`, restores Docker's boot images or
    /// what its own settings were, and removes the login item, stored passwords, settings, state and logs. If Docker can't be
    /// put back, nothing is removed. Files that Baleen didn't make are kept and listed. The program itself stays.
    Uninstall(UninstallArgs),
    /// Print a completion script for a shell
    ///
    /// The script goes to standard output. Put it into a file that your shell reads, then open a new shell.
    #[command(after_help = completion_places())]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual, one page per command, into a folder. Used to build the app
    #[command(hide = true)]
    Man {
        /// The folder; it is created if missing
        folder: PathBuf,
    },
    /// Run a PAC script from standard input. Used by Baleen itself
    #[command(hide = true)]
    PacWorker,
}

/// A proxy.
#[derive(Debug, Clone, Default, Args)]
pub struct ProxyArgs {
    /// Proxy for http://, and for https:// unless --https-proxy is given, instead of the settings
    ///
    /// For example http://proxy.corp:8080 or http://USER@proxy.corp:8080. The password comes from the Keychain (see
    /// `baleen credentials`). You can put a password in the URL, but other users on this computer can then see it.
    #[arg(long, value_name = "URL")]
    pub http_proxy: Option<String>,
    /// Proxy for https://, which Docker uses to pull images
    #[arg(long, value_name = "URL")]
    pub https_proxy: Option<String>,
    /// More hosts to reach without the proxy, separated by commas; localhost and 127.0.0.1 are always included
    #[arg(long, value_name = "LIST")]
    pub no_proxy: Option<String>,
    /// Where the proxy comes from, instead of the source in the config file
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["http_proxy", "https_proxy"])]
    pub source: Option<SourceArg>,
    /// Use the settings in this property list, in the format of SCDynamicStoreCopyProxies
    #[arg(long, value_name = "FILE", conflicts_with_all = ["http_proxy", "https_proxy", "source"])]
    pub system_proxies: Option<PathBuf>,
}

/// Whose settings to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceArg {
    /// The same as system
    Auto,
    /// System Settings; on Linux, the desktop's settings or else the environment
    System,
    /// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in upper or lower case
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

impl Cli {
    /// Returns the two arguments that exclude each other, if both are given. clap checks this only for options on
    /// the same side of the command's name.
    pub(super) fn conflict(&self) -> Option<(&'static str, &'static str)> {
        let Global {
            json,
            quiet,
            verbose,
            ..
        } = self.global;
        if quiet && json {
            return Some(("--quiet", "--json"));
        }
        if quiet && verbose > 0 {
            return Some(("--quiet", "--verbose"));
        }
        // These print what they were asked for and nothing else.
        let content = match &self.command {
            Command::Completions { .. } => Some("completions"),
            Command::Inspect(inspect) if inspect.entry.is_some() => Some("--entry"),
            Command::Doctor(doctor) if doctor.prints_page() => Some("--html -"),
            _ => None,
        };
        let value = match &self.command {
            Command::Config(ConfigCommand::Path) => Some("config path"),
            Command::Relay(relay) if relay.print_address.is_some() => Some("--print-address"),
            _ => None,
        };
        match content {
            Some(content) if json => return Some(("--json", content)),
            _ => {}
        }
        if let Some(other) = content.or(value).filter(|_| quiet) {
            return Some(("--quiet", other));
        }
        // The options of a command say nothing to the commands below it.
        match &self.command {
            Command::Relay(relay) => relay.conflict(),
            Command::Proxy(proxy) => proxy.conflict(),
            _ => None,
        }
    }
}

impl ProxyArgs {
    /// Returns the first of these options that is given.
    pub(super) fn first(&self) -> Option<&'static str> {
        first_given(&[
            ("--http-proxy", self.http_proxy.is_some()),
            ("--https-proxy", self.https_proxy.is_some()),
            ("--no-proxy", self.no_proxy.is_some()),
            ("--source", self.source.is_some()),
            ("--system-proxies", self.system_proxies.is_some()),
        ])
    }
}

/// Returns the name of the first option that is given.
pub(super) fn first_given(options: &[(&'static str, bool)]) -> Option<&'static str> {
    let given = options.iter().find(|(_, is_given)| *is_given);
    given.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_excludes_each_other_is_found_on_both_sides_of_a_command() {
        for (line, other) in [
            ("--quiet status --json", Some("--json")),
            ("--json status --quiet", Some("--json")),
            ("status -q -v", Some("--verbose")),
            ("-v status -q", Some("--verbose")),
            ("completions zsh -q", Some("completions")),
            ("inspect a.img --entry b -q", Some("--entry")),
            ("inspect a.img -q", None),
            ("inspect a.img --entry b --json", Some("--entry")),
            ("completions zsh --json", Some("completions")),
            ("config path -q", Some("config path")),
            ("config path --json", None),
            ("relay --print-address local -q", Some("--print-address")),
            ("relay --print-address local --json", None),
            ("doctor --html - -q", Some("--html -")),
            ("doctor --html - --json", Some("--html -")),
            ("doctor --html a.html -q", None),
            ("relay --json status", None),
            ("relay -v status", None),
            ("relay --port 1 status", Some("status")),
            ("relay --no-basic stop", Some("stop")),
            ("relay --source auto stop", Some("stop")),
            ("proxy --json test a", None),
            ("proxy --watch test a", Some("test")),
            ("proxy --docker-version 1 test a", Some("test")),
            ("proxy --http-proxy http://a test b", Some("test")),
            ("proxy test b --http-proxy http://a", None),
            ("status -q", None),
            ("-q restore", None),
            ("status -v --json", None),
            ("watch -vv", None),
        ] {
            let words = ["baleen"].into_iter().chain(line.split(' '));
            let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(cli.conflict().map(|(_, other)| other), other, "{line}");
        }
    }
}
