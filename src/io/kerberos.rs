//! Kerberos by the machine's library (MIT's libgssapi_krb5), the side that clients come to: a key out of a keytab, and what the
//! library knows of one client.
//!
//! The library reads the keytab with each client, so that a key may be exchanged while the broker runs, and writes what it
//! has seen into its cache of replays. So none of it belongs on a shard's thread.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::ptr;

use libgssapi::context::{SecurityContext, ServerCtx};
use libgssapi::credential::Cred;
use libgssapi::error::{Error, MajorFlags};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL};
use libgssapi_sys as sys;

/// 1.2.840.113554.1.2.2, the mechanism of Kerberos 5.
const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// 1.2.840.113554.1.2.2.1, a name as Kerberos writes it.
const PRINCIPAL: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

/// The key of a principal. Shared by all threads.
pub struct ServiceKey(Cred);

impl ServiceKey {
    /// Looks for the principal's key in the keytab; `None`: the machine's own. Blocks.
    pub fn open(keytab: Option<&str>, principal: &str) -> Result<ServiceKey, String> {
        let keytab = keytab.map(CString::new).transpose().map_err(|_| "the keytab's path has a NUL".to_string())?;
        let name = RawName::import(principal)?;
        acquire(&name, keytab.as_deref()).map(ServiceKey).map_err(told)
    }

    pub fn begin(&self) -> AcceptedClient {
        AcceptedClient(ServerCtx::new(Some(self.0.clone())))
    }
}

/// One client's context.
pub struct AcceptedClient(ServerCtx);

impl AcceptedClient {
    /// The next token for the client, if there is one, and the client's name once it is proved. Blocks.
    pub fn accept(&mut self, token: &[u8]) -> Result<(Option<Vec<u8>>, Option<String>), String> {
        let answer = self.0.step(token, None).map_err(told)?;
        let answer = answer.map(|answer| answer.to_vec()).filter(|answer| !answer.is_empty());
        if !self.0.is_complete() {
            return Ok((answer, None));
        }
        let name = self.0.source_name().and_then(|name| name.display_name()).map_err(told)?.to_vec();
        let name = String::from_utf8(name).map_err(|_| "the client's name is not UTF-8")?;
        Ok((answer, Some(name)))
    }

    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, String> {
        self.0.wrap(false, message).map(|wrapped| wrapped.to_vec()).map_err(told)
    }

    pub fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, String> {
        self.0.unwrap(token).map(|message| message.to_vec()).map_err(told)
    }
}

fn told(error: Error) -> String {
    error.to_string()
}

/// The realm of names without one (`default_realm` of `krb5.conf`), if the machine has one. Blocks.
pub fn default_realm() -> Option<String> {
    // A name of Kerberos's own is completed by it.
    let name = Name::new(b"tmp", Some(GSS_NT_KRB5_PRINCIPAL)).ok()?.canonicalize(Some(GSS_MECH_KRB5)).ok()?;
    let name = name.display_name().ok()?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    name.split_once('@').map(|(_, realm)| realm.to_string())
}

/// Names the file that the library reads in the place of `/etc/krb5.conf`.
///
/// To be called by the start, before there is another thread.
pub fn read_configuration(path: &str) {
    // SAFETY: no other thread reads or writes the environment: there is none yet.
    unsafe { std::env::set_var("KRB5_CONFIG", path) };
}

/// A name as the library has it; the safe binding does not hand out its own.
struct RawName(sys::gss_name_t);

impl RawName {
    fn import(principal: &str) -> Result<RawName, String> {
        let mut text = sys::gss_buffer_desc { length: principal.len(), value: principal.as_ptr().cast_mut().cast() };
        let mut kind = oid(PRINCIPAL);
        let (mut minor, mut name) = (0, ptr::null_mut());
        // SAFETY: all pointers are to live values; the library copies the text and the kind, and writes only the last one.
        let major = unsafe { sys::gss_import_name(&mut minor, &mut text, &mut kind, &mut name) };
        let name = RawName(name);
        checked(major, minor).map(|()| name).map_err(|error| format!("the principal {principal}: {error}"))
    }
}

impl Drop for RawName {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the name is the library's or null, and is not used again.
        unsafe { sys::gss_release_name(&mut minor, &mut self.0) };
    }
}

fn oid(bytes: &'static [u8]) -> sys::gss_OID_desc {
    sys::gss_OID_desc { length: bytes.len() as u32, elements: bytes.as_ptr().cast_mut().cast() }
}

fn checked(major: u32, minor: u32) -> Result<(), Error> {
    match major {
        sys::GSS_S_COMPLETE => Ok(()),
        _ => Err(Error { major: MajorFlags::from_bits_retain(major), minor }),
    }
}

/// The key of this name, in this keytab or the machine's own, for Kerberos only: no mechanism that would choose another.
fn acquire(name: &RawName, keytab: Option<&CStr>) -> Result<Cred, Error> {
    let mut kerberos = oid(KERBEROS);
    let mut mechanisms = sys::gss_OID_set_desc { count: 1, elements: &mut kerberos };
    let mut element =
        sys::gss_key_value_element_desc { key: c"keytab".as_ptr(), value: keytab.unwrap_or_default().as_ptr() };
    let store = sys::gss_key_value_set_desc { count: keytab.is_some().into(), elements: &mut element };
    let (mut minor, mut credential) = (0, ptr::null_mut());
    // SAFETY: all pointers are to values that live as long as the call, which keeps none of them; it writes `minor` and
    // `credential` only, and does not want to be told of mechanisms and time.
    let major = unsafe {
        sys::gss_acquire_cred_from(
            &mut minor,
            name.0,
            sys::_GSS_C_INDEFINITE,
            &mut mechanisms,
            sys::GSS_C_ACCEPT as i32,
            &store,
            &mut credential,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    checked(major, minor)?;
    // SAFETY: the credential is new, and belongs to no one else.
    Ok(unsafe { Cred::from_c(credential) })
}
