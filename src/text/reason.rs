//! The sentence for each reason of a state, without its period, and the advice.

use crate::backend::Unpatched;
use crate::error::{Diagnostic, Face};
use crate::proxy::RedactedProxy;
use crate::reconcile::{Obstacle, Reason};

use super::by_hand;

impl Reason {
    /// Returns the sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoDocker(why)
            | Self::Incomplete(why)
            | Self::Blocked(why)
            | Self::NotAnswering(why)
            | Self::Config(why)
            | Self::Refused(why) => why.sentence(),
            Self::FollowsSystem(proxy) => format!(
                "Docker follows the proxy of this computer's settings by itself ({})",
                proxy.summary()
            ),
            Self::CannotFollow(proxy) => format!(
                "Docker follows this computer's settings by itself, but can't use them as they are; it should get {}",
                proxy.summary()
            ),
            Self::PutBack => "Docker's own settings were put back after Baleen set its proxy, by a policy or in Docker's window".to_owned(),
            Self::Containers { desired: true } => {
                "Docker has the proxy, but containers should get it, too".to_owned()
            }
            Self::Containers { desired: false } => {
                "Docker has the proxy, but containers should not get it any more".to_owned()
            }
            Self::Moving => "Docker is being updated: its files still change".to_owned(),
            Self::Stuck(reason) => format!(
                "Docker.app is not whole, and nothing has changed in it for a while: {}",
                reason.sentence()
            ),
            Self::ByHand(Unpatched::InSettings { summary }) => format!(
                "Docker's own settings set another proxy, which is not Baleen's ({summary})"
            ),
            Self::ByHand(found) => format!(
                "the boot image carries a proxy that was not put there by Baleen ({})",
                found.by_hand().unwrap_or_default()
            ),
            Self::NotPatched(found) => without_patch(found),
            Self::Unwanted(proxy) => {
                format!("{}, but no proxy is wanted any more", gets(proxy))
            }
            Self::InPlace(proxy) if proxy.is_relay() => format!(
                "{}, which follows this computer's settings: nothing is restarted when they change",
                gets(proxy)
            ),
            Self::InPlace(proxy) => gets(proxy),
            Self::NamedInPlace { proxy, .. } => format!(
                "{}, which was named by hand{}",
                gets(proxy),
                self.remark().unwrap_or_default()
            ),
            Self::Unverified { proxy, .. } => {
                format!("{}{}", gets(proxy), self.remark().unwrap_or_default())
            }
            Self::NoProxySet { origin } => {
                format!("no proxy is set in {origin}, and the engine has none either")
            }
            Self::ScriptUnreachable => {
                "the PAC script can't be reached, so the engine goes direct".to_owned()
            }
            Self::Wiped {
                version,
                unpatched,
                obstacle,
                ..
            } => {
                let image = match unpatched {
                    Unpatched::Clean => "its own boot image, without the proxy",
                    Unpatched::OwnSettings => "its own settings again, without Baleen's proxy",
                    _ => "a boot image without Baleen's proxy",
                };
                let obstacle = match obstacle {
                    None => String::new(),
                    Some(Obstacle::Offline) => {
                        "; the network is down, so which one it should have is not known now"
                            .to_owned()
                    }
                    Some(Obstacle::Settings(why)) => format!(": {}", why.sentence()),
                };
                format!("Docker {version} has {image}{obstacle}")
            }
            Self::Different { in_place, desired } => {
                format!("{}, but {}", gets(in_place), in_place.difference(desired))
            }
            Self::NoProxySetAnyMore { in_place, origin } => {
                format!("{}, but no proxy is set in {origin}", gets(in_place))
            }
            Self::ScriptUnreachableNow { in_place } => format!(
                "{}, but the PAC script can't be reached, so it should go direct",
                gets(in_place)
            ),
            Self::NextStart(reason) => format!(
                "{}, the next time Docker starts{}",
                reason.proxy_clause(),
                reason.remark().unwrap_or_default()
            ),
            Self::StillRuns(found) => {
                let still = match found {
                    Unpatched::Clean | Unpatched::OwnSettings => "still runs with the proxy",
                    Unpatched::Unchecked => "Docker still runs with the proxy",
                    Unpatched::ByHand { .. } | Unpatched::InSettings { .. } => {
                        "Docker still runs with another one"
                    }
                };
                format!(
                    "{}, but {still} until it is restarted",
                    without_patch(found)
                )
            }
            // After an unfinished edit, the engine's proxy is unknown.
            Self::LiveUnfinished {
                unpatched,
                can_apply_live,
            } => format!(
                "{}, but a change of the running VM was not finished: restart {}",
                without_patch(unpatched),
                match can_apply_live {
                    true => "the Engine or Docker",
                    false => "Docker",
                }
            ),
            Self::LiveInProgress(reason) => format!(
                "{}; `baleen` in a terminal is bringing the running VM up to date",
                reason.image_clause()
            ),
        }
    }

    /// Returns what the engine gets, without a remark.
    fn proxy_clause(&self) -> String {
        match self {
            Self::InPlace(proxy) | Self::Unverified { proxy, .. } => gets(proxy),
            Self::NamedInPlace { proxy, .. } => {
                format!("{}, which was named by hand", gets(proxy))
            }
            other => other.sentence(),
        }
    }

    /// Returns what the boot image has. The running engine may not have it yet.
    fn image_clause(&self) -> String {
        let has = |proxy: &RedactedProxy| format!("the boot image has {}", proxy.summary());
        match self {
            Self::InPlace(proxy) => has(proxy),
            Self::NamedInPlace { proxy, .. } => format!(
                "{}, which was named by hand{}",
                has(proxy),
                self.remark().unwrap_or_default()
            ),
            Self::Unverified { proxy, .. } => {
                format!("{}{}", has(proxy), self.remark().unwrap_or_default())
            }
            Self::NotPatched(found) | Self::ByHand(found) => without_patch(found),
            other => other.sentence(),
        }
    }

    /// Returns the remark about the proxy in place.
    fn remark(&self) -> Option<String> {
        match self {
            Self::NamedInPlace { proxy, settings } => {
                let clause = by_hand::clause(proxy, settings.as_ref()?)?;
                Some(format!("; {clause}"))
            }
            Self::Unverified { why, .. } => Some(format!(
                "; whether that is right is unknown: {}",
                why.sentence()
            )),
            _ => None,
        }
    }

    /// Returns the advice for someone who keeps the engine right by hand. `has_options` tells whether options named the
    /// proxy, which `baleen apply` needs as well.
    pub(crate) fn next_step(&self, face: Face, has_options: bool) -> Option<String> {
        let (command, effect) = match self {
            Self::Wiped { obstacle: None, .. } => ("baleen apply", "put it back"),
            Self::Wiped {
                obstacle: Some(Obstacle::Offline),
                ..
            } => ("baleen apply", "put it back when the network is up again"),
            Self::Different { .. }
            | Self::NoProxySetAnyMore { .. }
            | Self::ScriptUnreachableNow { .. }
            | Self::Containers { .. } => ("baleen apply", "bring it up to date"),
            Self::CannotFollow(_) => ("baleen apply", "set it"),
            Self::PutBack => (
                "baleen apply",
                "set it again; if it is put back again, ask the administrator of this Mac",
            ),
            Self::Unwanted(_) => ("baleen restore", "take it out"),
            Self::ByHand(found) if face == Face::Menu => {
                let way_out = match found {
                    // That names a command.
                    Unpatched::InSettings { .. } => None,
                    found => found.way_out(),
                };
                let way_out = way_out.map_or(String::new(), |way_out| format!("; {way_out}"));
                return Some(format!(
                    "choose Adopt Existing Proxy to take it over{way_out}"
                ));
            }
            _ => return self.hint(face),
        };
        let with = match self {
            Self::Unwanted(_) => "",
            _ if has_options => " with the same options",
            Self::Wiped { is_named: true, .. } => " with the same proxy as before",
            _ => "",
        };
        Some(match face {
            Face::CommandLine => format!("run `{command}`{with} to {effect}"),
            Face::Menu => format!("choose Help > Check and Repair Now to {effect}"),
        })
    }

    /// Returns the advice about a failure.
    pub fn hint(&self, face: Face) -> Option<String> {
        match self {
            Self::Stuck(_) => Some("if no update is under way, install Docker again".to_owned()),
            Self::ByHand(found) if face == Face::CommandLine => Some(format!(
                "`baleen apply --adopt` takes it over; {}",
                found.way_out().unwrap_or_default()
            )),
            Self::NextStart(_) | Self::StillRuns(_) if face == Face::CommandLine => {
                Some("restart Docker (quit it from its menu, then open it again)".to_owned())
            }
            other => other
                .diagnostic()
                .and_then(|why| Diagnostic::hint(why, face)),
        }
    }
}

fn gets(proxy: &RedactedProxy) -> String {
    format!("the engine gets {}", proxy.summary())
}

/// Returns the sentence about an image without Baleen's patch.
fn without_patch(found: &Unpatched) -> String {
    match found {
        Unpatched::Clean => "Docker has its own boot image".to_owned(),
        Unpatched::OwnSettings => "Docker has its own settings, without Baleen's proxy".to_owned(),
        Unpatched::InSettings { summary } => {
            format!("Docker's own settings set another proxy ({summary})")
        }
        Unpatched::Unchecked => "Docker's boot image is not patched by Baleen".to_owned(),
        Unpatched::ByHand { line, .. } => {
            format!("Docker's boot image has a proxy set by hand ({line})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::made;
    use crate::proxy::ProxyOrigin;

    fn shown() -> RedactedProxy {
        RedactedProxy {
            http: None,
            https: Some("http://proxy.corp:80".parse().unwrap()),
            no_proxy: String::new(),
        }
    }

    fn wiped(is_named: bool, obstacle: Option<Obstacle>) -> Reason {
        Reason::Wiped {
            version: "1.12".to_owned(),
            unpatched: Unpatched::Clean,
            is_named,
            obstacle,
        }
    }

    /// The menu names no command, and a terminal no menu item.
    #[test]
    fn what_is_not_as_it_should_be_has_a_next_step_for_both_faces() {
        let in_place = shown;
        for reason in [
            Reason::Stuck(Box::new(Reason::Incomplete(made::diagnostic("no file")))),
            Reason::ByHand(Unpatched::ByHand {
                line: "export http_proxy=x".to_owned(),
                stock: None,
            }),
            Reason::ByHand(Unpatched::InSettings {
                summary: "http://other:1".to_owned(),
            }),
            Reason::Unwanted(shown()),
            wiped(false, None),
            wiped(true, None),
            wiped(false, Some(Obstacle::Offline)),
            Reason::Different {
                in_place: in_place(),
                desired: shown(),
            },
            Reason::NoProxySetAnyMore {
                in_place: in_place(),
                origin: ProxyOrigin::System,
            },
            Reason::ScriptUnreachableNow {
                in_place: in_place(),
            },
            Reason::CannotFollow(shown()),
            Reason::PutBack,
            Reason::Containers { desired: true },
        ] {
            let step = |face| reason.next_step(face, false).unwrap();
            let (terminal, menu) = (step(Face::CommandLine), step(Face::Menu));
            assert!(!menu.contains('`'), "{menu}");
            assert!(!terminal.contains("choose"), "{terminal}");
        }
    }

    #[test]
    fn options_are_named_only_where_there_were_some() {
        for (reason, has_options, expected) in [
            (
                wiped(false, None),
                false,
                "run `baleen apply` to put it back",
            ),
            (
                wiped(true, None),
                false,
                "run `baleen apply` with the same proxy as before to put it back",
            ),
            (
                wiped(true, None),
                true,
                "run `baleen apply` with the same options to put it back",
            ),
            (
                Reason::Unwanted(shown()),
                true,
                "run `baleen restore` to take it out",
            ),
        ] {
            let step = reason.next_step(Face::CommandLine, has_options);
            assert_eq!(step.as_deref(), Some(expected));
        }
    }
}
