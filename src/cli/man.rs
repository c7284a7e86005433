//! `baleen man`: generates the manual from the command line's own help.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap::builder::{Resettable, StyledStr};
use clap_mangen::Man;

use crate::error::{IoError, Result};

use super::args::{COMPLETION_FILES, COMPLETION_NOTES, Cli, EXAMPLES, EXIT_CODES};
use super::output::Output;

/// Part of the manual that is not in the command line's help.
const ENVIRONMENT: &str = "\
BALEEN_DOCKER_APP   Docker.app to work on
BALEEN_CONFIG       the config file
BALEEN_RELAY        auto, on or off: overrides `relay` of the config file
BALEEN_UPDATE_CHECK weekly or off: overrides `update_check` of the config file
BALEEN_STATE_DIR    the folder for what is kept from run to run, the log among it
HTTP_PROXY, HTTPS_PROXY, NO_PROXY, and the same in lower case
                    the proxy, where the settings name the environment as its source";

const FILES: &str = "\
~/Library/Application Support/Baleen
                    config file and state; elsewhere ~/.config/baleen and ~/.local/state/baleen
~/Library/Logs/Baleen
                    log; elsewhere with the state
Docker.app/Contents/Resources/moby/initrd.img
                    the boot image that is patched; initrd.img-backup beside it is the original";

/// The beginning of the first section, after requests not to divide words and not to stretch lines (`man 7 groff`):
/// "--ver-bose" can't be copied.
const FIRST_SECTION: &str = ".nh\n.ad l\n.SH NAME";

/// Writes a page for the program and one for each command into `folder`, and creates the folder.
pub(super) fn run(folder: &Path, out: &mut Output) -> Result<u8> {
    pages(folder).map_err(|error| IoError::new("write the manual into", folder, error))?;
    out.line(format!("The manual is in {}.", folder.display()))?;
    Ok(0)
}

fn pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // The texts after the help have their own sections below.
    let command = Cli::command()
        .after_help(Resettable::<StyledStr>::Reset)
        .mut_subcommand("completions", |completions| {
            completions.after_help(Resettable::<StyledStr>::Reset)
        });
    clap_mangen::generate_to(command.clone(), folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // Other programs' pages may be there, too.
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("baleen") && name.ends_with(".1"))
        {
            let page = fs::read_to_string(entry.path())?;
            fs::write(entry.path(), page.replacen(".SH NAME", FIRST_SECTION, 1))?;
        }
    }
    let man = Man::new(command);
    let mut page = fs::OpenOptions::new()
        .append(true)
        .open(folder.join(man.get_filename()))?;
    for (heading, list) in [
        ("EXAMPLES", EXAMPLES),
        ("EXIT STATUS", EXIT_CODES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", FILES),
    ] {
        writeln!(page, ".SH {heading}\n{}", described(list))?;
    }
    let mut page = fs::OpenOptions::new()
        .append(true)
        .open(folder.join("baleen-completions.1"))?;
    let files = described(COMPLETION_FILES);
    let notes = verbatim(COMPLETION_NOTES).replace('\n', "\n.PP\n");
    writeln!(page, ".SH FILES\n{files}\n.PP\n{notes}")
}

/// Converts names, with descriptions in a second column or below, into a list that fits the reader's
/// terminal: `.TP` puts a long name on its own line and indents the description (`man 7 groff_man`).
fn described(list: &str) -> String {
    let mut described = Vec::new();
    for line in list.lines() {
        let (name, words) = line.split_once("  ").unwrap_or((line, ""));
        // A line without a name continues the description.
        if !name.is_empty() {
            described.push(".TP".to_owned());
            described.push(format!("\\fB{}\\fR", verbatim(name)));
        }
        let words = words.trim_start();
        if !words.is_empty() {
            described.push(verbatim(words));
        }
    }
    described.join("\n")
}

/// Escapes text for roff (`man 7 roff`), so that it is shown unchanged: a line may not begin with a dot
/// or an apostrophe, a backslash begins an escape, and a plain minus is a hyphen.
fn verbatim(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}"),
            false => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roff_finds_nothing_to_do_in_verbatim_text() {
        assert_eq!(
            verbatim(".so x\n'y\na\\b --c"),
            "\\&.so x\n\\&'y\na\\eb \\-\\-c"
        );
    }
    #[test]
    fn each_name_stands_before_its_words() {
        assert_eq!(
            described("a --b      do this\n           and that\nc\n           do"),
            ".TP\n\\fBa \\-\\-b\\fR\ndo this\nand that\n.TP\n\\fBc\\fR\ndo"
        );
    }
}
