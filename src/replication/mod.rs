//! Partitions as their leader sees them, and the metadata log of a quorum of one.

pub mod watch;
