use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::*;
use crate::backend::docker_desktop::initrd::PatchError;
use crate::backend::{BackendId, Capabilities, Engine, Layer, LiveEdit, OwnSettings, Unpatched};
use crate::config::Method;
use crate::digest::Sha;
use crate::error::{Failure, made};
use crate::proxy::{ClientDialect, ProxyOrigin, RedactedProxy};

fn shown(name: &str) -> RedactedProxy {
    RedactedProxy {
        http: None,
        https: Some(format!("http://{name}:1").parse().unwrap()),
        no_proxy: String::new(),
    }
}

fn installed(patch: Option<&str>) -> Observation {
    Observation::Ready(Box::new(Installed {
        own_settings: None,
        engine: Engine {
            locked_by: None,
            backend: BackendId("docker-desktop"),
            path: "/d".into(),
            named: "/d".into(),
            version: "1.12.0".to_owned(),
            build: String::new(),
            family: "moby",
            capabilities: Capabilities {
                client: ClientDialect::of("1.12.0", true),
                live: true,
            },
            proxy_pane: None,
            settings_url: None,
            refusal: None,
        },
        file: "/d/i".into(),
        configured: patch.map(|name| Configured {
            revision: Sha::of(name.as_bytes()),
            proxy: shown(name),
            method: Some(Method::Append),
        }),
        unpatched: Unpatched::Clean,
        since: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        bytes: 1,
        original: None,
    }))
}

fn proxy(name: &str) -> Setting {
    Setting::Proxy {
        is_plain_system: false,
        revision: Sha::of(name.as_bytes()),
        shown: shown(name),
        origin: ProxyOrigin::System,
        script: None,
    }
}

fn direct() -> Setting {
    Setting::Direct {
        origin: ProxyOrigin::System,
    }
}

fn broken() -> Setting {
    Setting::Failed {
        diagnostic: made::diagnostic("the script can't be had"),
        is_transient: true,
    }
}

const NOTHING_TRIED: Attempts = Attempts {
    engine: None,
    docker: None,
};

fn situation<'a>(
    intent: Option<Intent>,
    observation: &'a Observation,
    setting: &'a Setting,
    now: Instant,
) -> Inputs<'a> {
    Inputs {
        intent,
        observation,
        is_moving: false,
        settled_at: now,
        restart_from: None,
        setting,
        overridden_settings: None,
        backoff: None,
        running: None,
        containers: Some(false),
        restart: RestartPolicy::Ask,
        consent: None,
        is_asked: false,
        is_live_locked: false,
        attempts: &NOTHING_TRIED,
        may_be_ending: false,
        now,
    }
}

#[test]
fn what_is_wanted_what_is_there_and_what_the_settings_say() {
    use Action::{Apply, Nothing, Restore};
    use Intent::{Named, Off, Settings};
    use State::{Current, Direct, Stale, Wiped};
    let now = Instant::now();
    for (intent, patch, setting, state, act) in [
        (None, None, proxy("a"), State::Off, Nothing),
        (None, Some("a"), proxy("b"), Current, Nothing),
        (Some(Off), None, proxy("a"), State::Off, Nothing),
        (Some(Off), Some("a"), proxy("a"), Stale, Restore),
        (Some(Off), Some("a"), broken(), Stale, Restore),
        (Some(Settings), None, proxy("a"), Wiped, Apply),
        (Some(Settings), None, direct(), Direct, Nothing),
        (
            Some(Settings),
            None,
            Setting::ScriptUnreachable,
            Direct,
            Nothing,
        ),
        (Some(Settings), None, broken(), Wiped, Nothing),
        (Some(Settings), None, Setting::Offline, Wiped, Nothing),
        (Some(Settings), None, Setting::Unknown, Wiped, Nothing),
        (Some(Settings), Some("a"), proxy("a"), Current, Nothing),
        (Some(Settings), Some("a"), proxy("b"), Stale, Apply),
        (Some(Settings), Some("a"), direct(), Stale, Restore),
        (
            Some(Settings),
            Some("a"),
            Setting::ScriptUnreachable,
            Stale,
            Restore,
        ),
        // An unknown setting is no reason to remove a proxy that works.
        (Some(Settings), Some("a"), broken(), Current, Nothing),
        (
            Some(Settings),
            Some("a"),
            Setting::Offline,
            Current,
            Nothing,
        ),
        (
            Some(Settings),
            Some("a"),
            Setting::Unknown,
            Current,
            Nothing,
        ),
        // A proxy named by hand is right, whatever the settings say.
        (Some(Named), Some("a"), proxy("b"), Current, Nothing),
        (Some(Named), Some("a"), direct(), Current, Nothing),
        (Some(Named), None, proxy("a"), Wiped, Apply),
    ] {
        let observation = installed(patch);
        let case = format!("{intent:?} {patch:?} {setting:?}");
        let at_rest = situation(intent, &observation, &setting, now);
        let decision = reconcile(&at_rest);
        assert_eq!(
            (decision.state, decision.action, decision.pending),
            (state, act, act),
            "{case}"
        );

        // Nothing is changed too early or while the files change, but the pending action is known.
        let early = Inputs {
            settled_at: now + Duration::from_millis(1),
            ..at_rest
        };
        let decision = reconcile(&early);
        assert_eq!(
            (decision.state, decision.action, decision.pending),
            (state, Nothing, act),
            "{case}"
        );
        let moving = Inputs {
            is_moving: true,
            ..early
        };
        let decision = reconcile(&moving);
        assert_eq!(
            (decision.state, decision.action),
            (State::Updating, Nothing),
            "{case}"
        );

        // A failed attempt is not repeated early.
        let refusal = Backoff {
            kind: Kind::NotPermitted,
            diagnostic: made::diagnostic("no"),
            until: now + Duration::from_secs(1),
        };
        let refused = Inputs {
            backoff: Some(&refusal),
            ..at_rest
        };
        let decision = reconcile(&refused);
        let expected = if act == Nothing {
            state
        } else {
            State::NotPermitted
        };
        assert_eq!(
            (decision.state, decision.action),
            (expected, Nothing),
            "{case}"
        );
        let later = Inputs {
            now: refusal.until,
            ..refused
        };
        assert_eq!(reconcile(&later).action, act, "{case}");
    }
}

/// Times before and after the image of [`installed`] was put in place.
const BEFORE: Option<u64> = Some(99);
const AFTER: Option<u64> = Some(101);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn revision(name: &str) -> Option<Sha> {
    Some(Sha::of(name.as_bytes()))
}

/// The image of [`installed`], with another block or from another time.
fn which(name: &str, since: u64) -> Generation {
    Generation {
        revision: revision(name),
        since: at(since),
    }
}

fn running(since: Option<u64>, seen: Option<Option<Sha>>) -> Running {
    Running {
        pid: 7,
        since: since.map(at),
        revision: seen,
        ..Running::default()
    }
}

fn edited(running: &Running, revision: Option<Sha>, is_open: bool) -> Running {
    Running {
        edit: Some(LiveEdit {
            revision,
            at: at(200),
            is_open,
        }),
        ..running.clone()
    }
}

#[test]
fn what_the_running_engine_has_beside_what_the_image_says() {
    use EngineSync::{OutOfDate, UpToDate, UpdatedLive};
    let (a, b, stock) = (Some(revision("a")), Some(revision("b")), Some(None));
    for (patch, since, seen, expected) in [
        // Started after the image was put in place.
        (Some("a"), AFTER, None, UpToDate),
        (Some("a"), AFTER, b, UpToDate),
        // Started before: it depends on the image that it started from.
        (Some("a"), BEFORE, a, UpToDate),
        (Some("a"), BEFORE, b, OutOfDate),
        (Some("a"), BEFORE, stock, OutOfDate),
        (Some("a"), BEFORE, None, OutOfDate),
        (None, BEFORE, a, OutOfDate),
        (None, BEFORE, stock, UpToDate),
        (None, BEFORE, None, UpToDate),
        // The system does not report the start time.
        (Some("a"), None, None, UpToDate),
        (Some("a"), None, b, OutOfDate),
    ] {
        let observation = installed(patch);
        let Observation::Ready(installed) = &observation else {
            unreachable!()
        };
        let case = format!("{patch:?} {since:?} {seen:?}");
        let started = running(since, seen);
        assert_eq!(started.engine(installed), expected, "{case}");

        // A later edit counts, whatever the VM started from.
        let image = patch.and_then(revision);
        for edit in [revision("a"), revision("b"), None] {
            let expected = match edit == image {
                true => UpdatedLive { at: at(200) },
                false => OutOfDate,
            };
            let case = format!("{case}, edited: {edit:?}");
            let whole = edited(&started, edit, false);
            assert_eq!(whole.engine(installed), expected, "{case}");
            let open = edited(&started, edit, true);
            assert_eq!(open.engine(installed), OutOfDate, "{case}, not to its end");
        }
    }
}

#[test]
fn it_is_brought_up_to_date_only_when_it_may_be_and_by_the_quickest_way_that_works() {
    use RestartPolicy::{Always, Ask, Never};
    use RestartScope::{Docker, Engine};
    let now = Instant::now();
    let (observation, setting) = (installed(Some("a")), proxy("a"));
    let old = running(BEFORE, Some(None));
    let states = [
        (old.clone(), true),
        (edited(&old, revision("b"), false), true),
        (edited(&old, None, false), true),
        (edited(&old, revision("a"), true), true),
        (edited(&old, revision("a"), false), false),
        (running(AFTER, None), false),
    ];
    let no_and_yes = [false, true];
    let mut seen = Vec::new();
    for (restart, consent) in [Ask, Always, Never]
        .into_iter()
        .flat_map(|restart| [None, Some(Engine), Some(Docker)].map(|one| (restart, one)))
    {
        for (engine_tried, docker_tried, has_console, is_followed) in
            no_and_yes.into_iter().flat_map(|engine| {
                no_and_yes.into_iter().flat_map(move |docker| {
                    no_and_yes.into_iter().flat_map(move |console| {
                        no_and_yes.map(|followed| (engine, docker, console, followed))
                    })
                })
            })
        {
            let expected = match (consent, restart, has_console, engine_tried, docker_tried) {
                (Some(Docker), ..) => Action::Restart(Docker),
                (Some(Engine), _, true, ..) => Action::Restart(Engine),
                (Some(Engine), _, false, ..) => Action::Nothing,
                (None, Ask | Never, ..) => Action::Nothing,
                (None, Always, true, false, _) => Action::Restart(Engine),
                (None, Always, _, _, false) => Action::Restart(Docker),
                (None, Always, _, _, true) => Action::Nothing,
            };
            let this = which("a", 100);
            let tried = Attempts {
                engine: engine_tried.then_some(this),
                docker: docker_tried.then_some(this),
            };
            for (running, is_old) in &states {
                let running = Running {
                    has_console,
                    ..running.clone()
                };
                let situation = Inputs {
                    running: Some(&running),
                    restart,
                    consent,
                    is_live_locked: is_followed,
                    attempts: &tried,
                    ..situation(Some(Intent::Settings), &observation, &setting, now)
                };
                let (state, act) = match *is_old && !is_followed {
                    true => (State::RestartNeeded, expected),
                    false => (State::Current, Action::Nothing),
                };
                let decision = reconcile(&situation);
                assert_eq!(
                    (decision.state, decision.action, decision.pending),
                    (state, act, Action::Nothing),
                    "{situation:?}"
                );
                let is_reported = matches!(decision.reason, Reason::LiveInProgress(_));
                assert_eq!(is_reported, *is_old && is_followed);
                seen.push(act);
                let without = Inputs {
                    running: None,
                    ..situation
                };
                assert_eq!(reconcile(&without).action, Action::Nothing, "nothing runs");
                let may_be_ending = Inputs {
                    may_be_ending: true,
                    ..situation
                };
                let agreed = match consent {
                    Some(_) => act,
                    None => Action::Nothing,
                };
                assert_eq!(reconcile(&may_be_ending).action, agreed, "it may be ending");
            }
        }
    }
    assert_eq!(seen.len(), 9 * 16 * 6);
}

#[test]
fn a_way_that_was_tried_for_another_image_is_tried_again() {
    let (now, setting) = (Instant::now(), proxy("a"));
    let observation = installed(Some("a"));
    let running = Running {
        has_console: true,
        ..running(BEFORE, Some(None))
    };
    let (this, other, newer) = (which("a", 100), which("b", 100), which("a", 101));
    for (engine, docker, expected) in [
        (Some(this), None, Action::Restart(RestartScope::Docker)),
        (Some(other), None, Action::Restart(RestartScope::Engine)),
        (Some(newer), None, Action::Restart(RestartScope::Engine)),
        (None, Some(this), Action::Restart(RestartScope::Engine)),
        (Some(this), Some(this), Action::Nothing),
        (
            Some(this),
            Some(other),
            Action::Restart(RestartScope::Docker),
        ),
        (
            Some(this),
            Some(newer),
            Action::Restart(RestartScope::Docker),
        ),
    ] {
        let tried = Attempts { engine, docker };
        let situation = Inputs {
            running: Some(&running),
            restart: RestartPolicy::Always,
            attempts: &tried,
            ..situation(Some(Intent::Settings), &observation, &setting, now)
        };
        assert_eq!(reconcile(&situation).action, expected, "{tried:?}");
    }
}

#[test]
fn nothing_is_said_of_the_running_engine_that_is_not_known() {
    let now = Instant::now();
    let in_progress = |reason| Reason::LiveInProgress(Box::new(reason));
    let unfinished = |can_apply_live| Reason::LiveUnfinished {
        unpatched: Unpatched::Clean,
        can_apply_live,
    };
    let not_patched = || Reason::NotPatched(Unpatched::Clean);
    let old = running(BEFORE, Some(revision("b")));
    let with_console = |running: &Running| Running {
        has_console: true,
        ..running.clone()
    };
    let open = edited(&old, revision("b"), true);
    let (settings, off) = (Some(Intent::Settings), Some(Intent::Off));
    for (intent, patch, setting, running, is_followed, expected) in [
        (
            settings,
            Some("a"),
            proxy("a"),
            &old,
            true,
            in_progress(Reason::InPlace(shown("a"))),
        ),
        (
            settings,
            Some("a"),
            broken(),
            &old,
            true,
            in_progress(Reason::Unverified {
                proxy: shown("a"),
                why: made::diagnostic("the script can't be had"),
            }),
        ),
        (
            settings,
            None,
            direct(),
            &old,
            true,
            in_progress(not_patched()),
        ),
        (
            off,
            None,
            proxy("a"),
            &old,
            true,
            in_progress(not_patched()),
        ),
        (
            settings,
            None,
            direct(),
            &old,
            false,
            Reason::StillRuns(Unpatched::Clean),
        ),
        (settings, None, direct(), &open, false, unfinished(false)),
        (
            off,
            None,
            direct(),
            &with_console(&open),
            false,
            unfinished(true),
        ),
    ] {
        let observation = installed(patch);
        let situation = Inputs {
            running: Some(running),
            is_live_locked: is_followed,
            ..situation(intent, &observation, &setting, now)
        };
        assert_eq!(reconcile(&situation).reason, expected);
    }
}

#[test]
fn only_an_engine_that_can_change_live_is_changed_live() {
    let Observation::Ready(mut installed) = installed(None) else {
        unreachable!()
    };
    let running = Running {
        has_console: true,
        ..running(BEFORE, None)
    };
    assert!(running.can_apply_live(&installed));
    installed.engine.capabilities.live = false;
    assert!(!running.can_apply_live(&installed));
}

#[test]
fn what_a_refusal_makes_of_the_state() {
    let (observation, setting, now) = (installed(None), proxy("a"), Instant::now());
    let image = || PathBuf::from("/initrd.img");
    for (error, expected) in [
        (PatchError::Replaced { path: image() }, State::Updating),
        (
            PatchError::Immutable { image: image() },
            State::NotPermitted,
        ),
        (PatchError::Block, State::Unsupported),
        (PatchError::ByHand { lines: vec![] }, State::Foreign),
        (PatchError::NotAsWritten { path: image() }, State::Wiped),
    ] {
        let refusal = Backoff {
            kind: error.kind(),
            diagnostic: error.into(),
            until: now + Duration::from_secs(1),
        };
        let situation = Inputs {
            backoff: Some(&refusal),
            ..situation(Some(Intent::Settings), &observation, &setting, now)
        };
        assert_eq!(reconcile(&situation).state, expected);
        let why = refusal.diagnostic.clone();
        assert_eq!(reconcile(&situation).reason, Reason::Refused(why));
    }
}

/// An engine with settings of its own: what was changed there before, what is there, and what is wanted.
#[test]
fn what_becomes_of_settings_of_its_own() {
    use Action::{Apply, Nothing, Restore};
    use Intent::{Named, Off, Settings};
    use State::{Current, Direct, Foreign, Stale, Wiped};
    const RECORDED: u8 = 1;
    const CONFIGURED: u8 = 2;
    const PUT_BACK: u8 = 4;
    const THEIRS: u8 = 8;
    const MANUAL: u8 = 16;
    const CONTAINERS: u8 = 32;
    const THEIRS_BEFORE: u8 = 64;
    const ALL: u8 = RECORDED | CONFIGURED;
    let now = Instant::now();
    let plain_of = |name| match proxy(name) {
        Setting::Proxy {
            revision,
            shown,
            origin,
            script,
            ..
        } => Setting::Proxy {
            is_plain_system: true,
            revision,
            shown,
            origin,
            script,
        },
        _ => unreachable!(),
    };
    let plain = || plain_of("a");
    for (intent, set, is, setting, state, act) in [
        // Docker follows the Mac by itself.
        (None, None, 0, plain(), Current, Nothing),
        (Some(Settings), None, 0, plain(), Current, Nothing),
        (Some(Settings), None, ALL, plain(), Current, Apply),
        (
            Some(Settings),
            None,
            RECORDED | CONTAINERS,
            plain(),
            Stale,
            Apply,
        ),
        (Some(Off), None, 0, plain(), State::Off, Nothing),
        (Some(Named), None, ALL, plain(), Wiped, Apply),
        (
            Some(Settings),
            None,
            ALL | THEIRS_BEFORE,
            plain(),
            Current,
            Nothing,
        ),
        (
            Some(Settings),
            None,
            ALL | PUT_BACK,
            plain(),
            Current,
            Nothing,
        ),
        // It can't.
        (Some(Settings), None, 0, proxy("a"), Stale, Apply),
        (Some(Settings), None, ALL, proxy("a"), Wiped, Apply),
        (
            Some(Settings),
            None,
            ALL | PUT_BACK,
            proxy("a"),
            Wiped,
            Nothing,
        ),
        (
            Some(Settings),
            Some("a"),
            ALL | MANUAL,
            proxy("a"),
            Current,
            Nothing,
        ),
        (
            Some(Settings),
            Some("a"),
            ALL | MANUAL | CONTAINERS,
            proxy("a"),
            Stale,
            Apply,
        ),
        // What is left of a change that something else took out is taken back.
        (Some(Off), None, ALL, proxy("a"), State::Off, Restore),
        (Some(Settings), None, ALL, direct(), Direct, Restore),
        (
            Some(Settings),
            None,
            ALL,
            Setting::ScriptUnreachable,
            Direct,
            Restore,
        ),
        (Some(Settings), None, 0, direct(), Direct, Nothing),
        (None, None, ALL, proxy("a"), State::Off, Nothing),
        // Someone else has set another one since.
        (Some(Off), None, ALL | THEIRS, proxy("a"), Foreign, Nothing),
        (
            Some(Settings),
            None,
            ALL | THEIRS,
            direct(),
            Foreign,
            Nothing,
        ),
        (Some(Settings), None, THEIRS, proxy("a"), Foreign, Apply),
    ] {
        let Observation::Ready(mut installed) = installed(set) else {
            unreachable!()
        };
        let has = |flag: u8| is & flag != 0;
        installed.own_settings = Some(OwnSettings {
            layer: Layer::SettingsFile,
            mode: if has(MANUAL | THEIRS) {
                "manual"
            } else {
                "system"
            }
            .to_owned(),
            containers_mode: None,
            containers_bypass: false,
            daemon_proxies: false,
            follows_system: !has(MANUAL | THEIRS),
            containers: has(CONTAINERS),
            repairs: 0,
            containers_revision: has(CONTAINERS).then(|| Sha::of(b"a")),
            followed_before: !has(THEIRS_BEFORE),
            can_restore: has(RECORDED),
            was_configured: has(CONFIGURED),
            was_put_back: has(PUT_BACK),
        });
        installed.unpatched = match has(THEIRS) {
            true => Unpatched::InSettings {
                summary: "http://theirs:1".to_owned(),
            },
            false => Unpatched::OwnSettings,
        };
        let observation = Observation::Ready(installed);
        let inputs = situation(intent, &observation, &setting, now);
        let decision = reconcile(&inputs);
        assert_eq!(
            (decision.state, decision.action),
            (state, act),
            "{intent:?} {set:?} {is} {setting:?}"
        );
        // Containers keep up with a Docker that follows this computer itself.
        if has(CONTAINERS) && decision.reason == (Reason::Containers { desired: false }) {
            let wanted = Inputs {
                containers: Some(true),
                ..inputs
            };
            assert_eq!(reconcile(&wanted).action, Nothing);
            let other = plain_of("b");
            let other = Inputs {
                setting: &other,
                ..wanted
            };
            assert_eq!(reconcile(&other).action, Apply);
        }
        // The user may ask for another attempt.
        if has(PUT_BACK) {
            let asked = Inputs {
                is_asked: true,
                ..inputs
            };
            assert_eq!(reconcile(&asked).action, Apply);
        }
    }
}
