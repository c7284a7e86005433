//! The icon of each shape, as rendered by `assets/render.sh`. It has only opacity, since macOS paints such
//! icons black or white to match its menu bar.

use super::menu::Shape;

/// Width and height in pixels: 18 points on a screen with two pixels per point. `tray_icon` scales icons to 18 points
/// on macOS, so this size keeps the drawing on whole pixels on screens of either kind.
pub(super) const SIZE: u32 = 36;

const PIXELS: usize = (SIZE * SIZE) as usize;

macro_rules! icon {
    ($name:literal) => {
        include_bytes!(concat!("../../assets/menu/", $name, ".alpha"))
    };
}

/// The opacity of each pixel, row by row.
pub(super) fn alpha(shape: Shape) -> &'static [u8; PIXELS] {
    match shape {
        Shape::Off => icon!("off"),
        Shape::On => icon!("on"),
        Shape::Attention => icon!("attention"),
        Shape::Working => icon!("working"),
    }
}

/// Returns the icon as red, green, blue and opacity of each pixel.
///
/// macOS ignores the color. On other systems it is unknown whether the panel is light or dark, so this gray
/// has the same contrast (4.5 to 1) with white and with black.
pub(super) fn rgba(shape: Shape) -> Vec<u8> {
    const GREY: u8 = 0x76;
    let grey = if cfg!(target_os = "macos") { 0 } else { GREY };
    alpha(shape)
        .iter()
        .flat_map(|&alpha| [grey, grey, grey, alpha])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_an_icon_of_its_own_with_a_margin() {
        for (number, shape) in Shape::ALL.into_iter().enumerate() {
            let icon = alpha(shape);
            let solid = icon.iter().filter(|&&alpha| alpha > 200).count();
            assert!((100..1000).contains(&solid), "{shape:?}: {solid}");
            let corners = [0, SIZE - 1, SIZE * (SIZE - 1), SIZE * SIZE - 1];
            assert!(
                corners.iter().all(|&at| icon[at as usize] == 0),
                "{shape:?}"
            );
            for other in &Shape::ALL[..number] {
                let differ = |(one, two): (&u8, &u8)| one.abs_diff(*two) > 128;
                let pixels = icon
                    .iter()
                    .zip(alpha(*other))
                    .filter(|&pair| differ(pair))
                    .count();
                assert!(
                    pixels > 60,
                    "{shape:?} and {other:?} differ in {pixels} pixels"
                );
            }
        }
    }
}
