//! The library of MIT Kerberos, which is opened when it is needed: most computers have none.

#![allow(
    unsafe_code,
    reason = "the compiler can't know the types of a library's functions"
)]

use std::sync::OnceLock;

use dlopen2::raw::Library;

use super::calls::{Functions, Oid};

/// The name of its interface, on every distribution.
const LIBRARY: &str = "libgssapi_krb5.so.2";

/// An object identifier as MIT's `gssapi.h` declares it on Linux.
#[repr(C)]
struct OidDesc<const LEN: usize> {
    length: u32,
    elements: &'static [u8; LEN],
}

const _: () = assert!(
    size_of::<OidDesc<6>>() == 2 * size_of::<usize>()
        && std::mem::offset_of!(OidDesc<6>, length) == 0
        && std::mem::offset_of!(OidDesc<6>, elements) == size_of::<usize>()
);

impl<const LEN: usize> OidDesc<LEN> {
    const fn new(elements: &'static [u8; LEN]) -> Self {
        Self {
            length: LEN as u32,
            elements,
        }
    }
}

/// 1.2.840.113554.1.2.1.4 (RFC 2744, appendix A).
static HOST_BASED_SERVICE: OidDesc<10> =
    OidDesc::new(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 1, 4]);
/// 1.3.6.1.5.5.2 (RFC 4178, section 3.1).
static SPNEGO: OidDesc<6> = OidDesc::new(&[0x2b, 6, 1, 5, 5, 2]);
/// 1.2.840.113554.1.2.2 (RFC 1964, section 1).
static KERBEROS: OidDesc<9> = OidDesc::new(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2]);

pub(super) fn host_based_service() -> *const Oid {
    (&raw const HOST_BASED_SERVICE).cast()
}

pub(super) fn spnego() -> *const Oid {
    (&raw const SPNEGO).cast()
}

pub(super) fn kerberos() -> *const Oid {
    (&raw const KERBEROS).cast()
}

/// Opens the library the first time. One that was installed since the last failure is found.
pub(super) fn functions() -> Result<&'static Functions, String> {
    static OPENED: OnceLock<(Library, Functions)> = OnceLock::new();
    if let Some((_, functions)) = OPENED.get() {
        return Ok(functions);
    }
    let opened = open(LIBRARY).map_err(|error| error.to_string())?;
    Ok(&OPENED.get_or_init(|| opened).1)
}

fn open(name: &str) -> Result<(Library, Functions), dlopen2::Error> {
    let library = Library::open(name)?;
    // SAFETY: each has the type that RFC 2744, section 5, gives the function of that name, and the library is never closed
    // as long as they are called: it is kept beside them.
    let functions = unsafe {
        Functions {
            import_name: library.symbol("gss_import_name")?,
            init_sec_context: library.symbol("gss_init_sec_context")?,
            display_status: library.symbol("gss_display_status")?,
            release_name: library.symbol("gss_release_name")?,
            release_buffer: library.symbol("gss_release_buffer")?,
            delete_sec_context: library.symbol("gss_delete_sec_context")?,
        }
    };
    Ok((library, functions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_missing_or_another_one_is_named() {
        for (name, missing) in [
            ("libbaleen-nowhere.so.2", "libbaleen-nowhere.so.2"),
            ("libc.so.6", "gss_import_name"),
        ] {
            let error = open(name).err().unwrap().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }
}
