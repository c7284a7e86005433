//! The menu as plain data, derived from the agent's state. The drawing code decides nothing.

use std::fmt;

use crate::agent::RelayState;
use crate::agent::event::Click;
use crate::agent::view::View;
use crate::backend::RestartScope;
use crate::config::{RestartPolicy, SourceSetting};
use crate::desired::{KeptAnswers, Setting};
use crate::error::Fix;
use crate::proxy::{Field, ProxyRef, RedactedProxy};
use crate::reconcile::{Reason, State};
use crate::relay::Way;
use crate::text::notice::{cut, full, short, shortened};
use crate::text::relay;
use crate::text::settings_line;
use crate::text::time::ago;

use crate::service::install_location::InstallLocation;
use crate::service::login_item::LoginItem;

/// A command of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// A request to the agent.
    Click(Click),
    /// Open the pane in which the user allows Baleen to change Docker.
    AllowChanges,
    /// Find out what blocks the way to the registry.
    CheckConnection,
    /// Copy the proxy's address, for the settings of other programs.
    CopyProxyAddress,
    /// Find out whether there is a newer version of Baleen.
    CheckForUpdates,
    /// Copy values for Docker's own proxy settings.
    CopyProxySettings(Field),
    /// Open Docker's own proxy settings.
    OpenDockerSettings,
    /// Open the config file.
    OpenSettings,
    /// Open the log.
    OpenLog,
    /// Open the documentation.
    OpenDocumentation,
    /// Open the form for reporting a problem.
    ReportProblem,
    /// Enter a proxy.
    EditManualProxy,
    /// Start opening Baleen at login, or stop it.
    StartAtLogin(bool),
    /// Ask whether everything that Baleen made should be removed.
    Uninstall,
    /// Show information about Baleen.
    About,
    /// Quit Baleen.
    Quit,
}

impl Command {
    /// Returns the menu item's id, which a choice reports.
    fn id(self) -> String {
        match self {
            Self::Click(Click::UseProxy(_)) => "use-proxy".to_owned(),
            Self::Click(Click::Reapply) => "reapply".to_owned(),
            Self::Click(Click::Adopt) => "adopt".to_owned(),
            Self::Click(Click::FollowSettings) => "follow-settings".to_owned(),
            Self::Click(Click::Restart(RestartScope::Docker)) => "restart".to_owned(),
            Self::Click(Click::Restart(RestartScope::Engine)) => "restart-engine".to_owned(),
            Self::Click(Click::Source(source)) => {
                format!("source-{}", source.name())
            }
            Self::Click(Click::WhenRestart(restart)) => {
                format!("when-restart-{}", restart.name())
            }
            Self::Click(Click::Containers(_)) => "containers".to_owned(),
            Self::AllowChanges => "allow-changes".to_owned(),
            Self::CheckConnection => "check".to_owned(),
            Self::CopyProxyAddress => "copy-address".to_owned(),
            Self::CheckForUpdates => "check-for-updates".to_owned(),
            Self::CopyProxySettings(field) => match field {
                Field::Http => "copy-http",
                Field::Https => "copy-https",
                Field::Bypass => "copy-bypass",
                Field::All => "copy-all",
            }
            .to_owned(),
            Self::OpenDockerSettings => "open-docker-settings".to_owned(),
            Self::OpenSettings => "open-settings".to_owned(),
            Self::OpenLog => "open-log".to_owned(),
            Self::OpenDocumentation => "documentation".to_owned(),
            Self::ReportProblem => "report-problem".to_owned(),
            Self::EditManualProxy => "edit-manual-proxy".to_owned(),
            Self::StartAtLogin(_) => "start-at-login".to_owned(),
            Self::Uninstall => "uninstall".to_owned(),
            Self::About => "about".to_owned(),
            Self::Quit => "quit".to_owned(),
        }
    }
}

/// The shape of the icon, which is also the color of the dot in the menu. Words say the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Baleen keeps no proxy, or has nothing to keep one in.
    Off,
    /// Everything is as wanted.
    On,
    /// The user is needed.
    Attention,
    /// Something is in progress.
    Working,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 4] = [Self::Off, Self::On, Self::Attention, Self::Working];

    /// Returns the shape of a state.
    pub fn of(view: &View) -> Self {
        if view.busy.is_some() {
            return Self::Working;
        }
        if matches!(view.relay, Some(RelayState::Failed { .. })) {
            return Self::Attention;
        }
        match view.state {
            State::Current | State::Direct => Self::On,
            // The user can't change what an administrator decides, so there is nothing to call for.
            State::Off | State::Locked | State::Unsupported | State::NoDocker => Self::Off,
            State::Stale
            | State::Wiped
            | State::Foreign
            | State::NotPermitted
            | State::RestartNeeded => Self::Attention,
            State::Updating | State::NotAnswering => Self::Working,
        }
    }
}

/// A point in time, as the menu shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The day: `Today`, `Yesterday` or a date.
    pub day: String,
    /// The time of day.
    pub time: String,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.day {
            TODAY => write!(f, "{}", self.time),
            day => write!(f, "{day} {}", self.time),
        }
    }
}

/// The heading of today's events.
pub const TODAY: &str = "Today";
/// The heading of yesterday's events.
pub const YESTERDAY: &str = "Yesterday";

/// A line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A line between groups.
    Separator,
    /// A text that can't be chosen.
    Label(String),
    /// The state: a dot, where the system draws one, and a few words.
    Status {
        /// The shape of the icon, and so the color of the dot.
        shape: Shape,
        /// The state in a few words.
        text: String,
    },
    /// An item to choose.
    Button {
        /// The command that a choice runs.
        command: Command,
        /// The label.
        text: String,
        /// True if the item can be chosen now.
        enabled: bool,
    },
    /// An item that is on or off.
    Check {
        /// The command that a choice runs.
        command: Command,
        /// The label.
        text: String,
        /// True if the item can be chosen now.
        enabled: bool,
        /// True if the item is on.
        checked: bool,
    },
    /// A submenu.
    Submenu {
        /// The label.
        text: String,
        /// The items, from top to bottom.
        items: Vec<Item>,
    },
}

impl Item {
    /// Returns the id that a choice reports.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Button { command, .. } | Self::Check { command, .. } => Some(command.id()),
            Self::Separator | Self::Label(_) | Self::Status { .. } | Self::Submenu { .. } => None,
        }
    }
}

/// A whole menu.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Menu {
    /// Its lines, from top to bottom.
    pub items: Vec<Item>,
}

impl Menu {
    /// Returns the command of the item with this `id`.
    pub fn command(&self, id: &str) -> Option<Command> {
        fn find(items: &[Item], id: &str) -> Option<Command> {
            items.iter().find_map(|item| match item {
                Item::Button { command, .. } | Item::Check { command, .. } => {
                    (command.id() == id).then_some(*command)
                }
                Item::Submenu { items, .. } => find(items, id),
                Item::Separator | Item::Label(_) | Item::Status { .. } => None,
            })
        }
        find(&self.items, id)
    }
}

/// The inputs of the menu apart from the agent's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MenuContext {
    /// The state of the login item.
    pub login_item: LoginItem,
    /// True while the connection is being checked.
    pub is_checking: bool,
    /// True if the environment of this process sets a proxy.
    pub has_environment: bool,
    /// True while a look for a newer version of Baleen runs.
    pub is_looking: bool,
    /// The location from which Baleen was opened.
    pub location: InstallLocation,
    /// True while Baleen is being uninstalled.
    pub is_uninstalling: bool,
}

/// Returns the state in a few words.
pub fn headline(view: &View) -> String {
    if let Some(busy) = view.busy {
        return busy.label().to_owned();
    }
    if matches!(view.relay, Some(RelayState::Failed { .. })) {
        return "Baleen's relay is not running".to_owned();
    }
    match view.state {
        State::Off => "Off",
        State::Current if matches!(view.reason, Reason::FollowsSystem(_)) => {
            "Docker follows this Mac's proxy itself"
        }
        State::Locked => "An administrator decides Docker's proxy",
        State::NotAnswering => "Docker is starting or not answering",
        State::Current => "On: Docker uses the proxy",
        State::Direct if view.setting == Setting::ScriptUnreachable => {
            "On: Docker goes direct for now"
        }
        State::Direct => "On: no proxy set on this Mac",
        State::Stale => "Docker is using a different proxy",
        State::Wiped => "Proxy removed by a Docker update",
        State::Foreign => "Docker has a proxy set by someone else",
        State::Updating => "Docker is being updated…",
        State::Unsupported if view.proxy_pane.is_some() => "This Docker has its own proxy settings",
        State::Unsupported => "Baleen can't change this Docker",
        State::NotPermitted => "Baleen needs permission to change Docker",
        State::NoDocker => "No Docker.app found",
        State::RestartNeeded => "Docker needs a restart",
    }
    .to_owned()
}

/// Returns the state as a sentence of its own, for panels and for VoiceOver, which show or read it without the menu.
pub fn title(view: &View) -> String {
    format!("Baleen: {}", headline(view))
}

/// Returns the tooltip of the icon.
pub fn tooltip(view: &View) -> String {
    full(&view.reason.sentence())
}

fn proxy_line(setting: &Setting) -> String {
    match setting {
        Setting::Unknown => "Proxy: …".to_owned(),
        Setting::Offline => "Proxy: unknown (offline)".to_owned(),
        Setting::Failed { .. } => "Proxy: can't be used (see the log)".to_owned(),
        Setting::Direct { .. } => "Proxy: none is set".to_owned(),
        Setting::ScriptUnreachable => "Proxy: none, as the PAC script can't be reached".to_owned(),
        Setting::Proxy { shown, .. } => format!("Proxy: {}", short(shown)),
    }
}

/// Returns the line about the age of the kept PAC answers, if the proxy comes from them.
fn script_line(setting: &Setting) -> Option<String> {
    let Setting::Proxy {
        script: Some(KeptAnswers { since, .. }),
        ..
    } = setting
    else {
        return None;
    };
    Some(match since {
        Some(since) => format!(
            "PAC script unavailable; using its answer from {}",
            ago(*since)
        ),
        None => "PAC script unavailable; using its last answer".to_owned(),
    })
}

/// Returns the proxy in the boot image, if it is the relay.
fn relay_in_image(view: &View) -> Option<&RedactedProxy> {
    view.in_image.as_ref().filter(|proxy| proxy.is_relay())
}

/// Returns the way of the relay's last connection.
fn way(view: &View) -> Option<&Way> {
    match &view.relay {
        Some(RelayState::Running(status)) => status.way.as_ref(),
        Some(RelayState::Failed { .. } | RelayState::Unknown) | None => None,
    }
}

/// Returns the lines about the relay, if Docker's proxy is the relay.
fn relay_lines(view: &View) -> Vec<String> {
    match &view.relay {
        Some(RelayState::Running(status)) => {
            let mut lines = Vec::new();
            if let Some(failure) = &status.failure {
                lines.push(format!(
                    "Last failure: {}",
                    shortened(failure.reason.clone())
                ));
            }
            if status.requests > 0 {
                let amount = relay::amount(status.bytes);
                lines.push(format!("Through the relay: {amount}"));
            }
            lines
        }
        Some(RelayState::Failed { reason }) => {
            vec![cut(reason)]
        }
        Some(RelayState::Unknown) | None => Vec::new(),
    }
}

/// Returns the lines about Docker's proxy, and how the settings differ from it.
fn proxy_lines(view: &View) -> Vec<String> {
    let Some(in_image) = &view.in_image else {
        return vec![match &view.by_hand {
            Some(line) => format!("Proxy: set by hand ({line})"),
            None => proxy_line(&view.setting),
        }];
    };
    let settings = settings_line(in_image, view.is_named(), view.settings());
    let mut lines = match relay_in_image(view) {
        Some(relay) => {
            let way = way(view).map(|way| format!(", {way}"));
            let line = format!("Proxy: Baleen's relay{}", way.unwrap_or_default());
            let address = relay.https.as_ref().map(ProxyRef::authority);
            let address = address.map(|address| format!("The relay's address: {address}"));
            [Some(shortened(line)), address]
                .into_iter()
                .flatten()
                .collect()
        }
        None if view.is_named() => vec![format!("Proxy: {}, named by hand", short(in_image))],
        None => vec![format!("Proxy: {}", short(in_image))],
    };
    lines.extend(settings.filter(|_| view.is_on));
    lines
}

/// Returns the label of the command that goes back to the settings, according to their source.
fn follow_label(source: SourceSetting) -> &'static str {
    match source {
        SourceSetting::Auto | SourceSetting::System => "Follow System Settings",
        SourceSetting::Manual => "Follow Settings File",
        SourceSetting::Environment => "Follow Environment",
    }
}

fn button(command: Command, text: &str, enabled: bool) -> Item {
    Item::Button {
        command,
        text: text.to_owned(),
        enabled,
    }
}

/// Returns the menu. `time` formats seconds since 1970.
///
/// It has at most [`MAX_ROWS`] rows: the state, the switch, what is needed now, and submenus for the rest.
pub fn menu(view: &View, context: MenuContext, time: &dyn Fn(u64) -> Moment) -> Menu {
    if context.is_uninstalling {
        // Any other command could recreate files that the uninstall removes.
        return Menu {
            items: vec![Item::Label("Uninstalling Baleen…".to_owned())],
        };
    }
    let idle = view.busy.is_none();
    let mut items = vec![Item::Status {
        shape: Shape::of(view),
        text: headline(view),
    }];
    items.push(proxy(view, time));
    items.extend(place_line(context.location).map(|line| Item::Label(line.to_owned())));
    items.push(Item::Separator);
    if view.proxy_pane.is_some() {
        items.push(copy_proxy_settings(view));
        let text = "Open Docker's Settings";
        items.push(button(Command::OpenDockerSettings, text, true));
    } else {
        items.push(Item::Check {
            command: Command::Click(Click::UseProxy(!view.is_on)),
            text: "Use Proxy".to_owned(),
            enabled: view.can_switch,
            checked: view.is_on,
        });
    }
    match view.state {
        State::RestartNeeded => {
            // The fast way, where there is one. The slow one is then below Help.
            let scope = match view.can_apply_live {
                true => RestartScope::Engine,
                false => RestartScope::Docker,
            };
            let command = Command::Click(Click::Restart(scope));
            items.push(button(command, "Restart Docker", idle));
        }
        State::Foreign => {
            let command = Command::Click(Click::Adopt);
            items.push(button(command, "Adopt Existing Proxy", idle));
        }
        State::NotPermitted if view.reason.fix() == Some(Fix::AllowAppManagement) => {
            items.push(button(
                Command::AllowChanges,
                "Allow in System Settings",
                true,
            ));
        }
        _ => {}
    }
    items.extend([
        Item::Separator,
        history(view, time),
        settings(view, context),
        help(view, context),
        Item::Separator,
        button(Command::Quit, "Quit Baleen", true),
    ]);
    Menu { items }
}

/// Upper bound on the rows of the menu, without separators.
pub const MAX_ROWS: usize = 9;

/// Returns the submenu about the proxy: its address, and what is known of it and of Docker.
fn proxy(view: &View, time: &dyn Fn(u64) -> Moment) -> Item {
    let mut lines = proxy_lines(view).into_iter();
    let text = lines.next().unwrap_or_default();
    let is_known = address(view).is_some();
    let mut items = vec![button(
        Command::CopyProxyAddress,
        "Copy Proxy Address",
        is_known,
    )];
    if view.is_named() {
        let command = Command::Click(Click::FollowSettings);
        items.push(button(
            command,
            follow_label(view.source),
            view.busy.is_none(),
        ));
    }
    let version = view.docker.as_ref().map(|it| format!("Docker {it}"));
    let applied_live = view
        .applied_live_at()
        .map(|at| format!("Running VM: brought up to date at {}", time(at)));
    let known: Vec<Item> = version
        .into_iter()
        .chain(lines)
        .chain(relay_lines(view))
        .chain(script_line(&view.setting))
        .chain(applied_live)
        .map(Item::Label)
        .collect();
    if !known.is_empty() {
        items.push(Item::Separator);
        items.extend(known);
    }
    Item::Submenu { text, items }
}

/// Returns the proxy's address for the settings of other programs: without user and password. With the relay it is that
/// of the proxy behind it, since the relay's own address opens nothing without its token, which belongs to Docker alone.
pub fn address(view: &View) -> Option<String> {
    let proxy = match (&view.in_image, &view.setting) {
        (Some(proxy), _) => proxy,
        (None, Setting::Proxy { shown, .. }) => shown,
        (None, _) => return None,
    };
    if proxy.is_relay() {
        let behind = way(view)?.proxy.as_deref()?;
        return Some(match behind.contains("://") {
            true => behind.to_owned(),
            false => format!("http://{behind}"),
        });
    }
    let url = proxy.https.as_ref().or(proxy.http.as_ref());
    url.map(ProxyRef::without_login)
}

/// Returns the submenu with what is chosen once.
fn settings(view: &View, context: MenuContext) -> Item {
    let mut items = vec![sources(view, context.has_environment)];
    if let Some(checked) = view.containers {
        items.push(Item::Check {
            command: Command::Click(Click::Containers(!checked)),
            text: "Use Proxy in Containers".to_owned(),
            enabled: view.can_switch,
            checked,
        });
    }
    items.extend([
        when_restart(view.restart),
        start_at_login(context),
        Item::Separator,
        button(Command::OpenSettings, "Open Settings File", true),
    ]);
    Item::Submenu {
        text: "Settings".to_owned(),
        items,
    }
}

/// Returns the submenu with what is needed when something does not work, and with what is about Baleen itself.
fn help(view: &View, context: MenuContext) -> Item {
    let idle = view.busy.is_none();
    let check = match context.is_checking {
        true => "Checking the Connection",
        false => "Check Connection",
    };
    let look = match context.is_looking {
        true => "Checking for Updates",
        false => "Check for Updates…",
    };
    let mut items = vec![
        button(Command::CheckConnection, check, !context.is_checking),
        button(Command::Click(Click::Reapply), "Check and Repair Now", idle),
    ];
    if view.state == State::RestartNeeded && view.can_apply_live {
        let command = Command::Click(Click::Restart(RestartScope::Docker));
        items.push(button(command, "Restart Docker Completely", idle));
    }
    items.extend([
        button(Command::OpenLog, "Open Log", true),
        Item::Separator,
        button(Command::OpenDocumentation, "Documentation", true),
        button(Command::ReportProblem, "Report a Problem…", true),
        Item::Separator,
        button(Command::CheckForUpdates, look, !context.is_looking),
        button(Command::About, "About Baleen", true),
        button(
            Command::Uninstall,
            "Uninstall Baleen…",
            can_uninstall(view, context),
        ),
    ]);
    Item::Submenu {
        text: "Help".to_owned(),
        items,
    }
}

/// Returns the submenu with each field of Docker's own proxy settings, since they are pasted one by one,
/// and all fields together, to keep or to send on.
fn copy_proxy_settings(view: &View) -> Item {
    const TEXT: &str = "Copy Proxy Settings";
    let Some(fields) = view.docker_fields() else {
        return Item::Button {
            command: Command::CopyProxySettings(Field::All),
            text: format!("{TEXT} (none to copy)"),
            enabled: false,
        };
    };
    let [http, https, bypass] = fields.lines().map(|(name, _)| name);
    let one = |field, name: &str| Item::Button {
        command: Command::CopyProxySettings(field),
        text: name.to_owned(),
        enabled: !fields.text(field).is_empty(),
    };
    Item::Submenu {
        text: TEXT.to_owned(),
        items: vec![
            one(Field::Http, http),
            one(Field::Https, https),
            one(Field::Bypass, bypass),
            Item::Separator,
            one(Field::All, "All of Them"),
        ],
    }
}

/// Returns the line about the location from which Baleen was opened, if it is a problem.
fn place_line(location: InstallLocation) -> Option<&'static str> {
    match location {
        InstallLocation::Translocated => Some("Move Baleen to the Applications Folder"),
        InstallLocation::DiskImage => Some("Move Baleen from Its Disk to the Applications Folder"),
        InstallLocation::Installed | InstallLocation::Elsewhere | InstallLocation::NoBundle => None,
    }
}

/// Returns the item for the login item. From a temporary location it can't be switched on, because the app
/// will be gone at the next login; it can still be switched off.
fn start_at_login(context: MenuContext) -> Item {
    let can_be_set = !context.location.is_temporary();
    Item::Check {
        // While it needs approval, it is switched on already: a choice opens System Settings.
        command: Command::StartAtLogin(context.login_item != LoginItem::On),
        text: match context.login_item {
            LoginItem::NeedsApproval => "Start at Login (allow it in System Settings)",
            LoginItem::Off if !can_be_set => "Start at Login (move Baleen to Applications first)",
            LoginItem::Off | LoginItem::On => "Start at Login",
        }
        .to_owned(),
        enabled: can_be_set || context.login_item != LoginItem::Off,
        checked: context.login_item != LoginItem::Off,
    }
}

fn sources(view: &View, has_environment: bool) -> Item {
    // No source applies while a proxy named by hand does.
    let is_chosen = |source| {
        !view.is_named()
            && match view.source {
                SourceSetting::Auto => source == SourceSetting::System,
                chosen => source == chosen,
            }
    };
    let one = |source, text: &str| Item::Check {
        command: Command::Click(Click::Source(source)),
        text: text.to_owned(),
        enabled: true,
        checked: is_chosen(source),
    };
    let mut items = vec![
        one(SourceSetting::System, "System"),
        Item::Check {
            command: Command::EditManualProxy,
            text: "Manual…".to_owned(),
            enabled: true,
            checked: is_chosen(SourceSetting::Manual),
        },
    ];
    // The environment of an app is rarely that of a shell, so few can use this source.
    if view.source == SourceSetting::Environment || has_environment {
        items.push(one(SourceSetting::Environment, "Environment"));
    }
    Item::Submenu {
        text: "Proxy Source".to_owned(),
        items,
    }
}

fn when_restart(chosen: RestartPolicy) -> Item {
    let one = |restart, text: &str| Item::Check {
        command: Command::Click(Click::WhenRestart(restart)),
        text: text.to_owned(),
        enabled: true,
        checked: restart == chosen,
    };
    Item::Submenu {
        text: "When a Restart Is Needed".to_owned(),
        items: vec![
            one(RestartPolicy::Ask, "Ask Me"),
            one(RestartPolicy::Always, "Restart Automatically"),
            one(RestartPolicy::Never, "Do Nothing"),
        ],
    }
}

/// Returns whether Baleen can be uninstalled now: a running job could recreate files that are removed.
pub fn can_uninstall(view: &View, context: MenuContext) -> bool {
    view.busy.is_none() && !context.is_checking
}

/// Returns the submenu with the latest events, below the day on which they happened.
fn history(view: &View, time: &dyn Fn(u64) -> Moment) -> Item {
    let mut items = Vec::new();
    let mut day = None;
    for past in &view.past {
        let at = time(past.at);
        if day.as_ref() != Some(&at.day) {
            if day.is_some() {
                items.push(Item::Separator);
            }
            items.push(Item::Label(at.day.clone()));
            day = Some(at.day);
        }
        items.push(Item::Label(format!("{}  {}", at.time, past.what)));
    }
    if items.is_empty() {
        items.push(Item::Label("Nothing Yet".to_owned()));
    }
    Item::Submenu {
        text: "Recent Activity".to_owned(),
        items,
    }
}
