//! The report as one page for a browser, which loads nothing and runs nothing.
//!
//! It is HTML that is well-formed XML, too, so that a strict reader can check it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::doctor::way::{Place, Station};
use crate::doctor::{Outcome, Report, Step};
use crate::error::Face;

use super::super::notice::capitalized;
use super::{Anonymous, StepText, short_title, summary};

/// The only style that the page's policy lets a browser use. It has no `<` and no `&`.
const STYLE: &str = include_str!("page.css");

/// The shapes of the marks in a square of 24, which differ without color as well. Browsers without the style
/// draw them in the color of the text.
const GOOD: &str = r##"<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2"/><path d="M7 12.5l3.5 3.5L17 8.5" fill="none" stroke="currentColor" stroke-width="2.5"/>"##;
const WARNING: &str = r##"<path d="M12 2.5L22.5 21h-21z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/><path d="M12 9v6M12 17v2" fill="none" stroke="currentColor" stroke-width="2.5"/>"##;
const BAD: &str = r##"<path d="M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z" fill="currentColor"/><path class="ink" d="M8 8l8 8M16 8l-8 8" fill="none" stroke="#ffffff" stroke-width="2.5"/>"##;
const SKIPPED: &str = r##"<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.2"/><path d="M8 12h8" fill="none" stroke="currentColor" stroke-width="2.5"/>"##;

/// Returns the page. `facts` are names and values for its end. The advice fits `face`.
pub(crate) fn html(
    report: &Report,
    facts: &[(&str, String)],
    anonymous: Anonymous<'_>,
    face: Face,
) -> String {
    Page { anonymous, face }.of(report, facts)
}

struct Page<'a> {
    anonymous: Anonymous<'a>,
    face: Face,
}

impl Page<'_> {
    fn of(&self, report: &Report, facts: &[(&str, String)]) -> String {
        let registry = report.registry().unwrap_or_default();
        let title = self.text(&format!("Docker's way to {registry}"));
        let verdict = self.verdict(report);
        let way = self.way(report);
        let steps: String = report.shown().map(|steps| self.step(steps)).collect();
        let facts = self.list(facts);
        let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        // VoiceOver in Safari takes a list without bullets for no list, unless it has the role of one
        // (<https://developer.mozilla.org/en-US/docs/Web/CSS/list-style>).
        format!(
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta name="referrer" content="no-referrer"/>
<title>{title} - Baleen</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{verdict}</header>
<main>
<section aria-labelledby="way">
<h2 id="way">The way</h2>
<ol class="way" role="list">
{way}</ol>
</section>
<section aria-labelledby="steps">
<h2 id="steps">Steps</h2>
<ol class="steps" role="list">
{steps}</ol>
</section>
<section aria-labelledby="check">
<h2 id="check">This check</h2>
<div class="check">
{facts}</div>
</section>
</main>
<footer>
<p>Made by Baleen. This page has no password and no user's name in it, but names of hosts: look through it before you send it.</p>
</footer>
</body>
</html>
"#
        )
    }

    /// Returns the number of problems, and the first one with a link to its step, which says what to do.
    fn verdict(&self, report: &Report) -> String {
        let outcomes = [Outcome::Bad, Outcome::Warning, Outcome::Good];
        let worst = outcomes
            .into_iter()
            .find(|outcome| report.count(*outcome) > 0)
            .unwrap_or(Outcome::Skipped);
        let class = class(worst);
        let mark = mark(worst, 28);
        let text = self.text(&summary(report, |_, words| words));
        let mut verdict = format!("<p class=\"verdict {class}\">{mark}<span>{text}</span></p>\n");
        let first = report.shown().flatten();
        let mut first = first.filter(|step| step.outcome() == Outcome::Bad);
        if let Some(first) = first.next() {
            let told = StepText::of(first, self.face);
            let (id, title, found) = (first.id(), self.text(&told.title), self.inline(&told.found));
            verdict += &format!(
                "<p class=\"first\">First problem: <a href=\"#step-{id}\">{title}</a>: {found}.</p>\n"
            );
        }
        verdict
    }

    /// Returns the items of the drawing: Docker, the registry, and what is between them.
    fn way(&self, report: &Report) -> String {
        let mut is_cut = false;
        let mut items = String::new();
        for station in report.way() {
            let outcome = station.outcome();
            let cut = if is_cut { " cut" } else { "" };
            let class = class(outcome);
            let mark = mark(outcome, 44);
            let place = place(station.place);
            let detail = station.detail.as_deref().map(|detail| {
                let detail = self.text(detail);
                format!("<span class=\"quiet\">{detail}</span> ")
            });
            let detail = detail.unwrap_or_default();
            let word = station_word(&station);
            items += &format!(
                "<li class=\"{class}{cut}\">{mark}<span class=\"place\">{place}</span> {detail}<strong class=\"word\">{word}</strong></li>\n"
            );
            is_cut |= outcome == Outcome::Bad;
        }
        items
    }

    /// Returns the item of one step, or of several that were skipped for the same reason.
    fn step(&self, steps: &[Step]) -> String {
        let Some(step) = steps.first() else {
            return String::new();
        };
        let told = StepText::of(step, self.face);
        let titles: Vec<&str> = match steps {
            [_] => vec![&told.title],
            several => several.iter().map(|it| short_title(&it.subject)).collect(),
        };
        let title = self.text(&titles.join(", "));
        let (id, outcome) = (step.id(), step.outcome());
        let class = class(outcome);
        let mark = mark(outcome, 24);
        let word = word(outcome);
        let found = self.inline(&capitalized(&told.found));
        let todo = told.remedy.as_deref().map(|remedy| self.todo(remedy));
        let todo = todo.unwrap_or_default();
        let facts = self.facts(&told.facts, outcome == Outcome::Bad);
        format!(
            r#"<li id="step-{id}" class="{class}">{mark}<div class="body">
<div class="title"><h3>{title}</h3> <span class="word">{word}</span></div>
<p class="found">{found}</p>
{todo}{facts}</div></li>
"#
        )
    }

    /// Returns the advice. A line that begins with four spaces is a command.
    fn todo(&self, remedy: &str) -> String {
        let mut todo = "<div class=\"todo\">\n<h4>What to do</h4>\n".to_owned();
        let lines: Vec<&str> = remedy.lines().collect();
        let is_command = |line: &&str| line.starts_with("    ");
        for lines in lines.chunk_by(|one, next| is_command(one) == is_command(next)) {
            let text: Vec<String> = lines
                .iter()
                .map(|line| match is_command(line) {
                    true => self.text(&line[4..]),
                    false => self.inline(line),
                })
                .collect();
            let text = text.join("\n");
            todo += &match lines.first().is_some_and(is_command) {
                true => format!("<pre><code>{text}</code></pre>\n"),
                false => format!("<p class=\"found\">{}</p>\n", capitalized(&text)),
            };
        }
        todo + "</div>\n"
    }

    /// Returns the facts of a step behind a line that opens them.
    fn facts(&self, facts: &Value, is_open: bool) -> String {
        let Some(facts) = facts.as_object() else {
            return String::new();
        };
        let facts: Vec<(String, String)> = facts
            .iter()
            .flat_map(|(name, value)| rows(name, value))
            .collect();
        if facts.is_empty() {
            return String::new();
        }
        let open = if is_open { " open=\"open\"" } else { "" };
        let list = self.list(&facts);
        format!("<details{open}><summary>Facts</summary>\n{list}</details>\n")
    }

    fn list(&self, facts: &[(impl AsRef<str>, String)]) -> String {
        let mut list = "<dl>\n".to_owned();
        for (name, value) in facts {
            let (name, value) = (self.text(name.as_ref()), self.text(value));
            list += &format!("<dt>{name}</dt><dd>{value}</dd>\n");
        }
        list + "</dl>\n"
    }

    /// Returns text without the user's names, for between two tags.
    fn text(&self, text: &str) -> String {
        escaped(&self.anonymous.apply(text))
    }

    /// Returns a sentence, with what is between backquotes as code.
    fn inline(&self, text: &str) -> String {
        let text = self.text(text);
        let parts: Vec<&str> = text.split('`').collect();
        if parts.len().is_multiple_of(2) {
            return text;
        }
        let mut marked = String::new();
        for (number, part) in parts.iter().enumerate() {
            match number % 2 {
                0 => marked += part,
                _ => marked += &format!("<code>{part}</code>"),
            }
        }
        marked
    }
}

/// Returns the text without a character that HTML or XML reads as anything but text, that neither allows, or that
/// changes the direction of what follows.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' => escaped.push('\n'),
            '\t' | '\r' => escaped.push(' '),
            c if c.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            // Noncharacters, the last two of each plane.
            c if u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c) => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns the rows of a fact, one for each of its parts.
fn rows(name: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(parts) => parts
            .iter()
            .map(|(part, value)| (format!("{name}.{part}"), shown(value)))
            .collect(),
        value => vec![(name.to_owned(), shown(value))],
    }
}

/// Returns a fact on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "none".to_owned(),
        Value::Array(all) => {
            let between = if all.iter().any(Value::is_object) {
                "; "
            } else {
                ", "
            };
            let all: Vec<String> = all.iter().map(shown).collect();
            all.join(between)
        }
        Value::Object(parts) => {
            let parts = parts
                .iter()
                .map(|(name, value)| format!("{name}: {}", shown(value)));
            parts.collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) => number.to_string(),
    }
}

fn mark(outcome: Outcome, size: u8) -> String {
    let shape = match outcome {
        Outcome::Good => GOOD,
        Outcome::Warning => WARNING,
        Outcome::Bad => BAD,
        Outcome::Skipped => SKIPPED,
    };
    // A word beside it says the same.
    format!(
        "<svg class=\"mark\" width=\"{size}\" height=\"{size}\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">{shape}</svg>"
    )
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Good => "good",
        Outcome::Warning => "warning",
        Outcome::Bad => "bad",
        Outcome::Skipped => "skipped",
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Good => "OK",
        Outcome::Warning => "Warning",
        Outcome::Bad => "Problem",
        Outcome::Skipped => "Skipped",
    }
}

fn station_word(station: &Station<'_>) -> &'static str {
    match station.outcome() {
        Outcome::Good if station.is_partly_checked() => "OK so far",
        Outcome::Skipped => "Not checked",
        outcome => word(outcome),
    }
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Docker => "Docker",
        Place::Engine => "Engine in the VM",
        Place::Relay => "Baleen&#39;s relay",
        Place::Proxy => "Proxy",
        Place::Registry => "Registry",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::doctor::docker_app::BundleFinding;
    use crate::doctor::route::{AddressFinding, FirstHost};
    use crate::doctor::{Finding, Skip, Subject};
    use crate::net::HostPort;

    fn step(subject: Subject, finding: Finding) -> Step {
        Step { subject, finding }
    }

    fn page(version: &str, facts: &[(&str, String)]) -> String {
        let registry: HostPort = "registry.corp".parse().unwrap();
        let bundle = BundleFinding::Found {
            path: Path::new("/Users/jane/Docker.app").to_owned(),
            version: version.to_owned(),
            build: "1".to_owned(),
        };
        let address = AddressFinding::NotFound {
            why: None,
            host: FirstHost::Proxy,
            other_route: None,
        };
        let skipped = |subject| step(subject, Finding::Skipped(Skip::Earlier));
        let report = Report {
            steps: vec![
                step(Subject::Bundle, Finding::Bundle(bundle)),
                step(
                    Subject::Address(Some(version.to_owned())),
                    Finding::Address(address),
                ),
                skipped(Subject::Tls(registry.clone())),
                skipped(Subject::Registry(registry)),
            ],
        };
        let anonymous = Anonymous {
            home: Some(Path::new("/Users/jane")),
            user: Some("jane"),
            proxy_users: &["CORP\\jane".to_owned()],
        };
        html(&report, facts, anonymous, Face::Menu)
    }

    /// Asserts that each tag is closed in order, that attributes are quoted, and that each `&` begins a known name.
    #[track_caller]
    fn assert_well_formed(page: &str) {
        let mut rest = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        let mut open = Vec::new();
        while let Some(at) = rest.find('<') {
            let (text, tag) = rest.split_at(at);
            assert!(
                !text.contains('>') || open.last() == Some(&"style"),
                "{text}"
            );
            let end = tag.find('>').unwrap();
            let inside = &tag[1..end];
            rest = &tag[end + 1..];
            if let Some(name) = inside.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{inside}");
                continue;
            }
            assert_eq!(inside.matches('"').count() % 2, 0, "{inside}");
            let name = inside.split([' ', '/']).next().unwrap();
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(!name.is_empty() && name.chars().all(is_name), "{inside}");
            if !inside.ends_with('/') {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<&str>::new());
        for (at, _) in page.match_indices('&') {
            let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
            assert!(
                known.iter().any(|name| page[at..].starts_with(name)),
                "{}",
                &page[at..]
            );
        }
        let is_bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!page.contains(is_bad));
    }

    #[test]
    fn hostile_text_stays_text() {
        let usual = page("1.12.0", &[]);
        assert_well_formed(&usual);
        let tags = usual.matches('<').count();
        let long = "x".repeat(20_000);
        for hostile in [
            "<script>alert(1)</script>",
            "</p></li></ol></body><img src=x onerror=alert(1)>",
            "\" onmouseover=\"alert(1)",
            "' style='x",
            "&lt;b&gt; &#60;b> & &&",
            "]]><!-- <![CDATA[ --> <?php",
            "\0\u{1}\u{8}\u{b}\u{c}\u{1b}[31m\u{7f}\u{85}\r\n\t\u{9f}",
            "\u{202e}desrever\u{2066}\u{200f}\u{61c}\u{fffe}\u{ffff}\u{fdd0}\u{1fffe}",
            "a ` b",
            &long,
        ] {
            let page = page(hostile, &[("system", hostile.to_owned())]);
            assert_well_formed(&page);
            assert_eq!(page.matches('<').count(), tags + 4, "{page}");
            for bad in [
                "<script", "<img", "<!--", "\u{202e}", "\u{61c}", "\u{ffff}", "\r",
            ] {
                assert!(!page.contains(bad), "{bad:?} in {page}");
            }
        }
    }

    #[test]
    fn the_users_names_are_replaced_before_anything_is_escaped() {
        let facts = [(
            "proxy",
            "http://CORP\\jane:***@p:1 of 'CORP\\jane'".to_owned(),
        )];
        let page = page("for CORP\\jane@p:80", &facts);
        assert!(!page.contains("jane"), "{page}");
        for shown in [
            "~/Docker.app",
            "http://USER:***@p:1",
            "&#39;USER&#39;",
            "for USER@p:80",
        ] {
            assert!(page.contains(shown), "no {shown} in {page}");
        }
    }

    #[test]
    fn sentences_begin_with_a_capital_letter_and_names_do_not() {
        for (text, expected) in [
            ("none is set", "None is set"),
            ("it has no address", "It has no address"),
            ("skipped: x", "skipped: x"),
            ("`baleen apply` sets it", "`baleen apply` sets it"),
            (
                "proxy.corp:80 takes connections",
                "proxy.corp:80 takes connections",
            ),
            (
                "http://p:1, which Docker has",
                "http://p:1, which Docker has",
            ),
            ("check", "Check"),
            ("", ""),
            ("\u{e9}t\u{e9} x", "\u{e9}t\u{e9} x"),
        ] {
            assert_eq!(capitalized(text), expected);
        }
    }

    /// Returns the colors of each scheme by name.
    fn schemes() -> [BTreeMap<&'static str, [f64; 3]>; 2] {
        let mut schemes = STYLE.split("prefers-color-scheme: dark").map(|part| {
            let declared = part.split([';', '{', '}']).filter_map(|line| {
                let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
                let byte = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).unwrap();
                Some((
                    name,
                    [byte(0), byte(2), byte(4)].map(|byte| f64::from(byte) / 255.0),
                ))
            });
            // The last rules are for printing.
            let mut colors = BTreeMap::new();
            for (name, color) in declared {
                colors.entry(name).or_insert(color);
            }
            colors
        });
        [schemes.next().unwrap(), schemes.next().unwrap()]
    }

    /// The contrast ratio of WCAG 2.2 (<https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>).
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |color: [f64; 3]| {
            let linear = color.map(|c| match c <= 0.04045 {
                true => c / 12.92,
                false => ((c + 0.055) / 1.055).powf(2.4),
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_can_be_read_in_both_schemes() {
        for colors in schemes() {
            let mut pairs = vec![("line", "card", 3.0), ("line", "page", 3.0)];
            for text in ["text", "quiet", "good", "warning", "bad", "skipped"] {
                pairs.extend([(text, "page", 4.5), (text, "card", 4.5)]);
            }
            pairs.extend([("text", "todo", 4.5), ("text", "code", 4.5)]);
            for (text, ground, least) in pairs {
                let found = contrast(colors[text], colors[ground]);
                assert!(found >= least, "{text} on {ground}: {found:.2}");
            }
        }
        assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 0.01);
    }

    #[test]
    fn the_page_loads_and_runs_nothing() {
        let page = page("1.12.0", &[]);
        for word in [
            "<script",
            "<link",
            "<img",
            " src=",
            "url(",
            "@import",
            " style=",
            "javascript:",
            "onload",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        for (at, _) in page.match_indices("href=\"") {
            assert!(page[at..].starts_with("href=\"#step-"));
        }
        assert!(!STYLE.contains(['<', '&']));
    }
}
