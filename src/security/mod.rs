//! Who a client is and what it may be allowed to do, as data: principals, operations, kinds of resources.
//!
//! Bytes in, bytes out: nothing here knows a socket, a handler or the metadata log. Issue by issue TLS, SASL and ACLs
//! come to stand beside these.

pub mod access;
pub mod authorizer;
pub mod crypto;
pub mod principal;
pub mod sasl;
