//! The icon of each state, as rendered by `assets/render.sh`. It has only opacity, since macOS paints such
//! icons black or white to match its menu bar.

use crate::reconcile::State;

/// Width and height in pixels: 22 points on a screen with two pixels per point.
pub(super) const SIZE: u32 = 44;

const PIXELS: usize = (SIZE * SIZE) as usize;

macro_rules! icon {
    ($name:literal) => {
        include_bytes!(concat!("../../assets/menu/", $name, ".alpha"))
    };
}

/// The opacity of each pixel, row by row.
pub(super) fn alpha(state: State) -> &'static [u8; PIXELS] {
    match state {
        State::Off => icon!("off"),
        State::Current => icon!("current"),
        State::Direct => icon!("direct"),
        State::Stale => icon!("stale"),
        State::Wiped => icon!("wiped"),
        State::Foreign => icon!("foreign"),
        State::Updating => icon!("updating"),
        State::Unsupported => icon!("unsupported"),
        State::NotPermitted => icon!("not-permitted"),
        State::NoDocker => icon!("no-docker"),
        State::Locked => icon!("locked"),
        State::NotAnswering => icon!("not-answering"),
        State::RestartNeeded => icon!("restart-needed"),
    }
}

/// Returns the icon as red, green, blue and opacity of each pixel.
///
/// macOS ignores the color. On other systems it is unknown whether the panel is light or dark, so this gray
/// has the same contrast (4.5 to 1) with white and with black.
pub(super) fn rgba(state: State) -> Vec<u8> {
    const GREY: u8 = 0x76;
    let grey = if cfg!(target_os = "macos") { 0 } else { GREY };
    alpha(state)
        .iter()
        .flat_map(|&alpha| [grey, grey, grey, alpha])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_an_icon_of_its_own_with_a_margin() {
        for (number, state) in State::ALL.into_iter().enumerate() {
            let icon = alpha(state);
            let solid = icon.iter().filter(|&&alpha| alpha > 200).count();
            assert!((100..1500).contains(&solid), "{state:?}: {solid}");
            let corners = [0, SIZE - 1, SIZE * (SIZE - 1), SIZE * SIZE - 1];
            assert!(
                corners.iter().all(|&at| icon[at as usize] == 0),
                "{state:?}"
            );
            for other in &State::ALL[..number] {
                let differ = |(one, two): (&u8, &u8)| one.abs_diff(*two) > 128;
                let pixels = icon
                    .iter()
                    .zip(alpha(*other))
                    .filter(|&pair| differ(pair))
                    .count();
                assert!(
                    pixels > 20,
                    "{state:?} and {other:?} differ in {pixels} pixels"
                );
            }
        }
    }
}
