//! Cluster metadata as a log of Kafka's own KRaft records.

pub mod record;
