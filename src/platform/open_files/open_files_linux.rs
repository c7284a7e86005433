//! The processes that have a file open, from `/proc`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process;

use super::OpenFile;

/// Returns the other processes that have the device at `path` open. Processes of other users are not
/// visible.
pub(crate) fn open_by_others(path: &Path) -> Vec<OpenFile> {
    let Ok(device) = path.metadata().map(|found| found.rdev()) else {
        return Vec::new();
    };
    let has_it = |process: &Path| {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten();
        files.flatten().any(|file| {
            // The metadata of the open file, not of the link in `/proc`.
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
