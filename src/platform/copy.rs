//! Copying a file with its permissions and extended attributes.

#[cfg(target_os = "macos")]
use std::fs;
#[cfg(not(target_os = "macos"))]
use std::fs::{File, OpenOptions};
use std::io;
#[cfg(not(target_os = "macos"))]
use std::io::Read;
#[cfg(not(target_os = "macos"))]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Copies `from` to `to`, which must not exist: bytes, permissions and extended attributes. If the
/// file system supports it, the copy shares its blocks with the original until one of them is written.
///
/// `std::fs::copy` does all of this on macOS (`fclonefileat`, else `fcopyfile` with `COPYFILE_ALL`:
/// `man 2 clonefile`, `man 3 copyfile`). A clone does not copy the access control list, but inherits
/// that of its folder, if there is one.
#[cfg(target_os = "macos")]
pub fn copy_file(from: &Path, to: &Path, _copied: &dyn Fn(u64)) -> io::Result<()> {
    fs::copy(from, to).map(drop)
}

/// Copies `from` to `to`, which must not exist: bytes, permissions and extended attributes. If the
/// file system supports it, the copy shares its blocks with the original until one of them is written.
///
/// Calls `copied` with the number of bytes copied so far. On Linux `std::io::copy` uses `copy_file_range`, which does not
/// copy attributes.
#[cfg(not(target_os = "macos"))]
pub fn copy_file(from: &Path, to: &Path, copied: &dyn Fn(u64)) -> io::Result<()> {
    const CHUNK: u64 = 4 << 20;
    let mut source = File::open(from)?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let mut done = 0;
    loop {
        match io::copy(&mut (&mut source).take(CHUNK), &mut copy)? {
            0 => break,
            more => done += more,
        }
        copied(done);
    }
    copy.set_permissions(source.metadata()?.permissions())?;
    let unsupported = |error: &io::Error| error.kind() == io::ErrorKind::Unsupported;
    let names = match xattr::list(from) {
        Err(error) if unsupported(&error) => return Ok(()),
        names => names?,
    };
    for name in names {
        if let Some(value) = xattr::get(from, &name)? {
            match xattr::set(to, &name, &value) {
                Err(error) if unsupported(&error) => {}
                set => set?,
            }
        }
    }
    Ok(())
}
