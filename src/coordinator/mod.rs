//! The coordinators of groups, transactions and share groups as pure state machines over their records.
//!
//! A [`machine::Machine`] is what one partition of a coordinator's topic means: [`groups::Groups`] that of
//! `__consumer_offsets`, [`transactions::Transactions`] that of `__transaction_state`. The runtime (`coordinator_runtime`) hands it requests, the time and a look at the world
//! ([`step::Step`]), appends the records that it asks for as one batch, and lets no answer out before everything that the
//! answer has seen is committed. Nothing here waits, reads a clock or knows a socket.

pub mod assignor;
pub mod classic;
pub mod consumer;
pub mod consumer_protocol;
pub mod groups;
mod invariants;
pub mod machine;
pub mod offsets;
pub mod record;
pub mod regex;
pub mod reply;
pub mod settings;
pub mod step;
#[cfg(test)]
mod story;
pub mod subscription_hash;
mod timers;
pub mod transactions;
#[cfg(test)]
mod world;
