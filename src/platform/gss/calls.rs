//! The calls, and the types that they take.

#![allow(unsafe_code, reason = "the library is written in C")]

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::slice;

#[cfg(not(target_os = "macos"))]
use super::gss_linux as library;
#[cfg(target_os = "macos")]
use super::gss_macos as library;
use super::{GssError, service};

/// Maximum number of texts for one status.
const MAX_TEXTS: usize = 8;
/// `GSS_C_GSS_CODE` and `GSS_C_MECH_CODE` (appendix A): which of the two codes [`Functions::display_status`] explains.
const GSS_CODE: c_int = 1;
const MECH_CODE: c_int = 2;
/// Calling errors and routine errors are the upper half of a major status (section 3.9.1). The lower half informs.
const ERROR_MASK: u32 = 0xffff_0000;
/// `GSS_S_NO_CRED` and `GSS_S_FAILURE` (section 3.9.1). The latter says no more than that the minor status does.
const NO_CRED: u32 = 7 << 16;
const FAILURE: u32 = 13 << 16;

/// An object identifier (`gss_OID_desc`, section 3.3). Its layout is a matter of the library: Apple's header packs it on Intel.
#[repr(C)]
pub(super) struct Oid {
    _opaque: [u8; 0],
}

/// Bytes (`gss_buffer_desc`, section 3.2).
#[repr(C)]
pub(super) struct Buffer {
    length: usize,
    value: *mut c_void,
}

// Apple's header packs it to 2 bytes on Intel, which leaves the fields where they are.
const _: () = assert!(
    size_of::<Buffer>() == 2 * size_of::<usize>()
        && std::mem::offset_of!(Buffer, length) == 0
        && std::mem::offset_of!(Buffer, value) == size_of::<usize>()
);

/// A pointer to something of the library's (`gss_name_t`, `gss_ctx_id_t`, `gss_cred_id_t`, sections 3.5 to 3.10).
type Handle = *mut c_void;

/// The functions, as section 5 declares them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Functions {
    pub(super) import_name:
        unsafe extern "C" fn(*mut u32, *const Buffer, *const Oid, *mut Handle) -> u32,
    pub(super) init_sec_context: unsafe extern "C" fn(
        *mut u32,
        Handle,
        *mut Handle,
        Handle,
        *const Oid,
        u32,
        u32,
        *const c_void,
        *const Buffer,
        *mut *const Oid,
        *mut Buffer,
        *mut u32,
        *mut u32,
    ) -> u32,
    pub(super) display_status:
        unsafe extern "C" fn(*mut u32, u32, c_int, *const Oid, *mut u32, *mut Buffer) -> u32,
    pub(super) release_name: unsafe extern "C" fn(*mut u32, *mut Handle) -> u32,
    pub(super) release_buffer: unsafe extern "C" fn(*mut u32, *mut Buffer) -> u32,
    pub(super) delete_sec_context: unsafe extern "C" fn(*mut u32, *mut Handle, *mut Buffer) -> u32,
}

/// Returns a new token for the proxy `host`, with which Negotiate begins (RFC 4559). The user's credentials are not handed on.
///
/// It blocks: it may look up names and ask a KDC, which takes half a minute if that is silent.
///
/// # Errors
/// When there is no ticket for that proxy.
pub fn token(host: &str) -> Result<Vec<u8>, GssError> {
    let functions = library::functions().map_err(GssError::Library)?;
    let name = Name::import(functions, &service(host))?;
    match first_token(functions, &name, library::spnego()) {
        Ok(token) if token.is_empty() => Err(GssError::Empty),
        Ok(token) => Ok(token),
        // SPNEGO says that it has no mechanism to negotiate, and Kerberos says why.
        Err(status) if status.major & ERROR_MASK == NO_CRED => {
            let asked = first_token(functions, &name, library::kerberos());
            Err(asked.err().unwrap_or(status).explain(functions))
        }
        Err(status) => Err(status.explain(functions)),
    }
}

/// A status that is an error.
struct Status {
    major: u32,
    minor: u32,
    /// The mechanism whose minor status it is.
    mechanism: *const Oid,
}

impl Status {
    fn explain(&self, functions: &Functions) -> GssError {
        let major = match self.major & ERROR_MASK {
            FAILURE => String::new(),
            _ => self.text(functions, GSS_CODE, self.major),
        };
        let minor = match self.minor {
            0 => String::new(),
            minor => self.text(functions, MECH_CODE, minor),
        };
        GssError::Status(match (&*major, &*minor) {
            ("", "") => format!("GSS-API error {:#x}, {:#x}", self.major, self.minor),
            ("", text) | (text, "") => text.to_owned(),
            (major, minor) => format!("{major}: {minor}"),
        })
    }

    fn text(&self, functions: &Functions, kind: c_int, value: u32) -> String {
        let mut texts = Vec::new();
        let mut more = 0;
        for _ in 0..MAX_TEXTS {
            let mut text = Output::new(functions);
            // SAFETY: section 5.11: the mechanism's OID lives as long as the library; `more` is kept from call to call, and
            // the text is the library's until it is released.
            let major = unsafe {
                (functions.display_status)(
                    &mut 0,
                    value,
                    kind,
                    self.mechanism,
                    &mut more,
                    &mut text.buffer,
                )
            };
            if major & ERROR_MASK != 0 {
                break;
            }
            texts.push(shown(text.bytes()));
            if more == 0 {
                break;
            }
        }
        texts.retain(|text| !text.is_empty());
        texts.join(", ")
    }
}

/// Returns the library's text in one line. It may end with a NUL, and it contains names that came over the network.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    text.replace(char::is_control, " ")
}

fn first_token(
    functions: &Functions,
    name: &Name<'_>,
    mechanism: *const Oid,
) -> Result<Vec<u8>, Status> {
    let mut context = Context {
        handle: null_mut(),
        functions,
    };
    let mut token = Output::new(functions);
    let mut minor = 0;
    // SAFETY: section 5.19: no credentials means the user's own; the context begins as GSS_C_NO_CONTEXT; the name and the
    // OID live until the call returns; no flag, so no delegation; 0 is the default lifetime; no channel bindings; no
    // token from the proxy yet; and null where the caller wants no answer. What is put out is released in any case.
    let major = unsafe {
        (functions.init_sec_context)(
            &mut minor,
            null_mut(),
            &mut context.handle,
            name.handle,
            mechanism,
            0,
            0,
            null(),
            null(),
            null_mut(),
            &mut token.buffer,
            null_mut(),
            null_mut(),
        )
    };
    if major & ERROR_MASK != 0 {
        return Err(Status {
            major,
            minor,
            mechanism,
        });
    }
    Ok(token.bytes().to_vec())
}

/// A name in the library's own form.
struct Name<'f> {
    handle: Handle,
    functions: &'f Functions,
}

impl<'f> Name<'f> {
    fn import(functions: &'f Functions, service: &str) -> Result<Self, GssError> {
        let text = Buffer {
            length: service.len(),
            value: service.as_ptr().cast_mut().cast(),
        };
        let mut name = Name {
            handle: null_mut(),
            functions,
        };
        let mut minor = 0;
        // SAFETY: section 5.16: the library copies the text, which it does not change, and the OID lives as long as it does.
        let major = unsafe {
            (functions.import_name)(
                &mut minor,
                &text,
                library::host_based_service(),
                &mut name.handle,
            )
        };
        if major & ERROR_MASK == 0 {
            return Ok(name);
        }
        let mechanism = null();
        Err(Status {
            major,
            minor,
            mechanism,
        }
        .explain(functions))
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: section 5.28: it is the library's name, released once.
            unsafe { (self.functions.release_name)(&mut 0, &mut self.handle) };
        }
    }
}

/// A security context.
struct Context<'f> {
    handle: Handle,
    functions: &'f Functions,
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: section 5.9: it is the library's context, deleted once; no token is wanted, as GSS_C_NO_BUFFER says.
            unsafe { (self.functions.delete_sec_context)(&mut 0, &mut self.handle, null_mut()) };
        }
    }
}

/// Bytes that the library puts out.
struct Output<'f> {
    buffer: Buffer,
    functions: &'f Functions,
}

impl<'f> Output<'f> {
    fn new(functions: &'f Functions) -> Self {
        // `GSS_C_EMPTY_BUFFER` (appendix A).
        let buffer = Buffer {
            length: 0,
            value: null_mut(),
        };
        Self { buffer, functions }
    }

    fn bytes(&self) -> &[u8] {
        if self.buffer.value.is_null() {
            return &[];
        }
        // SAFETY: section 3.2: `length` bytes are at `value`, which stays until it is released.
        unsafe { slice::from_raw_parts(self.buffer.value.cast(), self.buffer.length) }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if !self.buffer.value.is_null() {
            // SAFETY: section 5.27: it is a buffer that a routine filled, released once.
            unsafe { (self.functions.release_buffer)(&mut 0, &mut self.buffer) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_librarys_text_is_one_line() {
        assert_eq!(shown(b"Ticket expired\0"), "Ticket expired");
        assert_eq!(shown(b" a\nb\x1b[0m\t\0\0"), "a b [0m");
        assert_eq!(shown(b""), "");
    }
}
