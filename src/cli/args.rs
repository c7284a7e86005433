//! What may stand on the command line.

#![allow(rustdoc::bare_urls, reason = "these comments are the help texts")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::patch::Method;

const ABOUT: &str = "Keeps the Docker Engine of Docker for Mac behind a proxy";

const LONG_ABOUT: &str = "\
Keeps the Docker Engine of Docker for Mac behind a proxy.

The engine of Docker for Mac runs in a Linux VM that knows nothing of the Mac's proxy. Baleen writes \
the proxy into the VM's image (initrd.img inside Docker.app), where the engine's start script \
exports it, and can give the original image back, byte for byte.";

const EXAMPLES: &str = "\
Examples:
  baleen demo                                       see all of it on a made-up Docker.app
  baleen apply --http-proxy http://proxy.corp:8080  put the engine behind a proxy
  baleen apply --dry-run                            show what would change, with the proxy from
                                                    the environment (https_proxy, ...)
  baleen status                                     is the proxy in place?
  baleen restore                                    give Docker its own image back

Exit codes:
  0  done, or everything is as wanted
  1  failure
  2  the call was not understood
  3  status: something is to be done
  4  refused: unknown, foreign, unsupported, being updated, or no Docker.app
  5  not permitted by the system";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "baleen", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub struct Global {
    /// Docker.app to work on, instead of the one in BALEEN_DOCKER_APP, /Applications or ~/Applications
    #[arg(long, global = true, value_name = "PATH")]
    pub docker_app: Option<PathBuf>,
    /// Print one JSON object instead of text; passwords are left out
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Color {
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
    /// Give Docker its own image back, byte for byte
    Restore,
    /// Say whether the proxy is in place
    ///
    /// By default only both ends of the image are looked at, which takes a moment on any image. That tells what
    /// Baleen did, not what somebody else did to a stock image: --verify reads every byte.
    Status(Status),
    /// List what is in an image, or print one file of it
    Inspect(Inspect),
    /// Show all of it on a small Docker.app made for the purpose
    Demo(Demo),
    /// Keep the password of a proxy in the Keychain (elsewhere: the desktop's keyring)
    #[command(subcommand)]
    Credentials(Credentials),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// A proxy.
#[derive(Debug, Clone, Default, Args)]
pub struct ProxyArgs {
    /// Proxy for http://, and for https:// where no other is given
    ///
    /// As in http://proxy.corp:8080 or http://USER:PASSWORD@proxy.corp:8080; user and password may hold any
    /// character, percent-encoded or not. Other users of this computer can see arguments: better leave a password
    /// to the environment variable. Without any proxy option the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY
    /// (or in lower case) are used.
    #[arg(long, value_name = "URL")]
    pub http_proxy: Option<String>,
    /// Proxy for https://, which is what pulling images uses
    #[arg(long, value_name = "URL")]
    pub https_proxy: Option<String>,
    /// Hosts to reach without the proxy, separated by commas; localhost and 127.0.0.1 always are
    #[arg(long, value_name = "LIST")]
    pub no_proxy: Option<String>,
}

impl ProxyArgs {
    /// Whether none of the options was given.
    pub fn is_empty(&self) -> bool {
        self.http_proxy.is_none() && self.https_proxy.is_none() && self.no_proxy.is_none()
    }
}

/// `baleen apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// The proxy.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// How to patch: append a small archive (the default, fast), or rebuild the archive that holds the script
    #[arg(long, value_name = "append|rebuild")]
    pub method: Option<Method>,
    /// Take over a proxy that somebody else wrote into the script
    #[arg(long)]
    pub adopt: bool,
    /// Print the plan and the script's difference, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `baleen status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The proxy that should be in place.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// Read the whole image and compute every digest anew
    #[arg(long)]
    pub verify: bool,
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
