//! The processes that have a file open, from libproc (`/usr/include/libproc.h`, its only documentation).

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{process, ptr};

use super::OpenFile;

/// `PROC_ALL_PIDS` of `sys/proc_info.h`.
const ALL: u32 = 1;
/// Length of the buffer for a name. The longest name has 2 * `MAXCOMLEN` bytes, and `MAXCOMLEN` is 16.
const MAX_NAME_LEN: usize = 64;

#[allow(unsafe_code, reason = "declarations of functions of the system")]
// SAFETY: as `libproc.h` declares them.
unsafe extern "C" {
    /// Fills `buffer` with the pids of the processes that have the file at `path` open, and returns their length in
    /// bytes. Without a buffer, returns a sufficient length. -1 is a failure.
    fn proc_listpidspath(
        kind: u32,
        info: u32,
        path: *const c_char,
        flags: u32,
        buffer: *mut c_void,
        size: c_int,
    ) -> c_int;

    /// Writes the name of a process and a zero after it, and returns its length. 0 is a failure.
    fn proc_name(pid: c_int, buffer: *mut c_void, size: u32) -> c_int;
}

/// Returns the other processes that have the device at `path` open. Processes of other users are not visible.
pub(crate) fn open_by_others(path: &Path) -> Vec<OpenFile> {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return Vec::new();
    };
    #[allow(unsafe_code, reason = "a call of the system")]
    // SAFETY: the path ends with a zero, and without a buffer nothing is written.
    let enough = unsafe { proc_listpidspath(ALL, 0, path.as_ptr(), 0, ptr::null_mut(), 0) };
    let number = usize::try_from(enough).unwrap_or(0) / size_of::<c_int>();
    // More processes may have opened it before the next call.
    let mut pids: Vec<c_int> = vec![0; number + 64];
    let size = c_int::try_from(pids.len() * size_of::<c_int>()).unwrap_or(0);
    #[allow(unsafe_code, reason = "a call of the system")]
    // SAFETY: as above, and the buffer has this size.
    let used = unsafe {
        let buffer = pids.as_mut_ptr().cast();
        proc_listpidspath(ALL, 0, path.as_ptr(), 0, buffer, size)
    };
    pids.truncate(usize::try_from(used).unwrap_or(0) / size_of::<c_int>());
    pids.into_iter()
        .filter_map(|pid| u32::try_from(pid).ok())
        .filter(|&pid| pid != 0 && pid != process::id())
        .map(|pid| OpenFile {
            pid,
            name: name(pid),
        })
        .collect()
}

fn name(pid: u32) -> String {
    let mut bytes = [0_u8; MAX_NAME_LEN];
    let pid = c_int::try_from(pid).unwrap_or(0);
    #[allow(unsafe_code, reason = "a call of the system")]
    // SAFETY: the buffer has this size.
    let length = unsafe { proc_name(pid, bytes.as_mut_ptr().cast(), MAX_NAME_LEN as u32) };
    let name = &bytes[..usize::try_from(length).unwrap_or(0).min(MAX_NAME_LEN)];
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn who_has_a_file_open_is_found_and_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(open_by_others(file.path()), []);
        let mut sleep = Command::new("/bin/sleep")
            .arg("60")
            .stdin(Stdio::from(File::open(file.path()).unwrap()))
            .spawn()
            .unwrap();
        let found = open_by_others(file.path());
        let holder = OpenFile {
            pid: sleep.id(),
            name: "sleep".to_owned(),
        };
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert_eq!(found, [holder]);
    }
}
