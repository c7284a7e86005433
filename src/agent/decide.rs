//! What is to be done now: a pure function over plain data. Nothing here reads, waits or writes.
//!
//! It is level-triggered: it looks at how things are, never at what happened, so an event that is lost
//! costs time and nothing else.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use crate::config::Restart;
use crate::docker::Bundle;
use crate::error::{Error, Kind, Remedy};
use crate::patch::digest::{OriginalSha, Sha};
use crate::patch::intent::Intent;
use crate::patch::status::State;
use crate::proxy::Shown;

/// Something for the user: a sentence without a full stop, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The sentence.
    pub sentence: String,
    /// What to do now.
    pub advice: Option<String>,
    /// What would help, where a face can do it.
    pub remedy: Option<Remedy>,
}

impl Words {
    /// A sentence alone.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            advice: None,
            remedy: None,
        }
    }

    /// The same, with what to do now.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl From<&Error> for Words {
    fn from(error: &Error) -> Self {
        Self {
            sentence: error.to_string(),
            advice: error.advice().map(str::to_owned),
            remedy: error.remedy(),
        }
    }
}

/// What is to be seen of Docker.app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// There is none.
    Missing(Words),
    /// It is not whole.
    Unfinished(Words),
    /// It is nothing that Baleen patches, or may read.
    Closed(State, Words, Option<Bundle>),
    /// It has an image.
    Open(Stand),
}

/// A bundle with an image, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The bundle.
    pub bundle: Bundle,
    /// The image.
    pub image: PathBuf,
    /// What Baleen put into it.
    pub patch: Option<Patch>,
    /// When the image came to its place.
    pub image_since: SystemTime,
}

/// What Baleen put into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Digest of the block in the script.
    pub block: Sha,
    /// The proxy, as it may be shown.
    pub proxy: Shown,
    /// The image without it.
    pub original: OriginalSha,
}

/// What the settings come to for the engine that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// That is not known yet.
    Unknown,
    /// The network is down, so they say nothing.
    Offline,
    /// They can't be read now, which may pass, or can't be said to this engine, which does not.
    Failed {
        /// Why.
        words: Words,
        /// Whether it may pass by itself.
        may_pass: bool,
    },
    /// No proxy.
    Direct {
        /// Who says so.
        origin: String,
    },
    /// This one.
    Proxy {
        /// Digest of the block that says it.
        block: Sha,
        /// The proxy, as it may be shown.
        shown: Shown,
        /// Who says so.
        origin: String,
    },
}

/// The running Docker, and what its engine gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Since when it runs, where the system says so.
    pub since: Option<SystemTime>,
    /// The block in the image that it started from, if that was seen.
    pub block: Option<Option<Sha>>,
}

impl Running {
    /// Whether its engine started from another image than `stand`'s, with another proxy in it.
    pub fn is_out_of_date(&self, stand: &Stand) -> bool {
        let is_older = self.since.is_none_or(|since| since < stand.image_since);
        let block = stand.patch.as_ref().map(|patch| patch.block);
        is_older
            && match self.block {
                Some(seen) => seen != block,
                // Of a stock image nobody can tell whether the one before was any different.
                None => block.is_some() && self.since.is_some(),
            }
    }
}

/// An attempt that was refused, and is not to be made again before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of failure it was.
    pub kind: Kind,
    /// Why.
    pub words: Words,
    /// When to try again.
    pub until: Instant,
}

/// Everything the decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What the user was heard to want in this bundle.
    pub wanted: Option<Intent>,
    /// What is to be seen of Docker.app.
    pub sight: &'a Sight,
    /// Its files were seen to change, and have not been at rest since.
    pub is_moving: bool,
    /// When they will have been at rest for long enough to be touched.
    pub settled_at: Instant,
    /// What should be in place.
    pub setting: &'a Setting,
    /// What came of the last attempt, if nothing has changed since.
    pub refusal: Option<&'a Refusal>,
    /// The running Docker.
    pub running: Option<&'a Running>,
    /// When it may be restarted.
    pub restart: Restart,
    /// The user said that it may be, this time.
    pub has_consent: bool,
    /// This very restart was tried, and failed.
    pub restart_failed: bool,
    /// The time.
    pub now: Instant,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Put the proxy of the settings into the image.
    Apply,
    /// Give Docker its own image back.
    Restore,
    /// Quit Docker and open it again.
    Restart,
}

/// What is so, and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The state in one word.
    pub state: State,
    /// The state in a sentence.
    pub words: Words,
    /// What to do now.
    pub act: Act,
    /// What to do as soon as the files are at rest, or the time for another attempt has come.
    pub later: Act,
}

/// Decides.
pub fn decide(s: &Situation<'_>) -> Decision {
    let at_rest = |state, words: Words| Decision {
        state,
        words,
        act: Act::Nothing,
        later: Act::Nothing,
    };
    let stand = match s.sight {
        Sight::Missing(words) => return at_rest(State::NoDocker, words.clone()),
        Sight::Unfinished(words) => return at_rest(State::Updating, words.clone()),
        Sight::Closed(state, words, _) => return at_rest(*state, words.clone()),
        Sight::Open(stand) => stand,
    };
    let (state, words, due) = judge(stand, s.wanted, s.setting);
    if s.is_moving {
        return Decision {
            state: State::Updating,
            words: Words::new("Docker is being updated: its files still change"),
            act: Act::Nothing,
            later: due,
        };
    }
    if due == Act::Nothing {
        return restart(s, stand, state, words);
    }
    let (state, words) = match s.refusal {
        Some(refusal) => refused(refusal, state),
        None => (state, words),
    };
    let is_time = s.now >= s.settled_at && s.refusal.is_none_or(|r| s.now >= r.until);
    Decision {
        state,
        words,
        act: if is_time { due } else { Act::Nothing },
        later: due,
    }
}

/// The state of a bundle that is at rest, and what would bring it to what is wanted.
fn judge(stand: &Stand, wanted: Option<Intent>, setting: &Setting) -> (State, Words, Act) {
    let version = &stand.bundle.version;
    let in_place = |patch: &Patch| Words::new(format!("the engine gets {}", patch.proxy.summary()));
    match (wanted, &stand.patch) {
        (None | Some(Intent::Off), None) => (
            State::Off,
            Words::new("Docker has its own image"),
            Act::Nothing,
        ),
        (Some(Intent::Off), Some(patch)) => (
            State::Stale,
            Words::new(format!(
                "the engine gets {}, but no proxy is wanted any more",
                patch.proxy.summary()
            )),
            Act::Restore,
        ),
        (None | Some(Intent::Named), Some(patch)) => {
            (State::Current, in_place(patch), Act::Nothing)
        }
        (Some(Intent::Settings | Intent::Named), None) => {
            let wiped = format!("Docker {version} has its own image, without the proxy");
            match setting {
                Setting::Direct { origin } => (
                    State::Direct,
                    Words::new(format!(
                        "by {origin} no proxy is set here now, and the engine has none either"
                    )),
                    Act::Nothing,
                ),
                Setting::Proxy { .. } => (State::Wiped, Words::new(wiped), Act::Apply),
                Setting::Unknown => (State::Wiped, Words::new(wiped), Act::Nothing),
                Setting::Offline => (
                    State::Wiped,
                    Words::new(format!(
                        "{wiped}; the network is down, so which one it should have is not known now"
                    )),
                    Act::Nothing,
                ),
                Setting::Failed { words, .. } => (
                    State::Wiped,
                    Words {
                        sentence: format!("{wiped}: {}", words.sentence),
                        ..words.clone()
                    },
                    Act::Nothing,
                ),
            }
        }
        (Some(Intent::Settings), Some(patch)) => match setting {
            Setting::Proxy { block, .. } if *block == patch.block => {
                (State::Current, in_place(patch), Act::Nothing)
            }
            Setting::Proxy { shown, .. } => {
                let difference = patch.proxy.difference(shown);
                (
                    State::Stale,
                    Words::new(format!(
                        "the engine gets {}, but {difference}",
                        patch.proxy.summary()
                    )),
                    Act::Apply,
                )
            }
            Setting::Direct { origin } => (
                State::Stale,
                Words::new(format!(
                    "the engine gets {}, but by {origin} no proxy is set here now",
                    patch.proxy.summary()
                )),
                Act::Restore,
            ),
            // What is in place is the best that is known.
            Setting::Unknown | Setting::Offline => (State::Current, in_place(patch), Act::Nothing),
            Setting::Failed { words, .. } => (
                State::Current,
                Words {
                    sentence: format!(
                        "the engine gets {}; whether that is right can't be told: {}",
                        patch.proxy.summary(),
                        words.sentence
                    ),
                    ..words.clone()
                },
                Act::Nothing,
            ),
        },
    }
}

/// What an attempt that was refused says of the state.
fn refused(refusal: &Refusal, state: State) -> (State, Words) {
    let state = match refusal.kind {
        Kind::Busy => State::Updating,
        Kind::NotPermitted => State::NotPermitted,
        Kind::Refused if refusal.words.remedy == Some(Remedy::Adopt) => State::Foreign,
        Kind::Refused => State::Unsupported,
        Kind::Failure | Kind::Usage => state,
    };
    (state, refusal.words.clone())
}

/// The image is as it should be: is the running engine?
fn restart(s: &Situation<'_>, stand: &Stand, state: State, words: Words) -> Decision {
    let is_final = matches!(state, State::Current | State::Direct | State::Off);
    let is_old = s
        .running
        .is_some_and(|running| running.is_out_of_date(stand));
    if !is_final || !is_old {
        return Decision {
            state,
            words,
            act: Act::Nothing,
            later: Act::Nothing,
        };
    }
    let may = s.has_consent || (s.restart == Restart::Always && !s.restart_failed);
    let sentence = match state {
        State::Current => format!("{}, from Docker's next start on", words.sentence),
        _ => "Docker has its own image, but still runs with the proxy until it is restarted"
            .to_owned(),
    };
    Decision {
        state: State::RestartNeeded,
        words: Words { sentence, ..words },
        act: if may { Act::Restart } else { Act::Nothing },
        later: Act::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::docker::Family;

    fn shown(name: &str) -> Shown {
        Shown {
            http: None,
            https: Some(format!("http://{name}:1")),
            no_proxy: String::new(),
        }
    }

    fn stand(patch: Option<&str>) -> Sight {
        Sight::Open(Stand {
            bundle: Bundle {
                path: "/d".into(),
                version: "1.12.0".to_owned(),
                build: String::new(),
                family: Family::Moby {
                    image: "/d/i".into(),
                },
            },
            image: "/d/i".into(),
            patch: patch.map(|name| Patch {
                block: Sha::of(name.as_bytes()),
                proxy: shown(name),
                original: OriginalSha(Sha::of(b"image")),
            }),
            image_since: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        })
    }

    fn proxy(name: &str) -> Setting {
        Setting::Proxy {
            block: Sha::of(name.as_bytes()),
            shown: shown(name),
            origin: "the system's settings".to_owned(),
        }
    }

    fn direct() -> Setting {
        Setting::Direct {
            origin: "the system's settings".to_owned(),
        }
    }

    fn broken() -> Setting {
        Setting::Failed {
            words: Words::new("the script can't be had"),
            may_pass: true,
        }
    }

    fn situation<'a>(
        wanted: Option<Intent>,
        sight: &'a Sight,
        setting: &'a Setting,
        now: Instant,
    ) -> Situation<'a> {
        Situation {
            wanted,
            sight,
            is_moving: false,
            settled_at: now,
            setting,
            refusal: None,
            running: None,
            restart: Restart::Ask,
            has_consent: false,
            restart_failed: false,
            now,
        }
    }

    #[test]
    fn what_is_wanted_what_is_there_and_what_the_settings_say() {
        use Act::{Apply, Nothing, Restore};
        use Intent::{Named, Off, Settings};
        use State::{Current, Direct, Stale, Wiped};
        let now = Instant::now();
        for (wanted, patch, setting, state, act) in [
            (None, None, proxy("a"), State::Off, Nothing),
            (None, Some("a"), proxy("b"), Current, Nothing),
            (Some(Off), None, proxy("a"), State::Off, Nothing),
            (Some(Off), Some("a"), proxy("a"), Stale, Restore),
            (Some(Off), Some("a"), broken(), Stale, Restore),
            (Some(Settings), None, proxy("a"), Wiped, Apply),
            (Some(Settings), None, direct(), Direct, Nothing),
            (Some(Settings), None, broken(), Wiped, Nothing),
            (Some(Settings), None, Setting::Offline, Wiped, Nothing),
            (Some(Settings), None, Setting::Unknown, Wiped, Nothing),
            (Some(Settings), Some("a"), proxy("a"), Current, Nothing),
            (Some(Settings), Some("a"), proxy("b"), Stale, Apply),
            (Some(Settings), Some("a"), direct(), Stale, Restore),
            // What can't be known is no reason to take out what works.
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
            // One that was named by hand is right, whatever the settings say.
            (Some(Named), Some("a"), proxy("b"), Current, Nothing),
            (Some(Named), Some("a"), direct(), Current, Nothing),
            (Some(Named), None, proxy("a"), Wiped, Apply),
        ] {
            let sight = stand(patch);
            let case = format!("{wanted:?} {patch:?} {setting:?}");
            let at_rest = situation(wanted, &sight, &setting, now);
            let decision = decide(&at_rest);
            assert_eq!(
                (decision.state, decision.act, decision.later),
                (state, act, act),
                "{case}"
            );

            // Nothing is touched before its time, or while it changes; what is due then is known.
            let early = Situation {
                settled_at: now + Duration::from_millis(1),
                ..at_rest
            };
            let decision = decide(&early);
            assert_eq!(
                (decision.state, decision.act, decision.later),
                (state, Nothing, act),
                "{case}"
            );
            let moving = Situation {
                is_moving: true,
                ..early
            };
            let decision = decide(&moving);
            assert_eq!(
                (decision.state, decision.act),
                (State::Updating, Nothing),
                "{case}"
            );

            // What was refused waits.
            let refusal = Refusal {
                kind: Kind::NotPermitted,
                words: Words::new("no"),
                until: now + Duration::from_secs(1),
            };
            let refused = Situation {
                refusal: Some(&refusal),
                ..at_rest
            };
            let decision = decide(&refused);
            let expected = if act == Nothing {
                state
            } else {
                State::NotPermitted
            };
            assert_eq!(
                (decision.state, decision.act),
                (expected, Nothing),
                "{case}"
            );
            let later = Situation {
                now: refusal.until,
                ..refused
            };
            assert_eq!(decide(&later).act, act, "{case}");
        }
    }

    #[test]
    fn docker_is_restarted_only_when_it_may_be_and_needs_it() {
        let now = Instant::now();
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let (a, b) = (Some(Some(Sha::of(b"a"))), Some(Some(Sha::of(b"b"))));
        let stock = Some(None);
        for (patch, since, block, needs) in [
            // Started after the image came to its place.
            (Some("a"), at(101), None, false),
            (Some("a"), at(101), b, false),
            // Before: it depends on what it started from.
            (Some("a"), at(99), a, false),
            (Some("a"), at(99), b, true),
            (Some("a"), at(99), stock, true),
            (Some("a"), at(99), None, true),
            (None, at(99), a, true),
            (None, at(99), stock, false),
            (None, at(99), None, false),
            // The system does not say since when.
            (Some("a"), None, None, false),
            (Some("a"), None, b, true),
        ] {
            let sight = stand(patch);
            let setting = patch.map_or_else(direct, proxy);
            let running = Running {
                pid: 7,
                since,
                block,
            };
            let wanted = Some(Intent::Settings);
            let ask = Situation {
                running: Some(&running),
                ..situation(wanted, &sight, &setting, now)
            };
            let case = format!("{patch:?} {since:?} {block:?}");
            assert_eq!(decide(&ask).state == State::RestartNeeded, needs, "{case}");
            assert_eq!(decide(&ask).act, Act::Nothing, "{case}");
            let restart = if needs { Act::Restart } else { Act::Nothing };
            for (allowed, expected) in [
                (
                    Situation {
                        has_consent: true,
                        ..ask
                    },
                    restart,
                ),
                (
                    Situation {
                        restart: Restart::Always,
                        ..ask
                    },
                    restart,
                ),
                (
                    Situation {
                        restart: Restart::Never,
                        ..ask
                    },
                    Act::Nothing,
                ),
                (
                    Situation {
                        restart: Restart::Always,
                        restart_failed: true,
                        ..ask
                    },
                    Act::Nothing,
                ),
                (
                    Situation {
                        running: None,
                        has_consent: true,
                        ..ask
                    },
                    Act::Nothing,
                ),
            ] {
                assert_eq!(decide(&allowed).act, expected, "{case}");
            }
        }
    }

    #[test]
    fn what_a_refusal_makes_of_the_state() {
        let (sight, setting, now) = (stand(None), proxy("a"), Instant::now());
        for (kind, remedy, expected) in [
            (Kind::Busy, None, State::Updating),
            (Kind::NotPermitted, None, State::NotPermitted),
            (Kind::Refused, None, State::Unsupported),
            (Kind::Refused, Some(Remedy::Adopt), State::Foreign),
            (Kind::Failure, None, State::Wiped),
        ] {
            let refusal = Refusal {
                kind,
                words: Words {
                    remedy,
                    ..Words::new("why")
                },
                until: now + Duration::from_secs(1),
            };
            let situation = Situation {
                refusal: Some(&refusal),
                ..situation(Some(Intent::Settings), &sight, &setting, now)
            };
            assert_eq!(decide(&situation).state, expected);
            assert_eq!(decide(&situation).words.sentence, "why");
        }
    }
}
