//! What consumers of the classic protocol tell each other through the group's leader: subscriptions and assignments.
//!
//! Generated from `src/codec/schema/consumer_protocol.klamm`. Both are preceded by their version, two bytes.

include!(concat!(env!("OUT_DIR"), "/consumer_protocol.rs"));
