//! Who a client is and what it may be allowed to do, as data: principals, operations, kinds of resources, ACLs and the
//! authorizer that decides by them; TLS, whose keys come out of stores; the mechanisms of SASL.
//!
//! Bytes in, bytes out: nothing here knows a socket, a file, a handler or the metadata log.

pub mod access;
pub mod acl;
pub mod authorizer;
pub mod crypto;
pub mod delegation;
pub mod principal;
pub mod quota;
pub mod sasl;
mod shown;
pub(crate) mod store;
pub(crate) mod throw_away;
pub(crate) mod tls;
