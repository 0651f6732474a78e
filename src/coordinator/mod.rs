//! The coordinators of groups, transactions and share groups as pure state machines over their records.

pub mod record;
