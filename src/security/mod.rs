//! Who a client is and what it may be allowed to do, as data: principals, operations, kinds of resources; and TLS, whose
//! keys come out of stores.
//!
//! Bytes in, bytes out: nothing here knows a socket, a file, a handler or the metadata log. Issue by issue SASL and ACLs
//! come to stand beside these.

pub mod access;
pub mod authorizer;
pub mod principal;
pub(crate) mod store;
pub(crate) mod tls;
