//! The headers of requests and responses. Which version goes with which API, `api::Description` says.
//!
//! Generated from `src/codec/schema/header.klamm`.

include!(concat!(env!("OUT_DIR"), "/header.rs"));
