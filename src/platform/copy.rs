//! Copying a file with its permissions and extended attributes.

use std::fs;
use std::io;
use std::path::Path;

/// Copies `from` to `to`, which must not exist: bytes, permissions and extended attributes. If the
/// file system supports it, the copy shares its blocks with the original until one of them is written.
///
/// `std::fs::copy` does all of this on macOS (`fclonefileat`, else `fcopyfile` with `COPYFILE_ALL`:
/// `man 2 clonefile`, `man 3 copyfile`). A clone does not copy the access control list, but inherits
/// that of its folder, if there is one.
#[cfg(target_os = "macos")]
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to).map(drop)
}

/// Copies `from` to `to`, which must not exist: bytes, permissions and extended attributes. If the
/// file system supports it, the copy shares its blocks with the original until one of them is written.
///
/// On Linux `std::fs::copy` uses `copy_file_range`, which does not copy attributes.
#[cfg(not(target_os = "macos"))]
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
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
