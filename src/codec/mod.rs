//! Kafka's primitive types over bytes: what messages, records and files are made of.

pub mod varint;
