//! Who a client is and what it may be allowed to do, as data: principals, operations, kinds of resources, ACLs, and the
//! authorizer that decides by them.
//!
//! Bytes in, bytes out: nothing here knows a socket, a handler or the metadata log. Issue by issue TLS and SASL come to
//! stand beside these.

pub mod access;
pub mod acl;
pub mod authorizer;
pub mod principal;
mod shown;
