//! What scripts answered last, for the times at which they can't be had.
//!
//! It is kept in `pac.json` in the program's own folder. A lost or damaged file means that nothing is
//! known, which costs an error where an old answer would have done.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::kept::KeptFile;

use super::Answer;

/// The file with the last answers.
#[derive(Debug, Clone)]
pub struct Memory {
    file: KeptFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// By the SHA-256 of the script's URL, in which a password may stand, and by host.
    answers: BTreeMap<String, BTreeMap<String, Kept>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Seconds since 1970.
    at: u64,
    answer: Answer,
}

const SCHEMA: u32 = 1;

impl Memory {
    /// The name of the file.
    pub const FILE: &str = "pac.json";

    /// In the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: KeptFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// What the script at `url` answered for `hosts`, in their order, and when it gave the oldest of
    /// these answers; nothing if it never answered for one of them.
    pub fn get(&self, url: &str, hosts: &[String]) -> Option<(Vec<Answer>, SystemTime)> {
        let mut stored: Stored = self.file.read();
        let of_url = stored.answers.get_mut(&key(url))?;
        let kept: Option<Vec<Kept>> = hosts.iter().map(|host| of_url.remove(host)).collect();
        let kept = kept?;
        let since = kept.iter().map(|kept| kept.at).min()?;
        let answers = kept.into_iter().map(|kept| kept.answer).collect();
        Some((answers, UNIX_EPOCH + Duration::from_secs(since)))
    }

    /// Keeps `answers` of the script at `url`, given at `now`.
    ///
    /// # Errors
    /// When the file can't be written; it is then as it was.
    pub fn set(&self, url: &str, answers: &[Answer], now: SystemTime) -> io::Result<()> {
        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.file.update(|stored: &mut Stored| {
            let of_url = stored.answers.entry(key(url)).or_default();
            for answer in answers {
                let answer = answer.clone();
                of_url.insert(answer.host.clone(), Kept { at, answer });
            }
            true
        })
    }
}

fn key(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Route;
    use super::*;

    fn answer(host: &str) -> Answer {
        Answer {
            host: host.to_owned(),
            url: format!("https://{host}/"),
            text: "DIRECT".to_owned(),
            routes: vec![Route::Direct],
            ignored: Vec::new(),
        }
    }

    #[test]
    fn answers_are_kept_by_url_and_host() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(&dir.path().join("new"));
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let of =
            |hosts: &[&String]| -> Vec<String> { hosts.iter().map(|h| (*h).clone()).collect() };
        let url = "http://me:s3cret@h/proxy.pac";
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(memory.get(url, &of(&[&a])).is_none());

        memory.set(url, &[answer("a")], at(100)).unwrap();
        memory.set(url, &[answer("b")], at(200)).unwrap();
        let (answers, since) = memory.get(url, &of(&[&b, &a])).unwrap();
        assert_eq!(answers, [answer("b"), answer("a")]);
        assert_eq!(since, at(100));
        assert_eq!(memory.get(url, &of(&[&b])).unwrap().1, at(200));
        // Half of an answer is none.
        assert!(memory.get(url, &["a".to_owned(), "c".to_owned()]).is_none());
        assert!(memory.get("http://h/other.pac", &of(&[&a])).is_none());

        let path = dir.path().join("new/pac.json");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn a_damaged_file_is_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(dir.path());
        let hosts = ["a".to_owned()];
        let now = SystemTime::now();
        for damage in ["", "{", "{\"schema\":2,\"answers\":{}}", "\0"] {
            fs::write(dir.path().join("pac.json"), damage).unwrap();
            assert!(memory.get("u", &hosts).is_none(), "{damage}");
            memory.set("u", &[answer("a")], now).unwrap();
            assert!(memory.get("u", &hosts).is_some(), "{damage}");
        }
    }
}
