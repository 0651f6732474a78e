//! A partition as the broker that has its log sees it: high watermark, waiting shards, rules; and all of them as one view.

pub mod partition;
pub mod played;
pub mod topic_settings;
pub mod traffic;
pub mod view;
pub mod walk;
pub mod watch;
