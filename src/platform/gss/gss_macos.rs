//! Apple's GSS.framework: <https://developer.apple.com/documentation/gss>.

#![allow(unsafe_code, reason = "the framework is written in C")]

use std::ffi::{c_int, c_void};

use super::calls::{Buffer, Functions, Oid};

type Handle = *mut c_void;

// SAFETY: the functions have the types of RFC 2744, section 5. The variables are those whose addresses the framework's
// headers give the names GSS_C_NT_HOSTBASED_SERVICE, GSS_SPNEGO_MECHANISM and GSS_KRB5_MECHANISM.
#[link(name = "GSS", kind = "framework")]
unsafe extern "C" {
    static __gss_c_nt_hostbased_service_oid_desc: Oid;
    static __gss_spnego_mechanism_oid_desc: Oid;
    static __gss_krb5_mechanism_oid_desc: Oid;

    fn gss_import_name(
        minor: *mut u32,
        text: *const Buffer,
        kind: *const Oid,
        name: *mut Handle,
    ) -> u32;
    fn gss_init_sec_context(
        minor: *mut u32,
        credentials: Handle,
        context: *mut Handle,
        name: Handle,
        mechanism: *const Oid,
        flags: u32,
        lifetime: u32,
        bindings: *const c_void,
        input: *const Buffer,
        actual_mechanism: *mut *const Oid,
        output: *mut Buffer,
        actual_flags: *mut u32,
        actual_lifetime: *mut u32,
    ) -> u32;
    fn gss_display_status(
        minor: *mut u32,
        value: u32,
        kind: c_int,
        mechanism: *const Oid,
        more: *mut u32,
        text: *mut Buffer,
    ) -> u32;
    fn gss_release_name(minor: *mut u32, name: *mut Handle) -> u32;
    fn gss_release_buffer(minor: *mut u32, buffer: *mut Buffer) -> u32;
    fn gss_delete_sec_context(minor: *mut u32, context: *mut Handle, token: *mut Buffer) -> u32;
}

static FUNCTIONS: Functions = Functions {
    import_name: gss_import_name,
    init_sec_context: gss_init_sec_context,
    display_status: gss_display_status,
    release_name: gss_release_name,
    release_buffer: gss_release_buffer,
    delete_sec_context: gss_delete_sec_context,
};

pub(super) fn host_based_service() -> *const Oid {
    &raw const __gss_c_nt_hostbased_service_oid_desc
}

pub(super) fn spnego() -> *const Oid {
    &raw const __gss_spnego_mechanism_oid_desc
}

pub(super) fn kerberos() -> *const Oid {
    &raw const __gss_krb5_mechanism_oid_desc
}

/// On Linux the library may be missing.
pub(super) fn functions() -> Result<&'static Functions, String> {
    Ok(&FUNCTIONS)
}
