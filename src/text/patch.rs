//! The words about boot images and the changes to them.

use crate::backend::{Step, Unpatched, Warning};
use crate::proxy::Unsafe;

impl Step {
    /// Returns the name of the step, as in "reading".
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Rebuilding => "rebuilding",
            Self::Verifying => "verifying",
        }
    }
}

impl Warning {
    /// Returns the sentence, without its period.
    pub(crate) fn sentence(&self) -> String {
        let not_flushed = |error, old| {
            format!(
                "{error}; until the system has written it by itself, a power cut may bring the {old} boot image back"
            )
        };
        match self {
            Self::PatchNotFlushed(error) => not_flushed(error, "old"),
            Self::RestoreNotFlushed(error) => not_flushed(error, "patched"),
            Self::NotForContainers(entries) => format!(
                "left out of the list for containers, which reach these through the proxy: {}",
                entries
                    .iter()
                    .map(not_for_containers)
                    .collect::<Vec<_>>()
                    .join("; ")
            ),
            Self::WrittenTo(image) => format!(
                "{} was written to at the very moment when Baleen replaced it; if Docker is being updated, install it again",
                image.display()
            ),
        }
    }
}

impl Unpatched {
    /// Returns advice on how to start Docker without the proxy that was set by hand.
    pub(crate) fn way_out(&self) -> Option<String> {
        match self {
            Self::ByHand {
                stock: Some(stock), ..
            } => Some(format!(
                "{} sets no proxy: to use it, quit Docker and rename it to initrd.img",
                stock.display()
            )),
            Self::ByHand { stock: None, .. } => {
                Some("installing Docker again takes it out".to_owned())
            }
            Self::InSettings { .. } => Some("`baleen restore` leaves it as it is".to_owned()),
            Self::Unchecked | Self::Clean | Self::OwnSettings => None,
        }
    }

    /// Returns a phrase for the image after it has replaced a patched one, as the object of a
    /// sentence.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Clean => "its own boot image".to_owned(),
            Self::OwnSettings => "the settings that it had before Baleen".to_owned(),
            Self::InSettings { summary } => format!("its own settings, which set {summary}"),
            Self::Unchecked => "the boot image that it had before Baleen".to_owned(),
            Self::ByHand { line, .. } => format!(
                "the boot image that it had before Baleen, in which a proxy is set by hand ({line})"
            ),
        }
    }
}

/// Names an entry that can't be said to all programs in containers, and who misreads it.
fn not_for_containers((entry, reason): &(String, Unsafe)) -> String {
    let who = match reason {
        Unsafe::Network => "wget, apt, npm, Python and Perl know no networks",
        Unsafe::Pattern => "most programs take a pattern or a port for a part of the name",
        Unsafe::Ipv6 => "some programs want brackets around it, and httpx fails with them",
    };
    format!("{entry} ({who})")
}
