//! `baleen relay`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, process};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::agent::{RelayCommand, RelaySettings};
use crate::app::quit_on_signals;
use crate::config::Config;
use crate::credentials::{Account, Store, password_for};
use crate::error::Result;
use crate::logs;
use crate::platform::system_proxies;
use crate::proxy::route::HopProxy;
use crate::relay::{self, Credentials, Relay, RelayError};
use crate::service::single_instance;
use crate::text;

use super::args::{Global, ProxyArgs, first_given};
use super::output::{BOLD, DIM, Output, styled};
use super::{check_named_config, request, state_folder};

/// Time that `stop` gives the relay: its tunnels have five seconds.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// Exit code of `status` if no relay runs.
const NOT_RUNNING: u8 = 3;

/// `baleen relay`.
#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    /// What to do instead of running.
    #[command(subcommand)]
    pub(super) command: Option<RelayAction>,
    /// The port, on 127.0.0.1 [default: relay_port of the config file, 18128]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,
    /// Never send a password in clear, not even to a proxy that offers nothing else
    #[arg(long)]
    pub(super) no_basic: bool,
    /// Print the address to enter for a program, and where, instead of running. It has this computer's token in it
    #[arg(long, value_name = "PROGRAM")]
    pub(super) print_address: Option<Program>,
    /// The proxy.
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
}

/// What to do with the relay that runs.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum RelayAction {
    /// Show the way of the last connection, the last failure, and how much went through
    ///
    /// The exit code is 3 if no relay is running.
    Status,
    /// End the relay; its connections have five seconds
    Stop,
}

impl RelayArgs {
    /// Returns an option of the relay and the command that has no use for it, if both are given.
    pub(super) fn conflict(&self) -> Option<(&'static str, &'static str)> {
        let command = match self.command? {
            RelayAction::Status => "status",
            RelayAction::Stop => "stop",
        };
        let option = first_given(&[
            ("--port", self.port.is_some()),
            ("--no-basic", self.no_basic),
            ("--print-address", self.print_address.is_some()),
        ]);
        let option = option.or_else(|| self.proxy.first())?;
        Some((option, command))
    }
}

/// A program that can use the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// A program on this computer
    Local,
    /// Colima
    Colima,
    /// Lima
    Lima,
    /// Podman machine
    Podman,
    /// Rancher Desktop
    Rancher,
    /// OrbStack
    Orbstack,
}

impl Program {
    /// Returns the name under which its VM reaches this computer's loopback.
    fn host(self) -> &'static str {
        match self {
            // Each of these puts its gateway in the place of a loopback address.
            Self::Local | Self::Colima | Self::Lima | Self::Podman | Self::Orbstack => "127.0.0.1",
            Self::Rancher => "host.lima.internal",
        }
    }

    /// Says where the address goes.
    fn place(self, address: &str) -> String {
        match self {
            Self::Local => format!("export https_proxy={address} http_proxy={address}"),
            Self::Colima => {
                "in ~/.colima/default/colima.yaml, under `env:`, as HTTP_PROXY and HTTPS_PROXY; then `colima restart`"
                    .to_owned()
            }
            Self::Lima => {
                "in ~/.lima/INSTANCE/lima.yaml, under `env:`, as http_proxy and https_proxy; then `limactl stop INSTANCE` and `limactl start INSTANCE`"
                    .to_owned()
            }
            Self::Podman => {
                "as HTTP_PROXY and HTTPS_PROXY in the environment of `podman machine start`; start the machine twice"
                    .to_owned()
            }
            Self::Rancher => {
                "in ~/Library/Application Support/rancher-desktop/lima/_config/override.yaml, under `env:`, as HTTP_PROXY and HTTPS_PROXY; then restart Rancher Desktop"
                    .to_owned()
            }
            Self::Orbstack => {
                format!("`orb config set network_proxy {address}`; then `orb restart docker`")
            }
        }
    }
}

pub(super) fn run(global: &Global, args: &RelayArgs, out: &mut Output) -> Result<u8> {
    match args.command {
        Some(RelayAction::Status) => return status(out),
        Some(RelayAction::Stop) => {
            if relay::running(&state_folder()).is_none() {
                return none_runs(out).map(|()| 0);
            }
            relay::end(&state_folder(), END_TIMEOUT)?;
            out.line("The relay has ended.")?;
            if let Some(who) = single_instance::running(&state_folder()) {
                out.note(format!(
                    "{who} starts it again while Docker needs it; `baleen config set relay off` ends that"
                ))?;
            }
            out.object(json!({ "running": false }))?;
            return Ok(0);
        }
        None => {}
    }
    check_named_config(global)?;
    let path = super::config::path(global);
    // A mistake in the file is reported before anything starts.
    let config = Config::load(&path)?;
    let port = args.port.unwrap_or(config.relay_port());
    request(&args.proxy, &config)?;
    if let Some(program) = args.print_address {
        let address = relay::address(&state_folder(), program.host(), port)?;
        let place = program.place(&address);
        out.line(&address)?;
        out.line(styled(DIM, &place).to_string())?;
        out.object(json!({ "address": address, "place": place }))?;
        return Ok(0);
    }
    logs::start(&logs::path(), global.verbose)?;
    // What was named on the command line stays; the rest is read again when it changes.
    let settings = reader(args.proxy.clone(), path.clone());
    let (read, no_basic) = (reader(args.proxy.clone(), path.clone()), args.no_basic);
    let read = move || {
        read().map(|settings| relay::Settings {
            allow_basic: settings.allow_basic && !no_basic,
            ..settings
        })
    };
    let relay = Relay::listen(relay::Options {
        port,
        state: state_folder(),
        config: path,
        allow_basic: !no_basic && !config.relay_without_basic,
        read: Box::new(read),
        find: Arc::new(move |proxy| credentials(proxy, &settings)),
    })?;
    let control = relay.control();
    // Without a desktop session there are no settings that could change.
    let watch = system_proxies::watch({
        let control = control.clone();
        move || control.settings_changed()
    });
    if let Err(error) = &watch {
        tracing::warn!("{error}; changes are noticed after a minute");
    }
    quit_on_signals(move || control.end())?;
    let port = relay.port();
    let option = match port == config.relay_port() {
        true => String::new(),
        false => format!("--port {port} "),
    };
    out.line(format!(
        "The relay listens at {}. `baleen relay {option}--print-address local` prints the address with its token.",
        styled(BOLD, format!("127.0.0.1:{port}"))
    ))?;
    out.object(json!({ "event": "listening", "port": port }))?;
    tracing::info!("the relay listens at 127.0.0.1:{port}");
    let (requests, bytes) = relay.serve();
    drop(watch);
    tracing::info!("the relay ends after {requests} requests and {bytes} bytes");
    Ok(0)
}

/// Returns what runs this program's relay with this config file.
pub(super) fn command(config: PathBuf) -> Option<RelayCommand> {
    let program = env::current_exe().ok()?;
    Some(RelayCommand(Arc::new(move |settings: RelaySettings| {
        let mut command = process::Command::new(&program);
        command.args(["relay", "--port", &settings.port.to_string()]);
        // A config file given as an argument must exist. Without one, the defaults apply.
        if config.exists() {
            command.arg("--config").arg(&config);
        }
        if settings.without_basic {
            command.arg("--no-basic");
        }
        command
    })))
}

/// Prints what the running relay says of itself.
fn status(out: &mut Output) -> Result<u8> {
    let state = state_folder();
    if relay::running(&state).is_none() {
        return none_runs(out).map(|()| NOT_RUNNING);
    }
    let status = relay::status(&state).map_err(RelayError::Silent)?;
    for line in text::relay::lines(&status) {
        out.line(line)?;
    }
    let mut object = serde_json::to_value(&status).unwrap_or_default();
    object["running"] = json!(true);
    out.object(object)?;
    Ok(0)
}

fn none_runs(out: &mut Output) -> Result<()> {
    out.line("No relay is running.")?;
    out.object(json!({ "running": false }))
}

/// Returns what reads the settings: those of the config file as it is at the time, if none were named.
pub(super) fn reader(args: ProxyArgs, path: PathBuf) -> impl Fn() -> Result<relay::Settings> {
    move || {
        let config = Config::load(&path)?;
        Ok(relay::Settings {
            proxies: request(&args, &config)?.read()?,
            unreachable: config.pac_unreachable,
            allow_basic: !config.relay_without_basic,
        })
    }
}

/// Returns the login of a proxy: the user is the one that the settings name for it, or else the only one whose password is
/// stored for its host and port.
pub(super) fn credentials(
    proxy: &HopProxy,
    read: &dyn Fn() -> Result<relay::Settings>,
) -> Result<Option<Credentials>> {
    let place = format!("{}:{}", proxy.host.to_ascii_lowercase(), proxy.port);
    for url in read()?.proxies.proxies() {
        let is_it = format!("{}:{}", url.host().to_ascii_lowercase(), url.port()) == place;
        let (true, Some(account)) = (is_it, Account::of(&url)) else {
            continue;
        };
        let stored = match url.password() {
            Some(password) => Some(password.clone()),
            None => password_for(&account)?,
        };
        if let Some(password) = stored {
            return Ok(Credentials::new(account.user(), password.expose()));
        }
    }
    let store = match Store::open() {
        Ok(store) => store,
        Err(crate::credentials::CredentialsError::NoStore(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let suffix = format!("@{place}");
    let accounts = store.accounts()?;
    let mut found = accounts.iter().filter(|name| name.ends_with(&suffix));
    let (Some(only), None) = (found.next(), found.next()) else {
        return Ok(None);
    };
    let Ok(account) = Account::parse(only) else {
        return Ok(None);
    };
    let password = store.password(&account)?;
    Ok(password.and_then(|password| Credentials::new(account.user(), password.expose())))
}
