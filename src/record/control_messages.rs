//! The contents of control records: transaction markers, and what the metadata quorum writes among its own records.
//!
//! Generated from `src/codec/schema/control.klamm`. A control record's key is the version and the type (KIP-98).

include!(concat!(env!("OUT_DIR"), "/control.rs"));
