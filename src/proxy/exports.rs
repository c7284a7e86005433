//! The proxy as lines of a shell script. They are its canonical form: a proxy that is stored in another way is the same
//! one if these lines are.

use zeroize::Zeroizing;

use crate::digest::Sha;

use super::EngineProxy;

const BEGIN: &str = "# >>> baleen: proxy for the Docker Engine (managed; edits are lost) >>>";
const END: &str = "# <<< baleen <<<";

impl EngineProxy {
    /// Returns the revision: the digest of the canonical form. A changed password changes it, so it counts as another
    /// proxy.
    pub fn revision(&self) -> Sha {
        Sha::of(exports(self).as_bytes())
    }
}

/// Returns the marked block of lines that export both cases of each variable, with a line end after the last one.
pub fn exports(proxy: &EngineProxy) -> Zeroizing<String> {
    let variables = proxy.variables();
    // Reserve enough space: a string that grows leaves its old bytes in memory. Quoting takes at
    // most four bytes for one.
    let values: usize = variables.iter().map(|(_, value)| value.len()).sum();
    let mut block = Zeroizing::new(String::with_capacity(8 * values + 512));
    block.push_str(BEGIN);
    block.push('\n');
    for (name, value) in variables {
        let quoted = Zeroizing::new(quote(&value));
        let lower = name.to_lowercase();
        block.push_str("export ");
        for (name, end) in [(name, ' '), (&*lower, '\n')] {
            block.push_str(name);
            block.push('=');
            block.push_str(&quoted);
            block.push(end);
        }
    }
    block.push_str(END);
    block.push('\n');
    block
}

/// Quotes `text` as one word of a shell script, whatever it contains.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $x `y`"), r"'it'\''s $x `y`'");
        assert_eq!(quote(""), "''");
    }
}
