//! Who has a file open, as `/proc` shows it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process;

use super::OpenFile;

/// The other processes that have the device at `path` open. Of those of other users nothing is seen.
pub(crate) fn open_by_others(path: &Path) -> Vec<OpenFile> {
    let Ok(device) = path.metadata().map(|found| found.rdev()) else {
        return Vec::new();
    };
    let has_it = |process: &Path| {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten();
        files.flatten().any(|file| {
            // What a number leads to, and not the link that stands for it.
            fs::metadata(file.path()).is_ok_and(|found| device != 0 && found.rdev() == device)
        })
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            (pid != process::id() && has_it(&entry.path())).then(|| OpenFile {
                pid,
                name: fs::read_to_string(entry.path().join("comm"))
                    .unwrap_or_default()
                    .trim_end()
                    .to_owned(),
            })
        })
        .collect()
}
