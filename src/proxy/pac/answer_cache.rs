//! The last answers of scripts, for times when the scripts can't be reached.
//!
//! The cache is `pac.json` in the program's own folder. It holds each script's answers by host, and
//! finds them under every spelling of the address and the host ([`address`]). If the file is lost or
//! damaged, nothing is known. The cost is an error in a case where an old answer would have sufficed.
//!
//! The file stays small. It holds the [`MAX_SCRIPTS`] scripts that were asked last, without those that
//! were unused for [`MAX_UNUSED_SECONDS`]. It holds the newest [`MAX_ANSWERS`] answers of each script,
//! without those that are older than the newest by [`MAX_UNUSED_SECONDS`]. The answers of a script in
//! use never expire, however long it can't be reached: that decision is the user's.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::storage::JsonFile;
use crate::util::unix_seconds;

use super::{PacAnswer, address};

/// The file with the last answers.
#[derive(Debug, Clone)]
pub struct AnswerCache {
    file: JsonFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// The scripts, by the SHA-256 of their normalized address, since its query may be secret.
    scripts: BTreeMap<String, CachedScript>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct CachedScript {
    /// The time of the last request, reached or not, in seconds since 1970. Without an answer, it is
    /// accurate to the day only.
    asked: u64,
    /// The time when the script was first found unreachable, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unreachable_since: Option<u64>,
    /// The answers, by normalized host.
    answers: BTreeMap<String, CachedAnswer>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct CachedAnswer {
    /// The time of the answer, in seconds since 1970.
    at: u64,
    answer: PacAnswer,
}

const SCHEMA: u32 = 2;

/// Maximum number of scripts in the cache. A laptop moves between several places.
const MAX_SCRIPTS: usize = 8;
/// Maximum number of answers per script in the cache, and maximum number that one request may add.
const MAX_ANSWERS: usize = 256;
const AT_ONCE: usize = 64;
/// Time after which an unused script or answer is dropped, in seconds. It will hardly be asked again.
const MAX_UNUSED_SECONDS: u64 = 90 * DAY;
const DAY: u64 = 24 * 60 * 60;

impl AnswerCache {
    /// Name of the file.
    pub const FILE: &str = "pac.json";

    /// Creates a cache in the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// Returns the last answer of the script at `url` for each of `hosts`, in their order, with its time.
    pub fn get(&self, url: &str, hosts: &[String]) -> Vec<Option<(PacAnswer, SystemTime)>> {
        let stored: Stored = self.file.read_or_older(older);
        let places = [key(url), key_before(url)];
        let known: Vec<&CachedScript> = places
            .iter()
            .filter_map(|place| stored.scripts.get(place))
            .collect();
        let of = |host: &String| {
            let name = address::of_host(host);
            let kept = known.iter().find_map(|known| known.answers.get(&name))?;
            let answer = PacAnswer {
                host: host.clone(),
                ..kept.answer.clone()
            };
            Some((answer, UNIX_EPOCH + Duration::from_secs(kept.at)))
        };
        hosts.iter().map(of).collect()
    }

    /// Stores `answers` of the script at `url`, given at `now`. If there are too many, it stores the first.
    ///
    /// # Errors
    /// When the file can't be written. It is unchanged then.
    pub fn set(&self, url: &str, answers: &[PacAnswer], now: SystemTime) -> io::Result<()> {
        let at = unix_seconds(now);
        self.file.update_or_older(older, |stored: &mut Stored| {
            let of_url = of_script(stored, url);
            of_url.asked = at;
            of_url.unreachable_since = None;
            for answer in answers.iter().take(AT_ONCE) {
                let name = address::of_host(&answer.host);
                let answer = answer.clone();
                of_url.answers.insert(name, CachedAnswer { at, answer });
            }
            prune(stored, at);
            true
        })
    }

    /// Records that the script at `url` could not be reached at `now`, and returns the time since when it
    /// is unreachable.
    ///
    /// # Errors
    /// When the file can't be written. It is unchanged then.
    pub fn unreachable(&self, url: &str, now: SystemTime) -> io::Result<SystemTime> {
        let now = unix_seconds(now);
        let mut since = now;
        self.note(url, now, |known| {
            // If the clock was set back, the time must not be in the future.
            let new = known.unreachable_since.is_none_or(|since| since > now);
            since = known.unreachable_since.filter(|_| !new).unwrap_or(now);
            known.unreachable_since = Some(since);
            new
        })?;
        Ok(UNIX_EPOCH + Duration::from_secs(since))
    }

    /// Records that the answers of the script at `url` are in use, so that they stay in the cache.
    ///
    /// # Errors
    /// When the file can't be written. It is unchanged then.
    pub fn in_use(&self, url: &str, now: SystemTime) -> io::Result<()> {
        self.note(url, unix_seconds(now), |_| false)
    }

    fn note(
        &self,
        url: &str,
        now: u64,
        change: impl FnOnce(&mut CachedScript) -> bool,
    ) -> io::Result<()> {
        self.file.update_or_older(older, |stored: &mut Stored| {
            let known = of_script(stored, url);
            let is_old = known.asked.abs_diff(now) >= DAY;
            if is_old {
                known.asked = now;
            }
            let is_changed = change(known) || is_old;
            prune(stored, now);
            is_changed
        })
    }
}

/// Returns the stored script at `url`, after moving it to its normalized address.
fn of_script<'a>(stored: &'a mut Stored, url: &str) -> &'a mut CachedScript {
    let (now, before) = (key(url), key_before(url));
    if now != before
        && let Some(old) = stored.scripts.remove(&before)
    {
        let known = stored.scripts.entry(now.clone()).or_default();
        for (host, kept) in old.answers {
            known.answers.entry(host).or_insert(kept);
        }
    }
    stored.scripts.entry(now).or_default()
}

fn prune(stored: &mut Stored, now: u64) {
    let is_used = |known: &CachedScript| now.saturating_sub(known.asked) < MAX_UNUSED_SECONDS;
    stored.scripts.retain(|_, known| is_used(known));
    newest(&mut stored.scripts, MAX_SCRIPTS, |known| known.asked);
    for known in stored.scripts.values_mut() {
        let last = known.answers.values().map(|kept| kept.at).max();
        let last = last.unwrap_or_default();
        known
            .answers
            .retain(|_, kept| last - kept.at < MAX_UNUSED_SECONDS);
        newest(&mut known.answers, MAX_ANSWERS, |kept| kept.at);
    }
}

/// Keeps only the `most` entries with the latest times.
fn newest<T>(all: &mut BTreeMap<String, T>, most: usize, time: impl Fn(&T) -> u64) {
    if all.len() <= most {
        return;
    }
    let mut times: Vec<(u64, String)> = all.iter().map(|(k, v)| (time(v), k.clone())).collect();
    times.sort_unstable();
    for (_, name) in &times[..times.len() - most] {
        all.remove(name);
    }
}

/// Converts the file format of version 0.1.0, which has answers by the SHA-256 of the address in its
/// original spelling, and by host.
fn older(schema: u32, content: Value) -> Option<Stored> {
    #[derive(Deserialize)]
    struct First {
        answers: BTreeMap<String, BTreeMap<String, CachedAnswer>>,
    }
    let First { answers } = serde_json::from_value(content)
        .ok()
        .filter(|_| schema == 1)?;
    let scripts = answers.into_iter().map(|(script, answers)| {
        let known = CachedScript {
            asked: answers.values().map(|kept| kept.at).max().unwrap_or(0),
            unreachable_since: None,
            answers: answers
                .into_iter()
                .map(|(host, kept)| (address::of_host(&host), kept))
                .collect(),
        };
        (script, known)
    });
    Some(Stored {
        scripts: scripts.collect(),
    })
}

fn key(url: &str) -> String {
    key_before(&address::of_script(url))
}

/// Returns the key that version 0.1.0 used.
fn key_before(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Route;
    use super::*;

    fn answer(host: &str) -> PacAnswer {
        PacAnswer {
            host: host.to_owned(),
            url: address::question(host),
            text: "DIRECT".to_owned(),
            routes: vec![Route::Direct],
            ignored: Vec::new(),
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn hosts(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|&host| host.to_owned()).collect()
    }

    const URL: &str = "http://me:s3cret@h/proxy.pac?s3cret";

    #[test]
    fn answers_are_kept_by_script_and_host() {
        let dir = tempfile::tempdir().unwrap();
        let memory = AnswerCache::in_folder(&dir.path().join("new"));
        assert_eq!(memory.get(URL, &hosts(&["a"])), [None]);

        memory.set(URL, &[answer("a")], at(100)).unwrap();
        memory.set(URL, &[answer("b:5000")], at(200)).unwrap();
        let (a, b) = ((answer("a"), at(100)), (answer("b:5000"), at(200)));
        let found = memory.get(URL, &hosts(&["b:5000", "c", "a"]));
        assert_eq!(found, [Some(b), None, Some(a)]);

        // Other spellings of address and host find the same answer, which has the requested host.
        let found = memory.get(
            "HTTP://me@H.:80/proxy.pac?s3cret",
            &hosts(&["https://A:443/"]),
        );
        let [Some((found, _))] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (&*found.host, &*found.url),
            ("https://A:443/", "https://a/")
        );
        assert_eq!(memory.get("http://h/other.pac", &hosts(&["a"])), [None]);

        let path = dir.path().join("new/pac.json");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn a_damaged_file_is_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let memory = AnswerCache::in_folder(dir.path());
        let now = SystemTime::now();
        for damage in ["", "{", "{\"schema\":3,\"scripts\":{}}", "\0"] {
            fs::write(dir.path().join("pac.json"), damage).unwrap();
            assert_eq!(memory.get("u", &hosts(&["a"])), [None], "{damage}");
            memory.set("u", &[answer("a")], now).unwrap();
            assert!(memory.get("u", &hosts(&["a"]))[0].is_some(), "{damage}");
        }
    }

    /// The format of version 0.1.0, with an address that is not normalized.
    #[test]
    fn the_form_before_this_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let memory = AnswerCache::in_folder(dir.path());
        let url = "HTTP://H/proxy.pac";
        let old = serde_json::json!({ "schema": 1, "answers": { key_before(url): {
            "a": { "at": 100, "answer": answer("a") },
            "https://b:443/": { "at": 200, "answer": answer("https://b:443/") },
        } } });
        fs::write(dir.path().join("pac.json"), old.to_string()).unwrap();
        let known = |url: &str| {
            let found = memory.get(url, &hosts(&["a", "b"]));
            found
                .into_iter()
                .map(|found| Some(found?.1))
                .collect::<Vec<_>>()
        };
        assert_eq!(known(url), [Some(at(100)), Some(at(200))]);
        // The digest doesn't reveal the address. So only the old spelling finds the answers until the
        // script is asked under that spelling again.
        assert_eq!(known("http://h/proxy.pac"), [None, None]);
        memory.set(url, &[answer("a")], at(300)).unwrap();
        for url in [url, "http://h/proxy.pac"] {
            assert_eq!(known(url), [Some(at(300)), Some(at(200))], "{url}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn since_when_a_script_can_not_be_reached() {
        let dir = tempfile::tempdir().unwrap();
        let memory = AnswerCache::in_folder(dir.path());
        for (now, since) in [(100, 100), (200, 100), (100_000, 100), (50, 50), (60, 50)] {
            assert_eq!(
                memory.unreachable(URL, at(now)).unwrap(),
                at(since),
                "{now}"
            );
        }
        memory.set(URL, &[answer("a")], at(300)).unwrap();
        assert_eq!(memory.unreachable(URL, at(400)).unwrap(), at(400));
        assert_eq!(
            memory.unreachable("http://other/", at(500)).unwrap(),
            at(500)
        );
        assert!(memory.get(URL, &hosts(&["a"]))[0].is_some());
    }

    #[test]
    fn what_is_not_used_goes() {
        let dir = tempfile::tempdir().unwrap();
        let memory = AnswerCache::in_folder(dir.path());
        let known = |url: &str, host: &str| memory.get(url, &hosts(&[host]))[0].is_some();
        let other = |number: u64| format!("http://h{number}/proxy.pac");

        // The scripts that were asked last stay.
        for number in 0..20 {
            memory
                .set(&other(number), &[answer("a")], at(number))
                .unwrap();
        }
        let left: Vec<u64> = (0..20)
            .filter(|&number| known(&other(number), "a"))
            .collect();
        assert_eq!(left, (12..20).collect::<Vec<_>>());

        // The newest answers of a script stay, and the first answers of one request.
        for question in 0..10 {
            let hosts: Vec<PacAnswer> = (0..100)
                .map(|number| answer(&format!("h{number}.q{question}")))
                .collect();
            memory.set(URL, &hosts, at(100 + question)).unwrap();
        }
        for (host, is_known) in [
            ("h0.q9", true),
            ("h63.q9", true),
            ("h64.q9", false),
            ("h0.q6", true),
            ("h0.q5", false),
        ] {
            assert_eq!(known(URL, host), is_known, "{host}");
        }
        let size = dir.path().join("pac.json").metadata().unwrap().len();
        assert!(size < 100_000, "{size}");

        // Answers of a script in use don't expire, reached or not; those of other scripts do.
        for day in 1..200 {
            memory.in_use(URL, at(day * DAY)).unwrap();
        }
        assert!(known(URL, "h0.q9") && !known(&other(19), "a"));
        memory.set(URL, &[answer("a")], at(200 * DAY)).unwrap();
        assert!(known(URL, "a") && !known(URL, "h0.q9"));
    }
}
