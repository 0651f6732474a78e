//! Partitions as their leader sees them, and the metadata log of a quorum of one.

pub mod cleaning;
pub mod controller;
pub mod coordinators;
mod formatted;
pub mod hosting;
pub mod housekeeping;
pub mod metadata_log;
pub mod metadata_snapshot;
pub mod moving;
pub mod partition;
mod place;
mod quorum_state;
mod replay;
#[cfg(test)]
mod tests_of_snapshots;
pub mod topic_settings;
pub mod view;
mod walk;
pub mod watch;
