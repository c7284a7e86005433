//! The menu, the tooltip and the notifications in every state, as the user reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::failure::diagnostic;
use baleen::agent::RelayState;
use baleen::agent::agent_state::HistoryEntry;
use baleen::agent::event::Click;
use baleen::agent::notice::{DockerSupport, Notice, RestartNeed, WhyNone};
use baleen::agent::view::{Busy, View};
use baleen::app::menu::{
    Command, Item, MAX_ROWS, Menu, MenuContext, Moment, Shape, TODAY, YESTERDAY, address,
    can_uninstall, headline, menu, title, tooltip,
};
use baleen::backend::ProxyPane;
use baleen::backend::Unpatched;
use baleen::backend::{EngineSync, RestartScope};
use baleen::config::{RestartPolicy, SourceSetting};
use baleen::desired::{KeptAnswers, Setting};
use baleen::digest::Sha;
use baleen::error::Fix;
use baleen::intent::Intent;
use baleen::proxy::{ProxyOrigin, ProxyUrl, RedactedProxy};
use baleen::reconcile::{Reason, State};
use baleen::relay::{RelayFailure, Status, Way};
use baleen::service::install_location::InstallLocation;
use baleen::service::login_item::LoginItem;
use baleen::text::fit::{MAX_BODY_LEN, MAX_TITLE_LEN, fit};

fn shown(host: &str) -> RedactedProxy {
    RedactedProxy {
        http: Some(format!("http://me:***@{host}:8080").parse().unwrap()),
        https: Some(format!("http://me:***@{host}:8080").parse().unwrap()),
        no_proxy: "localhost,127.0.0.1".to_owned(),
    }
}

/// A proxy that asks for no password.
fn plain(address: &str) -> RedactedProxy {
    let url = ProxyUrl::parse(&format!("http://{address}")).unwrap();
    RedactedProxy {
        http: Some(url.reference()),
        https: Some(url.reference()),
        no_proxy: String::new(),
    }
}

fn view(state: State) -> View {
    let has_proxy = matches!(
        state,
        State::Current | State::Stale | State::RestartNeeded | State::Foreign | State::Updating
    );
    // That of an incomplete Docker.app is not read.
    let has_version = !matches!(state, State::NoDocker | State::Updating);
    View {
        relay: None,
        containers: None,
        state,
        reason: Reason::Refused(diagnostic(
            &format!("a sentence about {}", state.word()),
            None,
            None,
        )),
        docker: has_version.then(|| "1.11.1-beta13".to_owned()),
        family: None,
        proxy_pane: None,
        settings_url: None,
        path: None,
        in_image: has_proxy.then(|| shown("proxy.corp")),
        setting: match state {
            State::Direct => Setting::Direct {
                origin: ProxyOrigin::System,
            },
            State::Wiped => Setting::Failed {
                diagnostic: diagnostic("x", None, None),
                is_transient: true,
            },
            State::NoDocker => Setting::Unknown,
            State::Updating => Setting::Offline,
            _ => Setting::Proxy {
                is_plain_system: false,
                revision: Sha::of(b"x"),
                shown: shown("proxy.corp"),
                origin: ProxyOrigin::System,
                script: None,
            },
        },
        overridden_settings: None,
        by_hand: None,
        intent: match state {
            State::Off | State::NoDocker => None,
            _ => Some(Intent::Settings),
        },
        is_on: state != State::Off && state != State::NoDocker,
        can_switch: !matches!(state, State::NoDocker | State::Unsupported | State::Locked),
        is_running: true,
        engine: Some(match state {
            State::RestartNeeded => EngineSync::OutOfDate,
            _ => EngineSync::UpToDate,
        }),
        can_apply_live: true,
        busy: None,
        source: SourceSetting::Auto,
        restart: RestartPolicy::Ask,
        past: Vec::new(),
    }
}

const CONTEXT: MenuContext = MenuContext {
    login_item: LoginItem::Off,
    is_checking: false,
    has_environment: false,
    is_looking: false,
    location: InstallLocation::NoBundle,
    is_uninstalling: false,
};

fn drawn(menu: &Menu) -> String {
    fn draw(items: &[Item], indent: &str, out: &mut String) {
        for item in items {
            let (mark, text, enabled, inside) = match item {
                Item::Separator => ("", "----".to_owned(), true, None),
                Item::Label(text) => ("", format!("\"{text}\""), true, None),
                Item::Status { shape, text } => ("", format!("({shape:?}) {text}"), true, None),
                Item::Button { text, enabled, .. } => ("", text.clone(), *enabled, None),
                Item::Check {
                    text,
                    enabled,
                    checked,
                    ..
                } => (
                    if *checked { "[x] " } else { "[ ] " },
                    text.clone(),
                    *enabled,
                    None,
                ),
                Item::Submenu { text, items } => ("", format!("{text} >"), true, Some(items)),
            };
            let off = if enabled { "" } else { " (can't be chosen)" };
            out.push_str(&format!("{indent}{mark}{text}{off}\n"));
            if let Some(items) = inside {
                draw(items, &format!("{indent}    "), out);
            }
        }
    }
    let mut out = String::new();
    draw(&menu.items, "", &mut out);
    out
}

/// The second day of 1970 is today.
fn time(seconds: u64) -> Moment {
    let day = match seconds / 3600 / 24 {
        1 => TODAY.to_owned(),
        0 => YESTERDAY.to_owned(),
        other => format!("day {other}"),
    };
    let time = format!("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60);
    Moment { day, time }
}

/// An unreachable PAC script takes one line in the menu, with the age of the answers that are used.
#[test]
fn a_script_that_is_away_is_in_the_menu() {
    let days = Duration::from_secs(3 * 24 * 60 * 60 + 60);
    let lines = |state, setting| {
        let view = View {
            setting,
            ..view(state)
        };
        let menu = drawn(&menu(&view, CONTEXT, &time));
        let lines: Vec<String> = menu.lines().take(4).map(str::to_owned).collect();
        lines.join("\n")
    };
    let by_script = |since| Setting::Proxy {
        is_plain_system: false,
        revision: Sha::of(b"x"),
        shown: shown("proxy.corp"),
        origin: ProxyOrigin::System,
        script: Some(KeptAnswers { since, until: None }),
    };
    let found = lines(State::Current, by_script(Some(SystemTime::now() - days)));
    let unreachable = lines(State::Direct, Setting::ScriptUnreachable);
    insta::assert_snapshot!(format!("{found}\n\n{unreachable}"));
}

/// The part of the menu that is not the same in every state.
#[test]
fn the_head_of_the_menu_in_every_state() {
    let mut all = String::new();
    for state in State::ALL {
        let view = view(state);
        let menu = menu(&view, CONTEXT, &time);
        let end = menu
            .items
            .iter()
            .position(
                |item| matches!(item, Item::Submenu { text, .. } if text == "Recent Activity"),
            )
            .unwrap();
        let head = Menu {
            items: menu.items[..end].to_vec(),
        };
        let (word, title) = (state.word(), title(&view));
        all += &format!("== {word}: {title}: {}\n{}", tooltip(&view), drawn(&head));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_whole_menu_with_all_that_may_be_in_it() {
    let view = View {
        source: SourceSetting::Manual,
        restart: RestartPolicy::Never,
        past: vec![
            HistoryEntry {
                at: 86_400 + 50_700,
                what: "Docker 1.11.1-beta12 → 1.11.1-beta13; repaired".to_owned(),
            },
            HistoryEntry {
                at: 30_000,
                what: "The proxy is proxy.corp:8080".to_owned(),
            },
        ],
        ..view(State::RestartNeeded)
    };
    let context = MenuContext {
        login_item: LoginItem::NeedsApproval,
        is_checking: true,
        has_environment: true,
        is_looking: true,
        location: InstallLocation::Installed,
        is_uninstalling: false,
    };
    insta::assert_snapshot!(drawn(&menu(&view, context, &time)));
}

/// If Docker has its own proxy settings, the menu has what to enter there instead of a switch that could do nothing.
#[test]
fn the_head_of_the_menu_where_docker_has_its_own_settings() {
    let proxy = view(State::Unsupported);
    let direct = Setting::Direct {
        origin: ProxyOrigin::System,
    };
    let mut all = String::new();
    for (family, proxy_pane, setting) in [
        ("boot-image", Some(ProxyPane::Settings), &proxy.setting),
        ("linuxkit-iso", Some(ProxyPane::Preferences), &direct),
        ("unknown", None, &direct),
    ] {
        let view = View {
            family: Some(family),
            proxy_pane,
            setting: setting.clone(),
            can_switch: false,
            is_on: false,
            ..proxy.clone()
        };
        let drawn = drawn(&menu(&view, CONTEXT, &time));
        let end = drawn.find("Recent Activity").unwrap();
        all += &format!("== {family}\n{}", &drawn[..end]);
    }
    insta::assert_snapshot!(all);
}

/// If Baleen can't stay in its place, the menu says so, and Start at Login can't be chosen; an earlier choice can be
/// undone.
#[test]
fn the_place_that_baleen_was_opened_from_is_in_the_menu_where_it_can_not_stay() {
    let at = |location, login_item| {
        let context = MenuContext {
            login_item,
            location,
            ..CONTEXT
        };
        menu(&view(State::Current), context, &time)
    };
    // Whether Start at Login can be chosen, and whether it is on.
    let login = |menu: &Menu| {
        fn find(items: &[Item]) -> Option<(bool, bool)> {
            items.iter().find_map(|item| match item {
                Item::Submenu { items, .. } => find(items),
                Item::Check {
                    enabled, checked, ..
                } if item.id().as_deref() == Some("start-at-login") => Some((*enabled, *checked)),
                _ => None,
            })
        }
        find(&menu.items).unwrap()
    };
    let plain = at(InstallLocation::NoBundle, LoginItem::Off);
    assert_eq!(login(&plain), (true, false));
    let mut all = String::new();
    for location in [InstallLocation::Installed, InstallLocation::Elsewhere] {
        assert_eq!(at(location, LoginItem::Off), plain);
    }
    for location in [InstallLocation::Translocated, InstallLocation::DiskImage] {
        let off = at(location, LoginItem::Off);
        let on = at(location, LoginItem::On);
        assert_eq!((login(&off), login(&on)), ((false, false), (true, true)));
        // The lines that a menu in another place doesn't have.
        let plain = drawn(&plain);
        for menu in [off, on] {
            let menu = drawn(&menu);
            assert_eq!(menu.lines().count(), plain.lines().count() + 1);
            let new = menu
                .lines()
                .filter(|line| !plain.lines().any(|one| one == *line));
            all += &format!("== {location:?}\n{}\n", new.collect::<Vec<_>>().join("\n"));
        }
    }
    insta::assert_snapshot!(all);
}

/// First comes the proxy that Docker uses, then how the settings differ, and then how to use the settings.
#[test]
fn a_proxy_that_was_named_by_hand_is_in_the_menu() {
    let named = |source, overridden_settings| View {
        source,
        overridden_settings,
        intent: Some(Intent::Named),
        ..view(State::Current)
    };
    let direct = Setting::Direct {
        origin: ProxyOrigin::System,
    };
    // The menu down to the sources.
    let head = |menu: &Menu| {
        let drawn = drawn(menu);
        let end = drawn.find("When a Restart").unwrap();
        drawn[..end].to_owned()
    };
    let mut all = String::new();
    for (source, overridden_settings) in [
        (SourceSetting::Auto, Some(direct.clone())),
        (SourceSetting::Manual, Some(Setting::Offline)),
        (SourceSetting::Environment, None),
    ] {
        let view = named(source, overridden_settings);
        let menu = menu(&view, CONTEXT, &time);
        all += &format!("== named by hand, {source:?}\n{}", head(&menu));
        let command = Some(Command::Click(Click::FollowSettings));
        assert_eq!(menu.command("follow-settings"), command);
        assert_eq!(view.json()["source"], "named");
    }
    let view = named(SourceSetting::Auto, Some(direct));
    let expected =
        serde_json::json!({ "origin": "the system's settings", "proxy": null, "error": null });
    assert_eq!(view.json()["settings"], expected);

    // While the settings count, the menu shows them only if they differ.
    let followed = menu(&self::view(State::Current), CONTEXT, &time);
    assert_eq!(followed.command("follow-settings"), None);
    all += &format!("== the settings count\n{}", head(&followed));
    let by_hand = View {
        in_image: None,
        by_hand: Some("export HTTP_PROXY=http://hand.corp:3128".to_owned()),
        ..self::view(State::Foreign)
    };
    let by_hand = menu(&by_hand, CONTEXT, &time);
    all += &format!("== set by hand in the image\n{}", head(&by_hand));
    insta::assert_snapshot!(all);
}

/// Returns whether the item with this id can be chosen, if there is one.
fn can_be_chosen(items: &[Item], id: &str) -> Option<bool> {
    items.iter().find_map(|item| match item {
        Item::Submenu { items, .. } => can_be_chosen(items, id),
        Item::Button { enabled, .. } | Item::Check { enabled, .. } => {
            (item.id()? == id).then_some(*enabled)
        }
        Item::Separator | Item::Label(_) | Item::Status { .. } => None,
    })
}

#[test]
fn while_something_is_done_it_can_not_be_done_again() {
    for busy in [
        Busy::Applying,
        Busy::Restoring,
        Busy::Restarting,
        Busy::RestartingEngine,
    ] {
        let view = View {
            busy: Some(busy),
            ..view(State::RestartNeeded)
        };
        assert_eq!(headline(&view), busy.label());
        let menu = menu(&view, CONTEXT, &time);
        for id in ["reapply", "restart-engine", "restart"] {
            assert_eq!(can_be_chosen(&menu.items, id), Some(false), "{id}");
        }
        assert!(!can_uninstall(&view, CONTEXT));
    }
    let all = |is_checking| {
        let context = MenuContext {
            is_checking,
            ..CONTEXT
        };
        menu(&view(State::Current), context, &time)
    };
    for is_checking in [false, true] {
        let found = can_be_chosen(&all(is_checking).items, "uninstall");
        assert_eq!(found, Some(!is_checking));
    }
}

/// In every state and with everything that can be added to it, the menu is short, and its commands are in title case,
/// with an ellipsis only where something is asked first.
#[test]
fn the_menu_is_short_and_in_title_case() {
    fn texts(items: &[Item]) -> Vec<(&str, bool)> {
        items
            .iter()
            .flat_map(|item| match item {
                Item::Separator | Item::Label(_) | Item::Status { .. } => Vec::new(),
                Item::Button { text, .. } | Item::Check { text, .. } => vec![(&**text, true)],
                // This submenu is named after the proxy.
                Item::Submenu { text, items } if text.starts_with("Proxy: ") => texts(items),
                Item::Submenu { text, items } => {
                    let mut all = texts(items);
                    all.push((text, false));
                    all
                }
            })
            .collect()
    }
    let small = [
        "a", "an", "and", "at", "for", "from", "in", "is", "of", "the", "to",
    ];
    let asks = [
        "report-problem",
        "edit-manual-proxy",
        "uninstall",
        "check-for-updates",
    ];
    for state in State::ALL {
        for (proxy_pane, intent, location, can_apply_live, containers) in [
            (None, None, InstallLocation::Installed, true, None),
            (
                None,
                Some(Intent::Named),
                InstallLocation::DiskImage,
                true,
                Some(true),
            ),
            (
                None,
                Some(Intent::Named),
                InstallLocation::Translocated,
                false,
                Some(false),
            ),
            (
                Some(ProxyPane::Settings),
                Some(Intent::Settings),
                InstallLocation::DiskImage,
                true,
                Some(true),
            ),
        ] {
            // Baleen leaves the proxy to Docker's own settings in this state alone.
            if proxy_pane.is_some() && state != State::Unsupported {
                continue;
            }
            let view = View {
                proxy_pane,
                intent,
                can_apply_live,
                containers,
                source: SourceSetting::Environment,
                relay: Some(relay(Some((None, None)), Some("x"))),
                ..view(state)
            };
            let context = MenuContext {
                location,
                has_environment: true,
                ..CONTEXT
            };
            let menu = menu(&view, context, &time);
            let rows = menu.items.iter().filter(|item| **item != Item::Separator);
            assert!(rows.count() <= MAX_ROWS, "{state:?}: {}", drawn(&menu));
            assert!(matches!(menu.items[0], Item::Status { .. }));
            for (text, _) in texts(&menu.items) {
                // The names of Docker's own fields are as Docker writes them, and a remark in brackets is a sentence.
                let text = text.split(" (").next().unwrap();
                if text == "Bypass these hosts" {
                    continue;
                }
                for word in text.split(' ') {
                    let is_fine = word.starts_with(char::is_uppercase) || small.contains(&word);
                    assert!(is_fine, "{word} in {text}");
                }
                assert!(
                    !text.ends_with('…') || menu_asks(&menu, text, &asks),
                    "{text}"
                );
            }
        }
    }
}

/// Returns whether the item with this text is one of those that ask something first.
fn menu_asks(menu: &Menu, text: &str, asks: &[&str]) -> bool {
    fn find(items: &[Item], wanted: &str) -> Option<String> {
        items.iter().find_map(|item| match item {
            Item::Submenu { items, .. } => find(items, wanted),
            Item::Button { text, .. } | Item::Check { text, .. } if text == wanted => item.id(),
            _ => None,
        })
    }
    find(&menu.items, text).is_some_and(|id| asks.contains(&&*id))
}

/// The dot and the icon have four shapes; what is in progress hides everything else.
#[test]
fn each_state_has_a_shape() {
    for state in State::ALL {
        let view = view(state);
        let shape = Shape::of(&view);
        let expected = match state {
            State::Current | State::Direct => Shape::On,
            State::Off | State::Locked | State::Unsupported | State::NoDocker => Shape::Off,
            State::Updating | State::NotAnswering => Shape::Working,
            _ => Shape::Attention,
        };
        assert_eq!(shape, expected, "{state:?}");
        let failed = View {
            relay: Some(RelayState::Failed {
                reason: "x".to_owned(),
            }),
            ..view
        };
        assert_eq!(Shape::of(&failed), Shape::Attention);
        let busy = View {
            busy: Some(Busy::Applying),
            ..failed
        };
        assert_eq!(Shape::of(&busy), Shape::Working);
    }
}

/// The address is copied without user and password. Behind the relay it is that of the proxy that the relay takes.
#[test]
fn the_address_to_copy_has_no_login() {
    let current = view(State::Current);
    assert_eq!(address(&current).as_deref(), Some("http://proxy.corp:8080"));
    let off = view(State::Off);
    assert_eq!(address(&off).as_deref(), Some("http://proxy.corp:8080"));
    assert_eq!(address(&view(State::Direct)), None);
    let ours = ProxyUrl::parse("http://baleen:token@192.168.65.1:18128").unwrap();
    let behind = View {
        in_image: Some(RedactedProxy {
            http: Some(ours.reference()),
            https: Some(ours.reference()),
            no_proxy: String::new(),
        }),
        ..current
    };
    for (way, expected) in [
        (None, None),
        (Some((None, None)), None),
        (
            Some((Some("proxy.corp:8080"), Some("Kerberos"))),
            Some("http://proxy.corp:8080"),
        ),
        (
            Some((Some("https://proxy.corp:443"), None)),
            Some("https://proxy.corp:443"),
        ),
    ] {
        let behind = View {
            relay: Some(relay(way, None)),
            ..behind.clone()
        };
        assert_eq!(address(&behind).as_deref(), expected);
    }
}

/// What is needed is one choice away, not only on a notification that is gone.
#[test]
fn a_missing_permission_is_opened_from_the_menu() {
    for (fix, expected) in [(Some(Fix::AllowAppManagement), true), (None, false)] {
        let view = View {
            reason: Reason::Refused(diagnostic("x", None, fix)),
            ..view(State::NotPermitted)
        };
        let found = menu(&view, CONTEXT, &time).command("allow-changes");
        assert_eq!(found.is_some(), expected);
    }
}

/// A login item that waits for the user is switched on already; what is missing is in System Settings.
#[test]
fn a_login_item_that_needs_approval_is_not_switched_off() {
    for (login_item, expected) in [
        (LoginItem::Off, true),
        (LoginItem::NeedsApproval, true),
        (LoginItem::On, false),
    ] {
        let context = MenuContext {
            login_item,
            ..CONTEXT
        };
        let menu = menu(&view(State::Current), context, &time);
        let command = menu.command("start-at-login");
        assert_eq!(command, Some(Command::StartAtLogin(expected)));
    }
}

/// The environment is offered as a source only if it can be one.
#[test]
fn the_environment_is_a_source_only_where_it_is_set_or_chosen() {
    for (has_environment, source, expected) in [
        (false, SourceSetting::Auto, false),
        (true, SourceSetting::Auto, true),
        (false, SourceSetting::Environment, true),
    ] {
        let context = MenuContext {
            has_environment,
            ..CONTEXT
        };
        let view = View {
            source,
            ..view(State::Current)
        };
        let menu = menu(&view, context, &time);
        let found = menu.command("source-environment");
        assert_eq!(found.is_some(), expected);
    }
}

/// Each line of the menu maps back to its command, and no two lines have the same name.
#[test]
fn each_line_has_a_name_of_its_own() {
    fn ids(items: &[Item]) -> Vec<String> {
        items
            .iter()
            .flat_map(|item| match item {
                Item::Submenu { items, .. } => ids(items),
                other => other.id().into_iter().collect(),
            })
            .collect()
    }
    for state in [State::RestartNeeded, State::Foreign] {
        let menu = menu(&view(state), CONTEXT, &time);
        let mut ids = ids(&menu.items);
        assert!(ids.iter().all(|id| menu.command(id).is_some()));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(menu.command("nothing"), None);
    }
}

/// Offers two ways if the VM has a console, and one if it has none; the menu also shows what was done to the running
/// VM.
#[test]
fn how_the_running_vm_stands_is_in_the_menu() {
    let needed = |can_apply_live| {
        let view = View {
            can_apply_live,
            ..view(State::RestartNeeded)
        };
        let menu = menu(&view, CONTEXT, &time);
        (menu, view.json())
    };
    // The menu down to the sources.
    let head = |menu: &Menu| {
        let drawn = drawn(menu);
        let end = drawn.find("Recent Activity").unwrap();
        drawn[..end].to_owned()
    };
    let (menu_of_either, json) = needed(true);
    let mut all = format!("== with a console\n{}", head(&menu_of_either));
    // Whatever the way, the item has one name; the slow way is below Help then.
    for (id, way) in [
        ("restart-engine", RestartScope::Engine),
        ("restart", RestartScope::Docker),
    ] {
        let expected = Some(Command::Click(Click::Restart(way)));
        assert_eq!(menu_of_either.command(id), expected);
    }
    assert_eq!(json["docker"]["engine"], "out-of-date");
    assert_eq!(json["docker"]["console"], true);
    let (menu_of_docker, json) = needed(false);
    all += &format!("== without a console\n{}", head(&menu_of_docker));
    assert_eq!(menu_of_docker.command("restart-engine"), None);
    assert_eq!(json["docker"]["console"], false);

    let at = UNIX_EPOCH + Duration::from_secs(50_700);
    for (engine, word, followed_at) in [
        (None, None, None),
        (Some(EngineSync::UpToDate), Some("up-to-date"), None),
        (
            Some(EngineSync::UpdatedLive { at }),
            Some("followed"),
            Some(50_700),
        ),
    ] {
        let view = View {
            engine,
            ..view(State::Current)
        };
        let menu = menu(&view, CONTEXT, &time);
        assert_eq!(menu.command("restart-engine"), None);
        all += &format!("== {word:?}\n{}", head(&menu));
        let json = &view.json()["docker"];
        assert_eq!(json["engine"].as_str(), word);
        assert_eq!(json["followed_at"].as_u64(), followed_at);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_reported_in_words() {
    let changed = |from: Option<&str>, to: Option<&str>, docker| Notice::Changed {
        from: from.map(shown),
        to: to.map(shown),
        no_proxy_by: to.is_none().then_some(WhyNone::By(ProxyOrigin::System)),
        settings: None,
        by_hand: Unpatched::Clean,
        docker,
    };
    let origin = || ProxyOrigin::System;
    let is_set = |host: &str| Setting::Proxy {
        is_plain_system: false,
        revision: Sha::of(host.as_bytes()),
        shown: shown(host),
        origin: origin(),
        script: None,
    };
    let none_is_set = || Setting::Direct { origin: origin() };
    let asks_to_use = |host| Notice::AskUseProxy { proxy: plain(host) };
    let nothing_to_use = |setting| Notice::NothingToUse { setting };
    let trouble = |state, why| Notice::Trouble {
        state,
        reason: Reason::Refused(why),
    };
    let cannot_use = |proxy: Option<&str>, support| Notice::CannotUse {
        proxy: proxy.map(plain),
        support,
    };
    let own = DockerSupport::OwnSettings {
        version: "4.84.0".to_owned(),
        pane: ProxyPane::Settings,
    };
    let unusable = DockerSupport::Unusable(diagnostic("it mixes the files of two VMs", None, None));
    let not_followed = |is_restarted| Notice::NotAppliedLive {
        diagnostic: diagnostic(
            "the console is in use by screen (process 7)",
            Some("leave it there, or restart Docker instead"),
            None,
        ),
        is_restarted,
    };
    let asks = RestartNeed::Asks {
        can_apply_live: false,
    };
    let asks_for_either = RestartNeed::Asks {
        can_apply_live: true,
    };
    let mut all = String::new();
    for notice in [
        asks_to_use("proxy.corp:8080"),
        asks_to_use("proxy.corp.example:8080"),
        asks_to_use("http-proxy-1.emea.corp.example:3128"),
        Notice::AskStartAtLogin,
        Notice::AskAllowChanges,
        nothing_to_use(none_is_set()),
        nothing_to_use(Setting::ScriptUnreachable),
        nothing_to_use(Setting::Failed {
            diagnostic: diagnostic(
                "the proxy's name has a space in it",
                Some("correct it in System Settings > Network"),
                None,
            ),
            is_transient: false,
        }),
        Notice::SettingsChanged {
            in_place: shown("named.corp"),
            settings: is_set("proxy.corp"),
        },
        Notice::SettingsChanged {
            in_place: shown("named.corp"),
            settings: none_is_set(),
        },
        Notice::Changed {
            from: Some(shown("a.corp")),
            to: Some(shown("named.corp")),
            no_proxy_by: None,
            settings: Some(none_is_set()),
            by_hand: Unpatched::Unchecked,
            docker: RestartNeed::NotNeeded,
        },
        Notice::Changed {
            from: Some(shown("a.corp")),
            to: None,
            no_proxy_by: None,
            settings: None,
            by_hand: Unpatched::ByHand {
                line: "export HTTP_PROXY=http://hand.corp:3128".to_owned(),
                stock: Some("/d/initrd.img-backup-0123".into()),
            },
            docker: RestartNeed::NotNeeded,
        },
        cannot_use(None, own.clone()),
        cannot_use(
            None,
            DockerSupport::Locked(diagnostic(
                "Docker's proxy is locked by your organization",
                None,
                None,
            )),
        ),
        cannot_use(Some("proxy.corp:8080"), own),
        cannot_use(None, DockerSupport::Missing),
        cannot_use(None, unusable),
        trouble(
            State::Unsupported,
            diagnostic(
                "Docker 4.84.0 has its own proxy settings (Settings > Resources > Proxies), which Baleen doesn't change yet",
                Some("in Docker, open it"),
                Some(Fix::DockerSettings),
            ),
        ),
        Notice::Updated {
            from: "1.11.1-beta12".to_owned(),
            to: "1.11.1-beta13".to_owned(),
            is_other_image: true,
            proxy: plain("proxy.corp:8080"),
            docker: asks,
        },
        Notice::Updated {
            from: "1.12.0".to_owned(),
            to: "1.12.0".to_owned(),
            is_other_image: true,
            proxy: plain("proxy.corp:8080"),
            docker: RestartNeed::NotNeeded,
        },
        Notice::Updated {
            from: "1.12.0".to_owned(),
            to: "1.12.1".to_owned(),
            is_other_image: false,
            proxy: plain("proxy.corp:8080"),
            docker: asks,
        },
        changed(
            Some("a.corp"),
            Some("b.corp"),
            RestartNeed::Restarts(RestartScope::Docker),
        ),
        changed(
            Some("a.corp"),
            Some("b.corp"),
            RestartNeed::Restarts(RestartScope::Engine),
        ),
        Notice::Changed {
            from: Some(shown("proxy.corp")),
            to: None,
            no_proxy_by: Some(WhyNone::ScriptUnreachable),
            settings: None,
            by_hand: Unpatched::Clean,
            docker: asks,
        },
        changed(Some("a.corp"), Some("a.corp"), RestartNeed::Waits),
        changed(None, Some("a.corp"), asks),
        changed(Some("a.corp"), None, asks),
        changed(None, Some("a.corp"), asks_for_either),
        changed(Some("a.corp"), None, asks_for_either),
        trouble(
            State::NotPermitted,
            diagnostic(
                "could not write /Applications/Docker.app/x: Operation not permitted",
                None,
                Some(Fix::AllowAppManagement),
            ),
        ),
        trouble(
            State::Foreign,
            diagnostic(
                "/etc/init.d/docker already sets a proxy, and not by Baleen: export x=y",
                None,
                Some(Fix::Adopt),
            ),
        ),
        trouble(
            State::Wiped,
            diagnostic("the disk is full", Some("make room"), None),
        ),
        trouble(
            State::Current,
            diagnostic(
                "config.toml:3:1: no such key",
                None,
                Some(Fix::CorrectSettings),
            ),
        ),
        Notice::NotRestarted(diagnostic(
            "Docker still runs",
            Some("quit it from its own menu"),
            None,
        )),
        Notice::Refused(diagnostic(
            "could not write state.json: the disk is full",
            Some("make room"),
            None,
        )),
        not_followed(false),
        not_followed(true),
        Notice::NotAppliedLive {
            diagnostic: diagnostic(
                "the script in the running VM was left as it is: it sets a proxy: export x=y",
                Some(
                    "apply with --adopt --live to have Baleen take these lines over, or restart Docker instead",
                ),
                Some(Fix::Adopt),
            ),
            is_restarted: false,
        },
    ] {
        let message = notice.text();
        let offers: Vec<&str> = message.offers.iter().map(|offer| offer.label()).collect();
        // It fits three lines and two buttons. The whole text is shown only where the screen's is another one.
        let fitted = fit(&message.title, &message.body);
        assert!(fitted.title.chars().count() <= MAX_TITLE_LEN, "{fitted:?}");
        assert!(fitted.body.chars().count() <= MAX_BODY_LEN, "{fitted:?}");
        assert_eq!(
            fitted.title, message.title,
            "Baleen's own titles are never cut"
        );
        assert!(offers.len() <= 2, "{offers:?}");
        all += &format!(
            "== {} | {}\n{}\n{}\n{offers:?}\n",
            notice.kind(),
            notice.headline(),
            fitted.title,
            fitted.body
        );
        if fitted.details.is_some() {
            all += &format!("whole: {}\n", message.body);
        }
        assert!(notice.json()["body"].is_string());
    }
    insta::assert_snapshot!(all);
}

/// The relay, as the agent hears of it.
fn relay(way: Option<(Option<&str>, Option<&str>)>, failure: Option<&str>) -> RelayState {
    let text = |text: &str| text.to_owned();
    RelayState::Running(Box::new(Status {
        version: text("1"),
        pid: 7,
        without_basic: false,
        port: 18128,
        since: 0,
        open: 0,
        requests: u64::from(way.is_some()),
        bytes: 12_300_000,
        way: way.map(|(proxy, login)| Way {
            proxy: proxy.map(text),
            login: login.map(text),
        }),
        failure: failure.map(|reason| RelayFailure {
            at: 0,
            reason: text(reason),
        }),
    }))
}

/// Behind the relay the menu has the way of now, what fails, and how much went through.
#[test]
fn the_relay_says_which_way_it_goes() {
    let address = ProxyUrl::parse("http://baleen:token@192.168.65.1:18128").unwrap();
    let shown = RedactedProxy {
        http: Some(address.reference()),
        https: Some(address.reference()),
        no_proxy: String::new(),
    };
    let failed = RelayState::Failed {
        reason: "the relay can't listen at 127.0.0.1:18128".to_owned(),
    };
    let mut all = String::new();
    for state in [
        RelayState::Unknown,
        relay(None, None),
        relay(Some((None, None)), None),
        relay(Some((Some("proxy.corp:8080"), Some("Kerberos"))), None),
        relay(
            Some((Some("proxy.corp:8080"), None)),
            Some("proxy.corp:8080 can't be reached"),
        ),
        failed,
    ] {
        let view = View {
            relay: Some(state),
            in_image: Some(shown.clone()),
            setting: Setting::Proxy {
                is_plain_system: false,
                revision: Sha::of(b"x"),
                shown: shown.clone(),
                origin: ProxyOrigin::Relay,
                script: None,
            },
            ..view(State::Current)
        };
        let menu = drawn(&menu(&view, CONTEXT, &time));
        let end = menu.find("----\n[x]").unwrap();
        all.push_str(&menu[..end]);
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}
