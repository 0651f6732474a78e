//! The settings that the coordinators obey, under the names that they have here; where they come from is `config`'s matter.

pub use crate::config::{
    ConsumerGroupSettings as ConsumerSettings, GroupSettings as Settings, MigrationPolicy, TransactionSettings,
};
