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
                "{}, from Docker's next start on{}",
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

    /// Returns the advice for someone who keeps the engine right by hand.
    pub(crate) fn next_step(&self, face: Face) -> Option<String> {
        let advice = match (self, face) {
            (
                Self::Wiped {
                    obstacle: None,
                    is_named,
                    ..
                },
                Face::CommandLine,
            ) => match is_named {
                true => "`baleen apply` with the same proxy as before puts it back",
                false => "`baleen apply` puts it back",
            },
            (
                Self::Different { .. }
                | Self::NoProxySetAnyMore { .. }
                | Self::ScriptUnreachableNow { .. },
                Face::CommandLine,
            ) => "`baleen apply`, with the same options as here, brings it up to date",
            (Self::CannotFollow(_), Face::CommandLine) => "`baleen apply` sets it",
            (Self::PutBack, Face::CommandLine) => {
                "`baleen apply` sets it again; if it is put back again, ask the administrator of this Mac"
            }
            (Self::PutBack, Face::Menu) => {
                "choose Check and Repair Now to set it again; if it is put back again, ask the administrator of this Mac"
            }
            (Self::Unwanted(_), Face::CommandLine) => "`baleen restore` takes it out",
            _ => return self.hint(face),
        };
        Some(advice.to_owned())
    }

    /// Returns the advice about a failure.
    pub fn hint(&self, face: Face) -> Option<String> {
        match self {
            Self::Stuck(_) => Some("if no update is under way, install Docker again".to_owned()),
            Self::ByHand(found) if face == Face::CommandLine => Some(format!(
                "`baleen apply --adopt` takes it over; {}",
                found.way_out().unwrap_or_default()
            )),
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
