//! The edit of `/etc/init.d/docker`: a marked block after its first line.
//!
//! The shape of the script is known from its 130 historical versions (`FACTS.md`, section 1): an
//! OpenRC service, in two shapes. The block exports both cases of each variable. From May 2016 on,
//! the script itself exports the lower-case names after the block, perhaps empty. Go reads the
//! upper-case name first and takes the first that is not empty, so the block wins in every version.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

use crate::proxy::redact;

use super::error::{OtherScript, PatchError, Result};
use super::shell;

/// The path of the script in the image.
pub const SCRIPT: &str = "etc/init.d/docker";

/// Maximum length of a script. Real ones have 4 KB; an overlay has to hold the script.
pub(crate) const MAX_SCRIPT_LEN: usize = 128 * 1024;

/// Prefixes of the first and last line of a block, in every version of Baleen.
const BEGIN_ANY: &[u8] = b"# >>> baleen";
const END_ANY: &[u8] = b"# <<< baleen";
/// Replaces a line in which someone exported a proxy.
const TAKEN_OVER: &str = ": # baleen took over the export that stood here";

/// Variables that configure a proxy, in either case.
const PROXY_VARIABLES: [&str; 5] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "ftp_proxy",
];

/// Bytes of a script, which may hold a password. They are overwritten when dropped, and never
/// printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

/// A line of the script that sets a proxy and is neither Baleen's nor Docker's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignLine {
    /// Line number, counted from 1.
    pub number: usize,
    /// The line without passwords, for display.
    pub shown: String,
    /// True if the line only sets proxies, so Baleen can take it over.
    pub can_be_adopted: bool,
}

/// The script's own lines, and the block if the script has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// All lines except the block, byte for byte.
    stock: SecretBytes,
    block: Option<SecretBytes>,
}

impl Script {
    /// Parses a script.
    ///
    /// # Errors
    /// When it is not a service script that starts Docker, or Baleen's block
    /// in it is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (stock, block) = take_out_block(bytes)?;
        let script = Self { stock, block };
        script.recognise()?;
        Ok(script)
    }

    /// The block in the script, including its markers.
    pub fn block(&self) -> Option<&[u8]> {
        self.block.as_deref()
    }

    /// All lines except the block.
    pub(super) fn stock(&self) -> &SecretBytes {
        &self.stock
    }

    /// Returns the lines that set a proxy and are neither in the block nor Docker's own.
    pub fn foreign(&self) -> Vec<ForeignLine> {
        let mut foreign = Vec::new();
        let mut continued = false;
        for (index, line) in lines(&self.stock).enumerate() {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end_matches(['\n', '\r']);
            if is_foreign(text) {
                foreign.push(ForeignLine {
                    number: index + 1,
                    shown: shown_line(text.trim(), continued),
                    can_be_adopted: !continued && only_sets_proxies(text),
                });
            }
            continued = text.ends_with('\\');
        }
        foreign
    }

    /// Returns the script with `block` in it. If `adopt` is true, foreign lines are replaced by
    /// harmless ones.
    ///
    /// # Errors
    /// When there are foreign lines and `adopt` is false, or Baleen can't
    /// take them over.
    pub fn with_block(&self, block: &str, adopt: bool) -> Result<SecretBytes> {
        let foreign = self.foreign();
        if !foreign.is_empty() && !adopt {
            return Err(PatchError::ByHand { lines: foreign });
        }
        if let Some(line) = foreign.iter().find(|line| !line.can_be_adopted) {
            let line = line.clone();
            return Err(PatchError::NotAdoptable { line });
        }
        let mut new = Vec::with_capacity(self.stock.len() + block.len());
        for (index, line) in lines(&self.stock).enumerate() {
            if foreign.iter().any(|line| line.number == index + 1) {
                // The line may be the only command of an `if`, so another command has to replace
                // it.
                let indent = line.iter().take_while(|b| b" \t".contains(b)).count();
                new.extend_from_slice(&line[..indent]);
                new.extend_from_slice(TAKEN_OVER.as_bytes());
                new.push(b'\n');
            } else {
                new.extend_from_slice(line);
            }
            if index == 0 {
                if !line.ends_with(b"\n") {
                    new.push(b'\n');
                }
                // Plain line ends even in a CRLF script: otherwise the shell would take the CR into
                // the value.
                new.extend_from_slice(block.as_bytes());
            }
        }
        if new.len() > MAX_SCRIPT_LEN {
            return Err(PatchError::ScriptTooLong { length: new.len() });
        }
        Ok(new.into())
    }

    /// Refuses a script of another shape. The error says which mark is missing.
    fn recognise(&self) -> Result<()> {
        let first = lines(&self.stock).next().unwrap_or_default();
        let interpreter = first
            .strip_prefix(b"#!")
            .and_then(|rest| rest.trim_ascii().rsplit(|&b| b == b'/').next());
        if !matches!(interpreter, Some(b"openrc-run" | b"runscript")) {
            let shown: String = String::from_utf8_lossy(first)
                .trim()
                .chars()
                .take(60)
                .collect();
            return Err(PatchError::OtherScript(OtherScript::Interpreter {
                first_line: redact(&shown),
            }));
        }
        let starts_docker = lines(&self.stock).any(|line| {
            let line = line.trim_ascii();
            line.starts_with(b"command=") || contains(line, b"start-stop-daemon")
        });
        if !starts_docker {
            return Err(PatchError::OtherScript(OtherScript::NoEngine));
        }
        Ok(())
    }
}

/// Returns the script without passwords, for display.
pub fn shown(script: &[u8]) -> String {
    let mut inside = false;
    let mut shown = String::new();
    for line in lines(script) {
        inside = (inside || line.starts_with(BEGIN_ANY)) && !line.starts_with(END_ANY);
        let text = String::from_utf8_lossy(line);
        if inside {
            // Baleen's own lines hold several encoded URLs, separated by spaces.
            let parts: Vec<String> = text.split(' ').map(redact).collect();
            shown.push_str(&parts.join(" "));
        } else {
            shown.push_str(&redact(&text));
        }
    }
    shown
}

/// Splits the bytes into the script without the block, and the block. Recognizes a block of any
/// version of Baleen.
fn take_out_block(bytes: &[u8]) -> Result<(SecretBytes, Option<SecretBytes>)> {
    let mut stock = Vec::with_capacity(bytes.len());
    let mut block: Option<Vec<u8>> = None;
    let mut inside = false;
    for line in lines(bytes) {
        let mark = line.trim_ascii();
        let (begins, ends) = (mark.starts_with(BEGIN_ANY), mark.starts_with(END_ANY));
        if begins != ends && ends != inside || begins && block.is_some() {
            return Err(PatchError::Block);
        }
        if begins || inside {
            inside = !ends;
            block
                .get_or_insert_with(|| Vec::with_capacity(bytes.len()))
                .extend_from_slice(line);
        } else {
            stock.extend_from_slice(line);
        }
    }
    if inside {
        return Err(PatchError::Block);
    }
    Ok((stock.into(), block.map(SecretBytes::from)))
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&b| b == b'\n')
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

/// Returns the line without a password. Hides the whole value if it continues in the next line or
/// began in the previous one, because the password can't be located then.
fn shown_line(line: &str, continued: bool) -> String {
    match line.split_once('=') {
        Some((name, _)) if continued || line.ends_with('\\') => format!("{name}=..."),
        _ => redact(line),
    }
}

/// Returns whether a line sets a proxy variable to a value that does not come from Docker's own
/// settings.
fn is_foreign(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with('#')
        && assignments(code).any(|value| {
            // Docker's own lines read its setting: "$(mobyconfig get proxy/http)".
            let value = value.trim_start_matches('"');
            !(value.starts_with("$(mobyconfig ") || value.starts_with("`mobyconfig "))
        })
}

/// Returns the text after the `=` of each proxy variable in the line.
fn assignments(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices('=').filter_map(|(at, _)| {
        let name_start = line[..at]
            .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(0, |before| before + 1);
        is_proxy_variable(&line[name_start..at]).then(|| &line[at + 1..])
    })
}

fn is_proxy_variable(name: &str) -> bool {
    PROXY_VARIABLES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Returns whether a line is only `[export] NAME=VALUE…` with proxy variables, so that removing it
/// changes nothing else.
fn only_sets_proxies(line: &str) -> bool {
    let Some(words) = shell::plain_words(line) else {
        return false;
    };
    let assignments = match words.split_first() {
        Some((first, rest)) if first == "export" => rest,
        _ => &words[..],
    };
    !assignments.is_empty()
        && assignments.iter().all(|word| {
            word.split_once('=')
                .is_some_and(|(name, _)| is_proxy_variable(name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{EngineProxy, NoProxy, ProxyUrl, exports};

    fn proxy(url: &str) -> EngineProxy {
        let url = ProxyUrl::parse(url).unwrap();
        EngineProxy::new(Some(url.clone()), Some(url), NoProxy::default()).unwrap()
    }

    const BLOCK: &str = "# >>> baleen: proxy for the Docker Engine (managed; edits are lost) >>>\n\
        export HTTP_PROXY='http://p:1' http_proxy='http://p:1'\n\
        export HTTPS_PROXY='http://p:1' https_proxy='http://p:1'\n\
        export NO_PROXY='localhost,127.0.0.1' no_proxy='localhost,127.0.0.1'\n\
        # <<< baleen <<<\n";

    fn edit(script: &str, adopt: bool) -> Result<String> {
        let new =
            Script::parse(script.as_bytes())?.with_block(&exports(&proxy("http://p:1")), adopt)?;
        Ok(String::from_utf8(new.to_vec()).unwrap())
    }

    #[test]
    fn the_block_comes_after_the_first_line_whatever_follows() {
        for rest in [
            "\ndepend()\n{\n\tneed net\n}\nstart() {\n\tstart-stop-daemon --start\n}\n",
            "export DOCKER_RAMDISK=\"true\"\ncommand=/usr/bin/docker\n",
            "# Docker\ncommand=/usr/bin/docker\n",
            "command=/usr/bin/docker",
            "\r\ncommand=/usr/bin/docker\r\n",
            "command=/usr/bin/docker\nif true; then\n",
        ] {
            let script = format!("#!/sbin/openrc-run\n{rest}");
            assert_eq!(
                edit(&script, false).unwrap(),
                format!("#!/sbin/openrc-run\n{BLOCK}{rest}")
            );
        }
    }

    #[test]
    fn line_ends_of_the_script_stay_and_the_block_has_its_own() {
        let script = "#!/sbin/openrc-run\r\ncommand=x\r\n";
        let expected = format!("#!/sbin/openrc-run\r\n{BLOCK}command=x\r\n");
        assert_eq!(edit(script, false).unwrap(), expected);
    }

    #[test]
    fn editing_twice_is_editing_once_and_older_blocks_are_replaced() {
        let script = "#!/sbin/openrc-run\ncommand=x\n";
        let once = edit(script, false).unwrap();
        assert_eq!(edit(&once, false).unwrap(), once);
        let old = "#!/sbin/openrc-run\ncommand=x\n# >>> baleen 0.0.1 >>>\nexport http_proxy=x\n# <<< baleen <<<\nend\n";
        let new = edit(old, false).unwrap();
        assert_eq!(new, format!("#!/sbin/openrc-run\n{BLOCK}command=x\nend\n"));
        let crlf = once.replace('\n', "\r\n");
        assert!(
            edit(&crlf, false)
                .unwrap()
                .starts_with("#!/sbin/openrc-run\r\n# >>>")
        );
        assert_eq!(edit(&crlf, false).unwrap().matches(">>> baleen").count(), 1);
    }

    #[test]
    fn a_shown_script_has_all_but_the_passwords() {
        let block = exports(&proxy("http://me:s3@cret@p:1"));
        assert!(block.contains("s3%40cret"));
        let foreign = "x='http://me:s3cret@p:1' y='http://me:s3cret@p:1'\nend";
        let shown = shown(format!("{}{foreign}", *block).as_bytes());
        assert!(!shown.contains("s3"), "{shown}");
        let line = "export HTTP_PROXY='http://me:***@p:1' http_proxy='http://me:***@p:1'\n";
        assert!(shown.contains(line), "{shown}");
        assert!(shown.ends_with("x='http://me:***@p:1'\nend"), "{shown}");
    }

    #[test]
    fn a_damaged_block_is_refused() {
        let head = "#!/sbin/openrc-run\ncommand=x\n";
        for block in [
            "# >>> baleen >>>\n",
            "# <<< baleen <<<\n",
            "# >>> baleen >>>\n# >>> baleen >>>\n# <<< baleen <<<\n",
            "# >>> baleen >>>\n# <<< baleen <<<\n# >>> baleen >>>\n# <<< baleen <<<\n",
        ] {
            let error = edit(&format!("{head}{block}"), true).unwrap_err();
            assert!(matches!(error, PatchError::Block), "{block}: {error}");
        }
    }

    #[test]
    fn other_scripts_are_refused() {
        for script in [
            "",
            "\n",
            "#!/bin/sh\nstart-stop-daemon\n",
            "command=x\n",
            "#!/sbin/openrc-run\n",
            "#!/sbin/openrc-run\necho hello\n",
            "\u{feff}#!/sbin/openrc-run\ncommand=x\n",
        ] {
            let error = edit(script, true).unwrap_err();
            assert!(
                matches!(error, PatchError::OtherScript(_)),
                "{script:?}: {error}"
            );
        }
    }

    #[test]
    fn dockers_own_lines_are_not_foreign() {
        for line in [
            "export http_proxy=\"$(mobyconfig get proxy/http)\"",
            "\t\texport no_proxy=$(mobyconfig get proxy/exclude)",
            "https_proxy=`mobyconfig get proxy/https`",
            "# export http_proxy=http://p:1",
            "export http_proxy https_proxy no_proxy",
            "echo \"$http_proxy\"",
            "my_http_proxy=x",
            "export \"${part#*:}=$(mobyconfig get proxy)\"",
        ] {
            let script = format!("#!/sbin/openrc-run\ncommand=x\n{line}\n");
            assert_eq!(
                edit(&script, false).unwrap().matches(line).count(),
                1,
                "{line}"
            );
        }
    }

    #[test]
    fn exports_made_by_hand_are_shown_and_taken_over_only_when_asked() {
        for (line, adopted) in [
            ("export http_proxy=http://me:s3cret@p:1", true),
            (
                "export HTTP_PROXY=\"http://me:s3cret@p:1\" https_proxy='x'",
                true,
            ),
            ("  http_proxy=x; export http_proxy", false),
            ("\tHTTPS_PROXY=x # mine", true),
            ("export http_proxy=x FOO=1", false),
            ("http_proxy=x start-stop-daemon --start", false),
            ("export http_proxy=\"$(cat /x)\"", false),
            ("export http_proxy=x \\", false),
            ("env ALL_PROXY=x true", false),
        ] {
            let script = format!("#!/sbin/openrc-run\ncommand=x\n{line}\nend\n");
            let refused = edit(&script, false).unwrap_err();
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
            let PatchError::ByHand { lines } = refused else {
                panic!("{line}: {refused}");
            };
            assert_eq!((lines.len(), lines[0].number), (1, 3), "{line}");
            let taken = edit(&script, true);
            assert_eq!(taken.is_ok(), adopted, "{line}");
            if let Ok(taken) = taken {
                let indent = &line[..line.len() - line.trim_start().len()];
                assert_eq!(
                    taken,
                    format!("#!/sbin/openrc-run\n{BLOCK}command=x\n{indent}{TAKEN_OVER}\nend\n")
                );
            }
        }
    }
}
