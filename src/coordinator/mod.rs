//! The coordinators of groups, transactions and share groups as pure state machines over their records.

pub mod assignor;
pub mod record;
pub mod regex;
pub mod subscription_hash;
