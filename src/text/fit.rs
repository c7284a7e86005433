//! Texts within the room that a notification has: a line for the title, two for the body.

/// Maximum number of characters of a title, which has one line.
///
/// In Xfce's notification, in DejaVu Sans (a wide font) at 10 points, a title has 290 pixels: 35 characters in bold, and a
/// line of the body 43. A Mac's own font is narrower; what fits there is a step of `packaging/macos/SMOKE.md`.
pub const MAX_TITLE_LEN: usize = 40;
/// Maximum number of characters of a body, which has two lines.
pub const MAX_BODY_LEN: usize = 88;

/// A text that fits, and all of it if that is more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The title, with at most [`MAX_TITLE_LEN`] characters.
    pub title: String,
    /// The body, with at most [`MAX_BODY_LEN`] characters.
    pub body: String,
    /// The whole text, if not all of it fits.
    pub details: Option<String>,
}

/// Returns the sentences that fit, or the beginning of the first one.
pub fn fit(title: &str, body: &str) -> Fitted {
    let fitted = Fitted {
        title: within(title, MAX_TITLE_LEN),
        body: sentences_within(body, MAX_BODY_LEN),
        details: None,
    };
    if fitted.title == title && fitted.body == body {
        return fitted;
    }
    Fitted {
        details: Some(format!("{title}\n\n{body}\n")),
        ..fitted
    }
}

/// Returns as many whole sentences from the beginning of `text` as fit, or the beginning of its first sentence.
fn sentences_within(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let text = &with_short_paths(text);
    if text.chars().count() <= limit {
        return text.clone();
    }
    // A sentence ends before a capital letter, or before what begins one without: a URL, a path, a command, or macOS.
    let begins = |next: &str| {
        let small = ["macOS", "http://", "https://", "/", "…/", "`"];
        next.starts_with(char::is_uppercase) || small.iter().any(|start| next.starts_with(start))
    };
    let ends = text
        .match_indices(". ")
        .filter(|(at, _)| begins(&text[at + 2..]))
        .map(|(at, _)| at + 1);
    let fitting = ends
        .filter(|end| text[..*end].chars().count() <= limit)
        .last();
    match fitting {
        Some(end) => text[..end].to_owned(),
        None => within(text, limit),
    }
}

/// Returns the text with only the last part of each long path: the rest of the sentence is what is news.
fn with_short_paths(text: &str) -> String {
    const MAX_PATH_LEN: usize = 24;
    let short = |word: &str| match word.rsplit_once('/') {
        Some((folder, name)) if folder.starts_with('/') && word.len() > MAX_PATH_LEN => {
            format!("…/{name}")
        }
        _ => word.to_owned(),
    };
    let words: Vec<String> = text.split(' ').map(short).collect();
    words.join(" ")
}

/// Returns the beginning of `text`, cut between two words if it is too long.
fn within(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let end = text
        .char_indices()
        .nth(limit - 1)
        .map_or(text.len(), |(end, _)| end);
    let cut = &text[..end];
    // A single long word, such as a path, is cut inside.
    let cut = match cut.rsplit_once(' ') {
        Some((words, _)) if words.len() >= cut.len() / 2 => words,
        _ => cut,
    };
    format!("{}…", cut.trim_end_matches([' ', ',', ':', ';', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_cut_where_it_hurts_least() {
        let long = "x".repeat(100);
        for (text, limit, expected) in [
            ("Short.", 10, "Short."),
            ("One. Two. Three is longer.", 12, "One. Two."),
            (
                "Docker 1.12. it has 4.5. And more of it.",
                30,
                "Docker 1.12. it has 4.5.",
            ),
            (
                "/Users/me/Library/Containers/x/tty, which is in use. More.",
                29,
                "…/tty, which is in use. More.",
            ),
            ("Quit it. macOS opened it elsewhere.", 20, "Quit it."),
            ("one long sentence without an end", 20, "one long sentence…"),
            ("one long, sentence", 10, "one long…"),
            (&*long, 10, "xxxxxxxxx…"),
            ("ä ö ü ß é è ê", 6, "ä ö…"),
        ] {
            assert_eq!(sentences_within(text, limit), expected, "{text}");
        }
    }
}
