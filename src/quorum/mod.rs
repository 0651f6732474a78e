//! The metadata log of a quorum of one: its records and batches, its snapshots, its replay, the quorum's state on disk.

pub mod metadata_log;
pub mod metadata_snapshot;
mod quorum_state;
pub mod replay;
