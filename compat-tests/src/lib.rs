//! The harness of the compatibility tests: real clients and the official tools against a real broker process.
//!
//! A test is a function that gets a running [`broker::Broker`]; [`suite::Suite`] runs it once for each back end and number
//! of shards. With `KLAMM_PEER=kafka` the same tests run against Apache Kafka: that is how a test proves that it asks for
//! what Kafka does, before it judges Klamm.

pub mod application;
pub mod batch;
pub mod broker;
pub mod browser;
pub mod cache;
pub mod client_program;
pub mod clients;
pub mod corpus;
pub mod door;
pub mod dump_log;
pub mod foreign;
pub mod history;
pub mod http;
pub mod klamm;
pub mod login;
pub mod member;
pub mod mount;
pub mod pair;
pub mod port;
pub mod program;
pub mod raw;
pub mod reader;
pub mod records;
pub mod rooted;
pub mod schema;
pub mod secured;
pub mod suite;
pub mod test_process;
pub mod tools;
pub mod transactional;
pub mod transactor;

pub use anyhow::{Context, Error, Result, bail, ensure};

/// The end of a text: at most this many bytes of whole characters.
pub fn tail(text: &str, bytes: usize) -> &str {
    let cut = (text.len().saturating_sub(bytes)..=text.len()).find(|at| text.is_char_boundary(*at));
    &text[cut.unwrap_or(text.len())..]
}
