//! The first run: which question to ask the user next, as a pure function of what is known.
//!
//! Each question is asked once in the life of a state file, whether it is answered or not, and however often
//! Baleen is restarted or updated: everything that is asked for is in the menu as well.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A question of the first run, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Whether Docker should use this computer's proxy.
    UseProxy,
    /// Whether Baleen should start at login.
    StartAtLogin,
    /// Whether Baleen may change Docker, which the user allows in System Settings.
    AllowChanges,
}

/// A reason why Docker can't be given a proxy, which the user reads instead of the first question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// There is no Docker.app.
    NoDocker,
    /// An administrator decides Docker's proxy.
    Locked,
    /// The proxy has to be entered in Docker's own settings.
    OwnSettings,
    /// Baleen can't change this Docker for another reason.
    Unusable,
    /// No proxy is set on this computer.
    NoProxy,
    /// The PAC script can't be reached.
    ScriptUnreachable,
    /// The proxy settings of this computer can't be used.
    SettingsUnusable,
}

/// What the user was asked and answered before. It is kept in the agent's state file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstRun {
    /// The questions that were asked, each with its answer, if it got one.
    #[serde(default)]
    asked: BTreeMap<Question, Option<bool>>,
    /// The obstacles that were reported.
    #[serde(default)]
    said: BTreeSet<Obstacle>,
    /// True if an older Baleen, which only introduced itself, has done that: its user knows the menu.
    #[serde(default)]
    is_over: bool,
}

impl FirstRun {
    /// The first run of a user whom an older Baleen has welcomed.
    pub(crate) fn over() -> Self {
        Self {
            is_over: true,
            ..Self::default()
        }
    }

    /// Records that a question is asked.
    pub(crate) fn ask(&mut self, question: Question) {
        self.asked.entry(question).or_default();
    }

    /// Records an answer, whether it was given to the question or by the menu.
    pub(crate) fn answer(&mut self, question: Question, is_yes: bool) {
        self.asked.insert(question, Some(is_yes));
    }

    /// Records that an obstacle is reported.
    pub(crate) fn say(&mut self, obstacle: Obstacle) {
        self.said.insert(obstacle);
    }

    /// Returns what became of a question. One that was asked is [`Past::Open`] while `is_recent`.
    pub(crate) fn past(&self, question: Question, is_recent: bool) -> Past {
        match self.asked.get(&question) {
            None => Past::NotAsked,
            Some(None) if is_recent => Past::Open,
            Some(None) => Past::Ignored,
            Some(Some(_)) => Past::Answered,
        }
    }

    /// Returns whether the obstacle was reported.
    pub(crate) fn was_said(&self, obstacle: Obstacle) -> bool {
        self.said.contains(&obstacle)
    }

    /// Returns whether there is nothing to ask any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// It was not asked.
    NotAsked,
    /// It was asked a moment ago, and the user may be about to answer.
    Open,
    /// It was asked and not answered.
    Ignored,
    /// It was answered.
    Answered,
}

/// Whether the user has chosen to use the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The user has not chosen.
    None,
    /// The proxy is switched on: by an answer, by the menu, or on the command line.
    On,
    /// The proxy is switched off.
    Off,
}

/// What stands between this computer's proxy and Docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It is not known yet: files change, or the network is down.
    Unknown,
    /// There is a proxy, and a Docker that can get it.
    Ready,
    /// Docker can't get a proxy.
    Blocked {
        /// The reason.
        obstacle: Obstacle,
        /// True if the user has read about it.
        was_said: bool,
    },
}

/// The facts on which the next step depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// True if an older Baleen has welcomed the user.
    pub is_over: bool,
    /// Whether there is a proxy, and a Docker that can get it.
    pub readiness: Readiness,
    /// Whether the user has chosen.
    pub choice: Choice,
    /// True if Baleen does not start at login, and could.
    pub can_start_at_login: bool,
    /// True if macOS does not let Baleen change Docker.
    pub is_denied: bool,
    /// What became of [`Question::UseProxy`].
    pub use_proxy: Past,
    /// What became of [`Question::StartAtLogin`].
    pub start_at_login: Past,
    /// What became of [`Question::AllowChanges`].
    pub allow_changes: Past,
}

/// The next step of the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is nothing to ask or to say, at least for now.
    Nothing,
    /// A question follows, once the user has had the time to answer the one before.
    Wait,
    /// Ask this.
    Ask(Question),
    /// Say why nothing is asked.
    Say(Obstacle),
}

/// Decides the next step.
pub(crate) fn next(facts: &Facts) -> Step {
    if facts.is_over {
        return Step::Nothing;
    }
    match facts.choice {
        Choice::Off => Step::Nothing,
        // An obstacle that goes away later leaves the question to be asked, and one that comes later leaves the
        // question as it was asked.
        Choice::None if facts.use_proxy != Past::NotAsked => Step::Nothing,
        Choice::None => match facts.readiness {
            Readiness::Ready => Step::Ask(Question::UseProxy),
            Readiness::Blocked {
                obstacle,
                was_said: false,
            } => Step::Say(obstacle),
            Readiness::Blocked { .. } | Readiness::Unknown => Step::Nothing,
        },
        Choice::On if facts.can_start_at_login && facts.start_at_login == Past::NotAsked => {
            Step::Ask(Question::StartAtLogin)
        }
        // Only now it is certain that the permission is needed.
        Choice::On if facts.is_denied && facts.allow_changes == Past::NotAsked => {
            match facts.start_at_login {
                Past::Open => Step::Wait,
                Past::NotAsked | Past::Ignored | Past::Answered => {
                    Step::Ask(Question::AllowChanges)
                }
            }
        }
        Choice::On => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASTS: [Past; 4] = [Past::NotAsked, Past::Open, Past::Ignored, Past::Answered];
    const BOOLS: [bool; 2] = [false, true];
    const OBSTACLES: [Obstacle; 7] = [
        Obstacle::NoDocker,
        Obstacle::Locked,
        Obstacle::OwnSettings,
        Obstacle::Unusable,
        Obstacle::NoProxy,
        Obstacle::ScriptUnreachable,
        Obstacle::SettingsUnusable,
    ];

    fn readinesses() -> Vec<Readiness> {
        let mut all = vec![Readiness::Unknown, Readiness::Ready];
        for obstacle in OBSTACLES {
            all.extend(BOOLS.map(|was_said| Readiness::Blocked { obstacle, was_said }));
        }
        all
    }

    /// Every combination of facts.
    fn all() -> Vec<Facts> {
        let mut all = Vec::new();
        for readiness in readinesses() {
            for choice in [Choice::None, Choice::On, Choice::Off] {
                for (use_proxy, start_at_login, allow_changes) in PASTS.iter().flat_map(|a| {
                    let pairs = PASTS.iter().flat_map(|b| PASTS.iter().map(move |c| (b, c)));
                    pairs.map(move |(b, c)| (*a, *b, *c))
                }) {
                    for bits in 0..8 {
                        all.push(Facts {
                            is_over: bits & 1 != 0,
                            readiness,
                            choice,
                            can_start_at_login: bits & 2 != 0,
                            is_denied: bits & 4 != 0,
                            use_proxy,
                            start_at_login,
                            allow_changes,
                        });
                    }
                }
            }
        }
        all
    }

    /// For every combination, the first line of this table that fits says what happens.
    #[test]
    fn the_next_step_for_every_combination_of_facts() {
        type Fits = fn(&Facts) -> bool;
        type Gives = fn(&Facts) -> Step;
        type Line = (&'static str, Fits, Gives);
        let not_asked = |past| past == Past::NotAsked;
        let table: [Line; 9] = [
            (
                "welcomed by an older Baleen",
                |f| f.is_over,
                |_| Step::Nothing,
            ),
            (
                "switched off",
                |f| f.choice == Choice::Off,
                |_| Step::Nothing,
            ),
            (
                "the first question was asked",
                |f| f.choice == Choice::None && f.use_proxy != Past::NotAsked,
                |_| Step::Nothing,
            ),
            (
                "ready",
                |f| f.choice == Choice::None && f.readiness == Readiness::Ready,
                |_| Step::Ask(Question::UseProxy),
            ),
            (
                "an obstacle, not reported yet",
                |f| {
                    f.choice == Choice::None
                        && matches!(
                            f.readiness,
                            Readiness::Blocked {
                                was_said: false,
                                ..
                            }
                        )
                },
                |f| match f.readiness {
                    Readiness::Blocked { obstacle, .. } => Step::Say(obstacle),
                    _ => unreachable!(),
                },
            ),
            (
                "reported, or unknown",
                |f| f.choice == Choice::None,
                |_| Step::Nothing,
            ),
            (
                "on, and not started at login",
                |f| f.can_start_at_login && f.start_at_login == Past::NotAsked,
                |_| Step::Ask(Question::StartAtLogin),
            ),
            (
                "on, and denied",
                |f| f.is_denied && f.allow_changes == Past::NotAsked,
                |f| match f.start_at_login {
                    Past::Open => Step::Wait,
                    _ => Step::Ask(Question::AllowChanges),
                },
            ),
            ("on, and all was asked", |_| true, |_| Step::Nothing),
        ];
        let mut seen = [0; 9];
        let all = all();
        assert_eq!(all.len(), 16 * 3 * 64 * 8);
        for facts in &all {
            let line = table.iter().position(|(_, fits, _)| fits(facts)).unwrap();
            seen[line] += 1;
            let (name, _, expected) = &table[line];
            assert_eq!(next(facts), expected(facts), "{name}: {facts:?}");
            // What the table can't get wrong.
            if let Step::Ask(question) = next(facts) {
                let past = match question {
                    Question::UseProxy => facts.use_proxy,
                    Question::StartAtLogin => facts.start_at_login,
                    Question::AllowChanges => facts.allow_changes,
                };
                assert!(not_asked(past), "asked twice: {facts:?}");
            }
        }
        assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    }

    /// Whatever the user does and however the facts change, each question comes once at most.
    #[test]
    fn nothing_is_asked_or_said_twice_by_whatever_way_one_gets_there() {
        let mut kept = FirstRun::default();
        let mut steps = Vec::new();
        // Every fact, forwards and backwards, with a restart (of the state file) after each step.
        let facts = all();
        for facts in facts.iter().chain(facts.iter().rev()) {
            let past = |question| kept.past(question, facts.can_start_at_login);
            let readiness = match facts.readiness {
                Readiness::Blocked { obstacle, .. } => Readiness::Blocked {
                    obstacle,
                    was_said: kept.was_said(obstacle),
                },
                other => other,
            };
            let facts = Facts {
                is_over: kept.is_over(),
                readiness,
                use_proxy: past(Question::UseProxy),
                start_at_login: past(Question::StartAtLogin),
                allow_changes: past(Question::AllowChanges),
                ..*facts
            };
            match next(&facts) {
                Step::Ask(question) => {
                    kept.ask(question);
                    steps.push(Step::Ask(question));
                }
                Step::Say(obstacle) => {
                    kept.say(obstacle);
                    steps.push(Step::Say(obstacle));
                }
                Step::Wait | Step::Nothing => {}
            }
            let written = serde_json::to_string(&kept).unwrap();
            kept = serde_json::from_str(&written).unwrap();
        }
        let count = steps.len();
        steps.dedup();
        assert_eq!(steps.len(), count);
        for question in [
            Question::UseProxy,
            Question::StartAtLogin,
            Question::AllowChanges,
        ] {
            let asked = steps.iter().filter(|step| **step == Step::Ask(question));
            assert_eq!(asked.count(), 1, "{question:?}");
        }
        for obstacle in OBSTACLES {
            let said = steps.iter().filter(|step| **step == Step::Say(obstacle));
            assert!(said.count() <= 1, "{obstacle:?}");
        }
    }

    #[test]
    fn an_answer_is_kept_and_a_question_that_is_asked_again_keeps_it() {
        let mut kept = FirstRun::default();
        kept.ask(Question::UseProxy);
        assert_eq!(kept.past(Question::UseProxy, true), Past::Open);
        assert_eq!(kept.past(Question::UseProxy, false), Past::Ignored);
        kept.answer(Question::UseProxy, false);
        kept.ask(Question::UseProxy);
        assert_eq!(kept.past(Question::UseProxy, true), Past::Answered);
        let written = serde_json::to_string(&kept).unwrap();
        assert_eq!(
            written,
            r#"{"asked":{"use-proxy":false},"said":[],"is_over":false}"#
        );
        assert!(FirstRun::over().is_over());
        let of_the_future: FirstRun = serde_json::from_str("{}").unwrap();
        assert_eq!(of_the_future, FirstRun::default());
    }
}
